//! What goes into the store and what comes out of it.
//!
//! Security: none of these types can hold plaintext: content is [`AtRest`], people are [`Digest`]s.

use super::words::{CaseState, DraftState, Fence, MailState, MessageKind, Origin, RowId, RowKind, RowState};
use crate::report::{AtRest, CaseId, Class, Digest, Encryption, MailId};
use jiff::Timestamp;

/// A mail to be stored.
pub struct NewMail {
    pub id: MailId,
    /// Where it was found ([`crate::report::Lookup::Source`]).
    pub source: Digest,
    /// What it is ([`crate::report::Lookup::Content`]).
    pub content: Digest,
    pub received: Timestamp,
    /// Octets of the mail as it came.
    pub size: u64,
    pub sealed: AtRest,
    pub origin: Origin,
}

/// What became of a mail that was to be stored. In both cases it is durable here, and may be taken off the mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    New,
    /// The same mail is already here, under this name.
    Duplicate(MailId),
}

/// A mail handed out for opening; [`super::Store::content`] has what is in it.
#[derive(Clone)]
pub struct StoredMail {
    pub id: MailId,
    pub received: Timestamp,
    /// Octets of the mail as it came.
    pub size: u64,
    pub origin: Origin,
    /// How often it was alone in flight, this time included, after it was found in flight when a process had died.
    pub attempts: u32,
    /// Whether it is handed out alone, because it was in flight when a process died.
    pub suspect: bool,
    /// To be given back with [`Settlement`].
    pub fence: Fence,
}

/// What opening a mail came to.
pub struct Settlement<'a> {
    pub mail: &'a MailId,
    /// From [`StoredMail::fence`].
    pub fence: Fence,
    pub class: Class,
    pub case: Option<&'a CaseId>,
    pub facts: Option<AtRest>,
    pub state: MailState,
}

/// A mail as it lies.
pub struct MailRow {
    pub id: MailId,
    pub received: Timestamp,
    pub size: u64,
    pub origin: Origin,
    pub state: MailState,
    pub class: Option<Class>,
    pub case: Option<CaseId>,
    pub attempts: u32,
    /// Nothing once it is erased.
    pub content: Option<AtRest>,
    pub facts: Option<AtRest>,
}

/// A mail of a case, without its content.
#[derive(Clone, Debug)]
pub struct MailSummary {
    pub id: MailId,
    pub received: Timestamp,
    pub size: u64,
    pub origin: Origin,
    pub state: MailState,
    pub class: Option<Class>,
}

/// A case to be opened.
pub struct NewCase {
    pub id: CaseId,
    pub opened: Timestamp,
    pub contact: Option<AtRest>,
    /// Of the contact's address.
    pub contact_digest: Option<Digest>,
    pub answer_key: Option<AtRest>,
    /// Whether the key is known to be the reporter's.
    pub answer_key_confirmed: bool,
    /// Whether nothing may be sent to the reporter until a member confirms.
    pub answers_held: bool,
    pub subject: AtRest,
    pub encryption: Encryption,
}

/// A case as it lies.
pub struct CaseRow {
    pub id: CaseId,
    pub state: CaseState,
    pub opened: Timestamp,
    pub first_answer: Option<Timestamp>,
    pub closed: Option<Timestamp>,
    pub contact: Option<AtRest>,
    pub contact_digest: Option<Digest>,
    pub answer_key: Option<AtRest>,
    pub answer_key_confirmed: bool,
    pub answers_held: bool,
    /// Nothing once it is erased.
    pub subject: Option<AtRest>,
    pub encryption: Encryption,
}

/// An outbox row to be made.
pub struct NewRow {
    pub id: RowId,
    pub mail: MailId,
    pub case: Option<CaseId>,
    pub kind: RowKind,
    /// 0, and one more for each deliberate resend.
    pub generation: i64,
    /// Of the recipient's address; nothing for a draft.
    pub recipient: Option<Digest>,
    /// [`RowState::Pending`] or [`RowState::Held`].
    pub state: RowState,
    /// A stable code.
    pub why: Option<String>,
    pub due: Timestamp,
}

/// An outbox row as it lies.
#[derive(Clone, Debug)]
pub struct Row {
    pub id: RowId,
    pub mail: MailId,
    pub case: Option<CaseId>,
    pub kind: RowKind,
    pub generation: i64,
    pub recipient: Option<Digest>,
    pub state: RowState,
    pub why: Option<String>,
    /// How often it was claimed.
    pub attempts: u32,
    pub due: Timestamp,
    pub created: Timestamp,
    pub updated: Timestamp,
    /// Until when it is claimed by somebody.
    pub leased_until: Option<Timestamp>,
}

/// A row that this process may work on until its lease ends.
#[derive(Clone, Debug)]
pub struct Claim {
    pub row: Row,
    pub fence: Fence,
    /// It was being handed over when its last holder was lost: it may have arrived.
    pub was_sending: bool,
}

/// What became of a claimed row.
#[derive(Clone, Debug)]
pub struct Fate {
    pub row: RowId,
    pub fence: Fence,
    pub outcome: Outcome,
}

impl Claim {
    /// The fate of this row.
    pub fn met(&self, outcome: Outcome) -> Fate {
        Fate { row: self.row.id.clone(), fence: self.fence, outcome }
    }
}

/// How one try ended. `why` is a stable code, never text of a server or a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Sent,
    /// To be tried again at this time.
    Retry {
        due: Timestamp,
        why: String,
    },
    /// Like `Retry`, but it is not known whether it arrived: the next claim says `was_sending`.
    Ambiguous {
        due: Timestamp,
        why: String,
    },
    Held {
        why: String,
    },
    Failed {
        why: String,
    },
    Dropped {
        why: String,
    },
}

/// Which held rows are let go.
#[derive(Clone, Debug)]
pub enum HeldBecause<'a> {
    /// All whose code begins so; `""` for all.
    Why(&'a str),
    /// All for this recipient.
    Recipient(&'a Digest),
}

/// Which rows are listed; the default is all.
#[derive(Clone, Debug, Default)]
pub struct RowFilter {
    pub state: Option<RowState>,
    pub kind: Option<RowKind>,
    pub case: Option<CaseId>,
    pub mail: Option<MailId>,
    /// Rows that are sent or dropped are left out.
    pub unfinished: bool,
    /// At most so many; 0 means 10,000.
    pub limit: u32,
}

/// How many rows of one kind are in one state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkLeft {
    pub kind: RowKind,
    pub state: RowState,
    pub count: u64,
    /// When the oldest of them was made.
    pub oldest: Timestamp,
    /// When the first of them is due (or its lease ends, if that is later).
    pub next_due: Timestamp,
}

/// How many mails wait to be opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailsWaiting {
    pub count: u64,
    pub oldest: Option<Timestamp>,
    /// How many were set aside, ever.
    pub quarantined: u64,
}

/// A draft to be opened.
pub struct NewDraft {
    pub case: CaseId,
    pub mail: MailId,
    /// Of the random marker in its last line.
    pub marker: Digest,
    /// Frozen: a retry sends the same.
    pub body: AtRest,
    pub state: DraftState,
    pub created: Timestamp,
}

/// A draft as it lies.
pub struct DraftRow {
    pub case: CaseId,
    pub mail: MailId,
    pub marker: Digest,
    /// Nothing once it is erased.
    pub body: Option<AtRest>,
    pub link: Option<AtRest>,
    pub state: DraftState,
    pub created: Timestamp,
    pub opened: Option<Timestamp>,
}

/// Where something was seen before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenBefore {
    pub mail: Option<MailId>,
    pub case: Option<CaseId>,
    pub at: Timestamp,
}

/// To what one of our Message-IDs belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownMessage {
    pub case: CaseId,
    pub mail: MailId,
    pub kind: MessageKind,
}

/// An entry of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct AuditEntry {
    pub seq: i64,
    pub at: Timestamp,
    pub action: String,
    /// An id.
    pub subject: String,
    /// Keyed hash over the entry and the link before it.
    #[serde(skip)]
    pub link: String,
}

/// Whether the audit log is what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuditVerdict {
    Intact {
        entries: u64,
    },
    /// The first entry that was changed, or before which some are missing.
    Broken {
        seq: i64,
    },
}
