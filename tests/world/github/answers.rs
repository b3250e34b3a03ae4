//! From a request to its answer: who asks, what of it breaks a rule, what goes wrong, what is done.

use super::description::{Description, Operation};
use super::faults::{Fault, Kind, Way, plain};
use super::request::{Reply, Request};
use super::state::{Access, State};
use super::{Caller, advisories, apps, people};
use jiff::{SignedDuration, Timestamp};
use std::time::Duration;

/// Versions of the API that GitHub knows, as dates.
const VERSIONS: [&str; 2] = ["2022-11-28", "2026-03-10"];

/// Answers a request, and says how the answer gets onto the wire.
pub(super) fn answer(state: &mut State, mut request: Request) -> (Option<Reply>, Way) {
    let before = state.violations.len();
    let (reply, way) = decide(state, &mut request);
    let what = format!("{} {}", request.method, request.path);
    for violation in state.violations.iter_mut().skip(before) {
        *violation = format!("{what}: {violation}");
    }
    let reply = finish(state, &request, reply);
    let is_heard = !matches!(way, Way::Reset | Way::Stall(_));
    request.status = is_heard.then_some(reply.status);
    state.record.push(request);
    (is_heard.then_some(reply), way)
}

fn decide(state: &mut State, request: &mut Request) -> (Reply, Way) {
    let whole = |reply| (reply, Way::Whole);
    if let Some(reply) = header_faults(state, request) {
        return whole(reply);
    }
    let path = match people::by_number(state, request) {
        Some(path) => path,
        None => request.path.clone(),
    };
    let operation = match Description::get().operation(&request.method, &path) {
        Ok(operation) => operation,
        Err(what) => {
            state.violate(what);
            return whole(Reply::not_found());
        }
    };
    let kind = Kind::of(&operation.id);
    request.kind = Some(kind);
    let fault_of_form = form_fault(state, request, &operation);
    if let Some(until) = state.told_to_wait.get(request.token().unwrap_or_default()).copied()
        && until > state.now()
    {
        state.violate(format!("asked before {until}, when it was told to wait until then"));
    }
    let fault = state.plan.next(kind);
    let way = fault.as_ref().map_or(Way::Whole, Fault::way);
    if let Some(fault) = &fault
        && !fault.is_done_first()
    {
        return (instead(state, request, fault), way);
    }
    let reply = match as_asked(state, request, &operation, kind, fault_of_form, fault.as_ref()) {
        reply if reply.status >= 300 => reply,
        reply => afterwards(state, fault.as_ref(), reply),
    };
    (reply, way)
}

/// What the request's header breaks.
fn header_faults(state: &mut State, request: &Request) -> Option<Reply> {
    if request.header("user-agent").is_none_or(str::is_empty) {
        state.violate("no User-Agent");
        return Some(Reply::error(
            403,
            "Request forbidden by administrative rules. Please make sure your request has a User-Agent header",
        ));
    }
    if request.header("accept") != Some("application/vnd.github+json") {
        state.violate("Accept is not application/vnd.github+json");
    }
    match request.header("x-github-api-version") {
        None => state.violate("no X-GitHub-Api-Version"),
        Some(version) if VERSIONS.contains(&version) => {}
        Some(version) => {
            state.violate(format!("X-GitHub-Api-Version: {version}"));
            return Some(Reply::error(400, "This version of the API is not supported"));
        }
    }
    if !request.body.is_empty()
        && request.header("content-type").is_none_or(|kind| !kind.starts_with("application/json"))
    {
        state.violate("Content-Type of the body is not application/json");
    }
    for forbidden in ["cookie", "referer"] {
        if request.header(forbidden).is_some() {
            state.violate(format!("a field that has no business there: {forbidden}"));
        }
    }
    if request.token().is_none() {
        state.violate("no token in Authorization");
        return Some(Reply::error(401, "Requires authentication"));
    }
    None
}

/// What the description says against parameters and body.
fn form_fault(state: &mut State, request: &Request, operation: &Operation) -> Option<Reply> {
    let body = match request.body.as_slice() {
        [] => None,
        body => match serde_json::from_slice(body) {
            Ok(body) => Some(body),
            Err(error) => {
                state.violate(format!("the body is no JSON: {error}"));
                return Some(Reply::error(400, "Problems parsing JSON"));
            }
        },
    };
    let faults = Description::get().faults_of_request(operation, &request.query, body.as_ref());
    let faults = faults.into_iter().chain(body.iter().flat_map(advisories::prose_faults)).collect::<Vec<_>>();
    let first = faults.first()?.clone();
    for fault in faults {
        state.violate(fault);
    }
    Some(Reply::error(422, &format!("Invalid request.\n\n{first}")))
}

/// What is answered instead of doing it.
fn instead(state: &mut State, request: &Request, fault: &Fault) -> Reply {
    let token = request.token().unwrap_or_default().to_owned();
    match fault {
        Fault::Status(status) => plain(*status),
        Fault::PrimaryLimit { status, resets_in } => {
            let resets = state.now() + SignedDuration::try_from(*resets_in).unwrap();
            *state.rate(&token) = super::state::Rate { remaining: 0, resets };
            exhausted(state, &token, *status)
        }
        Fault::SecondaryLimit { status, retry_after } => {
            let reply = Reply::error(
                *status,
                "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
            );
            match retry_after {
                None => reply,
                Some(time) => {
                    wait(state, &token, *time);
                    reply.with("retry-after", time.as_secs())
                }
            }
        }
        Fault::Redirect(status) => {
            let there = format!("{}{}", state.elsewhere, request.path);
            let mut reply = Reply::error(*status, "Moved Permanently").with("location", &there);
            reply.body["url"] = there.into();
            reply
        }
        // Nobody hears what is answered.
        _ => plain(500),
    }
}

fn wait(state: &mut State, token: &str, time: Duration) {
    let until = state.now() + SignedDuration::try_from(time).unwrap();
    state.told_to_wait.insert(token.to_owned(), until);
}

fn exhausted(state: &mut State, token: &str, status: u16) -> Reply {
    let resets = state.rate(token).resets;
    state.told_to_wait.insert(token.to_owned(), Timestamp::from_second(resets.as_second()).unwrap());
    Reply::error(status, "API rate limit exceeded for user ID 1.")
}

/// Does what was asked.
fn as_asked(
    state: &mut State,
    request: &Request,
    operation: &Operation,
    kind: Kind,
    fault_of_form: Option<Reply>,
    fault: Option<&Fault>,
) -> Reply {
    let token = request.token().unwrap_or_default().to_owned();
    let caller = match apps::caller(state, &token) {
        Ok(caller) => caller,
        Err(why) => return Reply::error(401, &why),
    };
    let rate = state.rate(&token);
    match rate.remaining {
        0 => return exhausted(state, &token, 403),
        _ if kind == Kind::RateLimit => {}
        remaining => rate.remaining = remaining - 1,
    }
    if let Caller::App(id) = caller {
        let name = people::repository_of(operation);
        return match kind {
            _ if fault_of_form.is_some() => fault_of_form.unwrap(),
            Kind::App => apps::app(state, id),
            Kind::Installation => apps::installation(state, id, &name),
            Kind::InstallationToken => apps::access_token(state, id, &operation.path["installation_id"], request),
            _ => Reply::error(401, "A JSON web token can only be used for Apps"),
        };
    }
    match kind {
        Kind::App | Kind::Installation | Kind::InstallationToken => {
            Reply::error(401, "A JSON web token could not be decoded")
        }
        Kind::User | Kind::Person | Kind::Team | Kind::RateLimit => {
            fault_of_form.unwrap_or_else(|| people::answer(state, kind, &caller, operation, &token))
        }
        _ => {
            let name = people::repository_of(operation);
            if let Some(moved) = people::moved(state, request, &name) {
                return moved;
            }
            let access = caller.access(&name);
            let Some(repository) = state.repository(&name).filter(|_| access > Access::None) else {
                return Reply::not_found();
            };
            if kind == Kind::Repository {
                return fault_of_form.unwrap_or_else(|| people::repository(repository, access));
            }
            if let Some(status) = repository.switched_off {
                return Reply::error(status, "Repository advisories are not available for this repository");
            }
            let work = advisories::Work { caller: &caller, access, name: &name, request, operation, fault };
            work.answer(state, kind, fault_of_form)
        }
    }
}

/// What becomes of the answer to something that was done.
fn afterwards(state: &State, fault: Option<&Fault>, mut reply: Reply) -> Reply {
    match fault {
        Some(Fault::AfterCreation(status) | Fault::Twice(status)) if *status >= 300 => plain(*status),
        Some(Fault::Garbage) => {
            reply.body = "{\"ghsa_id\": \"GHSA-".into();
            reply
        }
        Some(Fault::ForeignNextPage) => {
            let there = format!("<{}/repositories/1/security-advisories?after=x>; rel=\"next\"", state.elsewhere);
            reply.headers.retain(|(name, _)| name != "link");
            reply.with("link", there)
        }
        _ => reply,
    }
}

/// What every answer carries, and the fields that a newer GitHub would add.
fn finish(state: &mut State, request: &Request, mut reply: Reply) -> Reply {
    check_answer(request, &reply);
    for item in reply.body.as_array_mut().into_iter().flatten() {
        unknown_fields(item);
    }
    unknown_fields(&mut reply.body);
    let token = request.token().unwrap_or_default();
    let rate = *state.rate(token);
    let (expires, scopes) = match state.token(token) {
        Some(token) => (token.expires, token.scopes.clone()),
        None => (None, None),
    };
    let used = 5_000_u32.saturating_sub(rate.remaining);
    let version = request.header("x-github-api-version").unwrap_or(VERSIONS[0]);
    let reply = reply
        .with("date", state.now().strftime("%a, %d %b %Y %H:%M:%S GMT"))
        .with("x-ratelimit-limit", 5_000)
        .with("x-ratelimit-remaining", rate.remaining)
        .with("x-ratelimit-used", used)
        .with("x-ratelimit-reset", rate.resets.as_second())
        .with("x-ratelimit-resource", "core")
        .with("x-github-api-version-selected", version)
        .with("x-github-media-type", "github.v3; format=json")
        .with("x-github-request-id", format!("EMBA:{:04X}", state.record.len()));
    let reply = match scopes {
        Some(scopes) => reply.with("x-oauth-scopes", scopes),
        None => reply,
    };
    match expires {
        Some(end) => reply.with("github-authentication-token-expiration", end.strftime("%Y-%m-%d %H:%M:%S UTC")),
        None => reply,
    }
}

fn unknown_fields(value: &mut serde_json::Value) {
    if let Some(object) = value.as_object_mut() {
        object.insert("a_field_of_tomorrow".into(), serde_json::json!({ "with": ["anything", 1, null] }));
    }
}

/// The fake itself keeps to the description.
fn check_answer(request: &Request, reply: &Reply) {
    let Ok(operation) = Description::get().operation(&request.method, &request.path) else { return };
    if reply.body.is_string() {
        return;
    }
    let faults = Description::get().faults_of_answer(&operation, reply.status, &reply.body);
    assert!(faults.is_empty(), "the fake's own answer to {} is wrong: {faults:?}", operation.id);
}
