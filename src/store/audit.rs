//! The audit log: who looked at a contact, who dropped what; ids only, each entry chained to the one before.
//!
//! Security: an entry's link is a keyed hash over it and the link before, so that without the store key no entry can be
//! changed, put in or taken out unnoticed. That the newest entries are missing cannot be seen from the chain alone: compare the
//! number of entries with an earlier one.

use super::decode::int;
use super::decode::{is_id, text, time};
use super::{AuditEntry, AuditVerdict, Result, Store, StoreError, Turn, Tx};
use crate::report::Vault;
use jiff::Timestamp;

impl Store {
    /// The whole log, oldest first.
    ///
    /// # Errors
    /// When the database does not answer, or holds something unexpected.
    pub async fn audit_entries(&self) -> Result<Vec<AuditEntry>> {
        let rows = sqlx::query("SELECT seq, at, action, subject, link FROM audit ORDER BY seq")
            .fetch_all(self.reader())
            .await?;
        rows.iter()
            .map(|row| {
                Ok(AuditEntry {
                    seq: int(row, "seq")?,
                    at: time(row, "at")?,
                    action: text(row, "action")?,
                    subject: text(row, "subject")?,
                    link: text(row, "link")?,
                })
            })
            .collect()
    }

    /// Whether the log is what was written.
    ///
    /// # Errors
    /// When the database does not answer, or holds something unexpected.
    pub async fn verify_audit(&self, vault: &Vault) -> Result<AuditVerdict> {
        let (mut previous, mut expected) = (beginning(), 1);
        for entry in self.audit_entries().await? {
            let link = vault.audit_link(&previous, &written(entry.seq, entry.at, &entry.action, &entry.subject));
            if entry.seq != expected || entry.link != link {
                return Ok(AuditVerdict::Broken { seq: expected.min(entry.seq) });
            }
            (previous, expected) = (link, expected + 1);
        }
        Ok(AuditVerdict::Intact { entries: (expected - 1).unsigned_abs() })
    }
}

impl Tx {
    /// Continues the log. `action` is a fixed word, `subject` an id. Best done last in a transaction: others who write to the
    /// log wait until it ends.
    ///
    /// # Errors
    /// [`StoreError::NotAnId`] if the subject is none.
    pub async fn audit(&mut self, vault: &Vault, at: Timestamp, action: &'static str, subject: &str) -> Result<()> {
        if !is_id(action) || !is_id(subject) {
            return Err(StoreError::NotAnId);
        }
        self.take_turn(Turn::Audit).await?;
        let last = sqlx::query("SELECT seq, link FROM audit ORDER BY seq DESC LIMIT 1")
            .fetch_optional(self.connection())
            .await?;
        let (seq, previous) = match &last {
            Some(row) => (int(row, "seq")? + 1, text(row, "link")?),
            None => (1, beginning()),
        };
        let link = vault.audit_link(&previous, &written(seq, at, action, subject));
        sqlx::query("INSERT INTO audit (seq, at, action, subject, link) VALUES ($1, $2, $3, $4, $5)")
            .bind(seq)
            .bind(at.as_millisecond())
            .bind(action)
            .bind(subject)
            .bind(link)
            .execute(self.connection())
            .await?;
        Ok(())
    }
}

/// What the first entry is chained to.
fn beginning() -> String {
    "0".repeat(64)
}

/// An entry as it is hashed. No field holds a line feed.
fn written(seq: i64, at: Timestamp, action: &str, subject: &str) -> String {
    format!("{seq}\n{}\n{action}\n{subject}", at.as_millisecond())
}
