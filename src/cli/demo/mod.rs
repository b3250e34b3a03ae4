//! `embargod demo`: the whole job on an embedded set-up, without configuration or network, shown step by step.
//!
//! The gateway that runs here is the real one, on a configuration as a team would write it; the demo only plays the people
//! around it: a reporter who sends mail, members who open their copies, somebody who searches the disk. Nothing is printed as a
//! fact that was not checked just before.
//!
//! Security: all people, keys and reports are made up on the spot. Secret keys of theirs are written, without passphrases, into
//! the demo's own folder and nowhere else.

mod disk;
mod drafts;
mod folder;
mod letters;
mod people;
mod reports;
mod screen;

use super::exit;
use anyhow::{Context, bail, ensure};
use clap::Args;
use folder::{Folder, TEAM};
use letters::Letter;
use people::{Opened, Person};
use screen::Screen;
use std::io::Write;
use std::path::PathBuf;

#[derive(Args)]
pub(super) struct Arguments {
    /// The folder to leave everything in, a new or empty one; a new temporary folder where not given.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// How many members the team has, 1 to 100.
    #[arg(long, default_value_t = 3, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=100))]
    members: u8,
}

/// Runs the command. What turns out otherwise than it should is an error that begins with `surprise:`.
///
/// # Errors
/// When the folder cannot be used, the gateway fails, or a surprise.
pub(super) fn run(arguments: &Arguments, out: &mut dyn Write) -> anyhow::Result<u8> {
    let mut screen = Screen::new(out);
    screen.title("embargod demo: how a vulnerability report reaches each member of a team, and nobody else")?;
    screen.say("Everything happens on this machine, without a network, among people who do not exist.")?;
    let folder = Folder::make(arguments.dir.as_deref(), usize::from(arguments.members))?;
    screen.say("All of it is kept in")?;
    screen.command(&folder.path.display().to_string())?;
    tour(&mut screen, &folder)
        .with_context(|| format!("the demo ended early; what it left lies in {}", folder.path.display()))?;
    Ok(exit::DONE)
}

fn tour(screen: &mut Screen<'_>, folder: &Folder) -> anyhow::Result<()> {
    set_up(screen, folder)?;
    let sent = reports::arrive(screen, folder)?;
    let copies = reports::gateway_runs(screen, folder)?;
    reports::copy(screen, folder, &copies)?;
    reports::outside(screen, folder, &copies)?;
    let thread = reports::acknowledgement(screen, folder)?;
    reports::weaker(screen, folder, &copies)?;
    reports::tampered(screen, folder, &copies, &sent)?;
    let case = copies.of(&letters::SIGNED)?.opened.says("Case");
    drafts::stub(screen, folder, &case)?;
    drafts::report(screen, folder, &case, &thread)?;
    disk::search(screen, folder)?;
    disk::next(screen, folder)?;
    Ok(())
}

fn set_up(screen: &mut Screen<'_>, folder: &Folder) -> anyhow::Result<()> {
    screen.section("The set-up")?;
    let first: Vec<_> = folder.members.iter().take(5).map(|member| member.name.as_str()).collect();
    let more = folder.members.len() - first.len();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let each = if folder.members.len() == 1 { "with an OpenPGP key" } else { "each with an OpenPGP key of their own" };
    screen.say(&format!("Inside, the {}: {}{more}, {each}.", TEAM.0, first.join(", ")))?;
    screen
        .say(&format!("Outside, somebody who found flaws: {}, {}.", folder.reporter.name, folder.reporter.address))?;
    screen.say(&format!("Between them the gateway at {} with a new key:", TEAM.1))?;
    screen.quote(&folder.gateway.fingerprint().to_spaced_hex())?;
    screen.say("This is the whole configuration, but for comments; embargod.toml has them too:")?;
    let text = std::fs::read_to_string(folder.config()).context("the configuration cannot be read")?;
    let (mut members, mut shown) = (0, String::new());
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        members += usize::from(line == "[[members]]");
        if members < 2 {
            shown.push_str(line);
            shown.push('\n');
        }
    }
    if members > 1 {
        shown.push_str(&format!("... and {} like this one\n", plural(members - 1, "table", "tables")));
    }
    screen.quote(&shown)?;
    Ok(())
}

/// A mail of the gateway's to a member, opened by that member.
struct Copy {
    raw: Vec<u8>,
    file: PathBuf,
    opened: Opened,
}

/// All mails that one member got.
struct Copies(Vec<Copy>);

impl Copies {
    /// Opens all mails of a member with that member's key.
    ///
    /// # Errors
    /// When one does not open, or the gateway's signature on it is not good.
    fn open(folder: &Folder, member: &Person) -> anyhow::Result<Self> {
        let mut copies = Vec::new();
        for (file, raw) in folder.sent_to(&member.address)? {
            let shown = file.display();
            let opened = member.open(&raw, &folder.gateway);
            let opened =
                opened.with_context(|| format!("surprise: {shown} does not open with {}'s key", member.name))?;
            ensure!(opened.signed, "surprise: the gateway's signature on {shown} is not good");
            copies.push(Copy { raw, file, opened });
        }
        Ok(Self(copies))
    }

    /// The copy of a letter.
    ///
    /// # Errors
    /// Unless there is exactly one.
    fn of(&self, letter: &Letter) -> anyhow::Result<&Copy> {
        self.only(&format!("the mail {:?}", letter.subject), |copy| copy.opened.shows(letter.canary))
    }

    fn only(&self, what: &str, is_it: impl Fn(&Copy) -> bool) -> anyhow::Result<&Copy> {
        let found: Vec<_> = self.0.iter().filter(|copy| is_it(copy)).collect();
        let [copy] = found.as_slice() else {
            bail!("surprise: a member has {} copies of {what} instead of one", found.len());
        };
        Ok(copy)
    }
}

/// `1 mail`, `2 mails`.
fn plural(count: usize, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// The header section of a mail, with the long value of Autocrypt cut short.
fn header(raw: &[u8]) -> String {
    let text = String::from_utf8_lossy(raw);
    let (head, _) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let (mut lines, mut in_key) = (Vec::new(), false);
    for line in head.lines() {
        if !line.starts_with([' ', '\t']) {
            in_key = line.to_ascii_lowercase().starts_with("autocrypt:");
            let shown = line.split(';').next().unwrap_or_default();
            lines.push(if in_key { format!("{shown}; keydata=...") } else { line.to_owned() });
        } else if !in_key {
            lines.push(line.to_owned());
        }
    }
    lines.join("\n")
}

/// Whether these words stand in a mail as it travels.
fn holds(raw: &[u8], words: &str) -> bool {
    disk::found_in(raw, words)
}

#[cfg(test)]
#[path = "demo_tests.rs"]
mod tests;
