use super::*;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpListener;

/// A server that greets and then answers each command by the first of its rules that fits; `TAG` stands for the command's tag.
async fn scripted(
    tls: Tls,
    greeting: &'static str,
    rules: &'static [(&'static str, &'static str)],
) -> (Result<Session, Trouble>, String) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let server = Server {
        host: "127.0.0.1".into(),
        port: listener.local_addr().unwrap().port(),
        tls,
        login: Some(Login { user: "vmt@team.example".into(), password: Zeroizing::new("passcanary".into()) }),
        extra_roots: Vec::new(),
    };
    let said = Arc::new(Mutex::new(String::new()));
    let heard = Arc::clone(&said);
    let serving = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let (reader, mut writer) = stream.into_split();
        writer.write_all(greeting.as_bytes()).await.unwrap();
        let mut lines = BufReader::new(reader).split(b'\n');
        while let Ok(Some(line)) = lines.next_segment().await {
            let line = String::from_utf8_lossy(&line).into_owned();
            heard.lock().unwrap().push_str(&line);
            let Some((_, answer)) = rules.iter().find(|(command, _)| line.contains(command)) else { return };
            let tag = line.split(' ').next().unwrap_or_default();
            let _ = writer.write_all(answer.replace("TAG", tag).as_bytes()).await;
        }
    });
    let result = connect(&server).await;
    serving.abort();
    let said = said.lock().unwrap().clone();
    (result, said)
}

fn trouble((result, said): (Result<Session, Trouble>, String)) -> Trouble {
    assert!(!said.contains("passcanary") && !said.contains("vmt"), "nothing of the login was said: {said}");
    result.expect_err("it must not be accepted")
}

const FINE: &str = "* OK ready\r\n";

#[tokio::test]
async fn a_server_that_offers_no_starttls_never_hears_the_password() {
    let rules = &[("STARTTLS", "TAG BAD unknown command\r\n")];
    assert_eq!(trouble(scripted(Tls::StartTls, FINE, rules).await), Trouble::NoStartTls);
}

#[tokio::test]
async fn what_somebody_puts_in_before_tls_ends_the_attempt() {
    let rules = &[("STARTTLS", "TAG OK begin\r\n* CAPABILITY IMAP4rev1 AUTH=PLAIN\r\n")];
    assert_eq!(trouble(scripted(Tls::StartTls, FINE, rules).await), Trouble::Injected);
    let rules = &[("STARTTLS", "TAG OK begin\r\nE9 OK half a li")];
    assert_eq!(trouble(scripted(Tls::StartTls, FINE, rules).await), Trouble::Injected);
}

#[tokio::test]
async fn a_greeting_that_claims_a_login_is_not_accepted() {
    for tls in [Tls::StartTls, Tls::None] {
        assert_eq!(trouble(scripted(tls, "* PREAUTH welcome\r\n", &[]).await), Trouble::PreAuthenticated);
    }
}

#[tokio::test]
async fn a_server_that_turns_away_is_heard_out() {
    let refused = trouble(scripted(Tls::None, "* BYE too many connections from vmt@team.example\r\n", &[]).await);
    assert_eq!(refused, Trouble::TurnedAway("too many connections from …".into()));
}

#[tokio::test]
async fn another_protocol_and_tls_at_the_wrong_port_are_told_apart_from_a_refusal() {
    assert_eq!(trouble(scripted(Tls::None, "220 mail.example ESMTP\r\n", &[]).await), Trouble::NoGreeting);
    assert!(matches!(trouble(scripted(Tls::Implicit, FINE, &[]).await), Trouble::Tls(_)));
}

#[tokio::test]
async fn where_login_is_disabled_and_nothing_else_is_offered_the_password_is_not_said() {
    let rules = &[("CAPABILITY", "* CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=XOAUTH2\r\nTAG OK\r\n")];
    assert_eq!(trouble(scripted(Tls::None, FINE, rules).await), Trouble::LoginDisabled);
}

#[tokio::test]
async fn where_login_is_disabled_plain_is_used_if_it_is_offered() {
    let rules = &[
        ("CAPABILITY", "* CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=PLAIN\r\nTAG OK\r\n"),
        ("AUTHENTICATE PLAIN", "+ \r\n"),
        // NUL, user, NUL, password in base64 (RFC 4616).
        ("AHZtdEB0ZWFtLmV4YW1wbGUAcGFzc2NhbmFyeQ==", "A0001 OK welcome\r\n"),
    ];
    let (session, said) = scripted(Tls::None, FINE, rules).await;
    assert!(session.is_ok(), "{:?}; {said}", session.err());
}

#[tokio::test]
async fn of_a_refused_login_the_servers_words_are_kept_for_the_look_and_not_shown() {
    let rules = &[
        ("CAPABILITY", "* CAPABILITY IMAP4rev1\r\nTAG OK\r\n"),
        ("LOGIN", "TAG NO Application-specific password required for vmt\r\n"),
    ];
    let (result, said) = scripted(Tls::None, FINE, rules).await;
    let trouble = result.expect_err("refused");
    assert!(matches!(&trouble, Trouble::LoginRefused(words) if words.contains("Application-specific")));
    assert!(!trouble.to_string().contains("vmt") && !trouble.to_string().contains("Application"), "{trouble}");
    assert!(said.contains("passcanary"), "it was tried");
}

#[tokio::test]
async fn a_flood_before_the_login_is_ended() {
    let rules: &[(&str, &str)] = &[("CAPABILITY", FLOOD)];
    assert!(matches!(trouble(scripted(Tls::None, FINE, rules).await), Trouble::TooMuch(_)));
}

const FLOOD: &str = {
    const LINE: &[u8; 16] = b"* 12345 EXISTS\r\n";
    static ALL: [[u8; 16]; 8_192] = [*LINE; 8_192];
    match std::str::from_utf8(ALL.as_flattened()) {
        Ok(text) => text,
        Err(_) => "",
    }
};
