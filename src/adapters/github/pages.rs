//! The list of a repository's advisories, page by page, newest first.
//!
//! Security: the next page is where GitHub's `Link` header says (RFC 8288), never a number of our own; it is asked for only if it
//! is at the configured API, since the token goes with it. Of each advisory only what is needed is read, and of its description
//! only the marker is kept.

use super::client::{Client, Reply};
use crate::report::Marker;
use jiff::Timestamp;
use serde::Deserialize;
use url::Url;

/// Octets of one page: a hundred descriptions of 65,535 code points of four octets each, in theory.
pub(super) const MAX_PAGE: usize = 64 * 1024 * 1024;

/// What is read of an advisory; GitHub may add fields.
#[derive(Deserialize)]
pub(super) struct Listed {
    pub(super) ghsa_id: String,
    pub(super) html_url: String,
    #[serde(default)]
    pub(super) state: String,
    #[serde(default)]
    pub(super) created_at: Option<Timestamp>,
    #[serde(default, rename = "description", deserialize_with = "markers")]
    pub(super) markers: Vec<Marker>,
}

impl Listed {
    /// Whether only those with access to drafts see it.
    pub(super) fn is_unpublished(&self) -> bool {
        matches!(self.state.as_str(), "draft" | "triage" | "closed")
    }
}

/// The markers among the lines of a description: ours was the last one, but people may have written below it.
fn markers<'de, D: serde::Deserializer<'de>>(description: D) -> Result<Vec<Marker>, D::Error> {
    let description = Option::<String>::deserialize(description)?.unwrap_or_default();
    Ok(description.lines().filter_map(Marker::of_description).take(100).collect())
}

/// Why the rest of a list cannot be had.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum BadLink {
    Unreadable,
    Elsewhere,
}

/// Where the next page is; nothing after the last.
///
/// # Errors
/// When the header cannot be read, or leads away from the API: the list must not be taken for complete then.
pub(super) fn next(client: &Client, reply: &Reply) -> Result<Option<Url>, BadLink> {
    let Some(header) = reply.headers.get("link") else { return Ok(None) };
    let header = header.to_str().map_err(|_| BadLink::Unreadable)?;
    let links = parse_link_header::parse_with_rel(header).map_err(|_| BadLink::Unreadable)?;
    let Some(next) = links.get("next") else { return Ok(None) };
    if client.is_ours(&next.uri) { Ok(Some(next.uri.clone())) } else { Err(BadLink::Elsewhere) }
}
