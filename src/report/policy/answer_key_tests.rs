use crate::report::keys_fixture_tests::*;
use crate::report::opened::{Enclosed, Opened, Place};
use crate::report::outer::Outer;
use crate::report::policy::test_world::*;
use crate::report::policy::*;
use crate::report::secret::Plaintext;
use crate::report::verdict::{Intended, KeyOrigin, SignatureStatus, SignatureVerdict, Warning};
use sequoia_openpgp::Cert;

#[test]
fn the_answer_key_is_the_signer_inside_else_a_key_that_matches_the_sender() {
    let (eve, other) = (cert("Eve <eve@example.net>"), cert("Other <other@example.net>"));
    let world = World::new(&[]);
    let signature = |cert: &Cert| good_signature(cert, KeyOrigin::FirstSeen, world.now);
    let enclosed = |place, cert: &Cert| Enclosed { cert: cert.clone(), place };
    let key = |world: &World, opened: Opened| {
        let decision = world.decide(&encrypted(EVE), &opened, &Known::default());
        decision.answer_key.map(|key| (key.fingerprint(), key.confirmed))
    };
    let opened = |signatures: Vec<SignatureVerdict>, enclosed: Vec<Enclosed>| Opened {
        signatures,
        enclosed,
        ..opened_encrypted("text")
    };
    let print = |cert: &Cert, confirmed| Some((cert.fingerprint().to_hex(), confirmed));
    use Place::*;
    // Whoever signed inside, even if the sender's name is on another key.
    let both = || vec![enclosed(AttachedInside, &eve), enclosed(AttachedInside, &other)];
    assert_eq!(key(&world, opened(vec![signature(&other)], both())), print(&other, true));
    assert_eq!(key(&world, opened(vec![signature(&other), signature(&eve)], both())), print(&eve, true));
    // A signature outside the encryption never.
    let outside = SignatureVerdict { inside: false, ..signature(&other) };
    assert_eq!(key(&world, opened(vec![outside], vec![enclosed(AttachedInClear, &other)])), None);
    for status in [SignatureStatus::Bad, SignatureStatus::Weak, SignatureStatus::Expired, SignatureStatus::Partial] {
        let signature = SignatureVerdict { status, ..signature(&other) };
        assert_eq!(key(&world, opened(vec![signature], vec![enclosed(AttachedInside, &other)])), None);
    }
    // Written for somebody else: unconfirmed.
    let stolen = SignatureVerdict { intended: Intended::Others, ..signature(&eve) };
    assert_eq!(key(&world, opened(vec![stolen], both())), print(&eve, false));
    // Without a signature: what came inside and matches, unconfirmed.
    for place in [AttachedInside, AutocryptInside] {
        assert_eq!(key(&world, opened(vec![], vec![enclosed(place, &eve)])), print(&eve, false));
        assert_eq!(key(&world, opened(vec![], vec![enclosed(place, &other)])), None);
    }
    assert_eq!(key(&world, opened(vec![], vec![enclosed(AttachedInClear, &eve)])), None);
    // The team's own copy beats what a mail offers, and the members hear of the offer.
    let known = World::new(&[&eve]);
    let impostor = cert("Eve <eve@example.net>");
    let offer = || opened(vec![], vec![enclosed(AttachedInside, &impostor)]);
    assert_eq!(key(&known, offer()), print(&eve, true));
    let decision = known.decide(&encrypted(EVE), &offer(), &Known::default());
    assert!(decision.warnings.contains(&Warning::KeyReplacement));
}

#[test]
fn of_mail_in_clear_an_attached_key_of_the_sender_s_is_taken_unconfirmed_and_no_signature_counts() {
    let (eve, other) = (cert("Eve <eve@example.net>"), cert("Other <other@example.net>"));
    let world = World::new(&[]);
    let header = format!("{EVE}\nContent-Type: multipart/mixed; boundary=b");
    let part = |cert: &Cert| format!("--b\nContent-Type: application/pgp-keys\n\n{}\n", armored(cert));
    let mail = mail(&header, &format!("{}{}--b--\n", part(&other), part(&eve)));
    let outer = Outer::read(&mail, &world.keyring, &world.rules);
    let signature = SignatureVerdict { inside: false, ..good_signature(&other, KeyOrigin::FirstSeen, world.now) };
    let enclosed = vec![Enclosed { cert: other.clone(), place: Place::AttachedInClear }];
    let opened = Opened { signatures: vec![signature], enclosed, ..opened_in_clear("text") };
    let decision = decide(&outer, &opened, &Known::default(), &world.keyring, &world.rules, world.now);
    let key = decision.answer_key.unwrap();
    assert_eq!((key.fingerprint(), key.is_confirmed()), (eve.fingerprint().to_hex(), false));
}

#[test]
fn an_answer_key_survives_the_store() {
    let eve = cert("Eve <eve@example.net>");
    for confirmed in [true, false] {
        let plain = AnswerKey { cert: eve.clone(), confirmed }.to_plaintext().unwrap();
        let back = AnswerKey::from_plaintext(&plain).unwrap();
        assert_eq!((back.fingerprint(), back.is_confirmed()), (eve.fingerprint().to_hex(), confirmed));
    }
    for bad in ["", "c", "x", "unonsense"] {
        assert!(AnswerKey::from_plaintext(&Plaintext::from_text(bad)).is_err());
    }
}
