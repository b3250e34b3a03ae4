//! The identity of a mail: its Message-ID and its content without the traces of its way.
//!
//! Security: a Message-ID is the sender's to choose, so it alone never makes two mails the same; the digest is keyed, so that
//! a stolen database cannot be searched for a mail.

use super::entity::{next_field, trim_line_end};
use crate::report::secret::Plaintext;

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

/// SHA-256 over what makes a mail the same mail again; it leaves this program only through a keyed digest.
pub(super) fn content_hash(mail: &Plaintext) -> [u8; 32] {
    let content = content_for_digest(mail);
    let hash = ring::digest::digest(&ring::digest::SHA256, content.expose());
    // SHA-256 has 32 octets.
    hash.as_ref().try_into().unwrap_or_default()
}

/// The octets of a mail that its digest is made of: no trace fields, line ends as LF, no empty lines at the end, and no
/// envelope line of a pipe or mbox.
fn content_for_digest(mail: &Plaintext) -> Plaintext {
    let mut rest = mail.expose();
    let mut content = Vec::with_capacity(rest.len());
    if rest.starts_with(b"From ") {
        rest = super::entity::split_line(rest).1;
    }
    while let Some((field, after)) = next_field(rest) {
        rest = after;
        let name = field.split(|b| *b == b':').next().unwrap_or_default().trim_ascii_end().to_ascii_lowercase();
        let is = |known: &str| name == known.as_bytes();
        let begins = |known: &str| name.starts_with(known.as_bytes());
        if !TRACE.iter().any(|known| is(known)) && !TRACE_BEGINNINGS.iter().any(|known| begins(known)) {
            push_lines(&mut content, field);
        }
    }
    push_lines(&mut content, rest);
    while content.last() == Some(&b'\n') {
        content.pop();
    }
    Plaintext::new(content)
}

fn push_lines(content: &mut Vec<u8>, bytes: &[u8]) {
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        content.extend_from_slice(trim_line_end(line));
        content.push(b'\n');
    }
}
