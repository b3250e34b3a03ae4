//! A bounded reader of MIME structure: header fields as they stand, and the leaf parts of a mail.
//!
//! Security: every list has an end before it is built: header fields, octets of a field, parts, depth. Structure is found by
//! walking slices of the mail in place; nothing is copied but one decoded leaf at a time, and nothing recurses on the mail's
//! word (MIME parsers that nest `message/rfc822` as deep as a mail says can be made to overflow the stack).

use crate::report::limits::Limits;
use mail_parser::decoders::base64::base64_decode;
use mail_parser::decoders::quoted_printable::quoted_printable_decode;
use mail_parser::{ContentType, HeaderValue, MessageParser};
use std::borrow::Cow;

/// Octets of one header field that are looked at; a longer field is skipped. An Autocrypt field with a post-quantum
/// certificate stays well below.
const MAX_FIELD: usize = 256 * 1024;

/// A header field as it stands in the mail.
#[derive(Clone, Copy)]
pub(super) struct Field<'a> {
    /// The name, in the mail's own case.
    pub(super) name: &'a [u8],
    /// All after the colon, still folded.
    pub(super) value: &'a [u8],
}

impl Field<'_> {
    pub(super) fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// The value on one line, without surrounding white space.
    pub(super) fn text(&self) -> String {
        let text: String = String::from_utf8_lossy(self.value)
            .chars()
            .filter(|c| *c != '\r' && *c != '\n')
            .map(|c| if c == '\t' { ' ' } else { c })
            .collect();
        text.trim().to_owned()
    }

    /// The value as the mail parser reads it under the name `kind`.
    pub(super) fn parsed(&self, kind: &str) -> HeaderValue<'static> {
        let mut block = Vec::with_capacity(self.value.len() + kind.len() + 6);
        block.extend_from_slice(kind.as_bytes());
        block.push(b':');
        block.extend_from_slice(self.value);
        block.extend_from_slice(b"\r\n\r\n");
        let Some(message) = MessageParser::default().parse_headers(&block) else { return HeaderValue::Empty };
        message.headers().first().map(|header| header.value().clone().into_owned()).unwrap_or_default()
    }
}

/// A header and the body that follows it.
pub(super) struct Entity<'a> {
    pub(super) fields: Vec<Field<'a>>,
    pub(super) body: &'a [u8],
}

impl<'a> Entity<'a> {
    /// Reads the header of an entity: at most `limits.max_headers` fields; later ones are not seen.
    pub(super) fn read(bytes: &'a [u8], limits: &Limits) -> Self {
        let mut fields = Vec::new();
        let mut rest = bytes;
        // A pipe or an mbox may leave an envelope line in front.
        if rest.starts_with(b"From ") {
            rest = split_line(rest).1;
        }
        while let Some((raw, after)) = next_field(rest) {
            rest = after;
            let Some(colon) = raw.iter().position(|b| *b == b':') else { continue };
            let (name, value) = raw.split_at(colon);
            let name = name.trim_ascii_end();
            if fields.len() < limits.max_headers && raw.len() <= MAX_FIELD && !name.is_empty() {
                fields.push(Field { name, value: value.get(1..).unwrap_or_default() });
            }
        }
        let (line, after) = split_line(rest);
        Self { fields, body: if trim_line_end(line).is_empty() { after } else { rest } }
    }

    /// The first field of this name.
    pub(super) fn field(&self, name: &str) -> Option<Field<'a>> {
        self.all(name).next()
    }

    /// All fields of this name, from the top.
    pub(super) fn all<'s>(&'s self, name: &'s str) -> impl Iterator<Item = Field<'a>> + 's {
        self.fields.iter().filter(move |field| field.is(name)).copied()
    }

    fn content_type(&self) -> Option<ContentType<'static>> {
        content_type(self.field("Content-Type")?)
    }

    fn encoded_as(&self, encoding: &str) -> bool {
        self.field("Content-Transfer-Encoding").is_some_and(|field| field.text().eq_ignore_ascii_case(encoding))
    }
}

/// A Content-Type or Content-Disposition field.
fn content_type(field: Field<'_>) -> Option<ContentType<'static>> {
    match field.parsed("Content-Type") {
        HeaderValue::ContentType(value) => Some(value),
        _ => None,
    }
}

/// What is known of an entity from its header.
pub(super) struct Kind {
    /// Media type with subtype, lower-case; `text/plain` where the header says nothing.
    pub(super) media_type: String,
    /// File name, lower-case, as the mail gives it.
    pub(super) name: String,
    boundary: Option<String>,
    /// `report-type` of multipart/report (RFC 6522), lower-case.
    pub(super) report_type: Option<String>,
}

impl Kind {
    pub(super) fn of(entity: &Entity<'_>) -> Self {
        let parsed = entity.content_type();
        let attribute = |name: &str| parsed.as_ref().and_then(|p| p.attribute(name)).map(str::to_owned);
        let disposition = entity.field("Content-Disposition").and_then(content_type);
        let filename = disposition.as_ref().and_then(|d| d.attribute("filename")).map(str::to_owned);
        let media_type = match &parsed {
            Some(kind) => format!("{}/{}", kind.ctype(), kind.subtype().unwrap_or_default()).to_lowercase(),
            None => "text/plain".into(),
        };
        Self {
            media_type,
            name: filename.or_else(|| attribute("name")).unwrap_or_default().to_lowercase(),
            boundary: attribute("boundary"),
            report_type: attribute("report-type").map(|kind| kind.to_lowercase()),
        }
    }
}

/// A leaf part, and the multipart it stands in.
pub(super) struct Leaf<'a> {
    pub(super) kind: Kind,
    /// Media type of the multipart around it; empty for a mail of one part.
    pub(super) parent: String,
    pub(super) entity: Entity<'a>,
}

impl<'a> Leaf<'a> {
    /// The content with its transfer encoding taken off, as far as it can be.
    pub(super) fn decoded(&self) -> Cow<'a, [u8]> {
        let decoded = if self.entity.encoded_as("base64") {
            base64_decode(self.entity.body)
        } else if self.entity.encoded_as("quoted-printable") {
            quoted_printable_decode(self.entity.body)
        } else {
            None
        };
        decoded.map_or(Cow::Borrowed(self.entity.body), Cow::Owned)
    }
}

/// The leaf parts of an entity in the order of the mail, at most `limits.max_parts`, down to `limits.max_mime_depth`
/// multiparts and attached messages.
pub(super) fn leaves<'a>(root: Entity<'a>, limits: &Limits) -> Vec<Leaf<'a>> {
    let mut found = Vec::new();
    let mut visited = 0;
    let mut stack = vec![(root, String::new(), 0)];
    while let Some((entity, parent, depth)) = stack.pop() {
        visited += 1;
        if visited > limits.max_parts {
            break;
        }
        let kind = Kind::of(&entity);
        let boundary = kind.boundary.as_deref().filter(|b| kind.media_type.starts_with("multipart/") && !b.is_empty());
        match boundary {
            Some(boundary) if depth < limits.max_mime_depth => {
                let room = limits.max_parts.saturating_sub(visited + stack.len());
                let parts = split_multipart(entity.body, boundary.as_bytes(), room);
                for part in parts.into_iter().rev() {
                    stack.push((Entity::read(part, limits), kind.media_type.clone(), depth + 1));
                }
            }
            _ => {
                // An attached message is a leaf, and its content is looked at too; it may not be transfer-encoded as a whole
                // (RFC 2046 section 5.2.1).
                if kind.media_type == "message/rfc822" && depth < limits.max_mime_depth {
                    stack.push((Entity::read(entity.body, limits), kind.media_type.clone(), depth + 1));
                }
                found.push(Leaf { kind, parent, entity });
            }
        }
    }
    found
}

/// The parts of a multipart body (RFC 2046 section 5.1.1), at most `limit`; a missing closing delimiter is forgiven.
fn split_multipart<'a>(body: &'a [u8], boundary: &[u8], limit: usize) -> Vec<&'a [u8]> {
    let mut parts = Vec::new();
    let mut start = None;
    let mut position = 0;
    while position < body.len() {
        let (line, _) = split_line(body.get(position..).unwrap_or_default());
        let after = line.strip_prefix(b"--").and_then(|line| line.strip_prefix(boundary)).map(<[u8]>::trim_ascii_end);
        if let Some(tail @ (b"" | b"--")) = after {
            if let Some(start) = start {
                parts.push(trim_line_end(body.get(start..position).unwrap_or_default()));
            }
            start = (tail.is_empty()).then_some(position + line.len());
            if start.is_none() || parts.len() >= limit {
                return parts;
            }
        }
        position += line.len();
    }
    parts.extend(start.and_then(|start| body.get(start..)));
    parts
}

/// The first line with its line end, and the rest.
pub(super) fn split_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|b| *b == b'\n').map_or(bytes.len(), |at| at + 1);
    bytes.split_at(end)
}

/// Without one line end.
pub(super) fn trim_line_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

/// The next header field with its folded lines, and the rest; nothing at the end of the header.
pub(super) fn next_field(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (first, mut rest) = split_line(bytes);
    let plain = trim_line_end(first);
    // The header ends at an empty line, or where a line is no field and continues none.
    if plain.is_empty() || (!plain.contains(&b':') && !plain.starts_with(b" ") && !plain.starts_with(b"\t")) {
        return None;
    }
    let mut length = first.len();
    while let Some(b' ' | b'\t') = rest.first() {
        let (line, after) = split_line(rest);
        length += line.len();
        rest = after;
    }
    bytes.split_at_checked(length)
}
