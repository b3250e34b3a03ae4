//! The team of every run: a gateway with two keys, two members, somebody known, and a reporter whom nobody knows.

use embargod::report::{
    GatewayKey, KeyUse, Keyring, KnownCertificate, Member, Plaintext, Rules, StoreKey, TeamIdentity, Vault,
};
use jiff::Timestamp;
use openpgp::packet::key::{Key4, PrimaryRole, SecretParts, SubordinateRole};
use openpgp::packet::signature::SignatureBuilder;
use openpgp::packet::{Key, UserID};
use openpgp::serialize::SerializeInto;
use openpgp::types::{Features, KeyFlags, SignatureType, SymmetricAlgorithm};
use openpgp::{Cert, Packet};
use sequoia_openpgp as openpgp;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

pub const TEAM: &str = "vmt@kata.example";
pub const PREFIX: &str = "KATA";
/// What a report's template may name.
pub const COMPONENTS: [&str; 2] = ["runtime", "agent"];

/// When every mail is received, in seconds.
const RECEIVED: u64 = 1_780_000_000;

/// Everything that stays the same from run to run.
pub struct World {
    pub gateway: Cert,
    /// Kept for decryption only.
    pub old: Cert,
    pub alice: Cert,
    pub bob: Cert,
    /// In the folder of known certificates.
    pub carol: Cert,
    pub eve: Cert,
    pub keyring: Keyring,
    pub rules: Rules,
    pub identity: TeamIdentity,
    pub vault: Vault,
    pub received: Timestamp,
}

/// The one world of this process.
pub static WORLD: LazyLock<World> = LazyLock::new(|| World::new().expect("the world can be made"));

impl World {
    fn new() -> openpgp::Result<Self> {
        let [gateway, old, alice, bob, carol, eve] = [
            (1, "Kata VMT <vmt@kata.example>"),
            (2, "Old Kata VMT <vmt@kata.example>"),
            (3, "Alice Liddell <alice@members.example>"),
            (4, "Bob Builder <bob@members.example>"),
            (5, "Carol Knownly <carol@known.example>"),
            (6, "Eve Mallory <eve.mallory@redbrick-labs.example>"),
        ]
        .map(|(number, user)| certificate(number, user));
        let (gateway, old, alice, bob, carol, eve) = (gateway?, old?, alice?, bob?, carol?, eve?);
        let key = |cert: &Cert, usage| -> openpgp::Result<Vec<GatewayKey>> {
            Ok(GatewayKey::read(&Plaintext::new(cert.as_tsk().to_vec()?), None, usage)?)
        };
        let mut keys = key(&gateway, KeyUse::Active)?;
        keys.extend(key(&old, KeyUse::DecryptOnly { until: jiff::civil::date(2030, 1, 1) })?);
        let member = |name: &str, address: &str, cert: &Cert| -> openpgp::Result<Member> {
            Ok(Member::read(name, address, &cert.to_vec()?, &cert.fingerprint().to_hex())?)
        };
        let members = vec![
            member("Alice Liddell", "alice@members.example", &alice)?,
            member("Bob Builder", "bob@members.example", &bob)?,
        ];
        let known = KnownCertificate::read(&carol.to_vec()?)?;
        let keyring = Keyring::new(keys, members, known).map_err(|(_, error)| error)?;
        let identity = TeamIdentity { name: "Kata VMT".into(), address: TEAM.into(), outer_subject_hidden: false };
        Ok(Self {
            gateway,
            old,
            alice,
            bob,
            carol,
            eve,
            keyring,
            rules: Rules::new(TEAM, PREFIX),
            identity,
            vault: Vault::new(&StoreKey::generate()?)?,
            received: Timestamp::from_second(RECEIVED as i64)?,
        })
    }
}

/// The time of receipt, as the OpenPGP library takes it.
pub fn received() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(RECEIVED)
}

/// An hour before the mail is received.
pub fn written() -> SystemTime {
    received() - Duration::from_secs(3_600)
}

/// A certificate with secret keys that are the same in every run: Ed25519 and X25519 over a fixed number.
fn certificate(number: u8, user: &str) -> openpgp::Result<Cert> {
    let made = received() - Duration::from_secs(100 * 86_400);
    let primary = Key4::<SecretParts, PrimaryRole>::import_secret_ed25519(&[number; 32], made)?;
    let subkey = Key4::<SecretParts, SubordinateRole>::import_secret_cv25519(
        &[number | 0x40; 32],
        None,
        SymmetricAlgorithm::AES256,
        made,
    )?;
    let (primary, subkey): (Key<_, _>, Key<_, _>) = (primary.into(), subkey.into());
    let mut signer = primary.clone().into_keypair()?;
    let cert = Cert::try_from(Packet::from(primary))?;
    let bound = |kind, flags| {
        SignatureBuilder::new(kind)
            .set_signature_creation_time(made)?
            .set_features(Features::sequoia())?
            .set_key_flags(flags)
    };
    let user = UserID::from(user);
    let of_user = user.bind(
        &mut signer,
        &cert,
        bound(SignatureType::PositiveCertification, KeyFlags::empty().set_certification().set_signing())?,
    )?;
    let purposes = KeyFlags::empty().set_transport_encryption().set_storage_encryption();
    let of_subkey = subkey.bind(&mut signer, &cert, bound(SignatureType::SubkeyBinding, purposes)?)?;
    let packets: [Packet; 4] = [user.into(), of_user.into(), subkey.into(), of_subkey.into()];
    Ok(cert.insert_packets(packets)?.0)
}
