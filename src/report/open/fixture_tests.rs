//! People, keys and mails for the tests of opening: made anew for each run, by Sequoia, gpg and sq.

use super::*;
use crate::report::{GatewayKey, KeyUse, KnownCertificate, Member};
use sequoia_openpgp as openpgp;

use openpgp::Cert;
use openpgp::cert::{CertBuilder, CipherSuite};
use openpgp::serialize::SerializeInto;
use openpgp::serialize::stream::{Armorer, Compressor, Encryptor, LiteralWriter, Message, Recipient, Signer};
use openpgp::types::{CompressionAlgorithm, Features};
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, SystemTime};

pub(super) const TEAM: &str = "vmt@kata.example";

pub(super) fn certificate(address: &str, suite: CipherSuite) -> Cert {
    CertBuilder::general_purpose(Some(format!("<{address}>"))).set_cipher_suite(suite).generate().unwrap().0
}

/// Everybody who appears in the tests. `alice` is a member, `bob` a known reporter, `eve` nobody.
pub(super) struct World {
    pub gateway: Cert,
    pub old_gateway: Cert,
    pub alice: Cert,
    pub bob: Cert,
    pub eve: Cert,
    pub ring: Keyring,
}

pub(super) fn secret(cert: &Cert) -> Vec<u8> {
    cert.as_tsk().armored().to_vec().unwrap()
}

pub(super) fn public(cert: &Cert) -> Vec<u8> {
    cert.clone().strip_secret_key_material().armored().to_vec().unwrap()
}

pub(super) fn gateway_key(cert: &Cert, usage: KeyUse) -> GatewayKey {
    GatewayKey::read(&Plaintext::new(secret(cert)), None, usage).unwrap().remove(0)
}

pub(super) fn member(cert: &Cert, address: &str) -> Member {
    Member::read("Alice", address, &public(cert), &cert.fingerprint().to_hex()).unwrap()
}

pub(super) fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        let make = |address| certificate(address, CipherSuite::Cv25519);
        let (gateway, old_gateway) = (make(TEAM), make(TEAM));
        let (alice, bob, eve) = (make("alice@kata.example"), make("bob@reporters.example"), make("eve@evil.example"));
        let until = jiff::civil::date(2999, 1, 1);
        let keys =
            vec![gateway_key(&old_gateway, KeyUse::DecryptOnly { until }), gateway_key(&gateway, KeyUse::Active)];
        let known = KnownCertificate::read(&public(&bob)).unwrap();
        let ring = Keyring::new(keys, vec![member(&alice, "Alice@kata.example")], known).ok().unwrap();
        World { gateway, old_gateway, alice, bob, eve, ring }
    })
}

/// How a message is made.
#[derive(Default)]
pub(super) struct Making<'a> {
    pub to: Vec<&'a Cert>,
    pub signer: Option<&'a Cert>,
    pub intended: Vec<&'a Cert>,
    pub compress: bool,
    pub aead: bool,
    pub signed_at: Option<SystemTime>,
}

impl<'a> Making<'a> {
    /// The armored message.
    pub(super) fn armored(&self, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let message = Armorer::new(Message::new(&mut out)).build().unwrap();
        self.write(message, payload);
        out
    }

    pub(super) fn binary(&self, payload: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        self.write(Message::new(&mut out), payload);
        out
    }

    fn write<'m>(&'m self, mut message: Message<'m>, payload: &[u8])
    where
        'a: 'm,
    {
        if !self.to.is_empty() {
            let features = self.aead.then(|| Features::empty().set_seipdv2());
            let keys = self.to.iter().flat_map(|cert| cert.keys()).filter(|key| key.key().pk_algo().for_encryption());
            let recipients = keys.map(|key| Recipient::new(features.clone(), key.key().key_handle(), key.key()));
            let recipients: Vec<_> = recipients.collect();
            message = Encryptor::for_recipients(message, recipients).build().unwrap();
        }
        if self.compress {
            message = Compressor::new(message).algo(CompressionAlgorithm::Zlib).build().unwrap();
        }
        if let Some(signer) = self.signer {
            let key = signer.keys().secret().for_signing_anyhow();
            let mut builder = Signer::new(message, key).unwrap();
            for cert in &self.intended {
                builder = builder.add_intended_recipient(cert);
            }
            if let Some(at) = self.signed_at {
                builder = builder.creation_time(at);
            }
            message = builder.build().unwrap();
        }
        let mut message = LiteralWriter::new(message).build().unwrap();
        message.write_all(payload).unwrap();
        message.finalize().unwrap();
    }
}

/// The signing key of a certificate, whatever its state.
trait ForSigning {
    fn for_signing_anyhow(self) -> openpgp::crypto::KeyPair;
}

impl<'a, I> ForSigning for I
where
    I: Iterator<Item = openpgp::cert::amalgamation::key::ErasedKeyAmalgamation<'a, openpgp::packet::key::SecretParts>>,
{
    fn for_signing_anyhow(self) -> openpgp::crypto::KeyPair {
        // `general_purpose` makes the signing subkey first, after the primary.
        let keys: Vec<_> = self.filter(|key| key.key().pk_algo().for_signing()).collect();
        keys.last().unwrap().key().clone().into_keypair().unwrap()
    }
}

/// A mail with header fields of its own; `content` begins with its MIME fields.
pub(super) fn mail(from: &str, subject: &str, content: &[u8]) -> Vec<u8> {
    let head = format!(
        "Return-Path: <{from}>\r\nFrom: {from}\r\nTo: {TEAM}, Carol <carol@kata.example>\r\nSubject: {subject}\r\n\
         Message-ID: <1@mua.example>\r\nReferences: <first@x.example> <second@x.example>\r\nMIME-Version: 1.0\r\n"
    );
    [head.as_bytes(), content].concat()
}

/// RFC 3156 section 4.
pub(super) fn pgp_mime(armored: &[u8]) -> Vec<u8> {
    let head = "Content-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=\"outer\"\r\n\r\n\
        --outer\r\nContent-Type: application/pgp-encrypted\r\n\r\nVersion: 1\r\n\r\n\
        --outer\r\nContent-Type: application/octet-stream; name=\"encrypted.asc\"\r\n\r\n";
    [head.as_bytes(), armored, b"\r\n--outer--\r\n"].concat()
}

pub(super) const REPORT: &[u8] =
    b"Content-Type: text/plain; charset=utf-8\r\nSubject: Heap overflow\r\n\r\nA heap overflow in the agent.\r\n";

/// An encrypted report, as most reporters send it.
pub(super) fn encrypted_report(making: &Making<'_>) -> Vec<u8> {
    mail("bob@reporters.example", "...", &pgp_mime(&making.armored(REPORT)))
}

pub(super) fn open_with(ring: &Keyring, limits: &Limits, bytes: &[u8]) -> Opened {
    let request = OpenRequest {
        keyring: ring,
        limits,
        received: Timestamp::now(),
        case_key: None,
        session_keys: &[],
        case_prefix: "KATA",
    };
    open(&Plaintext::new(bytes.to_vec()), &request)
}

pub(super) fn opened(bytes: &[u8]) -> Opened {
    open_with(&world().ring, &Limits { max_time: Duration::from_secs(60), ..Limits::default() }, bytes)
}

impl Opened {
    pub(super) fn shown_text(&self) -> String {
        self.text.expose_text().to_string()
    }
    pub(super) fn shown_subject(&self) -> String {
        self.subject.expose_text().to_string()
    }
    pub(super) fn labels(&self) -> Vec<Label> {
        self.sections.iter().map(|section| section.label).collect()
    }
    pub(super) fn section(&self, label: Label) -> String {
        let found = self.sections.iter().find(|section| section.label == label);
        found.map(|section| section.entity.expose_text().to_string()).unwrap_or_default()
    }
    pub(super) fn everything(&self) -> String {
        let sections: String = self.sections.iter().map(|section| section.entity.expose_text().to_string()).collect();
        sections + &self.shown_text() + &self.shown_subject()
    }
    pub(super) fn statuses(&self) -> Vec<SignatureStatus> {
        self.signatures.iter().map(|signature| signature.status).collect()
    }
    pub(super) fn warns(&self, warning: Warning) -> bool {
        self.warnings.contains(&warning)
    }
}

/// GnuPG with a home of its own, all test keys in it.
pub(super) struct Gpg(tempfile::TempDir);

impl Gpg {
    pub(super) fn new(keys: &[&Cert]) -> Self {
        let gpg = Self(tempfile::Builder::new().prefix("gpg").tempdir().unwrap());
        for key in keys {
            gpg.run(&["--import"], &secret(key));
        }
        gpg
    }

    pub(super) fn run(&self, arguments: &[&str], input: &[u8]) -> Vec<u8> {
        let mut child = Command::new("gpg")
            .arg("--homedir")
            .arg(self.0.path())
            .args(["--batch", "--quiet", "--trust-model", "always", "--pinentry-mode", "loopback"])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        let writer = std::thread::spawn(move || stdin.write_all(&input).ok());
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap();
        assert!(output.status.success(), "gpg {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        Command::new("gpgconf").arg("--homedir").arg(self.0.path()).args(["--kill", "all"]).status().ok();
    }
}
