//! GitHub's refusals in words that an admin can act on.
//!
//! Security: nothing of what GitHub writes is repeated, since it may echo what was sent; its phrases are only recognised. Of a
//! validation error the names of fields and codes are kept, if they look like names.

use super::client::Reply;
use crate::ports::DeskError;
use crate::report::Repository;

/// What a token must be allowed, in GitHub's own words.
pub(super) const PERMISSION: &str = "\"Repository security advisories: read and write\"";

/// What was tried, for the words about it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    Create,
    List,
    Share,
}

impl Doing {
    fn words(self) -> &'static str {
        match self {
            Self::Create => "a draft advisory cannot be opened in",
            Self::List => "the advisories cannot be listed of",
            Self::Share => "nobody can be given access to a draft of",
        }
    }
}

/// A refusal, that is a status of 300 or more without 5xx, as what it means for the draft.
pub(super) fn refusal(reply: &Reply, doing: Doing, repository: &Repository, app: bool) -> DeskError {
    let status = reply.status;
    let what = format!("{} {repository}", doing.words());
    match status {
        301 | 302 | 303 | 307 | 308 => DeskError::Refused(format!(
            "{what}: it has moved ({status}); set its new name in [advisories], redirects are not followed"
        )),
        401 => DeskError::Refused(format!("{what}: {}", unauthorized(app))),
        403 => DeskError::Refused(format!("{what}: {}", forbidden(reply, app))),
        404 if doing == Doing::Share => DeskError::Refused(format!(
            "{what}: GitHub does not find the draft (404): it was removed, or {}",
            hidden(app)
        )),
        404 => DeskError::Refused(format!(
            "{what}: GitHub does not find it (404): check the name in [advisories], or {}",
            hidden(app)
        )),
        410 => DeskError::Refused(format!("{what}: security advisories are switched off there (410); switch them on")),
        422 => DeskError::Permanent(format!("{what}: GitHub finds it invalid (422){}", fields(reply))),
        _ => DeskError::Permanent(format!("{what}: GitHub refuses it ({status})")),
    }
}

/// What 401 means.
pub(super) fn unauthorized(app: bool) -> &'static str {
    if app {
        "GitHub does not accept the App's tokens (401); check advisories.app, and that the App is still installed"
    } else {
        "GitHub does not accept the token (401): it has expired, was revoked or is mistyped; make a new one and set advisories.token"
    }
}

/// What 403 means.
pub(super) fn forbidden(reply: &Reply, app: bool) -> String {
    let said = reply.message();
    let who = if app { "the App's installation" } else { "the token" };
    if said.contains("archived") {
        "the repository is archived, so it can be read only (403); unarchive it or set another one".to_owned()
    } else if said.contains("saml") || said.contains("single sign-on") {
        "the organisation demands single sign-on (403); authorise the token for it in the token's settings".to_owned()
    } else if said.contains("lifetime") {
        "the organisation forbids tokens that live so long (403); make one with a shorter life".to_owned()
    } else if said.contains("forbids access") {
        "the organisation forbids this kind of token (403); use a fine-grained token or a GitHub App".to_owned()
    } else if said.contains("ip allow list") {
        "the organisation's IP allow list does not let this host in (403); have its address added".to_owned()
    } else if said.contains("suspended") {
        "the App's installation is suspended (403); have an owner resume it".to_owned()
    } else {
        format!(
            "{who} lacks a permission (403): give it {PERMISSION} for this repository (a classic token: the scope repo or repository_advisories:write), as an administrator or security manager of it"
        )
    }
}

fn hidden(app: bool) -> String {
    if app {
        format!("the App is not installed there with the permission {PERMISSION}")
    } else {
        format!("the token may not see it; give it access to this repository and {PERMISSION}")
    }
}

/// Why an App gets no token for a repository.
pub(super) fn of_installation(reply: &Reply, repository: &Repository) -> DeskError {
    let why = match reply.status {
        401 => "GitHub does not accept the App's key (401); check advisories.app.id and advisories.app.key, and this host's clock".to_owned(),
        403 => forbidden(reply, true),
        404 => "it is not installed there (404), or there is no such repository; install the App for this repository".to_owned(),
        422 => format!("its installation does not cover this repository with the permission {PERMISSION} (422); grant it in the App's settings and have the owner accept it"),
        301 | 302 | 307 | 308 => "the repository has moved; set its new name in [advisories]".to_owned(),
        status @ 500.. => return DeskError::Temporary(format!("GitHub fails at giving the App a token ({status})")),
        status => format!("GitHub refuses it a token ({status})"),
    };
    DeskError::Refused(format!("the GitHub App has no access to {repository}: {why}"))
}

/// The fields that a validation error names with their codes: `; credits (invalid)`.
fn fields(reply: &Reply) -> String {
    #[derive(serde::Deserialize)]
    struct Invalid {
        #[serde(default)]
        errors: Vec<serde_json::Value>,
    }
    let errors = reply.json::<Invalid>().map(|invalid| invalid.errors).unwrap_or_default();
    let named: Vec<String> = errors
        .iter()
        .take(5)
        .filter_map(|error| {
            let name = |key: &str| error.get(key)?.as_str().filter(|text| is_name(text));
            match (name("field"), name("code")) {
                (Some(field), Some(code)) => Some(format!("{field} ({code})")),
                (field, code) => field.or(code).map(str::to_owned),
            }
        })
        .collect();
    if named.is_empty() { String::new() } else { format!("; it names {}", named.join(", ")) }
}

fn is_name(text: &str) -> bool {
    (1..=40).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b"_.[]".contains(&b) || b.is_ascii_digit())
}
