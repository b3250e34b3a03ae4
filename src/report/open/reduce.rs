//! Makes a mail smaller for a server that cannot take its size: its text and small parts stay byte for byte, the large
//! attachments are listed by name, size and hash.
//!
//! Security: what is kept keeps its label, so nothing that came in clear moves beside what came encrypted. What is left out is
//! named in one harmless line each. A signature over the whole can no longer be checked by members; what the gateway judged of
//! it stands in the statement.

use super::super::compose::{boundary, one_line};
use super::super::limits::Limits;
use super::super::opened::Section;
use super::super::secret::Plaintext;
use super::mime::{Bounds, Entity, parse};
use ring::digest::{SHA256, digest};
use std::io;

/// A part of at most this many octets is not large.
const SMALL: usize = 64 * 1024;
/// Text of at most this many octets stays, whatever it is called.
const TEXT: usize = 512 * 1024;
/// Octets kept of one mail.
const KEPT: usize = 1024 * 1024;

/// What is left of a mail, and what is not.
pub(in crate::report) struct Reduced {
    pub(in crate::report) sections: Vec<Section>,
    /// One line for each part that was left out: name, media type, octets after decoding, SHA-256 of those.
    pub(in crate::report) left_out: Vec<String>,
}

/// Leaves the large attachments out.
///
/// # Errors
/// When there is no randomness for a boundary.
pub(in crate::report) fn without_large_parts(sections: &[Section], limits: &Limits) -> io::Result<Reduced> {
    let mut reduced = Reduced { sections: Vec::new(), left_out: Vec::new() };
    let mut room = KEPT;
    for section in sections {
        let bytes = section.entity.expose();
        let mut kept: Vec<&[u8]> = Vec::new();
        match parse(bytes, 0..bytes.len(), 0, &mut Bounds { limits, parts: 0 }) {
            Ok(entity) => sift(bytes, &entity, &mut room, &mut kept, &mut reduced.left_out),
            Err(_) => reduced.left_out.push(line(None, "message/rfc822", bytes)),
        }
        let entity = match kept.as_slice() {
            [] => continue,
            [all] if all.len() == bytes.len() => Plaintext::new(all.to_vec()),
            parts => joined(parts)?,
        };
        reduced.sections.push(Section { label: section.label, entity });
    }
    Ok(reduced)
}

/// Keeps an entity as it is if it is small, else looks into it.
fn sift<'b>(bytes: &'b [u8], entity: &Entity, room: &mut usize, kept: &mut Vec<&'b [u8]>, left_out: &mut Vec<String>) {
    let size = entity.range.len();
    let is_text = entity.media.starts_with("text/") && !entity.attachment;
    if (size <= SMALL || (is_text && size <= TEXT)) && size <= *room {
        *room -= size;
        kept.push(entity.bytes_of(bytes));
    } else if entity.is_multipart() && !entity.children.is_empty() {
        for child in &entity.children {
            sift(bytes, child, room, kept, left_out);
        }
    } else {
        left_out.push(line(entity.name.as_deref(), &entity.media, &entity.decoded(bytes).0));
    }
}

fn line(name: Option<&str>, media: &str, content: &[u8]) -> String {
    let name = one_line(name.unwrap_or("without a name"), 60);
    let media = one_line(media, 40);
    let hash = hex::encode(digest(&SHA256, content));
    format!("Left out: {} ({}), {} octets, SHA-256 {hash}", &*name, &*media, content.len())
}

/// A multipart of these entities, each byte for byte.
fn joined(parts: &[&[u8]]) -> io::Result<Plaintext> {
    let boundary = boundary(parts.iter().copied())?;
    let mut entity = format!("Content-Type: multipart/mixed; boundary=\"{boundary}\"\r\n").into_bytes();
    entity.reserve(parts.iter().map(|part| part.len() + boundary.len() + 8).sum::<usize>() + boundary.len() + 16);
    for part in parts {
        entity.extend_from_slice(format!("\r\n--{boundary}\r\n").as_bytes());
        entity.extend_from_slice(part);
    }
    entity.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    Ok(Plaintext::new(entity))
}

#[cfg(test)]
#[path = "reduce_tests.rs"]
mod tests;
