//! The outbox seen from outside: what is left, what is held, and what an admin does about it.
//!
//! Security: rows are listed by id, kind and code; whose they are is a keyed digest.

use super::decode::{case_id_opt, code, count, digest_opt, int, mail_id, text_opt, time, time_of, time_opt, word};
use super::{HeldBecause, Result, Row, RowFilter, RowId, RowKind, RowState, Store, Tx, WorkLeft};
use crate::report::{CaseId, Digest, MailId};
use jiff::Timestamp;
use sqlx::any::AnyRow;

macro_rules! row_columns {
    () => {
        "id, mail_id, case_id, kind, generation, recipient, state, why, attempts, due, created, updated, owner, lease_until"
    };
}
macro_rules! row_returning {
    () => {
        " RETURNING id, mail_id, case_id, kind, generation, recipient, state, why, attempts, due, created, updated, owner, \
         lease_until, fence"
    };
}
pub(super) use row_returning;

impl Store {
    /// Lets held rows go, due at once. Returns how many.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn release_held(&self, because: HeldBecause<'_>, now: Timestamp) -> Result<u64> {
        let (prefix, recipient) = match because {
            HeldBecause::Why(prefix) => (prefix, ""),
            HeldBecause::Recipient(recipient) => ("", recipient.as_str()),
        };
        self.change(
            sqlx::query(
                "UPDATE outbox SET state = 'pending', why = NULL, due = $1, updated = $1 WHERE state = 'held' \
                 AND ($2 = '' OR SUBSTR(why, 1, LENGTH($2)) = $2) AND ($3 = '' OR recipient = $3)",
            )
            .bind(now.as_millisecond())
            .bind(prefix.to_owned())
            .bind(recipient.to_owned()),
        )
        .await
    }

    /// Drops what waits for a recipient, such as a member who left. What is being handed over at this moment is not stopped.
    /// Returns how many rows that were.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn drop_for_recipient(&self, recipient: &Digest, why: &str, now: Timestamp) -> Result<u64> {
        self.change(
            sqlx::query(
                "UPDATE outbox SET state = 'dropped', why = $1, updated = $2, owner = NULL, lease_until = 0, \
                 fence = fence + 1 WHERE recipient = $3 AND state IN ('pending', 'held')",
            )
            .bind(code(why).to_owned())
            .bind(now.as_millisecond())
            .bind(recipient.as_str().to_owned()),
        )
        .await
    }

    /// Makes the waiting rows of a mail and kind due at once, such as the copies that waited for the draft's link. Returns how
    /// many.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn bring_forward(&self, mail: &MailId, kind: RowKind, now: Timestamp) -> Result<u64> {
        let mut tx = self.begin().await?;
        let changed = tx.bring_forward(mail, kind, now).await?;
        tx.commit().await?;
        Ok(changed)
    }

    async fn change(&self, query: sqlx::query::Query<'static, sqlx::Any, sqlx::any::AnyArguments>) -> Result<u64> {
        let mut tx = self.begin().await?;
        let changed = query.execute(tx.connection()).await?.rows_affected();
        tx.commit().await?;
        Ok(changed)
    }

    /// When the next row is due, or its lease ends, whichever is later. Nothing if nothing will happen by itself.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn next_due(&self) -> Result<Option<Timestamp>> {
        let row = sqlx::query(
            "SELECT MIN(CASE WHEN lease_until > due THEN lease_until ELSE due END) AS due FROM outbox \
             WHERE state IN ('pending', 'sending')",
        )
        .fetch_one(self.reader())
        .await?;
        time_opt(&row, "due")
    }

    /// How many rows there are of each kind in each state, the finished ones included.
    ///
    /// # Errors
    /// When the database does not answer, or holds something unexpected.
    pub async fn work_left(&self) -> Result<Vec<WorkLeft>> {
        let rows = sqlx::query(
            "SELECT kind, state, COUNT(*) AS many, MIN(created) AS oldest, \
             MIN(CASE WHEN lease_until > due THEN lease_until ELSE due END) AS next_due \
             FROM outbox GROUP BY kind, state ORDER BY kind, state",
        )
        .fetch_all(self.reader())
        .await?;
        rows.iter()
            .map(|row| {
                Ok(WorkLeft {
                    kind: word(row, "kind", RowKind::from_word)?,
                    state: word(row, "state", RowState::from_word)?,
                    count: count(row, "many")?,
                    oldest: time(row, "oldest")?,
                    next_due: time(row, "next_due")?,
                })
            })
            .collect()
    }

    /// The rows that a filter lets through, oldest first.
    ///
    /// # Errors
    /// When the database does not answer, or holds something unexpected.
    pub async fn rows(&self, filter: &RowFilter) -> Result<Vec<Row>> {
        let rows = sqlx::query(concat!(
            "SELECT ",
            row_columns!(),
            " FROM outbox WHERE ($1 = '' OR state = $1) AND ($2 = '' OR kind = $2) AND ($3 = '' OR case_id = $3) \
             AND ($4 = '' OR mail_id = $4) AND ($5 = 0 OR state NOT IN ('sent', 'dropped')) \
             ORDER BY created, mail_id, id LIMIT $6"
        ))
        .bind(filter.state.map_or("", RowState::word))
        .bind(filter.kind.map_or("", RowKind::word))
        .bind(filter.case.as_ref().map(ToString::to_string).unwrap_or_default())
        .bind(filter.mail.as_ref().map_or("", MailId::as_str))
        .bind(i64::from(filter.unfinished))
        .bind(if filter.limit == 0 { 10_000 } else { i64::from(filter.limit) })
        .fetch_all(self.reader())
        .await?;
        rows.iter().map(row_of).collect()
    }

    /// The rows of a case, oldest first.
    ///
    /// # Errors
    /// When the database does not answer, or holds something unexpected.
    pub async fn case_rows(&self, case: &CaseId) -> Result<Vec<Row>> {
        self.rows(&RowFilter { case: Some(case.clone()), ..RowFilter::default() }).await
    }

    /// One row.
    ///
    /// # Errors
    /// When the database does not answer, or holds something unexpected.
    pub async fn row(&self, id: &RowId) -> Result<Option<Row>> {
        let row = sqlx::query(concat!("SELECT ", row_columns!(), " FROM outbox WHERE id = $1"))
            .bind(id.as_str())
            .fetch_optional(self.reader())
            .await?;
        row.as_ref().map(row_of).transpose()
    }
}

impl Tx {
    /// An admin's word: to be tried again at once. `false` for a row that is sent, dropped, at work at this moment, or not there.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn retry_row(&mut self, id: &RowId, now: Timestamp) -> Result<bool> {
        let changed = sqlx::query(
            "UPDATE outbox SET state = CASE WHEN state = 'sending' THEN state ELSE 'pending' END, why = 'by-hand', due = $1, \
             updated = $1 WHERE id = $2 AND state IN ('pending', 'sending', 'held', 'failed') \
             AND (owner IS NULL OR lease_until <= $1 OR lease_until > $1 + 10800000)",
        )
        .bind(now.as_millisecond())
        .bind(id.as_str())
        .execute(self.connection())
        .await?;
        Ok(changed.rows_affected() == 1)
    }

    /// An admin's word: not to be sent any more. `false` for a row that is sent, dropped or not there. What is being handed
    /// over at this moment may still arrive, but counts as dropped.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn drop_row(&mut self, id: &RowId, why: &str, now: Timestamp) -> Result<bool> {
        let changed = sqlx::query(
            "UPDATE outbox SET state = 'dropped', why = $1, updated = $2, owner = NULL, lease_until = 0, fence = fence + 1 \
             WHERE id = $3 AND state IN ('pending', 'sending', 'held', 'failed')",
        )
        .bind(code(why))
        .bind(now.as_millisecond())
        .bind(id.as_str())
        .execute(self.connection())
        .await?;
        Ok(changed.rows_affected() == 1)
    }
}

pub(super) fn row_of(row: &AnyRow) -> Result<Row> {
    let leased_until = match text_opt(row, "owner")? {
        Some(_) => Some(time_of(int(row, "lease_until")?)?),
        None => None,
    };
    Ok(Row {
        id: word(row, "id", RowId::parse)?,
        mail: mail_id(row, "mail_id")?,
        case: case_id_opt(row, "case_id")?,
        kind: word(row, "kind", RowKind::from_word)?,
        generation: int(row, "generation")?,
        recipient: digest_opt(row, "recipient")?,
        state: word(row, "state", RowState::from_word)?,
        why: text_opt(row, "why")?,
        attempts: count(row, "attempts")?,
        due: time(row, "due")?,
        created: time(row, "created")?,
        updated: time(row, "updated")?,
        leased_until,
    })
}
