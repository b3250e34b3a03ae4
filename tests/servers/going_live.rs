//! A team goes live: `init`, a few lines, `check --online`, and the first report, with a real mailbox and a real mail server.

use crate::servers::{Authority, Dovecot, Mta, PASSWORD};
use std::path::Path;
use std::process::{Command, Output};

pub(crate) fn embargod(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_embargod"));
    command.arg("--config").arg(folder.join("embargod.toml")).args(arguments);
    command.env_remove("CREDENTIALS_DIRECTORY").env("NO_COLOR", "1").env("RUST_LOG", "trace").output().unwrap()
}

pub(crate) fn says(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// What `init` made, with the servers of the tests in the place of the folders.
pub(crate) struct Team {
    folder: tempfile::TempDir,
    text: String,
}

impl Team {
    pub(crate) fn new(authority: &Authority, dovecot: &Dovecot, mta: &Mta) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("etc");
        let shown = dir.display().to_string();
        let made = embargod(
            &dir,
            &["init", &shown, "--name", "VMT", "--address", "vmt@katacontainers.example", "--prefix", "KATA"],
        );
        assert!(made.status.success() && says(&made).contains("check --online"), "{}", says(&made));
        let key = dir.join("alice.sec.asc").display().to_string();
        let made =
            embargod(&dir, &["keys", "generate", "--name", "Alice", "--address", "alice@example.org", "--out", &key]);
        let said = says(&made);
        let print = said.split("Fingerprint: ").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
        std::fs::rename(dir.join("alice.pub.asc"), dir.join("keys/members/alice.asc")).unwrap();
        let template = std::fs::read_to_string(dir.join("embargod.toml")).unwrap();
        let server = |port: u16| {
            format!(
                "host = \"127.0.0.1\"\nport = {port}\nuser = \"vmt\"\npassword = {{ file = \"mail-password\" }}\nca = \"{}\"",
                authority.root().display()
            )
        };
        let member = format!(
            "[[members]]\nname = \"Alice\"\naddress = \"alice@example.org\"\ncertificate = \"keys/members/alice.asc\"\nfingerprint = \"{print}\"\n"
        );
        let text = template
            .replace(
                "[mailbox]\nkind = \"maildir\"\npath = \"inbox\"",
                &format!("{member}\n[mailbox]\nkind = \"imap\"\n{}", server(dovecot.imaps)),
            )
            .replace(
                "kind    = \"sendmail\"\ncommand = \"/usr/sbin/sendmail\"",
                &format!("kind = \"smtp\"\n{}", server(mta.doors.submissions)),
            );
        let team = Self { folder, text };
        team.write(&team.text, PASSWORD);
        team
    }

    pub(crate) fn dir(&self) -> std::path::PathBuf {
        self.folder.path().join("etc")
    }

    fn write(&self, text: &str, password: &str) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::write(self.dir().join("embargod.toml"), text).unwrap();
        let secret = self.dir().join("mail-password");
        std::fs::write(&secret, format!("{password}\n")).unwrap();
        std::fs::set_permissions(&secret, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    /// `check --online` with a mistake: it ends with 1, names the place and never the password.
    #[track_caller]
    fn hears(&self, text: &str, password: &str, place: &str) -> String {
        self.write(text, password);
        let checked = embargod(&self.dir(), &["check", "--online"]);
        let said = says(&checked);
        assert_eq!(checked.status.code(), Some(1), "{said}");
        let error = said.lines().find(|line| line.starts_with("error: ") && line.contains(place));
        assert!(!said.contains(password), "{said}");
        error.unwrap_or_else(|| panic!("no error at {place}:\n{said}")).to_owned()
    }
}

#[test]
fn a_team_with_a_mailbox_and_a_mail_server_is_live_after_init_and_a_few_lines_and_each_mistake_is_named() {
    let authority = Authority::new();
    let dovecot = Dovecot::start(&authority);
    let mta = Mta::start(&authority, &dovecot);
    let begun = std::time::Instant::now();
    let team = Team::new(&authority, &dovecot, &mta);
    let checked = embargod(&team.dir(), &["check", "--online"]);
    assert_eq!(checked.status.code(), Some(0), "{}", says(&checked));
    let ran = embargod(&team.dir(), &["run", "--once"]);
    assert_eq!(ran.status.code(), Some(0), "{}", says(&ran));
    assert!(
        !says(&ran).contains(PASSWORD) && !says(&ran).contains("CAPABILITY"),
        "no session in the most talkative log"
    );
    println!("from init to a gateway that ran: {:?}", begun.elapsed());
    let status = embargod(&team.dir(), &["status"]);
    assert!(says(&status).contains("mailbox: working since"), "{}", says(&status));

    team.hears(&team.text, "not the passcanary", ": mailbox.");
    team.hears(&team.text, "not the passcanary", ": outgoing.");
    team.hears(
        &team.text.replacen("done = \"move", "folder = \"Elsewhere\"\ndone = \"move", 1),
        PASSWORD,
        ": mailbox.",
    );
    let other = authority.other_root().display().to_string();
    team.hears(&team.text.replace(&authority.root().display().to_string(), &other), PASSWORD, ": mailbox.");
    team.hears(&team.text.replace(&authority.root().display().to_string(), &other), PASSWORD, ": outgoing.");
}
