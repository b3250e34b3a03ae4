//! The end of the demo: what lies on disk, what cannot be found there, and what to try next.
//!
//! Security: the search looks at every octet of every file, names included, for each text as it is, in hexadecimal and in base64.
//! It also looks where the texts must be found, so that a search that finds nothing proves something.

use super::folder::{Folder, TEAM, contents};
use super::letters::{CLEAR, PHONE, REPLY, SECOND, SIGNED, TAMPERED, UNSIGNED};
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
    let [state, drafts, inbox] = ["state", "drafts", "inbox"].map(|name| contents(&folder.path.join(name)));
    let (state, drafts, inbox) = (state?, drafts?, inbox?);
    screen.say("All that the gateway remembers:")?;
    let mut table = Table::new(["  ", "FILE", "OCTETS"]);
    for (path, bytes) in &state {
        let name = path.strip_prefix(&folder.path).unwrap_or(path).display().to_string();
        table.row([String::from("  "), name, bytes.len().to_string()]);
    }
    screen.table(&table)?;
    screen.say(&format!(
        "{} and {} were searched for words of the reports and of the reporter, as they are, in hexadecimal and in \
         base64. In the mailbox the same search must find what came in clear.",
        plural(state.len(), "file") + " of state/",
        plural(drafts.len(), "draft"),
    ))?;
    let mut table = Table::new(["  ", "FILES THAT HOLD", "STATE/", "DRAFTS/", "INBOX/ (AS IT ARRIVED)"]);
    let fingerprint = folder.reporter.cert.fingerprint().to_hex();
    let script = "4097 descriptors";
    // What is looked for, in how many drafts it may stand, and whether the mailbox holds it readably.
    let wanted: [(&str, usize, bool); 11] = [
        (SIGNED.canary, 0, false),
        (script, 0, false),
        (UNSIGNED.canary, 0, false),
        (CLEAR.canary, 0, true),
        (TAMPERED.canary, 0, false),
        (REPLY.canary, 0, false),
        (SECOND.canary, 1, false),
        (&folder.reporter.name, 0, true),
        (&folder.reporter.address, 0, true),
        (PHONE, 0, false),
        (&fingerprint, 0, false),
    ];
    for (words, in_drafts, in_clear) in wanted {
        let [in_state, found, in_inbox] = [&state, &drafts, &inbox].map(|files| holding(files, words));
        ensure!(in_state == 0, "surprise: {words:?} was found in {} of state/", plural(in_state, "file"));
        ensure!(found == in_drafts, "surprise: {words:?} was found in {}", plural(found, "draft"));
        ensure!(
            (in_inbox > 0) == in_clear,
            "surprise: {words:?} was found in {} of the mailbox",
            plural(in_inbox, "mail")
        );
        let drafts = if in_drafts > 0 { format!("{found}, as chosen") } else { found.to_string() };
        let shown = if words == fingerprint { "the fingerprint of Rita's key" } else { words };
        table.row([String::from("  "), shown.to_owned(), in_state.to_string(), drafts, in_inbox.to_string()]);
    }
    screen.table(&table)?;
    screen.checked("The gateway wrote nothing of a report or of its reporter that can be read without its key.")?;
    screen.say(
        "Beyond its reach, and yours to guard: the mailbox with the mails as they came, and the outside of answers to \
         the reporter (outbox/).",
    )?;
    Ok(())
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
    screen.say("Everything that was shown is true of the files that lie in")?;
    screen.command(&format!("cd {}", shell_word(&folder.path.display().to_string())))?;
    screen.say(&format!(
        "There, open {}'s copy of the first report with GnuPG, in a key ring of its own:",
        member.name
    ))?;
    screen
        .command(&format!("export GNUPGHOME=$(mktemp -d); gpg -q --import people/*.asc; gpg -d people/{file}.eml"))?;
    screen.say("Run the gateway again, and ask it (README.txt says how to send it a mail of your own):")?;
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
