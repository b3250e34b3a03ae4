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
    eprintln!("woken, fetched, done after the end of LMTP: median {:?}, all {times:?}", times[4]);
    assert!(times[4].0 < std::time::Duration::from_secs(2), "{times:?}");
}
