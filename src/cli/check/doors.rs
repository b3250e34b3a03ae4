//! What `check` says of mailbox, outgoing mail, store and advisories without going through them: files, folders, secrets, ports.
//!
//! Security: secrets are read, to see that they can be, and dropped; a finding names where one should come from.

use super::{Check, Level};
use crate::config::{self, AdvisoriesKind, Config, Database, GithubAuth, MailboxConfig, OutgoingKind};
use crate::config::{SecretRef, Secrets, ServerConfig, Tls};
use rustix::fs::Access;
use std::path::Path;

impl Check {
    /// Everything that can be said without going through them.
    pub(super) fn doors(&mut self, config: &Config, secrets: &Secrets) {
        self.secrets(config, secrets);
        match &config.mailbox {
            MailboxConfig::Imap { server, folder, .. } => {
                self.ok(format!("mail arrives in {folder} at {}", server.host));
                self.port(config, "mailbox", server, 993, 143);
            }
            MailboxConfig::None => self.ok("no mailbox: mail comes by `embargod receive` only"),
            MailboxConfig::Maildir { path, .. } => self.maildir(config, path),
        }
        match &config.outgoing.kind {
            OutgoingKind::Maildir { path } => self.folder(config, "outgoing.path", path, "outgoing mail"),
            OutgoingKind::Smtp { server } => {
                self.ok(format!("mail leaves by {}", server.host));
                self.port(config, "outgoing", server, 465, 587);
                if server.login.is_none() && !config::is_loopback(&server.host) {
                    let what =
                        format!("nobody logs in to {}: most servers take no mail for other domains so", server.host);
                    let mend = "set outgoing.user and outgoing.password, unless that server trusts this machine";
                    self.say(Level::Warning, config, "outgoing.host", what, mend);
                }
            }
            OutgoingKind::Sendmail { command } => self.command(config, command),
        }
        self.folder(config, "store.url", &config.store.state, "the state");
        if let Database::Sqlite(file) = &config.store.database
            && file.exists()
            && (!file.is_file() || !allowed(file, Access::READ_OK | Access::WRITE_OK))
        {
            let what = format!("{} is not a file that this user may change", file.display());
            self.say(Level::Error, config, "store.url", what, "run as the user that owns it, or change its owner");
        }
        match &config.advisories.kind {
            AdvisoriesKind::Directory { path } => self.folder(config, "advisories.path", path, "drafts"),
            AdvisoriesKind::Github(github) => {
                self.ok(format!("drafts are opened in {}", github.repository));
                if github.teams.is_empty() && github.users.is_empty() {
                    let what = "only administrators and security managers of the repository will see the drafts";
                    let mend = "name your team in advisories.teams or advisories.users, if others are to see them";
                    self.say(Level::Warning, config, "advisories.teams", what, mend);
                }
            }
            AdvisoriesKind::None => self.ok("no draft advisories"),
        }
    }

    fn maildir(&mut self, config: &Config, path: &Path) {
        let shown = path.display();
        if let Some(lacking) = ["", "cur", "new", "tmp"].iter().map(|name| path.join(name)).find(|path| !path.is_dir())
        {
            let mend =
                format!("make it, as the gateway's user: mkdir -m 700 -p '{shown}'/cur '{shown}'/new '{shown}'/tmp");
            self.say(Level::Error, config, "mailbox.path", format!("{} is not a folder", lacking.display()), mend);
        } else if ["", "cur", "new", "tmp"].iter().any(|name| !allowed(&path.join(name), EVERYTHING)) {
            let what = format!("this user may not take mail out of {shown}");
            self.say(Level::Error, config, "mailbox.path", what, "give the gateway's user read and write access to it");
        } else {
            self.ok(format!("mail arrives in {shown}"));
        }
    }

    /// A folder that is there, or that `run` can make.
    fn folder(&mut self, config: &Config, key: &str, path: &Path, purpose: &str) {
        let shown = path.display();
        let existing = path.ancestors().find(|folder| folder.exists());
        match existing {
            Some(folder) if folder.is_dir() && allowed(folder, EVERYTHING) => {
                let later = if folder == path { "" } else { " (it will be made)" };
                self.ok(format!("the folder for {purpose} is {shown}{later}"));
            }
            Some(folder) if folder.is_dir() => {
                let what = format!("this user may not write to {}", folder.display());
                let mend = format!("make {shown} a folder of the gateway's user, with mode 0700");
                self.say(Level::Error, config, key, what, mend);
            }
            _ => {
                let what = format!("{shown} cannot be a folder: a file is in its way");
                self.say(Level::Error, config, key, what, "name another folder");
            }
        }
    }

    fn command(&mut self, config: &Config, command: &Path) {
        let shown = command.display();
        if command.is_file() && allowed(command, Access::EXEC_OK) {
            self.ok(format!("mail leaves by {shown}"));
        } else {
            let mend = "install a mail server that brings the program, or name it (the path alone, without arguments)";
            self.say(
                Level::Error,
                config,
                "outgoing.command",
                format!("{shown} is not a program that this user may run"),
                mend,
            );
        }
    }

    /// Holds every secret of the doors against what `run` will read.
    fn secrets(&mut self, config: &Config, secrets: &Secrets) {
        let mut named: Vec<(&str, &SecretRef)> = Vec::new();
        if let MailboxConfig::Imap { server: ServerConfig { login: Some(login), .. }, .. } = &config.mailbox {
            named.push(("mailbox.password", &login.password));
        }
        if let OutgoingKind::Smtp { server: ServerConfig { login: Some(login), .. } } = &config.outgoing.kind {
            named.push(("outgoing.password", &login.password));
        }
        if let AdvisoriesKind::Github(github) = &config.advisories.kind {
            named.push(match &github.auth {
                GithubAuth::Token(token) => ("advisories.token", token),
                GithubAuth::App { key, .. } => ("advisories.app.key", key),
            });
        }
        for (key, secret) in named {
            if let Err(problem) = secrets.read_text(secret) {
                self.error(config.error(key, problem));
            }
        }
    }

    /// A port that speaks the other way of TLS is the commonest reason for a connection that stands still.
    fn port(&mut self, config: &Config, table: &str, server: &ServerConfig, implicit: u16, starttls: u16) {
        let (means, wants) = match (server.tls, server.port) {
            (Tls::Implicit, port) if port == starttls => ("tls = \"starttls\"", implicit),
            (Tls::StartTls, port) if port == implicit => ("tls = \"implicit\"", starttls),
            _ => return,
        };
        let what = format!("port {} usually means {means}", server.port);
        let key = format!("{table}.port");
        self.say(Level::Warning, config, &key, what, format!("set {means}, or port = {wants}"));
    }
}

/// Read, write, and search a folder.
const EVERYTHING: Access = Access::READ_OK.union(Access::WRITE_OK).union(Access::EXEC_OK);

fn allowed(path: &Path, access: Access) -> bool {
    rustix::fs::access(path, access).is_ok()
}
