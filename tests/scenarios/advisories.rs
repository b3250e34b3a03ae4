//! Drafts on the desk: what they hold, and when there is none.

use crate::world::*;

#[test]
fn a_report_opens_a_draft_that_is_a_stub_and_holds_no_word_of_it() {
    let world = World::of_three().start();
    let eve = world.reporter("eve");
    world.gateway.receives(report().from(&eve).encrypted().signed().about("Topsecret topic").saying("heap overflow"));
    world.gateway.runs_once();
    let drafts = world.drafts();
    let [(case, draft)] = drafts.as_slice() else { panic!("{} drafts", drafts.len()) };
    assert_eq!(case, world.members.copy_of("alice", "heap overflow").case(), "the file is named after the case");
    let summary = draft["summary"].as_str().expect("a summary");
    assert!(summary.contains(case.as_str()) && summary.chars().count() <= 1024, "{draft}");
    assert!(
        draft["description"].as_str().is_some_and(|text| text.trim_end().ends_with("-->")),
        "the marker ends it: {draft}"
    );
    assert!(draft["vulnerabilities"].is_array(), "GitHub demands it: {draft}");
    let text = draft.to_string();
    for word in ["Topsecret", "overflow", eve.address.as_str(), "Canaryname", eve.fingerprint.as_str()] {
        assert!(!text.contains(word), "{word} is in {text}");
    }
}

#[test]
fn the_members_copy_says_where_the_draft_is() {
    let world = World::of_three().start();
    let eve = world.reporter("eve");
    world.gateway.receives(report().from(&eve).encrypted().saying("heap overflow"));
    world.gateway.runs_once();
    let copy = world.members.copy_of("alice", "heap overflow");
    assert_eq!(copy.says("Advisory"), format!("{}.json", copy.case()));
}

#[test]
fn with_report_content_the_draft_has_subject_and_text_but_nothing_of_the_reporter() {
    let world = World::of_three().with(|settings| settings.content = "report").start();
    let eve = world.reporter("eve");
    let text = format!(
        "A guest can write past the virtqueue.\n\nCall me: +49 30 1234567, {}\n-- \nEve Canaryname\n",
        eve.address
    );
    let mail = report().from(&eve).encrypted().signed().with_key_attached().about("Virtqueue write").saying(&text);
    world.gateway.receives(mail.attaching("private-poc.bin", "application/octet-stream", b"\x00\x01"));
    world.gateway.runs_once();
    let drafts = world.drafts();
    let [(_, draft)] = drafts.as_slice() else { panic!("{} drafts", drafts.len()) };
    let text = draft.to_string();
    assert!(text.contains("A guest can write past the virtqueue."), "{text}");
    assert!(text.contains("Virtqueue write"), "{text}");
    for word in [eve.address.as_str(), "Canaryname", "1234567", "private-poc", "BEGIN PGP", eve.fingerprint.as_str()] {
        assert!(!text.contains(word), "{word} is in {text}");
    }
}

#[test]
fn the_checked_fields_of_the_template_reach_even_a_stub() {
    let world = World::of_three().start();
    let eve = world.reporter("eve");
    let text = "Component: runtime\nAffected: >= 3.0.0, < 3.2.1\nCWE: CWE-787\n\
                CVSS: CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H\n\nSecret prose that stays here.\n";
    world.gateway.receives(report().from(&eve).encrypted().saying(text));
    world.gateway.runs_once();
    let text = world.drafts()[0].1.to_string();
    assert!(text.contains("runtime") && text.contains("CWE-787") && text.contains("CVSS:3.1/AV:L"), "{text}");
    assert!(!text.contains("Secret prose"), "{text}");
}

#[test]
fn mail_in_clear_opens_no_draft_unless_the_team_wants_it() {
    for (open_for, expected) in [("encrypted", 0), ("all", 1)] {
        let world = World::new().members(["alice"]).with(move |settings| settings.open_for = open_for).start();
        let eve = world.reporter("eve");
        world.gateway.receives(report().from(&eve).saying("in clear"));
        world.gateway.runs_once();
        assert_eq!(world.drafts().len(), expected, "open_for = {open_for}");
        let copy = world.members.copy_of("alice", "in clear");
        assert!(copy.warns("in-clear"), "{:?}", copy.statement);
        assert!(!copy.says("Advisory").is_empty(), "why there is none: {:?}", copy.statement);
    }
}

#[test]
fn beyond_the_hourly_cap_reports_still_reach_the_members_and_drafts_wait() {
    let world = World::new().members(["alice"]).with(|settings| settings.max_per_hour = 2).start();
    let eve = world.reporter("eve");
    for number in 0..4 {
        world.gateway.receives(report().from(&eve).encrypted().saying(&format!("capped number {number};")));
    }
    world.gateway.runs_once_and_leaves_work();
    for number in 0..4 {
        world.members.each_can_read(&format!("capped number {number};"));
    }
    assert_eq!(world.drafts().len(), 2);

    let capped: Vec<_> =
        world.gateway.lists(&["queue", "list"]).into_iter().filter(|row| row["why"] == "capped").collect();
    assert_eq!(capped.len(), 2);
    world.gateway.does(&["queue", "retry", capped[0]["id"].as_str().unwrap()]).ends_with(0);
    world.gateway.runs_once_and_leaves_work();
    assert_eq!(world.drafts().len(), 3, "an admin's word lets one go, and only that one");
}

#[test]
fn the_same_mail_never_opens_two_drafts() {
    let world = World::of_three().start();
    let eve = world.reporter("eve");
    let sent = world.gateway.receives(report().from(&eve).encrypted().saying("once is enough"));
    world.gateway.finds_in_mailbox(&sent.raw);
    world.gateway.runs_once();
    world.gateway.finds_in_mailbox(&sent.raw);
    world.gateway.runs_once();
    assert_eq!(world.drafts().len(), 1);
    world.members.each_can_read("once is enough");
}

#[test]
fn cases_are_numbered_in_the_order_in_which_the_mails_arrived() {
    let world = World::new().members(["alice"]).start();
    let eve = world.reporter("eve");
    for number in 1..=12 {
        world.gateway.receives(report().from(&eve).encrypted().saying(&format!("number {number};")));
    }
    world.gateway.runs_once();
    for number in 1..=12 {
        let case = world.members.copy_of("alice", &format!("number {number};")).case().to_owned();
        assert!(case.ends_with(&format!("-{number:04}")), "mail {number} became {case}");
    }
}
