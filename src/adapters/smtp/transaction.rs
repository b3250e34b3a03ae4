//! One mail over an open session (RFC 5321 section 3.3), and where it broke if it did.
//!
//! Security: the envelope holds one recipient, checked to be one plain address, so that no address adds a command. Content that
//! is not clean is not sent at all, so that nothing in it ends the mail early and begins another (SMTP smuggling).

use super::OCTETS_A_SECOND;
use super::connect::{Patience, Session, Size};
use super::fault::{Fault, Step};
use lettre::Address;
use lettre::transport::smtp;
use smtp::commands::{Data, Mail, Rcpt, Rset};
use smtp::extension::MailParameter;
use smtp::response::Severity;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

/// Octets of a line without its end (RFC 5321 section 4.5.3.1.6).
const LINE: usize = 998;
/// How much is written at once.
const BLOCK: usize = 64 * 1024;

/// A mail that is fit for SMTP.
pub(super) struct Parcel<'a> {
    from: Option<Address>,
    to: Address,
    content: &'a [u8],
    secret: [&'a str; 2],
}

impl<'a> Parcel<'a> {
    /// # Errors
    /// When the envelope or the content cannot be sent as it is.
    pub(super) fn new(from: Option<&'a str>, to: &'a str, content: &'a [u8]) -> Result<Self, Fault> {
        let bad = || Fault::Unfit("the sender's or recipient's address has a form that cannot be sent by SMTP");
        if !is_clean(content) {
            return Err(Fault::Unfit("the mail is not made of ASCII lines of at most 998 octets: a fault of embargod"));
        }
        let secret = [to, from.unwrap_or_default()];
        let from = from.map(|from| plain_address(from).ok_or_else(bad)).transpose()?;
        Ok(Self { from, to: plain_address(to).ok_or_else(bad)?, content, secret })
    }

    /// Octets as RFC 1870 counts them.
    fn size(&self) -> usize {
        self.content.len()
    }

    /// Hands the mail over. `first` is how long the reply to the first command may take.
    pub(super) async fn send(&self, session: &mut Session, patience: &Patience, first: Duration) -> Result<(), Fault> {
        let mut parameters = Vec::new();
        match session.size {
            Size::Most(announced) if u64::try_from(self.size()).is_ok_and(|size| size > announced) => {
                return Err(Fault::TooLarge { announced });
            }
            Size::Unknown => {}
            Size::Most(_) | Size::Unlimited => parameters.push(MailParameter::Size(self.size())),
        }
        let connection = &mut session.connection;
        let mail = Mail::new(self.from.clone(), parameters);
        self.timed(Step::Sender, first, connection.command(mail)).await?;
        let recipient = Rcpt::new(self.to.clone(), Vec::new());
        self.timed(Step::Recipient, patience.command, connection.command(recipient)).await?;
        let go = self.timed(Step::Data, patience.command, connection.command(Data)).await?;
        if !go.has_code(354) {
            return Err(Fault::Lost(Step::Data, "the server did not ask for the mail".into()));
        }
        self.content(session, patience).await
    }

    /// The content and the final dot. The library asks for the next block when the last one is written and flushed, and writes
    /// the dot when there is none: from then on it may have left.
    async fn content(&self, session: &mut Session, patience: &Patience) -> Result<(), Fault> {
        // The line end before the dot is the dot's own.
        let content = self.content.strip_suffix(b"\r\n").unwrap_or(self.content);
        let (dot, all_written) = (AtomicBool::new(false), Notify::new());
        let mut blocks = content.chunks(BLOCK);
        let blocks = std::iter::from_fn(|| {
            let block = blocks.next();
            if block.is_none() {
                dot.store(true, Ordering::Relaxed);
                all_written.notify_one();
            }
            block
        });
        let for_content = patience.content + Duration::from_secs((self.size() / OCTETS_A_SECOND) as u64);
        let too_long = async {
            if tokio::time::timeout(for_content, all_written.notified()).await.is_ok() {
                tokio::time::sleep(patience.end).await;
            }
        };
        let ended = tokio::select! {
            ended = session.connection.message_iter(blocks) => Some(ended),
            () = too_long => None,
        };
        let (step, limit) =
            if dot.load(Ordering::Relaxed) { (Step::End, patience.end) } else { (Step::Content, for_content) };
        match ended {
            Some(Ok(reply)) if reply.code().severity == Severity::PositiveCompletion => Ok(()),
            Some(Ok(_)) => Err(Fault::Lost(step, "the reply could not be understood".into())),
            Some(Err(error)) => Err(Fault::of(step, &error, &self.secret)),
            None => Err(Fault::silent(step, limit)),
        }
    }

    async fn timed<T>(
        &self,
        step: Step,
        limit: Duration,
        work: impl Future<Output = Result<T, smtp::Error>>,
    ) -> Result<T, Fault> {
        match tokio::time::timeout(limit, work).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(error)) => Err(Fault::of(step, &error, &self.secret)),
            Err(_) => Err(Fault::silent(step, limit)),
        }
    }
}

/// Brings a session back to where the next mail can begin; `false` if it cannot be used any more.
pub(super) async fn reset(session: &mut Session, patience: &Patience) -> bool {
    matches!(tokio::time::timeout(patience.reuse, session.connection.command(Rset)).await, Ok(Ok(_)))
}

/// One address that can mean nothing else in a command: printable ASCII, none of the characters that end or quote something.
fn plain_address(address: &str) -> Option<Address> {
    let plain = address.len() <= 320 && address.bytes().all(|b| b.is_ascii_graphic() && !b"<>()[],;:\\\"".contains(&b));
    let (local, domain) = address.rsplit_once('@')?;
    (plain && !local.is_empty() && !domain.is_empty() && !local.contains('@'))
        .then(|| Address::new_dangerous(local, domain))
}

/// ASCII without NUL, CRLF line ends and no other CR or LF, lines of at most 998 octets (RFC 5322 section 2.1.1): such a mail
/// needs neither 8BITMIME nor SMTPUTF8, and ends nowhere but at its end.
fn is_clean(content: &[u8]) -> bool {
    let mut rest = content;
    while let Some(end) = memchr::memchr2(b'\r', b'\n', rest) {
        let (line, after) = rest.split_at(end);
        let Some(after) = after.strip_prefix(b"\r\n") else { return false };
        if line.len() > LINE {
            return false;
        }
        rest = after;
    }
    rest.is_empty() && content.is_ascii() && memchr::memchr(0, content).is_none()
}

#[cfg(test)]
#[path = "transaction_tests.rs"]
mod tests;
