//! The gateway's own keys.
//!
//! Security: secret keys are unlocked once and never written; those kept for decryption are never used to sign.

use super::certificate::{alive, expiry, read_certs, system_time};
use super::error::{KeyError, Unusable};
use crate::report::secret::Plaintext;
use jiff::Timestamp;
use jiff::civil::Date;
use sequoia_openpgp as openpgp;

use openpgp::Cert;
use openpgp::cert::prelude::*;
use openpgp::crypto::{KeyPair, Password};
use openpgp::policy::StandardPolicy;
use std::time::Duration;
use zeroize::Zeroizing;

/// What a gateway key is used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyUse {
    /// Decrypts, and the first active one signs and is published.
    Active,
    /// Decrypts what reporters still send to it, until the end of this day (UTC).
    DecryptOnly { until: Date },
}

/// One key of the gateway's own, unlocked.
pub struct GatewayKey {
    pub(in crate::report) cert: Cert,
    usage: KeyUse,
    decryption: Vec<KeyPair>,
}

impl GatewayKey {
    /// Reads a secret key file (armored or binary) and unlocks it. `decrypt-only` files may hold several keys; each becomes
    /// one. What has expired or is weakly self-signed is taken all the same, for decryption.
    ///
    /// # Errors
    /// When the file holds no secret key, or the passphrase is missing or wrong.
    pub fn read(file: &Plaintext, passphrase: Option<&Plaintext>, usage: KeyUse) -> Result<Vec<Self>, KeyError> {
        let certs = read_certs(file.expose())?;
        if certs.len() > 1 && usage == KeyUse::Active {
            return Err(KeyError::Several(certs.len()));
        }
        let password = passphrase.map(|phrase| Password::from(phrase.expose()));
        let keys = certs
            .into_iter()
            .filter(Cert::is_tsk)
            .map(|cert| Self::unlock(cert, password.as_ref(), usage))
            .collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() { Err(KeyError::NoSecretKey) } else { Ok(keys) }
    }

    fn unlock(cert: Cert, password: Option<&Password>, usage: KeyUse) -> Result<Self, KeyError> {
        let mut unlocked = Vec::new();
        let mut decryption = Vec::new();
        for amalgamation in cert.keys().secret() {
            let key = amalgamation.key().clone();
            let key = if key.has_unencrypted_secret() {
                key
            } else {
                let password = password.ok_or(KeyError::PassphraseMissing)?;
                key.decrypt_secret(password).map_err(|_| KeyError::PassphraseWrong)?
            };
            let decrypts = key.pk_algo().for_encryption() && key.pk_algo().is_supported();
            if decrypts && let Ok(pair) = key.clone().into_keypair() {
                decryption.push(pair);
            }
            unlocked.push((amalgamation.primary(), key));
        }
        let packets = unlocked.into_iter().map(|(primary, key)| {
            let key = key.parts_into_secret().map_err(|_| KeyError::NoSecretKey)?;
            Ok::<openpgp::Packet, KeyError>(if primary {
                key.role_into_primary().into()
            } else {
                key.role_into_subordinate().into()
            })
        });
        let packets = packets.collect::<Result<Vec<_>, _>>()?;
        let (cert, _) = cert.insert_packets(packets).map_err(|error| KeyError::Unreadable(error.to_string()))?;
        Ok(Self { cert, usage, decryption })
    }

    /// Fingerprint of the certificate, upper-case hex.
    pub fn fingerprint(&self) -> String {
        self.cert.fingerprint().to_hex()
    }

    /// What it is used for.
    pub fn usage(&self) -> KeyUse {
        self.usage
    }

    /// Whether it is used at all at this time: an active key always, another until the end of its last day (UTC).
    pub fn is_in_use(&self, at: Timestamp) -> bool {
        match self.usage {
            KeyUse::Active => true,
            KeyUse::DecryptOnly { until } => jiff::tz::TimeZone::UTC.to_datetime(at).date() <= until,
        }
    }

    /// When its certificate expires, if it does.
    pub fn expires(&self) -> Option<Timestamp> {
        expiry(&self.cert)
    }

    /// Whether it can sign at this time.
    ///
    /// # Errors
    /// Why not.
    pub fn can_sign(&self, at: Timestamp) -> Result<(), KeyError> {
        self.signing_key(at).map(|_| ())
    }

    /// Whether a user ID names this address: mail programs find a key by it, and some refuse to encrypt without.
    pub fn names(&self, address: &str) -> bool {
        self.cert
            .userids()
            .filter_map(|id| id.userid().email().ok().flatten())
            .any(|email| email.eq_ignore_ascii_case(address))
    }

    pub(in crate::report) fn decryption_keys(&self) -> &[KeyPair] {
        &self.decryption
    }

    /// The key that signs what the gateway sends.
    pub(in crate::report) fn signing_key(&self, at: Timestamp) -> Result<KeyPair, KeyError> {
        let policy = StandardPolicy::new();
        let valid =
            self.cert.with_policy(&policy, system_time(at)).map_err(|_| KeyError::CannotSign(Unusable::Weak))?;
        alive(&valid).map_err(KeyError::CannotSign)?;
        let key = valid
            .keys()
            .secret()
            .supported()
            .alive()
            .revoked(false)
            .for_signing()
            .next()
            .ok_or(KeyError::CannotSign(Unusable::NoKey))?;
        key.key().clone().into_keypair().map_err(|_| KeyError::CannotSign(Unusable::NoKey))
    }
}

/// A new gateway key for a team: certificate with signing and encryption subkeys (Ed25519, X25519), and its two files.
pub struct NewKey {
    /// Armored secret key, locked if a passphrase was given.
    pub secret: Zeroizing<Vec<u8>>,
    /// Armored certificate.
    pub certificate: Vec<u8>,
    /// Upper-case hex.
    pub fingerprint: String,
}

/// Makes a key. `user_id` as in `Name <address>`; `valid_for` from now on.
///
/// # Errors
/// When the crypto library refuses.
pub fn generate_key(user_id: &str, passphrase: Option<&str>, valid_for: Option<Duration>) -> Result<NewKey, KeyError> {
    use openpgp::serialize::SerializeInto;
    let failed = |error: anyhow::Error| KeyError::Unreadable(error.to_string());
    let (cert, _revocation) = CertBuilder::general_purpose(Some(user_id))
        .set_cipher_suite(CipherSuite::Cv25519)
        .set_password(passphrase.map(Password::from))
        .set_validity_period(valid_for)
        .generate()
        .map_err(failed)?;
    Ok(NewKey {
        secret: Zeroizing::new(cert.as_tsk().armored().to_vec().map_err(failed)?),
        certificate: cert.armored().to_vec().map_err(failed)?,
        fingerprint: cert.fingerprint().to_hex(),
    })
}
