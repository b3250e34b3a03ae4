//! Why a key cannot be taken, or not be used now.
//!
//! Security: the words name keys and files, never secrets.

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
