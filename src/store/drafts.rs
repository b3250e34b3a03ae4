//! Draft advisories: the frozen body of each, and how far it is.
//!
//! Security: a case has one draft, by its primary key, so that no race and no replay opens a second.

use super::decode::{case_id, later, mail_id, sealed_opt, text, time, time_opt, word};
use super::outbox::held;
use super::{Claim, DraftRow, DraftState, NewDraft, Owner, Result, Store, Tx, again_on_conflict};
use crate::report::{AtRest, CaseId, Digest};
use jiff::Timestamp;
use std::time::Duration;

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

    /// How many drafts were opened since then, this moment included, or may have been. Those opened more than a week later were
    /// opened while the clock was wrong and do not count.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn drafts_opened_since(&self, since: Timestamp) -> Result<u64> {
        let opened: i64 =
            sqlx::query_scalar("SELECT COUNT(*) FROM drafts WHERE opened >= $1 AND opened < $1 + 604800000")
                .bind(since.as_millisecond())
                .fetch_one(self.reader())
                .await?;
        let unknown: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM outbox JOIN drafts ON drafts.case_id = outbox.case_id WHERE outbox.kind = 'draft' \
             AND outbox.state IN ('pending', 'sending', 'held') AND drafts.state = 'sending' AND drafts.opened IS NULL \
             AND outbox.updated >= $1 AND outbox.updated < $1 + 604800000",
        )
        .bind(since.as_millisecond())
        .fetch_one(self.reader())
        .await?;
        Ok(opened.unsigned_abs() + unknown.unsigned_abs())
    }

    /// Links of the drafts that were opened last, with their cases; at most `limit`.
    ///
    /// # Errors
    /// When the database does not answer, or holds something unexpected.
    pub async fn draft_links(&self, limit: u32) -> Result<Vec<(CaseId, AtRest)>> {
        let rows = sqlx::query(
            "SELECT case_id, link FROM drafts WHERE state = 'opened' AND link IS NOT NULL ORDER BY opened DESC LIMIT $1",
        )
        .bind(i64::from(limit))
        .fetch_all(self.reader())
        .await?;
        let links = rows.iter().map(|row| Ok(sealed_opt(row, "link")?.map(|link| (case_id(row, "case_id"), link))));
        links.filter_map(Result::transpose).map(|link| link.and_then(|(case, link)| Ok((case?, link)))).collect()
    }

    /// Says, durably, that a draft is about to be posted: its row and itself are `sending` from now on, and the lease is whole
    /// again. `false` if the row was lost meanwhile, or its lease is over: post nothing then.
    ///
    /// # Errors
    /// When the database does not answer: post nothing then.
    pub async fn begin_draft(
        &self,
        owner: &Owner,
        claim: &Claim,
        case: &CaseId,
        now: Timestamp,
        lease: Duration,
    ) -> Result<bool> {
        again_on_conflict!(self.try_begin_draft(owner, claim, case, now, lease))
    }

    async fn try_begin_draft(
        &self,
        owner: &Owner,
        claim: &Claim,
        case: &CaseId,
        now: Timestamp,
        lease: Duration,
    ) -> Result<bool> {
        let mut tx = self.begin().await?;
        // The code goes: it counted looks for an earlier post.
        let held = sqlx::query(concat!(
            "UPDATE outbox SET state = 'sending', why = NULL, lease_until = $5, updated = $1 ",
            held!()
        ))
        .bind(now.as_millisecond())
        .bind(claim.row.id.as_str())
        .bind(claim.fence.0)
        .bind(owner.as_str())
        .bind(later(now, lease))
        .execute(tx.connection())
        .await?;
        if held.rows_affected() != 1 {
            return Ok(false);
        }
        tx.set_draft(case, DraftState::Sending, None, now).await?;
        tx.commit().await?;
        Ok(true)
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
