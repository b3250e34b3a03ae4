//! Mails as they lie: taking them in, each once, and reading them again.
//!
//! Security: a mail counts as known only where it was found before, or where its keyed content digest (Message-ID and content
//! together) is the same: a Message-ID alone is the attacker's to choose, and would let one mail shut out another.

use super::decode::{case_id_opt, count, mail_id, sealed_opt, time, time_opt, word, word_opt};
use super::{MailRow, MailState, MailSummary, MailsWaiting, NewMail, Origin, Result, Store, StoreError, Taken, Tx};
use super::{again_on_conflict, decode::placeholders, decode::text};
use crate::report::{AtRest, CaseId, Class, Digest, MailId};
use sqlx::AssertSqlSafe;
use sqlx::any::AnyRow;
use std::collections::HashMap;

impl Store {
    /// Whether a mail was already taken in from there.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn known_source(&self, source: &Digest) -> Result<bool> {
        let found: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM sources WHERE digest = $1")
            .bind(source.as_str())
            .fetch_one(self.reader())
            .await?;
        Ok(found > 0)
    }

    /// Which of these places mails were already taken in from, and in what form.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn known_sources(&self, sources: &[&Digest]) -> Result<HashMap<Digest, Origin>> {
        if sources.is_empty() {
            return Ok(HashMap::new());
        }
        let sql = format!(
            "SELECT s.digest AS digest, m.origin AS origin FROM sources s JOIN mails m ON m.id = s.mail_id \
             WHERE s.digest IN ({})",
            placeholders(1, sources.len())
        );
        let mut query = sqlx::query(AssertSqlSafe(sql));
        for source in sources {
            query = query.bind(source.as_str());
        }
        let rows = query.fetch_all(self.reader()).await?;
        let known =
            |row: &AnyRow| Ok((Digest::from_store(text(row, "digest")?), word(row, "origin", Origin::from_word)?));
        rows.iter().map(known).collect()
    }

    /// Stores mails, all in one commit; the answer has their order. A mail that is here already is not stored again, but the
    /// new place where it was found is remembered.
    ///
    /// # Errors
    /// Then none of them is stored.
    pub async fn take_in(&self, mails: &[NewMail]) -> Result<Vec<Taken>> {
        again_on_conflict!(self.try_take_in(mails))
    }

    async fn try_take_in(&self, mails: &[NewMail]) -> Result<Vec<Taken>> {
        // In the order of the digests: two gateways that take the same mails in would each wait for the other.
        let mut order: Vec<(usize, &NewMail)> = mails.iter().enumerate().collect();
        order.sort_by(|(_, a), (_, b)| a.content.cmp(&b.content));
        let mut tx = self.begin().await?;
        let mut taken = Vec::with_capacity(mails.len());
        for (place, mail) in order {
            taken.push((place, tx.take_in(mail).await?));
        }
        tx.commit().await?;
        taken.sort_by_key(|(place, _)| *place);
        Ok(taken.into_iter().map(|(_, taken)| taken).collect())
    }

    /// A mail with its content.
    ///
    /// # Errors
    /// When the database does not answer, or holds something unexpected.
    pub async fn mail(&self, mail: &MailId) -> Result<Option<MailRow>> {
        let Some(row) = self.outline(mail).await? else { return Ok(None) };
        Ok(Some(MailRow { content: self.content(mail).await?, ..row }))
    }

    /// A mail without its content, which may be large.
    ///
    /// # Errors
    /// When the database does not answer, or holds something unexpected.
    pub async fn outline(&self, mail: &MailId) -> Result<Option<MailRow>> {
        let row = sqlx::query(
            "SELECT id, received, size, origin, state, class, case_id, attempts, facts FROM mails WHERE id = $1",
        )
        .bind(mail.as_str())
        .fetch_optional(self.reader())
        .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(MailRow {
            id: mail_id(&row, "id")?,
            received: time(&row, "received")?,
            size: count(&row, "size")?,
            origin: word(&row, "origin", Origin::from_word)?,
            state: word(&row, "state", MailState::from_word)?,
            class: word_opt(&row, "class", Class::from_word)?,
            case: case_id_opt(&row, "case_id")?,
            attempts: count(&row, "attempts")?,
            content: None,
            facts: sealed_opt(&row, "facts")?,
        }))
    }

    /// What is in a mail. Nothing if it was erased, or there is no such mail.
    ///
    /// # Errors
    /// When the database does not answer, or holds something unexpected.
    pub async fn content(&self, mail: &MailId) -> Result<Option<AtRest>> {
        let row = sqlx::query("SELECT content FROM mails WHERE id = $1")
            .bind(mail.as_str())
            .fetch_optional(self.reader())
            .await?;
        row.map_or(Ok(None), |row| sealed_opt(&row, "content"))
    }

    /// The mails of a case, oldest first, without their content.
    ///
    /// # Errors
    /// When the database does not answer, or holds something unexpected.
    pub async fn case_mails(&self, case: &CaseId) -> Result<Vec<MailSummary>> {
        let rows = sqlx::query(
            "SELECT id, received, size, origin, state, class FROM mails WHERE case_id = $1 ORDER BY received, id",
        )
        .bind(case.to_string())
        .fetch_all(self.reader())
        .await?;
        rows.iter()
            .map(|row| {
                Ok(MailSummary {
                    id: mail_id(row, "id")?,
                    received: time(row, "received")?,
                    size: count(row, "size")?,
                    origin: word(row, "origin", Origin::from_word)?,
                    state: word(row, "state", MailState::from_word)?,
                    class: word_opt(row, "class", Class::from_word)?,
                })
            })
            .collect()
    }

    /// How much waits to be opened.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn mails_waiting(&self) -> Result<MailsWaiting> {
        let waiting = sqlx::query("SELECT COUNT(*) AS many, MIN(received) AS oldest FROM mails WHERE state = 'stored'")
            .fetch_one(self.reader())
            .await?;
        let quarantined: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM mails WHERE state = 'quarantined'")
            .fetch_one(self.reader())
            .await?;
        Ok(MailsWaiting {
            count: count(&waiting, "many")?,
            oldest: time_opt(&waiting, "oldest")?,
            quarantined: quarantined.unsigned_abs(),
        })
    }
}

impl Tx {
    /// Stores one mail in this transaction; see [`Store::take_in`]. For the gateway's own mails, together with their rows.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn take_in(&mut self, mail: &NewMail) -> Result<Taken> {
        if let Some(known) =
            self.mail_named("SELECT mail_id AS id FROM sources WHERE digest = $1", &mail.source).await?
        {
            return Ok(Taken::Duplicate(known));
        }
        let size = i64::try_from(mail.size).map_err(|_| StoreError::Unexpected("size"))?;
        // The insert itself decides who is first: two gateways may hold the same mail at the same time.
        let inserted = sqlx::query(
            "INSERT INTO mails (id, content_digest, received, size, content, origin, state, in_flight, attempts, fence) \
             VALUES ($1, $2, $3, $4, $5, $6, 'stored', 0, 0, 0) ON CONFLICT (content_digest) DO NOTHING",
        )
        .bind(mail.id.as_str())
        .bind(mail.content.as_str())
        .bind(mail.received.as_millisecond())
        .bind(size)
        .bind(mail.sealed.as_bytes())
        .bind(mail.origin.word())
        .execute(self.connection())
        .await?
        .rows_affected();
        let (id, taken) = if inserted == 1 {
            (mail.id.clone(), Taken::New)
        } else {
            let known = self
                .mail_named("SELECT id FROM mails WHERE content_digest = $1", &mail.content)
                .await?
                .ok_or(StoreError::Unexpected("content_digest"))?;
            (known.clone(), Taken::Duplicate(known))
        };
        sqlx::query("INSERT INTO sources (digest, mail_id) VALUES ($1, $2) ON CONFLICT (digest) DO NOTHING")
            .bind(mail.source.as_str())
            .bind(id.as_str())
            .execute(self.connection())
            .await?;
        Ok(taken)
    }

    async fn mail_named(&mut self, sql: &'static str, digest: &Digest) -> Result<Option<MailId>> {
        let row = sqlx::query(sql).bind(digest.as_str()).fetch_optional(self.connection()).await?;
        row.map(|row| MailId::parse(&text(&row, "id")?).ok_or(StoreError::Unexpected("id"))).transpose()
    }
}
