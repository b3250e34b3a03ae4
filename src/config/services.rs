//! From the document to the configuration: intake and limits, and what the readers of other sections share.
//!
//! Security: what this version does not do is refused in its own words. A team that asked for screening, hidden reporters or
//! retention must not believe that it has them.

use super::reader::Table;
use super::{ConfigError, IntakeConfig, PlaintextAnswers, PlaintextPolicy, Problem, values};
use crate::report::Limits;
use std::path::PathBuf;
use std::time::Duration;

pub(super) const REMOVE: &str = "remove it";

/// `[intake]`, and its `max_size`.
pub(super) fn intake(mut table: Table<'_>) -> Result<(IntakeConfig, Option<u64>), ConfigError> {
    const CHOOSE: &str = "set \"accept\" (mail in clear opens a case at once, marked so) or \"reject\" (it is kept, and answered with how to encrypt)";
    let plaintext = table.text("plaintext")?;
    let plaintext = match plaintext.as_deref() {
        Some("accept") => PlaintextPolicy::Accept,
        Some("reject") => PlaintextPolicy::Reject,
        Some("screen") => return Err(table.wrong("plaintext", not_built("\"screen\"", CHOOSE))),
        None => {
            let what = "it is missing, and its default \"screen\" is not built into this version";
            return Err(table.wrong("plaintext", Problem::new(what, CHOOSE)));
        }
        Some(other) => return Err(table.wrong("plaintext", none_of(other, CHOOSE))),
    };
    table.refuse(&["digest"], "a digest of screened mail is not built into this version", REMOVE)?;
    table.refuse(&["plaintext_answers"], "answers by `!answer` are not built into this version", REMOVE)?;
    match table.text("reporter")?.as_deref() {
        None | Some("shown") => {}
        Some("hidden") => return Err(table.wrong("reporter", not_built("\"hidden\"", "use \"shown\" or remove it"))),
        Some(other) => return Err(table.wrong("reporter", none_of(other, "use \"shown\" or remove it"))),
    }
    let max_size = size(&mut table, "max_size")?;
    let intake = IntakeConfig {
        plaintext,
        plaintext_answers: PlaintextAnswers::SameCase,
        authserv_id: table.read("authserv_id", values::authserv_id)?,
        acknowledge: table.flag("acknowledge")?.unwrap_or(true),
        known_certificates: table.existing("known_certificates")?,
    };
    table.finish()?;
    Ok((intake, max_size))
}

pub(super) fn limits(mut table: Table<'_>, max_size: Option<u64>) -> Result<Limits, ConfigError> {
    let default = Limits::default();
    let max_size = max_size.unwrap_or(default.max_size);
    let opened = size(&mut table, "max_opened_size")?;
    let limits = Limits {
        max_size,
        max_opened_size: opened.unwrap_or(default.max_opened_size),
        max_mime_depth: count(&mut table, "max_mime_depth", 100, default.max_mime_depth)?,
        max_parts: count(&mut table, "max_parts", 100_000, default.max_parts)?,
        max_headers: count(&mut table, "max_headers", 100_000, default.max_headers)?,
        max_layers: count(&mut table, "max_layers", 16, default.max_layers)?,
        max_recipients: count(&mut table, "max_recipients", 10_000, default.max_recipients)?,
        max_signatures: count(&mut table, "max_signatures", 1_000, default.max_signatures)?,
        max_certificates: count(&mut table, "max_certificates", 1_000, default.max_certificates)?,
        max_time: bounded(&mut table, "max_time", Duration::from_secs(1), HOUR)?.unwrap_or(default.max_time),
    };
    if limits.max_opened_size < limits.max_size {
        let what = "it is smaller than intake.max_size, so mail that is accepted could not be opened";
        let mend = "set limits.max_opened_size to at least intake.max_size; twice as much is sensible";
        return Err(table.wrong("max_opened_size", Problem::new(what, mend)));
    }
    table.finish()?;
    Ok(limits)
}

pub(super) const HOUR: Duration = Duration::from_secs(3_600);
pub(super) const DAY: Duration = Duration::from_secs(86_400);

/// A size within what one process can hold: mail is opened in memory.
fn size(table: &mut Table<'_>, key: &'static str) -> Result<Option<u64>, ConfigError> {
    const MOST: u64 = 2 << 30;
    table.read(key, |text| match values::size(text)? {
        size @ 1_024..=MOST => Ok(size),
        _ => Err(Problem::new(format!("{text:?} is out of bounds"), "write a size from 1 KiB to 2 GiB")),
    })
}

fn count(table: &mut Table<'_>, key: &'static str, most: u32, default: usize) -> Result<usize, ConfigError> {
    let number = table.number(key, 1..=most)?;
    Ok(number.and_then(|number| usize::try_from(number).ok()).unwrap_or(default))
}

/// A duration within bounds, if it is there.
pub(super) fn bounded(
    table: &mut Table<'_>,
    key: &'static str,
    least: Duration,
    most: Duration,
) -> Result<Option<Duration>, ConfigError> {
    table.read(key, |text| {
        let length = values::duration(text)?;
        if (least..=most).contains(&length) {
            return Ok(length);
        }
        let mend = format!("write a time from {}s to {}h", least.as_secs(), most.as_secs() / 3_600);
        Err(Problem::new(format!("{text:?} is out of bounds"), mend))
    })
}

/// A path that must be there.
pub(super) fn required_path(table: &mut Table<'_>, key: &'static str, mend: &str) -> Result<PathBuf, ConfigError> {
    table.path(key)?.ok_or_else(|| table.wrong(key, Problem::new("it is missing", mend)))
}

/// Refuses keys that mean something only with another kind.
pub(super) fn refuse_other_kind(table: &mut Table<'_>, keys: &[&'static str], kind: &str) -> Result<(), ConfigError> {
    table.refuse(keys, &format!("it belongs to kind = {kind:?}"), REMOVE)
}

fn not_built(value: &str, mend: &str) -> Problem {
    Problem::new(format!("{value} is not built into this version"), mend)
}

/// A word that is none of the allowed ones.
pub(super) fn none_of(value: &str, mend: &str) -> Problem {
    Problem::new(format!("{value:?} is none of its values"), mend)
}
