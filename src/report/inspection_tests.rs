use super::*;
use crate::report::keys_fixture_tests::*;
use crate::report::policy::{DraftContent, Known, Rules, decide};
use crate::report::secret::{Plaintext, ReporterContact};
use crate::report::{Opened, Outer};
use serde_json::json;

fn inspect(header: &str, opened: &Opened, rules: &Rules, held: Vec<Held>, draft: Option<DraftView<'_>>) -> Inspection {
    let keyring = keyring(&[]);
    let outer = Outer::read(&mail(header, "text"), &keyring, rules);
    let decision = decide(&outer, opened, &Known::default(), &keyring, rules, jiff::Timestamp::now());
    Inspection::new(opened, &decision, &keyring, held, draft)
}

const EVE: &str = "From: Eve <eve@example.net>\nContent-Type: multipart/encrypted; boundary=b";

#[test]
fn the_answer_has_the_fields_of_the_contract_and_not_the_reporter() {
    let eve = cert("Eve <eve@example.net>");
    let mut opened = opened_encrypted("text");
    opened.signatures = vec![good_signature(&eve, KeyOrigin::FirstSeen, jiff::Timestamp::now())];
    opened.recipients = vec![ReporterContact::new("eve@example.net", Some("Eve"))];
    opened.subject = Plaintext::from_text("heap \u{1b}[31moverflow");
    opened.parts =
        vec![PartInfo { media_type: "text/plain".into(), name: Some("a\u{202e}txt".into()), size: 4, encrypted: true }];
    let held = vec![Held { member: "Bob".into(), why: "certificate-expired".into() }];
    let draft = DraftView { summary: "KATA-2026-0001", description: "stub", fell_back: false, repository: None };
    let inspection = inspect(EVE, &opened, &Rules::new(TEAM, "KATA"), held, Some(draft));
    let expected = json!({
        "class": "report", "encryption": "complete", "opened": true, "refusal": null,
        "signatures": [{"status": "good", "key": "first-seen", "fingerprint": eve.fingerprint().to_hex()}],
        "subject": "heap \u{fffd}[31moverflow",
        "parts": [{"type": "text/plain", "name": "a\u{fffd}txt", "size": 4, "encrypted": true}],
        "recipients": ["Alice@example.org"],
        "held": [{"member": "Bob", "why": "certificate-expired"}],
        "warnings": [], "acknowledge": "plain",
        "advisory": {"action": "stub", "why": "content-is-stub", "summary": "KATA-2026-0001", "description": "stub"},
    });
    assert_eq!(inspection.to_json(), expected);
    let text = inspection.to_text();
    assert!(text.contains("Copy to:") && text.contains("certificate-expired") && text.contains("first-seen"));
    for said in [text, inspection.to_json().to_string()] {
        assert!(!said.contains("eve@example.net") && !said.contains('\u{1b}') && !said.contains('\u{202e}'));
    }
}

#[test]
fn a_refused_mail_is_not_opened_and_says_why_there_is_no_draft() {
    let opened = Opened { refusal: Some(Refusal::NotForOurKeys), payload_hash: None, ..opened_encrypted("") };
    let json = inspect(EVE, &opened, &Rules::new(TEAM, "KATA"), Vec::new(), None).to_json();
    assert_eq!(
        (&json["class"], &json["opened"], &json["refusal"]),
        (&json!("unusable"), &json!(false), &json!("not-for-our-keys"))
    );
    let none = json!({"action": "none", "why": "not-opened", "summary": null, "description": null});
    assert_eq!(json["advisory"], none);
}

#[test]
fn the_draft_is_open_with_text_and_a_stub_where_redaction_fell_back() {
    let mut rules = Rules::new(TEAM, "KATA");
    rules.drafts = DraftContent::Report;
    let action = |fell_back| {
        let draft = DraftView { summary: "s", description: "d", fell_back, repository: None };
        inspect(EVE, &opened_encrypted("text"), &rules, Vec::new(), Some(draft)).to_json()["advisory"].clone()
    };
    assert_eq!((&action(false)["action"], &action(false)["why"]), (&json!("open"), &json!(null)));
    assert_eq!((&action(true)["action"], &action(true)["why"]), (&json!("stub"), &json!("redaction-fell-back")));
}

#[test]
fn nobody_gets_a_copy_of_what_only_the_admins_hear_of() {
    let header = "From: alice@example.org\nContent-Type: multipart/encrypted; boundary=b";
    let json = inspect(header, &opened_encrypted("text"), &Rules::new(TEAM, "KATA"), Vec::new(), None).to_json();
    assert_eq!((&json["recipients"], &json["acknowledge"]), (&json!([]), &json!("none")));
    assert_eq!(json["warnings"], json!(["member-unproven"]));
}
