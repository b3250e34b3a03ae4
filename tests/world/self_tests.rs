//! The tools themselves: what the world writes is what real OpenPGP programs read.

use super::{Protection, World, mime, report};

#[test]
fn every_shape_that_is_written_opens_with_the_gateways_key_in_gpg() {
    let world = World::new().members(["alice"]).start();
    let (eve, sue) = (world.reporter("eve"), world.sequoia_reporter("sue"));
    let key = &world.gateway.key;
    key.knows(&eve.certificate());
    key.knows(&sue.certificate());
    for (name, mail) in [
        ("encrypted", report().from(&eve).encrypted()),
        ("signed", report().from(&eve).encrypted().signed()),
        ("by sq", report().from(&sue).encrypted().signed()),
        ("protected", report().from(&eve).encrypted().signed().protecting(Protection::Rfc9788)),
        ("nested", report().from(&eve).nested().attaching("a.bin", "application/octet-stream", &[0, 1, 255])),
    ] {
        let sent = mail.saying("words to find").write(&key.certificate());
        let parts = mime::parts_of(&sent.raw);
        assert_eq!(parts.len(), 2, "{name}");
        let opened = key.decrypt(mime::split_entity(&parts[1]).1).unwrap();
        assert_eq!(opened.payload, sent.entity, "{name}");
        assert_eq!(opened.good_signers.len(), usize::from(["signed", "by sq", "protected"].contains(&name)), "{name}");
        assert!(super::reading::text_of(&sent.entity).contains("words to find"), "{name}");
    }
    let tampered = report().from(&eve).encrypted().tampered().write(&key.certificate());
    let data = mime::parts_of(&tampered.raw).remove(1);
    assert!(key.decrypt(mime::split_entity(&data).1).is_err(), "a turned bit is noticed");
}

#[test]
fn a_clear_signature_verifies_over_the_exact_part() {
    let world = World::new().rsa_member("rosa").sequoia_member("sam").start();
    let rosa = world.member("rosa");
    let sent = report().from(rosa).signed().saying("grüße").write(&world.gateway.key.certificate());
    let parts = mime::parts_of(&sent.raw);
    let signature = mime::split_entity(&parts[1]).1.to_vec();
    assert!(rosa.verifies(&parts[0], &signature));
    assert!(!rosa.verifies(&parts[0][1..], &signature));
    let armored = rosa.encrypt(b"for sam", &[world.member("sam").certificate()], false, 0);
    assert_eq!(world.member("sam").decrypt(armored.as_bytes()).unwrap().payload, b"for sam");
}

#[test]
fn a_renewed_certificate_keeps_its_fingerprint_and_can_be_encrypted_to_again() {
    let world = World::new().members(["alice"]).expired_member("old").start();
    let old = world.member("old");
    let fingerprint = old.fingerprint.clone();
    old.renew();
    let armored = world.member("alice").encrypt(b"welcome back", &[old.certificate()], true, 0);
    assert_eq!(old.decrypt(armored.as_bytes()).unwrap().payload, b"welcome back");
    assert_eq!(old.fingerprint, fingerprint);
}

#[test]
fn a_multipart_comes_apart_at_the_exact_bytes() {
    let parts = [b"Content-Type: text/plain\r\n\r\none\r\n".to_vec(), b"\r\n".to_vec(), b"\r\nthree\r\n\r\n".to_vec()];
    assert_eq!(mime::parts_of(&mime::multipart("mixed", &parts)), parts);
}
