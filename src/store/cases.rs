//! Cases, their numbers, and the Message-IDs by which mail finds them.
//!
//! Security: contact and answer key are written once, when the case is opened, and no later mail can change them: there is no
//! function for it. A received Message-ID that is already known is not taken over by a later mail that claims the same.

use super::decode::{case_id, digest_opt, flag, mail_id, placeholders, sealed_opt, text, time, time_opt, word};
use super::{CaseRow, CaseState, KnownMessage, MessageKind, NewCase, Result, Store, StoreError, Tx};
use crate::report::{CaseId, Digest, Encryption, MailId};
use jiff::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe};

macro_rules! case_columns {
    () => {
        "SELECT id, state, opened, first_answer, closed, contact, contact_digest, answer_key, answer_key_confirmed, \
         answers_held, subject, encryption FROM cases "
    };
}

impl Store {
    /// One case.
    ///
    /// # Errors
    /// When the database does not answer, or holds something unexpected.
    pub async fn case(&self, case: &CaseId) -> Result<Option<CaseRow>> {
        let row = sqlx::query(concat!(case_columns!(), "WHERE id = $1"))
            .bind(case.to_string())
            .fetch_optional(self.reader())
            .await?;
        row.as_ref().map(case_row).transpose()
    }

    /// All cases, in the order in which they were opened.
    ///
    /// # Errors
    /// When the database does not answer, or holds something unexpected.
    pub async fn cases(&self) -> Result<Vec<CaseRow>> {
        let rows = sqlx::query(concat!(case_columns!(), "ORDER BY opened, year, prefix, serial"))
            .fetch_all(self.reader())
            .await?;
        rows.iter().map(case_row).collect()
    }

    /// The case of the first of these Message-IDs that is known.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn case_by_message_id(&self, digests: &[Digest]) -> Result<Option<KnownMessage>> {
        let mut connection = self.reader().acquire().await?;
        known_message(&mut connection, digests).await
    }
}

impl Tx {
    /// Takes the next serial of a prefix and year. It is given back if the transaction is undone; until its end, others who
    /// want one wait.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn new_case(&mut self, prefix: &str, year: i16) -> Result<u32> {
        if !CaseId::is_prefix(prefix) {
            return Err(StoreError::NotAnId);
        }
        let serial: i64 = sqlx::query_scalar(
            "INSERT INTO case_serials (prefix, year, last) VALUES ($1, $2, 1) \
             ON CONFLICT (prefix, year) DO UPDATE SET last = case_serials.last + 1 RETURNING last",
        )
        .bind(prefix)
        .bind(i64::from(year))
        .fetch_one(self.connection())
        .await?;
        u32::try_from(serial).map_err(|_| StoreError::Unexpected("case_serials.last"))
    }

    /// Opens a case.
    ///
    /// # Errors
    /// When there is a case of this number already.
    pub async fn insert_case(&mut self, case: &NewCase) -> Result<()> {
        let id = case.id.to_string();
        // KATA-2026-0001: the prefix may have hyphens itself.
        let prefix = id.rsplitn(3, '-').nth(2).ok_or(StoreError::NotAnId)?;
        sqlx::query(
            "INSERT INTO cases (id, prefix, year, serial, state, opened, contact, contact_digest, answer_key, \
             answer_key_confirmed, answers_held, subject, encryption) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        )
        .bind(id.as_str())
        .bind(prefix)
        .bind(i64::from(case.id.year()))
        .bind(i64::from(case.id.serial()))
        .bind(CaseState::Open.word())
        .bind(case.opened.as_millisecond())
        .bind(case.contact.as_ref().map(|contact| contact.as_bytes().to_vec()))
        .bind(case.contact_digest.as_ref().map(Digest::as_str))
        .bind(case.answer_key.as_ref().map(|key| key.as_bytes().to_vec()))
        .bind(i64::from(case.answer_key_confirmed))
        .bind(i64::from(case.answers_held))
        .bind(case.subject.as_bytes())
        .bind(case.encryption.word())
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Changes how far a case is; `closed` is the time of the last closing. `false` if there is no such case.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn set_case_state(&mut self, case: &CaseId, state: CaseState, at: Timestamp) -> Result<bool> {
        let closed = (state == CaseState::Closed).then(|| at.as_millisecond());
        let changed = sqlx::query("UPDATE cases SET state = $1, closed = $2 WHERE id = $3")
            .bind(state.word())
            .bind(closed)
            .bind(case.to_string())
            .execute(self.connection())
            .await?;
        Ok(changed.rows_affected() == 1)
    }

    /// Notes that the reporter was answered; only the first time counts. `false` if that had happened before.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn note_answer(&mut self, case: &CaseId, at: Timestamp) -> Result<bool> {
        let changed = sqlx::query("UPDATE cases SET first_answer = $1 WHERE id = $2 AND first_answer IS NULL")
            .bind(at.as_millisecond())
            .bind(case.to_string())
            .execute(self.connection())
            .await?;
        Ok(changed.rows_affected() == 1)
    }

    /// A member's word: the answer key is the reporter's, and answers may go out. `false` if there is no such case.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn confirm_case(&mut self, case: &CaseId) -> Result<bool> {
        let changed = sqlx::query("UPDATE cases SET answer_key_confirmed = 1, answers_held = 0 WHERE id = $1")
            .bind(case.to_string())
            .execute(self.connection())
            .await?;
        Ok(changed.rows_affected() == 1)
    }

    /// Remembers to which case and mail a Message-ID belongs. The first one to claim it keeps it.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn remember_message_id(
        &mut self,
        digest: &Digest,
        case: &CaseId,
        mail: &MailId,
        kind: MessageKind,
    ) -> Result<()> {
        sqlx::query(
            "INSERT INTO message_ids (digest, case_id, mail_id, kind) VALUES ($1, $2, $3, $4) ON CONFLICT (digest) DO NOTHING",
        )
        .bind(digest.as_str())
        .bind(case.to_string())
        .bind(mail.as_str())
        .bind(kind.word())
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Like [`Store::case_by_message_id`], with what this transaction has written.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn case_by_message_id(&mut self, digests: &[Digest]) -> Result<Option<KnownMessage>> {
        known_message(self.connection(), digests).await
    }
}

async fn known_message(connection: &mut AnyConnection, digests: &[Digest]) -> Result<Option<KnownMessage>> {
    // Few at a time: a mail may name as many Message-IDs as the limits let through.
    for some in digests.chunks(50) {
        let sql = format!(
            "SELECT digest, case_id, mail_id, kind FROM message_ids WHERE digest IN ({})",
            placeholders(1, some.len())
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for digest in some {
            query = query.bind(digest.as_str());
        }
        let rows = query.fetch_all(&mut *connection).await?;
        let mut first: Option<(usize, KnownMessage)> = None;
        for row in &rows {
            let digest = text(row, "digest")?;
            let place = some.iter().position(|known| known.as_str() == digest).unwrap_or(usize::MAX);
            if first.as_ref().is_none_or(|(best, _)| place < *best) {
                let known = KnownMessage {
                    case: case_id(row, "case_id")?,
                    mail: mail_id(row, "mail_id")?,
                    kind: word(row, "kind", MessageKind::from_word)?,
                };
                first = Some((place, known));
            }
        }
        if let Some((_, known)) = first {
            return Ok(Some(known));
        }
    }
    Ok(None)
}

fn case_row(row: &AnyRow) -> Result<CaseRow> {
    Ok(CaseRow {
        id: case_id(row, "id")?,
        state: word(row, "state", CaseState::from_word)?,
        opened: time(row, "opened")?,
        first_answer: time_opt(row, "first_answer")?,
        closed: time_opt(row, "closed")?,
        contact: sealed_opt(row, "contact")?,
        contact_digest: digest_opt(row, "contact_digest")?,
        answer_key: sealed_opt(row, "answer_key")?,
        answer_key_confirmed: flag(row, "answer_key_confirmed")?,
        answers_held: flag(row, "answers_held")?,
        subject: sealed_opt(row, "subject")?,
        encryption: word(row, "encryption", Encryption::from_word)?,
    })
}
