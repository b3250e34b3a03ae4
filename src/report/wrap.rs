//! OpenPGP encryption of the gateway's own small things to its own keys: the store key, and spooled mail.
//!
//! Security: what comes back is released only after its integrity check. Wrapped values are not signed: somebody who can
//! write to the store or the spool can put a value of their own there. A store key of theirs opens nothing that is stored,
//! and a spooled mail of theirs is a mail like any other.

use super::keyring::{Keyring, SpoolCertificate};
use super::secret::Plaintext;
use sequoia_openpgp as openpgp;

use openpgp::crypto::SessionKey;
use openpgp::packet::{PKESK, SKESK};
use openpgp::parse::Parse;
use openpgp::parse::stream::*;
use openpgp::policy::StandardPolicy;
use openpgp::serialize::stream::{Encryptor, LiteralWriter, Message};
use openpgp::types::SymmetricAlgorithm;
use openpgp::{Cert, KeyHandle};
use std::io::{Read, Write};

/// Encrypts to every key of the certificate that can be encrypted to, whatever its state: it is the gateway's own, and
/// losing the store because a key expired overnight would serve nobody.
pub(in crate::report) fn encrypt_to_cert(cert: &Cert, plain: &Plaintext) -> openpgp::Result<Vec<u8>> {
    let keys: Vec<_> =
        cert.keys().filter(|key| key.key().pk_algo().for_encryption() && key.key().pk_algo().is_supported()).collect();
    if keys.is_empty() {
        return Err(anyhow::anyhow!("the certificate has no key to encrypt to"));
    }
    let recipients =
        keys.iter().map(|key| openpgp::serialize::stream::Recipient::new(None, key.key().key_handle(), key.key()));
    let mut sealed = Vec::with_capacity(plain.len() + 1024);
    let message = Encryptor::for_recipients(Message::new(&mut sealed), recipients).build()?;
    let mut message = LiteralWriter::new(message).build()?;
    message.write_all(plain.expose())?;
    message.finalize()?;
    Ok(sealed)
}

/// Opens what [`encrypt_to_cert`] made, with any of the gateway's keys.
pub(in crate::report) fn decrypt_with(keyring: &Keyring, sealed: &[u8]) -> openpgp::Result<Plaintext> {
    // The signer and its age do not matter here; the integrity check always does.
    let policy = &StandardPolicy::new();
    let mut decryptor = DecryptorBuilder::from_bytes(sealed)?.buffer_size(sealed.len().max(4096)).with_policy(
        policy,
        None,
        OwnKeys(keyring),
    )?;
    let mut plain = zeroize::Zeroizing::new(Vec::with_capacity(sealed.len()));
    // Read to the end before anything is released: an error on the way discards all. Nothing of ours is compressed, so
    // what grows is not ours: somebody who can write to the spool must not fill the memory.
    let limit = u64::try_from(sealed.len()).unwrap_or(u64::MAX).saturating_add(1);
    decryptor.by_ref().take(limit).read_to_end(&mut plain)?;
    if plain.len() > sealed.len() {
        return Err(anyhow::anyhow!("it grows when it is opened"));
    }
    Ok(Plaintext::new(std::mem::take(&mut *plain)))
}

struct OwnKeys<'a>(&'a Keyring);

impl VerificationHelper for OwnKeys<'_> {
    fn get_certs(&mut self, _ids: &[KeyHandle]) -> openpgp::Result<Vec<Cert>> {
        Ok(Vec::new())
    }
    fn check(&mut self, structure: MessageStructure<'_>) -> openpgp::Result<()> {
        if matches!(structure.iter().next(), Some(MessageLayer::Encryption { .. })) {
            Ok(())
        } else {
            Err(anyhow::anyhow!("not encrypted"))
        }
    }
}

impl DecryptionHelper for OwnKeys<'_> {
    fn decrypt(
        &mut self,
        pkesks: &[PKESK],
        _skesks: &[SKESK],
        algo: Option<SymmetricAlgorithm>,
        decrypt: &mut dyn FnMut(Option<SymmetricAlgorithm>, &SessionKey) -> bool,
    ) -> openpgp::Result<Option<Cert>> {
        for pkesk in pkesks {
            for pair in self.0.gateway_keys().iter().flat_map(|key| key.decryption_keys()) {
                let names_it = pkesk.recipient().is_none_or(|handle| handle.aliases(pair.public().key_handle()));
                if names_it
                    && pkesk.decrypt(&mut pair.clone(), algo).is_some_and(|(algo, session)| decrypt(algo, &session))
                {
                    return Ok(None);
                }
            }
        }
        Err(anyhow::anyhow!("no gateway key opens it"))
    }
}

/// Seals a mail for the spool; needs no secret key.
///
/// # Errors
/// When nothing can be encrypted to the certificate.
pub fn seal_for_spool(certificate: &SpoolCertificate, mail: &Plaintext) -> Result<Vec<u8>, SpoolError> {
    encrypt_to_cert(&certificate.0, mail).map_err(|_| SpoolError::CannotSeal)
}

/// Opens a mail of the spool.
///
/// # Errors
/// When no configured key opens it, or it was changed.
pub fn open_from_spool(keyring: &Keyring, sealed: &[u8]) -> Result<Plaintext, SpoolError> {
    decrypt_with(keyring, sealed).map_err(|_| SpoolError::DoesNotOpen)
}

/// Why a spooled mail cannot be made or opened.
#[derive(Debug, thiserror::Error)]
pub enum SpoolError {
    #[error("nothing can be encrypted to the gateway's certificate")]
    CannotSeal,
    #[error(
        "no configured gateway key opens this spool file; put the key back that was active when it was written, as decrypt-only"
    )]
    DoesNotOpen,
}
