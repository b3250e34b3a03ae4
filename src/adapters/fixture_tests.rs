//! What the tests of the adapters share: a gateway key on disk, and a reader of mails that only the key's owner can read.
//!
//! Security: test code; the keys in it are made for one test and thrown away.

use crate::report::{GatewayKey, KeyUse, Keyring, Plaintext, SpoolCertificate, generate_key, seal_for_spool};
use sequoia_openpgp as openpgp;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use openpgp::crypto::SessionKey;
use openpgp::packet::{PKESK, SKESK};
use openpgp::parse::Parse;
use openpgp::parse::stream::{DecryptionHelper, DecryptorBuilder, MessageStructure, VerificationHelper};
use openpgp::policy::StandardPolicy;
use openpgp::types::SymmetricAlgorithm;
use openpgp::{Cert, KeyHandle};

pub(crate) struct Owner {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) keyring: Arc<Keyring>,
    pub(crate) certificate: SpoolCertificate,
}

impl Owner {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = generate_key("Team <vmt@example.org>", None, None).unwrap();
        std::fs::write(folder.path().join("key.asc"), &*key.secret).unwrap();
        let keys = GatewayKey::read(&Plaintext::new(key.secret.to_vec()), None, KeyUse::Active).unwrap();
        let certificate = SpoolCertificate::read(&Plaintext::new(key.certificate)).unwrap();
        Self { folder, keyring: Arc::new(Keyring::new(keys, Vec::new(), Vec::new()).ok().unwrap()), certificate }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Decrypts an OpenPGP file with the owner's key, without any code of the gateway's.
    pub(crate) fn decrypt(&self, file: &Path) -> Vec<u8> {
        let helper = Holder(Cert::from_file(self.path("key.asc")).unwrap());
        let policy = StandardPolicy::new();
        let message = DecryptorBuilder::from_file(file).unwrap().with_policy(&policy, None, helper);
        let mut plain = Vec::new();
        message.expect("it opens with the owner's key").read_to_end(&mut plain).unwrap();
        plain
    }

    /// Reads a plaintext the only way that is open outside the plaintext room: seals it to the owner.
    pub(crate) fn read(&self, plain: &Plaintext) -> Vec<u8> {
        let file = self.path("sealed.pgp");
        std::fs::write(&file, seal_for_spool(&self.certificate, plain).unwrap()).unwrap();
        self.decrypt(&file)
    }
}

struct Holder(Cert);

impl VerificationHelper for Holder {
    fn get_certs(&mut self, _: &[KeyHandle]) -> openpgp::Result<Vec<Cert>> {
        Ok(Vec::new())
    }
    fn check(&mut self, _: MessageStructure<'_>) -> openpgp::Result<()> {
        Ok(())
    }
}

impl DecryptionHelper for Holder {
    fn decrypt(
        &mut self,
        pkesks: &[PKESK],
        _: &[SKESK],
        algorithm: Option<SymmetricAlgorithm>,
        decrypt: &mut dyn FnMut(Option<SymmetricAlgorithm>, &SessionKey) -> bool,
    ) -> openpgp::Result<Option<Cert>> {
        for key in self.0.keys().unencrypted_secret().filter(|key| key.key().pk_algo().for_encryption()) {
            let mut pair = key.key().clone().into_keypair()?;
            for pkesk in pkesks {
                if pkesk.decrypt(&mut pair, algorithm).is_some_and(|(algorithm, key)| decrypt(algorithm, &key)) {
                    return Ok(None);
                }
            }
        }
        Err(anyhow::anyhow!("not for this key"))
    }
}

/// The names in a folder, in order.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Sets a file's time of change back.
pub(crate) fn age(file: &Path, hours: u64) {
    let then = std::time::SystemTime::now() - std::time::Duration::from_secs(hours * 3600);
    std::fs::File::options().write(true).open(file).unwrap().set_modified(then).unwrap();
}
