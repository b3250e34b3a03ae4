//! Sessions that are kept open between mails, and how many there may be at once.
//!
//! Security: a session goes back only when it is known where it stands; whatever ended strangely is closed, so that no reply to
//! one mail is taken for that to another.

use super::connect::{Door, MaybeTls, Patience, Session, tls_for};
use super::fault::{Fault, Step};
use crate::adapters::server::Server;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Sessions at once.
const MOST: usize = 6;
/// How long an unused session is kept open: shorter than the five minutes after which servers close them (RFC 5321 section
/// 4.5.3.2.7).
const IDLE: Duration = Duration::from_secs(240);
/// For how long no login is tried after a refused one, however much mail waits: servers lock accounts, and firewalls addresses,
/// that try too often.
const REFUSED: Duration = Duration::from_secs(60);
/// How long a server may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(2);

struct Kept {
    idle: Vec<(Session, Instant)>,
    /// Sessions that the server lets us have at once, as far as we know.
    capacity: usize,
    /// Somebody will look after the idle ones.
    tended: bool,
    /// How and when the last login was refused.
    refused: Option<(Fault, Instant)>,
}

/// The sessions of one courier.
pub(super) struct Pool {
    server: Server,
    tls: MaybeTls,
    patience: Patience,
    kept: Mutex<Kept>,
    room: Arc<Semaphore>,
}

/// A session in use; it is closed when dropped, unless it is put back.
pub(super) struct Lent {
    pub(super) session: Session,
    /// It was used before, so the server may have closed it meanwhile.
    pub(super) reused: bool,
    permit: OwnedSemaphorePermit,
}

impl Pool {
    /// # Errors
    /// When there is no root certificate to verify the server's with; in words for an admin.
    pub(super) fn new(server: Server, patience: Patience) -> Result<Arc<Self>, String> {
        let tls = tls_for(&server)?;
        let kept = Mutex::new(Kept { idle: Vec::new(), capacity: MOST, tended: false, refused: None });
        Ok(Arc::new(Self { server, tls, patience, kept, room: Arc::new(Semaphore::new(MOST)) }))
    }

    pub(super) fn host(&self) -> &str {
        &self.server.host
    }

    pub(super) fn patience(&self) -> &Patience {
        &self.patience
    }

    fn door(&self) -> Door<'_> {
        Door { server: &self.server, tls: &self.tls, patience: self.patience }
    }

    /// A new session, or at once the last answer where a login was refused a short while ago.
    async fn open(&self) -> Result<Session, Fault> {
        if let Some((fault, _)) = self.kept().refused.as_ref().filter(|(_, since)| since.elapsed() < REFUSED) {
            return Err(fault.clone());
        }
        let opened = self.door().open().await;
        self.kept().refused = match &opened {
            Err(fault) if fault.refuses_login() => Some((fault.clone(), Instant::now())),
            _ => None,
        };
        opened
    }

    /// A session that was kept, else a new one.
    pub(super) async fn lend(&self) -> Result<Lent, Fault> {
        loop {
            let permit = self.permit().await?;
            if let Some(session) = self.idle() {
                return Ok(Lent { session, reused: true, permit });
            }
            match self.open().await {
                Ok(session) => return Ok(Lent { session, reused: false, permit }),
                Err(fault) if fault.is_crowding() => {
                    if let Some(session) = self.idle() {
                        return Ok(Lent { session, reused: true, permit });
                    }
                    if !self.shrink() {
                        return Err(fault);
                    }
                    permit.forget();
                }
                Err(fault) => return Err(fault),
            }
        }
    }

    /// A new session in the place of one that turned out to be dead.
    pub(super) async fn replace(&self, dead: Lent) -> Result<Lent, Fault> {
        let permit = dead.permit;
        drop(dead.session);
        Ok(Lent { session: self.open().await?, reused: false, permit })
    }

    /// Keeps a session for the next mail.
    pub(super) fn put_back(self: &Arc<Self>, lent: Lent) {
        let mut kept = self.kept();
        kept.idle.push((lent.session, Instant::now()));
        if !std::mem::replace(&mut kept.tended, true) {
            tokio::spawn(tend(Arc::downgrade(self)));
        }
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit, Fault> {
        let permit = Arc::clone(&self.room).acquire_owned().await;
        permit.map_err(|_| Fault::Lost(Step::Greeting, "no connections are made any more".into()))
    }

    fn idle(&self) -> Option<Session> {
        let mut kept = self.kept();
        // The one used last is the one most likely to live.
        let (session, since) = kept.idle.pop()?;
        if since.elapsed() < IDLE {
            return Some(session);
        }
        // The others are older still; whoever tends them says goodbye.
        kept.idle.push((session, since));
        None
    }

    /// The server takes no further session now: from here on there are at most those in use but this one. `false` if there is
    /// no other.
    fn shrink(&self) -> bool {
        let mut kept = self.kept();
        let free = self.room.forget_permits(self.room.available_permits());
        let in_use = kept.capacity.saturating_sub(free);
        if in_use <= 1 {
            self.room.add_permits(free);
            return false;
        }
        kept.capacity = in_use - 1;
        true
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Closes sessions that nobody has used for a while, until none is left.
async fn tend(pool: Weak<Pool>) {
    loop {
        tokio::time::sleep(IDLE / 4).await;
        let Some(pool) = pool.upgrade() else { return };
        let old: Vec<Session> = {
            let mut kept = pool.kept();
            let (old, idle) =
                std::mem::take(&mut kept.idle).into_iter().partition(|(_, since)| since.elapsed() >= IDLE);
            kept.idle = idle;
            kept.tended = !kept.idle.is_empty();
            old.into_iter().map(|(session, _): (Session, Instant)| session).collect()
        };
        for session in old {
            close(session).await;
        }
        if !pool.kept().tended {
            return;
        }
    }
}

/// Says goodbye.
pub(super) async fn close(mut session: Session) {
    // A server that does not answer has closed it already, or will.
    let _said_or_not = tokio::time::timeout(GOODBYE, session.connection.quit()).await;
}
