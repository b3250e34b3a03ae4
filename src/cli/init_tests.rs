use super::*;
use crate::cli::check;
use crate::config::Secrets;
use crate::report::generate_key;
use std::os::unix::fs::PermissionsExt;

fn checked(dir: &Path) -> (u8, String) {
    let mut out = anstream::StripStream::new(Vec::new());
    let code = check::run(&dir.join("embargod.toml"), &Secrets::default(), false, false, &mut out).unwrap();
    (code, String::from_utf8(out.into_inner()).unwrap())
}

/// Uncomments the example member and puts a real one in; sends mail into a folder instead of sendmail.
fn filled_in(text: &str, fingerprint: &str) -> String {
    let (before, rest) = text.split_once("# [[members]]").unwrap();
    let (member, after) = rest.split_once("\n\n").unwrap();
    let member = member.replace("\n# ", "\n").replace(&"0".repeat(40), fingerprint);
    format!("{before}[[members]]{member}\n\n{after}")
        .replace("kind    = \"sendmail\"\ncommand = \"/usr/sbin/sendmail\"", "kind = \"maildir\"\npath = \"outbox\"")
}

#[test]
fn after_init_a_member_and_nothing_else_the_check_is_fine() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("conf");
    let wish = Init {
        dir: dir.clone(),
        name: Some("Kata \\ Containers".into()),
        address: Some("vmt@example.org".into()),
        prefix: Some("KATA".into()),
    };
    let mut out = Vec::new();
    assert_eq!(run(&wish, &mut out).unwrap(), 0);
    let steps = String::from_utf8(out).unwrap();
    assert!(steps.contains("1. Put each member's public certificate"), "{steps}");

    let (code, text) = checked(&dir);
    assert_eq!(code, 1);
    assert!(text.contains("members: there is no member"), "{text}");

    let alice = generate_key("Alice <alice@example.org>", None, None).unwrap();
    std::fs::write(dir.join("keys/members/alice.asc"), &alice.certificate).unwrap();
    let file = dir.join("embargod.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, filled_in(&text, &alice.fingerprint)).unwrap();
    let (code, text) = checked(&dir);
    assert_eq!(code, 0, "{text}");
    assert!(text.lines().all(|line| line.starts_with("ok: ")), "{text}");
}

#[test]
fn placeholders_are_marked_and_the_check_does_not_let_them_pass() {
    let folder = tempfile::tempdir().unwrap();
    let mut out = Vec::new();
    run(&Init { dir: folder.path().to_owned(), ..Default::default() }, &mut out).unwrap();
    let steps = String::from_utf8(out).unwrap();
    assert!(steps.contains("no --address was given"), "{steps}");
    let file = folder.path().join("embargod.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    for key in ["name", "address", "case_prefix"] {
        let line = text.lines().find(|line| line.starts_with(key)).unwrap();
        assert!(line.ends_with("# CHANGE ME"), "{line}");
    }
    let alice = generate_key("Alice <alice@example.org>", None, None).unwrap();
    std::fs::write(folder.path().join("keys/members/alice.asc"), &alice.certificate).unwrap();
    std::fs::write(&file, filled_in(&text, &alice.fingerprint)).unwrap();
    let (code, text) = checked(folder.path());
    assert_eq!(code, 1);
    assert!(text.contains("team.address: it is still the placeholder"), "{text}");
}

#[test]
fn secrets_and_folders_are_for_their_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("conf");
    run(&Init { dir: dir.clone(), ..Default::default() }, &mut Vec::new()).unwrap();
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    for name in ["", "keys", "keys/gateway", "keys/members", "keys/known", "inbox", "inbox/new", "advisories"] {
        assert_eq!(mode(&dir.join(name)), 0o700, "{name}");
    }
    let key = keys::default_file(Timestamp::now());
    assert_eq!(mode(&dir.join(&key)), 0o600);
    assert_eq!(mode(&dir.join("embargod.toml")), 0o600);
}

#[test]
fn nothing_at_all_is_written_where_one_file_is_there_already() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("embargod.toml");
    std::fs::write(&file, "precious").unwrap();
    let message =
        run(&Init { dir: folder.path().to_owned(), ..Default::default() }, &mut Vec::new()).unwrap_err().to_string();
    assert!(message.contains("embargod.toml is already there"), "{message}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "precious");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_value_that_the_configuration_would_refuse_is_refused_before_anything_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("conf");
    for (wish, word) in [
        (Init { prefix: Some("kata".into()), ..Default::default() }, "--prefix: "),
        (Init { address: Some("vmt".into()), ..Default::default() }, "--address: "),
        (Init { name: Some("<x>".into()), ..Default::default() }, "--name: "),
    ] {
        let message = run(&Init { dir: dir.clone(), ..wish }, &mut Vec::new()).unwrap_err().to_string();
        assert!(message.starts_with(word), "{message}");
        assert!(!dir.exists());
    }
}
