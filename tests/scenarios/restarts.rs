//! The gateway ends and begins again at any point, and every member has each mail exactly once.

use crate::world::*;
use std::collections::BTreeMap;
use std::time::Duration;

/// The mails of a member's by what they say; `prefix` marks the texts of a test.
fn counted(world: &World, name: &str, texts: &[String]) -> BTreeMap<String, usize> {
    let mails = world.members.mails_of(name);
    texts.iter().map(|text| (text.clone(), mails.iter().filter(|copy| copy.shows(text)).count())).collect()
}

#[test]
fn running_again_and_again_delivers_nothing_twice() {
    for database in Database::BOTH {
        let world = World::of_three().on(database).start();
        let eve = world.reporter("eve");
        for round in 0..3 {
            world.gateway.receives(report().from(&eve).encrypted().signed().saying(&format!("round number {round}")));
            world.gateway.runs_once();
            world.gateway.runs_once();
        }
        for round in 0..3 {
            world.members.each_can_read(&format!("round number {round}"));
        }
        assert_eq!(world.drafts().len(), 3);
        assert_eq!(world.mails_to(&eve.address).len(), 3);
        world.outbox_is_empty();
    }
}

#[test]
fn a_mail_that_appears_in_the_mailbox_again_is_known() {
    for done in ["delete", "seen", "move:Archive"] {
        let world = World::new().members(["alice"]).with(move |settings| settings.mailbox_done = done).start();
        let eve = world.reporter("eve");
        let sent = world.gateway.receives(report().from(&eve).encrypted().saying("only once, please"));
        world.gateway.runs_once();
        world.gateway.runs_once();
        // The mail server restores a backup of the mailbox.
        world.gateway.finds_in_mailbox(&sent.raw);
        world.gateway.runs_once();
        world.members.each_can_read("only once, please");
        assert_eq!(world.drafts().len(), 1, "done = {done}");
        assert_eq!(world.waiting_in_mailbox(), 0, "done = {done}");
        let left = process::files_below(&world.layout.mailbox);
        match done {
            "delete" => assert!(left.is_empty(), "{left:?}"),
            "seen" => assert!(left.iter().any(|file| file.to_string_lossy().contains(":2,S")), "{left:?}"),
            _ => assert!(left.iter().all(|file| file.to_string_lossy().contains(".Archive")), "{left:?}"),
        }
    }
}

/// Numbers that differ from run to run and can be told from the failure message.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % limit
    }
}

#[test]
fn twenty_kills_at_random_moments_lose_nothing_and_repeat_nothing() {
    let world = World::new().members(["alice", "bob"]).start();
    let eve = world.reporter("eve");
    let seed = u64::from(jiff::Timestamp::now().subsec_nanosecond().unsigned_abs());
    println!("seed {seed}");
    let mut dice = Dice(seed);
    let mut texts = Vec::new();
    for kill in 0..20 {
        for _ in 0..=dice.below(3) {
            let text = format!("survivor number {};", texts.len());
            world.gateway.receives(report().from(&eve).encrypted().signed().saying(&text));
            texts.push(text);
        }
        let daemon = world.gateway.starts();
        // Some die while starting, some at work, some after it.
        std::thread::sleep(Duration::from_millis(20 + dice.below(if kill % 3 == 0 { 2000 } else { 600 })));
        daemon.dies();
    }
    wait_until("nothing is left to do", Duration::from_secs(90), || {
        world.gateway.does(&["run", "--once"]).code == Some(0)
    });
    for name in ["alice", "bob"] {
        for (text, count) in counted(&world, name, &texts) {
            assert_eq!(count, 1, "{name} has {text:?} {count} times");
        }
        let mails = world.members.mails_of(name);
        let strange: Vec<_> = mails.iter().filter(|copy| copy.says("Kind") != "report").collect();
        assert!(strange.is_empty(), "{:?}", strange.iter().map(|copy| &copy.statement).collect::<Vec<_>>());
    }
    assert_eq!(world.drafts().len(), texts.len(), "one draft a report");
    assert_eq!(world.waiting_in_mailbox(), 0);
    world.outbox_is_empty();
}

#[test]
fn a_kill_between_pipe_and_run_loses_nothing() {
    let world = World::new().members(["alice"]).start();
    let eve = world.reporter("eve");
    let mut texts = Vec::new();
    for number in 0..6 {
        let text = format!("through the pipe {number};");
        world.gateway.is_piped(report().from(&eve).encrypted().saying(&text)).1.ends_with(0);
        texts.push(text);
        let daemon = world.gateway.starts();
        std::thread::sleep(Duration::from_millis(100 * number));
        daemon.dies();
    }
    wait_until("nothing is left to do", Duration::from_secs(60), || {
        world.gateway.does(&["run", "--once"]).code == Some(0)
    });
    for (text, count) in counted(&world, "alice", &texts) {
        assert_eq!(count, 1, "{text:?} came {count} times");
    }
}

#[test]
fn gateways_on_one_postgresql_share_the_work_and_take_over_from_one_that_died() {
    let world = World::new().members(["alice", "bob"]).on(Database::Postgres).start();
    let eve = world.reporter("eve");
    let (mut survivor, victim) = (world.gateway.starts(), world.gateway.starts());
    let texts: Vec<String> = (0..8).map(|number| format!("shared work {number};")).collect();
    let (first, second) = texts.split_at(4);
    let send = |texts: &[String]| {
        for text in texts {
            world.gateway.receives(report().from(&eve).encrypted().saying(text));
        }
    };
    send(first);
    std::thread::sleep(Duration::from_millis(1200));
    victim.dies();
    send(second);
    let all = |name: &str| counted(&world, name, &texts).values().all(|count| *count >= 1);
    wait_until("all copies", Duration::from_secs(90), || all("alice") && all("bob"));
    assert!(survivor.is_running());
    assert_eq!(survivor.terminates().0, Some(0));
    for name in ["alice", "bob"] {
        let counts = counted(&world, name, &texts);
        assert!(counts.values().all(|count| *count == 1), "{name}: {counts:?}");
    }
}
