//! The spool: a folder of mails that `receive` took in and the daemon has not stored yet, each sealed to the gateway's key.
//!
//! Security: no mail lies here in clear; `receive` needs no secret. The folder is made with mode 0700; an admin whose mail
//! server runs `receive` as another user may give it a common group and mode 2770 (files are 0640). So whoever may write here
//! is not trusted: only regular files of a bounded size are read, links are not followed, and what does not open is told and
//! stays.

use crate::adapters::durable::{self, Bounded};
use crate::adapters::waiting::{Candidate, Waiting, blocking};
use crate::ports::{Answer, Fetched, Found, HEAD, Inbox, PortError};
use crate::report::{Keyring, Plaintext, SpoolCertificate, SpoolError, open_from_spool, seal_for_spool};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

/// Name of the spool folder in the state folder.
pub const FOLDER: &str = "spool";

const SUFFIX: &str = ".mail";
/// What the names of unfinished files begin with.
const UNFINISHED: &str = ".unfinished-";
/// An unfinished file this old was left by a crash.
const LEFTOVER: Duration = Duration::from_secs(24 * 3600);
const PREFIX: &str = "spool:";
/// How often the spool is looked into even if its folder seems unchanged.
const POLL: Duration = Duration::from_secs(60);
/// A mail up to this size is opened even where the limit is lower by now; octets.
const LARGEST: u64 = 256 * 1024 * 1024;

/// Why a mail was not put into the spool.
#[derive(Debug, thiserror::Error)]
pub enum PutError {
    #[error(transparent)]
    Seal(#[from] SpoolError),
    /// The system's own error; it names no path.
    #[error(transparent)]
    Store(#[from] io::Error),
}

/// Seals a mail and stores it in the spool, which is made if it is missing. When it returns the file's name, the mail
/// survives a crash of the machine.
///
/// # Errors
/// When it cannot be sealed or stored; then nothing of it is left.
pub fn put(spool: &Path, certificate: &SpoolCertificate, mail: &Plaintext) -> Result<String, PutError> {
    let sealed = seal_for_spool(certificate, mail)?;
    durable::create_folder(spool, 0o700)?;
    let random = durable::random_name()?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let name = format!("{:012}.{:06}-{random}{SUFFIX}", now.as_secs(), now.subsec_micros());
    let unfinished = spool.join(format!("{UNFINISHED}{random}"));
    durable::write_new(&unfinished, &sealed, 0o640)?;
    let moved = durable::move_without_clobber(&unfinished, &spool.join(&name));
    if let Err(error) = moved {
        let _ = durable::remove_if_there(&unfinished);
        return Err(error.into());
    }
    durable::sync_folder(spool)?;
    Ok(name)
}

/// How many mails wait in a spool, and since when the oldest does. It reads names alone.
///
/// # Errors
/// When the folder cannot be read; one that does not exist is empty.
pub fn waiting(spool: &Path) -> io::Result<(usize, Option<SystemTime>)> {
    let names = names(spool)?;
    let oldest = names.iter().map(|name| seconds(name)).min();
    Ok((names.len(), oldest.map(|seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))))
}

/// An [`Inbox`] over the spool.
pub struct SpoolInbox(Arc<Inner>);

struct Inner {
    spool: PathBuf,
    keyring: Arc<Keyring>,
    waiting: Waiting,
}

impl SpoolInbox {
    /// The spool in this folder, which need not exist yet.
    pub fn new(spool: PathBuf, keyring: Arc<Keyring>) -> Self {
        let waiting = Waiting::new(vec![spool.clone()]);
        Self(Arc::new(Inner { spool, keyring, waiting }))
    }
}

impl Inbox for SpoolInbox {
    fn is_shared(&self) -> bool {
        false
    }

    fn list(&self, limit: usize) -> Answer<'_, Result<Vec<Found>, PortError>> {
        let inner = self.0.clone();
        Box::pin(blocking(move || inner.list(limit)))
    }

    fn fetch<'a>(&'a self, found: &'a Found, max_size: u64) -> Answer<'a, Result<Fetched, PortError>> {
        let (inner, found) = (self.0.clone(), found.clone());
        Box::pin(blocking(move || inner.waiting.note(&found, inner.fetch(&found, max_size))))
    }

    fn done<'a>(&'a self, found: &'a Found) -> Answer<'a, Result<(), PortError>> {
        let (inner, found) = (self.0.clone(), found.clone());
        Box::pin(blocking(move || inner.take_off(&found, durable::remove_if_there)))
    }

    fn keep<'a>(&'a self, found: &'a Found) -> Answer<'a, Result<(), PortError>> {
        let (inner, found) = (self.0.clone(), found.clone());
        Box::pin(blocking(move || inner.take_off(&found, set_aside)))
    }

    fn wait(&self) -> Answer<'_, ()> {
        Box::pin(self.0.waiting.wait(POLL))
    }
}

impl Inner {
    fn list(&self, limit: usize) -> Result<Vec<Found>, PortError> {
        self.waiting.about_to_list();
        durable::remove_leftovers(&self.spool, UNFINISHED, LEFTOVER);
        let names = names(&self.spool).map_err(|error| {
            PortError::Temporary(format!("cannot read the spool {}: {error}", self.spool.display()))
        })?;
        let candidate = |name: String| {
            let metadata = std::fs::symlink_metadata(self.spool.join(&name)).ok().filter(|data| data.is_file())?;
            let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            let since = seconds(&name);
            Some(Candidate {
                found: Found { source: format!("{PREFIX}{name}"), size: metadata.len() },
                since,
                modified,
            })
        };
        let all = names.into_iter().filter_map(candidate).collect();
        Ok(self.waiting.in_order(all, limit))
    }

    fn fetch(&self, found: &Found, max_size: u64) -> Result<Fetched, PortError> {
        let Some(name) = name_of(found) else { return Ok(Fetched::Gone) };
        let failed = |error: io::Error| {
            let what = format!("cannot read the spool file {name}: {error}");
            if error.kind() == ErrorKind::InvalidInput {
                PortError::Permanent(what)
            } else {
                PortError::Temporary(what)
            }
        };
        // It can only be opened as a whole: so also one that was taken in before the limit was lowered.
        let cap = sealed_size(max_size.max(LARGEST));
        match durable::read_regular(&self.spool.join(name), cap).map_err(failed)? {
            None => Ok(Fetched::Gone),
            Some(Bounded::Head(_)) => Err(PortError::Permanent(format!(
                "the spool file {name} is larger than {cap} octets; it stays where it is"
            ))),
            Some(Bounded::Whole(sealed)) => {
                let mut mail = open_from_spool(&self.keyring, &sealed)
                    .map_err(|error| PortError::Permanent(format!("spool file {name}: {error}")))?;
                if u64::try_from(mail.len()).is_ok_and(|size| size <= max_size) {
                    return Ok(Fetched::Whole(mail));
                }
                mail.truncate(HEAD);
                Ok(Fetched::Head(mail))
            }
        }
    }

    fn take_off(&self, found: &Found, work: impl FnOnce(&Path) -> io::Result<()>) -> Result<(), PortError> {
        let Some(name) = name_of(found) else { return Ok(()) };
        work(&self.spool.join(name)).and_then(|()| durable::sync_folder(&self.spool)).map_err(|error| {
            PortError::Temporary(format!(
                "the mail in the spool file {name} is safe here but the file cannot be taken away: {error}"
            ))
        })
    }
}

/// Gives the file a name that is not listed.
fn set_aside(file: &Path) -> io::Result<()> {
    match durable::move_without_clobber(file, &file.with_extension("kept")) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// What a mail of this size can grow to by sealing: packet headers, session keys and chunk tags.
fn sealed_size(mail: u64) -> u64 {
    mail.saturating_add(mail / 64).saturating_add(64 * 1024)
}

fn name_of(found: &Found) -> Option<&str> {
    found.source.strip_prefix(PREFIX).filter(|name| is_name(name))
}

fn is_name(name: &str) -> bool {
    name.ends_with(SUFFIX) && !name.starts_with('.') && !name.contains(['/', '\0'])
}

fn seconds(name: &str) -> u64 {
    name.split('.').next().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

fn names(spool: &Path) -> io::Result<Vec<String>> {
    let entries = match std::fs::read_dir(spool) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let name = |entry: io::Result<std::fs::DirEntry>| match entry {
        Ok(entry) => entry.file_name().into_string().ok().filter(|name| is_name(name)).map(Ok),
        Err(error) => Some(Err(error)),
    };
    entries.filter_map(name).collect()
}

#[cfg(test)]
#[path = "spool_tests.rs"]
mod tests;
