//! People whose names must not be published, and the ways in which a text may hide them.

use super::super::*;
use crate::report::{AdvisoryDraft, CaseId, Marker};
use base64::Engine;

pub(super) struct Person {
    pub(super) name: &'static str,
    pub(super) address: &'static str,
    /// What must be nowhere in a draft, compared in small letters.
    pub(super) secrets: &'static [&'static str],
}

pub(super) const PEOPLE: [Person; 9] = [
    Person {
        name: "Eve Mallory",
        address: "eve.mallory@redbrick-labs.example",
        secrets: &["mallory", "eve.m", "redbrick"],
    },
    Person {
        name: "José Ángel Núñez", address: "jnunez77@gmail.com", secrets: &["josé", "núñez", "ángel", "jnunez"]
    },
    Person {
        name: "Jürgen Müßig",
        address: "juergen.muessig@muessig.example",
        secrets: &["jürgen", "juergen", "müßig", "muessig"],
    },
    Person {
        name: "Пётр Смирнов", address: "petr.smirnov@почта.example", secrets: &["пётр", "смирнов", "smirnov"]
    },
    Person { name: "王小明", address: "wangxm@corp.example.cn", secrets: &["王小明", "小明", "wangxm"] },
    Person { name: "김철수", address: "cskim88@naver.com", secrets: &["김철수", "철수", "cskim"] },
    Person {
        name: "محمد الخطيب", address: "alkhatib@khatib.example", secrets: &["محمد", "الخطيب", "alkhatib"]
    },
    Person {
        name: "Nikos Παπαδόπουλος",
        address: "npapad@auth.example.gr",
        secrets: &["nikos", "παπαδόπουλος", "npapad"],
    },
    Person {
        name: "\"O'Brien-Vantongeren, Siobhán\"",
        address: "x0sob@proton.me",
        secrets: &["brien", "vantongeren", "siobhán", "x0sob"],
    },
];

/// Runs a report of somebody through redaction, as far as it goes.
pub(super) fn redacted_from(
    name: Option<&str>,
    address: &str,
    certs: &[&openpgp::Cert],
    subject: &str,
    text: &str,
) -> Result<AdvisoryDraft, Fallback> {
    let (subject, plain) = (Plaintext::from_text(subject), Plaintext::from_text(text));
    let template = Template::read(text, &["runtime".to_owned()]);
    let contact = ReporterContact::new(address, name);
    let input = RedactionInput {
        subject: &subject,
        text: &plain,
        contacts: vec![&contact],
        certs: certs.to_vec(),
        fingerprints: certs.iter().map(|cert| cert.fingerprint().to_hex()).collect(),
        members: vec![("Alice Liddell".to_owned(), "alice@members.example".to_owned())],
        team_addresses: &[],
        template: &template,
    };
    AdvisoryDraft::report(redact(&input)?, &CaseId::new("KATA", 2026, 1), &Marker::from_random([9; 16]))
}

pub(super) fn redacted(person: &Person, text: &str) -> Result<AdvisoryDraft, Fallback> {
    redacted_from(Some(person.name), person.address, &[], "A bug", text)
}

/// What the tests hold against a draft, by yet another way than the code under test.
pub(super) fn flat(text: &str) -> String {
    text.to_lowercase().chars().filter(|c| !is_invisible(*c)).collect()
}

pub(super) fn assert_clean(person: &Person, draft: &AdvisoryDraft, from: &str) {
    let body = flat(&format!("{}\n{}", draft.summary(), draft.description()));
    for secret in person.secrets.iter().chain([&person.address]) {
        assert!(!body.contains(secret), "{secret} of {} was left in:\n{body}\nfrom:\n{from}", person.name);
    }
}

/// Our text of somebody; `text` must come through clean, without falling back.
pub(super) fn shown_for(person: &Person, text: &str) -> String {
    let draft = redacted(person, text).unwrap_or_else(|why| panic!("fell back ({why}) on:\n{text}"));
    assert_clean(person, &draft, text);
    draft.description().to_owned()
}

pub(super) fn entities(text: &str) -> String {
    text.chars().map(|c| format!("&#{};", u32::from(c))).collect()
}

pub(super) fn hexadecimal_entities(text: &str) -> String {
    text.chars().map(|c| format!("&#x{:X};", u32::from(c))).collect()
}

pub(super) fn percent(text: &str) -> String {
    text.bytes().map(|b| format!("%{b:02X}")).collect()
}

pub(super) fn quoted_printable(text: &str) -> String {
    text.bytes().map(|b| format!("={b:02X}")).collect()
}

pub(super) fn look_alikes(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            'a' => 'а',
            'e' => 'е',
            'o' => 'о',
            'c' => 'с',
            'p' => 'р',
            'i' => 'і',
            'x' => 'х',
            c => c,
        })
        .collect()
}

pub(super) fn full_width(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_ascii_graphic() { char::from_u32(u32::from(c) + 0xfee0).unwrap() } else { c })
        .collect()
}

pub(super) fn between(text: &str, joint: &str) -> String {
    text.split("").filter(|c| !c.is_empty()).collect::<Vec<_>>().join(joint)
}

pub(super) fn broken_in_the_middle(text: &str, joint: &str) -> String {
    let middle = text.char_indices().nth(text.chars().count() / 2).unwrap().0;
    format!("{}{joint}{}", &text[..middle], &text[middle..])
}

pub(super) type Hiding = (&'static str, fn(&str) -> String);

pub(super) fn hidings() -> Vec<Hiding> {
    vec![
        ("as it is", str::to_owned),
        ("capitals", str::to_uppercase),
        ("small letters", str::to_lowercase),
        ("decimal entities", entities),
        ("hexadecimal entities", hexadecimal_entities),
        ("entities twice", |text| entities(text).replace('&', "&amp;")),
        ("percent", percent),
        ("percent twice", |text| percent(text).replace('%', "%25")),
        ("quoted-printable", quoted_printable),
        ("look-alikes", look_alikes),
        ("full width", full_width),
        ("zero width", |text| between(text, "\u{200b}")),
        ("soft hyphens", |text| between(text, "\u{ad}")),
        ("variation selectors", |text| between(text, "\u{fe0f}")),
        ("line broken", |text| broken_in_the_middle(text, "\n")),
        ("hyphenated", |text| broken_in_the_middle(text, "-\n")),
        ("broken in a quotation", |text| broken_in_the_middle(text, "\n> ")),
        ("soft line break", |text| broken_in_the_middle(text, "=\n")),
        ("bold", |text| format!("**{text}**")),
        ("decomposed", |text| text.nfd().collect()),
        ("base64", |text| base64::engine::general_purpose::STANDARD.encode(format!("I am {text}."))),
        ("hexadecimal", |text| hex::encode(format!("by {text} "))),
        ("JSON escapes", |text| text.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect()),
    ]
}
