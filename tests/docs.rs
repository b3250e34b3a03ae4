//! The pages for users say what the program does: every command, option, key, code and sample in them is held against it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use embargod::report::{Class, Encryption, KeyOrigin, Refusal, SignatureStatus, Warning};
use regex::Regex;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

const PAGES: [&str; 12] = [
    "README.md",
    "CHANGELOG.md",
    "docs/configuration.md",
    "docs/design.md",
    "docs/fuzzing.md",
    "docs/github.md",
    "docs/mail-programs.md",
    "docs/mailboxes.md",
    "docs/members.md",
    "docs/reporters.md",
    "docs/systemd.md",
    "keys/README.md",
];

fn page(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

fn embargod(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_embargod"));
    command.args(arguments).env_remove("CREDENTIALS_DIRECTORY").env("NO_COLOR", "1").output().unwrap()
}

fn says(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn help(command: &[&str]) -> String {
    let mut arguments = command.to_vec();
    arguments.push("--help");
    let output = embargod(&arguments);
    assert!(output.status.success(), "{command:?}");
    says(&output)
}

/// The names under `Commands:` of a help text.
fn subcommands(help: &str) -> Vec<String> {
    let Some((_, list)) = help.split_once("\nCommands:\n") else { return Vec::new() };
    let name = Regex::new(r"(?m)^  ([a-z]+)(?:  |$)").unwrap();
    let list = list.split("\n\n").next().unwrap();
    name.captures_iter(list).map(|found| found[1].to_owned()).filter(|name| name != "help").collect()
}

/// Every command that does something, as `cases list`.
fn commands_of_the_program() -> BTreeSet<String> {
    let mut commands = BTreeSet::new();
    for command in subcommands(&help(&[])) {
        let below = subcommands(&help(&[&command]));
        if below.is_empty() {
            commands.insert(command);
        } else {
            commands.extend(below.iter().map(|name| format!("{command} {name}")));
        }
    }
    commands
}

/// The first column of the README's table of commands.
fn rows_of_the_readme() -> Vec<String> {
    let readme = page("README.md");
    let (_, table) = readme.split_once("| command | does |\n|---|---|\n").expect("the table of commands");
    let row = Regex::new(r"^\| `([^`]+)` \|").unwrap();
    table.lines().map_while(|line| row.captures(line).map(|found| found[1].to_owned())).collect()
}

/// `cases show` of `cases show CASE [--json]`.
fn name_of(row: &str) -> String {
    let is_name = |word: &&str| word.chars().all(|c| c.is_ascii_lowercase());
    row.split(' ').take_while(is_name).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_readme_names_every_command_and_no_other() {
    let written: BTreeSet<_> = rows_of_the_readme().iter().map(|row| name_of(row)).collect();
    assert_eq!(written, commands_of_the_program());
}

#[test]
fn the_readme_names_every_option_of_a_command_and_no_other() {
    let option = Regex::new(r"--[a-z-]+").unwrap();
    let in_help = Regex::new(r"(?m)^ +(?:-[a-zA-Z], )?(--[a-z-]+)").unwrap();
    let of_all = ["--config", "--credentials", "--help", "--version"];
    for row in rows_of_the_readme() {
        let name = name_of(&row);
        let help = help(&name.split(' ').collect::<Vec<_>>());
        let written: BTreeSet<_> = option.find_iter(&row).map(|found| found.as_str().to_owned()).collect();
        let there: BTreeSet<_> = in_help
            .captures_iter(&help)
            .map(|found| found[1].to_owned())
            .filter(|option| !of_all.contains(&option.as_str()))
            .collect();
        assert_eq!(written, there, "{name}");
    }
}

/// A configuration folder as `init` makes it, with one member, and mail that leaves into a Maildir.
struct Team {
    folder: TempDir,
    fingerprint: String,
}

impl Team {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let made =
            embargod(&["init", &at(""), "--name", "Example VMT", "--address", "vmt@example.org", "--prefix", "EX"]);
        assert!(made.status.success(), "{}", says(&made));
        let (config, key) = (at("embargod.toml"), at("alice.sec.asc"));
        let made = embargod(&[
            "--config",
            &config,
            "keys",
            "generate",
            "--name",
            "Alice",
            "--address",
            "alice@example.org",
            "--out",
            &key,
        ]);
        let fingerprint = Regex::new(r"Fingerprint: ([0-9A-F]+)").unwrap();
        let fingerprint = fingerprint.captures(&says(&made)).expect("a fingerprint")[1].to_owned();
        std::fs::rename(at("alice.pub.asc"), at("keys/members/alice.asc")).unwrap();
        Self { folder, fingerprint }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn written_by_init(&self) -> toml::Table {
        std::fs::read_to_string(self.path("embargod.toml")).unwrap().parse().unwrap()
    }

    /// A whole configuration of what `init` wrote and a sample. Files that the sample names are there, empty where nothing better is.
    fn configuration(&self, sample: &str) -> toml::Table {
        let mut config = self.written_by_init();
        config.remove("outgoing");
        config.extend("outgoing = { kind = 'maildir', path = 'outbox' }".parse::<toml::Table>().unwrap());
        let member = format!(
            "name = 'Alice'\naddress = 'alice@example.org'\ncertificate = 'keys/members/alice.asc'\nfingerprint = '{}'",
            self.fingerprint
        );
        let member: toml::Value = member.parse::<toml::Table>().unwrap().into();
        config.insert("members".into(), vec![member].into());
        let sample = sample.replace("0123456789ABCDEF0123456789ABCDEF01234567", &self.fingerprint);
        config.extend(sample.parse::<toml::Table>().expect(&sample));
        let files = Regex::new(r#"\b(?:file|certificate) *= *"([^"]+)""#).unwrap();
        let generated = std::fs::read_dir(self.path("keys/gateway")).unwrap().next().unwrap().unwrap().path();
        for named in files.captures_iter(&sample) {
            let path = self.path(&named[1]);
            if !path.exists() {
                std::fs::copy(&generated, path).unwrap();
            }
        }
        config
    }

    fn check(&self, config: &str) -> serde_json::Value {
        let file = self.path("sample.toml");
        std::fs::write(&file, config).unwrap();
        let output = embargod(&["--config", &file.display().to_string(), "check", "--json"]);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", says(&output)))
    }
}

/// The samples of configuration on a page.
fn samples(text: &str) -> Vec<String> {
    let block = Regex::new(r"(?ms)^( *)```toml\n(.*?)^ *```$").unwrap();
    block.captures_iter(text).map(|found| found[2].to_owned()).collect()
}

#[test]
fn every_sample_of_configuration_is_valid() {
    let team = Team::new();
    let mut found = 0;
    for name in PAGES {
        for sample in samples(&page(name)) {
            found += 1;
            let verdict = team.check(&toml::to_string(&team.configuration(&sample)).unwrap());
            let first = verdict["findings"][0]["what"].as_str().unwrap();
            assert!(first.starts_with("the configuration is valid"), "{name}: {verdict:#}\n{sample}");
        }
    }
    assert!(found >= 4, "only {found} samples were found");
}

#[test]
fn what_init_writes_and_the_member_sample_of_the_readme_make_a_set_up_that_works() {
    let team = Team::new();
    let member = samples(&page("README.md")).into_iter().find(|sample| sample.contains("[[members]]")).unwrap();
    let verdict = team.check(&toml::to_string(&team.configuration(&member)).unwrap());
    assert_eq!(verdict["ok"], true, "{verdict:#}");
}

/// Every kind that a door can be of: which of its keys the parser knows depends on it.
const KINDS: &str = r#"
[mailbox]
kind = "imap"
host = "imap.example.org"
user = "vmt"
password = { env = "PASSWORD" }

[mailbox]
kind = "maildir"
path = "inbox"

[outgoing]
kind = "smtp"
host = "smtp.example.org"

[outgoing]
kind = "sendmail"
command = "/usr/sbin/sendmail"

[outgoing]
kind = "maildir"
path = "outbox"

[advisories]
kind = "github"
repository = "example/example"
app = { id = 1, key = { env = "KEY" } }

[advisories]
kind = "directory"
path = "drafts"
"#;

/// The keys of a section that the parser knows, as its own complaint lists them, for all kinds that it can be of.
fn known_keys(team: &Team, section: &str) -> BTreeSet<String> {
    let kinds = KINDS.split("\n\n").map(str::trim);
    let kinds: Vec<&str> = kinds.filter(|kind| kind.starts_with(&format!("[{section}]"))).collect();
    let mut known = BTreeSet::new();
    for kind in if kinds.is_empty() { vec![""] } else { kinds } {
        let mut config = team.configuration("");
        config.extend(kind.parse::<toml::Table>().unwrap());
        known.extend(keys_in_the_complaint(team, config, section));
    }
    known
}

fn keys_in_the_complaint(team: &Team, mut config: toml::Table, section: &str) -> Vec<String> {
    let entry = config.entry(section).or_insert_with(|| toml::Table::new().into());
    let table = match entry {
        toml::Value::Array(tables) => tables[0].as_table_mut().unwrap(),
        other => other.as_table_mut().unwrap(),
    };
    table.insert("nonsense".into(), 1.into());
    let verdict = team.check(&toml::to_string(&config).unwrap());
    let mend = verdict["findings"][0]["mend"].as_str().unwrap();
    let (_, keys) = mend.split_once("use one of: ").unwrap_or_else(|| panic!("{verdict:#}"));
    keys.split(", ").map(str::to_owned).collect()
}

/// The keys that the page explains under the heading of a section.
fn explained_keys(section: &str) -> BTreeSet<String> {
    let text = page("docs/configuration.md");
    let row = Regex::new(r"(?m)^\| `([a-z_]+)` \|").unwrap();
    let heading = Regex::new(&format!(r"(?ms)^## `\[+{}\]+`\n(.*?)(?:^## |\z)", regex::escape(section))).unwrap();
    let part = heading.captures(&text).unwrap_or_else(|| panic!("no heading for [{section}]"))[1].to_owned();
    row.captures_iter(&part).map(|found| found[1].to_owned()).collect()
}

#[test]
fn every_key_of_the_configuration_is_documented_with_what_it_is_for() {
    let team = Team::new();
    for section in ["team", "store", "gateway_keys", "members", "mailbox", "outgoing", "advisories", "intake", "limits"]
    {
        assert_eq!(explained_keys(section), known_keys(&team, section), "[{section}]");
    }
    let mut config = team.configuration("");
    let github = KINDS.split("\n\n").find(|kind| kind.contains("\"github\"")).unwrap();
    let route =
        "components = ['runtime']\nroutes = [{ match = 'Component: runtime', repository = 'a/b', nonsense = 1 }]";
    config.extend(format!("{github}\n{route}").parse::<toml::Table>().unwrap());
    let verdict = team.check(&toml::to_string(&config).unwrap());
    let mend = verdict["findings"][0]["mend"].as_str().unwrap();
    let (_, keys) = mend.split_once("use one of: ").unwrap_or_else(|| panic!("{verdict:#}"));
    let keys: BTreeSet<_> = keys.split(", ").map(str::to_owned).collect();
    assert_eq!(explained_keys("advisories.routes"), keys);
}

#[test]
fn the_defaults_of_the_limits_are_those_of_the_page() {
    let text = page("docs/configuration.md");
    let limits = embargod::report::Limits::default();
    let mib = |octets: u64| format!("\"{} MiB\"", octets / 1024 / 1024);
    for (key, default) in [
        ("max_opened_size", mib(limits.max_opened_size)),
        ("max_mime_depth", limits.max_mime_depth.to_string()),
        ("max_parts", limits.max_parts.to_string()),
        ("max_headers", limits.max_headers.to_string()),
        ("max_layers", limits.max_layers.to_string()),
        ("max_recipients", limits.max_recipients.to_string()),
        ("max_signatures", limits.max_signatures.to_string()),
        ("max_certificates", limits.max_certificates.to_string()),
        ("max_time", format!("\"{}s\"", limits.max_time.as_secs())),
    ] {
        assert!(text.contains(&format!("| `{key}` | `{default}` |")), "{key} is {default}");
    }
    assert!(text.contains(&format!("| `max_size` | `{}` |", mib(limits.max_size))));
}

#[test]
fn every_word_that_a_statement_or_inspect_can_show_is_explained_to_the_members() {
    let text = page("docs/members.md");
    let words = [
        Warning::ALL.iter().map(|word| word.word()).collect::<Vec<_>>(),
        Refusal::ALL.iter().map(|word| word.word()).collect(),
        SignatureStatus::ALL.iter().map(|word| word.word()).collect(),
        KeyOrigin::ALL.iter().map(|word| word.word()).collect(),
        Encryption::ALL.iter().map(|word| word.word()).collect(),
        Class::ALL.iter().map(|word| word.word()).collect(),
    ];
    for word in words.concat() {
        let row = text.lines().find(|line| {
            line.strip_prefix("| ")
                .and_then(|line| line.split(" | ").next())
                .is_some_and(|cell| cell.contains(&format!("`{word}`")))
        });
        assert!(row.is_some(), "{word} is not explained in docs/members.md");
    }
    let warning = Regex::new(r"(?m)^\| `([a-z-]+)` \|").unwrap();
    let (_, warnings) = text.split_once("## Warnings").unwrap();
    let warnings = warnings.split("\n## ").next().unwrap();
    for found in warning.captures_iter(warnings) {
        assert!(Warning::from_word(&found[1]).is_some(), "{} is no warning", &found[1]);
    }
}

#[test]
fn every_link_between_the_pages_leads_to_a_file() {
    let link = Regex::new(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)").unwrap();
    for name in PAGES {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
        let folder = folder.parent().unwrap();
        for found in link.captures_iter(&page(name)) {
            assert!(folder.join(&found[1]).exists(), "{name} links to {}", &found[1]);
        }
    }
}
