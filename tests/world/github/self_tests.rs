//! The fake itself: it answers as GitHub does, and notices what GitHub would refuse.

use super::*;
use serde_json::{Value, json};

pub(super) const KATA: &str = "kata-containers/kata-containers";
pub(super) const TOKEN: &str = "github_pat_11CANARY";

/// A client that does what it is told, and nothing by itself.
pub(super) struct Client<'a> {
    hub: &'a GitHub,
    token: String,
    http: reqwest::Client,
    runtime: tokio::runtime::Runtime,
}

pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) headers: reqwest::header::HeaderMap,
    pub(super) body: Value,
}

impl Answered {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map(|value| value.to_str().unwrap()).unwrap_or_default()
    }

    /// The address of the list's next page.
    fn next(&self) -> Option<String> {
        let next = self.header("link").split(", ").find(|link| link.ends_with("rel=\"next\""))?;
        Some(next.split_once('>').unwrap().0[1..].to_owned())
    }
}

impl<'a> Client<'a> {
    pub(super) fn new(hub: &'a GitHub) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(Duration::from_secs(5))
            .build()
            .unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { hub, token: TOKEN.into(), http, runtime }
    }

    /// The same with another token.
    pub(super) fn with(hub: &'a GitHub, token: &str) -> Self {
        Self { token: token.to_owned(), ..Self::new(hub) }
    }

    /// A request with everything that GitHub wants.
    pub(super) fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.hub.api()) };
        self.http
            .request(method, url)
            .header("user-agent", "self test")
            .header("accept", "application/vnd.github+json")
            .header("x-github-api-version", "2022-11-28")
            .bearer_auth(&self.token)
    }

    /// # Errors
    /// What happened to the connection.
    pub(super) fn send(&self, request: reqwest::RequestBuilder) -> Result<Answered, reqwest::Error> {
        self.runtime.block_on(async {
            let response = request.send().await?;
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            let text = response.text().await?;
            let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
            Ok(Answered { status, headers, body })
        })
    }

    pub(super) fn get(&self, path: &str) -> Answered {
        self.send(self.request("GET", path)).unwrap()
    }

    pub(super) fn post(&self, path: &str, body: &Value) -> Answered {
        self.send(self.request("POST", path).json(body)).unwrap()
    }

    pub(super) fn create(&self, summary: &str) -> Answered {
        self.post(&advisories(), &draft(summary))
    }
}

pub(super) fn advisories() -> String {
    format!("/repos/{KATA}/security-advisories")
}

pub(super) fn draft(summary: &str) -> Value {
    json!({ "summary": summary, "description": "Words.", "vulnerabilities": [] })
}

pub(super) fn hub() -> GitHub {
    GitHub::starts().with_repository(KATA).with_token(TOKEN)
}

#[test]
fn a_draft_is_created_read_listed_and_changed() {
    let hub = hub().with_person("octocat").with_team("kata-containers/vmt");
    let client = Client::new(&hub);
    let mut body = draft("First");
    body["credits"] = json!([{ "login": "octocat", "type": "reporter" }]);
    body["cvss_vector_string"] = json!("CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H");
    body["cwe_ids"] = json!(["CWE-787"]);
    body["vulnerabilities"] = json!([{ "package": { "ecosystem": "other", "name": "runtime" } }]);
    let created = client.post(&advisories(), &body);
    assert_eq!(created.status, 201, "{}", created.body);
    let ghsa = created.body["ghsa_id"].as_str().unwrap();
    assert!(regex::Regex::new("^GHSA(-[23456789cfghjmpqrvwx]{4}){3}$").unwrap().is_match(ghsa), "{ghsa}");
    assert_eq!(created.body["html_url"], format!("https://github.com/{KATA}/security/advisories/{ghsa}"));
    assert_eq!(created.body["state"], "draft");
    assert!(created.body["a_field_of_tomorrow"].is_object(), "answers gain fields");

    let path = format!("{}/{ghsa}", advisories());
    assert_eq!(client.get(&path).body["summary"], "First");
    let share = |users: Value| {
        let body = json!({ "collaborating_teams": ["vmt"], "collaborating_users": users });
        client.send(client.request("PATCH", &path).json(&body)).unwrap()
    };
    assert_eq!(share(json!(["octocat"])).body["collaborating_teams"][0]["slug"], "vmt");
    assert_eq!(share(json!([])).status, 200);
    let drafts = hub.drafts_of(KATA);
    assert_eq!((drafts.len(), drafts[0].teams.len(), drafts[0].users.len()), (1, 1, 0), "what is given replaces");
    assert_eq!(share(json!(["nobody"])).status, 422, "unknown people are refused");
    assert_eq!(client.get(&advisories()).body.as_array().map(Vec::len), Some(1));
    assert_eq!(hub.requests(Kind::Patch).len(), 3);
}

#[test]
fn a_long_list_comes_in_pages_by_cursors_that_the_fake_alone_understands() {
    let hub = hub();
    for number in 0..7 {
        hub.has_draft(KATA, &format!("number {number}"));
    }
    hub.has_published(KATA, "an old one");
    let client = Client::new(&hub);
    let mut page = client.get(&format!("{}?per_page=3&sort=created&direction=desc", advisories()));
    let mut seen = Vec::new();
    loop {
        let items = page.body.as_array().unwrap();
        assert!(items.len() <= 3);
        seen.extend(items.iter().map(|item| item["summary"].as_str().unwrap().to_owned()));
        let Some(next) = page.next() else { break };
        assert!(next.contains("/repositories/") && !next.contains("page=2"), "{next}");
        // What is opened meanwhile does not disturb the pages.
        hub.has_draft(KATA, "meanwhile");
        page = client.get(&next);
    }
    assert_eq!(seen.len(), 8);
    assert_eq!((seen[0].as_str(), seen[7].as_str()), ("an old one", "number 0"), "newest first");
    assert_eq!(client.get(&format!("{}?after=made-up", advisories())).status, 422);
    assert_eq!(client.get(&format!("{}?page=2", advisories())).status, 422);
    assert_eq!(hub.forgives().len(), 2, "invented cursors and page numbers break the rules");
}

#[test]
fn what_breaks_a_rule_is_refused_and_remembered() {
    let hub = hub();
    let client = Client::new(&hub);
    let long = |name: &str, length: usize| {
        let mut body = draft("Words");
        body[name] = "ü".repeat(length).into();
        body
    };
    let with = |name: &str, value: Value| {
        let mut body = draft("Words");
        body[name] = value;
        body
    };
    let mut both = with("severity", json!("high"));
    both["cvss_vector_string"] = json!("CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H");
    let broken = [
        long("summary", 1_025),
        long("description", 65_536),
        both,
        with("labels", json!(["unknown"])),
        with("vulnerabilities", json!([{ "package": { "ecosystem": "cobol", "name": "x" } }])),
        with("vulnerabilities", json!([{ "package": { "ecosystem": "other", "version": "1" } }])),
        with("cwe_ids", json!(["787"])),
        with("cvss_vector_string", json!("AV:N")),
        json!({ "summary": "no description", "vulnerabilities": [] }),
    ];
    for body in &broken {
        let answered = client.post(&advisories(), body);
        assert_eq!(answered.status, 422, "{}", answered.body);
        assert_eq!(hub.forgives().len(), 1, "{}", answered.body);
    }
    for sound in [long("summary", 1_024), long("description", 65_535), with("severity", Value::Null)] {
        assert_eq!(client.post(&advisories(), &sound).status, 201);
    }
    assert_eq!(client.get("/repos/a/b/issues").status, 404, "a path that is not described");
    assert_eq!(client.post(&format!("{}/GHSA-x", advisories()), &json!({})).status, 404, "nor such a method");
    assert_eq!(hub.forgives().len(), 2);
    assert_eq!(hub.drafts_of(KATA).len(), 3);
}

#[test]
fn a_request_without_what_github_wants_to_know_is_remembered() {
    let hub = hub();
    let client = Client::new(&hub);
    for missing in ["accept", "x-github-api-version", "user-agent", "authorization"] {
        let mut request = client.request("GET", &advisories()).build().unwrap();
        request.headers_mut().remove(missing);
        let status = client.runtime.block_on(async { client.http.execute(request).await }).unwrap().status();
        let violations = hub.forgives();
        assert_eq!(violations.len(), 1, "{missing}: {status}, {violations:?}");
    }
    let unknown = client.request("GET", &advisories());
    let request = unknown.build().map(|mut request| {
        request.headers_mut().insert("x-github-api-version", "2019-01-01".parse().unwrap());
        request
    });
    let status = client.runtime.block_on(async { client.http.execute(request.unwrap()).await }).unwrap().status();
    assert_eq!((status.as_u16(), hub.forgives().len()), (400, 1));
}

#[test]
fn a_token_sees_and_does_what_it_may() {
    let hub = hub();
    hub.has_draft(KATA, "secret");
    hub.has_published(KATA, "known to all");
    let client = Client::new(&hub);
    for (access, listed, created) in [
        (Access::None, (404, 0), 404),
        (Access::Public, (200, 1), 403),
        (Access::Read, (200, 2), 403),
        (Access::Write, (200, 2), 201),
        (Access::Admin, (200, 3), 201),
    ] {
        hub.allows(TOKEN, KATA, access);
        let list = client.get(&advisories());
        assert_eq!((list.status, list.body.as_array().map_or(0, Vec::len)), listed, "{access:?}");
        assert_eq!(client.create("new").status, created, "{access:?}");
        let repository = client.get(&format!("/repos/{KATA}"));
        assert_eq!(repository.status, if access == Access::None { 404 } else { 200 });
        assert_eq!(repository.body["permissions"]["admin"] == true, access == Access::Admin);
    }
    hub.hides_drafts_from(TOKEN, true);
    assert_eq!(client.get(&advisories()).body.as_array().map(Vec::len), Some(1), "drafts are hidden");
    assert_eq!(client.get("/repos/kata-containers/other").status, 404);
    let stranger = Client::with(&hub, "unknown");
    assert_eq!(stranger.get(&advisories()).status, 401);
}

#[test]
fn people_teams_limits_and_the_tokens_end_can_be_asked_for() {
    let hub = hub().with_person("octocat").with_team("kata-containers/vmt");
    let client = Client::new(&hub);
    assert_eq!(client.get("/user").body["login"], "vmt-bot");
    assert_eq!(client.get("/users/octocat").status, 200);
    assert_eq!(client.get("/users/nobody").status, 404);
    assert_eq!(client.get("/orgs/kata-containers/teams/vmt").status, 200);
    assert_eq!(client.get("/orgs/kata-containers/teams/none").status, 404);
    assert_eq!(client.get("/rate_limit").body["resources"]["core"]["remaining"], 4_995);
    assert_eq!(client.get("/user").header("github-authentication-token-expiration"), "");
    hub.token_ends_in(TOKEN, Duration::from_secs(3_600));
    let end = client.get("/user").header("github-authentication-token-expiration").to_owned();
    assert!(end.ends_with(" UTC") && end.starts_with("20"), "{end}");
    hub.time_passes(Duration::from_secs(3_601));
    assert_eq!(client.get("/user").status, 401, "it has ended");
}

#[test]
fn a_renamed_repository_is_redirected_and_one_without_advisories_says_so() {
    let hub = hub();
    let client = Client::new(&hub);
    hub.renames(KATA, "kata-containers/renamed");
    let moved = client.get(&format!("{}?per_page=5", advisories()));
    assert_eq!(moved.status, 301);
    assert!(
        moved.header("location").starts_with(&format!("{}/repositories/", hub.api())),
        "{moved:?}",
        moved = moved.body
    );
    assert_eq!(client.create("moved").status, 307);
    assert_eq!(client.get(moved.header("location")).status, 200, "it is there");
    hub.switches_advisories_off("kata-containers/renamed", 404);
    assert_eq!(client.get("/repos/kata-containers/renamed/security-advisories").status, 404);
    assert_eq!(client.get("/repos/kata-containers/renamed").status, 200);
    hub.switches_advisories_on("kata-containers/renamed").archives("kata-containers/renamed");
    let created = client.post("/repos/kata-containers/renamed/security-advisories", &draft("read-only"));
    assert_eq!(created.status, 403);
}

#[test]
fn an_answer_that_is_not_as_described_would_be_noticed() {
    let description = description::Description::get();
    let operation = description.operation("POST", &advisories()).unwrap();
    let hub = hub();
    let mut body = Client::new(&hub).create("as described").body;
    let faults = |status, body: &Value| description.faults_of_answer(&operation, status, body).len();
    assert_ne!(faults(201, &body), 0, "a field of tomorrow is none of today's");
    body.as_object_mut().unwrap().remove("a_field_of_tomorrow");
    assert_eq!(faults(201, &body), 0);
    assert_ne!(faults(200, &body), 0, "no such status");
    body["state"] = "open".into();
    assert_ne!(faults(201, &body), 0, "no such state");
}

#[test]
fn the_cut_is_of_the_version_that_its_provenance_names() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/github");
    let text = |name: &str| std::fs::read_to_string(format!("{folder}/{name}")).unwrap();
    let cut: Value = serde_json::from_str(&text("advisories.openapi.json")).unwrap();
    let version = cut["info"]["version"].as_str().unwrap();
    assert!(text("PROVENANCE.md").contains(&format!("version {version},")), "{version}");
}
