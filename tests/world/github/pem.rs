//! The Apps' RSA key, made once for a test run.

use std::process::Command;
use std::sync::OnceLock;

/// What an App's owner downloads: a private key as PKCS #1 in PEM.
pub(super) fn private() -> &'static str {
    static KEY: OnceLock<String> = OnceLock::new();
    KEY.get_or_init(another)
}

/// A private key that GitHub knows nothing of.
pub(super) fn another() -> String {
    openssl(&["genrsa", "-traditional", "2048"], "")
}

/// What GitHub keeps of it.
pub(super) fn public() -> &'static str {
    static KEY: OnceLock<String> = OnceLock::new();
    KEY.get_or_init(|| openssl(&["pkey", "-pubout"], private()))
}

fn openssl(args: &[&str], input: &str) -> String {
    use std::io::Write;
    use std::process::Stdio;
    let mut command = Command::new("openssl");
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().expect("openssl starts");
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{command:?}");
    String::from_utf8(output.stdout).unwrap()
}
