//! Keeps what was claimed while it is worked on, and gives it back when the work broke off.
//!
//! Security: leases are short, so that the work of a dead gateway is taken over within seconds; renewing them is what keeps a
//! second gateway from sending what this one is sending slowly. A frozen process renews nothing.

use super::{LEASE, StepError};
use crate::gateway::Gateway;
use crate::store::RowKind;
use std::time::Duration;

/// How long a mail that was being handed over when the work broke off waits before it is handed over again: by then its first
/// copy, if it arrived, is known.
pub(crate) const AMBIGUOUS: Duration = Duration::from_secs(60);

/// Does work on claimed rows, and renews their leases meanwhile.
pub(crate) async fn keep<T>(gateway: &Gateway, work: impl Future<Output = T>) -> T {
    let renewing = async {
        loop {
            tokio::time::sleep(LEASE / 4).await;
            // Without an answer the leases end when they were to end, and others take over.
            let _tried_again = renew(gateway).await;
        }
    };
    tokio::select! {
        done = work => done,
        () = renewing => std::future::pending().await,
    }
}

async fn renew(gateway: &Gateway) -> Result<u64, StepError> {
    let now = gateway.store.now().await?;
    Ok(gateway.store.renew_leases(&gateway.owner, now, LEASE).await?)
}

/// Gives back what this gateway holds of these kinds; none of them stands for all.
///
/// # Errors
/// When the store does not answer: others wait for the end of the leases then.
pub(crate) async fn give_back(gateway: &Gateway, kinds: &[RowKind]) -> Result<(), StepError> {
    let now = gateway.store.now().await?;
    gateway.store.free_leases(Some(&gateway.owner), kinds, now, AMBIGUOUS).await?;
    Ok(())
}
