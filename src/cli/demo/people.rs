//! The people of the demo: keys of members and reporter, and what their mail programs do with OpenPGP.
//!
//! Security: these keys and texts are made up on the spot and belong to nobody; they are the only secrets that the program ever
//! writes in clear, into the demo's own folder.

use anyhow::{Context, anyhow};
use sequoia_openpgp as openpgp;

use openpgp::cert::prelude::*;
use openpgp::crypto::SessionKey;
use openpgp::packet::{PKESK, SKESK};
use openpgp::parse::Parse;
use openpgp::parse::stream::*;
use openpgp::policy::StandardPolicy;
use openpgp::serialize::SerializeInto;
use openpgp::serialize::stream::{Armorer, Encryptor, LiteralWriter, Message, Signer};
use openpgp::types::SymmetricAlgorithm;
use openpgp::{Cert, KeyHandle};
use std::io::{Read, Write};

/// Somebody with a key of their own.
pub(super) struct Person {
    pub(super) name: &'static str,
    pub(super) address: String,
    pub(super) cert: Cert,
}

impl Person {
    pub(super) fn new(name: &'static str, address: &str) -> anyhow::Result<Self> {
        let (cert, _revocation) = CertBuilder::general_purpose(Some(format!("{name} <{address}>")))
            .set_cipher_suite(CipherSuite::Cv25519)
            .generate()?;
        Ok(Self { name, address: address.to_owned(), cert })
    }

    pub(super) fn certificate_file(&self) -> anyhow::Result<Vec<u8>> {
        self.cert.armored().to_vec()
    }

    pub(super) fn secret_file(&self) -> anyhow::Result<Vec<u8>> {
        self.cert.as_tsk().armored().to_vec()
    }

    /// What a mail program does on "send encrypted": one OpenPGP message, signed inside if there is a signer.
    pub(super) fn encrypt(to: &Cert, signer: Option<&Self>, entity: &[u8]) -> anyhow::Result<Vec<u8>> {
        let policy = StandardPolicy::new();
        let recipients: Vec<_> =
            to.keys().with_policy(&policy, None).supported().alive().revoked(false).for_transport_encryption().collect();
        let mut armored = Vec::new();
        let message = Armorer::new(Message::new(&mut armored)).build()?;
        let mut message = Encryptor::for_recipients(message, recipients).build()?;
        if let Some(signer) = signer {
            let key = signer
                .cert
                .keys()
                .secret()
                .with_policy(&policy, None)
                .supported()
                .alive()
                .revoked(false)
                .for_signing()
                .next()
                .ok_or_else(|| anyhow!("no signing key"))?;
            message = Signer::new(message, key.key().clone().into_keypair()?)?.add_intended_recipient(to).build()?;
        }
        let mut message = LiteralWriter::new(message).build()?;
        message.write_all(entity)?;
        message.finalize()?;
        Ok(armored)
    }

    /// What a mail program does on opening: decrypt with this person's key, check the signature against `sender`.
    pub(super) fn open(&self, mail: &[u8], sender: &Cert) -> anyhow::Result<Opened> {
        let policy = StandardPolicy::new();
        let helper = Reader { person: self, sender, signature: "no signature" };
        let start = find(mail, b"-----BEGIN PGP MESSAGE-----").context("no OpenPGP message in the mail")?;
        let message = mail.get(start..).unwrap_or_default();
        let mut decryptor =
            DecryptorBuilder::from_bytes(message)?.buffer_size(mail.len().max(4096)).with_policy(&policy, None, helper)?;
        let mut payload = Vec::new();
        decryptor.read_to_end(&mut payload)?;
        Ok(Opened { payload, signature: decryptor.helper_ref().signature })
    }
}

/// An opened copy.
pub(super) struct Opened {
    pub(super) payload: Vec<u8>,
    pub(super) signature: &'static str,
}

impl Opened {
    /// The gateway's statement: the body of the first part.
    pub(super) fn statement(&self) -> String {
        mail_parser::MessageParser::default()
            .parse(&self.payload)
            .and_then(|mail| mail.part(1).and_then(|part| part.text_contents().map(str::to_owned)))
            .unwrap_or_default()
    }

    /// The text of the report itself: what follows the statement.
    pub(super) fn report(&self) -> String {
        mail_parser::MessageParser::default()
            .parse(&self.payload)
            .and_then(|mail| mail.text_bodies().nth(1).and_then(|part| part.text_contents().map(str::to_owned)))
            .unwrap_or_default()
    }
}

fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    hay.windows(needle.len()).position(|window| window == needle)
}

struct Reader<'a> {
    person: &'a Person,
    sender: &'a Cert,
    signature: &'static str,
}

impl VerificationHelper for Reader<'_> {
    fn get_certs(&mut self, _ids: &[KeyHandle]) -> openpgp::Result<Vec<Cert>> {
        Ok(vec![self.sender.clone()])
    }

    fn check(&mut self, structure: MessageStructure<'_>) -> openpgp::Result<()> {
        for layer in structure {
            if let MessageLayer::SignatureGroup { results } = layer {
                let good = results.iter().any(Result::is_ok);
                self.signature = if good { "good signature by the gateway" } else { "BAD signature" };
            }
        }
        Ok(())
    }
}

impl DecryptionHelper for Reader<'_> {
    fn decrypt(
        &mut self,
        pkesks: &[PKESK],
        _skesks: &[SKESK],
        algo: Option<SymmetricAlgorithm>,
        decrypt: &mut dyn FnMut(Option<SymmetricAlgorithm>, &SessionKey) -> bool,
    ) -> openpgp::Result<Option<Cert>> {
        for pkesk in pkesks {
            for key in self.person.cert.keys().unencrypted_secret() {
                let mut pair = key.key().clone().into_keypair()?;
                if pkesk.decrypt(&mut pair, algo).is_some_and(|(algo, session)| decrypt(algo, &session)) {
                    return Ok(Some(self.person.cert.clone()));
                }
            }
        }
        Err(anyhow!("not for this key"))
    }
}
