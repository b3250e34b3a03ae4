//! Opens the copy of a member as her mail program would, and holds its outside and its statement against what they must be.

use crate::world::{WORLD, received};
use embargod::report::{CopyInput, Warning};
use openpgp::crypto::SessionKey;
use openpgp::packet::{PKESK, SKESK};
use openpgp::parse::Parse;
use openpgp::parse::stream::{DecryptionHelper, DecryptorBuilder, MessageLayer, MessageStructure, VerificationHelper};
use openpgp::policy::StandardPolicy;
use openpgp::types::SymmetricAlgorithm;
use openpgp::{Cert, KeyHandle};
use sequoia_openpgp as openpgp;
use serde_json::Value;
use std::io::Read;

/// A copy, opened.
pub struct Copy {
    /// The mail without its ciphertext.
    pub outer: Vec<u8>,
    /// The whole decrypted payload.
    pub payload: Vec<u8>,
    /// The first part.
    pub statement: String,
    /// What follows it, up to the closing delimiter, the delimiters included.
    pub rest: Vec<u8>,
}

/// Header fields that may stand outside of what the gateway sends.
const OUTSIDE: [&str; 12] = [
    "From",
    "To",
    "Subject",
    "Date",
    "Message-ID",
    "In-Reply-To",
    "References",
    "Auto-Submitted",
    "MIME-Version",
    "Content-Type",
    "Autocrypt",
    "Content-Transfer-Encoding",
];

/// Lines that the statement may have, in their order. Those that may repeat are told apart by the caller.
const NAMES: [&str; 11] = [
    "Case",
    "Kind",
    "Author",
    "Subject",
    "Received",
    "Encryption",
    "Signature",
    "Reporter",
    "Original-Recipients",
    "Advisory",
    "Warning",
];

/// Where something stands in something larger.
pub fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    memchr::memmem::find(hay, needle)
}

/// A mail that leaves: ASCII, CRLF, short lines, and no header field but those known. Its header and body.
pub fn outside(mail: &[u8]) -> (&str, &str) {
    let text = std::str::from_utf8(mail).ok().filter(|text| text.is_ascii()).expect("a mail that leaves is ASCII");
    assert!(!text.replace("\r\n", "").contains(['\r', '\n', '\0']), "a line end that is none");
    assert!(text.split("\r\n").all(|line| line.len() <= 998), "a line is too long");
    let (header, body) = text.split_once("\r\n\r\n").expect("a mail has a header");
    for line in header.split("\r\n").filter(|line| !line.starts_with([' ', '\t'])) {
        let name = line.split_once(':').map_or(line, |(name, _)| name);
        assert!(OUTSIDE.contains(&name), "this field stands outside: {line}");
    }
    (header, body)
}

impl Copy {
    /// Decrypts with Alice's key, demands the gateway's good signature, and takes the payload apart.
    pub fn open(mail: &[u8]) -> Self {
        let (header, body) = outside(mail);
        assert!(header.contains("\r\nSubject: [KATA-2026-0007]\r\n"), "the outer subject is the case: {header}");
        let begin = body.find("-----BEGIN PGP MESSAGE-----").expect("a copy is encrypted");
        let end = body.find("-----END PGP MESSAGE-----").expect("armor ends");
        let policy = StandardPolicy::new();
        let mut reader = DecryptorBuilder::from_bytes(&body.as_bytes()[begin..])
            .and_then(|builder| builder.with_policy(&policy, received(), Alice))
            .expect("Alice's copy opens");
        let mut payload = Vec::new();
        reader.read_to_end(&mut payload).expect("Alice's copy is whole");
        let outer = [header.as_bytes(), body[..begin].as_bytes(), body[end..].as_bytes()].concat();
        Self::read(outer, payload)
    }

    fn read(outer: Vec<u8>, payload: Vec<u8>) -> Self {
        let head = find(&payload, b"\r\n\r\n").expect("the payload has a header");
        let header = std::str::from_utf8(&payload[..head]).expect("the protected header is text");
        let at = header.find("boundary=\"").expect("the payload is a multipart") + "boundary=\"".len();
        let boundary = header[at..].split('"').next().expect("the boundary ends");
        let delimiter = format!("--{boundary}");
        let body = &payload[head + 4..];
        assert!(body.starts_with(delimiter.as_bytes()), "the statement comes first");
        let first = &body[find(body, b"\r\n\r\n").expect("the statement has a header") + 4..];
        let next = find(first, format!("\r\n{delimiter}").as_bytes()).expect("the statement ends");
        let statement = String::from_utf8(first[..next].to_vec()).expect("the statement is UTF-8");
        let rest = first[next..].to_vec();
        Self { outer, payload, statement, rest }
    }

    /// Whether some bytes stand anywhere behind the statement.
    pub fn shows(&self, bytes: &[u8]) -> bool {
        find(&self.rest, bytes).is_some()
    }

    /// The parts after the statement.
    pub fn sections(&self) -> Vec<&[u8]> {
        let line = 2 + find(&self.rest[2..], b"\r\n").expect("a delimiter is a line");
        let delimiter = self.rest[..line].strip_suffix(b"--").unwrap_or(&self.rest[..line]);
        let mut starts: Vec<usize> = memchr::memmem::find_iter(&self.rest, delimiter).collect();
        let end = starts.pop().expect("the payload has an end");
        assert!(self.rest[end..].ends_with(b"--\r\n"), "the last delimiter closes");
        let ends = starts.iter().skip(1).copied().chain([end]);
        starts.iter().zip(ends).map(|(start, end)| &self.rest[start + line + 2..end]).collect()
    }
}

/// The statement has exactly its lines, whatever the mail says: each name once and in its place, each value the gateway's.
pub fn statement_holds(copy: &Copy, inspected: &Value, input: &CopyInput<'_>, sections: usize) {
    let statement = &copy.statement;
    let all = || format!("statement:\n{statement}");
    assert!(!statement.replace("\r\n", "").contains(|c: char| c.is_control()), "control characters in the {}", all());
    let (head, text) = statement.split_once("\r\n\r\n").expect("an empty line ends the fields");
    let mut last = 0;
    let mut seen = Vec::new();
    for line in head.split("\r\n") {
        let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("{line:?} is no line of a {}", all()));
        let place = NAMES.iter().position(|known| *known == name);
        let place = place.unwrap_or_else(|| panic!("{name:?} is no name of a {}", all()));
        let repeats = matches!(name, "Signature" | "Warning") && place == last;
        assert!(seen.is_empty() || place > last || repeats, "{name} out of order in the {}", all());
        last = place;
        seen.push(name);
        match name {
            "Case" => assert_eq!(value, "KATA-2026-0007"),
            "Encryption" => assert_eq!(value, inspected["encryption"]),
            "Received" => assert_eq!(value, input.received.to_string()),
            "Author" => assert!(["reporter", "gateway", "Alice Liddell", "Bob Builder"].contains(&value), "{value}"),
            "Kind" => assert!(["report", "reporter-reply", "discussion", "notice"].contains(&value), "{value}"),
            "Warning" => {
                let code = value.split(':').next().unwrap_or_default();
                assert!(Warning::from_word(code).is_some(), "{code} is no warning");
            }
            _ => {}
        }
    }
    for name in &NAMES[..10] {
        assert!(seen.contains(name), "{name} is missing in the {}", all());
    }
    let told = seen.iter().filter(|name| **name == "Warning").count();
    assert_eq!(told, inspected["warnings"].as_array().map_or(0, Vec::len), "warnings in the {}", all());
    let signed = seen.iter().filter(|name| **name == "Signature").count();
    assert_eq!(signed, inspected["signatures"].as_array().map_or(0, Vec::len).max(1), "signatures in the {}", all());
    // The free text is made of fixed words, and of nothing that the mail says.
    for line in text.split("\r\n") {
        let name = line.split_once(": ").map(|(name, _)| name);
        assert!(name.is_none_or(|name| !NAMES.contains(&name)), "{line:?} in the text of the {}", all());
    }
    assert_eq!(copy.sections().len(), sections, "a section ends or begins another");
}

/// Alice's mail program.
struct Alice;

impl VerificationHelper for Alice {
    fn get_certs(&mut self, _ids: &[KeyHandle]) -> openpgp::Result<Vec<Cert>> {
        Ok(vec![WORLD.gateway.clone()])
    }

    fn check(&mut self, structure: MessageStructure<'_>) -> openpgp::Result<()> {
        let signed = structure.into_iter().any(|layer| match layer {
            MessageLayer::SignatureGroup { results } => results.iter().all(Result::is_ok),
            _ => false,
        });
        assert!(signed, "a copy has the gateway's good signature");
        Ok(())
    }
}

impl DecryptionHelper for Alice {
    fn decrypt(
        &mut self,
        pkesks: &[PKESK],
        _skesks: &[SKESK],
        hint: Option<SymmetricAlgorithm>,
        decrypt: &mut dyn FnMut(Option<SymmetricAlgorithm>, &SessionKey) -> bool,
    ) -> openpgp::Result<Option<Cert>> {
        assert_eq!(pkesks.len(), 1, "a copy has one recipient");
        for key in WORLD.alice.keys().secret() {
            let mut pair = key.key().clone().into_keypair()?;
            let opened = pkesks.iter().find_map(|pkesk| pkesk.decrypt(&mut pair, hint));
            if opened.is_some_and(|(algorithm, session)| decrypt(algorithm, &session)) {
                return Ok(Some(WORLD.alice.clone()));
            }
        }
        Err(openpgp::Error::MissingSessionKey("not for Alice".into()).into())
    }
}
