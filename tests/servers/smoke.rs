//! The servers themselves: they do what a team's servers do, and are gone when they shall be.

use crate::servers::{Authority, Dovecot, Mta, PASSWORD, Presented, service};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// curl, which shares no line with the gateway.
fn curl(authority: &Authority, password: &str, arguments: &[&str]) -> Output {
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--max-time", "60", "--cacert"]).arg(authority.root());
    curl.args(["-u", &format!("alice:{password}")]).args(arguments).output().unwrap()
}

fn submit(authority: &Authority, password: &str, url: &str, more: &[&str]) -> bool {
    let mut arguments = vec!["--mail-from", "vmt@katacontainers.example", "--mail-rcpt", "alice@example.org"];
    arguments.extend(["-T", concat!(env!("CARGO_MANIFEST_DIR"), "/rustfmt.toml"), url]);
    arguments.extend(more);
    curl(authority, password, &arguments).status.success()
}

/// As another mail server does.
fn delivers(port: &u16) -> bool {
    let mut arguments = vec!["-sS", "--mail-from", "eve@reporter.example", "--mail-rcpt", "alice@example.org"];
    let url = format!("smtp://127.0.0.1:{port}");
    arguments.extend(["-T", concat!(env!("CARGO_MANIFEST_DIR"), "/rustfmt.toml"), &url]);
    Command::new("curl").args(arguments).status().unwrap().success()
}

fn mails(dovecot: &Dovecot) -> usize {
    let maildir = dovecot.maildir("alice", "INBOX");
    ["new", "cur"].iter().map(|name| std::fs::read_dir(maildir.join(name)).map_or(0, Iterator::count)).sum()
}

fn arrive(dovecot: &Dovecot, mta: &Mta, number: usize) {
    let begun = Instant::now();
    while mails(dovecot) < number {
        assert!(begun.elapsed() < Duration::from_secs(60), "{}\n{}", dovecot.log(), mta.log());
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(mails(dovecot), number);
}

#[test]
fn what_is_submitted_at_each_door_lies_in_the_mailbox_also_after_both_servers_died() {
    let authority = Authority::new();
    let mut dovecot = Dovecot::start(&authority);
    let mut mta = Mta::start(&authority, &dovecot);
    let doors = mta.doors;
    let door = |scheme: &str, port: u16| format!("{scheme}://localhost:{port}");
    assert!(submit(&authority, PASSWORD, &door("smtp", doors.submission), &["--ssl-reqd"]));
    assert!(submit(&authority, PASSWORD, &door("smtps", doors.submissions), &[]));
    assert!(submit(&authority, PASSWORD, &door("smtp", doors.plain), &[]));
    assert!(delivers(&doors.smtp), "port 25 asks for no login");
    arrive(&dovecot, &mta, 4);
    for (url, flags) in [("smtp", "--ssl-reqd"), ("smtps", "-4")] {
        let port = if url == "smtp" { doors.submission } else { doors.submissions };
        assert!(!submit(&authority, "wrong", &door(url, port), &[flags]), "a wrong password is refused");
    }
    dovecot.dies();
    mta.dies();
    dovecot.begins_again();
    mta.begins_again();
    assert!(submit(&authority, PASSWORD, &door("smtps", doors.submissions), &[]));
    arrive(&dovecot, &mta, 5);
    // What cannot be delivered now waits in the queue, also over a restart.
    dovecot.stops();
    assert!(delivers(&doors.smtp));
    mta.stops();
    mta.begins_again();
    dovecot.begins_again();
    arrive(&dovecot, &mta, 6);
    let url = format!("{}/INBOX;MAILINDEX=1", door("imaps", dovecot.imaps));
    let read = curl(&authority, PASSWORD, &[&url]);
    assert!(String::from_utf8_lossy(&read.stdout).contains("max_width"), "{}", String::from_utf8_lossy(&read.stderr));
}

#[test]
fn nobody_is_served_without_a_certificate_that_holds() {
    let authority = Authority::new();
    let mut dovecot = Dovecot::start(&authority);
    let url = format!("imaps://localhost:{}/", dovecot.imaps);
    let connects = || curl(&authority, PASSWORD, &[&url]).status;
    assert!(connects().success());
    for presented in [Presented::WrongName, Presented::Expired, Presented::Stranger] {
        dovecot.stops();
        dovecot.will_present(&authority, presented);
        dovecot.begins_again();
        // "SSL peer certificate or SSH remote key was not OK"
        assert_eq!(connects().code(), Some(60), "{presented:?}");
    }
}

#[test]
fn a_server_is_gone_with_its_children_its_port_and_its_folder() {
    let authority = Authority::new();
    let dovecot = Dovecot::start(&authority);
    let mta = Mta::start(&authority, &dovecot);
    let folders = [dovecot.maildir("alice", "INBOX"), mta.folder().to_path_buf()];
    let (imap, smtp) = (dovecot.imap, mta.doors.smtp);
    assert!(service::greeting(imap).is_some() && service::greeting(smtp).is_some());
    drop((mta, dovecot));
    assert!(service::greeting(imap).is_none() && service::greeting(smtp).is_none());
    for folder in folders {
        let root: std::path::PathBuf = folder.components().take(3).collect();
        assert!(root.starts_with("/tmp/") && !root.exists(), "{}", root.display());
    }
}
