//! `inspect --json`: every field of the contract, nothing changed, never the reporter's contact.

use crate::world::*;
use serde_json::Value;

const FIELDS: [&str; 13] = [
    "class",
    "encryption",
    "opened",
    "refusal",
    "signatures",
    "subject",
    "parts",
    "recipients",
    "held",
    "warnings",
    "acknowledge",
    "advisory",
    "summary",
];

fn has_every_field(answer: &Value) {
    for field in &FIELDS[..12] {
        assert!(answer.get(field).is_some(), "{field} is missing in {answer}");
    }
    for field in ["action", "why", "summary", "description"] {
        assert!(answer["advisory"].get(field).is_some(), "advisory.{field} is missing in {answer}");
    }
}

#[test]
fn an_encrypted_and_signed_report_is_described_field_by_field() {
    let world = World::of_three().start();
    let eve = world.reporter("eve");
    let mail = report().from(&eve).encrypted().signed().protecting(Protection::Rfc9788).about("Virtiofs escape");
    let mail = mail.saying("details").attaching("poc.bin", "application/octet-stream", &[7; 100]);
    let sent = mail.write(&world.gateway.key.certificate());
    let answer = world.gateway.inspects(&sent.raw);
    has_every_field(&answer);
    assert_eq!(answer["class"], "report");
    assert_eq!(answer["encryption"], "complete");
    assert_eq!((answer["opened"].as_bool(), answer["refusal"].is_null()), (Some(true), true));
    assert_eq!(answer["subject"], "Virtiofs escape");
    assert_eq!(answer["signatures"][0]["status"], "unknown-key");
    assert!(answer["signatures"][0]["fingerprint"].is_string(), "{answer}");
    assert_eq!((answer["acknowledge"].as_str(), answer["advisory"]["action"].as_str()), (Some("plain"), Some("stub")));
    let parts = answer["parts"].as_array().unwrap();
    let poc = parts.iter().find(|part| part["name"] == "poc.bin").expect("the attachment");
    assert_eq!((poc["type"].as_str(), poc["size"].as_u64()), (Some("application/octet-stream"), Some(100)));
    assert_eq!(poc["encrypted"], true);
    let text = answer.to_string();
    assert!(!text.contains(&eve.address) && !text.contains("Canaryname"), "{text}");
}

#[test]
fn each_class_of_mail_is_told_apart() {
    let world = World::of_three().start();
    let (eve, alice) = (world.reporter("eve"), world.member("alice"));
    let bounce = report().from(&eve).header("Return-Path: <>").header("Auto-Submitted: auto-replied");
    for (expected, mail) in [
        ("report", report().from(&eve).encrypted()),
        ("report", report().from(&eve)),
        ("member", report().from(alice).encrypted().signed()),
        ("automatic", report().from(&eve).header("Auto-Submitted: auto-replied")),
        ("list", report().from(&eve).header("List-Id: <a.b.example>")),
        ("bounce", bounce.claiming_to_be("MAILER-DAEMON@mx.example.org")),
    ] {
        let sent = mail.write(&world.gateway.key.certificate());
        let answer = world.gateway.inspects(&sent.raw);
        has_every_field(&answer);
        assert_eq!(answer["class"], expected, "{}", String::from_utf8_lossy(&sent.raw));
        assert_eq!(answer["acknowledge"] == "none", expected != "report", "{expected}: {answer}");
    }
}

#[test]
fn inspect_changes_nothing_and_sends_nothing() {
    let world = World::of_three().start();
    let eve = world.reporter("eve");
    let sent = report().from(&eve).encrypted().saying("just looking").write(&world.gateway.key.certificate());
    world.gateway.inspects(&sent.raw);
    assert!(process::files_below(&world.gateway.state()).is_empty(), "it makes no store");
    world.gateway.finds_in_mailbox(&sent.raw);
    world.gateway.runs_once();
    let mails = || world.members.iter().map(|member| world.mails_to(&member.address).len()).sum::<usize>();
    let before = (mails(), world.drafts().len(), world.gateway.lists(&["cases", "list"]).len());
    world.gateway.inspects(&sent.raw);
    assert_eq!(before, (mails(), world.drafts().len(), world.gateway.lists(&["cases", "list"]).len()));
    world.nothing_outside_contains("just looking");
}

#[test]
fn inspect_recognises_a_reply_by_the_store() {
    let world = World::of_three().start();
    let eve = world.reporter("eve");
    world.gateway.receives(report().from(&eve).encrypted().saying("first"));
    world.gateway.runs_once();
    let (fields, _) = mime::split_entity(&world.mails_to(&eve.address)[0]);
    let id = mime::field(&fields, "Message-ID").unwrap().trim_matches(['<', '>']).to_owned();
    let reply = report().from(&eve).encrypted().in_reply_to(&id).write(&world.gateway.key.certificate());
    let answer = world.gateway.inspects(&reply.raw);
    assert_eq!((answer["class"].as_str(), answer["advisory"]["action"].as_str()), (Some("reply"), Some("none")));
    assert_eq!(answer["acknowledge"], "none");
}

#[test]
fn inspect_reads_a_file_and_speaks_to_people_as_well() {
    let world = World::of_three().start();
    let eve = world.reporter("eve");
    let sent = report().from(&eve).encrypted().about("Readable").write(&world.gateway.key.certificate());
    let file = world.layout.mailbox.join("mail.eml");
    std::fs::write(&file, &sent.raw).unwrap();
    let ran = world.gateway.does(&["inspect", file.to_str().unwrap()]).ends_with(0);
    assert!(ran.stdout.contains("report") && ran.stdout.contains("complete"), "{}", ran.stdout);
    assert!(!ran.said().contains(&eve.address));
    let missing = world.gateway.does(&["inspect", "/nowhere/mail.eml"]);
    assert_eq!(missing.code, Some(1));
    assert!(missing.human().contains("/nowhere/mail.eml"), "{}", missing.human());
}
