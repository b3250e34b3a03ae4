use super::*;
use std::os::unix::fs::PermissionsExt;

fn file(folder: &tempfile::TempDir, name: &str, content: &[u8], mode: u32) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, content).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
    path
}

fn text(secrets: &Secrets, secret: SecretRef) -> String {
    secrets.read_text(&secret).unwrap().to_string()
}

#[test]
fn one_line_end_behind_a_secret_is_ignored_and_only_one() {
    let folder = tempfile::tempdir().unwrap();
    for (content, expected) in
        [("s3cret", "s3cret"), ("s3cret\n", "s3cret"), ("s3cret\r\n", "s3cret"), ("s3cret \n\n", "s3cret \n")]
    {
        let path = file(&folder, "secret", content.as_bytes(), 0o600);
        assert_eq!(text(&Secrets::default(), SecretRef::File(path)), expected);
    }
}

#[test]
fn a_secret_file_that_others_can_read_is_refused_with_the_command_that_mends_it() {
    let folder = tempfile::tempdir().unwrap();
    for mode in [0o640, 0o604, 0o660, 0o644] {
        let path = file(&folder, "secret", b"s3cret\n", mode);
        let problem = Secrets::default().read(&SecretRef::File(path.clone())).err().unwrap();
        assert!(problem.what.contains(&format!("{mode:04o}")), "{problem}");
        assert_eq!(problem.mend, format!("run: chmod 600 '{}'", path.display()));
        assert!(!problem.to_string().contains("s3cret"));
        assert!(Secrets::default().read_key_file(&path).is_err());
    }
    let path = file(&folder, "secret", b"s3cret\n", 0o400);
    assert!(Secrets::default().read(&SecretRef::File(path)).is_ok());
}

#[test]
fn a_credential_is_read_from_the_folder_that_systemd_guards_whatever_its_mode() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(&folder, "gateway", b"s3cret\n", 0o444);
    let secrets = Secrets { credentials_dir: Some(folder.path().to_owned()) };
    assert_eq!(text(&secrets, SecretRef::Credential("gateway".into())), "s3cret");
    assert!(secrets.read_key_file(&path).is_ok());
    let missing = secrets.read(&SecretRef::Credential("other".into())).err().unwrap();
    assert!(missing.what.contains("does not exist"), "{missing}");
}

#[test]
fn without_a_credentials_folder_the_message_says_how_to_get_one() {
    let problem = Secrets::default().read(&SecretRef::Credential("gateway".into())).err().unwrap();
    assert!(problem.mend.contains("LoadCredential=gateway:FILE"), "{problem}");
    assert!(problem.mend.contains("--credentials"), "{problem}");
}

#[test]
fn a_secret_comes_from_the_environment_too() {
    // Cargo sets it for every test.
    assert_eq!(text(&Secrets::default(), SecretRef::Env("CARGO_PKG_NAME".into())), "embargod");
    let problem = Secrets::default().read(&SecretRef::Env("EMBARGOD_NO_SUCH_THING".into())).err().unwrap();
    assert!(problem.what.contains("EMBARGOD_NO_SUCH_THING is not set"), "{problem}");
}

#[test]
fn an_empty_secret_or_a_folder_is_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let empty = file(&folder, "empty", b"\n", 0o600);
    assert!(Secrets::default().read(&SecretRef::File(empty)).err().unwrap().what.ends_with("is empty"));
    let problem = Secrets::default().read(&SecretRef::File(folder.path().to_owned())).err().unwrap();
    assert!(problem.what.contains("not a regular file"), "{problem}");
}
