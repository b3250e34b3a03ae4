//! One request to GitHub's API and its answer, within bounds of time and size.
//!
//! Security: no redirect is followed (it could carry the token elsewhere), no proxy of the environment is used, nothing is sent
//! twice, every request has a connection of its own, so that a failure to connect means that nothing was sent. The token is in
//! a header marked as sensitive; no error holds it, a body, or an address with a query.

use crate::adapters::server::tls_config;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use reqwest::redirect::Policy;
use std::error::Error as _;
use std::time::{Duration, Instant};
use url::Url;

pub(super) use reqwest::Method;

/// The version of the API that is spoken.
const API_VERSION: &str = "2022-11-28";
/// How long a connection may take, TLS included.
const CONNECT: Duration = Duration::from_secs(5);
/// How long one request may take, with its answer.
const REQUEST: Duration = Duration::from_secs(12);
/// What is not worth beginning with so little time left.
const TOO_LATE: Duration = Duration::from_secs(1);

/// Until when a call of several requests must have ended.
#[derive(Clone, Copy)]
pub(super) struct Deadline(Instant);

impl Deadline {
    /// A call that may take so long from now.
    pub(super) fn within(time: Duration) -> Self {
        Self(Instant::now() + time)
    }

    fn left(self) -> Option<Duration> {
        let left = self.0.saturating_duration_since(Instant::now());
        (left >= TOO_LATE).then(|| left.min(REQUEST))
    }
}

/// One request.
pub(super) struct Call<'a> {
    pub(super) method: Method,
    pub(super) url: Url,
    /// A token or a JWT.
    pub(super) bearer: &'a str,
    pub(super) body: Option<String>,
    /// Octets of the answer that are read; a longer one counts as unreadable.
    pub(super) max_answer: usize,
    pub(super) deadline: Deadline,
}

/// An answer: its status was read, whatever became of the rest.
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    /// Nothing where it broke off or is too long.
    pub(super) body: Option<Vec<u8>>,
}

impl Reply {
    /// The body read as JSON; fields that are not asked for are ignored.
    pub(super) fn json<T: serde::de::DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_slice(self.body.as_deref()?).ok()
    }

    /// A header of the answer, if it is there and text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// What GitHub says in words; never to be shown, only to be compared.
    pub(super) fn message(&self) -> String {
        #[derive(serde::Deserialize)]
        struct Said {
            message: String,
        }
        self.json::<Said>().map(|said| said.message.to_lowercase()).unwrap_or_default()
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum NoReply {
    /// Nothing was sent.
    NotSent(String),
    /// It was sent, or may have been.
    Lost(String),
}

/// The way to one API.
pub(super) struct Client {
    http: reqwest::Client,
    api: Url,
}

impl Client {
    /// A client of the API at this base address.
    ///
    /// # Errors
    /// When TLS cannot be set up; in words.
    pub(super) fn new(api: &Url) -> Result<Self, String> {
        let tls = if api.scheme() == "http" { without_roots()? } else { (*tls_config(&[])?).clone() };
        Self::over(tls, api)
    }

    fn over(tls: rustls::ClientConfig, api: &Url) -> Result<Self, String> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/vnd.github+json"));
        headers.insert(HeaderName::from_static("x-github-api-version"), HeaderValue::from_static(API_VERSION));
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("embargod/", env!("CARGO_PKG_VERSION"))));
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .https_only(api.scheme() == "https")
            .default_headers(headers)
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .no_proxy()
            .referer(false)
            .pool_max_idle_per_host(0)
            .connect_timeout(CONNECT)
            .build()
            .map_err(|error| format!("the HTTP client cannot be set up: {}", cause(error)))?;
        Ok(Self { http, api: api.clone() })
    }

    /// An address below the API's base.
    pub(super) fn url(&self, segments: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.api.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// Whether an address that an answer names may be asked with the token: it is the configured API's.
    pub(super) fn is_ours(&self, url: &Url) -> bool {
        url.origin() == self.api.origin() && url.username().is_empty() && url.password().is_none()
    }

    /// Host name of the API, for words.
    pub(super) fn host(&self) -> &str {
        self.api.host_str().unwrap_or("the API")
    }

    /// Sends one request, once.
    pub(super) async fn send(&self, call: Call<'_>) -> Result<Reply, NoReply> {
        let Some(time) = call.deadline.left() else {
            return Err(NoReply::NotSent(format!("{} was too slow before this was sent", self.host())));
        };
        let mut bearer = HeaderValue::try_from(format!("Bearer {}", call.bearer))
            .map_err(|_| NoReply::NotSent("the token holds characters that no token has".to_owned()))?;
        bearer.set_sensitive(true);
        let mut request = self.http.request(call.method, call.url).header(AUTHORIZATION, bearer).timeout(time);
        if let Some(body) = call.body {
            request = request.header(CONTENT_TYPE, "application/json").body(body);
        }
        let mut response = request.send().await.map_err(|error| self.no_reply(error, time))?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let mut body = Some(Vec::new());
        while let Some(read) = &mut body {
            match response.chunk().await {
                Ok(Some(chunk)) if read.len() + chunk.len() <= call.max_answer => read.extend_from_slice(&chunk),
                Ok(None) => break,
                Ok(Some(_)) | Err(_) => body = None,
            }
        }
        Ok(Reply { status, headers, body })
    }

    fn no_reply(&self, error: reqwest::Error, time: Duration) -> NoReply {
        let host = self.host();
        // Every request makes its own connection: where there was none, nothing was sent.
        if error.is_connect() || error.is_builder() {
            return NoReply::NotSent(format!("cannot reach {host}: {}", cause(error)));
        }
        if error.is_timeout() {
            return NoReply::Lost(format!("{host} did not answer within {} s", time.as_secs()));
        }
        NoReply::Lost(format!("the connection to {host} broke off: {}", cause(error)))
    }
}

/// For an API on loopback, where no TLS is spoken.
fn without_roots() -> Result<rustls::ClientConfig, String> {
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    Ok(rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth())
}

/// The innermost reason, which names neither the address nor anything that was sent.
fn cause(error: reqwest::Error) -> String {
    let error = error.without_url();
    let mut reason: &dyn std::error::Error = &error;
    let mut source = error.source();
    while let Some(inner) = source {
        reason = inner;
        source = inner.source();
    }
    reason.to_string()
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
