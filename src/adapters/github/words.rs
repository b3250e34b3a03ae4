//! GitHub's refusals in words that an admin can act on.
//!
//! Security: nothing of what GitHub writes is repeated, since it may echo what was sent; its phrases are only recognised. Of a
//! validation error the names of fields and codes are kept, if they look like names.

use super::client::Reply;
use crate::config::Problem;
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

/// A refusal, that is a status of 300 to 499, as what it means for the draft.
pub(super) fn refusal(reply: &Reply, doing: Doing, repository: &Repository, app: bool) -> DeskError {
    let what = format!("{} {repository}", doing.words());
    match (reply.status, mendable(reply, app)) {
        (404, _) if doing == Doing::Share => {
            let hidden = hidden(app);
            DeskError::Refused(format!("{what}: GitHub does not find the draft (404): it was removed, or {hidden}"))
        }
        (_, Some(problem)) => DeskError::Refused(format!("{what}: {problem}")),
        (422, None) => DeskError::Permanent(format!("{what}: GitHub finds it invalid (422){}", fields(reply))),
        (status, None) => DeskError::Permanent(format!("{what}: GitHub refuses it ({status})")),
    }
}

/// What an admin can mend about a refusal; nothing where the request itself was wrong.
pub(super) fn mendable(reply: &Reply, app: bool) -> Option<Problem> {
    Some(match reply.status {
        301 | 302 | 303 | 307 | 308 => {
            let mend = "set its new name in [advisories]; redirects are not followed";
            Problem::new(format!("the repository has moved ({})", reply.status), mend)
        }
        401 => unauthorized(app),
        403 => forbidden(reply, app),
        404 => {
            let mend = format!("check the name in [advisories]; if it is right, {}", hidden(app));
            Problem::new("GitHub does not find the repository, or shows it to nobody without permission (404)", mend)
        }
        410 => Problem::new("security advisories are switched off there (410)", "switch them on in its settings"),
        _ => return None,
    })
}

/// What 401 means.
fn unauthorized(app: bool) -> Problem {
    if app {
        let mend = "check advisories.app, and that the App is still installed";
        Problem::new("GitHub does not accept the App's token (401)", mend)
    } else {
        let what = "GitHub does not accept the token (401): it has expired, was revoked or is mistyped";
        Problem::new(what, "make a new one and set advisories.token")
    }
}

/// What 403 means.
fn forbidden(reply: &Reply, app: bool) -> Problem {
    let said = reply.message();
    let (what, mend) = if said.contains("archived") {
        ("the repository is archived, so it can only be read (403)", "unarchive it or set another one")
    } else if said.contains("saml") || said.contains("single sign-on") {
        ("the organisation demands single sign-on (403)", "authorise the token for it in the token's settings")
    } else if said.contains("lifetime") {
        ("the organisation forbids tokens that live so long (403)", "make one with a shorter life")
    } else if said.contains("forbids access") {
        ("the organisation forbids this kind of token (403)", "use a fine-grained token or a GitHub App")
    } else if said.contains("ip allow list") {
        ("the organisation's IP allow list does not let this host in (403)", "have its address added")
    } else if said.contains("suspended") {
        ("the App's installation is suspended (403)", "have an owner resume it")
    } else {
        let who = if app { "the App's installation" } else { "the token" };
        let mend = if app {
            format!("grant the App {PERMISSION}, and have the owner of the installation accept it")
        } else {
            format!(
                "give it {PERMISSION} for this repository (a classic token: the scope repo or repository_advisories:write); its owner must be an administrator or security manager there"
            )
        };
        return Problem::new(format!("{who} lacks a permission (403)"), mend);
    };
    Problem::new(what, mend)
}

fn hidden(app: bool) -> String {
    if app {
        format!("install the App there with the permission {PERMISSION}")
    } else {
        format!("give the token access to this repository and {PERMISSION}")
    }
}

/// Why an App gets no token for a repository.
pub(super) fn of_installation(reply: &Reply, repository: &Repository) -> DeskError {
    let problem = match reply.status {
        401 => app_unknown(),
        403 => forbidden(reply, true),
        404 => {
            Problem::new("it is not installed there, or there is no such repository (404)", "install the App for it")
        }
        422 => {
            let what = format!("its installation does not cover this repository with {PERMISSION} (422)");
            Problem::new(what, "grant it in the App's settings, and have the owner of the installation accept it")
        }
        301 | 302 | 307 | 308 => Problem::new("the repository has moved", "set its new name in [advisories]"),
        status @ 500.. => return DeskError::Temporary(format!("GitHub fails at giving the App a token ({status})")),
        status => return DeskError::Refused(format!("the GitHub App gets no token for {repository} ({status})")),
    };
    DeskError::Refused(format!("the GitHub App has no access to {repository}: {problem}"))
}

/// What 401 to a statement of the App means.
pub(super) fn app_unknown() -> Problem {
    let mend = "check advisories.app.id and advisories.app.key, and this host's clock";
    Problem::new("GitHub does not accept the App's key (401)", mend)
}

/// The fields that a validation error names with their codes: `; it names credits (invalid)`.
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
    let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_.[]".contains(&b);
    (1..=40).contains(&text.len()) && text.bytes().all(fits)
}
