//! Splits a mail into its MIME parts, by offsets into the original bytes.
//!
//! `mail-parser` reads the fields and decodes; the splitting is done here, because a signature needs the very bytes between
//! two delimiter lines (RFC 2046 section 5.1.1), and because hostile structure must be bounded before it is built.
//!
//! Security: depth, parts and header fields are counted before anything is allocated for them; time is linear in size for
//! each level of depth. A delimiter counts only as a whole line, so that `--abcd` does not end a part bounded by `abc`.

use super::super::limits::Limits;
use super::super::verdict::Refusal;
use super::text::harmless_name;
use super::transfer::{Decoded, Transfer, decode};
use mail_parser::{ContentType, Header, HeaderName, HeaderValue, Message, MessageParser, MimeHeaders};
use std::borrow::Cow;
use std::ops::Range;
use zeroize::Zeroizing;

/// Longest boundary that is looked for; RFC 2046 allows 70 characters.
const MAX_BOUNDARY: usize = 256;

/// One MIME entity: where it lies, and what its fields say.
pub(super) struct Entity {
    /// From the first header octet to the end, the line break before the delimiter excluded (RFC 3156 section 5).
    pub range: Range<usize>,
    /// From the first body octet to the end.
    pub body: Range<usize>,
    /// Lower-case `type/subtype`.
    pub media: String,
    content_type: Option<ContentType<'static>>,
    pub transfer: Transfer,
    pub attachment: bool,
    /// Harmless file name.
    pub name: Option<String>,
    /// Whether it has any Content-* or MIME-Version field.
    pub has_mime_fields: bool,
    /// Whether it has header fields of a mail (Subject and the like), not just of a part.
    pub has_mail_fields: bool,
    pub children: Vec<Entity>,
}

impl Entity {
    /// A parameter of the Content-Type.
    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.content_type.as_ref()?.attribute(name)
    }

    pub(super) fn is_multipart(&self) -> bool {
        self.media.starts_with("multipart/")
    }

    pub(super) fn body_of<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        bytes.get(self.body.clone()).unwrap_or_default()
    }

    pub(super) fn bytes_of<'b>(&self, bytes: &'b [u8]) -> &'b [u8] {
        bytes.get(self.range.clone()).unwrap_or_default()
    }

    /// The header fields, decoded.
    pub(super) fn fields<'b>(&self, bytes: &'b [u8]) -> Option<Message<'b>> {
        read_fields(bytes.get(self.range.start..self.body.start)?)
    }

    /// The body after transfer decoding, and whether that went well.
    pub(super) fn decoded<'b>(&self, bytes: &'b [u8]) -> (Decoded<'b>, bool) {
        decode(self.body_of(bytes), self.transfer)
    }

    /// The first octets of the decoded body, enough to tell what it is.
    pub(super) fn beginning(&self, bytes: &[u8]) -> Zeroizing<Vec<u8>> {
        let body = self.body_of(bytes);
        let (decoded, _) = decode(body.get(..body.len().min(8192)).unwrap_or_default(), self.transfer);
        Zeroizing::new(decoded.to_vec())
    }

    /// Octets after decoding, without decoding.
    pub(super) fn decoded_size(&self, bytes: &[u8]) -> usize {
        let body = self.body_of(bytes);
        match self.transfer {
            Transfer::Base64 => {
                body.iter().filter(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/')).count() * 3 / 4
            }
            Transfer::QuotedPrintable => decode(body, self.transfer).0.len(),
            Transfer::Identity => body.len(),
        }
    }
}

/// Reads a header block.
pub(super) fn read_fields(block: &[u8]) -> Option<Message<'_>> {
    MessageParser::new().parse_headers(block)
}

/// Whether the mail's own header says that it is encrypted, for mails that are not taken apart.
pub(super) fn announces_encryption(mail: &[u8]) -> bool {
    let length = header_length(mail, usize::MAX).unwrap_or_default().min(1024 * 1024);
    let fields = read_fields(mail.get(..length).unwrap_or_default());
    let media = fields.as_ref().and_then(|fields| fields.content_type());
    media.is_some_and(|media| media.ctype() == "multipart" && media.subtype() == Some("encrypted"))
}

/// Whether a payload begins with a header block that has MIME fields.
pub(super) fn has_mime_fields(payload: &[u8]) -> bool {
    let Ok(length) = header_length(payload, 1_000) else { return false };
    let fields = read_fields(payload.get(..length).unwrap_or_default());
    fields.is_some_and(|fields| fields.headers().iter().any(is_mime_field))
}

fn is_mime_field(header: &Header<'_>) -> bool {
    header.name == HeaderName::MimeVersion || header.name.as_str().to_ascii_lowercase().starts_with("content-")
}

/// What is left of the bounds while one mail is taken apart.
pub(super) struct Bounds<'l> {
    pub limits: &'l Limits,
    pub parts: usize,
}

/// Reads `range` of `bytes` as an entity, at this depth of nesting.
///
/// # Errors
/// [`Refusal::TooDeep`] or [`Refusal::TooManyParts`] when a bound is met.
pub(super) fn parse(
    bytes: &[u8],
    range: Range<usize>,
    depth: usize,
    bounds: &mut Bounds<'_>,
) -> Result<Entity, Refusal> {
    parse_as(bytes, range, depth, bounds, "text/plain")
}

fn parse_as(
    bytes: &[u8],
    range: Range<usize>,
    depth: usize,
    bounds: &mut Bounds<'_>,
    default_media: &str,
) -> Result<Entity, Refusal> {
    if depth > bounds.limits.max_mime_depth {
        return Err(Refusal::TooDeep);
    }
    bounds.parts += 1;
    if bounds.parts > bounds.limits.max_parts {
        return Err(Refusal::TooManyParts);
    }
    let slice = bytes.get(range.clone()).unwrap_or_default();
    let header = header_length(slice, bounds.limits.max_headers)?;
    let body = range.start + header..range.end;
    let mut entity = Entity {
        range,
        body,
        media: default_media.to_owned(),
        content_type: None,
        transfer: Transfer::Identity,
        attachment: false,
        name: None,
        has_mime_fields: false,
        has_mail_fields: false,
        children: Vec::new(),
    };
    entity.take_fields(slice.get(..header).unwrap_or_default());
    if entity.is_multipart() {
        let boundary = entity.parameter("boundary").unwrap_or("").trim_end().to_owned();
        let child_media = if entity.media == "multipart/digest" { "message/rfc822" } else { "text/plain" };
        for part in split(bytes, entity.body.clone(), boundary.as_bytes(), bounds)? {
            let child = parse_as(bytes, part, depth + 1, bounds, child_media)?;
            entity.children.push(child);
        }
    } else if matches!(entity.media.as_str(), "message/rfc822" | "message/global")
        && entity.transfer == Transfer::Identity
    {
        let child = parse_as(bytes, entity.body.clone(), depth + 1, bounds, "text/plain")?;
        entity.children.push(child);
    }
    Ok(entity)
}

impl Entity {
    fn take_fields(&mut self, block: &[u8]) {
        let Some(message) = read_fields(block) else { return };
        let mut name = None;
        for header in message.headers() {
            self.has_mime_fields |= is_mime_field(header);
            self.has_mail_fields |= !is_mime_field(header);
            match (&header.name, &header.value) {
                // The first of several counts, as in mail programs; a later one is an attempt to be read differently.
                (HeaderName::ContentType, HeaderValue::ContentType(value)) if self.content_type.is_none() => {
                    let subtype = value.subtype().unwrap_or("plain");
                    self.media = format!("{}/{}", value.ctype(), subtype).to_ascii_lowercase();
                    let owned = HeaderValue::ContentType(value.clone()).into_owned();
                    if let HeaderValue::ContentType(value) = owned {
                        name = name.or_else(|| value.attribute("name").map(str::to_owned));
                        self.content_type = Some(value);
                    }
                }
                (HeaderName::ContentTransferEncoding, HeaderValue::Text(value)) => {
                    let value = value.trim();
                    if value.eq_ignore_ascii_case("base64") {
                        self.transfer = Transfer::Base64;
                    } else if value.eq_ignore_ascii_case("quoted-printable") {
                        self.transfer = Transfer::QuotedPrintable;
                    }
                }
                (HeaderName::ContentDisposition, HeaderValue::ContentType(value)) => {
                    self.attachment = value.is_attachment();
                    if let Some(file) = value.attribute("filename") {
                        name = Some(file.to_owned());
                    }
                }
                _ => {}
            }
        }
        self.name = name.as_deref().and_then(harmless_name);
    }
}

/// Octets of the header block, the empty line included. Nothing that is not a header field is swallowed: at the first line
/// that is none, the body begins.
fn header_length(bytes: &[u8], max_fields: usize) -> Result<usize, Refusal> {
    let (mut at, mut fields) = (0, 0);
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let length = line_length(rest);
        let line = trim_line(rest.get(..length).unwrap_or_default());
        if line.is_empty() {
            return Ok(at + length);
        }
        let continues = fields > 0 && matches!(line.first(), Some(b' ' | b'\t'));
        let mbox = at == 0 && (line.starts_with(b"From ") || line.starts_with(b">From "));
        if !continues && !mbox {
            if !is_field(line) {
                return Ok(if fields == 0 { 0 } else { at });
            }
            fields += 1;
            if fields > max_fields {
                return Err(Refusal::TooManyParts);
            }
        }
        at += length;
    }
    Ok(if fields == 0 { 0 } else { at })
}

/// RFC 5322 section 2.2: printable ASCII without a colon, then a colon; old mailers put blanks before it.
fn is_field(line: &[u8]) -> bool {
    let Some(colon) = line.iter().position(|&b| b == b':') else { return false };
    let name = line.get(..colon).unwrap_or_default().trim_ascii_end();
    !name.is_empty() && name.iter().all(u8::is_ascii_graphic)
}

/// Octets of the first line, its line feed included.
pub(super) fn line_length(bytes: &[u8]) -> usize {
    bytes.iter().position(|&b| b == b'\n').map_or(bytes.len(), |end| end + 1)
}

/// The line without its line break.
pub(super) fn trim_line(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn split(
    bytes: &[u8],
    range: Range<usize>,
    boundary: &[u8],
    bounds: &Bounds<'_>,
) -> Result<Vec<Range<usize>>, Refusal> {
    let mut parts = Vec::new();
    if boundary.is_empty() || boundary.len() > MAX_BOUNDARY {
        return Ok(parts);
    }
    let mut begun: Option<usize> = None;
    let mut at = range.start;
    while let Some(rest) = bytes.get(at..range.end).filter(|rest| !rest.is_empty()) {
        let length = line_length(rest);
        let line = rest.get(..length).unwrap_or_default();
        if let Some(tail) = line.strip_prefix(b"--").and_then(|line| line.strip_prefix(boundary)) {
            let tail = tail.trim_ascii_end();
            if tail.is_empty() || tail == b"--" {
                if let Some(start) = begun {
                    parts.push(start..end_before(bytes, start, at));
                    if bounds.parts + parts.len() > bounds.limits.max_parts {
                        return Err(Refusal::TooManyParts);
                    }
                }
                begun = tail.is_empty().then_some(at + length);
                if begun.is_none() {
                    return Ok(parts);
                }
            }
        }
        at += length;
    }
    // The closing delimiter is missing: the last part goes to the end.
    if let Some(start) = begun.filter(|&start| start < range.end) {
        parts.push(start..range.end);
    }
    Ok(parts)
}

/// The line break before a delimiter belongs to the delimiter.
fn end_before(bytes: &[u8], start: usize, delimiter: usize) -> usize {
    let part = bytes.get(start..delimiter).unwrap_or_default();
    start + trim_line(part).len()
}

/// The Content-* fields of a header block, byte for byte, with the empty line.
pub(super) fn mime_fields(block: &[u8]) -> Vec<u8> {
    let mut kept = Vec::new();
    let (mut at, mut keep) = (0, false);
    while let Some(rest) = block.get(at..).filter(|rest| !rest.is_empty()) {
        let length = line_length(rest);
        let line = rest.get(..length).unwrap_or_default();
        if trim_line(line).is_empty() {
            break;
        }
        if !matches!(line.first(), Some(b' ' | b'\t')) {
            let name: Cow<'_, str> = String::from_utf8_lossy(line.get(..line.len().min(16)).unwrap_or_default());
            let name = name.to_ascii_lowercase();
            keep = name.starts_with("content-");
        }
        if keep {
            kept.extend_from_slice(line);
            if !line.ends_with(b"\n") {
                kept.extend_from_slice(b"\r\n");
            }
        }
        at += length;
    }
    kept.extend_from_slice(if kept.ends_with(b"\r\n") || kept.is_empty() { b"\r\n" } else { b"\n" });
    kept
}

#[cfg(test)]
#[path = "mime_tests.rs"]
mod tests;
