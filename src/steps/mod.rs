//! The product sentence, one file a step: a mail is received (stored, sealed), opened and decided on (case and outbox in one
//! transaction), its draft opened, its copies sealed and delivered, its acknowledgement sent.
//!
//! Security: steps move sealed values and ids. Plaintext passes through them only as the opaque types of the plaintext room.

pub mod access;
pub mod acknowledge;
mod consequences;
pub mod deliver;
pub mod draft;
mod hand_over;
pub mod handoff;
pub mod held;
pub mod inspect;
mod judge;
pub(crate) mod leases;
mod look;
pub mod notice;
pub mod receive;
pub(crate) mod said;
pub mod sort;

use crate::gateway::Gateway;
use crate::heartbeat;
use crate::report::{SealError, VaultError};
use crate::store::StoreError;
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// Why a step stopped. What it had begun is still in the store and is tried again.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Vault(#[from] VaultError),
    #[error("{0}")]
    Seal(#[from] SealError),
    #[error("{0}")]
    Port(#[from] crate::ports::PortError),
    #[error(transparent)]
    Facts(#[from] crate::report::BadFacts),
    #[error("a worker thread ended before its work was done")]
    Worker,
    #[error("stored mail {0} has gone")]
    MailGone(String),
}

impl StepError {
    /// What is stored cannot be read: the same will come of it every time, for this mail alone.
    fn is_unreadable(&self) -> bool {
        matches!(self, Self::Vault(VaultError::DoesNotOpen | VaultError::UnknownForm) | Self::Facts(_))
    }
}

/// Runs CPU work off the async threads.
pub(crate) async fn on_worker<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, StepError> {
    let done = tokio::task::spawn_blocking(work).await.map_err(|_| StepError::Worker);
    heartbeat::beat();
    done
}

/// When to try again after so many attempts: 30 s doubling to an hour, with jitter, so that many rows do not come back at
/// once.
pub(crate) fn next_try(now: Timestamp, attempts: i64) -> Timestamp {
    use backon::BackoffBuilder;
    let mut delays = backon::ExponentialBuilder::default()
        .with_min_delay(Duration::from_secs(30))
        .with_max_delay(Duration::from_secs(3600))
        .with_factor(2.0)
        .with_jitter()
        .without_max_times()
        .build();
    let attempt = usize::try_from(attempts.clamp(1, 12)).unwrap_or(1) - 1;
    let delay = delays.nth(attempt).unwrap_or(Duration::from_secs(3600));
    later(now, delay)
}

/// A time so much later.
pub(crate) fn later(at: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| at.checked_add(by).ok()).unwrap_or(Timestamp::MAX)
}

/// A time so much earlier.
pub(crate) fn earlier(at: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| at.checked_sub(by).ok()).unwrap_or(Timestamp::MIN)
}

/// How long a claim holds before another gateway may take the rows over. It is renewed while its holder works ([`leases`]), so
/// this is how long the work of a dead one waits.
pub(crate) const LEASE: Duration = Duration::from_secs(30);

/// How long copies wait for their draft, so that they can name it.
pub(crate) const WAIT_FOR_DRAFT: Duration = Duration::from_secs(5);

/// Writes fates into the store; a row that another gateway took over meanwhile is left to it.
pub(crate) async fn settle(gateway: &Gateway, fates: &[crate::store::Fate], now: Timestamp) -> Result<(), StepError> {
    if fates.is_empty() {
        return Ok(());
    }
    let lost = gateway.store.settle_rows(&gateway.owner, fates, now).await?;
    heartbeat::beat();
    for lost in lost {
        tracing::warn!(row = %lost, "this row was taken over by another gateway; its outcome here does not count");
    }
    Ok(())
}
