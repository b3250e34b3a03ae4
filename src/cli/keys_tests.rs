use super::*;
use crate::cli::init;
use std::os::unix::fs::PermissionsExt;

fn mode(path: &Path) -> u32 {
    path.metadata().unwrap().permissions().mode() & 0o777
}

fn wish(folder: &Path) -> Generate {
    Generate {
        name: "VMT".into(),
        address: "vmt@example.org".into(),
        out: None,
        passphrase_file: None,
        folder: folder.to_owned(),
    }
}

#[test]
fn a_new_key_is_readable_for_its_owner_alone_and_gpg_knows_it() {
    let folder = tempfile::tempdir().unwrap();
    let mut out = Vec::new();
    let file = folder.path().join("new/gate.sec.asc");
    let wish = Generate { out: Some(file.clone()), ..wish(folder.path()) };
    assert_eq!(generate(&wish, &Secrets::default(), &mut out).unwrap(), 0);
    let public = folder.path().join("new/gate.pub.asc");
    assert_eq!((mode(&file), mode(&public), mode(&folder.path().join("new"))), (0o600, 0o644, 0o700));
    let home = tempfile::tempdir().unwrap();
    let shown = std::process::Command::new("gpg")
        .args(["--batch", "--with-colons", "--show-keys"])
        .arg(&public)
        .env("GNUPGHOME", home.path())
        .output()
        .unwrap();
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(shown.contains("VMT <vmt@example.org>"), "{shown}");
    let print =
        shown.lines().find_map(|line| line.strip_prefix("fpr:::::::::")).unwrap().trim_end_matches(':').to_owned();
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains(&print), "{text}");
    assert!(text.contains("file = \"new/gate.sec.asc\""), "{text}");
}

#[test]
fn a_key_file_is_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let wish = Generate { out: Some(folder.path().join("gate.sec.asc")), ..wish(folder.path()) };
    std::fs::write(folder.path().join("gate.pub.asc"), "precious").unwrap();
    let message = generate(&wish, &Secrets::default(), &mut Vec::new()).unwrap_err().to_string();
    assert!(message.contains("gate.pub.asc is already there"), "{message}");
    assert_eq!(std::fs::read_to_string(folder.path().join("gate.pub.asc")).unwrap(), "precious");
    assert!(!folder.path().join("gate.sec.asc").exists());
}

#[test]
fn a_file_that_would_not_be_ignored_by_version_control_is_no_secret_key_file() {
    let folder = tempfile::tempdir().unwrap();
    let wish = Generate { out: Some(folder.path().join("gate.asc")), ..wish(folder.path()) };
    let message = generate(&wish, &Secrets::default(), &mut Vec::new()).unwrap_err().to_string();
    assert!(message.contains("name it X.sec.asc"), "{message}");
}

#[test]
fn a_passphrase_locks_the_key_and_the_printed_lines_unlock_it() {
    let folder = tempfile::tempdir().unwrap();
    let passphrase = folder.path().join("passphrase");
    write_new(&passphrase, b"correct horse\n", 0o600).unwrap();
    let out = folder.path().join("gate.sec.asc");
    let wish = Generate { out: Some(out.clone()), passphrase_file: Some(passphrase.clone()), ..wish(folder.path()) };
    let mut text = Vec::new();
    generate(&wish, &Secrets::default(), &mut text).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains(&format!("passphrase = {{ file = {:?} }}", passphrase.display().to_string())), "{text}");
    let secrets = Secrets::default();
    let file = secrets.read_key_file(&out).unwrap();
    let locked = crate::report::GatewayKey::read(&file, None, KeyUse::Active).err();
    assert_eq!(locked, Some(crate::report::KeyError::PassphraseMissing));
    let phrase = secrets.read(&SecretRef::File(passphrase)).unwrap();
    assert!(crate::report::GatewayKey::read(&file, Some(&phrase), KeyUse::Active).is_ok());
}

#[test]
fn the_list_names_every_key_with_its_days_and_says_why_one_cannot_be_used() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("conf");
    let wish = init::Init { dir: dir.clone(), address: Some("vmt@example.org".into()), ..Default::default() };
    init::run(&wish, &mut Vec::new()).unwrap();
    let alice = generate_key("Alice <alice@example.org>", None, None).unwrap();
    let bob = generate_key("Bob <bob@example.org>", None, Some(Duration::from_secs(1))).unwrap();
    let config = dir.join("embargod.toml");
    let mut text = std::fs::read_to_string(&config).unwrap();
    for (name, key) in [("alice", &alice), ("bob", &bob)] {
        std::fs::write(dir.join(format!("keys/members/{name}.asc")), &key.certificate).unwrap();
        text.push_str(&format!(
            "\n[[members]]\nname = \"{name}\"\naddress = \"{name}@example.org\"\n\
             certificate = \"keys/members/{name}.asc\"\nfingerprint = \"{}\"\n",
            key.fingerprint
        ));
    }
    std::fs::write(&config, text).unwrap();
    std::thread::sleep(Duration::from_millis(2_100));

    let mut out = Vec::new();
    assert_eq!(list(&config, &Secrets::default(), true, &mut out).unwrap(), 0);
    let listed: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(listed[0]["role"], "gateway");
    assert_eq!(listed[0]["use"], "sign and decrypt");
    assert_eq!(listed[0]["days_left"], 3 * 365 - 1);
    assert_eq!(listed[1]["fingerprint"], alice.fingerprint.as_str());
    assert_eq!((&listed[1]["usable"], &listed[1]["expires"]), (&true.into(), &serde_json::Value::Null));
    assert_eq!((&listed[2]["usable"], &listed[2]["days_left"]), (&false.into(), &(-1).into()));
    assert!(listed[2]["why"].as_str().unwrap().contains("expired"));

    let mut out = anstream::StripStream::new(Vec::new());
    list(&config, &Secrets::default(), false, &mut out).unwrap();
    let text = String::from_utf8(out.into_inner()).unwrap();
    assert_eq!(text.lines().count(), 4, "{text}");
    assert!(text.starts_with("ROLE"), "{text}");
}
