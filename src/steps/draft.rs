//! Opens draft advisories: one a case, with the frozen body that was decided on when the mail was opened.
//!
//! Security: the body was redacted before it was frozen; here it is only unsealed and handed to the desk. Beyond the
//! configured number of drafts in an hour or a day, rows are held until an admin lets them go.

use super::{LEASE, StepError, deliver, earlier, next_try, notice};
use crate::gateway::Gateway;
use crate::ports::{AdvisoryDesk, Opened, PortError};
use crate::report::{AdvisoryDraft, AtRest, CaseId, Purpose};
use crate::store::{Claim, DraftState, Outcome, RowKind};
use futures::StreamExt;
use jiff::Timestamp;
use std::collections::VecDeque;
use std::time::Duration;

/// Drafts opened side by side.
const SIDE_BY_SIDE: usize = 8;

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
        let claims = gateway.store.claim(&gateway.owner, &[RowKind::Draft], now, LEASE, 16).await?;
        if claims.is_empty() {
            return Ok(done);
        }
        done += claims.len();
        let mut waiting = VecDeque::from(claims);
        while !waiting.is_empty() {
            let (group, capped) = next_group(&mut waiting, room(gateway, now).await?);
            for claim in capped {
                hold(gateway, &claim).await?;
            }
            let mut opening =
                futures::stream::iter(group).map(|claim| open_one(gateway, claim)).buffer_unordered(SIDE_BY_SIDE);
            while let Some(opened) = opening.next().await {
                opened?;
            }
        }
    }
}

/// The next drafts to be opened side by side, no more than there is room for under the limits; and those for which there is
/// none. Where some are about to be opened, the others wait to see whether they are.
fn next_group(waiting: &mut VecDeque<Claim>, mut room: u64) -> (Vec<Claim>, Vec<Claim>) {
    let (mut group, mut capped) = (Vec::new(), Vec::new());
    while group.len() < SIDE_BY_SIDE
        && let Some(claim) = waiting.pop_front()
    {
        if claim.row.why.as_deref() == Some(BY_HAND) {
            group.push(claim);
        } else if room > 0 {
            room -= 1;
            group.push(claim);
        } else if group.is_empty() {
            capped.push(claim);
        } else {
            waiting.push_front(claim);
            break;
        }
    }
    (group, capped)
}

async fn hold(gateway: &Gateway, claim: &Claim) -> Result<(), StepError> {
    let Some(case) = &claim.row.case else {
        return settle(gateway, claim, Outcome::Failed { why: "no-case".into() }).await;
    };
    tracing::warn!(%case, "draft held: the limit of drafts is reached (advisories.max_per_hour, max_per_day)");
    meet(gateway, claim, case, Outcome::Held { why: CAPPED.into() }, DraftState::Held, None).await
}

async fn open_one(gateway: &Gateway, claim: Claim) -> Result<(), StepError> {
    let Some(case) = claim.row.case.clone() else {
        return settle(gateway, &claim, Outcome::Failed { why: "no-case".into() }).await;
    };
    let Some(desk) = gateway.desk.as_deref() else {
        return settle(gateway, &claim, Outcome::Dropped { why: "advisories-switched-off".into() }).await;
    };
    let Some(body) = gateway.store.draft(&case).await?.and_then(|draft| draft.body) else {
        return settle(gateway, &claim, Outcome::Dropped { why: "erased".into() }).await;
    };
    let body = match gateway.vault.unseal(Purpose::DraftBody, &case.to_string(), body).map_err(StepError::from) {
        Err(error) if error.is_unreadable() => {
            let outcome = deliver::unreadable(gateway, &claim, &error).await?;
            return meet(gateway, &claim, &case, outcome, DraftState::Failed, None).await;
        }
        body => body?,
    };
    let Ok(draft) = AdvisoryDraft::from_plaintext(&body) else {
        return settle(gateway, &claim, Outcome::Failed { why: "unreadable-draft".into() }).await;
    };
    hand_over(gateway, &claim, &case, desk, &draft).await
}

async fn hand_over(
    gateway: &Gateway,
    claim: &Claim,
    case: &CaseId,
    desk: &dyn AdvisoryDesk,
    draft: &AdvisoryDraft,
) -> Result<(), StepError> {
    match desk.create(draft).await {
        Ok(Opened { link }) => {
            let sealed = gateway.vault.seal(
                Purpose::DraftLink,
                &case.to_string(),
                &crate::report::Plaintext::new(link.clone().into_bytes()),
            )?;
            meet(gateway, claim, case, Outcome::Sent, DraftState::Opened, Some(sealed)).await?;
            tracing::info!(%case, "draft advisory opened");
            notice::advisory_opened(gateway, case, &claim.row.mail, &link).await
        }
        Err(error @ PortError::Permanent(_)) => {
            tracing::error!(%case, %error, "draft advisory refused for good");
            meet(gateway, claim, case, Outcome::Failed { why: "refused".into() }, DraftState::Failed, None).await?;
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

/// How many drafts may still be opened under the limits.
async fn room(gateway: &Gateway, now: Timestamp) -> Result<u64, StepError> {
    let limits = &gateway.config.advisories;
    let hour = gateway.store.drafts_opened_since(earlier(now, Duration::from_secs(3600))).await?;
    let day = gateway.store.drafts_opened_since(earlier(now, Duration::from_secs(86_400))).await?;
    let left = |most: u32, opened: u64| u64::from(most).saturating_sub(opened);
    Ok(left(limits.max_per_hour, hour).min(left(limits.max_per_day, day)))
}

async fn settle(gateway: &Gateway, claim: &Claim, outcome: Outcome) -> Result<(), StepError> {
    let now = gateway.store.now().await?;
    super::settle(gateway, &[claim.met(outcome)], now).await
}

/// A draft met its fate. It is written down in one commit with what follows: the copies that waited for it need not wait
/// longer.
async fn meet(
    gateway: &Gateway,
    claim: &Claim,
    case: &CaseId,
    outcome: Outcome,
    state: DraftState,
    link: Option<AtRest>,
) -> Result<(), StepError> {
    let now = gateway.store.now().await?;
    let mut tx = gateway.store.begin().await?;
    tx.set_draft(case, state, link, now).await?;
    let lost = tx.settle_rows(&gateway.owner, &[claim.met(outcome)], now).await?;
    tx.bring_forward(&claim.row.mail, RowKind::Copy, now).await?;
    tx.commit().await?;
    for row in lost {
        tracing::warn!(%row, "this row was taken over by another gateway; its outcome here does not count");
    }
    Ok(())
}
