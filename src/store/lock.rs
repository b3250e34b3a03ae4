//! The lock of the daemon's role: one `run` on a SQLite store. Other commands work beside it and do not need it.
//!
//! Security: the lock is the kernel's (flock) and ends with the process, however it ends; the file that stays behind means
//! nothing, and the number in it is only told to people.

use super::{StoreError, connect};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Held as long as this value lives.
#[derive(Debug)]
pub struct DaemonLock {
    _file: File,
}

/// Why the role could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error(
        "another `embargod run` works on this store{}; stop that one first, or let it do the work",
        pid.map(|pid| format!(" (process {pid})")).unwrap_or_default()
    )]
    Held { pid: Option<u32> },
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl DaemonLock {
    /// Takes the role, at once or not at all. The folder is made (mode 0700) if it is missing.
    ///
    /// # Errors
    /// [`LockError::Held`] with the other's process id if it could be read.
    pub fn acquire(state: &Path) -> Result<Self, LockError> {
        connect::make_folder(state)?;
        let path = state.join("embargod.lock");
        let failed = |error: std::io::Error| StoreError::File { path: path.clone(), why: error.to_string() };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                // Only for the message: whatever cannot be read is left out.
                let read = file.take(20).read_to_string(&mut pid);
                return Err(LockError::Held { pid: read.ok().and_then(|_| pid.trim().parse().ok()) });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error).into()),
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(failed)?;
        Ok(Self { _file: file })
    }
}
