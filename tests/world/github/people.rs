//! Everything but advisories: repositories, people, teams, limits; repositories that were renamed.

use super::Caller;
use super::description::{Description, Operation};
use super::faults::Kind;
use super::request::{Reply, Request};
use super::state::{Access, Repository, State, person};
use serde_json::json;

/// `owner/repo` of the path; empty where it names none.
pub(super) fn repository_of(operation: &Operation) -> String {
    match (operation.path.get("owner"), operation.path.get("repo")) {
        (Some(owner), Some(repo)) => format!("{owner}/{repo}"),
        _ => String::new(),
    }
}

/// GitHub's own links name a repository by its number: the path as the description knows it.
pub(super) fn by_number(state: &State, request: &Request) -> Option<String> {
    let (number, rest) = request.path.strip_prefix("/repositories/")?.split_once('/')?;
    let number: u64 = number.parse().ok()?;
    let repository = state.repositories.iter().find(|repository| repository.id == number)?;
    Some(format!("/repos/{}/{rest}", repository.name))
}

/// Where a renamed repository is now (301; 307 for what changes something).
pub(super) fn moved(state: &State, request: &Request, name: &str) -> Option<Reply> {
    let former = |repository: &&Repository| repository.former.iter().any(|former| former.eq_ignore_ascii_case(name));
    let repository = state.repositories.iter().find(former)?;
    let rest = request.path.splitn(5, '/').nth(4).map(|rest| format!("/{rest}")).unwrap_or_default();
    let there = format!("{}/repositories/{}{rest}", state.origin, repository.id);
    let status = if request.method == "GET" { 301 } else { 307 };
    let mut reply = Reply::error(status, "Moved Permanently").with("location", &there);
    reply.body["url"] = there.into();
    Some(reply)
}

/// `GET /repos/{owner}/{repo}`
pub(super) fn repository(repository: &Repository, access: Access) -> Reply {
    let mut owner = person(repository.owner());
    owner["type"] = "Organization".into();
    let given = json!({
        "id": repository.id, "name": repository.short_name(), "full_name": repository.name,
        "owner": owner, "archived": repository.archived, "private": false, "visibility": "public",
        "permissions": { "admin": access == Access::Admin, "maintain": false, "push": access >= Access::Write,
                         "triage": false, "pull": true },
        "html_url": format!("https://github.com/{}", repository.name),
    });
    Reply::new(200, Description::get().filled("full-repository", given))
}

/// People, teams and limits.
pub(super) fn answer(state: &mut State, kind: Kind, caller: &Caller, operation: &Operation, token: &str) -> Reply {
    let description = Description::get();
    match (kind, caller) {
        (Kind::User, Caller::Person(token)) => {
            let mut user = description.filled("private-user", person(&token.login));
            user["user_view_type"] = "private".into();
            Reply::new(200, user)
        }
        (Kind::User, _) => Reply::error(403, "Resource not accessible by integration"),
        (Kind::Person, _) => match state.people.get(&operation.path["username"].to_lowercase()) {
            Some(login) => Reply::new(200, description.filled("public-user", person(login))),
            None => Reply::not_found(),
        },
        (Kind::Team, _) => {
            let slug = &operation.path["team_slug"];
            if !state.teams.contains(&format!("{}/{slug}", operation.path["org"]).to_lowercase()) {
                return Reply::not_found();
            }
            Reply::new(200, description.filled("team-full", json!({ "slug": slug, "name": slug })))
        }
        _ => {
            let rate = *state.rate(token);
            let core = json!({ "limit": 5_000, "remaining": rate.remaining, "used": 5_000 - rate.remaining,
                               "reset": rate.resets.as_second() });
            Reply::new(200, json!({ "resources": { "core": core, "search": core }, "rate": core }))
        }
    }
}
