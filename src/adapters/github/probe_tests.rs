//! What `check --online` says of GitHub, against a server that answers as it was told.

use super::script_tests::*;
use super::*;
use crate::ports::{Observation, Observed};
use jiff::{SignedDuration, Timestamp};

const REPOSITORY: &str = r#"{"archived":false,"fork":false,"permissions":{"admin":true},"owner":{"type":"Organization"},"name":"reportcanary"}"#;
const TOKEN: &str = "advisories.token";

fn described(header: &str, body: &str) -> Next {
    says_with(200, header, body)
}

fn in_days(days: i64) -> String {
    let end = Timestamp::now() + SignedDuration::from_hours(24 * days + 12);
    format!("github-authentication-token-expiration: {}", end.strftime("%Y-%m-%d %H:%M:%S UTC"))
}

async fn observed(answers: Vec<Next>) -> Vec<Observation> {
    let script = Script::of(answers);
    let seen = script.desk().observe().await;
    for one in &seen {
        let text = format!("{one:?}");
        assert!(!text.contains("canary"), "{text}");
        assert_eq!(one.mend.is_none(), one.kind == Observed::Fine, "what is not fine has a mend: {text}");
    }
    seen
}

/// The one observation of this kind.
fn only(seen: &[Observation], kind: Observed) -> String {
    let all: Vec<_> = seen.iter().filter(|one| one.kind == kind).collect();
    let [one] = all.as_slice() else { panic!("not one {kind:?}: {seen:#?}") };
    format!("{}: {}; {}", one.key, one.what, one.mend.clone().unwrap_or_default())
}

#[tokio::test]
async fn where_all_is_well_each_thing_is_named_and_nothing_is_written() {
    let script = Script::of(vec![described(&in_days(90), REPOSITORY), says(200, "[]")]);
    let seen = script.desk().observe().await;
    assert!(seen.iter().all(|one| one.kind == Observed::Fine), "{seen:#?}");
    assert!(seen[0].what.contains("in 90 days"), "{seen:#?}");
    assert!(seen[1].what.contains("kata-containers/kata-containers can be listed"), "{seen:#?}");
    assert!(script.lines().iter().all(|line| line.starts_with("GET ")));
}

#[tokio::test]
async fn a_token_that_ends_soon_or_has_ended_is_named_with_its_mend() {
    for (days, words) in [(29, "in 29 days"), (2, "in 2 days")] {
        let seen = observed(vec![described(&in_days(days), REPOSITORY), says(200, "[]")]).await;
        let doubt = only(&seen, Observed::Doubtful);
        assert!(doubt.starts_with(TOKEN) && doubt.contains(words) && doubt.contains("make a new one"), "{doubt}");
    }
    let offset = "github-authentication-token-expiration: 2020-01-01 10:00:00 +0200";
    let seen = observed(vec![described(offset, REPOSITORY), says(200, "[]")]).await;
    assert!(only(&seen, Observed::Doubtful).contains("2020-01-01"), "{seen:#?}");
    let seen = observed(vec![says(401, r#"{"message":"Bad credentials"}"#)]).await;
    let told = only(&seen, Observed::Broken);
    assert!(told.starts_with(TOKEN) && told.contains("expired") && told.contains("make a new one"), "{told}");
}

#[tokio::test]
async fn a_classic_token_without_the_scope_is_named() {
    for (scopes, enough) in [("read:org, gist", false), ("repo", true), ("read:org, repository_advisories:write", true)]
    {
        let seen = observed(vec![described(&format!("x-oauth-scopes: {scopes}"), REPOSITORY), says(200, "[]")]).await;
        assert_eq!(seen.iter().all(|one| one.kind == Observed::Fine), enough, "{scopes}: {seen:#?}");
        if !enough {
            assert!(only(&seen, Observed::Broken).contains("repository_advisories:write"), "{seen:#?}");
        }
    }
}

#[tokio::test]
async fn what_is_wrong_with_the_repository_is_named_with_its_mend() {
    let cases = [
        (vec![says(404, "{}")], Observed::Broken, "check the name"),
        (vec![says_with(301, "Location: {api}/repositories/1", "{}")], Observed::Broken, "new name"),
        (vec![says(200, r#"{"archived":true}"#), says(200, "[]")], Observed::Broken, "archived"),
        (
            vec![says(200, r#"{"permissions":{"admin":false}}"#), says(200, "[]")],
            Observed::Doubtful,
            "security manager",
        ),
        (vec![says(200, REPOSITORY), says(404, "{}")], Observed::Broken, "read and write"),
        (
            vec![says(200, REPOSITORY), says(403, r#"{"message":"Resource not accessible"}"#)],
            Observed::Broken,
            "read and write",
        ),
        (vec![says(200, REPOSITORY), says(500, "")], Observed::Broken, "GitHub fails (500)"),
        (vec![says_with(429, "Retry-After: 60", "{}")], Observed::Doubtful, "rate limit"),
        (vec![Next::HangsUp], Observed::Broken, "advisories.api"),
        (vec![], Observed::Broken, "cannot reach 127.0.0.1"),
    ];
    for (answers, kind, words) in cases {
        let seen = observed(answers).await;
        let told = only(&seen, kind);
        assert!(told.contains(words), "{words:?} is not in {told}");
    }
}

#[tokio::test]
async fn a_clock_that_would_spoil_an_apps_statements_is_named() {
    let (secret, _) = super::auth_tests::pair();
    for (seconds, kind) in
        [(10, Observed::Fine), (-60, Observed::Doubtful), (600, Observed::Broken), (-600, Observed::Broken)]
    {
        let there = Timestamp::now() + SignedDuration::from_secs(seconds);
        let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&there).unwrap();
        // The statement is refused where the clocks are far apart; otherwise all goes on.
        let mut answers = vec![says_with(if seconds.abs() < 100 { 200 } else { 401 }, &format!("Date: {date}"), "{}")];
        if seconds.abs() < 100 {
            let token = r#"{"token":"ghs_one","expires_at":"2999-01-01T00:00:00Z"}"#;
            answers.extend([says(200, r#"{"id":1}"#), says(201, token), says(200, REPOSITORY), says(200, "[]")]);
        }
        let script = Script::of(answers);
        let seen = script.desk_with(super::auth_tests::app(&secret)).observe().await;
        let named: Vec<_> = seen.iter().filter(|one| one.what.contains("clock is")).map(|one| one.kind).collect();
        assert_eq!(named, if kind == Observed::Fine { vec![] } else { vec![kind] }, "{seconds} s: {seen:#?}");
        let knows = seen.iter().any(|one| one.what.contains("knows the App"));
        assert_eq!(knows, seconds.abs() < 100, "{seen:#?}");
    }
}

#[tokio::test]
async fn every_repository_of_a_route_is_looked_at() {
    let script = Script::of(vec![says(200, REPOSITORY), says(200, "[]"), says(404, "{}")]);
    let mut desk = script.desk();
    desk.repositories.push(Repository::parse("kata-containers/runtime").unwrap());
    let seen = desk.observe().await;
    let told = only(&seen, Observed::Broken);
    assert!(told.starts_with("advisories.routes") && told.contains("kata-containers/runtime"), "{told}");
}

#[tokio::test]
async fn users_and_teams_that_github_does_not_know_are_named() {
    let script = Script::of(vec![says(200, REPOSITORY), says(200, "[]"), says(404, "{}"), says(404, "{}")]);
    let mut desk = script.desk();
    (desk.users, desk.teams) = (vec!["ghost".to_owned()], vec!["vmt".to_owned()]);
    let seen = desk.observe().await;
    assert!(only(&seen, Observed::Broken).contains("no user ghost"), "{seen:#?}");
    assert!(only(&seen, Observed::Doubtful).contains("no team vmt of kata-containers"), "{seen:#?}");
    assert_eq!(script.lines()[2..], ["GET /users/ghost", "GET /orgs/kata-containers/teams/vmt"]);

    let script = Script::of(vec![says(200, r#"{"owner":{"type":"User"}}"#), says(200, "[]")]);
    let mut desk = script.desk();
    desk.teams = vec!["vmt".to_owned()];
    let seen = desk.observe().await;
    assert!(only(&seen, Observed::Broken).contains("belongs to a user"), "{seen:#?}");
}
