//! Header protection: the fields that stand inside encryption or signature (RFC 9788, and the older
//! `protected-headers="v1"` of Enigmail, Thunderbird and K-9).
//!
//! Security: an inner field counts only where the message marks its fields as protected, or where the outer one is a
//! placeholder that says nothing. An inner From that differs from the outer one is a warning, not a correction: somebody
//! may have wrapped a message that was written for another mail.

use super::super::secret::ReporterContact;
use super::mime::Entity;
use super::text::one_line;
use mail_parser::{Address, HeaderName, HeaderValue, Message};
use zeroize::Zeroizing;

/// Addresses taken from one header block.
const MAX_ADDRESSES: usize = 500;

/// Octets of a subject that is read a second time.
const MAX_SUBJECT: usize = 64 * 1024;

/// The fields of one header block that the gateway looks at.
#[derive(Default)]
pub(super) struct Fields {
    pub subject: Option<Zeroizing<String>>,
    pub from: Vec<ReporterContact>,
    /// To and Cc.
    pub recipients: Vec<ReporterContact>,
    /// In-Reply-To and References.
    pub references: Vec<String>,
    /// Values of the Autocrypt fields.
    pub autocrypt: Vec<Zeroizing<String>>,
    /// Whether a field that may stand only once (RFC 5322 section 3.6) stands there several times.
    pub duplicates: bool,
    pub several_from: bool,
}

/// Fields inside encryption or signature.
pub(super) struct Protected {
    pub fields: Fields,
    /// Whether the message marks them as protected.
    pub marked: bool,
    /// Whether they were encrypted.
    pub encrypted: bool,
}

impl Fields {
    pub(super) fn read(message: &Message<'_>) -> Self {
        let mut fields = Self::default();
        let mut once = Vec::new();
        let mut from_fields = 0;
        for header in message.headers() {
            let single = matches!(
                header.name,
                HeaderName::From
                    | HeaderName::To
                    | HeaderName::Cc
                    | HeaderName::Subject
                    | HeaderName::Date
                    | HeaderName::MessageId
                    | HeaderName::InReplyTo
                    | HeaderName::References
                    | HeaderName::ReplyTo
                    | HeaderName::Sender
                    | HeaderName::ContentType
                    | HeaderName::ContentTransferEncoding
                    | HeaderName::MimeVersion
            );
            if single {
                fields.duplicates |= once.contains(&header.name);
                once.push(header.name.clone());
            }
            match (&header.name, &header.value) {
                (HeaderName::Subject, HeaderValue::Text(text)) if fields.subject.is_none() => {
                    let raw = message.raw_message.get(header.offset_start as usize..header.offset_end as usize);
                    fields.subject = Some(subject(text, raw.unwrap_or_default()));
                }
                (HeaderName::From, HeaderValue::Address(address)) => {
                    from_fields += 1;
                    contacts(address, &mut fields.from);
                }
                (HeaderName::To | HeaderName::Cc, HeaderValue::Address(address)) => {
                    contacts(address, &mut fields.recipients);
                }
                (HeaderName::InReplyTo | HeaderName::References, value) => {
                    let ids = value.as_text_list().map(<[_]>::to_vec);
                    let ids = ids.or_else(|| value.as_text().map(|id| vec![id.to_owned().into()])).unwrap_or_default();
                    // The newest reference stands last and finds the case best, so the last ones are kept.
                    for id in ids.iter().rev().take(super::MAX_REFERENCES) {
                        let id = one_line(id).trim_matches(['<', '>']).to_owned();
                        if !id.is_empty() && id.len() <= 998 && !fields.references.contains(&id) {
                            fields.references.push(id);
                        }
                    }
                }
                (HeaderName::Other(name), HeaderValue::Text(text)) if name.eq_ignore_ascii_case("autocrypt") => {
                    fields.autocrypt.push(Zeroizing::new(text.to_string()));
                }
                _ => {}
            }
        }
        fields.several_from = from_fields > 1 || fields.from.len() > 1;
        fields
    }
}

/// The subject, read again where its words may have been cut in the middle of a character.
fn subject(text: &str, raw: &[u8]) -> Zeroizing<String> {
    let again = std::str::from_utf8(raw).ok().filter(|_| text.contains('\u{fffd}') && raw.len() <= MAX_SUBJECT);
    let again = again.map(|raw| format!("Subject:{}\r\n\r\n", super::words::joined(raw).trim_end()));
    let again = again.as_ref().and_then(|block| super::mime::read_fields(block.as_bytes()));
    one_line(again.as_ref().and_then(|message| message.subject()).unwrap_or(text))
}

fn contacts(address: &Address<'_>, into: &mut Vec<ReporterContact>) {
    for one in address.iter() {
        let Some(found) = one.address().map(one_line).filter(|found| !found.is_empty()) else { continue };
        if into.len() >= MAX_ADDRESSES {
            return;
        }
        if !into.iter().any(|known| known.address().eq_ignore_ascii_case(&found)) {
            into.push(ReporterContact::new(&found, one.name().map(one_line).as_deref().map(String::as_str)));
        }
    }
}

fn is_marked(entity: &Entity) -> bool {
    entity.parameter("hp").is_some_and(|hp| hp.eq_ignore_ascii_case("cipher") || hp.eq_ignore_ascii_case("clear"))
        || entity.parameter("protected-headers").is_some()
}

/// The protected fields of a payload whose root is `root`: of the root itself, of what a signature around the content
/// covers, or of the part with the header fields that older programs put first.
pub(super) fn read(bytes: &[u8], root: &Entity, encrypted: bool) -> Option<Protected> {
    let mut at = root;
    // Signatures may stand around each other; the walk is as deep as the tree, which is bounded.
    loop {
        if is_marked(at) && (at.has_mail_fields || !at.children.first().is_some_and(is_header_part)) {
            return Some(Protected { fields: Fields::read(&at.fields(bytes)?), marked: true, encrypted });
        }
        match at.children.first() {
            Some(child) if at.media == "multipart/signed" => at = child,
            Some(child) if is_header_part(child) => {
                let body = child.body_of(bytes);
                let fields = super::mime::read_fields(body).map(|message| Fields::read(&message))?;
                return Some(Protected { fields, marked: true, encrypted });
            }
            _ => break,
        }
    }
    let fields = [root, at].into_iter().filter_map(|entity| entity.fields(bytes)).map(|message| Fields::read(&message));
    let fields = fields.max_by_key(|fields| fields.subject.is_some())?;
    Some(Protected { fields, marked: false, encrypted })
}

/// A part that repeats the protected fields for programs that do not show them.
pub(super) fn is_header_part(entity: &Entity) -> bool {
    entity.parameter("protected-headers").is_some()
        && !entity.has_mail_fields
        && matches!(entity.media.as_str(), "text/rfc822-headers" | "text/plain")
}

/// Takes away the lines that repeat protected fields at the top of a text (RFC 9788 section 5.2.2).
pub(super) fn without_legacy_display(text: &str) -> &str {
    let mut rest = text;
    while let Some((line, after)) = rest.split_once('\n') {
        rest = after;
        if line.trim().is_empty() {
            return rest;
        }
    }
    text
}

/// The same in HTML (RFC 9788 section 5.2.3): takes out the element of the class that marks it.
pub(super) fn without_legacy_html(html: &str) -> String {
    const CLASS: &str = "header-protection-legacy-display";
    let cut = html.find(CLASS).and_then(|class| {
        let start = html.get(..class)?.rfind("<div")?;
        let end = class + html.get(class..)?.find("</div>")? + "</div>".len();
        // The class must stand in the tag itself, not in text after it.
        html.get(start..class)?.find('>').is_none().then_some((start, end))
    });
    match cut {
        Some((start, end)) => [html.get(..start), html.get(end..)].into_iter().flatten().collect(),
        None => html.to_owned(),
    }
}
