//! Sends acknowledgements to reporters.
//!
//! Security: what is sent is made from the mail's unencrypted bytes, the configuration and what was decided when the mail was
//! sorted; nothing of the report is in it. It goes to the From address alone, with the null return path.

use super::hand_over::{delivery_id, hand, judge};
use super::{LEASE, StepError, deliver, on_worker, settle};
use crate::gateway::Gateway;
use crate::report::{AckPlace, Frozen, Purpose, write_acknowledgement};
use crate::store::{Claim, Outcome, RowKind};
use futures::StreamExt;
use jiff::Timestamp;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Acknowledgements made and sent side by side. Each holds its whole mail for a moment.
const SIDE_BY_SIDE: usize = 4;

/// Tries every due acknowledgement once, until `end` is asked for; returns how many rows met a fate.
///
/// # Errors
/// When the store cannot be used.
pub async fn acknowledge(gateway: &Gateway, end: &CancellationToken) -> Result<usize, StepError> {
    let mut done = 0;
    loop {
        let now = gateway.store.now().await?;
        let claims = gateway.store.claim(&gateway.owner, &[RowKind::Acknowledgement], now, LEASE, 16).await?;
        if claims.is_empty() || end.is_cancelled() {
            return Ok(done);
        }
        done += claims.len();
        let mut sent = futures::stream::iter(claims)
            .map(|claim| async move {
                let outcome = match send_one(gateway, &claim, now).await {
                    Err(error) if error.is_unreadable() => deliver::unreadable(gateway, &claim, &error).await?,
                    Err(StepError::Worker) => cannot_be_made(&claim, now, &StepError::Worker),
                    outcome => outcome?,
                };
                let fate = claim.met(outcome);
                if gateway.courier.idempotent() {
                    return Ok(Some(fate));
                }
                settle(gateway, &[fate], gateway.store.now().await?).await.map(|()| None)
            })
            .buffer_unordered(SIDE_BY_SIDE);
        let (mut fates, mut trouble) = (Vec::new(), Ok(()));
        while let Some(fate) = sent.next().await {
            match fate {
                Ok(fate) => fates.extend(fate),
                Err(error) => trouble = Err(error),
            }
        }
        settle(gateway, &fates, gateway.store.now().await?).await?;
        trouble?;
    }
}

async fn send_one(gateway: &Gateway, claim: &Claim, now: Timestamp) -> Result<Outcome, StepError> {
    let id = claim.row.mail.clone();
    let Some(mail) = gateway.store.mail(&id).await? else {
        return Ok(Outcome::Dropped { why: "erased".into() });
    };
    let (Some(content), Some(facts)) = (mail.content, mail.facts) else {
        return Ok(Outcome::Dropped { why: "erased".into() });
    };
    let delivery_id = delivery_id(gateway, claim);
    let (vault, keyring) = (Arc::clone(&gateway.vault), Arc::clone(&gateway.keyring));
    let (rules, identity) = (Arc::clone(&gateway.rules), Arc::clone(&gateway.identity));
    let case = claim.row.case.clone();
    let made = on_worker(move || {
        let raw = vault.unseal(Purpose::Mail, id.as_str(), content)?;
        let Frozen::Mail(facts) = Frozen::from_plaintext(&vault.unseal(Purpose::Facts, id.as_str(), facts)?)? else {
            return Ok(Ok(None));
        };
        let name = case.as_ref().map(ToString::to_string).unwrap_or_default();
        let message_id = vault.message_id(&name, &id, RowKind::Acknowledgement.word(), 0, identity.domain());
        let place =
            AckPlace { case: case.as_ref(), message_id: &message_id, delivery_id: &delivery_id, identity: &identity };
        Ok::<_, StepError>(write_acknowledgement(&raw, &facts, &place, &keyring, &rules, now))
    });
    match made.await?? {
        Ok(Some(mail)) => {
            // A row that is another's meanwhile: whatever is said of it here does not count.
            let Some(ended) = hand(gateway, claim, &mail, now).await? else {
                return Ok(Outcome::Dropped { why: "taken-over".into() });
            };
            Ok(judge(gateway, claim, ended).await)
        }
        Ok(None) => Ok(Outcome::Dropped { why: "no-sender".into() }),
        Err(error) => Ok(cannot_be_made(claim, now, &error.into())),
    }
}

fn cannot_be_made(claim: &Claim, now: Timestamp, error: &StepError) -> Outcome {
    tracing::error!(row = %claim.row.id, %error, "acknowledgement could not be made; it is tried again");
    Outcome::Retry { due: super::next_try(now, i64::from(claim.row.attempts)), why: "cannot-seal".into() }
}
