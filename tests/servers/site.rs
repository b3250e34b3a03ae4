//! A world whose gateway has a mailbox at a real Dovecot and sends by a real mail server, in clear on loopback, so that a test can
//! stand in between.

use crate::servers::{Authority, Dovecot, Mta, PASSWORD};
use crate::world::report::Sent;
use crate::world::*;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

/// What a slow and busy machine may take for something that takes seconds.
pub(crate) const PATIENCE: Duration = Duration::from_secs(150);

pub(crate) struct Site {
    pub(crate) world: World,
    pub(crate) mta: Mta,
    pub(crate) dovecot: Dovecot,
    /// Its folder holds what the servers show.
    _authority: Authority,
}

impl Site {
    pub(crate) fn new(plan: Plan) -> Self {
        Self::with(plan, crate::servers::dovecot::Options::default())
    }

    pub(crate) fn with(plan: Plan, options: crate::servers::dovecot::Options) -> Self {
        let authority = Authority::new();
        let dovecot = Dovecot::with(&authority, options);
        let mta = Mta::start(&authority, &dovecot);
        let site = Self { world: plan.start(), mta, dovecot, _authority: authority };
        site.talks(site.dovecot.imap, site.mta.doors.plain, "move:Archive");
        site
    }

    /// Where the gateway finds its servers from now on, and what becomes of mails that were taken in.
    pub(crate) fn talks(&self, imap: u16, smtp: u16, done: &str) {
        connect(&self.world, Some((imap, "vmt", PASSWORD, done)), Some(smtp));
    }

    /// A report is handed to the mail server, which delivers it into the mailbox.
    pub(crate) fn hands_in(&self, report: Report<'_>) -> Sent {
        let sent = report.write(&self.world.gateway.current_certificate());
        submit(self.mta.doors.smtp, &sent.raw);
        sent
    }

    /// The same; it lies in the mailbox, or has been taken in already.
    pub(crate) fn arrives(&self, report: Report<'_>) -> Sent {
        let before = self.arrived();
        let sent = self.hands_in(report);
        wait_until("the mail is in the mailbox", PATIENCE, || self.arrived() > before);
        sent
    }

    /// Mails that were ever delivered into the gateway's mailbox.
    fn arrived(&self) -> usize {
        self.dovecot.log().lines().filter(|line| line.contains("lmtp(vmt)") && line.contains("saved mail")).count()
    }

    /// The mails in a folder of a user's, as they came over the network.
    pub(crate) fn mails(&self, user: &str, folder: &str) -> Vec<Vec<u8>> {
        let home = self.dovecot.maildir(user, folder);
        let files = ["new", "cur"].map(|name| process::files_below(&home.join(name)));
        // One that is moved at this very moment is seen the next time. Dovecot keeps mails with the line ends of files.
        let read = files.iter().flatten().filter_map(|file| std::fs::read_to_string(file).ok());
        read.map(|mail| mail.replace("\r\n", "\n").replace('\n', "\r\n").into_bytes()).collect()
    }

    /// A member's mails, opened.
    pub(crate) fn copies(&self, name: &str) -> Vec<Copy> {
        let actor = self.world.member(name);
        let open = |raw: &Vec<u8>| Copy::open(raw, actor).unwrap_or_else(|why| panic!("a mail to {name}: {why}"));
        self.mails(name, "INBOX").iter().map(open).collect()
    }

    /// How many of a member's mails show this.
    pub(crate) fn count(&self, name: &str, text: &str) -> usize {
        self.copies(name).iter().filter(|copy| copy.shows(text)).count()
    }

    /// Waits until a member has a mail that shows this.
    pub(crate) fn reaches(&self, name: &str, text: &str) {
        wait_until(&format!("{name} has a copy of {text:?}"), PATIENCE, || self.count(name, text) > 0);
    }

    /// Everything that waits is tried until nothing waits any more. What was tried a moment ago is due at once.
    pub(crate) fn settles(&self) {
        wait_until("nothing is left to do", PATIENCE, || {
            self.world.everything_is_due();
            self.world.gateway.does(&["run", "--once"]).code == Some(0)
        });
        self.nothing_is_under_way();
    }

    /// What the mail server has accepted lies in the mailboxes.
    pub(crate) fn nothing_is_under_way(&self) {
        wait_until("the mail server's queue is empty", PATIENCE, || self.mta.queued() == 0);
    }

    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&self.world.gateway.logs()).into_owned()
    }
}

/// Puts an IMAP mailbox and a submission server, or one of them, into a world's configuration file.
pub(crate) fn connect(world: &World, mailbox: Option<(u16, &str, &str, &str)>, smtp: Option<u16>) {
    let secret = |name: &str, text: &str| {
        use std::os::unix::fs::PermissionsExt;
        let file = world.layout.secrets.join(name);
        std::fs::write(&file, format!("{text}\n")).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        format!("{{ file = {:?} }}", file.display().to_string())
    };
    if let Some((port, user, password, done)) = mailbox {
        let password = secret("imap", password);
        let lines = format!(
            "kind = \"imap\"\nhost = \"127.0.0.1\"\nport = {port}\ntls = \"none\"\nuser = \"{user}\"\npassword = {password}\n\
             done = \"{done}\"\npoll = \"2s\""
        );
        section(world, "mailbox", &lines);
    }
    if let Some(port) = smtp {
        let password = secret("smtp", PASSWORD);
        let lines = format!(
            "kind = \"smtp\"\nhost = \"127.0.0.1\"\nport = {port}\ntls = \"none\"\nuser = \"vmt\"\npassword = {password}"
        );
        section(world, "outgoing", &lines);
    }
}

/// Puts other lines in the place of a section of the configuration file.
fn section(world: &World, name: &str, lines: &str) {
    let file: PathBuf = world.gateway.config();
    let text = std::fs::read_to_string(&file).unwrap();
    let (before, rest) = text.split_once(&format!("[{name}]\n")).unwrap();
    let after = rest.split_once("\n\n").unwrap().1;
    std::fs::write(file, format!("{before}[{name}]\n{lines}\n\n{after}")).unwrap();
}

/// Hands a mail for the team to a mail server, as another mail server would.
pub(crate) fn submit(port: u16, raw: &[u8]) {
    let mut curl = Command::new("curl");
    curl.args(["-sS", "--mail-from", "eve.canary@reporter.example", "--mail-rcpt", TEAM, "-T", "-"]);
    curl.arg(format!("smtp://127.0.0.1:{port}"));
    process::must(&mut curl, raw);
}
