//! The people of the demo: their keys, and what their mail programs do with OpenPGP.
//!
//! Security: these people do not exist, and their keys are made on the spot for texts that are made up; no key or text of the
//! demo is ever used for anything else. It is the only part of the program that writes a person's secret key.

use anyhow::{Context, anyhow};
use sequoia_openpgp as openpgp;

use mail_parser::{MessageParser, MimeHeaders};
use openpgp::armor::{Kind, Writer};
use openpgp::cert::prelude::*;
use openpgp::crypto::SessionKey;
use openpgp::packet::{PKESK, SKESK};
use openpgp::parse::Parse;
use openpgp::parse::stream::*;
use openpgp::policy::StandardPolicy;
use openpgp::serialize::SerializeInto;
use openpgp::serialize::stream::{Encryptor, LiteralWriter, Message, Signer};
use openpgp::types::{Features, SymmetricAlgorithm};
use openpgp::{Cert, KeyHandle};
use std::io::{Read, Write};

/// No English words among them: a draft leaves out the members' names too.
const NAMES: [&str; 20] = [
    "Alice", "Bob", "Carol", "Dan", "Erin", "Felix", "Greta", "Heidi", "Ivan", "Judith", "Kim", "Leo", "Mira", "Nils",
    "Olga", "Pavel", "Quentin", "Rosa", "Sami", "Tara",
];

/// Somebody with a key of their own.
pub(super) struct Person {
    pub(super) name: String,
    pub(super) address: String,
    pub(super) cert: Cert,
}

impl Person {
    /// Makes somebody with a new key. It asks for the older form of encryption, which GnuPG 2.2 can open.
    pub(super) fn new(name: &str, address: &str) -> anyhow::Result<Self> {
        let (cert, _revocation) = CertBuilder::general_purpose(Some(format!("{name} <{address}>")))
            .set_cipher_suite(CipherSuite::Cv25519)
            .set_features(Features::empty().set_seipdv1())?
            .generate()
            .context("a key could not be made")?;
        Ok(Self { name: name.to_owned(), address: address.to_owned(), cert })
    }

    /// The member with this index, from 0 on.
    pub(super) fn member(index: usize) -> anyhow::Result<Self> {
        let name = NAMES.get(index % NAMES.len()).copied().unwrap_or("Zoe");
        let round = index / NAMES.len() + 1;
        let name = if round == 1 { name.to_owned() } else { format!("{name}{round}") };
        Self::new(&name, &format!("{}@kestrel.example", name.to_lowercase()))
    }

    /// What their files are named after.
    pub(super) fn file_name(&self) -> String {
        self.address.split('@').next().unwrap_or_default().to_owned()
    }

    pub(super) fn certificate_file(&self) -> anyhow::Result<Vec<u8>> {
        self.cert.armored().to_vec()
    }

    pub(super) fn secret_file(&self) -> anyhow::Result<Vec<u8>> {
        self.cert.as_tsk().armored().to_vec()
    }

    /// What this person's mail program does on opening: decrypt with their key, check the signature against `sender`.
    ///
    /// # Errors
    /// When their key does not open it.
    pub(super) fn open(&self, mail: &[u8], sender: &Cert) -> anyhow::Result<Opened> {
        let policy = StandardPolicy::new();
        let helper = Reader { person: self, sender, signed: false };
        let start =
            memchr::memmem::find(mail, b"-----BEGIN PGP MESSAGE-----").context("it holds no OpenPGP message")?;
        let message = mail.get(start..).unwrap_or_default();
        let mut decryptor = DecryptorBuilder::from_bytes(message)?
            .buffer_size(mail.len().max(4096))
            .with_policy(&policy, None, helper)?;
        let mut payload = Vec::new();
        decryptor.read_to_end(&mut payload)?;
        Ok(Opened { payload, signed: decryptor.helper_ref().signed })
    }
}

/// What a mail program does on "send encrypted": one OpenPGP message, signed inside if there is a signer.
pub(super) fn encrypt(to: &Cert, signer: Option<&Person>, entity: &[u8]) -> anyhow::Result<Vec<u8>> {
    let policy = StandardPolicy::new();
    let recipients: Vec<_> =
        to.keys().with_policy(&policy, None).supported().alive().revoked(false).for_transport_encryption().collect();
    let mut bytes = Vec::new();
    let mut message = Encryptor::for_recipients(Message::new(&mut bytes), recipients).build()?;
    if let Some(signer) = signer {
        let keys = signer.cert.keys().secret().with_policy(&policy, None).supported().alive().revoked(false);
        let key = keys.for_signing().next().context("no signing key")?;
        message = Signer::new(message, key.key().clone().into_keypair()?)?.add_intended_recipient(to).build()?;
    }
    let mut message = LiteralWriter::new(message).build()?;
    message.write_all(entity)?;
    message.finalize()?;
    Ok(bytes)
}

/// The usual ASCII form of an OpenPGP message.
pub(super) fn armor(message: &[u8]) -> anyhow::Result<String> {
    let mut writer = Writer::new(Vec::new(), Kind::Message)?;
    writer.write_all(message)?;
    Ok(String::from_utf8(writer.finalize()?)?)
}

/// An opened mail.
pub(super) struct Opened {
    /// The decrypted entity.
    pub(super) payload: Vec<u8>,
    /// Whether the sender's signature on it is good.
    pub(super) signed: bool,
}

impl Opened {
    /// The texts in it, line ends made LF: the gateway's statement first, then what came with the mail.
    pub(super) fn texts(&self) -> Vec<String> {
        let Some(mail) = MessageParser::default().parse(&self.payload) else { return Vec::new() };
        let texts = mail.parts.iter().filter(|part| part.is_text() && part.attachment_name().is_none());
        texts.filter_map(|part| part.text_contents()).map(|text| text.replace("\r\n", "\n")).collect()
    }

    /// The gateway's statement: the first part.
    pub(super) fn statement(&self) -> String {
        self.texts().into_iter().next().unwrap_or_default()
    }

    /// The value of the statement's line of this name.
    pub(super) fn says(&self, name: &str) -> String {
        let statement = self.statement();
        let mut lines = statement.lines().take_while(|line| !line.is_empty());
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
        value.unwrap_or_default().to_owned()
    }

    /// The content of the attachment of this name.
    pub(super) fn attachment(&self, name: &str) -> Option<Vec<u8>> {
        let mail = MessageParser::default().parse(&self.payload)?;
        let part = mail.parts.iter().find(|part| part.attachment_name() == Some(name))?;
        Some(part.contents().to_vec())
    }

    /// Whether a reader finds this text anywhere in it.
    pub(super) fn shows(&self, text: &str) -> bool {
        let raw = memchr::memmem::find(&self.payload, text.as_bytes()).is_some();
        raw || self.texts().iter().any(|part| part.contains(text))
    }
}

struct Reader<'a> {
    person: &'a Person,
    sender: &'a Cert,
    signed: bool,
}

impl VerificationHelper for Reader<'_> {
    fn get_certs(&mut self, _ids: &[KeyHandle]) -> openpgp::Result<Vec<Cert>> {
        Ok(vec![self.sender.clone()])
    }

    fn check(&mut self, structure: MessageStructure<'_>) -> openpgp::Result<()> {
        self.signed = structure.into_iter().any(|layer| match layer {
            MessageLayer::SignatureGroup { results } => !results.is_empty() && results.iter().all(Result::is_ok),
            _ => false,
        });
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
        // Every key is really tried, whatever the message says about whom it is for.
        for pkesk in pkesks {
            for key in self.person.cert.keys().unencrypted_secret().filter(|key| key.key().pk_algo().for_encryption()) {
                let mut pair = key.key().clone().into_keypair()?;
                if pkesk.decrypt(&mut pair, algo).is_some_and(|(algo, session)| decrypt(algo, &session)) {
                    return Ok(Some(self.person.cert.clone()));
                }
            }
        }
        Err(anyhow!("no key of {} opens it", self.person.name))
    }
}
