//! Keys and mails for the tests of the room.

use super::keyring::{GatewayKey, KeyUse, Keyring, KnownCertificate, Member, generate_key};
use super::opened::Opened;
use super::secret::Plaintext;
use super::verdict::{Encryption, Intended, KeyOrigin, SignatureStatus, SignatureVerdict};
use sequoia_openpgp as openpgp;

use openpgp::Cert;
use openpgp::parse::Parse;
use openpgp::serialize::SerializeInto;
use std::collections::BTreeSet;

pub(super) const TEAM: &str = "vmt@example.org";

pub(super) fn cert(user_id: &str) -> Cert {
    Cert::from_bytes(&generate_key(user_id, None, None).unwrap().certificate).unwrap()
}

pub(super) fn armored(cert: &Cert) -> String {
    String::from_utf8(cert.armored().to_vec().unwrap()).unwrap()
}

/// A gateway, the members Alice and Bob, and these known certificates.
pub(super) fn keyring(known: &[&Cert]) -> Keyring {
    let key = generate_key(&format!("Team <{TEAM}>"), None, None).unwrap();
    let gateway = GatewayKey::read(&Plaintext::new(key.secret.to_vec()), None, KeyUse::Active).unwrap();
    let member = |name: &str| {
        let key = generate_key(&format!("{name} <{name}@example.org>"), None, None).unwrap();
        Member::read(name, &format!("{name}@example.org"), &key.certificate, &key.fingerprint).unwrap()
    };
    let known = known.iter().flat_map(|cert| KnownCertificate::read(armored(cert).as_bytes()).unwrap()).collect();
    Keyring::new(gateway, vec![member("Alice"), member("Bob")], known).map_err(|(_, error)| error).unwrap()
}

/// A mail of these header lines and body, with LF turned into CRLF.
pub(super) fn mail(header: &str, body: &str) -> Plaintext {
    Plaintext::from_text(&format!("{}\n\n{body}", header.trim()).replace('\n', "\r\n"))
}

/// An armored message to a certificate.
pub(super) fn message_to(cert: &Cert, text: &str) -> String {
    let sealed = super::wrap::encrypt_to_cert(cert, &Plaintext::from_text(text)).unwrap();
    let mut armor = openpgp::armor::Writer::new(Vec::new(), openpgp::armor::Kind::Message).unwrap();
    std::io::Write::write_all(&mut armor, &sealed).unwrap();
    String::from_utf8(armor.finalize().unwrap()).unwrap()
}

/// A mail that came in clear, opened.
pub(super) fn opened_in_clear(text: &str) -> Opened {
    Opened {
        encryption: Encryption::None,
        refusal: None,
        signatures: Vec::new(),
        warnings: BTreeSet::new(),
        subject: Plaintext::from_text("heap overflow"),
        sections: Vec::new(),
        parts: Vec::new(),
        text: Plaintext::from_text(text),
        inner_from: None,
        recipients: Vec::new(),
        references: Vec::new(),
        subject_case: None,
        enclosed: Vec::new(),
        session_keys: Vec::new(),
        payload_hash: None,
    }
}

/// A mail that came encrypted, opened.
pub(super) fn opened_encrypted(text: &str) -> Opened {
    Opened { encryption: Encryption::Complete, payload_hash: Some([7; 32]), ..opened_in_clear(text) }
}

/// A good signature over the whole payload, inside the encryption.
pub(super) fn good_signature(cert: &Cert, key: KeyOrigin, created: jiff::Timestamp) -> SignatureVerdict {
    SignatureVerdict {
        status: SignatureStatus::Good,
        key: Some(key),
        fingerprint: Some(cert.fingerprint().to_hex()),
        inside: true,
        whole: true,
        created: Some(created),
        intended: Intended::Unnamed,
        member: None,
        digest: vec![1; 32],
    }
}
