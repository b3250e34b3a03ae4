//! The network breaks where it hurts most, and nothing is lost; twice comes only what the log says may come twice.

use crate::servers::dovecot::Options;
use crate::servers::{Fault, Proxy};
use crate::site::{PATIENCE, Site};
use crate::world::*;
use std::time::Duration;

/// A site whose gateway reaches both servers through proxies.
struct Broken {
    site: Site,
    imap: Proxy,
    smtp: Proxy,
}

impl Broken {
    fn new(plan: Plan, done: &str) -> Self {
        Self::at(Site::new(plan), done)
    }

    fn at(site: Site, done: &str) -> Self {
        let (imap, smtp) = (Proxy::before(site.dovecot.imap), Proxy::before(site.mta.doors.plain));
        site.talks(imap.port, smtp.port, done);
        Self { site, imap, smtp }
    }

    /// One case, one mail in the archive and none left in the inbox.
    fn one_case_and_all_archived(&self, mails: usize) {
        assert_eq!(self.site.world.gateway.lists(&["cases", "list"]).len(), mails, "cases");
        assert_eq!(self.site.mails("vmt", "Archive").len(), mails, "mails in the archive");
        assert_eq!(self.site.mails("vmt", "INBOX").len(), 0, "mails in the inbox");
    }
}

#[test]
fn a_lost_reply_to_the_final_dot_brings_a_copy_twice_at_most_and_the_log_says_so() {
    let broken = Broken::new(World::of_three().with(|settings| settings.acknowledge = false), "move:Archive");
    let site = &broken.site;
    let eve = site.world.reporter("eve");
    site.arrives(report().from(&eve).encrypted().saying("the reply is lost"));
    broken.smtp.plans(Fault::LostReplyToDot);
    let ran = site.world.gateway.does(&["run", "--once"]).ends_with(3);
    assert_eq!(broken.smtp.happened(), 1);
    assert!(ran.human().contains("it cannot be told whether this was sent"), "{}", ran.human());
    site.settles();
    let counts: Vec<usize> =
        ["alice", "bob", "carol"].iter().map(|name| site.count(name, "the reply is lost")).collect();
    // The server had taken it, and it was sent once more: the same mail twice, for one member.
    assert_eq!(counts.iter().sum::<usize>(), 4, "{counts:?}");
    assert!(counts.iter().all(|count| (1..=2).contains(count)), "{counts:?}");
    for name in ["alice", "bob", "carol"] {
        let ids: std::collections::BTreeSet<_> =
            site.copies(name).iter().map(|copy| copy.message_id().to_owned()).collect();
        assert_eq!(ids.len(), 1, "a mail program can tell that it is the same mail");
    }
}

#[test]
fn a_connection_that_breaks_before_the_final_dot_brings_every_copy_exactly_once() {
    let broken = Broken::new(World::of_three().with(|settings| settings.acknowledge = false), "move:Archive");
    let site = &broken.site;
    let eve = site.world.reporter("eve");
    site.arrives(report().from(&eve).encrypted().saying("cut before the dot"));
    broken.smtp.plans(Fault::CutBeforeDot);
    broken.smtp.plans(Fault::CutBeforeDot);
    site.world.gateway.does(&["run", "--once"]).ends_with(3);
    assert_eq!(broken.smtp.happened(), 2);
    site.settles();
    for name in ["alice", "bob", "carol"] {
        assert_eq!(site.count(name, "cut before the dot"), 1, "{name}");
    }
}

#[test]
fn a_mail_server_that_falls_silent_on_one_connection_keeps_no_other_copy_waiting() {
    let broken = Broken::new(World::of_three().with(|settings| settings.acknowledge = false), "move:Archive");
    let site = &broken.site;
    let eve = site.world.reporter("eve");
    site.arrives(report().from(&eve).encrypted().saying("somebody is silent"));
    // After its greeting.
    broken.smtp.plans(Fault::StallAfter(10));
    let _daemon = site.world.gateway.starts();
    let reached = || {
        let names = ["alice", "bob", "carol"];
        names.iter().filter(|name| site.count(name, "somebody is silent") == 1).count()
    };
    wait_until("two members have their copies", PATIENCE, || reached() >= 2);
    // The third copy is given up where it hangs and sent on another connection, by the daemon itself.
    wait_until("all members have their copies", PATIENCE, || reached() == 3);
    assert_eq!(broken.smtp.happened(), 1);
}

#[test]
fn a_mailbox_whose_connection_breaks_anywhere_is_read_in_the_end_and_nothing_is_taken_in_twice() {
    let broken = Broken::new(World::new().members(["alice"]), "move:Archive");
    let site = &broken.site;
    let eve = site.world.reporter("eve");
    for number in 0..3 {
        site.arrives(report().from(&eve).encrypted().saying(&format!("odd places {number};")));
    }
    // In the greeting, the login, the opening of the folder, the list, the mails, and after them.
    let places = [1, 40, 120, 300, 700, 1100, 1500, 2500, 4500, 6000];
    let rounds = places.len();
    for place in places {
        broken.imap.plans(Fault::CutAfter(place));
        let ran = site.world.gateway.does(&["run", "--once"]);
        assert!([Some(0), Some(1), Some(3)].contains(&ran.code), "{:?}: {}", ran.code, ran.human());
    }
    println!("{} of {rounds} cuts happened", broken.imap.happened());
    assert!(broken.imap.happened() >= 5, "{} cuts happened", broken.imap.happened());
    wait_until("the mailbox is worked off", PATIENCE, || {
        site.settles();
        site.mails("vmt", "INBOX").is_empty()
    });
    for number in 0..3 {
        assert_eq!(site.count("alice", &format!("odd places {number};")), 1, "mail {number}");
    }
    broken.one_case_and_all_archived(3);
}

#[test]
fn a_lost_answer_to_move_leaves_one_case_and_one_mail_in_the_archive() {
    let broken = Broken::new(World::new().members(["alice"]), "move:Archive");
    let site = &broken.site;
    let eve = site.world.reporter("eve");
    site.arrives(report().from(&eve).encrypted().saying("moved, and nobody was told"));
    broken.imap.plans(Fault::LostAnswer("MOVE"));
    site.world.gateway.does(&["run", "--once"]);
    assert_eq!(broken.imap.happened(), 1);
    site.settles();
    assert_eq!(site.count("alice", "moved, and nobody was told"), 1);
    broken.one_case_and_all_archived(1);
}

#[test]
fn a_lost_answer_to_copy_may_leave_two_mails_in_the_archive_and_still_one_case() {
    let options = Options { extra: "imap_capability = IMAP4rev1 UIDPLUS IDLE".into(), ..Options::default() };
    let broken = Broken::at(Site::with(World::new().members(["alice"]), options), "move:Archive");
    let site = &broken.site;
    let eve = site.world.reporter("eve");
    site.arrives(report().from(&eve).encrypted().saying("copied, and nobody was told"));
    broken.imap.plans(Fault::LostAnswer("COPY"));
    site.world.gateway.does(&["run", "--once"]);
    assert_eq!(broken.imap.happened(), 1);
    site.settles();
    assert_eq!(site.count("alice", "copied, and nobody was told"), 1);
    assert_eq!(site.world.gateway.lists(&["cases", "list"]).len(), 1);
    assert!((1..=2).contains(&site.mails("vmt", "Archive").len()));
    assert!(site.mails("vmt", "INBOX").is_empty());
}

#[test]
fn a_lost_answer_to_store_or_expunge_leaves_one_case_and_an_empty_mailbox() {
    for command in ["STORE", "EXPUNGE"] {
        let broken = Broken::new(World::new().members(["alice"]), "delete");
        let site = &broken.site;
        let eve = site.world.reporter("eve");
        site.arrives(report().from(&eve).encrypted().saying("deleted, and nobody was told"));
        broken.imap.plans(Fault::LostAnswer(command));
        site.world.gateway.does(&["run", "--once"]);
        assert_eq!(broken.imap.happened(), 1, "{command}");
        site.settles();
        wait_until("the mail is gone", PATIENCE, || {
            site.world.gateway.does(&["run", "--once"]);
            site.mails("vmt", "INBOX").is_empty()
        });
        assert_eq!(site.count("alice", "deleted, and nobody was told"), 1, "{command}");
        assert_eq!(site.world.gateway.lists(&["cases", "list"]).len(), 1, "{command}");
    }
}

#[test]
fn servers_that_trickle_are_waited_for_and_nothing_is_lost() {
    let broken = Broken::new(World::new().members(["alice"]), "move:Archive");
    let site = &broken.site;
    let eve = site.world.reporter("eve");
    site.arrives(report().from(&eve).encrypted().saying("drop by drop"));
    broken.imap.trickles(40, Duration::from_millis(20));
    broken.smtp.trickles(40, Duration::from_millis(20));
    let daemon = site.world.gateway.starts();
    site.reaches("alice", "drop by drop");
    wait_until("the mail is archived", PATIENCE, || site.mails("vmt", "Archive").len() == 1);
    assert_eq!(daemon.terminates().0, Some(0));
    assert_eq!(site.count("alice", "drop by drop"), 1);
    broken.one_case_and_all_archived(1);
}
