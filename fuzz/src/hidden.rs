//! A reporter's name, address and key, hidden in a text in the ways that redaction knows, and a search for them that shares
//! nothing with it.

use arbitrary::Arbitrary;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use unicode_normalization::UnicodeNormalization;

/// Somebody whose name and address are long enough to mean nobody and nothing else.
pub struct Person {
    pub name: &'static str,
    pub address: &'static str,
    /// A word of the name that is no word of any language, in small letters.
    pub family: &'static str,
    pub handle: &'static str,
}

pub const PEOPLE: [Person; 5] = [
    Person {
        name: "Eve Mallorysdottir",
        address: "eve.mallorysdottir@redbrick-labs.example",
        family: "mallorysdottir",
        handle: "mallorysdottir",
    },
    Person {
        name: "José Nuñezgaray", address: "jnunezgaray77@gmail.com", family: "nuñezgaray", handle: "jnunezgaray"
    },
    Person {
        name: "Пётр Смирновский",
        address: "petr.smirnovskij@pochtaserver.example",
        family: "смирновский",
        handle: "smirnovskij",
    },
    Person {
        name: "Nikos Παπαδόπουλος",
        address: "npapadopoulos@authent.example.gr",
        family: "παπαδόπουλος",
        handle: "npapadopoulos",
    },
    Person { name: "Siobhan Vantongeren", address: "x0siobhan@proton.me", family: "vantongeren", handle: "x0siobhan" },
];

/// What is hidden.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum What {
    Name,
    Reversed,
    Address,
    Family,
    Handle,
}

/// How.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub enum How {
    AsItIs,
    Capitals,
    Small,
    Entities,
    HexadecimalEntities,
    EntitiesTwice,
    Percent,
    PercentTwice,
    QuotedPrintable,
    LookAlikes,
    FullWidth,
    ZeroWidth,
    SoftHyphens,
    VariationSelectors,
    LineBroken,
    Hyphenated,
    BrokenInQuotation,
    SoftLineBreak,
    Bold,
    Decomposed,
    Base64,
    Hexadecimal,
    JsonEscapes,
    OctetEscapes,
    SpacedOut,
    Dotted,
    InLink,
    InPath,
    Mentioned,
}

impl What {
    fn of(self, person: &Person) -> String {
        match self {
            Self::Name => person.name.to_owned(),
            Self::Reversed => person.name.split(' ').rev().collect::<Vec<_>>().join(", "),
            Self::Address => person.address.to_owned(),
            Self::Family => person.family.to_owned(),
            Self::Handle => person.handle.to_owned(),
        }
    }
}

impl How {
    /// Each of them.
    pub const ALL: [Self; 29] = [
        Self::AsItIs,
        Self::Capitals,
        Self::Small,
        Self::Entities,
        Self::HexadecimalEntities,
        Self::EntitiesTwice,
        Self::Percent,
        Self::PercentTwice,
        Self::QuotedPrintable,
        Self::LookAlikes,
        Self::FullWidth,
        Self::ZeroWidth,
        Self::SoftHyphens,
        Self::VariationSelectors,
        Self::LineBroken,
        Self::Hyphenated,
        Self::BrokenInQuotation,
        Self::SoftLineBreak,
        Self::Bold,
        Self::Decomposed,
        Self::Base64,
        Self::Hexadecimal,
        Self::JsonEscapes,
        Self::OctetEscapes,
        Self::SpacedOut,
        Self::Dotted,
        Self::InLink,
        Self::InPath,
        Self::Mentioned,
    ];

    /// Whether something stands between the letters.
    pub fn spreads(self) -> bool {
        use How::*;
        matches!(self, LineBroken | Hyphenated | BrokenInQuotation | SoftLineBreak | SpacedOut | Dotted | LookAlikes)
    }

    /// The text, hidden.
    pub fn hide(self, what: What, person: &Person) -> String {
        let text = what.of(person);
        let each = |write: &dyn Fn(char) -> String| text.chars().map(write).collect::<String>();
        let octets = |write: &dyn Fn(u8) -> String| text.bytes().map(write).collect::<String>();
        let between = |joint: &str| text.chars().map(String::from).collect::<Vec<_>>().join(joint);
        let broken = |joint: &str| {
            let middle = text.char_indices().nth(text.chars().count() / 2).map_or(0, |(at, _)| at);
            format!("{}{joint}{}", &text[..middle], &text[middle..])
        };
        match self {
            Self::AsItIs => text,
            Self::Capitals => text.to_uppercase(),
            Self::Small => text.to_lowercase(),
            Self::Entities => each(&|c| format!("&#{};", u32::from(c))),
            Self::HexadecimalEntities => each(&|c| format!("&#x{:X};", u32::from(c))),
            Self::EntitiesTwice => each(&|c| format!("&amp;#{};", u32::from(c))),
            Self::Percent => octets(&|b| format!("%{b:02X}")),
            Self::PercentTwice => octets(&|b| format!("%25{b:02X}")),
            Self::QuotedPrintable => octets(&|b| format!("={b:02X}")),
            Self::LookAlikes => each(&look_alike),
            Self::FullWidth => each(&|c| {
                if c.is_ascii_graphic() { char::from_u32(u32::from(c) + 0xfee0).unwrap_or(c).into() } else { c.into() }
            }),
            Self::ZeroWidth => between("\u{200b}"),
            Self::SoftHyphens => between("\u{ad}"),
            Self::VariationSelectors => between("\u{fe0f}"),
            Self::LineBroken => broken("\n"),
            Self::Hyphenated => broken("-\n"),
            Self::BrokenInQuotation => broken("\n> "),
            Self::SoftLineBreak => broken("=\n"),
            Self::Bold => format!("**{text}**"),
            Self::Decomposed => text.nfd().collect(),
            Self::Base64 => STANDARD.encode(format!("I am {text}.")),
            Self::Hexadecimal => hex::encode(format!("by {text} ")),
            Self::JsonEscapes => text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect(),
            Self::OctetEscapes => octets(&|b| format!("\\x{b:02x}")),
            Self::SpacedOut => between(" "),
            Self::Dotted => between("."),
            Self::InLink => format!("https://forge.example/{}/poc", text.replace(' ', "-")),
            Self::InPath => format!("/home/{}/src/poc.c", text.replace(' ', "_").to_lowercase()),
            Self::Mentioned => format!("@{}", text.replace([' ', ','], "").to_lowercase()),
        }
    }
}

fn look_alike(c: char) -> String {
    match c {
        'a' => 'а',
        'e' => 'е',
        'o' => 'о',
        'c' => 'с',
        'p' => 'р',
        'i' => 'і',
        'x' => 'х',
        c => c,
    }
    .into()
}

/// What of the person stands in a text, as a reader or a program could find it; nothing if nothing does.
pub fn found_in(text: &str, person: &Person) -> Option<String> {
    let known: Vec<String> = [person.name, person.address, person.family].iter().map(|text| letters(text)).collect();
    let family = person.family.to_lowercase();
    let readings = readings(text);
    for reading in &readings {
        // A word of the name, in one piece.
        let plain: String = reading.nfkc().filter(|c| !is_unseen(*c)).collect::<String>().to_lowercase();
        if plain.contains(&family) {
            return Some(family);
        }
        let letters = letters(reading);
        if let Some(found) = known.iter().find(|known| letters.contains(known.as_str())) {
            return Some(found.clone());
        }
    }
    None
}

/// Small letters and digits only.
fn letters(text: &str) -> String {
    text.nfkd().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).map(unlike).collect()
}

/// Back from the look-alikes made here.
fn unlike(c: char) -> char {
    match c {
        'а' => 'a',
        'е' => 'e',
        'о' => 'o',
        'с' => 'c',
        'р' => 'p',
        'і' => 'i',
        'х' => 'x',
        c => c,
    }
}

fn is_unseen(c: char) -> bool {
    matches!(c, '\u{200b}' | '\u{ad}' | '\u{fe0f}')
}

/// The text as it is and with each encoding undone, up to two of one upon the other; rows of base64 and hexadecimal digits.
fn readings(text: &str) -> Vec<String> {
    let mut all = vec![text.to_owned()];
    for decode in [entities, percent, quoted_printable, escapes] {
        let once = decode(text);
        let twice = decode(&once);
        all.extend([once, twice].into_iter().filter(|reading| reading != text));
    }
    for row in text.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '='))) {
        let row = row.trim_end_matches('=');
        if row.len() >= 16 {
            all.extend(STANDARD_NO_PAD.decode(row).ok().and_then(|octets| String::from_utf8(octets).ok()));
            all.extend(hex::decode(row).ok().and_then(|octets| String::from_utf8(octets).ok()));
        }
    }
    all
}

/// Replaces what stands between a mark and its end, where the reader makes something of it.
fn decoded(text: &str, mark: &str, read: impl Fn(&str) -> Option<(String, usize)>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(mark) {
        out.push_str(&rest[..at]);
        let after = &rest[at + mark.len()..];
        match read(after) {
            Some((letter, length)) => {
                out.push_str(&letter);
                rest = &after[length..];
            }
            None => {
                out.push_str(mark);
                rest = after;
            }
        }
    }
    out + rest
}

fn entities(text: &str) -> String {
    let numbers = decoded(text, "&#", |after| {
        let end = after.find(';').filter(|end| *end < 9)?;
        let number = &after[..end];
        let code = match number.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16).ok()?,
            None => number.parse().ok()?,
        };
        Some((char::from_u32(code)?.to_string(), end + 1))
    });
    numbers.replace("&amp;", "&")
}

/// Rows of octets, each a mark and two hexadecimal digits.
fn octets(text: &str, mark: char) -> String {
    decoded(text, &mark.to_string(), |after| {
        let mut octets = Vec::new();
        let mut length = 0;
        let mut rest = after;
        loop {
            let Some(octet) = rest.get(..2).and_then(|digits| u8::from_str_radix(digits, 16).ok()) else { break };
            octets.push(octet);
            length = after.len() - rest.len() + 2;
            match rest[2..].strip_prefix(mark) {
                Some(next) => rest = next,
                None => break,
            }
        }
        Some((String::from_utf8(octets).ok().filter(|text| !text.is_empty())?, length))
    })
}

fn percent(text: &str) -> String {
    octets(text, '%')
}

fn quoted_printable(text: &str) -> String {
    octets(&text.replace("=\n", ""), '=')
}

fn escapes(text: &str) -> String {
    let units = decoded(text, "\\u", |after| {
        let code = u32::from_str_radix(after.get(..4)?, 16).ok()?;
        Some((char::from_u32(code)?.to_string(), 4))
    });
    octets(&units.replace("\\x", "\u{1}"), '\u{1}').replace('\u{1}', "\\x")
}
