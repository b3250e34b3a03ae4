//! A mail server that cannot take the size: the members get statement and text, and the attachment's name, size and hash.

use crate::going_live::{Team, embargod, says};
use crate::servers::{Authority, Dovecot, Mta, mta};
use base64::Engine;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

fn fed(command: &mut Command, input: &[u8]) -> Output {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

fn new_mails(dovecot: &Dovecot, user: &str) -> Vec<String> {
    let entries = std::fs::read_dir(dovecot.maildir(user, "INBOX").join("new")).into_iter().flatten().flatten();
    entries.map(|entry| std::fs::read_to_string(entry.path()).unwrap()).collect()
}

/// Alice with her own GnuPG.
struct Alice(tempfile::TempDir);

impl Alice {
    /// Makes her key, and puts its certificate in the place of the one that the team has of her.
    fn joins(team: &Path) -> Self {
        let alice = Self(tempfile::tempdir().unwrap());
        std::fs::set_permissions(alice.0.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        let made = alice.gpg(&["--passphrase", "", "--quick-generate-key", "alice@example.org", "future-default"], b"");
        assert!(made.status.success(), "{}", says(&made));
        std::fs::write(team.join("keys/members/alice.asc"), alice.gpg(&["--armor", "--export"], b"").stdout).unwrap();
        let listed = says(&alice.gpg(&["--with-colons", "--fingerprint"], b""));
        let print = listed.lines().find_map(|line| line.strip_prefix("fpr:::::::::")).unwrap().trim_end_matches(':');
        let config = std::fs::read_to_string(team.join("embargod.toml")).unwrap();
        let old = config.split("alice.asc\"\nfingerprint = \"").nth(1).unwrap().split('"').next().unwrap();
        std::fs::write(team.join("embargod.toml"), config.replace(old, print)).unwrap();
        alice
    }

    fn gpg(&self, arguments: &[&str], input: &[u8]) -> Output {
        let mut gpg = Command::new("gpg");
        gpg.arg("--homedir").arg(self.0.path()).args(["--batch", "--quiet", "--trust-model", "always"]);
        fed(gpg.args(arguments), input)
    }

    /// What stands in a copy.
    fn opens(&self, copy: &str) -> String {
        let opened = self.gpg(&["--decrypt"], copy.as_bytes());
        // 2: the gateway's signature is not checked here.
        assert!(!opened.stdout.is_empty(), "{}", says(&opened));
        String::from_utf8(opened.stdout).unwrap()
    }
}

impl Drop for Alice {
    fn drop(&mut self) {
        let _ended = Command::new("gpgconf").arg("--homedir").arg(self.0.path()).args(["--kill", "all"]).status();
    }
}

#[test]
fn a_copy_that_the_server_finds_too_large_goes_out_with_its_attachment_listed() {
    let authority = Authority::new();
    let dovecot = Dovecot::start(&authority);
    let mta = Mta::with(&authority, &dovecot, mta::Options { size_limit: 200_000, ..mta::Options::default() });
    let team = Team::new(&authority, &dovecot, &mta);
    let alice = Alice::joins(&team.dir());
    let core = vec![b'c'; 400_000];
    let encoded = base64::engine::general_purpose::STANDARD.encode(&core);
    let lines: Vec<_> = encoded.as_bytes().chunks(76).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
    let mail = format!(
        "From: reporter@reporter.example\r\nTo: vmt@katacontainers.example\r\nSubject: heap overflow\r\n\
         Message-ID: <too.large@reporter.example>\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nthe overflow is in parse()\r\n\
         --b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\
         Content-Disposition: attachment; filename=\"core.img\"\r\n\r\n{}\r\n--b--\r\n",
        lines.join("\r\n")
    );
    let mut receive = Command::new(env!("CARGO_BIN_EXE_embargod"));
    receive.arg("--config").arg(team.dir().join("embargod.toml")).arg("receive");
    let received = fed(&mut receive, mail.as_bytes());
    assert!(received.status.success(), "{}", says(&received));
    let ran = embargod(&team.dir(), &["run", "--once"]);
    assert_eq!(ran.status.code(), Some(0), "{}", says(&ran));

    let mut copies = Vec::new();
    for _ in 0..200 {
        copies = new_mails(&dovecot, "alice");
        if !copies.is_empty() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(copies.len(), 1, "one copy: {}", mta.log());
    let shown = alice.opens(&copies[0]);
    let hash = hex::encode(ring::digest::digest(&ring::digest::SHA256, &core));
    assert!(shown.contains("Warning: attachments-left-out: "), "{shown}");
    assert!(shown.contains("the overflow is in parse()"), "{shown}");
    let listed = format!("Left out: core.img (application/octet-stream), 400000 octets, SHA-256 {hash}");
    assert!(shown.contains(&listed), "{shown}");
    assert!(shown.len() < 20_000, "nothing of the attachment is in it");
}
