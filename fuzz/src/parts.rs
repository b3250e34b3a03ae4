//! Trees of MIME parts, made by a fuzzer and written as a mail. Every part holds a word of its own, by which it can be told
//! whether it stood in clear and where it went.

use crate::message::{self, Plan};
use arbitrary::{Arbitrary, Unstructured};
use openpgp::armor::Kind;
use sequoia_openpgp as openpgp;

/// Levels of a tree; the program's own bound lies above some of them.
const DEEP: usize = 7;

/// A part.
#[derive(Debug)]
pub enum Part {
    Text { charset: u8, coding: Coding, html: bool, before: String },
    File { name: String, extended: bool, media: u8, coding: Coding },
    Several { kind: u8, boundary: Boundary, around: bool, closed: bool, parts: Vec<Part> },
    Mail { subject: String, part: Box<Part> },
    Encrypted { dress: Dress, one: u8, other: u8, part: Box<Part> },
    Signed { bad: bool, one: u8, part: Box<Part> },
    Key { secret: bool },
    Raw(Vec<u8>),
}

#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Coding {
    None,
    Base64,
    Quoted,
    /// A name that nobody knows.
    Unknown,
}

/// How a delimiter is chosen.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum Boundary {
    Own,
    /// The same as that of the multipart around it.
    OfParent,
    /// One that the outer delimiter begins with.
    Prefix,
    Empty,
    Long,
}

/// What stands around the ciphertext.
#[derive(Arbitrary, Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dress {
    /// RFC 3156.
    Proper,
    /// As Exchange leaves it.
    Mixed,
    /// The control part is missing.
    Bare,
    Inline,
    InlineQuoted,
    AttachedArmored,
    AttachedBinary,
    /// In the text of an HTML part.
    Html,
}

impl<'a> Arbitrary<'a> for Part {
    fn arbitrary(input: &mut Unstructured<'a>) -> arbitrary::Result<Self> {
        Self::at(input, 0)
    }
}

impl Part {
    fn at(input: &mut Unstructured<'_>, depth: usize) -> arbitrary::Result<Self> {
        let kinds = if depth >= DEEP { 4 } else { 10 };
        let inner = |input: &mut Unstructured<'_>| Self::at(input, depth + 1).map(Box::new);
        Ok(match input.int_in_range(0..=kinds - 1)? {
            0 | 4 => Self::Text {
                charset: input.arbitrary()?,
                coding: input.arbitrary()?,
                html: input.ratio(1, 4)?,
                before: input.arbitrary()?,
            },
            1 => Self::File {
                name: input.arbitrary()?,
                extended: input.arbitrary()?,
                media: input.arbitrary()?,
                coding: input.arbitrary()?,
            },
            2 => Self::Key { secret: input.ratio(1, 8)? },
            3 => Self::Raw(input.arbitrary()?),
            5 | 6 => {
                let count = input.int_in_range(0..=4)?;
                Self::Several {
                    kind: input.arbitrary()?,
                    boundary: if input.ratio(3, 4)? { Boundary::Own } else { input.arbitrary()? },
                    around: input.arbitrary()?,
                    closed: input.ratio(7, 8)?,
                    parts: (0..count).map(|_| Self::at(input, depth + 1)).collect::<Result<_, _>>()?,
                }
            }
            7 => Self::Mail { subject: input.arbitrary()?, part: inner(input)? },
            8 => Self::Encrypted {
                dress: input.arbitrary()?,
                one: input.arbitrary()?,
                other: input.arbitrary()?,
                part: inner(input)?,
            },
            _ => Self::Signed { bad: input.arbitrary()?, one: input.arbitrary()?, part: inner(input)? },
        })
    }
}

/// A word that stands in one part.
pub struct Word {
    pub word: String,
    /// Whether it stood inside encryption.
    pub encrypted: bool,
    /// As it stands in the part, after transfer encoding.
    pub needle: Vec<u8>,
}

/// Writes parts, and keeps the words.
#[derive(Default)]
pub struct Writer {
    pub words: Vec<Word>,
    boundaries: usize,
    /// Whether something stands in it whose ends are not what they seem: words may be lost with it, as in any mail program.
    pub odd: bool,
    /// Encryption layers around the present part.
    layers: usize,
    pub most_layers: usize,
}

const CHARSETS: [&str; 10] = [
    "utf-8",
    "us-ascii",
    "iso-8859-1",
    "iso-2022-jp",
    "shift_jis",
    "euc-kr",
    "gb18030",
    "windows-1251",
    "utf-16",
    "x-none",
];
const KINDS: [&str; 8] = [
    "mixed",
    "mixed",
    "alternative",
    "related",
    "digest",
    "signed",
    "encrypted",
    "report; report-type=delivery-status",
];
const MEDIA: [&str; 8] = [
    "application/octet-stream",
    "image/png",
    "text/x-patch",
    "application/pgp-signature",
    "application/pgp-encrypted",
    "application/pkcs7-mime",
    "application/pgp-keys",
    "text/calendar",
];

impl Writer {
    fn word(&mut self, coding: Coding) -> Vec<u8> {
        // Letters only, so that nothing takes it for a number or an address.
        let number = self.words.len();
        let letters: String = [number / 26 % 26, number % 26].map(|at| char::from(b'a' + at as u8)).iter().collect();
        let encrypted = self.layers > 0;
        let word = format!("{}{letters}quokka", if encrypted { "inner" } else { "outer" });
        let needle = match coding {
            Coding::Base64 => base64_text(word.as_bytes()).into_bytes(),
            _ => word.clone().into_bytes(),
        };
        self.words.push(Word { word, encrypted, needle: needle.clone() });
        needle
    }

    fn boundary(&mut self, how: Boundary, parent: &str) -> String {
        self.boundaries += 1;
        let own = format!("b{}", self.boundaries);
        self.odd |= !matches!(how, Boundary::Own);
        match how {
            Boundary::Own => format!("{own}-"),
            Boundary::OfParent if !parent.is_empty() => parent.to_owned(),
            Boundary::Prefix => parent.get(..parent.len() / 2).unwrap_or("b").to_owned(),
            Boundary::Empty => String::new(),
            Boundary::Long => own.repeat(40),
            Boundary::OfParent => own,
        }
    }

    /// Writes a part: header and body.
    pub fn write(&mut self, part: &Part, parent: &str) -> openpgp::Result<Vec<u8>> {
        Ok(match part {
            Part::Text { charset, coding, html, before } => {
                let media = if *html { "text/html" } else { "text/plain" };
                let charset = CHARSETS[usize::from(*charset) % CHARSETS.len()];
                let word = self.word(*coding);
                let before = field(before);
                // What is before the word may switch the character set, or open an HTML comment.
                let text = match coding {
                    Coding::Base64 => String::from_utf8_lossy(&word).into_owned(),
                    _ => format!("{before}\r\n\r\n{}\r\n", String::from_utf8_lossy(&word)),
                };
                format!("Content-Type: {media}; charset={charset}\r\n{}\r\n{text}", coding.line()).into_bytes()
            }
            Part::File { name, extended, media, coding } => {
                let word = self.word(*coding);
                let name = field(name);
                let name = match extended {
                    true => format!("filename*=utf-8''{}", percent(&name)),
                    false => format!("filename=\"{name}\""),
                };
                let media = MEDIA[usize::from(*media) % MEDIA.len()];
                self.odd |= media.contains("pgp") || media.contains("pkcs7");
                format!(
                    "Content-Type: {media}\r\nContent-Disposition: attachment; {name}\r\n{}\r\n{}\r\n",
                    coding.line(),
                    String::from_utf8_lossy(&word)
                )
                .into_bytes()
            }
            Part::Key { secret } => {
                [b"Content-Type: application/pgp-keys\r\n\r\n".to_vec(), message::key(*secret)?].concat()
            }
            Part::Raw(bytes) => {
                self.odd = true;
                bytes.clone()
            }
            Part::Mail { subject, part } => {
                let head = format!("Content-Type: message/rfc822\r\n\r\nSubject: {}\r\n", field(subject));
                [head.into_bytes(), self.write(part, parent)?].concat()
            }
            Part::Several { kind, boundary, around, closed, parts } => {
                self.several(*kind, *boundary, *around, *closed, parts, parent)?
            }
            Part::Signed { bad, one, part } => self.signed(*bad, *one, part)?,
            Part::Encrypted { dress, one, other, part } => {
                let plan = Plan { raw: false, layers: 1, ..Plan::new(*one, *other) };
                self.layers += 1;
                self.most_layers = self.most_layers.max(self.layers);
                let inner = self.write(part, "");
                self.layers -= 1;
                let message = message::encrypted(&inner?, plan)?;
                self.dressed(*dress, &message)?
            }
        })
    }

    fn several(
        &mut self,
        kind: u8,
        boundary: Boundary,
        around: bool,
        closed: bool,
        parts: &[Part],
        parent: &str,
    ) -> openpgp::Result<Vec<u8>> {
        let boundary = self.boundary(boundary, parent);
        let kind = KINDS[usize::from(kind) % KINDS.len()];
        self.odd |= !closed || matches!(kind, "signed" | "encrypted" | "digest");
        let mut out = format!("Content-Type: multipart/{kind}; boundary=\"{boundary}\"\r\n\r\n").into_bytes();
        if around {
            out.extend_from_slice(b"A preamble.\r\n");
        }
        for part in parts {
            out.extend_from_slice(format!("--{boundary}\r\n").as_bytes());
            out.extend_from_slice(&self.write(part, &boundary)?);
            out.extend_from_slice(b"\r\n");
        }
        if closed {
            out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        }
        if around {
            out.extend_from_slice(b"An epilogue.\r\n");
        }
        Ok(out)
    }

    fn signed(&mut self, bad: bool, one: u8, part: &Part) -> openpgp::Result<Vec<u8>> {
        let boundary = self.boundary(Boundary::Own, "");
        let content = self.write(part, &boundary)?;
        let over = if bad { [&content, &b" "[..]].concat() } else { content.clone() };
        let signature = message::signature(&over, Plan::new(one, 0))?;
        let mut out = format!(
            "Content-Type: multipart/signed; protocol=\"application/pgp-signature\"; boundary=\"{boundary}\"\r\n\r\n\
             --{boundary}\r\n"
        )
        .into_bytes();
        out.extend_from_slice(&content);
        out.extend_from_slice(
            format!("\r\n--{boundary}\r\nContent-Type: application/pgp-signature\r\n\r\n").as_bytes(),
        );
        out.extend_from_slice(&signature);
        out.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        Ok(out)
    }

    fn dressed(&mut self, dress: Dress, message: &[u8]) -> openpgp::Result<Vec<u8>> {
        let armored = String::from_utf8_lossy(&message::armored(Kind::Message, message, &[])?).into_owned();
        let boundary = self.boundary(Boundary::Own, "");
        let control = "Content-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n";
        let pair = |kind: &str, control: &str| {
            format!(
                "Content-Type: multipart/{kind}; boundary=\"{boundary}\"\r\n\r\n{control}--{boundary}\r\n\
                 Content-Type: application/octet-stream\r\n\r\n{armored}\r\n--{boundary}--\r\n"
            )
        };
        let control = format!("--{boundary}\r\n{control}\r\n");
        Ok(match dress {
            Dress::Proper => pair("encrypted; protocol=\"application/pgp-encrypted\"", &control),
            Dress::Mixed => pair("mixed", &format!("--{boundary}\r\nContent-Type: text/plain\r\n\r\n\r\n{control}")),
            Dress::Bare => pair("encrypted", ""),
            Dress::Inline => format!("Content-Type: text/plain\r\n\r\n{armored}\r\n"),
            Dress::InlineQuoted => {
                let quoted: String = armored.lines().map(|line| format!("> {line}\r\n")).collect();
                format!("Content-Type: text/plain\r\n\r\nHe wrote:\r\n{quoted}\r\n")
            }
            Dress::Html => format!("Content-Type: text/html\r\n\r\n<pre>{armored}</pre>\r\n"),
            Dress::AttachedArmored => format!(
                "Content-Type: application/octet-stream; name=\"msg.asc\"\r\nContent-Disposition: attachment\r\n\r\n\
                 {armored}\r\n"
            ),
            Dress::AttachedBinary => format!(
                "Content-Type: application/octet-stream; name=\"report.pgp\"\r\nContent-Transfer-Encoding: base64\r\n\r\n\
                 {}\r\n",
                base64_text(message)
            ),
        }
        .into_bytes())
    }
}

impl Coding {
    fn line(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Base64 => "Content-Transfer-Encoding: base64\r\n",
            Self::Quoted => "Content-Transfer-Encoding: quoted-printable\r\n",
            Self::Unknown => "Content-Transfer-Encoding: x-uuencode\r\n",
        }
    }
}

/// A fuzzer's text for a field or a line: one line, and nothing that makes a part another one.
pub fn field(text: &str) -> String {
    text.replace(['\r', '\n'], " ").replace("--", "- ").chars().take(200).collect()
}

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn base64_text(data: &[u8]) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(data);
    text.as_bytes().chunks(76).map(|line| String::from_utf8_lossy(line) + "\r\n").collect()
}
