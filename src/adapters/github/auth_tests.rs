//! A GitHub App's tokens, against a server that answers as it was told.

use super::script_tests::*;
use super::*;
use crate::ports::AdvisoryDesk;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Validation};

/// A key pair made for this run, in PEM.
pub(super) fn pair() -> (String, String) {
    let openssl = |arguments: &[&str], input: &str| {
        use std::io::Write;
        let mut child = std::process::Command::new("openssl")
            .args(arguments)
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
    };
    // As GitHub gives them out: PKCS #1.
    let secret = openssl(&["genrsa", "-traditional", "2048"], "");
    let public = openssl(&["rsa", "-pubout"], &secret);
    (secret, public)
}

pub(super) fn app(secret: &str) -> Credentials {
    Credentials::App { id: 4711, key: EncodingKey::from_rsa_pem(secret.as_bytes()).unwrap() }
}

fn installation() -> Next {
    says(200, r#"{"id":99,"account":{"login":"kata-containers"},"a_field_of_tomorrow":1}"#)
}

fn token(name: &str, minutes: i64) -> Next {
    let expires = jiff::Timestamp::now() + jiff::SignedDuration::from_mins(minutes);
    says(201, &format!(r#"{{"token":"{name}","expires_at":"{expires:.0}","permissions":{{}}}}"#))
}

fn created() -> Next {
    says(201, &advisory("GHSA-2222-3333-4444", "draft", "2026-11-24T00:00:00Z", "x").to_string())
}

#[tokio::test]
async fn an_app_signs_a_short_statement_and_gets_a_token_for_one_repository_and_one_permission() {
    let (secret, public) = pair();
    let script = Script::of(vec![installation(), token("ghs_one", 60), created(), created()]);
    let desk = script.desk_with(app(&secret));
    desk.create(&draft(1)).await.unwrap();
    desk.create(&draft(2)).await.unwrap();
    let path = "/repos/kata-containers/kata-containers";
    let posts = format!("POST {path}/security-advisories");
    let expected =
        [format!("GET {path}/installation"), "POST /app/installations/99/access_tokens".into(), posts.clone(), posts];
    assert_eq!(script.lines(), expected, "the token is used again");
    let asked = script.asked();
    let wanted: serde_json::Value = serde_json::from_str(&asked[1].body).unwrap();
    let narrow =
        serde_json::json!({ "repositories": ["kata-containers"], "permissions": { "repository_advisories": "write" } });
    assert_eq!(wanted, narrow);
    assert_eq!(asked[2].field("authorization"), "Bearer ghs_one");

    let statement = asked[0].field("authorization").trim_start_matches("Bearer ").to_owned();
    let mut rules = Validation::new(Algorithm::RS256);
    rules.set_required_spec_claims(&["exp", "iss"]);
    let key = DecodingKey::from_rsa_pem(public.as_bytes()).unwrap();
    let claims = jsonwebtoken::decode::<serde_json::Value>(&statement, &key, &rules).unwrap().claims;
    let now = jiff::Timestamp::now().as_second();
    let (iat, exp) = (claims["iat"].as_i64().unwrap(), claims["exp"].as_i64().unwrap());
    assert_eq!(claims["iss"], "4711");
    assert!((now - 70..=now - 55).contains(&iat), "dated back a minute: {iat}");
    assert!(exp - iat <= 600 && exp > now, "ten minutes at most: {}", exp - iat);
}

#[tokio::test]
async fn a_token_near_its_end_is_renewed_before_it_is_used() {
    let (secret, _) = pair();
    let answers = vec![installation(), token("ghs_old", 0), created(), installation(), token("ghs_new", 60), created()];
    let script = Script::of(answers);
    let desk = script.desk_with(app(&secret));
    desk.create(&draft(1)).await.unwrap();
    desk.create(&draft(2)).await.unwrap();
    assert_eq!(script.asked()[5].field("authorization"), "Bearer ghs_new");
}

#[tokio::test]
async fn a_refused_token_of_an_app_is_renewed_once() {
    let (secret, _) = pair();
    let refused = || says(401, r#"{"message":"Bad credentials"}"#);
    let answers =
        vec![installation(), token("ghs_old", 60), refused(), installation(), token("ghs_new", 60), created()];
    let script = Script::of(answers);
    script.desk_with(app(&secret)).create(&draft(1)).await.unwrap();
    assert_eq!(script.asked()[5].field("authorization"), "Bearer ghs_new");

    let answers =
        vec![installation(), token("ghs_old", 60), refused(), installation(), token("ghs_new", 60), refused()];
    let script = Script::of(answers);
    let error = script.desk_with(app(&secret)).create(&draft(1)).await.unwrap_err();
    assert!(matches!(error, DeskError::Refused(_)), "{error:?}");
    assert_eq!(script.asked().len(), 6);
}

#[tokio::test]
async fn what_keeps_an_app_out_is_said_in_words() {
    let (secret, _) = pair();
    let cases = [
        (vec![says(401, "{}")], "advisories.app.key"),
        (vec![says(404, "{}")], "not installed there"),
        (vec![installation(), says(403, r#"{"message":"This installation has been suspended"}"#)], "suspended"),
        (vec![installation(), says(422, "{}")], "read and write"),
    ];
    for (answers, words) in cases {
        let script = Script::of(answers);
        let error = script.desk_with(app(&secret)).create(&draft(1)).await.unwrap_err();
        assert!(matches!(error, DeskError::Refused(_)), "{error:?}");
        assert!(error.to_string().contains(words) && error.to_string().contains("kata-containers"), "{error}");
        assert!(!error.to_string().contains("ghs_"), "{error}");
    }
}

#[tokio::test]
async fn a_lost_answer_about_a_token_opened_no_draft() {
    let (secret, _) = pair();
    for answers in [vec![Next::HangsUp], vec![installation(), Next::HangsUp], vec![installation(), says(502, "")]] {
        let script = Script::of(answers);
        let error = script.desk_with(app(&secret)).create(&draft(1)).await.unwrap_err();
        assert!(matches!(error, DeskError::Temporary(_)), "{error:?}");
    }
}
