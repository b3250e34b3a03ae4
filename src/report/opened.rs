//! What opening a mail yields. Everything readable in it stays in the plaintext room.

use super::case::CaseId;
use super::secret::{Plaintext, ReporterContact};
use super::verdict::{Encryption, Refusal, SignatureStatus, SignatureVerdict, Warning};
use sequoia_openpgp as openpgp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A mail after opening: parsed, decrypted as far as it goes, verified.
pub struct Opened {
    pub(in crate::report) encryption: Encryption,
    /// Why the mail, or its first encrypted part that failed, was not opened.
    pub(in crate::report) refusal: Option<Refusal>,
    pub(in crate::report) signatures: Vec<SignatureVerdict>,
    pub(in crate::report) warnings: BTreeSet<Warning>,
    /// The subject that members see (protected, else inner, else outer), decoded, without line breaks or control characters.
    pub(in crate::report) subject: Plaintext,
    /// What goes into a copy, in order.
    pub(in crate::report) sections: Vec<Section>,
    /// The leaf parts, for `inspect`.
    pub(in crate::report) parts: Vec<PartInfo>,
    /// The readable text of all text parts, decoded to UTF-8 (HTML only where there is no plain text, reduced to text): for
    /// the template, redaction and commands.
    pub(in crate::report) text: Plaintext,
    /// The From inside the encryption or signature, where there is a protected one.
    pub(in crate::report) inner_from: Option<ReporterContact>,
    /// Addresses in To and Cc, outer and protected ones, each once, as written in the mail; the team's own included.
    pub(in crate::report) recipients: Vec<ReporterContact>,
    /// Message-IDs in In-Reply-To and References, outer and protected ones, without angle brackets, at most 100.
    pub(in crate::report) references: Vec<String>,
    /// A case number in the subject that members see.
    pub(in crate::report) subject_case: Option<CaseId>,
    /// Certificates that came with the mail.
    pub(in crate::report) enclosed: Vec<Enclosed>,
    /// What opens the mail again without any secret key.
    pub(in crate::report) session_keys: Vec<SessionKeyRecord>,
    /// SHA-256 over the decrypted payload of the outermost encrypted message; nothing if nothing was decrypted.
    pub(in crate::report) payload_hash: Option<[u8; 32]>,
}

impl Opened {
    /// How much of it came encrypted.
    pub fn encryption(&self) -> Encryption {
        self.encryption
    }

    /// The subject that members see.
    pub fn subject(&self) -> &Plaintext {
        &self.subject
    }

    /// Whether a signature could not be checked for want of a certificate.
    pub fn has_unknown_signature(&self) -> bool {
        self.signatures.iter().any(|signature| signature.status == SignatureStatus::UnknownKey)
    }

    /// What goes into a copy.
    pub fn into_sections(self) -> Vec<Section> {
        self.sections
    }

    /// Takes back what opening found, because the mail as a whole is refused; it is handed on as it came.
    pub(in crate::report) fn refuse(&mut self, why: Refusal, mail: &Plaintext) {
        let mut entity =
            b"Content-Type: message/rfc822\r\nContent-Disposition: attachment; filename=\"as-it-came.eml\"\r\n\r\n"
                .to_vec();
        entity.extend_from_slice(mail.expose());
        self.refusal = Some(why);
        self.sections = vec![Section { label: Label::Unopened, entity: Plaintext::new(entity) }];
        self.signatures.clear();
        self.parts.clear();
        self.text = Plaintext::new(Vec::new());
        self.inner_from = None;
        self.enclosed.clear();
        self.session_keys.clear();
        self.payload_hash = None;
    }
}

/// One part of a copy after the statement.
pub struct Section {
    pub(in crate::report) label: Label,
    /// A MIME entity, header fields (may be none) and body, byte for byte as it came. Never joined with another section.
    pub(in crate::report) entity: Plaintext,
}

impl Section {
    /// Octets of the entity.
    pub fn size(&self) -> usize {
        self.entity.len()
    }
}

/// What a section is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Label {
    /// The mail's own content; unlabelled in the copy.
    Main,
    /// A decrypted attachment of an inline mail.
    Decrypted,
    /// It stood unencrypted beside an encrypted part; labelled so.
    Unencrypted,
    /// It could not be opened and is handed on as it came.
    Unopened,
}

/// A leaf part of the mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PartInfo {
    /// Media type, lower-case.
    #[serde(rename = "type")]
    pub media_type: String,
    /// File name, made harmless: no path, no control or direction-changing characters.
    pub name: Option<String>,
    /// Octets after decoding.
    pub size: usize,
    /// Whether it came encrypted.
    pub encrypted: bool,
}

/// Where a certificate stood in a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Attached in clear.
    AttachedInClear,
    /// The outer Autocrypt header.
    AutocryptInClear,
    /// Attached inside the encryption.
    AttachedInside,
    /// An Autocrypt header inside the encryption.
    AutocryptInside,
}

/// A certificate that came with a mail; it proves nothing about who wrote it.
pub struct Enclosed {
    pub(in crate::report) cert: openpgp::Cert,
    pub(in crate::report) place: Place,
}

/// The session key of one encrypted message, so that a stored mail opens again after the gateway key is gone. It lies only
/// sealed in the store.
#[derive(Serialize, Deserialize)]
pub struct SessionKeyRecord {
    /// Symmetric algorithm (RFC 9580 section 9.3); nothing for version 2 encrypted data, which names its own.
    pub(in crate::report) algorithm: Option<u8>,
    pub(in crate::report) key: zeroize::Zeroizing<Vec<u8>>,
    /// Whether only a decrypt-only key of the gateway's gave it.
    #[serde(default)]
    pub(in crate::report) old_key: bool,
}

impl SessionKeyRecord {
    pub(in crate::report) fn duplicate(&self) -> Self {
        Self { algorithm: self.algorithm, key: self.key.clone(), old_key: self.old_key }
    }
}
