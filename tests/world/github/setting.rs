//! What a test puts into the fake: repositories, people, tokens, Apps, and how GitHub behaves.

use super::apps::App;
use super::state::{Access, Rate, Repository, Token};
use super::{GitHub, pem};
use jiff::SignedDuration;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::Duration;

impl GitHub {
    /// A repository `owner/name` without advisories.
    pub fn with_repository(self, name: &str) -> Self {
        let mut state = self.state();
        let id = 1_000 + state.next();
        state.repositories.push(Repository {
            id,
            name: name.to_owned(),
            former: Vec::new(),
            advisories: Vec::new(),
            switched_off: None,
            archived: false,
        });
        drop(state);
        self
    }

    /// A token that may do everything in every repository.
    pub fn with_token(self, text: &str) -> Self {
        self.with_token_of(text, Access::Admin)
    }

    /// A token that may do so much in every repository.
    pub fn with_token_of(self, text: &str, otherwise: Access) -> Self {
        self.state().tokens.push(Token {
            text: text.to_owned(),
            login: "vmt-bot".into(),
            access: BTreeMap::new(),
            otherwise,
            hides_drafts: false,
            expires: None,
            scopes: None,
        });
        self
    }

    /// Somebody who can be credited or given access.
    pub fn with_person(self, login: &str) -> Self {
        self.state().people.insert(login.to_lowercase());
        self
    }

    /// A team `org/slug`.
    pub fn with_team(self, name: &str) -> Self {
        self.state().teams.insert(name.to_lowercase());
        self
    }

    /// An App that is installed in these repositories and may write advisories there. Its key: [`GitHub::app_key`].
    pub fn with_app(self, id: u64, repositories: &[&str]) -> Self {
        let permissions = [("repository_advisories", "write"), ("metadata", "read"), ("administration", "read")];
        let app = App {
            id,
            installation: 7_000 + id,
            repositories: repositories.iter().map(|&name| name.to_owned()).collect(),
            permissions: permissions.map(|(name, level)| (name.to_owned(), level.to_owned())).into(),
            tokens_live: SignedDuration::from_hours(1),
            suspended: false,
        };
        self.state().apps.push(app);
        self
    }

    /// The private key of every App, in PEM.
    pub fn app_key() -> &'static str {
        pem::private()
    }

    /// A private key that no App has.
    pub fn foreign_key() -> String {
        pem::another()
    }

    /// What an App's installation may do with advisories: `read` or `write`; nothing with "".
    pub fn app_may(&self, app: u64, level: &str) -> &Self {
        let mut state = self.state();
        let app = state.apps.iter_mut().find(|known| known.id == app).expect("such an App");
        app.permissions.remove("repository_advisories");
        if !level.is_empty() {
            app.permissions.insert("repository_advisories".into(), level.to_owned());
        }
        drop(state);
        self
    }

    /// Installation tokens made from now on live so long; an hour otherwise.
    pub fn installation_tokens_live(&self, time: Duration) -> &Self {
        let time = SignedDuration::try_from(time).unwrap();
        self.state().apps.iter_mut().for_each(|app| app.tokens_live = time);
        self
    }

    /// The Apps' installations are suspended.
    pub fn suspends_apps(&self) -> &Self {
        self.state().apps.iter_mut().for_each(|app| app.suspended = true);
        self
    }

    /// All installation tokens are revoked.
    pub fn revokes_installation_tokens(&self) -> &Self {
        let mut state = self.state();
        let now = state.now();
        state.grants.iter_mut().for_each(|grant| grant.expires = now);
        drop(state);
        self
    }

    /// Changes a token.
    fn change_token(&self, text: &str, change: impl FnOnce(&mut Token)) -> &Self {
        change(self.state().tokens.iter_mut().find(|token| token.text == text).expect("such a token"));
        self
    }

    /// What a token may do in one repository from now on.
    pub fn allows(&self, token: &str, repository: &str, access: Access) -> &Self {
        self.change_token(token, |token| {
            token.access.insert(repository.to_owned(), access);
        })
    }

    /// Whether lists show a token no drafts, though it may open them.
    pub fn hides_drafts_from(&self, token: &str, hides: bool) -> &Self {
        self.change_token(token, |token| token.hides_drafts = hides)
    }

    /// When a token ends, from now by the fake's clock.
    pub fn token_ends_in(&self, token: &str, time: Duration) -> &Self {
        let end = self.state().now() + SignedDuration::try_from(time).unwrap();
        self.change_token(token, |token| token.expires = Some(end))
    }

    /// A token is a classic one with these scopes.
    pub fn token_has_scopes(&self, token: &str, scopes: &str) -> &Self {
        self.change_token(token, |token| token.scopes = Some(scopes.to_owned()))
    }

    /// How many requests a token has left, and for how long.
    pub fn rate_limit(&self, token: &str, remaining: u32, resets_in: Duration) -> &Self {
        let mut state = self.state();
        let resets = state.now() + SignedDuration::try_from(resets_in).unwrap();
        state.rates.insert(token.to_owned(), Rate { remaining, resets });
        drop(state);
        self
    }

    /// Everything about a repository's advisories is answered with this status: they are switched off.
    pub fn switches_advisories_off(&self, repository: &str, status: u16) -> &Self {
        self.state().repository_mut(repository).switched_off = Some(status);
        self
    }

    /// They are there again.
    pub fn switches_advisories_on(&self, repository: &str) -> &Self {
        self.state().repository_mut(repository).switched_off = None;
        self
    }

    /// A repository becomes read-only.
    pub fn archives(&self, repository: &str) -> &Self {
        self.state().repository_mut(repository).archived = true;
        self
    }

    /// A repository gets another name; the old one is redirected.
    pub fn renames(&self, repository: &str, name: &str) -> &Self {
        let mut state = self.state();
        let renamed = state.repository_mut(repository);
        let former = std::mem::replace(&mut renamed.name, name.to_owned());
        renamed.former.push(former);
        drop(state);
        self
    }

    /// Drafts opened from now on are missing in so many lists.
    pub fn shows_new_drafts_after_lists(&self, lists: u32) -> &Self {
        self.state().lists_before_seen = lists;
        self
    }

    /// Drafts opened from now on are missing in lists for so long.
    pub fn shows_new_drafts_after(&self, time: Duration) -> &Self {
        self.state().time_before_seen = SignedDuration::try_from(time).unwrap();
        self
    }

    /// Somebody opens a draft by hand; its GHSA id.
    pub fn has_draft(&self, repository: &str, summary: &str) -> String {
        let fields = json!({ "summary": summary, "description": "By hand.", "vulnerabilities": [] });
        let serde_json::Value::Object(fields) = fields else { unreachable!() };
        self.state().add_advisory(repository, "octocat", fields, "draft")
    }

    /// Somebody opens an advisory and publishes it; its GHSA id.
    pub fn has_published(&self, repository: &str, summary: &str) -> String {
        let ghsa = self.has_draft(repository, summary);
        self.closes(repository, &ghsa, "published");
        ghsa
    }

    /// Somebody changes the state of an advisory.
    pub fn closes(&self, repository: &str, ghsa: &str, state: &'static str) -> &Self {
        let mut all = self.state();
        let found = all.repository_mut(repository).advisories.iter_mut().find(|advisory| advisory.ghsa == ghsa);
        found.expect("such an advisory").state = state;
        drop(all);
        self
    }

    /// Somebody gives a person access to an advisory by hand.
    pub fn shares(&self, repository: &str, ghsa: &str, login: &str) -> &Self {
        let mut all = self.state();
        let found = all.repository_mut(repository).advisories.iter_mut().find(|advisory| advisory.ghsa == ghsa);
        found.expect("such an advisory").users.push(login.to_owned());
        drop(all);
        self
    }

    /// Somebody deletes nothing, but the advisory is gone all the same (GitHub's support can do that).
    pub fn loses(&self, repository: &str, ghsa: &str) -> &Self {
        self.state().repository_mut(repository).advisories.retain(|advisory| advisory.ghsa != ghsa);
        self
    }
}
