//! A small world to try the gateway in: a team with real OpenPGP keys, reporters, mailboxes, and the real program between them.
//!
//! Security: everything lies in temporary folders that are removed at the end, and every agent and daemon that was started is
//! ended by its own id. The canary search (`canaries.rs`) sees all that the gateway can have written.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr
)]

pub mod actors;
pub mod canaries;
pub mod daemon;
pub mod database;
pub mod gateway;
pub mod github;
pub mod members;
pub mod mime;
pub mod plan;
pub mod process;
pub mod reading;
pub mod report;
#[cfg(test)]
mod self_tests;
pub mod settings;

pub use actors::Actor;
pub use database::Database;
pub use gateway::Gateway;
pub use github::{Access, Fault, GitHub, Kind};
pub use plan::Plan;
pub use reading::Copy;
pub use report::{Protection, Report, report};

use members::Members;
use settings::Layout;
pub use settings::Settings;

use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The team's plain address in every world.
pub const TEAM: &str = "vmt@katacontainers.example";

/// A team, its gateway and everything around it.
pub struct World {
    pub gateway: Gateway,
    pub members: Members,
    pub layout: Layout,
    pub(crate) database: database::Running,
    // Last, so that the folders go after everything that uses them.
    homes: tempfile::TempDir,
    root: tempfile::TempDir,
}

impl World {
    /// Begins to describe a world; see [`Plan`].
    #[allow(clippy::new_ret_no_self)]
    pub fn new() -> Plan {
        Plan::default()
    }

    /// The three members most tests want.
    pub fn of_three() -> Plan {
        Self::new().members(["alice", "bob", "carol"])
    }

    /// Somebody outside the team, with a key made by gpg.
    pub fn reporter(&self, name: &str) -> Actor {
        Actor::gpg(self.homes.path(), name, &format!("{name}.canary@reporter.example"))
    }

    /// Somebody outside the team who uses sq.
    pub fn sequoia_reporter(&self, name: &str) -> Actor {
        Actor::sq(self.homes.path(), name, &format!("{name}.canary@reporter.example"))
    }

    /// An OpenPGP home of any address, such as a second gateway key.
    pub fn actor(&self, name: &str, address: &str) -> Actor {
        Actor::gpg(self.homes.path(), name, address)
    }

    /// The same with a passphrase on the secret key.
    pub fn locked_actor(&self, name: &str, address: &str, passphrase: &str) -> Actor {
        Actor::locked(self.homes.path(), name, address, passphrase)
    }

    /// A member of the team.
    pub fn member(&self, name: &str) -> &Actor {
        self.members.named(name)
    }

    /// Changes the configuration file.
    pub fn reconfigure(&self, change: impl FnOnce(&mut Settings)) {
        self.gateway.reconfigure(change);
    }

    /// The mails that were delivered to an address, oldest file name first.
    pub fn mails_to(&self, address: &str) -> Vec<Vec<u8>> {
        reading::maildir(&self.layout.outgoing.join(address))
    }

    /// The drafts on the desk: case number and body, by case number.
    pub fn drafts(&self) -> Vec<(String, serde_json::Value)> {
        let mut drafts: Vec<_> = process::files_below(&self.layout.drafts)
            .into_iter()
            .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
            .map(|path| {
                let name = path.file_stem().unwrap().to_string_lossy().into_owned();
                (name, serde_json::from_slice(&std::fs::read(&path).unwrap()).expect("a draft is JSON"))
            })
            .collect();
        drafts.sort_by(|a, b| a.0.cmp(&b.0));
        drafts
    }

    /// Nothing waits to be sent.
    pub fn outbox_is_empty(&self) {
        let queue = self.gateway.lists(&["queue", "list"]);
        assert!(queue.is_empty(), "the outbox still holds {queue:#?}");
    }

    /// Mails that wait in the team's mailbox.
    pub fn waiting_in_mailbox(&self) -> usize {
        process::files_below(&self.layout.mailbox.join("new")).len()
    }

    /// Changes the gateway's database behind its back.
    pub fn sql(&self, statements: &str) {
        self.database.execute(&self.layout.etc, statements);
    }

    /// The time has come for everything that waits to be tried again.
    pub fn everything_is_due(&self) {
        self.sql("UPDATE outbox SET due = 1 WHERE state IN ('pending', 'sending')");
    }

    /// Does something while a transaction of this statement is open on the gateway's database.
    pub fn while_locked<T>(&self, statement: &str, then: impl FnOnce() -> T) -> T {
        self.database.hold(&self.layout.etc, statement, then)
    }

    /// Where a file of the configuration folder lies.
    pub fn etc(&self, name: &str) -> PathBuf {
        self.layout.etc.join(name)
    }
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let logs = self.gateway.logs();
            let logs = String::from_utf8_lossy(&logs);
            let tail: Vec<&str> = logs.lines().filter(|line| !line.contains("TRACE")).collect();
            eprintln!("--- last log lines ---\n{}", tail[tail.len().saturating_sub(60)..].join("\n"));
        }
    }
}

/// Waits until something is so; panics with its name when it does not become so in time.
pub fn wait_until(what: &str, limit: Duration, mut so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !so() {
        assert!(start.elapsed() < limit, "waited {limit:?} in vain: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
