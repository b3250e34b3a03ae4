//! What inboxes that are folders share: noticing new mail, and an order in which no mail can keep the others waiting.
//!
//! Security: a mail that cannot be read stays in its folder. It is listed after all others, so that no number of broken ones
//! shuts the door on a real report.

use crate::ports::{Found, PortError};
use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

/// How often a folder is looked at for changes.
const GLANCE: Duration = Duration::from_millis(500);

type Stamps = Vec<Option<SystemTime>>;

/// The folders of one inbox.
pub(crate) struct Waiting {
    folders: Vec<PathBuf>,
    seen: Mutex<Option<Stamps>>,
    troubled: Mutex<HashSet<String>>,
}

/// A mail in a folder, with what decides its place in the list.
pub(crate) struct Candidate {
    pub(crate) found: Found,
    /// Since when it waits: seconds since 1970.
    pub(crate) since: u64,
    /// Time of the last change, which decides within a second.
    pub(crate) modified: SystemTime,
}

impl Waiting {
    pub(crate) fn new(folders: Vec<PathBuf>) -> Self {
        Self { folders, seen: Mutex::new(None), troubled: Mutex::new(HashSet::new()) }
    }

    /// To be called before the folders are listed: changes from here on end a [`Waiting::wait`].
    pub(crate) fn about_to_list(&self) {
        let stamps =
            self.folders.iter().map(|folder| std::fs::metadata(folder).and_then(|m| m.modified()).ok()).collect();
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(stamps);
    }

    /// Returns when a folder has changed since it was listed, at the latest after `poll`. A file that arrives within the
    /// same tick of the file system's clock as the listing is found by the polling.
    pub(crate) async fn wait(&self, poll: Duration) {
        let end = tokio::time::Instant::now() + poll;
        loop {
            let mut now = Stamps::new();
            for folder in &self.folders {
                now.push(tokio::fs::metadata(folder).await.and_then(|m| m.modified()).ok());
            }
            let changed = self.seen.lock().unwrap_or_else(PoisonError::into_inner).as_ref() != Some(&now);
            let left = end.saturating_duration_since(tokio::time::Instant::now());
            if changed || left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(GLANCE)).await;
        }
    }

    /// The first `limit` mails, oldest first; those that failed before come last.
    pub(crate) fn in_order(&self, mut all: Vec<Candidate>, limit: usize) -> Vec<Found> {
        let mut troubled = self.troubled.lock().unwrap_or_else(PoisonError::into_inner);
        if !troubled.is_empty() {
            let there: HashSet<&str> = all.iter().map(|candidate| candidate.found.source.as_str()).collect();
            troubled.retain(|source| there.contains(source.as_str()));
        }
        all.sort_by_cached_key(|mail| {
            let last = troubled.contains(&mail.found.source);
            (last, mail.since, mail.modified, mail.found.source.clone())
        });
        all.into_iter().take(limit).map(|mail| mail.found).collect()
    }

    /// Remembers a mail whose fetching failed, until it is gone.
    pub(crate) fn note<T>(&self, found: &Found, result: Result<T, PortError>) -> Result<T, PortError> {
        let mut troubled = self.troubled.lock().unwrap_or_else(PoisonError::into_inner);
        if result.is_ok() {
            troubled.remove(&found.source);
        } else {
            troubled.insert(found.source.clone());
        }
        result
    }
}

/// Runs file work where it may block.
///
/// # Errors
/// Those of the work.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PortError> + Send + 'static,
) -> Result<T, PortError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(_) => Err(PortError::Temporary("the work on a file was broken off".into())),
    }
}
