use super::super::dovecot_tests::Mailbox;
use super::*;
use crate::adapters::server::Login;
use zeroize::Zeroizing;

fn archive() -> Done {
    Done::Move("Berichte/Erledigt".into())
}

fn told<'a>(found: &'a [Observation], key: &str) -> &'a Observation {
    found.iter().find(|one| one.key == key).unwrap_or_else(|| panic!("nothing about {key}: {found:#?}"))
}

#[tokio::test]
async fn a_mailbox_that_will_do_is_fine_and_the_folder_that_is_missing_will_be_made() {
    let mailbox = Mailbox::start();
    mailbox.receives(&["one", "two"]);
    let found = observe(&mailbox.server(Tls::StartTls), "INBOX", &archive()).await;
    assert!(found.iter().all(|one| one.kind == Observed::Fine), "{found:#?}");
    assert!(told(&found, "mailbox.folder").what.contains("INBOX: 2"));
    assert!(told(&found, "mailbox.done").what.contains("is made when"));
    assert_eq!((mailbox.count("INBOX"), mailbox.count("Berichte.Erledigt")), (2, 0), "nothing was changed");
}

#[tokio::test]
async fn a_wrong_folder_is_named_with_those_that_are_there() {
    let mailbox = Mailbox::start();
    let found = observe(&mailbox.server(Tls::Implicit), "Sicherheit", &Done::Seen).await;
    let folder = told(&found, "mailbox.folder");
    assert_eq!(folder.kind, Observed::Broken);
    assert!(folder.mend.as_ref().unwrap().contains("INBOX"), "{folder:?}");
}

#[tokio::test]
async fn a_refused_password_says_what_to_make_and_holds_neither_password_nor_user() {
    let mailbox = Mailbox::start();
    let mut server = mailbox.server(Tls::Implicit);
    server.login = Some(Login { user: "vmt".into(), password: Zeroizing::new("not the passcanary".into()) });
    let found = observe(&server, "INBOX", &Done::Seen).await;
    let password = told(&found, "mailbox.password");
    assert_eq!((found.len(), password.kind), (1, Observed::Broken));
    assert!(password.mend.as_ref().unwrap().contains("app password"));
    assert!(!format!("{found:?}").contains("passcanary"), "{found:?}");
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_named_as_such() {
    let mailbox = Mailbox::start();
    let mut server = mailbox.server(Tls::Implicit);
    server.extra_roots.clear();
    let found = observe(&server, "INBOX", &Done::Seen).await;
    assert_eq!(told(&found, "mailbox.ca").kind, Observed::Broken, "{found:?}");
}

#[tokio::test]
async fn implicit_tls_at_the_port_of_starttls_is_named_with_its_mend() {
    let mailbox = Mailbox::start();
    let mut server = mailbox.server(Tls::Implicit);
    server.port = mailbox.dovecot.imap;
    let found = observe(&server, "INBOX", &Done::Seen).await;
    let tls = told(&found, "mailbox.tls");
    assert!(tls.mend.as_ref().unwrap().contains("\"starttls\""), "{tls:?}");
}

#[tokio::test]
async fn a_server_with_few_abilities_is_doubtful_not_broken() {
    let mailbox = Mailbox::with("imap_capability = IMAP4rev1\n");
    let found = observe(&mailbox.server(Tls::Implicit), "INBOX", &Done::Delete).await;
    assert_eq!(told(&found, "mailbox.poll").kind, Observed::Doubtful);
    assert_eq!(told(&found, "mailbox.done").kind, Observed::Doubtful);
    assert!(found.iter().all(|one| one.kind != Observed::Broken), "{found:#?}");
}
