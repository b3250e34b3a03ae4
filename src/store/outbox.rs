//! The outbox at work: claiming rows, and writing down what became of them.
//!
//! Security: a row is handed to one holder at a time, by a lease on the database's clock and a fencing number that grows with
//! every claim. A process that was frozen and wakes up later cannot mark as sent what another is sending, nor the reverse.
//! `sending` is durable before anything leaves, so that after a crash it is known what may have arrived.

use super::decode::{code, later, placeholders, text};
use super::queue::{row_of, row_returning};
use super::{Claim, Fate, Fence, NewRow, Outcome, Owner, Result, RowId, RowKind, RowState, Store, StoreError};
use super::{Turn, Tx, again_on_conflict};
use crate::report::{Digest, MailId};
use jiff::Timestamp;
use sqlx::{AssertSqlSafe, Row as _};
use std::collections::BTreeMap;
use std::collections::HashSet;
use std::time::Duration;

/// Rows written by one statement; each distinct number of them is a statement of its own, and the connection keeps those.
const TOGETHER: usize = 20;

/// Nothing waits as long as this (milliseconds): a time further ahead was written while the clock was wrong, and would
/// otherwise keep its row back until that day.
const CLOCK_WAS_WRONG: i64 = 3 * 3_600_000;
/// How long after the end of its lease a row that was being handed over stays alone (milliseconds), so that its first copy, if
/// it arrived, is known by then.
const AFTER_SENDING: i64 = 40_000;

/// Which rows may be claimed at `$1`, of the kinds from `$2` on.
fn claimable(kinds: usize) -> String {
    format!(
        "state IN ('pending', 'sending') AND (due <= $1 OR due > $1 + {CLOCK_WAS_WRONG}) \
         AND (owner IS NULL OR lease_until <= $1 - CASE WHEN state = 'sending' THEN {AFTER_SENDING} ELSE 0 END \
         OR lease_until > $1 + {CLOCK_WAS_WRONG}) AND kind IN ({})",
        placeholders(2, kinds)
    )
}

/// A row that is still its claimer's.
macro_rules! held {
    () => {
        "WHERE id = $2 AND fence = $3 AND owner = $4 AND state IN ('pending', 'sending') AND lease_until > $1"
    };
}
pub(super) use held;

impl Store {
    /// Claims all due rows of these kinds of up to `max_mails` mails, those that have been due longest first: the rows of a
    /// mail come together, so that it is decrypted and signed once. They are this owner's until the lease ends, unless
    /// [`Store::renew_leases`] makes it longer. A row that was being handed over when its holder was lost waits a while more.
    ///
    /// # Errors
    /// When the database does not answer; then nothing is claimed.
    pub async fn claim(
        &self,
        owner: &Owner,
        kinds: &[RowKind],
        now: Timestamp,
        lease: Duration,
        max_mails: usize,
    ) -> Result<Vec<Claim>> {
        if kinds.is_empty() {
            return Ok(Vec::new());
        }
        // Looks first, so that an idle daemon writes nothing.
        let sql = format!("SELECT fence FROM outbox WHERE {} LIMIT 1", claimable(kinds.len()));
        let mut any = sqlx::query(AssertSqlSafe(sql)).bind(now.as_millisecond());
        for kind in kinds {
            any = any.bind(kind.word());
        }
        if any.fetch_optional(self.reader()).await?.is_none() {
            return Ok(Vec::new());
        }
        again_on_conflict!(self.try_claim(owner, kinds, now, lease, max_mails))
    }

    async fn try_claim(
        &self,
        owner: &Owner,
        kinds: &[RowKind],
        now: Timestamp,
        lease: Duration,
        max_mails: usize,
    ) -> Result<Vec<Claim>> {
        let mut tx = self.begin().await?;
        // One at a time, so that two gateways do not share the rows of one mail between them. That no row is handed out
        // twice does not hang on it: the condition is looked at again on the row itself once another's change is visible.
        tx.take_turn(Turn::Claims).await?;
        let claimable = claimable(kinds.len());
        let next = kinds.len() + 2;
        let sql = format!(
            "UPDATE outbox SET owner = ${owner}, lease_until = ${until}, fence = fence + 1, attempts = attempts + 1, \
             updated = $1 WHERE {claimable} AND mail_id IN (SELECT mail_id FROM outbox WHERE {claimable} \
             GROUP BY mail_id ORDER BY MIN(due), mail_id LIMIT ${limit}){returning}",
            owner = next,
            until = next + 1,
            limit = next + 2,
            returning = row_returning!(),
        );
        let mut query = sqlx::query(AssertSqlSafe(sql)).bind(now.as_millisecond());
        for kind in kinds {
            query = query.bind(kind.word());
        }
        let rows = query
            .bind(owner.as_str())
            .bind(later(now, lease))
            .bind(i64::try_from(max_mails).unwrap_or(i64::MAX))
            .fetch_all(tx.connection())
            .await?;
        let mut claims = Vec::with_capacity(rows.len());
        for row in &rows {
            let fence = Fence(row.try_get("fence").map_err(|_| StoreError::Unexpected("fence"))?);
            let row = row_of(row)?;
            claims.push(Claim { was_sending: row.state == RowState::Sending, row, fence });
        }
        tx.commit().await?;
        // RETURNING has no order.
        let mut first_due = BTreeMap::<MailId, Timestamp>::new();
        for Claim { row, .. } in &claims {
            first_due.entry(row.mail.clone()).and_modify(|due| *due = row.due.min(*due)).or_insert(row.due);
        }
        claims.sort_by_cached_key(|Claim { row, .. }| {
            (first_due.get(&row.mail).copied(), row.mail.clone(), row.due, row.id.clone())
        });
        Ok(claims)
    }

    /// Says, durably, that these rows are about to be handed over. The rows in the answer were lost meanwhile, or their lease
    /// is over: leave them alone.
    ///
    /// # Errors
    /// When the database does not answer: hand nothing over then.
    pub async fn mark_sending(&self, owner: &Owner, claims: &[Claim], now: Timestamp) -> Result<Vec<RowId>> {
        again_on_conflict!(self.try_hold(owner, claims, now, None))
    }

    /// Makes the lease of these rows longer. The rows in the answer were lost meanwhile: leave them alone.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn renew_lease(
        &self,
        owner: &Owner,
        claims: &[Claim],
        now: Timestamp,
        lease: Duration,
    ) -> Result<Vec<RowId>> {
        again_on_conflict!(self.try_hold(owner, claims, now, Some(lease)))
    }

    /// Makes the lease of everything that this owner holds longer. A row whose lease is over stays as it is.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn renew_leases(&self, owner: &Owner, now: Timestamp, lease: Duration) -> Result<u64> {
        let mut tx = self.begin().await?;
        let renewed = sqlx::query(
            "UPDATE outbox SET lease_until = $1 WHERE owner = $2 AND state IN ('pending', 'sending') AND lease_until > $3",
        )
        .bind(later(now, lease))
        .bind(owner.as_str())
        .bind(now.as_millisecond())
        .execute(tx.connection())
        .await?;
        tx.commit().await?;
        Ok(renewed.rows_affected())
    }

    async fn try_hold(
        &self,
        owner: &Owner,
        claims: &[Claim],
        now: Timestamp,
        lease: Option<Duration>,
    ) -> Result<Vec<RowId>> {
        let mut tx = self.begin().await?;
        let mut lost = Vec::new();
        for claim in in_order(claims, |claim| &claim.row.id) {
            let sql = match lease {
                None => concat!("UPDATE outbox SET state = 'sending', updated = $1 ", held!()),
                Some(_) => concat!("UPDATE outbox SET lease_until = $5, updated = $1 ", held!()),
            };
            let mut query = sqlx::query(sql)
                .bind(now.as_millisecond())
                .bind(claim.row.id.as_str())
                .bind(claim.fence.0)
                .bind(owner.as_str());
            if let Some(lease) = lease {
                query = query.bind(later(now, lease));
            }
            let held = query.execute(tx.connection()).await?;
            if held.rows_affected() != 1 {
                lost.push(claim.row.id.clone());
            }
        }
        tx.commit().await?;
        Ok(lost)
    }

    /// Writes down what became of claimed rows, all in one commit. The rows in the answer were taken over by somebody else
    /// meanwhile (or dropped by an admin): for them nothing was written.
    ///
    /// # Errors
    /// When the database does not answer: the rows stay as they are until the lease ends.
    pub async fn settle_rows(&self, owner: &Owner, fates: &[Fate], now: Timestamp) -> Result<Vec<RowId>> {
        again_on_conflict!(self.try_settle(owner, fates, now))
    }

    async fn try_settle(&self, owner: &Owner, fates: &[Fate], now: Timestamp) -> Result<Vec<RowId>> {
        let mut tx = self.begin().await?;
        let lost = tx.settle_rows(owner, fates, now).await?;
        tx.commit().await?;
        Ok(lost)
    }

    /// Gives leases back: those of one owner, or all (when a daemon starts on SQLite, where it is the only one); of these kinds,
    /// or of all where none is named. A row that was being handed over is not due before `wait` has passed, so that its last
    /// end, if it arrived, is known by then.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn free_leases(
        &self,
        owner: Option<&Owner>,
        kinds: &[RowKind],
        now: Timestamp,
        wait: Duration,
    ) -> Result<u64> {
        let kinds = if kinds.is_empty() { RowKind::ALL } else { kinds };
        let sql = format!(
            "UPDATE outbox SET owner = NULL, lease_until = 0, fence = fence + 1, updated = $1, \
             due = CASE WHEN state = 'sending' AND due < $2 THEN $2 ELSE due END \
             WHERE owner IS NOT NULL AND ($3 = '' OR owner = $3) AND kind IN ({})",
            placeholders(4, kinds.len())
        );
        let mut query = sqlx::query(AssertSqlSafe(sql))
            .bind(now.as_millisecond())
            .bind(later(now, wait))
            .bind(owner.map_or("", Owner::as_str));
        for kind in kinds {
            query = query.bind(kind.word());
        }
        let mut tx = self.begin().await?;
        let freed = query.execute(tx.connection()).await?;
        tx.commit().await?;
        Ok(freed.rows_affected())
    }
}

impl Tx {
    /// Puts a row into the outbox. `false` if there is one for this mail, kind, generation and recipient already.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn enqueue(&mut self, row: &NewRow, now: Timestamp) -> Result<bool> {
        Ok(self.enqueue_all(std::slice::from_ref(row), now).await? == 1)
    }

    /// Puts rows into the outbox; those that are there already are left out. Returns how many were not.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn enqueue_all(&mut self, rows: &[NewRow], now: Timestamp) -> Result<u64> {
        let mut inserted = 0;
        for rows in rows.chunks(TOGETHER) {
            let values: Vec<_> = (0..rows.len()).map(new_row_values).collect();
            let sql = format!(
                "INSERT INTO outbox (id, mail_id, case_id, kind, generation, recipient, state, why, attempts, due, \
                 created, updated, lease_until, fence) VALUES {} \
                 ON CONFLICT (mail_id, kind, generation, recipient) DO NOTHING",
                values.join(", ")
            );
            let mut query = sqlx::query(AssertSqlSafe(sql)).bind(now.as_millisecond());
            for row in rows {
                query = query
                    .bind(row.id.as_str())
                    .bind(row.mail.as_str())
                    .bind(row.case.as_ref().map(ToString::to_string))
                    .bind(row.kind.word())
                    .bind(row.generation)
                    .bind(row.recipient.as_ref().map_or("", Digest::as_str))
                    .bind(row.state.word())
                    .bind(row.why.as_deref().map(code))
                    .bind(row.due.as_millisecond());
            }
            inserted += query.execute(self.connection()).await?.rows_affected();
        }
        Ok(inserted)
    }

    /// The pending rows of a mail and kind that are not due yet are due now.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn bring_forward(&mut self, mail: &MailId, kind: RowKind, now: Timestamp) -> Result<u64> {
        let changed = sqlx::query(
            "UPDATE outbox SET due = $1, updated = $1 WHERE mail_id = $2 AND kind = $3 AND state = 'pending' AND due > $1",
        )
        .bind(now.as_millisecond())
        .bind(mail.as_str())
        .bind(kind.word())
        .execute(self.connection())
        .await?;
        Ok(changed.rows_affected())
    }

    /// [`Store::settle_rows`] in this transaction, together with what follows from it.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn settle_rows(&mut self, owner: &Owner, fates: &[Fate], now: Timestamp) -> Result<Vec<RowId>> {
        let mut lost = Vec::new();
        // Rows next to each other that met the same fate are written together: mostly all of a mail's were sent.
        let fates = in_order(fates, |fate| &fate.row);
        for same in fates.chunk_by(|a, b| a.outcome == b.outcome).flat_map(|same| same.chunks(TOGETHER)) {
            let Some(first) = same.first() else { continue };
            let (state, due, why) = match &first.outcome {
                Outcome::Sent => (RowState::Sent, None, None),
                Outcome::Retry { due, why } => (RowState::Pending, Some(*due), Some(why)),
                Outcome::Ambiguous { due, why } => (RowState::Sending, Some(*due), Some(why)),
                Outcome::Held { why } => (RowState::Held, None, Some(why)),
                Outcome::Failed { why } => (RowState::Failed, None, Some(why)),
                Outcome::Dropped { why } => (RowState::Dropped, None, Some(why)),
            };
            let rows: Vec<_> =
                (0..same.len()).map(|at| format!("(id = ${} AND fence = ${})", 6 + 2 * at, 7 + 2 * at)).collect();
            let sql = format!(
                "UPDATE outbox SET state = $1, why = $2, due = COALESCE($3, due), updated = $4, owner = NULL, \
                 lease_until = 0 WHERE owner = $5 AND ({}) RETURNING id",
                rows.join(" OR ")
            );
            let mut query = sqlx::query(AssertSqlSafe(sql))
                .bind(state.word())
                .bind(why.map(|why| code(why)))
                .bind(due.map(Timestamp::as_millisecond))
                .bind(now.as_millisecond())
                .bind(owner.as_str());
            for fate in same {
                query = query.bind(fate.row.as_str()).bind(fate.fence.0);
            }
            let settled = query.fetch_all(self.connection()).await?;
            let settled = settled.iter().map(|row| text(row, "id")).collect::<Result<HashSet<_>>>()?;
            lost.extend(same.iter().filter(|fate| !settled.contains(fate.row.as_str())).map(|fate| fate.row.clone()));
        }
        Ok(lost)
    }

    /// How many rows of a kind were made since then, that moment included, for one recipient or for all. Rows made more than a
    /// week later were made while the clock was wrong and do not count.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn count_recent(&mut self, kind: RowKind, recipient: Option<&Digest>, since: Timestamp) -> Result<u64> {
        let many: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM outbox WHERE kind = $1 AND created >= $2 AND created < $2 + 604800000 \
             AND ($3 = '' OR recipient = $3)",
        )
        .bind(kind.word())
        .bind(since.as_millisecond())
        .bind(recipient.map_or("", Digest::as_str))
        .fetch_one(self.connection())
        .await?;
        Ok(many.unsigned_abs())
    }
}

/// In the order of the ids: two transactions that touch the same rows in different orders would each wait for the other.
fn in_order<T>(items: &[T], id: impl Fn(&T) -> &RowId) -> Vec<&T> {
    let mut sorted: Vec<&T> = items.iter().collect();
    sorted.sort_by(|a, b| id(a).cmp(id(b)));
    sorted
}

/// The placeholders of the row at this place in [`Tx::enqueue_all`]; `$1` is the present.
fn new_row_values(at: usize) -> String {
    let first = 2 + 9 * at;
    let [id, mail, case, kind, generation, recipient, state, why, due] = std::array::from_fn(|field| first + field);
    format!(
        "(${id}, ${mail}, ${case}, ${kind}, ${generation}, ${recipient}, ${state}, ${why}, 0, ${due}, $1, $1, 0, 0)"
    )
}
