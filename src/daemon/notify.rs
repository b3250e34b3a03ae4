//! Tells systemd how it goes (sd_notify(3)): ready, reloading, stopping, and that the loops go on.
//!
//! Security: what is told are fixed words. Without NOTIFY_SOCKET in the environment nothing is told to anybody.

use crate::heartbeat::Heart;
use sd_notify::NotifyState;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;

/// Everything runs.
pub(super) fn ready(status: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// The configuration is being read again; [`ready`] says when that is over.
pub(super) fn reloading() {
    let mut states = vec![NotifyState::Reloading, NotifyState::Status("reading the configuration again")];
    // Type=notify-reload wants the time, to know which request is meant.
    states.extend(NotifyState::monotonic_usec_now().ok());
    tell(&states);
}

/// The end has begun.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("ending: the current mail is finished first")]);
}

/// Feeds the watchdog, where there is one, as long as all loops go on.
pub(super) async fn feed_watchdog(heart: Arc<Heart>, end: CancellationToken) {
    let Some(limit) = sd_notify::watchdog_enabled() else { return end.cancelled().await };
    // systemd advises half of the limit; a third leaves room for a busy machine.
    let mut ticks = tokio::time::interval(limit / 3);
    let mut said = false;
    loop {
        tokio::select! {
            () = end.cancelled() => return,
            _ = ticks.tick() => {}
        }
        match heart.stuck() {
            None => tell(&[NotifyState::Watchdog]),
            Some(name) => {
                if !std::mem::replace(&mut said, true) {
                    tracing::error!(
                        name,
                        "a loop does not go on; the watchdog may now end embargod and start it again"
                    );
                }
            }
        }
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "systemd could not be told how it goes");
    }
}
