use super::*;
use crate::report::RouteMatch;
use crate::report::keys_fixture_tests::*;
use crate::report::repository::Route;

fn repository(name: &str) -> Repository {
    Repository::parse(&format!("kata-containers/{name}")).unwrap()
}

fn rules() -> Rules {
    let route = |matches, name| Route { matches, repository: repository(name) };
    Rules {
        aliases: vec!["vmt+runtime@example.org".into(), "vmt+agent@example.org".into()],
        repository: Some(repository("kata-containers")),
        routes: vec![
            route(RouteMatch::Alias("vmt+runtime@example.org".into()), "runtime"),
            route(RouteMatch::Component("agent".into()), "agent"),
            route(RouteMatch::Alias("vmt+agent@example.org".into()), "other"),
        ],
        ..Rules::new(TEAM, "KATA")
    }
}

/// Where the draft of a mail with this header and this text goes.
fn goes_to(header: &str, text: &str, protected_recipient: Option<&str>, rules: &Rules) -> Option<String> {
    let keyring = keyring(&[]);
    let outer = Outer::read(&mail(&format!("From: eve@example.net\n{header}"), "x"), &keyring, rules);
    let mut opened = opened_encrypted(text);
    opened.recipients = protected_recipient.iter().map(|address| ReporterContact::new(address, None)).collect();
    let template = Template::from_opened(&opened, &["runtime".to_owned(), "agent".to_owned()]);
    route(&outer, &opened, &template, rules).map(|repository| repository.name().to_owned())
}

#[test]
fn a_report_goes_to_the_repository_of_the_first_route_that_matches() {
    let rules = rules();
    let cases = [
        ("Subject: s", "no field", None, "kata-containers"),
        ("Delivered-To: vmt+runtime@example.org", "", None, "runtime"),
        ("X-Original-To: <VMT+Runtime@Example.org>", "", None, "runtime"),
        ("Subject: s", "", Some("VMT+runtime@example.org"), "runtime"),
        ("Subject: s", "Component: AGENT\n", None, "agent"),
        // The order of the routes decides, not that of the mail.
        ("Delivered-To: vmt+agent@example.org", "Component: agent\n", None, "agent"),
        ("Delivered-To: vmt+agent@example.org", "Component: runtime\n", None, "other"),
        ("Delivered-To: vmt+agent@example.org\nDelivered-To: vmt+runtime@example.org", "", None, "runtime"),
        // A component without a route, and an address that is none of the team's.
        ("Delivered-To: runtime@example.net", "Component: runtime\n", None, "kata-containers"),
    ];
    for (header, text, protected, expected) in cases {
        assert_eq!(goes_to(header, text, protected, &rules).as_deref(), Some(expected), "{header:?} {text:?}");
    }
}

#[test]
fn drafts_that_go_to_a_folder_name_no_repository() {
    let rules = Rules { repository: None, ..rules() };
    assert_eq!(goes_to("Delivered-To: vmt+runtime@example.org", "Component: agent\n", None, &rules), None);
}

#[test]
fn a_frozen_draft_keeps_its_repository_and_one_of_the_first_version_still_reads() {
    let (case, marker) = (CaseId::new("KATA", 2026, 1), Marker::from_random([7; 16]));
    let stub = || AdvisoryDraft::stub(&case, &marker, &Template::read("", &[]));
    let back = AdvisoryDraft::from_plaintext(&stub().for_repository(Some(repository("runtime"))).to_plaintext());
    let back = back.unwrap_or_else(|_| panic!("it reads"));
    assert_eq!((back.repository(), back.body_json()), (Some(&repository("runtime")), stub().body_json()));

    let first = stub().to_plaintext();
    let fields: serde_json::Value = serde_json::from_slice(first.expose()).unwrap();
    let names: Vec<_> = fields.as_object().unwrap().keys().cloned().collect();
    assert_eq!(names, ["body", "case", "description", "marker", "summary"], "what the first version froze");
    assert_eq!(AdvisoryDraft::from_plaintext(&first).ok().unwrap().repository(), None);
}
