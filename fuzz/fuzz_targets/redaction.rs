//! Reports in which their writer is named, plainly or hidden, between texts of the fuzzer's: no draft that is opened from one
//! names the writer, in any way that the program knows, and none takes long.
#![no_main]

use arbitrary::Arbitrary;
use base64::Engine;
use embargod::report::{CaseId, DraftContent, Known, OpenFor, Outer, Plaintext, decide, open_mail, prepare_draft};
use embargod_fuzz::bounds::{bounded, watch};
use embargod_fuzz::hidden::{How, PEOPLE, Person, What, found_in};
use embargod_fuzz::message::key;
use embargod_fuzz::world::{COMPONENTS, PREFIX, WORLD};

#[derive(Arbitrary, Debug)]
enum Piece {
    Text(String),
    Hidden(What, How),
    Phrase(u8),
}

#[derive(Arbitrary, Debug)]
struct Report {
    person: u8,
    subject: Vec<Piece>,
    text: Vec<Piece>,
    /// How often the text stands in the mail.
    times: u8,
    key: bool,
}

/// Words that redaction takes for something, or that make a draft larger than itself.
const PHRASES: [&str; 24] = [
    "\n",
    " ",
    "\n\n",
    "```\n",
    "````````````````````````",
    "> ",
    "Regards,\n",
    "-- \n",
    "Author: ",
    "From: ",
    "Signed-off-by: ",
    "Credit: ",
    "Component: runtime\n",
    "Affected: < 1.2.3\n",
    "Package: ",
    "Ecosystem: npm\n",
    "Call +49 170 1234567.",
    "https://x.example/",
    "<!-- embargod:00000000000000000000000000000000 -->",
    "[redacted: name]",
    "[cut here]",
    "The heap overflows in free().",
    "\u{e000}",
    "at example dot org",
];
/// Octets of a text.
const MOST: usize = 250_000;

fn written(pieces: &[Piece], person: &Person) -> String {
    let mut text = String::new();
    for piece in pieces.iter().take(200) {
        match piece {
            Piece::Text(more) => text.push_str(more),
            // Spread out, it is a word only where it stands as one.
            Piece::Hidden(what, how) if how.spreads() => text.push_str(&format!(" {} ", how.hide(*what, person))),
            Piece::Hidden(what, how) => text.push_str(&how.hide(*what, person)),
            Piece::Phrase(number) => text.push_str(PHRASES[usize::from(*number) % PHRASES.len()]),
        }
    }
    text
}

libfuzzer_sys::fuzz_target!(init: { watch(); oracle_sees(); }, |report: Report| {
    let person = &PEOPLE[usize::from(report.person) % PEOPLE.len()];
    let text = written(&report.text, person);
    let times = usize::from(report.times).pow(2).clamp(1, (MOST / text.len().max(1)).max(1));
    let encoded = |text: &str| format!("=?utf-8?b?{}?=", base64::engine::general_purpose::STANDARD.encode(text));
    let subject = written(&report.subject, person).chars().take(500).collect::<String>();
    let head = format!(
        "From: {} <{}>\r\nTo: vmt@kata.example\r\nSubject: {}\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/mixed; boundary=\"redaction-boundary\"\r\n\r\n--redaction-boundary\r\n\
         Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n",
        encoded(person.name),
        person.address,
        encoded(&subject)
    );
    let mut mail = head.into_bytes();
    let body = base64::engine::general_purpose::STANDARD.encode(text.repeat(times));
    for line in body.as_bytes().chunks(76) {
        mail.extend_from_slice(line);
        mail.extend_from_slice(b"\r\n");
    }
    if report.key {
        mail.extend_from_slice(b"--redaction-boundary\r\nContent-Type: application/pgp-keys\r\n\r\n");
        mail.extend_from_slice(&key(false).expect("the key can be written"));
    }
    mail.extend_from_slice(b"\r\n--redaction-boundary--\r\n");

    let drafts = bounded(mail.len(), || drafts(&mail));
    for draft in drafts {
        let body: serde_json::Value = serde_json::from_str(&draft).expect("a draft is JSON");
        let (summary, description) = (body["summary"].as_str().unwrap_or(""), body["description"].as_str().unwrap_or(""));
        assert!(!summary.is_empty() && summary.chars().count() <= 1_024, "the summary has its bounds");
        assert!(description.chars().count() <= 65_535, "the description has its bounds");
        let marker = format!("\n<!-- embargod:{} -->", "09".repeat(16));
        assert!(description.ends_with(&marker), "the marker stands last");
        assert_eq!(description.matches("<!--").count(), 1, "the marker stands once: {description}");
        // A name for which credit is asked stands in the table; that is the report's wish.
        let told: String = description.lines().filter(|line| !line.starts_with("| Credit |")).collect::<Vec<_>>().join("\n");
        for said in [summary, &told] {
            if let Some(found) = found_in(said, person) {
                panic!("{found} of {} is left in:\n{said}\nfrom:\n{text}", person.name);
            }
        }
        if report.key {
            let print = WORLD.eve.fingerprint().to_hex().to_lowercase();
            assert!(!draft.to_lowercase().contains(&print), "a fingerprint is left");
        }
        fence_holds(description);
    }
});

/// The draft with the text, and the stub.
fn drafts(mail: &[u8]) -> Vec<String> {
    let world = &*WORLD;
    let mail = Plaintext::new(mail.to_vec());
    let components = COMPONENTS.map(str::to_owned);
    let mut drafts = Vec::new();
    for content in [DraftContent::Report, DraftContent::Stub] {
        let mut rules = world.rules.clone();
        (rules.drafts, rules.open_for) = (content, OpenFor::All);
        let outer = Outer::read(&mail, &world.keyring, &rules);
        let opened = open_mail(&mail, &world.keyring, &rules, None, world.received, false);
        let decision = decide(&outer, &opened, &Known::default(), &world.keyring, &rules, world.received);
        let prepared = prepare_draft(&outer, &opened, &decision, &components, &world.keyring, &rules);
        drafts.extend(prepared.map(|made| made.for_case(&CaseId::new(PREFIX, 2026, 7), [9; 16]).draft.body_json()));
    }
    drafts
}

/// The report's text ends where its fence ends.
fn fence_holds(description: &str) {
    let Some((_, rest)) = description.split_once("The report, without what tells who wrote it:\n\n") else { return };
    let fence: String = rest.chars().take_while(|c| *c == '`').collect();
    assert!(fence.len() >= 3, "the text stands in a fence");
    let ends = rest.lines().skip(1).filter(|line| line.trim_start().starts_with(&fence)).count();
    assert_eq!(ends, 1, "the text ends its own fence: {description}");
}

/// The search finds what it looks for, however it was hidden; otherwise a run would show nothing.
fn oracle_sees() {
    for person in &PEOPLE {
        for what in [What::Name, What::Address, What::Family] {
            for how in How::ALL {
                let text = format!("A bug. {} The end.", how.hide(what, person));
                assert!(found_in(&text, person).is_some(), "{how:?}: {what:?} is not seen in {text}");
            }
        }
    }
}
