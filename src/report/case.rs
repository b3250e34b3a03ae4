//! Names of things: cases, mails, Message-IDs. None of them says anything about a person.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A case number such as `KATA-2026-0001`: prefix, year of receipt (UTC), serial of four or more digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CaseId {
    prefix: String,
    year: i16,
    serial: u32,
}

/// A text that is not a case number.
#[derive(Debug, thiserror::Error)]
#[error("not a case number; one looks like KATA-2026-0001")]
pub struct NotACaseId;

impl CaseId {
    /// The case with this prefix (see [`CaseId::is_prefix`]), year and serial.
    pub fn new(prefix: &str, year: i16, serial: u32) -> Self {
        Self { prefix: prefix.to_owned(), year, serial }
    }

    /// A prefix is 1 to 20 capital letters and digits, beginning with a letter; inner hyphens are allowed.
    pub fn is_prefix(text: &str) -> bool {
        (1..=20).contains(&text.len())
            && text.starts_with(|c: char| c.is_ascii_uppercase())
            && !text.ends_with('-')
            && text.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-')
    }

    /// Reads a case number as it is written, in capitals.
    pub fn parse(text: &str) -> Result<Self, NotACaseId> {
        let (rest, serial) = text.rsplit_once('-').ok_or(NotACaseId)?;
        let (prefix, year) = rest.rsplit_once('-').ok_or(NotACaseId)?;
        let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
        if !Self::is_prefix(prefix)
            || year.len() != 4
            || !digits(year)
            || !(4..=9).contains(&serial.len())
            || !digits(serial)
        {
            return Err(NotACaseId);
        }
        Ok(Self {
            prefix: prefix.to_owned(),
            year: year.parse().map_err(|_| NotACaseId)?,
            serial: serial.parse().map_err(|_| NotACaseId)?,
        })
    }

    /// The first `[PREFIX-YEAR-SERIAL]`, or bare case number, with this prefix in a text such as a subject.
    pub fn find_in(text: &str, prefix: &str) -> Option<Self> {
        text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
            .filter_map(|word| Self::parse(&word.to_ascii_uppercase()).ok())
            .find(|case| case.prefix == prefix)
    }

    /// Year of receipt.
    pub fn year(&self) -> i16 {
        self.year
    }

    /// The running number within the year.
    pub fn serial(&self) -> u32 {
        self.serial
    }
}

impl fmt::Display for CaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{:04}-{:04}", self.prefix, self.year, self.serial)
    }
}

impl From<CaseId> for String {
    fn from(case: CaseId) -> Self {
        case.to_string()
    }
}

impl TryFrom<String> for CaseId {
    type Error = NotACaseId;
    fn try_from(text: String) -> Result<Self, NotACaseId> {
        Self::parse(&text)
    }
}

/// Name of a stored mail: 32 lower-case hex digits, random.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MailId(String);

impl MailId {
    /// Takes 128 random bits as a name.
    pub fn from_random(bits: [u8; 16]) -> Self {
        Self(hex::encode(bits))
    }

    /// A name read back from the store or typed by an admin; nothing if it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 32 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)))
            .then(|| Self(text.to_owned()))
    }

    /// The name itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for MailId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A Message-ID of our own making, without angle brackets. It is a keyed hash, so that nobody can guess the one of a case.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct OurMessageId(pub(in crate::report) String);

impl OurMessageId {
    /// The identifier, without angle brackets.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}
