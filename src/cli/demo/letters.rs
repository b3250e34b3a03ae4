//! The mails of the demo, as a reporter's mail program writes them: PGP/MIME (RFC 3156) or in clear.
//!
//! Security: made-up texts about a made-up product. One bit of one message is turned over on purpose, to show what becomes of
//! mail that was tampered with.

use super::people::{self, Person};
use base64::Engine;
use jiff::Timestamp;
use sequoia_openpgp as openpgp;

use openpgp::Cert;
use openpgp::serialize::Serialize;

/// A mail to be written.
pub(super) struct Letter {
    /// In one word or two.
    pub(super) kind: &'static str,
    pub(super) subject: &'static str,
    pub(super) text: &'static str,
    /// Words of the text that stand nowhere else; they are looked for where they must not be.
    pub(super) canary: &'static str,
    pub(super) attachment: Option<(&'static str, &'static str)>,
    pub(super) encrypted: bool,
    pub(super) signed: bool,
    pub(super) tampered: bool,
    /// The reporter's certificate in the header, as some mail programs send it (Autocrypt).
    pub(super) autocrypt: bool,
}

const PLAIN: Letter = Letter {
    kind: "in clear",
    subject: "",
    text: "",
    canary: "",
    attachment: None,
    encrypted: false,
    signed: false,
    tampered: false,
    autocrypt: false,
};

/// Words of the attachment of [`SIGNED`].
pub(super) const ATTACHED: &str = "Queues 4097 descriptors";

/// How the telephone number of the demo's reporter is written.
pub(super) const PHONE: &str = "+1 202 555 0143";

pub(super) const SIGNED: Letter = Letter {
    kind: "signed and encrypted",
    subject: "Guest escape through the virtqueue",
    text: "Component: runtime\nAffected: >= 3.0.0, < 3.2.1\nCWE: CWE-787\n\
           CVSS: CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H\n\n\
           A guest can write past the end of the virtqueue ring and run code on the host.\n\
           The attached script shows it. I have told nobody else.\n\n\
           -- \nRita Reese, +1 202 555 0143\n",
    canary: "past the end of the virtqueue ring",
    attachment: Some(("crash.sh", "#!/bin/sh\n# Queues 4097 descriptors, which is one more than the ring has.\n")),
    encrypted: true,
    signed: true,
    autocrypt: true,
    ..PLAIN
};

pub(super) const UNSIGNED: Letter = Letter {
    kind: "encrypted, not signed",
    subject: "Agent follows symbolic links",
    text: "A symbolic link in a shared folder leads the agent out of the sandbox, to any file\nof the host.\n",
    canary: "leads the agent out of the sandbox",
    encrypted: true,
    ..PLAIN
};

pub(super) const CLEAR: Letter = Letter {
    subject: "Access tokens in a log",
    text: "The log of the agent can be read by every user of the host, and access tokens are\nin it.\n",
    canary: "can be read by every user of the host",
    ..PLAIN
};

pub(super) const TAMPERED: Letter = Letter {
    kind: "tampered with",
    subject: "Snapshots leak memory",
    text: "A restored snapshot holds 64 KiB of the memory of another guest.\n",
    canary: "64 KiB of the memory of another guest",
    encrypted: true,
    signed: true,
    tampered: true,
    ..PLAIN
};

pub(super) const REPLY: Letter = Letter {
    kind: "reply",
    subject: "Re: Your mail was received",
    text: "One more thing: the fix of last week does not cover packed rings.\n",
    canary: "does not cover packed rings",
    encrypted: true,
    signed: true,
    ..PLAIN
};

pub(super) const SECOND: Letter = Letter {
    kind: "signed and encrypted",
    subject: "Image names lead out of the cache",
    text: "Hello, this is Rita Reese; my page is https://reporter.example/~rita.\n\n\
           An image name such as ../../etc/passwd leads out of the image cache, so that\n\
           a pull overwrites any file of the host. Seen in 3.1.4.\n\n\
           Write to rita@reporter.example or call +1 202 555 0143.\n\n\
           -- \nRita Reese\n",
    canary: "leads out of the image cache",
    encrypted: true,
    signed: true,
    autocrypt: true,
    ..PLAIN
};

/// A mail that was written.
pub(super) struct Written {
    /// As it arrives.
    pub(super) raw: Vec<u8>,
    /// The armored message in it, if it is encrypted.
    pub(super) armored: Option<String>,
}

impl Letter {
    /// Writes it as `from`'s mail program does, in the thread of `reply_to` (a Message-ID with its brackets).
    pub(super) fn write(
        &self,
        from: &Person,
        address: &str,
        to: &Cert,
        reply_to: Option<&str>,
    ) -> anyhow::Result<Written> {
        let now = Timestamp::now();
        // Mail programs hide the subject in the encryption, and write three dots outside.
        let outside = if self.encrypted { "..." } else { self.subject };
        let mut raw = format!(
            "From: {} <{}>\r\nTo: {address}\r\nSubject: {outside}\r\nDate: {}\r\nMessage-ID: <{}@reporter.example>\r\n",
            from.name,
            from.address,
            jiff::fmt::rfc2822::to_string(&now.to_zoned(jiff::tz::TimeZone::UTC))?,
            now.as_nanosecond(),
        )
        .into_bytes();
        if let Some(id) = reply_to {
            raw.extend(format!("In-Reply-To: {id}\r\nReferences: {id}\r\n").into_bytes());
        }
        if self.autocrypt {
            let mut key = Vec::new();
            // Without its secret parts, which are never serialized this way.
            from.cert.serialize(&mut key)?;
            raw.extend(format!("Autocrypt: addr={}; keydata=\r\n{}\r\n", from.address, folded(&key)).into_bytes());
        }
        raw.extend_from_slice(b"MIME-Version: 1.0\r\n");
        if !self.encrypted {
            raw.extend(self.inside().into_bytes());
            return Ok(Written { raw, armored: None });
        }
        let mut message = people::encrypt(to, self.signed.then_some(from), self.inside().as_bytes())?;
        if self.tampered {
            // One bit in the last quarter, which is ciphertext.
            let at = message.len() - message.len() / 4;
            if let Some(octet) = message.get_mut(at) {
                *octet ^= 0x10;
            }
        }
        let armored = people::armor(&message)?;
        let body = armored.replace("\r\n", "\n").replace('\n', "\r\n");
        raw.extend(
            format!(
                "Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\";\r\n boundary=\"outer\"\r\n\r\n\
                 --outer\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n\r\n\
                 --outer\r\nContent-Type: application/octet-stream; name=\"encrypted.asc\"\r\n\r\n{body}\r\n--outer--\r\n"
            )
            .into_bytes(),
        );
        Ok(Written { raw, armored: Some(armored) })
    }

    /// What is encrypted: text and attachment as a MIME entity, the subject in its header, as Thunderbird writes it (protected
    /// headers, version 1, on a multipart/mixed). In a mail in clear just the text.
    pub(super) fn inside(&self) -> String {
        let text = self.text.replace('\n', "\r\n");
        let text = format!("Content-Type: text/plain; charset=utf-8\r\n\r\n{text}");
        if !self.encrypted {
            return text;
        }
        let attachment = self.attachment.map(|(name, content)| {
            let content = base64::engine::general_purpose::STANDARD.encode(content);
            format!(
                "--inner\r\nContent-Type: text/x-shellscript; name=\"{name}\"\r\nContent-Transfer-Encoding: base64\r\n\
                 Content-Disposition: attachment; filename=\"{name}\"\r\n\r\n{content}\r\n"
            )
        });
        format!(
            "Subject: {}\r\nContent-Type: multipart/mixed; boundary=\"inner\"; protected-headers=\"v1\"\r\n\r\n\
             --inner\r\n{text}\r\n{}--inner--\r\n",
            self.subject,
            attachment.unwrap_or_default()
        )
    }
}

/// Base64 in header lines of 76 characters.
fn folded(bytes: &[u8]) -> String {
    let encoded = base64::engine::general_purpose::STANDARD.encode(bytes);
    let mut lines = String::new();
    for (position, character) in encoded.chars().enumerate() {
        if position % 75 == 0 {
            lines.push_str(if position == 0 { " " } else { "\r\n " });
        }
        lines.push(character);
    }
    lines
}
