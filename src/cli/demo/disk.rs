//! The end of the demo: what lies on disk, what cannot be found there, and what to try next.
//!
//! Security: the search looks at every octet of every file, names included, for each text as it is, in hexadecimal and in base64.
//! It also looks where the texts must be found, so that a search that finds nothing proves something.

use super::folder::{Folder, TEAM, contents};
use super::letters::{ATTACHED, CLEAR, PHONE, REPLY, SECOND, SIGNED, TAMPERED, UNSIGNED};
use super::plural;
use super::screen::Screen;
use crate::cli::output::Table;
use anyhow::ensure;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::path::PathBuf;

type Files = Vec<(PathBuf, Vec<u8>)>;

/// Lists what the gateway keeps, and searches it.
pub(super) fn search(screen: &mut Screen<'_>, folder: &Folder) -> anyhow::Result<()> {
    screen.section("What lies on disk")?;
    let places = ["state", "drafts", "outbox", "inbox"].map(|name| contents(&folder.path.join(name)));
    let [state, drafts, outbox, inbox] = places;
    let (state, drafts, outbox, inbox) = (state?, drafts?, outbox?, inbox?);
    screen.say("All that the gateway remembers:")?;
    let mut table = Table::new(["  ", "FILE", "OCTETS"]);
    for (path, bytes) in &state {
        let name = path.strip_prefix(&folder.path).unwrap_or(path).display().to_string();
        table.row([String::from("  "), name, bytes.len().to_string()]);
    }
    screen.table(&table)?;
    screen.say(&format!(
        "These, {}, {} sent and {} received were searched for words of the reports and of the reporter, as they are, in \
         hexadecimal and in base64. The number of files that hold them:",
        plural(drafts.len(), "draft", "drafts"),
        plural(mails(&outbox), "mail", "mails"),
        plural(mails(&inbox), "mail", "mails"),
    ))?;
    let mut table = Table::new(["  ", "LOOKED FOR", "STATE/", "DRAFTS/", "OUTBOX/", "INBOX/"]);
    for wanted in wanted(folder) {
        let words = &wanted.words;
        let [in_state, in_drafts, in_outbox, in_inbox] =
            [&state, &drafts, &outbox, &inbox].map(|files| holding(files, words));
        let surprise = |is_one: bool, place: &str| {
            ensure!(!is_one, "surprise: {words:?} was looked for in {place}/, and the result is not what it should be");
            Ok(())
        };
        surprise(in_state > 0, "state")?;
        surprise(in_drafts != usize::from(wanted.in_one_draft), "drafts")?;
        surprise((in_outbox > 0) != wanted.outside_of_answers, "outbox")?;
        surprise((in_inbox > 0) != wanted.in_clear_mail, "inbox")?;
        let counts = [in_state, in_drafts, in_outbox, in_inbox].map(|count| count.to_string());
        table.row([String::from("  "), wanted.shown.to_owned()].into_iter().chain(counts));
    }
    screen.table(&table)?;
    screen.checked("state/ holds nothing of a report or its reporter that can be read without the gateway's key.")?;
    screen.checked("drafts/ holds what the team chose to put there with content = \"report\", and no more.")?;
    screen.say(
        "What no gateway can seal is yours to guard: the mails as they came (inbox/), and whom an answer goes to (outbox/).",
    )?;
    Ok(())
}

/// Something to look for.
struct Wanted {
    words: String,
    /// How it is called in the table.
    shown: &'static str,
    /// Whether one draft holds it, as the team chose.
    in_one_draft: bool,
    /// Whether it stands outside the encryption of answers to the reporter.
    outside_of_answers: bool,
    /// Whether mails in the mailbox hold it readably: then the search proves that it finds things.
    in_clear_mail: bool,
}

fn wanted(folder: &Folder) -> Vec<Wanted> {
    let hidden = |words: &str, shown: &'static str| Wanted {
        words: words.to_owned(),
        shown,
        in_one_draft: false,
        outside_of_answers: false,
        in_clear_mail: false,
    };
    let letters = [&SIGNED, &UNSIGNED, &CLEAR, &TAMPERED, &REPLY, &SECOND].map(|letter| Wanted {
        in_one_draft: letter.canary == SECOND.canary,
        in_clear_mail: !letter.encrypted,
        ..hidden(letter.canary, letter.canary)
    });
    let reporter = &folder.reporter;
    let people = [
        hidden(ATTACHED, ATTACHED),
        Wanted { in_clear_mail: true, ..hidden(&reporter.name, "the reporter's name") },
        Wanted { in_clear_mail: true, outside_of_answers: true, ..hidden(&reporter.address, "the reporter's address") },
        hidden(PHONE, "the reporter's telephone number"),
        hidden(&reporter.cert.fingerprint().to_hex(), "the fingerprint of the reporter's key"),
    ];
    letters.into_iter().chain(people).collect()
}

/// How many of the files in Maildirs are mails.
fn mails(files: &Files) -> usize {
    let is_mail =
        |path: &PathBuf| path.parent().is_some_and(|folder| folder.ends_with("new") || folder.ends_with("cur"));
    files.iter().filter(|(path, _)| is_mail(path)).count()
}

/// In how many files a text stands.
fn holding(files: &Files, words: &str) -> usize {
    files
        .iter()
        .filter(|(path, bytes)| found_in(bytes, words) || found_in(path.as_os_str().as_encoded_bytes(), words))
        .count()
}

/// Whether a text stands in some octets: as it is (in any letter case), in hexadecimal, or in base64.
pub(super) fn found_in(octets: &[u8], words: &str) -> bool {
    let lower = octets.to_ascii_lowercase();
    let small = words.to_ascii_lowercase();
    let mut folded =
        vec![small.clone().into_bytes(), hex::encode(words).into_bytes(), hex::encode(&small).into_bytes()];
    folded.extend(hex::decode(words));
    if folded.iter().any(|form| memchr::memmem::find(&lower, &form.to_ascii_lowercase()).is_some()) {
        return true;
    }
    let unbroken: Vec<u8> = octets.iter().copied().filter(|octet| !octet.is_ascii_whitespace()).collect();
    (0..3).any(|before| memchr::memmem::find(&unbroken, base64_core(words, before).as_bytes()).is_some())
}

/// The characters of the base64 form that depend on these words alone, when so many octets stand before them.
fn base64_core(words: &str, before: usize) -> String {
    let padded = [vec![0; before], words.as_bytes().to_vec()].concat();
    let encoded = STANDARD.encode(&padded);
    let first = if before == 0 { 0 } else { before + 1 };
    let whole = padded.len() * 8 / 6;
    encoded.chars().take(whole).skip(first).collect()
}

/// What to try next.
pub(super) fn next(screen: &mut Screen<'_>, folder: &Folder) -> anyhow::Result<()> {
    let member = folder.first_member()?;
    let file = member.file_name();
    screen.section("Look around")?;
    screen.say("All that was shown lies in")?;
    screen.command(&format!("cd {}", shell_word(&folder.path.display().to_string())))?;
    screen.say(&format!(
        "There, open {}'s copy of the first report with GnuPG, in a key ring of its own:",
        member.name
    ))?;
    screen
        .command(&format!("export GNUPGHOME=$(mktemp -d); gpg -q --import people/*.asc; gpg -d people/{file}.eml"))?;
    screen.say("Run the gateway again, and ask it (README.txt tells how to send it a mail of your own):")?;
    for command in ["run --once", "status", "cases list"] {
        screen.command(&format!("embargod --config embargod.toml {command}"))?;
    }
    screen.say(&format!("The {} was made up. For your own team, in a new folder:", TEAM.0))?;
    screen.command("embargod init my-team")?;
    screen.say("All steps went as they should.")?;
    Ok(())
}

/// A path as a shell takes it.
fn shell_word(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if path.chars().all(plain) { path.to_owned() } else { format!("'{}'", path.replace('\'', "'\\''")) }
}

#[cfg(test)]
#[path = "disk_tests.rs"]
mod tests;
