//! Adapters that note how they were found: each wraps one and passes everything on.
//!
//! Security: nothing of a mail or a draft is looked at; of an error only its words are kept.

use super::{Door, Doors};
use crate::ports::{AdvisoryDesk, Answer, Courier, DeskError, Fetched, Found, Inbox, Looked, Opened, PortError};
use crate::report::{AdvisoryDraft, OutgoingMail};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a mail that could not be read or taken off keeps the mailbox from counting as working; it is tried each minute.
const TROUBLE: Duration = Duration::from_secs(150);

/// An adapter, and where it is noted how it was found.
pub struct Noted<T: ?Sized> {
    doors: Arc<Doors>,
    door: Door,
    /// When a single mail last met an error.
    trouble: Mutex<Option<Instant>>,
    inner: Arc<T>,
}

impl<T: ?Sized> Noted<T> {
    fn new(inner: Arc<T>, doors: &Arc<Doors>, door: Door) -> Arc<Self> {
        Arc::new(Self { doors: Arc::clone(doors), door, trouble: Mutex::default(), inner })
    }

    fn note<R>(&self, result: &Result<R, PortError>) {
        match result {
            Ok(_) => self.doors.works(self.door),
            Err(PortError::Temporary(why) | PortError::Ambiguous(why)) => self.doors.fails(self.door, why),
            Err(PortError::Permanent(why)) => self.doors.refuses(self.door, why),
            Err(PortError::TooLarge(_)) => {}
        }
    }

    fn note_desk<R>(&self, result: &Result<R, DeskError>) {
        match result {
            Ok(_) => self.doors.works(self.door),
            Err(DeskError::Permanent(why)) => self.doors.refuses(self.door, why),
            Err(error) => self.doors.fails(self.door, &error.to_string()),
        }
    }

    fn set_trouble(&self, trouble: Option<Instant>) {
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
    }

    fn in_trouble(&self) -> bool {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.is_some_and(|at| at.elapsed() < TROUBLE)
    }

    /// What became of one mail of the mailbox. That the list can be read does not make up for it.
    fn note_mail<R>(&self, result: &Result<R, PortError>) {
        match result {
            Ok(_) => {}
            Err(PortError::Permanent(why)) => self.doors.refuses(self.door, why),
            Err(error) => {
                self.set_trouble(Some(Instant::now()));
                self.doors.fails(self.door, &error.to_string());
            }
        }
    }
}

impl Noted<dyn Inbox> {
    /// An inbox; one that is not shared is the spool.
    pub fn inbox(inner: Arc<dyn Inbox>, doors: &Arc<Doors>) -> Arc<dyn Inbox> {
        let door = if inner.is_shared() { Door::Mailbox } else { Door::Spool };
        Self::new(inner, doors, door)
    }
}

impl Inbox for Noted<dyn Inbox> {
    fn list(&self, limit: usize) -> Answer<'_, Result<Vec<Found>, PortError>> {
        Box::pin(async move {
            let listed = self.inner.list(limit).await;
            if listed.is_err() || !self.in_trouble() {
                self.note(&listed);
            }
            listed
        })
    }

    fn fetch<'a>(&'a self, found: &'a Found, max_size: u64) -> Answer<'a, Result<Fetched, PortError>> {
        Box::pin(async move {
            let fetched = self.inner.fetch(found, max_size).await;
            self.note_mail(&fetched);
            fetched
        })
    }

    fn done<'a>(&'a self, found: &'a Found) -> Answer<'a, Result<(), PortError>> {
        Box::pin(async move {
            let done = self.inner.done(found).await;
            self.note_mail(&done);
            done
        })
    }

    fn keep<'a>(&'a self, found: &'a Found) -> Answer<'a, Result<(), PortError>> {
        Box::pin(async move {
            let kept = self.inner.keep(found).await;
            self.note_mail(&kept);
            kept
        })
    }

    fn is_shared(&self) -> bool {
        self.inner.is_shared()
    }

    fn wait(&self) -> Answer<'_, ()> {
        self.inner.wait()
    }
}

impl Noted<dyn Courier> {
    /// A courier.
    pub fn courier(inner: Arc<dyn Courier>, doors: &Arc<Doors>) -> Arc<dyn Courier> {
        Self::new(inner, doors, Door::Outgoing)
    }
}

impl Courier for Noted<dyn Courier> {
    fn idempotent(&self) -> bool {
        self.inner.idempotent()
    }

    fn deliver<'a>(&'a self, mail: &'a OutgoingMail) -> Answer<'a, Result<(), PortError>> {
        Box::pin(async move {
            let delivered = self.inner.deliver(mail).await;
            self.note(&delivered);
            delivered
        })
    }
}

impl Noted<dyn AdvisoryDesk> {
    /// A desk.
    pub fn desk(inner: Arc<dyn AdvisoryDesk>, doors: &Arc<Doors>) -> Arc<dyn AdvisoryDesk> {
        Self::new(inner, doors, Door::Advisories)
    }
}

impl AdvisoryDesk for Noted<dyn AdvisoryDesk> {
    fn idempotent(&self) -> bool {
        self.inner.idempotent()
    }

    fn prepare<'a>(&'a self, draft: &'a AdvisoryDraft) -> Answer<'a, Result<(), DeskError>> {
        Box::pin(async move {
            let prepared = self.inner.prepare(draft).await;
            if prepared.is_err() {
                self.note_desk(&prepared);
            }
            prepared
        })
    }

    fn create<'a>(&'a self, draft: &'a AdvisoryDraft) -> Answer<'a, Result<Opened, DeskError>> {
        Box::pin(async move {
            let created = self.inner.create(draft).await;
            self.note_desk(&created);
            created
        })
    }

    fn find<'a>(
        &'a self,
        draft: &'a AdvisoryDraft,
        since: jiff::Timestamp,
        known: &'a [String],
    ) -> Answer<'a, Result<Looked, DeskError>> {
        Box::pin(async move {
            let looked = self.inner.find(draft, since, known).await;
            self.note_desk(&looked);
            looked
        })
    }

    fn is_beside(&self, draft: &AdvisoryDraft, link: &str) -> bool {
        self.inner.is_beside(draft, link)
    }

    fn share<'a>(&'a self, link: &'a str) -> Answer<'a, Result<(), DeskError>> {
        Box::pin(async move {
            let shared = self.inner.share(link).await;
            self.note_desk(&shared);
            shared
        })
    }

    fn shares(&self) -> bool {
        self.inner.shares()
    }
}
