//! The members' certificates, and those of others who may write.
//!
//! Security: a member's certificate is identified by its whole fingerprint and never replaced by mail.

use super::certificate::{EncryptionKey, all_encryption_keys, encryption_keys, expiry, read_certs, read_one_cert};
use super::error::{KeyError, Unusable};
use crate::report::secret::Plaintext;
use jiff::Timestamp;
use sequoia_openpgp as openpgp;

use openpgp::Cert;

/// A member of the team.
pub struct Member {
    name: String,
    address: String,
    pub(in crate::report) cert: Cert,
    subkeys: SubkeyCache,
}

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

/// A certificate of somebody who may write: used to verify and to answer, never to grant anything.
pub struct KnownCertificate(pub(super) Cert);

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
