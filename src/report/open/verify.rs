//! Collects signatures and judges them.
//!
//! Security: judged at the time of receipt, since the time of signing is the signer's to claim. Validity is computed first,
//! with every algorithm allowed, then everything that makes a valid signature worthless is looked for: revoked, expired,
//! weak. A signature is "good" only if nothing was found. Signed content is hashed as it lies in the mail, never re-encoded.

use super::super::keyring::{Keyring, system_time};
use super::super::verdict::{Intended, SignatureStatus, SignatureVerdict};
use super::certs::Candidate;
use super::decrypt::met;
use jiff::{SignedDuration, Timestamp};
use sequoia_openpgp as openpgp;

use openpgp::cert::amalgamation::key::ErasedKeyAmalgamation;
use openpgp::cert::amalgamation::{ValidAmalgamation, ValidateAmalgamation};
use openpgp::packet::key::PublicParts;
use openpgp::packet::{Signature, Tag};
use openpgp::parse::stream::*;
use openpgp::parse::{PacketParser, Parse};
use openpgp::policy::{AsymmetricAlgorithm, HashAlgoSecurity, Policy, StandardPolicy};
use openpgp::types::{HashAlgorithm, RevocationStatus, SymmetricAlgorithm};
use openpgp::{Cert, KeyHandle};
use std::io::Read;
use std::ops::Range;
use std::time::Duration;
use zeroize::Zeroizing;

/// How far a signer's clock may run ahead of ours.
const CLOCK_SKEW: Duration = Duration::from_secs(30 * 60);

/// A policy that lets everything pass that this build can compute, to tell weak from wrong, and to read what old software
/// encrypted.
pub(super) fn lenient_policy() -> StandardPolicy<'static> {
    use AsymmetricAlgorithm as A;
    let mut policy = StandardPolicy::new();
    for hash in [HashAlgorithm::MD5, HashAlgorithm::SHA1, HashAlgorithm::RipeMD, HashAlgorithm::SHA224] {
        policy.accept_hash(hash);
    }
    for algorithm in [A::RSA1024, A::ElGamal1024, A::ElGamal2048, A::ElGamal3072, A::ElGamal4096].into_iter().chain([
        A::DSA1024,
        A::DSA2048,
        A::DSA3072,
        A::DSA4096,
        A::BrainpoolP256,
    ]) {
        policy.accept_asymmetric_algo(algorithm);
    }
    #[allow(deprecated, reason = "what is old is exactly what is meant")]
    for algorithm in [
        SymmetricAlgorithm::IDEA,
        SymmetricAlgorithm::TripleDES,
        SymmetricAlgorithm::CAST5,
        SymmetricAlgorithm::Blowfish,
    ] {
        policy.accept_symmetric_algo(algorithm);
    }
    policy.accept_packet_tag_version(Tag::Signature, 3);
    // Both are refused by name where packets are read.
    policy.accept_packet_tag(Tag::SED);
    policy.accept_packet_tag(Tag::AED);
    policy
}

/// What is sound at the time of receipt, so that opening a stored mail again gives the same verdict.
fn strict_policy(received: Timestamp) -> StandardPolicy<'static> {
    let mut policy = StandardPolicy::at(system_time(received));
    // Some programs made 2048-bit RSA keys whose first bit is zero. The library knows no step between those and 1024 bits;
    // what is really short is told by `is_short_rsa`.
    policy.accept_asymmetric_algo(AsymmetricAlgorithm::RSA1024);
    policy
}

fn is_short_rsa(key: &openpgp::crypto::mpi::PublicKey) -> bool {
    const SHORTEST: usize = 2040;
    matches!(key, openpgp::crypto::mpi::PublicKey::RSA { n, .. } if n.bits() < SHORTEST)
}

/// A signature that waits to be judged until all certificates of the mail are known.
pub(super) struct Pending {
    /// The same signature over differently normalised line ends; empty if it could not be read.
    pub readings: Vec<Signature>,
    pub inside: bool,
    /// Which of the shown units it covers.
    pub covers: Range<usize>,
}

#[derive(Default)]
struct Collector {
    max: usize,
    seen: usize,
    found: Vec<Option<Signature>>,
}

impl VerificationHelper for &mut Collector {
    fn inspect(&mut self, packet: &PacketParser<'_>) -> openpgp::Result<()> {
        if matches!(packet.packet.tag(), Tag::Signature | Tag::OnePassSig) {
            self.seen += 1;
            if self.seen > 2 * self.max {
                return Err(anyhow::anyhow!("too many signatures"));
            }
        }
        Ok(())
    }
    fn get_certs(&mut self, _ids: &[KeyHandle]) -> openpgp::Result<Vec<Cert>> {
        Ok(Vec::new())
    }
    fn check(&mut self, structure: MessageStructure<'_>) -> openpgp::Result<()> {
        for layer in structure {
            if let MessageLayer::SignatureGroup { results } = layer {
                self.found.extend(results.iter().map(met));
            }
        }
        Ok(())
    }
}

/// Reads detached signatures (binary) over content as it lies in the mail. One entry a signature, each with its readings:
/// line ends made CRLF (RFC 3156 section 5), and the bytes as they are. Nothing if no signature can be read.
pub(super) fn detached(signature: &[u8], content: &[u8], max: usize) -> Vec<Vec<Signature>> {
    let canonical = read_detached(signature, Canonical::new(content), max);
    let has_bare_feeds =
        content.iter().zip(std::iter::once(&0).chain(content)).any(|(&byte, &before)| byte == b'\n' && before != b'\r');
    let raw = if has_bare_feeds { read_detached(signature, content, max) } else { Vec::new() };
    let mut raw = raw.into_iter();
    canonical
        .into_iter()
        .map(|first| first.into_iter().chain(raw.next().flatten()).collect())
        .filter(|readings: &Vec<_>| !readings.is_empty())
        .collect()
}

fn read_detached(signature: &[u8], content: impl Read + Send + Sync, max: usize) -> Vec<Option<Signature>> {
    let policy = lenient_policy();
    let mut collector = Collector { max, ..Collector::default() };
    let done = DetachedVerifierBuilder::from_bytes(signature)
        .and_then(|builder| builder.with_policy(&policy, None, &mut collector))
        .and_then(|mut verifier| verifier.verify_reader(content));
    if done.is_err() {
        return Vec::new();
    }
    collector.found
}

/// The text of a block with cleartext signatures, and the signatures, nothing for each that cannot be read.
type Cleartext = (Zeroizing<Vec<u8>>, Vec<Option<Signature>>);

/// Opens a block with the cleartext signature framework (RFC 9580 section 7): its text and its signatures. Nothing if it
/// cannot be read.
pub(super) fn cleartext(block: &[u8], max: usize) -> Option<Cleartext> {
    let policy = lenient_policy();
    let mut collector = Collector { max, ..Collector::default() };
    let mut text = Zeroizing::new(Vec::with_capacity(block.len()));
    let mut verifier = VerifierBuilder::from_bytes(block)
        .ok()?
        .buffer_size(block.len().max(4096))
        .with_policy(&policy, None, &mut collector)
        .ok()?;
    verifier.read_to_end(&mut text).ok()?;
    drop(verifier);
    Some((text, collector.found))
}

/// Gives content out with every line end as CRLF, without copying it.
struct Canonical<'c> {
    rest: &'c [u8],
    before: u8,
    owed: bool,
}

impl<'c> Canonical<'c> {
    fn new(content: &'c [u8]) -> Self {
        Self { rest: content, before: 0, owed: false }
    }
}

impl Read for Canonical<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let mut written = 0;
        while let Some(space) = buffer.get_mut(written..).filter(|space| !space.is_empty()) {
            if self.owed {
                space.iter_mut().take(1).for_each(|slot| *slot = b'\n');
                (self.owed, self.before) = (false, b'\n');
                written += 1;
                continue;
            }
            let Some(&next) = self.rest.first() else { break };
            if next == b'\n' && self.before != b'\r' {
                space.iter_mut().take(1).for_each(|slot| *slot = b'\r');
                self.rest = self.rest.get(1..).unwrap_or_default();
                self.owed = true;
                written += 1;
                continue;
            }
            // A run up to the next line feed is copied as it is.
            let most = self.rest.get(..space.len().min(self.rest.len())).unwrap_or_default();
            let run = most.iter().skip(1).position(|&b| b == b'\n').map_or(most.len(), |at| at + 1);
            let (now, later) = self.rest.split_at(run);
            space.iter_mut().zip(now).for_each(|(slot, byte)| *slot = *byte);
            self.before = now.last().copied().unwrap_or(0);
            self.rest = later;
            written += run;
        }
        Ok(written)
    }
}

/// A verdict, and the certificate that made a valid signature.
pub(super) struct Judged<'c> {
    pub verdict: SignatureVerdict,
    pub cert: Option<&'c Cert>,
}

/// Judges a signature as of `received`. `whole`: whether it covers all that is shown.
pub(super) fn judge<'c>(
    pending: &Pending,
    whole: bool,
    candidates: &[Candidate<'c>],
    keyring: &Keyring,
    received: Timestamp,
) -> Judged<'c> {
    let mut best: Option<(SignatureStatus, Option<&Candidate<'c>>, &Signature)> = None;
    for signature in &pending.readings {
        let (status, candidate) = judge_one(signature, candidates, received);
        if best.as_ref().is_none_or(|(known, ..)| rank(status) > rank(*known)) {
            best = Some((status, candidate, signature));
        }
    }
    let Some((status, candidate, signature)) = best else {
        let verdict = SignatureVerdict {
            status: SignatureStatus::Error,
            key: None,
            fingerprint: None,
            inside: pending.inside,
            whole,
            created: None,
            intended: Intended::Unnamed,
            member: None,
            digest: Vec::new(),
        };
        return Judged { verdict, cert: None };
    };
    let issuer = signature.issuer_fingerprints().next().map(|print| print.to_hex()).or_else(|| {
        signature.get_issuers().first().map(|handle| match handle {
            KeyHandle::Fingerprint(print) => print.to_hex(),
            KeyHandle::KeyID(id) => id.to_hex(),
        })
    });
    let verdict = SignatureVerdict {
        status: if status == SignatureStatus::Good && !whole { SignatureStatus::Partial } else { status },
        key: candidate.map(|candidate| candidate.origin),
        fingerprint: candidate.map(|candidate| candidate.cert.fingerprint().to_hex()).or(issuer),
        inside: pending.inside,
        whole,
        created: signature.signature_creation_time().and_then(|time| Timestamp::try_from(time).ok()),
        intended: intended(signature, keyring),
        member: candidate.and_then(|candidate| candidate.member.clone()),
        digest: signature.computed_digest().unwrap_or_default().to_vec(),
    };
    Judged { verdict, cert: candidate.map(|candidate| candidate.cert) }
}

/// Of several readings the one that proves most counts.
fn rank(status: SignatureStatus) -> u8 {
    match status {
        SignatureStatus::Good | SignatureStatus::Partial => 7,
        SignatureStatus::Weak => 6,
        SignatureStatus::Expired => 5,
        SignatureStatus::Revoked => 4,
        SignatureStatus::Bad => 3,
        SignatureStatus::UnknownKey => 2,
        SignatureStatus::Error => 1,
    }
}

fn intended(signature: &Signature, keyring: &Keyring) -> Intended {
    let (mut ours, mut others) = (false, false);
    for recipient in signature.intended_recipients() {
        if keyring.is_gateway(recipient) {
            ours = true;
        } else {
            others = true;
        }
    }
    match (ours, others) {
        (false, false) => Intended::Unnamed,
        (true, false) => Intended::OnlyGateway,
        (true, true) => Intended::GatewayAndOthers,
        (false, true) => Intended::Others,
    }
}

fn judge_one<'a, 'c>(
    signature: &Signature,
    candidates: &'a [Candidate<'c>],
    received: Timestamp,
) -> (SignatureStatus, Option<&'a Candidate<'c>>) {
    // Algorithms are judged as of the receipt, too, so that opening a stored mail again gives the same verdict.
    let policies = Policies { lenient: lenient_policy(), strict: strict_policy(received) };
    if signature.signature_creation_time().is_none() || signature.computed_digest().is_none_or(<[u8]>::is_empty) {
        return (SignatureStatus::Error, None);
    }
    let issuers = signature.get_issuers();
    let mut best = (SignatureStatus::UnknownKey, None);
    if issuers.is_empty() {
        return best;
    }
    for candidate in candidates {
        for key in candidate.cert.keys().key_handles(issuers.clone()) {
            let status = judge_with(signature, &key, &policies, received);
            // The first candidate wins a draw: what is configured comes before what came in the mail.
            if rank(status) > rank(best.0) {
                best = (status, Some(candidate));
            }
        }
    }
    best
}

struct Policies {
    lenient: StandardPolicy<'static>,
    strict: StandardPolicy<'static>,
}

fn judge_with<'k>(
    signature: &Signature,
    key: &ErasedKeyAmalgamation<'k, PublicParts>,
    policies: &'k Policies,
    received: Timestamp,
) -> SignatureStatus {
    if let Err(error) = signature.verify_document(key.key()) {
        return match error.downcast_ref::<openpgp::Error>() {
            Some(
                openpgp::Error::UnsupportedSignatureType(_)
                | openpgp::Error::UnsupportedPublicKeyAlgorithm(_)
                | openpgp::Error::UnsupportedHashAlgorithm(_)
                | openpgp::Error::UnsupportedEllipticCurve(_),
            ) => SignatureStatus::Error,
            _ => SignatureStatus::Bad,
        };
    }
    // A signer whose clock runs ahead a little, perhaps with a key made a minute ago, is judged a little later.
    let claimed = signature.signature_creation_time().and_then(|time| Timestamp::try_from(time).ok());
    let latest = received.checked_add(SignedDuration::try_from(CLOCK_SKEW).unwrap_or_default()).unwrap_or(received);
    let at = system_time(claimed.map_or(received, |claimed| claimed.clamp(received, latest)));
    let Policies { lenient, strict } = policies;
    let valid = match key.with_policy(lenient, at) {
        Ok(valid) => valid,
        Err(error) => {
            return match error.downcast_ref::<openpgp::Error>() {
                Some(openpgp::Error::Expired(_) | openpgp::Error::NoBindingSignature(_)) => SignatureStatus::Expired,
                _ => SignatureStatus::Error,
            };
        }
    };
    let revoked = |status| matches!(status, RevocationStatus::Revoked(_));
    if revoked(valid.valid_cert().revocation_status()) || revoked(valid.revocation_status()) {
        return SignatureStatus::Revoked;
    }
    if valid.valid_cert().alive().is_err() || valid.alive().is_err() {
        return SignatureStatus::Expired;
    }
    let made_for_it = valid.for_signing() || (valid.key_flags().is_none() && valid.key().pk_algo().for_signing());
    if !made_for_it {
        return SignatureStatus::Bad;
    }
    if let Err(error) = signature.signature_alive(at, Duration::ZERO) {
        return match error.downcast_ref::<openpgp::Error>() {
            Some(openpgp::Error::Expired(_)) => SignatureStatus::Expired,
            _ => SignatureStatus::Error,
        };
    }
    if lenient.signature(signature, HashAlgoSecurity::default()).is_err() {
        // Not the algorithms: something in it is critical and unknown.
        return SignatureStatus::Error;
    }
    if strict.signature(signature, HashAlgoSecurity::default()).is_err()
        || key.with_policy(strict, at).is_err()
        || is_short_rsa(key.key().mpis())
        || is_short_rsa(valid.valid_cert().primary_key().key().mpis())
    {
        return SignatureStatus::Weak;
    }
    SignatureStatus::Good
}
