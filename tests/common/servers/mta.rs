//! The mail server: Postfix where the tests run as root, Exim elsewhere, with the same doors.
//!
//! Security: it delivers to Dovecot on loopback only; mail for any other domain is refused.

use super::authority::{Authority, Presented};
use super::dovecot::Dovecot;
use super::service::{self, Folder, Service};
use super::{exim, ports, postfix};
use std::path::{Path, PathBuf};

/// What a mail server shall be like.
#[derive(Clone, Debug)]
pub struct Options {
    pub presented: Presented,
    /// Octets of the largest mail it takes.
    pub size_limit: u64,
    /// Lines put at the end of its main configuration (Postfix's main.cf, Exim's first section).
    pub extra: String,
}

impl Default for Options {
    fn default() -> Self {
        Self { presented: Presented::Good, size_limit: 100 << 20, extra: String::new() }
    }
}

/// The doors of a mail server.
#[derive(Clone, Copy, Debug)]
pub struct Doors {
    /// As port 25: no login, takes mail for its own domains.
    pub smtp: u16,
    /// As port 587: STARTTLS, then a login.
    pub submission: u16,
    /// As port 465: implicit TLS and a login.
    pub submissions: u16,
    /// No TLS at all and a login, so that tests can look at what is said.
    pub plain: u16,
}

/// Where its mail goes, and who knows the passwords.
#[derive(Clone, Debug)]
pub struct Backend {
    pub lmtp: u16,
    pub sasl: u16,
    /// Dovecot's file of users.
    pub passwd: PathBuf,
}

/// A running mail server. Dropping it ends it; mail in its queue is gone then.
pub struct Mta {
    pub doors: Doors,
    options: Options,
    service: Option<Service>,
    folder: Folder,
}

impl Mta {
    /// What is missing, if it is not installed.
    pub fn missing() -> Option<&'static str> {
        if service::is_root() { postfix::missing() } else { exim::missing() }
    }

    /// Starts one that delivers into this Dovecot and asks it about passwords.
    pub fn start(authority: &Authority, dovecot: &Dovecot) -> Self {
        Self::with(authority, dovecot, Options::default())
    }

    pub fn with(authority: &Authority, dovecot: &Dovecot, options: Options) -> Self {
        Self::before(authority, dovecot.backend(), options)
    }

    /// One whose mail and questions go somewhere of the caller's choice, such as through a proxy.
    pub fn before(authority: &Authority, backend: Backend, options: Options) -> Self {
        if let Some(missing) = Self::missing() {
            panic!("{missing} is not installed");
        }
        for _ in 0..5 {
            let folder = Folder::new("embargod-mta-");
            let (smtp, submission) = (ports::free(), ports::free());
            let doors = Doors { smtp, submission, submissions: ports::free(), plain: ports::free() };
            let mut mta = Self { doors, options: options.clone(), service: None, folder };
            authority.identity(mta.options.presented).write(mta.folder.path());
            let setting = Setting { folder: mta.folder.path(), doors, backend: &backend, options: &mta.options };
            if service::is_root() {
                postfix::prepare(&setting)
            } else {
                exim::prepare(&setting)
            }
            if mta.launch() {
                return mta;
            }
            eprintln!("the mail server did not start:\n{}", mta.log());
        }
        panic!("the mail server does not start");
    }

    fn launch(&mut self) -> bool {
        let command =
            if service::is_root() { postfix::command(self.folder.path()) } else { exim::command(self.folder.path()) };
        let command: Vec<&str> = command.iter().map(String::as_str).collect();
        let service = Service::start(&command, &self.folder.path().join("output"));
        let word = token(self.folder.path());
        // The doors with a login open only while Dovecot answers about passwords.
        let up = service::greets(&service, self.doors.smtp, &word);
        self.service = Some(service);
        up
    }

    /// Ends it gently; what is in its queue stays there.
    pub fn stops(&mut self) {
        drop(self.service.take());
    }

    /// Ends it at once.
    pub fn dies(&mut self) {
        if let Some(service) = self.service.take() {
            service.dies();
        }
    }

    /// Starts it again on the same ports, with the same queue.
    pub fn begins_again(&mut self) {
        assert!(self.service.is_none(), "it runs");
        for _ in 0..10 {
            if self.launch() {
                return;
            }
            self.stops();
            std::thread::sleep(std::time::Duration::from_millis(300));
        }
        panic!("the mail server does not start again:\n{}", self.log());
    }

    /// Shows another certificate from the next start on.
    pub fn will_present(&mut self, authority: &Authority, presented: Presented) {
        self.options.presented = presented;
        authority.identity(presented).write(self.folder.path());
    }

    /// Mails that it has accepted and not delivered yet.
    pub fn queued(&self) -> usize {
        let folders = ["queue/maildrop", "queue/incoming", "queue/active", "queue/deferred", "spool/input"];
        let mut open: Vec<PathBuf> = folders.iter().map(|name| self.folder.path().join(name)).collect();
        let mut found = 0;
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
                if entry.path().is_dir() {
                    open.push(entry.path());
                } else {
                    found += 1;
                }
            }
        }
        found
    }

    /// Where its queue and its log lie.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        let mut all = String::new();
        for name in ["output", "log/mail.log", "log/mainlog", "log/rejectlog", "log/paniclog"] {
            let data = std::fs::read(self.folder.path().join(name)).unwrap_or_default();
            all.push_str(&String::from_utf8_lossy(&data));
        }
        all
    }
}

/// All that a configuration is written from.
pub(super) struct Setting<'a> {
    pub folder: &'a Path,
    pub doors: Doors,
    pub backend: &'a Backend,
    pub options: &'a Options,
}

/// In the greeting, so that it is not taken for another server on the same port.
pub(super) fn token(folder: &Path) -> String {
    let name = folder.file_name().unwrap().to_string_lossy().to_lowercase();
    name.chars().filter(char::is_ascii_alphanumeric).collect()
}
