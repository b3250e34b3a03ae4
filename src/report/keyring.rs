//! Every certificate the gateway works with, parsed once: its own keys, the members', the known ones.
//!
//! Security: a member's certificate is identified by its whole fingerprint and never replaced by mail. A certificate without
//! a usable encryption key is an error of its own kind, never an empty list of recipients. Keys kept for decryption are
//! never used to sign.

use super::secret::Plaintext;
use super::vault::{StoreKey, VaultError};
use jiff::Timestamp;
use jiff::civil::Date;
use sequoia_openpgp as openpgp;

use openpgp::Cert;
use openpgp::cert::prelude::*;
use openpgp::crypto::{KeyPair, Password};
use openpgp::packet::Key;
use openpgp::packet::key;
use openpgp::parse::Parse;
use openpgp::policy::StandardPolicy;
use openpgp::types::{KeyFlags, RevocationStatus};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use zeroize::Zeroizing;

/// Why a key or certificate cannot be taken.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum KeyError {
    #[error("it holds no OpenPGP key: {0}")]
    Unreadable(String),
    #[error("it holds no secret key")]
    NoSecretKey,
    #[error("it holds {0} certificates; put one in each file")]
    Several(usize),
    #[error("its secret key is locked and no passphrase is configured")]
    PassphraseMissing,
    #[error("the passphrase does not open its secret key")]
    PassphraseWrong,
    #[error("it cannot sign now: {0}")]
    CannotSign(Unusable),
    #[error("its fingerprint is {found}, not the configured {configured}")]
    FingerprintMismatch { found: String, configured: String },
    #[error("two members have the address or the certificate of this one")]
    Duplicate,
    #[error("it holds a secret key; the gateway needs only the public certificate")]
    SecretEnclosed,
}

/// Why nothing can be encrypted to a certificate (or signed with it) at a given time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unusable {
    Expired,
    Revoked,
    /// Its self-signatures use algorithms that no longer protect (such as SHA-1).
    Weak,
    /// No key in it is made for the purpose, or none with an algorithm this build can do.
    NoKey,
}

impl Unusable {
    /// The stable code, kept in the store and shown to admins.
    pub fn code(self) -> &'static str {
        match self {
            Self::Expired => "certificate-expired",
            Self::Revoked => "certificate-revoked",
            Self::Weak => "certificate-weak",
            Self::NoKey => "certificate-without-usable-key",
        }
    }
}

impl std::fmt::Display for Unusable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Expired => "the certificate or its subkey has expired",
            Self::Revoked => "the certificate or its subkey is revoked",
            Self::Weak => "its self-signatures use algorithms that are no longer safe (such as SHA-1)",
            Self::NoKey => "it has no usable key of the kind needed",
        })
    }
}

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

/// A member of the team.
pub struct Member {
    name: String,
    address: String,
    pub(in crate::report) cert: Cert,
    subkeys: SubkeyCache,
}

type EncryptionKey = Key<key::PublicParts, key::UnspecifiedRole>;
/// Chosen once for a certificate: what to encrypt to, and for how long that choice holds.
type SubkeyCache = Vec<EncryptionKey>;

impl Member {
    /// Reads a member's public certificate and holds it against the configured fingerprint (40 or 64 hex digits; spaces are
    /// ignored).
    ///
    /// # Errors
    /// When the file holds no certificate, several, a secret key, or another certificate than the configured one.
    pub fn read(name: &str, address: &str, file: &[u8], fingerprint: &str) -> Result<Self, KeyError> {
        let cert = read_one_cert(file)?;
        if cert.is_tsk() {
            return Err(KeyError::SecretEnclosed);
        }
        let configured: String = fingerprint.chars().filter(|c| !c.is_whitespace()).collect::<String>().to_uppercase();
        let found = cert.fingerprint().to_hex();
        if found != configured {
            return Err(KeyError::FingerprintMismatch { found, configured });
        }
        let subkeys = all_encryption_keys(&cert);
        Ok(Self { name: name.to_owned(), address: address.trim().to_owned(), cert, subkeys })
    }

    /// The name from the configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The address from the configuration.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// How the member is named in the store's digests and in verdicts: the lower-cased address. It stays the same when the
    /// certificate is renewed or replaced.
    pub fn id(&self) -> String {
        self.address.to_lowercase()
    }

    /// Fingerprint of the certificate, upper-case hex.
    pub fn fingerprint(&self) -> String {
        self.cert.fingerprint().to_hex()
    }

    /// When the certificate expires, if it does.
    pub fn expires(&self) -> Option<Timestamp> {
        expiry(&self.cert)
    }

    /// Whether mail can be encrypted to this member at this time.
    ///
    /// # Errors
    /// Why not.
    pub fn usable(&self, at: Timestamp) -> Result<(), Unusable> {
        encryption_keys(&self.cert, &self.subkeys, at).map(|_| ())
    }

    /// The keys to encrypt to at this time.
    pub(in crate::report) fn encryption_keys(&self, at: Timestamp) -> Result<Vec<EncryptionKey>, Unusable> {
        encryption_keys(&self.cert, &self.subkeys, at)
    }
}

/// All certificates of one configuration.
pub struct Keyring {
    pub(in crate::report) gateway: Vec<GatewayKey>,
    pub(in crate::report) members: Vec<Arc<Member>>,
    pub(in crate::report) known: Vec<Cert>,
}

impl Keyring {
    /// Puts the keys of a configuration together. The order of `gateway` is that of the configuration.
    ///
    /// # Errors
    /// [`KeyError::Duplicate`] with the index of the second member that shares an address or a certificate.
    pub fn new(
        gateway: Vec<GatewayKey>,
        members: Vec<Member>,
        known: Vec<KnownCertificate>,
    ) -> Result<Self, (usize, KeyError)> {
        let (mut addresses, mut prints) = (HashSet::new(), HashSet::new());
        for (index, member) in members.iter().enumerate() {
            if !addresses.insert(member.id()) || !prints.insert(member.fingerprint()) {
                return Err((index, KeyError::Duplicate));
            }
        }
        Ok(Self {
            gateway,
            members: members.into_iter().map(Arc::new).collect(),
            known: known.into_iter().map(|known| known.0).collect(),
        })
    }

    /// The gateway's keys, in the order of the configuration.
    pub fn gateway_keys(&self) -> &[GatewayKey] {
        &self.gateway
    }

    /// The team.
    pub fn members(&self) -> &[Arc<Member>] {
        &self.members
    }

    /// The member with this id ([`Member::id`]).
    pub fn member(&self, id: &str) -> Option<&Arc<Member>> {
        self.members.iter().find(|member| member.id() == id)
    }

    /// How many known certificates there are.
    pub fn known_count(&self) -> usize {
        self.known.len()
    }

    /// The key that signs and is published: the first active one.
    pub fn publishing_key(&self) -> Option<&GatewayKey> {
        self.gateway.iter().find(|key| key.usage == KeyUse::Active)
    }

    /// Whether this certificate is one of the gateway's.
    pub(in crate::report) fn is_gateway(&self, fingerprint: &openpgp::Fingerprint) -> bool {
        self.gateway.iter().any(|key| key.cert.fingerprint() == *fingerprint)
    }

    /// The gateway's public certificate, armored, for publication. Nothing if there is no active key.
    pub fn published_certificate(&self) -> Option<Vec<u8>> {
        use openpgp::serialize::SerializeInto;
        self.publishing_key()?.cert.clone().strip_secret_key_material().armored().to_vec().ok()
    }

    /// Wraps a store key to every gateway key that can be encrypted to; the result lies in the store, one row a key.
    ///
    /// # Errors
    /// Never for a single key that cannot be used; those are left out.
    pub fn wrap(&self, key: &StoreKey) -> Vec<(String, Vec<u8>)> {
        let plain = key.to_plaintext();
        self.gateway
            .iter()
            .filter_map(|gateway| {
                let wrapped = super::wrap::encrypt_to_cert(&gateway.cert, &plain).ok()?;
                Some((gateway.fingerprint(), wrapped))
            })
            .collect()
    }

    /// Unwraps a store key.
    ///
    /// # Errors
    /// When no gateway key opens it.
    pub fn unwrap(&self, wrapped: &[u8]) -> Result<StoreKey, VaultError> {
        let plain = super::wrap::decrypt_with(self, wrapped).map_err(|_| VaultError::DoesNotOpen)?;
        StoreKey::from_plaintext(&plain)
    }
}

/// A certificate of somebody who may write: used to verify and to answer, never to grant anything.
pub struct KnownCertificate(Cert);

impl KnownCertificate {
    /// Reads all certificates of a file of the known folder.
    ///
    /// # Errors
    /// When it holds none.
    pub fn read(file: &[u8]) -> Result<Vec<Self>, KeyError> {
        Ok(read_certs(file)?.into_iter().map(|cert| Self(cert.strip_secret_key_material())).collect())
    }
}

/// The public certificate that the spool seals to; needs no secret.
pub struct SpoolCertificate(pub(in crate::report) Cert);

impl SpoolCertificate {
    /// Reads a certificate from a public or a secret key file; the secret parts are dropped unread.
    ///
    /// # Errors
    /// When the file holds no certificate, or one that nothing can be encrypted to.
    pub fn read(file: &Plaintext) -> Result<Self, KeyError> {
        Ok(Self(read_one_cert(file.expose())?.strip_secret_key_material()))
    }

    /// Fingerprint of the certificate, upper-case hex.
    pub fn fingerprint(&self) -> String {
        self.0.fingerprint().to_hex()
    }

    /// When nothing can be encrypted to it any more, if it expires.
    pub fn expires(&self) -> Option<Timestamp> {
        expiry(&self.0)
    }
}

fn read_certs(file: &[u8]) -> Result<Vec<Cert>, KeyError> {
    let certs = CertParser::from_bytes(file)
        .and_then(|parser| parser.collect::<openpgp::Result<Vec<_>>>())
        .map_err(|error| KeyError::Unreadable(error.to_string()))?;
    if certs.is_empty() { Err(KeyError::Unreadable("no certificate found".into())) } else { Ok(certs) }
}

fn read_one_cert(file: &[u8]) -> Result<Cert, KeyError> {
    let mut certs = read_certs(file)?;
    match (certs.pop(), certs.len()) {
        (Some(cert), 0) => Ok(cert),
        (_, others) => Err(KeyError::Several(others + 1)),
    }
}

/// Every key of the certificate that could be encrypted to, whatever its state; the state is asked at each use, since keys
/// expire while the daemon runs.
fn all_encryption_keys(cert: &Cert) -> Vec<EncryptionKey> {
    cert.keys()
        .map(|key| key.key().clone().parts_into_public().role_into_unspecified())
        .filter(|key| key.pk_algo().for_encryption() && key.pk_algo().is_supported())
        .collect()
}

/// The keys of any certificate to encrypt to at this time; for members there is [`Member::encryption_keys`], which remembers.
pub(in crate::report) fn encryption_keys_of(cert: &Cert, at: Timestamp) -> Result<Vec<EncryptionKey>, Unusable> {
    encryption_keys(cert, &all_encryption_keys(cert), at)
}

fn encryption_keys(cert: &Cert, candidates: &[EncryptionKey], at: Timestamp) -> Result<Vec<EncryptionKey>, Unusable> {
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

fn alive(cert: &ValidCert<'_>) -> Result<(), Unusable> {
    if matches!(cert.revocation_status(), RevocationStatus::Revoked(_)) {
        Err(Unusable::Revoked)
    } else if cert.alive().is_err() {
        Err(Unusable::Expired)
    } else {
        Ok(())
    }
}

/// When nothing can be encrypted to the certificate any more: its own expiry or that of its last encryption subkey.
fn expiry(cert: &Cert) -> Option<Timestamp> {
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
