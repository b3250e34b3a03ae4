//! Working off the outbox: one loop for each kind of work, so that a desk or a server that takes its time keeps nothing else
//! waiting.
//!
//! Security: what a turn that broke off had claimed is given back by its own loop alone; what another loop has in its hands at
//! that moment stays there.

use super::{Bells, complain, pause};
use crate::gateway::Gateway;
use crate::steps::{self, StepError, leases};
use crate::store::RowKind;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How often held copies are looked at.
const HELD: Duration = Duration::from_secs(60);

/// What one loop works on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Drafts,
    Copies,
    Acknowledgements,
}

impl Part {
    pub(super) const ALL: [Self; 3] = [Self::Drafts, Self::Copies, Self::Acknowledgements];

    fn kinds(self) -> &'static [RowKind] {
        match self {
            Self::Drafts => &[RowKind::Draft, RowKind::Access],
            Self::Copies => &[RowKind::Copy, RowKind::Notice],
            Self::Acknowledgements => &[RowKind::Acknowledgement],
        }
    }

    /// Tries each due row once, until `end`; returns how many met a fate.
    pub(super) async fn work(self, gateway: &Gateway, end: &CancellationToken) -> Result<usize, StepError> {
        match self {
            Self::Drafts => {
                let drafted = steps::draft::open_drafts(gateway).await;
                let shared = steps::access::give_access(gateway).await;
                Ok(drafted? + shared?)
            }
            Self::Copies => steps::deliver::deliver(gateway, end).await,
            Self::Acknowledgements => steps::acknowledge::acknowledge(gateway, end).await,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Drafts => "drafts",
            Self::Copies => "copies",
            Self::Acknowledgements => "acknowledgements",
        }
    }

    pub(super) fn bell(self, bells: &Bells) -> &tokio::sync::Notify {
        match self {
            Self::Drafts => &bells.drafts,
            Self::Copies => &bells.copies,
            Self::Acknowledgements => &bells.acknowledgements,
        }
    }

    /// Who may have something to do now.
    fn done(self, bells: &Bells) {
        // There may be a word for the admins.
        bells.sort.notify_one();
        if self == Self::Drafts {
            // Copies wait for the link.
            bells.copies.notify_one();
        }
    }
}

/// Works one part off until the end.
pub(super) async fn work_off(
    part: Part,
    mut gateway: watch::Receiver<Arc<Gateway>>,
    end: CancellationToken,
    bells: Arc<Bells>,
) {
    let mut released: Option<tokio::time::Instant> = None;
    let mut broken = false;
    while !end.is_cancelled() {
        let reloaded = gateway.has_changed().unwrap_or(false);
        let current = gateway.borrow_and_update().clone();
        if part == Part::Copies && (reloaded || released.is_none_or(|at| at.elapsed() > HELD)) {
            released = Some(tokio::time::Instant::now());
            if let Err(error) = steps::held::release(&current).await {
                complain("held copies could not be looked at", &error);
            }
        }
        // What a turn that broke off had claimed would else wait for the end of its lease.
        let ready = if broken { leases::give_back(&current, part.kinds()).await } else { Ok(()) };
        let worked = match ready {
            Ok(()) => leases::keep(&current, part.work(&current, &end)).await,
            Err(error) => Err(error),
        };
        broken = worked.is_err();
        match worked {
            Ok(0) => {}
            Ok(_) => part.done(&bells),
            Err(error) => complain("the outbox could not be worked off; it is tried again", &error),
        }
        // After a reload nothing of the old configuration stays in memory.
        drop(current);
        tokio::select! {
            () = pause(&end, part.bell(&bells)) => {}
            _ = gateway.changed() => { gateway.mark_changed(); }
        }
    }
}
