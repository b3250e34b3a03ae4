//! Mail as reporters and members send it: every shape OpenPGP mail comes in, made by real gpg and sq.

use super::TEAM;
use super::actors::Actor;
use super::mime;
use std::path::{Path, PathBuf};

/// How the header fields are protected inside.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Protection {
    #[default]
    None,
    /// RFC 9788, `hp="cipher"`.
    Rfc9788,
    /// The older `protected-headers="v1"`.
    V1,
    /// A Subject field in the inner entity and nothing else.
    BareSubject,
}

/// A mail to be written; begin with [`report`].
#[derive(Clone)]
pub struct Report<'a> {
    from: Option<&'a Actor>,
    from_line: Option<String>,
    to: String,
    subject: String,
    text: String,
    attachments: Vec<(String, String, Vec<u8>)>,
    extra: Vec<String>,
    protection: Protection,
    encrypted: bool,
    signed: bool,
    nested: bool,
    inline: bool,
    tampered: bool,
    only_to: Option<Vec<PathBuf>>,
    signer: Option<&'a Actor>,
    signed_days_ago: i64,
    key_attached: bool,
}

/// A mail that was written.
pub struct Sent {
    /// All of it, as it arrives.
    pub raw: Vec<u8>,
    /// What a member must get byte for byte: the decrypted bytes, or in clear the Content-* fields and body.
    pub entity: Vec<u8>,
    /// Without angle brackets.
    pub message_id: String,
    pub subject: String,
}

/// A mail to the team.
pub fn report<'a>() -> Report<'a> {
    Report {
        from: None,
        from_line: None,
        to: TEAM.to_owned(),
        subject: "A vulnerability".to_owned(),
        text: "There is a vulnerability.".to_owned(),
        attachments: Vec::new(),
        extra: Vec::new(),
        protection: Protection::None,
        encrypted: false,
        signed: false,
        nested: false,
        inline: false,
        tampered: false,
        only_to: None,
        signer: None,
        signed_days_ago: 0,
        key_attached: false,
    }
}

impl<'a> Report<'a> {
    /// Who writes it, and whose key signs.
    pub fn from(mut self, actor: &'a Actor) -> Self {
        self.from = Some(actor);
        self
    }

    /// Another From line than the writer's own.
    pub fn claiming_to_be(mut self, line: &str) -> Self {
        self.from_line = Some(line.to_owned());
        self
    }

    /// Somebody else's signature than the writer's.
    pub fn signed_by(mut self, actor: &'a Actor) -> Self {
        self.signer = Some(actor);
        self.signed()
    }

    pub fn to(mut self, to: &str) -> Self {
        self.to = to.to_owned();
        self
    }

    pub fn about(mut self, subject: &str) -> Self {
        self.subject = subject.to_owned();
        self
    }

    pub fn saying(mut self, text: &str) -> Self {
        self.text = text.to_owned();
        self
    }

    pub fn attaching(mut self, name: &str, media_type: &str, data: &[u8]) -> Self {
        self.attachments.push((name.to_owned(), media_type.to_owned(), data.to_vec()));
        self
    }

    /// A further outer header line, without line break.
    pub fn header(mut self, line: &str) -> Self {
        self.extra.push(line.to_owned());
        self
    }

    /// In the thread of a mail with this Message-ID (without angle brackets).
    pub fn in_reply_to(self, message_id: &str) -> Self {
        self.header(&format!("In-Reply-To: <{message_id}>")).header(&format!("References: <{message_id}>"))
    }

    /// PGP/MIME (RFC 3156); with [`Report::signed`] signed inside, in one OpenPGP message.
    pub fn encrypted(mut self) -> Self {
        self.encrypted = true;
        self
    }

    pub fn signed(mut self) -> Self {
        self.signed = true;
        self
    }

    /// The signature inside is a multipart/signed of its own (RFC 1847 encapsulation).
    pub fn nested(mut self) -> Self {
        self.nested = true;
        self.signed = true;
        self.encrypted()
    }

    /// Armor in a text/plain body, each attachment encrypted by itself.
    pub fn inline(mut self) -> Self {
        self.inline = true;
        self.encrypted()
    }

    pub fn protecting(mut self, protection: Protection) -> Self {
        self.protection = protection;
        self
    }

    /// One bit of the ciphertext is turned over on the way.
    pub fn tampered(mut self) -> Self {
        self.tampered = true;
        self
    }

    /// Encrypted to these certificates and not to the gateway.
    pub fn encrypted_only_to(mut self, certificates: &[PathBuf]) -> Self {
        self.only_to = Some(certificates.to_vec());
        self.encrypted()
    }

    /// Signed some days ago.
    pub fn signed_days_ago(mut self, days: i64) -> Self {
        self.signed_days_ago = days;
        self.signed()
    }

    /// The writer's certificate in an outer Autocrypt header.
    pub fn with_autocrypt(self) -> Self {
        let actor = self.from.expect("somebody writes it");
        let key = mime::dearmor(&std::fs::read_to_string(actor.certificate()).unwrap());
        let data = mime::base64_lines(&key).replace("\r\n", "\r\n ");
        let line = format!("Autocrypt: addr={}; prefer-encrypt=mutual; keydata=\r\n {data}", actor.address);
        self.header(&line)
    }

    /// The writer's certificate attached in the payload.
    pub fn with_key_attached(mut self) -> Self {
        self.key_attached = true;
        self
    }

    /// Writes the mail; what is encrypted goes to this certificate.
    pub fn write(&self, gateway: &Path) -> Sent {
        let writer = self.from.expect("somebody writes it");
        let message_id = format!("{}@{}", mime::unique("messageidcanary"), "reporter-host.canary.example");
        let recipients = self.only_to.clone().unwrap_or_else(|| vec![gateway.to_path_buf()]);
        let signer = self.signer.unwrap_or(writer);
        let from_line = match &self.from_line {
            Some(line) => line.clone(),
            None => format!("{} <{}>", writer.display_name(), writer.address),
        };
        let encrypt = |data: &[u8], signed: bool| {
            let armored = signer.encrypt(data, &recipients, signed, self.signed_days_ago);
            if self.tampered { tamper(&armored) } else { armored }
        };
        let payload = self.payload(&from_line, &message_id);
        let (body, entity) = if self.inline {
            self.inline_body(&encrypt)
        } else if self.encrypted {
            let inside = if self.nested { sign_entity(signer, &payload) } else { payload };
            let armored = encrypt(&inside, self.signed && !self.nested);
            (encrypted_entity(&armored), inside)
        } else if self.signed {
            let signed = sign_entity(signer, &payload);
            (signed.clone(), signed)
        } else {
            (payload.clone(), payload)
        };
        let hides_subject = self.encrypted && self.protection != Protection::None;
        let subject = if hides_subject { "..." } else { &self.subject };
        let mut raw = format!(
            "Received: from receivedcanary.example by mx.example.org; Mon, 2 Nov 2026 10:00:00 +0545\r\n\
             From: {from_line}\r\nTo: {}\r\nSubject: {subject}\r\nDate: Mon, 02 Nov 2026 09:59:58 +0545\r\n\
             Message-ID: <{message_id}>\r\nUser-Agent: useragentcanary/1.0\r\n",
            self.to
        )
        .into_bytes();
        for line in &self.extra {
            raw.extend(format!("{line}\r\n").into_bytes());
        }
        raw.extend(b"MIME-Version: 1.0\r\n");
        raw.extend(body);
        Sent { raw, entity, message_id, subject: self.subject.clone() }
    }

    /// The entity that is signed or encrypted.
    fn payload(&self, from_line: &str, message_id: &str) -> Vec<u8> {
        let mut parts = vec![mime::text(&self.text)];
        parts.extend(self.attachments.iter().map(|(name, kind, data)| mime::attachment(name, kind, data)));
        if self.key_attached {
            let key = std::fs::read(self.from.unwrap().certificate()).unwrap();
            parts.push(mime::attachment("key.asc", "application/pgp-keys", &key));
        }
        let entity = if parts.len() == 1 { parts.remove(0) } else { mime::multipart("mixed", &parts) };
        if !self.encrypted {
            return entity;
        }
        let subject = format!("Subject: {}\r\n", self.subject);
        let fields = format!("{subject}From: {from_line}\r\nTo: {}\r\nMessage-ID: <{message_id}>\r\n", self.to);
        let outer = format!("HP-Outer: Subject: ...\r\nHP-Outer: From: {from_line}\r\nHP-Outer: To: {}\r\n", self.to);
        let (fields, parameter) = match self.protection {
            Protection::None => return entity,
            Protection::BareSubject => (subject, ""),
            Protection::V1 => (fields, "; protected-headers=\"v1\""),
            Protection::Rfc9788 => (fields + &outer, "; hp=\"cipher\""),
        };
        let (first_line, rest) = entity.split_at(mime::find(&entity, b"\r\n").unwrap());
        [fields.as_bytes(), first_line, parameter.as_bytes(), rest].concat()
    }

    fn inline_body(&self, encrypt: &dyn Fn(&[u8], bool) -> String) -> (Vec<u8>, Vec<u8>) {
        let text = mime::crlf(&self.text);
        let armored = mime::crlf(&encrypt(text.as_bytes(), self.signed));
        if self.attachments.is_empty() {
            return (mime::text(armored.trim_end()), text.into_bytes());
        }
        let mut parts = vec![mime::text(armored.trim_end())];
        for (name, _, data) in &self.attachments {
            let sealed = mime::dearmor(&encrypt(data, self.signed));
            parts.push(mime::attachment(&format!("{name}.pgp"), "application/octet-stream", &sealed));
        }
        (mime::multipart("mixed", &parts), text.into_bytes())
    }
}

/// multipart/encrypted around an armored message (RFC 3156 section 4).
fn encrypted_entity(armored: &str) -> Vec<u8> {
    let version = b"Content-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n".to_vec();
    let data = format!(
        "Content-Type: application/octet-stream; name=\"encrypted.asc\"\r\n\
         Content-Disposition: inline; filename=\"encrypted.asc\"\r\n\r\n{}",
        mime::crlf(armored)
    );
    mime::multipart("encrypted; protocol=\"application/pgp-encrypted\"", &[version, data.into_bytes()])
}

/// multipart/signed around an entity (RFC 3156 section 5).
fn sign_entity(signer: &Actor, entity: &[u8]) -> Vec<u8> {
    let signature = format!(
        "Content-Type: application/pgp-signature; name=\"signature.asc\"\r\n\r\n{}",
        mime::crlf(&signer.sign_detached(entity))
    );
    let parameters = "signed; micalg=pgp-sha512; protocol=\"application/pgp-signature\"";
    mime::multipart(parameters, &[entity.to_vec(), signature.into_bytes()])
}

/// The same message with one bit in its last quarter turned over, so that it lies in the encrypted data.
fn tamper(armored: &str) -> String {
    let mut data = mime::dearmor(armored);
    let at = data.len() * 3 / 4;
    data[at] ^= 0x10;
    mime::armor("MESSAGE", &data)
}
