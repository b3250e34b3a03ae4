//! Encoded words (RFC 2047) that were cut in the middle of a character, joined before they are decoded.
//!
//! Security: only what a mail program would show as one text is joined: neighbours with nothing but white space between them
//! and the same character set and encoding. Time is linear in size.

use super::transfer::base64_lenient;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::borrow::Cow;

/// One encoded word.
struct Word<'v> {
    charset: &'v str,
    base64: bool,
    text: &'v str,
    /// Octets of it in the field.
    length: usize,
}

/// Reads the encoded word at the beginning of `text`.
fn word(text: &str) -> Option<Word<'_>> {
    let (charset, rest) = text.strip_prefix("=?")?.split_once('?')?;
    let (encoding, rest) = rest.split_once('?')?;
    // A word is at most 75 octets long; some programs write longer ones.
    let content = rest.get(..rest.find("?=").filter(|end| *end <= 4096)?)?;
    let plain = |part: &str| !part.contains(|c: char| c.is_whitespace() || c == '?');
    let base64 = encoding.eq_ignore_ascii_case("b");
    let known = (base64 || encoding.eq_ignore_ascii_case("q")) && plain(charset) && plain(content);
    let length = charset.len() + encoding.len() + content.len() + 6;
    known.then_some(Word { charset, base64, text: content, length })
}

/// The field's value with such neighbours joined.
pub(super) fn joined(value: &str) -> Cow<'_, str> {
    if value.matches("=?").nth(1).is_none() {
        return Cow::Borrowed(value);
    }
    let mut out = String::with_capacity(value.len());
    let mut rest = value;
    while let Some(at) = rest.find("=?") {
        out.push_str(rest.get(..at).unwrap_or_default());
        rest = rest.get(at..).unwrap_or_default();
        let Some(first) = word(rest) else {
            out.push_str("=?");
            rest = rest.get(2..).unwrap_or_default();
            continue;
        };
        let mut parts = vec![first.text];
        rest = rest.get(first.length..).unwrap_or_default();
        while let Some(next) = word(rest.trim_start())
            .filter(|next| next.base64 == first.base64 && next.charset.eq_ignore_ascii_case(first.charset))
        {
            parts.push(next.text);
            rest = rest.trim_start().get(next.length..).unwrap_or_default();
        }
        let (encoding, content) = match first.base64 {
            // Each word has its own padding.
            true => {
                let octets: Vec<u8> =
                    parts.iter().flat_map(|part| base64_lenient(part.as_bytes()).0.to_vec()).collect();
                ('B', STANDARD.encode(octets))
            }
            false => ('Q', parts.concat()),
        };
        out.push_str(&format!("=?{}?{encoding}?{content}?=", first.charset));
    }
    out.push_str(rest);
    Cow::Owned(out)
}

#[cfg(test)]
#[path = "words_tests.rs"]
mod tests;
