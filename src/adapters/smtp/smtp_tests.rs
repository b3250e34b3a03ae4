use super::fake_tests::{Act, Fake, PASSWORD, Script};
use super::*;
use crate::config::Tls;
use std::time::{Duration, Instant};

const MAIL: &[u8] = b"Subject: x\r\n\r\n.leading dot\r\nend\r\n";
const FROM: Option<&str> = Some("bounces@team.example");
const EVE: &str = "eve.canary@reporter.example";

/// Long enough for a busy machine, short enough for a test.
fn hurried() -> Patience {
    Patience {
        connect: Duration::from_secs(5),
        command: Duration::from_millis(1500),
        open: Duration::from_secs(10),
        reuse: Duration::from_secs(2),
        content: Duration::from_millis(1500),
        end: Duration::from_millis(700),
    }
}

fn courier(server: Server) -> SmtpCourier {
    SmtpCourier::with_patience(server, hurried()).unwrap()
}

async fn send(fake: &Fake) -> Result<(), PortError> {
    courier(fake.server()).hand_over(FROM, EVE, MAIL).await
}

/// The end of one mail against one script, over TLS; whatever it is, it names nobody.
async fn end(script: Script) -> Result<(), PortError> {
    let fake = Fake::start(Tls::Implicit, vec![script]).await;
    let end = send(&fake).await;
    if let Err(error) = &end {
        assert_harmless(&error.to_string());
    }
    end
}

fn assert_harmless(text: &str) {
    for canary in ["eve", "canary", "reporter.example", "bounces", "@", PASSWORD] {
        assert!(!text.contains(canary), "{canary} in: {text}");
    }
}

fn temporary(end: Result<(), PortError>) -> String {
    match end {
        Err(PortError::Temporary(text)) => text,
        other => panic!("not temporary: {other:?}"),
    }
}

fn permanent(end: Result<(), PortError>) -> String {
    match end {
        Err(PortError::Permanent(text)) => text,
        other => panic!("not permanent: {other:?}"),
    }
}

#[tokio::test]
async fn a_mail_goes_to_one_recipient_with_its_dots_and_its_size() {
    for tls in [Tls::Implicit, Tls::StartTls, Tls::None] {
        let fake = Fake::start(tls, vec![Script::default()]).await;
        send(&fake).await.unwrap();
        let seen = fake.seen().remove(0);
        let commands: Vec<_> = seen.lines.iter().filter(|l| l.starts_with("MAIL") || l.starts_with("RCPT")).collect();
        let size = MAIL.len();
        let sender = format!("MAIL FROM:<bounces@team.example> SIZE={size}");
        assert_eq!(commands, [&sender, &format!("RCPT TO:<{EVE}>")]);
        assert_eq!(seen.contents, ["Subject: x\r\n\r\n..leading dot\r\nend\r\n.\r\n"]);
    }
}

#[tokio::test]
async fn an_automatic_answer_goes_out_with_the_null_return_path() {
    let fake = Fake::start(Tls::Implicit, vec![Script::default()]).await;
    courier(fake.server()).hand_over(None, EVE, MAIL).await.unwrap();
    assert!(fake.text().contains("MAIL FROM:<>"));
}

#[tokio::test]
async fn a_session_serves_one_mail_after_the_other_even_after_a_refusal() {
    let script = Script::with("RCPT/2", Act::Say("550 5.1.1 no such mailbox"));
    let fake = Fake::start(Tls::Implicit, vec![script]).await;
    let courier = courier(fake.server());
    courier.hand_over(FROM, EVE, MAIL).await.unwrap();
    permanent(courier.hand_over(FROM, EVE, MAIL).await);
    courier.hand_over(FROM, EVE, MAIL).await.unwrap();
    assert_eq!(fake.seen().len(), 1, "one connection");
    assert_eq!(fake.seen()[0].contents.len(), 2);
}

#[tokio::test]
async fn mails_side_by_side_take_about_the_time_of_one() {
    let fake = Fake::start(Tls::Implicit, vec![Script::with(".", Act::Stall)]).await;
    let courier = courier(fake.server());
    let begun = Instant::now();
    let ends = futures::future::join_all((0..5).map(|_| courier.hand_over(FROM, EVE, MAIL))).await;
    assert!(ends.iter().all(|end| matches!(end, Err(PortError::Ambiguous(_)))));
    assert!(begun.elapsed() < hurried().end * 3, "{:?}", begun.elapsed());
}

#[tokio::test]
async fn a_session_that_the_server_closed_meanwhile_costs_nothing() {
    for act in [Act::Close, Act::Say("421 4.4.2 idle too long")] {
        let fake = Fake::start(Tls::Implicit, vec![Script::with("MAIL/2", act), Script::default()]).await;
        let courier = courier(fake.server());
        courier.hand_over(FROM, EVE, MAIL).await.unwrap();
        courier.hand_over(FROM, EVE, MAIL).await.unwrap();
        assert_eq!(fake.seen().len(), 2);
        assert_eq!(fake.seen()[1].contents.len(), 1);
    }
}

#[tokio::test]
async fn a_server_that_takes_few_connections_gets_few() {
    let full = Script { greeting: Act::Say("421 4.3.2 too many connections"), ..Script::default() };
    let fake = Fake::start(Tls::Implicit, vec![Script::default(), full]).await;
    let courier = courier(fake.server());
    let ends = futures::future::join_all((0..4).map(|_| courier.hand_over(FROM, EVE, MAIL))).await;
    assert!(ends.iter().all(Result::is_ok), "{ends:?}");
    assert_eq!(fake.seen()[0].contents.len(), 4);
}

#[tokio::test]
async fn what_breaks_before_the_final_dot_is_tried_again() {
    let mut scripts = vec![
        Script { cut_at: Some(10), ..Script::default() },
        Script { greeting: Act::Close, ..Script::default() },
        Script { greeting: Act::Stall, ..Script::default() },
        Script { greeting: Act::Say("hello there"), ..Script::default() },
        Script { greeting: Act::Say("554 5.7.1 go away eve.canary@reporter.example"), ..Script::default() },
    ];
    for step in ["EHLO", "AUTH", "MAIL", "RCPT", "DATA"] {
        scripts.push(Script::with(step, Act::Close));
        scripts.push(Script::with(step, Act::Stall));
        scripts.push(Script::with(step, Act::Say("451 4.3.0 <eve.canary@reporter.example> later")));
        scripts.push(Script::with(step, Act::Say("nonsense about eve.canary@reporter.example")));
    }
    scripts.push(Script::with("DATA", Act::Say("250 what mail?")));
    scripts.push(Script::with(".", Act::Say("451 4.3.0 disk full")));
    scripts.push(Script::with(".", Act::Say("421 4.3.0 shutting down")));
    for script in scripts {
        temporary(end(script).await);
    }
}

#[tokio::test]
async fn a_reply_lost_after_the_final_dot_is_an_unknown_end() {
    for act in [Act::Close, Act::Stall, Act::Say("nonsense"), Act::Say("354 more please")] {
        let end = end(Script::with(".", act)).await;
        assert!(matches!(end, Err(PortError::Ambiguous(_))), "{end:?}");
    }
}

#[tokio::test]
async fn an_acceptance_counts_whatever_its_text_looks_like() {
    for reply in ["250", "250 angenommen f\u{fc}r eve", "250-two\r\n250 lines"] {
        end(Script::with(".", Act::Say(reply))).await.unwrap();
    }
}

#[tokio::test]
async fn what_the_server_refuses_for_good_is_not_tried_again() {
    for (step, reply) in [
        ("RCPT", "550 5.1.1 <eve.canary@reporter.example>: Recipient address rejected: User unknown"),
        ("RCPT", "550 no such user eve.canary"),
        ("DATA", "554 5.5.1 no valid recipients"),
        (".", "554 5.7.1 looks like spam to eve.canary"),
        (".", "550 5.7.0 content refused"),
    ] {
        let text = permanent(end(Script::with(step, Act::Say(reply))).await);
        assert!(text.contains(&reply[..3]), "{text}");
    }
}

#[tokio::test]
async fn what_an_admin_can_mend_is_tried_again() {
    for (step, reply, word) in [
        ("AUTH", "535 5.7.8 bad credentials for vmt", "password"),
        ("AUTH", "535 5.7.139 SmtpClientAuthentication is disabled for the Tenant", "Microsoft"),
        ("AUTH", "534 5.7.9 Application-specific password required", "app password"),
        ("MAIL", "530 5.7.57 Client was not authenticated", "password"),
        ("MAIL", "553 5.7.1 <bounces@team.example>: Sender address rejected: not owned", "bounces"),
        ("RCPT", "554 5.7.1 <eve.canary@reporter.example>: Relay access denied", "login"),
        (".", "554 5.2.252 SendAsDenied; bounces@team.example not allowed", "login"),
    ] {
        let end = Fake::start(Tls::Implicit, vec![Script::with(step, Act::Say(reply))]).await;
        let text = temporary(send(&end).await);
        assert!(text.contains(word), "{reply}: {text}");
        assert_harmless(&text.replace("[outgoing] bounces be", ""));
    }
}

#[tokio::test]
async fn a_null_return_path_that_is_refused_is_refused_for_that_mail_alone() {
    let fake = Fake::start(Tls::Implicit, vec![Script::with("MAIL", Act::Say("550 5.1.7 no null sender"))]).await;
    let text = permanent(courier(fake.server()).hand_over(None, EVE, MAIL).await);
    assert!(text.contains("null return path"), "{text}");
}

#[tokio::test]
async fn a_mail_beyond_the_announced_size_is_not_sent_at_all() {
    let hello = "250-fake\r\n250-size 20\r\n250 AUTH PLAIN";
    let fake = Fake::start(Tls::Implicit, vec![Script { hello, ..Script::default() }]).await;
    assert!(matches!(send(&fake).await, Err(PortError::TooLarge(text)) if text.contains("20 octets")));
    assert!(!fake.text().contains("MAIL"));
}

#[tokio::test]
async fn a_size_that_is_refused_is_told_from_other_refusals() {
    for (step, reply) in
        [("MAIL", "552 5.3.4 too big"), ("MAIL", "552 too big"), (".", "552 5.3.4 too big"), (".", "523 too big")]
    {
        assert!(matches!(end(Script::with(step, Act::Say(reply))).await, Err(PortError::TooLarge(_))), "{reply}");
    }
    permanent(end(Script::with(".", Act::Say("552 5.7.0 blocked"))).await);
}

#[tokio::test]
async fn a_server_without_size_gets_no_size() {
    let hello = "250-fake\r\n250 AUTH LOGIN";
    let fake = Fake::start(Tls::Implicit, vec![Script { hello, acts: [("AUTH", Act::Say("235 ok"))].into(), ..Script::default() }]);
    let fake = fake.await;
    send(&fake).await.unwrap();
    assert!(!fake.text().contains("SIZE="));
}
