//! What the fake knows: repositories with their advisories, people, teams, tokens.

use super::apps::{App, Grant};
use super::faults::Plan;
use super::request::Request;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What a token may do in a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// It does not know that there is such a repository.
    None,
    /// It sees what everybody sees: published advisories.
    Public,
    /// It sees drafts.
    Read,
    /// It opens and changes drafts.
    Write,
    Admin,
}

#[derive(Default)]
pub(super) struct State {
    /// `http://127.0.0.1:PORT`
    pub(super) origin: String,
    /// Another server, which nobody shall be sent to.
    pub(super) elsewhere: String,
    /// How much the fake's clock is ahead.
    pub(super) ahead: SignedDuration,
    pub(super) repositories: Vec<Repository>,
    pub(super) people: BTreeSet<String>,
    /// As `org/slug`.
    pub(super) teams: BTreeSet<String>,
    pub(super) tokens: Vec<Token>,
    pub(super) apps: Vec<App>,
    pub(super) grants: Vec<Grant>,
    pub(super) plan: Plan,
    pub(super) record: Vec<Request>,
    pub(super) violations: Vec<String>,
    /// By token: until when it was told to wait.
    pub(super) told_to_wait: BTreeMap<String, Timestamp>,
    /// Requests that each token has left, and when the count begins anew; 5,000 an hour if nothing is here.
    pub(super) rates: BTreeMap<String, Rate>,
    /// Cursors that were handed out.
    pub(super) cursors: BTreeMap<String, Cursor>,
    /// So many lists do not show a new draft yet.
    pub(super) lists_before_seen: u32,
    /// So long lists do not show a new draft yet.
    pub(super) time_before_seen: SignedDuration,
    pub(super) count: u64,
}

pub(super) struct Repository {
    pub(super) id: u64,
    /// `owner/name`
    pub(super) name: String,
    pub(super) former: Vec<String>,
    pub(super) advisories: Vec<Advisory>,
    /// The status that everything about advisories gets.
    pub(super) switched_off: Option<u16>,
    pub(super) archived: bool,
}

pub(super) struct Advisory {
    pub(super) id: u64,
    pub(super) ghsa: String,
    pub(super) state: &'static str,
    pub(super) author: String,
    /// What the create call and later ones said.
    pub(super) fields: Map<String, Value>,
    pub(super) created: Timestamp,
    pub(super) updated: Timestamp,
    pub(super) teams: Vec<String>,
    pub(super) users: Vec<String>,
    pub(super) hidden_lists: u32,
    pub(super) hidden_until: Timestamp,
}

#[derive(Clone)]
pub(super) struct Token {
    pub(super) text: String,
    /// Whose it is.
    pub(super) login: String,
    /// By repository; what is not named here, `otherwise`.
    pub(super) access: BTreeMap<String, Access>,
    pub(super) otherwise: Access,
    pub(super) hides_drafts: bool,
    pub(super) expires: Option<Timestamp>,
    /// What a classic token may do at all; a fine-grained one has none.
    pub(super) scopes: Option<String>,
}

#[derive(Clone, Copy)]
pub(super) struct Rate {
    pub(super) remaining: u32,
    pub(super) resets: Timestamp,
}

#[derive(Clone, Copy)]
pub(super) struct Cursor {
    pub(super) repository: u64,
    /// The list goes on below this advisory.
    pub(super) below: u64,
}

impl State {
    pub(super) fn now(&self) -> Timestamp {
        Timestamp::now() + self.ahead
    }

    /// A number that was not there before.
    pub(super) fn next(&mut self) -> u64 {
        self.count += 1;
        self.count
    }

    pub(super) fn violate(&mut self, what: impl Into<String>) {
        self.violations.push(what.into());
    }

    pub(super) fn repository(&self, name: &str) -> Option<&Repository> {
        self.repositories.iter().find(|repository| repository.name.eq_ignore_ascii_case(name))
    }

    pub(super) fn repository_mut(&mut self, name: &str) -> &mut Repository {
        let found = self.repositories.iter_mut().find(|repository| repository.name.eq_ignore_ascii_case(name));
        found.unwrap_or_else(|| panic!("the fake has no repository {name}"))
    }

    pub(super) fn token(&self, text: &str) -> Option<&Token> {
        self.tokens.iter().find(|token| token.text == text)
    }

    /// Puts an advisory into a repository and returns its GHSA id.
    pub(super) fn add_advisory(
        &mut self,
        repository: &str,
        author: &str,
        fields: Map<String, Value>,
        state: &'static str,
    ) -> String {
        let (id, now) = (self.next(), self.now());
        let ghsa = ghsa_id(id);
        let advisory = Advisory {
            id,
            ghsa: ghsa.clone(),
            state,
            author: author.to_owned(),
            fields,
            created: now,
            updated: now,
            teams: Vec::new(),
            users: Vec::new(),
            hidden_lists: self.lists_before_seen,
            hidden_until: now + self.time_before_seen,
        };
        self.repository_mut(repository).advisories.push(advisory);
        ghsa
    }

    /// Requests that a token has left.
    pub(super) fn rate(&mut self, token: &str) -> &mut Rate {
        let now = self.now();
        let hour = now + SignedDuration::from_hours(1);
        let rate = self.rates.entry(token.to_owned()).or_insert(Rate { remaining: 5_000, resets: hour });
        if rate.resets <= now {
            *rate = Rate { remaining: 5_000, resets: hour };
        }
        rate
    }
}

/// `GHSA-xxxx-xxxx-xxxx` of GitHub's own alphabet.
fn ghsa_id(number: u64) -> String {
    const LETTERS: &[u8] = b"23456789cfghjmpqrvwx";
    let mut rest = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let letters: Vec<u8> = (0..12)
        .map(|_| {
            let letter = LETTERS[usize::try_from(rest % 20).unwrap()];
            rest /= 20;
            letter
        })
        .collect();
    let groups: Vec<_> = letters.chunks(4).map(|group| std::str::from_utf8(group).unwrap()).collect();
    format!("GHSA-{}", groups.join("-"))
}

impl Repository {
    pub(super) fn owner(&self) -> &str {
        self.name.split_once('/').unwrap().0
    }

    pub(super) fn short_name(&self) -> &str {
        self.name.split_once('/').unwrap().1
    }
}

/// Somebody as GitHub shows them (`simple-user`).
pub(super) fn person(login: &str) -> Value {
    // An App acts as `slug[bot]`.
    let (name, kind) =
        (login.replace('[', "%5B").replace(']', "%5D"), if login.ends_with("[bot]") { "Bot" } else { "User" });
    let given = json!({
        "login": login, "type": kind,
        "url": format!("https://api.github.com/users/{name}"), "html_url": format!("https://github.com/{name}"),
    });
    super::description::Description::get().filled("simple-user", given)
}
