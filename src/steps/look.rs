//! After an unknown outcome: looks for the draft before anything is posted again.
//!
//! It is looked for after 30 seconds, 2 minutes and 10 minutes. Found, it is as good as opened. Not found three times, by lists that
//! showed another draft that is known to be there, it is posted once more. Where no list can be believed it is held, until
//! an admin says that it may be posted again; then it is looked for once more.
//!
//! Security: an empty list may mean that the token sees no drafts: believing it would open the same draft again and again.

use super::draft::{self, BY_HAND, Posting, UNKNOWN, code_of, due_after, meet, opened_at};
use super::{StepError, later, notice};
use crate::ports::{DeskError, Looked};
use crate::report::{AdvisoryLine, Purpose};
use crate::store::{DraftState, Outcome};
use jiff::Timestamp;
use std::time::Duration;

/// Codes of rows that were looked for without being found.
const LOOKED_ONCE: &str = "not-found-once";
const LOOKED_TWICE: &str = "not-found-twice";
/// From the first look, 30 s after the post, to the second, 2 min after it.
const SECOND_LOOK: Duration = Duration::from_secs(90);
/// From the second look to the third, 10 min after the post.
const THIRD_LOOK: Duration = Duration::from_secs(480);
/// Links of earlier drafts that are gone through for some of the same repository.
const LINKS: u32 = 500;
/// As many of them are given to the desk.
const KNOWN: usize = 20;

/// Looks for a draft that was posted, or was about to be, when its fate got lost. `since`: when it was made.
pub(super) async fn again(posting: &Posting<'_>, since: Timestamp) -> Result<(), StepError> {
    let Posting { gateway, claim, case, desk, draft } = *posting;
    let by_hand = claim.row.why.as_deref() == Some(BY_HAND);
    // It was held, and an admin let it go.
    let let_go = by_hand && !claim.was_sending;
    let known = known(posting).await?;
    let looked = match desk.find(draft, since, &known).await {
        Ok(looked) => looked,
        Err(error) => return not_seen(posting, &error).await,
    };
    let now = gateway.store.now().await?;
    match looked {
        Looked::There { opened, duplicates } => {
            tracing::info!(%case, "the draft advisory had been opened");
            if duplicates > 0 {
                tracing::error!(%case, duplicates, "the same draft was opened more than once; close the younger ones");
                notice::draft_duplicated(gateway, case, &opened.link, duplicates).await?;
            }
            opened_at(posting, &opened).await
        }
        Looked::Absent if by_hand => draft::post(posting).await,
        Looked::Unbelievable if let_go => draft::post(posting).await,
        Looked::Unbelievable if by_hand => hold(posting, now).await,
        seen @ (Looked::Absent | Looked::Unbelievable) => match claim.row.why.as_deref() {
            Some(LOOKED_TWICE) if seen == Looked::Absent => {
                tracing::warn!(%case, "the draft advisory was not found in three looks; it is posted again");
                draft::post(posting).await
            }
            Some(LOOKED_TWICE) => hold(posting, now).await,
            Some(LOOKED_ONCE) => wait(posting, later(now, THIRD_LOOK), LOOKED_TWICE).await,
            _ => wait(posting, later(now, SECOND_LOOK), LOOKED_ONCE).await,
        },
    }
}

/// Links of drafts in the same repository, the latest first.
async fn known(posting: &Posting<'_>) -> Result<Vec<String>, StepError> {
    let Posting { gateway, case, desk, draft, .. } = *posting;
    let mut known = Vec::new();
    for (other, link) in gateway.store.draft_links(LINKS).await? {
        // One that cannot be read proves nothing; the others may.
        let Ok(link) = gateway.vault.unseal(Purpose::DraftLink, &other.to_string(), link) else { continue };
        let Some(link) = AdvisoryLine::from_link(&link).into_link() else { continue };
        if other != *case && desk.is_beside(draft, &link) {
            known.push(link);
            if known.len() == KNOWN {
                break;
            }
        }
    }
    Ok(known)
}

async fn wait(posting: &Posting<'_>, due: Timestamp, why: &str) -> Result<(), StepError> {
    tracing::info!(case = %posting.case, %due, "the draft advisory was not found; it is looked for again");
    draft::settle(posting.gateway, posting.claim, Outcome::Ambiguous { due, why: why.into() }).await
}

/// Nobody knows, and nobody can find out: an admin decides.
async fn hold(posting: &Posting<'_>, now: Timestamp) -> Result<(), StepError> {
    let Posting { gateway, claim, case, .. } = *posting;
    tracing::error!(
        %case, row = %claim.row.id, at = %now,
        "it cannot be found out whether the draft advisory was opened: no list showed a draft that is known; held until `embargod queue retry`"
    );
    if meet(gateway, claim, case, Outcome::Held { why: UNKNOWN.into() }, DraftState::Sending, None).await? {
        notice::draft_unknown(gateway, case, &claim.row.id).await?;
    }
    Ok(())
}

/// The look itself did not work: it is repeated, and counts for nothing.
async fn not_seen(posting: &Posting<'_>, error: &DeskError) -> Result<(), StepError> {
    let Posting { gateway, claim, case, .. } = *posting;
    let now = gateway.store.now().await?;
    let due = due_after(error, claim, now);
    tracing::warn!(%case, %error, %due, "the draft advisory could not be looked for; that is tried again");
    let outcome = match claim.row.why.as_deref() {
        Some(BY_HAND) if !claim.was_sending => Outcome::Retry { due, why: BY_HAND.into() },
        Some(why @ (LOOKED_ONCE | LOOKED_TWICE | BY_HAND)) => Outcome::Ambiguous { due, why: why.into() },
        _ if matches!(error, DeskError::Refused(_)) => Outcome::Ambiguous { due, why: code_of(error).into() },
        _ => Outcome::Ambiguous { due, why: UNKNOWN.into() },
    };
    draft::settle(gateway, claim, outcome).await?;
    if let DeskError::Refused(why) | DeskError::Permanent(why) = error {
        notice::desk_refuses(gateway, case, why, now).await?;
    }
    Ok(())
}
