//! What `check --online` finds out about GitHub: whether the token is taken and for how long, whether each repository is there and
//! its advisories can be read, whether teams and users exist. Nothing is written, so whether a draft may be opened is told as
//! far as GitHub tells it.
//!
//! Security: the words are our own, with names of the configuration; nothing that GitHub writes is repeated.

use super::client::{Deadline, Method, NoReply, Reply};
use super::limits::server_time;
use super::words::{PERMISSION, app_unknown, mendable};
use super::{Asked, Github, Trouble, pages::Listed};
use crate::config::{AdvisoriesKind, Config, Problem, Secrets};
use crate::ports::{DeskError, Observation, Observed};
use crate::report::Repository;
use jiff::{SignedDuration, Timestamp, civil::DateTime, tz::TimeZone};
use serde::Deserialize;
use std::time::Duration;
use url::Url;

/// How long one question may take.
const QUESTION: Duration = Duration::from_secs(12);
/// Octets of an answer.
const MAX_ANSWER: usize = 4 * 1024 * 1024;
/// A token that ends within this time is worth a warning.
const SOON: SignedDuration = SignedDuration::from_hours(30 * 24);
/// How far the clocks may differ before a signed statement of an App is in danger, and before it is refused.
const SKEWED: SignedDuration = SignedDuration::from_secs(45);
const REFUSED: SignedDuration = SignedDuration::from_secs(120);

/// What is read of a repository.
#[derive(Deserialize)]
struct Described {
    #[serde(default)]
    archived: bool,
    #[serde(default)]
    fork: bool,
    #[serde(default)]
    permissions: Option<Permissions>,
    #[serde(default)]
    owner: Option<Owner>,
}

#[derive(Deserialize)]
struct Permissions {
    #[serde(default)]
    admin: bool,
}

#[derive(Deserialize)]
struct Owner {
    #[serde(default, rename = "type")]
    kind: String,
}

/// Looks at GitHub as the configuration names it; empty where drafts do not go there.
pub async fn observe(config: &Config, secrets: &Secrets) -> Vec<Observation> {
    let AdvisoriesKind::Github(github) = &config.advisories.kind else { return Vec::new() };
    match Github::new(github, config, secrets) {
        Ok(github) => github.observe().await,
        Err(error) => vec![broken("advisories", error.problem)],
    }
}

impl Github {
    /// Looks at everything that the desk needs.
    pub(super) async fn observe(&self) -> Vec<Observation> {
        let mut seen = Vec::new();
        if !self.app(&mut seen).await {
            return seen;
        }
        let (mut owners, mut told) = (Vec::new(), false);
        for repository in &self.repositories {
            let key = if *repository == self.repository { "advisories.repository" } else { "advisories.routes" };
            let Some(reply) =
                self.get(repository, &["repos", repository.owner(), repository.name()], key, &mut seen).await
            else {
                continue;
            };
            if !told && !self.auth.is_app() {
                told = true;
                self.token(&reply, &mut seen);
            }
            if reply.status == 401 {
                continue;
            }
            owners.push((repository, self.repository_seen(repository, &reply, key, &mut seen)));
            self.advisories_seen(repository, key, &reply, &mut seen).await;
        }
        if let Some((repository, organisation)) = owners.first() {
            self.people(repository, *organisation, &mut seen).await;
        }
        seen
    }

    /// One question; its failure is what was observed.
    async fn get(
        &self,
        repository: &Repository,
        path: &[&str],
        key: &'static str,
        seen: &mut Vec<Observation>,
    ) -> Option<Reply> {
        self.get_url(repository, self.client.url(path, &[]), key, seen).await
    }

    async fn get_url(
        &self,
        repository: &Repository,
        url: Url,
        key: &'static str,
        seen: &mut Vec<Observation>,
    ) -> Option<Reply> {
        let deadline = Deadline::within(QUESTION);
        let asked = Asked { repository, method: Method::GET, url, body: None, max_answer: MAX_ANSWER, deadline };
        let problem = match self.ask(asked).await {
            Ok(reply) if reply.status < 500 => return Some(reply),
            Ok(reply) => Problem::new(format!("GitHub fails ({})", reply.status), "try again later"),
            Err(Trouble::Nothing(DeskError::Refused(why))) => Problem::new(why, "mend that, then check again"),
            Err(Trouble::Nothing(DeskError::Paused { why, .. })) => {
                seen.push(doubtful(key, Problem::new(why, "wait, then check again")));
                return None;
            }
            Err(Trouble::Nothing(error)) => {
                Problem::new(error.to_string(), "check advisories.api, the network and the firewall")
            }
            Err(Trouble::Unknown(why)) => Problem::new(why, "check advisories.api, the network and the firewall"),
        };
        seen.push(broken(key, problem));
        None
    }

    /// Whether GitHub knows the App; `false` where nothing else can be asked.
    async fn app(&self, seen: &mut Vec<Observation>) -> bool {
        let key = "advisories.app";
        let Some(reply) = self.auth.app(&self.client, Deadline::within(QUESTION)).await else { return true };
        let reply = match reply {
            Ok(reply) => reply,
            Err(NoReply::NotSent(why) | NoReply::Lost(why)) => {
                seen.push(broken(
                    "advisories.api",
                    Problem::new(why, "check advisories.api, the network and the firewall"),
                ));
                return false;
            }
        };
        self.clock(&reply, seen);
        match reply.status {
            401 => seen.push(broken(key, app_unknown())),
            500.. => {
                seen.push(broken(key, Problem::new(format!("GitHub fails ({})", reply.status), "try again later")))
            }
            _ => seen.push(fine(key, "GitHub knows the App and its key".to_owned())),
        }
        !matches!(reply.status, 401 | 500..)
    }

    /// An App's statements are dated: GitHub refuses those from the future, and old ones.
    fn clock(&self, reply: &Reply, seen: &mut Vec<Observation>) {
        let Some(skew) = server_time(reply).map(|there| Timestamp::now().duration_since(there)) else { return };
        let seconds = skew.as_secs();
        if skew.abs() < SKEWED {
            return;
        }
        let direction = if skew.is_positive() { "ahead of" } else { "behind" };
        let what = format!("this host's clock is {} s {direction} GitHub's", seconds.unsigned_abs());
        let problem = Problem::new(what, "set the clock, and let it be kept by NTP");
        seen.push(if skew.abs() < REFUSED {
            doubtful("advisories.app", problem)
        } else {
            broken("advisories.app", problem)
        });
    }

    /// What the answer's header says of a personal token.
    fn token(&self, reply: &Reply, seen: &mut Vec<Observation>) {
        let key = "advisories.token";
        if reply.status == 401 {
            seen.extend(mendable(reply, false).map(|problem| broken(key, problem)));
            return;
        }
        if let Some(end) = reply.header("github-authentication-token-expiration").and_then(expiration) {
            let left = end.duration_since(Timestamp::now());
            let day = TimeZone::UTC.to_datetime(end).date();
            let what = format!("the token expires on {day}, in {} days", left.as_hours() / 24);
            if left < SOON {
                seen.push(doubtful(key, Problem::new(what, "make a new one in good time and set advisories.token")));
            } else {
                seen.push(fine(key, what));
            }
        } else {
            seen.push(fine(key, "GitHub accepts the token".to_owned()));
        }
        // Only classic tokens have scopes.
        let Some(scopes) = reply.header("x-oauth-scopes").filter(|scopes| !scopes.trim().is_empty()) else { return };
        if !scopes.split(',').any(|scope| matches!(scope.trim(), "repo" | "repository_advisories:write")) {
            let mend = "give it the scope repository_advisories:write (or repo), or use a fine-grained token";
            seen.push(broken(key, Problem::new("the token has no scope for writing advisories", mend)));
        }
    }

    /// Returns whether an organisation owns it, if that is known.
    fn repository_seen(
        &self,
        repository: &Repository,
        reply: &Reply,
        key: &'static str,
        seen: &mut Vec<Observation>,
    ) -> Option<bool> {
        if reply.status != 200 {
            // An installation token for advisories alone may not describe the repository: the list will tell.
            if !(self.auth.is_app() && reply.status == 403) {
                let problem = mendable(reply, self.auth.is_app()).unwrap_or_else(|| {
                    Problem::new(format!("GitHub does not describe it ({})", reply.status), "check the name")
                });
                seen.push(broken(key, Problem::new(format!("{repository}: {}", problem.what), problem.mend)));
            }
            return None;
        }
        let described: Described = reply.json()?;
        if described.archived {
            let mend = "unarchive it or set another one";
            seen.push(broken(key, Problem::new(format!("{repository} is archived: no draft can be opened"), mend)));
        }
        if described.fork {
            let mend = "set the repository that it was forked from";
            seen.push(doubtful(key, Problem::new(format!("{repository} is a fork"), mend)));
        }
        if !self.auth.is_app() && described.permissions.is_some_and(|permissions| !permissions.admin) {
            let what = format!("the token's owner is no administrator of {repository}");
            let mend = "make them one, or security manager of the organisation; if they are that, all is well";
            seen.push(doubtful(key, Problem::new(what, mend)));
        }
        described.owner.map(|owner| owner.kind == "Organization")
    }

    /// Whether the advisories can be listed, and drafts be seen among them.
    async fn advisories_seen(
        &self,
        repository: &Repository,
        key: &'static str,
        described: &Reply,
        seen: &mut Vec<Observation>,
    ) {
        if !matches!(described.status, 200 | 403) {
            return;
        }
        let query = [("sort", "created"), ("direction", "desc"), ("per_page", "30")];
        let url = self.advisories(repository, None, &query);
        let Some(reply) = self.get_url(repository, url, key, seen).await else { return };
        match reply.json::<Vec<Listed>>() {
            Some(listed) if reply.status == 200 => {
                let drafts = listed.iter().any(Listed::is_unpublished);
                let besides =
                    if drafts { ", drafts too" } else { "; whether drafts may be opened shows at the first one" };
                seen.push(fine(key, format!("the advisories of {repository} can be listed{besides}")));
            }
            _ => {
                let problem = if reply.status == 404 {
                    let what = "there is no list of its advisories (404)";
                    let mend = format!(
                        "give the token {PERMISSION} for it; advisories are not offered for every private repository"
                    );
                    Problem::new(what, mend)
                } else {
                    mendable(&reply, self.auth.is_app()).unwrap_or_else(|| {
                        Problem::new(format!("its advisories cannot be listed ({})", reply.status), "see its settings")
                    })
                };
                seen.push(broken(key, Problem::new(format!("{repository}: {}", problem.what), problem.mend)));
            }
        }
    }

    /// Whether those who are to get access exist.
    async fn people(&self, repository: &Repository, organisation: Option<bool>, seen: &mut Vec<Observation>) {
        for user in &self.users {
            let key = "advisories.users";
            let Some(reply) = self.get(repository, &["users", user], key, seen).await else { continue };
            match reply.status {
                200 => seen.push(fine(key, format!("GitHub knows the user {user}"))),
                404 => {
                    let problem =
                        Problem::new(format!("GitHub knows no user {user}"), "correct the login or remove it");
                    seen.push(broken(key, problem));
                }
                _ => {}
            }
        }
        let key = "advisories.teams";
        let Some(first) = self.teams.first() else { return };
        if organisation == Some(false) {
            let what = format!("{repository} belongs to a user, who has no teams such as {first}");
            seen.push(broken(key, Problem::new(what, "remove advisories.teams and name users")));
            return;
        }
        for team in &self.teams {
            let path = ["orgs", repository.owner(), "teams", team];
            let Some(reply) = self.get(repository, &path, key, seen).await else { continue };
            match reply.status {
                200 => seen.push(fine(key, format!("{} has the team {team}", repository.owner()))),
                // A token for advisories alone sees no teams; that is no fault.
                404 if !self.auth.is_app() => {
                    let what = format!("GitHub shows no team {team} of {} to this token", repository.owner());
                    let mend = "check the slug in the address of the team's page; if it is right, give the token \"Members: read\" to have it checked";
                    seen.push(doubtful(key, Problem::new(what, mend)));
                }
                _ => {}
            }
        }
    }
}

/// The end of a token's life as GitHub writes it: `2026-12-24 00:00:00 UTC`, or with an offset.
fn expiration(text: &str) -> Option<Timestamp> {
    if let Some(time) = text.trim().strip_suffix("UTC") {
        return time.trim().parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok().map(|end| end.timestamp());
    }
    Timestamp::strptime("%Y-%m-%d %H:%M:%S %z", text.trim()).ok()
}

fn fine(key: &'static str, what: String) -> Observation {
    Observation { kind: Observed::Fine, key, what, mend: None }
}

fn doubtful(key: &'static str, problem: Problem) -> Observation {
    Observation { kind: Observed::Doubtful, key, what: problem.what, mend: Some(problem.mend) }
}

fn broken(key: &'static str, problem: Problem) -> Observation {
    Observation { kind: Observed::Broken, key, what: problem.what, mend: Some(problem.mend) }
}
