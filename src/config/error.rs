//! What is wrong with a configuration, and where: one line that an admin can act on.
//!
//! Security: a message names files, lines and keys; it never repeats the value of a secret or of a database URL.

use super::Config;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// What is wrong, and how to mend it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what}; {mend}")]
pub struct Problem {
    pub what: String,
    pub mend: String,
}

impl Problem {
    /// Both sentences begin in lower case and have no full stop, since they are joined to one line.
    pub fn new(what: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { what: what.into(), mend: mend.into() }
    }
}

/// An error of the configuration or of a file that it names:
/// `/etc/embargod/embargod.toml:12: mailbox.kind: "pop3" is none of its values; use "imap", "maildir" or "none"`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// The configuration file.
    pub file: PathBuf,
    /// Line in it, from 1 on; nothing where the file does not speak of the matter at all.
    pub line: Option<usize>,
    /// Dotted key, such as `members[2].fingerprint` for the second member; nothing for errors of the whole file.
    pub key: Option<String>,
    pub problem: Problem,
}

impl ConfigError {
    /// An error of the whole file.
    pub fn of_file(file: &Path, line: Option<usize>, problem: Problem) -> Self {
        Self { file: file.to_owned(), line, key: None, problem }
    }

    /// An error of one key.
    pub fn of_key(file: &Path, lines: &Lines, key: &str, problem: Problem) -> Self {
        Self { file: file.to_owned(), line: lines.of(key), key: Some(key.to_owned()), problem }
    }

    /// File, line and key, as the message begins.
    pub fn place(&self) -> String {
        let mut place = self.file.display().to_string();
        if let Some(line) = self.line {
            place.push_str(&format!(":{line}"));
        }
        if let Some(key) = &self.key {
            place.push_str(&format!(": {key}"));
        }
        place
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place(), self.problem)
    }
}

/// On which line of the file each key stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines(BTreeMap<String, usize>);

impl Lines {
    pub(super) fn note(&mut self, key: &str, line: usize) {
        self.0.insert(key.to_owned(), line);
    }

    /// The line of this key; where the file does not have it, that of the table it belongs into.
    pub fn of(&self, key: &str) -> Option<usize> {
        let mut key = key;
        loop {
            if let Some(line) = self.0.get(key) {
                return Some(*line);
            }
            key = key.rsplit_once(['.', '['])?.0;
        }
    }
}

impl Config {
    /// An error about one key of this configuration, with its line.
    pub fn error(&self, key: &str, problem: Problem) -> ConfigError {
        ConfigError::of_key(&self.file, &self.lines, key, problem)
    }
}
