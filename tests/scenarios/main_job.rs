//! The main job: a report comes in, and every member gets a copy of their own that opens with their own key.

use crate::world::*;

/// Every shape of mail, each with a text of its own.
fn shapes<'a>(eve: &'a Actor, sue: &'a Actor) -> Vec<(&'static str, Report<'a>)> {
    let binary: Vec<u8> = (0..=255).cycle().take(3000).collect();
    let from_eve = || report().from(eve);
    vec![
        ("encrypted", from_eve().encrypted()),
        ("encrypted and signed", from_eve().encrypted().signed()),
        ("encrypted and signed by sq", report().from(sue).encrypted().signed()),
        ("signed, then encrypted", from_eve().nested()),
        (
            "with an attachment",
            from_eve().encrypted().signed().attaching("poc.bin", "application/octet-stream", &binary),
        ),
        ("nested with an attachment", from_eve().nested().attaching("crash.log", "text/x-log", b"trace\r\n")),
        ("with protected headers", from_eve().encrypted().signed().protecting(Protection::Rfc9788)),
        ("with old protected headers", from_eve().encrypted().signed().protecting(Protection::V1)),
        ("with a bare inner subject", from_eve().encrypted().protecting(Protection::BareSubject)),
        ("signed only", from_eve().signed()),
        ("in clear", from_eve()),
        ("in clear with an attachment", from_eve().attaching("poc.bin", "application/octet-stream", &binary)),
        ("not in ASCII", from_eve().encrypted()),
    ]
}

fn every_shape_reaches_every_member(database: Database) {
    let world = World::new().members(["alice", "bob"]).rsa_member("rosa").sequoia_member("sam").on(database).start();
    let (eve, sue) = (world.reporter("eve"), world.sequoia_reporter("sue"));
    let mut all = Vec::new();
    for (number, (name, mail)) in shapes(&eve, &sue).into_iter().enumerate() {
        let text = match name {
            "not in ASCII" => format!("überlauf → 溢出 nummer {number}"),
            _ => format!("heap overflow number {number} in virtiofs"),
        };
        let sent = world.gateway.receives(mail.about(&format!("Topic {number}")).saying(&text));
        all.push((name, text, sent));
    }
    world.gateway.runs_once();

    for (name, text, sent) in &all {
        println!("shape: {name}");
        world.members.each_can_read(text);
        let copy = world.members.copy_of("alice", text);
        let exact = copy.parts.first().is_some_and(|part| part == &sent.entity);
        assert!(exact, "{name}: the original entity is the second part, byte for byte; it is\n{}", {
            String::from_utf8_lossy(copy.parts.first().map_or(b"nothing".as_slice(), |part| part))
        });
        assert!(copy.says("Subject").contains(&sent.subject), "{name}: {:?}", copy.statement);
        assert_eq!(copy.says("Kind"), "report", "{name}");
        assert_eq!(copy.says("Author"), "reporter", "{name}");
        let encryption = if name.contains("clear") || *name == "signed only" { "none" } else { "complete" };
        assert_eq!(copy.says("Encryption"), encryption, "{name}");
    }
    let mut cases: Vec<String> = world.members.mails_of("bob").iter().map(|copy| copy.case().to_owned()).collect();
    cases.sort();
    cases.dedup();
    assert_eq!(cases.len(), all.len(), "each report has a case of its own");
    world.outbox_is_empty();
    assert_eq!(world.waiting_in_mailbox(), 0);
}

#[test]
fn every_shape_of_report_reaches_every_member_on_sqlite() {
    every_shape_reaches_every_member(Database::Sqlite);
}

#[test]
fn every_shape_of_report_reaches_every_member_on_postgresql() {
    every_shape_reaches_every_member(Database::Postgres);
}

#[test]
fn an_inline_pgp_mail_is_decrypted_with_its_attachments() {
    let world = World::of_three().start();
    let eve = world.reporter("eve");
    let binary: Vec<u8> = (0..=255).cycle().take(900).collect();
    let mail =
        report().from(&eve).inline().saying("inline words").attaching("poc.bin", "application/octet-stream", &binary);
    world.gateway.receives(mail);
    world.gateway.runs_once();
    world.members.each_can_read("inline words");
    let copy = world.members.copy_of("carol", "inline words");
    assert_eq!(copy.says("Encryption"), "complete");
    let holds = |part: &Vec<u8>| {
        mail_parser::MessageParser::default()
            .parse(part)
            .is_some_and(|m| m.parts.iter().any(|inner| inner.contents() == binary.as_slice()))
    };
    assert!(copy.parts.iter().any(holds), "the attachment is there, decrypted, in one of {} parts", copy.parts.len());
}

#[test]
fn each_copy_is_encrypted_to_one_member_alone_and_signed_by_the_gateway_for_the_team() {
    let world = World::of_three().start();
    let eve = world.reporter("eve");
    world.gateway.receives(report().from(&eve).encrypted().signed().saying("only for you"));
    world.gateway.runs_once();
    let mut team: Vec<String> = world.members.iter().map(|member| member.fingerprint.clone()).collect();
    team.sort();
    for member in world.members.iter() {
        let copy = world.members.copy_of(&member.name, "only for you");
        assert_eq!(copy.good_signers, std::slice::from_ref(&world.gateway.key.fingerprint), "{}", member.name);
        for other in world.members.iter().filter(|other| other.name != member.name) {
            assert!(Copy::open(&copy.raw, other).is_err(), "{} opens the copy of {}", other.name, member.name);
        }
        let mut intended = copy.intended_recipients(member);
        intended.sort();
        assert_eq!(intended, team, "the signature names whom it is meant for");
        let packets = String::from_utf8_lossy(&copy.armored).into_owned();
        assert!(packets.contains("-----BEGIN PGP MESSAGE-----"));
    }
}

#[test]
fn the_outside_of_a_copy_says_nothing_but_the_case_number() {
    let world = World::of_three().start();
    let eve = world.reporter("eve");
    let sent =
        world.gateway.receives(report().from(&eve).encrypted().signed().about("Virtiofs escape").saying("details"));
    world.gateway.runs_once();
    let copies: Vec<Copy> = world.members.iter().map(|member| world.members.copy_of(&member.name, "details")).collect();
    let first = &copies[0];
    assert_eq!(first.outer("Subject"), format!("[{}]", first.case()));
    for copy in &copies {
        assert!(copy.outer("From").contains(TEAM) && copy.outer("To").contains(TEAM), "{:?}", copy.outer);
        assert!(!copy.outer("Auto-Submitted").is_empty() && copy.outer("Autocrypt").contains(TEAM));
        assert_eq!(copy.message_id(), first.message_id(), "the same Message-ID for all members");
        let outside = String::from_utf8_lossy(&copy.raw).to_lowercase();
        let canaries = ["messageidcanary", "receivedcanary", "useragentcanary", "boundarycanary", "+0545", "virtiofs"];
        for canary in canaries.into_iter().chain([eve.address.as_str(), "alice", "bob@", "carol"]) {
            assert!(!outside.contains(canary), "{canary} is outside");
        }
        assert!(!outside.contains(&sent.message_id.to_lowercase()));
    }
}

#[test]
fn the_inside_of_a_copy_protects_the_real_header_fields() {
    let world = World::of_three().start();
    let eve = world.reporter("eve");
    world.gateway.receives(report().from(&eve).encrypted().about("Virtiofs escape").saying("details"));
    world.gateway.runs_once();
    let copy = world.members.copy_of("bob", "details");
    assert_eq!(copy.inner("Subject"), format!("[{}] Virtiofs escape", copy.case()));
    let kind = copy.inner("Content-Type").to_lowercase();
    assert!(kind.starts_with("multipart/mixed"), "{kind}");
    assert!(kind.contains("hp=\"cipher\"") && kind.contains("protected-headers=\"v1\""), "{kind}");
    assert!(
        copy.inner.iter().any(|(name, value)| name == "HP-Outer" && value.starts_with("Subject:")),
        "{:?}",
        copy.inner
    );
    assert!(copy.says("Reporter").contains(&eve.address), "{:?}", copy.statement);
    assert!(copy.says("Signature").contains("none"), "{:?}", copy.statement);
    assert!(copy.says("Received").ends_with('Z'), "{:?}", copy.statement);
}

#[test]
fn a_hidden_outer_subject_does_not_even_show_the_case_number() {
    let world = World::of_three().with(|settings| settings.outer_subject = "hidden").start();
    let eve = world.reporter("eve");
    world.gateway.receives(report().from(&eve).encrypted().saying("quiet please"));
    world.gateway.runs_once();
    let copy = world.members.copy_of("alice", "quiet please");
    assert_eq!(copy.outer("Subject"), "[...]");
    assert!(copy.case().starts_with("KATA-"));
    assert!(!String::from_utf8_lossy(&copy.raw).contains(copy.case()));
}

#[test]
fn the_statement_tells_who_signed_and_with_which_key() {
    let world = World::of_three().with(|settings| settings.known_certificates = true).start();
    let (eve, mallory) = (world.reporter("eve"), world.reporter("mallory"));
    std::fs::copy(eve.certificate(), world.etc("keys/known/eve.asc")).unwrap();
    world.reconfigure(|_| {});
    world.gateway.receives(report().from(&eve).encrypted().signed().saying("signed by a known key"));
    world.gateway.receives(report().from(&mallory).encrypted().signed().saying("signed by a stranger"));
    world.gateway.runs_once();
    let known = world.members.copy_of("alice", "signed by a known key");
    assert!(known.says("Signature").starts_with("good"), "{:?}", known.statement);
    assert!(known.says("Signature").contains("configured"), "{:?}", known.statement);
    assert!(known.says("Signature").contains(&eve.fingerprint), "{:?}", known.statement);
    let stranger = world.members.copy_of("alice", "signed by a stranger");
    assert!(stranger.says("Signature").starts_with("unknown-key"), "{:?}", stranger.statement);
}
