//! What an admin sees of the doors: in `status`, in `check --online`.

use crate::world::*;

fn door(world: &World, name: &str) -> serde_json::Value {
    let status = world.gateway.does(&["status", "--json"]).ends_with(0).json();
    let found = status["connections"].as_array().unwrap().iter().find(|one| one["door"] == name).cloned();
    found.unwrap_or_else(|| panic!("no {name} in {status:#}"))
}

#[test]
fn status_shows_each_door_also_after_the_daemon_has_ended() {
    let world = World::of_three().start();
    let eve = world.actor("eve", "eve@example.net");
    world.mailbox_gets(&report().from(&eve).encrypted());
    world.gateway.runs_once();
    for name in ["mailbox", "outgoing", "advisories"] {
        let door = door(&world, name);
        assert_eq!(door["state"], "working", "{door:#}");
        assert!(door["last_success"].is_string() && door["at"].is_string() && door["machine"].is_string(), "{door:#}");
        assert!(door["last_error"].is_null(), "{door:#}");
    }
    let text = world.gateway.does(&["status"]).ends_with(0).said();
    assert!(text.contains("outgoing: working since 20"), "{text}");
    assert!(text.contains("as of 20"), "{text}");
}
