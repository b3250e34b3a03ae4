//! GitHub refuses, fails or limits: in the end there is one draft, or none and the admins know; the copies go out whatever happens.

use crate::github::*;
use crate::world::*;

/// A world, and a report whose draft meets a fault.
struct Trial<'a> {
    world: &'a World,
    hub: &'a GitHub,
    eve: &'a Actor,
}

impl Trial<'_> {
    /// A report arrives, GitHub has a fault, the gateway runs; the case.
    fn meets(&self, fault: &Fault, text: &str) -> String {
        self.hub.works_again().fails_next(Kind::Create, fault.clone());
        self.world.gateway.receives(report().from(self.eve).encrypted().saying(text));
        self.world.gateway.does(&["run", "--once"]);
        self.world.members.each_can_read(text);
        self.world.members.copy_of("alice", text).case().to_owned()
    }

    /// So much later, so many times.
    fn later(&self, times: usize) {
        for _ in 0..times {
            self.hub.time_passes(LONG);
            self.world.everything_is_due();
            self.world.gateway.does(&["run", "--once"]);
        }
    }

    fn creations(&self, case: &str) -> usize {
        let asked = self.hub.requests(Kind::Create);
        asked
            .iter()
            .filter(|request| request.json()["summary"].as_str().is_some_and(|text| text.contains(case)))
            .count()
    }
}

/// A world in which one draft was opened already, so that lists can be believed.
fn with_one_draft(hub: &GitHub) -> (World, Actor) {
    let world = World::new().members(["alice", "bob"]).at(hub, KATA, TOKEN);
    let world = world.with(|settings| settings.admins = vec!["bob@example.org".into()]).start();
    let eve = world.reporter("eve");
    world.gateway.receives(report().from(&eve).encrypted().saying("the very first"));
    world.gateway.runs_once();
    assert_eq!(hub.drafts_of(KATA).len(), 1);
    (world, eve)
}

#[test]
fn a_refusal_that_somebody_can_mend_waits_and_is_told_to_the_admins() {
    let hub = hub();
    let (world, eve) = with_one_draft(&hub);
    let trial = Trial { world: &world, hub: &hub, eve: &eve };
    for status in [401, 403, 404] {
        let text = format!("refused with {status};");
        let case = trial.meets(&Fault::Status(status), &text);
        assert!(drafts_of(&hub, &case).is_empty());
        assert_eq!(trial.creations(&case), 1, "it is not sent again at once");
        let told = |name: &str| world.members.copies_of(name, &format!("({status})")).len();
        world.gateway.does(&["run", "--once"]);
        assert_eq!((told("alice"), told("bob")), (0, 1), "{status}");
        trial.later(1);
        assert_eq!((drafts_of(&hub, &case).len(), trial.creations(&case)), (1, 2), "{status}");
        let link = drafts_of(&hub, &case)[0].link.clone();
        trial.later(1);
        world.members.each_can_read(&link);
        world.outbox_is_empty();
    }
    nothing_leaked(&world, &hub, &eve, &[]);
}

#[test]
fn a_draft_that_github_finds_invalid_is_final_and_told() {
    let hub = hub();
    let (world, eve) = with_one_draft(&hub);
    let trial = Trial { world: &world, hub: &hub, eve: &eve };
    let case = trial.meets(&Fault::Status(422), "invalid;");
    trial.later(3);
    assert!(drafts_of(&hub, &case).is_empty());
    assert_eq!(trial.creations(&case), 1, "it is never sent again by itself");
    let notice = world.members.copy_of("bob", "(422)");
    assert!(notice.shows("queue retry"), "{}", notice.statement_text);
    let rows = world.gateway.lists(&["queue", "list"]);
    let row = rows.iter().find(|row| row["kind"] == "draft").expect("the admins find it");
    world.gateway.does(&["queue", "retry", row["id"].as_str().unwrap()]).ends_with(0);
    world.gateway.runs_once();
    assert_eq!(drafts_of(&hub, &case).len(), 1, "an admin's word sends it once more");
    nothing_leaked(&world, &hub, &eve, &[]);
}

#[test]
fn a_credit_for_nobody_costs_the_draft_and_not_the_copies() {
    let hub = hub();
    let world = World::new().members(["alice"]).at(&hub, KATA, TOKEN).start();
    let eve = world.reporter("eve");
    world.gateway.receives(report().from(&eve).encrypted().saying("Credit: @no-such-user\n\ncredited to nobody"));
    world.gateway.does(&["run", "--once"]);
    world.members.each_can_read("credited to nobody");
    world.gateway.does(&["run", "--once"]);
    world.members.copy_of("alice", "credits");
    assert!(hub.drafts_of(KATA).is_empty());
}

#[test]
fn limits_are_waited_out_and_then_the_draft_is_opened_once() {
    let hub = hub();
    let (world, eve) = with_one_draft(&hub);
    let trial = Trial { world: &world, hub: &hub, eve: &eve };
    for (number, fault) in [
        Fault::SecondaryLimit { status: 403, retry_after: Some(SHORT) },
        Fault::SecondaryLimit { status: 429, retry_after: Some(SHORT) },
        Fault::SecondaryLimit { status: 403, retry_after: None },
        Fault::PrimaryLimit { status: 403, resets_in: SHORT },
        Fault::PrimaryLimit { status: 429, resets_in: SHORT },
    ]
    .into_iter()
    .enumerate()
    {
        let case = trial.meets(&fault, &format!("limited {number};"));
        assert!(drafts_of(&hub, &case).is_empty(), "{fault:?}");
        // Its time has not come: nothing is sent.
        world.gateway.runs_once_and_leaves_work();
        assert_eq!(trial.creations(&case), 1, "{fault:?}");
        trial.later(1);
        assert_eq!((drafts_of(&hub, &case).len(), trial.creations(&case)), (1, 2), "{fault:?}");
        assert!(hub.requests(Kind::List).is_empty(), "nothing is unknown, so nothing is looked for");
    }
}

#[test]
fn a_daemon_keeps_still_for_as_long_as_github_says() {
    let hub = hub();
    let wait = std::time::Duration::from_secs(4);
    hub.fails_next(Kind::Create, Fault::SecondaryLimit { status: 403, retry_after: Some(wait) });
    let world = World::new().members(["alice"]).at(&hub, KATA, TOKEN).start();
    let eve = world.reporter("eve");
    let daemon = world.gateway.starts();
    for number in 0..3 {
        world.gateway.receives(report().from(&eve).encrypted().saying(&format!("patient {number};")));
    }
    wait_until("all drafts are open", std::time::Duration::from_secs(60), || hub.drafts_of(KATA).len() == 3);
    assert_eq!(daemon.terminates().0, Some(0));
    let asked = hub.requests(Kind::Create);
    let first_refused = asked.iter().find(|request| request.status == Some(403)).unwrap().at;
    let after = asked.iter().filter(|request| request.at > first_refused).map(|request| request.at);
    // Those that were under way already were sent before anybody knew.
    let early = after.filter(|at| at.duration_since(first_refused) < jiff::SignedDuration::from_secs(4));
    assert!(
        early.clone().all(|at| at.duration_since(first_refused).as_millis() < 500),
        "{:?}",
        early.collect::<Vec<_>>()
    );
    hub.forgives();
}

#[test]
fn redirects_are_not_followed_and_the_draft_waits() {
    let hub = hub();
    let (world, eve) = with_one_draft(&hub);
    let trial = Trial { world: &world, hub: &hub, eve: &eve };
    for status in [301, 302, 307, 308] {
        let case = trial.meets(&Fault::Redirect(status), &format!("redirected {status};"));
        assert!(hub.strayed().is_empty(), "{status}");
        trial.later(1);
        assert_eq!(drafts_of(&hub, &case).len(), 1, "{status}");
    }
    let renamed = "kata-containers/renamed";
    hub.works_again().renames(KATA, renamed);
    world.gateway.receives(report().from(&eve).encrypted().saying("renamed;"));
    world.gateway.runs_once_and_leaves_work();
    world.gateway.does(&["run", "--once"]);
    assert!(!world.members.copies_of("bob", "has moved (307)").is_empty(), "the admins are told");
    world.reconfigure(|settings| settings.github().repository = renamed.into());
    world.everything_is_due();
    world.gateway.does(&["run", "--once"]).ends_with(0);
    let case = world.members.copy_of("alice", "renamed;").case().to_owned();
    let there = hub.drafts_of(renamed);
    assert_eq!(there.iter().filter(|draft| draft.summary.contains(&case)).count(), 1);
}

#[test]
fn a_repository_without_advisories_or_a_token_without_permission_is_told_in_words() {
    let hub = hub();
    let (world, eve) = with_one_draft(&hub);
    let trial = Trial { world: &world, hub: &hub, eve: &eve };
    let troubles = [
        Trouble {
            begins: |_, hub| _ = hub.switches_advisories_off(KATA, 404),
            ends: |_, hub| _ = hub.switches_advisories_on(KATA),
            says: "(404)",
        },
        Trouble {
            begins: |_, hub| _ = hub.switches_advisories_off(KATA, 403),
            ends: |_, hub| _ = hub.switches_advisories_on(KATA),
            says: "(403)",
        },
        Trouble {
            begins: |_, hub| _ = hub.allows(TOKEN, KATA, Access::Public),
            ends: |_, hub| _ = hub.allows(TOKEN, KATA, Access::Write),
            says: "Repository security advisories: read and write",
        },
        Trouble {
            begins: |_, hub| _ = hub.allows(TOKEN, KATA, Access::None),
            ends: |_, hub| _ = hub.allows(TOKEN, KATA, Access::Admin),
            says: "give the token access to this repository",
        },
    ];
    for (number, Trouble { begins, ends, says }) in troubles.into_iter().enumerate() {
        begins(&world, &hub);
        let text = format!("not allowed {number};");
        world.gateway.receives(report().from(&eve).encrypted().saying(&text));
        world.gateway.runs_once_and_leaves_work();
        world.gateway.does(&["run", "--once"]);
        world.members.each_can_read(&text);
        assert!(!world.members.copies_of("bob", says).is_empty(), "the admins read {says}");
        ends(&world, &hub);
        trial.later(1);
        let case = world.members.copy_of("alice", &text).case().to_owned();
        assert_eq!(drafts_of(&hub, &case).len(), 1, "{says}");
    }
}

#[test]
fn a_new_token_takes_over_by_a_reload() {
    let hub = hub().with_token("github_pat_of_the_next_year");
    hub.token_ends_in(TOKEN, SHORT).time_passes(LONG);
    let world = World::new().members(["alice"]).at(&hub, KATA, TOKEN).start();
    let eve = world.reporter("eve");
    let daemon = world.gateway.starts();
    let soon = std::time::Duration::from_secs(20);
    world.gateway.receives(report().from(&eve).encrypted().saying("with an old token;"));
    wait_until("the admins are told", soon, || !world.members.copies_of("alice", "advisories.token").is_empty());
    assert!(hub.drafts_of(KATA).is_empty());
    world.reconfigure(|settings| settings.github().secret = "github_pat_of_the_next_year\n".into());
    daemon.reloads();
    wait_until("the draft is open", soon, || {
        world.everything_is_due();
        hub.drafts_of(KATA).len() == 1
    });
    wait_until("the link follows", soon, || !world.members.copies_of("alice", &hub.drafts_of(KATA)[0].link).is_empty());
    assert_eq!(daemon.terminates().0, Some(0));
    world.nothing_outside_contains("github_pat_of_the_next_year");
}
