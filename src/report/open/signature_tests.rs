//! What a signature proves, and what it does not; protected header fields; keys that come by mail.

use super::fixture_tests::*;
use super::*;
use crate::report::verdict::KeyOrigin;
use sequoia_openpgp as openpgp;

use openpgp::Cert;
use openpgp::cert::{CertBuilder, CipherSuite};
use openpgp::types::ReasonForRevocation;
use std::time::{Duration, SystemTime};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn signed_by(signer: &Cert) -> Vec<u8> {
    encrypted_report(&Making { to: vec![&world().gateway], signer: Some(signer), ..Making::default() })
}

fn ring_with(members: &[&Cert]) -> Keyring {
    let members = members.iter().map(|cert| member(cert, "alice@kata.example")).collect();
    let key = gateway_key(&world().gateway, crate::report::KeyUse::Active);
    Keyring::new(vec![key], members, vec![]).ok().unwrap()
}

fn status_with(signer: &Cert, bytes: &[u8]) -> Vec<SignatureStatus> {
    open_with(&ring_with(&[signer]), &Limits::default(), bytes).statuses()
}

#[test]
fn an_unknown_signer_is_named_by_what_the_signature_says() {
    let opened = opened(&signed_by(&world().eve));
    assert_eq!(opened.statuses(), [SignatureStatus::UnknownKey]);
    assert_eq!(opened.signatures[0].key, None);
    assert!(opened.signatures[0].fingerprint.as_ref().is_some_and(|print| print.len() >= 16));
}

#[test]
fn a_signer_whose_key_has_expired_or_was_revoked_is_not_good() {
    let now = SystemTime::now();
    let make = || CertBuilder::general_purpose(Some("<alice@kata.example>")).set_cipher_suite(CipherSuite::Cv25519);
    let (expired, _) = make().set_creation_time(now - 20 * DAY).set_validity_period(10 * DAY).generate().unwrap();
    // Signed while it was valid, received when it no longer is: the time of signing is the signer's to claim.
    let backdated = Making {
        to: vec![&world().gateway],
        signer: Some(&expired),
        signed_at: Some(now - 15 * DAY),
        ..Making::default()
    };
    assert_eq!(status_with(&expired, &encrypted_report(&backdated)), [SignatureStatus::Expired]);

    let (cert, revocation) = make().generate().unwrap();
    let bytes = signed_by(&cert);
    assert_eq!(status_with(&cert, &bytes), [SignatureStatus::Good]);
    let (revoked, _) = cert.clone().insert_packets(revocation).unwrap();
    assert_eq!(status_with(&revoked, &bytes), [SignatureStatus::Revoked]);
    let mut signer = cert.primary_key().key().clone().parts_into_secret().unwrap().into_keypair().unwrap();
    let retired = cert.revoke(&mut signer, ReasonForRevocation::KeyRetired, b"").unwrap();
    let (retired, _) = cert.insert_packets(retired).unwrap();
    assert_eq!(status_with(&retired, &bytes), [SignatureStatus::Revoked], "judged at receipt");
}

#[test]
fn sha1_signatures_are_weak_and_changed_content_is_bad() {
    let rsa = certificate("alice@kata.example", CipherSuite::RSA2k);
    let gpg = Gpg::new(&[&rsa]);
    let content = "Content-Type: text/plain\r\n\r\nsigned words\r\n";
    let mail_with = |digest: &str, shown: &str| {
        let signature =
            String::from_utf8(gpg.run(&["--armor", "--detach-sign", "--digest-algo", digest], content.as_bytes()))
                .unwrap();
        let signed = format!(
            "Content-Type: multipart/signed; protocol=\"application/pgp-signature\"; boundary=s\r\n\r\n--s\r\n{shown}\r\n--s\r\n\
             Content-Type: application/pgp-signature\r\n\r\n{signature}\r\n--s--\r\n"
        );
        mail("alice@kata.example", "x", signed.as_bytes())
    };
    assert_eq!(status_with(&rsa, &mail_with("SHA256", content)), [SignatureStatus::Good]);
    assert_eq!(status_with(&rsa, &mail_with("SHA1", content)), [SignatureStatus::Weak]);
    let bad = mail_with("SHA256", &content.replace("words", "lies!"));
    assert_eq!(status_with(&rsa, &bad), [SignatureStatus::Bad]);
    assert!(opened(&bad).refusal.is_none(), "a bad signature never hides the mail");
    let broken = String::from_utf8(mail_with("SHA256", content)).unwrap();
    let at = broken.find("-----BEGIN").unwrap();
    let broken = format!("{}no signature at all\r\n--s--\r\n", &broken[..at]);
    assert_eq!(status_with(&rsa, broken.as_bytes()), [SignatureStatus::Error]);
}

#[test]
fn a_bad_signature_inside_the_encryption_leaves_the_mail_readable() {
    let world = world();
    // Alice's signature packet around other content: the literal text is exchanged before encryption.
    let signed = Making { signer: Some(&world.alice), ..Making::default() }.binary(b"the agent is safe\n");
    let at = signed.windows(4).position(|bytes| bytes == b"safe").unwrap();
    let mut forged = signed;
    forged[at..at + 4].copy_from_slice(b"evil");
    let encrypted = encrypt_packets(&forged, &world.gateway);
    let opened = opened(&mail("alice@kata.example", "...", &pgp_mime(&encrypted)));
    assert_eq!((opened.refusal, opened.statuses()), (None, vec![SignatureStatus::Bad]));
    assert!(opened.warns(Warning::BadSignature));
    assert!(opened.shown_text().contains("the agent is evil"));
}

/// Encrypts finished packets, without a literal packet of its own.
fn encrypt_packets(packets: &[u8], to: &Cert) -> Vec<u8> {
    use openpgp::serialize::stream::{Armorer, Encryptor, Message, Recipient};
    use std::io::Write;
    let mut out = Vec::new();
    let keys: Vec<_> = to.keys().filter(|key| key.key().pk_algo().for_encryption()).collect();
    let recipients = keys.iter().map(|key| Recipient::new(None, key.key().key_handle(), key.key()));
    let message = Armorer::new(Message::new(&mut out)).build().unwrap();
    let mut message = Encryptor::for_recipients(message, recipients).build().unwrap();
    message.write_all(packets).unwrap();
    message.finalize().unwrap();
    out
}

#[test]
fn intended_recipients_are_told_and_a_message_for_somebody_else_is_warned_of() {
    let world = world();
    let with = |intended: Vec<&'static Cert>| {
        let making = Making { to: vec![&world.gateway], signer: Some(&world.alice), intended, ..Making::default() };
        opened(&mail("alice@kata.example", "...", &pgp_mime(&making.armored(REPORT))))
    };
    for (intended, expected) in [
        (vec![], Intended::Unnamed),
        (vec![&world.gateway], Intended::OnlyGateway),
        (vec![&world.gateway, &world.eve], Intended::GatewayAndOthers),
        (vec![&world.eve], Intended::Others),
    ] {
        let opened = with(intended);
        assert_eq!(opened.statuses(), [SignatureStatus::Good], "{expected:?}");
        assert_eq!(opened.signatures[0].intended, expected);
        assert_eq!(opened.warns(Warning::IntendedForOthers), expected == Intended::Others);
    }
}

#[test]
fn a_signed_payload_has_the_same_digest_however_it_is_encrypted() {
    let world = world();
    let signed = Making { signer: Some(&world.alice), ..Making::default() }.binary(b"hello\n");
    let one = opened(&mail("a@x.example", "...", &pgp_mime(&encrypt_packets(&signed, &world.gateway))));
    let two = opened(&mail("b@x.example", "...", &pgp_mime(&encrypt_packets(&signed, &world.old_gateway))));
    assert_eq!(one.signatures[0].digest, two.signatures[0].digest);
    assert!(one.warns(Warning::SignerIsNotSender));
}

#[test]
fn keys_that_come_by_mail_are_first_seen_and_never_replace_a_known_one() {
    let world = world();
    let key = String::from_utf8(public(&world.eve)).unwrap();
    let payload = format!(
        "Content-Type: multipart/mixed; boundary=k\r\n\r\n--k\r\nContent-Type: text/plain\r\n\r\nhello\r\n\
         --k\r\nContent-Type: application/pgp-keys; name=\"key.asc\"\r\n\r\n{key}\r\n--k--\r\n"
    );
    let making = Making { to: vec![&world.gateway], signer: Some(&world.eve), ..Making::default() };
    let first = opened(&mail("eve@evil.example", "...", &pgp_mime(&making.armored(payload.as_bytes()))));
    assert_eq!(first.statuses(), [SignatureStatus::Good]);
    assert_eq!(first.signatures[0].key, Some(KeyOrigin::FirstSeen));
    assert_eq!(first.enclosed[0].place, Place::AttachedInside);
    assert!(!first.warns(Warning::KeyReplacement) && !first.warns(Warning::SignerIsNotSender));

    let forged = certificate("alice@kata.example", CipherSuite::Cv25519);
    let data = base64::Engine::encode(
        &base64::engine::general_purpose::STANDARD,
        openpgp::serialize::SerializeInto::to_vec(&forged.clone().strip_secret_key_material()).unwrap(),
    );
    let header = format!("Autocrypt: addr=alice@kata.example; keydata={data}\r\n");
    let making = Making { signer: Some(&forged), ..making };
    let bytes = [header.as_bytes(), &mail("alice@kata.example", "...", &pgp_mime(&making.armored(REPORT)))].concat();
    let replaced = opened(&bytes);
    assert!(replaced.warns(Warning::KeyReplacement));
    assert_eq!(replaced.enclosed[0].place, Place::AutocryptInClear);
    assert_eq!(replaced.signatures[0].key, Some(KeyOrigin::FirstSeen));
    assert_eq!(replaced.signatures[0].member, None);
}

#[test]
fn the_answer_key_of_a_case_is_recognised() {
    let world = world();
    let key = world.eve.clone().strip_secret_key_material();
    let request = OpenRequest {
        keyring: &world.ring,
        limits: &Limits::default(),
        received: Timestamp::now(),
        case_key: Some(&key),
        session_keys: &[],
        case_prefix: "KATA",
    };
    let opened = open(&Plaintext::new(signed_by(&world.eve)), &request);
    assert_eq!(opened.signatures[0].key, Some(KeyOrigin::Case));
}

#[test]
fn a_secret_key_in_a_mail_is_warned_of_and_dropped() {
    let key = secret(&world().eve);
    let making = Making { to: vec![&world().gateway], ..Making::default() };
    let inside = making.armored(&[b"Content-Type: application/pgp-keys\r\n\r\n".as_slice(), &key].concat());
    for content in [pgp_mime(&inside), [b"Content-Type: text/plain\r\n\r\nmy key:\r\n".as_slice(), &key].concat()] {
        let opened = opened(&mail("eve@evil.example", "key", &content));
        assert!(opened.warns(Warning::SecretKeyEnclosed));
        assert!(opened.enclosed.iter().all(|one| !one.cert.is_tsk()));
    }
}

fn with_payload(outer: &str, payload: &str) -> Opened {
    let making = Making { to: vec![&world().gateway], signer: Some(&world().bob), ..Making::default() };
    opened(&mail("bob@reporters.example", outer, &pgp_mime(&making.armored(payload.as_bytes()))))
}

#[test]
fn protected_header_fields_of_all_kinds_are_found() {
    let rfc9788 = with_payload(
        "[...]",
        "Subject: Real =?utf-8?q?=E2=9C=93?=\r\nFrom: Bob <bob@reporters.example>\r\nTo: dave@kata.example\r\n\
         In-Reply-To: <third@x.example>\r\nHP-Outer: Subject: [...]\r\n\
         Content-Type: text/plain; hp=\"cipher\"; hp-legacy-display=\"1\"\r\n\r\nSubject: Real\r\n\r\nBody.\r\n",
    );
    assert_eq!(rfc9788.shown_subject(), "Real \u{2713}");
    assert_eq!(rfc9788.shown_text().trim(), "Body.", "the legacy display is taken off the text");
    assert!(rfc9788.section(Label::Main).contains("Subject: Real\r\n\r\nBody."), "but not off the entity");
    assert_eq!(rfc9788.inner_from.unwrap().address(), "bob@reporters.example");
    assert!(rfc9788.recipients.iter().any(|one| one.address() == "dave@kata.example"));
    assert!(rfc9788.references.contains(&"third@x.example".to_owned()));

    let enigmail = with_payload(
        "Encrypted Message",
        "Content-Type: multipart/mixed; boundary=e; protected-headers=\"v1\"\r\nSubject: Old style\r\n\r\n--e\r\n\
         Content-Type: text/rfc822-headers; protected-headers=\"v1\"\r\nContent-Disposition: inline\r\n\r\n\
         Subject: Old style\r\n\r\n--e\r\nContent-Type: text/plain\r\n\r\nBody.\r\n--e--\r\n",
    );
    assert_eq!((enigmail.shown_subject().as_str(), enigmail.shown_text().trim()), ("Old style", "Body."));

    let bare = "Subject: Only inside\r\nContent-Type: text/plain\r\n\r\nBody.\r\n";
    assert_eq!(with_payload("...", bare).shown_subject(), "Only inside");
    assert_eq!(with_payload("Outside", bare).shown_subject(), "Outside", "it is not marked as protected");
}

#[test]
fn an_inner_sender_that_differs_is_warned_of() {
    let stolen =
        with_payload("x", "From: victim@x.example\r\nContent-Type: text/plain; hp=\"cipher\"\r\n\r\nBody.\r\n");
    assert!(stolen.warns(Warning::FromMismatch));
    assert_eq!(stolen.inner_from.unwrap().address(), "victim@x.example");
}

#[test]
fn a_subject_is_one_harmless_line() {
    let subject = "Fix \u{202e}evil\u{2066} =?utf-8?q?line=0D=0AWarning:_none?=";
    let plain = mail("bob@reporters.example", subject, b"Content-Type: text/plain\r\n\r\nx\r\n");
    assert_eq!(opened(&plain).shown_subject(), "Fix evil line Warning: none");
}

#[test]
fn several_senders_and_doubled_fields_are_warned_of() {
    let bytes = [b"From: other@x.example\r\n".as_slice(), &signed_by(&world().bob)].concat();
    let opened = opened(&bytes);
    assert!(opened.warns(Warning::SeveralFrom) && opened.warns(Warning::DuplicateHeader));
}
