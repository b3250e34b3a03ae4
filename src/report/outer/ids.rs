//! Message-IDs and addresses, taken from header fields in a safe form.
//!
//! Security: an identifier is the sender's to choose. It is bounded, printable ASCII without white space or angle brackets, and
//! used only through keyed digests.

use super::entity::Field;
use crate::report::secret::ReporterContact;
use mail_parser::HeaderValue;

/// Octets of a Message-ID (RFC 5322 section 2.1.1 bounds a line).
const MAX_ID: usize = 998;
/// Identifiers taken from one field, and references of one mail.
pub(super) const MAX_REFERENCES: usize = 100;
/// Addresses taken from one field.
const MAX_ADDRESSES: usize = 200;

/// The identifiers of a field, without angle brackets, in order; at most [`MAX_REFERENCES`], the last ones of a longer list,
/// since References ends with the nearest (RFC 5322 section 3.6.4).
pub(super) fn message_ids(text: &str) -> Vec<String> {
    let mut ids: Vec<String> =
        text.split('<').skip(1).filter_map(|rest| rest.split_once('>')).filter_map(|(id, _)| safe_id(id)).collect();
    // Some programs leave the brackets out.
    if ids.is_empty() {
        ids.extend(text.split_whitespace().filter_map(safe_id));
    }
    ids.split_off(ids.len().saturating_sub(MAX_REFERENCES))
}

fn safe_id(id: &str) -> Option<String> {
    let id = id.trim();
    let fine = (1..=MAX_ID).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_graphic() && b != b'<' && b != b'>');
    fine.then(|| id.to_owned())
}

/// The addresses of a field, groups flattened.
pub(super) fn addresses(field: Field<'_>, kind: &str) -> Vec<ReporterContact> {
    let HeaderValue::Address(list) = field.parsed(kind) else { return Vec::new() };
    list.iter()
        .filter_map(|one| {
            let address = clean(one.address()?, 320);
            let name = one.name().map(|name| clean(name, 200));
            (!address.is_empty()).then(|| ReporterContact::new(&address, name.as_deref()))
        })
        .take(MAX_ADDRESSES)
        .collect()
}

/// Without control and direction-changing characters, cut to a number of characters.
fn clean(text: &str, characters: usize) -> String {
    let hostile = |c: char| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().filter(|c| !hostile(*c)).take(characters).collect::<String>().trim().to_owned()
}

/// Whether an automatic answer may be sent to an address: the plain form of RFC 5321 section 4.1.2, in ASCII, without quoted
/// local parts, which have been used to smuggle options and second recipients past mail programs.
pub(super) fn is_plain_address(address: &str) -> bool {
    let Some((local, domain)) = address.rsplit_once('@') else { return false };
    let atom = |text: &str, more: &str| {
        !text.is_empty()
            && text.split('.').all(|label| !label.is_empty())
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '.' || more.contains(c))
    };
    address.len() <= 254
        && local.len() <= 64
        && !local.starts_with('-')
        && atom(local, "!#$%&'*+-/=?^_`{|}~")
        && atom(domain, "-")
        && domain.split('.').all(|label| !label.starts_with('-') && !label.ends_with('-'))
}
