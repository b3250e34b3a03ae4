//! The gateway's key changes, and nothing is lost by it.

use crate::world::*;

#[test]
fn what_was_held_under_an_old_key_is_delivered_after_that_key_is_gone() {
    let world = World::new().members(["alice"]).expired_member("oldie").start();
    let eve = world.reporter("eve");
    let sent = world.gateway.receives(report().from(&eve).encrypted().signed().saying("from the old days"));
    world.gateway.runs_once_and_leaves_work();

    let next = world.actor("second", TEAM);
    world.gateway.rotates_to(&next);
    world.gateway.runs_once_and_leaves_work();
    world.reconfigure(|settings| settings.gateway_keys.truncate(1));
    std::fs::remove_file(world.etc("keys/gateway/first.sec.asc")).unwrap();
    world.gateway.runs_once_and_leaves_work();

    let oldie = world.member("oldie");
    oldie.renew();
    oldie.knows(&next.certificate());
    std::fs::copy(oldie.certificate(), world.etc("keys/members/oldie.asc")).unwrap();
    world.gateway.runs_once();
    let copy = world.members.copy_of("oldie", "from the old days");
    assert_eq!(copy.parts[0], sent.entity);
    assert_eq!(copy.good_signers, std::slice::from_ref(&next.fingerprint), "signed by the key that is active now");
}

#[test]
fn mail_to_the_old_key_opens_while_it_is_kept_and_is_kept_unopened_afterwards() {
    let world = World::new().members(["alice", "bob"]).start();
    let eve = world.reporter("eve");
    let old_certificate = world.gateway.key.certificate();
    world.gateway.receives(report().from(&eve).encrypted().saying("first of three"));
    world.gateway.runs_once();

    let next = world.actor("second", TEAM);
    world.gateway.rotates_to(&next);
    let late = report().from(&eve).encrypted().saying("second of three").write(&old_certificate);
    world.gateway.finds_in_mailbox(&late.raw);
    world.gateway.runs_once();
    let copy = world.members.copy_of("bob", "second of three");
    assert!(copy.warns("old-gateway-key"), "{:?}", copy.statement);

    world.reconfigure(|settings| settings.gateway_keys.truncate(1));
    let too_late = report().from(&eve).encrypted().saying("third of three").write(&old_certificate);
    world.gateway.finds_in_mailbox(&too_late.raw);
    world.gateway.runs_once();
    world.members.nobody_can_read("third of three");
    let told = world.members.mails_of("alice");
    assert!(told.iter().any(|copy| copy.shows("not-for-our-keys")), "the members are told why");
    world.gateway.does(&["cases", "list", "--json"]).ends_with(0);
}

#[test]
fn the_old_key_may_have_expired_and_still_opens_mail() {
    let world = World::new().members(["alice"]).start();
    let eve = world.reporter("eve");
    // Encrypted in time, delivered late: the certificate has expired meanwhile.
    let mail = report().from(&eve).encrypted().saying("slow post").write(&world.gateway.key.certificate());
    let mut expire = world.gateway.key.command();
    let print = world.gateway.key.fingerprint.clone();
    let soon = (jiff::Timestamp::now() + jiff::SignedDuration::from_secs(2)).strftime("%Y%m%dT%H%M%S").to_string();
    process::must(expire.args(["--quick-set-expire", &print, &soon]), b"");
    std::thread::sleep(std::time::Duration::from_secs(3));
    let expired = process::must(world.gateway.key.command().args(["--armor", "--export-secret-keys"]), b"");
    std::fs::write(world.etc("keys/gateway/first.sec.asc"), expired).unwrap();
    let next = world.actor("second", TEAM);
    world.gateway.rotates_to(&next);
    world.gateway.finds_in_mailbox(&mail.raw);
    world.gateway.runs_once();
    world.members.each_can_read("slow post");
}

#[test]
fn keys_generate_makes_a_key_that_the_gateway_works_with() {
    let world = World::new().members(["alice"]).start();
    let ran = world.gateway.does(&["keys", "list", "--json"]).ends_with(0);
    assert!(ran.stdout.to_uppercase().contains(&world.gateway.key.fingerprint), "{}", ran.stdout);
    assert!(!ran.said().contains("PRIVATE KEY"));
}
