//! Undoes the transfer encodings of MIME (RFC 2045 section 6).
//!
//! Security: nothing is refused for a broken encoding: what can be decoded is, and the caller is told. What was decoded is
//! overwritten when it is dropped.

use base64::Engine;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use zeroize::Zeroizing;

/// How a body is encoded for transfer (RFC 2045 section 6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transfer {
    Identity,
    Base64,
    QuotedPrintable,
}

/// Decoded octets: borrowed where no decoding was needed, else overwritten when dropped.
pub(super) enum Decoded<'b> {
    Borrowed(&'b [u8]),
    Owned(Zeroizing<Vec<u8>>),
}

impl std::ops::Deref for Decoded<'_> {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match self {
            Self::Borrowed(bytes) => bytes,
            Self::Owned(bytes) => bytes,
        }
    }
}

/// Undoes the encoding of a body. `false` if not all of it was well-formed.
pub(super) fn decode(body: &[u8], transfer: Transfer) -> (Decoded<'_>, bool) {
    match transfer {
        Transfer::Identity => (Decoded::Borrowed(body), true),
        Transfer::QuotedPrintable => match quoted_printable_decode(body) {
            Some(decoded) => (Decoded::Owned(Zeroizing::new(decoded)), true),
            None => (Decoded::Borrowed(body), false),
        },
        Transfer::Base64 => {
            let (decoded, clean) = base64_lenient(body);
            (Decoded::Owned(decoded), clean)
        }
    }
}

/// Padding and left-over bits are the sender's business; what matters is what comes out.
pub(super) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Decodes base64, other characters skipped (RFC 2045 section 6.8); the flag says whether it was clean.
pub(super) fn base64_lenient(text: &[u8]) -> (Zeroizing<Vec<u8>>, bool) {
    let mut out = Zeroizing::new(Vec::with_capacity(text.len() / 4 * 3 + 3));
    let mut clean = true;
    let mut group = Zeroizing::new(Vec::with_capacity(4096));
    let mut ended = false;
    for chunk in text.chunks(4096) {
        for &byte in chunk {
            match byte {
                b'=' => ended = true,
                byte if byte.is_ascii_whitespace() => {}
                _ if ended => clean = false,
                byte if byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/' => group.push(byte),
                _ => clean = false,
            }
        }
        let whole = group.len() / 4 * 4;
        clean &= decode_onto(group.get(..whole).unwrap_or_default(), &mut out);
        group.drain(..whole);
    }
    if group.len() == 1 {
        clean = false;
    } else {
        clean &= decode_onto(&group, &mut out);
    }
    (out, clean)
}

fn decode_onto(text: &[u8], out: &mut Vec<u8>) -> bool {
    let at = out.len();
    out.resize(at + text.len() / 4 * 3 + 3, 0);
    let written = out.get_mut(at..).map_or(Ok(0), |space| BASE64.decode_slice(text, space));
    out.truncate(at + *written.as_ref().unwrap_or(&0));
    written.is_ok()
}
