//! Delivers into Maildirs: one for each recipient, `PATH/ADDRESS`.
//!
//! Security: an address may come from a stranger's mail. It becomes the name of one folder below the configured path and can
//! lead nowhere else; no error names it. A mail's file name follows from its delivery id, so a repeated delivery after a crash
//! finds the first one and makes no second.
//!
//! Source: <https://cr.yp.to/proto/maildir.html>.

use super::durable;
use super::waiting::blocking;
use crate::ports::{Answer, Courier, PortError};
use crate::report::OutgoingMail;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;
use zeroize::Zeroizing;

/// What our file names begin with; no digit, so that no reader takes the id for a time.
const PREFIX: &str = "embargod.";
/// After this time readers may remove what lies in `tmp`.
const LEFTOVER: Duration = Duration::from_secs(36 * 3600);

/// A [`Courier`] that delivers into Maildirs below one folder.
pub struct MaildirCourier {
    path: PathBuf,
}

impl MaildirCourier {
    /// Delivers below `path`. It and the recipients' Maildirs are made when the first mail comes, with mode 0700.
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }
}

impl Courier for MaildirCourier {
    fn deliver<'a>(&'a self, mail: &'a OutgoingMail) -> Answer<'a, Result<(), PortError>> {
        let path = self.path.clone();
        let to = Zeroizing::new(mail.envelope_to().to_owned());
        let id = mail.delivery_id().to_owned();
        let bytes = Zeroizing::new(mail.bytes().to_vec());
        Box::pin(blocking(move || deliver(&path, &to, &id, &bytes)))
    }

    fn idempotent(&self) -> bool {
        true
    }
}

fn deliver(path: &Path, to: &str, id: &str, bytes: &[u8]) -> Result<(), PortError> {
    if id.is_empty() || id.len() > 128 || !id.bytes().all(|octet| octet.is_ascii_hexdigit()) {
        return Err(PortError::Permanent("the mail has no delivery id that could be a file name".into()));
    }
    let Some(folder) = folder_name(to) else {
        return Err(PortError::Permanent("the recipient's address is empty or too long for a folder name".into()));
    };
    // The system's error is free of paths; ours names only the configured one.
    put(&path.join(folder.as_str()), id, bytes).map_err(|error| {
        PortError::Temporary(format!("cannot deliver into a recipient's Maildir below {}: {error}", path.display()))
    })
}

fn put(maildir: &Path, id: &str, bytes: &[u8]) -> io::Result<()> {
    let name = format!("{PREFIX}{id}");
    let (tmp, new) = (maildir.join("tmp"), maildir.join("new"));
    if is_delivered(maildir, &name)? {
        // A crash may have come before this.
        return durable::sync_folder(&new);
    }
    for folder in [&tmp, &new, &maildir.join("cur")] {
        durable::create_folder(folder, 0o700)?;
    }
    durable::remove_leftovers(&tmp, PREFIX, LEFTOVER);
    // A name of its own for every try, so that two deliverers of the same mail never write into one file.
    let unfinished = tmp.join(format!("{name}.{}", durable::random_name()?));
    durable::write_new(&unfinished, bytes, 0o600)?;
    let moved = durable::move_without_clobber(&unfinished, &new.join(&name));
    if moved.is_err() {
        durable::remove_if_there(&unfinished)?;
    }
    match moved {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        result => result?,
    }
    durable::sync_folder(&new)
}

/// Whether the mail lies in the Maildir already: new, read (a reader moves it from `new` to `cur` and adds flags; hence that
/// order), or filed in one of the Maildir's folders.
fn is_delivered(maildir: &Path, name: &str) -> io::Result<bool> {
    if in_folder(maildir, name)? {
        return Ok(true);
    }
    for entry in entries(maildir)? {
        let entry = entry?;
        let subfolder = entry.file_name().as_encoded_bytes().starts_with(b".") && entry.file_type()?.is_dir();
        if subfolder && in_folder(&entry.path(), name)? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn in_folder(folder: &Path, name: &str) -> io::Result<bool> {
    if std::fs::symlink_metadata(folder.join("new").join(name)).is_ok() {
        return Ok(true);
    }
    for entry in entries(&folder.join("cur"))? {
        let found = entry?.file_name();
        let rest = found.as_encoded_bytes().strip_prefix(name.as_bytes());
        // Servers add ",S=SIZE" to the unique part, readers ":2,FLAGS" after it.
        if rest.is_some_and(|rest| matches!(rest.first(), None | Some(b':' | b','))) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What lies in a folder; nothing in one that does not exist.
fn entries(folder: &Path) -> io::Result<Vec<io::Result<std::fs::DirEntry>>> {
    match std::fs::read_dir(folder) {
        Ok(entries) => Ok(entries.collect()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

/// The name of a recipient's folder: the address as it is, but for a leading dot, slashes, control characters and `%`, which
/// become `%XX`. Nothing for an address that would make no file name.
fn folder_name(address: &str) -> Option<Zeroizing<String>> {
    let mut name = Zeroizing::new(String::with_capacity(3 * address.len()));
    for (position, c) in address.char_indices() {
        if c.is_control() || matches!(c, '/' | '%') || (position == 0 && c == '.') {
            for octet in c.encode_utf8(&mut [0; 4]).bytes() {
                name.push_str(&format!("%{octet:02X}"));
            }
        } else {
            name.push(c);
        }
    }
    (1..=255).contains(&name.len()).then_some(name)
}

#[cfg(test)]
#[path = "maildir_courier_tests.rs"]
mod tests;
