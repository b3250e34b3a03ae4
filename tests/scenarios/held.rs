//! A member whose key cannot be used gets nothing in clear: the copy is held, everybody responsible is told, and it goes out
//! by itself once the key is renewed.

use crate::world::*;
use std::time::Duration;

/// Puts the renewed certificate of a member where the configuration has it.
fn renew(world: &World, name: &str) {
    let member = world.member(name);
    member.renew();
    std::fs::copy(member.certificate(), world.etc(&format!("keys/members/{name}.asc"))).unwrap();
}

fn held_until_renewed(database: Database) {
    let world = World::new().members(["alice", "bob"]).expired_member("oldie").on(database).start();
    let eve = world.reporter("eve");
    let sent = world.gateway.receives(report().from(&eve).encrypted().signed().saying("not for expired keys"));
    let ran = world.gateway.runs_once_and_leaves_work();
    assert!(ran.said().contains("for oldie"), "it names who is held:\n{}", ran.said());
    assert!(ran.human().contains("expired"), "and why:\n{}", ran.human());
    world.members.copy_of("alice", "not for expired keys");
    world.members.copy_of("bob", "not for expired keys");
    assert!(world.mails_to("oldie@example.org").is_empty(), "nothing, in whatever form");
    let told = world.members.mails_of("alice");
    let notice = told.iter().find(|copy| copy.says("Kind") == "notice" && copy.shows("oldie"));
    assert!(
        notice.is_some(),
        "the admins are told; alice has {:?}",
        told.iter().map(|c| &c.statement).collect::<Vec<_>>()
    );

    for args in [["check"], ["status"]] {
        let ran = world.gateway.does(&args).ends_with(0);
        assert!(ran.said().contains("oldie"), "{args:?} names the member:\n{}", ran.said());
    }
    let check = world.gateway.does(&["check", "--json"]).ends_with(0).stdout;
    assert!(check.contains("expired"), "{check}");
    assert!(!world.gateway.lists(&["queue", "list"]).is_empty());

    renew(&world, "oldie");
    world.gateway.runs_once();
    let copy = world.members.copy_of("oldie", "not for expired keys");
    assert_eq!(copy.parts[0], sent.entity);
    assert_eq!(copy.good_signers, std::slice::from_ref(&world.gateway.key.fingerprint));
    world.members.copy_of("alice", "not for expired keys");
    world.outbox_is_empty();
}

#[test]
fn a_copy_for_an_expired_key_is_held_and_goes_out_once_it_is_renewed_on_sqlite() {
    held_until_renewed(Database::Sqlite);
}

#[test]
fn a_copy_for_an_expired_key_is_held_and_goes_out_once_it_is_renewed_on_postgresql() {
    held_until_renewed(Database::Postgres);
}

#[test]
fn a_running_daemon_delivers_what_was_held_after_sighup() {
    let world = World::new().members(["alice"]).expired_member("oldie").start();
    let eve = world.reporter("eve");
    world.gateway.receives(report().from(&eve).encrypted().saying("patience pays"));
    let daemon = world.gateway.starts();
    let limit = Duration::from_secs(20);
    wait_until("the copy for alice", limit, || !world.members.copies_of("alice", "patience pays").is_empty());
    assert!(world.mails_to("oldie@example.org").is_empty());
    renew(&world, "oldie");
    daemon.reloads();
    wait_until("the held copy", limit, || !world.members.copies_of("oldie", "patience pays").is_empty());
    assert_eq!(daemon.terminates().0, Some(0));
}

#[test]
fn somebody_who_left_the_team_gets_nothing_more() {
    let world = World::new().members(["alice", "bob"]).expired_member("oldie").start();
    let eve = world.reporter("eve");
    world.gateway.receives(report().from(&eve).encrypted().saying("before the farewell"));
    world.gateway.runs_once_and_leaves_work();
    renew(&world, "oldie");
    world.reconfigure(|settings| settings.members.retain(|member| member.name != "oldie"));
    world.gateway.receives(report().from(&eve).encrypted().saying("after the farewell"));
    world.gateway.runs_once();
    assert!(world.mails_to("oldie@example.org").is_empty());
    world.members.copy_of("bob", "after the farewell");
    world.outbox_is_empty();
}

#[test]
fn inspect_names_the_member_who_would_be_held() {
    let world = World::new().members(["alice"]).expired_member("oldie").start();
    let eve = world.reporter("eve");
    let mail = report().from(&eve).encrypted().saying("just looking").write(&world.gateway.key.certificate());
    let answer = world.gateway.inspects(&mail.raw);
    assert_eq!(answer["held"][0]["member"].as_str().map(|name| name.contains("oldie")), Some(true), "{answer}");
    assert!(answer["held"][0]["why"].as_str().unwrap().contains("expired"), "{answer}");
}
