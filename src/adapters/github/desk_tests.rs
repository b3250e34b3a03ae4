//! Opening a draft and giving access to it, against a server that answers as it was told.

use super::script_tests::*;
use super::*;
use crate::ports::{AdvisoryDesk, Opened};

fn created() -> Next {
    says(201, &advisory("GHSA-2222-3333-4444", "draft", "2026-11-24T00:00:00Z", "x").to_string())
}

#[tokio::test]
async fn a_draft_is_posted_once_with_its_frozen_body_and_the_headers_that_github_demands() {
    let script = Script::of(vec![created()]);
    let opened = script.desk().create(&draft(1)).await.unwrap();
    assert_eq!(opened, Opened { link: format!("{HOME}GHSA-2222-3333-4444") });
    let asked = script.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].line, "POST /repos/kata-containers/kata-containers/security-advisories HTTP/1.1");
    assert_eq!(asked[0].body, draft(1).body_json(), "octet for octet");
    assert_eq!(asked[0].field("authorization"), "Bearer ghp_secretcanary");
    assert_eq!(asked[0].field("x-github-api-version"), "2022-11-28");
    assert_eq!(asked[0].field("accept"), "application/vnd.github+json");
    assert!(asked[0].field("user-agent").starts_with("embargod/"));
}

#[tokio::test]
async fn what_may_have_been_taken_is_said_to_be_unknown_and_is_not_sent_again() {
    let cut = "HTTP/1.1 201 Created\r\nContent-Length: 5000\r\n\r\n{\"html_url\":";
    let elsewhere = r#"{"html_url":"https://github.com/login?next=https://evil.example"}"#;
    let ends = [
        Next::HangsUp,
        Next::Writes("HTTP/1.1 20"),
        Next::Writes(cut),
        says(201, "not json"),
        says(201, elsewhere),
        says(202, "{}"),
        says(500, "{}"),
        says(502, "<html>"),
        says_with(503, "Retry-After: 60", ""),
    ];
    for (at, end) in ends.into_iter().enumerate() {
        let script = Script::of(vec![end]);
        let error = script.desk().create(&draft(1)).await.unwrap_err();
        assert!(matches!(error, DeskError::Ambiguous(_)), "end {at}: {error:?}");
        assert_eq!(script.asked().len(), 1, "end {at}");
    }
}

#[tokio::test]
async fn what_was_never_sent_is_said_to_be_so() {
    let script = Script::of(vec![]);
    let error = script.desk().create(&draft(1)).await.unwrap_err();
    assert!(matches!(error, DeskError::Temporary(_)), "{error:?}");
    assert!(error.to_string().contains("cannot reach 127.0.0.1"), "{error}");
}

#[tokio::test]
async fn a_refusal_names_repository_and_mend_and_neither_token_nor_what_github_wrote() {
    let echo = r#"{"message":"Validation Failed: Reportcanary","errors":[
        {"resource":"RepositoryAdvisory","field":"credits","code":"invalid","message":"Reportcanary","value":"Reportcanary"},
        {"field":"Reportcanary is no name","code":"custom"}, "Reportcanary"]}"#;
    let cases = [
        (says(401, r#"{"message":"Bad credentials"}"#), "refused", vec!["401", "expired", "advisories.token"]),
        (
            says(403, r#"{"message":"Resource not accessible by personal access token"}"#),
            "refused",
            vec!["403", "read and write"],
        ),
        (says(403, r#"{"message":"Repository was archived so is read-only."}"#), "refused", vec!["archived"]),
        (
            says(403, r#"{"message":"Resource protected by organization SAML enforcement."}"#),
            "refused",
            vec!["single sign-on"],
        ),
        (says(404, r#"{"message":"Not Found"}"#), "refused", vec!["404", "check the name"]),
        (says(410, "{}"), "refused", vec!["switched off"]),
        (says_with(307, "Location: {api}/repositories/1", "{}"), "refused", vec!["moved", "new name"]),
        (says(422, echo), "final", vec!["422", "credits (invalid)", "custom"]),
        (says(400, r#"{"message":"Reportcanary"}"#), "final", vec!["400"]),
    ];
    for (answer, kind, words) in cases {
        let script = Script::of(vec![answer]);
        let error = script.desk().create(&draft(1)).await.unwrap_err();
        let text = error.to_string();
        match kind {
            "refused" => assert!(matches!(error, DeskError::Refused(_)), "{error:?}"),
            _ => assert!(matches!(error, DeskError::Permanent(_)), "{error:?}"),
        }
        assert!(text.contains("kata-containers/kata-containers"), "{text}");
        for word in words {
            assert!(text.contains(word), "{word:?} is not in {text}");
        }
        assert!(!text.contains("canary"), "{text}");
        assert_eq!(script.asked().len(), 1, "no redirect is followed and nothing is repeated: {text}");
    }
}

#[tokio::test]
async fn within_a_rate_limit_nothing_is_sent_to_github() {
    let now = jiff::Timestamp::now();
    let date = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&now).unwrap();
    // GitHub's clock is an hour ahead: its times are taken by that clock.
    let ahead = now + jiff::SignedDuration::from_hours(1);
    let date_ahead = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&ahead).unwrap();
    let used_up =
        |date: &str, reset: i64| format!("Date: {date}\r\nX-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: {reset}");
    let cases = [
        (says_with(429, "Retry-After: 90", "{}"), 90),
        (says_with(403, "Retry-After: 45", r#"{"message":"You have exceeded a secondary rate limit"}"#), 45),
        (says(403, r#"{"message":"You have exceeded a secondary rate limit. Please wait"}"#), 60),
        (says_with(403, &used_up(&date, now.as_second() + 300), "{}"), 301),
        (says_with(429, &used_up(&date_ahead, ahead.as_second() + 20), "{}"), 21),
    ];
    for (answer, seconds) in cases {
        let script = Script::of(vec![answer, created()]);
        let desk = script.desk();
        for _ in 0..3 {
            let error = desk.create(&draft(1)).await.unwrap_err();
            let DeskError::Paused { wait, .. } = error else { panic!("{error:?}") };
            assert!(wait.as_secs().abs_diff(seconds) <= 2, "{} s instead of {seconds} s", wait.as_secs());
        }
        assert_eq!(script.asked().len(), 1, "one request, and then silence");
    }
}

#[tokio::test]
async fn the_last_request_of_a_limit_is_answered_and_the_next_one_waits() {
    let reset = jiff::Timestamp::now().as_second() + 600;
    let header = format!("X-RateLimit-Remaining: 0\r\nX-RateLimit-Reset: {reset}");
    let body = advisory("GHSA-2222-3333-4444", "draft", "2026-11-24T00:00:00Z", "x").to_string();
    let script = Script::of(vec![says_with(201, &header, &body)]);
    let desk = script.desk();
    desk.create(&draft(1)).await.unwrap();
    assert!(matches!(desk.create(&draft(2)).await, Err(DeskError::Paused { .. })));
    assert_eq!(script.asked().len(), 1);
}

#[tokio::test]
async fn sharing_adds_to_those_who_have_access_already() {
    let there = r#"{"collaborating_users":[{"login":"Byhand"},{"login":"ALICE"}],"collaborating_teams":null}"#;
    let script = Script::of(vec![says(200, there), says(200, "{}")]);
    let mut desk = script.desk();
    (desk.users, desk.teams) = (vec!["alice".to_owned(), "bob".to_owned()], vec!["vmt".to_owned()]);
    desk.share(&format!("{HOME}GHSA-2222-3333-4444")).await.unwrap();
    let path = "/repos/kata-containers/kata-containers/security-advisories/GHSA-2222-3333-4444";
    assert_eq!(script.lines(), [format!("GET {path}"), format!("PATCH {path}")]);
    let body: serde_json::Value = serde_json::from_str(&script.asked()[1].body).unwrap();
    let expected =
        serde_json::json!({ "collaborating_users": ["Byhand", "ALICE", "bob"], "collaborating_teams": ["vmt"] });
    assert_eq!(body, expected);
}

#[tokio::test]
async fn sharing_changes_nothing_where_all_have_access() {
    let there = r#"{"collaborating_users":[{"login":"bob"}],"collaborating_teams":[{"slug":"vmt"},{"slug":"other"}]}"#;
    let script = Script::of(vec![says(200, there)]);
    let mut desk = script.desk();
    (desk.users, desk.teams) = (vec!["Bob".to_owned()], vec!["vmt".to_owned()]);
    desk.share(&format!("{HOME}GHSA-2222-3333-4444")).await.unwrap();
    assert_eq!(script.asked().len(), 1);
}

#[tokio::test]
async fn a_lost_answer_to_sharing_may_be_asked_for_again() {
    for end in [Next::HangsUp, says(502, "")] {
        let script = Script::of(vec![says(200, "{}"), end]);
        let mut desk = script.desk();
        desk.users = vec!["bob".to_owned()];
        let error = desk.share(&format!("{HOME}GHSA-2222-3333-4444")).await.unwrap_err();
        assert!(matches!(error, DeskError::Temporary(_)), "{error:?}");
    }
}
