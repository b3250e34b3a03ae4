//! The demo's reports: how they arrive, and what the members and the reporter get.
//!
//! Security: decrypted text is shown here because it was made up for that.

use super::folder::Folder;
use super::letters::{self, CLEAR, Letter, PHONE, SIGNED, TAMPERED, UNSIGNED};
use super::people::Opened;
use super::screen::Screen;
use super::{Copies, Copy, header, holds, plural};
use crate::cli::output::{self, Table, Tone};
use anyhow::{Context, bail, ensure};
use mail_parser::MessageParser;

/// The mails of the first round, in the order in which they arrive.
pub(super) const FIRST_ROUND: [&Letter; 4] = [&SIGNED, &UNSIGNED, &CLEAR, &TAMPERED];

/// The reporter sends four mails; returns the last one's armored message.
pub(super) fn arrive(screen: &mut Screen<'_>, folder: &Folder) -> anyhow::Result<String> {
    screen.section("Four mails arrive")?;
    screen.say("Rita writes them, and a mail server puts them into the team's mailbox, the Maildir inbox/:")?;
    let mut table = Table::new(["  ", "THE MAIL IS", "SUBJECT OUTSIDE", "WHO READS IT ON THE WAY"]);
    let (mut first, mut last) = (Vec::new(), None);
    for (index, letter) in FIRST_ROUND.into_iter().enumerate() {
        let written = folder.reporter_sends(index + 1, letter, None)?;
        ensure!(
            holds(&written.raw, letter.canary) != letter.encrypted,
            "surprise: a mail is not encrypted as it should be: {}",
            letter.kind
        );
        let (who, outside) = if letter.encrypted { ("nobody", "...") } else { ("anybody", letter.subject) };
        let who = if letter.tampered { "nobody; somebody changed one bit" } else { who };
        table.row(["  ", letter.kind, outside, who]);
        if index == 0 {
            first.clone_from(&written.raw);
        }
        last = written.armored;
    }
    screen.table(&table)?;
    screen.say("The first one, as every mail server on the way sees it:")?;
    screen.quote(&header(&first))?;
    let text = String::from_utf8_lossy(&first);
    let armor = text.split_once("-----BEGIN PGP MESSAGE-----").map(|(_, rest)| rest).unwrap_or_default();
    let lines: Vec<_> = armor.lines().filter(|line| !line.is_empty()).take(2).collect();
    screen.quote(&format!("...\n-----BEGIN PGP MESSAGE-----\n{}\n...", lines.join("\n")))?;
    last.context("surprise: the last mail holds no OpenPGP message")
}

/// The gateway takes them in; returns the first member's copies.
pub(super) fn gateway_runs(screen: &mut Screen<'_>, folder: &Folder) -> anyhow::Result<Copies> {
    screen.section("The gateway runs")?;
    screen.say("This is the real one, as started by")?;
    screen.command("embargod --config embargod.toml run --once")?;
    let counts = folder.run_gateway()?;
    let count = |what: &str| counts.get(what).copied().unwrap_or(0);
    let members = folder.members.len();
    ensure!(
        count("received") == 4 && count("copies") == 4 * members && count("acknowledgements") == 4,
        "surprise: the gateway did not do what was expected: {counts:?}"
    );
    screen.say(&format!(
        "It took in {}, gave each a case number, and sent {} to the members and {} to the reporter. It opened {}.",
        plural(count("received"), "mail", "mails"),
        plural(count("copies"), "encrypted copy", "encrypted copies"),
        plural(count("acknowledgements"), "acknowledgement", "acknowledgements"),
        plural(count("drafts"), "draft advisory", "draft advisories"),
    ))?;
    let copies = Copies::open(folder, folder.first_member()?)?;
    let mut table = Table::new(["  ", "CASE", "THE MAIL WAS", "ENCRYPTION", "SIGNATURE", "DRAFT"]);
    for letter in FIRST_ROUND {
        let opened = &find(&copies, letter)?.opened;
        let signature = opened.says("Signature");
        let draft = opened.says("Advisory");
        let cells = [
            String::from("  "),
            opened.says("Case"),
            letter.kind.to_owned(),
            opened.says("Encryption"),
            signature.split(';').next().unwrap_or_default().to_owned(),
            draft.split(':').next().unwrap_or_default().to_owned(),
        ];
        table.row(cells);
    }
    screen.table(&table)?;
    let archive = super::folder::contents(&folder.path.join("inbox/.Archive/cur"))?.len();
    let waiting = super::folder::contents(&folder.path.join("inbox/new"))?.len();
    ensure!(archive == 4 && waiting == 0, "surprise: {archive} mails in the archive, {waiting} in the mailbox");
    screen.checked("All four were stored durably first, and only then moved to the mailbox's folder Archive.")?;
    Ok(copies)
}

/// A copy of any of the first four letters; the tampered one shows none of its words.
fn find<'a>(copies: &'a Copies, letter: &Letter) -> anyhow::Result<&'a Copy> {
    if !letter.tampered {
        return copies.of(letter);
    }
    let readable = |copy: &Copy| FIRST_ROUND.iter().any(|letter| copy.opened.shows(letter.canary));
    copies.only("the mail that was tampered with", |copy| !readable(copy))
}

/// One member's copy, closely; and that each member has theirs and nobody else's.
pub(super) fn copy(screen: &mut Screen<'_>, folder: &Folder, copies: &Copies) -> anyhow::Result<()> {
    let member = folder.first_member()?;
    screen.section(&format!("{}'s copy of the first report", member.name))?;
    let copy = copies.of(&SIGNED)?;
    let link = folder.path.join("people").join(format!("{}.eml", member.file_name()));
    let target = copy.file.strip_prefix(&folder.path).unwrap_or(&copy.file);
    std::os::unix::fs::symlink(std::path::Path::new("..").join(target), link)
        .context("cannot make a link to a copy")?;
    screen.say(&format!("{0} opens it with {0}'s own key. First comes the gateway's statement:", member.name))?;
    let texts = copy.opened.texts();
    let [statement, report] = texts.as_slice() else {
        bail!("surprise: a copy holds {} texts instead of statement and report", texts.len());
    };
    screen.quote(statement)?;
    screen.say("Then follows the report, octet for octet as it was encrypted:")?;
    screen.quote_in(Some(Tone::Strong), report)?;
    each_member(screen, folder)
}

fn each_member(screen: &mut Screen<'_>, folder: &Folder) -> anyhow::Result<()> {
    let (mut raws, people) = (Vec::new(), folder.members.len());
    let progress = output::progress(u64::try_from(people * people).unwrap_or(0), "trying keys");
    for member in &folder.members {
        let copies = Copies::open(folder, member)?;
        ensure!(copies.0.len() == 4, "surprise: {} has {} copies instead of 4", member.name, copies.0.len());
        let copy = copies.of(&SIGNED)?;
        ensure!(
            memchr::memmem::find(&copy.opened.payload, SIGNED.inside().as_bytes()).is_some()
                && copy.opened.attachment("crash.sh").as_deref()
                    == SIGNED.attachment.map(|(_, script)| script.as_bytes()),
            "surprise: {}'s copy does not hold the report as it was written",
            member.name
        );
        raws.push(copy.raw.clone());
    }
    let mut tries = 0;
    for (index, raw) in raws.iter().enumerate() {
        let others = folder.members.iter().enumerate().filter(|(other, _)| *other != index).map(|(_, person)| person);
        for person in others.chain([&folder.reporter]) {
            tries += 1;
            progress.inc(1);
            ensure!(
                person.open(raw, &folder.gateway).is_err(),
                "surprise: the key of {} opens a copy that was made for somebody else",
                person.name
            );
        }
    }
    progress.finish_and_clear();
    let whose = if people == 1 { "The one member has" } else { "Each member has" };
    screen.checked(&format!(
        "{whose} a copy of their own: {people} of {people} open with their member's key, with a good signature of the \
         gateway, the attached crash.sh unchanged in them."
    ))?;
    screen.checked(&format!(
        "Nobody else opens it: {} with other members' keys and the reporter's failed.",
        plural(tries, "attempt", "attempts")
    ))?;
    Ok(())
}

/// The same copy from outside.
pub(super) fn outside(screen: &mut Screen<'_>, folder: &Folder, copies: &Copies) -> anyhow::Result<()> {
    screen.section("The same copy, as the mail servers on its way see it")?;
    let copy = copies.of(&SIGNED)?;
    let member = folder.first_member()?;
    screen.quote(&header(&copy.raw))?;
    for words in identity(folder).iter().map(String::as_str).chain([SIGNED.canary, SIGNED.subject, "crash.sh"]) {
        ensure!(!holds(&copy.raw, words), "surprise: {words:?} stands outside the encryption of a copy");
    }
    let (case, head) = (copy.opened.says("Case"), header(&copy.raw).to_lowercase());
    ensure!(head.contains(&case.to_lowercase()), "surprise: the case number does not stand in the header");
    let named = [&member.name, &member.address].iter().any(|words| head.contains(&words.to_lowercase()));
    ensure!(!named, "surprise: a member is named in the header of a copy");
    screen.checked(&format!("Of the report it tells the case number, {case}: no subject, no word of the content."))?;
    screen.checked("Of the reporter it tells nothing: no name, no address, no header of the mail that came in.")?;
    screen.checked(&format!("Not even {} is named in it; only the envelope says whom it is for.", member.name))?;
    Ok(())
}

/// What tells who the reporter is.
pub(super) fn identity(folder: &Folder) -> [String; 4] {
    let reporter = &folder.reporter;
    [reporter.name.clone(), reporter.address.clone(), PHONE.to_owned(), reporter.cert.fingerprint().to_hex()]
}

/// What the reporter gets; returns the Message-ID, with its brackets.
pub(super) fn acknowledgement(screen: &mut Screen<'_>, folder: &Folder) -> anyhow::Result<String> {
    screen.section("What the reporter gets")?;
    let answers = folder.sent_to(&folder.reporter.address)?;
    ensure!(answers.len() == 4, "surprise: the reporter got {} mails instead of 4", answers.len());
    for (_, raw) in &answers {
        for letter in FIRST_ROUND {
            ensure!(
                !holds(raw, letter.canary) && !holds(raw, letter.subject),
                "surprise: an acknowledgement holds words of a report"
            );
        }
    }
    let sealed: Vec<_> = answers.iter().filter(|(_, raw)| holds(raw, "BEGIN PGP MESSAGE")).collect();
    let [(_, raw)] = sealed.as_slice() else {
        bail!("surprise: {} acknowledgements are encrypted instead of one", sealed.len());
    };
    let opened: Opened = folder.reporter.open(raw, &folder.gateway).context("surprise: Rita cannot open an answer")?;
    ensure!(opened.signed, "surprise: the gateway's signature on an acknowledgement is not good");
    ensure!(
        FIRST_ROUND.iter().all(|letter| !opened.shows(letter.canary)),
        "surprise: an acknowledgement holds words of a report"
    );
    screen.say("An automatic answer, opened with Rita's key:")?;
    screen.quote(&opened.statement())?;
    screen.checked("Signed by the gateway, and encrypted, since Rita's first mail offered a key (Autocrypt).")?;
    screen.checked("The other three mails were answered in clear. No answer repeats a word of a report.")?;
    let parsed = MessageParser::default().parse(raw.as_slice()).context("surprise: an answer is no mail")?;
    let id = parsed.message_id().context("surprise: an answer has no Message-ID")?;
    Ok(format!("<{id}>"))
}

/// The reports that were not signed, or came in clear.
pub(super) fn weaker(screen: &mut Screen<'_>, folder: &Folder, copies: &Copies) -> anyhow::Result<()> {
    screen.section("The reports that came unsigned, and in clear")?;
    screen.say("They reach the members as well, encrypted, and the statement says how each one came:")?;
    for (letter, encryption) in [(&UNSIGNED, "complete"), (&CLEAR, "none")] {
        let opened = &copies.of(letter)?.opened;
        ensure!(
            opened.says("Encryption") == encryption && opened.says("Signature") == "none",
            "surprise: the statement about a mail ({}) is wrong",
            letter.kind
        );
        let shown = ["Case", "Subject", "Encryption", "Signature", "Reporter", "Advisory", "Warning"];
        let statement = opened.statement();
        let lines = statement.lines().take_while(|line| !line.is_empty());
        let lines: Vec<_> =
            lines.filter(|line| line.split_once(": ").is_some_and(|(name, _)| shown.contains(&name))).collect();
        screen.quote(&lines.join("\n"))?;
        let text = opened.texts().get(1).cloned().unwrap_or_default();
        screen.quote_in(Some(Tone::Strong), &format!("\n{text}"))?;
        if letter.encrypted {
            screen.blank()?;
        }
    }
    for member in &folder.members {
        let copies = Copies::open(folder, member)?;
        for letter in [&UNSIGNED, &CLEAR] {
            let copy = copies.of(letter)?;
            ensure!(!holds(&copy.raw, letter.canary), "surprise: a copy to {} is not encrypted", member.name);
        }
    }
    screen.checked("Each member has both, encrypted, even the one that came in clear.")?;
    screen.checked("What came in clear opens no draft, unless the team sets open_for = \"all\".")?;
    Ok(())
}

/// The report that somebody changed on the way; `sent` is its armored message.
pub(super) fn tampered(screen: &mut Screen<'_>, folder: &Folder, copies: &Copies, sent: &str) -> anyhow::Result<()> {
    screen.section("The report that somebody changed on the way")?;
    let copy = find(copies, &TAMPERED)?;
    let statement = copy.opened.statement();
    ensure!(statement.contains("integrity"), "surprise: the members are not told why a mail was not opened");
    screen.say("The statement of the gateway, shortened:")?;
    let refusal = statement.lines().skip_while(|line| !line.is_empty()).skip(1).take_while(|line| !line.is_empty());
    let head = statement.lines().take_while(|line| !line.is_empty());
    let shown: Vec<_> =
        head.filter(|line| !line.starts_with("Received") && !line.starts_with("Original")).chain([""]).collect();
    screen.quote(&shown.into_iter().chain(refusal).collect::<Vec<_>>().join("\n"))?;
    let line = sent.lines().filter(|line| line.len() > 60).nth(1).context("surprise: the message has no lines")?;
    for member in &folder.members {
        let copies = Copies::open(folder, member)?;
        let copy = find(&copies, &TAMPERED)?;
        ensure!(!copy.opened.shows(letters::TAMPERED.canary), "surprise: a part of the changed report is shown");
        ensure!(copy.opened.shows(line), "surprise: the changed report is not enclosed as it came");
    }
    screen.checked("No part of its content is shown to anybody, not even what was left unchanged.")?;
    screen.checked("It is not lost: each member's copy encloses the mail as it came, and it has a case number.")?;
    Ok(())
}
