//! Mails whose header fields stand inside signature or encryption (RFC 9788, and the older `protected-headers="v1"`), in every
//! order of layers, marked well, badly or not at all, with what must become of the subject.

use crate::message::{self, Plan};
use crate::parts::field;
use arbitrary::Arbitrary;
use openpgp::armor::Kind;
use sequoia_openpgp as openpgp;

/// What the subject outside begins with, if it says anything.
pub const OUTER: &str = "outerquokka";
/// What the subject inside begins with.
pub const INNER: &str = "innerquokka";

#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layer {
    Encrypted {
        one: u8,
    },
    /// By Eve, Alice or Carol; the latter two are known.
    Signed {
        who: u8,
        bad: bool,
    },
    Mixed {
        first: bool,
    },
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Mark {
    Cipher,
    Clear,
    CapitalCipher,
    Unknown,
    V1,
    Both,
    None,
}

#[derive(Arbitrary, Clone, Copy, Debug)]
enum Legacy {
    None,
    Parameter,
    /// A first part with the fields, as Enigmail sent.
    Part,
    /// The same, as text/plain.
    TextPart,
    Html,
}

#[derive(Arbitrary, Clone, Debug)]
enum Outside {
    Placeholder(u8),
    Said(String),
    Missing,
}

#[derive(Arbitrary, Debug)]
pub struct Letter {
    outside: Outside,
    outer_from: u8,
    layers: Vec<Layer>,
    mark: Mark,
    legacy: Legacy,
    subject: Option<String>,
    /// The inner subject is an encoded word.
    encoded: bool,
    inner_from: u8,
    more: Vec<(u8, String)>,
    text: String,
}

/// What is known of the subject that members see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    Inner,
    Outer,
    Either,
}

const PLACEHOLDERS: [&str; 6] = ["...", "[...]", "Encrypted Message", "(encrypted)", "", "no subject"];
const SENDERS: [&str; 4] = [
    "Eve Mallory <eve.mallory@redbrick-labs.example>",
    "Carol Knownly <carol@known.example>",
    "Alice Liddell <alice@members.example>",
    "\"vmt@kata.example\" <other@far.example>",
];
const NAMES: [&str; 12] = [
    "HP-Outer: Subject:",
    "HP-Outer: From:",
    "HP-Outer:",
    "Subject:",
    "From:",
    "To:",
    "Message-ID:",
    "References:",
    "Date:",
    "Autocrypt:",
    "Cc:",
    "Content-Type:",
];

impl Letter {
    /// The mail.
    pub fn write(&self) -> openpgp::Result<Vec<u8>> {
        let mut entity = self.payload();
        for (number, layer) in self.layers().iter().enumerate().rev() {
            entity = around(&entity, *layer, &format!("layer-{number}"))?;
        }
        let subject = match &self.outside {
            Outside::Placeholder(which) => {
                format!("Subject: {}\r\n", PLACEHOLDERS[usize::from(*which) % PLACEHOLDERS.len()])
            }
            Outside::Said(more) => format!("Subject: {OUTER} {}\r\n", field(more)),
            Outside::Missing => String::new(),
        };
        let from = SENDERS[usize::from(self.outer_from) % SENDERS.len()];
        let head = format!("From: {from}\r\nTo: vmt@kata.example\r\n{subject}MIME-Version: 1.0\r\n");
        // Without a layer the payload's fields are the mail's own.
        Ok(if self.layers().is_empty() { entity } else { [head.into_bytes(), entity].concat() })
    }

    pub fn layers(&self) -> &[Layer] {
        &self.layers[..self.layers.len().min(4)]
    }

    fn payload(&self) -> Vec<u8> {
        let mark = match self.mark {
            Mark::Cipher => "; hp=\"cipher\"",
            Mark::Clear => "; hp=clear",
            Mark::CapitalCipher => "; HP=\"CIPHER\"",
            Mark::Unknown => "; hp=\"maybe\"",
            Mark::V1 => "; protected-headers=\"v1\"",
            Mark::Both => ";\r\n hp=\"cipher\"; protected-headers=\"v1\"",
            Mark::None => "",
        };
        let mut fields = String::new();
        if let Some(subject) = self.subject() {
            fields.push_str(&format!("Subject: {subject}\r\n"));
        }
        fields.push_str(&format!("From: {}\r\n", SENDERS[usize::from(self.inner_from) % SENDERS.len()]));
        for (name, value) in self.more.iter().take(20) {
            fields.push_str(&format!("{} {}\r\n", NAMES[usize::from(*name) % NAMES.len()], field(value)));
        }
        let text = field(&self.text);
        let of_text = |extra: &str, before: &str| {
            format!("Content-Type: text/plain; charset=utf-8{extra}\r\n\r\n{before}{text}\r\n")
        };
        let legacy = format!("Subject: {}\r\n\r\n", self.subject().unwrap_or_default());
        let parts = match self.legacy {
            Legacy::None => return format!("{fields}{}", of_text(mark, "")).into_bytes(),
            Legacy::Parameter => {
                let extra = format!("{mark}; hp-legacy-display=\"1\"");
                return format!("{fields}{}", of_text(&extra, &legacy)).into_bytes();
            }
            Legacy::Part => [
                format!("Content-Type: text/rfc822-headers; protected-headers=\"v1\"\r\n\r\n{legacy}"),
                of_text("", ""),
            ],
            Legacy::TextPart => {
                [format!("Content-Type: text/plain; protected-headers=\"v1\"\r\n\r\n{legacy}"), of_text("", "")]
            }
            Legacy::Html => [
                of_text("; hp-legacy-display=1", &legacy),
                format!("Content-Type: text/html; hp-legacy-display=\"1\"\r\n\r\n<div>{legacy}</div>{text}\r\n"),
            ],
        };
        format!(
            "{fields}Content-Type: multipart/mixed; boundary=\"of-payload\"{mark}\r\n\r\n--of-payload\r\n{}\r\n\
             --of-payload\r\n{}\r\n--of-payload--\r\n",
            parts[0], parts[1]
        )
        .into_bytes()
    }

    fn subject(&self) -> Option<String> {
        let more = field(self.subject.as_deref()?);
        Some(match self.encoded {
            false => format!("{INNER} {more}"),
            true => {
                let bytes: String =
                    format!("{INNER} {more}").bytes().take(40).map(|byte| format!("={byte:02X}")).collect();
                format!("=?utf-8?Q?{bytes}?=")
            }
        })
    }

    /// Whether everything is as a mail program makes it, so that it is known what must be read from it.
    fn is_plain(&self) -> bool {
        // A field that stands twice, or a type that another one follows, is for the program to choose.
        self.more.iter().take(20).all(|(name, _)| NAMES[usize::from(*name) % NAMES.len()].starts_with("HP-Outer"))
            && !self.layers().iter().skip(1).any(|layer| matches!(layer, Layer::Mixed { .. }))
            && self.layers().iter().all(|layer| !matches!(layer, Layer::Mixed { first: false }))
    }

    /// Whether the fields inside are marked as protected, and so that it counts.
    fn is_marked(&self) -> bool {
        matches!(self.mark, Mark::Cipher | Mark::Clear | Mark::CapitalCipher | Mark::V1 | Mark::Both)
            && !matches!(self.legacy, Legacy::Part | Legacy::TextPart)
    }

    fn is_encrypted(&self) -> bool {
        self.layers().iter().any(|layer| matches!(layer, Layer::Encrypted { .. }))
    }

    fn layers_of_encryption(&self) -> usize {
        self.layers().iter().filter(|layer| matches!(layer, Layer::Encrypted { .. })).count()
    }

    /// What must be shown as the subject.
    pub fn expected(&self) -> Subject {
        let says = matches!(self.outside, Outside::Said(_));
        if self.layers().is_empty() || !self.is_plain() || self.layers_of_encryption() > 1 {
            return Subject::Either;
        }
        if self.is_encrypted() && self.is_marked() && self.subject.is_some() {
            return Subject::Inner;
        }
        // Nobody known stands for what is inside.
        let stood_for = |layer: &Layer| matches!(layer, Layer::Signed { who, bad: false } if who % 3 != 0);
        if says && !self.is_encrypted() && !self.layers().iter().any(stood_for) {
            return Subject::Outer;
        }
        Subject::Either
    }

    /// Whether the senders inside and outside differ where both count; nothing where that is not known.
    pub fn senders_differ(&self) -> Option<bool> {
        let address = |which: u8| SENDERS[usize::from(which) % SENDERS.len()];
        let known = self.expected() == Subject::Inner;
        known.then(|| address(self.outer_from) != address(self.inner_from))
    }
}

fn around(entity: &[u8], layer: Layer, boundary: &str) -> openpgp::Result<Vec<u8>> {
    let several = |kind: &str, parts: &[&[u8]]| {
        let mut out = format!("Content-Type: multipart/{kind}; boundary=\"{boundary}\"\r\n\r\n").into_bytes();
        for part in parts {
            out.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
            out.extend_from_slice(part);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        out
    };
    Ok(match layer {
        Layer::Encrypted { one } => {
            let plan = Plan { old: false, layers: 1, raw: false, ..Plan::new(one, 0) };
            let message = message::armored(Kind::Message, &message::encrypted(entity, plan)?, &[])?;
            let cipher = [b"Content-Type: application/octet-stream\r\n\r\n", &message[..]].concat();
            several(
                "encrypted; protocol=\"application/pgp-encrypted\"",
                &[b"Content-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n", &cipher],
            )
        }
        Layer::Signed { who, bad } => {
            let over = if bad { [entity, b"!"].concat() } else { entity.to_vec() };
            let signature = message::signature(&over, Plan::new(1 + who % 3, 0))?;
            let part = [b"Content-Type: application/pgp-signature\r\n\r\n", &signature[..]].concat();
            several("signed; protocol=\"application/pgp-signature\"", &[entity, &part])
        }
        Layer::Mixed { first } => {
            let footer = b"Content-Type: text/plain\r\n\r\nA footer.\r\n";
            if first { several("mixed", &[entity, footer]) } else { several("mixed", &[footer, entity]) }
        }
    })
}
