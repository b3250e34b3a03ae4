//! Servers that cannot be trusted, and servers that do not trust us: nothing is said that must not be, nothing is lost, and all
//! goes on by itself once it is mended.

use crate::office::{LONG, Office};
use crate::servers::{PASSWORD, Presented};
use crate::world::*;

/// What is wrong with a certificate, and a word that tells an admin so.
const UNTRUSTED: [(Presented, &str); 3] =
    [(Presented::Stranger, "issuer"), (Presented::Expired, "expired"), (Presented::WrongName, "name")];

/// How often a server has heard of the gateway's user.
fn logins(log: &str) -> usize {
    ["user=<vmt>", "sasl_username=vmt", "authentication failed"].iter().map(|word| log.matches(word).count()).sum()
}

#[test]
fn a_mailbox_with_a_wrong_certificate_hears_no_password_and_its_mail_waits_until_it_has_the_right_one() {
    let mut office = Office::of(World::new().members(["alice"]));
    let eve = office.world.reporter("eve");
    for (presented, word) in UNTRUSTED {
        office.dovecot.stops();
        office.dovecot.will_present(&office.authority, presented);
        office.dovecot.begins_again();
        let heard = logins(&office.dovecot.log());
        let delivered = office.count("alice", "INBOX");
        let greeted = office.dovecot.log().matches("user=<>").count();
        let mut daemon = office.world.gateway.starts();
        office.fails("mailbox", word);
        let text = format!("sent to a {presented:?} server");
        office.gets(&eve, report().from(&eve).encrypted().saying(&text));
        wait_until("it lies in the mailbox", LONG, || office.count("vmt", "INBOX") == 1);
        daemon.reloads();
        wait_until("it has tried again", LONG, || office.dovecot.log().matches("user=<>").count() > greeted + 1);
        assert_eq!(logins(&office.dovecot.log()), heard, "{presented:?}: {}", office.dovecot.log());
        assert!(daemon.is_running() && office.count("alice", "INBOX") == delivered);
        let said = daemon.log();
        let line =
            said.lines().find(|line| line.contains("WARN") && line.contains("certificate") || line.contains("ERROR"));
        assert!(line.is_some_and(|line| line.contains(word) && line.contains("localhost")), "{presented:?}: {line:?}");

        office.dovecot.stops();
        office.dovecot.will_present(&office.authority, Presented::Good);
        office.dovecot.begins_again();
        daemon.reloads();
        office.copy_of("alice", &text);
        wait_until("it is put away", LONG, || office.count("vmt", "INBOX") == 0);
        wait_until("the door is open", LONG, || office.state_of("mailbox") == "working");
        assert_eq!(daemon.terminates().0, Some(0));
    }
    assert_eq!(office.count("vmt", "Archive"), UNTRUSTED.len());
    assert_eq!(office.world.gateway.lists(&["cases", "list"]).len(), UNTRUSTED.len());
}

#[test]
fn a_mail_server_with_a_wrong_certificate_hears_no_password_and_copies_wait_until_it_has_the_right_one() {
    let mut office = Office::of(World::new().members(["alice", "bob"]));
    let eve = office.world.reporter("eve");
    for (presented, word) in UNTRUSTED {
        office.mta.stops();
        office.mta.will_present(&office.authority, presented);
        office.mta.begins_again();
        let heard = logins(&office.mta.log());
        let mut daemon = office.opens();
        let text = format!("sent by a {presented:?} server");
        office.gets(&eve, report().from(&eve).encrypted().saying(&text));
        office.fails("outgoing", word);
        wait_until("it is taken in all the same", LONG, || office.count("vmt", "INBOX") == 0);
        assert_eq!(logins(&office.mta.log()), heard, "{presented:?}: {}", office.mta.log());
        assert!(daemon.is_running() && office.state_of("mailbox") == "working");
        let said = daemon.log();
        let line = said.lines().find(|line| line.contains("WARN") && line.contains("not sent"));
        assert!(line.is_some_and(|line| line.contains(word) && line.contains("localhost")), "{presented:?}: {line:?}");
        assert!(!office.world.gateway.lists(&["queue", "list"]).is_empty(), "nothing is given up");

        office.mta.stops();
        office.mta.will_present(&office.authority, Presented::Good);
        office.mta.begins_again();
        daemon.reloads();
        office.world.everything_is_due();
        for name in ["alice", "bob"] {
            office.copy_of(name, &text);
        }
        office.has_sent_all();
        wait_until("the door is open", LONG, || office.state_of("outgoing") == "working");
        assert_eq!(daemon.terminates().0, Some(0));
        for name in ["alice", "bob"] {
            assert_eq!(office.copies_of(name, &text).len(), 1, "{name} gets it once");
        }
    }
}

#[test]
fn a_wrong_password_at_the_mailbox_stops_nothing_else_and_a_reload_with_the_right_one_mends_it() {
    const WRONG: &str = "no-such wrongcanary";
    let mut office = Office::of(World::new().members(["alice"]));
    office.changes(|lines| lines.mailbox_password = WRONG.into());
    let eve = office.world.reporter("eve");
    let mut daemon = office.world.gateway.starts();
    office.fails("mailbox", "refuses user or password");
    assert!(office.dovecot.log().contains("auth failed"), "{}", office.dovecot.log());
    office.gets(&eve, report().from(&eve).encrypted().saying("Nobody can fetch this yet."));
    let (_, ran) = office.world.gateway.is_piped(report().from(&eve).encrypted().saying("This came by another way."));
    ran.ends_with(0);
    office.copy_of("alice", "This came by another way.");
    assert!(daemon.is_running() && office.state_of("outgoing") == "working");
    assert_eq!(office.count("vmt", "INBOX"), 1);
    assert!(daemon.log().contains("refuses user or password"), "the log says it");

    office.changes(|lines| lines.mailbox_password = PASSWORD.into());
    daemon.reloads();
    office.copy_of("alice", "Nobody can fetch this yet.");
    wait_until("the door is open", LONG, || office.state_of("mailbox") == "working");
    assert_eq!(daemon.terminates().0, Some(0));
    for password in [WRONG, PASSWORD] {
        office.world.nothing_outside_contains(password);
    }
}

#[test]
fn a_wrong_password_at_the_mail_server_stops_no_mail_from_coming_in_and_a_reload_with_the_right_one_mends_it() {
    const WRONG: &str = "no-such wrongcanary";
    let mut office = Office::of(World::of_three());
    office.changes(|lines| lines.outgoing_password = WRONG.into());
    let eve = office.world.reporter("eve");
    let mut daemon = office.opens();
    for number in 1..=2 {
        office.gets(&eve, report().from(&eve).encrypted().saying(&format!("Nobody can read this yet: {number}.")));
    }
    office.fails("outgoing", "535");
    wait_until("both are taken in", LONG, || office.count("vmt", "Archive") == 2);
    wait_until("both have a case", LONG, || office.world.gateway.lists(&["cases", "list"]).len() == 2);
    assert!(daemon.is_running() && office.state_of("mailbox") == "working");
    assert!(daemon.log().lines().any(|line| line.contains("WARN") && line.contains("535")), "the log says it");
    let tried = |times: i64| {
        let queue = office.world.gateway.lists(&["queue", "list"]);
        queue.len() == 8 && queue.iter().all(|row| row["attempts"].as_i64().unwrap() >= times)
    };
    wait_until("two answers and six copies were tried", LONG, || tried(1));
    wait_until("all were tried again", LONG, || {
        // One that is being tried at this moment gets another time afterwards.
        office.world.everything_is_due();
        tried(2)
    });
    // Each of the sessions that are opened side by side tries once, and not each mail.
    let refused = office.mta.log().matches("authentication failed").count();
    assert!((1..=6).contains(&refused), "{refused} logins were refused");

    office.changes(|lines| lines.outgoing_password = PASSWORD.into());
    daemon.reloads();
    office.world.everything_is_due();
    for name in ["alice", "bob", "carol"] {
        for number in 1..=2 {
            office.copy_of(name, &format!("Nobody can read this yet: {number}."));
        }
    }
    office.has_sent_all();
    wait_until("the door is open", LONG, || office.state_of("outgoing") == "working");
    assert_eq!(daemon.terminates().0, Some(0));
    for password in [WRONG, PASSWORD] {
        office.world.nothing_outside_contains(password);
    }
}
