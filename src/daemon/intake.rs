//! Taking mail in: one loop for each inbox, so that none keeps another waiting.
//!
//! Security: a loop may be dropped at any point; a mail is durable here before it leaves its mailbox. Without the role that several
//! gateways of one store share, nothing is taken from a mailbox that they all see, from one moment to the next.

use super::role::Role;
use super::{Bells, complain};
use crate::gateway::Gateway;
use crate::heartbeat::{self, Heart};
use crate::ports::Inbox;
use crate::steps::receive::{Watched, receive_watched};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long the batch that is under way may go on when a loop is to end.
const GRACE: Duration = Duration::from_secs(3);

/// Takes mail in from all inboxes, those of a new configuration once the loops of the old one have ended.
pub(super) async fn take_in(
    mut gateway: watch::Receiver<Arc<Gateway>>,
    role: Arc<Role>,
    end: CancellationToken,
    bells: Arc<Bells>,
    heart: Arc<Heart>,
) {
    while !end.is_cancelled() {
        let current = gateway.borrow_and_update().clone();
        let stop = end.child_token();
        let mut loops = JoinSet::new();
        for inbox in &current.inboxes {
            let intake = Intake {
                gateway: Arc::clone(&current),
                inbox: Arc::clone(inbox),
                role: Arc::clone(&role),
                stop: stop.clone(),
                bells: Arc::clone(&bells),
            };
            loops.spawn(heart.listen("intake", intake.run()));
        }
        // After a reload nothing of the old configuration stays in memory.
        drop(current);
        tokio::select! {
            () = end.cancelled() => {}
            _ = gateway.changed() => {}
            Some(ended) = loops.join_next() => panicked(ended),
        }
        stop.cancel();
        while let Some(ended) = loops.join_next().await {
            panicked(ended);
        }
    }
}

/// A loop that panicked ends the daemon; its mail is where it was.
fn panicked(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && let Ok(panic) = error.try_into_panic()
    {
        std::panic::resume_unwind(panic);
    }
}

/// What takes mail in from one inbox.
struct Intake {
    gateway: Arc<Gateway>,
    inbox: Arc<dyn Inbox>,
    role: Arc<Role>,
    stop: CancellationToken,
    bells: Arc<Bells>,
}

impl Intake {
    async fn run(self) {
        let stopped = async {
            self.stop.cancelled().await;
            tokio::time::sleep(GRACE).await;
        };
        tokio::select! {
            () = self.rounds() => {}
            () = stopped => {}
        }
    }

    async fn rounds(&self) {
        while !self.stop.is_cancelled() {
            tokio::select! {
                biased;
                () = self.without_role() => {
                    tokio::select! {
                        () = heartbeat::rest(self.role.becomes(true)) => {}
                        () = self.stop.cancelled() => {}
                    }
                }
                () = self.round() => {}
            }
        }
    }

    /// Takes in what waits, and waits for more.
    async fn round(&self) {
        let taken = || self.bells.sort.notify_one();
        let watched = Watched { end: &self.stop, taken: &taken };
        if let Err(error) = receive_watched(&self.gateway, self.inbox.as_ref(), &watched).await {
            complain("mail could not be taken in; it stays where it is", &error);
        }
        tokio::select! {
            () = heartbeat::rest(self.inbox.wait()) => {}
            () = self.stop.cancelled() => {}
        }
    }

    /// Returns when the inbox is another gateway's to read.
    async fn without_role(&self) {
        if self.inbox.is_shared() {
            self.role.becomes(false).await;
        } else {
            std::future::pending::<()>().await;
        }
    }
}
