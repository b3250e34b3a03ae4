//! Walks a mail's parts, opens what is encrypted, and sorts what it finds.
//!
//! Security: what was encrypted and what was not never end up in the same section, so that no part in clear can pull
//! decrypted text into a context of its own (EFAIL). What a signature covers is counted in shown units, so that text beside
//! a signed part makes the signature partial. Forwarded mails are content: their signatures say nothing about this mail.

use super::super::opened::{Enclosed, Label, PartInfo, Place};
use super::super::secret::Plaintext;
use super::super::verdict::{Refusal, Warning};
use super::certs;
use super::decrypt::{Message, Opener};
use super::mime::{self, Bounds, Entity};
use super::protect::{self, Protected};
use super::text::to_utf8;
use super::verify::Pending;
use mail_parser::decoders::html::html_to_text;
use sequoia_openpgp::packet::Signature;
use std::collections::{BTreeSet, HashSet};
use std::ops::Range;
use zeroize::Zeroizing;

/// One stretch of bytes that is taken apart: the mail itself, or a decrypted payload.
#[derive(Clone, Copy)]
pub(super) struct Frame<'b> {
    pub bytes: &'b [u8],
    /// Whether it came out of encryption.
    pub inside: bool,
    /// Encryption layers around it.
    pub layer: usize,
    /// Whether it belongs to a forwarded mail.
    pub forwarded: bool,
    /// Whether a sibling announced the encrypted part of a PGP/MIME mail.
    pub announced: bool,
}

/// Something that may become a section.
pub(super) enum Piece {
    /// A part of the mail as it came.
    Clear(Range<usize>),
    /// The same, but it could not be opened.
    Unopened(Range<usize>),
    /// An entity of its own.
    Made(Label, Plaintext),
}

/// Readable text.
pub(super) struct Text {
    pub inside: bool,
    pub html: bool,
    /// Out of a forwarded mail.
    pub forwarded: bool,
    pub text: Zeroizing<String>,
}

/// All that was found so far.
pub(super) struct Walk<'o, 'a> {
    pub opener: &'o mut Opener<'a>,
    pub bounds: Bounds<'a>,
    pub parts: Vec<PartInfo>,
    pub pieces: Vec<Piece>,
    pub texts: Vec<Text>,
    pub signatures: Vec<Pending>,
    pub enclosed: Vec<Enclosed>,
    pub warnings: BTreeSet<Warning>,
    pub refusal: Option<Refusal>,
    pub protected: Option<Protected>,
    pub payload_hash: Option<[u8; 32]>,
    /// Whether anything came encrypted, and whether any of it was opened.
    pub cipher: bool,
    pub opened: bool,
    /// Things shown (non-empty texts, attachments), in order: whether each came encrypted.
    pub units: Vec<bool>,
    /// Whether the mail's own content was met already.
    pub has_main: bool,
    /// Units of the present frame alone.
    pub own_units: usize,
    /// Messages in text that were opened already: an HTML twin repeats them.
    pub seen: HashSet<[u8; 32]>,
}

/// A walk goes on (`Ok`), or the whole mail is refused.
pub(super) type Step = Result<(), Refusal>;

impl<'o, 'a> Walk<'o, 'a> {
    pub(super) fn new(opener: &'o mut Opener<'a>, parts: usize) -> Self {
        let bounds = Bounds { limits: opener.limits, parts };
        Self {
            opener,
            bounds,
            parts: Vec::new(),
            pieces: Vec::new(),
            texts: Vec::new(),
            signatures: Vec::new(),
            enclosed: Vec::new(),
            warnings: BTreeSet::new(),
            refusal: None,
            protected: None,
            payload_hash: None,
            cipher: false,
            opened: false,
            units: Vec::new(),
            has_main: false,
            own_units: 0,
            seen: HashSet::new(),
        }
    }

    /// Takes one entity apart.
    pub(super) fn entity(&mut self, frame: Frame<'_>, entity: &Entity) -> Step {
        if self.opener.is_late() {
            return Err(Refusal::TooSlow);
        }
        match entity.media.as_str() {
            "multipart/encrypted" => self.multipart_encrypted(frame, entity),
            "multipart/signed" if entity.children.len() >= 2 => self.multipart_signed(frame, entity),
            // A server has taken the signed mail apart (Exchange does): the pair is still there.
            "multipart/mixed" if is_former_signed(entity) => {
                self.warnings.insert(Warning::RepairedStructure);
                self.multipart_signed(frame, entity)
            }
            "multipart/alternative" => self.alternative(frame, entity),
            _ if !entity.children.is_empty() && entity.is_multipart() => self.children(frame, entity, &entity.children),
            _ if !entity.children.is_empty() => {
                // A forwarded mail: content, whose own signatures are not this mail's.
                let forwarded = Frame { forwarded: true, announced: false, ..frame };
                let before = self.pieces.len();
                entity.children.iter().try_for_each(|child| self.entity(forwarded, child))?;
                self.gather(frame, entity, before);
                Ok(())
            }
            _ => self.leaf(frame, entity),
        }
    }

    /// Walks children of one multipart.
    pub(super) fn children(&mut self, frame: Frame<'_>, entity: &Entity, children: &[Entity]) -> Step {
        let announced = children.iter().any(|child| is_control(child, frame.bytes));
        let (before, refused, messages) = (self.pieces.len(), self.refusal, self.opener.messages);
        let inner = Frame { announced, ..frame };
        children.iter().try_for_each(|child| self.entity(inner, child))?;
        if announced && self.opener.messages > messages {
            // Outside of multipart/encrypted only a server puts such a pair.
            self.warnings.insert(Warning::RepairedStructure);
        }
        if announced && self.opener.messages == messages && self.refusal == refused {
            // It says that the next part is encrypted, and none is.
            self.cipher = true;
            self.refusal.get_or_insert(Refusal::NoCiphertext);
        }
        self.gather(frame, entity, before);
        Ok(())
    }

    /// Where all of a multipart came in clear, it stays together: one piece, byte for byte, and checkable.
    fn gather(&mut self, frame: Frame<'_>, entity: &Entity, before: usize) {
        let new = self.pieces.get(before..).unwrap_or_default();
        if !frame.inside && !new.is_empty() && new.iter().all(|piece| matches!(piece, Piece::Clear(_))) {
            self.pieces.truncate(before);
            self.pieces.push(Piece::Clear(entity.range.clone()));
        }
    }

    fn alternative(&mut self, frame: Frame<'_>, entity: &Entity) -> Step {
        let start = self.texts.len();
        self.children(frame, entity, &entity.children)?;
        let new = self.texts.get(start..).unwrap_or_default();
        if new.iter().any(|text| !text.html && !text.text.trim().is_empty()) {
            let mut index = 0;
            self.texts.retain(|text| {
                index += 1;
                index <= start || !text.html
            });
        }
        Ok(())
    }

    fn multipart_signed(&mut self, frame: Frame<'_>, entity: &Entity) -> Step {
        let (Some(content), Some(signature), rest) =
            (entity.children.first(), entity.children.get(1), entity.children.get(2..).unwrap_or_default())
        else {
            return self.leaf(frame, entity);
        };
        let smime = entity.parameter("protocol").is_some_and(|protocol| protocol.to_lowercase().contains("pkcs7"));
        if smime {
            return self.children(frame, entity, &entity.children);
        }
        let before = self.pieces.len();
        let start = self.units.len();
        self.entity(Frame { announced: false, ..frame }, content)?;
        let covers = start..self.units.len();
        let is_signature = self.detached_signature(frame, content, signature, covers);
        if !is_signature {
            self.entity(Frame { announced: false, ..frame }, signature)?;
        }
        rest.iter().try_for_each(|child| self.entity(Frame { announced: false, ..frame }, child))?;
        self.gather(frame, entity, before);
        Ok(())
    }

    /// Takes a payload apart that came out of encryption. `as_main`: it is a mail's content, not an attachment.
    /// `charset`: of a payload that is bare text.
    pub(super) fn payload(&mut self, frame: Frame<'_>, message: Message, as_main: bool, charset: &str) -> Step {
        let Message { payload, signatures } = message;
        let (before, start, own) = (self.pieces.len(), self.units.len(), std::mem::take(&mut self.own_units));
        let met = self.signatures.len();
        let label = if as_main && !frame.forwarded && !self.has_main { Label::Main } else { Label::Decrypted };
        let inner = Frame { bytes: &payload, inside: true, layer: frame.layer + 1, announced: false, ..frame };
        let mut root = mime::parse(&payload, 0..payload.len(), frame.layer, &mut self.bounds)?;
        let bare = !root.has_mime_fields;
        if !bare && as_main && !frame.forwarded {
            let mut found = protect::read(&payload, &root, true);
            let keys = found.as_mut().map(|found| std::mem::take(&mut found.fields.autocrypt));
            self.autocrypt(&keys.unwrap_or_default(), Place::AutocryptInside);
            let better = found.as_ref().is_some_and(|found| found.marked);
            if better || self.protected.as_ref().is_none_or(|known| !known.marked && !known.encrypted) {
                self.protected = found.or(self.protected.take());
            }
        }
        if bare {
            // Text without header fields: nothing of it is a header, whatever it looks like.
            root.body = root.range.clone();
            self.list_part(inner, &root, true);
            self.text(inner, &root, &payload, Some(charset))?;
        } else {
            self.entity(inner, &root)?;
        }
        if !frame.forwarded {
            // They stand before those that were met further inside.
            let further = self.signatures.split_off(met);
            self.collect(signatures, start..self.units.len(), true);
            self.signatures.extend(further);
            self.signatures.truncate(self.bounds.limits.max_signatures);
        }
        // The payload is nothing but another encrypted message, which was opened: what that held is the content.
        let replaced = self.own_units == 0 && self.pieces.len() > before;
        self.own_units = own;
        if !replaced {
            self.has_main |= label == Label::Main;
            let piece = Piece::Made(label, as_entity(payload, bare.then_some(charset)));
            self.pieces.insert(before.min(self.pieces.len()), piece);
        }
        Ok(())
    }

    /// Keeps the signatures of a message for the verdict.
    pub(super) fn collect(&mut self, met: Vec<super::decrypt::Met>, covers: Range<usize>, inside_frame: bool) {
        for one in met {
            let inside = one.inside || inside_frame;
            self.pending(one.signature.into_iter().collect(), inside, covers.clone());
        }
    }

    pub(super) fn pending(&mut self, readings: Vec<Signature>, inside: bool, covers: Range<usize>) {
        if self.signatures.len() < self.bounds.limits.max_signatures {
            self.signatures.push(Pending { readings, inside, covers });
        }
    }

    /// Something that is shown.
    pub(super) fn unit(&mut self, frame: Frame<'_>) {
        self.units.push(frame.inside);
        self.own_units += 1;
    }

    /// Something shown, which came as it is.
    pub(super) fn shown_part(&mut self, frame: Frame<'_>, entity: &Entity) {
        self.unit(frame);
        if !frame.inside {
            self.pieces.push(Piece::Clear(entity.range.clone()));
        }
    }

    pub(super) fn list_part(&mut self, frame: Frame<'_>, entity: &Entity, encrypted: bool) {
        self.parts.push(PartInfo {
            media_type: entity.media.clone(),
            name: entity.name.clone(),
            size: entity.decoded_size(frame.bytes),
            encrypted: frame.inside || encrypted,
        });
    }

    /// Text without anything to open in it.
    pub(super) fn plain_text(&mut self, frame: Frame<'_>, entity: &Entity, bytes: &[u8], charset: Option<&str>) {
        let (text, clean) = to_utf8(bytes, charset);
        if !clean {
            self.warnings.insert(Warning::BadEncoding);
        }
        if protect::is_header_part(entity) {
            return;
        }
        let text = if entity.parameter("hp-legacy-display") == Some("1") {
            Zeroizing::new(protect::without_legacy_display(&text).to_owned())
        } else {
            text
        };
        self.texts.push(Text { inside: frame.inside, html: false, forwarded: frame.forwarded, text });
    }

    /// HTML, reduced to text; `by_source` with the line breaks of its source besides its own.
    pub(super) fn html_text(&mut self, entity: &Entity, bytes: &[u8], by_source: bool) -> Zeroizing<String> {
        let (html, clean) = to_utf8(bytes, entity.parameter("charset"));
        if !clean {
            self.warnings.insert(Warning::BadEncoding);
        }
        let html = if by_source { Zeroizing::new(html.replace('\n', "<br>")) } else { html };
        Zeroizing::new(html_to_text(&html))
    }

    /// Certificates and secret keys in an attachment or a text.
    pub(super) fn keys(&mut self, frame: Frame<'_>, data: &[u8]) {
        let room = self.bounds.limits.max_certificates.saturating_sub(self.enclosed.len());
        let found = certs::read_keys(data, room.max(1));
        if found.secret {
            self.warnings.insert(Warning::SecretKeyEnclosed);
        }
        if frame.forwarded {
            return;
        }
        let place = if frame.inside { Place::AttachedInside } else { Place::AttachedInClear };
        self.enclosed.extend(found.certs.into_iter().take(room).map(|cert| Enclosed { cert, place }));
    }

    /// Takes the certificates of Autocrypt fields.
    pub(super) fn autocrypt(&mut self, values: &[Zeroizing<String>], place: Place) {
        for value in values {
            if self.enclosed.len() >= self.bounds.limits.max_certificates {
                return;
            }
            self.enclosed.extend(certs::read_autocrypt(value).map(|cert| Enclosed { cert, place }));
        }
    }
}

/// The control part of RFC 3156 section 4: `Version: 1` and nothing else.
pub(super) fn is_control(entity: &Entity, bytes: &[u8]) -> bool {
    entity.media == "application/pgp-encrypted"
        && entity.body.len() < 1024
        && String::from_utf8_lossy(&entity.decoded(bytes).0)
            .lines()
            .all(|line| line.trim().is_empty() || line.trim().to_ascii_lowercase().starts_with("version:"))
}

fn is_former_signed(entity: &Entity) -> bool {
    entity.children.len() == 2
        && entity.children.get(1).is_some_and(|child| child.media == "application/pgp-signature")
        && entity.children.first().is_some_and(|child| child.media != "multipart/signed")
}

/// A decrypted payload as a MIME entity: byte for byte, with a header block before it only if it has none.
fn as_entity(mut payload: Zeroizing<Vec<u8>>, bare: Option<&str>) -> Plaintext {
    match bare {
        None => Plaintext::new(std::mem::take(&mut *payload)),
        Some(charset) => made(&format!("text/plain; charset={charset}"), "", &payload),
    }
}

/// An entity of our own making around `body`.
pub(super) fn made(media: &str, more: &str, body: &[u8]) -> Plaintext {
    let head = format!("Content-Type: {media}\r\nContent-Transfer-Encoding: 8bit\r\n{more}\r\n");
    let mut entity = Vec::with_capacity(head.len() + body.len());
    entity.extend_from_slice(head.as_bytes());
    entity.extend_from_slice(body);
    Plaintext::new(entity)
}
