//! Secrets by reference: from a file, from systemd's credentials, from the environment.
//!
//! Security: a secret file that others can read is refused, by the mode of the very file that was opened. The value comes
//! back as [`Plaintext`], which cannot be shown; errors name where it should have come from, never what was found.

use super::{Problem, SecretRef};
use crate::report::Plaintext;
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Octets of a secret key file; the largest RSA and post-quantum keys stay far below.
const MAX_FILE: u64 = 4 * 1024 * 1024;

/// Where secrets may come from, besides files and the environment.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    /// systemd's `$CREDENTIALS_DIRECTORY`, or the folder of `--credentials`.
    pub credentials_dir: Option<PathBuf>,
}

impl Secrets {
    /// Reads a secret. One trailing line end (LF or CRLF) is trimmed, since editors add one.
    ///
    /// # Errors
    /// When it is not there, is empty, or lies in a file that others can read.
    pub fn read(&self, secret: &SecretRef) -> Result<Plaintext, Problem> {
        Ok(Plaintext::new(std::mem::take(&mut *self.read_bytes(secret)?)))
    }

    /// Reads a secret that must be text, such as the passphrase of a key that is about to be made.
    ///
    /// # Errors
    /// As [`Secrets::read`], and when it is not UTF-8.
    pub(crate) fn read_text(&self, secret: &SecretRef) -> Result<Zeroizing<String>, Problem> {
        let bytes = self.read_bytes(secret)?;
        let text = std::str::from_utf8(&bytes).map(str::to_owned);
        text.map(Zeroizing::new).map_err(|_| Problem::new("the secret is not UTF-8", "choose one that is text"))
    }

    fn read_bytes(&self, secret: &SecretRef) -> Result<Zeroizing<Vec<u8>>, Problem> {
        let (mut bytes, whence) = match secret {
            SecretRef::File(path) => (read_private(path, true)?, path.display().to_string()),
            SecretRef::Credential(name) => (self.credential(name)?, format!("the credential {name}")),
            SecretRef::Env(name) => (variable(name)?, format!("the environment variable {name}")),
        };
        if bytes.ends_with(b"\n") {
            bytes.pop();
            if bytes.ends_with(b"\r") {
                bytes.pop();
            }
        }
        if bytes.is_empty() {
            return Err(Problem::new(format!("{whence} is empty"), "put the secret in, or remove the reference to it"));
        }
        Ok(bytes)
    }

    /// Reads a secret key file as it is.
    ///
    /// # Errors
    /// When it cannot be read, or others can read it too. A file in the credentials folder is excepted: systemd guards it.
    pub fn read_key_file(&self, path: &Path) -> Result<Plaintext, Problem> {
        let guarded = self.credentials_dir.as_ref().is_some_and(|folder| path.parent() == Some(folder));
        Ok(Plaintext::new(std::mem::take(&mut *read_private(path, !guarded)?)))
    }

    fn credential(&self, name: &str) -> Result<Zeroizing<Vec<u8>>, Problem> {
        let folder = self.credentials_dir.as_ref().ok_or_else(|| {
            Problem::new(
                format!("there is no credentials folder to read {name:?} from"),
                format!("start it by systemd with LoadCredential={name}:FILE, or give --credentials DIR"),
            )
        })?;
        // Files in there are guarded by systemd: readable for the service alone, whatever their mode says.
        read_private(&folder.join(name), false)
    }
}

fn variable(name: &str) -> Result<Zeroizing<Vec<u8>>, Problem> {
    use std::os::unix::ffi::OsStringExt;
    std::env::var_os(name).map(|value| Zeroizing::new(value.into_vec())).ok_or_else(|| {
        Problem::new(format!("the environment variable {name} is not set"), "set it, or name a file or a credential")
    })
}

/// Reads a regular file that only its owner may read, unless something else guards it.
fn read_private(path: &Path, check_mode: bool) -> Result<Zeroizing<Vec<u8>>, Problem> {
    // O_NONBLOCK: a FIFO in the place of the file must not hang the start.
    let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file =
        File::options().read(true).custom_flags(nonblocking).open(path).map_err(|error| unreadable(path, &error))?;
    let metadata = file.metadata().map_err(|error| unreadable(path, &error))?;
    if !metadata.is_file() {
        return Err(Problem::new(format!("{} is not a regular file", path.display()), "name the file itself"));
    }
    let mode = metadata.mode() & 0o777;
    if check_mode && mode & 0o077 != 0 {
        return Err(Problem::new(
            format!("{} can be read or changed by others (mode {mode:04o})", path.display()),
            format!("run: chmod 600 '{}'", path.display()),
        ));
    }
    read_bounded(file, metadata.len(), path)
}

/// Reads a file that holds no secret, such as a certificate.
pub(super) fn read_public(path: &Path) -> Result<Vec<u8>, Problem> {
    let file = File::open(path).map_err(|error| unreadable(path, &error))?;
    let metadata = file.metadata().map_err(|error| unreadable(path, &error))?;
    if !metadata.is_file() {
        return Err(Problem::new(format!("{} is not a regular file", path.display()), "name the file itself"));
    }
    Ok(std::mem::take(&mut *read_bounded(file, metadata.len(), path)?))
}

fn read_bounded(file: File, size: u64, path: &Path) -> Result<Zeroizing<Vec<u8>>, Problem> {
    if size > MAX_FILE {
        return Err(Problem::new(
            format!("{} is larger than {} MiB", path.display(), MAX_FILE / 1024 / 1024),
            "name the right file",
        ));
    }
    // As large as the file from the start: growing would leave copies behind that nobody overwrites.
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(size + 1).unwrap_or_default()));
    file.take(size).read_to_end(&mut bytes).map_err(|error| unreadable(path, &error))?;
    Ok(bytes)
}

pub(super) fn unreadable(path: &Path, error: &std::io::Error) -> Problem {
    let shown = path.display();
    match error.kind() {
        std::io::ErrorKind::NotFound => {
            Problem::new(format!("{shown} does not exist"), "put the file there, or correct the path")
        }
        std::io::ErrorKind::PermissionDenied => {
            Problem::new(format!("{shown} may not be read by this user"), "change its owner or run as the right user")
        }
        _ => Problem::new(format!("{shown} cannot be read ({error})"), "correct the path or mend the file"),
    }
}

#[cfg(test)]
#[path = "secrets_tests.rs"]
mod tests;
