//! The three doors of the gateway: where mail comes from, how it leaves, where advisories are drafted.

use crate::report::{AdvisoryDraft, OutgoingMail, Plaintext};
use std::future::Future;
use std::pin::Pin;

/// A boxed future, so that the adapters can be chosen by the configuration.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Where a waiting mail lies: enough to find it again, and the same every time it is seen.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Found {
    /// Unique within the installation and stable: mailbox, UIDVALIDITY and UID, or the file's unique name.
    pub source: String,
    /// Octets as announced.
    pub size: u64,
}

/// A mail as it came out of an inbox.
pub enum Fetched {
    /// All of it.
    Whole(Plaintext),
    /// It is larger than the gateway accepts: its first [`HEAD`] octets.
    Head(Plaintext),
    /// It is no longer there.
    Gone,
}

/// How much of an oversize mail is read: enough for its header.
pub const HEAD: usize = 64 * 1024;

/// Why a door did not open.
#[derive(Debug, thiserror::Error)]
pub enum PortError {
    /// It may work later: network, disk full, server busy.
    #[error("{0}")]
    Temporary(String),
    /// Trying the same again is pointless: refused for good.
    #[error("{0}")]
    Permanent(String),
    /// It cannot be told whether it happened: trying again may do it twice.
    #[error("{0}")]
    Ambiguous(String),
    /// The server takes nothing of this size, but may take something smaller.
    #[error("{0}")]
    TooLarge(String),
}

/// Why a desk did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// It may work later by itself: network, server busy. Nothing was done.
    #[error("{0}")]
    Temporary(String),
    /// The desk wants to be left alone for so long; nothing was done, and nothing is sent to it before.
    #[error("{why}")]
    Paused { why: String, wait: std::time::Duration },
    /// It is refused until an admin mends something: login, permission, repository. Nothing was done.
    #[error("{0}")]
    Refused(String),
    /// Trying the same again is pointless.
    #[error("{0}")]
    Permanent(String),
    /// It cannot be told whether it happened: trying again may do it twice.
    #[error("{0}")]
    Ambiguous(String),
}

impl From<PortError> for DeskError {
    fn from(error: PortError) -> Self {
        match error {
            PortError::Temporary(why) => Self::Temporary(why),
            PortError::Permanent(why) | PortError::TooLarge(why) => Self::Permanent(why),
            PortError::Ambiguous(why) => Self::Ambiguous(why),
        }
    }
}

/// What a look at a service found, in words for an admin: `check --online` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    pub kind: Observed,
    /// The key of the configuration that it is about, such as `mailbox.password`.
    pub key: &'static str,
    /// What was found. Never a secret, never a line that the server said with somebody's address in it.
    pub what: String,
    /// How to mend it; nothing for what is fine.
    pub mend: Option<String>,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observed {
    Fine,
    /// The gateway works, but not as well as it could, or not for long.
    Doubtful,
    /// The gateway cannot do its work so.
    Broken,
}

/// A mailbox in which reports arrive.
pub trait Inbox: Send + Sync {
    /// What waits, oldest first. At most `limit` mails.
    fn list(&self, limit: usize) -> Answer<'_, Result<Vec<Found>, PortError>>;
    /// The mail itself. It does not change the mailbox. Of a mail beyond `max_size` octets only the beginning is read.
    fn fetch<'a>(&'a self, found: &'a Found, max_size: u64) -> Answer<'a, Result<Fetched, PortError>>;
    /// Takes the mail off the list, once it is durable here. Doing it twice is fine.
    fn done<'a>(&'a self, found: &'a Found) -> Answer<'a, Result<(), PortError>>;
    /// Takes a mail off the list of which only the beginning is durable here: like `done`, but the mail is never deleted.
    fn keep<'a>(&'a self, found: &'a Found) -> Answer<'a, Result<(), PortError>>;
    /// Whether every gateway of a shared store sees the same mail here; a spool is each machine's own.
    fn is_shared(&self) -> bool {
        true
    }
    /// Returns when there may be new mail; at the latest after the adapter's own polling time.
    fn wait(&self) -> Answer<'_, ()>;
}

/// A way for mail to leave.
pub trait Courier: Send + Sync {
    /// Whether handing the same mail over twice leaves one mail.
    fn idempotent(&self) -> bool;
    /// Hands one mail for one recipient over. `Ok` only when it was accepted for good.
    fn deliver<'a>(&'a self, mail: &'a OutgoingMail) -> Answer<'a, Result<(), PortError>>;
}

/// A place for draft advisories.
///
/// Nothing there knows whether two requests are the same: a draft is created once, and after an unknown outcome it is looked for
/// by its marker before anything else is tried.
pub trait AdvisoryDesk: Send + Sync {
    /// Whether creating the same draft twice leaves one draft; then nothing is ever looked for.
    fn idempotent(&self) -> bool;
    /// Gets ready to open a draft, so that [`AdvisoryDesk::create`] is one request where it can be. Nothing is opened.
    fn prepare<'a>(&'a self, _draft: &'a AdvisoryDraft) -> Answer<'a, Result<(), DeskError>> {
        Box::pin(async { Ok(()) })
    }
    /// Opens a draft. It is sent once, and never again by the desk itself unless it is certain that nothing came of it:
    /// [`DeskError::Ambiguous`] where it may have been taken. It ends well before a lease does.
    fn create<'a>(&'a self, draft: &'a AdvisoryDraft) -> Answer<'a, Result<Opened, DeskError>>;
    /// Looks for a draft of which nobody knows whether it was opened, among those not older than `since`. `known` are links of
    /// drafts of the same repository: one of them must be seen, as a draft, or the answer is worth nothing.
    fn find<'a>(
        &'a self,
        draft: &'a AdvisoryDraft,
        since: jiff::Timestamp,
        known: &'a [String],
    ) -> Answer<'a, Result<Looked, DeskError>>;
    /// Whether a link leads to a draft in the same repository as this draft, so that it may serve as `known`.
    fn is_beside(&self, _draft: &AdvisoryDraft, _link: &str) -> bool {
        false
    }
    /// Gives the configured teams and users access to an opened draft. Doing it twice is fine.
    fn share<'a>(&'a self, link: &'a str) -> Answer<'a, Result<(), DeskError>>;
    /// Whether there is anybody to give access to.
    fn shares(&self) -> bool;
}

/// A draft that was opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Where people find it.
    pub link: String,
}

/// What a search for a draft brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Looked {
    /// It is there: the oldest one, and how many more carry the same marker.
    There { opened: Opened, duplicates: usize },
    /// It is not there, and the list can be believed.
    Absent,
    /// It was not seen, but neither was what must be seen: the list proves nothing.
    Unbelievable,
}
