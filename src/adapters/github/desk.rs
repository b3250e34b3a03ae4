//! Opening a draft, finding it again, giving people access to it.
//!
//! Security: creating is one request; what is not known to have failed counts as unknown, and is looked for before anything
//! else. A list is believed only if it shows a draft that is known to be there.

use super::client::{Deadline, Method};
use super::link::DraftLink;
use super::pages::{self, Listed, MAX_PAGE};
use super::words::{Doing, refusal};
use super::{Asked, Github, Trouble};
use crate::ports::{AdvisoryDesk, Answer, DeskError, Looked, Opened};
use crate::report::{AdvisoryDraft, Repository};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use std::time::Duration;

/// How long opening a draft may take in all: less than the lease of its outbox row.
const CREATE: Duration = Duration::from_secs(20);
/// How long a look through the list may take.
const LOOK: Duration = Duration::from_secs(120);
/// Octets of an answer with one advisory in it.
const MAX_ADVISORY: usize = 4 * 1024 * 1024;
/// Pages of a list that are read.
const MAX_PAGES: usize = 50;
/// How far GitHub's clock and ours may differ.
const MARGIN: SignedDuration = SignedDuration::from_hours(1);

impl AdvisoryDesk for Github {
    /// GitHub opens a second draft for a second request.
    fn idempotent(&self) -> bool {
        false
    }

    fn prepare<'a>(&'a self, draft: &'a AdvisoryDraft) -> Answer<'a, Result<(), DeskError>> {
        Box::pin(async move {
            self.limits.check()?;
            let home = self.home(draft);
            self.auth.token(&self.client, &self.limits, home, Deadline::within(CREATE)).await.map(|_| ())
        })
    }

    fn create<'a>(&'a self, draft: &'a AdvisoryDraft) -> Answer<'a, Result<Opened, DeskError>> {
        Box::pin(self.open(draft))
    }

    fn find<'a>(
        &'a self,
        draft: &'a AdvisoryDraft,
        since: Timestamp,
        known: &'a [String],
    ) -> Answer<'a, Result<Looked, DeskError>> {
        Box::pin(self.look(draft, since, known))
    }

    fn is_beside(&self, draft: &AdvisoryDraft, link: &str) -> bool {
        DraftLink::parse(link).is_some_and(|link| link.is_in(self.home(draft)))
    }

    fn share<'a>(&'a self, link: &'a str) -> Answer<'a, Result<(), DeskError>> {
        Box::pin(self.give_access(link))
    }

    fn shares(&self) -> bool {
        !self.teams.is_empty() || !self.users.is_empty()
    }
}

#[derive(Deserialize)]
struct Created {
    html_url: String,
}

/// Who has access to a draft besides the repository's administrators.
#[derive(Deserialize)]
struct Shared {
    #[serde(default)]
    collaborating_users: Option<Vec<User>>,
    #[serde(default)]
    collaborating_teams: Option<Vec<Team>>,
}

#[derive(Deserialize)]
struct User {
    login: String,
}

#[derive(Deserialize)]
struct Team {
    slug: String,
}

impl Github {
    /// Where a draft belongs: where its route sent it, as long as the configuration still names that repository.
    fn home<'a>(&'a self, draft: &'a AdvisoryDraft) -> &'a Repository {
        let routed = draft.repository().and_then(|chosen| self.repositories.iter().find(|known| *known == chosen));
        routed.unwrap_or(&self.repository)
    }

    async fn open(&self, draft: &AdvisoryDraft) -> Result<Opened, DeskError> {
        let repository = self.home(draft);
        let body = draft.body_json();
        let reply = self.ask(Asked {
            repository,
            method: Method::POST,
            url: self.advisories(repository, None, &[]),
            body: Some(&body),
            max_answer: MAX_ADVISORY,
            deadline: Deadline::within(CREATE),
        });
        let unknown =
            |why: String| DeskError::Ambiguous(format!("{why}; a draft may have been opened in {repository}"));
        let reply = reply.await.map_err(|trouble| match trouble {
            Trouble::Nothing(error) => error,
            Trouble::Unknown(why) => unknown(why),
        })?;
        match reply.status {
            201 => {
                let link = reply.json::<Created>().and_then(|created| DraftLink::parse(&created.html_url));
                let link = link.ok_or_else(|| unknown("GitHub's answer to a new draft cannot be read".to_owned()))?;
                Ok(Opened { link: link.text })
            }
            status @ (100..=299 | 408 | 409 | 500..) => {
                Err(unknown(format!("GitHub answered with {status} when a draft was opened")))
            }
            _ => Err(refusal(&reply, Doing::Create, repository, self.auth.is_app())),
        }
    }

    async fn look(&self, draft: &AdvisoryDraft, since: Timestamp, known: &[String]) -> Result<Looked, DeskError> {
        let repository = self.home(draft);
        let known: Vec<DraftLink> = known.iter().filter_map(|link| DraftLink::parse(link)).collect();
        let oldest = since.checked_sub(MARGIN).unwrap_or(Timestamp::MIN);
        let query = [("sort", "created"), ("direction", "desc"), ("per_page", "100")];
        let mut next = Some(self.advisories(repository, None, &query));
        let (deadline, marker) = (Deadline::within(LOOK), draft.marker());
        let (mut found, mut sees_drafts, mut ended) = (Vec::<Listed>::new(), false, false);
        for _ in 0..MAX_PAGES {
            let Some(url) = next.take() else {
                ended = true;
                break;
            };
            let asked = Asked { repository, method: Method::GET, url, body: None, max_answer: MAX_PAGE, deadline };
            let reply = self.ask(asked).await.map_err(Trouble::harmless)?;
            match reply.status {
                200 => {}
                status @ (..=299 | 408 | 409 | 500..) => {
                    let what = format!("GitHub answered with {status} when the advisories of {repository} were listed");
                    return Err(DeskError::Temporary(what));
                }
                _ => return Err(refusal(&reply, Doing::List, repository, self.auth.is_app())),
            }
            let unreadable =
                || DeskError::Temporary(format!("GitHub's list of the advisories of {repository} cannot be read"));
            let page: Vec<Listed> = reply.json().ok_or_else(unreadable)?;
            next = pages::next(&self.client, &reply).map_err(|_| unreadable())?;
            // An entry without a time may be of any age.
            let past = !page.is_empty() && page.iter().all(|listed| listed.created_at.is_some_and(|at| at < oldest));
            for listed in page {
                sees_drafts |= listed.is_unpublished() && known.iter().any(|known| known.ghsa_id == listed.ghsa_id);
                if listed.markers.contains(&marker) {
                    found.push(listed);
                }
            }
            if past && (sees_drafts || !found.is_empty()) {
                ended = true;
                break;
            }
        }
        ended |= next.is_none();
        // The list is newest first: of two within a second the later one in it is the older.
        match found.iter().rev().min_by_key(|listed| listed.created_at) {
            Some(first) => {
                let link = DraftLink::parse(&first.html_url).ok_or_else(|| {
                    DeskError::Temporary(format!("the draft was found in {repository}, but its link cannot be read"))
                })?;
                Ok(Looked::There { opened: Opened { link: link.text }, duplicates: found.len() - 1 })
            }
            None if sees_drafts && ended => Ok(Looked::Absent),
            None => Ok(Looked::Unbelievable),
        }
    }

    async fn give_access(&self, link: &str) -> Result<(), DeskError> {
        let Some(link) = DraftLink::parse(link) else {
            return Err(DeskError::Permanent("the stored link of a draft is none of GitHub's".to_owned()));
        };
        let repository = &link.repository;
        let asked = |method, body| Asked {
            repository,
            method,
            url: self.advisories(repository, Some(&link.ghsa_id), &[]),
            body,
            max_answer: MAX_ADVISORY,
            deadline: Deadline::within(CREATE),
        };
        let failed = |status: u16| {
            DeskError::Temporary(format!("GitHub answered with {status} when a draft of {repository} was to be shared"))
        };
        let is_passing = |status: u16| status < 300 || matches!(status, 408 | 409 | 500..);
        let reply = self.ask(asked(Method::GET, None)).await.map_err(Trouble::harmless)?;
        match reply.status {
            200 => {}
            status if is_passing(status) => return Err(failed(status)),
            _ => return Err(refusal(&reply, Doing::Share, repository, self.auth.is_app())),
        }
        // The call replaces both lists: whoever was given access by hand keeps it.
        let shared: Shared = reply.json().ok_or_else(|| failed(200))?;
        let users = shared.collaborating_users.unwrap_or_default().into_iter().map(|user| user.login).collect();
        let teams = shared.collaborating_teams.unwrap_or_default().into_iter().map(|team| team.slug).collect();
        let (users, more_users) = with(users, &self.users);
        let (teams, more_teams) = with(teams, &self.teams);
        if !more_users && !more_teams {
            return Ok(());
        }
        let body = serde_json::json!({ "collaborating_users": users, "collaborating_teams": teams }).to_string();
        let reply = self.ask(asked(Method::PATCH, Some(&body))).await.map_err(Trouble::harmless)?;
        match reply.status {
            200 => Ok(()),
            status if is_passing(status) => Err(failed(status)),
            _ => Err(refusal(&reply, Doing::Share, repository, self.auth.is_app())),
        }
    }
}

/// Those who are there and those who are wanted; whether that makes a difference. GitHub takes no notice of case in names.
fn with(mut there: Vec<String>, wanted: &[String]) -> (Vec<String>, bool) {
    let before = there.len();
    for name in wanted {
        if !there.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            there.push(name.clone());
        }
    }
    let more = there.len() > before;
    (there, more)
}
