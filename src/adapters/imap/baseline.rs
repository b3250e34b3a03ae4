//! What the gateway remembers of a mailbox where mails stay (`done = "seen"`): which of them were there, and read, before it came.
//!
//! Security: a flag is anybody's to set who reads the mailbox. Somebody may open a report with a mail program before the gateway
//! has seen it, so "seen" means "taken in" nowhere but at the very first contact: mails that are read by then are old, and are
//! left alone. What is remembered are numbers and a day, nothing of a mail.

use super::names;
use crate::ports::Answer;
use jiff::civil::Date;

/// Octets of a list of UIDs at most; what does not fit is remembered as if it had been read.
const LONGEST: usize = 1024 * 1024;

/// Where a mailbox's baseline is remembered, durably.
pub trait Memory: Send + Sync {
    /// What was remembered last. The error says why that cannot be told.
    fn recall(&self) -> Answer<'_, Result<Option<String>, String>>;
    /// Remembers this instead.
    fn remember<'a>(&'a self, text: &'a str) -> Answer<'a, Result<(), String>>;
}

/// Mails with a UID below `next` are settled, but for those in `open`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Baseline {
    pub(super) validity: u32,
    pub(super) next: u32,
    /// The day of the first contact.
    pub(super) since: Date,
    /// Ascending.
    pub(super) open: Vec<u32>,
}

impl Baseline {
    pub(super) fn text(&self) -> String {
        let mut sets = String::new();
        for set in names::sets(&self.open) {
            if sets.len() + set.len() > LONGEST {
                break;
            }
            if !sets.is_empty() {
                sets.push(',');
            }
            sets.push_str(&set);
        }
        format!("1 {} {} {} {sets}", self.validity, self.next, self.since)
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut fields = text.splitn(5, ' ');
        let version = fields.next()?;
        let baseline = Self {
            validity: fields.next()?.parse().ok()?,
            next: fields.next()?.parse().ok()?,
            since: fields.next()?.parse().ok()?,
            open: names::members(fields.next()?)?,
        };
        (version == "1").then_some(baseline)
    }

    /// The day as SEARCH wants it (RFC 3501 section 9, `date`).
    pub(super) fn day(&self) -> String {
        self.since.strftime("%-d-%b-%Y").to_string()
    }
}

#[cfg(test)]
#[path = "baseline_tests.rs"]
mod tests;
