//! Writing MIME (RFC 5322, 2045 to 2047): header fields, multiparts whose parts stay byte for byte, labelled sections.
//!
//! Security: a header field can be written only from text that [`one_line`] has passed or from an address that
//! [`is_safe_address`] has; neither can hold a line break, so no subject or name adds a header field. A boundary is random
//! and occurs in no part, so no part can end itself or begin another. What came in clear stands after what came encrypted,
//! in a multipart of its own: no HTML that anybody could have put there opens a tag around decrypted text (EFAIL).

use super::opened::{Label, Section};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;
use jiff::tz::TimeZone;
use mail_builder::headers::Header;
use mail_builder::headers::address::Address;
use mail_builder::headers::text::Text;
use memchr::memmem;
use sequoia_openpgp::crypto::random;
use std::io::{self, Write};
use zeroize::Zeroizing;

/// The text as one line of at most `max` characters: control, direction-changing and invisible characters are taken out,
/// runs of white space become one space, and what is cut off is marked with an ellipsis.
pub(in crate::report) fn one_line(text: &str, max: usize) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(text.len().min(max * 4) + 4));
    let (mut count, mut gap) = (0, false);
    for c in text.chars() {
        // Runs of spaces could push an imitated line to the start of a screen line.
        if c.is_whitespace() || is_blank(c) {
            gap = !out.is_empty();
            continue;
        }
        if c.is_control() || is_invisible(c) {
            continue;
        }
        let needed = 1 + usize::from(gap);
        if count + needed > max {
            out.push('…');
            break;
        }
        if std::mem::take(&mut gap) {
            out.push(' ');
        }
        out.push(c);
        count += needed;
    }
    out
}

/// Letters that are drawn as nothing.
fn is_blank(c: char) -> bool {
    matches!(c, '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{2800}' | '\u{3164}' | '\u{FFA0}')
}

/// Characters that change the direction of what follows, or are not seen.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF0}'..='\u{FFFB}' | '\u{1BCA0}'..='\u{1BCA3}'
        | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

/// Whether an address can stand in a header field and an envelope as it is: ASCII, one `@`, none of the characters that
/// mean something there, at most 254 octets (RFC 5321 section 4.5.3.1). Quoted local parts are not taken.
pub(in crate::report) fn is_safe_address(address: &str) -> bool {
    address.len() <= 254
        && address.bytes().all(|b| b.is_ascii_graphic() && !b"<>()[],;:\\\"".contains(&b))
        && matches!(address.split_once('@'), Some((local, domain))
            if !local.is_empty() && local.len() <= 64 && !domain.is_empty() && !domain.contains('@'))
}

/// A foreign Message-ID, without its angle brackets, if it can stand in a header field as it is; at most 200 octets.
pub(in crate::report) fn safe_message_id(id: &str) -> Option<&str> {
    let id = id.trim();
    let id = id.strip_prefix('<').and_then(|id| id.strip_suffix('>')).unwrap_or(id);
    let safe = id.len() <= 200
        && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.@".contains(&b))
        && matches!(id.split_once('@'), Some((left, right)) if !left.is_empty() && !right.is_empty() && !right.contains('@'));
    safe.then_some(id)
}

/// One header field, finished: name, and value with its folds, without the last line end.
pub(in crate::report) struct Field {
    name: &'static str,
    value: Zeroizing<Vec<u8>>,
}

impl Field {
    fn new(name: &'static str, column: usize, header: &impl Header) -> Self {
        let mut value = Vec::with_capacity(1024);
        header.write_header(&mut value, column);
        while value.last().is_some_and(u8::is_ascii_whitespace) {
            value.pop();
        }
        Self { name, value: Zeroizing::new(value) }
    }

    /// Unstructured text, encoded where it needs it (RFC 2047), cut after 400 characters.
    pub(in crate::report) fn text(name: &'static str, text: &str) -> Self {
        let text = one_line(text, 400);
        // The name may stand behind `HP-Outer: `; folding counts that in.
        Self::new(name, name.len() + 12, &Text::new(text.as_str()))
    }

    /// One address, with a name beside it where one is given. The address has passed [`is_safe_address`].
    pub(in crate::report) fn address(name: &'static str, display: Option<&str>, address: &str) -> Self {
        match display.map(|display| one_line(display, 100)).filter(|display| !display.is_empty()) {
            Some(display) => Self::new(name, name.len() + 12, &Address::new_address(Some(display.as_str()), address)),
            None => Self::fixed(name, address.to_owned()),
        }
    }

    /// A date in UTC (RFC 5322 section 3.3); no time zone but `+0000` ever shows where somebody is.
    pub(in crate::report) fn date(at: Timestamp) -> Self {
        static PRINTER: DateTimePrinter = DateTimePrinter::new();
        let date = PRINTER.zoned_to_string(&at.to_zoned(TimeZone::UTC)).unwrap_or_default();
        Self::fixed("Date", date)
    }

    /// Message-IDs, each in angle brackets on a line of its own. They are our own, or have passed [`safe_message_id`].
    pub(in crate::report) fn message_ids<'a>(name: &'static str, ids: impl Iterator<Item = &'a str>) -> Self {
        let ids: Vec<_> = ids.map(|id| format!("<{id}>")).collect();
        Self::fixed(name, ids.join("\r\n "))
    }

    /// A value made by the gateway, with its folds.
    pub(in crate::report) fn fixed(name: &'static str, value: String) -> Self {
        Self { name, value: Zeroizing::new(value.into_bytes()) }
    }

    /// Writes it as a header field.
    pub(in crate::report) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        write!(out, "{}: ", self.name)?;
        out.write_all(&self.value)?;
        out.write_all(b"\r\n")
    }

    /// Writes it as a record of what stands outside the encryption (RFC 9788 section 2.2).
    pub(in crate::report) fn write_hp_outer(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(b"HP-Outer: ")?;
        self.write(out)
    }
}

/// A random boundary that occurs in none of the parts (RFC 2046 section 5.1.1).
pub(in crate::report) fn boundary<'a>(parts: impl Iterator<Item = &'a [u8]> + Clone) -> io::Result<String> {
    loop {
        let mut bits = [0; 18];
        random(&mut bits).map_err(io::Error::other)?;
        let boundary = hex::encode(bits);
        let finder = memmem::Finder::new(&boundary);
        if parts.clone().all(|part| finder.find(part).is_none()) {
            return Ok(boundary);
        }
    }
}

/// What the gateway writes before a labelled section: the label, and a sentence for the members.
fn label_text(label: Label) -> Option<(&'static str, &'static str)> {
    match label {
        Label::Main | Label::Decrypted => None,
        Label::Unencrypted => Some((
            "NOT ENCRYPTED: came in clear beside the encrypted part",
            "The next part did NOT come encrypted: it stood in clear beside the encrypted\r\n\
             part. Anybody on the way could read, change or add it. It says nothing about\r\n\
             the encrypted part.",
        )),
        Label::Unopened => Some((
            "NOT OPENED: handed on as it came",
            "The next part could not be opened by the gateway and is handed on as it came.\r\nIt was not checked.",
        )),
    }
}

/// Writes a statement and sections as the body of a `multipart/mixed` with this boundary. The sections stay byte for byte:
/// the line ends around a boundary line belong to the boundary.
pub(in crate::report) fn write_parts(
    out: &mut dyn Write,
    boundary: &str,
    statement: &[u8],
    sections: &[Section],
) -> io::Result<()> {
    write!(out, "--{boundary}\r\n{TEXT_PART}")?;
    out.write_all(statement)?;
    // What is labelled comes last, each in its own order.
    let (plain, labelled): (Vec<_>, Vec<_>) = sections.iter().partition(|section| label_text(section.label).is_none());
    for section in plain.into_iter().chain(labelled) {
        write!(out, "\r\n--{boundary}\r\n")?;
        match label_text(section.label) {
            None => out.write_all(section.entity.expose())?,
            Some((description, sentence)) => {
                let inner = self::boundary(std::iter::once(section.entity.expose()))?;
                write!(
                    out,
                    "Content-Type: multipart/mixed; boundary=\"{inner}\"\r\nContent-Transfer-Encoding: 8bit\r\n\
                     Content-Description: {description}\r\n\r\n--{inner}\r\n{TEXT_PART}{sentence}\r\n\r\n--{inner}\r\n"
                )?;
                out.write_all(section.entity.expose())?;
                write!(out, "\r\n--{inner}--\r\n")?;
            }
        }
    }
    write!(out, "\r\n--{boundary}--\r\n")
}

const TEXT_PART: &str = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\
                         Content-Disposition: inline\r\n\r\n";

#[cfg(test)]
#[path = "compose_tests.rs"]
mod tests;
