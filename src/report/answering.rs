//! From a stored mail to the acknowledgement for its sender.
//!
//! Security: it is made from the mail's unencrypted bytes, the configuration and what was decided from them; the facts that
//! opening found are not asked, but for which of the two answers it is, and that follows from the outside as well.

use super::acknowledgement::{AckKind, AckRequest, Disclosure, acknowledgement};
use super::case::{CaseId, OurMessageId};
use super::facts::Facts;
use super::keyring::Keyring;
use super::outer::{Outer, Recipients};
use super::outgoing::OutgoingMail;
use super::pgp_mime::{SealError, TeamIdentity};
use super::policy::{AcknowledgementKind, DraftContent, Rules, acknowledgement_certificate};
use super::secret::Plaintext;
use jiff::Timestamp;

/// Where an acknowledgement belongs.
pub struct AckPlace<'a> {
    /// The number that it names.
    pub case: Option<&'a CaseId>,
    pub message_id: &'a OurMessageId,
    pub delivery_id: &'a str,
    pub identity: &'a TeamIdentity,
}

/// Writes the acknowledgement of a mail; nothing if it has no single sender.
///
/// # Errors
/// When the gateway cannot sign.
pub fn write_acknowledgement(
    mail: &Plaintext,
    facts: &Facts,
    place: &AckPlace<'_>,
    keyring: &Keyring,
    rules: &Rules,
    now: Timestamp,
) -> Result<Option<OutgoingMail>, SealError> {
    let outer = Outer::read(mail, keyring, rules);
    let Some(sender) = outer.sender.one() else { return Ok(None) };
    let key = acknowledgement_certificate(&outer, keyring, sender, now);
    acknowledgement(&AckRequest {
        kind: match facts.acknowledgement {
            AcknowledgementKind::Received => AckKind::Received,
            AcknowledgementKind::HowToEncrypt => AckKind::HowToEncrypt,
        },
        identity: place.identity,
        keyring,
        to: sender,
        certificate: key.as_ref().map(|key| &*key.0),
        case: place.case,
        in_reply_to: outer.message_id.as_deref(),
        not_our_key: outer.recipient_keys == Recipients::Others,
        in_clear: !outer.encrypted,
        disclosure: match rules.drafts {
            DraftContent::NoDrafts => Disclosure::NoDraft,
            DraftContent::Stub => Disclosure::Stub,
            DraftContent::Report => Disclosure::Report,
        },
        message_id: place.message_id,
        delivery_id: place.delivery_id,
        now,
    })
    .map(Some)
}
