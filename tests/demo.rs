//! `embargod demo`, seen from outside: what it prints, what it leaves, and whether that is true.
//!
//! Security: everything lies in temporary folders; gpg gets a home of its own, and its agent is ended with it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

#[allow(dead_code, unreachable_pub)]
#[path = "world/process.rs"]
mod process;

use process::{files_below, must, pipe};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const EMBARGOD: &str = env!("CARGO_BIN_EXE_embargod");

/// A demo that ran.
struct Demo {
    folder: PathBuf,
    text: String,
    root: tempfile::TempDir,
}

fn demo(arguments: &[&str]) -> Demo {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("demo");
    let output = pipe(Command::new(EMBARGOD).args(["demo", "--dir"]).arg(&folder).args(arguments), b"");
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_eq!(said, "", "nothing on standard error");
    Demo { folder, text: String::from_utf8(output.stdout).unwrap(), root }
}

impl Demo {
    fn runs(&self, arguments: &[&str]) -> Output {
        let config = self.folder.join("embargod.toml");
        pipe(Command::new(EMBARGOD).arg("--config").arg(config).args(arguments), b"")
    }

    /// The sections after the introduction, heading first.
    fn sections(&self) -> Vec<Vec<&str>> {
        let mut sections: Vec<Vec<&str>> = Vec::new();
        for line in self.text.lines() {
            let number = line.split_once(". ").and_then(|(number, _)| number.parse::<usize>().ok());
            if number == Some(sections.len() + 1) {
                sections.push(Vec::new());
            }
            if let Some(section) = sections.last_mut() {
                section.push(line);
            }
        }
        sections
    }

    /// The section with this in its heading, as one text.
    fn section(&self, heading: &str) -> String {
        let sections = self.sections();
        let section = sections.iter().find(|section| section[0].contains(heading));
        section.unwrap_or_else(|| panic!("no section {heading:?} in\n{}", self.text)).join("\n")
    }

    fn draft(&self, case: &str) -> String {
        std::fs::read_to_string(self.folder.join(format!("drafts/{case}.json"))).unwrap()
    }
}

/// An OpenPGP home for gpg with the secret key of one of the demo's people.
struct Gpg(PathBuf);

impl Gpg {
    fn of(demo: &Demo, person: &str) -> Self {
        let home = demo.root.path().join(format!("gpg-{person}"));
        std::fs::create_dir(&home).unwrap();
        std::fs::set_permissions(&home, std::fs::Permissions::from_mode(0o700)).unwrap();
        let gpg = Self(home);
        let people = demo.folder.join("people");
        must(gpg.command().arg("--import").arg(people.join(format!("{person}.sec.asc"))), b"");
        must(gpg.command().arg("--import").arg(people.join("gateway.pub.asc")), b"");
        gpg
    }

    fn command(&self) -> Command {
        let mut command = Command::new("gpg");
        command.env("GNUPGHOME", &self.0).env("LC_ALL", "C").args(["--batch", "--no-tty", "--status-fd", "2"]);
        command
    }

    fn opens(&self, mail: &Path) -> Result<String, String> {
        let output = pipe(self.command().arg("--decrypt").arg(mail), b"");
        let status = String::from_utf8_lossy(&output.stderr).into_owned();
        if status.contains("DECRYPTION_OKAY") && status.contains("] GOODSIG") {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(status)
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        let _ = Command::new("gpgconf").arg("--homedir").arg(&self.0).args(["--kill", "all"]).output();
    }
}

#[test]
fn the_whole_job_is_shown_on_less_than_a_screen_a_step() {
    let demo = demo(&[]);
    let sections = demo.sections();
    assert_eq!(sections.len(), 12, "{}", demo.text);
    for section in &sections {
        assert!(section.len() <= 45, "{} lines: {}", section.len(), section[0]);
        assert!(section.len() >= 5, "nothing is shown: {}", section[0]);
    }
    for line in demo.text.lines() {
        assert!(line.chars().count() <= 100, "{line:?}");
        assert_eq!(line, line.trim_end(), "no blanks at the end");
    }
    assert!(!demo.text.contains('\u{1b}'), "no colours where nobody sees them");
    assert!(!demo.text.contains("surprise"));
    assert!(demo.text.lines().take(4).any(|line| line.trim() == demo.folder.to_str().unwrap()), "the folder is named");
    assert!(demo.text.trim_end().ends_with("All steps went as they should."));
    let statement = demo.section("Alice's copy");
    for line in ["Kind: report", "Encryption: complete", "Signature: good", "past the end of the virtqueue ring"] {
        assert!(statement.contains(line), "{line:?} is not in {statement}");
    }
    let table = demo.section("The gateway runs");
    for kind in ["signed and encrypted", "encrypted, not signed", "in clear", "tampered with"] {
        assert!(table.contains(kind), "{kind:?} is not in {table}");
    }
    assert!(demo.section("changed on the way").contains("Ask the reporter to send it again"));
    assert!(!demo.section("changed on the way").contains("64 KiB"), "nothing of the changed report is shown");
}

#[test]
fn gpg_opens_each_members_copies_and_nobody_elses() {
    let demo = demo(&[]);
    let (alice, bob) = (Gpg::of(&demo, "alice"), Gpg::of(&demo, "bob"));
    let first = demo.folder.join("people/alice.eml");
    let opened = alice.opens(&first).unwrap();
    assert!(opened.contains("past the end of the virtqueue ring"), "{opened}");
    assert!(bob.opens(&first).is_err());
    for (person, gpg) in [("alice", &alice), ("bob", &bob)] {
        let mails = files_below(&demo.folder.join(format!("outbox/{person}@kestrel.example/new")));
        assert_eq!(mails.len(), 6, "four reports, an answer and another report");
        for mail in &mails {
            gpg.opens(mail).unwrap_or_else(|said| panic!("{}: {said}", mail.display()));
        }
    }
    let rita = Gpg::of(&demo, "rita");
    let answers = files_below(&demo.folder.join("outbox/rita@reporter.example/new"));
    let opened: Vec<String> = answers.iter().filter_map(|mail| rita.opens(mail).ok()).collect();
    assert!(opened.iter().any(|text| text.contains("DEMO-") && text.contains("Your mail was received")), "{opened:?}");
    assert!(rita.opens(&first).is_err(), "the reporter is no member");
}

#[test]
fn the_very_command_that_is_printed_opens_a_copy() {
    let demo = demo(&["--members", "2"]);
    let look = demo.section("Look around");
    let lines: Vec<&str> = look.lines().map(str::trim).collect();
    let command = |start: &str| *lines.iter().find(|line| line.starts_with(start)).expect(start);
    let script = format!("{}\n{}\ngpgconf --kill all\n", command("cd "), command("export GNUPGHOME="));
    let scratch = demo.root.path().join("t");
    std::fs::create_dir(&scratch).unwrap();
    let output = pipe(Command::new("sh").arg("-c").arg(script).env("TMPDIR", scratch), b"");
    let opened = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(opened.contains("past the end of the virtqueue ring"), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn what_it_says_about_drafts_and_disk_is_true() {
    let demo = demo(&["--members", "1"]);
    let year = demo.text.split("DEMO-").nth(1).unwrap()[..4].to_owned();
    let (stub, report) = (demo.draft(&format!("DEMO-{year}-0001")), demo.draft(&format!("DEMO-{year}-0005")));
    assert!(stub.contains("CWE-787") && !stub.contains("virtqueue"), "{stub}");
    assert!(report.contains("leads out of the image cache") && report.contains("[redacted: "), "{report}");
    for draft in [&stub, &report] {
        for words in ["Rita", "Reese", "reporter.example", "0143"] {
            assert!(!draft.contains(words), "{words} is in {draft}");
        }
    }
    let shown = demo.section("content = \"report\"");
    assert!(shown.contains("- Hello, this is Rita Reese") && shown.contains("+ Hello, [redacted: name]"), "{shown}");
    assert!(shown.contains("DEMO-"), "the reply's case is named");
    for file in files_below(&demo.folder.join("state")) {
        let bytes = String::from_utf8_lossy(&std::fs::read(&file).unwrap()).to_lowercase();
        for words in ["rita", "virtqueue", "image cache", "access tokens", "packed rings", "begin pgp private"] {
            assert!(!bytes.contains(words), "{words} is in {}", file.display());
        }
    }
    assert!(demo.section("disk").contains("the reporter's address"), "what was looked for is named");
}

#[test]
fn the_gateway_runs_again_on_what_is_left() {
    let demo = demo(&["--members", "2"]);
    for arguments in [&["run", "--once"][..], &["status"], &["check"], &["cases", "list", "--json"]] {
        let output = demo.runs(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {said}");
    }
    let cases: serde_json::Value = serde_json::from_slice(&demo.runs(&["cases", "list", "--json"]).stdout).unwrap();
    assert_eq!(cases["cases"].as_array().map(Vec::len), Some(5), "{cases}");
    // And it takes in another mail there.
    let mail = "From: <somebody@elsewhere.example>\nTo: security@kestrel.example\nSubject: one more\n\nA late one.\n";
    std::fs::write(demo.folder.join("inbox/new/late"), mail).unwrap();
    assert_eq!(demo.runs(&["run", "--once"]).status.code(), Some(0));
    assert_eq!(files_below(&demo.folder.join("outbox/bob@kestrel.example/new")).len(), 7);
}

#[test]
fn everything_that_it_leaves_belongs_to_its_owner_alone() {
    let demo = demo(&["--members", "1"]);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&demo.folder), 0o700);
    assert_eq!(mode(&demo.folder.join("people")), 0o700);
    for file in files_below(&demo.folder).iter().filter(|file| !file.to_string_lossy().contains("/inbox/")) {
        assert_eq!(mode(file) & 0o077 & !0o044, 0, "{} can be written by others", file.display());
        if file.to_string_lossy().contains(".sec.asc") {
            assert_eq!(mode(file), 0o600, "{}", file.display());
        }
    }
    let readme = std::fs::read_to_string(demo.folder.join("README.txt")).unwrap();
    assert!(readme.contains("made up"), "{readme}");
}

#[test]
fn a_folder_that_is_not_empty_is_refused_by_name_and_left_alone() {
    let earlier = demo(&["--members", "1"]);
    let before = files_below(&earlier.folder);
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("mine.txt"), "mine").unwrap();
    for (folder, why) in [(earlier.folder.as_path(), "earlier demo"), (root.path(), "not empty")] {
        let output = pipe(Command::new(EMBARGOD).args(["demo", "--dir"]).arg(folder), b"");
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains(why) && said.contains(folder.to_str().unwrap()), "{said}");
        assert_eq!(said.lines().count(), 1, "{said}");
    }
    assert_eq!(files_below(&earlier.folder), before);
    assert_eq!(files_below(root.path()).len(), 1);
}

#[test]
fn a_number_of_members_out_of_bounds_is_a_usage_error() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().join("demo");
    for number in ["0", "101", "-1", "many"] {
        let mut command = Command::new(EMBARGOD);
        let output = pipe(command.arg("demo").arg(format!("--members={number}")).arg("--dir").arg(&folder), b"");
        assert_eq!(output.status.code(), Some(2), "{number}");
    }
    assert!(!folder.exists(), "nothing was made");
}

#[test]
fn an_output_that_is_closed_early_is_no_failure() {
    let root = tempfile::tempdir().unwrap();
    let mut command = Command::new(EMBARGOD);
    command.args(["demo", "--members", "1", "--dir"]).arg(root.path().join("head"));
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut start = [0; 20];
    child.stdout.take().unwrap().read_exact(&mut start).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
    assert_eq!(&start, b"embargod demo: how a");

    let closed = format!("exec '{EMBARGOD}' demo --members 1 --dir '{}' >&-", root.path().join("closed").display());
    let output = pipe(Command::new("sh").arg("-c").arg(closed), b"");
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
    assert!(root.path().join("closed/drafts").exists(), "it did its work all the same");
}

#[test]
fn a_folder_of_its_own_is_made_and_named_where_none_is_asked_for() {
    let root = tempfile::tempdir().unwrap();
    let output = pipe(Command::new(EMBARGOD).args(["demo", "--members=1"]).env("TMPDIR", root.path()), b"");
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let folder = text.lines().map(str::trim).find(|line| line.starts_with('/')).expect("the folder is named");
    assert!(
        Path::new(folder).starts_with(root.path()) && Path::new(folder).join("embargod.toml").is_file(),
        "{folder}"
    );
    assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 1, "and nothing else is left behind");
}

#[test]
fn colours_are_there_where_they_are_wanted() {
    let root = tempfile::tempdir().unwrap();
    let mut command = Command::new(EMBARGOD);
    command.args(["demo", "--members=1", "--dir"]).arg(root.path().join("demo"));
    let output = pipe(command.env("CLICOLOR_FORCE", "1").env_remove("NO_COLOR"), b"");
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8(output.stdout).unwrap().contains("\u{1b}[1m1. The set-up"));
}
