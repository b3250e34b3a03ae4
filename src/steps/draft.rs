//! Opens draft advisories: one a case, with the frozen body that was decided on when the mail was opened.
//!
//! Security: the body was redacted before it was frozen; here it is only unsealed and handed to the desk. Beyond the
//! configured number of drafts in an hour or a day, rows are held until an admin lets them go.

use super::{LEASE, StepError, earlier, next_try, notice};
use crate::gateway::Gateway;
use crate::ports::{AdvisoryDesk, PortError};
use crate::report::{AdvisoryDraft, CaseId, Purpose};
use crate::store::{Claim, DraftState, Outcome, RowKind};
use jiff::Timestamp;
use std::time::Duration;

/// Code of a row that waits because too many drafts were opened.
pub const CAPPED: &str = "capped";
/// Code that `queue retry` gives a row: it goes out whatever the limits say.
pub const BY_HAND: &str = "by-hand";

/// Tries every due draft once; returns how many rows met a fate.
///
/// # Errors
/// When the store cannot be used.
pub async fn open_drafts(gateway: &Gateway) -> Result<usize, StepError> {
    let mut done = 0;
    loop {
        let now = gateway.store.now().await?;
        let claims = gateway.store.claim(&gateway.owner, &[RowKind::Draft], now, LEASE, 4).await?;
        if claims.is_empty() {
            return Ok(done);
        }
        for claim in &claims {
            open_one(gateway, claim, now).await?;
            done += 1;
        }
    }
}

async fn open_one(gateway: &Gateway, claim: &Claim, now: Timestamp) -> Result<(), StepError> {
    let Some(case) = claim.row.case.clone() else {
        return settle(gateway, claim, Outcome::Failed { why: "no-case".into() }).await;
    };
    let Some(desk) = gateway.desk.as_deref() else {
        return settle(gateway, claim, Outcome::Dropped { why: "advisories-switched-off".into() }).await;
    };
    let by_hand = claim.row.why.as_deref() == Some(BY_HAND);
    if !by_hand && is_capped(gateway, now).await? {
        tracing::warn!(%case, "draft held: the limit of drafts is reached (advisories.max_per_hour, max_per_day)");
        settle(gateway, claim, Outcome::Held { why: CAPPED.into() }).await?;
        set_draft(gateway, &case, DraftState::Held, None).await?;
        return bring_copies_forward(gateway, claim).await;
    }
    let Some(body) = gateway.store.draft(&case).await?.and_then(|draft| draft.body) else {
        return settle(gateway, claim, Outcome::Dropped { why: "erased".into() }).await;
    };
    let body = gateway.vault.unseal(Purpose::DraftBody, &case.to_string(), body)?;
    let Ok(draft) = AdvisoryDraft::from_plaintext(&body) else {
        return settle(gateway, claim, Outcome::Failed { why: "unreadable-draft".into() }).await;
    };
    hand_over(gateway, claim, &case, desk, &draft).await
}

async fn hand_over(
    gateway: &Gateway,
    claim: &Claim,
    case: &CaseId,
    desk: &dyn AdvisoryDesk,
    draft: &AdvisoryDraft,
) -> Result<(), StepError> {
    match desk.open(draft).await {
        Ok(link) => {
            let sealed = gateway.vault.seal(
                Purpose::DraftLink,
                &case.to_string(),
                &crate::report::Plaintext::new(link.clone().into_bytes()),
            )?;
            set_draft(gateway, case, DraftState::Opened, Some(sealed)).await?;
            settle(gateway, claim, Outcome::Sent).await?;
            tracing::info!(%case, "draft advisory opened");
            bring_copies_forward(gateway, claim).await?;
            notice::advisory_opened(gateway, case, &claim.row.mail, &link).await
        }
        Err(error @ PortError::Permanent(_)) => {
            tracing::error!(%case, %error, "draft advisory refused for good");
            set_draft(gateway, case, DraftState::Failed, None).await?;
            settle(gateway, claim, Outcome::Failed { why: "refused".into() }).await?;
            bring_copies_forward(gateway, claim).await?;
            notice::draft_failed(gateway, case).await
        }
        Err(error) => {
            let now = gateway.store.now().await?;
            let due = next_try(now, i64::from(claim.row.attempts));
            tracing::warn!(%case, %error, %due, "draft advisory could not be opened; it is tried again");
            let outcome = match error {
                PortError::Ambiguous(_) => Outcome::Ambiguous { due, why: "unknown-outcome".into() },
                _ => Outcome::Retry { due, why: "desk-unavailable".into() },
            };
            settle(gateway, claim, outcome).await
        }
    }
}

async fn is_capped(gateway: &Gateway, now: Timestamp) -> Result<bool, StepError> {
    let limits = &gateway.config.advisories;
    let hour = gateway.store.drafts_opened_since(earlier(now, Duration::from_secs(3600))).await?;
    let day = gateway.store.drafts_opened_since(earlier(now, Duration::from_secs(86_400))).await?;
    Ok(hour >= u64::from(limits.max_per_hour) || day >= u64::from(limits.max_per_day))
}

async fn set_draft(
    gateway: &Gateway,
    case: &CaseId,
    state: DraftState,
    link: Option<crate::report::AtRest>,
) -> Result<(), StepError> {
    let now = gateway.store.now().await?;
    let mut tx = gateway.store.begin().await?;
    tx.set_draft(case, state, link, now).await?;
    Ok(tx.commit().await?)
}

async fn settle(gateway: &Gateway, claim: &Claim, outcome: Outcome) -> Result<(), StepError> {
    let now = gateway.store.now().await?;
    super::settle(gateway, &[claim.met(outcome)], now).await
}

/// The draft met its fate: the copies that waited for it need not wait longer.
async fn bring_copies_forward(gateway: &Gateway, claim: &Claim) -> Result<(), StepError> {
    let now = gateway.store.now().await?;
    gateway.store.bring_forward(&claim.row.mail, RowKind::Copy, now).await?;
    Ok(())
}
