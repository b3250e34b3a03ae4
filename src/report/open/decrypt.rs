//! Opens one OpenPGP message: session keys, decryption, integrity.
//!
//! Security: Sequoia holds everything back until the integrity check of the whole message has passed (its buffer is at least
//! as large as what is accepted), and an error on the way releases nothing. Recipients, signatures, layers, size and time are
//! bounded while packets are read. A bad signature never makes a message unreadable: signatures are only collected here and
//! judged later. Passphrases are never tried. Messages without integrity protection (tag 9) are refused.

use super::super::keyring::{GatewayKey, KeyUse, Keyring, system_time};
use super::super::limits::Limits;
use super::super::opened::SessionKeyRecord;
use super::super::verdict::Refusal;
use super::timed::Timed;
use super::verify::lenient_policy;
use jiff::Timestamp;
use sequoia_openpgp as openpgp;

use openpgp::crypto::SessionKey;
use openpgp::packet::{PKESK, SKESK, Signature, Tag};
use openpgp::parse::stream::*;
use openpgp::parse::{PacketParser, Parse};
use openpgp::policy::StandardPolicy;
use openpgp::types::{CompressionAlgorithm, SymmetricAlgorithm};
use openpgp::{Cert, KeyHandle, Packet};
use std::io::Read;
use std::time::Instant;
use zeroize::Zeroizing;

/// DEFLATE expands at most so much.
const MAX_EXPANSION: usize = 1_040;

/// A signature met in a message, or one that could not even be read.
pub(super) struct Met {
    pub signature: Option<Signature>,
    pub inside: bool,
}

/// What a message held.
pub(super) struct Message {
    pub payload: Zeroizing<Vec<u8>>,
    pub signatures: Vec<Met>,
}

/// What became of a message.
pub(super) enum Outcome {
    Encrypted(Message),
    /// An OpenPGP message without encryption: signed only, or bare.
    Clear(Message),
    Refused(Refusal),
}

/// Opens the messages of one mail.
pub(super) struct Opener<'a> {
    pub keyring: &'a Keyring,
    pub limits: &'a Limits,
    pub received: Timestamp,
    pub known_sessions: &'a [SessionKeyRecord],
    pub deadline: Instant,
    pub policy: StandardPolicy<'static>,
    /// Octets that may come out in all.
    pub max_opened_size: u64,
    /// Octets that came out so far.
    pub opened_size: u64,
    /// Session keys found, in order.
    pub sessions: Vec<SessionKeyRecord>,
    /// How many encrypted messages were met.
    pub messages: usize,
}

impl<'a> Opener<'a> {
    pub(super) fn new(
        keyring: &'a Keyring,
        limits: &'a Limits,
        received: Timestamp,
        known_sessions: &'a [SessionKeyRecord],
        size: usize,
    ) -> Self {
        Self {
            keyring,
            limits,
            received,
            known_sessions,
            deadline: Instant::now() + limits.time_for(size),
            policy: lenient_policy(),
            max_opened_size: limits.opened_size_for(size),
            opened_size: 0,
            sessions: Vec::new(),
            messages: 0,
        }
    }

    pub(super) fn is_late(&self) -> bool {
        Instant::now() >= self.deadline
    }

    /// Opens a binary message that stands inside `layer` encryption layers.
    pub(super) fn open(&mut self, data: &[u8], layer: usize) -> Outcome {
        if self.is_late() {
            return Outcome::Refused(Refusal::TooSlow);
        }
        // Bounds what a mail of many small messages costs in public key operations.
        if self.messages >= self.limits.max_recipients {
            return Outcome::Refused(Refusal::TooManyRecipients);
        }
        self.messages += 1;
        let mut state = State { layers: layer, ..State::default() };
        // Sequoia unwinds on some messages that end too early (an encrypted data packet shorter than its own prefix), so that
        // a stranger could stop the gateway with one mail. Nothing of a message that did this is used.
        let read = std::panic::AssertUnwindSafe(|| self.read(data, &mut state));
        let result = std::panic::catch_unwind(read).unwrap_or_else(|_| Err(anyhow::anyhow!("the parser gave up")));
        // Kept even if the message failed later on: the stored mail must fail in the same way when it is opened again.
        self.sessions.append(&mut state.sessions);
        match result {
            Ok(payload) => {
                self.opened_size += payload.len() as u64;
                let message = Message { payload, signatures: state.signatures };
                if state.decrypted { Outcome::Encrypted(message) } else { Outcome::Clear(message) }
            }
            // Sequoia takes a read that fails inside encrypted data for manipulation, whatever the reason.
            Err(_) if state.refusal.is_none() && self.is_late() => Outcome::Refused(Refusal::TooSlow),
            Err(error) => Outcome::Refused(state.refusal.unwrap_or_else(|| refusal_for(&error, &state))),
        }
    }

    fn read(&self, data: &[u8], state: &mut State) -> openpgp::Result<Zeroizing<Vec<u8>>> {
        let left = self.max_opened_size.saturating_sub(self.opened_size);
        let left = usize::try_from(left).unwrap_or(usize::MAX);
        let buffer = left.min(data.len().saturating_mul(MAX_EXPANSION).saturating_add(4096));
        let source = Timed { data, deadline: self.deadline };
        let helper = Helper { opener: self, state: &mut *state };
        let mut decryptor = DecryptorBuilder::from_reader(source)?.buffer_size(buffer).with_policy(
            &self.policy,
            system_time(self.received),
            helper,
        )?;
        if !decryptor.message_processed() {
            // More than the buffer: nothing was verified yet, and nothing is taken.
            drop(decryptor);
            state.refusal = Some(Refusal::TooLarge);
            return Err(anyhow::anyhow!("too large"));
        }
        let mut payload = Zeroizing::new(Vec::with_capacity(data.len().min(left)));
        let mut chunk = Zeroizing::new(vec![0; 64 * 1024]);
        loop {
            let length = decryptor.read(&mut chunk)?;
            let Some(read) = chunk.get(..length).filter(|read| !read.is_empty()) else { break };
            if payload.len() + length > left {
                drop(decryptor);
                state.refusal = Some(Refusal::TooLarge);
                return Err(anyhow::anyhow!("too large"));
            }
            append(&mut payload, read);
        }
        Ok(payload)
    }

    /// The gateway's keys that may decrypt at the time of receipt, the active ones first.
    fn keys(&self) -> impl Iterator<Item = &'a GatewayKey> {
        let (active, old): (Vec<_>, Vec<_>) = self
            .keyring
            .gateway_keys()
            .iter()
            .filter(|key| key.is_in_use(self.received))
            .partition(|key| key.usage() == KeyUse::Active);
        active.into_iter().chain(old)
    }
}

/// Grows by hand, so that no octet stays behind in memory that a growing vector gives back.
fn append(to: &mut Zeroizing<Vec<u8>>, more: &[u8]) {
    if to.len() + more.len() > to.capacity() {
        let mut larger = Zeroizing::new(Vec::with_capacity((to.len() + more.len()).saturating_mul(2)));
        larger.extend_from_slice(to);
        *to = larger;
    }
    to.extend_from_slice(more);
}

#[derive(Default)]
struct State {
    layers: usize,
    decrypted: bool,
    /// Encrypted session key packets seen, and those this build cannot read.
    session_packets: usize,
    unread_session_packets: usize,
    compressed: usize,
    signature_packets: usize,
    sessions: Vec<SessionKeyRecord>,
    signatures: Vec<Met>,
    refusal: Option<Refusal>,
}

impl State {
    fn refuse(&mut self, refusal: Refusal) -> openpgp::Result<()> {
        self.refusal = Some(refusal);
        Err(anyhow::anyhow!("refused"))
    }
}

struct Helper<'o, 'a, 's> {
    opener: &'o Opener<'a>,
    state: &'s mut State,
}

impl VerificationHelper for Helper<'_, '_, '_> {
    fn inspect(&mut self, packet: &PacketParser<'_>) -> openpgp::Result<()> {
        let limits = self.opener.limits;
        if self.opener.is_late() {
            return self.state.refuse(Refusal::TooSlow);
        }
        match packet.packet.tag() {
            Tag::PKESK | Tag::SKESK => {
                self.state.session_packets += 1;
                if matches!(packet.packet, Packet::Unknown(_)) {
                    self.state.unread_session_packets += 1;
                }
                if self.state.session_packets > limits.max_recipients {
                    return self.state.refuse(Refusal::TooManyRecipients);
                }
            }
            Tag::SED => return self.state.refuse(Refusal::NoIntegrityProtection),
            // GnuPG's own OCB packet, which never became a standard; the library cannot read it.
            Tag::AED => return self.state.refuse(Refusal::GnupgOcb),
            Tag::SEIP => {
                if matches!(packet.packet, Packet::Unknown(_)) {
                    return self.state.refuse(Refusal::Unsupported);
                }
                self.state.layers += 1;
                if self.state.layers > limits.max_layers {
                    return self.state.refuse(Refusal::TooDeep);
                }
            }
            Tag::CompressedData => {
                // DEFLATE of DEFLATE expands a millionfold: one compression a layer.
                self.state.compressed += 1;
                if self.state.compressed > self.state.layers + 1 {
                    return self.state.refuse(Refusal::TooDeep);
                }
                if let Packet::CompressedData(data) = &packet.packet
                    && !matches!(
                        data.algo(),
                        CompressionAlgorithm::Uncompressed | CompressionAlgorithm::Zip | CompressionAlgorithm::Zlib
                    )
                {
                    return self.state.refuse(Refusal::Unsupported);
                }
            }
            Tag::OnePassSig | Tag::Signature => {
                // Each may need its own hash over the whole content (salted signatures do).
                self.state.signature_packets += 1;
                if self.state.signature_packets > 2 * limits.max_signatures {
                    return self.state.refuse(Refusal::TooManyParts);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn get_certs(&mut self, _ids: &[KeyHandle]) -> openpgp::Result<Vec<Cert>> {
        // Signatures are judged when all certificates of the mail are known, at the time of receipt.
        Ok(Vec::new())
    }

    fn check(&mut self, structure: MessageStructure<'_>) -> openpgp::Result<()> {
        let mut encrypted = false;
        for layer in structure {
            match layer {
                MessageLayer::Compression { .. } => {}
                MessageLayer::Encryption { .. } => encrypted = true,
                MessageLayer::SignatureGroup { results } => {
                    let met = results.iter().map(|result| Met { signature: met(result), inside: encrypted });
                    self.state.signatures.extend(met);
                }
            }
        }
        // The layers are demanded: what was decrypted on the way must have been an encryption layer of the message.
        if encrypted == self.state.decrypted { Ok(()) } else { self.state.refuse(Refusal::Malformed) }
    }
}

/// The signature of a result, with its computed digest.
pub(super) fn met(result: &VerificationResult<'_>) -> Option<Signature> {
    match result {
        Ok(GoodChecksum { sig, .. })
        | Err(
            VerificationError::MissingKey { sig, .. }
            | VerificationError::UnboundKey { sig, .. }
            | VerificationError::BadKey { sig, .. }
            | VerificationError::BadSignature { sig, .. }
            | VerificationError::MalformedSignature { sig, .. },
        ) => Some((*sig).clone()),
        Err(_) => None,
    }
}

impl DecryptionHelper for Helper<'_, '_, '_> {
    fn decrypt(
        &mut self,
        pkesks: &[PKESK],
        skesks: &[SKESK],
        hint: Option<SymmetricAlgorithm>,
        decrypt: &mut dyn FnMut(Option<SymmetricAlgorithm>, &SessionKey) -> bool,
    ) -> openpgp::Result<Option<Cert>> {
        let opener = self.opener;
        // A stored mail opens with its session keys, whatever became of the gateway's keys. A wrong one does not pass.
        let next = opener.sessions.len() + self.state.sessions.len();
        let records = opener.known_sessions;
        let in_turn = records.get(next..).unwrap_or_default().iter().chain(records.get(..next).unwrap_or(records));
        for record in in_turn {
            let key = SessionKey::from(record.key.as_slice());
            if decrypt(record.algorithm.map(SymmetricAlgorithm::from), &key) {
                self.state.decrypted = true;
                self.state.sessions.push(record.duplicate());
                return Ok(None);
            }
        }
        let (mut named, mut unsupported) = (false, false);
        for gateway in opener.keys() {
            for pkesk in pkesks {
                for pair in gateway.decryption_keys() {
                    let names = pkesk.recipient().map(|handle| handle.aliases(pair.public().key_handle()));
                    if names == Some(false) || pkesk.pk_algo() != pair.public().pk_algo() {
                        continue;
                    }
                    if opener.is_late() {
                        return self.state.refuse(Refusal::TooSlow).map(|()| None);
                    }
                    named |= names == Some(true);
                    let Some((algorithm, key)) = pkesk.decrypt(&mut pair.clone(), hint) else { continue };
                    if decrypt(algorithm, &key) {
                        self.state.decrypted = true;
                        self.state.sessions.push(SessionKeyRecord {
                            algorithm: algorithm.map(u8::from),
                            key: Zeroizing::new(key.to_vec()),
                            old_key: gateway.usage() != KeyUse::Active,
                        });
                        return Ok(Some(gateway.cert.clone()));
                    }
                    unsupported |= algorithm.is_some_and(|algorithm| !algorithm.is_supported());
                }
            }
        }
        // Made for a key of ours that this build cannot compute with.
        unsupported |= !named
            && opener.keys().any(|gateway| {
                let mut ours = gateway.cert.keys().filter(|key| !key.key().pk_algo().is_supported());
                ours.any(|key| {
                    pkesks.iter().any(|pkesk| pkesk.recipient().is_some_and(|to| to.aliases(key.key().key_handle())))
                })
            });
        let refusal = if unsupported {
            Refusal::Unsupported
        } else if named {
            // Made for our key, and yet the key does not open it: damaged.
            Refusal::IntegrityFailed
        } else if pkesks.is_empty() && !skesks.is_empty() {
            Refusal::SymmetricOnly
        } else if pkesks.is_empty() && self.state.unread_session_packets == 0 {
            Refusal::Malformed
        } else if pkesks.is_empty() {
            Refusal::Unsupported
        } else {
            Refusal::NotForOurKeys
        };
        self.state.refuse(refusal).map(|()| None)
    }
}

fn refusal_for(error: &anyhow::Error, state: &State) -> Refusal {
    use openpgp::Error;
    let io = error.chain().find_map(|cause| cause.downcast_ref::<std::io::Error>());
    if io.is_some_and(|io| io.kind() == std::io::ErrorKind::TimedOut) {
        return Refusal::TooSlow;
    }
    match error.downcast_ref::<Error>() {
        Some(
            Error::UnsupportedSymmetricAlgorithm(_)
            | Error::UnsupportedAEADAlgorithm(_)
            | Error::UnsupportedCompressionAlgorithm(_)
            | Error::UnsupportedPacketType(_)
            | Error::UnsupportedPublicKeyAlgorithm(_)
            | Error::UnsupportedHashAlgorithm(_)
            | Error::PolicyViolation(..),
        ) => Refusal::Unsupported,
        Some(Error::ManipulatedMessage) => Refusal::IntegrityFailed,
        // With the session key found, what follows must be intact: a change in it is most often met as nonsense before the
        // check at the end.
        _ if state.decrypted => Refusal::IntegrityFailed,
        _ if state.layers > 0 && state.session_packets > 0 => Refusal::IntegrityFailed,
        _ => Refusal::Malformed,
    }
}
