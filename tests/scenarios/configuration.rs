//! Configurations that are wrong, and what an admin hears about them.

use crate::world::*;
use settings::Settings;

/// `check` and `run` refuse a configuration, and the message names all these words.
fn is_refused(what: &str, change: impl FnOnce(&mut Settings), words: &[&str]) {
    let world = World::new().members(["alice", "bob"]).start();
    world.reconfigure(change);
    for args in [vec!["check"], vec!["run", "--once"]] {
        let ran = world.gateway.does(&args).ends_with(1);
        let said = format!("{}\n{}", ran.stdout, ran.human());
        for word in words {
            assert!(said.contains(word), "{what}: {args:?} does not name {word:?}:\n{said}");
        }
        assert!(!said.contains("panicked"), "{said}");
    }
    assert!(!world.gateway.state().join("embargod.db").exists(), "{what}: nothing is made before all is valid");
}

/// The line of the configuration file in which a text first stands, counted from 1.
fn line_of(world: &World, text: &str) -> String {
    let file = std::fs::read_to_string(world.gateway.config()).unwrap();
    (file.lines().position(|line| line.contains(text)).unwrap() + 1).to_string()
}

#[test]
fn a_good_configuration_is_fine() {
    let world = World::of_three().rsa_member("rosa").start();
    world.gateway.does(&["check"]).ends_with(0);
    world.gateway.does(&["check", "--json"]).ends_with(0).json();
}

#[test]
fn an_unknown_key_is_named_with_file_and_line() {
    let world = World::of_three().start();
    world.reconfigure(|settings| settings.last_lines = "acknowlege = true\n".into());
    let said = world.gateway.does(&["check"]).ends_with(1).said();
    let line = line_of(&world, "acknowlege");
    assert!(
        said.contains("acknowlege") && said.contains("embargod.toml") && said.contains(&line),
        "line {line}:\n{said}"
    );
}

#[test]
fn mistakes_are_errors_that_name_their_place() {
    is_refused("an unknown table", |s| s.last_lines = "\n[nonsense]\nkey = 1\n".into(), &["embargod.toml", "nonsense"]);
    is_refused("no TOML at all", |s| s.first_lines = "this is no TOML\n".into(), &["embargod.toml", "1"]);
    is_refused("a wrong word", |s| s.plaintext = "perhaps", &["plaintext", "perhaps"]);
    is_refused("a missing file", |s| s.members[0].certificate = "keys/members/gone.asc".into(), &["gone.asc"]);
    is_refused(
        "a wrong fingerprint",
        |s| s.members[1].fingerprint = "0".repeat(40),
        &["0000000000000000000000000000000000000000", "bob"],
    );
    is_refused("no fingerprint", |s| s.members[0].fingerprint = String::new(), &["fingerprint"]);
    is_refused("a duplicate member", |s| s.members.push(s.members[0].clone()), &["members[3]", "same address"]);
    is_refused("no member", |s| s.members.clear(), &["members"]);
    is_refused("an admin who is no member", |s| s.admins = vec!["zoe@example.org".into()], &["zoe@example.org"]);
    is_refused("no gateway key", |s| s.gateway_keys.clear(), &["gateway_keys"]);
    is_refused("only old gateway keys", |s| s.gateway_keys[0].until = Some("2099-12-31".into()), &["active"]);
    is_refused(
        "a gateway key that is a member's certificate",
        |s| s.gateway_keys[0].file = "keys/members/alice.asc".into(),
        &["alice.asc", "secret"],
    );
    is_refused("a store of another kind", |s| s.store_url = "mysql://localhost/x".into(), &["url"]);
}

#[test]
fn a_configuration_file_that_is_not_there_is_named() {
    let world = World::of_three().start();
    std::fs::remove_file(world.gateway.config()).unwrap();
    let ran = world.gateway.does(&["check"]).ends_with(1);
    assert!(ran.said().contains("embargod.toml"), "{}", ran.said());
}

#[test]
fn a_missing_passphrase_and_a_secret_that_others_can_read_are_noticed() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::of_three().start();
    let locked = world.locked_actor("locked", TEAM, "correct horse");
    std::fs::write(world.etc("keys/gateway/first.sec.asc"), locked.secret_key()).unwrap();
    let said = world.gateway.does(&["check"]).ends_with(1).said();
    assert!(said.contains("passphrase"), "{said}");
    std::fs::write(world.etc("keys/gateway/first.sec.asc"), world.gateway.key.secret_key()).unwrap();
    world.gateway.does(&["check"]).ends_with(0);
    let open = std::fs::Permissions::from_mode(0o644);
    std::fs::set_permissions(world.etc("keys/gateway/first.sec.asc"), open).unwrap();
    let ran = world.gateway.does(&["check"]);
    assert!(ran.said().contains("first.sec.asc"), "{}", ran.said());
}

#[test]
fn usage_errors_end_with_2() {
    let world = World::of_three().start();
    assert_eq!(world.gateway.does(&["dance"]).code, Some(2));
    assert_eq!(world.gateway.does(&["cases", "show"]).code, Some(2));
    assert_eq!(world.gateway.does(&[]).code, Some(2));
}

#[test]
fn the_store_file_is_readable_by_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::of_three().start();
    world.gateway.runs_once();
    let mode = std::fs::metadata(world.gateway.state().join("embargod.db")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn init_lays_out_a_folder_and_never_overwrites_it() {
    let world = World::new().members(["alice"]).start();
    let folder = world.layout.root.join("fresh");
    let name = folder.to_str().unwrap().to_owned();
    let ran = world.gateway.does(&["init", &name]).ends_with(0);
    assert!(!ran.stdout.is_empty(), "it prints the next steps");
    let config = std::fs::read_to_string(folder.join("embargod.toml")).unwrap();
    assert!(config.contains("[[members]]") && config.contains("[team]"));
    let keys = process::files_below(&folder.join("keys"));
    assert!(keys.iter().any(|file| file.to_string_lossy().ends_with(".sec.asc")), "{keys:?}");
    let before: Vec<Vec<u8>> = process::files_below(&folder).iter().map(|file| std::fs::read(file).unwrap()).collect();
    world.gateway.does(&["init", &name]).ends_with(1);
    let after: Vec<Vec<u8>> = process::files_below(&folder).iter().map(|file| std::fs::read(file).unwrap()).collect();
    assert_eq!(before, after);
}

#[test]
fn the_demo_does_the_whole_job_and_leaves_a_set_up_that_runs_again() {
    let world = World::new().members(["alice"]).start();
    let folder = world.layout.root.join("demo");
    let name = folder.to_str().unwrap().to_owned();
    let ran = world.gateway.does(&["demo", "--dir", &name, "--members", "2"]).ends_with(0);
    assert!(!ran.stdout.is_empty());
    let config = folder.join("embargod.toml");
    let mut again = std::process::Command::new(env!("CARGO_BIN_EXE_embargod"));
    again.arg("--config").arg(&config).args(["run", "--once"]).env("TMPDIR", &world.layout.scratch);
    world.gateway.finish(&mut again, b"").ends_with(0);
}
