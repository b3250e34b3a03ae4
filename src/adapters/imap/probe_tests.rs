use super::*;
use crate::adapters::imap::dovecot_tests::Mailbox;
use crate::adapters::servers::Presented;

fn archive() -> Done {
    Done::Move("Archive".into())
}

/// What is wrong: the key, what and the mend.
fn faults(seen: &[Observation]) -> Vec<(&'static str, String)> {
    let faults = seen.iter().filter(|one| one.kind != Observed::Fine);
    faults.map(|one| (one.key, format!("{} | {}", one.what, one.mend.as_deref().unwrap_or_default()))).collect()
}

#[tokio::test]
async fn a_mailbox_in_order_is_said_to_be_so() {
    let mailbox = Mailbox::start();
    mailbox.receives(&["one"]);
    for tls in [Tls::Implicit, Tls::StartTls, Tls::None] {
        let seen = observe(&mailbox.server(tls), "INBOX", &Done::Move("Done/2026".into())).await;
        assert_eq!(faults(&seen), []);
        let words: Vec<&str> = seen.iter().map(|one| one.what.as_str()).collect();
        assert!(words[0].starts_with("vmt is logged in at localhost:"), "{words:?}");
        assert_eq!(words[1], "mails in INBOX: 1");
        assert!(words[2].contains("Done/2026, which is made"), "{words:?}");
    }
    assert_eq!((mailbox.count("INBOX"), mailbox.count("Done")), (1, 0), "nothing was changed");
}

#[tokio::test]
async fn each_mistake_is_named_with_its_key_and_its_mend() {
    let mut mailbox = Mailbox::start();
    let server = mailbox.server(Tls::Implicit);
    let missing = faults(&observe(&server, "Inbox/Security", &archive()).await);
    assert_eq!(missing[0].0, "mailbox.folder");
    assert!(missing[0].1.contains("those that there are: ") && missing[0].1.contains("INBOX"), "{missing:?}");

    let mut wrong = mailbox.server(Tls::Implicit);
    wrong.login.as_mut().unwrap().password = "wrong".to_owned().into();
    let refused = faults(&observe(&wrong, "INBOX", &archive()).await);
    assert_eq!(refused[0].0, "mailbox.password");
    assert!(refused[0].1.contains("[AUTHENTICATIONFAILED]") && refused[0].1.contains("app password"), "{refused:?}");

    let mut crossed = mailbox.server(Tls::Implicit);
    crossed.port = mailbox.dovecot.imap;
    let crossed = faults(&observe(&crossed, "INBOX", &archive()).await);
    assert_eq!(crossed[0].0, "mailbox.tls");
    assert!(crossed[0].1.contains("starttls"), "{crossed:?}");

    let mut nowhere = mailbox.server(Tls::Implicit);
    nowhere.port = 1;
    assert_eq!(faults(&observe(&nowhere, "INBOX", &archive()).await)[0].0, "mailbox.host");

    let mut unknown = mailbox.server(Tls::Implicit);
    unknown.extra_roots.clear();
    assert!(faults(&observe(&unknown, "INBOX", &archive()).await)[0].1.contains("its issuer is none of the known"));

    for (presented, words) in [(Presented::WrongName, "another host name"), (Presented::Expired, "expired")] {
        mailbox.dovecot.stops();
        mailbox.dovecot.will_present(&mailbox.authority, presented);
        mailbox.dovecot.begins_again();
        for tls in [Tls::Implicit, Tls::StartTls] {
            let seen = faults(&observe(&mailbox.server(tls), "INBOX", &archive()).await);
            assert_eq!(seen[0].0, "mailbox.ca");
            assert!(seen[0].1.contains(words), "{seen:?}");
        }
    }
}

#[tokio::test]
async fn what_a_server_cannot_do_and_old_mail_are_worth_a_word() {
    let mailbox = Mailbox::with("protocol imap {\n  imap_capability = IMAP4rev1\n}\n");
    mailbox.receives(&["one"]);
    mailbox.holds(60, false);
    let seen = faults(&observe(&mailbox.server(Tls::Implicit), "INBOX", &archive()).await);
    let keys: Vec<&str> = seen.iter().map(|(key, _)| *key).collect();
    assert_eq!(keys, ["mailbox.folder", "mailbox.poll", "mailbox.done"]);
    assert!(seen[0].1.contains("mails in INBOX: 61"), "{seen:?}");
}

#[test]
fn what_providers_mean_by_refusing_a_password_is_understood() {
    let means = |host: &str, words: &str| of_login(host, words);
    assert!(means("imap.gmail.com", "[ALERT] Application-specific password required").contains("app password"));
    assert!(means("imap.gmail.com", "Your account is not enabled for IMAP use").contains("switch IMAP on"));
    assert!(means("outlook.office365.com", "LOGIN failed.").contains("embargod receive"));
    assert!(means("imap.example.org", "AuthFailed:LogonDenied-BasicAuthBlocked").contains("embargod receive"));
    assert!(means("imap.fastmail.com", "Incorrect username or password").contains("app password"));
    assert!(means("imap.notgmail.com", "no").starts_with("correct user and password"));
}
