//! Whole mails around a fuzzer's bytes, in the shapes that OpenPGP mail comes in. Where the bytes are encrypted here, a line
//! of ours goes with them, by which it can be told afterwards what became of them.
//!
//! The first octet chooses the shape, four more how the message is made; `0` means the plainest of each, so that seeds can be
//! written by hand.

use crate::carry::Carried;
use crate::message::{self, Plan};
use openpgp::armor::Kind;
use sequoia_openpgp as openpgp;

/// A line that stands inside what is encrypted here, and nowhere else.
pub const INSIDE: &str = "Zinc wombats quarrel over 4711 umbrellas";

/// What a mail made here must do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Must {
    /// Nothing is known of it but what holds for every mail.
    Hold,
    /// Our line is shown if it opens, and if it does not, it is nowhere.
    ShowOrRefuse,
    /// It opens, and our line is shown.
    Show,
    /// It does not open: the ciphertext was changed.
    Refuse,
}

/// A mail, and what is expected of it.
pub struct Made {
    pub mail: Vec<u8>,
    pub must: Must,
}

const HEAD: &str = "To: vmt@kata.example\r\nSubject: ...\r\nDate: Tue, 26 May 2026 10:00:00 +0000\r\n\
                    Message-ID: <1@redbrick-labs.example>\r\nMIME-Version: 1.0\r\n";

impl Made {
    /// Makes the mail; nothing where there are too few octets to say how.
    pub fn new(data: &[u8]) -> Option<Self> {
        let ([shape, one, other, place, more], rest) = data.split_first_chunk()?;
        let plan = Plan::new(one.wrapping_sub(b'0'), other.wrapping_sub(b'0'));
        let from = match other >> 5 & 3 {
            1 => "",
            2 => "From: Alice Liddell <alice@members.example>\r\n",
            3 => "From: vmt@kata.example, Carol <carol@known.example>\r\n",
            _ => "From: Eve Mallory <eve.mallory@redbrick-labs.example>\r\n",
        };
        let head = format!("{from}{HEAD}");
        let made = match shape.wrapping_sub(b'0') & 15 {
            0 => Ok(Self { mail: rest.to_vec(), must: Must::Hold }),
            1 => pgp_mime(&head, &with_line(rest), Plan { raw: false, ..plan }),
            2 => inline(&head, rest, Plan { raw: false, ..plan }, place.wrapping_sub(b'0')),
            3 => pgp_mime(&head, rest, Plan { raw: true, ..plan }).map(|made| Self { must: Must::Hold, ..made }),
            4 => template(rest, plan),
            5 => damaged(&head, rest, Plan { raw: false, ..plan }, u16::from_be_bytes([*place, *more])),
            6 => signed(&head, rest, plan, place & 1 != 0),
            7 => attached(&head, rest, plan, *place),
            8 => bomb(&head, rest, plan, place.wrapping_sub(b'0')),
            _ => return None,
        };
        made.ok()
    }

    /// Holds what became of the mail against what must.
    pub fn judge(&self, carried: &Carried) {
        for published in carried.published() {
            assert!(crate::copy::find(published, INSIDE.as_bytes()).is_none(), "what was encrypted is published");
        }
        if self.must == Must::Hold {
            return;
        }
        // A busy machine may take longer than a mail is allowed to.
        if carried.refusal() == Some("took-too-long") {
            return;
        }
        let shown = carried.copy.shows(INSIDE.as_bytes());
        let listed = carried.inspected.to_string().contains(INSIDE);
        match self.must {
            Must::Refuse => {
                assert!(!shown && !listed, "shown although its integrity check failed: {}", carried.inspected);
                assert!(carried.refusal().is_some(), "not refused: {}", carried.inspected);
            }
            Must::ShowOrRefuse => {
                assert!(shown || carried.refusal().is_some(), "lost: {}", carried.inspected);
                // A part that failed does not hide the others; a mail of which nothing opened shows nothing.
                let opened = carried.inspected["opened"] == true;
                assert!(opened || (!shown && !listed), "refused, and shown all the same: {}", carried.inspected);
            }
            Must::Show => assert!(shown, "lost: {}", carried.inspected),
            Must::Hold => {}
        }
    }
}

fn with_line(rest: &[u8]) -> Vec<u8> {
    [rest, b"\r\n", INSIDE.as_bytes(), b"\r\n"].concat()
}

/// A payload in which another message may stand is replaced by what that holds.
fn is_plain(rest: &[u8]) -> bool {
    let text = String::from_utf8_lossy(rest).to_lowercase();
    rest.is_ascii() && !["pgp", "base64", "quoted", "html", "pkcs7"].iter().any(|word| text.contains(word))
}

fn pgp_mime(head: &str, payload: &[u8], plan: Plan) -> openpgp::Result<Made> {
    let message = message::encrypted(payload, plan)?;
    let must = match is_plain(payload) && plan.layers <= 4 {
        true => Must::ShowOrRefuse,
        false => Must::Hold,
    };
    Ok(Made { mail: around(head, &message::armored(Kind::Message, &message, &[])?), must })
}

/// RFC 3156 section 4.
fn around(head: &str, armored: &[u8]) -> Vec<u8> {
    let mut mail = format!(
        "{head}Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=\"b1\"\r\n\r\n--b1\r\n\
         Content-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n\r\n--b1\r\n\
         Content-Type: application/octet-stream\r\n\r\n"
    )
    .into_bytes();
    mail.extend_from_slice(armored);
    mail.extend_from_slice(b"\r\n--b1--\r\n");
    mail
}

/// Armor in the middle of text, as is, quoted or in base64.
fn inline(head: &str, text: &[u8], plan: Plan, how: u8) -> openpgp::Result<Made> {
    let charset = ["utf-8", "iso-8859-1", "utf-16le", "iso-2022-jp", "utf-7", "x-nothing"][usize::from(how >> 4) % 6];
    let message = message::encrypted(&with_line(text), plan)?;
    let mut armored = message::armored(Kind::Message, &message, &[("Charset", charset)])?;
    let quoted = how & 1 != 0;
    if quoted {
        armored =
            String::from_utf8_lossy(&armored).lines().map(|line| format!("> {line}\r\n")).collect::<String>().into();
    }
    let mut body = Vec::new();
    if how & 2 != 0 {
        body.extend_from_slice(b"Hello, this is in clear.\r\n\r\n");
    }
    body.extend_from_slice(&armored);
    if how & 4 != 0 {
        body.extend_from_slice(b"\r\n-- \r\nA list's footer\r\n");
    }
    let (coding, body) = match how & 8 != 0 {
        true => ("base64", base64_lines(&body)),
        false => ("8bit", body),
    };
    let head =
        format!("{head}Content-Type: text/plain; charset=\"{charset}\"\r\nContent-Transfer-Encoding: {coding}\r\n\r\n");
    let must = if is_plain(text) && !quoted { Must::ShowOrRefuse } else { Must::Hold };
    Ok(Made { mail: [head.as_bytes(), &body].concat(), must })
}

fn base64_lines(data: &[u8]) -> Vec<u8> {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(data);
    text.as_bytes().chunks(76).flat_map(|line| [line, b"\r\n"].concat()).collect()
}

/// A mail written by the fuzzer, in which words stand for messages around the bytes behind the line `%%%`.
fn template(rest: &[u8], plan: Plan) -> openpgp::Result<Made> {
    let at = crate::copy::find(rest, b"\n%%%\n");
    let (mail, inner) = at.map_or((rest, &b"inner"[..]), |at| (&rest[..=at], &rest[at + 5..]));
    let mut mail = mail.to_vec();
    type Maker = fn(&[u8], Plan) -> openpgp::Result<Vec<u8>>;
    let words: [(&str, Maker); 8] = [
        ("@MSG@", |inner, plan| message::armored(Kind::Message, &message::encrypted(inner, plan)?, &[])),
        ("@B64@", |inner, plan| Ok(base64_lines(&message::encrypted(inner, plan)?))),
        ("@BIN@", message::encrypted),
        ("@PAK@", |inner, plan| message::armored(Kind::Message, &message::packed(inner, plan)?, &[])),
        ("@CLR@", message::clear_signed),
        ("@SIG@", message::signature),
        ("@KEY@", |_, _| message::key(false)),
        ("@SEC@", |_, _| message::key(true)),
    ];
    for (word, make) in words {
        // At most three of each: what many messages cost is another matter.
        for _ in 0..3 {
            let Some(at) = crate::copy::find(&mail, word.as_bytes()) else { break };
            let made = make(&with_line(inner), plan)?;
            mail.splice(at..at + word.len(), made);
        }
    }
    // Packed or signed text is no secret.
    Ok(Made { mail, must: Must::Hold })
}

/// Some octets, repeated until they are up to 2^24, and compressed once or twice. What larger ones cost is measured by tests: here
/// each of them would take seconds.
fn bomb(head: &str, rest: &[u8], plan: Plan, power: u8) -> openpgp::Result<Made> {
    let length = 1_usize << (power % 25);
    let content = rest.repeat(length / rest.len().max(1) + 1);
    let message = match plan.raw {
        true => {
            let inner = message::compressed(&content)?;
            message::encrypted(&inner, Plan { compressed: true, signer: 0, ..plan })?
        }
        false => message::encrypted(&content, Plan { compressed: true, ..plan })?,
    };
    Ok(Made { mail: around(head, &message::armored(Kind::Message, &message, &[])?), must: Must::Hold })
}

/// One octet behind the header of the encrypted data is changed, or the end is cut off.
fn damaged(head: &str, payload: &[u8], plan: Plan, place: u16) -> openpgp::Result<Made> {
    let plan = Plan { layers: 1, ..plan };
    let mut message = message::encrypted(&with_line(payload), plan)?;
    // Session key packet (tag, length, content), then tag, at most five octets of length, and the version.
    let start = 2 + usize::from(message[1]) + 7;
    let length = message.len() - start;
    let at = start + usize::from(place >> 1) % length;
    match place & 1 {
        0 => message[at] ^= 0x20,
        _ => message.truncate(at),
    }
    Ok(Made { mail: around(head, &message::armored(Kind::Message, &message, &[])?), must: Must::Refuse })
}

/// `multipart/signed` (RFC 3156 section 5), in clear or inside the encryption.
fn signed(head: &str, rest: &[u8], plan: Plan, encrypted: bool) -> openpgp::Result<Made> {
    let signature = message::signature(rest, plan)?;
    let mut body = b"Content-Type: multipart/signed; protocol=\"application/pgp-signature\"; micalg=pgp-sha512;\r\n \
                     boundary=\"b2\"\r\n\r\n--b2\r\n"
        .to_vec();
    body.extend_from_slice(rest);
    body.extend_from_slice(b"\r\n--b2\r\nContent-Type: application/pgp-signature\r\n\r\n");
    body.extend_from_slice(&signature);
    body.extend_from_slice(b"\r\n--b2--\r\n");
    if encrypted {
        return pgp_mime(head, &body, Plan { raw: false, ..plan }).map(|made| Made { must: Must::Hold, ..made });
    }
    Ok(Made { mail: [head.as_bytes(), &body].concat(), must: Must::Hold })
}

/// An encrypted file under some name.
fn attached(head: &str, rest: &[u8], plan: Plan, how: u8) -> openpgp::Result<Made> {
    let names = ["report.txt.pgp", "msg.asc", "encrypted.asc", "a.gpg", "noname", "x.pdf", "../../etc/passwd.pgp", ""];
    let name = names[usize::from(how) & 7];
    let message = message::encrypted(&with_line(rest), Plan { raw: false, ..plan })?;
    let media = ["application/octet-stream", "application/pgp-encrypted", "text/plain", "application/pgp"];
    let (coding, body) = match how & 8 != 0 {
        true => ("base64", base64_lines(&message)),
        false => ("7bit", message::armored(Kind::Message, &message, &[])?),
    };
    let mut mail = format!(
        "{head}Content-Type: multipart/mixed; boundary=\"b3\"\r\n\r\n--b3\r\n\r\nSee the attachment.\r\n--b3\r\n\
         Content-Type: {}; name=\"{name}\"\r\nContent-Transfer-Encoding: {coding}\r\n\
         Content-Disposition: attachment; filename=\"{name}\"\r\n\r\n",
        media[usize::from(how >> 4) & 3]
    )
    .into_bytes();
    mail.extend_from_slice(&body);
    mail.extend_from_slice(b"\r\n--b3--\r\n");
    Ok(Made { mail, must: if is_plain(rest) { Must::ShowOrRefuse } else { Must::Hold } })
}
