//! What the fake was asked, and what it answers.

use super::Kind;
use jiff::Timestamp;
use serde_json::{Value, json};

/// A request as it came over the wire.
#[derive(Clone, Debug)]
pub struct Request {
    pub at: Timestamp,
    pub method: String,
    /// Without the query.
    pub path: String,
    pub query: Vec<(String, String)>,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// What it asked for; nothing where GitHub has no such thing.
    pub kind: Option<Kind>,
    /// How it was answered; nothing where the reply was dropped.
    pub status: Option<u16>,
}

impl Request {
    /// A header field.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// What stands after `Bearer` or `token` in Authorization.
    pub fn token(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        ["bearer", "token"].contains(&scheme.to_lowercase().as_str()).then_some(token)
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub(super) fn query(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Everything of it but the field that proves who asks, for a search.
    pub fn without_authorization(&self) -> Vec<u8> {
        let mut all = format!("{} {} {:?}\n", self.method, self.path, self.query).into_bytes();
        for (name, value) in self.headers.iter().filter(|(name, _)| name != "authorization") {
            all.extend(format!("{name}: {value}\n").into_bytes());
        }
        all.extend(&self.body);
        all.push(b'\n');
        all
    }
}

/// An answer, before anything is done to it on its way.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Value,
}

impl Reply {
    pub(super) fn new(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body }
    }

    /// GitHub's `basic-error`.
    pub(super) fn error(status: u16, message: &str) -> Self {
        let documentation = "https://docs.github.com/rest/security-advisories/repository-advisories";
        let body = json!({ "message": message, "documentation_url": documentation, "status": status.to_string() });
        Self::new(status, body)
    }

    pub(super) fn not_found() -> Self {
        Self::error(404, "Not Found")
    }

    /// GitHub's `validation-error`.
    pub(super) fn invalid(field: &str, code: &str, value: &str) -> Self {
        let mut reply = Self::error(422, "Validation Failed");
        reply.body["errors"] = json!([
            { "resource": "RepositoryAdvisory", "field": field, "code": code, "value": value,
              "message": format!("{field} is not valid: {value}") }
        ]);
        reply
    }

    pub(super) fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }
}
