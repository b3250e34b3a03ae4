//! Opens draft advisories: one a case, with the frozen body that was decided on when the mail was opened.
//!
//! A desk that cannot tell one request from two gets each draft once: that it is about to be posted is durable before it is, and
//! after an unknown outcome it is looked for first ([`super::look`]).
//!
//! Security: the body was redacted before it was frozen; here it is only unsealed and handed to the desk. Beyond the
//! configured number of drafts in an hour or a day, rows are held until an admin lets them go. A process that was frozen finds
//! out before it posts that the row is no longer its own.

use super::consequences::row;
use super::{LEASE, StepError, deliver, earlier, later, look, next_try, notice};
use crate::gateway::Gateway;
use crate::ports::{AdvisoryDesk, DeskError, Opened};
use crate::report::{AdvisoryDraft, AtRest, CaseId, Plaintext, Purpose};
use crate::store::{Claim, DraftState, NewRow, Outcome, RowKind};
use futures::StreamExt;
use jiff::Timestamp;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Drafts opened side by side.
const SIDE_BY_SIDE: usize = 8;

/// Code of a row that waits because too many drafts were opened.
pub const CAPPED: &str = "capped";
/// Code of a row of which nobody knows whether its draft was opened.
pub const UNKNOWN: &str = "unknown-outcome";
/// How long a draft of unknown fate is left alone before it is looked for.
pub(super) const FIRST_LOOK: Duration = Duration::from_secs(30);
/// The longest that a desk's wish to be left alone keeps a row back at once; the desk itself sends nothing for longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
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
        // One that may have been opened is counted already.
        if claim.row.why.as_deref() == Some(BY_HAND) || claim.was_sending {
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
    meet(gateway, claim, case, Outcome::Held { why: CAPPED.into() }, DraftState::Held, None).await.map(|_| ())
}

async fn open_one(gateway: &Gateway, claim: Claim) -> Result<(), StepError> {
    let Some(case) = claim.row.case.clone() else {
        return settle(gateway, &claim, Outcome::Failed { why: "no-case".into() }).await;
    };
    let Some(desk) = gateway.desk.as_deref() else {
        return settle(gateway, &claim, Outcome::Dropped { why: "advisories-switched-off".into() }).await;
    };
    let Some(stored) = gateway.store.draft(&case).await? else {
        return settle(gateway, &claim, Outcome::Dropped { why: "erased".into() }).await;
    };
    let Some(body) = stored.body else {
        return settle(gateway, &claim, Outcome::Dropped { why: "erased".into() }).await;
    };
    let body = match gateway.vault.unseal(Purpose::DraftBody, &case.to_string(), body).map_err(StepError::from) {
        Err(error) if error.is_unreadable() => {
            let outcome = deliver::unreadable(gateway, &claim, &error).await?;
            return meet(gateway, &claim, &case, outcome, DraftState::Failed, None).await.map(|_| ());
        }
        body => body?,
    };
    let Ok(draft) = AdvisoryDraft::from_plaintext(&body) else {
        return settle(gateway, &claim, Outcome::Failed { why: "unreadable-draft".into() }).await;
    };
    let posting = Posting { gateway, claim: &claim, case: &case, desk, draft: &draft };
    if !desk.idempotent() && (claim.was_sending || stored.state == DraftState::Sending) {
        return look::again(&posting, stored.created).await;
    }
    post(&posting).await
}

/// A draft on its way.
pub(super) struct Posting<'a> {
    pub(super) gateway: &'a Gateway,
    pub(super) claim: &'a Claim,
    pub(super) case: &'a CaseId,
    pub(super) desk: &'a dyn AdvisoryDesk,
    pub(super) draft: &'a AdvisoryDraft,
}

/// Hands a draft to the desk, once.
pub(super) async fn post(posting: &Posting<'_>) -> Result<(), StepError> {
    let Posting { gateway, claim, case, desk, draft } = *posting;
    if let Err(error) = desk.prepare(draft).await {
        return refused(posting, error).await;
    }
    if !desk.idempotent() {
        let before = Instant::now();
        let now = gateway.store.now().await?;
        if !gateway.store.begin_draft(&gateway.owner, claim, case, now, LEASE).await? {
            tracing::warn!(row = %claim.row.id, "this row was taken over by another gateway; nothing was posted here");
            return Ok(());
        }
        if before.elapsed() > LEASE / 3 {
            tracing::warn!(%case, "the store, or this process, stood still for too long; nothing was posted, and the draft is looked for first");
            return Ok(());
        }
    }
    match desk.create(draft).await {
        Ok(opened) => opened_at(posting, &opened).await,
        Err(error) => refused(posting, error).await,
    }
}

/// The draft is there: its link is kept, and whoever is to have access gets it.
pub(super) async fn opened_at(posting: &Posting<'_>, opened: &Opened) -> Result<(), StepError> {
    let Posting { gateway, claim, case, .. } = *posting;
    let link = Plaintext::new(opened.link.clone().into_bytes());
    let sealed = gateway.vault.seal(Purpose::DraftLink, &case.to_string(), &link)?;
    if meet(gateway, claim, case, Outcome::Sent, DraftState::Opened, Some(sealed)).await? {
        tracing::info!(%case, "draft advisory opened");
        notice::advisory_opened(gateway, case, &claim.row.mail, &opened.link).await?;
    }
    Ok(())
}

/// The draft was not opened, or nobody knows.
async fn refused(posting: &Posting<'_>, error: DeskError) -> Result<(), StepError> {
    let Posting { gateway, claim, case, .. } = *posting;
    let now = gateway.store.now().await?;
    let again = |due, why: &str| {
        // An admin's word that the limits do not count holds until it has been followed.
        let why = if claim.row.why.as_deref() == Some(BY_HAND) { BY_HAND } else { why };
        Outcome::Retry { due, why: why.into() }
    };
    let (outcome, state) = match &error {
        DeskError::Permanent(why) => {
            tracing::error!(%case, %error, "draft advisory refused for good");
            let outcome = Outcome::Failed { why: "refused".into() };
            if meet(gateway, claim, case, outcome, DraftState::Failed, None).await? {
                notice::draft_failed(gateway, case, why).await?;
            }
            return Ok(());
        }
        DeskError::Ambiguous(_) => {
            let due = later(now, FIRST_LOOK);
            tracing::warn!(%case, %error, %due, "it cannot be told whether the draft advisory was opened; it is looked for");
            (Outcome::Ambiguous { due, why: UNKNOWN.into() }, DraftState::Sending)
        }
        DeskError::Temporary(_) | DeskError::Refused(_) | DeskError::Paused { .. } => {
            let due = due_after(&error, claim, now);
            tracing::warn!(%case, %error, %due, "draft advisory could not be opened; it is tried again");
            (again(due, code_of(&error)), DraftState::Pending)
        }
    };
    // The copies need not wait for what will take longer than they may.
    if meet(gateway, claim, case, outcome, state, None).await?
        && let DeskError::Refused(why) = &error
    {
        notice::desk_refuses(gateway, case, why, now).await?;
    }
    Ok(())
}

/// When something that did not work is tried again.
pub(super) fn due_after(error: &DeskError, claim: &Claim, now: Timestamp) -> Timestamp {
    match error {
        DeskError::Paused { wait, .. } => later(now, (*wait).clamp(Duration::from_secs(1), LONGEST_PAUSE)),
        _ => next_try(now, i64::from(claim.row.attempts)),
    }
}

/// The code of a row that waits because of this.
pub(super) fn code_of(error: &DeskError) -> &'static str {
    match error {
        DeskError::Temporary(_) => "desk-unavailable",
        DeskError::Paused { .. } => "rate-limited",
        DeskError::Refused(_) => "desk-refuses",
        DeskError::Permanent(_) => "refused",
        DeskError::Ambiguous(_) => UNKNOWN,
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

pub(super) async fn settle(gateway: &Gateway, claim: &Claim, outcome: Outcome) -> Result<(), StepError> {
    let now = gateway.store.now().await?;
    super::settle(gateway, &[claim.met(outcome)], now).await
}

/// A draft met its fate. It is written down in one commit with what follows: the copies that waited for it need not wait
/// longer, and an opened one is shared. `false`, and nothing written, where another gateway has taken the row over.
pub(super) async fn meet(
    gateway: &Gateway,
    claim: &Claim,
    case: &CaseId,
    outcome: Outcome,
    state: DraftState,
    link: Option<AtRest>,
) -> Result<bool, StepError> {
    let now = gateway.store.now().await?;
    let mut tx = gateway.store.begin().await?;
    let shared = outcome == Outcome::Sent && gateway.desk.as_deref().is_some_and(AdvisoryDesk::shares);
    if let Some(row) = tx.settle_rows(&gateway.owner, &[claim.met(outcome)], now).await?.first() {
        tracing::warn!(%row, "this row was taken over by another gateway; its outcome here does not count");
        return Ok(false);
    }
    tx.set_draft(case, state, link, now).await?;
    if shared {
        let access = row(gateway, &claim.row.mail, Some(case), RowKind::Access, None, now)?;
        tx.enqueue(&NewRow { generation: claim.row.generation, ..access }, now).await?;
    }
    tx.bring_forward(&claim.row.mail, RowKind::Copy, now).await?;
    tx.commit().await?;
    Ok(true)
}
