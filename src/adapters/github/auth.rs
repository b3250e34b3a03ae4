//! How the gateway proves to GitHub who it is: a personal access token, or a GitHub App that trades a signed statement (JWT)
//! for installation tokens.
//!
//! Security: an installation token is asked for one repository and one permission, so that a stolen one opens nothing else; it
//! lives in memory for an hour at most and is overwritten. The App's key never leaves this file. Nothing here can be shown.

use super::client::{Call, Client, Deadline, Method, NoReply, Reply};
use super::limits::{Limits, server_time};
use super::words;
use crate::ports::DeskError;
use crate::report::Repository;
use jiff::Timestamp;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};
use zeroize::Zeroizing;

/// Octets of an answer about installations and tokens; those with the repository's whole description are the largest.
const MAX_ANSWER: usize = 512 * 1024;
/// How far back a statement is dated, since clocks differ (GitHub, "Generating a JSON Web Token for a GitHub App").
const BACKDATED: i64 = 60;
/// How long a statement is valid from now on (seconds); GitHub accepts ten minutes from its date.
const STATEMENT: i64 = 8 * 60;
/// How long before its end a token is renewed.
const EARLY: Duration = Duration::from_secs(10 * 60);

/// What the configuration gives.
pub(super) enum Credentials {
    Token(Zeroizing<String>),
    App { id: u64, key: EncodingKey },
}

/// A token that may be used again.
struct Cached {
    token: Arc<Zeroizing<String>>,
    renew_at: Instant,
}

/// Tokens by repository.
pub(super) struct Auth {
    credentials: Credentials,
    tokens: tokio::sync::Mutex<HashMap<Repository, Cached>>,
}

/// A statement of the App about itself (RFC 7519).
#[derive(Serialize)]
struct Claims {
    iat: i64,
    exp: i64,
    iss: String,
}

#[derive(Deserialize)]
struct Installation {
    id: u64,
}

#[derive(Deserialize)]
struct Issued {
    token: Zeroizing<String>,
    expires_at: Timestamp,
}

impl Auth {
    pub(super) fn new(credentials: Credentials) -> Self {
        Self { credentials, tokens: tokio::sync::Mutex::default() }
    }

    /// Whether it is an App.
    pub(super) fn is_app(&self) -> bool {
        matches!(self.credentials, Credentials::App { .. })
    }

    /// A token for a repository: the configured one, or one of the App's installation there, used until shortly before its end.
    ///
    /// # Errors
    /// When the App gets none; nothing was done then.
    pub(super) async fn token(
        &self,
        client: &Client,
        limits: &Limits,
        repository: &Repository,
        deadline: Deadline,
    ) -> Result<Arc<Zeroizing<String>>, DeskError> {
        let (id, key) = match &self.credentials {
            Credentials::Token(token) => return Ok(Arc::new(token.clone())),
            Credentials::App { id, key } => (*id, key),
        };
        // Held while it is asked for, so that drafts side by side do not each ask for one.
        let mut tokens = self.tokens.lock().await;
        if let Some(cached) = tokens.get(repository).filter(|cached| cached.renew_at > Instant::now()) {
            return Ok(Arc::clone(&cached.token));
        }
        limits.check()?;
        let statement = statement(id, key)?;
        let ask = |method, url, body| {
            client.send(Call { method, url, bearer: &statement, body, max_answer: MAX_ANSWER, deadline })
        };
        let url = client.url(&["repos", repository.owner(), repository.name(), "installation"], &[]);
        let reply = answer(limits, ask(Method::GET, url, None).await)?;
        let installation: Installation = read(reply, 200, repository)?;
        let url = client.url(&["app", "installations", &installation.id.to_string(), "access_tokens"], &[]);
        let wanted = serde_json::json!({
            "repositories": [repository.name()],
            "permissions": { "repository_advisories": "write" },
        });
        let reply = answer(limits, ask(Method::POST, url, Some(wanted.to_string())).await)?;
        let now = server_time(&reply).unwrap_or_else(Timestamp::now);
        let issued: Issued = read(reply, 201, repository)?;
        let lifetime = Duration::try_from(issued.expires_at.duration_since(now)).unwrap_or_default();
        let usable = lifetime.saturating_sub(EARLY).max(lifetime / 2);
        let token = Arc::new(issued.token);
        tokens.insert(repository.clone(), Cached { token: Arc::clone(&token), renew_at: Instant::now() + usable });
        Ok(token)
    }

    /// The App's own answer to who it is, for `check --online`; nothing where there is no App.
    pub(super) async fn app(&self, client: &Client, deadline: Deadline) -> Option<Result<Reply, NoReply>> {
        let Credentials::App { id, key } = &self.credentials else { return None };
        let bearer = match statement(*id, key) {
            Ok(statement) => statement,
            Err(error) => return Some(Err(NoReply::NotSent(error.to_string()))),
        };
        let url = client.url(&["app"], &[]);
        let call = Call { method: Method::GET, url, bearer: &bearer, body: None, max_answer: MAX_ANSWER, deadline };
        Some(client.send(call).await)
    }

    /// A token was refused: it is not used again. Whether another one can be had.
    pub(super) async fn forget(&self, repository: &Repository, refused: &str) -> bool {
        if !self.is_app() {
            return false;
        }
        let mut tokens = self.tokens.lock().await;
        if tokens.get(repository).is_some_and(|cached| cached.token.as_str() == refused) {
            tokens.remove(repository);
        }
        true
    }
}

fn statement(id: u64, key: &EncodingKey) -> Result<Zeroizing<String>, DeskError> {
    let now = Timestamp::now().as_second();
    let claims = Claims { iat: now - BACKDATED, exp: now + STATEMENT, iss: id.to_string() };
    jsonwebtoken::encode(&Header::new(Algorithm::RS256), &claims, key).map(Zeroizing::new).map_err(|_| {
        let mend = "set advisories.app.key to the private key that GitHub made for the App";
        DeskError::Refused(format!("the GitHub App's key cannot sign; {mend}"))
    })
}

/// Asking for a token changes nothing that matters: a lost answer is asked for again.
fn answer(limits: &Limits, reply: Result<Reply, NoReply>) -> Result<Reply, DeskError> {
    match reply {
        Ok(reply) => limits.note(&reply).map(|()| reply),
        Err(NoReply::NotSent(why) | NoReply::Lost(why)) => Err(DeskError::Temporary(why)),
    }
}

fn read<T: serde::de::DeserializeOwned>(reply: Reply, expected: u16, repository: &Repository) -> Result<T, DeskError> {
    if reply.status != expected {
        return Err(words::of_installation(&reply, repository));
    }
    let body = reply.json();
    let reply = Zeroizing::new(reply.body.unwrap_or_default());
    drop(reply);
    body.ok_or_else(|| DeskError::Temporary("GitHub's answer about the App's token cannot be read".to_owned()))
}
