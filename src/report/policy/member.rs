//! Whether a mail is a member's.
//!
//! Security: a member's mail goes to the whole team and may one day carry commands, so the From line counts for nothing. One
//! good signature by a current member must cover the whole payload, inside the encryption; it must be recent, new, and not
//! written for others (a signed mail to somebody else, sent on to the gateway by its recipient, proves nothing).

use super::known::Known;
use crate::report::keyring::Keyring;
use crate::report::opened::Opened;
use crate::report::outer::Outer;
use crate::report::verdict::{Encryption, Intended, SignatureStatus, SignatureVerdict};
use jiff::{SignedDuration, Timestamp};
use std::collections::BTreeSet;

/// How old a member's signature may be.
const MAX_AGE: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How far in the future a member's clock may be.
const MAX_AHEAD: SignedDuration = SignedDuration::from_hours(24);

/// The verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// Nothing in it claims to be a member's.
    NotAMembers,
    /// A member's; `encrypted` says whether it came inside the encryption.
    Members { member: String, encrypted: bool },
    /// A member's, but seen before.
    Replay,
    /// It claims to be a member's, by its From or by a signature that does not suffice.
    Unproven,
}

/// Judges a mail.
pub(super) fn prove(outer: &Outer, opened: &Opened, known: &Known, keyring: &Keyring, now: Timestamp) -> Proof {
    let in_clear = opened.encryption == Encryption::None;
    let claims: Vec<_> = opened
        .signatures
        .iter()
        .filter(|s| s.status == SignatureStatus::Good && s.whole && (s.inside || in_clear))
        .filter_map(|signature| Some((signature, keyring.member(signature.member.as_deref()?)?.id())))
        .collect();
    let members: BTreeSet<_> = claims.iter().map(|(_, member)| member).collect();
    let from_member = outer.sender.all().iter().any(|c| keyring.member(&c.address().to_lowercase()).is_some());
    if members.is_empty() {
        return if from_member { Proof::Unproven } else { Proof::NotAMembers };
    }
    // Signed by two members: nobody can tell whose words these are.
    let accepted = claims.iter().find(|(signature, _)| members.len() == 1 && suffices(signature, now));
    match accepted {
        None => Proof::Unproven,
        Some(_) if known.member_mail_seen => Proof::Replay,
        Some((signature, member)) => Proof::Members { member: member.clone(), encrypted: signature.inside },
    }
}

fn suffices(signature: &SignatureVerdict, now: Timestamp) -> bool {
    let recent = signature.created.is_some_and(|created| {
        let age = now.duration_since(created);
        age <= MAX_AGE && age >= -MAX_AHEAD
    });
    // Without a digest a replay could not be told.
    recent && !signature.digest.is_empty() && matches!(signature.intended, Intended::Unnamed | Intended::OnlyGateway)
}
