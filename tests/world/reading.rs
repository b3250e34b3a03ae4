//! Reading what the gateway sent, as its recipient does.

use super::actors::Actor;
use super::mime;
use super::process::files_below;
use mail_parser::{MessageParser, MimeHeaders, PartType};
use std::path::Path;

/// The mails of a Maildir, in the order of their names.
pub fn maildir(folder: &Path) -> Vec<Vec<u8>> {
    let mut files = files_below(&folder.join("new"));
    files.extend(files_below(&folder.join("cur")));
    files.iter().map(|file| std::fs::read(file).unwrap()).collect()
}

/// A mail of the gateway's, opened with the recipient's own key.
pub struct Copy {
    /// As it lay in the Maildir.
    pub raw: Vec<u8>,
    /// Outer header fields.
    pub outer: Vec<(String, String)>,
    /// The decrypted entity.
    pub payload: Vec<u8>,
    /// Header fields of the decrypted entity.
    pub inner: Vec<(String, String)>,
    /// `Name: value` lines of the gateway's statement.
    pub statement: Vec<(String, String)>,
    /// The text below them.
    pub statement_text: String,
    /// What follows the statement, byte for byte.
    pub parts: Vec<Vec<u8>>,
    /// Certificates with a good signature on the payload.
    pub good_signers: Vec<String>,
    /// The OpenPGP message itself, armored.
    pub armored: Vec<u8>,
}

impl Copy {
    /// Opens a mail with somebody's own key by gpg.
    ///
    /// # Errors
    /// Why it is not a PGP/MIME mail that opens.
    pub fn open(raw: &[u8], reader: &Actor) -> Result<Self, String> {
        let (outer, _) = mime::split_entity(raw);
        let content_type = mime::field(&outer, "Content-Type").unwrap_or_default();
        if !content_type.starts_with("multipart/encrypted") {
            return Err(format!("it is {content_type}, not multipart/encrypted"));
        }
        let parts = mime::parts_of(raw);
        let [version, data] = parts.as_slice() else { return Err(format!("it has {} parts", parts.len())) };
        if !String::from_utf8_lossy(version).contains("Version: 1") {
            return Err("it has no Version: 1 part".into());
        }
        let armored = mime::split_entity(data).1.to_vec();
        let opened = reader.decrypt(&armored)?;
        let (inner, _) = mime::split_entity(&opened.payload);
        let is_mixed =
            mime::field(&inner, "Content-Type").is_some_and(|kind| kind.to_lowercase().starts_with("multipart/mixed"));
        let mut parts = if is_mixed { mime::parts_of(&opened.payload) } else { vec![opened.payload.clone()] };
        let first = text_of(&parts.remove(0));
        let (head, text) = first.split_once("\n\n").unwrap_or((&first, ""));
        let statement = head.lines().filter_map(|line| line.split_once(": "));
        Ok(Self {
            raw: raw.to_vec(),
            statement: statement.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            statement_text: text.to_owned(),
            payload: opened.payload,
            good_signers: opened.good_signers,
            inner,
            outer,
            parts,
            armored,
        })
    }

    /// An outer header field.
    pub fn outer(&self, name: &str) -> &str {
        mime::field(&self.outer, name).unwrap_or_default()
    }

    /// A header field of the encrypted entity.
    pub fn inner(&self, name: &str) -> &str {
        mime::field(&self.inner, name).unwrap_or_default()
    }

    /// The first value of this name in the statement.
    pub fn says(&self, name: &str) -> &str {
        mime::field(&self.statement, name).unwrap_or_default()
    }

    /// All values of the statement's Warning lines.
    pub fn warnings(&self) -> Vec<&str> {
        self.statement.iter().filter(|(name, _)| name == "Warning").map(|(_, value)| value.as_str()).collect()
    }

    /// Whether one of the warnings begins with this code.
    pub fn warns(&self, code: &str) -> bool {
        self.warnings().iter().any(|warning| warning.starts_with(code))
    }

    /// The case number in the statement.
    pub fn case(&self) -> &str {
        self.says("Case")
    }

    /// The Message-ID outside, without angle brackets.
    pub fn message_id(&self) -> &str {
        self.outer("Message-ID").trim_matches(['<', '>'])
    }

    /// Whether a member can read this anywhere in it, transfer encodings undone.
    pub fn shows(&self, text: &str) -> bool {
        mime::find(&self.payload, text.as_bytes()).is_some() || text_of(&self.payload).contains(text)
    }

    /// The content of an attachment of this name.
    pub fn attachment(&self, name: &str) -> Option<Vec<u8>> {
        let message = MessageParser::default().parse(&self.payload)?;
        let part = message.parts.iter().find(|part| part.attachment_name() == Some(name))?;
        Some(part.contents().to_vec())
    }

    /// Fingerprints that the signature names as intended recipients (RFC 9580 section 5.2.3.36).
    pub fn intended_recipients(&self, reader: &Actor) -> Vec<String> {
        use sequoia_openpgp::parse::Parse;
        use sequoia_openpgp::{Packet, PacketPile};
        let pile = PacketPile::from_bytes(&reader.unwrap(&self.armored)).expect("packets");
        let signatures = pile.descendants().filter_map(|packet| match packet {
            Packet::Signature(signature) => Some(signature),
            _ => None,
        });
        signatures.flat_map(|signature| signature.intended_recipients().map(|print| print.to_hex())).collect()
    }
}

/// All text in an entity, transfer encodings undone, line ends made LF.
pub fn text_of(entity: &[u8]) -> String {
    let mut all = String::new();
    let Some(message) = MessageParser::default().parse(entity) else { return all };
    for part in &message.parts {
        match &part.body {
            PartType::Text(text) | PartType::Html(text) => all.push_str(text),
            PartType::Binary(data) | PartType::InlineBinary(data) => all.push_str(&String::from_utf8_lossy(data)),
            PartType::Message(inner) => all.push_str(&text_of(inner.raw_message())),
            PartType::Multipart(_) => {}
        }
        all.push('\n');
    }
    all.replace("\r\n", "\n")
}
