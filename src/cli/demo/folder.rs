//! The demo's folder: configuration, keys, the team's mailbox, what the gateway wrote, and running the gateway in it.
//!
//! Security: the folder and all in it belong to its owner alone (0700, 0600). Nothing is ever written into a folder that holds
//! anything already.

use super::letters::Letter;
use super::people::Person;
use crate::cli::{self, keys, output};
use crate::config::Secrets;
use crate::daemon;
use crate::gateway::make_folder;
use crate::store::RowFilter;
use anyhow::{Context, bail, ensure};
use jiff::Timestamp;
use sequoia_openpgp as openpgp;

use openpgp::Cert;
use openpgp::parse::Parse;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The team's name and address, as `demo.toml` has them.
pub(super) const TEAM: (&str, &str) = ("Kestrel Security Team", "security@kestrel.example");
const CONFIG: &str = include_str!("demo.toml");
const README: &str = include_str!("readme.txt");
/// The first line of the note that each demo leaves.
const README_NAME: &str = "README.txt";

/// A folder with a gateway set up in it, and the people around it.
pub(super) struct Folder {
    pub(super) path: PathBuf,
    pub(super) gateway: Cert,
    pub(super) members: Vec<Person>,
    pub(super) reporter: Person,
}

/// What one run of the gateway did: how many of what.
pub(super) type Counts = BTreeMap<String, usize>;

impl Folder {
    /// Makes keys, people and configuration.
    ///
    /// # Errors
    /// When the folder is not empty or cannot be written to.
    pub(super) fn make(dir: Option<&Path>, members: usize) -> anyhow::Result<Self> {
        let path = match dir {
            Some(dir) => empty_folder(dir)?,
            None => tempfile::Builder::new()
                .prefix("embargod-demo-")
                .tempdir()
                .context("no temporary folder could be made; name a folder with --dir")?
                .keep(),
        };
        for folder in ["inbox/cur", "inbox/new", "inbox/tmp", "keys/gateway", "keys/members", "people"] {
            make_folder(&path.join(folder))?;
        }
        let progress = output::progress(u64::try_from(members).unwrap_or(0) + 2, "making keys");
        let key = keys::make(TEAM.0, TEAM.1, None)?;
        progress.inc(1);
        let reporter = Person::new("Rita Reese", "rita@reporter.example")?;
        progress.inc(1);
        let members = (0..members).map(|index| {
            let member = Person::member(index);
            progress.inc(1);
            member
        });
        let members = members.collect::<anyhow::Result<Vec<_>>>()?;
        progress.finish_and_clear();
        let file = keys::default_file(Timestamp::now());
        let secret = path.join(&file);
        keys::write_key(&key, &secret, &keys::public_file(&secret)?)?;
        let folder = Self { path, gateway: Cert::from_bytes(&key.certificate)?, members, reporter };
        folder.write_people(&key.certificate)?;
        folder.write(&folder.config(), &folder.configuration(&file))?;
        Ok(folder)
    }

    /// The configuration file.
    pub(super) fn config(&self) -> PathBuf {
        self.path.join("embargod.toml")
    }

    /// The first member, whose copies are looked at closely.
    ///
    /// # Errors
    /// Never: there is at least one.
    pub(super) fn first_member(&self) -> anyhow::Result<&Person> {
        self.members.first().context("there is no member")
    }

    fn write(&self, file: &Path, text: &str) -> anyhow::Result<()> {
        keys::write_new(file, text.as_bytes(), 0o600)
    }

    fn write_people(&self, gateway: &[u8]) -> anyhow::Result<()> {
        let people = self.path.join("people");
        keys::write_new(&people.join("gateway.pub.asc"), gateway, 0o600)?;
        for person in self.members.iter().chain([&self.reporter]) {
            let file = people.join(format!("{}.sec.asc", person.file_name()));
            keys::write_new(&file, &person.secret_file()?, 0o600)?;
        }
        for member in &self.members {
            let file = self.path.join(certificate_path(member));
            keys::write_new(&file, &member.certificate_file()?, 0o600)?;
        }
        let first = self.first_member()?;
        let readme = README.replace("{{member}}", &first.file_name()).replace("{{name}}", &first.name);
        self.write(&self.path.join(README_NAME), &readme)
    }

    fn configuration(&self, key: &str) -> String {
        let mut text = CONFIG.replace("{{key}}", key);
        for member in &self.members {
            text.push_str(&format!(
                "[[members]]\nname        = \"{}\"\naddress     = \"{}\"\ncertificate = \"{}\"\nfingerprint = \"{}\"\n\n",
                member.name,
                member.address,
                certificate_path(member),
                member.cert.fingerprint().to_hex()
            ));
        }
        text
    }

    /// Changes `content = "stub"` to `content = "report"` in the configuration, as an admin would with an editor.
    ///
    /// # Errors
    /// When the file cannot be read or written.
    pub(super) fn publish_reports(&self) -> anyhow::Result<()> {
        let file = self.config();
        let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        let changed = text.replace("content      = \"stub\"", "content      = \"report\"");
        ensure!(changed != text, "surprise: {} does not say content = \"stub\"", file.display());
        std::fs::write(&file, changed).with_context(|| format!("cannot write {}", file.display()))
    }

    /// Puts a mail into the team's mailbox, as a mail server does: written aside, then moved to its place.
    ///
    /// # Errors
    /// When the Maildir cannot be written to.
    pub(super) fn arrives(&self, number: usize, mail: &[u8]) -> anyhow::Result<()> {
        let name = format!("{}.{number:03}.demo", Timestamp::now().as_second());
        let (tmp, new) = (self.path.join("inbox/tmp").join(&name), self.path.join("inbox/new").join(&name));
        keys::write_new(&tmp, mail, 0o600)?;
        std::fs::rename(&tmp, &new).with_context(|| format!("cannot move a mail to {}", new.display()))
    }

    /// Runs the gateway as `embargod run --once` does.
    ///
    /// # Errors
    /// When the gateway fails, or leaves something undone.
    pub(super) fn run_gateway(&self) -> anyhow::Result<Counts> {
        let counts = RefCell::new(Counts::new());
        cli::runtime()?.block_on(async {
            let running = daemon::start(&self.config(), &Secrets { credentials_dir: None }).await?;
            let progress = output::Counter::start();
            let note = |what: &str, count: usize| {
                *counts.borrow_mut().entry(what.to_owned()).or_default() += count;
                progress.add(what, count);
            };
            let result = running.once(&note).await;
            progress.finish();
            result?;
            let store = &running.gateway().store;
            let left = store.rows(&RowFilter { unfinished: true, ..RowFilter::default() }).await?;
            let unopened = store.mails_waiting().await?.count;
            store.close().await;
            ensure!(
                left.is_empty() && unopened == 0,
                "surprise: the gateway left {} rows and {unopened} mails undone",
                left.len()
            );
            Ok(())
        })?;
        Ok(counts.into_inner())
    }

    /// What was sent to an address: files and their content, by name.
    ///
    /// # Errors
    /// When the Maildir cannot be read.
    pub(super) fn sent_to(&self, address: &str) -> anyhow::Result<Vec<(PathBuf, Vec<u8>)>> {
        contents(&self.path.join("outbox").join(address).join("new"))
    }

    /// The draft of a case, as it would go to GitHub.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn draft(&self, case: &str) -> anyhow::Result<serde_json::Value> {
        let file = self.path.join("drafts").join(format!("{case}.json"));
        let bytes = std::fs::read(&file).with_context(|| format!("surprise: there is no draft {}", file.display()))?;
        Ok(serde_json::from_slice(&bytes)?)
    }

    /// Writes a letter of the reporter's and puts it into the mailbox; returns it as it arrives.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn reporter_sends(
        &self,
        number: usize,
        letter: &Letter,
        reply_to: Option<&str>,
    ) -> anyhow::Result<super::letters::Written> {
        let written = letter.write(&self.reporter, TEAM.1, &self.gateway, reply_to)?;
        self.arrives(number, &written.raw)?;
        Ok(written)
    }
}

fn certificate_path(member: &Person) -> String {
    format!("keys/members/{}.asc", member.file_name())
}

/// The folder, absolute, made if it is not there.
fn empty_folder(dir: &Path) -> anyhow::Result<PathBuf> {
    let path = std::path::absolute(dir).with_context(|| format!("{} is no folder's name", dir.display()))?;
    let shown = path.display();
    match std::fs::read_dir(&path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => make_folder(&path)?,
        Err(error) => return Err(error).with_context(|| format!("--dir: {shown} cannot be used; name a new folder")),
        Ok(entries) => {
            if entries.take(1).count() == 0 {
                return Ok(path);
            }
            let readme = std::fs::read_to_string(path.join(README_NAME)).unwrap_or_default();
            if readme.lines().next() == README.lines().next() {
                bail!("--dir: {shown} holds an earlier demo; look into its {README_NAME}, or name a new folder");
            }
            bail!("--dir: {shown} is not empty, and a demo overwrites nothing; name a new folder");
        }
    }
    Ok(path)
}

/// All files in a folder and below, with their contents, by name; none if there is no such folder.
///
/// # Errors
/// When one cannot be read.
pub(super) fn contents(folder: &Path) -> anyhow::Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = match std::fs::read_dir(&folder) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            entries => entries.with_context(|| format!("cannot read {}", folder.display()))?,
        };
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                folders.push(entry.path());
            } else {
                let bytes =
                    std::fs::read(entry.path()).with_context(|| format!("cannot read {}", entry.path().display()))?;
                files.push((entry.path(), bytes));
            }
        }
    }
    files.sort();
    Ok(files)
}
