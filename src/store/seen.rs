//! What was seen before: payloads, signed content, alerts.
//!
//! Security: looking and remembering are one statement, so that of two mails with the same payload that are opened at the same
//! time exactly one is the first.

use super::decode::{case_id_opt, mail_id_opt, time};
use super::{Result, SeenBefore, SeenKind, Store, StoreError, Tx};
use crate::report::{CaseId, Digest, MailId};
use jiff::Timestamp;
use sqlx::AnyConnection;

impl Store {
    /// Where something was seen first.
    ///
    /// # Errors
    /// When the database does not answer, or holds something unexpected.
    pub async fn seen(&self, kind: SeenKind, digest: &Digest) -> Result<Option<SeenBefore>> {
        let mut connection = self.reader().acquire().await?;
        seen(&mut connection, kind, digest).await
    }
}

impl Tx {
    /// Remembers something, if it is new; else says where it was seen first.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn remember(
        &mut self,
        kind: SeenKind,
        digest: &Digest,
        mail: Option<&MailId>,
        case: Option<&CaseId>,
        at: Timestamp,
    ) -> Result<Option<SeenBefore>> {
        let inserted = sqlx::query(
            "INSERT INTO seen (kind, digest, mail_id, case_id, at) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (kind, digest) DO NOTHING",
        )
        .bind(kind.word())
        .bind(digest.as_str())
        .bind(mail.map(MailId::as_str))
        .bind(case.map(ToString::to_string))
        .bind(at.as_millisecond())
        .execute(self.connection())
        .await?;
        if inserted.rows_affected() == 1 {
            return Ok(None);
        }
        seen(self.connection(), kind, digest).await?.ok_or(StoreError::Unexpected("seen")).map(Some)
    }
}

async fn seen(connection: &mut AnyConnection, kind: SeenKind, digest: &Digest) -> Result<Option<SeenBefore>> {
    let row = sqlx::query("SELECT mail_id, case_id, at FROM seen WHERE kind = $1 AND digest = $2")
        .bind(kind.word())
        .bind(digest.as_str())
        .fetch_optional(connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(SeenBefore {
        mail: mail_id_opt(&row, "mail_id")?,
        case: case_id_opt(&row, "case_id")?,
        at: time(&row, "at")?,
    }))
}
