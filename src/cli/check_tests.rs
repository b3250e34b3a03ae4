use super::*;
use crate::report::{NewKey, generate_key};
use std::path::PathBuf;
use std::time::Duration;

const DAY: u64 = 86_400;

struct World {
    folder: tempfile::TempDir,
    alice: NewKey,
}

impl World {
    /// A team whose gateway key and whose only member's certificate last this long.
    fn new(gateway: Option<u64>, alice: Option<u64>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let days = |days: Option<u64>| days.map(|days| Duration::from_secs(days * DAY));
        let gateway = generate_key("VMT <vmt@example.org>", None, days(gateway)).unwrap();
        let alice = generate_key("Alice <alice@example.org>", None, days(alice)).unwrap();
        let world = Self { folder, alice };
        world.write("gate.sec.asc", &gateway.secret, 0o600);
        world.write("gate.pub.asc", &gateway.certificate, 0o644);
        world.write("alice.asc", &world.alice.certificate, 0o644);
        for name in ["cur", "new", "tmp"] {
            std::fs::create_dir_all(world.path("inbox").join(name)).unwrap();
        }
        world.write("sendmail", b"#!/bin/sh\n", 0o755);
        world.configure("");
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, bytes: &[u8], mode: u32) {
        std::fs::write(self.path(name), bytes).unwrap();
        std::fs::set_permissions(self.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
    }

    fn configure(&self, more: &str) {
        let text = format!(
            r#"team = {{ name = "VMT", address = "vmt@example.org", case_prefix = "KATA" }}
store = {{ url = "sqlite://state/embargod.db" }}
mailbox = {{ kind = "maildir", path = "inbox" }}
outgoing = {{ kind = "sendmail", command = "sendmail" }}
advisories = {{ kind = "directory", path = "drafts/open" }}
intake = {{ plaintext = "accept" }}
gateway_keys = [{{ file = "gate.sec.asc", use = "active" }}]
[[members]]
name = "Alice"
address = "alice@example.org"
certificate = "alice.asc"
fingerprint = "{}"
{more}"#,
            self.alice.fingerprint
        );
        self.write("embargod.toml", text.as_bytes(), 0o600);
    }

    fn findings_in(&self, days: i64) -> Vec<Finding> {
        let now = Timestamp::now() + (days * 24).hours();
        findings(&self.path("embargod.toml"), &Secrets::default(), now)
    }

    /// The only finding that is not fine.
    #[track_caller]
    fn only(&self, level: Level) -> Finding {
        let mut findings = self.findings_in(0);
        findings.retain(|finding| finding.level != Level::Ok);
        assert_eq!(findings.len(), 1, "{findings:#?}");
        assert_eq!(findings[0].level, level, "{findings:#?}");
        findings.remove(0)
    }
}

#[test]
fn a_set_up_in_order_has_nothing_but_good_findings_and_nothing_is_made_on_disk() {
    let world = World::new(None, None);
    let before = std::fs::read_dir(world.folder.path()).unwrap().count();
    let findings = world.findings_in(0);
    assert!(findings.iter().all(|finding| finding.level == Level::Ok), "{findings:#?}");
    assert_eq!(std::fs::read_dir(world.folder.path()).unwrap().count(), before);
}

#[test]
fn the_json_document_has_the_same_findings_and_the_exit_code_says_it_too() {
    let world = World::new(None, None);
    std::fs::remove_dir_all(world.path("inbox/new")).unwrap();
    let mut out = Vec::new();
    assert_eq!(run(&world.path("embargod.toml"), &Secrets::default(), false, true, &mut out).unwrap(), 1);
    let document: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(document["ok"], false);
    let finding = document["findings"].as_array().unwrap().iter().find(|finding| finding["level"] == "error").unwrap();
    assert!(finding["what"].as_str().unwrap().ends_with("inbox/new is not a folder"));
    assert!(finding["where"].as_str().unwrap().ends_with("embargod.toml:3: mailbox.path"));
    assert!(finding["mend"].as_str().unwrap().contains("mkdir -m 700 -p"));
}

#[test]
fn a_broken_configuration_is_one_error_with_its_place() {
    let world = World::new(None, None);
    world.configure("[imap]\n");
    let finding = world.only(Level::Error);
    assert!(finding.place.unwrap().ends_with("embargod.toml:13: imap"));
}

#[test]
fn keys_that_end_within_thirty_days_are_a_warning_and_then_an_error_or_held_copies() {
    let world = World::new(Some(100), Some(100));
    assert!(world.findings_in(60).iter().all(|finding| finding.level == Level::Ok));
    let soon: Vec<_> = world.findings_in(80).into_iter().filter(|finding| finding.level != Level::Ok).collect();
    assert_eq!(soon.len(), 2, "{soon:#?}");
    assert!(soon.iter().all(|finding| finding.level == Level::Warning), "{soon:#?}");
    let late = world.findings_in(101);
    let says =
        |level: Level, word: &str| late.iter().any(|finding| finding.level == level && finding.what.contains(word));
    assert!(says(Level::Error, "it cannot sign now"), "{late:#?}");
    assert!(says(Level::Warning, "copies are held"), "{late:#?}");
    assert!(says(Level::Error, "no member can be sent anything"), "{late:#?}");
}

#[test]
fn a_gateway_key_whose_last_day_has_passed_is_worth_a_warning() {
    let world = World::new(None, None);
    let old = generate_key("VMT <vmt@example.org>", None, None).unwrap();
    world.write("old.sec.asc", &old.secret, 0o600);
    world.configure("");
    let text = std::fs::read_to_string(world.path("embargod.toml")).unwrap();
    let text = text.replace(
        "use = \"active\" }]",
        "use = \"active\" }, { file = \"old.sec.asc\", use = \"decrypt-only\", until = 2020-01-31 }]",
    );
    world.write("embargod.toml", text.as_bytes(), 0o600);
    let finding = world.only(Level::Warning);
    assert!(finding.what.contains("2020-01-31"), "{finding:?}");
    assert!(finding.place.unwrap().ends_with("gateway_keys[2].file"));
}

#[test]
fn a_gateway_key_without_the_teams_address_is_worth_a_warning() {
    let world = World::new(None, None);
    let other = generate_key("Old team <old@example.org>", None, None).unwrap();
    world.write("gate.sec.asc", &other.secret, 0o600);
    world.write("gate.pub.asc", &other.certificate, 0o644);
    assert!(world.only(Level::Warning).what.contains("names vmt@example.org"));
}

#[test]
fn each_thing_that_would_stop_the_work_is_one_error_at_its_key() {
    type Damage = fn(&World);
    let cases: [(&str, &str, Damage); 7] = [
        ("outgoing.command", "may run", |world| world.write("sendmail", b"", 0o644)),
        ("outgoing.command", "may run", |world| std::fs::remove_file(world.path("sendmail")).unwrap()),
        ("store.url", "a file is in its way", |world| world.write("state", b"", 0o644)),
        ("advisories.path", "a file is in its way", |world| world.write("drafts", b"", 0o644)),
        ("gateway_keys[1].file", "mode 0644", |world| {
            let key = std::fs::read(world.path("gate.sec.asc")).unwrap();
            world.write("gate.sec.asc", &key, 0o644);
        }),
        ("members", "everybody may change", |world| {
            let text = std::fs::read(world.path("embargod.toml")).unwrap();
            world.write("embargod.toml", &text, 0o666);
        }),
        ("gateway_keys[1].file", "is not the certificate of this key", |world| {
            world.write("gate.pub.asc", &world.alice.certificate, 0o644);
        }),
    ];
    for (key, word, damage) in cases {
        let world = World::new(None, None);
        damage(&world);
        let finding = world.only(Level::Error);
        assert!(finding.place.as_ref().unwrap().ends_with(&format!(": {key}")), "{finding:?}");
        assert!(finding.what.contains(word), "{finding:?}");
        assert!(finding.mend.is_some());
    }
}

#[test]
fn a_broken_file_among_the_known_certificates_is_found_beside_another_error() {
    let world = World::new(None, None);
    std::fs::create_dir(world.path("known")).unwrap();
    world.write("known/x.asc", b"not a key", 0o644);
    std::fs::remove_file(world.path("sendmail")).unwrap();
    let text = std::fs::read_to_string(world.path("embargod.toml")).unwrap();
    let text = text.replace("\"accept\" }", "\"accept\", known_certificates = \"known\" }");
    world.write("embargod.toml", text.as_bytes(), 0o600);
    let errors: Vec<_> = world.findings_in(0).into_iter().filter(|finding| finding.level == Level::Error).collect();
    assert_eq!(errors.len(), 2, "{errors:#?}");
    assert!(errors[0].what.contains("known/x.asc"), "{errors:#?}");
}
