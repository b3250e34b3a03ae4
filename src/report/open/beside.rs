//! Signatures in a file of their own beside the file they are over: `report.txt` and `report.txt.sig`.
//!
//! Security: such a signature says something about one file and nothing about the mail: anybody can attach a signed release of
//! somebody else's. It never covers the whole of a mail, so it makes no mail a member's and no key an answer key.

use super::dearmor::{self, Kind, Sniffed, sniff};
use super::leaf::is_only_signature;
use super::mime::Entity;
use super::verify;
use super::walk::{Frame, Walk};
use std::ops::Range;
use zeroize::Zeroizing;

/// Suffixes of signature files.
const SUFFIXES: [&str; 4] = [".sig", ".asc", ".sign", ".pgp"];

/// The file among `siblings` that this one is named after, if this one holds a signature and nothing else.
pub(super) fn signed_file(bytes: &[u8], signature: &Entity, siblings: &[Entity]) -> Option<usize> {
    let name = signature.name.as_deref().filter(|_| signature.children.is_empty())?;
    let lower = name.to_ascii_lowercase();
    let suffix = SUFFIXES.iter().find(|suffix| lower.ends_with(*suffix))?;
    let signed = name.get(..name.len() - suffix.len())?;
    let target = siblings.iter().position(|other| {
        other.children.is_empty()
            && other.range != signature.range
            && other.name.as_deref().is_some_and(|other| other.eq_ignore_ascii_case(signed))
    })?;
    let holds =
        matches!(sniff(&signature.beginning(bytes)), Sniffed::Armored(Kind::Signature) | Sniffed::BinarySignature);
    (holds && is_only_signature(&signature.decoded(bytes).0)).then_some(target)
}

impl Walk<'_, '_> {
    /// Checks a signature file over the decoded content of the file beside it, which was shown as `units`.
    pub(super) fn file_signature(&mut self, frame: Frame<'_>, signature: &Entity, file: &Entity, units: &Range<usize>) {
        self.list_part(frame, signature, false);
        if !frame.inside {
            self.pieces.push(super::walk::Piece::Clear(signature.range.clone()));
        }
        // A file that was not shown, such as one without anything in it, is not worth a verdict.
        if frame.forwarded || units.is_empty() {
            return;
        }
        let (decoded, _) = signature.decoded(frame.bytes);
        let data = match sniff(&decoded) {
            Sniffed::Armored(_) => dearmor::first(&decoded, Kind::Signature).map(|found| found.data),
            _ => Some(Zeroizing::new(decoded.to_vec())),
        };
        let (content, _) = file.decoded(frame.bytes);
        let max = self.bounds.limits.max_signatures;
        let found = data.map(|data| verify::detached(&data, &content, max)).unwrap_or_default();
        // It covers no unit of the mail: a file is not a mail.
        let nothing = units.end..units.end;
        if found.is_empty() {
            self.pending(Vec::new(), frame.inside, nothing);
        } else {
            for readings in found {
                self.pending(readings, frame.inside, nothing.clone());
            }
        }
    }
}
