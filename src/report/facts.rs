//! What is frozen of a mail when it is decided about, so that copies can be made later: after a restart, without the gateway
//! key, and with the verdict as judged at receipt.
//!
//! Security: the facts hold the subject and session keys, so they leave the room only sealed (`Purpose::Facts`). A signature is
//! never judged again: a certificate that expires, or leaves the configuration, does not change what the members were told.

use super::case::CaseId;
use super::opened::{Opened, SessionKeyRecord};
use super::outer::{Outer, is_answerable};
use super::policy::{AcknowledgementKind, AdvisoryIntent, Author, Decision, MailKind, NoAdvisory, Rules};
use super::secret::Plaintext;
use super::verdict::{Class, Encryption, Refusal, SignatureVerdict, Warning};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use zeroize::Zeroizing;

/// Stored facts that cannot be read back.
#[derive(Debug, thiserror::Error)]
#[error("the stored facts of a mail cannot be read; they may be from a newer version of embargod")]
pub struct BadFacts;

/// The frozen facts of one mail.
#[derive(Serialize, Deserialize)]
pub struct Facts {
    pub(in crate::report) class: Class,
    pub(in crate::report) kind: MailKind,
    pub(in crate::report) author: Author,
    pub(in crate::report) received: Timestamp,
    pub(in crate::report) encryption: Encryption,
    pub(in crate::report) refusal: Option<Refusal>,
    pub(in crate::report) signatures: Vec<SignatureVerdict>,
    pub(in crate::report) warnings: BTreeSet<Warning>,
    pub(in crate::report) subject: Zeroizing<String>,
    /// Whom else the mail was addressed to: neither the team's addresses nor any twice.
    pub(in crate::report) recipients: Vec<Zeroizing<String>>,
    pub(in crate::report) session_keys: Vec<SessionKeyRecord>,
    pub(in crate::report) claimed_case: Option<CaseId>,
    /// The sender's address, of a mail in a case that is not from the case's contact.
    #[serde(default)]
    pub(in crate::report) other_sender: Option<Zeroizing<String>>,
    /// Why no draft was opened.
    pub(in crate::report) no_advisory: Option<NoAdvisory>,
    /// Which answer its sender gets, if any.
    pub(in crate::report) acknowledgement: AcknowledgementKind,
}

impl Facts {
    /// Freezes what opening and deciding found. `received` is the time of receipt.
    pub fn new(opened: &Opened, decision: &Decision, rules: &Rules, received: Timestamp) -> Self {
        let mut seen = BTreeSet::new();
        let recipients = opened
            .recipients
            .iter()
            .map(|contact| contact.address())
            .filter(|address| !rules.is_team(address) && seen.insert(address.to_lowercase()))
            .map(|address| Zeroizing::new(address.to_owned()))
            .collect();
        let session_keys = opened
            .session_keys
            .iter()
            .map(|record| SessionKeyRecord {
                algorithm: record.algorithm,
                key: record.key.clone(),
                old_key: record.old_key,
            })
            .collect();
        Self {
            class: decision.class,
            kind: decision.kind,
            author: decision.author.clone(),
            received,
            encryption: opened.encryption,
            refusal: opened.refusal,
            signatures: opened.signatures.clone(),
            warnings: opened.warnings.union(&decision.warnings).copied().collect(),
            subject: opened.subject.expose_text(),
            recipients,
            session_keys,
            claimed_case: decision.claimed_case.clone(),
            other_sender: None,
            no_advisory: match decision.advisory {
                AdvisoryIntent::None(why) => Some(why),
                AdvisoryIntent::Open | AdvisoryIntent::Stub => None,
            },
            acknowledgement: decision.acknowledgement,
        }
    }

    /// The report's text could not be made safe for the draft: the members must know.
    pub fn fell_back(&mut self) {
        self.warnings.insert(Warning::RedactionFellBack);
    }

    /// Keeps whom a mail in a case came from, where that is not the case's contact: the copies show the mail without its
    /// outer header, and the members must be able to tell. Only plain addresses are kept, so that no words get in with one.
    pub fn note_sender(&mut self, outer: &Outer) {
        if self.warnings.contains(&Warning::OtherSender) {
            let sender = outer.sender.one().filter(|sender| is_answerable(sender));
            self.other_sender = sender.map(|sender| Zeroizing::new(sender.address().to_owned()));
        }
    }

    /// What kind of mail it is.
    pub fn class(&self) -> Class {
        self.class
    }

    /// What its copies are.
    pub fn kind(&self) -> MailKind {
        self.kind
    }

    /// Who wrote it.
    pub fn author(&self) -> &Author {
        &self.author
    }

    /// When it was received.
    pub fn received(&self) -> Timestamp {
        self.received
    }

    /// How much of it came encrypted.
    pub fn encryption(&self) -> Encryption {
        self.encryption
    }

    /// Why it was not opened.
    pub fn refusal(&self) -> Option<Refusal> {
        self.refusal
    }

    /// What the members must know.
    pub fn warnings(&self) -> &BTreeSet<Warning> {
        &self.warnings
    }

    /// Whether the mail opens again without a gateway key.
    pub fn has_session_keys(&self) -> bool {
        !self.session_keys.is_empty()
    }
}

/// Whom a notice is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Audience {
    Members,
    Admins,
    /// The member with this id.
    Member(String),
}

/// A mail of the gateway's own to members or admins: fixed words, numbers, times and fingerprints, never text of a mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    pub audience: Audience,
    /// The case that it is about.
    pub case: Option<CaseId>,
    pub subject: String,
    /// Lines of the text.
    pub lines: Vec<String>,
    /// Codes that stand in its statement.
    pub warnings: BTreeSet<Warning>,
}

impl Notice {
    /// A notice; every line is made of fixed words and values of the gateway's own.
    pub fn new(audience: Audience, case: Option<CaseId>, subject: &str, lines: Vec<String>) -> Self {
        Self { audience, case, subject: subject.to_owned(), lines, warnings: BTreeSet::new() }
    }

    /// The notice with a warning code in its statement.
    #[must_use]
    pub fn warning(mut self, warning: Warning) -> Self {
        self.warnings.insert(warning);
        self
    }
}

/// What `mails.facts` holds: the facts of a mail that came, or a notice that the gateway makes.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Frozen {
    Mail(Box<Facts>),
    Notice(Notice),
}

impl Frozen {
    /// The form that is sealed into the store.
    ///
    /// # Errors
    /// When it cannot be written; that is a defect.
    pub fn to_plaintext(&self) -> Result<Plaintext, BadFacts> {
        serde_json::to_vec(self).map(Plaintext::new).map_err(|_| BadFacts)
    }

    /// Taken back from the store.
    ///
    /// # Errors
    /// When it has another form.
    pub fn from_plaintext(plain: &Plaintext) -> Result<Self, BadFacts> {
        // The parser's own words may quote the value, so they are dropped.
        serde_json::from_slice(plain.expose()).map_err(|_| BadFacts)
    }
}

#[cfg(test)]
#[path = "facts_tests.rs"]
mod tests;
