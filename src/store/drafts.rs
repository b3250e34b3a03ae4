//! Draft advisories: the frozen body of each, and how far it is.
//!
//! Security: a case has one draft, by its primary key, so that no race and no replay opens a second.

use super::decode::{case_id, mail_id, sealed_opt, text, time, time_opt, word};
use super::{DraftRow, DraftState, NewDraft, Result, Store, Tx};
use crate::report::{AtRest, CaseId, Digest};
use jiff::Timestamp;

impl Store {
    /// The draft of a case.
    ///
    /// # Errors
    /// When the database does not answer, or holds something unexpected.
    pub async fn draft(&self, case: &CaseId) -> Result<Option<DraftRow>> {
        let row = sqlx::query(
            "SELECT case_id, mail_id, marker_digest, body, link, state, created, opened FROM drafts WHERE case_id = $1",
        )
        .bind(case.to_string())
        .fetch_optional(self.reader())
        .await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(DraftRow {
            case: case_id(&row, "case_id")?,
            mail: mail_id(&row, "mail_id")?,
            marker: Digest::from_store(text(&row, "marker_digest")?),
            body: sealed_opt(&row, "body")?,
            link: sealed_opt(&row, "link")?,
            state: word(&row, "state", DraftState::from_word)?,
            created: time(&row, "created")?,
            opened: time_opt(&row, "opened")?,
        }))
    }

    /// How many drafts were opened since then, this moment included. Those opened more than a week later were opened while the
    /// clock was wrong and do not count.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn drafts_opened_since(&self, since: Timestamp) -> Result<u64> {
        let many: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM drafts WHERE opened >= $1 AND opened < $1 + 604800000")
                .bind(since.as_millisecond())
                .fetch_one(self.reader())
                .await?;
        Ok(many.unsigned_abs())
    }

    /// [`Tx::set_draft`] in a transaction of its own.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn set_draft(
        &self,
        case: &CaseId,
        state: DraftState,
        link: Option<AtRest>,
        at: Timestamp,
    ) -> Result<bool> {
        let mut tx = self.begin().await?;
        let changed = tx.set_draft(case, state, link, at).await?;
        tx.commit().await?;
        Ok(changed)
    }
}

impl Tx {
    /// Puts a draft down. `false` if the case has one already; then that one stays.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn insert_draft(&mut self, draft: &NewDraft) -> Result<bool> {
        let inserted = sqlx::query(
            "INSERT INTO drafts (case_id, mail_id, marker_digest, body, state, created) VALUES ($1, $2, $3, $4, $5, $6) \
             ON CONFLICT (case_id) DO NOTHING",
        )
        .bind(draft.case.to_string())
        .bind(draft.mail.as_str())
        .bind(draft.marker.as_str())
        .bind(draft.body.as_bytes())
        .bind(draft.state.word())
        .bind(draft.created.as_millisecond())
        .execute(self.connection())
        .await?;
        Ok(inserted.rows_affected() == 1)
    }

    /// Writes down how far the draft of a case is, and where it is (a known link stays if none is given). `at` is kept as the
    /// time of opening. `false` if the case has no draft.
    ///
    /// # Errors
    /// When the database refuses.
    pub async fn set_draft(
        &mut self,
        case: &CaseId,
        state: DraftState,
        link: Option<AtRest>,
        at: Timestamp,
    ) -> Result<bool> {
        let opened = (state == DraftState::Opened).then(|| at.as_millisecond());
        let changed = sqlx::query(
            "UPDATE drafts SET state = $1, link = COALESCE($2, link), opened = COALESCE(opened, $3) WHERE case_id = $4",
        )
        .bind(state.word())
        .bind(link.map(AtRest::into_bytes))
        .bind(opened)
        .bind(case.to_string())
        .execute(self.connection())
        .await?;
        Ok(changed.rows_affected() == 1)
    }
}
