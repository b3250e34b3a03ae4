//! Files that survive a crash: written whole, moved without clobbering, read without following anybody's link.
//!
//! Security: the folders may be writable by others (a mail server's user, a mail program). So nothing here follows a symbolic
//! link in the last part of a path, waits for a FIFO, overwrites a file, or reads more than it was told to. The errors are
//! the system's own and name no path.

use crate::ports::HEAD;
use ring::rand::{SecureRandom, SystemRandom};
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use zeroize::Zeroizing;

/// Writes a new file and makes its content durable; its name is durable only after [`sync_folder`].
///
/// # Errors
/// When it exists already, or the system's error; a file that could not be finished is removed again.
pub(crate) fn write_new(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    // create_new is O_EXCL: a link that somebody laid in the way is an error, not a way to another file.
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).inspect_err(|_| {
        let _ = std::fs::remove_file(path);
    })
}

/// Makes the names in a folder durable (what was created, moved or removed there).
///
/// # Errors
/// The system's error.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    match File::open(folder)?.sync_all() {
        // Some file systems in user space cannot sync a folder, and say so this way; there is nothing more to be done there.
        Err(error) if error.kind() == ErrorKind::InvalidInput => Ok(()),
        result => result,
    }
}

/// Moves a file within one file system; a file already at the target stays. The folders are not synced.
///
/// # Errors
/// [`ErrorKind::AlreadyExists`] when the target exists; [`ErrorKind::NotFound`] when the source does not.
pub(crate) fn move_without_clobber(from: &Path, to: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        // The file system (NFS, some in user space) cannot do that in one step.
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => link_and_unlink(from, to),
        Err(error) => Err(error.into()),
    }
}

/// The two-step form of [`move_without_clobber`]. A crash in between leaves both names of one file, which the next try mends.
pub(crate) fn link_and_unlink(from: &Path, to: &Path) -> io::Result<()> {
    match std::fs::hard_link(from, to) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists && is_same_file(from, to)? => {}
        result => result?,
    }
    std::fs::remove_file(from)
}

/// Whether two names lead to one file (a hard link), without following symbolic links.
pub(crate) fn is_same_file(one: &Path, other: &Path) -> io::Result<bool> {
    let (one, other) = (std::fs::symlink_metadata(one)?, std::fs::symlink_metadata(other)?);
    Ok((one.dev(), one.ino()) == (other.dev(), other.ino()))
}

/// Removes a file; one that is not there is fine.
///
/// # Errors
/// The system's error.
pub(crate) fn remove_if_there(path: &Path) -> io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Makes a folder and those above it, durably. An existing one keeps its mode.
///
/// # Errors
/// The system's error.
pub(crate) fn create_folder(path: &Path, mode: u32) -> io::Result<()> {
    match DirBuilder::new().mode(mode).create(path) {
        Ok(()) => path.parent().map_or(Ok(()), sync_folder),
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).ok_or(error)?;
            create_folder(parent, mode)?;
            create_folder(path, mode)
        }
        Err(error) => Err(error),
    }
}

/// Removes files of a folder whose names begin with `prefix` and that have not been touched for `age`: what a crash left in
/// the middle of writing. What cannot be removed stays; it does no harm.
pub(crate) fn remove_leftovers(folder: &Path, prefix: &str, age: std::time::Duration) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let ours = entry.file_name().as_encoded_bytes().starts_with(prefix.as_bytes());
        let old = || entry.metadata().ok()?.modified().ok()?.elapsed().ok().map(|since| since > age);
        if ours && old() == Some(true) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// What a bounded read found. The octets are overwritten in memory when they are dropped.
pub(crate) enum Bounded {
    /// All of it.
    Whole(Zeroizing<Vec<u8>>),
    /// There is more than was asked for: the first [`HEAD`] octets.
    Head(Zeroizing<Vec<u8>>),
}

/// Reads a regular file that has at most `cap` octets, or the beginning of a larger one; nothing if there is none of that
/// name.
///
/// # Errors
/// [`ErrorKind::InvalidInput`] for a link, folder, FIFO or device; else the system's error.
pub(crate) fn read_regular(path: &Path, cap: u64) -> io::Result<Option<Bounded>> {
    use rustix::fs::{Mode, OFlags};
    use rustix::io::Errno;
    // NOFOLLOW: a link in a folder that others may write to could lead to any file of this machine, which would then be
    // mailed out. NONBLOCK: opening a FIFO must not hang.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let file = match rustix::fs::open(path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(Errno::NOENT) => return Ok(None),
        Err(Errno::LOOP) => return Err(not_regular()),
        Err(error) => return Err(error.into()),
    };
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(not_regular());
    }
    // A file known to be too large need not be read up to the cap to find that out.
    let cap = if metadata.len() > cap { cap.min(HEAD as u64) } else { cap };
    read_bounded(file, metadata.len(), cap).map(Some)
}

fn not_regular() -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, "not a regular file")
}

/// Reads to the end, at most `cap` octets; `hint` is the expected number of them.
///
/// # Errors
/// The reader's.
pub(crate) fn read_bounded(mut from: impl Read, hint: u64, cap: u64) -> io::Result<Bounded> {
    let size = |octets: u64| usize::try_from(octets).unwrap_or(usize::MAX);
    let cap = size(cap);
    let mut all: Zeroizing<Vec<u8>> = Zeroizing::new(Vec::with_capacity(size(hint).min(cap)));
    let mut chunk = Zeroizing::new(vec![0; 64 * 1024]);
    loop {
        let read = match from.read(&mut chunk) {
            Ok(0) => return Ok(Bounded::Whole(all)),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        let length = all.len().saturating_add(read);
        if all.capacity() < length {
            // Growing by hand: Vec's own growth would leave the old buffer behind, readable.
            let mut larger = Zeroizing::new(Vec::with_capacity(length.saturating_mul(2)));
            larger.extend_from_slice(&all);
            all = larger;
        }
        all.extend_from_slice(chunk.get(..read).unwrap_or_default());
        if length > cap {
            all.truncate(HEAD);
            return Ok(Bounded::Head(all));
        }
    }
}

/// 128 random bits in hex, for a name that nobody can foresee.
///
/// # Errors
/// When the system has no randomness to give.
pub(crate) fn random_name() -> io::Result<String> {
    let mut bits = [0; 16];
    SystemRandom::new().fill(&mut bits).map_err(|_| io::Error::other("no random numbers from the system"))?;
    Ok(hex::encode(bits))
}

#[cfg(test)]
#[path = "durable_tests.rs"]
mod tests;
