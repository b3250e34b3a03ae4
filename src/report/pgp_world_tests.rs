//! A small world for the tests of sealing: a gateway, members and a reporter with keys of real GnuPG and of Sequoia.
//!
//! Security: every key lies in a temporary folder of the test.

use super::policy::MailKind as Kind;
use super::seal::{CopyRequest, sign_copies};
use super::statement::{Author, Statement};
use super::*;
use jiff::Timestamp;
use mail_parser::{MessageParser, MimeHeaders};
use sequoia_openpgp as openpgp;

use openpgp::cert::prelude::*;
use openpgp::packet::PKESK;
use openpgp::parse::Parse;
use openpgp::parse::stream::*;
use openpgp::policy::StandardPolicy;
use openpgp::serialize::SerializeInto;
use openpgp::{Cert, KeyHandle};
use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::Arc;
use tempfile::TempDir;

/// A GnuPG home of somebody's own.
pub(in crate::report) struct Gpg {
    home: TempDir,
}

impl Gpg {
    pub(in crate::report) fn new() -> Self {
        let home = tempfile::Builder::new().prefix("gpg").tempdir().unwrap();
        use std::os::unix::fs::PermissionsExt;
        std::fs::set_permissions(home.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        Self { home }
    }

    /// A home with a new key, `future-default` (Curve 25519) or such as `rsa2048`.
    pub(in crate::report) fn with_key(user_id: &str, algorithm: &str) -> Self {
        let gpg = Self::new();
        let mut arguments = vec!["--pinentry-mode", "loopback", "--passphrase", "", "--quick-generate-key", user_id];
        arguments.extend([algorithm, "default", "never"]);
        let made = gpg.run(&arguments);
        assert!(made.status.success(), "{}", text(&made.stderr));
        if algorithm != "future-default" {
            let listed = text(&gpg.run(&["--list-keys", "--with-colons"]).stdout);
            let fingerprint = listed.lines().find_map(|line| line.strip_prefix("fpr:::::::::")).unwrap();
            let mut arguments = vec!["--pinentry-mode", "loopback", "--passphrase", "", "--quick-add-key"];
            arguments.extend([fingerprint.trim_end_matches(':'), algorithm, "encr", "never"]);
            assert!(gpg.run(&arguments).status.success());
        }
        gpg
    }

    pub(in crate::report) fn run(&self, arguments: &[&str]) -> Output {
        Command::new("gpg")
            .arg("--homedir")
            .arg(self.home.path())
            .args(["--batch", "--yes", "--trust-model", "always"])
            .args(arguments)
            .output()
            .unwrap()
    }

    pub(in crate::report) fn file(&self, name: &str, bytes: &[u8]) -> String {
        let path: PathBuf = self.home.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path.to_str().unwrap().to_owned()
    }

    pub(in crate::report) fn certificate(&self) -> Vec<u8> {
        self.run(&["--armor", "--export"]).stdout
    }

    pub(in crate::report) fn secret_key(&self) -> Vec<u8> {
        self.run(&["--pinentry-mode", "loopback", "--passphrase", "", "--armor", "--export-secret-keys"]).stdout
    }

    pub(in crate::report) fn import(&self, certificate: &[u8]) {
        let file = self.file("import.asc", certificate);
        assert!(self.run(&["--import", &file]).status.success());
    }

    pub(in crate::report) fn member(&self, name: &str, address: &str) -> Member {
        let certificate = self.certificate();
        let fingerprint = Cert::from_bytes(&certificate).unwrap().fingerprint().to_hex();
        Member::read(name, address, &certificate, &fingerprint).unwrap()
    }

    /// Decrypts; the plaintext and gpg's status lines.
    pub(in crate::report) fn decrypt(&self, armored: &[u8]) -> (Vec<u8>, String) {
        let file = self.file("message.asc", armored);
        let output = self.run(&["--status-fd", "2", "--show-session-key", "--decrypt", &file]);
        assert!(output.status.success(), "{}", text(&output.stderr));
        (output.stdout, text(&output.stderr))
    }
}

impl Drop for Gpg {
    fn drop(&mut self) {
        Command::new("gpgconf").arg("--homedir").arg(self.home.path()).args(["--kill", "all"]).output().ok();
    }
}

pub(in crate::report) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

pub(in crate::report) fn now() -> Timestamp {
    Timestamp::now()
}

pub(in crate::report) fn identity() -> TeamIdentity {
    TeamIdentity {
        name: "Kata Containers VMT".into(),
        address: "vmt@katacontainers.example".into(),
        outer_subject_hidden: false,
    }
}

pub(in crate::report) fn case() -> CaseId {
    CaseId::new("KATA", 2026, 1)
}

pub(in crate::report) fn id(name: &str) -> OurMessageId {
    OurMessageId(format!("{name}@katacontainers.example"))
}

/// A gateway with a new key, and these members.
pub(in crate::report) fn keyring(members: Vec<Member>) -> Keyring {
    let key = generate_key("Kata Containers VMT <vmt@katacontainers.example>", None, None).unwrap();
    let gateway = GatewayKey::read(&Plaintext::new(key.secret.to_vec()), None, KeyUse::Active).unwrap();
    Keyring::new(gateway, members, Vec::new()).map_err(|(_, error)| error).unwrap()
}

/// A member with a key of Sequoia's, and the key.
pub(in crate::report) fn sequoia_member(name: &str, address: &str, builder: CertBuilder<'_>) -> (Member, Cert) {
    let (cert, _) = builder.generate().unwrap();
    let file = cert.armored().to_vec().unwrap();
    (Member::read(name, address, &file, &cert.fingerprint().to_hex()).unwrap(), cert)
}

pub(in crate::report) fn quick_member(name: &str, address: &str) -> Member {
    sequoia_member(name, address, CertBuilder::general_purpose(Some(format!("{name} <{address}>")))).0
}

pub(in crate::report) fn section(label: Label, entity: &[u8]) -> Section {
    Section { label, entity: Plaintext::new(entity.to_vec()) }
}

pub(in crate::report) fn statement(subject: &str) -> Statement {
    Statement {
        case: Some(case()),
        kind: Kind::Report,
        author: Author::Reporter,
        subject: Plaintext::from_text(subject),
        received: "2026-03-04T05:06:07.89Z".parse().unwrap(),
        encryption: Encryption::Complete,
        signatures: Vec::new(),
        reporter: Some(ReporterContact::new("eve@reporter.example", Some("Eve Canary"))),
        recipients: Vec::new(),
        advisory: AdvisoryLine::Pending,
        warnings: Default::default(),
        refusal: None,
        notes: Vec::new(),
        team_address: identity().address,
    }
}

/// Everything a copy is made from, so that a test can change what it is about.
pub(in crate::report) struct Job {
    pub(in crate::report) identity: TeamIdentity,
    pub(in crate::report) case: Option<CaseId>,
    pub(in crate::report) thread: Vec<OurMessageId>,
    pub(in crate::report) statement: Statement,
    pub(in crate::report) subject: Plaintext,
    pub(in crate::report) sections: Vec<Section>,
    pub(in crate::report) from_author: Option<String>,
}

impl Job {
    pub(in crate::report) fn new(subject: &str, sections: Vec<Section>) -> Self {
        Self {
            identity: identity(),
            case: Some(case()),
            thread: Vec::new(),
            statement: statement(subject),
            subject: Plaintext::from_text(subject),
            sections,
            from_author: None,
        }
    }

    pub(in crate::report) fn sign(
        &self,
        keyring: &Keyring,
        batch: &[Arc<Member>],
        at: Timestamp,
    ) -> Result<SignedCopies, SealError> {
        let request = CopyRequest {
            identity: &self.identity,
            case: self.case.as_ref(),
            message_id: &id("copy"),
            thread: &self.thread,
            date: "2026-03-04T05:06:07Z".parse().unwrap(),
            statement: &self.statement,
            subject: &self.subject,
            sections: &self.sections,
            from_author: self.from_author.as_deref(),
            envelope_from: "bounces@katacontainers.example",
        };
        sign_copies(&request, keyring, batch, at)
    }
}

/// The body of the literal packet of a signed message.
pub(in crate::report) fn literal_of(stream: &[u8]) -> Vec<u8> {
    openpgp::PacketPile::from_bytes(stream)
        .unwrap()
        .into_children()
        .find_map(|packet| match packet {
            openpgp::Packet::Literal(literal) => Some(literal.body().to_vec()),
            _ => None,
        })
        .unwrap()
}

/// The armored message of a PGP/MIME mail, its structure checked as RFC 3156 section 4 has it.
pub(in crate::report) fn armored_part(mail: &[u8]) -> Vec<u8> {
    let parsed = MessageParser::new().parse(mail).unwrap();
    let root = parsed.content_type().unwrap();
    assert_eq!((root.ctype(), root.subtype()), ("multipart", Some("encrypted")));
    assert_eq!(root.attribute("protocol"), Some("application/pgp-encrypted"));
    assert_eq!(parsed.parts.len(), 3);
    let kinds: Vec<_> = parsed.parts[1..].iter().map(|p| p.content_type().unwrap().subtype().unwrap()).collect();
    assert_eq!(kinds, ["pgp-encrypted", "octet-stream"]);
    assert_eq!(text(parsed.parts[1].contents()).trim(), "Version: 1");
    parsed.parts[2].contents().to_vec()
}

/// Header fields of an entity: unfolded, name and value.
pub(in crate::report) fn fields(entity: &[u8]) -> Vec<(String, String)> {
    let end = entity.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
    let head = text(&entity[..end]).replace("\r\n ", " ");
    head.split("\r\n").map(|line| line.split_once(": ").unwrap()).map(|(n, v)| (n.into(), v.into())).collect()
}

pub(in crate::report) fn field(entity: &[u8], name: &str) -> String {
    let found: Vec<_> = fields(entity).into_iter().filter(|(n, _)| n == name).collect();
    assert_eq!(found.len(), 1, "{name}");
    found[0].1.clone()
}

pub(in crate::report) fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    memchr::memmem::find(haystack, needle).is_some()
}

struct Reader<'a> {
    own: &'a Cert,
    gateway: Cert,
    good: usize,
}

impl VerificationHelper for &mut Reader<'_> {
    fn get_certs(&mut self, _: &[KeyHandle]) -> openpgp::Result<Vec<Cert>> {
        Ok(vec![self.gateway.clone()])
    }
    fn check(&mut self, structure: MessageStructure<'_>) -> openpgp::Result<()> {
        for layer in structure {
            if let MessageLayer::SignatureGroup { results } = layer {
                self.good = results.iter().filter(|result| result.is_ok()).count();
            }
        }
        Ok(())
    }
}

impl DecryptionHelper for &mut Reader<'_> {
    fn decrypt(
        &mut self,
        pkesks: &[PKESK],
        _: &[openpgp::packet::SKESK],
        algo: Option<openpgp::types::SymmetricAlgorithm>,
        decrypt: &mut dyn FnMut(Option<openpgp::types::SymmetricAlgorithm>, &openpgp::crypto::SessionKey) -> bool,
    ) -> openpgp::Result<Option<Cert>> {
        for key in self.own.keys().unencrypted_secret().filter(|key| key.key().pk_algo().for_encryption()) {
            let mut pair = key.key().clone().into_keypair()?;
            if pkesks.iter().filter_map(|p| p.decrypt(&mut pair, algo)).any(|(algo, key)| decrypt(algo, &key)) {
                // With the certificate given, the library checks the intended recipients.
                return Ok(Some(self.own.clone()));
            }
        }
        Err(openpgp::anyhow::anyhow!("not for this key"))
    }
}

/// Opens a copy as Sequoia does; the payload and the number of good signatures.
pub(in crate::report) fn open_as(armored: &[u8], own: &Cert, keyring: &Keyring) -> openpgp::Result<(Vec<u8>, usize)> {
    let gateway = Cert::from_bytes(&keyring.published_certificate().unwrap())?;
    let mut reader = Reader { own, gateway, good: 0 };
    let policy = StandardPolicy::new();
    let mut plain = Vec::new();
    DecryptorBuilder::from_bytes(armored)?.with_policy(&policy, None, &mut reader)?.read_to_end(&mut plain)?;
    Ok((plain, reader.good))
}
