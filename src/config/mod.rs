//! The configuration: TOML in, a validated [`Config`] out, or one error that names file, line and key.
//!
//! Security: secrets are read by reference (file, systemd credential, environment), never written in the file itself, and a
//! secret file that others can read is refused.

mod advisories;
mod apply;
mod error;
pub mod keyring;
mod parse;
mod reader;
mod secrets;
mod servers;
mod services;
mod values;

pub use keyring::{load as load_keyring, spool_certificate};

pub use error::{ConfigError, Lines, Problem};
pub use secrets::Secrets;

use crate::report::{Limits, Repository, Route};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A whole, validated configuration. Paths are absolute.
#[derive(Clone, Debug)]
pub struct Config {
    /// The configuration file itself.
    pub file: PathBuf,
    pub team: Team,
    pub store: StoreConfig,
    pub gateway_keys: Vec<GatewayKeyConfig>,
    pub members: Vec<MemberConfig>,
    pub mailbox: MailboxConfig,
    pub outgoing: OutgoingConfig,
    pub advisories: AdvisoriesConfig,
    pub intake: IntakeConfig,
    pub limits: Limits,
    /// Where each key stands in the file, for errors that show only later.
    pub lines: Lines,
}

impl Config {
    /// Reads and validates a configuration file. Keys, certificates and secrets must exist, but are not opened; that is
    /// [`keyring::load`]'s work.
    ///
    /// # Errors
    /// The first thing that is wrong, with file, line and key, and how to mend it.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let absolute = std::path::absolute(file).unwrap_or_else(|_| file.to_owned());
        let at = |problem| ConfigError::of_file(&absolute, None, problem);
        let bytes = secrets::read_public(&absolute).map_err(|problem| {
            let shown = absolute.display().to_string();
            at(Problem::new(
                problem.what.replacen(&shown, "it", 1),
                format!("{}; `embargod init` makes a new one", problem.mend),
            ))
        })?;
        let text =
            String::from_utf8(bytes).map_err(|_| at(Problem::new("it is not UTF-8", "save it as UTF-8 text")))?;
        parse::document(&absolute, &text)
    }

    /// The admins, as members are named elsewhere ([`crate::report::Member::id`]).
    pub fn admin_ids(&self) -> &[String] {
        &self.team.admins
    }
}

/// Holds an address to the rules of the configuration.
///
/// # Errors
/// Why it cannot be used.
pub fn check_address(text: &str) -> Result<String, Problem> {
    values::address(text)
}

/// Whether a host is this machine itself: `localhost`, 127.0.0.0/8 or ::1. Only there is a connection without TLS taken.
pub fn is_loopback(host: &str) -> bool {
    values::is_loopback(host)
}

/// Holds a team's name to the rules of the configuration.
///
/// # Errors
/// Why it cannot be used.
pub fn check_name(text: &str) -> Result<String, Problem> {
    values::name(text)
}

/// Holds the beginning of case numbers to the rules of the configuration.
///
/// # Errors
/// Why it cannot be used.
pub fn check_prefix(text: &str) -> Result<String, Problem> {
    values::prefix(text)
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "servers_tests.rs"]
mod servers_tests;

/// `[team]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Team {
    pub name: String,
    pub address: String,
    pub aliases: Vec<String>,
    pub case_prefix: String,
    /// Lower-cased addresses of members; never empty: all members where the file names none.
    pub admins: Vec<String>,
    pub outer_subject: OuterSubject,
}

/// What stands in the outer Subject of copies and answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OuterSubject {
    /// `[KATA-2026-0001]`
    Case,
    /// `[...]`
    Hidden,
}

/// `[store]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreConfig {
    pub database: Database,
    /// How long a case is kept after it was closed; for ever where unset.
    pub keep: Option<Duration>,
    /// Where the spool and the lock lie: the folder of the SQLite file, or `state` beside the configuration.
    pub state: PathBuf,
}

/// Which database.
#[derive(Clone, PartialEq, Eq)]
pub enum Database {
    Sqlite(PathBuf),
    /// The whole URL; it may hold a password, so it is never shown.
    Postgres(String),
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "Sqlite({})", path.display()),
            Self::Postgres(_) => f.write_str("Postgres(…)"),
        }
    }
}

/// `[[gateway_keys]]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GatewayKeyConfig {
    pub file: PathBuf,
    pub passphrase: Option<SecretRef>,
    pub usage: crate::report::KeyUse,
}

/// Where a secret is read from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretRef {
    File(PathBuf),
    /// Name of a systemd credential.
    Credential(String),
    /// Name of an environment variable.
    Env(String),
}

/// `[[members]]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberConfig {
    pub name: String,
    pub address: String,
    pub certificate: PathBuf,
    /// 40 or 64 hex digits, in capitals.
    pub fingerprint: String,
}

/// `[mailbox]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MailboxConfig {
    Maildir {
        path: PathBuf,
        done: Done,
        poll: Duration,
    },
    Imap {
        server: ServerConfig,
        folder: String,
        done: Done,
        poll: Duration,
    },
    /// Only `receive`.
    None,
}

/// How a mail server is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerConfig {
    /// A host name or an address, without brackets.
    pub host: String,
    pub port: u16,
    /// Nothing where the server asks for none.
    pub login: Option<LoginConfig>,
    pub tls: Tls,
    /// PEM file with one or more roots that are trusted besides the system's.
    pub ca: Option<PathBuf>,
}

/// Who logs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginConfig {
    pub user: String,
    pub password: SecretRef,
}

/// How a connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// From the first octet on (RFC 8314).
    Implicit,
    /// Begun in clear and raised before anything is said that matters; never left out.
    StartTls,
    /// In clear; only to a loopback address.
    None,
}

/// What becomes of a mail in the mailbox once it is durable here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    Move(String),
    Delete,
    Seen,
}

/// `[outgoing]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OutgoingConfig {
    pub kind: OutgoingKind,
    /// MAIL FROM of copies.
    pub bounces: String,
}

/// How mail leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OutgoingKind {
    /// A Maildir PATH/ADDRESS for each recipient.
    Maildir {
        path: PathBuf,
    },
    Sendmail {
        command: PathBuf,
    },
    Smtp {
        server: ServerConfig,
    },
}

/// `[advisories]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdvisoriesConfig {
    pub kind: AdvisoriesKind,
    pub content: AdvisoryContent,
    pub open_for: OpenFor,
    pub max_per_hour: u32,
    pub max_per_day: u32,
    pub components: Vec<String>,
}

/// Where drafts are opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdvisoriesKind {
    /// CASE.json in this folder.
    Directory {
        path: PathBuf,
    },
    Github(Box<GithubConfig>),
    None,
}

/// `[advisories]` of kind `github`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GithubConfig {
    /// Where a draft is opened that no route claims.
    pub repository: Repository,
    pub auth: GithubAuth,
    /// Base address of the API, without a slash at its end.
    pub api: url::Url,
    /// Slugs of teams who are given access to each draft.
    pub teams: Vec<String>,
    /// Logins of users who are given access to each draft.
    pub users: Vec<String>,
    /// Other repositories; the first that matches wins.
    pub routes: Vec<Route>,
}

/// How the gateway proves to GitHub who it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GithubAuth {
    /// A fine-grained or classic personal access token.
    Token(SecretRef),
    /// A GitHub App: its id and the PEM file of its private key.
    App { id: u64, key: SecretRef },
}

/// How much of a report a draft holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdvisoryContent {
    Stub,
    Report,
}

/// Which mail opens a draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenFor {
    Encrypted,
    All,
}

/// `[intake]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IntakeConfig {
    pub plaintext: PlaintextPolicy,
    pub plaintext_answers: PlaintextAnswers,
    pub authserv_id: Option<String>,
    pub acknowledge: bool,
    /// Folder of certificates of people who may write.
    pub known_certificates: Option<PathBuf>,
}

/// What becomes of mail in clear from strangers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaintextPolicy {
    /// It opens a case at once, marked so.
    Accept,
    /// Kept, and answered with how to encrypt.
    Reject,
}

/// Whether an answer may ever go out in clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaintextAnswers {
    SameCase,
    Never,
}
