use super::*;
use crate::adapters::imap::dovecot_tests::Mailbox;
use crate::report::Plaintext;

use std::time::Instant;

const LARGEST: u64 = 1024 * 1024;

fn archive() -> Done {
    Done::Move("Archive".into())
}

async fn all(inbox: &ImapInbox) -> Vec<Found> {
    inbox.list(10_000).await.unwrap()
}

/// The mail, to be compared with what was sent.
async fn whole(inbox: &ImapInbox, found: &Found) -> Option<Plaintext> {
    match inbox.fetch(found, LARGEST).await.unwrap() {
        Fetched::Whole(mail) => Some(mail),
        Fetched::Head(_) => panic!("it is no oversize mail"),
        Fetched::Gone => None,
    }
}

#[tokio::test]
async fn mails_are_listed_oldest_first_fetched_whole_and_moved() {
    let mailbox = Mailbox::start();
    mailbox.receives(&["one", "two", "three"]);
    let inbox = mailbox.inbox(archive());
    let found = all(&inbox).await;
    assert_eq!(found.len(), 3);
    for mail in &found {
        let fetched = whole(&inbox, mail).await.unwrap();
        assert_eq!(mail.size, fetched.len() as u64);
        inbox.done(mail).await.unwrap();
        inbox.done(mail).await.unwrap();
    }
    assert!(all(&inbox).await.is_empty());
    assert_eq!(mailbox.count("INBOX"), 0);
    assert_eq!(mailbox.count("Archive"), 3);
    assert!(mailbox.flags("Archive").iter().all(|flags| !flags.contains('S')), "they were only peeked at");
}

#[tokio::test]
async fn a_mail_that_arrives_while_it_listens_ends_the_wait_at_once() {
    let mailbox = Mailbox::start();
    let inbox = mailbox.inbox(archive());
    assert!(all(&inbox).await.is_empty());
    let mut times = Vec::new();
    for number in 0..9 {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        let waits = inbox.wait();
        mailbox.receives(&[&format!("mail {number}")]);
        let began = Instant::now();
        waits.await;
        let woken = began.elapsed();
        let found = all(&inbox).await;
        assert_eq!(found.len(), 1);
        whole(&inbox, &found[0]).await.unwrap();
        let fetched = began.elapsed();
        inbox.done(&found[0]).await.unwrap();
        times.push((woken, fetched, began.elapsed()));
    }
    times.sort();
    assert!(times[4].0 < std::time::Duration::from_secs(2), "{times:?}");
}

#[tokio::test]
async fn a_server_that_cannot_move_and_cannot_expunge_some_never_loses_mail_that_is_not_ours() {
    // Neither MOVE nor UIDPLUS nor IDLE.
    let mailbox = Mailbox::with("imap_capability = IMAP4rev1\n");
    mailbox.receives(&["somebody else wants to be rid of this"]);
    mailbox.marks('T');
    mailbox.receives(&["ours"]);
    let inbox = mailbox.inbox(archive());
    let found = all(&inbox).await;
    let ours = found.last().unwrap();
    whole(&inbox, ours).await.unwrap();
    inbox.done(ours).await.unwrap();
    inbox.done(ours).await.unwrap();
    assert_eq!(mailbox.count("INBOX"), 2, "nothing was expunged");
    assert_eq!(mailbox.count("Archive"), 1, "it was copied once");
    assert!(all(&inbox).await.iter().all(|one| one.source != ours.source));
}

#[tokio::test]
async fn deleting_with_uidplus_removes_ours_and_leaves_what_others_marked() {
    let mailbox = Mailbox::start();
    mailbox.receives(&["somebody else wants to be rid of this"]);
    mailbox.marks('T');
    mailbox.receives(&["ours"]);
    let inbox = mailbox.inbox(Done::Delete);
    let found = all(&inbox).await;
    inbox.done(found.last().unwrap()).await.unwrap();
    assert_eq!(mailbox.count("INBOX"), 1, "only the other one is there");
}

#[tokio::test]
async fn where_mail_stays_a_report_that_somebody_has_read_first_is_still_new_and_old_mail_is_not() {
    let mailbox = Mailbox::start();
    mailbox.receives(&["old and read"]);
    mailbox.marks('S');
    mailbox.receives(&["old and unread"]);
    let first = mailbox.inbox(Done::Seen);
    let found = all(&first).await;
    assert_eq!(found.len(), 1);
    first.done(&found[0]).await.unwrap();
    drop(first);
    // While the gateway is away somebody opens a report with a mail program.
    mailbox.receives(&["read before the gateway saw it"]);
    mailbox.marks('S');
    let again = mailbox.inbox(Done::Seen);
    let listed = all(&again).await;
    let new: Vec<_> = listed.iter().filter(|one| one.source != found[0].source).collect();
    assert_eq!(new.len(), 1, "the old one that was read is left alone: {listed:?}");
    assert_eq!(whole(&again, new[0]).await.unwrap().len() as u64, new[0].size);
}

#[tokio::test]
async fn of_an_oversize_mail_only_the_beginning_is_read_and_it_is_kept() {
    let mailbox = Mailbox::start();
    let body = "A line of a large mail.\r\n".repeat(10_000);
    mailbox.receives_mails(&[format!("From: eve@reporter.example\r\nSubject: large\r\n\r\n{body}")]);
    let inbox = mailbox.inbox(Done::Delete);
    let found = all(&inbox).await;
    match inbox.fetch(&found[0], 100_000).await.unwrap() {
        Fetched::Head(head) => assert_eq!(head.len(), crate::ports::HEAD),
        _ => panic!("only its beginning is asked for"),
    }
    inbox.keep(&found[0]).await.unwrap();
    assert_eq!(mailbox.count("INBOX"), 1, "it is never deleted");
    assert!(all(&mailbox.inbox(Done::Delete)).await.is_empty(), "and not listed again, after a restart either");
}

#[tokio::test]
async fn a_mail_that_somebody_expunged_meanwhile_is_gone_and_the_others_are_read() {
    let mailbox = Mailbox::start();
    mailbox.receives(&["one", "two"]);
    let inbox = mailbox.inbox(archive());
    let found = all(&inbox).await;
    let other = mailbox.inbox(Done::Delete);
    other.done(&all(&other).await[0]).await.unwrap();
    // The server may not have told this session yet; then it is tried again after the next list.
    if inbox.fetch(&found[0], LARGEST).await.is_err() {
        all(&inbox).await;
    }
    assert!(whole(&inbox, &found[0]).await.is_none());
    assert!(whole(&inbox, &found[1]).await.is_some());
    inbox.done(&found[0]).await.unwrap();
    assert_eq!(mailbox.count("INBOX"), 1);
}

#[tokio::test]
async fn nothing_is_done_to_a_mail_with_the_number_of_one_under_another_uidvalidity() {
    let mut mailbox = Mailbox::start();
    mailbox.receives(&["one"]);
    let inbox = mailbox.inbox(Done::Delete);
    let found = all(&inbox).await;
    mailbox.numbers_its_mails_anew();
    let _the_connection_is_gone = inbox.done(&found[0]).await;
    // The first attempt after the restart may find the connection gone; it is made again.
    let mut again = inbox.list(10).await;
    for _ in 0..120 {
        if again.is_ok() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        again = inbox.list(10).await;
    }
    let again = again.unwrap();
    assert_ne!(again[0].source, found[0].source);
    inbox.done(&found[0]).await.unwrap();
    assert!(whole(&inbox, &found[0]).await.is_none());
    assert_eq!(mailbox.count("INBOX"), 1, "it is still there under its new number");
}
