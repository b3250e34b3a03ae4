//! The unit and its companions in `systemd/`, read by systemd's own programs; no service is started.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)]

use regex::Regex;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

fn read(name: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// The unit with the program of this build, where a systemd would find it.
fn unit() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let unit = read("systemd/embargod.service").replace("/usr/local/bin/embargod", env!("CARGO_BIN_EXE_embargod"));
    let path = folder.path().join("embargod.service");
    std::fs::write(&path, unit).unwrap();
    (folder, path)
}

fn runs(program: &str, arguments: &[&str]) -> Output {
    let output = Command::new(program).args(arguments).env("SYSTEMD_COLORS", "0").output();
    output.unwrap_or_else(|error| panic!("{program}: {error} (Debian: systemd)"))
}

fn says(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Values of a setting of the unit, without comments.
fn setting(name: &str) -> Vec<String> {
    let unit = read("systemd/embargod.service");
    let prefix = format!("{name}=");
    unit.lines().filter_map(|line| line.strip_prefix(&prefix)).map(str::to_owned).collect()
}

#[test]
fn systemd_understands_every_line_of_the_unit() {
    let (_folder, unit) = unit();
    let output = runs("systemd-analyze", &["verify", "--man=no", unit.to_str().unwrap()]);
    // What it says of units of the machine itself is none of ours.
    let ours: Vec<_> = says(&output).lines().filter(|line| line.contains("embargod")).map(str::to_owned).collect();
    assert!(output.status.success() && ours.is_empty(), "{}", says(&output));
}

#[test]
fn systemd_rates_the_unit_as_well_confined() {
    let (_folder, unit) = unit();
    let arguments = ["security", "--offline=true", "--threshold=15", "--no-pager", unit.to_str().unwrap()];
    let output = runs("systemd-analyze", &arguments);
    assert!(output.status.success(), "{}", says(&output));
}

#[test]
fn the_user_and_the_folders_of_the_unit_are_made_by_its_companions() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("etc")).unwrap();
    let at_root = format!("--root={}", root.path().display());
    let file = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd").join(name).display().to_string();
    let made = runs("systemd-sysusers", &[&at_root, &file("embargod.sysusers.conf")]);
    assert!(made.status.success(), "{}", says(&made));
    let users = std::fs::read_to_string(root.path().join("etc/passwd")).unwrap();
    let user = setting("User").remove(0);
    let line = users.lines().find(|line| line.starts_with(&format!("{user}:"))).unwrap();
    assert!(line.ends_with(":/var/lib/embargod:/usr/sbin/nologin"), "{line}");
    let folders = read("systemd/embargod.tmpfiles.conf");
    for (setting_name, parent) in [("StateDirectory", "/var/lib"), ("ConfigurationDirectory", "/etc")] {
        let path = format!("{parent}/{}", setting(setting_name).remove(0));
        let made = folders.lines().any(|line| {
            let fields: Vec<_> = line.split_whitespace().collect();
            fields.starts_with(&["d", &path, "0700", &user, &user])
        });
        assert!(made, "{path}: {folders}");
    }
}

#[test]
fn the_page_names_the_credentials_of_the_unit_and_no_others() {
    let of_unit: BTreeSet<_> =
        setting("LoadCredential").iter().map(|value| value.split_once(':').unwrap().0.to_owned()).collect();
    let row =
        Regex::new(r#"(?m)^\| `\{ credential = "([a-z-]+)" \}` \| `/etc/credstore/embargod\.([a-z-]+)` \|$"#).unwrap();
    let page = read("docs/systemd.md");
    let of_page: BTreeSet<_> = row.captures_iter(&page).map(|found| found[1].to_owned()).collect();
    assert_eq!(of_unit, of_page);
    assert!(setting("LoadCredential").iter().all(|value| {
        let (id, file) = value.split_once(':').unwrap();
        file == format!("embargod.{id}")
    }));
}

#[test]
fn the_unit_runs_on_the_oldest_systemd_it_is_for() {
    // 253 brought Type=notify-reload; 252 takes it for a simple service that is never ready.
    assert_eq!(setting("Type"), ["notify"]);
    assert_eq!(setting("ExecReload"), ["/bin/kill -HUP $MAINPID"]);
    assert_eq!(setting("Restart"), ["always"]);
}
