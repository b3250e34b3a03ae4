//! A GitHub of our own on loopback: stateful, strict with what it is asked, and faulty where a test wants it so.
//!
//! Every request is held to GitHub's OpenAPI description and to the rules that stand there in prose only. One that breaks a rule is
//! answered as GitHub would answer it, and remembered: the test fails when the fake ends. Its own answers are held to the same
//! description; then they get fields that nobody knows yet, as GitHub's do.
//!
//! ```ignore
//! let hub = GitHub::starts().with_repository("kata-containers/kata-containers").with_token("github_pat_canary");
//! hub.fails_next(Kind::Create, Fault::AfterCreation(502));
//! // … the gateway works with `api = hub.api()` …
//! assert_eq!(hub.drafts_of("kata-containers/kata-containers").len(), 1);
//! ```
//!
//! Security: it listens on 127.0.0.1 only. Tokens and keys are made up for each test.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

mod advisories;
mod answers;
#[cfg(test)]
mod app_tests;
mod apps;
mod description;
#[cfg(test)]
mod fault_tests;
mod faults;
mod pem;
mod people;
mod request;
#[cfg(test)]
mod self_tests;
mod server;
mod setting;
mod state;

pub use apps::Grant;
pub use faults::{Fault, Kind};
pub use request::Request;
pub use state::Access;

use server::Server;
use state::{State, Token};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// Stands in answers where GitHub repeats what it was sent, or says anything: never to be logged.
pub const SERVER_CANARY: &str = "said.by.the.server@github.example";

/// A running fake.
pub struct GitHub {
    state: Arc<Mutex<State>>,
    server: Option<Server>,
    elsewhere: Option<Server>,
    strayed: Arc<Mutex<Vec<String>>>,
}

/// Who a request is from.
enum Caller {
    Person(Token),
    /// An App's id.
    App(u64),
    Installation(Grant),
}

impl Caller {
    fn access(&self, repository: &str) -> Access {
        match self {
            Self::Person(token) => token.access.get(repository).copied().unwrap_or(token.otherwise),
            Self::App(_) => Access::None,
            Self::Installation(grant) => grant.access(repository),
        }
    }

    fn login(&self) -> &str {
        match self {
            Self::Person(token) => &token.login,
            Self::App(_) | Self::Installation(_) => "embargo-test[bot]",
        }
    }

    /// Whether drafts are hidden from it.
    fn is_blind(&self) -> bool {
        matches!(self, Self::Person(token) if token.hides_drafts)
    }

    fn refusal(&self) -> &'static str {
        match self {
            Self::Person(_) => "Resource not accessible by personal access token",
            _ => "Resource not accessible by integration",
        }
    }
}

/// A draft, as far as tests ask.
#[derive(Clone, Debug)]
pub struct Draft {
    pub ghsa: String,
    pub state: &'static str,
    /// What people see it at.
    pub link: String,
    pub summary: String,
    pub description: String,
    /// The body that it was created with.
    pub body: serde_json::Value,
    pub teams: Vec<String>,
    pub users: Vec<String>,
}

impl GitHub {
    /// An empty one.
    pub fn starts() -> Self {
        let state = Arc::new(Mutex::new(State::default()));
        let strayed = Arc::default();
        let (server, elsewhere) = (Server::start(Arc::clone(&state)), Server::elsewhere(Arc::clone(&strayed)));
        {
            let mut state = state.lock().unwrap();
            state.origin.clone_from(&server.origin);
            state.elsewhere.clone_from(&elsewhere.origin);
        }
        Self { state, server: Some(server), elsewhere: Some(elsewhere), strayed }
    }

    /// What the configuration calls `api`.
    pub fn api(&self) -> String {
        self.state().origin.clone()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("the fake answered soundly so far")
    }

    /// The next request of this kind goes wrong.
    pub fn fails_next(&self, kind: Kind, fault: Fault) -> &Self {
        self.fails(kind, 1, fault)
    }

    /// So many requests of this kind go wrong; after those that were planned before.
    pub fn fails(&self, kind: Kind, times: usize, fault: Fault) -> &Self {
        self.state().plan.add(kind, times, fault);
        self
    }

    /// All of this kind go wrong until [`Self::works_again`].
    pub fn always_fails(&self, kind: Kind, fault: Fault) -> &Self {
        self.fails(kind, usize::MAX, fault)
    }

    /// Forgets all planned faults.
    pub fn works_again(&self) -> &Self {
        self.state().plan.clear();
        self
    }

    /// The fake's clock goes forward: limits end, installation tokens expire.
    pub fn time_passes(&self, time: Duration) -> &Self {
        let time = jiff::SignedDuration::try_from(time).unwrap();
        self.state().ahead += time;
        self
    }

    /// The advisories of a repository that are still drafts, oldest first.
    pub fn drafts_of(&self, repository: &str) -> Vec<Draft> {
        let mut all = self.advisories_of(repository);
        all.retain(|draft| draft.state == "draft");
        all
    }

    /// All advisories of a repository, oldest first.
    pub fn advisories_of(&self, repository: &str) -> Vec<Draft> {
        let state = self.state();
        let repository = state.repository(repository).expect("such a repository");
        let shown = |advisory: &state::Advisory| {
            let text = |name: &str| advisory.fields[name].as_str().unwrap_or_default().to_owned();
            Draft {
                ghsa: advisory.ghsa.clone(),
                state: advisory.state,
                link: format!("https://github.com/{}/security/advisories/{}", repository.name, advisory.ghsa),
                summary: text("summary"),
                description: text("description"),
                body: advisory.fields.clone().into(),
                teams: advisory.teams.clone(),
                users: advisory.users.clone(),
            }
        };
        repository.advisories.iter().map(shown).collect()
    }

    /// Everything it was asked so far.
    pub fn record(&self) -> Vec<Request> {
        self.state().record.clone()
    }

    /// What it was asked of one kind.
    pub fn requests(&self, kind: Kind) -> Vec<Request> {
        let mut all = self.record();
        all.retain(|request| request.kind == Some(kind));
        all
    }

    /// Installation tokens that were handed out, oldest first.
    pub fn grants(&self) -> Vec<Grant> {
        self.state().grants.clone()
    }

    /// Everything that reached it but the fields that prove who asks.
    pub fn heard(&self) -> Vec<u8> {
        self.record().iter().flat_map(Request::without_authorization).collect()
    }

    /// What reached the server that nobody shall be sent to.
    pub fn strayed(&self) -> Vec<String> {
        self.strayed.lock().unwrap().clone()
    }

    /// The rules that requests broke so far; they are forgiven by this.
    pub fn forgives(&self) -> Vec<String> {
        std::mem::take(&mut self.state().violations)
    }
}

impl Drop for GitHub {
    fn drop(&mut self) {
        drop((self.server.take(), self.elsewhere.take()));
        if std::thread::panicking() {
            return;
        }
        let violations = self.forgives();
        assert!(violations.is_empty(), "requests broke GitHub's rules:\n{}", violations.join("\n"));
        assert!(self.strayed().is_empty(), "requests went to another server:\n{}", self.strayed().join("\n"));
    }
}
