//! What the store knows of a mail: the caller looks it up by the digests given here, and hands the answers to the decision.
//!
//! Security: only keyed digests leave the room. What was found through the outside of a mail is kept apart from what only its
//! inside told, since an acknowledgement may follow from the former alone.

use crate::report::case::CaseId;
use crate::report::opened::Opened;
use crate::report::outer::Outer;
use crate::report::vault::{Digest, Lookup, Vault};
use crate::report::verdict::SignatureStatus;

/// A case that a mail may belong to, as the store has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownCase {
    pub id: CaseId,
    /// Fingerprint of its answer key, upper-case hex.
    pub answer_key: Option<String>,
    /// Whether the mail's single sender ([`Lookups::sender`]) is the case's contact.
    pub sender_is_contact: bool,
}

/// What the caller found in the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Known {
    /// The mail's own Message-ID ([`Lookups::message_id`]) is one that the gateway gave out.
    pub own: bool,
    /// The case of the first of [`Lookups::outer_references`] that is a Message-ID of ours.
    pub by_outer_reference: Option<KnownCase>,
    /// The same for [`Lookups::inner_references`].
    pub by_inner_reference: Option<KnownCase>,
    /// The case with the number in the subject ([`Lookups::subject_case`]), if there is one.
    pub by_subject: Option<KnownCase>,
    /// The payload ([`Lookups::payload`]) is stored with another sender.
    pub payload_seen_from_other_sender: bool,
    /// One of [`Lookups::member_signed`] is stored.
    pub member_mail_seen: bool,
    /// A mail with this Message-ID was acknowledged already.
    pub already_acknowledged: bool,
    /// Acknowledgements to this sender's address in the last 24 hours.
    pub acknowledged_to_sender_today: u32,
    /// Acknowledgements to anybody in the last hour.
    pub acknowledged_this_hour: u32,
}

/// The digests to look up for a mail.
pub struct Lookups {
    pub content: Digest,
    pub message_id: Option<Digest>,
    pub sender: Option<Digest>,
    pub outer_references: Vec<Digest>,
    /// Those of the opened mail that the outside does not have.
    pub inner_references: Vec<Digest>,
    /// The case number in the subject that members see.
    pub subject_case: Option<CaseId>,
    pub payload: Option<Digest>,
    /// One for each signature of a member's: to be stored with a mail that is decided to be a member's.
    pub member_signed: Vec<Digest>,
}

impl Lookups {
    /// The digests of a mail.
    pub fn new(outer: &Outer, opened: &Opened, vault: &Vault) -> Self {
        let outer_references = outer.reference_digests(vault);
        let inner_references = opened
            .references
            .iter()
            .map(|id| vault.message_id_digest(id))
            .filter(|digest| !outer_references.contains(digest))
            .collect();
        let member_signed = opened
            .signatures
            .iter()
            .filter(|s| s.status == SignatureStatus::Good && s.member.is_some() && !s.digest.is_empty())
            .map(|s| vault.digest(Lookup::Signed, &[&s.digest]))
            .collect();
        Self {
            content: outer.content_digest(vault),
            message_id: outer.message_id_digest(vault),
            sender: outer.sender_digest(vault),
            outer_references,
            inner_references,
            subject_case: opened.subject_case.clone(),
            payload: opened.payload_hash.map(|hash| vault.digest(Lookup::Payload, &[&hash])),
            member_signed,
        }
    }
}
