use super::*;
use crate::adapters::imap::dovecot_tests::Mailbox;
use crate::config::Tls;
use crate::ports::HEAD;
use crate::report::Plaintext;
use std::time::Instant;

const LARGEST: u64 = 1024 * 1024;
/// A server of the last century.
const OLD: &str = "protocol imap {\n  imap_capability = IMAP4rev1\n}\n";

fn archive() -> Done {
    Done::Move("Archive".into())
}

async fn all(inbox: &ImapInbox) -> Vec<Found> {
    inbox.list(20_000).await.unwrap()
}

/// Lists once the connection stands again.
async fn all_again(inbox: &ImapInbox) -> Vec<Found> {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        match inbox.list(20_000).await {
            Ok(found) => return found,
            Err(error) => assert!(Instant::now() < end, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn whole(inbox: &ImapInbox, found: &Found) -> Option<Plaintext> {
    match inbox.fetch(found, LARGEST).await.unwrap() {
        Fetched::Whole(mail) => Some(mail),
        Fetched::Head(_) => panic!("it is no oversize mail"),
        Fetched::Gone => None,
    }
}

async fn take_in(inbox: &ImapInbox) -> usize {
    let found = all(inbox).await;
    let fetched = futures::future::join_all(found.iter().map(|mail| whole(inbox, mail))).await;
    assert!(fetched.iter().all(Option::is_some));
    for done in futures::future::join_all(found.iter().map(|mail| inbox.done(mail))).await {
        done.unwrap();
    }
    found.len()
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
    assert_eq!((mailbox.count("INBOX"), mailbox.count("Archive")), (0, 3));
    assert!(mailbox.flags("Archive").iter().all(|flags| !flags.contains('S')), "they were only peeked at");
}

#[tokio::test]
async fn a_mail_that_arrives_while_it_listens_ends_the_wait_at_once() {
    let mailbox = Mailbox::start();
    let inbox = mailbox.inbox(archive());
    assert!(all(&inbox).await.is_empty());
    let mut times = Vec::new();
    for number in 0..5 {
        tokio::time::sleep(Duration::from_millis(300)).await;
        // A wait that is given up loses nothing.
        drop(inbox.wait());
        let waits = inbox.wait();
        mailbox.receives(&[&format!("mail {number}")]);
        let began = Instant::now();
        waits.await;
        let woken = began.elapsed();
        let found = all(&inbox).await;
        assert_eq!(found.len(), 1);
        whole(&inbox, &found[0]).await.unwrap();
        let fetched = began.elapsed() - woken;
        inbox.done(&found[0]).await.unwrap();
        times.push((woken, fetched, began.elapsed() - woken));
    }
    times.sort();
    // Dovecot itself collects news for half a second.
    assert!(times[2].0 < Duration::from_secs(5), "{times:?}");
}

#[tokio::test]
async fn a_server_with_the_fewest_abilities_is_polled_and_no_mail_but_ours_is_marked() {
    let mailbox = Mailbox::with(OLD);
    mailbox.receives(&["one", "two"]);
    let inbox = mailbox.inbox_polled(archive(), Duration::from_secs(1));
    assert_eq!(take_in(&inbox).await, 2);
    assert_eq!((mailbox.count("INBOX"), mailbox.count("Archive")), (2, 2), "copied, and marked as deleted");
    assert_eq!(mailbox.flags("INBOX"), ["T", "T"]);
    mailbox.receives(&["three"]);
    let began = Instant::now();
    while all(&inbox).await.is_empty() {
        inbox.wait().await;
    }
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn deleting_leaves_what_somebody_else_has_marked() {
    let mailbox = Mailbox::start();
    mailbox.receives(&["ours", "theirs"]);
    let inbox = mailbox.inbox(Done::Delete);
    let found = all(&inbox).await;
    let other = mailbox.inbox(Done::Delete);
    all(&other).await;
    mailbox.somebody_deletes_without_expunging("theirs");
    inbox.done(&found[0]).await.unwrap();
    assert_eq!(mailbox.flags("INBOX"), ["T"]);
    assert!(whole(&other, &found[1]).await.is_some());
    assert!(whole(&other, &found[0]).await.is_none(), "it is gone for another session, too");
}

#[tokio::test]
async fn an_oversize_mail_is_never_deleted_and_never_listed_again() {
    let mailbox = Mailbox::start();
    let large = format!("Subject: large\r\n\r\n{}", format!("{}\r\n", "x".repeat(70)).repeat(3_000));
    mailbox.receives_mails(&[large]);
    let inbox = mailbox.inbox(Done::Delete);
    let found = all(&inbox).await;
    let head = inbox.fetch(&found[0], 100_000).await.unwrap();
    assert!(matches!(head, Fetched::Head(head) if head.len() == HEAD));
    inbox.keep(&found[0]).await.unwrap();
    assert_eq!(mailbox.count("INBOX"), 1);
    assert!(all(&inbox).await.is_empty());
    assert!(all(&mailbox.inbox(Done::Delete)).await.is_empty(), "nor after a restart");
}

#[tokio::test]
async fn where_mails_stay_those_read_before_the_first_contact_are_old_and_none_other() {
    let mut mailbox = Mailbox::start();
    mailbox.receives(&["unread"]);
    mailbox.holds(20, true);
    let inbox = mailbox.inbox(Done::Seen);
    assert_eq!(all(&inbox).await.len(), 1);
    // Somebody is faster than the gateway, which is started anew, too.
    mailbox.receives(&["fresh"]);
    mailbox.somebody_reads_all();
    drop(inbox);
    let inbox = mailbox.inbox(Done::Seen);
    assert_eq!(take_in(&inbox).await, 2);
    assert!(all(&inbox).await.is_empty());
    drop(inbox);
    let inbox = mailbox.inbox(Done::Seen);
    assert!(all(&inbox).await.is_empty(), "what was taken in is not even looked up again");
    // The server numbers its mails anew, and the gateway knows by their content what it has seen.
    drop(inbox);
    mailbox.receives(&["last"]);
    mailbox.somebody_reads_all();
    mailbox.numbers_anew();
    let inbox = mailbox.inbox(Done::Seen);
    assert_eq!(all(&inbox).await.len(), 3, "the three since the first contact, and none of the old ones");
}

#[tokio::test]
async fn new_numbers_are_noticed_and_an_old_place_is_never_another_mails() {
    let mut mailbox = Mailbox::start();
    mailbox.receives(&["one", "two"]);
    let inbox = mailbox.inbox(archive());
    let before = all(&inbox).await;
    mailbox.numbers_anew();
    let after = all_again(&inbox).await;
    assert_eq!(after.len(), 2);
    assert!(before.iter().all(|mail| !after.contains(mail)));
    assert!(whole(&inbox, &before[0]).await.is_none());
    inbox.done(&before[0]).await.unwrap();
    assert_eq!(mailbox.count("INBOX"), 2);
}

#[tokio::test]
async fn a_server_that_was_restarted_is_connected_to_again_and_ends_the_wait() {
    let mut mailbox = Mailbox::start();
    let inbox = mailbox.inbox(archive());
    assert!(all(&inbox).await.is_empty());
    mailbox.dovecot.dies();
    while inbox.list(1).await.is_ok() {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    mailbox.dovecot.begins_again();
    mailbox.receives(&["later"]);
    let began = Instant::now();
    while all_again(&inbox).await.is_empty() {
        inbox.wait().await;
    }
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert_eq!(take_in(&inbox).await, 1);
}

#[tokio::test]
async fn starttls_and_a_folder_with_any_name_work() {
    let mailbox = Mailbox::start();
    mailbox.receives(&["one"]);
    let done = Done::Move("Erledigt/Größe & Maß".into());
    let inbox = mailbox.inbox_at(mailbox.server(Tls::StartTls), done, Duration::from_secs(60));
    assert_eq!(take_in(&inbox).await, 1);
    assert_eq!(mailbox.count("Erledigt.Gr&APYA3w-e &- Ma&AN8-"), 1);
}

#[tokio::test]
async fn ten_thousand_old_mails_are_listed_and_taken_off_in_seconds() {
    let mailbox = Mailbox::start();
    mailbox.receives(&["first"]);
    mailbox.holds(10_000, false);
    let inbox = mailbox.inbox(archive());
    let began = Instant::now();
    let found = all(&inbox).await;
    assert_eq!(found.len(), 10_001);
    let first = began.elapsed();
    let began = Instant::now();
    assert_eq!(all(&inbox).await, found);
    let again = began.elapsed();
    let began = Instant::now();
    for batch in found[..1_000].chunks(32) {
        let fetched = futures::future::join_all(batch.iter().map(|mail| whole(&inbox, mail))).await;
        assert!(fetched.iter().all(Option::is_some));
    }
    let fetched = began.elapsed();
    let began = Instant::now();
    for batch in found[..1_000].chunks(250) {
        futures::future::join_all(batch.iter().map(|mail| inbox.done(mail))).await;
    }
    let moved = began.elapsed();
    assert_eq!(all(&inbox).await.len(), 9_001);
    let times = format!("listed in {first:?}, again in {again:?}; 1,000 fetched in {fetched:?}, moved in {moved:?}");
    assert!(first < Duration::from_secs(60) && again < Duration::from_secs(10), "{times}");
}

#[tokio::test]
async fn ten_thousand_mails_read_long_ago_are_left_alone() {
    let mailbox = Mailbox::start();
    mailbox.receives(&["first"]);
    mailbox.holds(10_000, true);
    let began = Instant::now();
    let inbox = mailbox.inbox(Done::Seen);
    assert_eq!(take_in(&inbox).await, 1);
    assert!(all(&inbox).await.is_empty());
    assert!(began.elapsed() < Duration::from_secs(30));
    assert!(mailbox.memory.0.lock().unwrap().as_ref().unwrap().len() < 100);
}

#[tokio::test]
async fn the_task_ends_with_its_inbox() {
    let mailbox = Mailbox::start();
    let inbox = mailbox.inbox(archive());
    all(&inbox).await;
    let memory = Arc::downgrade(&mailbox.memory);
    let held = memory.strong_count();
    drop(inbox);
    for _ in 0..100 {
        if memory.strong_count() < held {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("it still holds its settings, and with them the password");
}

#[tokio::test]
async fn taking_a_mail_off_twice_copies_it_once_where_it_cannot_be_moved() {
    let mailbox = Mailbox::with(OLD);
    mailbox.receives(&["ours"]);
    let inbox = mailbox.inbox(archive());
    let found = all(&inbox).await;
    inbox.done(&found[0]).await.unwrap();
    inbox.done(&found[0]).await.unwrap();
    assert_eq!((mailbox.count("INBOX"), mailbox.count("Archive")), (1, 1));
}
