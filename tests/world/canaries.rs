//! Looking for what must not be there: byte by byte, in every encoding a leak could have.

use super::World;
use super::actors::Actor;
use super::process::files_below;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use regex::bytes::Regex;

/// The forms in which a text could lie somewhere, as two searches in one pass each.
struct Needles {
    /// Compared without regard to letter case: as it is, in hex, in UTF-16.
    folded: Regex,
    /// Base64 of the text and of its lower-case form, after any number of octets.
    exact: Regex,
}

impl Needles {
    fn of(text: &str) -> Self {
        assert!(text.len() >= 6, "{text:?} is too short to be looked for");
        let lower = text.to_lowercase();
        let utf16 = |order: fn(u16) -> [u8; 2]| lower.encode_utf16().flat_map(order).collect::<Vec<u8>>();
        let folded = [
            lower.clone().into_bytes(),
            hex::encode(text).into_bytes(),
            hex::encode(&lower).into_bytes(),
            utf16(u16::to_le_bytes),
            utf16(u16::to_be_bytes),
        ];
        let spellings = [text, &lower];
        let exact = spellings.iter().flat_map(|text| (0..3).map(|before| base64_core(text.as_bytes(), before)));
        Self { folded: any_of(folded), exact: any_of(exact) }
    }

    /// What was found, with what stands around it.
    fn found_in(&self, data: &[u8]) -> Option<String> {
        let lower: Vec<u8> = data.to_ascii_lowercase();
        let unbroken: Vec<u8> = data.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
        // Quoted-printable breaks a word by `=` at a line's end.
        let joined = String::from_utf8_lossy(&lower).replace("=\r\n", "").replace("=\n", "").into_bytes();
        let search = |pattern: &Regex, data: &[u8]| {
            let found = pattern.find(data)?;
            let around = found.start().saturating_sub(120)..(found.end() + 60).min(data.len());
            Some(String::from_utf8_lossy(&data[around]).into_owned())
        };
        search(&self.folded, &lower)
            .or_else(|| search(&self.folded, &joined))
            .or_else(|| search(&self.exact, &unbroken))
    }
}

fn any_of(needles: impl IntoIterator<Item = Vec<u8>>) -> Regex {
    let escape = |needle: Vec<u8>| needle.iter().map(|byte| format!("\\x{byte:02x}")).collect::<String>();
    let pattern = needles.into_iter().map(escape).collect::<Vec<_>>().join("|");
    Regex::new(&format!("(?-u:{pattern})")).unwrap()
}

/// The characters of the base64 form that depend on these bytes alone, when so many bytes stand before them.
fn base64_core(bytes: &[u8], before: usize) -> Vec<u8> {
    let padded = [&vec![0u8; before], bytes].concat();
    let encoded = STANDARD.encode(&padded).trim_end_matches('=').as_bytes().to_vec();
    let start = if before == 0 { 0 } else { before + 1 };
    // The last character mixes in bits of what follows unless the bytes end on a boundary.
    let end = if padded.len().is_multiple_of(3) { encoded.len() } else { encoded.len() - 1 };
    encoded[start..end].to_vec()
}

/// Data that is not a file does not hold this text.
pub fn none_in(place: &str, data: &[u8], text: &str) {
    if let Some(found) = Needles::of(text).found_in(data) {
        panic!("{text:?} is in {place}: {found}");
    }
}

impl World {
    /// Nothing that the gateway wrote or said holds this text, but for the mailbox itself.
    pub fn nothing_outside_contains(&self, text: &str) {
        self.no_trace_of(text, &[]);
    }

    /// As [`World::nothing_outside_contains`], except for mail addressed to this person and the name of its Maildir.
    pub fn nothing_outside_but_answers_to(&self, person: &Actor, text: &str) {
        self.no_trace_of(text, &[&person.address]);
    }

    fn no_trace_of(&self, text: &str, recipients: &[&str]) {
        let needles = Needles::of(text);
        let mut searched = 0;
        for file in files_below(&self.layout.root) {
            let exempt = file.starts_with(&self.layout.mailbox)
                || recipients.iter().any(|address| file.starts_with(self.layout.outgoing.join(address)));
            if exempt {
                continue;
            }
            let name = file.strip_prefix(&self.layout.root).unwrap().to_string_lossy().into_owned();
            assert!(needles.found_in(name.as_bytes()).is_none(), "{text:?} is in the name of {name}");
            let data = std::fs::read(&file).unwrap();
            if let Some(found) = needles.found_in(&data) {
                panic!("{text:?} is in {name}: {found}");
            }
            searched += 1;
        }
        assert!(searched > 3, "there was nothing to search");
        for (place, data) in [("the logs", self.gateway.logs()), ("the database", self.database.dump())] {
            if let Some(found) = needles.found_in(&data) {
                panic!("{text:?} is in {place}: {found}");
            }
        }
    }
}

#[test]
fn the_search_finds_a_text_in_every_form_it_knows() {
    let text = "Heap overflow in virtiofs";
    let needles = Needles::of(text);
    let finds = |data: &[u8]| needles.found_in(data).is_some();
    for before in ["", "a", "ab", "abc", "abcd"] {
        let encoded = super::mime::base64_lines(format!("{before}{text} and so on").as_bytes());
        assert!(finds(encoded.as_bytes()), "base64 after {before:?}");
        assert!(finds(super::mime::base64_lines(format!("{before}{text}").as_bytes()).as_bytes()), "at the end");
        assert!(finds(format!("{before}HEAP overflow IN virtiofs").as_bytes()));
    }
    assert!(finds(hex::encode_upper(text).as_bytes()));
    assert!(finds(&text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>()));
    assert!(finds(b"Heap over=\r\nflow in virtiofs"));
    assert!(!finds(b"heap underflow"));
}
