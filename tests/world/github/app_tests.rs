//! Apps in the fake: whose signature counts, how long tokens live, what they are restricted to.

use super::self_tests::{Client, KATA, advisories, draft};
use super::*;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

const RUNTIME: &str = "kata-containers/runtime";

fn hub() -> GitHub {
    GitHub::starts().with_repository(KATA).with_repository(RUNTIME).with_app(123, &[KATA, RUNTIME])
}

fn signed(key: &str, claims: &Value) -> String {
    let key = EncodingKey::from_rsa_pem(key.as_bytes()).unwrap();
    jsonwebtoken::encode(&Header::new(Algorithm::RS256), claims, &key).unwrap()
}

fn claims(issued: i64, expires: i64, issuer: impl Into<Value>) -> Value {
    let now = jiff::Timestamp::now().as_second();
    json!({ "iat": now + issued, "exp": now + expires, "iss": issuer.into() })
}

fn app(hub: &GitHub, claims: &Value) -> u16 {
    let client = Client::with(hub, &signed(GitHub::app_key(), claims));
    client.get("/app").status
}

#[test]
fn an_apps_word_counts_only_with_its_signature_and_in_its_time() {
    let hub = hub();
    assert_eq!(app(&hub, &claims(-60, 540, "123")), 200);
    assert_eq!(app(&hub, &claims(-60, 540, 123)), 200);
    for (wrong, why) in [
        (claims(-60, 660, "123"), "more than ten minutes"),
        (claims(30, 540, "123"), "issued in the future"),
        (claims(-700, -100, "123"), "expired"),
        (claims(-60, 540, "124"), "another App"),
    ] {
        assert_eq!(app(&hub, &wrong), 401, "{why}");
    }
    let forged = signed(&GitHub::foreign_key(), &claims(-60, 540, "123"));
    assert_eq!(Client::with(&hub, &forged).get("/app").status, 401);
}

#[test]
fn an_installation_token_covers_what_was_asked_for_and_ends() {
    let hub = hub();
    hub.installation_tokens_live(Duration::from_secs(600));
    let jwt = signed(GitHub::app_key(), &claims(-60, 540, "123"));
    let client = Client::with(&hub, &jwt);
    assert_eq!(client.get(&advisories()).status, 401, "a JWT opens nothing but what belongs to Apps");
    let installation = client.get(&format!("/repos/{KATA}/installation"));
    assert_eq!(installation.body["app_id"], 123);
    assert_eq!(client.get("/repos/kata-containers/elsewhere/installation").status, 404);
    let path = format!("/app/installations/{}/access_tokens", installation.body["id"]);
    let wanted = json!({ "repositories": ["kata-containers"], "permissions": { "repository_advisories": "write" } });
    let made = client.post(&path, &wanted);
    assert_eq!(made.status, 201, "{}", made.body);
    let end: jiff::Timestamp = made.body["expires_at"].as_str().unwrap().parse().unwrap();
    assert!(end > jiff::Timestamp::now());

    let installed = Client::with(&hub, made.body["token"].as_str().unwrap());
    assert_eq!(installed.create("by an App").status, 201);
    let other = installed.post(&format!("/repos/{RUNTIME}/security-advisories"), &draft("no"));
    assert_eq!(other.status, 404, "it is restricted");
    assert_eq!(installed.get("/user").status, 403);
    let grant = &hub.grants()[0];
    assert_eq!(grant.repositories.as_deref(), Some(&["kata-containers".to_owned()][..]));
    hub.time_passes(Duration::from_secs(601));
    assert_eq!(installed.create("too late").status, 401);

    for too_much in [json!({ "repositories": ["secret"] }), json!({ "permissions": { "contents": "write" } })] {
        assert_eq!(client.post(&path, &too_much).status, 422);
    }
    assert_eq!(client.post(&path, &json!({ "permission": {} })).status, 422);
    assert_eq!(hub.forgives().len(), 1, "an unknown field");
    hub.app_may(123, "read");
    assert_eq!(client.post(&path, &wanted).status, 422);
    hub.suspends_apps();
    assert_eq!(client.post(&path, &json!({})).status, 403);
}
