//! `receive`: takes one mail from standard input and puts it, sealed, into the spool.
//!
//! Security: it runs as the mail server's user and reads hostile mail, so it needs no secret, looks at no more than the first
//! line, and opens nothing. A mail server may send what it says back to the mail's sender: so it names neither files nor
//! people, only what to do.

use crate::adapters::durable::{self, Bounded};
use crate::report::{Plaintext, SpoolCertificate};
use crate::spool::{self, PutError};
use std::io::{self, Read, Write};
use std::path::PathBuf;
use zeroize::Zeroizing;

/// Exit status: the mail is stored and survives a crash.
pub const STORED: u8 = 0;
/// Exit status: the mail is refused for good; the mail server returns it to its sender.
pub const REFUSED: u8 = 1;
/// Exit status (EX_TEMPFAIL of sysexits.h): the mail could not be stored; the mail server keeps it and tries again.
pub const TRY_AGAIN: u8 = 75;

/// What `receive` needs of a configuration.
pub struct Settings {
    /// The spool folder: [`spool::FOLDER`] in the state folder.
    pub spool: PathBuf,
    /// What the spool is sealed to.
    pub certificate: SpoolCertificate,
    /// Octets; `[intake] max_size`.
    pub max_size: u64,
}

/// Why a mail was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    #[error("the mail is larger than the {0} octets that are accepted here; send a smaller one, or part of it")]
    TooLarge(u64),
    #[error("cannot read the mail from standard input: {0}")]
    Input(io::Error),
    #[error("cannot store the mail in the spool: {0}; free space or correct the folder's owner and mode")]
    Store(#[from] PutError),
}

impl ReceiveError {
    /// The exit status that tells the mail server what to do.
    pub fn status(&self) -> u8 {
        match self {
            Self::TooLarge(_) => REFUSED,
            Self::Input(_) | Self::Store(_) => TRY_AGAIN,
        }
    }
}

/// The whole command: takes one mail from `input`, and says on `errors`, in one line, why it could not. Settings that could
/// not be read are a reason to try again, so that no mistake in the configuration ever bounces a report. Returns the exit
/// status.
pub fn run<E>(settings: Result<Settings, E>, input: impl Read, mut errors: impl Write) -> u8 {
    let (status, line) = match settings.map(|settings| take(&settings, input)) {
        Ok(Ok(_)) => return STORED,
        Ok(Err(error)) => (error.status(), error.to_string()),
        // Not the error itself: it names files of members, and may reach the sender.
        Err(_) => (TRY_AGAIN, "the configuration cannot be used; `embargod check` says why".to_owned()),
    };
    // Where even this fails the status still tells.
    let _ = writeln!(errors, "embargod receive: {line}");
    status
}

/// Takes one mail; returns the name of its spool file once that is durable.
///
/// # Errors
/// When the mail is too large, or could not be read or stored; nothing of it is left then.
pub fn take(settings: &Settings, input: impl Read) -> Result<String, ReceiveError> {
    let mut mail = match durable::read_bounded(input, 0, settings.max_size).map_err(ReceiveError::Input)? {
        Bounded::Whole(mail) => mail,
        Bounded::Head(_) => return Err(ReceiveError::TooLarge(settings.max_size)),
    };
    let separator = separator(&mail);
    mail.drain(..separator);
    Ok(spool::put(&settings.spool, &settings.certificate, &whole(mail))?)
}

fn whole(mut mail: Zeroizing<Vec<u8>>) -> Plaintext {
    Plaintext::new(std::mem::take(&mut *mail))
}

/// Length of the `From ` line that mail servers put before a mail for a pipe. It is the mbox separator, not part of the mail
/// (RFC 4155), and would make the first header field unreadable.
fn separator(mail: &[u8]) -> usize {
    if !mail.starts_with(b"From ") {
        return 0;
    }
    mail.iter().position(|&octet| octet == b'\n').map_or(mail.len(), |end| end + 1)
}

#[cfg(test)]
#[path = "receive_tests.rs"]
mod tests;
