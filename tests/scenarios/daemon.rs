//! The daemon's life: reload, end, and what goes on beside it.

use crate::world::*;
use std::time::Duration;

const SOON: Duration = Duration::from_secs(20);

/// Waits until somebody has a mail with this text.
fn arrives(world: &World, name: &str, text: &str) {
    wait_until(&format!("{name} gets {text:?}"), SOON, || !world.members.copies_of(name, text).is_empty());
}

#[test]
fn mail_that_comes_while_the_daemon_runs_is_delivered() {
    for database in Database::BOTH {
        let world = World::of_three().on(database).start();
        let eve = world.reporter("eve");
        let daemon = world.gateway.starts();
        world.gateway.receives(report().from(&eve).encrypted().saying("while it runs"));
        world.gateway.is_piped(report().from(&eve).encrypted().saying("by the pipe")).1.ends_with(0);
        for member in ["alice", "bob", "carol"] {
            arrives(&world, member, "while it runs");
            arrives(&world, member, "by the pipe");
        }
        assert_eq!(daemon.terminates().0, Some(0));
        world.members.each_can_read("while it runs");
        world.members.each_can_read("by the pipe");
    }
}

#[test]
fn sigterm_ends_the_daemon_within_ten_seconds_and_leaves_nothing_half_done() {
    let world = World::of_three().start();
    let eve = world.reporter("eve");
    for number in 0..20 {
        world.gateway.receives(report().from(&eve).encrypted().saying(&format!("under way {number};")));
    }
    let daemon = world.gateway.starts();
    arrives(&world, "alice", "under way");
    let (code, time) = daemon.terminates();
    assert_eq!(code, Some(0));
    assert!(time < Duration::from_secs(10), "it took {time:?}");
    wait_until("nothing is left", Duration::from_secs(60), || world.gateway.does(&["run", "--once"]).code == Some(0));
    for number in 0..20 {
        world.members.each_can_read(&format!("under way {number};"));
    }
}

#[test]
fn sighup_takes_a_valid_configuration_as_a_whole() {
    let world = World::of_three().start();
    let eve = world.reporter("eve");
    world.reconfigure(|settings| settings.members.retain(|member| member.name != "carol"));
    let daemon = world.gateway.starts();
    world.gateway.receives(report().from(&eve).encrypted().saying("before carol joined"));
    arrives(&world, "alice", "before carol joined");
    let carol = settings::MemberLine::of(world.member("carol"), &world.layout);
    world.reconfigure(|settings| {
        settings.members.push(carol);
        settings.content = "report";
    });
    daemon.reloads();
    std::thread::sleep(Duration::from_secs(1));
    world.gateway.receives(report().from(&eve).encrypted().saying("after the third one joined"));
    arrives(&world, "carol", "after the third one joined");
    assert!(world.members.copies_of("carol", "before carol joined").is_empty());
    assert_eq!(daemon.terminates().0, Some(0));
    assert!(world.drafts().iter().any(|(_, draft)| draft.to_string().contains("after the third one joined")));
}

#[test]
fn sighup_with_an_invalid_configuration_changes_nothing_and_is_logged() {
    let world = World::of_three().start();
    let eve = world.reporter("eve");
    let mut daemon = world.gateway.starts();
    world.gateway.receives(report().from(&eve).encrypted().saying("before the mistake"));
    arrives(&world, "alice", "before the mistake");
    // One change is fine and one is not: neither may be taken.
    world.reconfigure(|settings| {
        settings.members.retain(|member| member.name != "bob");
        settings.last_lines = "\n[nonsense]\nkey = 1\n".into();
    });
    daemon.reloads();
    wait_until("the error is logged", SOON, || {
        daemon.log().lines().any(|line| line.contains("ERROR") && line.contains("nonsense"))
    });
    world.gateway.receives(report().from(&eve).encrypted().saying("after the mistake"));
    arrives(&world, "bob", "after the mistake");
    assert!(daemon.is_running());
    assert_eq!(daemon.terminates().0, Some(0));
}

#[test]
fn a_changed_store_needs_a_restart_and_says_so() {
    let world = World::of_three().start();
    let eve = world.reporter("eve");
    let daemon = world.gateway.starts();
    world.gateway.receives(report().from(&eve).encrypted().saying("in the first store"));
    arrives(&world, "alice", "in the first store");
    world.reconfigure(|settings| settings.store_url = "sqlite://elsewhere/other.db".into());
    daemon.reloads();
    wait_until("it says so", SOON, || {
        let is_said = |line: &str| line.contains("restart") && (line.contains("ERROR") || line.contains("WARN"));
        daemon.log().lines().any(is_said)
    });
    assert!(!world.etc("elsewhere/other.db").exists());
    assert_eq!(daemon.terminates().0, Some(0));
}

#[test]
fn a_second_daemon_on_one_sqlite_is_refused_while_every_other_command_works() {
    let world = World::of_three().start();
    let eve = world.reporter("eve");
    let daemon = world.gateway.starts();
    world.gateway.receives(report().from(&eve).encrypted().saying("the first daemon works"));
    arrives(&world, "alice", "the first daemon works");
    for args in [vec!["run"], vec!["run", "--once"]] {
        let second = world.gateway.does(&args).ends_with(1);
        assert!(second.human().to_lowercase().contains("run"), "it says why:\n{}", second.human());
    }
    let case = world.members.copy_of("alice", "the first daemon works").case().to_owned();
    for args in [
        vec!["status"],
        vec!["status", "--json"],
        vec!["cases", "list"],
        vec!["cases", "show", &case],
        vec!["cases", "close", &case],
        vec!["queue", "list"],
        vec!["keys", "list"],
        vec!["check"],
    ] {
        world.gateway.does(&args).ends_with(0);
    }
    world.gateway.is_piped(report().from(&eve).encrypted().saying("beside the daemon")).1.ends_with(0);
    arrives(&world, "bob", "beside the daemon");
    assert_eq!(daemon.terminates().0, Some(0));
}

#[test]
fn logs_go_to_standard_error_and_json_stands_alone_on_standard_output() {
    let world = World::of_three().start();
    let eve = world.reporter("eve");
    world.gateway.receives(report().from(&eve).encrypted().saying("heap overflow"));
    let ran = world.gateway.runs_once();
    assert!(ran.stderr.contains("INFO"), "something is logged at the usual level");
    for args in [["status", "--json"], ["check", "--json"]] {
        world.gateway.does(&args).ends_with(0).json();
    }
    for args in [["cases", "list"], ["queue", "list"], ["keys", "list"]] {
        world.gateway.lists(&args);
    }
}
