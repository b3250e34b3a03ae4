use super::*;
use crate::report::pgp_world_tests::statement;
use crate::report::verdict::{Intended, KeyOrigin, SignatureStatus};
use proptest::prelude::*;

fn rendered(statement: &Statement) -> String {
    let plain = statement.render();
    String::from_utf8(plain.expose().to_vec()).unwrap()
}

/// The `Name: value` lines and the free text.
fn split(text: &str) -> (Vec<(String, String)>, String) {
    let (lines, free) = text.split_once("\r\n\r\n").unwrap();
    let lines = lines.split("\r\n").map(|line| line.split_once(": ").unwrap());
    (lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(), free.to_owned())
}

fn verdict(status: SignatureStatus) -> SignatureVerdict {
    SignatureVerdict {
        status,
        key: Some(KeyOrigin::FirstSeen),
        fingerprint: Some("A".repeat(40)),
        inside: true,
        whole: true,
        created: Some("2026-03-01T00:00:00Z".parse().unwrap()),
        intended: Intended::Unnamed,
        member: None,
        digest: Vec::new(),
    }
}

#[test]
fn a_statement_says_everything_in_the_promised_order() {
    let mut statement = statement("heap overflow");
    statement.signatures = vec![verdict(SignatureStatus::Good), verdict(SignatureStatus::Bad)];
    statement.signatures[1].key = None;
    statement.signatures[1].fingerprint = None;
    statement.signatures[1].created = None;
    statement.signatures[1].inside = false;
    statement.recipients =
        vec![ReporterContact::new("cert@example.org", None), ReporterContact::new("x@y.example", None)];
    statement.advisory = AdvisoryLine::Link("https://github.example/advisories/GHSA-1".into());
    statement.warnings = [Warning::BadSignature, Warning::UnencryptedPart].into();
    let (lines, free) = split(&rendered(&statement));
    let expected = [
        ("Case", "KATA-2026-0001".to_owned()),
        ("Kind", "report".into()),
        ("Author", "reporter".into()),
        ("Subject", "heap overflow".into()),
        ("Received", "2026-03-04T05:06:07Z".into()),
        ("Encryption", "complete".into()),
        ("Signature", format!("good; first-seen; {}; 2026-03-01T00:00:00Z", "A".repeat(40))),
        (
            "Signature",
            "bad; unknown; unknown; unknown; outside the encryption, so it says nothing about who wrote the content"
                .into(),
        ),
        ("Reporter", "Eve Canary <eve@reporter.example>".into()),
        ("Original-Recipients", "cert@example.org, x@y.example".into()),
        ("Advisory", "https://github.example/advisories/GHSA-1".into()),
        ("Warning", format!("unencrypted-part: {}", Warning::UnencryptedPart.advice())),
        ("Warning", format!("bad-signature: {}", Warning::BadSignature.advice())),
    ];
    let lines: Vec<_> = lines.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    assert_eq!(lines, expected);
    assert!(free.contains("reply to this mail") && free.contains("vmt@katacontainers.example"));
    assert!(free.contains("has no relay") && free.contains("your own address"));
    assert!(free.contains("Only this first part is the gateway's."));
}

#[test]
fn what_is_missing_is_said_in_words() {
    let mut statement = statement("");
    statement.case = None;
    statement.reporter = None;
    statement.encryption = Encryption::None;
    statement.advisory = AdvisoryLine::None("mail in clear opens no draft".into());
    let (lines, _) = split(&rendered(&statement));
    let value = |name: &str| lines.iter().find(|(n, _)| n == name).unwrap().1.clone();
    assert_eq!(value("Case"), "none");
    assert_eq!(value("Signature"), "none");
    assert_eq!(value("Reporter"), "unknown");
    assert_eq!(value("Original-Recipients"), "none");
    assert_eq!(value("Advisory"), "none: mail in clear opens no draft");
}

#[test]
fn a_refusal_tells_the_members_what_to_ask_the_reporter_for() {
    let mut statement = statement("x");
    statement.refusal = Some(Refusal::NoIntegrityProtection);
    let (_, free) = split(&rendered(&statement));
    assert!(free.contains("no-integrity-protection") && free.contains(Refusal::NoIntegrityProtection.advice()));
}

#[test]
fn a_long_list_of_recipients_is_cut_and_counted() {
    let mut statement = statement("x");
    statement.recipients = (0..500).map(|n| ReporterContact::new(&format!("user{n}@example.org"), None)).collect();
    let (lines, _) = split(&rendered(&statement));
    let list = &lines.iter().find(|(name, _)| name == "Original-Recipients").unwrap().1;
    assert!(list.starts_with("user0@example.org, user1@example.org") && list.ends_with(", and 480 more"), "{list}");
    statement.recipients = vec![ReporterContact::new(&format!("{}@example.org", "é🦀".repeat(400)), None)];
    let (lines, _) = split(&rendered(&statement));
    assert!(lines.iter().find(|(name, _)| name == "Original-Recipients").unwrap().1.len() < 990);
}

#[test]
fn a_name_cannot_pass_for_another_address() {
    let mut statement = statement("x");
    statement.reporter =
        Some(ReporterContact::new("eve@evil.example", Some("Alice <alice@example.org>\r\nSignature: good")));
    let (lines, _) = split(&rendered(&statement));
    let reporter = &lines.iter().find(|(name, _)| name == "Reporter").unwrap().1;
    assert_eq!(reporter, "Alice alice@example.org Signature: good <eve@evil.example>");
}

proptest! {
    #[test]
    fn no_mail_can_add_a_line_to_a_statement(
        subject: String, name: String, address: String, other: String, member: String, link: String, print: String,
    ) {
        let mut statement = statement(&subject);
        statement.reporter = Some(ReporterContact::new(&address, Some(&name)));
        statement.recipients = vec![ReporterContact::new(&other, None)];
        statement.author = Author::Member(member);
        statement.advisory = AdvisoryLine::Link(link);
        statement.signatures = vec![verdict(SignatureStatus::Good)];
        statement.signatures[0].fingerprint = Some(print);
        let text = rendered(&statement);
        prop_assert!(text.split("\r\n").all(|line| line.len() <= 998));
        let harmful = |c: char| c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c);
        prop_assert!(!text.replace("\r\n", "").contains(harmful));
        let head = text.split("\r\n\r\n").next().unwrap();
        let names: Vec<_> = head.split("\r\n").map(|line| line.split_once(':').unwrap().0).collect();
        prop_assert_eq!(names, ["Case", "Kind", "Author", "Subject", "Received", "Encryption", "Signature", "Reporter",
            "Original-Recipients", "Advisory"]);
    }
}
