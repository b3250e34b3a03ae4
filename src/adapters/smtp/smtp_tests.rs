use super::fake_tests::{Act, Fake, PASSWORD, Script};
use super::*;
use crate::config::Tls;
use std::collections::HashMap;
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
    let delivered: usize = fake.seen().iter().map(|seen| seen.contents.len()).sum();
    assert_eq!(delivered, 4);
}

#[tokio::test]
async fn what_breaks_before_the_final_dot_is_tried_again() {
    let mut scripts = vec![
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
    for end in futures::future::join_all(scripts.into_iter().map(end)).await {
        temporary(end);
    }
}

#[tokio::test]
async fn a_connection_cut_within_the_mail_is_no_unknown_end() {
    let hello = "250-fake\r\n250-SIZE\r\n250 AUTH PLAIN";
    let fake = Fake::start(Tls::Implicit, vec![Script { hello, cut_at: Some(10), ..Script::default() }]).await;
    let large = b"0123456789abcdef\r\n".repeat(2_000_000);
    let text = temporary(courier(fake.server()).hand_over(FROM, EVE, &large).await);
    assert!(text.contains("while the mail was being sent"), "{text}");
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
    let fake = Fake::start(
        Tls::Implicit,
        vec![Script { hello, acts: [("AUTH", Act::Say("235 ok"))].into(), ..Script::default() }],
    );
    let fake = fake.await;
    send(&fake).await.unwrap();
    assert!(!fake.text().contains("SIZE="));
}

#[tokio::test]
async fn a_broken_tls_never_sees_the_login_nor_the_envelope() {
    for tls in [Tls::Implicit, Tls::StartTls] {
        let unknown = Fake::start(tls, vec![Script::default()]).await;
        let text = temporary(
            courier(Server { extra_roots: other_roots().await, ..unknown.server() }).hand_over(FROM, EVE, MAIL).await,
        );
        assert!(text.contains("issuer is not trusted"), "{text}");
        let other_name = Fake::start_as("mail.example", tls, vec![Script::default()]).await;
        let text = temporary(send(&other_name).await);
        assert!(text.contains("for another name"), "{text}");
        for fake in [unknown, other_name] {
            let said = fake.text();
            assert!(!said.contains("AUTH") && !said.contains("MAIL") && !said.contains(EVE), "{said}");
        }
    }
}

async fn other_roots() -> Vec<rustls::pki_types::CertificateDer<'static>> {
    vec![Fake::start(Tls::Implicit, vec![Script::default()]).await.root.clone()]
}

#[tokio::test]
async fn starttls_that_is_missing_or_refused_ends_before_the_login() {
    let stripped = Script { hello: "250-fake\r\n250 AUTH PLAIN LOGIN", ..Script::default() };
    for script in [
        stripped,
        Script::with("STARTTLS", Act::Say("454 4.7.0 TLS not available")),
        Script::with("STARTTLS", Act::Say("554 5.7.3 no")),
        Script::with("STARTTLS", Act::Close),
    ] {
        let fake = Fake::start(Tls::StartTls, vec![script]).await;
        let text = temporary(send(&fake).await);
        assert!(text.contains("STARTTLS"), "{text}");
        assert!(!fake.text().contains("AUTH") && !fake.text().contains("MAIL"));
    }
}

#[tokio::test]
async fn a_reply_injected_before_tls_stands_is_not_taken_for_one_of_the_servers() {
    let injected = "250-fake\r\n250 AUTH PLAIN\r\n235 welcome\r\n";
    let fake = Fake::start(Tls::StartTls, vec![Script { injected, ..Script::default() }]).await;
    let text = temporary(send(&fake).await);
    assert!(text.contains("more than one"), "{text}");
    assert!(!fake.text().contains("AUTH"));
}

#[tokio::test]
async fn a_port_of_the_other_kind_is_named_as_such() {
    let fake = Fake::start(Tls::StartTls, vec![Script::default()]).await;
    let text = temporary(courier(Server { tls: Tls::Implicit, ..fake.server() }).hand_over(FROM, EVE, MAIL).await);
    assert!(text.contains("does not speak TLS") && text.contains("587"), "{text}");
    let fake = Fake::start(Tls::Implicit, vec![Script::default()]).await;
    let text = temporary(courier(Server { tls: Tls::StartTls, ..fake.server() }).hand_over(FROM, EVE, MAIL).await);
    assert!(text.contains("465"), "{text}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_worth_another_try() {
    let fake = Fake::start(Tls::Implicit, vec![Script::default()]).await;
    let gone = Server { host: "no-such-host.invalid".into(), ..fake.server() };
    assert!(temporary(courier(gone).hand_over(FROM, EVE, MAIL).await).contains("not found"));
    let port = { std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port() };
    let closed = Server { port, ..fake.server() };
    assert!(temporary(courier(closed).hand_over(FROM, EVE, MAIL).await).contains("cannot be reached"));
}

#[tokio::test]
async fn a_login_that_the_server_does_not_offer_is_named() {
    let fake =
        Fake::start(Tls::Implicit, vec![Script { hello: "250-fake\r\n250 AUTH XOAUTH2", ..Script::default() }]).await;
    assert!(temporary(send(&fake).await).contains("OAuth"));
}

#[tokio::test]
async fn login_is_spoken_where_plain_is_not_offered() {
    // Names and answers in base64; the server's table of acts is in capitals.
    let acts = HashMap::from([
        ("AUTH", Act::Say("334 VXNlcm5hbWU6")),
        ("DM10", Act::Say("334 UGFzc3dvcmQ6")),
        ("Y2FUYXJ5LXBHC3N3B3JK", Act::Say("235 2.7.0 welcome")),
    ]);
    let hello = "250-fake\r\n250 AUTH LOGIN";
    let fake = Fake::start(Tls::Implicit, vec![Script { hello, acts, ..Script::default() }]).await;
    send(&fake).await.unwrap();
    assert_eq!(fake.seen()[0].lines[2..5], ["AUTH LOGIN", "dm10", "Y2FuYXJ5LXBhc3N3b3Jk"]);
}

#[tokio::test]
async fn a_mail_that_could_be_taken_for_two_is_never_sent() {
    let fake = Fake::start(Tls::Implicit, vec![Script::default()]).await;
    let long = [b"x".repeat(999).as_slice(), b"\r\n"].concat();
    for bad in [
        b"a\n.\nMAIL FROM:<x@y>\r\n".as_slice(),
        b"a\r\n.\rb\r\n",
        b"no end",
        "\u{fc}\r\n".as_bytes(),
        &long,
        b"\0\r\n",
    ] {
        permanent(courier(fake.server()).hand_over(FROM, EVE, bad).await);
    }
    for address in ["a@b>\r\nDATA", "a b@c", "no-at-sign", "a@b@c", "\u{fc}@b", "<a@b>", "a,b@c"] {
        permanent(courier(fake.server()).hand_over(FROM, address, MAIL).await);
    }
    assert!(fake.seen().is_empty());
}

#[tokio::test]
async fn endless_talk_of_a_server_ends_the_session() {
    let greeting: &'static str = Box::leak(format!("220-{}", "x".repeat(200_000)).into_boxed_str());
    temporary(end(Script { greeting: Act::Say(greeting), ..Script::default() }).await);
}
