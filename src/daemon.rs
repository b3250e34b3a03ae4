//! The daemon: loops that wake each other, reload on SIGHUP, an orderly end on SIGTERM or Ctrl-C.
//!
//! Security: every loop may be killed at any point; what it had begun is in the store. A reload takes the whole new
//! configuration or nothing, and takes effect between two mails.

mod intake;
mod notify;
mod outbox;
mod role;

use crate::config::{Config, Secrets};
use crate::gateway::{Gateway, make_folder};
use crate::heartbeat::{self, Heart};
use crate::steps::leases::{self, AMBIGUOUS};
use crate::steps::said::is_news;
use crate::steps::sort::InHand;
use crate::steps::{self, StepError};
use crate::store::lock::DaemonLock;
use crate::store::{Fence, Mode, Store};
use anyhow::Context;
use outbox::Part;
use role::Role;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long the current mail may take to finish after SIGTERM.
const GRACE: Duration = Duration::from_secs(6);
/// How long the store may take after that to take back what was left.
const TIDYING: Duration = Duration::from_secs(2);
/// How often the loops look by themselves, for what comes due with time.
const TICK: Duration = Duration::from_secs(2);

/// A gateway whose store is locked and ready.
pub struct Running {
    gateway: Gateway,
    _lock: Option<DaemonLock>,
}

/// Reads the configuration, takes the daemon's role, migrates the store and puts the gateway together.
///
/// # Errors
/// When any of it fails; nothing has been changed then but the store's schema.
pub async fn start(file: &Path, secrets: &Secrets) -> anyhow::Result<Running> {
    let config = Config::load(file)?;
    // Every key is read before anything is made or locked: a mistake in the configuration changes nothing.
    let keyring = crate::config::load_keyring(&config, secrets)?;
    let state = config.store.state.clone();
    make_folder(&state)?;
    make_folder(&config.spool())?;
    let shared = matches!(config.store.database, crate::config::Database::Postgres(_));
    let lock = if shared { None } else { Some(DaemonLock::acquire(&state)?) };
    let store = Store::open(&config.store.database, Mode::Migrate).await?;
    let gateway = Gateway::assemble(config, keyring, store, secrets).await?;
    if !shared {
        // The lock says that nobody else works here: whatever is claimed was claimed by a process that is gone.
        let now = gateway.store.now().await?;
        gateway.store.free_leases(None, &[], now, AMBIGUOUS).await?;
        let found = gateway.store.recover().await?;
        if found > 0 {
            tracing::warn!(
                mails = found,
                "mails were being opened when an earlier process ended; they are tried one by one"
            );
        }
    }
    Ok(Running { gateway, _lock: lock })
}

impl Running {
    /// The gateway, for what is asked about it.
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// Takes in all that waits and tries each due row once, without sleeping.
    ///
    /// # Errors
    /// When the store or the mailbox cannot be used.
    pub async fn once(&self, progress: &dyn Fn(&str, usize)) -> anyhow::Result<()> {
        let gateway = &self.gateway;
        steps::held::release(gateway).await?;
        let mut trouble = None;
        let role = Role::default();
        let fence = role::take(gateway, &role, None).await?;
        if !role.is_held() {
            tracing::warn!("another gateway takes in the mail of this store now; only the outbox is worked on here");
        }
        for inbox in gateway.inboxes.iter().filter(|inbox| role.is_held() || !inbox.is_shared()) {
            match steps::receive::receive(gateway, inbox.as_ref()).await {
                Ok(round) => progress("received", round.taken),
                // The other inboxes and the outbox go on; the error decides how the run ends.
                Err(error) => trouble = Some(error),
            }
        }
        let worked = leases::keep(gateway, self.work_off_all(&role, progress)).await;
        if worked.is_err() {
            // Nobody need wait for the end of the leases.
            let _told_by_the_error = leases::give_back(gateway, &[]).await;
        }
        role::release(gateway, fence).await;
        let _only_shown = gateway.doors.write_down(gateway).await;
        worked?;
        trouble.map_or(Ok(()), |error| Err(error).context("mail could not be taken in; it stays where it is"))
    }

    async fn work_off_all(&self, role: &Role, progress: &dyn Fn(&str, usize)) -> Result<(), StepError> {
        let gateway = &self.gateway;
        loop {
            let opened = if role.is_held() { steps::sort::sort(gateway).await? } else { 0 };
            // Each is tried whatever becomes of the others.
            let never = CancellationToken::new();
            let drafted = Part::Drafts.work(gateway, &never).await;
            let delivered = Part::Copies.work(gateway, &never).await;
            let answered = Part::Acknowledgements.work(gateway, &never).await;
            let counts = [opened, drafted?, delivered?, answered?];
            for (what, count) in ["opened", "drafts", "copies", "acknowledgements"].into_iter().zip(counts) {
                progress(what, count);
            }
            if counts == [0; 4] {
                return Ok(());
            }
        }
    }

    /// Works until SIGTERM or Ctrl-C.
    ///
    /// # Errors
    /// When the signals cannot be listened to.
    pub async fn serve(self, secrets: Secrets) -> anyhow::Result<()> {
        use tokio::signal::unix::{SignalKind, signal};
        let (mut hangup, mut terminate, mut interrupt) =
            (signal(SignalKind::hangup())?, signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let file = self.gateway.config.file.clone();
        let first = Arc::new(self.gateway);
        let (sender, receiver) = watch::channel(Arc::clone(&first));
        let end = CancellationToken::new();
        let role = Arc::new(Role::default());
        let fence = role::take(&first, &role, None).await?;
        let in_hand = Arc::new(InHand::default());
        let mut loops = spawn_loops(&receiver, &end, &role, &in_hand, fence);
        // After a reload nothing of the old configuration stays in memory.
        drop(first);
        tracing::info!(config = %file.display(), "embargod is running");
        notify::ready("running");
        loop {
            tokio::select! {
                // A store that does not answer must not keep the end waiting.
                _ = hangup.recv() => tokio::select! {
                    () = reload(&sender, &file, &secrets) => {}
                    _ = terminate.recv() => break,
                    _ = interrupt.recv() => break,
                },
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                ended = loops.join_next() => {
                    // A loop ends only by a panic: its work is safe in the store, and a restart takes it up.
                    tracing::error!(failed = ended.is_some_and(|e| e.is_err()), "a loop ended unexpectedly; embargod ends");
                    end.cancel();
                    anyhow::bail!("a part of embargod ended unexpectedly; nothing is lost, start it again");
                }
            }
        }
        tracing::info!("ending: the current mail is finished first");
        notify::stopping();
        end.cancel();
        let all_ended = async { while loops.join_next().await.is_some() {} };
        if tokio::time::timeout(GRACE, all_ended).await.is_err() {
            tracing::warn!("the current work took too long and was left; it is taken up at the next start");
            loops.shutdown().await;
        }
        let gateway = sender.borrow().clone();
        let tidying = async {
            in_hand.put_back(&gateway).await?;
            leases::give_back(&gateway, &[]).await?;
            let _only_shown = gateway.doors.write_down(&gateway).await;
            gateway.store.close().await;
            Ok::<_, StepError>(())
        };
        match tokio::time::timeout(TIDYING, tidying).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "the store could not be told of the end; the next start finds out")
            }
            Err(_) => {
                tracing::warn!("the store does not answer and could not be told of the end; the next start finds out")
            }
        }
        tracing::info!("ended");
        Ok(())
    }
}

async fn reload(sender: &watch::Sender<Arc<Gateway>>, file: &Path, secrets: &Secrets) {
    notify::reloading();
    let current = sender.borrow().clone();
    let result = match Config::load(file) {
        Ok(config) => current.reload(config, secrets).await,
        Err(error) => Err(error.into()),
    };
    match result {
        Ok(gateway) => {
            sender.send_replace(Arc::new(gateway));
            tracing::info!("configuration reloaded; it holds from the next mail on");
            notify::ready("running");
        }
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "configuration not reloaded: the old one stays in force");
            notify::ready("running with the old configuration: the new one is refused, the log says why");
        }
    }
}

/// How the loops wake each other.
#[derive(Default)]
struct Bells {
    sort: Notify,
    drafts: Notify,
    copies: Notify,
    acknowledgements: Notify,
}

fn spawn_loops(
    gateway: &watch::Receiver<Arc<Gateway>>,
    end: &CancellationToken,
    role: &Arc<Role>,
    in_hand: &Arc<InHand>,
    fence: Option<Fence>,
) -> JoinSet<()> {
    let (bells, heart) = (Arc::new(Bells::default()), Arc::new(Heart::default()));
    let mut loops = JoinSet::new();
    loops.spawn(role::hold(gateway.clone(), Arc::clone(role), fence, end.clone()));
    let intake =
        intake::take_in(gateway.clone(), Arc::clone(role), end.clone(), Arc::clone(&bells), Arc::clone(&heart));
    loops.spawn(intake);
    let sort = sort_loop(gateway.clone(), Arc::clone(role), end.clone(), Arc::clone(&bells), Arc::clone(in_hand));
    loops.spawn(heart.listen("opening", sort));
    loops.spawn(doors_loop(gateway.clone(), end.clone()));
    for part in Part::ALL {
        let work = outbox::work_off(part, gateway.clone(), end.clone(), Arc::clone(&bells));
        loops.spawn(heart.listen(part.name(), work));
    }
    loops.spawn(notify::feed_watchdog(heart, end.clone()));
    loops
}

/// Writes down how the doors were found, for `status`.
async fn doors_loop(gateway: watch::Receiver<Arc<Gateway>>, end: CancellationToken) {
    while !end.is_cancelled() {
        let doors = Arc::clone(&gateway.borrow().doors);
        tokio::select! {
            () = end.cancelled() => {}
            () = doors.wait() => {
                let current = gateway.borrow().clone();
                // What a store that does not answer did not take is written the next time.
                let _only_shown = doors.write_down(&current).await;
            }
        }
    }
}

async fn sort_loop(
    gateway: watch::Receiver<Arc<Gateway>>,
    role: Arc<Role>,
    end: CancellationToken,
    bells: Arc<Bells>,
    in_hand: Arc<InHand>,
) {
    while !end.is_cancelled() {
        let current = gateway.borrow().clone();
        if !role.is_held() {
            pause(&end, &bells.sort).await;
            continue;
        }
        match steps::sort::sort_until(&current, &end, &in_hand).await {
            Ok(0) => {}
            Ok(_) => Part::ALL.into_iter().for_each(|part| part.bell(&bells).notify_one()),
            Err(error) => complain("mails could not be opened; they are tried again", &error),
        }
        pause(&end, &bells.sort).await;
    }
}

async fn pause(end: &CancellationToken, bell: &Notify) {
    tokio::select! {
        () = end.cancelled() => {}
        () = heartbeat::rest(bell.notified()) => {}
        () = tokio::time::sleep(TICK) => {}
    }
}

/// Logs a failure that is met at every turn of a loop: at once, and then once a minute while it stays the same.
fn complain(what: &'static str, error: &StepError) {
    if is_news(what, &error.to_string()) {
        tracing::error!(%error, "{what}");
    }
}
