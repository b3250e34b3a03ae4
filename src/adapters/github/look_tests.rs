//! Looking for a draft of unknown fate, against a server that answers as it was told.

use super::link::DraftLink;
use super::script_tests::*;
use super::*;
use crate::ports::{AdvisoryDesk, Looked, Opened};
use jiff::Timestamp;

const SINCE: &str = "2026-11-24T12:00:00Z";
const KNOWN: &str = "GHSA-9999-9999-9999";

fn since() -> Timestamp {
    SINCE.parse().unwrap()
}

fn known() -> Vec<String> {
    vec![format!("{HOME}{KNOWN}")]
}

fn list(items: &[serde_json::Value]) -> String {
    serde_json::Value::from(items.to_vec()).to_string()
}

fn other(at: &str) -> serde_json::Value {
    advisory("GHSA-8888-8888-8888", "draft", at, "somebody else's")
}

const NEXT: &str = "Link: <{api}/repos/kata-containers/kata-containers/security-advisories?after=Y3Vyc29y%2C1&per_page=100>; rel=\"next\"";

#[tokio::test]
async fn a_draft_is_found_by_its_marker_on_a_later_page_and_the_oldest_counts() {
    let text = draft(7).description().to_owned();
    let one =
        list(&[other("2026-11-24T13:00:00Z"), advisory("GHSA-3333-3333-3333", "draft", "2026-11-24T12:00:09Z", &text)]);
    let below = format!("{}\r\n\r\nA member wrote below it.", text.replace('\n', "\r\n"));
    let two = list(&[
        advisory("GHSA-4444-4444-4444", "closed", "2026-11-24T12:00:08Z", &below),
        advisory("GHSA-5555-5555-5555", "published", "2020-01-01T00:00:00Z", "old"),
    ]);
    let script = Script::of(vec![says_with(200, NEXT, &one), says(200, &two)]);
    let looked = script.desk().find(&draft(7), since(), &[]).await.unwrap();
    let opened = Opened { link: format!("{HOME}GHSA-4444-4444-4444") };
    assert_eq!(looked, Looked::There { opened, duplicates: 1 });
    let path = "GET /repos/kata-containers/kata-containers/security-advisories";
    let first = format!("{path}?sort=created&direction=desc&per_page=100");
    assert_eq!(script.lines(), [first, format!("{path}?after=Y3Vyc29y%2C1&per_page=100")], "the cursor as it came");
    assert!(script.asked().iter().all(|asked| asked.field("authorization") == "Bearer ghp_secretcanary"));
}

#[tokio::test]
async fn that_there_is_none_is_believed_only_if_a_draft_that_is_there_was_seen() {
    let unseen = list(&[other("2026-11-24T13:00:00Z")]);
    let seen = list(&[other("2026-11-24T13:00:00Z"), advisory(KNOWN, "draft", "2026-11-24T11:50:00Z", "known")]);
    let public = list(&[advisory(KNOWN, "published", "2026-11-24T11:50:00Z", "known")]);
    let cases = [
        (seen.as_str(), known(), Looked::Absent),
        ("[]", known(), Looked::Unbelievable),
        ("[]", Vec::new(), Looked::Unbelievable),
        (&unseen, known(), Looked::Unbelievable),
        (&unseen, Vec::new(), Looked::Unbelievable),
        // Everybody sees what is published: it does not prove that drafts are shown.
        (&public, known(), Looked::Unbelievable),
    ];
    for (answer, known, expected) in cases {
        let script = Script::of(vec![says(200, answer)]);
        assert_eq!(script.desk().find(&draft(7), since(), &known).await.unwrap(), expected, "{answer}");
    }
}

#[tokio::test]
async fn pages_are_read_until_they_are_older_than_the_draft_and_show_the_known_one() {
    let new = list(&[other("2026-11-24T13:00:00Z")]);
    let old = list(&[advisory("GHSA-5555-5555-5555", "draft", "2026-11-20T00:00:00Z", "x")]);
    let known_one = list(&[advisory(KNOWN, "draft", "2026-11-01T00:00:00Z", "x")]);
    let pages = [new, old, known_one].map(|page| says_with(200, NEXT, &page));
    let script = Script::of(pages.into_iter().chain([says(200, "[]")]).collect());
    assert_eq!(script.desk().find(&draft(7), since(), &known()).await.unwrap(), Looked::Absent);
    assert_eq!(script.asked().len(), 3, "no further than needed");
}

#[tokio::test]
async fn a_list_that_breaks_off_or_leads_elsewhere_says_nothing() {
    let seen = list(&[advisory(KNOWN, "draft", "2026-11-24T12:30:00Z", "known")]);
    let ends = [
        says_with(200, "Link: <https://evil.example/steal>; rel=\"next\"", &seen),
        says_with(200, "Link: <{api}@evil.example/x>; rel=\"next\"", &seen),
        says_with(200, "Link: nonsense", &seen),
        says(200, &seen[..seen.len() - 2]),
        says(200, "{}"),
        says(500, "[]"),
        Next::HangsUp,
    ];
    for (at, end) in ends.into_iter().enumerate() {
        let script = Script::of(vec![end]);
        let error = script.desk().find(&draft(7), since(), &known()).await.unwrap_err();
        assert!(matches!(error, DeskError::Temporary(_)), "end {at}: {error:?}");
    }
}

#[tokio::test]
async fn a_second_page_that_fails_does_not_make_the_first_one_the_whole_list() {
    let seen = list(&[advisory(KNOWN, "draft", "2026-11-24T12:30:00Z", "known")]);
    let script = Script::of(vec![says_with(200, NEXT, &seen), says(502, "")]);
    assert!(matches!(script.desk().find(&draft(7), since(), &known()).await, Err(DeskError::Temporary(_))));
}

#[test]
fn only_links_of_the_form_in_which_github_shows_drafts_are_taken() {
    let link = DraftLink::parse(&format!("{HOME}{KNOWN}")).unwrap();
    assert_eq!(
        (link.repository.to_string().as_str(), link.ghsa_id.as_str()),
        ("kata-containers/kata-containers", KNOWN)
    );
    for bad in [
        "http://github.com/a/b/security/advisories/GHSA-2222-3333-4444",
        "https://user@github.com/a/b/security/advisories/GHSA-2222-3333-4444",
        "https://github.com/a/b/security/advisories/GHSA-2222-3333-4444?x=1",
        "https://github.com/a/b/security/advisories/GHSA-2222-3333-4444#x",
        "https://github.com/a/b/security/advisories/GHSA-2222-3333",
        "https://github.com/a/b/security/advisories/GHSA-2222-3333-44\u{e9}4",
        "https://github.com/a/b/security/advisories/../../GHSA-2222-3333-4444",
        "https://github.com/a/b/issues/1",
        "GHSA-2222-3333-4444",
        "",
    ] {
        assert_eq!(DraftLink::parse(bad), None, "{bad}");
    }
}
