//! Handing mails out for opening, so that one that kills the process is found out and the innocent beside it are not charged.
//!
//! Security: opening is where hostile bytes meet a parser. A mail is marked in flight, durably, before it is opened; those that
//! were in flight when a process died are handed out one at a time and charged before each try, so that a mail that crashes
//! the gateway ends in quarantine instead of stopping all others for ever.

use super::decode::{count, mail_id, time, word};
use super::{Fence, Origin, Result, Settlement, Store, StoreError, StoredMail, Turn, Tx, again_on_conflict};
use crate::report::MailId;
use sqlx::Row as _;
use sqlx::any::AnyRow;

/// Values of `mails.in_flight`.
const IN_BATCH: i64 = 1;
const SUSPECT: i64 = 2;
const ALONE: i64 = 3;

impl Store {
    /// At the start of whoever opens mails (on PostgreSQL: of the holder of that role): what is in flight was left by a
    /// process that died or lost the role. Its late writes are void from now on. Returns how many mails that were.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn recover(&self) -> Result<u64> {
        again_on_conflict!(self.try_recover())
    }

    async fn try_recover(&self) -> Result<u64> {
        let mut tx = self.begin().await?;
        tx.take_turn(Turn::Opening).await?;
        let found =
            sqlx::query("UPDATE mails SET in_flight = $1, fence = fence + 1 WHERE state = 'stored' AND in_flight <> 0")
                .bind(SUSPECT)
                .execute(tx.connection())
                .await?;
        tx.commit().await?;
        Ok(found.rows_affected())
    }

    /// Hands out mails for opening, in order of receipt: at most `limit`, and no more than `max_octets` together (but always
    /// one). Suspects come first and one at a time; while one is out, or while a suspect waits for others to come back,
    /// nothing is handed out.
    ///
    /// # Errors
    /// When the database does not answer; then nothing is marked.
    pub async fn begin_opening(&self, limit: usize, max_octets: u64) -> Result<Vec<StoredMail>> {
        // Looks first, so that an idle daemon writes nothing.
        let waiting: Option<i64> =
            sqlx::query_scalar("SELECT in_flight FROM mails WHERE state = 'stored' AND in_flight IN (0, 2) LIMIT 1")
                .fetch_optional(self.reader())
                .await?;
        if waiting.is_none() || limit == 0 {
            return Ok(Vec::new());
        }
        again_on_conflict!(self.try_begin_opening(limit, max_octets))
    }

    async fn try_begin_opening(&self, limit: usize, max_octets: u64) -> Result<Vec<StoredMail>> {
        let mut tx = self.begin().await?;
        tx.take_turn(Turn::Opening).await?;
        let out = tx.in_flight(IN_BATCH).await? + tx.in_flight(ALONE).await?;
        let mut mails = Vec::new();
        if tx.in_flight(SUSPECT).await? > 0 {
            if out == 0 {
                let next = tx.waiting(SUSPECT, 1).await?;
                for (mail, _) in next {
                    mails.push(tx.hand_out(&mail, ALONE).await?);
                }
            }
        } else if tx.in_flight(ALONE).await? == 0 {
            let mut octets: u64 = 0;
            for (mail, size) in tx.waiting(0, limit).await? {
                octets = octets.saturating_add(size);
                if octets > max_octets && !mails.is_empty() {
                    break;
                }
                mails.push(tx.hand_out(&mail, IN_BATCH).await?);
            }
        }
        tx.commit().await?;
        Ok(mails)
    }

    /// Takes back mails that were handed out and not opened, because of a fault that was not theirs. They are not charged.
    /// Those that somebody else has taken over meanwhile are left alone.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn put_back(&self, mails: &[StoredMail]) -> Result<()> {
        let mut tx = self.begin().await?;
        for mail in mails {
            let (back_to, charged) = if mail.suspect { (SUSPECT, 1) } else { (0, 0) };
            sqlx::query(
                "UPDATE mails SET in_flight = $1, attempts = attempts - $2 \
                 WHERE id = $3 AND fence = $4 AND state = 'stored' AND in_flight IN (1, 3)",
            )
            .bind(back_to)
            .bind(charged)
            .bind(mail.id.as_str())
            .bind(mail.fence.0)
            .execute(tx.connection())
            .await?;
        }
        tx.commit().await
    }
}

impl Tx {
    /// Writes down what opening a mail came to, and that it is not in flight any more.
    ///
    /// # Errors
    /// [`StoreError::Fenced`] if somebody else has taken the mail over meanwhile: drop the transaction then.
    pub async fn settle_mail(&mut self, settlement: &Settlement<'_>) -> Result<()> {
        let settled = sqlx::query(
            "UPDATE mails SET class = $1, case_id = $2, facts = $3, state = $4, in_flight = 0 \
             WHERE id = $5 AND fence = $6 AND in_flight IN (1, 3)",
        )
        .bind(settlement.class.word())
        .bind(settlement.case.map(ToString::to_string))
        .bind(settlement.facts.as_ref().map(|facts| facts.as_bytes().to_vec()))
        .bind(settlement.state.word())
        .bind(settlement.mail.as_str())
        .bind(settlement.fence.0)
        .execute(self.connection())
        .await?;
        if settled.rows_affected() == 1 { Ok(()) } else { Err(StoreError::Fenced) }
    }

    async fn in_flight(&mut self, state: i64) -> Result<i64> {
        Ok(sqlx::query_scalar("SELECT COUNT(*) FROM mails WHERE state = 'stored' AND in_flight = $1")
            .bind(state)
            .fetch_one(self.connection())
            .await?)
    }

    async fn waiting(&mut self, state: i64, limit: usize) -> Result<Vec<(MailId, u64)>> {
        let rows = sqlx::query(
            "SELECT id, size FROM mails WHERE state = 'stored' AND in_flight = $1 ORDER BY received, id LIMIT $2",
        )
        .bind(state)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .fetch_all(self.connection())
        .await?;
        rows.iter().map(|row| Ok((mail_id(row, "id")?, count(row, "size")?))).collect()
    }

    async fn hand_out(&mut self, mail: &MailId, state: i64) -> Result<StoredMail> {
        let charge = i64::from(state == ALONE);
        let row = sqlx::query(
            "UPDATE mails SET in_flight = $1, attempts = attempts + $2, fence = fence + 1 WHERE id = $3 \
             RETURNING id, received, size, origin, attempts, fence",
        )
        .bind(state)
        .bind(charge)
        .bind(mail.as_str())
        .fetch_one(self.connection())
        .await?;
        stored_mail(&row, state == ALONE)
    }
}

fn stored_mail(row: &AnyRow, suspect: bool) -> Result<StoredMail> {
    Ok(StoredMail {
        id: mail_id(row, "id")?,
        received: time(row, "received")?,
        size: count(row, "size")?,
        origin: word(row, "origin", Origin::from_word)?,
        attempts: count(row, "attempts")?,
        suspect,
        fence: Fence(row.try_get("fence").map_err(|_| StoreError::Unexpected("fence"))?),
    })
}
