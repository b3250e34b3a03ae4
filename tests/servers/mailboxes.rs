//! What lies in a mailbox and is not the gateway's stays as it is: old mail, kept mail, mail that somebody else wants to be rid of.

use crate::office::{LONG, Lines, Office};
use crate::servers::{Mta, PASSWORD, dovecot, mta};
use crate::world::process::{files_below, must};
use crate::world::*;
use std::collections::BTreeSet;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

const OLD: usize = 10_000;

/// Marks all mails of the team's inbox as deleted, as a mail program does whose owner has not tidied up yet.
const MARKER: &str = r#"
import imaplib, ssl, sys
port, root, user, password = sys.argv[1:]
imap = imaplib.IMAP4_SSL("localhost", int(port), ssl_context=ssl.create_default_context(cafile=root))
imap.login(user, password)
imap.select("INBOX")
assert imap.store("1:*", "+FLAGS", "\\Deleted")[0] == "OK"
imap.logout()
"#;

fn office(plan: Plan, done: &'static str) -> Office {
    with(plan, done, dovecot::Options::default())
}

fn with(plan: Plan, done: &'static str, mailbox: dovecot::Options) -> Office {
    Office::with(plan, Lines { done, ..Lines::default() }, mailbox, mta::Options::default())
}

/// A file or folder that belongs to whom all mail belongs to.
fn is_dovecots(path: &Path, office: &Office) {
    let mail = office.dovecot.maildir("vmt", "INBOX").parent().unwrap().parent().unwrap().metadata().unwrap();
    chown(path, Some(mail.uid()), Some(mail.gid())).unwrap();
}

/// Puts old mails into a folder of the team's, before anybody has opened it.
fn lies_there(office: &Office, folder: &str, count: usize, flags: &str, mail: impl Fn(usize) -> Vec<u8>) {
    let maildir = office.dovecot.maildir("vmt", folder);
    for name in ["cur", "new", "tmp"] {
        std::fs::create_dir_all(maildir.join(name)).unwrap();
    }
    for number in 0..count {
        let file = maildir.join("cur").join(format!("{}.M{number}P1.old:2,{flags}", 1_600_000_000 + number));
        std::fs::write(&file, mail(number)).unwrap();
        is_dovecots(&file, office);
    }
    for folder in ["cur", "new", "tmp", "", ".."].map(|name| maildir.join(name)) {
        is_dovecots(&folder, office);
    }
    let home = office.dovecot.maildir("vmt", "INBOX");
    is_dovecots(&home, office);
    is_dovecots(home.parent().unwrap(), office);
}

/// Something that somebody wrote to the team long ago.
fn old(number: usize) -> Vec<u8> {
    format!(
        "From: Somebody <old{number}@reporter.example>\r\nTo: <{TEAM}>\r\nSubject: Old news {number}\r\n\
         Message-ID: <old{number}@reporter.example>\r\nDate: Sun, 13 Sep 2020 12:26:40 +0000\r\n\r\nOld news.\r\n"
    )
    .into_bytes()
}

/// The names of a folder's mails, with their flags.
fn names(office: &Office, folder: &str) -> BTreeSet<String> {
    let maildir = office.dovecot.maildir("vmt", folder);
    let files: Vec<PathBuf> = ["cur", "new"].iter().flat_map(|name| files_below(&maildir.join(name))).collect();
    files.iter().map(|file| file.file_name().unwrap().to_string_lossy().into_owned()).collect()
}

fn cases(office: &Office) -> usize {
    office.world.gateway.lists(&["cases", "list"]).len()
}

/// A report is with its member, and nothing else came of the mailbox's mails.
fn is_reported(office: &Office, eve: &Actor, text: &str) {
    let begun = Instant::now();
    office.gets(eve, report().from(eve).encrypted().saying(text));
    office.copy_of("alice", text);
    println!("{text:?} was with its member after {:?}", begun.elapsed());
    assert!(begun.elapsed().as_secs() < 30, "{:?}", begun.elapsed());
}

#[test]
fn ten_thousand_mails_that_were_read_long_ago_are_left_alone_and_a_new_one_is_reported_at_once() {
    let office = office(World::new().members(["alice"]), "seen");
    let eve = office.world.reporter("eve");
    lies_there(&office, "INBOX", OLD, "S", old);
    let unread = report().from(&eve).encrypted().saying("Nobody has read this yet.");
    let unread = unread.write(&office.world.gateway.current_certificate()).raw;
    let maildir = office.dovecot.maildir("vmt", "INBOX");
    let file = maildir.join("cur/1600000500.M0P2.old:2,");
    std::fs::write(&file, unread).unwrap();
    is_dovecots(&file, &office);
    let before = names(&office, "INBOX");

    let daemon = office.opens();
    office.copy_of("alice", "Nobody has read this yet.");
    is_reported(&office, &eve, "new among many");
    assert_eq!(daemon.terminates().0, Some(0));
    let daemon = office.opens();
    is_reported(&office, &eve, "new after a restart");
    wait_until("all are marked as read", LONG, || names(&office, "INBOX").iter().all(|name| name.contains(":2,S")));
    assert_eq!(cases(&office), 3);
    let after = names(&office, "INBOX");
    let untouched = before.intersection(&after).count();
    assert_eq!((after.len(), untouched), (OLD + 3, OLD), "old mails keep their very flags");
    assert_eq!(daemon.terminates().0, Some(0));
}

#[test]
fn a_report_goes_to_an_archive_of_ten_thousand_mails_and_none_of_those_is_touched() {
    let office = office(World::new().members(["alice"]), "move:Archive");
    let eve = office.world.reporter("eve");
    lies_there(&office, "Archive", OLD, "S", old);
    let before = names(&office, "Archive");
    let daemon = office.opens();
    is_reported(&office, &eve, "moved to many");
    wait_until("it is moved", LONG, || office.count("vmt", "INBOX") == 0);
    let after = names(&office, "Archive");
    assert_eq!(after.len(), OLD + 1);
    assert!(before.is_subset(&after));
    assert_eq!(cases(&office), 1);
    assert_eq!(daemon.terminates().0, Some(0));
}

/// A mail that is too large stays in the inbox; somebody marks it as deleted. Then a report comes and is deleted.
fn deletes_none_but_its_own(capabilities: &str, stays: usize) {
    let plan = World::new().members(["alice"]).with(|settings| settings.last_lines = "max_size = \"64 KiB\"\n".into());
    let office = with(plan, "delete", dovecot::Options { extra: capabilities.into(), ..Default::default() });
    let eve = office.world.reporter("eve");
    let daemon = office.opens();
    let large = report().from(&eve).saying("Far too large.").attaching("x", "application/octet-stream", &[7; 100_000]);
    office.gets(&eve, large);
    wait_until("it is kept", LONG, || {
        names(&office, "INBOX").iter().any(|name| name.contains(":2,") && name.contains('S'))
    });
    let mut python = Command::new("python3");
    python.args(["-c", MARKER, &office.dovecot.imaps.to_string()]).arg(office.authority.root()).args(["vmt", PASSWORD]);
    must(&mut python, b"");
    is_reported(&office, &eve, "gone when it is durable");
    let is_marked = |name: &&String| name.split_once(":2,").is_some_and(|(_, flags)| flags.contains('T'));
    wait_until("the report is deleted", LONG, || {
        let there = names(&office, "INBOX");
        there.len() == stays && there.iter().filter(is_marked).count() == stays
    });
    let there = office.folder("vmt", "INBOX");
    assert!(
        there.iter().any(|mail| String::from_utf8_lossy(mail).contains("Far too large.")),
        "it is not ours to expunge"
    );
    assert_eq!(office.count("vmt", "Archive"), 0);
    assert_eq!(daemon.terminates().0, Some(0));
    let log = office.dovecot.log();
    assert_eq!(log.matches("expunge: box=INBOX").count(), 2 - stays, "{log}");
}

#[test]
fn a_report_is_deleted_once_it_is_durable_and_no_mail_that_somebody_else_marked() {
    deletes_none_but_its_own("", 1);
}

#[test]
fn without_uidplus_a_report_is_only_marked_as_deleted_since_an_expunge_would_take_other_mail_along() {
    deletes_none_but_its_own("imap_capability = IMAP4rev1 LITERAL+ ID IDLE STARTTLS AUTH=PLAIN\n", 2);
}

#[test]
fn mails_that_get_new_numbers_open_no_second_case() {
    let mut office = office(World::new().members(["alice"]), "seen");
    let eve = office.world.reporter("eve");
    let daemon = office.opens();
    is_reported(&office, &eve, "known already");
    wait_until("it is marked as read", LONG, || names(&office, "INBOX").iter().all(|name| name.contains(":2,S")));
    let maildir = office.dovecot.maildir("vmt", "INBOX");
    let validity = || {
        let list = std::fs::read_to_string(maildir.join("dovecot-uidlist")).unwrap();
        list.split_whitespace().find(|word| word.starts_with('V')).unwrap().to_owned()
    };
    let before = validity();
    office.dovecot.stops();
    for file in std::fs::read_dir(&maildir).unwrap().map(|entry| entry.unwrap().path()) {
        if file.is_file() && file.file_name().unwrap().to_string_lossy().starts_with("dovecot") {
            std::fs::remove_file(file).unwrap();
        }
    }
    office.dovecot.begins_again();
    is_reported(&office, &eve, "new under new numbers");
    wait_until("both are marked as read", LONG, || {
        let there = names(&office, "INBOX");
        there.len() == 2 && there.iter().all(|name| name.contains(":2,S"))
    });
    assert_ne!(validity(), before);
    office.has_sent_all();
    assert_eq!((cases(&office), office.copies_of("alice", "known already").len()), (2, 1));
    assert_eq!(daemon.terminates().0, Some(0));
}

#[test]
fn a_mail_that_is_too_large_for_the_mail_server_goes_out_with_its_attachments_listed() {
    let small = mta::Options { size_limit: 400_000, ..mta::Options::default() };
    let plan = World::new().members(["alice", "bob"]);
    let office = Office::with(plan, Lines::default(), dovecot::Options::default(), small);
    let outside = Mta::start(&office.authority, &office.dovecot);
    let eve = office.world.reporter("eve");
    let daemon = office.opens();
    let proof: Vec<u8> = (0..600_000u32).map(|number| number.wrapping_mul(2_654_435_761).to_be_bytes()[0]).collect();
    let mail = report().from(&eve).encrypted().saying("See the core dump.").attaching(
        "core.bin",
        "application/x-core",
        &proof,
    );
    let sent = mail.write(&office.world.gateway.current_certificate());
    office.is_sent_by(&outside, &eve, &sent.raw);
    let hash = hex::encode(ring::digest::digest(&ring::digest::SHA256, &proof));
    for name in ["alice", "bob"] {
        let copy = office.copy_of(name, "See the core dump.");
        for word in ["core.bin", "600000", &hash] {
            assert!(copy.shows(word), "{name}: {word}\n{:?}\n{}", copy.statement, copy.statement_text);
        }
        assert!(copy.attachment("core.bin").is_none() && copy.raw.len() < 400_000);
        assert_eq!(copy.good_signers, [office.world.gateway.key.fingerprint.as_str()]);
    }
    office.has_sent_all();
    assert_eq!(office.state_of("outgoing"), "working");
    assert_eq!(daemon.terminates().0, Some(0));
}
