//! A repository on GitHub, and which report belongs to which.
//!
//! Security: owner and name become parts of a request's path, so nothing that means something else there is accepted.

use serde::{Deserialize, Serialize};
use std::fmt;

/// `OWNER/NAME`: an owner of 1 to 39 letters, digits and hyphens, a name of 1 to 100 letters, digits, dots, hyphens and
/// underscores.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Repository {
    owner: String,
    name: String,
}

impl Repository {
    /// Reads `OWNER/NAME`; nothing where it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let (owner, name) = text.split_once('/')?;
        let owner_fits = (1..=39).contains(&owner.len())
            && owner.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
            && !owner.starts_with('-');
        let name_fits = (1..=100).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
            && name != "."
            && name != "..";
        (owner_fits && name_fits).then(|| Self { owner: owner.to_owned(), name: name.to_owned() })
    }

    /// The user or organisation.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    /// The name below the owner.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

impl TryFrom<String> for Repository {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("not a repository: OWNER/NAME")
    }
}

impl From<Repository> for String {
    fn from(repository: Repository) -> Self {
        repository.to_string()
    }
}

/// Sends the drafts of some reports to a repository of their own (`[[advisories.routes]]`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    pub matches: RouteMatch,
    pub repository: Repository,
}

/// What sends a report to another repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteMatch {
    /// One of the team's aliases, lower-cased, that the mail was written to.
    Alias(String),
    /// A component as it is configured, named by the report's template.
    Component(String),
}
