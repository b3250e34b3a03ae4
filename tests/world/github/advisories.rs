//! Advisories: listing, creating, reading, changing, and the rules about them that stand in GitHub's prose only.

use super::Caller;
use super::description::{Description, Operation};
use super::faults::{Fault, Kind};
use super::request::{Reply, Request};
use super::state::{Access, Advisory, Cursor, Repository, State, person};
use serde_json::{Map, Value, json};

/// One request about advisories of one repository.
pub(super) struct Work<'a> {
    pub(super) caller: &'a Caller,
    pub(super) access: Access,
    /// The repository's.
    pub(super) name: &'a str,
    pub(super) request: &'a Request,
    pub(super) operation: &'a Operation,
    pub(super) fault: Option<&'a Fault>,
}

/// What the description does not say about a body, or only in words.
pub(super) fn prose_faults(body: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    if !body["severity"].is_null() && !body["cvss_vector_string"].is_null() {
        faults.push("severity and cvss_vector_string exclude each other".into());
    }
    let number = |id: &str| id.strip_prefix("CWE-").is_some_and(|number| number.parse::<u32>().is_ok());
    for id in body["cwe_ids"].as_array().into_iter().flatten() {
        if !id.as_str().is_some_and(number) {
            faults.push(format!("no CWE: {id}"));
        }
    }
    if let Some(vector) = body["cvss_vector_string"].as_str()
        && !vector.starts_with("CVSS:3.")
        && !vector.starts_with("CVSS:4.0/")
    {
        faults.push(format!("no CVSS vector: {vector}"));
    }
    faults
}

impl Work<'_> {
    pub(super) fn answer(&self, state: &mut State, kind: Kind, fault_of_form: Option<Reply>) -> Reply {
        let may_write = self.access >= Access::Write;
        if matches!(kind, Kind::Create | Kind::Patch) && !may_write {
            return Reply::error(403, self.caller.refusal())
                .with("x-accepted-github-permissions", "repository_advisories=write");
        }
        if kind == Kind::Create && state.repository(self.name).unwrap().archived {
            return Reply::error(403, "Repository was archived so is read-only.");
        }
        if let Some(reply) = fault_of_form {
            return reply;
        }
        match kind {
            Kind::Create => self.create(state),
            Kind::List => self.list(state),
            Kind::Get => match self.find(state) {
                Some(at) => Reply::new(200, shown(state.repository(self.name).unwrap(), at, &state.origin)),
                None => Reply::not_found(),
            },
            Kind::Patch => self.change(state),
            other => panic!("{other:?} is not about advisories"),
        }
    }

    fn sees(&self, advisory: &Advisory) -> bool {
        let sees_drafts = self.access >= Access::Read && !self.caller.is_blind();
        advisory.state == "published" || sees_drafts
    }

    fn find(&self, state: &State) -> Option<usize> {
        let id = &self.operation.path["ghsa_id"];
        let advisories = &state.repository(self.name)?.advisories;
        advisories.iter().position(|advisory| advisory.ghsa == *id && self.sees(advisory))
    }

    fn create(&self, state: &mut State) -> Reply {
        let Value::Object(fields) = self.request.json() else { return Reply::error(400, "Problems parsing JSON") };
        if let Some(reply) = unknown_people(state, &fields) {
            return reply;
        }
        if matches!(self.fault, Some(Fault::Twice(_))) {
            state.add_advisory(self.name, self.caller.login(), fields.clone(), "draft");
        }
        state.add_advisory(self.name, self.caller.login(), fields, "draft");
        let repository = state.repository(self.name).unwrap();
        Reply::new(201, shown(repository, repository.advisories.len() - 1, &state.origin))
    }

    /// Newest first unless asked otherwise, by cursor.
    fn list(&self, state: &mut State) -> Reply {
        let now = state.now();
        let per_page: usize = self.request.query("per_page").map_or(30, |text| text.parse().unwrap());
        let repository = state.repository(self.name).unwrap();
        let id = repository.id;
        let cursor = self.request.query("after").map(|text| state.cursors.get(text).copied());
        let below = match cursor {
            None => u64::MAX,
            Some(Some(Cursor { repository, below })) if repository == id => below,
            Some(_) => {
                state.violate("a cursor that was never given for this list");
                return Reply::error(422, "The provided cursor is invalid");
            }
        };
        if self.request.query("direction") == Some("asc") || self.request.query("before").is_some() {
            panic!("the fake lists newest first and forwards only: say so if the gateway needs more");
        }
        let wanted = self.request.query("state");
        let blind = matches!(self.fault, Some(Fault::EmptyList));
        let mut seen: Vec<usize> = (0..repository.advisories.len())
            .filter(|at| {
                let advisory = &repository.advisories[*at];
                let fresh = advisory.hidden_lists > 0 || advisory.hidden_until > now;
                self.sees(advisory) && !fresh && !blind && wanted.is_none_or(|state| state == advisory.state)
            })
            .filter(|at| repository.advisories[*at].id < below)
            .collect();
        seen.sort_by_key(|at| std::cmp::Reverse(repository.advisories[*at].id));
        let last = seen.get(..per_page).and_then(|page| page.last()).filter(|_| seen.len() > per_page);
        let next = last.map(|at| repository.advisories[*at].id);
        let page: Value =
            seen.iter().take(per_page).map(|at| shown(repository, *at, &state.origin)).collect::<Vec<_>>().into();
        if below == u64::MAX {
            for advisory in &mut state.repository_mut(self.name).advisories {
                advisory.hidden_lists = advisory.hidden_lists.saturating_sub(1);
            }
        }
        let reply = Reply::new(200, page);
        match next {
            None => reply,
            Some(below) => reply.with("link", self.link(state, id, per_page, below)),
        }
    }

    /// The next page's address, which names the repository by its number, and a cursor that means something to GitHub alone.
    fn link(&self, state: &mut State, repository: u64, per_page: usize, below: u64) -> String {
        let number = state.next();
        let cursor = format!("Y3Vyc29yOnYyOpK{number:08x}==");
        state.cursors.insert(cursor.clone(), Cursor { repository, below });
        let others: String = self
            .request
            .query
            .iter()
            .filter(|(name, _)| !["after", "per_page"].contains(&name.as_str()))
            .map(|(name, value)| format!("&{name}={value}"))
            .collect();
        let cursor = cursor.replace('=', "%3D");
        let base = format!("{}/repositories/{repository}/security-advisories", state.origin);
        let first = format!("<{base}?per_page={per_page}{others}>; rel=\"first\"");
        format!("<{base}?per_page={per_page}{others}&after={cursor}>; rel=\"next\", {first}")
    }

    fn change(&self, state: &mut State) -> Reply {
        let Value::Object(fields) = self.request.json() else { return Reply::error(400, "Problems parsing JSON") };
        if let Some(reply) = unknown_people(state, &fields) {
            return reply;
        }
        let Some(at) = self.find(state) else { return Reply::not_found() };
        let now = state.now();
        let advisory = &mut state.repository_mut(self.name).advisories[at];
        advisory.updated = now;
        for (name, value) in fields {
            // What is given replaces what was there.
            let names =
                || value.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect();
            match name.as_str() {
                "collaborating_teams" => advisory.teams = names(),
                "collaborating_users" => advisory.users = names(),
                "state" => {
                    advisory.state = if value == "published" {
                        "published"
                    } else if value == "closed" {
                        "closed"
                    } else {
                        "draft"
                    }
                }
                _ => drop(advisory.fields.insert(name, value)),
            }
        }
        Reply::new(200, shown(state.repository(self.name).unwrap(), at, &state.origin))
    }
}

/// Credits and collaborators that GitHub does not know: no fault of the request's form.
fn unknown_people(state: &State, fields: &Map<String, Value>) -> Option<Reply> {
    let knows = |login: &str| state.people.contains(&login.to_lowercase());
    let list = |name: &str| fields.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    for credit in list("credits") {
        let login = credit["login"].as_str().unwrap_or_default();
        if !knows(login) {
            return Some(Reply::invalid("credits", "invalid", login));
        }
    }
    for user in list("collaborating_users") {
        let login = user.as_str().unwrap_or_default();
        if !knows(login) {
            return Some(Reply::invalid("collaborating_users", "invalid", login));
        }
    }
    for team in list("collaborating_teams") {
        let slug = team.as_str().unwrap_or_default();
        if !state.teams.iter().any(|team| team.split_once('/').is_some_and(|(_, known)| known == slug)) {
            return Some(Reply::invalid("collaborating_teams", "invalid", slug));
        }
    }
    None
}

/// An advisory as GitHub shows it.
fn shown(repository: &Repository, at: usize, origin: &str) -> Value {
    let advisory = &repository.advisories[at];
    let given = |name: &str| advisory.fields.get(name).cloned().unwrap_or_default();
    let list = |name: &str| match given(name) {
        Value::Null => json!([]),
        list => list,
    };
    let (name, ghsa) = (&repository.name, &advisory.ghsa);
    let description = Description::get();
    let vulnerabilities: Vec<Value> = list("vulnerabilities")
        .as_array()
        .into_iter()
        .flatten()
        .map(|given| {
            let given = given.as_object().unwrap();
            let field = |name: &str| given.get(name).cloned().unwrap_or_default();
            let package = json!({ "ecosystem": field("package")["ecosystem"], "name": field("package")["name"] });
            json!({ "package": package, "vulnerable_version_range": field("vulnerable_version_range"),
                    "patched_versions": field("patched_versions"), "vulnerable_functions": field("vulnerable_functions") })
        })
        .collect();
    let credits: Vec<Value> = list("credits")
        .as_array()
        .into_iter()
        .flatten()
        .map(|credit| json!({ "user": person(credit["login"].as_str().unwrap()), "type": credit["type"], "state": "pending" }))
        .collect();
    let cvss = json!({ "vector_string": given("cvss_vector_string"), "score": Value::Null });
    let cwes: Vec<Value> = list("cwe_ids")
        .as_array()
        .into_iter()
        .flatten()
        .map(|id| json!({ "cwe_id": id, "name": "Its name" }))
        .collect();
    let teams: Vec<Value> =
        advisory.teams.iter().map(|slug| description.filled("team", json!({ "slug": slug, "name": slug }))).collect();
    let time = |at: jiff::Timestamp| jiff::Timestamp::from_second(at.as_second()).unwrap().to_string();
    let all = json!({
        "ghsa_id": ghsa,
        "cve_id": given("cve_id"),
        "url": format!("{origin}/repos/{name}/security-advisories/{ghsa}"),
        "html_url": format!("https://github.com/{name}/security/advisories/{ghsa}"),
        "summary": given("summary"),
        "description": given("description"),
        "severity": given("severity"),
        "author": person(&advisory.author),
        "publisher": Value::Null,
        "identifiers": [{ "type": "GHSA", "value": ghsa }],
        "state": advisory.state,
        "created_at": time(advisory.created),
        "updated_at": time(advisory.updated),
        "published_at": Value::Null,
        "closed_at": Value::Null,
        "withdrawn_at": Value::Null,
        "submission": Value::Null,
        "vulnerabilities": vulnerabilities,
        "cvss": cvss,
        "cvss_severities": { "cvss_v3": cvss, "cvss_v4": Value::Null },
        "cwes": cwes,
        "cwe_ids": list("cwe_ids"),
        "credits": list("credits"),
        "credits_detailed": credits,
        "collaborating_users": advisory.users.iter().map(|login| person(login)).collect::<Vec<_>>(),
        "collaborating_teams": teams,
        "private_fork": Value::Null,
    });
    description.filled("repository-advisory", all)
}
