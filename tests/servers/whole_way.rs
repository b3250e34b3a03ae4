//! From a reporter's mail program to each member's, over the protocols that a team's servers speak.

use crate::office::{KATA, LONG, Lines, Office, TOKEN, hub};
use crate::servers::{dovecot, mta};
use crate::world::*;

/// A team of three, with drafts at a GitHub.
fn office(hub: &GitHub, tls: &'static str) -> Office {
    let lines = Lines { tls, ..Lines::default() };
    Office::with(World::of_three().at(hub, KATA, TOKEN), lines, dovecot::Options::default(), mta::Options::default())
}

/// A report, what the members and the reporter get, a member's answer to the others, and a reply of the reporter's.
fn goes_all_the_way(tls: &'static str) {
    let hub = hub();
    let office = office(&hub, tls);
    let world = &office.world;
    let eve = world.reporter("eve");
    let daemon = office.opens();
    let proof: Vec<u8> = (0..150_000u32).map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    let text = "The guest writes past the queue – siehe Anhang.\n\n.a line with a dot\n-- \nEve";
    let mail = report().from(&eve).encrypted().signed().about("Out of bounds in virtiofs").saying(text);
    let sent = office.gets(&eve, mail.attaching("proof.bin", "application/octet-stream", &proof));

    for name in ["alice", "bob", "carol"] {
        let copy = office.copy_of(name, "siehe Anhang");
        assert!(copy.parts.contains(&sent.entity), "{name} has every byte");
        assert_eq!(copy.attachment("proof.bin").as_deref(), Some(&*proof), "{name}");
        assert_eq!(copy.good_signers, [world.gateway.key.fingerprint.as_str()], "{name}");
        assert_eq!(copy.outer("Return-Path"), format!("<{}>", office.lines.bounces), "{name}");
        assert_eq!(copy.inner("Subject"), format!("[{}] Out of bounds in virtiofs", copy.case()));
        let drafts = hub.drafts_of(KATA);
        assert_eq!(drafts.len(), 1);
        assert_eq!(copy.says("Advisory"), drafts[0].link, "{name}");
        assert!(drafts[0].summary.contains(copy.case()));
    }
    let first = office.copy_of("alice", "siehe Anhang");
    wait_until("the reporter has an answer", LONG, || office.count("eve.canary", "INBOX") == 1);
    let answer = office.folder("eve.canary", "INBOX").remove(0);
    let (fields, _) = mime::split_entity(&answer);
    assert_eq!(mime::field(&fields, "Return-Path"), Some("<>"));
    assert!(String::from_utf8_lossy(&answer).contains(first.case()));
    wait_until("the report is put away", LONG, || office.count("vmt", "INBOX") == 0);
    assert_eq!(office.count("vmt", "Archive"), 1);

    let alice = world.member("alice");
    let reply = report().from(alice).encrypted().signed().about("Re: yes").in_reply_to(first.message_id());
    let reply = reply.saying("It crashes here too.").write(&world.gateway.current_certificate());
    office.is_written_by(alice, &reply.raw);
    for name in ["bob", "carol"] {
        let copy = office.copy_of(name, "It crashes here too.");
        assert_eq!((copy.says("Kind"), copy.says("Author"), copy.case()), ("discussion", "alice", first.case()));
        assert!(copy.parts.contains(&reply.entity), "{name} has every byte");
        assert_eq!(copy.good_signers, [world.gateway.key.fingerprint.as_str()], "{name}");
    }

    let id = mime::field(&fields, "Message-ID").unwrap().trim_matches(['<', '>']);
    office.gets(
        &eve,
        report().from(&eve).encrypted().signed().about("Re: more").in_reply_to(id).saying("One word more."),
    );
    for name in ["alice", "bob", "carol"] {
        assert_eq!(office.copy_of(name, "One word more.").case(), first.case());
    }
    office.has_sent_all();
    assert!(office.copies_of("alice", "It crashes here too.").is_empty(), "nobody gets the own words back");
    assert_eq!((hub.drafts_of(KATA).len(), office.count("eve.canary", "INBOX")), (1, 1));
    assert_eq!(daemon.terminates().0, Some(0));
    assert!(office.dovecot.log().lines().any(|line| line.contains("user=<vmt>") && line.contains("TLS")));
    assert!(!String::from_utf8_lossy(&world.gateway.logs()).contains(crate::servers::PASSWORD));
}

#[test]
fn a_report_goes_from_the_reporters_server_to_each_members_mailbox_and_the_answers_after_it() {
    goes_all_the_way("implicit");
}

#[test]
fn the_whole_way_is_the_same_with_starttls_at_both_servers() {
    goes_all_the_way("starttls");
}

#[test]
fn mail_that_a_mail_server_pipes_in_and_mail_in_the_mailbox_go_the_same_way() {
    let office = Office::of(World::new().members(["alice", "bob"]));
    let world = &office.world;
    let eve = world.reporter("eve");
    let daemon = office.opens();
    let (piped, ran) = world.gateway.is_piped(report().from(&eve).encrypted().saying("Piped into receive."));
    ran.ends_with(0);
    let sent = office.gets(&eve, report().from(&eve).encrypted().saying("Found in the mailbox."));
    let mut cases = Vec::new();
    for (text, mail) in [("Piped into receive.", &piped), ("Found in the mailbox.", &sent)] {
        for name in ["alice", "bob"] {
            let copy = office.copy_of(name, text);
            assert!(copy.parts.contains(&mail.entity), "{name}: {text}");
            cases.push(copy.case().to_owned());
        }
    }
    assert!(cases[0] == cases[1] && cases[2] == cases[3] && cases[0] != cases[2], "{cases:?}");
    // The same mail by the other way is the same mail.
    world.gateway.does_with(&["receive"], &sent.raw).ends_with(0);
    office.is_sent(&eve, &piped.raw);
    wait_until("it is put away", LONG, || office.count("vmt", "INBOX") == 0 && office.count("vmt", "Archive") == 2);
    office.has_sent_all();
    assert_eq!(world.gateway.lists(&["cases", "list"]).len(), 2, "{:?}", world.gateway.lists(&["cases", "list"]));
    assert_eq!((office.state_of("mailbox"), office.state_of("spool")), ("working".into(), "working".into()));
    assert_eq!(daemon.terminates().0, Some(0));
}
