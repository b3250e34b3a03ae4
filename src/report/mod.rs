//! The plaintext room: the only place where what a reporter wrote can be read.
//!
//! Security: nothing in here does input or output; no runtime, no database, no files, no network, no logging (a test searches for
//! them). What leaves the room is sealed (`AtRest`, `OutgoingMail`), redacted (`AdvisoryDraft`), or made of fixed words.

mod acknowledgement;
mod advisory;
mod answering;
mod armor;
mod case;
mod compose;
mod copies;
mod door_note;
mod drafting;
mod facts;
mod inspection;
mod keyring;
#[cfg(test)]
mod keys_fixture_tests;
mod limits;
mod open;
mod opened;
mod outer;
mod outgoing;
mod pgp_mime;
#[cfg(test)]
mod pgp_world_tests;
mod policy;
mod redaction;
mod repository;
mod seal;
mod secret;
mod statement;
mod template;
mod vault;
mod verdict;
mod wrap;

pub use advisory::{AdvisoryDraft, BadDraft, Marker};
pub use answering::{AckPlace, write_acknowledgement};
pub use case::{CaseId, MailId, NotACaseId, OurMessageId};
pub use copies::{CopyInput, open_mail, prepare_copies, sections_of};
pub use door_note::{DoorNote, DoorState, LastError};
pub use drafting::{MadeDraft, PreparedDraft, prepare_draft};
pub use facts::{Audience, BadFacts, Facts, Frozen, Notice};
pub use inspection::{DraftView, Held, Inspection};
pub use keyring::{
    GatewayKey, KeyError, KeyUse, Keyring, KnownCertificate, Member, NewKey, SpoolCertificate, Unusable, generate_key,
};
pub use limits::Limits;
pub use open::{OpenRequest, open};
pub use opened::{Enclosed, Label, Opened, PartInfo, Place, Section};
pub use outer::{Dmarc, Nature, Outer, Recipients, content_digest};
pub use outgoing::OutgoingMail;
pub use pgp_mime::{SealError, TeamIdentity};
pub use policy::{
    Acknowledge, AcknowledgedNumber, AcknowledgementKey, AcknowledgementKind, AdminNotice, AdvisoryIntent, AnswerKey,
    Author, BadAnswerKey, CaseChoice, CopyTo, Decision, DraftContent, InClear, Known, KnownCase, Lookups, MailKind,
    NoAcknowledgement, NoAdvisory, OpenFor, PER_HOUR, PER_SENDER_AND_DAY, Rules, decide,
};
pub use redaction::{Fallback, RedactedReport, RedactionInput, Removed, redact};
pub use repository::{Repository, Route, RouteMatch};
pub use seal::SignedCopies;
pub use secret::{Plaintext, ReporterContact};
pub use statement::AdvisoryLine;
pub use template::Template;
pub use vault::{AtRest, Digest, Lookup, Purpose, StoreKey, Vault, VaultError};
pub(crate) use verdict::words;
pub use verdict::{Class, Encryption, Intended, KeyOrigin, Refusal, SignatureStatus, SignatureVerdict, Warning};
pub use wrap::{SpoolError, open_from_spool, seal_for_spool};
