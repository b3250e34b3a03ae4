//! Gives the configured teams and users access to an opened draft, which only administrators of the repository see otherwise.
//!
//! Security: a call of its own, after the draft was opened, so that a mistyped team costs no draft. Doing it twice is harmless.

use super::draft::{code_of, due_after};
use super::{LEASE, StepError, notice};
use crate::gateway::Gateway;
use crate::ports::DeskError;
use crate::report::{AdvisoryLine, Purpose};
use crate::store::{Claim, Outcome, RowKind};

/// Tries every due row once; returns how many met a fate.
///
/// # Errors
/// When the store cannot be used.
pub async fn give_access(gateway: &Gateway) -> Result<usize, StepError> {
    let mut done = 0;
    loop {
        let now = gateway.store.now().await?;
        let claims = gateway.store.claim(&gateway.owner, &[RowKind::Access], now, LEASE, 16).await?;
        if claims.is_empty() {
            return Ok(done);
        }
        done += claims.len();
        for claim in claims {
            let outcome = share(gateway, &claim).await?;
            let now = gateway.store.now().await?;
            super::settle(gateway, &[claim.met(outcome)], now).await?;
        }
    }
}

async fn share(gateway: &Gateway, claim: &Claim) -> Result<Outcome, StepError> {
    let dropped = |why: &str| Ok(Outcome::Dropped { why: why.into() });
    let Some(desk) = gateway.desk.as_deref().filter(|desk| desk.shares()) else {
        return dropped("nobody-to-share-with");
    };
    let Some(case) = &claim.row.case else { return dropped("no-case") };
    let Some(sealed) = gateway.store.draft(case).await?.and_then(|draft| draft.link) else { return dropped("erased") };
    let Ok(link) = gateway.vault.unseal(Purpose::DraftLink, &case.to_string(), sealed) else {
        tracing::error!(%case, "the stored link of the draft advisory cannot be read; nobody is given access");
        return Ok(Outcome::Failed { why: "unreadable".into() });
    };
    let link = AdvisoryLine::from_link(&link).into_link().unwrap_or_default();
    let error = match desk.share(&link).await {
        Ok(()) => {
            tracing::info!(%case, "the configured teams and users have access to the draft advisory");
            return Ok(Outcome::Sent);
        }
        Err(error) => error,
    };
    let now = gateway.store.now().await?;
    if let DeskError::Permanent(why) = &error {
        tracing::error!(%case, %error, "access to the draft advisory refused for good");
        notice::access_failed(gateway, case, &claim.row.id, why).await?;
        return Ok(Outcome::Failed { why: code_of(&error).into() });
    }
    let due = due_after(&error, claim, now);
    tracing::warn!(%case, %error, %due, "access to the draft advisory could not be given; it is tried again");
    if let DeskError::Refused(why) = &error {
        notice::desk_refuses(gateway, case, why, now).await?;
    }
    Ok(Outcome::Retry { due, why: code_of(&error).into() })
}
