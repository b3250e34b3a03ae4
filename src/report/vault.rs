//! What lies in the store lies sealed: the store key, the keys derived from it, and the sealing of single values.
//!
//! Security: values are sealed with AES-256-GCM under a key of their own (HKDF-SHA-256 over a random salt), with table, row
//! and purpose as associated data, so that somebody who can write to the database can neither read a value nor move it to
//! another row. What must be looked up is an HMAC under a key of the same store, so that a stolen database cannot be searched
//! for an address that the thief already suspects.

use super::case::{MailId, OurMessageId};
use super::secret::{Plaintext, ReporterContact};
use ring::rand::{SecureRandom, SystemRandom};
use ring::{aead, hkdf, hmac};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

/// Why a sealed value did not open, or could not be made.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    #[error("a stored value does not open: it was changed, moved to another row, or sealed with another store key")]
    DoesNotOpen,
    #[error("the system's random number generator failed")]
    NoRandomness,
    #[error("a store key has 32 octets")]
    BadStoreKey,
    #[error("a stored value has an unknown form; it may be from a newer version of embargod")]
    UnknownForm,
}

/// A value as it lies in the store: ciphertext, and the only form of content that the store takes.
///
/// It cannot be made from readable bytes:
/// ```compile_fail
/// let sealed = embargod::report::AtRest(b"heap overflow".to_vec());
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct AtRest(Vec<u8>);

impl AtRest {
    /// Takes back what the store holds. Bytes that were never sealed do not open.
    pub fn from_store(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The ciphertext, for the store.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The ciphertext, for the store.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// What a sealed value is; part of the associated data, with table and column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// `mails.content`: the mail as it came.
    Mail,
    /// `mails.facts`: what opening it found.
    Facts,
    /// `cases.contact`.
    Contact,
    /// `cases.answer_key`: the reporter's certificate.
    AnswerKey,
    /// `cases.subject`.
    Subject,
    /// `drafts.body`: the frozen body of an advisory.
    DraftBody,
    /// `drafts.link`: where the advisory is.
    DraftLink,
    /// `meta.value` of a door: whether it works, and the last error in words.
    Door,
}

impl Purpose {
    fn context(self) -> &'static str {
        match self {
            Self::Mail => "mails.content",
            Self::Facts => "mails.facts",
            Self::Contact => "cases.contact",
            Self::AnswerKey => "cases.answer_key",
            Self::Subject => "cases.subject",
            Self::DraftBody => "drafts.body",
            Self::DraftLink => "drafts.link",
            Self::Door => "meta.door",
        }
    }
}

/// What a keyed digest is for; digests of different kinds never match.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// Where a mail was found: mailbox, UIDVALIDITY and UID, or the file's name.
    Source,
    /// Message-ID and content of a mail, without trace header fields.
    Content,
    /// A Message-ID.
    MessageId,
    /// An address, lower-cased.
    Address,
    /// A decrypted payload.
    Payload,
    /// A member's signed content.
    Signed,
    /// Something the admins were told, so that they are told once.
    Alert,
}

impl Lookup {
    fn context(self) -> &'static str {
        match self {
            Self::Source => "source",
            Self::Content => "content",
            Self::MessageId => "message-id",
            Self::Address => "address",
            Self::Payload => "payload",
            Self::Signed => "signed",
            Self::Alert => "alert",
        }
    }
}

/// A keyed digest (HMAC-SHA-256, hex): equal for equal things of one store, and useless without its key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Digest(String);

impl Digest {
    /// As it lies in the store.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Taken back from the store.
    pub fn from_store(text: String) -> Self {
        Self(text)
    }
}

/// The secret of a store: 32 random octets, kept only wrapped to OpenPGP certificates.
pub struct StoreKey(Zeroizing<[u8; 32]>);

impl StoreKey {
    /// A new key from the system's random number generator.
    pub fn generate() -> Result<Self, VaultError> {
        let mut key = Zeroizing::new([0; 32]);
        SystemRandom::new().fill(key.as_mut()).map_err(|_| VaultError::NoRandomness)?;
        Ok(Self(key))
    }

    pub(in crate::report) fn from_plaintext(plain: &Plaintext) -> Result<Self, VaultError> {
        let key: [u8; 32] = plain.expose().try_into().map_err(|_| VaultError::BadStoreKey)?;
        Ok(Self(Zeroizing::new(key)))
    }

    pub(in crate::report) fn to_plaintext(&self) -> Plaintext {
        Plaintext::new(self.0.to_vec())
    }
}

/// Seals and opens what lies in the store, and makes its digests.
pub struct Vault {
    sealing: hkdf::Prk,
    digests: hmac::Key,
    message_ids: hmac::Key,
    audit: hmac::Key,
    random: SystemRandom,
}

const FORM: u8 = 1;
const SALT: usize = 16;

struct Length(usize);
impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

impl Vault {
    /// Derives the keys of a store from its store key (HKDF-SHA-256, RFC 5869).
    pub fn new(key: &StoreKey) -> Result<Self, VaultError> {
        let root = hkdf::Salt::new(hkdf::HKDF_SHA256, b"embargod store key 1").extract(key.0.as_ref());
        let derive = |label: &str| -> Result<Zeroizing<[u8; 32]>, VaultError> {
            let mut out = Zeroizing::new([0; 32]);
            root.expand(&[label.as_bytes()], Length(32))
                .and_then(|okm| okm.fill(out.as_mut()))
                .map_err(|_| VaultError::BadStoreKey)?;
            Ok(out)
        };
        Ok(Self {
            sealing: hkdf::Salt::new(hkdf::HKDF_SHA256, b"embargod sealing 1").extract(derive("sealing")?.as_ref()),
            digests: hmac::Key::new(hmac::HMAC_SHA256, derive("digests")?.as_ref()),
            message_ids: hmac::Key::new(hmac::HMAC_SHA256, derive("message-ids")?.as_ref()),
            audit: hmac::Key::new(hmac::HMAC_SHA256, derive("audit")?.as_ref()),
            random: SystemRandom::new(),
        })
    }

    /// Seals a value for one row. `row` is the row's primary key.
    pub fn seal(&self, purpose: Purpose, row: &str, value: &Plaintext) -> Result<AtRest, VaultError> {
        let salt: [u8; SALT] = self.random()?;
        let key = self.value_key(purpose, &salt)?;
        let mut sealed = Vec::with_capacity(1 + SALT + value.len() + aead::AES_256_GCM.tag_len());
        sealed.push(FORM);
        sealed.extend_from_slice(&salt);
        sealed.extend_from_slice(value.expose());
        let body = sealed.get_mut(1 + SALT..).ok_or(VaultError::UnknownForm)?;
        // A key of its own for each value: the nonce may be constant.
        let tag = key
            .seal_in_place_separate_tag(zero_nonce(), associated(purpose, row), body)
            .map_err(|_| VaultError::DoesNotOpen)?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(AtRest(sealed))
    }

    /// Seals a value for one row where it lies in memory: a large mail is there once, not twice.
    pub fn seal_owned(&self, purpose: Purpose, row: &str, value: Plaintext) -> Result<AtRest, VaultError> {
        let salt: [u8; SALT] = self.random()?;
        let key = self.value_key(purpose, &salt)?;
        let mut body = value.into_inner();
        let tag = key
            .seal_in_place_separate_tag(zero_nonce(), associated(purpose, row), &mut body)
            .map_err(|_| VaultError::DoesNotOpen)?;
        // What is in the way of growing is ciphertext by now: nothing readable is left behind.
        let mut sealed = std::mem::take(&mut *body);
        let length = sealed.len();
        sealed.reserve_exact(1 + SALT + tag.as_ref().len());
        sealed.resize(length + 1 + SALT, 0);
        sealed.copy_within(..length, 1 + SALT);
        for (place, octet) in sealed.iter_mut().zip(std::iter::once(&FORM).chain(&salt)) {
            *place = *octet;
        }
        sealed.extend_from_slice(tag.as_ref());
        Ok(AtRest(sealed))
    }

    /// Opens a value of one row.
    pub fn unseal(&self, purpose: Purpose, row: &str, sealed: AtRest) -> Result<Plaintext, VaultError> {
        let mut bytes = Zeroizing::new(sealed.0);
        if bytes.first() != Some(&FORM) {
            return Err(VaultError::UnknownForm);
        }
        let salt: [u8; SALT] =
            bytes.get(1..1 + SALT).and_then(|salt| salt.try_into().ok()).ok_or(VaultError::UnknownForm)?;
        let key = self.value_key(purpose, &salt)?;
        let body = bytes.get_mut(1 + SALT..).ok_or(VaultError::UnknownForm)?;
        let length =
            key.open_in_place(zero_nonce(), associated(purpose, row), body).map_err(|_| VaultError::DoesNotOpen)?.len();
        bytes.copy_within(1 + SALT..1 + SALT + length, 0);
        bytes.truncate(length);
        Ok(Plaintext::new(std::mem::take(&mut *bytes)))
    }

    /// The keyed digest of a list of octet strings; each is prefixed by its length, so that lists cannot be confused.
    pub fn digest(&self, lookup: Lookup, fields: &[&[u8]]) -> Digest {
        let mut context = hmac::Context::with_key(&self.digests);
        context.update(lookup.context().as_bytes());
        for field in fields {
            context.update(&(field.len() as u64).to_be_bytes());
            context.update(field);
        }
        Digest(hex::encode(context.sign()))
    }

    /// The digest of an address; case is ignored, since mail servers do.
    pub fn address_digest(&self, address: &str) -> Digest {
        self.digest(Lookup::Address, &[address.trim().to_lowercase().as_bytes()])
    }

    /// The digest of a contact's address.
    pub fn contact_digest(&self, contact: &ReporterContact) -> Digest {
        self.address_digest(contact.address())
    }

    /// The digest of a Message-ID, given without angle brackets.
    pub fn message_id_digest(&self, message_id: &str) -> Digest {
        self.digest(Lookup::MessageId, &[message_id.as_bytes()])
    }

    /// The Message-ID of what the gateway sends for a mail of a case: the same for every member and for a repeated
    /// delivery, another for each `generation` (a deliberate resend) and each `kind` of mail.
    pub fn message_id(&self, case: &str, mail: &MailId, kind: &str, generation: i64, domain: &str) -> OurMessageId {
        let mut context = hmac::Context::with_key(&self.message_ids);
        for field in [case, mail.as_str(), kind, generation.to_string().as_str()] {
            context.update(&(field.len() as u64).to_be_bytes());
            context.update(field.as_bytes());
        }
        let tag = context.sign();
        OurMessageId(format!("{}@{domain}", hex::encode(tag.as_ref().get(..20).unwrap_or_default())))
    }

    /// The link of the audit chain that follows `previous` (hex).
    pub fn audit_link(&self, previous: &str, entry: &str) -> String {
        let mut context = hmac::Context::with_key(&self.audit);
        context.update(previous.as_bytes());
        context.update(b"\n");
        context.update(entry.as_bytes());
        hex::encode(context.sign())
    }

    /// Random octets.
    pub fn random<const N: usize>(&self) -> Result<[u8; N], VaultError> {
        let mut out = [0; N];
        self.random.fill(&mut out).map_err(|_| VaultError::NoRandomness)?;
        Ok(out)
    }

    fn value_key(&self, purpose: Purpose, salt: &[u8]) -> Result<aead::LessSafeKey, VaultError> {
        let mut key = Zeroizing::new([0; 32]);
        self.sealing
            .expand(&[purpose.context().as_bytes(), salt], Length(32))
            .and_then(|okm| okm.fill(key.as_mut()))
            .map_err(|_| VaultError::BadStoreKey)?;
        let key = aead::UnboundKey::new(&aead::AES_256_GCM, key.as_ref()).map_err(|_| VaultError::BadStoreKey)?;
        Ok(aead::LessSafeKey::new(key))
    }
}

fn zero_nonce() -> aead::Nonce {
    aead::Nonce::assume_unique_for_key([0; 12])
}

fn associated(purpose: Purpose, row: &str) -> aead::Aad<Vec<u8>> {
    let mut data = purpose.context().as_bytes().to_vec();
    data.push(0);
    data.extend_from_slice(row.as_bytes());
    aead::Aad::from(data)
}

#[cfg(test)]
#[path = "vault_tests.rs"]
mod tests;
