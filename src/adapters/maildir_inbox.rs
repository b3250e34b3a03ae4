//! A Maildir in which reports arrive (Maildir++: subfolders are `.Name`).
//!
//! Security: whoever may write to the Maildir decides what the files are called and what lies there. Only regular files are
//! read, links are not followed, a name is never taken as a path, and reading stops at the size limit. A mail leaves the
//! folder only through `done`, and never over another one.
//!
//! Source: <https://cr.yp.to/proto/maildir.html>; Maildir++ as Courier and Dovecot have it.

use super::durable::{self, Bounded};
use super::waiting::{Candidate, Waiting, blocking};
use crate::config::Done;
use crate::ports::{Answer, Fetched, Found, Inbox, PortError};
use crate::report::Plaintext;
use std::ffi::{OsStr, OsString};
use std::io::{self, ErrorKind};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use zeroize::Zeroizing;

/// What the name of a mail ends with that stays in the mailbox for ever though `done` is `delete`. The flag `S` alone would
/// not tell it from a mail that somebody has read with a mail program before the gateway saw it.
const KEPT: &[u8] = b",embargod-kept";

/// An [`Inbox`] over a Maildir.
pub struct MaildirInbox(Arc<Inner>);

struct Inner {
    root: PathBuf,
    done: Finish,
    poll: Duration,
    /// What the sources of this mailbox begin with.
    prefix: String,
    waiting: Waiting,
}

enum Finish {
    /// Into this Maildir++ folder.
    Move(Result<PathBuf, BadFolder>),
    Delete,
    Seen,
}

/// A folder of `done = "move:FOLDER"` that has no Maildir++ name.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
#[error(
    "[mailbox] done = \"move:{0}\": a Maildir folder's name is printable ASCII without \"&\", and its parts, parted by \"/\" or \".\", are not empty"
)]
pub struct BadFolder(String);

impl MaildirInbox {
    /// A Maildir at `path`, which is looked at no less often than every `poll`. It need not exist yet: that, like a folder of
    /// `done` without a Maildir++ name ([`maildir_subfolder`]), is an error of `list`.
    pub fn new(path: PathBuf, done: Done, poll: Duration) -> Self {
        let done = match done {
            Done::Move(folder) => Finish::Move(maildir_subfolder(&folder).map(|name| path.join(name))),
            Done::Delete => Finish::Delete,
            Done::Seen => Finish::Seen,
        };
        let waiting = Waiting::new(vec![path.join("new"), path.join("cur")]);
        let prefix = format!("maildir:{}:", path.display());
        Self(Arc::new(Inner { root: path, done, poll, prefix, waiting }))
    }
}

impl Inbox for MaildirInbox {
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
        Box::pin(blocking(move || inner.take_off(&found, true)))
    }

    fn keep<'a>(&'a self, found: &'a Found) -> Answer<'a, Result<(), PortError>> {
        let (inner, found) = (self.0.clone(), found.clone());
        Box::pin(blocking(move || inner.take_off(&found, false)))
    }

    fn wait(&self) -> Answer<'_, ()> {
        Box::pin(self.0.waiting.wait(self.0.poll))
    }
}

impl Inner {
    fn list(&self, limit: usize) -> Result<Vec<Found>, PortError> {
        if let Finish::Move(Err(error)) = &self.done {
            return Err(PortError::Permanent(error.to_string()));
        }
        self.waiting.about_to_list();
        let mut all = Vec::new();
        for folder in ["new", "cur"] {
            self.collect(folder, &mut all).map_err(|error| match error.kind() {
                ErrorKind::NotFound => PortError::Temporary(format!(
                    "{} is not a Maildir: it has no folder \"{folder}\"; correct [mailbox] path or create it",
                    self.root.display()
                )),
                _ => PortError::Temporary(format!("cannot read the Maildir {}: {error}", self.root.display())),
            })?;
        }
        // A mail that a mail program moves from new to cur meanwhile was seen in both.
        all.sort_by(|one, other| one.found.source.cmp(&other.found.source));
        all.dedup_by(|one, other| one.found.source == other.found.source);
        Ok(self.waiting.in_order(all, limit))
    }

    fn collect(&self, folder: &str, all: &mut Vec<Candidate>) -> io::Result<()> {
        for entry in std::fs::read_dir(self.root.join(folder))? {
            let entry = entry?;
            let name = entry.file_name();
            let (base, info) = split(&name);
            let settled = matches!(self.done, Finish::Seen) && folder == "cur" && flags(info).contains(&b'S');
            if base.is_empty() || base.starts_with(b".") || base.ends_with(KEPT) || settled {
                continue;
            }
            // The entry's own type and data: a link is not followed and not listed.
            let metadata = match entry.metadata() {
                Ok(metadata) if metadata.is_file() => metadata,
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => continue,
            };
            let modified = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
            let found = Found { source: format!("{}{}", self.prefix, escaped(base)), size: metadata.len() };
            all.push(Candidate { found, since: seconds(base, modified), modified });
        }
        Ok(())
    }

    fn fetch(&self, found: &Found, max_size: u64) -> Result<Fetched, PortError> {
        let failed = |error: io::Error| {
            let what = format!("cannot read the mail {}: {error}", found.source);
            if error.kind() == ErrorKind::InvalidInput {
                PortError::Permanent(what)
            } else {
                PortError::Temporary(what)
            }
        };
        let whole = |mut mail: Zeroizing<Vec<u8>>| Plaintext::new(std::mem::take(&mut *mail));
        let Some(base) = self.base(found) else { return Ok(Fetched::Gone) };
        // A mail program may give the file another name between looking for it and opening it.
        for _ in 0..3 {
            let Some((folder, name)) = self.find(&base).map_err(failed)? else { return Ok(Fetched::Gone) };
            match durable::read_regular(&folder.join(name), max_size).map_err(failed)? {
                Some(Bounded::Whole(mail)) => return Ok(Fetched::Whole(whole(mail))),
                Some(Bounded::Head(head)) => return Ok(Fetched::Head(whole(head))),
                None => {}
            }
        }
        Err(failed(io::Error::other("its name keeps changing")))
    }

    /// `done`, or `keep` where nothing may be deleted.
    fn take_off(&self, found: &Found, may_delete: bool) -> Result<(), PortError> {
        let Some(base) = self.base(found) else { return Ok(()) };
        let failed = |error: io::Error| {
            PortError::Temporary(format!(
                "the mail {} is safe here but cannot be taken off the mailbox's list: {error}",
                found.source
            ))
        };
        for _ in 0..3 {
            let Some((folder, name)) = self.find(&base).map_err(failed)? else { return Ok(()) };
            match self.finish(&folder, &name, may_delete) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                result => return result.map_err(failed),
            }
        }
        Err(failed(io::Error::other("its name keeps changing")))
    }

    fn finish(&self, folder: &Path, name: &OsStr, may_delete: bool) -> io::Result<()> {
        let (base, info) = split(name);
        let from = folder.join(name);
        let target = match &self.done {
            Finish::Delete if may_delete => {
                durable::remove_if_there(&from)?;
                return durable::sync_folder(folder);
            }
            Finish::Delete => {
                let target = self.root.join("cur");
                move_in(&from, &target, &[base, KEPT].concat(), &seen(info))?;
                target
            }
            Finish::Move(subfolder) => {
                let subfolder = subfolder.as_ref().map_err(|error| io::Error::other(error.clone()))?;
                self.create_subfolder(subfolder)?;
                let target = subfolder.join("cur");
                move_in(&from, &target, base, if info.starts_with(b":2,") { info } else { b":2," })?;
                target
            }
            Finish::Seen => {
                let target = self.root.join("cur");
                if from != target.join(OsString::from_vec([base, &seen(info)].concat())) {
                    move_in(&from, &target, base, &seen(info))?;
                }
                target
            }
        };
        // The new name first: a crash in between leaves the mail in both places, never in none.
        durable::sync_folder(&target)?;
        if folder == target { Ok(()) } else { durable::sync_folder(folder) }
    }

    fn create_subfolder(&self, subfolder: &Path) -> io::Result<()> {
        if subfolder.join("maildirfolder").exists() {
            return Ok(());
        }
        // The same people may read it as the Maildir it belongs to.
        let mode = std::fs::metadata(&self.root)?.permissions().mode() & 0o777;
        for folder in [subfolder.to_owned(), subfolder.join("tmp"), subfolder.join("new"), subfolder.join("cur")] {
            durable::create_folder(&folder, mode)?;
        }
        match durable::write_new(&subfolder.join("maildirfolder"), b"", mode & 0o666) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            _ => durable::sync_folder(subfolder),
        }
    }

    fn base(&self, found: &Found) -> Option<Vec<u8>> {
        unescaped(found.source.strip_prefix(&self.prefix)?)
    }

    /// Where the file with this unique name lies now, under which name.
    fn find(&self, base: &[u8]) -> io::Result<Option<(PathBuf, OsString)>> {
        let new = self.root.join("new");
        let plain = OsStr::from_bytes(base);
        if std::fs::symlink_metadata(new.join(plain)).is_ok() {
            return Ok(Some((new, plain.to_owned())));
        }
        for folder in [self.root.join("cur"), new] {
            for entry in std::fs::read_dir(&folder)? {
                let name = entry?.file_name();
                if split(&name).0 == base {
                    return Ok(Some((folder, name)));
                }
            }
        }
        Ok(None)
    }
}

/// Moves a mail into a folder under its own name, or a like one if another mail has that already.
fn move_in(from: &Path, folder: &Path, base: &[u8], info: &[u8]) -> io::Result<()> {
    for attempt in 0..100 {
        let suffix = if attempt == 0 { String::new() } else { format!(",{attempt}") };
        let to = folder.join(OsString::from_vec([base, suffix.as_bytes(), info].concat()));
        match durable::move_without_clobber(from, &to) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                // A crash between linking and unlinking left both names.
                if durable::is_same_file(from, &to)? {
                    return durable::remove_if_there(from);
                }
            }
            result => return result,
        }
    }
    Err(io::Error::new(ErrorKind::AlreadyExists, "a hundred mails of that name are there already"))
}

/// The unique part of a name, and its info (`:2,FLAGS`).
fn split(name: &OsStr) -> (&[u8], &[u8]) {
    let name = name.as_bytes();
    name.split_at(name.iter().position(|&octet| octet == b':').unwrap_or(name.len()))
}

/// The info of a mail that was read: its flags, in ASCII order, with `S`.
fn seen(info: &[u8]) -> Vec<u8> {
    let mut flags = flags(info).to_vec();
    if !flags.contains(&b'S') {
        flags.push(b'S');
        flags.sort_unstable();
    }
    [b":2,".as_slice(), &flags].concat()
}

fn flags(info: &[u8]) -> &[u8] {
    info.strip_prefix(b":2,").unwrap_or_default()
}

/// When a mail was delivered: names begin with the seconds since 1970; where one does not, the file's own time.
fn seconds(base: &[u8], modified: SystemTime) -> u64 {
    let digits = base.split(|octet| *octet == b'.').next().unwrap_or_default();
    let named = std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok());
    named.unwrap_or_else(|| modified.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}

/// A file name as printable ASCII: other octets, and `%`, as `%XX`.
fn escaped(name: &[u8]) -> String {
    name.iter().fold(String::new(), |text, &octet| match octet {
        b'%' => text + "%25",
        octet if octet.is_ascii_graphic() => text + char::from(octet).encode_utf8(&mut [0; 4]),
        octet => text + &format!("%{octet:02X}"),
    })
}

/// Undoes [`escaped`]; nothing for what it never makes, such as a path.
fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut octets = text.bytes();
    let mut name = Vec::with_capacity(text.len());
    while let Some(octet) = octets.next() {
        name.push(match octet {
            b'%' => {
                let digits = [octets.next()?, octets.next()?];
                hex::decode(digits).ok()?.first().copied()?
            }
            octet => octet,
        });
    }
    let harmless = !name.is_empty() && !name.starts_with(b".") && !name.iter().any(|octet| b"/:\0".contains(octet));
    harmless.then_some(name)
}

/// The Maildir++ name of a folder: `Archive/2026` is `.Archive.2026`.
///
/// # Errors
/// When it has none that all programs agree on.
pub fn maildir_subfolder(folder: &str) -> Result<String, BadFolder> {
    let parts: Vec<&str> = folder.split(['/', '.']).collect();
    // Non-ASCII names and "&" are written in modified UTF-7 (RFC 3501 section 5.1.3) by some programs and not by others.
    let plain = |part: &&str| !part.is_empty() && part.bytes().all(|b| (b' '..=b'~').contains(&b) && b != b'&');
    if parts.iter().all(plain) && folder.len() <= 200 {
        Ok(format!(".{}", parts.join(".")))
    } else {
        Err(BadFolder(folder.to_owned()))
    }
}

#[cfg(test)]
#[path = "maildir_inbox_tests.rs"]
mod tests;
