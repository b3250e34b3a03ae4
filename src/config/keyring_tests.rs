use super::*;
use crate::report::{NewKey, generate_key, open_from_spool, seal_for_spool};
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

/// A team with one gateway key and one member, on disk.
struct World {
    folder: tempfile::TempDir,
    gateway: NewKey,
    alice: NewKey,
}

impl World {
    fn new() -> Self {
        Self::with(generate_key("VMT <vmt@example.org>", None, None).unwrap())
    }

    fn with(gateway: NewKey) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let alice = generate_key("Alice <alice@example.org>", None, None).unwrap();
        let world = Self { folder, gateway, alice };
        world.write("gate.sec.asc", &world.gateway.secret, 0o600);
        world.write("alice.asc", &world.alice.certificate, 0o644);
        world
    }

    fn write(&self, name: &str, bytes: &[u8], mode: u32) {
        let path = self.folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    /// Lines 8 to 11 are the gateway's key, 12 to 16 the member.
    fn config(&self, passphrase: &str, intake: &str) -> Config {
        let text = format!(
            r#"team = {{ name = "VMT", address = "vmt@example.org", case_prefix = "KATA" }}
store = {{ url = "sqlite://state/embargod.db" }}
mailbox = {{ kind = "none" }}
outgoing = {{ kind = "maildir", path = "outbox" }}
advisories = {{ kind = "none" }}
intake = {{ plaintext = "accept"{intake} }}

[[gateway_keys]]
file = "gate.sec.asc"
use = "active"
{passphrase}
[[members]]
name = "Alice"
address = "alice@example.org"
certificate = "alice.asc"
fingerprint = "{}"
"#,
            self.alice.fingerprint
        );
        let file = self.folder.path().join("embargod.toml");
        std::fs::write(&file, text).unwrap();
        Config::load(&file).unwrap()
    }

    fn message(&self, passphrase: &str) -> String {
        load(&self.config(passphrase, ""), &Secrets::default()).err().expect("it must be refused").to_string()
    }
}

#[test]
fn keys_are_read_and_unlocked_as_the_configuration_says() {
    let world = World::with(generate_key("VMT <vmt@example.org>", Some("correct horse"), None).unwrap());
    world.write("passphrase", b"correct horse\n", 0o600);
    let config = world.config("passphrase = { file = \"passphrase\" }", "");
    let keyring = load(&config, &Secrets::default()).unwrap();
    assert_eq!(keyring.publishing_key().unwrap().fingerprint(), world.gateway.fingerprint);
    assert_eq!(keyring.members()[0].fingerprint(), world.alice.fingerprint);
}

#[test]
fn a_locked_key_says_whether_the_passphrase_is_missing_or_wrong() {
    let world = World::with(generate_key("VMT <vmt@example.org>", Some("correct horse"), None).unwrap());
    let message = world.message("");
    assert!(message.contains("embargod.toml:8: gateway_keys[1].passphrase: its secret key is locked"), "{message}");
    assert!(message.contains("add passphrase = "), "{message}");
    world.write("passphrase", b"correct horse battery\n", 0o600);
    let message = world.message("passphrase = { file = \"passphrase\" }");
    assert!(
        message.contains("embargod.toml:11: gateway_keys[1].passphrase: the passphrase does not open"),
        "{message}"
    );
    assert!(!message.contains("battery"), "{message}");
}

#[test]
fn a_secret_key_file_that_others_can_read_is_refused() {
    let world = World::new();
    world.write("gate.sec.asc", &world.gateway.secret, 0o640);
    let message = world.message("");
    assert!(message.contains("embargod.toml:9: gateway_keys[1].file: "), "{message}");
    assert!(message.contains("chmod 600 "), "{message}");
}

#[test]
fn a_certificate_in_the_place_of_a_secret_key_is_named_as_such() {
    let world = World::new();
    world.write("gate.sec.asc", &world.gateway.certificate, 0o600);
    let message = world.message("");
    assert!(message.contains("embargod.toml:9: gateway_keys[1].file: "), "{message}");
    assert!(message.contains("it holds no secret key; export the secret key"), "{message}");
    world.write("gate.sec.asc", b"not a key", 0o600);
    assert!(world.message("").contains("it holds no OpenPGP key"));
}

#[test]
fn a_signing_key_that_has_expired_stops_the_start() {
    let key = generate_key("VMT <vmt@example.org>", None, Some(Duration::from_secs(1))).unwrap();
    let world = World::with(key);
    std::thread::sleep(Duration::from_millis(2_100));
    let message = world.message("");
    assert!(message.contains("embargod.toml:9: gateway_keys[1].file: "), "{message}");
    assert!(message.contains("expired; extend the key's validity"), "{message}");
}

#[test]
fn another_certificate_than_the_configured_one_is_refused() {
    let world = World::new();
    let eve = generate_key("Alice <alice@example.org>", None, None).unwrap();
    world.write("alice.asc", &eve.certificate, 0o644);
    let message = world.message("");
    assert!(message.contains("embargod.toml:16: members[1].fingerprint: "), "{message}");
    assert!(message.contains(&eve.fingerprint) && message.contains(&world.alice.fingerprint), "{message}");
    assert!(message.contains("another way than mail"), "{message}");
}

#[test]
fn a_members_secret_key_is_refused_and_called_exposed() {
    let world = World::new();
    world.write("alice.asc", &world.alice.secret, 0o644);
    let message = world.message("");
    assert!(message.contains("embargod.toml:15: members[1].certificate: "), "{message}");
    assert!(message.contains("treat the secret key as exposed"), "{message}");
}

#[test]
fn a_members_certificate_that_has_expired_does_not_stop_the_start() {
    let mut world = World::new();
    world.alice = generate_key("Alice <alice@example.org>", None, Some(Duration::from_secs(1))).unwrap();
    world.write("alice.asc", &world.alice.certificate, 0o644);
    std::thread::sleep(Duration::from_millis(2_100));
    let keyring = load(&world.config("", ""), &Secrets::default()).unwrap();
    assert!(keyring.members()[0].usable(Timestamp::now()).is_err());
}

#[test]
fn the_gateway_cannot_be_its_own_member() {
    let mut world = World::new();
    world.alice.fingerprint = world.gateway.fingerprint.clone();
    world.write("alice.asc", &world.gateway.certificate, 0o644);
    assert!(world.message("").contains("members[1].certificate: it is the gateway's own key"));
}

#[test]
fn the_folder_of_known_certificates_is_read_whole_and_a_broken_file_in_it_is_named() {
    let world = World::new();
    std::fs::create_dir(world.folder.path().join("known")).unwrap();
    world.write("known/eve.asc", &generate_key("Eve <eve@example.org>", None, None).unwrap().certificate, 0o644);
    world.write("known/.gitkeep", b"", 0o644);
    let config = world.config("", ", known_certificates = \"known\"");
    assert_eq!(load(&config, &Secrets::default()).unwrap().known_count(), 1);
    world.write("known/notes.txt", b"not a key", 0o644);
    let message = load(&config, &Secrets::default()).err().unwrap().to_string();
    assert!(message.contains("embargod.toml:6: intake.known_certificates: "), "{message}");
    assert!(message.contains("known/notes.txt cannot be taken"), "{message}");
}

#[test]
fn what_is_sealed_for_the_spool_without_any_secret_opens_with_the_keyring() {
    let world = World::new();
    world.write("gate.pub.asc", &world.gateway.certificate, 0o644);
    let config = world.config("", "");
    let keyring = load(&config, &Secrets::default()).unwrap();
    // `receive` can do without the secret key file.
    std::fs::remove_file(world.folder.path().join("gate.sec.asc")).unwrap();
    let certificate = spool_certificate(&config).unwrap();
    let sealed = seal_for_spool(&certificate, &Plaintext::new(b"heap overflow".to_vec())).unwrap();
    assert_eq!(open_from_spool(&keyring, &sealed).unwrap().len(), b"heap overflow".len());
}

#[test]
fn a_certificate_left_from_an_older_key_is_refused_since_its_mail_would_not_open() {
    let world = World::new();
    let old = generate_key("VMT <vmt@example.org>", None, None).unwrap();
    world.write("gate.pub.asc", &old.certificate, 0o644);
    let message = world.message("");
    assert!(message.contains("gate.pub.asc beside it is not the certificate of this key"), "{message}");
}
