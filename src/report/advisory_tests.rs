use super::super::redaction::{RedactionInput, redact};
use super::*;
use crate::report::{ReporterContact, Vault};
use serde_json::Value;

fn case() -> CaseId {
    CaseId::new("KATA", 2026, 1)
}

fn marker() -> Marker {
    Marker::from_random([7; 16])
}

fn template(text: &str) -> Template {
    Template::read(text, &["runtime".to_owned(), "odd `|` <b>one</b>".to_owned()])
}

const TEMPLATE: &str = "Component: runtime\nAffected: < 3.2.1\nPatched: 3.2.1\n\
    CVSS: CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H\nCWE: CWE-787\nCredit: @octo-cat\n";

fn report(subject: &str, text: &str) -> AdvisoryDraft {
    let (subject, plain, template) = (Plaintext::from_text(subject), Plaintext::from_text(text), template(text));
    let eve = ReporterContact::new("eve.mallory@research.example", Some("Eve Mallory"));
    let input = RedactionInput {
        subject: &subject,
        text: &plain,
        contacts: vec![&eve],
        certs: Vec::new(),
        fingerprints: Vec::new(),
        members: Vec::new(),
        team_addresses: &[],
        template: &template,
    };
    AdvisoryDraft::report(redact(&input).unwrap(), &case(), &marker()).unwrap()
}

/// The keywords that the cut of GitHub's description uses; an unknown one is a failure, not a pass.
fn conforms(schema: &Value, value: &Value, all: &Value) {
    let schema = match schema.get("$ref").and_then(Value::as_str) {
        Some(path) => all.pointer(path.strip_prefix('#').unwrap()).unwrap(),
        None => schema,
    };
    for (keyword, rule) in schema.as_object().unwrap() {
        match keyword.as_str() {
            "type" => {
                let kind = match value {
                    Value::Object(_) => "object",
                    Value::Array(_) => "array",
                    Value::String(_) => "string",
                    Value::Bool(_) => "boolean",
                    Value::Number(_) => "number",
                    Value::Null => "null",
                };
                assert_eq!(rule, kind, "{value}");
            }
            "required" => rule.as_array().unwrap().iter().for_each(|name| {
                assert!(value.get(name.as_str().unwrap()).is_some(), "{name} is required");
            }),
            "properties" => value.as_object().unwrap().iter().for_each(|(name, value)| {
                conforms(rule.get(name).unwrap_or_else(|| panic!("unknown field {name}")), value, all);
            }),
            "items" => value.as_array().unwrap().iter().for_each(|item| conforms(rule, item, all)),
            "maxLength" => assert!(value.as_str().unwrap().chars().count() as u64 <= rule.as_u64().unwrap()),
            "enum" => assert!(rule.as_array().unwrap().contains(value), "{value} is not one of {rule}"),
            "additionalProperties" | "nullable" | "default" => {}
            unknown => panic!("the check does not know {unknown}"),
        }
    }
}

fn conforms_to_github(draft: &AdvisoryDraft) -> Value {
    let schemas: Value = serde_json::from_str(include_str!("../../tests/data/github/advisories.openapi.json")).unwrap();
    let body: Value = serde_json::from_str(&draft.body_json()).unwrap();
    conforms(&serde_json::json!({ "$ref": "#/components/schemas/repository-advisory-create" }), &body, &schemas);
    assert!(body.get("severity").is_none() || body.get("cvss_vector_string").is_none(), "they exclude each other");
    assert_eq!(body["description"].as_str(), Some(draft.description()));
    assert_eq!(body["summary"].as_str(), Some(draft.summary()));
    body
}

#[test]
fn a_stub_holds_the_case_number_the_checked_fields_and_the_marker_and_is_what_github_takes() {
    let draft = AdvisoryDraft::stub(&case(), &marker(), &template(TEMPLATE));
    let body = conforms_to_github(&draft);
    assert_eq!(draft.summary(), "KATA-2026-0001: vulnerability report (runtime)");
    assert_eq!(body["cwe_ids"], serde_json::json!(["CWE-787"]));
    assert_eq!(body["credits"], serde_json::json!([{ "login": "octo-cat", "type": "reporter" }]));
    assert_eq!(body["cvss_vector_string"], "CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H");
    assert_eq!(
        body["vulnerabilities"],
        serde_json::json!([{ "package": { "ecosystem": "other", "name": "runtime" },
            "vulnerable_version_range": "< 3.2.1", "patched_versions": "3.2.1" }])
    );
    assert!(draft.description().contains("| Affected versions | `< 3.2.1` |"));
    assert_eq!(draft.description().lines().last(), Some("<!-- embargod:07070707070707070707070707070707 -->"));
}

#[test]
fn a_stub_of_a_report_without_a_template_is_what_github_takes() {
    let draft = AdvisoryDraft::stub(&case(), &marker(), &template("I found a bug."));
    assert_eq!(conforms_to_github(&draft)["vulnerabilities"], serde_json::json!([]));
    assert!(!draft.description().contains("bug"));
}

#[test]
fn a_stub_holds_neither_prose_nor_a_credited_name() {
    let text = format!("{}Credit: Eve Mallory\nHeap overflow in vsock\n", TEMPLATE.replace("Credit: @octo-cat\n", ""));
    let draft = AdvisoryDraft::stub(&case(), &marker(), &template(&text));
    let body = draft.body_json();
    assert!(!body.contains("Mallory") && !body.contains("vsock") && !body.contains("overflow"));
}

#[test]
fn a_report_draft_holds_the_text_in_a_fence_that_it_cannot_end() {
    let text = "Run this:\n\n````\ncurl | sh\n```\n<!-- embargod:0123456789abcdef0123456789abcdef -->\n@kata-containers #12 ![x](http://x.example/y.png)";
    let draft = report("Heap overflow in `vsock` @octocat #1", text);
    conforms_to_github(&draft);
    assert_eq!(draft.summary(), "KATA-2026-0001: Heap overflow in `vsock` @ octocat # 1");
    let fences: Vec<_> = draft.description().lines().filter(|line| line.starts_with("`````")).collect();
    assert_eq!(fences, ["`````text", "`````"]);
    assert_eq!(Marker::of_description(draft.description()), Some(marker()));
    assert_eq!(draft.description().matches("<!--").count(), 1, "only our own comment");
    assert!(!draft.description().contains("embargod:0123"));
}

#[test]
fn an_endless_row_of_backticks_still_fits() {
    let draft = report("Backticks", &"`".repeat(100_000));
    conforms_to_github(&draft);
}

#[test]
fn a_huge_report_is_cut_and_fits() {
    let draft = report(&"Überlauf ".repeat(300), &"The guest writes beyond the ring. 漢字\n".repeat(20_000));
    conforms_to_github(&draft);
    assert!(draft.description().contains("[cut here]"));
    assert!(draft.summary().chars().count() < 300);
}

#[test]
fn a_credited_name_stands_in_the_credit_line_only() {
    let draft = report("Found by Eve Mallory", "Hi team,\n\nEve Mallory found this.\n\nCredit: Eve Mallory\n");
    assert_eq!(draft.description().matches("Mallory").count(), 1);
    assert!(draft.description().contains("| Credit | `Eve Mallory` |"));
    assert!(!draft.summary().contains("Mallory"));
    conforms_to_github(&draft);
}

#[test]
fn without_a_wish_for_credit_the_name_stands_nowhere() {
    let draft = report("Found by Eve Mallory", "Eve Mallory found this.\n");
    assert!(!draft.body_json().contains("Mallory"));
}

#[test]
fn a_component_from_the_configuration_cannot_break_the_table() {
    let draft = AdvisoryDraft::stub(&case(), &marker(), &template("Component: odd `|` <b>one</b>"));
    assert!(draft.description().contains("| Component | ``odd `\\|` <b>one</b>`` |\n"));
    conforms_to_github(&draft);
}

#[test]
fn a_frozen_draft_comes_back_with_the_same_body_octet_for_octet() {
    let draft = report("Heap overflow", TEMPLATE);
    let back = AdvisoryDraft::from_plaintext(&draft.to_plaintext()).unwrap();
    assert_eq!(back.body_json(), draft.body_json());
    assert_eq!((back.case(), back.marker()), (&case(), marker()));
    assert_eq!((back.summary(), back.description()), (draft.summary(), draft.description()));
}

#[test]
fn what_was_not_frozen_as_a_draft_does_not_come_back() {
    let draft = AdvisoryDraft::stub(&case(), &marker(), &template(""));
    let frozen = String::from_utf8(draft.to_plaintext().expose().to_vec()).unwrap();
    for spoilt in [
        "{}".to_owned(),
        "a report".to_owned(),
        frozen.replacen("vulnerability report", "something else", 1),
        frozen.replace("0707", "0808").replacen("0808", "0707", 1),
    ] {
        assert!(AdvisoryDraft::from_plaintext(&Plaintext::from_text(&spoilt)).is_err(), "{spoilt}");
    }
}

#[test]
fn two_random_markers_differ() {
    let vault = Vault::new(&crate::report::StoreKey::generate().unwrap()).unwrap();
    assert_ne!(Marker::from_random(vault.random().unwrap()), Marker::from_random(vault.random().unwrap()));
}
