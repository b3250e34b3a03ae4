//! A GitHub App instead of a token: its installation tokens, how little they may do, and what happens when they end.

use crate::github::*;
use crate::world::canaries::none_in;
use crate::world::*;
use std::time::Duration;

const APP: u64 = 4711;
const SOON: Duration = Duration::from_secs(20);

fn hub() -> GitHub {
    GitHub::starts().with_repository(KATA).with_repository(RUNTIME).with_app(APP, &[KATA, RUNTIME])
}

fn plan(hub: &GitHub) -> Plan {
    World::new().members(["alice"]).at(hub, KATA, GitHub::app_key()).with(|settings| settings.github().app = Some(APP))
}

fn opens(world: &World, hub: &GitHub, eve: &Actor, text: &str) {
    let before = hub.drafts_of(KATA).len();
    world.gateway.receives(report().from(eve).encrypted().saying(text));
    wait_until(text, SOON, || !world.members.copies_of("alice", text).is_empty());
    wait_until("the draft is open", SOON, || hub.drafts_of(KATA).len() == before + 1);
}

#[test]
fn an_app_opens_drafts_with_tokens_for_one_repository_and_one_permission() {
    let hub = hub();
    let world = plan(&hub)
        .with(|settings| settings.github().routes = vec![("Component: runtime".into(), RUNTIME.into())])
        .start();
    let eve = world.reporter("eve");
    world.gateway.receives(report().from(&eve).encrypted().saying("the one"));
    world.gateway.receives(report().from(&eve).encrypted().saying("Component: runtime\n\nthe other"));
    world.gateway.runs_once();
    assert_eq!((hub.drafts_of(KATA).len(), hub.drafts_of(RUNTIME).len()), (1, 1));
    let mut asked: Vec<_> = hub.grants().into_iter().map(|grant| (grant.repositories, grant.permissions)).collect();
    asked.sort();
    let only = Some([("repository_advisories".to_owned(), "write".to_owned())].into());
    let for_one = |name: &str| (Some(vec![name.to_owned()]), only.clone());
    assert_eq!(asked, [for_one("kata-containers"), for_one("runtime")]);
    // Neither the key nor any token is anywhere.
    let key_line = GitHub::app_key().lines().nth(5).unwrap();
    world.nothing_outside_contains(key_line);
    none_in("what GitHub heard", &hub.heard(), key_line);
    for grant in hub.grants() {
        world.nothing_outside_contains(&grant.token);
        none_in("what GitHub heard", &hub.heard(), &grant.token);
    }
    for statement in hub.requests(Kind::InstallationToken) {
        world.nothing_outside_contains(statement.token().unwrap().rsplit('.').next().unwrap());
    }
    nothing_leaked(&world, &hub, &eve, &[]);
}

#[test]
fn an_installation_token_serves_many_drafts_and_is_renewed_before_it_ends() {
    let hub = hub();
    let world = plan(&hub).start();
    let eve = world.reporter("eve");
    let daemon = world.gateway.starts();
    opens(&world, &hub, &eve, "first;");
    opens(&world, &hub, &eve, "second;");
    assert_eq!(hub.grants().len(), 1, "one token serves both");
    daemon.terminates();

    hub.installation_tokens_live(Duration::from_secs(6));
    let daemon = world.gateway.starts();
    opens(&world, &hub, &eve, "third;");
    std::thread::sleep(Duration::from_secs(5));
    opens(&world, &hub, &eve, "fourth;");
    assert_eq!(hub.grants().len(), 3);
    assert_eq!(daemon.terminates().0, Some(0));
    let refused = hub.record().into_iter().filter(|request| request.status == Some(401)).count();
    assert_eq!(refused, 0, "no token was used after its end");
}

#[test]
fn a_revoked_installation_token_is_replaced() {
    let hub = hub();
    let world = plan(&hub).start();
    let eve = world.reporter("eve");
    let daemon = world.gateway.starts();
    opens(&world, &hub, &eve, "before it is revoked;");
    hub.revokes_installation_tokens();
    world.gateway.receives(report().from(&eve).encrypted().saying("after it is revoked;"));
    wait_until("the copy", SOON, || !world.members.copies_of("alice", "after it is revoked;").is_empty());
    wait_until("the refusal is dealt with", SOON, || {
        world.everything_is_due();
        hub.drafts_of(KATA).len() == 2
    });
    assert_eq!(daemon.terminates().0, Some(0));
    assert_eq!(hub.grants().len(), 2);
}

#[test]
fn an_app_that_gets_no_token_opens_nothing_tells_the_admins_and_goes_on_when_mended() {
    let hub = hub();
    let world = plan(&hub).start();
    let eve = world.reporter("eve");
    let troubles = [
        Trouble {
            begins: |_, hub| _ = hub.app_may(APP, "read"),
            ends: |_, hub| _ = hub.app_may(APP, "write"),
            says: "(422)",
        },
        Trouble {
            begins: |world, _| world.reconfigure(|settings| settings.github().secret = GitHub::foreign_key()),
            ends: |world, _| world.reconfigure(|settings| settings.github().secret = GitHub::app_key().into()),
            says: "(401)",
        },
        Trouble {
            begins: |_, hub| _ = hub.always_fails(Kind::Installation, Fault::Status(404)),
            ends: |_, hub| _ = hub.works_again(),
            says: "(404)",
        },
    ];
    for (number, Trouble { begins, ends, says }) in troubles.into_iter().enumerate() {
        begins(&world, &hub);
        let text = format!("no token {number};");
        world.gateway.receives(report().from(&eve).encrypted().saying(&text));
        world.gateway.runs_once_and_leaves_work();
        let case = world.members.copy_of("alice", &text).case().to_owned();
        assert!(drafts_of(&hub, &case).is_empty());
        world.gateway.does(&["run", "--once"]);
        assert_eq!(world.members.copies_of("alice", says).len(), 1, "the admins are told {says}");
        ends(&world, &hub);
        world.everything_is_due();
        world.gateway.runs_once();
        assert_eq!(drafts_of(&hub, &case).len(), 1);
    }
    for fault in [Fault::Status(500), Fault::Reset, Fault::Garbage] {
        hub.fails_next(Kind::InstallationToken, fault.clone());
        let text = format!("no token for {fault:?};");
        world.gateway.receives(report().from(&eve).encrypted().saying(&text));
        world.gateway.runs_once_and_leaves_work();
        let case = world.members.copy_of("alice", &text).case().to_owned();
        world.everything_is_due();
        world.gateway.runs_once();
        assert_eq!(drafts_of(&hub, &case).len(), 1, "{fault:?}");
    }
    nothing_leaked(&world, &hub, &eve, &[]);
}
