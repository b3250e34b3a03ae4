//! What an admin sees of the doors: in `status`, in `check --online`.

use crate::world::*;
use std::time::Duration;

fn door(world: &World, name: &str) -> serde_json::Value {
    let status = world.gateway.does(&["status", "--json"]).ends_with(0).json();
    let found = status["connections"].as_array().unwrap().iter().find(|one| one["door"] == name).cloned();
    found.unwrap_or_else(|| panic!("no {name} in {status:#}"))
}

#[test]
fn status_shows_each_door_also_after_the_daemon_has_ended() {
    let world = World::of_three().start();
    let eve = world.reporter("eve");
    world.gateway.receives(report().from(&eve).encrypted());
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

#[test]
fn status_shows_what_is_wrong_with_a_door_and_keeps_the_last_error_after_it_works_again() {
    for database in Database::BOTH {
        let world = World::new().members(["alice"]).on(database).start();
        let eve = world.reporter("eve");
        world.gateway.runs_once();
        assert_eq!(door(&world, "mailbox")["state"], "working");
        assert_eq!(door(&world, "outgoing")["state"], "never-tried");
        // A file where alice's Maildir would be made.
        let home = world.layout.outgoing.join(&world.member("alice").address);
        std::fs::write(&home, "in the way").unwrap();
        world.gateway.receives(report().from(&eve).encrypted());
        let daemon = world.gateway.starts();
        wait_until("status says that mail does not leave", Duration::from_secs(20), || {
            door(&world, "outgoing")["last_error"].is_string()
        });
        let broken = door(&world, "outgoing");
        assert!(broken["last_error_at"].is_string(), "{broken:#}");
        let seconds = |time: &serde_json::Value| time.as_str().unwrap().to_owned();
        assert!(seconds(&broken["at"]) >= seconds(&broken["since"]), "{broken:#}");
        assert_eq!(daemon.terminates().0, Some(0));
        std::fs::remove_file(&home).unwrap();
        world.everything_is_due();
        world.gateway.runs_once();
        let mended = door(&world, "outgoing");
        assert_eq!(mended["state"], "working", "{mended:#}");
        assert_eq!(mended["last_error"], broken["last_error"], "it is still known");
    }
}

/// Puts other lines in the place of a section of the configuration file.
fn section(world: &World, name: &str, lines: &str) {
    let text = std::fs::read_to_string(world.gateway.config()).unwrap();
    let (before, rest) = text.split_once(&format!("[{name}]\n")).unwrap();
    let after = rest.split_once("\n\n").unwrap().1;
    std::fs::write(world.gateway.config(), format!("{before}[{name}]\n{lines}\n\n{after}")).unwrap();
}

/// A port of this machine on which nobody listens.
fn closed_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn check_names_each_server_that_cannot_be_reached_with_line_key_and_mend_and_leaves_them_alone_unless_asked() {
    let world = World::new().members(["alice"]).start();
    let secret = world.etc("password");
    std::fs::write(&secret, "hunter2-canary").unwrap();
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let server = |port| {
        format!(
            "host = \"127.0.0.1\"\nport = {port}\ntls = \"none\"\nuser = \"vmt\"\npassword = {{ file = \"password\" }}"
        )
    };
    let (mailbox, outgoing, hub) = (closed_port(), closed_port(), closed_port());
    section(&world, "mailbox", &format!("kind = \"imap\"\n{}", server(mailbox)));
    section(&world, "outgoing", &format!("kind = \"smtp\"\n{}", server(outgoing)));
    let github = "kind = \"github\"\nrepository = \"kata/kata\"\ntoken = { file = \"password\" }\nusers = [\"alice\"]";
    section(&world, "advisories", &format!("{github}\napi = \"http://127.0.0.1:{hub}\""));

    let offline = world.gateway.does(&["check"]).ends_with(0).said();
    assert!(offline.contains("not tried: the mailbox, the mail server, GitHub"), "{offline}");
    let ran = world.gateway.does(&["check", "--online", "--json"]).ends_with(1);
    let said = ran.json();
    let findings = said["findings"].as_array().unwrap();
    for table in ["mailbox.", "outgoing.", "advisories."] {
        let broken = findings.iter().find(|finding| {
            finding["level"] == "error" && finding["where"].as_str().unwrap().contains(&format!(": {table}"))
        });
        let broken = broken.unwrap_or_else(|| panic!("nothing about {table}: {said:#}"));
        assert!(broken["where"].as_str().unwrap().contains("embargod.toml:"), "{broken:#}");
        assert!(!broken["mend"].as_str().unwrap().is_empty(), "{broken:#}");
    }
    assert!(!ran.said().contains("hunter2"), "{}", ran.said());
}

#[test]
fn a_secret_of_a_door_that_others_can_read_is_an_error_with_line_and_key() {
    let world = World::new().members(["alice"]).start();
    let secret = world.etc("password");
    std::fs::write(&secret, "hunter2-canary").unwrap();
    std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let lines = "kind = \"imap\"\nhost = \"imap.example.org\"\nuser = \"vmt\"\npassword = { file = \"password\" }";
    section(&world, "mailbox", lines);
    for command in [vec!["check"], vec!["run", "--once"]] {
        let said = world.gateway.does(&command).ends_with(1).said();
        assert!(said.contains(": mailbox.password: ") && said.contains("chmod"), "{command:?}: {said}");
        assert!(!said.contains("hunter2"), "{said}");
    }
}
