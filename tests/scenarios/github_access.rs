//! Who sees a draft: teams and users are given access in a second call, which may fail and recovers.

use crate::github::*;
use crate::world::*;

/// A world whose drafts are shared with the team `vmt` and the user `octocat`.
fn sharing(hub: &GitHub) -> World {
    let plan = World::new().members(["alice", "bob"]).at(hub, KATA, TOKEN);
    let plan = plan.with(|settings| {
        settings.admins = vec!["bob@example.org".into()];
        settings.github().teams = vec!["vmt".into()];
        settings.github().users = vec!["octocat".into()];
    });
    plan.start()
}

fn access(hub: &GitHub) -> Vec<(Vec<String>, Vec<String>)> {
    hub.drafts_of(KATA).into_iter().map(|draft| (draft.teams, draft.users)).collect()
}

fn shared() -> (Vec<String>, Vec<String>) {
    (vec!["vmt".into()], vec!["octocat".into()])
}

#[test]
fn the_configured_teams_and_users_get_access_to_each_draft() {
    let hub = hub().with_person("octocat").with_team("kata-containers/vmt");
    let world = sharing(&hub);
    let eve = world.reporter("eve");
    for number in 0..3 {
        world.gateway.receives(report().from(&eve).encrypted().saying(&format!("shared number {number};")));
    }
    world.gateway.runs_once();
    assert_eq!(access(&hub), vec![shared(); 3]);
    world.outbox_is_empty();
    nothing_leaked(&world, &hub, &eve, &[]);
}

#[test]
fn access_that_somebody_gave_by_hand_stays() {
    let hub = hub().with_person("octocat").with_person("mona").with_team("kata-containers/vmt");
    hub.fails_next(Kind::Get, Fault::Status(502)).fails_next(Kind::Patch, Fault::Status(502));
    let world = sharing(&hub);
    let eve = world.reporter("eve");
    world.gateway.receives(report().from(&eve).encrypted().saying("shared by hand"));
    world.gateway.runs_once_and_leaves_work();
    let draft = hub.drafts_of(KATA).remove(0);
    hub.shares(KATA, &draft.ghsa, "mona");
    world.everything_is_due();
    world.gateway.runs_once_and_leaves_work();
    world.everything_is_due();
    world.gateway.runs_once();
    let (teams, mut users) = access(&hub).remove(0);
    users.sort();
    assert_eq!((teams, users), (vec!["vmt".to_owned()], vec!["mona".to_owned(), "octocat".to_owned()]));
}

#[test]
fn a_second_call_that_fails_costs_neither_the_draft_nor_a_copy_and_is_made_up_for() {
    let hub = hub().with_person("octocat").with_team("kata-containers/vmt");
    let world = sharing(&hub);
    let eve = world.reporter("eve");
    let faults = [
        Fault::Status(401),
        Fault::Status(403),
        Fault::Status(404),
        Fault::Status(500),
        Fault::AfterCreation(502),
        Fault::Reset,
        Fault::ResetAfterCreation,
        Fault::Garbage,
        Fault::SecondaryLimit { status: 403, retry_after: Some(SHORT) },
        Fault::Redirect(302),
    ];
    for (number, fault) in faults.into_iter().enumerate() {
        let text = format!("second call {number};");
        hub.works_again().fails_next(Kind::Patch, fault.clone());
        world.gateway.receives(report().from(&eve).encrypted().saying(&text));
        world.gateway.does(&["run", "--once"]);
        world.members.each_can_read(&text);
        let case = world.members.copy_of("alice", &text).case().to_owned();
        let drafts = drafts_of(&hub, &case);
        assert_eq!(drafts.len(), 1, "{fault:?}");
        assert_eq!(world.members.copy_of("alice", &text).says("Advisory"), drafts[0].link, "{fault:?}");
        for _ in 0..3 {
            hub.time_passes(LONG);
            world.everything_is_due();
            world.gateway.does(&["run", "--once"]);
        }
        assert_eq!(access(&hub)[number], shared(), "{fault:?}");
        assert_eq!(drafts_of(&hub, &case).len(), 1, "{fault:?}");
        world.outbox_is_empty();
    }
    nothing_leaked(&world, &hub, &eve, &[]);
}

#[test]
fn an_unknown_team_is_told_to_the_admins_and_shared_with_once_it_exists() {
    let hub = hub().with_person("octocat");
    let world = sharing(&hub);
    let eve = world.reporter("eve");
    world.gateway.receives(report().from(&eve).encrypted().saying("a team to be made"));
    world.gateway.does(&["run", "--once"]);
    world.members.each_can_read("a team to be made");
    let draft = hub.drafts_of(KATA).remove(0);
    assert_eq!(world.members.copy_of("alice", "a team to be made").says("Advisory"), draft.link);
    let told = |name: &str| world.members.copies_of(name, "advisories.teams").len();
    assert_eq!((told("alice"), told("bob")), (0, 1), "the admins alone are told, and what to mend");

    let hub = hub.with_team("kata-containers/vmt");
    let rows = world.gateway.lists(&["queue", "list"]);
    let row = rows.iter().find(|row| row["kind"] == "access").expect("the row waits");
    world.gateway.does(&["queue", "retry", row["id"].as_str().unwrap()]).ends_with(0);
    world.gateway.runs_once();
    assert_eq!(access(&hub), [shared()]);
}
