//! Finds ASCII armor (RFC 9580 section 6.2) in text, quoted or not, and decodes it fast.
//!
//! Sequoia's armor reader costs more than its cipher on large mail, so the usual form is decoded line by line with a base64
//! crate; anything odd goes to Sequoia's reader.
//!
//! Security: the number of blocks is bounded. The checksum is ignored, as RFC 9580 section 6.1 asks: integrity is what the
//! encryption proves, not what anybody can recompute.

use super::mime::{line_length, trim_line};
use super::transfer::BASE64;
use base64::Engine;
use sequoia_openpgp as openpgp;

use openpgp::armor::{Reader, ReaderMode};
use std::borrow::Cow;
use std::io::Read;
use std::ops::Range;
use zeroize::Zeroizing;

/// What an armored block says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Message,
    SignedMessage,
    Signature,
    PublicKey,
    PrivateKey,
}

/// One armored block within a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Block {
    pub kind: Kind,
    /// From the first octet of its BEGIN line to the last of its END line.
    pub range: Range<usize>,
    /// Whether its lines were prefixed by quote marks or blanks.
    pub prefixed: bool,
    /// Whether the prefix holds a quote mark.
    pub quoted: bool,
}

/// A decoded block.
pub(super) struct Dearmored {
    pub data: Zeroizing<Vec<u8>>,
    /// The Charset header (RFC 4880 section 6.2).
    pub charset: Option<String>,
}

/// A line without quote marks and outer blanks, and the length of what stood before it.
fn bare(line: &[u8]) -> (&[u8], usize) {
    let prefix = line.iter().take_while(|b| matches!(b, b'>' | b' ' | b'\t')).count();
    (line.get(prefix..).unwrap_or_default().trim_ascii_end(), prefix)
}

fn begin(line: &[u8]) -> Option<Kind> {
    let title = line.strip_prefix(b"-----BEGIN PGP ")?.strip_suffix(b"-----")?;
    match title {
        b"MESSAGE" => Some(Kind::Message),
        b"SIGNED MESSAGE" => Some(Kind::SignedMessage),
        b"SIGNATURE" => Some(Kind::Signature),
        b"PUBLIC KEY BLOCK" => Some(Kind::PublicKey),
        b"PRIVATE KEY BLOCK" | b"SECRET KEY BLOCK" => Some(Kind::PrivateKey),
        _ => None,
    }
}

fn ends(kind: Kind, line: &[u8]) -> bool {
    let title = line.strip_prefix(b"-----END PGP ").and_then(|line| line.strip_suffix(b"-----"));
    let Some(title) = title else { return false };
    match kind {
        Kind::Message => title == b"MESSAGE",
        Kind::Signature | Kind::SignedMessage => title == b"SIGNATURE",
        Kind::PublicKey => title == b"PUBLIC KEY BLOCK",
        Kind::PrivateKey => matches!(title, b"PRIVATE KEY BLOCK" | b"SECRET KEY BLOCK"),
    }
}

/// The armored blocks of a text, in order, at most `max`. A message without an END line was cut short and goes to the end of
/// the text; its integrity check will say so.
pub(super) fn blocks(text: &[u8], max: usize) -> Vec<Block> {
    let mut found: Vec<Block> = Vec::new();
    let mut open: Option<Block> = None;
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let length = line_length(rest);
        let line = trim_line(rest.get(..length).unwrap_or_default());
        if line.contains(&b'-') {
            let (line, prefix) = bare(line);
            if let Some(block) = open.as_mut() {
                if ends(block.kind, line) {
                    block.range.end = at + length;
                    found.extend(open.take());
                } else if let Some(kind) = begin(line)
                    && !(block.kind == Kind::SignedMessage && kind == Kind::Signature)
                {
                    block.range.end = at;
                    found.extend(open.take().filter(|block| block.kind == Kind::Message));
                    open = Some(start(kind, at, text, prefix));
                }
            } else if let Some(kind) = begin(line) {
                open = Some(start(kind, at, text, prefix));
            }
            if found.len() >= max {
                return found;
            }
        }
        at += length;
    }
    if let Some(mut block) = open.filter(|block| block.kind == Kind::Message) {
        block.range.end = text.len();
        found.push(block);
    }
    found
}

fn start(kind: Kind, at: usize, text: &[u8], prefix: usize) -> Block {
    let quoted = text.get(at..at + prefix).unwrap_or_default().contains(&b'>');
    Block { kind, range: at..at, prefixed: prefix > 0, quoted }
}

/// The block's own text, quote marks taken off.
pub(super) fn block_text<'t>(text: &'t [u8], block: &Block) -> Cow<'t, [u8]> {
    let slice = text.get(block.range.clone()).unwrap_or_default();
    if !block.prefixed {
        return Cow::Borrowed(slice);
    }
    let mut out = Vec::with_capacity(slice.len());
    for line in slice.split_inclusive(|&b| b == b'\n') {
        out.extend_from_slice(bare(trim_line(line)).0);
        out.extend_from_slice(b"\r\n");
    }
    Cow::Owned(out)
}

/// The first block of this kind, decoded.
pub(super) fn first(text: &[u8], kind: Kind) -> Option<Dearmored> {
    let block = blocks(text, 16).into_iter().find(|block| block.kind == kind)?;
    dearmor(&block_text(text, &block))
}

/// The text around the first block of this kind, run together.
pub(super) fn around(text: &[u8], kind: Kind) -> Vec<u8> {
    let block = blocks(text, 16).into_iter().find(|block| block.kind == kind);
    let range = block.map_or(0..0, |block| block.range);
    [text.get(..range.start).unwrap_or_default(), text.get(range.end..).unwrap_or_default()].concat()
}

/// Decodes one block, its BEGIN line first.
pub(super) fn dearmor(block: &[u8]) -> Option<Dearmored> {
    let mut charset = None;
    let mut at = line_length(block);
    // Armor headers, up to an empty line. Some mailers lose that line: then the first line that is no header is data.
    while let Some(rest) = block.get(at..).filter(|rest| !rest.is_empty()) {
        let length = line_length(rest);
        let line = rest.get(..length).unwrap_or_default().trim_ascii();
        if line.is_empty() {
            at += length;
            break;
        }
        let Some(colon) = line.iter().position(|&b| b == b':') else { break };
        let (name, value) = line.split_at(colon);
        if name.eq_ignore_ascii_case(b"charset") {
            charset = std::str::from_utf8(value).ok().map(|value| value.trim_start_matches(':').trim().to_owned());
        }
        at += length;
    }
    let body = block.get(at..).unwrap_or_default();
    let data = fast(body).or_else(|| slow(block))?;
    Some(Dearmored { data, charset })
}

/// Lines of base64, each a whole number of groups but the last.
fn fast(body: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut out = Zeroizing::new(vec![0; body.len() / 4 * 3 + 3]);
    let (mut written, mut at, mut last) = (0, 0, false);
    while let Some(rest) = body.get(at..).filter(|rest| !rest.is_empty()) {
        let length = line_length(rest);
        let line = rest.get(..length).unwrap_or_default().trim_ascii();
        at += length;
        if line.is_empty() {
            continue;
        }
        if line.starts_with(b"-----END ") || (line.len() == 5 && line.starts_with(b"=")) {
            out.truncate(written);
            return (written > 0).then_some(out);
        }
        if last {
            return None;
        }
        last = !line.len().is_multiple_of(4) || line.ends_with(b"=");
        written += BASE64.decode_slice(line, out.get_mut(written..)?).ok()?;
    }
    // No END line: cut short. What there is goes on to the integrity check, which will refuse it.
    out.truncate(written);
    (written > 0).then_some(out)
}

fn slow(block: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut out = Zeroizing::new(Vec::with_capacity(block.len() / 4 * 3));
    Reader::from_bytes(block, ReaderMode::Tolerant(None)).read_to_end(&mut out).ok()?;
    (!out.is_empty()).then_some(out)
}

/// What the first octets of some content are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sniffed {
    Armored(Kind),
    /// An OpenPGP packet that may begin an encrypted message (RFC 9580 section 10.3).
    BinaryMessage,
    BinaryKey,
    BinarySecretKey,
    BinarySignature,
    Other,
}

/// Looks at the beginning of some content.
pub(super) fn sniff(beginning: &[u8]) -> Sniffed {
    let text = beginning.strip_prefix(b"\xef\xbb\xbf").unwrap_or(beginning);
    for line in text.split(|&b| b == b'\n').take(60) {
        let line = trim_line(line);
        if let Some(kind) = line.contains(&b'-').then(|| begin(bare(line).0)).flatten() {
            return Sniffed::Armored(kind);
        }
    }
    let Some(&first) = beginning.first().filter(|first| **first & 0x80 != 0) else { return Sniffed::Other };
    let tag = if first & 0x40 != 0 { first & 0x3f } else { first >> 2 & 0x0f };
    // The version octet follows the length; a plausible one tells a packet from other binary data.
    let header = if first & 0x40 != 0 {
        match beginning.get(1) {
            Some(0..=191) => 2,
            Some(192..=223) => 3,
            Some(255) => 6,
            _ => 2,
        }
    } else {
        match first & 3 {
            0 => 2,
            1 => 3,
            2 => 5,
            _ => 1,
        }
    };
    match (tag, beginning.get(header)) {
        (1, Some(2 | 3 | 6)) | (3, Some(4..=6)) | (18, Some(1 | 2)) => Sniffed::BinaryMessage,
        (9 | 20, _) => Sniffed::BinaryMessage,
        (6, Some(2..=6)) => Sniffed::BinaryKey,
        (5, Some(2..=6)) => Sniffed::BinarySecretKey,
        (2, Some(2..=6)) => Sniffed::BinarySignature,
        (4, Some(3 | 6)) | (8, Some(0..=3)) => Sniffed::BinaryMessage,
        _ => Sniffed::Other,
    }
}

#[cfg(test)]
#[path = "dearmor_tests.rs"]
mod tests;
