//! OpenPGP inside text: armored messages, cleartext signatures and keys, alone or in the middle of other text.
//!
//! Security: each block is opened for itself and becomes a section of its own; text around it stays in sections marked as
//! unencrypted. A block that was quoted is opened, but said to be quoted: anybody can quote somebody else's message.

use super::super::opened::Label;
use super::super::verdict::{Refusal, Warning};
use super::dearmor::{self, Block, Kind};
use super::decrypt::{Message, Outcome};
use super::leaf::is_final;
use super::mime::Entity;
use super::text::{inline_charset, is_blank};
use super::verify;
use super::walk::{Frame, Piece, Step, Text, Walk, made};
use ring::digest::{SHA256, digest};

/// Armored blocks in one text.
const MAX_BLOCKS: usize = 50;

/// What became of a text's blocks, so far.
struct Inline<'t> {
    /// Clear text since the last encrypted block.
    clear: Vec<&'t [u8]>,
    pieces: Vec<Piece>,
    /// Texts that stood in armor without being encrypted.
    packed: Vec<Piece>,
    encrypted: bool,
    failed: bool,
}

impl Walk<'_, '_> {
    /// A text part, transfer decoding done.
    pub(super) fn text(&mut self, frame: Frame<'_>, entity: &Entity, bytes: &[u8], charset: Option<&str>) -> Step {
        if entity.media == "text/html" {
            return self.html(frame, entity, bytes);
        }
        if !entity.media.starts_with("text/plain") && !entity.media.starts_with("application/") {
            // Calendars, enriched text and the like: shown, not read, unless there is a message in it.
            if dearmor::blocks(bytes, 1).is_empty() {
                if !is_blank(bytes) {
                    self.shown_part(frame, entity);
                }
                return Ok(());
            }
        }
        let blocks = dearmor::blocks(bytes, MAX_BLOCKS);
        if blocks.is_empty() {
            self.plain_text(frame, entity, bytes, charset);
            if !is_blank(bytes) {
                self.shown_part(frame, entity);
            }
            return Ok(());
        }
        self.with_blocks(frame, entity, bytes, charset, &blocks, false)
    }

    /// HTML: its text counts only where there is no plain text, but a message in it is opened like one in plain text.
    fn html(&mut self, frame: Frame<'_>, entity: &Entity, bytes: &[u8]) -> Step {
        let text = self.html_text(entity, bytes, false);
        if text.contains("BEGIN PGP MESSAGE") {
            // As it is shown, else by the lines of its source: in <pre> those are the lines that are shown.
            let by_source = self.html_text(entity, bytes, true);
            for text in [&text, &by_source] {
                let blocks = dearmor::blocks(text.as_bytes(), MAX_BLOCKS);
                if blocks.iter().any(|block| block.kind == Kind::Message) {
                    return self.with_blocks(frame, entity, text.as_bytes(), Some("utf-8"), &blocks, true);
                }
            }
        }
        let blank = is_blank(bytes);
        self.texts.push(Text { inside: frame.inside, html: true, forwarded: frame.forwarded, text });
        if !blank {
            self.shown_part(frame, entity);
        }
        Ok(())
    }

    fn with_blocks(
        &mut self,
        frame: Frame<'_>,
        entity: &Entity,
        bytes: &[u8],
        charset: Option<&str>,
        blocks: &[Block],
        html: bool,
    ) -> Step {
        let mut state =
            Inline { clear: Vec::new(), pieces: Vec::new(), packed: Vec::new(), encrypted: false, failed: false };
        let mut at = 0;
        for block in blocks {
            let between = bytes.get(at..block.range.start).unwrap_or_default();
            self.between(frame, entity, between, charset, &mut state, html);
            at = block.range.end;
            self.block(frame, entity, bytes, charset, block, &mut state, html)?;
        }
        self.between(frame, entity, bytes.get(at..).unwrap_or_default(), charset, &mut state, html);
        flush(&mut state, charset);
        if state.encrypted {
            // Inside a payload, clear text stays where it is: in the section of the payload.
            self.pieces.extend(state.pieces.into_iter().filter(|piece| !frame.inside || !is_clear(piece)));
            if state.failed && !frame.inside {
                self.pieces.push(Piece::Unopened(entity.range.clone()));
            }
        } else {
            if !frame.inside {
                self.pieces.push(Piece::Clear(entity.range.clone()));
            }
        }
        self.pieces.extend(state.packed);
        Ok(())
    }

    /// Text around blocks.
    fn between<'t>(
        &mut self,
        frame: Frame<'_>,
        entity: &Entity,
        text: &'t [u8],
        charset: Option<&str>,
        state: &mut Inline<'t>,
        html: bool,
    ) {
        if is_blank(text) {
            return;
        }
        if html {
            let text = zeroize::Zeroizing::new(String::from_utf8_lossy(text).into_owned());
            self.texts.push(Text { inside: frame.inside, html, forwarded: frame.forwarded, text });
        } else {
            self.plain_text(frame, entity, text, charset);
        }
        self.unit(frame);
        state.clear.push(text);
    }

    #[allow(clippy::too_many_arguments, reason = "one block in its surroundings")]
    fn block<'t>(
        &mut self,
        frame: Frame<'_>,
        entity: &Entity,
        bytes: &'t [u8],
        charset: Option<&str>,
        block: &Block,
        state: &mut Inline<'t>,
        html: bool,
    ) -> Step {
        let own = dearmor::block_text(bytes, block);
        let slice = bytes.get(block.range.clone()).unwrap_or_default();
        match block.kind {
            Kind::Message => {
                let Some(found) = dearmor::dearmor(&own) else {
                    if block.quoted || html {
                        self.between(frame, entity, slice, charset, state, html);
                    } else {
                        self.failed(state, Refusal::Malformed);
                    }
                    return Ok(());
                };
                let hash: Option<[u8; 32]> = digest(&SHA256, &found.data).as_ref().try_into().ok();
                if hash.is_some_and(|hash| !self.seen.insert(hash)) {
                    return Ok(());
                }
                match self.opener.open(&found.data, frame.layer) {
                    Outcome::Encrypted(message) => {
                        if block.quoted {
                            self.warnings.insert(Warning::QuotedArmor);
                        }
                        if html {
                            self.warnings.insert(Warning::RepairedStructure);
                        }
                        state.encrypted = true;
                        flush(state, charset);
                        self.note_opened(&message);
                        let charset = inline_charset(&message.payload, found.charset.as_deref(), charset);
                        let before = self.pieces.len();
                        self.payload(frame, message, true, &charset)?;
                        state.pieces.extend(self.pieces.drain(before..));
                    }
                    Outcome::Clear(message) => self.signed_block(frame, entity, message, charset, state),
                    Outcome::Refused(refusal) if is_final(refusal) => {
                        self.cipher = true;
                        return Err(refusal);
                    }
                    Outcome::Refused(_) if block.quoted => {
                        self.between(frame, entity, slice, charset, state, html);
                    }
                    Outcome::Refused(refusal) => self.failed(state, refusal),
                }
            }
            Kind::SignedMessage => {
                let start = self.units.len();
                let opened = verify::cleartext(&own, self.bounds.limits.max_signatures);
                let (text, signatures) = match &opened {
                    Some((text, signatures)) => (text.as_slice(), signatures.as_slice()),
                    None => (&*own, &[][..]),
                };
                self.unit(frame);
                self.plain_text(frame, entity, text, charset);
                state.clear.push(slice);
                if !frame.forwarded {
                    if signatures.is_empty() {
                        self.pending(Vec::new(), frame.inside, start..self.units.len());
                    }
                    for signature in signatures {
                        let readings = signature.clone().into_iter().collect();
                        self.pending(readings, frame.inside, start..self.units.len());
                    }
                }
            }
            Kind::PublicKey | Kind::PrivateKey => {
                if let Some(found) = dearmor::dearmor(&own) {
                    self.keys(frame, &found.data);
                }
                if block.kind == Kind::PrivateKey {
                    self.warnings.insert(Warning::SecretKeyEnclosed);
                }
                state.clear.push(slice);
            }
            Kind::Signature => self.between(frame, entity, slice, charset, state, html),
        }
        Ok(())
    }

    fn failed(&mut self, state: &mut Inline<'_>, refusal: Refusal) {
        self.cipher = true;
        self.refusal.get_or_insert(refusal);
        state.encrypted = true;
        state.failed = true;
    }

    fn signed_block(
        &mut self,
        frame: Frame<'_>,
        entity: &Entity,
        message: Message,
        charset: Option<&str>,
        state: &mut Inline<'_>,
    ) {
        let start = self.units.len();
        let Message { payload, signatures } = message;
        let charset = inline_charset(&payload, None, charset);
        self.unit(frame);
        self.plain_text(frame, entity, &payload, Some(&charset));
        if !frame.forwarded {
            self.collect(signatures, start..self.units.len(), frame.inside);
        }
        // The armor says nothing to a reader: the text is shown beside it.
        let label = if frame.inside { Label::Decrypted } else { Label::Unencrypted };
        let entity = made(&format!("text/plain; charset={charset}"), "", &payload);
        state.packed.push(Piece::Made(label, entity));
    }
}

/// Turns the clear text since the last encrypted block into a piece.
fn flush(state: &mut Inline<'_>, charset: Option<&str>) {
    let text = state.clear.concat();
    state.clear.clear();
    if !is_blank(&text) {
        let charset = inline_charset(&text, None, charset);
        let entity = made(&format!("text/plain; charset={charset}"), "", &text);
        state.pieces.push(Piece::Made(Label::Unencrypted, entity));
    }
}

fn is_clear(piece: &Piece) -> bool {
    matches!(piece, Piece::Clear(_) | Piece::Made(Label::Unencrypted, _))
}
