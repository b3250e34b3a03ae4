//! A team at work among real servers: Dovecot holds everybody's mail, a mail server carries it, and the real daemon stands between.
//!
//! Security: test data only. People read their mail with Python's IMAP client and gpg, so that nothing of the gateway's own is
//! trusted to judge it.

use crate::servers::{Authority, Dovecot, Mta, PASSWORD, dovecot, mta};
use crate::world::process::{files_below, must};
use crate::world::{Actor, Copy, GitHub, Plan, TEAM, World, daemon::Daemon, report::Sent, wait_until};
use serde_json::Value;
use std::process::Command;
use std::time::Duration;

/// More than anything takes on a slow machine that does other things as well.
pub(crate) const LONG: Duration = Duration::from_secs(120);

/// Reads a whole folder without changing it: each mail as its length on a line, then its octets.
const READER: &str = r#"
import imaplib, ssl, sys
port, root, user, password, folder = sys.argv[1:]
imap = imaplib.IMAP4_SSL("localhost", int(port), ssl_context=ssl.create_default_context(cafile=root))
imap.login(user, password)
assert imap.select(folder, readonly=True)[0] == "OK"
for number in imap.search(None, "ALL")[1][0].split():
    mail = imap.fetch(number, "(BODY.PEEK[])")[1][0][1]
    sys.stdout.buffer.write(b"%d\n" % len(mail) + mail)
imap.logout()
"#;

/// What the configuration says of the two servers.
#[derive(Clone)]
pub(crate) struct Lines {
    pub(crate) tls: &'static str,
    pub(crate) done: &'static str,
    pub(crate) folder: &'static str,
    pub(crate) poll: &'static str,
    pub(crate) bounces: &'static str,
    pub(crate) mailbox_password: String,
    pub(crate) outgoing_password: String,
}

impl Default for Lines {
    fn default() -> Self {
        Self {
            tls: "implicit",
            done: "move:Archive",
            folder: "INBOX",
            // Nothing is found by polling within a test: what arrives was announced.
            poll: "10m",
            bounces: "bounces@katacontainers.example",
            mailbox_password: PASSWORD.into(),
            outgoing_password: PASSWORD.into(),
        }
    }
}

pub(crate) struct Office {
    pub(crate) world: World,
    pub(crate) lines: Lines,
    pub(crate) mta: Mta,
    pub(crate) dovecot: Dovecot,
    pub(crate) authority: Authority,
}

impl Office {
    pub(crate) fn of(plan: Plan) -> Self {
        Self::with(plan, Lines::default(), dovecot::Options::default(), mta::Options::default())
    }

    pub(crate) fn with(plan: Plan, lines: Lines, mailbox: dovecot::Options, mail: mta::Options) -> Self {
        let authority = Authority::new();
        let dovecot = Dovecot::with(&authority, mailbox);
        let mta = Mta::with(&authority, &dovecot, mail);
        let office = Self { world: plan.start(), lines, mta, dovecot, authority };
        office.writes();
        office
    }

    /// Changes what the configuration says of the servers.
    pub(crate) fn changes(&mut self, change: impl FnOnce(&mut Lines)) {
        change(&mut self.lines);
        self.writes();
    }

    /// Writes the configuration, with the servers in the place of the folders.
    fn writes(&self) {
        let Lines { tls, done, folder, poll, bounces, mailbox_password, outgoing_password } = &self.lines;
        let (imap, smtp) = match *tls {
            "implicit" => (self.dovecot.imaps, self.mta.doors.submissions),
            _ => (self.dovecot.imap, self.mta.doors.submission),
        };
        let secret = |name: &str, text: &str| {
            let path = self.world.layout.secrets.join(name);
            std::fs::write(&path, format!("{text}\n")).unwrap();
            path.display().to_string()
        };
        let server = |port: u16, password: String| {
            format!(
                "host = \"localhost\"\nport = {port}\nuser = \"vmt\"\ntls = \"{tls}\"\npassword = {{ file = {password:?} }}\nca = {:?}\n",
                self.authority.root().display().to_string()
            )
        };
        let mailbox = server(imap, secret("imap", mailbox_password));
        let outgoing = server(smtp, secret("smtp", outgoing_password));
        self.world.reconfigure(|_| {});
        let file = self.world.gateway.config();
        let text = std::fs::read_to_string(&file).unwrap();
        let (before, rest) = text.split_once("[mailbox]").unwrap();
        let (_, after) = rest.split_once("[advisories]").unwrap();
        let text = format!(
            "{before}[mailbox]\nkind = \"imap\"\n{mailbox}folder = \"{folder}\"\ndone = \"{done}\"\npoll = \"{poll}\"\n\n\
             [outgoing]\nkind = \"smtp\"\n{outgoing}bounces = \"{bounces}\"\n\n[advisories]{after}"
        );
        std::fs::write(&file, text).unwrap();
    }

    /// Starts the daemon, and waits until it has found its mailbox.
    pub(crate) fn opens(&self) -> Daemon {
        let mut daemon = self.world.gateway.starts();
        wait_until("the mailbox is open", LONG, || {
            assert!(daemon.is_running(), "{}", daemon.log());
            self.state_of("mailbox") == "working"
        });
        daemon
    }

    /// Somebody outside sends a mail to the team.
    pub(crate) fn is_sent(&self, from: &Actor, raw: &[u8]) {
        self.is_sent_by(&self.mta, from, raw);
    }

    /// Somebody outside sends a mail to the team, by another mail server.
    pub(crate) fn is_sent_by(&self, mta: &Mta, from: &Actor, raw: &[u8]) {
        let url = format!("smtp://127.0.0.1:{}", mta.doors.smtp);
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--mail-from", &from.address, "--mail-rcpt", TEAM, "-T", "-", &url]);
        must(&mut curl, raw);
    }

    /// A member sends a mail to the team, as member's mail programs do: with a login, over TLS.
    pub(crate) fn is_written_by(&self, member: &Actor, raw: &[u8]) {
        let url = format!("smtps://localhost:{}", self.mta.doors.submissions);
        let mut curl = Command::new("curl");
        curl.arg("-sS").arg("--cacert").arg(self.authority.root());
        curl.args(["-u", &format!("{}:{PASSWORD}", member.name), "--mail-from", &member.address]);
        must(curl.args(["--mail-rcpt", TEAM, "-T", "-", &url]), raw);
    }

    /// A report by somebody arrives the usual way.
    pub(crate) fn gets(&self, from: &Actor, report: crate::world::Report<'_>) -> Sent {
        let sent = report.write(&self.world.gateway.current_certificate());
        self.is_sent(from, &sent.raw);
        sent
    }

    /// How many mails lie in a folder.
    pub(crate) fn count(&self, user: &str, folder: &str) -> usize {
        let folder = self.dovecot.maildir(user, folder);
        files_below(&folder.join("new")).len() + files_below(&folder.join("cur")).len()
    }

    /// The mails of a folder, as its owner's mail program gets them.
    pub(crate) fn folder(&self, user: &str, folder: &str) -> Vec<Vec<u8>> {
        let mut python = Command::new("python3");
        python.args(["-c", READER, &self.dovecot.imaps.to_string()]).arg(self.authority.root());
        let mut rest = must(python.args([user, PASSWORD, folder]), b"");
        let mut mails = Vec::new();
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
            let length: usize = std::str::from_utf8(&rest[..end]).unwrap().parse().unwrap();
            let mail: Vec<u8> = rest.drain(..end + 1 + length).skip(end + 1).collect();
            mails.push(mail);
        }
        mails
    }

    /// A member's inbox, opened with the member's key. Anything that does not open is a failure.
    pub(crate) fn mails_of(&self, name: &str) -> Vec<Copy> {
        let member = self.world.member(name);
        let open = |raw: &Vec<u8>| Copy::open(raw, member).unwrap_or_else(|why| panic!("a mail to {name}: {why}"));
        self.folder(name, "INBOX").iter().map(open).collect()
    }

    /// Waits for the only mail of a member's in which this can be read.
    pub(crate) fn copy_of(&self, name: &str, text: &str) -> Copy {
        let mut found = Vec::new();
        let mut seen = 0;
        wait_until(&format!("{name} can read {text:?}"), LONG, || {
            let there = self.count(name, "INBOX");
            if there > seen {
                found = self.copies_of(name, text);
                seen = there;
            }
            !found.is_empty()
        });
        assert_eq!(found.len(), 1, "mails of {name} that show {text:?}");
        found.remove(0)
    }

    /// A member's mails in which this can be read.
    pub(crate) fn copies_of(&self, name: &str, text: &str) -> Vec<Copy> {
        self.mails_of(name).into_iter().filter(|copy| copy.shows(text)).collect()
    }

    /// A door as `status --json` shows it.
    pub(crate) fn door(&self, name: &str) -> Value {
        let ran = self.world.gateway.does(&["status", "--json"]);
        if ran.code != Some(0) {
            // Before the first start has made the store.
            return Value::Null;
        }
        let connections = ran.json()["connections"].as_array().unwrap().clone();
        connections.into_iter().find(|line| line["door"] == name).unwrap_or(Value::Null)
    }

    /// `working`, `failing`, or nothing yet.
    pub(crate) fn state_of(&self, name: &str) -> String {
        self.door(name)["state"].as_str().unwrap_or_default().to_owned()
    }

    /// Waits until a door fails in these words.
    pub(crate) fn fails(&self, name: &str, words: &str) {
        wait_until(&format!("{name} fails: {words}"), LONG, || {
            let door = self.door(name);
            door["state"] == "failing" && door["last_error"].as_str().is_some_and(|error| error.contains(words))
        });
    }

    /// Waits until nothing is left in the outbox.
    pub(crate) fn has_sent_all(&self) {
        wait_until("the outbox is empty", LONG, || self.world.gateway.lists(&["queue", "list"]).is_empty());
    }
}

/// A GitHub with the team's repository.
pub(crate) fn hub() -> GitHub {
    GitHub::starts().with_repository(KATA).with_token(TOKEN)
}

pub(crate) const KATA: &str = "kata-containers/kata-containers";
pub(crate) const TOKEN: &str = "github_pat_11CANARYTOKEN0123456789";
