//! What can be seen of OpenPGP data without any secret: whether a mail holds an encrypted message, to which key IDs, and
//! which certificates came in clear.
//!
//! Security: packets are looked at, never decrypted; everything that acts on the outside (acknowledgements) rests on this
//! and on nothing that only the secret key can know. Counts and octets are bounded; nested data is not entered.

use super::entity::{Entity, Leaf};
use crate::report::keyring::Keyring;
use crate::report::limits::Limits;
use crate::report::opened::{Enclosed, Place};
use sequoia_autocrypt::{AutocryptHeaderType, AutocryptHeaders};
use sequoia_openpgp as openpgp;

use openpgp::armor::{Kind as ArmorKind, Reader, ReaderMode};
use openpgp::cert::CertParser;
use openpgp::packet::Tag;
use openpgp::parse::{PacketParser, PacketParserResult, Parse};
use openpgp::{Cert, KeyHandle, Packet};
use std::io::Read;

/// Octets of one attached key block that are read.
const MAX_KEY_BLOCK: usize = 1024 * 1024;
/// Octets of an armored message that are read to find its recipients: more than the accepted number of PKESK packets fills.
const MAX_MESSAGE_START: usize = 1024 * 1024;
/// Armored blocks of one leaf that are looked at.
const MAX_BLOCKS: usize = 20;

/// Whether the recipients that a message names are ours, as far as key IDs tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recipients {
    /// No encrypted message, or one that names no key.
    Unknown,
    /// One of the gateway's keys is named, or a hidden recipient (wildcard), which may be ours.
    Ours,
    /// Only other keys are named.
    Others,
}

/// The start of an encrypted message.
pub(super) struct EncryptedStart {
    /// Recipients, as many as the limits allow; nothing stands for a hidden one.
    pub(super) recipients: Vec<Option<KeyHandle>>,
    /// Whether all were read.
    pub(super) complete: bool,
}

impl EncryptedStart {
    pub(super) fn for_us(&self, keyring: &Keyring) -> Recipients {
        let ours = |handle: &KeyHandle| {
            keyring.gateway_keys().iter().any(|key| key.cert.keys().any(|own| handle.aliases(own.key().key_handle())))
        };
        if self.recipients.iter().any(|recipient| recipient.as_ref().is_none_or(ours)) {
            Recipients::Ours
        } else if self.recipients.is_empty() || !self.complete {
            Recipients::Unknown
        } else {
            Recipients::Others
        }
    }
}

/// Whether a leaf is announced as encrypted by its place and type, whatever it holds.
pub(super) fn announced(leaf: &Leaf<'_>) -> bool {
    leaf.parent == "multipart/encrypted" || leaf.kind.media_type == "application/pgp-encrypted"
}

/// Whether a leaf may hold OpenPGP data at all: pictures and the like are not decoded.
pub(super) fn worth_decoding(leaf: &Leaf<'_>) -> bool {
    let kind = &leaf.kind;
    let by_type = kind.media_type.starts_with("text/")
        || kind.media_type.starts_with("application/pgp")
        || kind.media_type == "application/octet-stream"
        || leaf.parent == "multipart/encrypted";
    by_type || [".asc", ".pgp", ".gpg", ".key"].iter().any(|end| kind.name.ends_with(end))
}

/// The first encrypted message in the content of a leaf: armored anywhere in it, or binary.
pub(super) fn encrypted_start(content: &[u8], limits: &Limits) -> Option<EncryptedStart> {
    for block in blocks(content, b"-----BEGIN PGP MESSAGE") {
        let block = block.get(..MAX_MESSAGE_START).unwrap_or(block);
        let mut armor = Reader::from_bytes(block, ReaderMode::Tolerant(Some(ArmorKind::Message)));
        // What comes before the cut or the damage is enough.
        let mut start = Vec::new();
        let mut chunk = [0; 4096];
        while let Ok(read @ 1..) = armor.read(&mut chunk) {
            start.extend_from_slice(chunk.get(..read).unwrap_or_default());
        }
        if let Some(found) = packets_start(&start, limits) {
            return Some(found);
        }
    }
    // Binary data begins with a packet tag, which is no ASCII character (RFC 9580 section 4.2).
    content.first().filter(|first| **first >= 0x80)?;
    packets_start(content.get(..MAX_MESSAGE_START).unwrap_or(content), limits)
}

/// Reads packets up to the encrypted data.
fn packets_start(bytes: &[u8], limits: &Limits) -> Option<EncryptedStart> {
    let mut found = EncryptedStart { recipients: Vec::new(), complete: false };
    let mut seen = 0;
    let mut next = PacketParser::from_bytes(bytes).ok()?;
    while let PacketParserResult::Some(parser) = next {
        match parser.packet.tag() {
            Tag::SEIP | Tag::SED | Tag::AED => {
                found.complete = true;
                break;
            }
            Tag::PKESK => {
                if found.recipients.len() >= limits.max_recipients {
                    break;
                }
                if let Packet::PKESK(pkesk) = &parser.packet {
                    found.recipients.push(pkesk.recipient());
                }
            }
            Tag::SKESK => {}
            Tag::Marker | Tag::Padding => {}
            // A signature or a compressed packet first: signed only.
            _ => return None,
        }
        seen += 1;
        if seen > limits.max_recipients.saturating_mul(2).saturating_add(10) {
            break;
        }
        match parser.next() {
            Ok((_, following)) => next = following,
            Err(_) => break,
        }
    }
    // Key packets alone, cut off before the data, are an encrypted message all the same.
    (found.complete || seen > 0).then_some(found)
}

/// Certificates in the content of a leaf, at most `room`, without any secret parts.
pub(super) fn certificates(leaf: &Leaf<'_>, content: &[u8], room: usize) -> Vec<Enclosed> {
    let mut found = Vec::new();
    let mut take = |bytes: &[u8]| {
        let Ok(parser) = CertParser::from_bytes(bytes.get(..MAX_KEY_BLOCK).unwrap_or(bytes)) else { return };
        for cert in parser.take(room).flatten() {
            if found.len() < room {
                found.push(Enclosed { cert: cert.strip_secret_key_material(), place: Place::AttachedInClear });
            }
        }
    };
    for block in blocks(content, b"-----BEGIN PGP PUBLIC KEY BLOCK") {
        take(block);
    }
    let binary = content.first().is_some_and(|first| *first >= 0x80);
    if binary && (leaf.kind.media_type == "application/pgp-keys" || !leaf.kind.name.is_empty()) {
        take(content);
    }
    found
}

/// The certificate of the outer Autocrypt field (Autocrypt level 1, section 2.1): only the one whose `addr` is the sender's,
/// and none if there are several.
pub(super) fn autocrypt(header: &Entity<'_>, sender: &str) -> Option<Cert> {
    let mut certs = header.all("Autocrypt").filter_map(|field| {
        let line = format!("Autocrypt: {}\n\n", field.text());
        let headers = AutocryptHeaders::from_bytes(line.as_bytes()).ok()?;
        let header = headers.headers.into_iter().find(|h| h.header_type == AutocryptHeaderType::Sender)?;
        let address = header.get("addr")?.value.trim().to_owned();
        address.eq_ignore_ascii_case(sender).then_some(header.key).flatten()
    });
    match (certs.next(), certs.next()) {
        (Some(cert), None) => Some(cert.strip_secret_key_material()),
        _ => None,
    }
}

/// The content from each line on which a block begins, at most [`MAX_BLOCKS`].
fn blocks<'a>(content: &'a [u8], begin: &'static [u8]) -> impl Iterator<Item = &'a [u8]> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let rest = content.get(from..)?;
        let at = from + rest.windows(begin.len()).position(|window| window == begin)?;
        from = at + begin.len();
        content.get(line_start(content, at)..)
    })
    .take(MAX_BLOCKS)
}

/// Where the line begins, if only quoting stands before `at`; the armor reader takes it off every line.
fn line_start(content: &[u8], at: usize) -> usize {
    const MAX_QUOTING: usize = 30;
    let before = content.get(at.saturating_sub(MAX_QUOTING)..at).unwrap_or_default();
    let quoting = before.iter().rev().take_while(|b| matches!(b, b'>' | b'|' | b' ' | b'\t')).count();
    at - quoting
}
