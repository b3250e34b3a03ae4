//! Leaf parts: what each one is, and opening the encrypted ones, in all the places where mail programs and servers put them.
//!
//! Security: content decides, not the announced type, since servers change types. Only what is surely OpenPGP and does not
//! open is a refusal; other data that merely looks like it stays an attachment. OpenPGP data that is only signed is never
//! shown as encrypted.

use super::super::opened::Label;
use super::super::secret::Plaintext;
use super::super::verdict::{Refusal, Warning};
use super::dearmor::{self, Kind, Sniffed, sniff};
use super::decrypt::{Message, Outcome};
use super::mime::{self, Entity};
use super::text::{inline_charset, is_blank, is_openpgp_name, is_text, name_inside};
use super::verify;
use super::walk::{Frame, Piece, Step, Walk, is_control, made};
use ring::digest::{SHA256, digest};
use std::ops::Range;
use zeroize::Zeroizing;

impl Walk<'_, '_> {
    /// PGP/MIME encryption (RFC 3156 section 4), however it arrived.
    pub(super) fn multipart_encrypted(&mut self, frame: Frame<'_>, entity: &Entity) -> Step {
        if entity.parameter("protocol").is_some_and(|protocol| protocol.to_ascii_lowercase().contains("pkcs7")) {
            self.refused(frame, entity, Refusal::Smime);
            return Ok(());
        }
        let holds = |child: &&Entity| {
            child.children.is_empty()
                && !is_control(child, frame.bytes)
                && matches!(
                    sniff(&child.beginning(frame.bytes)),
                    Sniffed::Armored(Kind::Message) | Sniffed::BinaryMessage
                )
        };
        let Some(cipher) = entity.children.iter().find(holds) else {
            return self.without_cipher_part(frame, entity);
        };
        let proper = entity.children.len() == 2
            && entity.children.first().is_some_and(|child| is_control(child, frame.bytes))
            && cipher.media == "application/octet-stream";
        if !proper {
            self.warnings.insert(Warning::RepairedStructure);
        }
        let cipher = cipher.range.clone();
        for child in entity.children.iter().filter(|child| !is_control(child, frame.bytes)) {
            if child.range == cipher {
                self.leaf(Frame { announced: true, ..frame }, child)?;
            } else {
                self.entity(Frame { announced: false, ..frame }, child)?;
            }
        }
        Ok(())
    }

    /// `multipart/encrypted` without a part that holds a message: perhaps the boundary was lost, perhaps there is nothing.
    fn without_cipher_part(&mut self, frame: Frame<'_>, entity: &Entity) -> Step {
        if entity.children.is_empty()
            && let Some(found) = dearmor::first(entity.body_of(frame.bytes), Kind::Message)
        {
            self.warnings.insert(Warning::RepairedStructure);
            return self.message(Frame { announced: true, ..frame }, entity, &found.data, true);
        }
        self.refused(frame, entity, Refusal::NoCiphertext);
        Ok(())
    }

    /// A part that could not be opened: handed on as it came.
    fn refused(&mut self, frame: Frame<'_>, entity: &Entity, refusal: Refusal) {
        self.cipher = true;
        self.refusal.get_or_insert(refusal);
        if entity.children.is_empty() {
            self.list_part(frame, entity, true);
        }
        self.pieces.push(if frame.inside {
            Piece::Made(Label::Unopened, Plaintext::new(entity.bytes_of(frame.bytes).to_vec()))
        } else {
            Piece::Unopened(entity.range.clone())
        });
    }

    /// One leaf.
    pub(super) fn leaf(&mut self, frame: Frame<'_>, entity: &Entity) -> Step {
        if matches!(entity.media.as_str(), "application/pkcs7-mime" | "application/x-pkcs7-mime") {
            let kind = entity.parameter("smime-type").map(str::to_ascii_lowercase);
            if matches!(kind.as_deref(), Some("signed-data" | "certs-only" | "compressed-data")) {
                // Not readable here, but not secret either.
                self.refusal.get_or_insert(Refusal::Smime);
                self.list_part(frame, entity, false);
                self.shown_part(frame, entity);
            } else {
                self.refused(frame, entity, Refusal::Smime);
            }
            return Ok(());
        }
        if is_control(entity, frame.bytes) {
            return Ok(());
        }
        let is_text =
            entity.media.starts_with("text/") && !entity.attachment && !is_openpgp_name(entity.name.as_deref());
        if is_text && !frame.announced {
            return self.text_leaf(frame, entity);
        }
        match sniff(&entity.beginning(frame.bytes)) {
            Sniffed::Armored(Kind::Message) => {
                let (decoded, _) = entity.decoded(frame.bytes);
                match dearmor::first(&decoded, Kind::Message) {
                    Some(found) => {
                        self.message(frame, entity, &found.data, true)?;
                        self.around_message(frame, &decoded);
                        Ok(())
                    }
                    None => {
                        self.refused(frame, entity, Refusal::Malformed);
                        Ok(())
                    }
                }
            }
            Sniffed::BinaryMessage => {
                let sure = frame.announced
                    || is_openpgp_name(entity.name.as_deref())
                    || entity.media.starts_with("application/pgp");
                let (decoded, _) = entity.decoded(frame.bytes);
                self.message(frame, entity, &decoded, sure)
            }
            Sniffed::Armored(Kind::Signature) | Sniffed::BinarySignature
                if entity.media == "application/pgp-signature" && is_only_signature(&entity.decoded(frame.bytes).0) =>
            {
                self.list_part(frame, entity, false);
                Ok(())
            }
            sniffed => {
                if matches!(
                    sniffed,
                    Sniffed::Armored(Kind::PublicKey | Kind::PrivateKey)
                        | Sniffed::BinaryKey
                        | Sniffed::BinarySecretKey
                ) {
                    let (decoded, _) = entity.decoded(frame.bytes);
                    self.keys(frame, &decoded);
                }
                if is_text {
                    return self.text_leaf(frame, entity);
                }
                self.list_part(frame, entity, false);
                self.shown_part(frame, entity);
                Ok(())
            }
        }
    }

    /// Text that somebody put around the armor of an encrypted part: shown apart, like any text beside it.
    fn around_message(&mut self, frame: Frame<'_>, decoded: &[u8]) {
        let around = dearmor::around(decoded, Kind::Message);
        if self.cipher && !frame.inside && !is_blank(&around) {
            self.unit(frame);
            let media = format!("text/plain; charset={}", inline_charset(&around, None, None));
            self.pieces.push(Piece::Made(Label::Unencrypted, made(&media, "", &around)));
        }
    }

    fn text_leaf(&mut self, frame: Frame<'_>, entity: &Entity) -> Step {
        let (decoded, clean) = entity.decoded(frame.bytes);
        if !clean {
            self.warnings.insert(Warning::BadEncoding);
        }
        self.list_part(frame, entity, false);
        self.text(frame, entity, &decoded, entity.parameter("charset"))
    }

    /// Tries a message that stands in a part of its own. `sure`: it cannot be anything else.
    fn message(&mut self, frame: Frame<'_>, entity: &Entity, data: &[u8], sure: bool) -> Step {
        match self.opener.open(data, frame.layer) {
            Outcome::Encrypted(message) => self.opened_message(frame, entity, message),
            Outcome::Clear(message) => {
                self.list_part(frame, entity, false);
                self.signed_only(frame, entity, message)
            }
            Outcome::Refused(refusal) if is_final(refusal) => {
                self.cipher = true;
                Err(refusal)
            }
            Outcome::Refused(Refusal::Malformed) if !sure => {
                self.list_part(frame, entity, false);
                self.shown_part(frame, entity);
                Ok(())
            }
            Outcome::Refused(refusal) => {
                self.refused(frame, entity, refusal);
                Ok(())
            }
        }
    }

    fn opened_message(&mut self, frame: Frame<'_>, entity: &Entity, message: Message) -> Step {
        self.note_opened(&message);
        let is_mail = has_mime_fields(&message.payload);
        if frame.announced || is_mail {
            if !frame.announced || entity.media != "application/octet-stream" {
                self.warnings.insert(Warning::RepairedStructure);
            }
            let charset = inline_charset(&message.payload, None, None);
            return self.payload(frame, message, true, &charset);
        }
        let name = name_inside(entity.name.as_deref());
        let is_text = is_text(&message.payload);
        let charset = inline_charset(&message.payload, None, None);
        if is_text && name.as_deref().is_none_or(is_name_of_nothing) {
            // The text of a mail whose program sent it as an attachment.
            self.warnings.insert(Warning::RepairedStructure);
            return self.payload(frame, message, true, &charset);
        }
        // An encrypted file.
        let inner = Frame { inside: true, ..frame };
        let Message { payload, signatures } = message;
        if matches!(
            sniff(payload.get(..payload.len().min(4096)).unwrap_or_default()),
            Sniffed::Armored(Kind::PublicKey | Kind::PrivateKey) | Sniffed::BinaryKey | Sniffed::BinarySecretKey
        ) {
            self.keys(inner, &payload);
        }
        let media =
            if is_text { format!("text/plain; charset={charset}") } else { "application/octet-stream".to_owned() };
        self.parts.push(super::super::opened::PartInfo {
            media_type: media.split(';').next().unwrap_or(&media).to_owned(),
            name: name.clone(),
            size: payload.len(),
            encrypted: true,
        });
        let start = self.units.len();
        self.unit(inner);
        if !frame.forwarded {
            self.collect(signatures, start..self.units.len(), true);
        }
        let disposition = disposition(name.as_deref());
        self.pieces.push(Piece::Made(Label::Decrypted, made(&media, &disposition, &payload)));
        Ok(())
    }

    /// What is true of every decrypted message.
    pub(super) fn note_opened(&mut self, message: &Message) {
        self.cipher = true;
        self.opened = true;
        if self.payload_hash.is_none() {
            self.payload_hash = digest(&SHA256, &message.payload).as_ref().try_into().ok();
        }
    }

    /// An OpenPGP message that is signed (or only packed), not encrypted: shown, and never as encrypted.
    pub(super) fn signed_only(&mut self, frame: Frame<'_>, entity: &Entity, message: Message) -> Step {
        let start = self.units.len();
        let Message { payload, signatures } = message;
        self.unit(frame);
        let charset = inline_charset(&payload, None, entity.parameter("charset"));
        let is_text = is_text(&payload);
        if is_text {
            self.plain_text(frame, entity, &payload, Some(&charset));
        }
        if !frame.forwarded {
            self.collect(signatures, start..self.units.len(), frame.inside);
        }
        let media =
            if is_text { format!("text/plain; charset={charset}") } else { "application/octet-stream".to_owned() };
        let label = if frame.inside { Label::Decrypted } else { Label::Unencrypted };
        self.pieces.push(Piece::Made(label, made(&media, "", &payload)));
        if !frame.inside {
            self.pieces.push(Piece::Clear(entity.range.clone()));
        }
        Ok(())
    }

    /// The second part of a `multipart/signed` (RFC 3156 section 5), over the first. Whether it was a signature.
    pub(super) fn detached_signature(
        &mut self,
        frame: Frame<'_>,
        content: &Entity,
        signature: &Entity,
        covers: Range<usize>,
    ) -> bool {
        let (decoded, _) = signature.decoded(frame.bytes);
        let announced = signature.media == "application/pgp-signature";
        let data = match sniff(&decoded) {
            Sniffed::Armored(Kind::Signature) => dearmor::first(&decoded, Kind::Signature).map(|found| found.data),
            Sniffed::BinarySignature => Some(Zeroizing::new(decoded.to_vec())),
            _ => None,
        };
        if data.is_none() && !announced {
            return false;
        }
        if frame.forwarded {
            return true;
        }
        let max = self.bounds.limits.max_signatures;
        let found = data.map(|data| verify::detached(&data, content.bytes_of(frame.bytes), max)).unwrap_or_default();
        if found.is_empty() {
            self.pending(Vec::new(), frame.inside, covers);
        } else {
            for readings in found {
                self.pending(readings, frame.inside, covers.clone());
            }
        }
        if !announced {
            self.warnings.insert(Warning::RepairedStructure);
        }
        // Without a signature in it, it is something else under a false name, and is shown.
        is_blank(&decoded) || is_only_signature(&decoded)
    }
}

/// Whether a signature part holds nothing to read beside the signature.
pub(super) fn is_only_signature(decoded: &[u8]) -> bool {
    match sniff(decoded) {
        Sniffed::Armored(Kind::Signature) => is_blank(&dearmor::around(decoded, Kind::Signature)),
        sniffed => sniffed == Sniffed::BinarySignature,
    }
}

/// Bounds that concern the whole mail.
pub(super) fn is_final(refusal: Refusal) -> bool {
    matches!(
        refusal,
        Refusal::TooDeep | Refusal::TooLarge | Refusal::TooManyRecipients | Refusal::TooManyParts | Refusal::TooSlow
    )
}

fn has_mime_fields(payload: &[u8]) -> bool {
    let block = payload.get(..payload.len().min(64 * 1024)).unwrap_or_default();
    mime::has_mime_fields(block)
}

/// Names that mail programs give to an encrypted text.
fn is_name_of_nothing(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["encrypted", "msg", "message", "noname", "openpgp_encrypted_message", "pgp", "mail", "body", "pgpmessage"]
        .iter()
        .any(|known| name == *known || name.strip_suffix(".txt") == Some(known))
}

/// A Content-Disposition line for a harmless name (RFC 2231 where it is not ASCII).
fn disposition(name: Option<&str>) -> String {
    let Some(name) = name else { return "Content-Disposition: attachment\r\n".to_owned() };
    if name.is_ascii() {
        let safe: String = name.chars().filter(|c| !matches!(c, '"' | '\\')).collect();
        return format!("Content-Disposition: attachment; filename=\"{safe}\"\r\n");
    }
    let mut encoded = String::new();
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    format!("Content-Disposition: attachment;\r\n filename*=utf-8''{encoded}\r\n")
}
