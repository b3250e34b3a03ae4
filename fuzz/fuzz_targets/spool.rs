//! Files of strangers: in the spool, in the folder of known certificates, as a key. They open or are refused.
#![no_main]

use embargod::report::{
    AnswerKey, Frozen, GatewayKey, KeyUse, KnownCertificate, Member, Plaintext, SpoolCertificate, open_from_spool,
    seal_for_spool,
};
use embargod_fuzz::bounds::{bounded, watch};
use embargod_fuzz::message::{Plan, encrypted};
use embargod_fuzz::world::WORLD;
use sequoia_openpgp::serialize::SerializeInto;

libfuzzer_sys::fuzz_target!(init: watch(), |data: &[u8]| {
    let Some((&how, rest)) = data.split_first() else { return };
    let world = &*WORLD;
    let plain = || Plaintext::new(rest.to_vec());
    bounded(data.len(), || match how.wrapping_sub(b'0') % 8 {
        0 => drop(open_from_spool(&world.keyring, rest)),
        // Packets of somebody who knows the gateway's certificate.
        1 => {
            let plan = Plan { raw: true, compressed: how & 0x40 != 0, ..Plan::default() };
            let sealed = encrypted(rest, plan).expect("packets can be encrypted");
            if let Ok(opened) = open_from_spool(&world.keyring, &sealed) {
                assert!(opened.len() <= sealed.len(), "it grows when it is opened");
            }
        }
        2 => {
            let file = Plaintext::new(world.gateway.to_vec().expect("a certificate can be written"));
            let certificate = SpoolCertificate::read(&file).expect("the gateway's certificate is one");
            let sealed = seal_for_spool(&certificate, &plain()).expect("a mail can be sealed");
            let opened = open_from_spool(&world.keyring, &sealed).map(|opened| opened.len());
            assert_eq!(opened.ok(), Some(rest.len()), "what was sealed comes back");
        }
        3 => drop(GatewayKey::read(&plain(), Some(&Plaintext::new(b"secret".to_vec())), KeyUse::Active)),
        4 => drop(Member::read("Alice", "alice@members.example", rest, &world.alice.fingerprint().to_hex())),
        5 => drop(KnownCertificate::read(rest)),
        6 => {
            drop(SpoolCertificate::read(&plain()).map(|certificate| certificate.expires()));
            drop(AnswerKey::from_plaintext(&plain()));
        }
        _ => drop(Frozen::from_plaintext(&plain())),
    });
});
