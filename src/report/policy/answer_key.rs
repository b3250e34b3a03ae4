//! The key that answers in a new case will be encrypted to, fixed by the mail that opens the case.
//!
//! Security: who can put a key here reads the team's answers. A signature inside the decrypted payload was made by somebody
//! who wrote that payload; a signature outside the encryption can be put there by anybody on the way and never counts. A key
//! that merely came with the mail is marked unconfirmed, and a member has to confirm it before it is used.

use super::decision::AnswerKey;
use super::matching::{has_address, usable};
use crate::report::keyring::Keyring;
use crate::report::opened::{Opened, Place};
use crate::report::outer::Outer;
use crate::report::verdict::{Encryption, Intended, SignatureStatus, SignatureVerdict};
use jiff::Timestamp;
use sequoia_openpgp::Cert;

/// Chooses the key; nothing if the mail brings none and none is known.
pub(super) fn choose(outer: &Outer, opened: &Opened, keyring: &Keyring, now: Timestamp) -> Option<AnswerKey> {
    let sender = outer.sender.one().map(|contact| contact.address());
    if let Some(key) = signer(sender, opened, keyring, now) {
        return Some(key);
    }
    let sender = sender?;
    let fits = |cert: &&Cert| has_address(cert, sender, now) && usable(cert, now);
    // A certificate that the team itself holds for this address beats whatever a mail offers.
    if let Some(cert) = keyring.known.iter().find(fits) {
        return Some(AnswerKey { cert: cert.clone(), confirmed: true });
    }
    let offered = |place: Place| opened.enclosed.iter().filter(move |e| e.place == place).map(|e| &e.cert);
    let autocrypt = || outer.certificates.iter().filter(|e| e.place == Place::AutocryptInClear).map(|e| &e.cert);
    let found = if opened.encryption == Encryption::None {
        outer
            .certificates
            .iter()
            .filter(|e| e.place == Place::AttachedInClear)
            .map(|e| &e.cert)
            .chain(autocrypt())
            .find(fits)
    } else {
        // What is attached beside an encrypted part is never taken for the encrypted part's.
        offered(Place::AttachedInside).chain(offered(Place::AutocryptInside)).chain(autocrypt()).find(fits)
    };
    found.map(|cert| AnswerKey { cert: cert.clone(), confirmed: false })
}

/// The certificate of a good signature inside the encryption; with several, one that has the sender's address.
fn signer(sender: Option<&str>, opened: &Opened, keyring: &Keyring, now: Timestamp) -> Option<AnswerKey> {
    let mut signers: Vec<_> = opened
        .signatures
        .iter()
        .filter(|s| s.status == SignatureStatus::Good && s.inside && s.whole && s.member.is_none())
        .filter_map(|signature| Some((signature, certificate_of(signature, opened, keyring)?)))
        .collect();
    signers.sort_by_key(|(_, cert)| !sender.is_some_and(|address| has_address(cert, address, now)));
    let (signature, cert) = signers.into_iter().next()?;
    // Written for somebody else: the signer need not be the sender. Still no other key may take its place.
    let confirmed = signature.intended != Intended::Others;
    Some(AnswerKey { cert: cert.clone(), confirmed })
}

fn certificate_of<'a>(signature: &SignatureVerdict, opened: &'a Opened, keyring: &'a Keyring) -> Option<&'a Cert> {
    let fingerprint = signature.fingerprint.as_deref()?;
    let is_it = |cert: &&Cert| cert.fingerprint().to_hex() == fingerprint;
    keyring.known.iter().find(is_it).or_else(|| opened.enclosed.iter().map(|e| &e.cert).find(is_it))
}

/// Whether the mail offers another certificate for its sender than the known one.
pub(super) fn offers_replacement(outer: &Outer, opened: &Opened, keyring: &Keyring, now: Timestamp) -> bool {
    let Some(sender) = outer.sender.one().map(|contact| contact.address()) else { return false };
    let known: Vec<_> =
        keyring.known.iter().filter(|cert| has_address(cert, sender, now)).map(Cert::fingerprint).collect();
    let offered = || outer.certificates.iter().chain(&opened.enclosed).map(|enclosed| &enclosed.cert);
    !known.is_empty() && offered().any(|cert| has_address(cert, sender, now) && !known.contains(&cert.fingerprint()))
}

#[cfg(test)]
#[path = "answer_key_tests.rs"]
mod tests;
