//! Hands mail to a sendmail-compatible program: `COMMAND -i -f SENDER -- RECIPIENT`, the mail on standard input.
//!
//! Security: no shell, an environment of its own, and a recipient only in a form that no such program reads as several, as an
//! option, or as a file or command. What the program says is thrown away, since it may hold an address; its exit status alone
//! is told. A program that is stopped is killed with all it started before its input is closed, so that it cannot take a cut
//! mail for a whole one. Other users of the machine may see a command line while it runs, and the recipient in it, unless
//! /proc is mounted with `hidepid`.

use crate::ports::{Answer, Courier, PortError};
use crate::report::OutgoingMail;
use rustix::process::{Pid, Signal, kill_process_group};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, Command};
use zeroize::Zeroizing;

/// How long a program may take for one mail.
const TIME_LIMIT: Duration = Duration::from_secs(60);

/// A [`Courier`] that runs a sendmail-compatible program.
pub struct SendmailCourier {
    command: PathBuf,
    time_limit: Duration,
}

impl SendmailCourier {
    /// Hands mail to this program; it is killed after 60 seconds.
    pub fn new(command: PathBuf) -> Self {
        Self { command, time_limit: TIME_LIMIT }
    }

    async fn hand_over(&self, from: Option<&str>, to: &str, bytes: &[u8]) -> Result<(), PortError> {
        if !is_plain_address(to) || !from.is_none_or(is_plain_address) {
            return Err(PortError::Permanent(
                "the sender's or recipient's address has a form that a sendmail program could misread".into(),
            ));
        }
        let mut command = Command::new(&self.command);
        command.args(["-i", "-f", from.unwrap_or("<>"), "--", to]);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("LANG", "C").current_dir("/");
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        command.process_group(0).kill_on_drop(true);
        let mut child = command
            .spawn()
            .map_err(|error| PortError::Temporary(format!("cannot run {}: {error}", self.command.display())))?;
        let stdin = child.stdin.take();
        let mut program = Program { child, stdin, had_all: false };
        let ended = tokio::time::timeout(self.time_limit, program.feed(&with_line_feeds(bytes))).await;
        let had_all = program.had_all;
        match ended {
            Ok(Ok(status)) => self.judge(status, had_all),
            Ok(Err(error)) => {
                Err(unclear(had_all, format!("cannot tell how {} ended: {error}", self.command.display())))
            }
            Err(_) => {
                program.kill();
                Err(unclear(
                    had_all,
                    format!("{} took more than {} s", self.command.display(), self.time_limit.as_secs()),
                ))
            }
        }
    }

    fn judge(&self, status: ExitStatus, had_all: bool) -> Result<(), PortError> {
        let name = self.command.display();
        match status.code() {
            Some(0) if had_all => Ok(()),
            Some(0) => Err(PortError::Temporary(format!("{name} ended before it had read the whole mail"))),
            // EX_DATAERR, EX_NOUSER, EX_NOHOST, EX_UNAVAILABLE, EX_PROTOCOL (sysexits.h): about this mail. All others are
            // about the set-up or the moment, and can be mended.
            Some(code @ (65 | 67 | 68 | 69 | 76)) => {
                Err(PortError::Permanent(format!("{name} refused the mail: exit status {code}")))
            }
            Some(code) => Err(PortError::Temporary(format!("{name} did not take the mail: exit status {code}"))),
            None => {
                let signal = status.signal().unwrap_or_default();
                Err(unclear(had_all, format!("{name} was ended by signal {signal}")))
            }
        }
    }
}

impl Courier for SendmailCourier {
    fn idempotent(&self) -> bool {
        false
    }

    fn deliver<'a>(&'a self, mail: &'a OutgoingMail) -> Answer<'a, Result<(), PortError>> {
        Box::pin(self.hand_over(mail.envelope_from(), mail.envelope_to(), mail.bytes()))
    }
}

/// A program that ended badly may have passed the mail on, if it had all of it.
fn unclear(had_all: bool, what: String) -> PortError {
    if had_all { PortError::Ambiguous(what) } else { PortError::Temporary(what) }
}

struct Program {
    child: Child,
    stdin: Option<ChildStdin>,
    /// Whether the whole mail, and its end, was handed over.
    had_all: bool,
}

impl Program {
    async fn feed(&mut self, mail: &[u8]) -> std::io::Result<ExitStatus> {
        if let Some(stdin) = &mut self.stdin {
            let fed = async {
                stdin.write_all(mail).await?;
                stdin.flush().await
            };
            // An error means that nobody reads any more: the exit status says why.
            self.had_all = fed.await.is_ok();
            self.stdin = None;
        }
        self.child.wait().await
    }

    /// Kills the program and what it started, while its input is still open.
    fn kill(&self) {
        // No id any more: it has ended and was waited for, and the number may be another's.
        let group = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        if let Some(group) = group {
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

/// One address of plain form: atoms and dots (RFC 5321 section 4.1.2, RFC 6531), no quotes, comments, lists, routes, no
/// leading sign that means an option, a file or a command.
fn is_plain_address(address: &str) -> bool {
    let atom = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
    let plain = |c: char| atom(c) || (!c.is_ascii() && !c.is_control() && !c.is_whitespace());
    let Some((local, domain)) = address.rsplit_once('@') else { return false };
    !local.is_empty()
        && !local.starts_with(['-', '|', '/'])
        && local.chars().all(plain)
        && !domain.is_empty()
        && domain.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c) || (!c.is_ascii() && plain(c)))
        && address.len() <= 320
}

/// Such programs take text as local programs write it, with LF ends, and some double the CR of a CRLF.
fn with_line_feeds(mail: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut text = Zeroizing::new(Vec::with_capacity(mail.len()));
    let mut octets = mail.iter().peekable();
    while let Some(&octet) = octets.next() {
        if !(octet == b'\r' && octets.peek() == Some(&&b'\n')) {
            text.push(octet);
        }
    }
    text
}

#[cfg(test)]
#[path = "sendmail_tests.rs"]
mod tests;
