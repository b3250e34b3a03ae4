//! Drafts at GitHub when all goes well: what is opened, where, what GitHub hears, and what the members are told.

use crate::world::canaries::none_in;
use crate::world::github::SERVER_CANARY;
use crate::world::*;
use std::time::Duration;

pub(crate) const KATA: &str = "kata-containers/kata-containers";
pub(crate) const RUNTIME: &str = "kata-containers/runtime";
pub(crate) const TOKEN: &str = "github_pat_11CANARYTOKEN0123456789";

/// A time that GitHub wants the gateway to wait.
pub(crate) const SHORT: Duration = Duration::from_secs(5);
/// More than that.
pub(crate) const LONG: Duration = Duration::from_secs(120);

pub(crate) fn hub() -> GitHub {
    GitHub::starts().with_repository(KATA).with_token(TOKEN)
}

/// Something that somebody can mend, and what the admins are told of it meanwhile.
pub(crate) struct Trouble {
    pub(crate) begins: fn(&World, &GitHub),
    pub(crate) ends: fn(&World, &GitHub),
    pub(crate) says: &'static str,
}

/// The drafts of a case.
pub(crate) fn drafts_of(hub: &GitHub, case: &str) -> Vec<github::Draft> {
    let mut drafts = hub.advisories_of(KATA);
    drafts.retain(|draft| draft.summary.contains(case));
    drafts
}

/// Everything that reached GitHub, and everything that the gateway wrote, without a word about the reporter or a secret.
pub(crate) fn nothing_leaked(world: &World, hub: &GitHub, eve: &Actor, words: &[&str]) {
    let heard = hub.heard();
    let all = [eve.address.as_str(), "Eve Canaryname", &eve.fingerprint, "messageidcanary", TOKEN];
    for text in all.iter().chain(words) {
        none_in("what GitHub heard", &heard, text);
    }
    for text in [TOKEN, SERVER_CANARY].iter().chain(words) {
        world.nothing_outside_contains(text);
    }
    world.nothing_outside_but_answers_to(eve, &eve.address);
}

#[test]
fn a_report_opens_one_draft_and_the_copies_say_where() {
    for database in Database::BOTH {
        let hub = hub();
        let world = World::of_three().on(database).at(&hub, KATA, TOKEN).start();
        let eve = world.reporter("eve");
        let mail = report().from(&eve).encrypted().signed().with_key_attached().about("Canarysubject");
        let mail = mail.saying("Canarywords about a heap overflow");
        world.gateway.receives(mail.attaching("canaryname.bin", "application/octet-stream", b"canarybytes"));
        world.gateway.runs_once();
        let drafts = hub.drafts_of(KATA);
        let [draft] = drafts.as_slice() else { panic!("{} drafts", drafts.len()) };
        for name in ["alice", "bob", "carol"] {
            let copy = world.members.copy_of(name, "Canarywords");
            assert_eq!(copy.says("Advisory"), draft.link, "{name}");
            assert!(draft.summary.contains(copy.case()));
        }
        let fields: Vec<_> = draft.body.as_object().unwrap().keys().cloned().collect();
        assert_eq!(fields, ["description", "summary", "vulnerabilities"], "a stub holds nothing else");
        assert!(draft.description.lines().last().unwrap().starts_with("<!-- embargod:"), "{}", draft.description);
        assert_eq!(hub.requests(Kind::Create).len(), 1);
        assert_eq!(hub.requests(Kind::Create)[0].token(), Some(TOKEN));
        world.outbox_is_empty();
        nothing_leaked(&world, &hub, &eve, &["Canarywords", "Canarysubject", "canaryname.bin", "canarybytes"]);
    }
}

#[test]
fn the_directory_shows_the_very_body_that_github_gets() {
    let hub = hub().with_person("octocat");
    let text = "Component: runtime\nAffected: >= 3.0.0, < 3.2.1\nCWE: CWE-787\nCredit: @octocat\n\
                CVSS: CVSS:3.1/AV:L/AC:L/PR:L/UI:N/S:C/C:H/I:H/A:H\n\nSecret prose that stays here.\n";
    let without_marker = |text: &str| text.lines().filter(|line| !line.contains("embargod:")).collect::<String>();
    let bodies = [None, Some(&hub)].map(|hub| {
        let plan = World::new().members(["alice"]).with(|settings| settings.content = "report");
        let world = match hub {
            Some(hub) => plan.at(hub, KATA, TOKEN),
            None => plan,
        }
        .start();
        let eve = world.reporter("eve");
        world.gateway.receives(report().from(&eve).encrypted().about("Virtqueue write").saying(text));
        world.gateway.runs_once();
        match hub {
            Some(hub) => hub.drafts_of(KATA).remove(0).body,
            None => world.drafts().remove(0).1,
        }
    });
    for field in ["summary", "vulnerabilities", "cwe_ids", "credits", "cvss_vector_string"] {
        assert_eq!(bodies[0][field], bodies[1][field], "{field}");
        assert!(!bodies[1][field].is_null(), "{field} reaches GitHub");
    }
    let text = |body: &serde_json::Value| without_marker(body["description"].as_str().unwrap());
    assert_eq!(text(&bodies[0]), text(&bodies[1]));
}

#[test]
fn with_report_content_github_hears_the_text_and_nothing_of_who_wrote_it() {
    let hub = hub();
    let world = World::of_three().with(|settings| settings.content = "report").at(&hub, KATA, TOKEN).start();
    let eve = world.reporter("eve");
    let text = format!(
        "A guest can write past the virtqueue.\n\nCall me: +49 30 1234567, {}\n-- \nEve Canaryname\n",
        eve.address
    );
    let mail = report().from(&eve).encrypted().signed().with_key_attached().about("Virtqueue write").saying(&text);
    world.gateway.receives(mail.attaching("private-poc.bin", "application/octet-stream", b"canarybytes"));
    world.gateway.runs_once();
    let draft = hub.drafts_of(KATA).remove(0);
    assert!(draft.description.contains("A guest can write past the virtqueue."), "{}", draft.description);
    assert!(draft.summary.contains("Virtqueue write"));
    nothing_leaked(&world, &hub, &eve, &["+49 30 1234567", "private-poc", "canarybytes"]);
    none_in("what GitHub heard", &hub.heard(), "BEGIN PGP");
}

#[test]
fn a_slow_github_holds_no_copy_back_and_the_link_follows_as_a_notice() {
    let hub = hub();
    hub.fails_next(Kind::Create, Fault::Slow(Duration::from_secs(10)));
    let world = World::new().members(["alice", "bob"]).at(&hub, KATA, TOKEN).start();
    let eve = world.reporter("eve");
    let daemon = world.gateway.starts();
    world.gateway.receives(report().from(&eve).encrypted().saying("slow at GitHub"));
    let soon = Duration::from_secs(20);
    wait_until("the draft is asked for", soon, || !hub.drafts_of(KATA).is_empty());
    let asked = std::time::Instant::now();
    wait_until("the copies go out", soon, || world.members.copies_of("bob", "slow at GitHub").len() == 1);
    assert!(asked.elapsed() < Duration::from_secs(9), "{:?}", asked.elapsed());
    for name in ["alice", "bob"] {
        wait_until("each has one", soon, || world.members.copies_of(name, "slow at GitHub").len() == 1);
        assert_eq!(world.members.copy_of(name, "slow at GitHub").says("Advisory"), "pending");
    }
    let link = hub.drafts_of(KATA).remove(0).link;
    for name in ["alice", "bob"] {
        wait_until("the link follows", soon, || !world.members.copies_of(name, &link).is_empty());
        let notice = world.members.copy_of(name, &link);
        assert_eq!(notice.says("Kind"), "notice");
        assert_eq!(notice.case(), world.members.copy_of(name, "slow at GitHub").case());
    }
    assert_eq!(daemon.terminates().0, Some(0));
    assert_eq!(hub.drafts_of(KATA).len(), 1);
    assert_eq!(hub.requests(Kind::Create).len(), 1);
}

#[test]
fn a_github_that_answers_at_once_is_waited_for() {
    let hub = hub();
    hub.fails_next(Kind::Create, Fault::Slow(Duration::from_secs(2)));
    let world = World::new().members(["alice"]).at(&hub, KATA, TOKEN).start();
    let eve = world.reporter("eve");
    let daemon = world.gateway.starts();
    world.gateway.receives(report().from(&eve).encrypted().saying("fast enough"));
    wait_until("the copy goes out", Duration::from_secs(20), || {
        !world.members.copies_of("alice", "fast enough").is_empty()
    });
    assert_eq!(world.members.copy_of("alice", "fast enough").says("Advisory"), hub.drafts_of(KATA)[0].link);
    assert_eq!(daemon.terminates().0, Some(0));
}

#[test]
fn a_reply_opens_no_draft() {
    let hub = hub();
    let world = World::new().members(["alice"]).at(&hub, KATA, TOKEN).start();
    let eve = world.reporter("eve");
    world.gateway.receives(report().from(&eve).encrypted().saying("the first word"));
    world.gateway.runs_once();
    let case = world.members.copy_of("alice", "the first word").case().to_owned();
    let reply = report().from(&eve).encrypted().about(&format!("Re: [{case}] more")).saying("one word more");
    let acknowledgement = world.mails_to(&eve.address).remove(0);
    let id = String::from_utf8_lossy(&acknowledgement);
    let id = id.lines().find_map(|line| line.strip_prefix("Message-ID: ")).unwrap().trim();
    world.gateway.receives(reply.header(&format!("In-Reply-To: {id}")));
    world.gateway.runs_once();
    assert_eq!(world.members.copy_of("alice", "one word more").case(), case);
    assert_eq!(hub.drafts_of(KATA).len(), 1);
}

#[test]
fn an_alias_or_a_component_sends_a_draft_to_its_own_repository() {
    const AGENT: &str = "kata-containers/agent";
    let alias = "vmt+runtime@katacontainers.example";
    let hub = hub().with_repository(RUNTIME).with_repository(AGENT);
    let world = World::new().members(["alice"]).at(&hub, KATA, TOKEN).with(move |settings| {
        settings.aliases = vec![alias.into()];
        settings.github().routes = vec![(alias.into(), RUNTIME.into()), ("Component: agent".into(), AGENT.into())];
    });
    let world = world.start();
    let eve = world.reporter("eve");
    let to_alias = || report().from(&eve).to(alias).encrypted();
    world.gateway.receives(to_alias().saying("by alias"));
    world.gateway.receives(report().from(&eve).encrypted().saying("Component: agent\n\nby component"));
    world.gateway.receives(to_alias().saying("Component: agent\n\nby both"));
    world.gateway.receives(report().from(&eve).encrypted().saying("Component: runtime\n\nby nothing"));
    world.gateway.runs_once();
    for (text, repository) in
        [("by alias", RUNTIME), ("by component", AGENT), ("by both", RUNTIME), ("by nothing", KATA)]
    {
        let copy = world.members.copy_of("alice", text);
        let there = hub.drafts_of(repository);
        let found = there.iter().find(|draft| draft.summary.contains(copy.case()));
        let draft = found.unwrap_or_else(|| panic!("{text}: not in {repository}"));
        assert_eq!(copy.says("Advisory"), draft.link, "{text}");
    }
    let counts = [KATA, RUNTIME, AGENT].map(|repository| hub.drafts_of(repository).len());
    assert_eq!(counts, [1, 2, 1], "the first route that matches wins");
}

#[test]
fn beyond_the_hourly_cap_github_hears_nothing_until_an_admin_says_so() {
    let hub = hub();
    let world =
        World::new().members(["alice"]).at(&hub, KATA, TOKEN).with(|settings| settings.max_per_hour = 2).start();
    let eve = world.reporter("eve");
    for number in 0..4 {
        world.gateway.receives(report().from(&eve).encrypted().saying(&format!("capped number {number};")));
    }
    world.gateway.runs_once_and_leaves_work();
    for number in 0..4 {
        world.members.each_can_read(&format!("capped number {number};"));
    }
    assert_eq!((hub.drafts_of(KATA).len(), hub.requests(Kind::Create).len()), (2, 2));
    let rows = world.gateway.lists(&["queue", "list"]);
    let capped: Vec<_> = rows.iter().filter(|row| row["why"] == "capped").collect();
    assert_eq!(capped.len(), 2);
    world.gateway.does(&["queue", "retry", capped[0]["id"].as_str().unwrap()]).ends_with(0);
    world.gateway.runs_once_and_leaves_work();
    assert_eq!(hub.drafts_of(KATA).len(), 3);
}
