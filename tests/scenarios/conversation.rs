//! A reporter writes again: replies join their case, and nobody else's mail does.

use crate::world::*;

/// The Message-ID of the only acknowledgement to somebody, without angle brackets.
fn acknowledged(world: &World, actor: &Actor) -> String {
    let mails = world.mails_to(&actor.address);
    assert_eq!(mails.len(), 1, "acknowledgements to {}", actor.name);
    let (fields, _) = mime::split_entity(&mails[0]);
    mime::field(&fields, "Message-ID").unwrap().trim_matches(['<', '>']).to_owned()
}

#[test]
fn a_reply_to_the_acknowledgement_joins_the_case_and_opens_nothing_new() {
    for database in Database::BOTH {
        let world = World::of_three().on(database).start();
        let eve = world.reporter("eve");
        world.gateway.receives(report().from(&eve).encrypted().signed().saying("first report"));
        world.gateway.runs_once();
        let id = acknowledged(&world, &eve);
        let reply =
            report().from(&eve).encrypted().signed().about("Re: more").in_reply_to(&id).saying("second thoughts");
        world.gateway.receives(reply);
        world.gateway.runs_once();
        world.members.each_can_read("second thoughts");
        let (first, second) =
            (world.members.copy_of("bob", "first report"), world.members.copy_of("bob", "second thoughts"));
        assert_eq!(second.case(), first.case());
        assert_eq!(second.says("Kind"), "reporter-reply");
        assert_ne!(second.message_id(), first.message_id());
        let references = format!("{} {}", second.outer("References"), second.outer("In-Reply-To"));
        assert!(references.contains(first.message_id()), "copies of one case thread: {references:?}");
        assert_eq!(world.drafts().len(), 1, "a reply opens no draft");
        assert_eq!(world.mails_to(&eve.address).len(), 1, "a reply is not acknowledged");
        assert_eq!(world.gateway.lists(&["cases", "list"]).len(), 1);
    }
}

#[test]
fn a_stranger_who_only_names_a_case_number_does_not_get_into_it() {
    let world = World::of_three().start();
    let (eve, mallory) = (world.reporter("eve"), world.reporter("mallory"));
    world.gateway.receives(report().from(&eve).encrypted().saying("first report"));
    world.gateway.runs_once();
    let case = world.members.copy_of("alice", "first report").case().to_owned();
    let mail = report().from(&mallory).encrypted().about(&format!("Re: [{case}] hello")).saying("let me in");
    world.gateway.receives(mail);
    world.gateway.runs_once();
    let intruder = world.members.copy_of("alice", "let me in");
    assert!(intruder.warns("claims-case"), "{:?}", intruder.statement);
    assert_ne!(intruder.case(), case);
}

#[test]
fn a_stolen_payload_from_another_sender_opens_a_case_with_a_warning_and_no_answer() {
    let world = World::of_three().start();
    let (eve, thief) = (world.reporter("eve"), world.reporter("thief"));
    let sent = world.gateway.receives(report().from(&eve).encrypted().signed().saying("stolen words"));
    world.gateway.runs_once();
    let original = String::from_utf8(sent.raw).unwrap();
    let stolen = original
        .replace(&format!("From: {} <{}>", eve.display_name(), eve.address), &format!("From: <{}>", thief.address))
        .replace("messageidcanary", "otheridcanary");
    world.gateway.finds_in_mailbox(stolen.as_bytes());
    world.gateway.runs_once();
    let copies = world.members.copies_of("alice", "stolen words");
    assert_eq!(copies.len(), 2);
    let replay = copies.iter().find(|copy| copy.warns("replayed-payload")).expect("a warning");
    let first = copies.iter().find(|copy| !copy.warns("replayed-payload")).unwrap();
    assert_ne!(replay.case(), first.case());
    let to_thief = world.mails_to(&thief.address);
    assert_eq!(to_thief.len(), 1, "the thief gets the answer that any mail would get, since it tells nothing");
    let answer = String::from_utf8_lossy(&to_thief[0]).into_owned();
    assert!(!answer.contains(first.case()) && !answer.contains("stolen words"), "and no more than that");
}

#[test]
fn contact_is_printed_by_one_command_only_and_its_use_is_written_down() {
    let world = World::of_three().start();
    let eve = world.reporter("eve");
    world.gateway.receives(report().from(&eve).encrypted().saying("who wrote this"));
    world.gateway.runs_once();
    let case = world.members.copy_of("alice", "who wrote this").case().to_owned();
    for args in [vec!["cases", "list"], vec!["cases", "show", &case], vec!["status"], vec!["queue", "list"]] {
        let ran = world.gateway.does(&args).ends_with(0);
        assert!(!ran.said().contains(&eve.address), "{args:?} shows the reporter");
        let mut json = args.clone();
        json.push("--json");
        assert!(!world.gateway.does(&json).ends_with(0).said().contains(&eve.address), "{json:?} shows the reporter");
    }
    let contact = world.gateway.does(&["cases", "contact", &case]).ends_with(0);
    assert!(contact.stdout.contains(&eve.address), "{}", contact.stdout);
    assert!(!contact.stderr.contains(&eve.address));
    world.nothing_outside_but_answers_to(&eve, &eve.address);
}

#[test]
fn a_closed_case_is_no_longer_open_and_still_takes_replies() {
    let world = World::of_three().start();
    let eve = world.reporter("eve");
    world.gateway.receives(report().from(&eve).encrypted().saying("first report"));
    world.gateway.runs_once();
    let case = world.members.copy_of("alice", "first report").case().to_owned();
    world.gateway.does(&["cases", "close", &case]).ends_with(0);
    let shown = world.gateway.does(&["cases", "show", &case, "--json"]).ends_with(0);
    assert!(shown.stdout.contains("closed"), "{}", shown.stdout);
    let id = acknowledged(&world, &eve);
    world.gateway.receives(report().from(&eve).encrypted().in_reply_to(&id).saying("one more thing"));
    world.gateway.runs_once();
    world.members.each_can_read("one more thing");
    assert_eq!(world.gateway.does(&["cases", "close", "KATA-1999-0001"]).code, Some(1), "there is no such case");
}

#[test]
fn members_are_told_who_writes_into_a_case_if_it_is_not_its_reporter() {
    let world = World::of_three().start();
    let (eve, mallory) = (world.reporter("eve"), world.reporter("mallory"));
    world.gateway.receives(report().from(&eve).encrypted().saying("first report"));
    world.gateway.runs_once();
    let id = acknowledged(&world, &eve);
    world.gateway.receives(report().from(&mallory).encrypted().in_reply_to(&id).saying("I know more"));
    world.gateway.receives(report().from(&eve).encrypted().in_reply_to(&id).saying("so do I"));
    world.gateway.runs_once();
    let copy = world.members.copy_of("alice", "I know more");
    assert!(copy.shows(&eve.address), "the case's contact stays");
    assert!(copy.shows(&format!("It came from {}, which proves nothing.", mallory.address)));
    assert!(!world.members.copy_of("alice", "so do I").shows("It came from"));
    world.nothing_outside_but_answers_to(&mallory, &mallory.address);
}
