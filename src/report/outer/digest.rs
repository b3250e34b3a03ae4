//! The identity of a mail: its Message-ID and its content without the traces of its way.
//!
//! Security: a Message-ID is the sender's to choose, so it alone never makes two mails the same; the digest is keyed, so that
//! a stolen database cannot be searched for a mail.

use super::entity::{next_field, trim_line_end};
use crate::report::secret::Plaintext;
use ring::digest::{Context, SHA256};

/// Fields that a mail gains on its way, and that differ between two deliveries of it (RFC 5321 section 4.4, RFC 8601,
/// RFC 6376, RFC 8617; the others by custom).
const TRACE: &[&str] = &[
    "received",
    "return-path",
    "delivered-to",
    "delivery-date",
    "envelope-to",
    "authentication-results",
    "received-spf",
    "dkim-signature",
    "domainkey-signature",
    "dkim-filter",
    "status",
    "lines",
    "content-length",
    "x-status",
    "x-keywords",
    "x-uid",
    "x-uidl",
    "x-imap",
    "x-imapbase",
    "x-original-to",
    "x-delivered-to",
    "x-envelope-to",
    "x-envelope-from",
    "x-received",
    "x-sieve",
    "x-google-smtp-source",
    "x-gm-message-state",
    "x-gmail-labels",
    "x-virus-scanned",
];
/// Beginnings of such names.
const TRACE_BEGINNINGS: &[&str] =
    &["arc-", "x-spam", "x-rspam", "x-mozilla-", "x-ms-exchange-", "x-microsoft-antispam", "x-forefront-", "x-amavis"];

/// SHA-256 over what makes a mail the same mail again: no trace fields, line ends as LF, no empty lines at the end, and no
/// envelope line of a pipe or mbox. It leaves this program only through a keyed digest.
pub(super) fn content_hash(mail: &Plaintext) -> [u8; 32] {
    let mut rest = mail.expose();
    let mut lines = Lines { hash: Context::new(&SHA256), ends: 0 };
    if rest.starts_with(b"From ") {
        rest = super::entity::split_line(rest).1;
    }
    while let Some((field, after)) = next_field(rest) {
        rest = after;
        let name = field.split(|b| *b == b':').next().unwrap_or_default().trim_ascii_end().to_ascii_lowercase();
        let is = |known: &str| name == known.as_bytes();
        let begins = |known: &str| name.starts_with(known.as_bytes());
        if !TRACE.iter().any(|known| is(known)) && !TRACE_BEGINNINGS.iter().any(|known| begins(known)) {
            lines.add(field);
        }
    }
    lines.add(rest);
    // SHA-256 has 32 octets.
    lines.hash.finish().as_ref().try_into().unwrap_or_default()
}

/// Hashes lines without copying them; line ends wait until something follows them.
struct Lines {
    hash: Context,
    ends: usize,
}

impl Lines {
    fn add(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while !rest.is_empty() {
            let (line, after) = match memchr::memchr(b'\n', rest) {
                Some(end) => rest.split_at(end + 1),
                None => (rest, &[][..]),
            };
            rest = after;
            let line = trim_line_end(line);
            if !line.is_empty() {
                for _ in 0..std::mem::take(&mut self.ends) {
                    self.hash.update(b"\n");
                }
                self.hash.update(line);
            }
            self.ends += 1;
        }
    }
}
