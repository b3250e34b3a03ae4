//! What a reporter hears from the gateway, and when nothing is said.

use crate::world::*;

/// The acknowledgements that went to somebody, as raw mails.
fn answers(world: &World, actor: &Actor) -> Vec<String> {
    world.mails_to(&actor.address).iter().map(|raw| String::from_utf8_lossy(raw).into_owned()).collect()
}

#[test]
fn a_reporter_without_a_known_key_gets_a_plain_acknowledgement_with_the_case_number_and_nothing_of_the_report() {
    let world = World::of_three().start();
    let eve = world.reporter("eve");
    world.gateway.receives(report().from(&eve).encrypted().about("Topsecret topic").saying("heap overflow"));
    world.gateway.runs_once();
    let answers = answers(&world, &eve);
    let [answer] = answers.as_slice() else { panic!("{} answers", answers.len()) };
    let case = world.members.copy_of("alice", "heap overflow").case().to_owned();
    let text = reading::text_of(answer.as_bytes());
    assert!(answer.contains(&case) || text.contains(&case), "{answer}");
    let printed: String = text.to_uppercase().split_whitespace().collect();
    assert!(printed.contains(&world.gateway.key.fingerprint), "the gateway key's fingerprint is in\n{text}");
    assert!(!text.contains("overflow") && !answer.contains("Topsecret"), "{answer}");
    let (fields, _) = mime::split_entity(answer.as_bytes());
    assert!(mime::field(&fields, "Auto-Submitted").is_some_and(|value| value.starts_with("auto-replied")), "{answer}");
    assert!(mime::field(&fields, "To").unwrap().contains(&eve.address));
    assert!(mime::field(&fields, "From").unwrap().contains(TEAM));
}

#[test]
fn a_reporter_who_offers_a_key_in_autocrypt_gets_an_encrypted_acknowledgement() {
    let world = World::of_three().start();
    let eve = world.reporter("eve");
    eve.knows(&world.gateway.key.certificate());
    world.gateway.receives(report().from(&eve).encrypted().signed().with_autocrypt().saying("heap overflow"));
    world.gateway.runs_once();
    let mails = world.mails_to(&eve.address);
    assert_eq!(mails.len(), 1);
    let (fields, _) = mime::split_entity(&mails[0]);
    assert!(mime::field(&fields, "Content-Type").unwrap().starts_with("multipart/encrypted"), "{fields:?}");
    let answer = Copy::open(&mails[0], &eve).expect("the reporter opens it");
    let case = world.members.copy_of("bob", "heap overflow").case().to_owned();
    assert!(answer.shows(&case));
    assert_eq!(answer.good_signers, std::slice::from_ref(&world.gateway.key.fingerprint));
    assert_eq!(
        answer.intended_recipients(&eve),
        std::slice::from_ref(&eve.fingerprint),
        "signed for this one recipient"
    );
    assert!(!answer.shows("heap overflow"));
}

#[test]
fn a_key_that_is_only_inside_the_encryption_does_not_change_the_acknowledgement() {
    let world = World::of_three().start();
    let eve = world.reporter("eve");
    world.gateway.receives(report().from(&eve).encrypted().with_key_attached().saying("heap overflow"));
    world.gateway.runs_once();
    let answers = answers(&world, &eve);
    assert_eq!(answers.len(), 1);
    assert!(!answers[0].contains("BEGIN PGP MESSAGE"), "what the secret key alone can know must not show");
}

#[test]
fn nobody_is_answered_who_must_not_be() {
    let world = World::of_three().start();
    let people: Vec<Actor> =
        ["list", "bulk", "robot", "bounce", "alias", "junk"].map(|name| world.reporter(name)).into();
    let headers = [
        "List-Id: <announce.lists.example>",
        "Precedence: bulk",
        "Auto-Submitted: auto-replied",
        "Return-Path: <>",
        "List-Unsubscribe: <mailto:leave@lists.example>",
        "Precedence: junk",
    ];
    for (person, header) in people.iter().zip(headers) {
        let text = format!("no answer for {}", person.name);
        world.gateway.receives(report().from(person).encrypted().saying(&text).header(header));
    }
    let alice = world.member("alice");
    world.gateway.receives(report().from(alice).encrypted().signed().saying("a member writes"));
    let copies_before = world.mails_to(&alice.address).len();
    world.gateway.runs_once();
    for (person, header) in people.iter().zip(headers) {
        assert!(answers(&world, person).is_empty(), "{header} was answered");
    }
    assert_eq!(copies_before, 0);
    for copy in world.members.mails_of("alice") {
        assert!(copy.case().starts_with("KATA-"), "a member gets copies and no acknowledgement");
    }
}

#[test]
fn the_answer_goes_to_the_from_address_and_never_to_reply_to() {
    let world = World::of_three().start();
    let (eve, victim) = (world.reporter("eve"), world.reporter("victim"));
    let line = format!("Reply-To: {}", victim.address);
    world.gateway.receives(report().from(&eve).encrypted().saying("heap overflow").header(&line));
    world.gateway.runs_once();
    assert_eq!(answers(&world, &eve).len(), 1);
    assert!(answers(&world, &victim).is_empty());
}

#[test]
fn a_trusted_dmarc_failure_is_not_answered_and_an_untrusted_one_says_nothing() {
    let world = World::of_three().with(|settings| settings.authserv_id = Some("mx.example.org")).start();
    let [forged, vouched, other, clear, clear_pass] =
        ["forged", "vouched", "other", "clear", "clearpass"].map(|name| world.reporter(name));
    let failed = "Authentication-Results: mx.example.org; dmarc=fail header.from=reporter.example";
    let passed = "Authentication-Results: mx.example.org; dmarc=pass header.from=reporter.example";
    let elsewhere = "Authentication-Results: evil.example; dmarc=fail header.from=reporter.example";
    world.gateway.receives(report().from(&forged).encrypted().saying("one of five").header(failed));
    world.gateway.receives(report().from(&vouched).encrypted().saying("two of five").header(passed));
    world.gateway.receives(report().from(&other).encrypted().saying("three of five").header(elsewhere));
    world.gateway.receives(report().from(&clear).saying("four of five"));
    world.gateway.receives(report().from(&clear_pass).saying("five of five").header(passed));
    world.gateway.runs_once();
    assert!(answers(&world, &forged).is_empty());
    assert_eq!(answers(&world, &vouched).len(), 1);
    assert_eq!(answers(&world, &other).len(), 1);
    assert!(answers(&world, &clear).is_empty(), "mail in clear is answered only with dmarc=pass");
    assert_eq!(answers(&world, &clear_pass).len(), 1);
    for text in ["one", "two", "three", "four", "five"] {
        world.members.each_can_read(&format!("{text} of five"));
    }
}

#[test]
fn a_flood_from_one_address_gets_a_few_answers_and_loses_no_report() {
    let world = World::new().members(["alice"]).start();
    let eve = world.reporter("eve");
    for number in 0..15 {
        world.gateway.receives(report().from(&eve).encrypted().saying(&format!("flood number {number};")));
    }
    world.gateway.runs_once();
    for number in 0..15 {
        world.members.each_can_read(&format!("flood number {number};"));
    }
    let count = answers(&world, &eve).len();
    assert!((1..=10).contains(&count), "{count} answers in one day");
}

#[test]
fn a_mail_encrypted_to_other_keys_is_told_so() {
    let world = World::of_three().start();
    let (eve, other) = (world.reporter("eve"), world.reporter("other"));
    world.gateway.receives(report().from(&eve).encrypted_only_to(&[other.certificate()]).saying("wrong key"));
    world.gateway.runs_once();
    let answers = answers(&world, &eve);
    assert_eq!(answers.len(), 1);
    let text = reading::text_of(answers[0].as_bytes()).to_lowercase();
    assert!(text.contains("key"), "{text}");
    let usual = {
        let bob = world.reporter("rob");
        world.gateway.receives(report().from(&bob).encrypted().saying("right key"));
        world.gateway.runs_once();
        reading::text_of(&world.mails_to(&bob.address)[0]).to_lowercase()
    };
    let lines = |text: &str| text.lines().count();
    assert!(lines(&text) > lines(&usual) || !usual.contains(text.lines().nth(4).unwrap_or_default()), "it says more");
}

#[test]
fn acknowledgements_can_be_switched_off() {
    let world = World::of_three().with(|settings| settings.acknowledge = false).start();
    let eve = world.reporter("eve");
    world.gateway.receives(report().from(&eve).encrypted().saying("silence"));
    world.gateway.runs_once();
    world.members.each_can_read("silence");
    assert!(answers(&world, &eve).is_empty());
}
