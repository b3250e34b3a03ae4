//! Servers that lie, hang and cut off.

use super::ImapInbox;
use super::connect::connect;
use super::fake_tests::{Fake, Quirk};
use super::trouble::Trouble;
use crate::config::{Done, Tls};
use crate::ports::{Fetched, Found, Inbox, PortError};
use std::time::{Duration, Instant};

const MODERN: &str = "MOVE UIDPLUS";
const LARGEST: u64 = 100_000;

fn archive() -> Done {
    Done::Move("Archive".into())
}

async fn list(inbox: &ImapInbox) -> Vec<Found> {
    inbox.list(100).await.unwrap()
}

/// Lists once the connection stands again.
async fn list_again(inbox: &ImapInbox) -> Vec<Found> {
    let end = Instant::now() + Duration::from_secs(20);
    loop {
        match inbox.list(100).await {
            Ok(found) => return found,
            Err(error) => assert!(Instant::now() < end, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

fn words<T>(result: Result<T, PortError>) -> String {
    match result {
        Ok(_) => panic!("it worked"),
        Err(error) => error.to_string(),
    }
}

/// Once, when a command begins so.
fn once(start: &'static str, quirk: Quirk) -> impl FnMut(&str) -> Option<Quirk> + Send {
    let mut quirk = Some(quirk);
    move |command| if command.starts_with(start) { quirk.take() } else { None }
}

#[tokio::test]
async fn a_mail_that_is_announced_as_enormous_is_neither_awaited_nor_given_room() {
    let fake = Fake::start(MODERN, &["Subject: one\r\n\r\n", "Subject: two\r\n\r\n"]);
    let inbox = fake.inbox(archive());
    let found = list(&inbox).await;
    fake.quirk(|command| {
        let lies = command.starts_with("UID FETCH 1 (UID BODY.PEEK[])");
        lies.then(|| Quirk::Says(b"* 1 FETCH (UID 1 BODY[] {500000000}\r\nSubject".to_vec()))
    });
    let error = words(inbox.fetch(&found[0], LARGEST).await);
    assert!(error.contains("more than it announced"), "{error}");
    // The others are not kept out by it, and of the liar only the beginning is read.
    let again = list_again(&inbox).await;
    assert_eq!(again, [found[1].clone(), found[0].clone()]);
    assert!(matches!(inbox.fetch(&again[0], LARGEST).await, Ok(Fetched::Whole(_))));
    assert!(matches!(inbox.fetch(&again[1], LARGEST).await, Ok(Fetched::Head(_))));
}

#[tokio::test]
async fn an_announcement_hidden_behind_words_is_not_believed_either() {
    let fake = Fake::start(MODERN, &["Subject: one\r\n\r\n"]);
    let inbox = fake.inbox(archive());
    let found = list(&inbox).await;
    let lie = b"* OK go on {90000}\r\n* 1 FETCH (UID 1 BODY[] {500000000}\r\nSubject".to_vec();
    fake.quirk(once("UID FETCH", Quirk::Says(lie)));
    assert!(words(inbox.fetch(&found[0], LARGEST).await).contains("more than it announced"));
}

#[tokio::test]
async fn a_line_of_a_mail_that_looks_like_an_announcement_is_a_line_of_a_mail() {
    let mail = "Subject: one\r\n\r\nliteral {500000000}\r\n* BYE\r\n";
    let fake = Fake::start(MODERN, &[mail]);
    let inbox = fake.inbox(archive());
    let found = list(&inbox).await;
    let Ok(Fetched::Whole(fetched)) = inbox.fetch(&found[0], LARGEST).await else { panic!("not fetched") };
    assert_eq!(fetched.len(), mail.len());
}

#[tokio::test]
async fn of_several_mails_fetched_together_one_that_breaks_the_connection_spoils_only_itself() {
    let fake = Fake::start(MODERN, &["Subject: one\r\n\r\n", "Subject: two\r\n\r\n", "Subject: three\r\n\r\n"]);
    let inbox = fake.inbox(archive());
    let found = list(&inbox).await;
    fake.quirk(|command| {
        let second = command.starts_with("UID FETCH")
            && command.contains("BODY")
            && !command.starts_with("UID FETCH 1 ")
            && !command.starts_with("UID FETCH 3 ");
        second.then(|| Quirk::Says(b"* 2 FETCH (UID 2 BODY[] ?? \r\n".to_vec()))
    });
    let together = futures::future::join_all(found.iter().map(|mail| inbox.fetch(mail, LARGEST))).await;
    assert!(together.iter().any(Result::is_err));
    let mut fetched = 0;
    for _ in 0..3 {
        for mail in list_again(&inbox).await {
            fetched += usize::from(matches!(inbox.fetch(&mail, LARGEST).await, Ok(Fetched::Whole(_))));
        }
    }
    assert!(fetched >= 4, "the two others can be fetched: {fetched}");
}

#[tokio::test]
async fn a_server_that_falls_silent_is_given_up_and_connected_to_again() {
    let fake = Fake::start(MODERN, &["Subject: one\r\n\r\n"]);
    let inbox = fake.inbox(archive());
    list(&inbox).await;
    fake.quirk(once("NOOP", Quirk::Hangs));
    let error = words(inbox.list(100).await);
    assert!(error.contains("no answer in time"), "{error}");
    inbox.wait().await;
    assert_eq!(list(&inbox).await.len(), 1, "the wait ended because it is connected again");
}

#[tokio::test]
async fn a_refused_search_is_not_an_empty_mailbox() {
    let fake = Fake::start(MODERN, &["Subject: one\r\n\r\n"]);
    let inbox = fake.inbox(archive());
    fake.quirk(once("UID SEARCH", Quirk::Says(b"TAG NO [SERVERBUG] vmt@example.org\r\n".to_vec())));
    let error = words(inbox.list(100).await);
    assert!(error.ends_with("it refuses SEARCH [SERVERBUG]"), "{error}");
    assert_eq!(list_again(&inbox).await.len(), 1);
}

#[tokio::test]
async fn a_mail_that_goes_while_it_is_fetched_is_gone_and_the_others_are_not() {
    let fake = Fake::start(MODERN, &["Subject: one\r\n\r\n", "Subject: two\r\n\r\n"]);
    let inbox = fake.inbox(archive());
    let found = list(&inbox).await;
    fake.state.lock().unwrap().mails.remove(&1);
    fake.quirk(once("UID FETCH", Quirk::Says(b"TAG NO [EXPUNGEISSUED] some are gone\r\n".to_vec())));
    assert!(matches!(inbox.fetch(&found[0], LARGEST).await, Ok(Fetched::Gone)));
    assert!(matches!(inbox.fetch(&found[1], LARGEST).await, Ok(Fetched::Whole(_))));
    assert_eq!(list(&inbox).await, found[1..]);
}

#[tokio::test]
async fn nothing_is_done_to_mails_that_got_new_numbers() {
    let fake = Fake::start(MODERN, &["Subject: one\r\n\r\n"]);
    let inbox = fake.inbox(archive());
    let found = list(&inbox).await;
    fake.state.lock().unwrap().validity = 8;
    fake.quirk(once("NOOP", Quirk::Says(b"* BYE rebuilding\r\n".to_vec())));
    words(inbox.list(100).await);
    let again = list_again(&inbox).await;
    assert_ne!(again[0].source, found[0].source);
    assert!(matches!(inbox.fetch(&found[0], LARGEST).await, Ok(Fetched::Gone)));
    inbox.done(&found[0]).await.unwrap();
    assert_eq!(fake.said("UID MOVE"), 0);
    assert_eq!(fake.state.lock().unwrap().mails.len(), 1);
}

#[tokio::test]
async fn after_a_move_whose_answer_was_lost_nothing_is_moved_twice() {
    let fake = Fake::start(MODERN, &["Subject: one\r\n\r\n"]);
    let inbox = fake.inbox(archive());
    let found = list(&inbox).await;
    fake.quirk(once("UID MOVE", Quirk::DoesAndCloses));
    assert!(words(inbox.done(&found[0]).await).contains("closed the connection"));
    assert!(list_again(&inbox).await.is_empty());
    inbox.done(&found[0]).await.unwrap();
    assert_eq!(fake.state.lock().unwrap().archive.len(), 1);
}

#[tokio::test]
async fn without_uidplus_nothing_is_expunged_and_a_mail_is_copied_once() {
    let fake = Fake::start("", &["Subject: one\r\n\r\n", "Subject: two\r\n\r\n"]);
    fake.state.lock().unwrap().mails.get_mut(&2).unwrap().1.push("\\Deleted".into());
    let inbox = fake.inbox(archive());
    let found = list(&inbox).await;
    assert_eq!(found.len(), 2, "what somebody has marked as deleted is still a mail");
    inbox.done(&found[0]).await.unwrap();
    assert_eq!(list(&inbox).await, found[1..]);
    // Another process finds it still there.
    let other = fake.inbox(archive());
    let again = list(&other).await;
    assert_eq!(again, found);
    other.done(&again[0]).await.unwrap();
    assert_eq!(fake.said("EXPUNGE"), 0);
    let state = fake.state.lock().unwrap();
    assert_eq!((state.archive.len(), state.mails.len()), (1, 2));
}

#[tokio::test]
async fn of_a_mail_beyond_the_limit_only_the_beginning_is_asked_for() {
    let fake = Fake::start(MODERN, &[&"x".repeat(200_000)]);
    let inbox = fake.inbox(archive());
    let found = list(&inbox).await;
    let head = inbox.fetch(&found[0], LARGEST).await;
    assert!(matches!(head, Ok(Fetched::Head(head)) if head.len() == 65_536));
    assert_eq!(fake.said("BODY.PEEK[]<0.65536>"), 1);
    inbox.keep(&found[0]).await.unwrap();
    assert_eq!(fake.state.lock().unwrap().archive.len(), 1, "it is kept where the others go");
}

#[tokio::test]
async fn starttls_is_never_left_out_and_nothing_said_before_it_is_believed() {
    let fake = Fake::start("STARTTLS", &[]);
    let refusal = b"TAG NO not today\r\n".to_vec();
    fake.quirk(once("STARTTLS", Quirk::Says(refusal)));
    assert_eq!(connect(&fake.server(Tls::StartTls)).await.err(), Some(Trouble::NoStartTls));
    let injected = b"TAG OK go\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n".to_vec();
    fake.quirk(once("STARTTLS", Quirk::Says(injected)));
    assert_eq!(connect(&fake.server(Tls::StartTls)).await.err(), Some(Trouble::Injected));
    fake.state.lock().unwrap().greeting = Some("* PREAUTH welcome".into());
    assert_eq!(connect(&fake.server(Tls::StartTls)).await.err(), Some(Trouble::PreAuthenticated));
    assert_eq!(fake.said("LOGIN") + fake.said("AUTHENTICATE"), 0, "no password was said");
}

#[tokio::test]
async fn nothing_is_said_in_clear_to_a_host_that_is_not_this_one() {
    let fake = Fake::start("", &[]);
    // An address of this machine that is none of the loopback's.
    let socket = std::net::UdpSocket::bind(("0.0.0.0", 0)).unwrap();
    let mut server = fake.server(Tls::None);
    server.host = match socket.connect(("192.0.2.1", 9)).and_then(|()| socket.local_addr()) {
        Ok(address) if !address.ip().is_loopback() => address.ip().to_string(),
        _ => "192.0.2.1".into(),
    };
    let error = connect(&server).await.err().map(|trouble| trouble.to_string()).unwrap_or_default();
    assert!(error.contains("nothing is said in clear"), "{error}");
}

#[tokio::test]
async fn the_words_of_a_refused_login_are_not_repeated() {
    let fake = Fake::start("", &[]);
    fake.quirk(once("LOGIN", Quirk::Says(b"TAG NO [AUTHENTICATIONFAILED] no such user vmt@example.org\r\n".to_vec())));
    let error = connect(&fake.server(Tls::None)).await.err().map(|trouble| trouble.to_string());
    assert_eq!(error.as_deref(), Some("it refuses user or password [AUTHENTICATIONFAILED]"));
}

#[tokio::test]
async fn where_login_is_disabled_a_password_is_said_as_sasl_wants_it_or_not_at_all() {
    let fake = Fake::start("LOGINDISABLED", &[]);
    assert_eq!(connect(&fake.server(Tls::None)).await.err(), Some(Trouble::LoginDisabled));
    assert_eq!(fake.said("LOGIN") + fake.said("AUTHENTICATE"), 0);
    fake.state.lock().unwrap().abilities = "LOGINDISABLED AUTH=PLAIN".into();
    fake.quirk(once("AUTHENTICATE PLAIN", Quirk::Says(b"TAG OK as you wish\r\n".to_vec())));
    assert!(connect(&fake.server(Tls::None)).await.is_ok());
}
