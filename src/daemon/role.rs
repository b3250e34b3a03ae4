//! Who takes mail in and opens it, where several gateways share one store: one of them at a time.
//!
//! Security: the role is a lease with a fence. A gateway that was frozen and wakes up finds its role gone; what it had begun to
//! write is refused by the store, since the new holder has voided it.

use super::complain;
use crate::gateway::Gateway;
use crate::steps::StepError;
use crate::store::Fence;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// The role's name in the store.
const NAME: &str = "mailbox";
/// How long the role lasts without being renewed.
const LEASE: Duration = Duration::from_secs(15);
/// How often it is renewed, or asked for.
const RENEWAL: Duration = Duration::from_secs(3);

/// Whether this gateway has the role now.
pub(super) struct Role(watch::Sender<bool>);

impl Default for Role {
    fn default() -> Self {
        Self(watch::Sender::new(false))
    }
}

impl Role {
    pub(super) fn is_held(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns at once, or as soon as the role comes or goes.
    pub(super) async fn becomes(&self, held: bool) {
        let mut role = self.0.subscribe();
        // The sender lives as long as `self`, so there is always an answer.
        let _always = role.wait_for(|now| *now == held).await;
    }

    fn set(&self, held: bool) {
        self.0.send_replace(held);
    }
}

/// Takes or renews the role. Whoever comes by it newly takes over what the last holder had begun.
pub(super) async fn take(gateway: &Gateway, role: &Role, fence: Option<Fence>) -> Result<Option<Fence>, StepError> {
    if !gateway.is_shared() {
        // The lock of the daemon's role says that nobody else works here.
        if !role.is_held() {
            recover(gateway).await?;
            role.set(true);
        }
        return Ok(None);
    }
    let now = gateway.store.now().await?;
    if let Some(fence) = fence
        && gateway.store.renew_role(NAME, &gateway.owner, fence, now, LEASE).await?
    {
        return Ok(Some(fence));
    }
    role.set(false);
    let fence = gateway.store.acquire_role(NAME, &gateway.owner, now, LEASE).await?;
    if fence.is_some() {
        recover(gateway).await?;
        role.set(true);
        tracing::info!("this gateway takes in the mail of the shared store now");
    }
    Ok(fence)
}

async fn recover(gateway: &Gateway) -> Result<(), StepError> {
    let found = gateway.store.recover().await?;
    if found > 0 {
        tracing::warn!(
            mails = found,
            "mails were being opened when an earlier process ended; they are tried one by one"
        );
    }
    Ok(())
}

/// Gives the role back, so that another gateway need not wait for the end of the lease.
pub(super) async fn release(gateway: &Gateway, fence: Option<Fence>) {
    if let Some(fence) = fence {
        let _expires_by_itself = gateway.store.release_role(NAME, &gateway.owner, fence).await;
    }
}

/// Holds the role as long as the daemon runs.
pub(super) async fn hold(
    gateway: watch::Receiver<Arc<Gateway>>,
    role: Arc<Role>,
    mut fence: Option<Fence>,
    end: CancellationToken,
) {
    while !end.is_cancelled() {
        let current = gateway.borrow().clone();
        match take(&current, &role, fence).await {
            Ok(taken) => fence = taken,
            Err(error) => {
                // Without an answer of the store nobody knows who has the role; what is begun is fenced. It is taken anew
                // once the store answers again.
                if current.is_shared() {
                    role.set(false);
                    fence = None;
                }
                complain("the mailbox role could not be asked for", &error);
            }
        }
        tokio::select! {
            () = end.cancelled() => {}
            () = tokio::time::sleep(RENEWAL) => {}
        }
    }
    let current = gateway.borrow().clone();
    release(&current, fence).await;
}
