//! Nobody knows whether a draft was opened: it is looked for before anything is sent again, and there is never a second one as far
//! as GitHub lets that be found out.

use crate::github::*;
use crate::world::*;
use std::time::Duration;

fn small_world(hub: &GitHub) -> (World, Actor) {
    let world = World::new().members(["alice"]).at(hub, KATA, TOKEN).start();
    let eve = world.reporter("eve");
    (world, eve)
}

fn opens_one(world: &World, eve: &Actor, text: &str) -> String {
    world.gateway.receives(report().from(eve).encrypted().saying(text));
    world.gateway.does(&["run", "--once"]);
    world.members.each_can_read(text);
    world.members.copy_of("alice", text).case().to_owned()
}

fn looks(world: &World, times: usize) {
    for _ in 0..times {
        world.everything_is_due();
        world.gateway.does(&["run", "--once"]);
    }
}

fn creations(hub: &GitHub) -> usize {
    hub.requests(Kind::Create).len()
}

#[test]
fn a_draft_whose_answer_was_lost_is_found_at_the_first_look() {
    for database in Database::BOTH {
        let hub = hub();
        let world = World::new().members(["alice"]).on(database).at(&hub, KATA, TOKEN).start();
        let eve = world.reporter("eve");
        opens_one(&world, &eve, "the very first");
        for (number, fault) in [
            Fault::AfterCreation(500),
            Fault::AfterCreation(502),
            Fault::AfterCreation(503),
            Fault::ResetAfterCreation,
            Fault::Garbage,
            Fault::CutShort,
        ]
        .into_iter()
        .enumerate()
        {
            let before = creations(&hub);
            hub.fails_next(Kind::Create, fault.clone());
            let text = format!("lost answer {number};");
            let case = opens_one(&world, &eve, &text);
            assert_eq!(drafts_of(&hub, &case).len(), 1, "{fault:?}");
            let listed = hub.requests(Kind::List).len();
            // Not before its time.
            world.gateway.runs_once_and_leaves_work();
            assert_eq!(hub.requests(Kind::List).len(), listed, "{fault:?}");
            looks(&world, 1);
            world.gateway.runs_once();
            assert_eq!((drafts_of(&hub, &case).len(), creations(&hub) - before), (1, 1), "{fault:?}");
            world.members.each_can_read(&drafts_of(&hub, &case)[0].link);
            world.outbox_is_empty();
        }
        nothing_leaked(&world, &hub, &eve, &[]);
    }
}

#[test]
fn a_draft_that_was_never_opened_is_posted_again_after_three_looks() {
    let hub = hub();
    let (world, eve) = small_world(&hub);
    opens_one(&world, &eve, "the very first");
    for (number, fault) in
        [Fault::Status(500), Fault::Status(502), Fault::Status(503), Fault::Reset].into_iter().enumerate()
    {
        let before = creations(&hub);
        hub.fails_next(Kind::Create, fault.clone());
        let case = opens_one(&world, &eve, &format!("never opened {number};"));
        looks(&world, 2);
        assert_eq!((drafts_of(&hub, &case).len(), creations(&hub) - before), (0, 1), "{fault:?}: not after two looks");
        looks(&world, 1);
        assert_eq!((drafts_of(&hub, &case).len(), creations(&hub) - before), (1, 2), "{fault:?}");
        looks(&world, 1);
        world.outbox_is_empty();
    }
    for request in hub.requests(Kind::List) {
        assert!(request.query.iter().all(|(name, _)| name != "state"), "all states are looked through");
    }
}

#[test]
fn the_looks_come_half_a_minute_two_minutes_and_ten_minutes_after_the_post() {
    let hub = hub();
    let (world, eve) = small_world(&hub);
    opens_one(&world, &eve, "the very first");
    hub.fails_next(Kind::Create, Fault::Status(502));
    opens_one(&world, &eve, "when it is looked for");
    let mut waits = Vec::new();
    for _ in 0..3 {
        let rows = world.gateway.lists(&["queue", "list"]);
        let row = rows.iter().find(|row| row["kind"] == "draft").expect("the draft waits");
        let due: jiff::Timestamp = row["due"].as_str().unwrap().parse().unwrap();
        waits.push(due.duration_since(jiff::Timestamp::now()).as_secs());
        looks(&world, 1);
    }
    let expected = [30, 90, 480];
    for (waited, expected) in waits.iter().zip(expected) {
        assert!((expected - 10..=expected).contains(waited), "{waits:?}");
    }
}

#[test]
fn an_answer_that_never_comes_is_given_up_and_the_draft_is_found_or_opened_once() {
    std::thread::scope(|scope| {
        for (fault, requests) in
            [(Fault::StallAfterCreation(Duration::from_secs(60)), 1), (Fault::Stall(Duration::from_secs(60)), 2)]
        {
            scope.spawn(move || {
                let hub = hub();
                let (world, eve) = small_world(&hub);
                opens_one(&world, &eve, "the very first");
                hub.fails_next(Kind::Create, fault.clone());
                let case = opens_one(&world, &eve, "no answer;");
                looks(&world, 4);
                assert_eq!(drafts_of(&hub, &case).len(), 1, "{fault:?}");
                assert_eq!(creations(&hub), 1 + requests, "{fault:?}");
                world.outbox_is_empty();
            });
        }
    });
}

#[test]
fn a_slow_trickle_is_an_answer_or_none_but_never_a_second_draft() {
    let hub = hub();
    let (world, eve) = small_world(&hub);
    opens_one(&world, &eve, "the very first");
    // Longer than anybody waits.
    hub.fails_next(Kind::Create, Fault::Trickle(Duration::from_millis(50)));
    let case = opens_one(&world, &eve, "octet by octet;");
    looks(&world, 2);
    assert_eq!((drafts_of(&hub, &case).len(), creations(&hub)), (1, 2));
    world.members.each_can_read(&drafts_of(&hub, &case)[0].link);
}

#[test]
fn a_list_that_is_behind_the_times_costs_looks_and_no_second_draft() {
    let hub = hub();
    let (world, eve) = small_world(&hub);
    opens_one(&world, &eve, "the very first");
    hub.shows_new_drafts_after_lists(2).fails_next(Kind::Create, Fault::AfterCreation(502));
    let case = opens_one(&world, &eve, "seen late;");
    looks(&world, 3);
    assert_eq!((drafts_of(&hub, &case).len(), creations(&hub)), (1, 2));
    looks(&world, 1);
    world.outbox_is_empty();
}

#[test]
fn a_draft_is_found_on_a_later_page() {
    let hub = hub();
    let (world, eve) = small_world(&hub);
    opens_one(&world, &eve, "the very first");
    hub.fails_next(Kind::Create, Fault::AfterCreation(502));
    let case = opens_one(&world, &eve, "buried;");
    for number in 0..230 {
        hub.has_draft(KATA, &format!("newer {number}"));
    }
    looks(&world, 1);
    world.gateway.runs_once();
    assert_eq!((drafts_of(&hub, &case).len(), creations(&hub)), (1, 2));
    world.members.each_can_read(&drafts_of(&hub, &case)[0].link);
    let pages = hub.requests(Kind::List);
    assert_eq!(pages.len(), 3, "three pages by their cursors");
    assert!(pages.iter().all(|page| page.status == Some(200)));
}

#[test]
fn a_look_that_fails_counts_for_nothing() {
    let hub = hub();
    let (world, eve) = small_world(&hub);
    opens_one(&world, &eve, "the very first");
    hub.fails_next(Kind::Create, Fault::AfterCreation(502));
    let case = opens_one(&world, &eve, "hard to find;");
    let faults = [
        Fault::Status(401),
        Fault::Status(403),
        Fault::Status(404),
        Fault::Status(500),
        Fault::Reset,
        Fault::Garbage,
        Fault::CutShort,
        Fault::Redirect(302),
        Fault::ForeignNextPage,
        Fault::SecondaryLimit { status: 429, retry_after: Some(SHORT) },
    ];
    for fault in faults {
        hub.fails_next(Kind::List, fault.clone());
        hub.has_draft(KATA, "newer");
        looks(&world, 1);
        hub.time_passes(LONG);
        // Whatever was seen before the fault may have been enough.
        assert_eq!((drafts_of(&hub, &case).len(), creations(&hub)), (1, 2), "{fault:?}");
        assert!(hub.strayed().is_empty(), "{fault:?}");
    }
    looks(&world, 2);
    world.outbox_is_empty();
    world.members.each_can_read(&drafts_of(&hub, &case)[0].link);
    nothing_leaked(&world, &hub, &eve, &[]);
}

#[test]
fn a_token_that_sees_no_drafts_leads_to_no_second_one_and_the_admins_decide() {
    let hub = hub();
    let (world, eve) = small_world(&hub);
    opens_one(&world, &eve, "the very first");
    for (text, fault) in
        [("hidden and there;", Fault::AfterCreation(502)), ("hidden and not there;", Fault::Status(502))]
    {
        hub.hides_drafts_from(TOKEN, true);
        let before = creations(&hub);
        hub.fails_next(Kind::Create, fault);
        let case = opens_one(&world, &eve, text);
        looks(&world, 4);
        assert_eq!(creations(&hub) - before, 1, "{text}: an empty list is not believed");
        let told = world.members.copies_of("alice", "queue retry");
        let told = told.iter().filter(|notice| notice.shows(&case)).count();
        assert_eq!(told, 1, "{text}");
        let rows = world.gateway.lists(&["queue", "list"]);
        let row = rows.iter().find(|row| row["kind"] == "draft" && row["state"] == "held").expect("it is held");
        hub.hides_drafts_from(TOKEN, false);
        world.gateway.does(&["queue", "retry", row["id"].as_str().unwrap()]).ends_with(0);
        looks(&world, 2);
        assert_eq!(
            drafts_of(&hub, &case).len(),
            1,
            "{text}: looked for once more, and opened only where it was missing"
        );
        world.outbox_is_empty();
    }
}

#[test]
fn the_very_first_draft_of_a_team_is_not_posted_twice_either() {
    let hub = hub();
    let (world, eve) = small_world(&hub);
    hub.fails_next(Kind::Create, Fault::Status(502));
    let case = opens_one(&world, &eve, "no draft is known;");
    looks(&world, 4);
    assert_eq!(creations(&hub), 1, "nothing shows that the list can be believed");
    assert!(drafts_of(&hub, &case).is_empty());
    let rows = world.gateway.lists(&["queue", "list"]);
    let row = rows.iter().find(|row| row["state"] == "held").expect("the admins decide");
    world.gateway.does(&["queue", "retry", row["id"].as_str().unwrap()]).ends_with(0);
    looks(&world, 1);
    assert_eq!((drafts_of(&hub, &case).len(), creations(&hub)), (1, 2));
}

#[test]
fn two_drafts_of_one_request_are_told_to_the_admins() {
    let hub = hub();
    let (world, eve) = small_world(&hub);
    opens_one(&world, &eve, "the very first");
    hub.fails_next(Kind::Create, Fault::Twice(502));
    let case = opens_one(&world, &eve, "doubled on its way;");
    looks(&world, 2);
    let drafts = drafts_of(&hub, &case);
    assert_eq!((drafts.len(), creations(&hub)), (2, 2));
    world.members.copy_of("alice", "more than once");
    assert!(!world.members.copies_of("alice", &drafts[0].link).is_empty(), "the oldest is the one");
    assert!(world.members.copies_of("alice", &drafts[1].link).is_empty());
    world.outbox_is_empty();
}

#[test]
fn a_gateway_that_dies_while_it_posts_looks_before_it_posts_again() {
    for (fault, requests) in
        [(Fault::StallAfterCreation(Duration::from_secs(60)), 1), (Fault::Stall(Duration::from_secs(60)), 2)]
    {
        let hub = hub();
        let (world, eve) = small_world(&hub);
        opens_one(&world, &eve, "the very first");
        hub.fails_next(Kind::Create, fault.clone());
        let daemon = world.gateway.starts();
        world.gateway.receives(report().from(&eve).encrypted().saying("in the middle of it;"));
        wait_until("it is posted", Duration::from_secs(20), || creations(&hub) == 2);
        daemon.dies();
        looks(&world, 4);
        let case = world.members.copy_of("alice", "in the middle of it;").case().to_owned();
        assert_eq!(drafts_of(&hub, &case).len(), 1, "{fault:?}");
        assert_eq!(creations(&hub), 1 + requests, "{fault:?}");
        world.outbox_is_empty();
    }
}

#[test]
fn gateways_on_one_postgresql_open_each_draft_once_though_one_dies_while_it_posts() {
    let hub = hub();
    let world = World::new().members(["alice"]).on(Database::Postgres).at(&hub, KATA, TOKEN).start();
    let eve = world.reporter("eve");
    opens_one(&world, &eve, "the very first");
    let victim = world.gateway.starts();
    hub.fails_next(Kind::Create, Fault::StallAfterCreation(Duration::from_secs(60)));
    world.gateway.receives(report().from(&eve).encrypted().saying("taken over;"));
    wait_until("it is posted", Duration::from_secs(20), || creations(&hub) == 2);
    victim.dies();
    let survivors = [world.gateway.starts(), world.gateway.starts()];
    let texts: Vec<String> = (0..8).map(|number| format!("shared work {number};")).collect();
    for text in &texts {
        world.gateway.receives(report().from(&eve).encrypted().saying(text));
    }
    let soon = Duration::from_secs(90);
    wait_until("all drafts are open", soon, || hub.drafts_of(KATA).len() >= 10);
    // The lease of the dead ends at once.
    world.sql("UPDATE outbox SET lease_until = 1, due = 1 WHERE kind = 'draft' AND state = 'sending'");
    wait_until("the lost one is found", soon, || {
        let rows = world.gateway.lists(&["queue", "list"]);
        rows.iter().all(|row| row["kind"] != "draft")
    });
    for survivor in survivors {
        assert_eq!(survivor.terminates().0, Some(0));
    }
    assert_eq!((hub.drafts_of(KATA).len(), creations(&hub)), (10, 10));
    for text in texts.iter().map(String::as_str).chain(["taken over;"]) {
        world.members.each_can_read(text);
    }
}
