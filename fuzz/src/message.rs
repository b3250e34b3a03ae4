//! OpenPGP messages around a fuzzer's bytes.

use crate::world::{WORLD, written};
use openpgp::armor::{Kind, Writer};
use openpgp::policy::StandardPolicy;
use openpgp::serialize::SerializeInto;
use openpgp::serialize::stream::{Compressor, Encryptor, LiteralWriter, Message, Recipient, Signer};
use openpgp::types::{CompressionAlgorithm, Features};
use openpgp::{Cert, crypto::KeyPair};
use sequoia_openpgp as openpgp;
use std::io::Write;

/// How a message is made.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plan {
    /// Nobody, Eve, Alice (a member), Carol (known).
    pub signer: u8,
    /// The signature names the gateway, or Bob, as intended recipient.
    pub intended: u8,
    pub compressed: bool,
    /// Version 2 encrypted data, as far as the key's features matter.
    pub modern: bool,
    /// No key ID is named.
    pub hidden: bool,
    /// To the key that is kept for decryption only.
    pub old: bool,
    /// Encryption layers.
    pub layers: u8,
    /// The bytes are packets, not the content of one.
    pub raw: bool,
}

impl Plan {
    /// Read from two octets.
    pub fn new(one: u8, other: u8) -> Self {
        Self {
            signer: one & 3,
            intended: one >> 2 & 3,
            compressed: one & 0x10 != 0,
            modern: one & 0x20 != 0,
            hidden: one & 0x40 != 0,
            old: one & 0x80 != 0,
            layers: 1 + u8::from(other & 3 == 3) * (1 + (other >> 2 & 3)),
            raw: other & 0x10 != 0,
        }
    }

    fn signer(self) -> Option<&'static Cert> {
        match self.signer {
            1 => Some(&WORLD.eve),
            2 => Some(&WORLD.alice),
            3 => Some(&WORLD.carol),
            _ => None,
        }
    }
}

fn pair(cert: &Cert) -> openpgp::Result<KeyPair> {
    cert.primary_key().key().clone().parts_into_secret()?.into_keypair()
}

/// The binary message.
pub fn encrypted(content: &[u8], plan: Plan) -> openpgp::Result<Vec<u8>> {
    let mut message = once(content, plan)?;
    for _ in 1..plan.layers {
        message = once(&message, Plan { raw: true, signer: 0, compressed: false, ..plan })?;
    }
    Ok(message)
}

fn once(content: &[u8], plan: Plan) -> openpgp::Result<Vec<u8>> {
    let policy = StandardPolicy::new();
    let cert = if plan.old { &WORLD.old } else { &WORLD.gateway };
    let features = if plan.modern { Features::sequoia() } else { Features::empty().set_seipdv1() };
    let keys = cert.keys().with_policy(&policy, written()).for_transport_encryption();
    let recipients = keys.map(|key| {
        let handle = (!plan.hidden).then(|| key.key().key_handle());
        Recipient::new(features.clone(), handle, key.key())
    });
    let mut out = Vec::new();
    let message = Encryptor::for_recipients(Message::new(&mut out), recipients).build()?;
    finish(message, content, plan)?;
    Ok(out)
}

/// A message without encryption.
pub fn packed(content: &[u8], plan: Plan) -> openpgp::Result<Vec<u8>> {
    let mut out = Vec::new();
    finish(Message::new(&mut out), content, plan)?;
    Ok(out)
}

fn finish(mut message: Message<'_>, content: &[u8], plan: Plan) -> openpgp::Result<()> {
    if plan.compressed {
        message = Compressor::new(message).algo(CompressionAlgorithm::Zip).build()?;
    }
    if let Some(cert) = plan.signer() {
        let mut signer = Signer::new(message, pair(cert)?)?.creation_time(written());
        for intended in
            [(plan.intended & 1 != 0).then_some(&WORLD.gateway), (plan.intended & 2 != 0).then_some(&WORLD.bob)]
        {
            if let Some(intended) = intended {
                signer = signer.add_intended_recipient(intended);
            }
        }
        message = signer.build()?;
    }
    if !plan.raw {
        message = LiteralWriter::new(message).build()?;
    }
    message.write_all(content)?;
    message.finalize()
}

/// A compressed data packet around a literal one.
pub fn compressed(content: &[u8]) -> openpgp::Result<Vec<u8>> {
    packed(content, Plan { compressed: true, ..Plan::default() })
}

/// A detached signature, armored.
pub fn signature(content: &[u8], plan: Plan) -> openpgp::Result<Vec<u8>> {
    let cert = plan.signer().unwrap_or(&WORLD.eve);
    let mut out = Vec::new();
    let mut signer = Signer::new(Message::new(&mut out), pair(cert)?)?.detached().creation_time(written()).build()?;
    signer.write_all(content)?;
    signer.finalize()?;
    armored(Kind::Signature, &out, &[])
}

/// The cleartext signature framework around a text.
pub fn clear_signed(content: &[u8], plan: Plan) -> openpgp::Result<Vec<u8>> {
    let cert = plan.signer().unwrap_or(&WORLD.eve);
    let mut out = Vec::new();
    let mut signer = Signer::new(Message::new(&mut out), pair(cert)?)?.cleartext().creation_time(written()).build()?;
    signer.write_all(content)?;
    signer.finalize()?;
    Ok(out)
}

/// Armor with header lines.
pub fn armored(kind: Kind, data: &[u8], headers: &[(&str, &str)]) -> openpgp::Result<Vec<u8>> {
    let mut writer = Writer::with_headers(Vec::new(), kind, headers.iter().copied())?;
    writer.write_all(data)?;
    Ok(writer.finalize()?)
}

/// Eve's certificate, armored; with its secret key if she sent that by mistake.
pub fn key(secret: bool) -> openpgp::Result<Vec<u8>> {
    if secret { WORLD.eve.as_tsk().armored().to_vec() } else { WORLD.eve.armored().to_vec() }
}
