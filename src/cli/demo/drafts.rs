//! The demo's draft advisories: once without a word of the report, once with its redacted text.
//!
//! Security: what must not stand in a draft is searched for before the draft is shown.

use super::folder::Folder;
use super::letters::{REPLY, SECOND, SIGNED};
use super::reports::identity;
use super::screen::Screen;
use super::{Copies, plural};
use crate::cli::output::Tone;
use anyhow::{Context, ensure};

/// The draft of the first report.
pub(super) fn stub(screen: &mut Screen<'_>, folder: &Folder, case: &str) -> anyhow::Result<()> {
    screen.section("The draft advisory of the first report: content = \"stub\"")?;
    let draft = folder.draft(case)?;
    let whole = draft.to_string();
    let prose = [SIGNED.canary, SIGNED.subject, "I have told nobody else", "crash.sh"];
    for words in identity(folder).iter().map(String::as_str).chain(prose) {
        ensure!(!whole.contains(words), "surprise: {words:?} stands in a stub");
    }
    ensure!(whole.contains("CWE-787"), "surprise: the checked fields of the report are missing in the draft");
    screen.say(&format!("drafts/{case}.json is what GitHub's call \"create a draft advisory\" would get. In it:"))?;
    screen.quote(&format!("summary: {}", text(&draft, "summary")))?;
    screen.quote(&format!("description:\n{}", text(&draft, "description")))?;
    let field = |name: &str| draft.get(name).map(ToString::to_string).unwrap_or_default();
    screen.quote(&format!("cwe_ids: {}\ncvss_vector_string: {}", field("cwe_ids"), field("cvss_vector_string")))?;
    screen.checked("Only fields with a checked form left the report: component, versions, CVSS, CWE.")?;
    screen.checked("No sentence of it is there, no subject, no name, no address.")?;
    Ok(())
}

/// A second report, after the team has chosen to put the text into drafts; and a reply in the first case.
pub(super) fn report(screen: &mut Screen<'_>, folder: &Folder, first: &str, thread: &str) -> anyhow::Result<()> {
    screen.section("The draft advisory of another report: content = \"report\"")?;
    folder.publish_reports()?;
    folder.reporter_sends(5, &REPLY, Some(thread))?;
    folder.reporter_sends(6, &SECOND, None)?;
    let counts = folder.run_gateway()?;
    ensure!(
        counts.get("received") == Some(&2) && counts.get("copies") == Some(&(2 * folder.members.len())),
        "surprise: the gateway did not do what was expected with two more mails: {counts:?}"
    );
    screen.say(
        "The team changes that one line of embargod.toml. Rita then answers the acknowledgement, and sends another signed \
         and encrypted report. The gateway runs again.",
    )?;
    let copies = Copies::open(folder, folder.first_member()?)?;
    let reply = copies.of(&REPLY)?;
    let kind = reply.opened.says("Kind");
    ensure!(
        reply.opened.says("Case") == first && kind == "reporter-reply",
        "surprise: the reply came into {} as {kind}, not into {first}",
        reply.opened.says("Case")
    );
    screen.checked(&format!("Rita's answer reached the members in the case it belongs to, {first}."))?;
    let second = copies.of(&SECOND)?;
    let (case, member) = (second.opened.says("Case"), &folder.first_member()?.name);
    let texts = second.opened.texts();
    let original = texts.get(1).context("surprise: a copy holds no report")?;
    let draft = folder.draft(&case)?;
    let whole = draft.to_string();
    let parts = ["Rita", "Reese", "reporter.example", "555 0143", "~rita"];
    for words in identity(folder).iter().map(String::as_str).chain(parts) {
        ensure!(!whole.contains(words), "surprise: {words:?} stands in a draft");
    }
    let description = text(&draft, "description");
    let redacted = fenced(&description).context("surprise: the draft holds no text of the report; is it a stub?")?;
    ensure!(redacted.contains(SECOND.canary), "surprise: the draft does not hold the text of the report");
    let taken = redacted.matches("[redacted: ").count();
    ensure!(taken > 0, "surprise: nothing was taken out of the report");
    screen.say(&format!("The report as {member} reads it (-), and as it stands in drafts/{case}.json (+):"))?;
    screen.quote(&format!("  summary: {}\n", text(&draft, "summary")))?;
    for (sign, line) in changes(original, redacted) {
        let tone = match sign {
            '-' => Some(Tone::Bad),
            '+' => Some(Tone::Good),
            _ => None,
        };
        screen.quote_in(tone, &format!("{sign} {line}"))?;
    }
    screen.checked(&format!(
        "Taken out in {}, and said so; the finding is as it was written.",
        plural(taken, "place", "places")
    ))?;
    screen.checked("Name, address, page and telephone number of the reporter: none of them stands in the draft.")?;
    Ok(())
}

fn text(draft: &serde_json::Value, name: &str) -> String {
    draft.get(name).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
}

/// What stands in the code fence of a description.
fn fenced(description: &str) -> Option<&str> {
    let start = description.lines().find(|line| line.starts_with("```") && line.ends_with("text"))?;
    let (_, rest) = description.split_once(&format!("{start}\n"))?;
    let (inside, _) = rest.split_once(&format!("\n{}", start.trim_end_matches("text")))?;
    Some(inside)
}

/// The lines of both texts in order: `-` only in the first, `+` only in the second, a space in both (the longest common
/// subsequence).
fn changes<'a>(before: &'a str, after: &'a str) -> Vec<(char, &'a str)> {
    let old: Vec<&str> = before.trim_end().lines().map(str::trim_end).collect();
    let new: Vec<&str> = after.trim_end().lines().map(str::trim_end).collect();
    // The longest common subsequence of what follows a place in each.
    let mut longest = vec![vec![0_usize; new.len() + 1]; old.len() + 1];
    let at =
        |longest: &[Vec<usize>], i: usize, j: usize| longest.get(i).and_then(|row| row.get(j)).copied().unwrap_or(0);
    for (i, line) in old.iter().enumerate().rev() {
        for (j, other) in new.iter().enumerate().rev() {
            let best = if line == other {
                at(&longest, i + 1, j + 1) + 1
            } else {
                at(&longest, i + 1, j).max(at(&longest, i, j + 1))
            };
            if let Some(cell) = longest.get_mut(i).and_then(|row| row.get_mut(j)) {
                *cell = best;
            }
        }
    }
    let (mut lines, mut i, mut j) = (Vec::new(), 0, 0);
    loop {
        match (old.get(i), new.get(j)) {
            (Some(line), Some(other)) if line == other => {
                lines.push((' ', *line));
                (i, j) = (i + 1, j + 1);
            }
            (Some(line), other) if other.is_none() || at(&longest, i + 1, j) >= at(&longest, i, j + 1) => {
                lines.push(('-', *line));
                i += 1;
            }
            (_, Some(other)) => {
                lines.push(('+', *other));
                j += 1;
            }
            (_, None) => return lines,
        }
    }
}

#[cfg(test)]
#[path = "drafts_tests.rs"]
mod tests;
