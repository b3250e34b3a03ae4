use super::*;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

const MAIL: &[u8] = b"Subject: x\r\n\r\n.\r\nlone\rreturn\r\n";

/// A folder with a program in it that takes the part of sendmail; `$HERE` in its script is the folder.
struct Host {
    folder: tempfile::TempDir,
}

impl Host {
    fn with(script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("sendmail");
        let script = format!("#!/bin/sh\nHERE={}\n{script}\n", folder.path().display());
        // Another process writes it: a file that this one holds open for writing, even in a child forked by another test,
        // cannot be run (ETXTBSY).
        let mut writer = std::process::Command::new("sh")
            .args(["-c", "cat > \"$0\" && chmod 700 \"$0\""])
            .arg(&program)
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        writer.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        assert!(writer.wait().unwrap().success());
        Self { folder }
    }

    fn courier(&self) -> SendmailCourier {
        SendmailCourier::new(self.path("sendmail"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    async fn send(&self, mail: &[u8]) -> Result<(), PortError> {
        self.courier().hand_over(Some("vmt@example.org"), "alice@example.org", mail).await
    }
}

const RECORDING: &str = r#"for a in "$@"; do printf '%s\n' "$a"; done > $HERE/args; env > $HERE/env; cat > $HERE/mail"#;

#[tokio::test]
async fn the_program_gets_the_envelope_as_arguments_and_the_mail_with_line_feeds() {
    let host = Host::with(RECORDING);
    host.send(MAIL).await.unwrap();
    assert_eq!(host.text("args"), "-i\n-f\nvmt@example.org\n--\nalice@example.org\n");
    assert_eq!(host.text("mail"), "Subject: x\n\n.\nlone\rreturn\n");
}

#[tokio::test]
async fn a_null_return_path_is_written_as_sendmail_programs_want_it() {
    let host = Host::with(RECORDING);
    host.courier().hand_over(None, "eve@example.org", MAIL).await.unwrap();
    assert_eq!(host.text("args"), "-i\n-f\n<>\n--\neve@example.org\n");
}

#[tokio::test]
async fn the_program_inherits_nothing_of_our_environment() {
    let host = Host::with(RECORDING);
    assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some(), "there is something to inherit");
    host.send(MAIL).await.unwrap();
    let env = host.text("env");
    let names: Vec<&str> = env.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    // PWD, OLDPWD, SHLVL and _ are the shell's own.
    assert!(names.iter().all(|name| ["PATH", "LANG", "PWD", "OLDPWD", "SHLVL", "_"].contains(name)), "{env}");
}

#[tokio::test]
async fn a_mail_larger_than_a_pipe_arrives_whole() {
    let host = Host::with(RECORDING);
    let mail = b"0123456789abcdef\r\n".repeat(100_000);
    host.send(&mail).await.unwrap();
    assert_eq!(host.text("mail").len(), 17 * 100_000);
}

#[tokio::test]
async fn the_exit_status_says_whether_trying_again_makes_sense() {
    for (status, permanent) in [(65, true), (67, true), (69, true), (75, false), (71, false), (78, false), (1, false)] {
        let host = Host::with(&format!("cat > /dev/null; echo alice@example.org unknown >&2; exit {status}"));
        let text = match (host.send(MAIL).await.unwrap_err(), permanent) {
            (PortError::Permanent(text), true) | (PortError::Temporary(text), false) => text,
            (other, _) => panic!("{status}: {other:?}"),
        };
        assert!(text.contains(&format!("status {status}")) && !text.contains("alice"), "{text}");
    }
}

#[tokio::test]
async fn a_program_that_ends_without_reading_the_mail_has_not_taken_it() {
    let host = Host::with("exec < /dev/null; exit 0");
    let mail = vec![b'x'; 1_000_000];
    assert!(matches!(host.send(&mail).await, Err(PortError::Temporary(_))));
}

#[tokio::test]
async fn a_missing_program_is_worth_another_try() {
    let courier = SendmailCourier::new(Path::new("/nonexistent/sendmail").to_owned());
    let error = courier.hand_over(None, "alice@example.org", MAIL).await.unwrap_err();
    assert!(matches!(error, PortError::Temporary(text) if text.contains("/nonexistent/sendmail")));
}

#[tokio::test]
async fn a_program_killed_after_it_had_the_whole_mail_may_have_sent_it() {
    let host = Host::with("cat > /dev/null; kill -9 $$");
    assert!(matches!(host.send(MAIL).await, Err(PortError::Ambiguous(_))));
}

#[tokio::test]
async fn a_hanging_program_is_killed_after_the_time_limit() {
    let mut courier = (Host::with("cat > /dev/null; sleep 600"), Instant::now());
    let hanging = SendmailCourier { time_limit: Duration::from_millis(500), ..courier.0.courier() };
    assert!(matches!(hanging.hand_over(None, "alice@example.org", MAIL).await, Err(PortError::Ambiguous(_))));
    assert!(courier.1.elapsed() < Duration::from_secs(30));

    courier = (Host::with("sleep 600"), Instant::now());
    let deaf = SendmailCourier { time_limit: Duration::from_millis(500), ..courier.0.courier() };
    let large = vec![b'x'; 1_000_000];
    assert!(matches!(deaf.hand_over(None, "alice@example.org", &large).await, Err(PortError::Temporary(_))));
    assert!(courier.1.elapsed() < Duration::from_secs(30));
}

#[tokio::test]
async fn a_cut_mail_is_never_taken_for_a_whole_one() {
    // The reader is a child of the program, stops in the middle, and would pass on what it has at the end of its input.
    let host =
        Host::with("(head -c 10 > /dev/null; touch $HERE/begun; sleep 2; cat > /dev/null; touch $HERE/sent) & wait");
    let large = vec![b'x'; 1_000_000];
    let stopped = SendmailCourier { time_limit: Duration::from_secs(1), ..host.courier() };
    stopped.hand_over(None, "alice@example.org", &large).await.unwrap_err();
    // The caller gives up: the future is dropped in the middle.
    let courier = host.courier();
    let dropped = courier.hand_over(None, "alice@example.org", &large);
    assert!(tokio::time::timeout(Duration::from_secs(1), dropped).await.is_err());
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(host.path("begun").exists());
    assert!(!host.path("sent").exists(), "the reader saw an end of the mail");
}

#[tokio::test]
async fn an_address_that_a_program_could_misread_is_refused_before_anything_runs() {
    let host = Host::with(RECORDING);
    for bad in [
        "a@x,b@y",
        "a@x b@y",
        "-oQ/tmp@x",
        "|sh@x",
        "/etc/passwd@x",
        "\"a b\"@x",
        "a@x\nb@y",
        "<a@x>",
        "a(c)@x",
        "root",
        "@x:a@y",
        "a@",
        "@x",
        "",
        "a@[127.0.0.1]",
        "a@x;b",
        "a\u{a0}b@x",
    ] {
        let error = host.courier().hand_over(None, bad, MAIL).await.unwrap_err();
        assert!(matches!(error, PortError::Permanent(_)), "{bad:?}");
        assert!(host.courier().hand_over(Some(bad), "alice@example.org", MAIL).await.is_err(), "{bad:?}");
    }
    assert!(!host.path("args").exists());
    for good in ["o'neil+tag=x@example.org", "bücher@exämple.org", "a.b-c_d@sub.example.org"] {
        host.courier().hand_over(None, good, MAIL).await.unwrap();
        assert!(host.text("args").ends_with(&format!("--\n{good}\n")));
    }
}
