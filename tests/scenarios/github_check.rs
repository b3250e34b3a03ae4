//! `check --online` at GitHub: what keeps drafts from being opened is named with its mend, before a report meets it.

use crate::github::*;
use crate::world::canaries::none_in;
use crate::world::*;
use serde_json::Value;
use std::time::Duration;

const APP: u64 = 4711;
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// What `check --online` finds about GitHub, as it ends with this code: level, words and mend.
fn checks(world: &World, code: i32) -> Vec<(String, String)> {
    let ran = world.gateway.does(&["check", "--online", "--json"]).ends_with(code);
    for secret in [TOKEN, github::SERVER_CANARY, GitHub::app_key().lines().nth(5).unwrap()] {
        none_in("what is said", ran.said().as_bytes(), secret);
    }
    let findings: Vec<Value> = ran.json()["findings"].as_array().unwrap().clone();
    let text = |finding: &Value, field: &str| finding[field].as_str().unwrap_or_default().to_owned();
    let mut found = Vec::new();
    for finding in &findings {
        let (what, mend) = (text(finding, "what"), text(finding, "mend"));
        let level = text(finding, "level");
        assert!(level == "ok" || !mend.is_empty(), "no mend for {what}");
        found.push((level, format!("{what}: {mend}")));
    }
    found
}

fn said(found: &[(String, String)], level: &str) -> String {
    found.iter().filter(|(known, _)| known == level).map(|(_, text)| text.as_str()).collect::<Vec<_>>().join("\n")
}

/// How bad a trouble is to be called, and a word of it.
struct Expected {
    trouble: Trouble,
    level: &'static str,
}

fn expect(begins: fn(&World, &GitHub), ends: fn(&World, &GitHub), level: &'static str, says: &'static str) -> Expected {
    Expected { trouble: Trouble { begins, ends, says }, level }
}

fn each_is_named(world: &World, hub: &GitHub, expected: Vec<Expected>) {
    let before = checks(world, 0);
    for Expected { trouble: Trouble { begins, ends, says }, level } in expected {
        begins(world, hub);
        let found = checks(world, i32::from(level == "error"));
        assert!(said(&found, level).contains(says), "{says:?} as {level}: {found:#?}");
        assert!(!said(&before, level).contains(says), "{says:?} is said of what is well too");
        ends(world, hub);
        checks(world, 0);
    }
    for request in hub.record() {
        let is_harmless = request.method == "GET" || request.kind == Some(Kind::InstallationToken);
        assert!(is_harmless, "a check changes nothing: {} {}", request.method, request.path);
    }
    assert!(hub.drafts_of(KATA).is_empty());
}

#[test]
fn the_commonest_mistakes_with_a_token_are_named_before_a_report_meets_them() {
    let hub = hub().with_repository(RUNTIME).with_person("octocat").with_team("kata-containers/vmt");
    let world = World::new().members(["alice"]).at(&hub, KATA, TOKEN).with(|settings| {
        settings.github().teams = vec!["vmt".into()];
        settings.github().users = vec!["octocat".into()];
        settings.github().routes = vec![("Component: runtime".into(), RUNTIME.into())];
    });
    let world = world.start();
    let expected = vec![
        expect(
            |world, _| world.reconfigure(|settings| settings.github().secret = "github_pat_mistyped".into()),
            |world, _| world.reconfigure(|settings| settings.github().secret = TOKEN.into()),
            "error",
            "(401)",
        ),
        expect(
            |_, hub| _ = hub.token_ends_in(TOKEN, 5 * DAY),
            |_, hub| _ = hub.token_ends_in(TOKEN, 300 * DAY),
            "warning",
            "expires",
        ),
        expect(
            |_, hub| _ = hub.token_has_scopes(TOKEN, "public_repo, read:org"),
            |_, hub| _ = hub.token_has_scopes(TOKEN, "repo, read:org"),
            "error",
            "scope",
        ),
        expect(
            |_, hub| _ = hub.allows(TOKEN, KATA, Access::None),
            |_, hub| _ = hub.allows(TOKEN, KATA, Access::Admin),
            "error",
            "(404)",
        ),
        expect(
            |_, hub| _ = hub.allows(TOKEN, RUNTIME, Access::Public),
            |_, hub| _ = hub.allows(TOKEN, RUNTIME, Access::Admin),
            "warning",
            "no administrator of kata-containers/runtime",
        ),
        expect(
            |_, hub| _ = hub.switches_advisories_off(KATA, 404),
            |_, hub| _ = hub.switches_advisories_on(KATA),
            "error",
            "advisories (404)",
        ),
        expect(
            |world, _| world.reconfigure(|settings| settings.github().users.push("octocta".into())),
            |world, _| world.reconfigure(|settings| settings.github().users.truncate(1)),
            "error",
            "octocta",
        ),
        expect(
            |world, _| world.reconfigure(|settings| settings.github().teams.push("vtm".into())),
            |world, _| world.reconfigure(|settings| settings.github().teams.truncate(1)),
            "warning",
            "vtm",
        ),
        expect(
            |_, hub| _ = hub.always_fails(Kind::Repository, Fault::Status(503)),
            |_, hub| _ = hub.works_again(),
            "error",
            "(503)",
        ),
        expect(
            |_, hub| _ = hub.always_fails(Kind::Repository, Fault::Reset),
            |_, hub| _ = hub.works_again(),
            "error",
            "broke off",
        ),
        expect(
            |world, _| world.reconfigure(|settings| settings.github().repository = "kata-containers/katta".into()),
            |world, _| world.reconfigure(|settings| settings.github().repository = KATA.into()),
            "error",
            "kata-containers/katta",
        ),
    ];
    each_is_named(&world, &hub, expected);
    hub.archives(KATA);
    assert!(said(&checks(&world, 1), "error").contains("archived"));
}

#[test]
fn the_commonest_mistakes_with_an_app_are_named_too() {
    let hub = GitHub::starts().with_repository(KATA).with_app(APP, &[KATA]).with_app(APP + 1, &[]);
    let world = World::new().members(["alice"]).at(&hub, KATA, GitHub::app_key());
    let world = world.with(|settings| settings.github().app = Some(APP)).start();
    let expected = vec![
        expect(
            |world, _| world.reconfigure(|settings| settings.github().secret = GitHub::foreign_key()),
            |world, _| world.reconfigure(|settings| settings.github().secret = GitHub::app_key().into()),
            "error",
            "(401)",
        ),
        expect(
            |world, _| world.reconfigure(|settings| settings.github().app = Some(APP + 1)),
            |world, _| world.reconfigure(|settings| settings.github().app = Some(APP)),
            "error",
            "not installed",
        ),
        expect(|_, hub| _ = hub.app_may(APP, "read"), |_, hub| _ = hub.app_may(APP, "write"), "error", "(422)"),
    ];
    each_is_named(&world, &hub, expected);
    hub.time_passes(Duration::from_secs(90));
    assert!(said(&checks(&world, 0), "warning").contains("behind GitHub's"), "a clock that goes wrong is told");
    hub.suspends_apps();
    assert!(said(&checks(&world, 1), "error").contains("suspended"));
}
