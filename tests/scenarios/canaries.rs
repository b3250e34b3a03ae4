//! After everything that can happen to a report has happened, no word of it is anywhere outside.

use crate::world::*;

/// Every kind of mail with its own secret words, and everything an admin may run.
fn no_word_gets_out(database: Database) {
    let world = World::new().members(["alice", "bob"]).expired_member("oldie").on(database).start();
    let (eve, ivan) = (world.reporter("eve"), world.reporter("ivan"));
    let alice = world.member("alice");
    let from_eve = || report().from(&eve).about("Canarysubject of Eve").saying("Canarywords in the body of a report");
    let attached =
        || from_eve().attaching("canaryname.bin", "application/octet-stream", b"canarybytes in an attachment");
    world.gateway.receives(attached().encrypted().signed().protecting(Protection::Rfc9788));
    world.gateway.receives(attached().nested().with_autocrypt());
    world.gateway.receives(attached().inline());
    world.gateway.receives(attached());
    world.gateway.receives(attached().signed());
    world.gateway.receives(attached().encrypted().tampered());
    world
        .gateway
        .receives(attached().to(&format!("{TEAM}, {}", ivan.address)).encrypted().header("X-Odd: canaryheader"));
    world.gateway.receives(report().from(alice).encrypted().signed().saying("Canarywords of a member"));
    world.gateway.receives(report().from(&eve).claiming_to_be("<alice@example.org>").saying("Canarywords of a forger"));
    world.gateway.is_piped(attached().about("Canarysubject of Eve by pipe")).1.ends_with(0);
    world.gateway.runs_once_and_leaves_work();
    let case = world.members.copies_of("alice", "Canarywords in the body")[0].case().to_owned();
    for args in
        [vec!["status"], vec!["cases", "list"], vec!["cases", "show", &case], vec!["queue", "list"], vec!["check"]]
    {
        let said = world.gateway.does(&args).ends_with(0).said();
        for word in ["canarysubject", "canarywords", "reporter.example"] {
            assert!(!said.to_lowercase().contains(word), "{args:?} shows {word}:\n{said}");
        }
    }
    let daemon = world.gateway.starts();
    std::thread::sleep(std::time::Duration::from_secs(1));
    daemon.terminates();

    for words in [
        "Canarysubject",
        "Canarywords",
        "canarybytes",
        "canaryname.bin",
        "canaryheader",
        "messageidcanary",
        "Eve Canaryname",
    ] {
        world.nothing_outside_but_answers_to(&eve, words);
    }
    world.nothing_outside_but_answers_to(&eve, &eve.address);
    world.nothing_outside_contains(&ivan.address);
    world.nothing_outside_but_answers_to(&eve, &eve.fingerprint);
}

#[test]
fn no_word_of_a_report_gets_out_on_sqlite() {
    no_word_gets_out(Database::Sqlite);
}

#[test]
fn no_word_of_a_report_gets_out_on_postgresql() {
    no_word_gets_out(Database::Postgres);
}

#[test]
fn the_answers_to_a_reporter_hold_nothing_of_the_report_either() {
    let world = World::of_three().start();
    let eve = world.reporter("eve");
    world
        .gateway
        .receives(report().from(&eve).encrypted().about("Canarysubject of Eve").saying("Canarywords in the body"));
    world.gateway.runs_once();
    assert_eq!(world.mails_to(&eve.address).len(), 1);
    world.nothing_outside_contains("Canarywords");
    world.nothing_outside_contains("Canarysubject");
}

#[test]
fn without_acknowledgements_the_reporters_address_is_nowhere_at_all() {
    let world = World::of_three().with(|settings| settings.acknowledge = false).start();
    let eve = world.reporter("eve");
    world.gateway.receives(report().from(&eve).encrypted().signed().saying("nobody knows me"));
    world.gateway.runs_once();
    world.members.each_can_read("nobody knows me");
    world.nothing_outside_contains(&eve.address);
    world.nothing_outside_contains("Eve Canaryname");
    world.outbox_is_empty();
}
