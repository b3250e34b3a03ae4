//! The servers go and come back while mails flow, and the daemon finds them again by itself.

use crate::client::Client;
use crate::site::{PATIENCE, Site};
use crate::world::*;
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// How often a member was sent a mail that shows this. A mail server that is killed may deliver twice what it was handed once:
/// that is known by the number the mail server gave it.
fn sent(site: &Site, name: &str, text: &str) -> usize {
    let copies = site.copies(name);
    let numbers: BTreeSet<String> = copies.iter().filter(|copy| copy.shows(text)).map(number).collect();
    numbers.len()
}

fn number(copy: &Copy) -> String {
    let received = copy.outer.iter().filter(|(name, value)| name == "Received" && value.contains(" id "));
    let own = received.map(|(_, value)| value).find(|value| value.contains("ESMTPA")).expect("the submission's line");
    own.split_once(" id ").unwrap().1.split([';', ' ']).next().unwrap().to_owned()
}

/// Extra copies are announced in the log: one line for each at least.
fn may_be_twice(site: &Site) -> usize {
    site.log().matches("may arrive twice").count()
}

#[test]
fn a_mailbox_server_that_is_started_again_is_found_within_seconds_and_what_came_meanwhile_is_taken_in() {
    let mut site = Site::new(World::new().members(["alice", "bob"]));
    let eve = site.world.reporter("eve");
    let daemon = site.world.gateway.starts();
    site.arrives(report().from(&eve).encrypted().saying("before the restart"));
    site.reaches("alice", "before the restart");
    for (round, sudden) in [false, true].into_iter().enumerate() {
        if sudden {
            site.dovecot.dies();
        } else {
            site.dovecot.stops();
        }
        // The mail server keeps it until the mailbox is there again.
        let text = format!("while the mailbox was away {round};");
        site.hands_in(report().from(&eve).encrypted().saying(&text));
        site.dovecot.begins_again();
        let begun = Instant::now();
        site.reaches("alice", &text);
        site.reaches("bob", &text);
        println!("copies {:?} after the mailbox was there again", begun.elapsed());
        assert!(begun.elapsed() < Duration::from_secs(60), "{:?}", begun.elapsed());
    }
    assert_eq!(daemon.terminates().0, Some(0));
    site.settles();
    for text in ["before the restart", "while the mailbox was away 0;", "while the mailbox was away 1;"] {
        for name in ["alice", "bob"] {
            assert_eq!(sent(&site, name, text), 1, "{name}: {text}");
        }
    }
    assert_eq!(site.world.gateway.lists(&["cases", "list"]).len(), 3);
    assert!(site.mails("vmt", "INBOX").is_empty());
}

#[test]
fn copies_wait_for_a_mail_server_that_is_away_and_leave_by_themselves_when_it_is_back() {
    let mut site = Site::new(World::new().members(["alice", "bob"]));
    let eve = site.world.reporter("eve");
    let daemon = site.world.gateway.starts();
    let certificate = site.world.gateway.current_certificate();
    for (round, sudden) in [false, true].into_iter().enumerate() {
        if sudden {
            site.mta.dies();
        } else {
            site.mta.stops();
        }
        let text = format!("while the mail server was away {round};");
        let raw = report().from(&eve).encrypted().saying(&text).write(&certificate).raw;
        Client::new(site.dovecot.imap).appends(&raw);
        wait_until("the report is taken in", PATIENCE, || site.mails("vmt", "Archive").len() == round + 1);
        site.mta.begins_again();
        site.reaches("alice", &text);
        site.reaches("bob", &text);
    }
    assert_eq!(daemon.terminates().0, Some(0));
    site.settles();
    for text in ["while the mail server was away 0;", "while the mail server was away 1;"] {
        for name in ["alice", "bob"] {
            assert_eq!(sent(&site, name, text), 1, "{name}: {text}");
        }
    }
}

#[test]
fn servers_killed_again_and_again_in_the_middle_of_the_work_lose_nothing() {
    let mut site = Site::new(World::new().members(["alice", "bob"]).with(|settings| settings.acknowledge = false));
    let eve = site.world.reporter("eve");
    let certificate = site.world.gateway.current_certificate();
    let daemon = site.world.gateway.starts();
    let mut texts = Vec::new();
    for round in 0..6 {
        let mut somebody = Client::new(site.dovecot.imap);
        for _ in 0..4 {
            let text = format!("survivor {};", texts.len());
            somebody.appends(&report().from(&eve).encrypted().saying(&text).write(&certificate).raw);
            texts.push(text);
        }
        drop(somebody);
        // In the middle of the work, each time a little later.
        std::thread::sleep(Duration::from_millis(40 * round));
        if round % 2 == 0 {
            site.dovecot.dies();
            site.dovecot.begins_again();
        } else {
            site.mta.dies();
            site.mta.begins_again();
        }
    }
    wait_until("all mails are taken in", PATIENCE, || site.mails("vmt", "INBOX").is_empty());
    assert_eq!(daemon.terminates().0, Some(0));
    site.settles();
    let mut extra = 0;
    for name in ["alice", "bob"] {
        for text in &texts {
            let count = sent(&site, name, text);
            assert!(count >= 1, "{name} never got {text}");
            extra += count - 1;
        }
    }
    assert!(extra <= may_be_twice(&site), "{extra} copies came twice, {} were announced", may_be_twice(&site));
    println!("{extra} copies came twice, as the log said");
    assert_eq!(site.world.gateway.lists(&["cases", "list"]).len(), texts.len());
}
