//! PGP/MIME (RFC 3156) with protected header fields (RFC 9788): what copies and acknowledgements have in common.
//!
//! Security: outside the encryption stands only what the gateway itself chose: its own address, a subject without content,
//! its own Message-IDs, the time in UTC. What is signed names its recipients, so that nobody can pass it on as meant for
//! somebody else. Every encryption takes a session key of its own. A certificate's wishes are followed only where they are
//! as safe: version 2 encrypted data where it asks for it, no compression ever.

use super::armor::{Armor, ArmorWriter};
use super::case::{CaseId, OurMessageId};
use super::compose::{Field, boundary, is_safe_address};
use super::keyring::{Keyring, Unusable, encryption_keys_of, system_time};
use super::secret::Plaintext;
use jiff::Timestamp;
use sequoia_openpgp as openpgp;

use base64::Engine;
use openpgp::cert::{Preferences, ValidCert};
use openpgp::packet::Key;
use openpgp::packet::key::{PublicParts, UnspecifiedRole};
use openpgp::policy::StandardPolicy;
use openpgp::serialize::Serialize;
use openpgp::serialize::stream::{Encryptor, LiteralWriter, Message, Recipient, Signer};
use openpgp::types::{Features, HashAlgorithm};
use openpgp::{Cert, KeyHandle, Packet};
use std::io::{self, Write};
use zeroize::Zeroizing;

/// The team as it appears in what the gateway sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TeamIdentity {
    /// Shown beside the address, inside the encryption only.
    pub name: String,
    /// The team's plain address: From and To of every copy.
    pub address: String,
    /// Whether the outer Subject is `[...]` instead of the case number.
    pub outer_subject_hidden: bool,
}

impl TeamIdentity {
    /// The domain of the address, for Message-IDs.
    pub fn domain(&self) -> &str {
        self.address.rsplit_once('@').map_or("localhost", |(_, domain)| domain)
    }

    pub(in crate::report) fn outer_subject(&self, case: Option<&CaseId>) -> String {
        match case {
            Some(case) if !self.outer_subject_hidden => format!("[{case}]"),
            _ => "[...]".to_owned(),
        }
    }
}

/// Why a mail cannot be made. No value holds anything from a mail.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Nothing can be encrypted to the recipient now. The mail is to be held, never sent in clear.
    #[error("nothing can be encrypted to this recipient: {0}")]
    Unusable(Unusable),
    /// The gateway cannot sign now.
    #[error("the gateway's key cannot sign: {0}; make a new one or extend it")]
    GatewayKey(Unusable),
    #[error("the configuration names no active gateway key")]
    NoGatewayKey,
    /// The signature names the recipients of its batch only: another one has to be signed for anew.
    #[error("the copy was not signed for this recipient; sign it again with the recipient in the batch")]
    NotInBatch,
    #[error("there is nobody to seal for")]
    EmptyBatch,
    /// Not an ASCII address that can stand in a header field and an envelope.
    #[error("the {0} is not an address that mail can be sent with")]
    Address(&'static str),
    /// A delivery id holds only lower-case hex digits, at most 128.
    #[error("the delivery id is not made of hex digits")]
    DeliveryId,
    #[error("the crypto library refused; see the keys with `embargod check`")]
    Crypto,
}

impl From<io::Error> for SealError {
    fn from(_: io::Error) -> Self {
        // The library's message may quote what it was given.
        Self::Crypto
    }
}

/// Says of an error of the crypto library only that there was one.
pub(in crate::report) fn refused(_: anyhow::Error) -> SealError {
    SealError::Crypto
}

pub(in crate::report) fn require_address(address: &str, what: &'static str) -> Result<(), SealError> {
    if is_safe_address(address) { Ok(()) } else { Err(SealError::Address(what)) }
}

pub(in crate::report) fn require_delivery_id(id: &str) -> Result<(), SealError> {
    let hex = (1..=128).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
    if hex { Ok(()) } else { Err(SealError::DeliveryId) }
}

/// Message-IDs in References: the first and the most recent ones, so that a long case does not grow a header without bound.
const REFERENCES: usize = 50;

/// The two header sections of a mail: what stands outside, and what is protected.
pub(in crate::report) struct Headers {
    pub(in crate::report) outer: Vec<Field>,
    pub(in crate::report) inner: Vec<Field>,
}

/// What both header sections are made from.
pub(in crate::report) struct HeaderPlan<'a> {
    pub(in crate::report) identity: &'a TeamIdentity,
    /// Name beside the team's address in the protected From.
    pub(in crate::report) from_name: &'a str,
    pub(in crate::report) to: &'a str,
    pub(in crate::report) outer_subject: &'a str,
    pub(in crate::report) inner_subject: &'a str,
    pub(in crate::report) date: Timestamp,
    pub(in crate::report) message_id: &'a OurMessageId,
    /// Message-IDs that this mail follows, oldest first, without angle brackets; safe for a header.
    pub(in crate::report) thread: &'a [&'a str],
    /// Value of Auto-Submitted (RFC 3834 section 5).
    pub(in crate::report) auto_submitted: &'static str,
    /// The whole header is in clear anyway: the outer From shows the name as well.
    pub(in crate::report) in_clear: bool,
}

impl Headers {
    pub(in crate::report) fn new(plan: &HeaderPlan<'_>, gateway: &Cert, now: Timestamp) -> Result<Self, SealError> {
        require_address(&plan.identity.address, "team's address")?;
        let address = plan.identity.address.as_str();
        let autocrypt = autocrypt(gateway, address, now).map_err(refused)?;
        let build = |from_name: Option<&str>, subject: &str| {
            let mut fields = vec![
                Field::date(plan.date),
                Field::address("From", from_name, address),
                Field::address("To", None, plan.to),
                Field::text("Subject", subject),
                Field::message_ids("Message-ID", std::iter::once(plan.message_id.as_str())),
            ];
            if let (Some(first), Some(last)) = (plan.thread.first(), plan.thread.last()) {
                let skipped = plan.thread.len().saturating_sub(REFERENCES - 1).max(1);
                let references = std::iter::once(first).chain(plan.thread.iter().skip(skipped));
                fields.push(Field::message_ids("In-Reply-To", std::iter::once(*last)));
                fields.push(Field::message_ids("References", references.copied()));
            }
            fields.push(Field::fixed("Auto-Submitted", plan.auto_submitted.to_owned()));
            fields.push(Field::fixed("Autocrypt", autocrypt.clone()));
            fields
        };
        let outer_name = plan.in_clear.then_some(plan.from_name);
        Ok(Self {
            outer: build(outer_name, plan.outer_subject),
            inner: build(Some(plan.from_name), plan.inner_subject),
        })
    }

    /// Writes the protected header section of an encrypted payload: the real fields, then what stands outside.
    pub(in crate::report) fn write_protected(&self, out: &mut dyn Write) -> io::Result<()> {
        self.inner.iter().try_for_each(|field| field.write(out))?;
        self.outer.iter().try_for_each(|field| field.write_hp_outer(out))
    }

    pub(in crate::report) fn write_outer(&self, out: &mut dyn Write) -> io::Result<()> {
        self.outer.iter().try_for_each(|field| field.write(out))?;
        out.write_all(b"MIME-Version: 1.0\r\n")
    }
}

/// The value of an Autocrypt header field (Autocrypt level 1 section 2.1): primary key, the user ID with this address (else the
/// primary one), the subkeys that sign or can be encrypted to, each with its current binding signature and nothing else.
fn autocrypt(cert: &Cert, address: &str, now: Timestamp) -> openpgp::Result<String> {
    let policy = StandardPolicy::new();
    let valid = cert.with_policy(&policy, system_time(now))?;
    let mut keydata = Vec::with_capacity(4096);
    for packet in minimal_packets(&valid, address) {
        packet.serialize(&mut keydata)?;
    }
    let encoded = base64::engine::general_purpose::STANDARD.encode(&keydata);
    let mut value = format!("addr={address};\r\n prefer-encrypt=mutual;\r\n keydata=");
    // Room for the word before the first line.
    for (position, character) in encoded.chars().enumerate() {
        if position % 68 == 0 && position > 0 {
            value.push_str("\r\n ");
        }
        value.push(character);
    }
    Ok(value)
}

fn minimal_packets(valid: &ValidCert<'_>, address: &str) -> Vec<Packet> {
    let mut packets = vec![Packet::from(valid.primary_key().key().clone())];
    packets.extend(valid.direct_key_signature().ok().cloned().map(Packet::from));
    let named = valid.userids().find(|id| {
        id.userid().email().is_ok_and(|email| email.is_some_and(|email| email.eq_ignore_ascii_case(address)))
    });
    if let Some(id) = named.or_else(|| valid.primary_userid().ok()) {
        packets.push(id.userid().clone().into());
        packets.push(id.binding_signature().clone().into());
    }
    for key in valid.keys().subkeys().supported().alive().revoked(false) {
        if key.for_signing() || key.for_transport_encryption() || key.for_storage_encryption() {
            packets.push(Packet::from(key.key().clone()));
            packets.push(key.binding_signature().clone().into());
        }
    }
    packets
}

/// The signing key and its certificate.
pub(in crate::report) fn signing_key(
    keyring: &Keyring,
    now: Timestamp,
) -> Result<(openpgp::crypto::KeyPair, &Cert), SealError> {
    let gateway = keyring.publishing_key().ok_or(SealError::NoGatewayKey)?;
    let pair = gateway.signing_key(now).map_err(|error| match error {
        super::keyring::KeyError::CannotSign(why) => SealError::GatewayKey(why),
        _ => SealError::GatewayKey(Unusable::NoKey),
    })?;
    Ok((pair, &gateway.cert))
}

/// Signs what `write` produces, once, into a packet stream: one-pass signature, literal data, signature. `size` is a good
/// guess of its octets, so that the memory is taken once and nothing is left behind by growing.
pub(in crate::report) fn sign_inline(
    keyring: &Keyring,
    recipients: &[&Cert],
    now: Timestamp,
    size: usize,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<Plaintext, SealError> {
    let (pair, _) = signing_key(keyring, now)?;
    let mut stream = Zeroizing::new(Vec::with_capacity(size + size / 128 + 64 * 1024));
    let message = Message::new(&mut *stream);
    let mut signer = Signer::new(message, pair)
        .and_then(|signer| signer.hash_algo(HashAlgorithm::SHA512))
        .map_err(refused)?
        .creation_time(system_time(now));
    for recipient in recipients {
        signer = signer.add_intended_recipient(recipient);
    }
    let message = signer.build().map_err(refused)?;
    let mut message = LiteralWriter::new(message).build().map_err(refused)?;
    write(&mut message)?;
    message.finalize().map_err(refused)?;
    Ok(Plaintext::new(std::mem::take(&mut *stream)))
}

/// An armored detached signature (RFC 3156 section 5) over octets that are sent as they are.
pub(in crate::report) fn sign_detached(keyring: &Keyring, now: Timestamp, signed: &[u8]) -> Result<Vec<u8>, SealError> {
    let (pair, _) = signing_key(keyring, now)?;
    let checksum = pair.public().version() < 6;
    let mut armored = Vec::with_capacity(1024);
    let mut armor = ArmorWriter::new(&mut armored, Armor::Signature, checksum);
    let mut message = Signer::new(Message::new(&mut armor), pair)
        .and_then(|signer| signer.hash_algo(HashAlgorithm::SHA512))
        .map_err(refused)?
        .creation_time(system_time(now))
        .detached()
        .build()
        .map_err(refused)?;
    message.write_all(signed)?;
    message.finalize().map_err(refused)?;
    armor.finish()?;
    Ok(armored)
}

/// Who a mail is encrypted to: one certificate, its keys that can be used now, and what it says it can do.
pub(in crate::report) struct Target {
    keys: Vec<Key<PublicParts, UnspecifiedRole>>,
    features: Features,
}

impl Target {
    /// # Errors
    /// [`SealError::Unusable`] when nothing can be encrypted to the certificate at this time.
    pub(in crate::report) fn new(cert: &Cert, now: Timestamp) -> Result<Self, SealError> {
        Self::with_keys(cert, encryption_keys_of(cert, now).map_err(SealError::Unusable)?, now)
    }

    pub(in crate::report) fn with_keys(
        cert: &Cert,
        keys: Vec<Key<PublicParts, UnspecifiedRole>>,
        now: Timestamp,
    ) -> Result<Self, SealError> {
        if keys.is_empty() {
            return Err(SealError::Unusable(Unusable::NoKey));
        }
        let policy = StandardPolicy::new();
        let valid = cert.with_policy(&policy, system_time(now)).map_err(|_| SealError::Unusable(Unusable::Weak))?;
        // A certificate that says nothing gets what every implementation reads; the library's default would be more.
        let features = valid.features().unwrap_or_else(Features::empty);
        Ok(Self { keys, features })
    }

    fn recipients(&self) -> impl Iterator<Item = Recipient<'_>> {
        self.keys.iter().map(|key| {
            let handle: KeyHandle =
                if self.features.supports_seipdv2() { key.fingerprint().into() } else { key.keyid().into() };
            Recipient::new(self.features.clone(), handle, key)
        })
    }
}

/// Encrypts a signed packet stream with a new session key and writes the whole mail around it.
pub(in crate::report) fn encrypted_mail(
    outer: &[u8],
    stream: &Plaintext,
    target: &Target,
) -> Result<Vec<u8>, SealError> {
    let boundary = boundary(std::iter::empty())?;
    let ciphertext = stream.len() + stream.len() / 128 + 4096 * (1 + target.keys.len());
    // Base64, and two line ends for every 76 characters of it.
    let mut mail = Vec::with_capacity(outer.len() + ciphertext / 3 * 4 + ciphertext / 25 + 2048);
    mail.extend_from_slice(outer);
    write!(
        mail,
        "Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\";\r\n boundary=\"{boundary}\"\r\n\r\n\
         --{boundary}\r\nContent-Type: application/pgp-encrypted\r\n\
         Content-Description: PGP/MIME version identification\r\n\r\nVersion: 1\r\n\r\n\
         --{boundary}\r\nContent-Type: application/octet-stream; name=\"encrypted.asc\"\r\n\
         Content-Description: OpenPGP encrypted message\r\n\
         Content-Disposition: inline; filename=\"encrypted.asc\"\r\n\r\n"
    )?;
    // Readers of version 2 encrypted data need no checksum; older ones may.
    let mut armor = ArmorWriter::new(&mut mail, Armor::Message, !target.features.supports_seipdv2());
    let mut message =
        Encryptor::for_recipients(Message::new(&mut armor), target.recipients()).build().map_err(refused)?;
    // The library's buffers grow with what is written at once.
    stream.expose().chunks(64 * 1024).try_for_each(|chunk| message.write_all(chunk))?;
    message.finalize().map_err(refused)?;
    armor.finish()?;
    write!(mail, "\r\n--{boundary}--\r\n")?;
    Ok(mail)
}
