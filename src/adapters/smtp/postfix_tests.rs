//! The courier at a real mail server: Postfix, or Exim where the tests do not run as root.

use super::*;
use crate::adapters::server::Login;
use crate::config::Tls;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use servers::{Authority, Dovecot, Mta, PASSWORD, Presented, mta};
use std::path::Path;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

use crate::adapters::servers;

struct Site {
    authority: Authority,
    dovecot: Dovecot,
    mta: Mta,
}

impl Site {
    fn new(options: mta::Options) -> Self {
        let authority = Authority::new();
        let dovecot = Dovecot::start(&authority);
        let mta = Mta::with(&authority, &dovecot, options);
        Self { authority, dovecot, mta }
    }

    fn server(&self, tls: Tls) -> Server {
        let port = match tls {
            Tls::Implicit => self.mta.doors.submissions,
            Tls::StartTls => self.mta.doors.submission,
            Tls::None => self.mta.doors.plain,
        };
        let login = Some(Login { user: "vmt".into(), password: Zeroizing::new(PASSWORD.into()) });
        let root = CertificateDer::from_pem_file(self.authority.root()).unwrap();
        Server { host: "localhost".into(), port, tls, login, extra_roots: vec![root] }
    }

    fn courier(&self, tls: Tls) -> SmtpCourier {
        SmtpCourier::new(self.server(tls)).unwrap()
    }

    /// What has arrived in a mailbox, once it is so many mails.
    fn arrived(&self, user: &str, many: usize) -> Vec<String> {
        let new = self.dovecot.maildir(user, "INBOX").join("new");
        for _ in 0..200 {
            let mails = mails(&new);
            if mails.len() >= many {
                return mails;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("{user} has {} mails, not {many}: {}", mails(&new).len(), self.mta.log());
    }
}

fn mails(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap()).into_owned()).collect()
}

const FROM: Option<&str> = Some("vmt@katacontainers.example");
const MAIL: &[u8] = b"From: vmt@katacontainers.example\r\nSubject: [KATA-2026-0001]\r\n\r\n.dots\r\nbody\r\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_real_server_takes_mail_over_each_kind_of_tls() {
    let site = Site::new(mta::Options::default());
    for tls in [Tls::Implicit, Tls::StartTls, Tls::None] {
        site.courier(tls).hand_over(FROM, "alice@example.org", MAIL).await.unwrap();
    }
    site.courier(Tls::Implicit).hand_over(None, "bob@example.org", MAIL).await.unwrap();
    let mails = site.arrived("alice", 3);
    assert!(mails.iter().all(|mail| mail.replace("\r\n", "\n").ends_with("\n\n.dots\nbody\n")), "{mails:?}");
    assert!(site.arrived("bob", 1)[0].contains("Return-Path: <>"));
}

#[tokio::test(flavor = "multi_thread")]
async fn five_copies_over_open_sessions_take_milliseconds() {
    let site = Site::new(mta::Options::default());
    let courier = site.courier(Tls::Implicit);
    let round = || futures::future::join_all((0..5).map(|_| courier.hand_over(FROM, "carol@example.org", MAIL)));
    assert!(round().await.iter().all(Result::is_ok));
    let begun = Instant::now();
    assert!(round().await.iter().all(Result::is_ok));
    assert!(begun.elapsed() < Duration::from_secs(5));
    site.arrived("carol", 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_servers_limit_is_known_before_anything_is_sent() {
    let site = Site::new(mta::Options { size_limit: 50_000, ..mta::Options::default() });
    let courier = site.courier(Tls::Implicit);
    let large = b"0123456789abcdef\r\n".repeat(5_000);
    let end = courier.hand_over(FROM, "alice@example.org", &large).await;
    assert!(matches!(&end, Err(PortError::TooLarge(text)) if text.contains("50000")), "{end:?}");
    courier.hand_over(FROM, "alice@example.org", MAIL).await.unwrap();
    let found = observe(&site.server(Tls::StartTls), 1 << 20).await;
    assert_eq!(found.len(), 2, "{found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_servers_refusals_are_understood_and_name_nobody() {
    let site = Site::new(mta::Options::default());
    let mut wrong = site.server(Tls::StartTls);
    wrong.login = Some(Login { user: "vmt".into(), password: Zeroizing::new("wrong-canary".into()) });
    let end = SmtpCourier::new(wrong).unwrap().hand_over(FROM, "alice@example.org", MAIL).await;
    assert!(
        matches!(&end, Err(PortError::Temporary(text)) if text.contains("535") && !text.contains("canary")),
        "{end:?}"
    );
    let end = site.courier(Tls::Implicit).hand_over(FROM, "mallory.canary@elsewhere.example", MAIL).await;
    let Err(error) = end else { panic!("relayed") };
    assert!(!error.to_string().contains("canary") && !error.to_string().contains("elsewhere"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_server_that_was_restarted_is_spoken_to_again_without_a_word() {
    let mut site = Site::new(mta::Options::default());
    let courier = site.courier(Tls::Implicit);
    courier.hand_over(FROM, "dave@example.org", MAIL).await.unwrap();
    site.mta.dies();
    let end = courier.hand_over(FROM, "dave@example.org", MAIL).await;
    assert!(matches!(end, Err(PortError::Temporary(_))), "{end:?}");
    site.mta.begins_again();
    courier.hand_over(FROM, "dave@example.org", MAIL).await.unwrap();
    site.arrived("dave", 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_server_with_a_bad_certificate_never_learns_the_password() {
    for presented in [Presented::WrongName, Presented::Expired, Presented::Stranger] {
        let site = Site::new(mta::Options { presented, ..mta::Options::default() });
        for tls in [Tls::Implicit, Tls::StartTls] {
            let end = site.courier(tls).hand_over(FROM, "alice@example.org", MAIL).await;
            assert!(matches!(&end, Err(PortError::Temporary(text)) if text.contains("certificate")), "{end:?}");
        }
        assert!(!site.mta.log().contains("sasl_method"));
    }
}
