//! The servers themselves: they do what a team's servers do, and go when they shall.

use crate::servers::{Authority, Dovecot, Mta, PASSWORD};
use std::process::Command;

#[test]
fn mail_that_is_submitted_lies_in_a_mailbox_also_after_both_servers_died() {
    let authority = Authority::new();
    let (mut dovecot, mut mta) = (Dovecot::start(&authority), Mta::start(&authority, &Dovecot::start(&authority)));
    mta.stops();
    let mut mta = Mta::start(&authority, &dovecot);
    let root = authority.root().display().to_string();
    let login = format!("vmt:{PASSWORD}");
    let submit = |url: &str, more: &[&str]| {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--cacert", &root, "-u", &login, "--mail-from", "vmt@katacontainers.example"]);
        curl.args(["--mail-rcpt", "alice@example.org", "-T", "Cargo.toml", url]).args(more);
        curl.output().unwrap().status.success()
    };
    assert!(submit(&format!("smtp://localhost:{}", mta.doors.submission), &["--ssl-reqd"]));
    assert!(submit(&format!("smtps://localhost:{}", mta.doors.submissions), &[]));
    assert!(submit(&format!("smtp://localhost:{}", mta.doors.plain), &[]));
    dovecot.dies();
    mta.dies();
    dovecot.begins_again();
    mta.begins_again();
}
