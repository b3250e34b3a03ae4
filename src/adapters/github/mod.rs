//! GitHub's repository security advisories as the desk for drafts (REST API, version 2022-11-28): opened once, found again by
//! their marker, shared with teams and users.
//!
//! Security: only finished drafts leave here. The token goes to the configured API and nowhere else; neither it nor any body is
//! ever in an error or a log.

mod auth;
mod client;
mod desk;
mod limits;
mod link;
mod pages;
mod probe;
mod words;

use crate::config::{Config, ConfigError, GithubAuth, GithubConfig, Problem, Secrets};
use crate::ports::DeskError;
use crate::report::Repository;
use auth::{Auth, Credentials};
use client::{Call, Client, Deadline, Method, NoReply, Reply};
use limits::Limits;
use std::sync::Arc;
use url::Url;

pub use probe::observe;

/// The desk at GitHub.
pub struct Github {
    client: Client,
    auth: Auth,
    limits: Arc<Limits>,
    /// Where a draft is opened that no route claims.
    repository: Repository,
    /// All repositories that the configuration names, each once.
    repositories: Vec<Repository>,
    teams: Vec<String>,
    users: Vec<String>,
}

/// A request without an answer, or one that was turned away.
enum Trouble {
    /// Nothing was done.
    Nothing(DeskError),
    /// It was sent, and nobody knows what came of it.
    Unknown(String),
}

impl Trouble {
    /// For what may be asked again.
    fn harmless(self) -> DeskError {
        match self {
            Self::Nothing(error) => error,
            Self::Unknown(why) => DeskError::Temporary(why),
        }
    }
}

/// One request to a repository, but for its token.
struct Asked<'a> {
    repository: &'a Repository,
    method: Method,
    url: Url,
    body: Option<&'a str>,
    max_answer: usize,
    deadline: Deadline,
}

impl Github {
    /// A desk as the configuration describes it.
    ///
    /// # Errors
    /// When the token or the App's key cannot be read or used, or TLS cannot be set up.
    pub fn new(github: &GithubConfig, config: &Config, secrets: &Secrets) -> Result<Self, ConfigError> {
        let credentials = match &github.auth {
            GithubAuth::Token(secret) => {
                let token = secrets.read_text(secret).map_err(|problem| config.error("advisories.token", problem))?;
                if !(1..=1024).contains(&token.len()) || !token.bytes().all(|b| b.is_ascii_graphic()) {
                    let problem = Problem::new("it is no token: it holds other characters", "put in the token alone");
                    return Err(config.error("advisories.token", problem));
                }
                Credentials::Token(token)
            }
            GithubAuth::App { id, key } => {
                let pem = secrets.read_text(key).map_err(|problem| config.error("advisories.app", problem))?;
                let key = jsonwebtoken::EncodingKey::from_rsa_pem(pem.as_bytes()).map_err(|_| {
                    let mend = "use the .pem file that GitHub made for the App (an RSA private key)";
                    config.error("advisories.app", Problem::new("the App's key is no RSA private key in PEM", mend))
                })?;
                Credentials::App { id: *id, key }
            }
        };
        let client = Client::new(&github.api)
            .map_err(|why| config.error("advisories.api", Problem::new(why, "mend it, then start embargod again")))?;
        let mut repositories = vec![github.repository.clone()];
        for route in &github.routes {
            if !repositories.contains(&route.repository) {
                repositories.push(route.repository.clone());
            }
        }
        Ok(Self {
            client,
            auth: Auth::new(credentials),
            limits: Limits::of(&github.api),
            repository: github.repository.clone(),
            repositories,
            teams: github.teams.clone(),
            users: github.users.clone(),
        })
    }

    /// Address of a repository's advisories, or of one of them.
    fn advisories(&self, repository: &Repository, ghsa_id: Option<&str>, query: &[(&str, &str)]) -> Url {
        let mut segments = vec!["repos", repository.owner(), repository.name(), "security-advisories"];
        segments.extend(ghsa_id);
        self.client.url(&segments, query)
    }

    /// Sends a request with a token for its repository. It is sent a second time only after GitHub refused an App's token, when
    /// nothing was done.
    async fn ask(&self, asked: Asked<'_>) -> Result<Reply, Trouble> {
        let mut renewed = false;
        loop {
            self.limits.check().map_err(Trouble::Nothing)?;
            let token = self.auth.token(&self.client, &self.limits, asked.repository, asked.deadline);
            let token = token.await.map_err(Trouble::Nothing)?;
            let call = Call {
                method: asked.method.clone(),
                url: asked.url.clone(),
                bearer: &token,
                body: asked.body.map(str::to_owned),
                max_answer: asked.max_answer,
                deadline: asked.deadline,
            };
            let reply = self.client.send(call).await.map_err(|none| match none {
                NoReply::NotSent(why) => Trouble::Nothing(DeskError::Temporary(why)),
                NoReply::Lost(why) => Trouble::Unknown(why),
            })?;
            self.limits.note(&reply).map_err(Trouble::Nothing)?;
            if reply.status == 401 && !renewed && self.auth.forget(asked.repository, &token).await {
                renewed = true;
                continue;
            }
            return Ok(reply);
        }
    }
}

#[cfg(test)]
mod auth_tests;
#[cfg(test)]
mod desk_tests;
#[cfg(test)]
mod look_tests;
#[cfg(test)]
mod probe_tests;
#[cfg(test)]
mod script_tests;
