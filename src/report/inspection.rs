//! What `inspect` says of a mail: how it opens, and what would happen to it.
//!
//! Security: this is meant for the admin who asks, on the terminal that asks; it shows the subject, part names and the text of
//! the draft, never the reporter's contact, addresses in the mail, or its body. Names and subjects come without control
//! characters, so that a mail cannot paint on that terminal.

use super::keyring::Keyring;
use super::opened::{Opened, PartInfo};
use super::policy::{AdvisoryIntent, CopyTo, Decision};
use super::repository::Repository;
use super::verdict::{Class, Encryption, KeyOrigin, Refusal, SignatureStatus, Warning};
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt::Write;

/// A member whose copy is held.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Held {
    /// The member's name.
    pub member: String,
    /// A stable code, such as `certificate-expired`.
    pub why: String,
}

/// The draft that would be opened, as it would go out: redacted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DraftView<'a> {
    pub summary: &'a str,
    pub description: &'a str,
    /// Whether redaction left no text that is safe, so that it is a stub though the text was wanted.
    pub fell_back: bool,
    /// Where it would be opened; nothing where drafts do not go to repositories.
    pub repository: Option<&'a Repository>,
}

#[derive(Serialize)]
struct Signature {
    status: SignatureStatus,
    key: Option<KeyOrigin>,
    fingerprint: Option<String>,
}

#[derive(Serialize)]
struct Advisory {
    action: &'static str,
    why: Option<&'static str>,
    summary: Option<String>,
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    repository: Option<Repository>,
}

/// The answer of `inspect`.
#[derive(Serialize)]
pub struct Inspection {
    class: Class,
    encryption: Encryption,
    opened: bool,
    refusal: Option<Refusal>,
    signatures: Vec<Signature>,
    subject: String,
    parts: Vec<PartInfo>,
    /// Addresses of the members who would get a copy now.
    recipients: Vec<String>,
    held: Vec<Held>,
    warnings: BTreeSet<Warning>,
    acknowledge: &'static str,
    advisory: Advisory,
    #[serde(skip)]
    why_no_acknowledgement: Option<&'static str>,
}

impl Inspection {
    /// Puts it together. `held` are the members, of those who would get a copy, to whom nothing can be encrypted now.
    pub fn new(
        opened: &Opened,
        decision: &Decision,
        keyring: &Keyring,
        held: Vec<Held>,
        draft: Option<DraftView<'_>>,
    ) -> Self {
        let gets_copy = |id: &str| match &decision.copies {
            CopyTo::AllMembers => true,
            CopyTo::MembersExcept(author) => author != id,
            CopyTo::AdminsNotice(_) | CopyTo::Nobody => false,
        };
        let recipients = keyring
            .members()
            .iter()
            .filter(|member| gets_copy(&member.id()) && !held.iter().any(|held| held.member == member.name()))
            .map(|member| member.address().to_owned())
            .collect();
        let signatures = opened.signatures.iter().map(|signature| Signature {
            status: signature.status,
            key: signature.key,
            fingerprint: signature.fingerprint.clone(),
        });
        let parts = opened.parts.iter().map(|part| PartInfo {
            media_type: printable(&part.media_type),
            name: part.name.as_deref().map(printable),
            ..*part
        });
        Self {
            class: decision.class,
            encryption: opened.encryption,
            opened: opened.refusal.is_none() || opened.payload_hash.is_some(),
            refusal: opened.refusal,
            signatures: signatures.collect(),
            subject: printable(&opened.subject.expose_text()),
            parts: parts.collect(),
            recipients,
            held,
            warnings: opened.warnings.union(&decision.warnings).copied().collect(),
            acknowledge: decision.acknowledge.word(),
            advisory: Advisory::new(decision.advisory, draft),
            why_no_acknowledgement: decision.acknowledge.why().map(|why| why.word()),
        }
    }

    /// One JSON document, with the field names of `inspect --json`.
    pub fn to_json(&self) -> serde_json::Value {
        // Nothing in here can fail to be written; null would say so.
        serde_json::to_value(self).unwrap_or_default()
    }

    /// The same for people.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: &str| {
            let _ = writeln!(text, "{name:<12} {value}");
        };
        line("Class:", self.class.word());
        line("Encryption:", self.encryption.word());
        line("Opened:", if self.opened { "yes" } else { "no" });
        if let Some(refusal) = self.refusal {
            line("Refusal:", &format!("{refusal}: {}", refusal.advice()));
        }
        if self.signatures.is_empty() {
            line("Signature:", "none");
        }
        for signature in &self.signatures {
            let key = signature.key.map_or("unknown", KeyOrigin::word);
            let fingerprint = signature.fingerprint.as_deref().unwrap_or("without fingerprint");
            line("Signature:", &format!("{}, {key} key {fingerprint}", signature.status));
        }
        line("Subject:", &self.subject);
        for part in &self.parts {
            let name = part.name.as_deref().map(|name| format!(" \"{name}\"")).unwrap_or_default();
            let state = if part.encrypted { "encrypted" } else { "in clear" };
            line("Part:", &format!("{}{name}, {} octets, {state}", part.media_type, part.size));
        }
        for recipient in &self.recipients {
            line("Copy to:", recipient);
        }
        for held in &self.held {
            line("Held:", &format!("{} ({})", held.member, held.why));
        }
        for warning in &self.warnings {
            line("Warning:", &format!("{warning}: {}", warning.advice()));
        }
        let why = |why: Option<&str>| why.map(|why| format!(" ({why})")).unwrap_or_default();
        line("Acknowledge:", &format!("{}{}", self.acknowledge, why(self.why_no_acknowledgement)));
        line("Advisory:", &format!("{}{}", self.advisory.action, why(self.advisory.why)));
        if let Some(repository) = &self.advisory.repository {
            line("Repository:", &repository.to_string());
        }
        if let Some(summary) = &self.advisory.summary {
            line("Summary:", &printable(summary));
        }
        if let Some(description) = &self.advisory.description {
            text.push('\n');
            for line in description.lines() {
                let _ = writeln!(text, "    {}", printable(line));
            }
        }
        text
    }
}

impl Advisory {
    fn new(intent: AdvisoryIntent, draft: Option<DraftView<'_>>) -> Self {
        let (action, why) = match (intent, draft) {
            (AdvisoryIntent::None(why), _) => {
                let why = Some(why.word());
                return Self { action: "none", why, summary: None, description: None, repository: None };
            }
            (AdvisoryIntent::Open, Some(DraftView { fell_back: true, .. })) => {
                ("stub", Some(Warning::RedactionFellBack.word()))
            }
            (AdvisoryIntent::Open, _) => ("open", None),
            (AdvisoryIntent::Stub, _) => ("stub", Some("content-is-stub")),
        };
        Self {
            action,
            why,
            summary: draft.map(|draft| draft.summary.to_owned()),
            description: draft.map(|draft| draft.description.to_owned()),
            repository: draft.and_then(|draft| draft.repository).cloned(),
        }
    }
}

/// Without what could move the cursor, or turn the direction of writing.
fn printable(text: &str) -> String {
    let hostile = |c: char| {
        c.is_control() || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    text.chars().map(|c| if hostile(c) { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
#[path = "inspection_tests.rs"]
mod tests;
