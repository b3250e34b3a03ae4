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
    screen.quote("description:")?;
    screen.quote(&indented(&text(&draft, "description")))?;
    screen.quote(&format!("and for GitHub's own fields: {}, {}", draft["cwe_ids"], draft["cvss_vector_string"]))?;
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
        "The team changes that one line of embargod.toml. Rita answers the acknowledgement, and sends another signed \
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
    screen.checked(&format!("Rita's answer reached the members in the case it belongs to, {first} ({kind})."))?;
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
    screen.say(&format!("summary: {}", text(&draft, "summary")))?;
    screen.say(&format!("The report as {member} reads it (-), and as it stands in drafts/{case}.json (+):"))?;
    for (sign, line) in changes(original, redacted) {
        let tone = match sign {
            '-' => Some(Tone::Bad),
            '+' => Some(Tone::Good),
            _ => None,
        };
        screen.quote_in(tone, &format!("{sign} {line}"))?;
    }
    screen.checked(&format!(
        "{} taken out, each marked [redacted: ...]; the finding itself is left as it was written.",
        if taken == 1 { "One thing was".to_owned() } else { format!("{} were", plural(taken, "thing")) }
    ))?;
    screen.checked("Name, address, page and telephone number of the reporter: none of them stands in the draft.")?;
    Ok(())
}

fn text(draft: &serde_json::Value, name: &str) -> String {
    draft.get(name).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned()
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

/// What stands in the code fence of a description.
fn fenced(description: &str) -> Option<&str> {
    let start = description.lines().find(|line| line.starts_with("```") && line.ends_with("text"))?;
    let (_, rest) = description.split_once(&format!("{start}\n"))?;
    let (inside, _) = rest.split_once(&format!("\n{}", start.trim_end_matches("text")))?;
    Some(inside)
}

/// The lines of both texts in order: `-` only in the first, `+` only in the second, a space in both.
fn changes<'a>(before: &'a str, after: &'a str) -> Vec<(char, &'a str)> {
    let mut new: Vec<&str> = after.trim_end().lines().collect();
    new.reverse();
    let mut lines = Vec::new();
    for old in before.trim_end().lines() {
        let same = new.iter().rposition(|line| line.trim_end() == old.trim_end());
        // An empty line proves no more than that there is one; it is taken up where it comes next.
        let same = same.filter(|place| !old.trim().is_empty() || place + 1 == new.len());
        match same {
            Some(place) => {
                let added = new.split_off(place + 1);
                lines.extend(added.into_iter().rev().map(|line| ('+', line)));
                new.pop();
                lines.push((' ', old));
            }
            None => lines.push(('-', old)),
        }
    }
    lines.extend(new.into_iter().rev().map(|line| ('+', line)));
    lines
}
