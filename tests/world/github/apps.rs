//! GitHub Apps: who signed the JSON Web Token (RFC 7519), and which installation tokens were handed out.
//!
//! Security: keys are made for each test run and never stored in the project.

use super::description::Description;
use super::request::{Reply, Request};
use super::state::{Access, State, person};
use super::{Caller, pem};
use jiff::{SignedDuration, Timestamp};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// An App that is installed somewhere.
#[derive(Clone)]
pub(super) struct App {
    pub(super) id: u64,
    pub(super) installation: u64,
    /// Where it is installed.
    pub(super) repositories: Vec<String>,
    /// What its owner granted.
    pub(super) permissions: BTreeMap<String, String>,
    /// How long its installation tokens live.
    pub(super) tokens_live: SignedDuration,
    pub(super) suspended: bool,
}

/// An installation token.
#[derive(Clone, Debug)]
pub struct Grant {
    pub token: String,
    pub app: u64,
    pub made: Timestamp,
    pub expires: Timestamp,
    /// The repositories that it was asked to be restricted to; nothing where it was for all.
    pub repositories: Option<Vec<String>>,
    /// The permissions that it was asked to be restricted to; nothing where it was for all.
    pub permissions: Option<BTreeMap<String, String>>,
    allowed: BTreeMap<String, String>,
    covers: Vec<String>,
}

impl Grant {
    pub(super) fn access(&self, repository: &str) -> Access {
        if !self.covers.iter().any(|known| known.eq_ignore_ascii_case(repository)) {
            return Access::None;
        }
        match self.allowed.get("repository_advisories").map(String::as_str) {
            Some("write") => Access::Write,
            Some("read") => Access::Read,
            _ => Access::Public,
        }
    }
}

/// Which App a JSON Web Token is from.
///
/// # Errors
/// What GitHub says of it.
pub(super) fn app_of(state: &State, token: &str) -> Result<u64, String> {
    let undecodable = || "A JSON web token could not be decoded".to_owned();
    let key = DecodingKey::from_rsa_pem(pem::public().as_bytes()).expect("a public key");
    let mut rules = Validation::new(Algorithm::RS256);
    rules.leeway = 0;
    rules.set_required_spec_claims(&["exp"]);
    let claims = jsonwebtoken::decode::<Value>(token, &key, &rules).map_err(|_| undecodable())?.claims;
    let now = Timestamp::now().as_second();
    let issued = claims["iat"].as_i64();
    if issued.is_none_or(|issued| issued > now) {
        return Err(
            "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued".into()
        );
    }
    if claims["exp"].as_i64().is_none_or(|end| end > now + 600) {
        return Err("'Expiration time' claim ('exp') is too far in the future".into());
    }
    let issuer = match &claims["iss"] {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    let app = issuer.and_then(|id| state.apps.iter().find(|app| app.id == id));
    app.map(|app| app.id).ok_or_else(|| "'Issuer' claim ('iss') must be an Integer".into())
}

/// `GET /app`
pub(super) fn app(state: &State, id: u64) -> Reply {
    let app = state.apps.iter().find(|app| app.id == id).unwrap();
    let given = json!({ "id": id, "slug": "embargo-test", "name": "Embargo Test", "owner": person("kata-containers"),
                        "permissions": app.permissions, "events": [] });
    Reply::new(200, Description::get().filled("integration", given))
}

/// `GET /repos/{owner}/{repo}/installation`
pub(super) fn installation(state: &State, id: u64, repository: &str) -> Reply {
    let app = state.apps.iter().find(|app| app.id == id).unwrap();
    if !app.repositories.iter().any(|known| known.eq_ignore_ascii_case(repository)) {
        return Reply::not_found();
    }
    let owner = repository.split_once('/').unwrap().0;
    let suspended = app.suspended.then(|| state.now().to_string());
    let given = json!({
        "id": app.installation, "app_id": id, "app_slug": "embargo-test", "permissions": app.permissions,
        "account": person(owner), "target_type": "Organization", "repository_selection": "selected",
        "access_tokens_url": format!("{}/app/installations/{}/access_tokens", state.origin, app.installation),
        "suspended_at": suspended,
    });
    Reply::new(200, Description::get().filled("installation", given))
}

/// `POST /app/installations/{installation_id}/access_tokens`
pub(super) fn access_token(state: &mut State, id: u64, installation: &str, request: &Request) -> Reply {
    let app = state.apps.iter().find(|app| app.id == id).unwrap().clone();
    if installation.parse() != Ok(app.installation) {
        return Reply::not_found();
    }
    if app.suspended {
        return Reply::error(403, "This installation has been suspended");
    }
    let body = request.json();
    let repositories: Option<Vec<String>> = serde_json::from_value(body["repositories"].clone()).ok().flatten();
    let permissions: Option<BTreeMap<String, String>> =
        serde_json::from_value(body["permissions"].clone()).ok().flatten();
    let full_name = |short: &String| {
        let fits = |known: &&String| known.split_once('/').is_some_and(|(_, name)| name.eq_ignore_ascii_case(short));
        app.repositories.iter().find(fits).cloned()
    };
    let covers = match &repositories {
        None => Some(app.repositories.clone()),
        Some(names) => names.iter().map(full_name).collect(),
    };
    let Some(covers) = covers else {
        let what =
            "There is at least one repository that does not exist or is not accessible to the parent installation.";
        return Reply::error(422, what);
    };
    let level = |word: &str| ["read", "write", "admin"].iter().position(|known| *known == word);
    let granted =
        |(name, wanted): (&String, &String)| app.permissions.get(name).is_some_and(|had| level(had) >= level(wanted));
    if !permissions.iter().flatten().all(granted) {
        return Reply::error(422, "The permissions requested are not granted to this installation.");
    }
    let (number, now) = (state.next(), state.now());
    let mut allowed = permissions.clone().unwrap_or_else(|| app.permissions.clone());
    allowed.insert("metadata".into(), "read".into());
    let grant = Grant {
        token: format!("ghs_{number:036}"),
        app: id,
        made: now,
        expires: now + app.tokens_live,
        repositories,
        permissions,
        allowed: allowed.clone(),
        covers: covers.clone(),
    };
    let mut given = Map::new();
    given.insert("token".into(), grant.token.clone().into());
    // GitHub gives whole seconds.
    given.insert("expires_at".into(), Timestamp::from_second(grant.expires.as_second()).unwrap().to_string().into());
    given.insert("permissions".into(), json!(allowed));
    given.insert("repository_selection".into(), "selected".into());
    state.grants.push(grant);
    Reply::new(201, Value::Object(given))
}

/// Who asks, when this stands in Authorization.
///
/// # Errors
/// What GitHub says of it.
pub(super) fn caller(state: &State, token: &str) -> Result<Caller, String> {
    let now = state.now();
    if let Some(known) = state.token(token) {
        let alive = known.expires.is_none_or(|end| end > now);
        return if alive { Ok(Caller::Person(known.clone())) } else { Err("Bad credentials".into()) };
    }
    if let Some(grant) = state.grants.iter().find(|grant| grant.token == token) {
        return if grant.expires > now {
            Ok(Caller::Installation(grant.clone()))
        } else {
            Err("Bad credentials".into())
        };
    }
    if token.split('.').count() == 3 {
        return app_of(state, token).map(Caller::App);
    }
    Err("Bad credentials".into())
}
