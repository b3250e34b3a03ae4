//! The gateway's statement: the first part of every copy, one `Name: value` a line, then free text of the gateway's own.
//!
//! Security: subject, names and addresses come from whoever wrote the mail. Each becomes one short line without control,
//! direction-changing or invisible characters, so that nothing in a mail can add a line, hide one or look like one. The free
//! text is made of fixed words and of the configuration, never of mail. The result is plaintext and leaves only encrypted.

use super::case::CaseId;
use super::compose::one_line;
use super::policy::MailKind as Kind;
use super::secret::{Plaintext, ReporterContact};
use super::verdict::{Encryption, Refusal, SignatureVerdict, Warning};
use jiff::Timestamp;
use std::borrow::Cow;
use std::collections::BTreeSet;
use zeroize::Zeroizing;

/// Who wrote what the copy holds, as far as the gateway could establish it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::report) enum Author {
    Reporter,
    /// The member's name from the configuration.
    Member(String),
    Gateway,
}

/// What became of the draft advisory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdvisoryLine {
    /// Where it is.
    Link(String),
    /// It is being opened; the link comes as a notice.
    Pending,
    /// Too many drafts in an hour or a day: it waits for a member's word.
    Capped,
    /// There is none, and why, in fixed words.
    None(Cow<'static, str>),
}

/// What the gateway says about one mail, or about itself.
pub(in crate::report) struct Statement {
    /// The case; nothing for a notice that belongs to none.
    pub case: Option<CaseId>,
    pub kind: Kind,
    pub author: Author,
    /// The subject that members see.
    pub subject: Plaintext,
    /// When the mail came in.
    pub received: Timestamp,
    pub encryption: Encryption,
    /// The judged signatures of the mail.
    pub signatures: Vec<SignatureVerdict>,
    /// The case's contact; nothing where there is none, as in a mail without a sender.
    pub reporter: Option<ReporterContact>,
    /// Others whom the mail was addressed to: the team's own addresses already left out.
    pub recipients: Vec<ReporterContact>,
    pub advisory: AdvisoryLine,
    pub warnings: BTreeSet<Warning>,
    /// Why the mail, or a part of it, was not opened.
    pub refusal: Option<Refusal>,
    /// Free text of the gateway's, one line each: fixed words, ids and times, and nothing from a mail but a plain address.
    pub notes: Vec<Cow<'static, str>>,
    /// The team's address, where answers go.
    pub team_address: String,
}

/// Characters of one value; with four octets for each it stays below the 998 octets of a line (RFC 5322 section 2.1.1).
const VALUE: usize = 220;
/// Characters of one line of the gateway's own words, which are ASCII but for a name: room for what is wrong and how to mend it.
const NOTE: usize = 700;
/// Addresses listed in `Original-Recipients`; as many as fit into [`RECIPIENTS_LINE`] octets, and no more than this.
const RECIPIENTS: usize = 20;
const RECIPIENTS_LINE: usize = 800;
/// Signature lines; the opening of mail has its own bound, this one holds whatever it is.
const SIGNATURES: usize = 50;
/// Lines of free text in a notice.
const NOTES: usize = 100;

impl AdvisoryLine {
    /// A link, as the vault unsealed it.
    pub fn from_link(link: &Plaintext) -> Self {
        Self::Link(link.expose_text().to_string())
    }

    /// The link itself, where there is one: for the desk that gave it.
    pub fn into_link(self) -> Option<String> {
        match self {
            Self::Link(link) => Some(link),
            Self::Pending | Self::Capped | Self::None(_) => None,
        }
    }
}

impl Statement {
    /// The text: UTF-8, CRLF line ends, no line longer than 998 octets. The names and their order are stable.
    pub(in crate::report) fn render(&self) -> Plaintext {
        // Large enough that the text is not copied about in memory while it grows.
        let mut out = Lines(Zeroizing::new(String::with_capacity(16 * 1024)));
        match &self.case {
            Some(case) => out.line("Case", &case.to_string()),
            None => out.line("Case", "none"),
        }
        out.line("Kind", self.kind.word());
        match &self.author {
            Author::Reporter => out.line("Author", "reporter"),
            Author::Member(name) => out.line("Author", &one_line(name, VALUE)),
            Author::Gateway => out.line("Author", "gateway"),
        }
        out.line("Subject", &one_line(&self.subject.expose_text(), VALUE));
        out.line("Received", &seconds(self.received));
        out.line("Encryption", self.encryption.word());
        self.signatures(&mut out);
        match &self.reporter {
            Some(contact) => out.line("Reporter", &contact_line(contact)),
            None => out.line("Reporter", "unknown"),
        }
        out.line("Original-Recipients", &self.recipients());
        match &self.advisory {
            AdvisoryLine::Link(link) => out.line("Advisory", &one_line(link, VALUE)),
            AdvisoryLine::Pending => out.line("Advisory", "pending"),
            AdvisoryLine::Capped => out.line("Advisory", "none: the limit of drafts is reached; it waits"),
            AdvisoryLine::None(why) => out.line("Advisory", &format!("none: {}", &*one_line(why, VALUE))),
        }
        for warning in &self.warnings {
            out.line("Warning", &format!("{}: {}", warning.word(), warning.advice()));
        }
        out.text("");
        self.free_text(&mut out);
        Plaintext::new(std::mem::take(&mut *out.0).into_bytes())
    }

    fn signatures(&self, out: &mut Lines) {
        if self.signatures.is_empty() {
            out.line("Signature", "none");
        }
        for verdict in self.signatures.iter().take(SIGNATURES) {
            let fingerprint: String = verdict
                .fingerprint
                .iter()
                .flat_map(|text| text.chars())
                .filter(char::is_ascii_hexdigit)
                .take(64)
                .collect();
            let fingerprint = if fingerprint.is_empty() { "unknown" } else { &fingerprint };
            let key = verdict.key.map_or("unknown", |key| key.word());
            let created = verdict.created.map_or_else(|| "unknown".to_owned(), seconds);
            // A signature around the encryption can be put there by anybody who forwards the mail.
            let place = if verdict.inside || self.encryption == Encryption::None {
                ""
            } else {
                "; outside the encryption, so it says nothing about who wrote the content"
            };
            out.line("Signature", &format!("{}; {key}; {fingerprint}; {created}{place}", verdict.status.word()));
        }
    }

    fn recipients(&self) -> Zeroizing<String> {
        let mut list = Zeroizing::new(String::with_capacity(1024));
        let mut shown = 0;
        for contact in self.recipients.iter().take(RECIPIENTS) {
            let address = address_line(contact.address());
            if list.len() + address.len() + 2 > RECIPIENTS_LINE {
                break;
            }
            if !list.is_empty() {
                list.push_str(", ");
            }
            list.push_str(&address);
            shown += 1;
        }
        match (self.recipients.len().saturating_sub(shown), shown) {
            (0, 0) => list.push_str("none"),
            (0, _) => {}
            (more, 0) => list.push_str(&format!("{more}, too long to show")),
            (more, _) => list.push_str(&format!(", and {more} more")),
        }
        list
    }

    fn free_text(&self, out: &mut Lines) {
        for note in self.notes.iter().take(NOTES) {
            out.text(&one_line(note, NOTE));
        }
        if !self.notes.is_empty() {
            out.text("");
        }
        if let Some(refusal) = self.refusal {
            out.text(&format!("It could not be opened, or not all of it ({}).", refusal.word()));
            out.text(refusal.advice());
            out.text("");
        }
        if self.kind != Kind::Notice {
            out.text("Only this first part is the gateway's. What follows came with the mail.");
            out.text("");
        }
        let team = one_line(&self.team_address, VALUE);
        for line in [
            "To answer the team: reply to this mail, encrypted to the gateway and signed",
            "with your own key. It then goes to the other members. The gateway's address is",
            &team,
        ] {
            out.text(line);
        }
        if self.kind == Kind::Notice {
            return;
        }
        for line in [
            "",
            "To answer the reporter: this version of the gateway has no relay. Write",
            "yourself to the address in the line \"Reporter\" above. This shows the reporter",
            "your own address.",
        ] {
            out.text(line);
        }
    }
}

struct Lines(Zeroizing<String>);

impl Lines {
    fn line(&mut self, name: &str, value: &str) {
        self.0.push_str(name);
        self.0.push_str(": ");
        self.text(value);
    }

    fn text(&mut self, text: &str) {
        self.0.push_str(text);
        self.0.push_str("\r\n");
    }
}

/// RFC 3339, UTC, whole seconds.
fn seconds(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second()).unwrap_or(at).to_string()
}

/// `Name <address>`. The name cannot hold angle brackets, so that it cannot pass for an address.
fn contact_line(contact: &ReporterContact) -> Zeroizing<String> {
    let address = address_line(contact.address());
    let name = Zeroizing::new(contact.name().unwrap_or("").replace(['<', '>', '"'], " "));
    let name = one_line(&name, 80);
    Zeroizing::new(if name.is_empty() { (*address).clone() } else { format!("{} <{}>", &*name, &*address) })
}

/// An address without anything that could end it: no white space, no brackets, no comma.
fn address_line(address: &str) -> Zeroizing<String> {
    let clean = one_line(address, VALUE);
    let clean: String = clean.chars().filter(|c| !c.is_whitespace() && !matches!(c, '<' | '>' | ',' | ';')).collect();
    Zeroizing::new(if clean.is_empty() { "unknown".to_owned() } else { clean })
}

#[cfg(test)]
#[path = "statement_tests.rs"]
mod tests;
