//! Reading certificates, and choosing what to encrypt to.
//!
//! Security: a certificate without a usable encryption key is an error of its own kind, never an empty list of recipients. What is
//! usable is asked at each use, since keys expire while the daemon runs.

use super::error::{KeyError, Unusable};
use jiff::Timestamp;
use sequoia_openpgp as openpgp;

use openpgp::Cert;
use openpgp::cert::prelude::*;
use openpgp::packet::{Key, key};
use openpgp::parse::Parse;
use openpgp::policy::StandardPolicy;
use openpgp::types::{KeyFlags, RevocationStatus};
use std::collections::HashSet;
use std::time::{Duration, SystemTime};

/// A key that can be encrypted to.
pub(in crate::report) type EncryptionKey = Key<key::PublicParts, key::UnspecifiedRole>;

pub(super) fn read_certs(file: &[u8]) -> Result<Vec<Cert>, KeyError> {
    let certs = CertParser::from_bytes(file)
        .and_then(|parser| parser.collect::<openpgp::Result<Vec<_>>>())
        .map_err(|error| KeyError::Unreadable(error.to_string()))?;
    if certs.is_empty() { Err(KeyError::Unreadable("no certificate found".into())) } else { Ok(certs) }
}

pub(super) fn read_one_cert(file: &[u8]) -> Result<Cert, KeyError> {
    let mut certs = read_certs(file)?;
    match (certs.pop(), certs.len()) {
        (Some(cert), 0) => Ok(cert),
        (_, others) => Err(KeyError::Several(others + 1)),
    }
}

/// Every key of the certificate that could be encrypted to, whatever its state; the state is asked at each use, since keys
/// expire while the daemon runs.
pub(super) fn all_encryption_keys(cert: &Cert) -> Vec<EncryptionKey> {
    cert.keys()
        .map(|key| key.key().clone().parts_into_public().role_into_unspecified())
        .filter(|key| key.pk_algo().for_encryption() && key.pk_algo().is_supported())
        .collect()
}

/// The keys of any certificate to encrypt to at this time; for members there is [`Member::encryption_keys`], which remembers.
pub(in crate::report) fn encryption_keys_of(cert: &Cert, at: Timestamp) -> Result<Vec<EncryptionKey>, Unusable> {
    encryption_keys(cert, &all_encryption_keys(cert), at)
}

pub(super) fn encryption_keys(
    cert: &Cert,
    candidates: &[EncryptionKey],
    at: Timestamp,
) -> Result<Vec<EncryptionKey>, Unusable> {
    let policy = StandardPolicy::new();
    let valid = cert.with_policy(&policy, system_time(at)).map_err(|_| Unusable::Weak)?;
    alive(&valid)?;
    let purpose = KeyFlags::empty().set_transport_encryption().set_storage_encryption();
    let usable: HashSet<_> = valid
        .keys()
        .supported()
        .alive()
        .revoked(false)
        .key_flags(purpose.clone())
        .map(|key| key.key().fingerprint())
        .collect();
    let keys: Vec<_> = candidates.iter().filter(|key| usable.contains(&key.fingerprint())).cloned().collect();
    if !keys.is_empty() {
        return Ok(keys);
    }
    // Say what is wrong with the keys that would have served.
    let made_for_it: Vec<_> = valid.keys().supported().key_flags(purpose).collect();
    if made_for_it.iter().any(|key| matches!(key.revocation_status(), RevocationStatus::Revoked(_))) {
        Err(Unusable::Revoked)
    } else if made_for_it.iter().any(|key| key.alive().is_err()) {
        Err(Unusable::Expired)
    } else {
        Err(Unusable::NoKey)
    }
}

pub(super) fn alive(cert: &ValidCert<'_>) -> Result<(), Unusable> {
    if matches!(cert.revocation_status(), RevocationStatus::Revoked(_)) {
        Err(Unusable::Revoked)
    } else if cert.alive().is_err() {
        Err(Unusable::Expired)
    } else {
        Ok(())
    }
}

/// When nothing can be encrypted to the certificate any more: its own expiry or that of its last encryption subkey.
pub(super) fn expiry(cert: &Cert) -> Option<Timestamp> {
    let policy = StandardPolicy::new();
    let valid = cert.with_policy(&policy, None).ok()?;
    let own = valid.primary_key().key_expiration_time();
    let purpose = KeyFlags::empty().set_transport_encryption().set_storage_encryption();
    let subkeys: Vec<_> = valid.keys().subkeys().supported().revoked(false).key_flags(purpose).collect();
    let last = subkeys
        .iter()
        .map(|key| key.key_expiration_time())
        .collect::<Option<Vec<_>>>()
        .and_then(|all| all.into_iter().max());
    [own, last].into_iter().flatten().min().and_then(|time| Timestamp::try_from(time).ok())
}

/// A time as sequoia takes it.
pub(in crate::report) fn system_time(at: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(at.as_millisecond().max(0).unsigned_abs())
}
