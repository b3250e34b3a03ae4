//! Opens a mail: every shape that OpenPGP mail comes in, decrypted as far as it goes, and a verdict on it.
//!
//! The parts: [`mime`] splits, [`walk`] goes through the parts, [`leaf`] and [`inline`] find what is to be opened,
//! [`dearmor`] and [`decrypt`] open it, [`certs`] and [`verify`] judge signatures, [`protect`] and [`text`] read header
//! fields and text.
//!
//! Security: the mail is hostile. Everything is bounded (`Limits`), opening never fails but refuses, and a refusal releases
//! nothing that was decrypted on the way to it. Nothing here formats what the mail says.

mod certs;
mod dearmor;
mod decrypt;
mod inline;
mod leaf;
mod mime;
mod protect;
mod reduce;
mod text;
mod timed;
mod transfer;
mod verify;
mod walk;

use super::case::CaseId;
use super::keyring::Keyring;
use super::limits::Limits;
use super::opened::{Label, Opened, Place, Section, SessionKeyRecord};
use super::secret::{Plaintext, ReporterContact};
use super::verdict::{Encryption, Intended, Refusal, SignatureStatus, SignatureVerdict, Warning};
use decrypt::Opener;
use jiff::Timestamp;
use mime::{Bounds, Entity};
use protect::Fields;
use std::collections::BTreeSet;
use walk::{Frame, Piece, Walk};
use zeroize::Zeroizing;

pub(in crate::report) use reduce::without_large_parts;

/// Message-IDs taken from one mail.
const MAX_REFERENCES: usize = 100;

/// What opening a mail needs to know.
pub struct OpenRequest<'a> {
    /// The gateway's keys, the members, the known certificates.
    pub keyring: &'a Keyring,
    /// What the mail may cost.
    pub limits: &'a Limits,
    /// When the mail was received: the time at which keys and signatures are judged.
    pub received: Timestamp,
    /// The answer key of the case, if the mail belongs to one that has one.
    pub case_key: Option<&'a sequoia_openpgp::Cert>,
    /// Session keys from an earlier opening of the same mail; with them no secret key is needed.
    pub session_keys: &'a [SessionKeyRecord],
    /// Prefix of case numbers, to find one in the subject.
    pub case_prefix: &'a str,
}

/// Opens a mail. It cannot fail: what cannot be opened is refused with a reason and kept as it came.
pub fn open(mail: &Plaintext, request: &OpenRequest<'_>) -> Opened {
    let bytes = mail.expose();
    let mut opener = Opener::new(request.keyring, request.limits, request.received, request.session_keys, bytes.len());
    let mut bounds = Bounds { limits: request.limits, parts: 0 };
    let root = if text::is_blank(bytes) {
        Err(Refusal::Empty)
    } else if bytes.len() as u64 > request.limits.max_size {
        Err(Refusal::TooLarge)
    } else {
        mime::parse(bytes, 0..bytes.len(), 0, &mut bounds)
    };
    let mut walk = Walk::new(&mut opener, bounds.parts);
    let (outer, result) = match &root {
        Ok(root) => {
            let outer = root.fields(bytes).map(|message| Fields::read(&message)).unwrap_or_default();
            walk.autocrypt(&outer.autocrypt, Place::AutocryptInClear);
            walk.protected = protect::read(bytes, root, false).filter(|found| found.marked);
            let frame = Frame { bytes, inside: false, layer: 0, forwarded: false, announced: false };
            // A fault in a parser must cost one mail, not the gateway.
            let whole = std::panic::AssertUnwindSafe(|| walk.entity(frame, root));
            let result = std::panic::catch_unwind(whole).unwrap_or(Err(Refusal::Malformed));
            (outer, result)
        }
        Err(refusal) => (Fields::default(), Err(*refusal)),
    };
    if let Err(refusal) = result {
        walk.forget(refusal, mime::announces_encryption(bytes));
    }
    walk.finish(bytes, root.as_ref().ok(), outer, request)
}

impl Walk<'_, '_> {
    /// A bound was met: the mail is refused as a whole, and nothing that was opened is used.
    fn forget(&mut self, refusal: Refusal, announced: bool) {
        self.refusal = Some(refusal);
        self.cipher |= announced;
        self.units.clear();
        self.pieces.clear();
        self.texts.clear();
        self.signatures.clear();
        self.enclosed.clear();
        self.parts.clear();
        self.protected = None;
        self.payload_hash = None;
        self.opened = false;
    }

    fn finish(mut self, bytes: &[u8], root: Option<&Entity>, outer: Fields, request: &OpenRequest<'_>) -> Opened {
        let encryption = match (self.cipher, self.units.contains(&false)) {
            (false, _) => Encryption::None,
            (true, false) => Encryption::Complete,
            (true, true) => Encryption::Partial,
        };
        self.warn_of(encryption, &outer);
        let signatures = self.judge(&outer, request);
        if self.enclosed.iter().any(|one| certs::replaces_known(&one.cert, request.keyring, request.case_key)) {
            self.warnings.insert(Warning::KeyReplacement);
        }
        let believed = self.believed(&signatures);
        let subject = subject(&outer, self.protected.as_ref(), believed);
        let subject_case = CaseId::find_in(&subject, request.case_prefix);
        let inner = self.protected.take().filter(|_| believed).filter(|found| found.marked);
        let inner = inner.map(|found| found.fields).unwrap_or_default();
        let Fields { from: inner_from, recipients: inner_recipients, references: inner_references, .. } = inner;
        let inner_from = inner_from.into_iter().next();
        if let Some(inner) = &inner_from
            && !outer.from.iter().any(|from| from.address().eq_ignore_ascii_case(inner.address()))
        {
            self.warnings.insert(Warning::FromMismatch);
        }
        if self.opener.sessions.iter().any(|session| session.old_key) {
            self.warnings.insert(Warning::OldKey);
        }
        let text = self.joined_text();
        let sections = self.sections(bytes, root);
        if self.refusal.is_some() && self.opened {
            self.warnings.insert(Warning::NotOpened);
        }
        Opened {
            encryption,
            refusal: self.refusal,
            signatures,
            warnings: std::mem::take(&mut self.warnings),
            subject: Plaintext::from_text(&subject),
            sections,
            parts: std::mem::take(&mut self.parts),
            text,
            inner_from,
            recipients: distinct(outer.recipients.into_iter().chain(inner_recipients)),
            references: distinct_references(outer.references.into_iter().chain(inner_references)),
            subject_case,
            enclosed: std::mem::take(&mut self.enclosed),
            session_keys: std::mem::take(&mut self.opener.sessions),
            payload_hash: self.payload_hash,
        }
    }

    fn warn_of(&mut self, encryption: Encryption, outer: &Fields) {
        match encryption {
            Encryption::None if self.refusal != Some(Refusal::Empty) => {
                self.warnings.insert(Warning::InClear);
            }
            Encryption::Partial => {
                self.warnings.insert(Warning::UnencryptedPart);
            }
            _ => {}
        }
        if outer.several_from {
            self.warnings.insert(Warning::SeveralFrom);
        }
        if outer.duplicates {
            self.warnings.insert(Warning::DuplicateHeader);
        }
    }

    /// Judges all signatures, now that every certificate of the mail is known.
    fn judge(&mut self, outer: &Fields, request: &OpenRequest<'_>) -> Vec<SignatureVerdict> {
        let candidates = certs::candidates(request.keyring, request.case_key, &self.enclosed);
        let inner = self.protected.iter().filter(|found| found.marked).flat_map(|found| &found.fields.from);
        let senders: BTreeSet<_> = outer.from.iter().chain(inner).map(|from| from.address().to_lowercase()).collect();
        let mut warnings = BTreeSet::new();
        let mut verdicts = Vec::new();
        for pending in &self.signatures {
            let whole = self.is_whole(pending);
            let judged = verify::judge(pending, whole, &candidates, request.keyring, request.received);
            let verdict = judged.verdict;
            match verdict.status {
                SignatureStatus::Bad => {
                    warnings.insert(Warning::BadSignature);
                }
                SignatureStatus::Partial => {
                    warnings.insert(Warning::PartlySigned);
                }
                _ => {}
            }
            let valid = matches!(verdict.status, SignatureStatus::Good | SignatureStatus::Partial);
            if valid && verdict.intended == Intended::Others {
                warnings.insert(Warning::IntendedForOthers);
            }
            if valid
                && let Some(cert) = judged.cert
                && !certs::addresses(cert).iter().any(|address| senders.contains(address))
            {
                warnings.insert(Warning::SignerIsNotSender);
            }
            verdicts.push(verdict);
        }
        self.warnings.extend(warnings);
        verdicts
    }

    /// Whether a signature covers all of the payload: of an encrypted mail everything that came encrypted, since what stood
    /// beside it is shown apart from it and labelled; of another mail everything.
    fn is_whole(&self, pending: &verify::Pending) -> bool {
        let mut units = self.units.iter().enumerate().filter(|(_, encrypted)| **encrypted || !pending.inside);
        units.all(|(index, _)| pending.covers.contains(&index))
    }

    /// Fields inside a signature alone count only if the signature holds.
    fn believed(&self, signatures: &[SignatureVerdict]) -> bool {
        self.protected.as_ref().is_some_and(|found| found.encrypted)
            || signatures.iter().any(|one| matches!(one.status, SignatureStatus::Good | SignatureStatus::Partial))
    }

    /// The mail's own text. What stood in clear beside something that was decrypted is not part of it: nobody on the way can
    /// add a word to a command or a draft. A forwarded mail's text counts where there is nothing else.
    fn joined_text(&mut self) -> Plaintext {
        let texts = std::mem::take(&mut self.texts);
        let mine = |forwarded| {
            let texts = texts.iter().filter(move |text| text.forwarded == forwarded);
            texts.filter(|text| text.inside == self.opened && !text.text.trim().is_empty()).collect::<Vec<_>>()
        };
        let mut chosen = mine(false);
        if chosen.is_empty() {
            chosen = mine(true);
        }
        let length = chosen.iter().map(|text| text.text.len() + 1).sum();
        let mut joined = Zeroizing::new(Vec::with_capacity(length));
        for text in chosen {
            if !joined.is_empty() && !joined.ends_with(b"\n") {
                joined.push(b'\n');
            }
            joined.extend_from_slice(text.text.as_bytes());
        }
        Plaintext::new(std::mem::take(&mut *joined))
    }

    fn sections(&mut self, bytes: &[u8], root: Option<&Entity>) -> Vec<Section> {
        let pieces = std::mem::take(&mut self.pieces);
        let Some(root) = root.filter(|_| !matches!(self.refusal, Some(refusal) if leaf::is_final(refusal))) else {
            return if self.refusal == Some(Refusal::Empty) { Vec::new() } else { vec![whole_mail(bytes)] };
        };
        let mut sections = Vec::new();
        if !self.cipher {
            sections.push(Section { label: Label::Main, entity: content_of(bytes, root) });
        } else if !self.opened {
            sections.push(whole_mail(bytes));
        }
        for piece in pieces {
            let section = match piece {
                Piece::Clear(_) if !self.cipher => continue,
                Piece::Unopened(_) if !self.opened => continue,
                Piece::Made(label, entity) => Section { label, entity },
                Piece::Clear(range) => Section { label: Label::Unencrypted, entity: part_of(bytes, root, range) },
                Piece::Unopened(range) => Section { label: Label::Unopened, entity: part_of(bytes, root, range) },
            };
            sections.push(section);
        }
        // The mail's own content first.
        sections.sort_by_key(|section| section.label != Label::Main);
        sections
    }
}

/// The mail as it came, as a forwarded mail.
fn whole_mail(bytes: &[u8]) -> Section {
    let head: &[u8] = b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: 8bit\r\n\
        Content-Disposition: attachment; filename=\"unopened.eml\"\r\n\r\n";
    Section { label: Label::Unopened, entity: Plaintext::new([head, bytes].concat()) }
}

/// A mail's content without what is about its transport: its MIME fields and its body, byte for byte.
fn content_of(bytes: &[u8], root: &Entity) -> Plaintext {
    let fields = mime::mime_fields(bytes.get(root.range.start..root.body.start).unwrap_or_default());
    let body = root.body_of(bytes);
    // Without MIME fields it is text; what is UTF-8 by its looks can be read if that is said (RFC 6532 came after such mail).
    let bare = fields == b"\r\n" && !body.is_ascii() && std::str::from_utf8(body).is_ok();
    let said: &[u8] = match bare {
        true => b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n",
        false => b"",
    };
    Plaintext::new([said, fields.as_slice(), body].concat())
}

fn part_of(bytes: &[u8], root: &Entity, range: std::ops::Range<usize>) -> Plaintext {
    if range == root.range {
        return content_of(bytes, root);
    }
    Plaintext::new(bytes.get(range).unwrap_or_default().to_vec())
}

/// The subject members see: the protected one, else the inner one where the outer says nothing, else the outer.
fn subject(outer: &Fields, protected: Option<&protect::Protected>, believed: bool) -> Zeroizing<String> {
    let outer = outer.subject.clone().unwrap_or_default();
    let Some(found) = protected else { return outer };
    match &found.fields.subject {
        Some(inner) if (found.marked && believed) || text::is_placeholder(&outer) => inner.clone(),
        _ => outer,
    }
}

fn distinct(contacts: impl Iterator<Item = ReporterContact>) -> Vec<ReporterContact> {
    let mut seen = BTreeSet::new();
    contacts.filter(|contact| seen.insert(contact.address().to_lowercase())).collect()
}

fn distinct_references(references: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    references.filter(|id| seen.insert(id.clone())).take(MAX_REFERENCES).collect()
}

#[cfg(test)]
mod fixture_tests;
#[cfg(test)]
mod fuzzed_tests;
#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod shapes_tests;
#[cfg(test)]
mod signature_tests;
