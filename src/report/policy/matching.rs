//! Whether a certificate has an address, and whether something can be encrypted to it now.
//!
//! Security: only user IDs with a valid, unrevoked self-signature count; they are claims of the certificate's owner all the
//! same, and prove nothing about who reads the mailbox.

use crate::report::keyring::system_time;
use jiff::Timestamp;
use sequoia_openpgp as openpgp;

use openpgp::Cert;
use openpgp::cert::amalgamation::ValidAmalgamation;
use openpgp::policy::StandardPolicy;
use openpgp::types::RevocationStatus;

/// User IDs that are looked at, so that a certificate with very many costs no more.
const MAX_USER_IDS: usize = 200;

/// Whether a valid user ID of the certificate has this address; case is ignored.
pub(super) fn has_address(cert: &Cert, address: &str, at: Timestamp) -> bool {
    let policy = StandardPolicy::new();
    let Ok(valid) = cert.with_policy(&policy, system_time(at)) else { return false };
    valid
        .userids()
        .take(MAX_USER_IDS)
        .filter(|id| !matches!(id.revocation_status(), RevocationStatus::Revoked(_)))
        .any(|id| matches!(id.userid().email(), Ok(Some(email)) if email.eq_ignore_ascii_case(address)))
}

/// Whether something can be encrypted to the certificate at this time.
pub(super) fn usable(cert: &Cert, at: Timestamp) -> bool {
    let policy = StandardPolicy::new();
    let Ok(valid) = cert.with_policy(&policy, system_time(at)) else { return false };
    let alive = valid.alive().is_ok() && !matches!(valid.revocation_status(), RevocationStatus::Revoked(_));
    let mut keys = valid.keys().supported().alive().revoked(false).for_transport_encryption();
    let mut storage = valid.keys().supported().alive().revoked(false).for_storage_encryption();
    alive && (keys.next().is_some() || storage.next().is_some())
}
