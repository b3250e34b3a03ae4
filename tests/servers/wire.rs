//! What the gateway says to its servers: all of it, looked through for what must not leave the encryption.

use crate::client::Client;
use crate::servers::{PASSWORD, Proxy};
use crate::site::{PATIENCE, Site};
use crate::world::canaries::none_in;
use crate::world::*;

/// The mails of an SMTP connection: what the client said from MAIL to the next MAIL.
fn transactions(talks: &[Vec<u8>]) -> Vec<String> {
    let texts = talks.iter().map(|talk| String::from_utf8_lossy(talk).into_owned());
    texts.flat_map(|text| text.split("MAIL FROM:").skip(1).map(str::to_owned).collect::<Vec<_>>()).collect()
}

/// A transaction without the places where a reporter's address may stand: the envelope and the To line, which the signature
/// covers once more (RFC 9788).
fn without_recipient(transaction: &str) -> String {
    lines_without(transaction.as_bytes(), |line| line.starts_with("RCPT TO:") || line.starts_with("To: "))
}

fn lines_without(said: &[u8], what: fn(&str) -> bool) -> String {
    String::from_utf8_lossy(said).lines().filter(|line| !what(line)).collect::<Vec<_>>().join("\n")
}

#[test]
fn nothing_of_a_report_is_said_to_a_server_in_any_form_and_the_password_only_at_the_login() {
    let site = Site::new(World::new().members(["alice", "bob"]));
    let (imap, smtp) = (Proxy::before(site.dovecot.imap), Proxy::before(site.mta.doors.plain));
    site.talks(imap.port, smtp.port, "move:Archive");
    let world = &site.world;
    let eve = world.reporter("eve");
    // The mail server refuses to send to this address, and says the address when it does.
    let mallory = world.actor("mallory", "mallory.canary@elsewhere.example");
    let from_eve = || {
        let words = report().from(&eve).about("Canarysubject of Eve").saying("Canarywords in the body of a report");
        words.attaching("canaryname.bin", "application/octet-stream", b"canarybytes in an attachment")
    };
    let daemon = world.gateway.starts();
    site.arrives(from_eve().encrypted().signed().protecting(Protection::Rfc9788).saying("Canarywords number one"));
    site.reaches("alice", "Canarywords number one");
    site.hands_in(from_eve().inline());
    site.hands_in(from_eve().nested().with_autocrypt());
    site.hands_in(from_eve());
    site.hands_in(from_eve().signed());
    site.hands_in(from_eve().encrypted().tampered());
    site.hands_in(report().from(&mallory).about("Canarysubject of Mallory").saying("Canarywords of Mallory"));
    wait_until("six mails of the reporter's and one of another are archived", PATIENCE, || {
        site.mails("vmt", "Archive").len() == 7
    });
    site.reaches("bob", "Canarywords of Mallory");
    assert_eq!(daemon.terminates().0, Some(0));
    // The answer to Mallory is refused again and again, everything else is sent.
    wait_until("only the answer to Mallory is left", PATIENCE, || {
        world.everything_is_due();
        world.gateway.does(&["run", "--once"]);
        world.gateway.lists(&["queue", "list"]).len() == 1
    });
    site.nothing_is_under_way();
    world.gateway.does(&["check", "--online"]).ends_with(0);

    let to_imap = imap.client_said();
    let sessions: Vec<Vec<u8>> = smtp.talks().into_iter().map(|talk| talk.client).collect();
    let mails = transactions(&sessions);
    let (answers, others): (Vec<_>, Vec<_>) =
        mails.iter().partition(|mail| mail.contains(&format!("<{}>", eve.address)));
    assert!(!answers.is_empty() && others.len() >= 14, "{} answers, {} others", answers.len(), others.len());
    let contents =
        ["Canarysubject", "Canarywords", "canaryname.bin", "canarybytes", "useragentcanary", "receivedcanary"];
    let identity = ["Eve Canaryname", eve.address.as_str(), eve.fingerprint.as_str(), "messageidcanary"];
    for text in contents.iter().chain(&identity) {
        none_in("what was said to the mailbox", &to_imap, text);
        for mail in &others {
            none_in("a mail to the team", mail.as_bytes(), text);
        }
    }
    for mail in &answers {
        for text in contents.iter().chain(&identity[..2]) {
            none_in("an answer to the reporter", without_recipient(mail).as_bytes(), text);
        }
    }
    for mail in others.iter().filter(|mail| !mail.contains("RCPT TO:<mallory")) {
        none_in("a mail to the team", mail.as_bytes(), &mallory.address);
    }
    none_in("what was said to the mailbox", &to_imap, &mallory.address);

    // The search finds what is there: the password, where it belongs and nowhere else.
    let said: Vec<u8> = sessions.concat();
    assert!(String::from_utf8_lossy(&to_imap).contains(PASSWORD));
    let login = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("\0vmt\0{PASSWORD}"));
    assert!(String::from_utf8_lossy(&said).contains(&login));
    let imap_rest = lines_without(&to_imap, |line| line.contains(" LOGIN ") || line.contains(" AUTHENTICATE "));
    let smtp_rest = lines_without(&said, |line| line.starts_with("AUTH "));
    none_in("a mailbox command other than the login", imap_rest.as_bytes(), PASSWORD);
    none_in("an SMTP command other than the login", smtp_rest.as_bytes(), PASSWORD);

    let logs = site.log();
    assert!(logs.contains(" received mail="), "there is a log, of commands that were told to log everything");
    for line in [
        "CAPABILITY",
        "BODY.PEEK",
        "UID FETCH",
        "UID SEARCH",
        "LOGIN vmt",
        "MAIL FROM:<",
        "RCPT TO:<",
        "EHLO ",
        "AUTH PLAIN",
        "250-",
        "354 ",
        "* OK ",
        "multipart/encrypted",
        "BEGIN PGP",
    ] {
        assert!(!logs.contains(line), "a line of a session is in the log: {line}");
    }
    for text in contents.iter().chain(&identity).chain(&[PASSWORD, mallory.address.as_str(), "alice@example.org"]) {
        none_in("the log", logs.as_bytes(), text);
    }
    for text in contents.iter().chain(&identity).chain(&[PASSWORD, mallory.address.as_str()]) {
        world.nothing_outside_contains(text);
    }
}

#[test]
fn a_wrong_password_is_not_in_the_log_either() {
    let site = Site::new(World::new().members(["alice"]));
    site.dovecot.changes_password("another passcanary");
    let eve = site.world.reporter("eve");
    Client::with(site.dovecot.imap, "another passcanary")
        .appends(&report().from(&eve).write(&site.world.gateway.current_certificate()).raw);
    site.world.gateway.does(&["run", "--once"]);
    site.world.gateway.does(&["check", "--online"]).ends_with(1);
    site.world.nothing_outside_contains(PASSWORD);
    site.world.nothing_outside_contains("passcanary");
}
