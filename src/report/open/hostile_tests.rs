//! Hostile and broken mail is refused with the right reason, within bounds, and nothing of it gets out.

use super::fixture_tests::*;
use super::*;
use crate::report::KeyUse;
use std::time::{Duration, Instant};

const CANARY: &[u8] = b"Content-Type: text/plain\r\n\r\nCANARY in the coal mine\r\n";

fn making<'a>() -> Making<'a> {
    Making { to: vec![&world().gateway], signer: Some(&world().bob), ..Making::default() }
}

fn armor(binary: &[u8]) -> Vec<u8> {
    let text = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, binary);
    let lines: String = text.as_bytes().chunks(64).map(|line| format!("{}\n", String::from_utf8_lossy(line))).collect();
    format!("-----BEGIN PGP MESSAGE-----\n\n{lines}-----END PGP MESSAGE-----\n").into_bytes()
}

fn encrypted_mail(binary: &[u8]) -> Vec<u8> {
    mail("bob@reporters.example", "...", &pgp_mime(&armor(binary)))
}

fn assert_nothing_got_out(opened: &Opened) {
    assert!(!opened.everything().contains("CANARY"));
    assert!(opened.signatures.is_empty() && opened.payload_hash.is_none());
    assert_eq!(opened.labels(), [Label::Unopened]);
}

#[test]
fn a_changed_octet_anywhere_releases_nothing() {
    for aead in [false, true] {
        let binary = Making { aead, ..making() }.binary(CANARY);
        for position in (0..binary.len()).step_by(7).chain(binary.len() - 24..binary.len()) {
            let mut changed = binary.clone();
            changed[position] ^= 0x10;
            let opened = opened(&encrypted_mail(&changed));
            assert!(opened.refusal.is_some(), "octet {position} of {}", binary.len());
            assert_nothing_got_out(&opened);
        }
        let mut last = binary.clone();
        *last.last_mut().unwrap() ^= 1;
        assert_eq!(opened(&encrypted_mail(&last)).refusal, Some(Refusal::IntegrityFailed));
    }
}

#[test]
fn a_message_cut_short_releases_nothing() {
    let binary = making().binary(&[CANARY, &[b'x'; 3000]].concat());
    for length in [binary.len() - 1, binary.len() - 22, binary.len() / 2] {
        let opened = opened(&encrypted_mail(&binary[..length]));
        assert_eq!(opened.refusal, Some(Refusal::IntegrityFailed), "{length}");
        assert_nothing_got_out(&opened);
    }
    let armored = making().armored(CANARY);
    let cut = opened(&mail("b@x.example", "...", &pgp_mime(&armored[..armored.len() * 2 / 3])));
    assert_eq!(cut.refusal, Some(Refusal::IntegrityFailed));
    assert_nothing_got_out(&cut);
}

/// Splits a binary message into its packets: tag and body. New format, no partial lengths.
fn packets(mut bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let mut found = Vec::new();
    while let [first, rest @ ..] = bytes {
        let (length, used) = match rest {
            [one @ 0..=191, ..] => (usize::from(*one), 1),
            [one @ 192..=223, two, ..] => ((usize::from(*one) - 192) * 256 + usize::from(*two) + 192, 2),
            [255, a, b, c, d, ..] => (u32::from_be_bytes([*a, *b, *c, *d]) as usize, 5),
            _ => panic!("unexpected length"),
        };
        found.push((first & 0x3f, rest[used..used + length].to_vec()));
        bytes = &rest[used + length..];
    }
    found
}

fn packet(tag: u8, body: &[u8]) -> Vec<u8> {
    [&[0xc0 | tag, 255], (body.len() as u32).to_be_bytes().as_slice(), body].concat()
}

#[test]
fn missing_or_stripped_integrity_protection_is_refused() {
    let split = packets(&making().binary(CANARY));
    let (sessions, data): (Vec<_>, Vec<_>) = split.into_iter().partition(|(tag, _)| *tag == 1);
    let head: Vec<u8> = sessions.iter().flat_map(|(tag, body)| packet(*tag, body)).collect();
    let body = &data[0].1;
    let tag_9 = opened(&encrypted_mail(&[head.clone(), packet(9, &body[1..])].concat()));
    assert_eq!(tag_9.refusal, Some(Refusal::NoIntegrityProtection));
    assert_nothing_got_out(&tag_9);
    // The last 22 octets are the modification detection code.
    let stripped = opened(&encrypted_mail(&[head.clone(), packet(18, &body[..body.len() - 22])].concat()));
    assert_eq!(stripped.refusal, Some(Refusal::IntegrityFailed));
    assert_nothing_got_out(&stripped);
    let gnupg_ocb = opened(&encrypted_mail(&[head, packet(20, &body[1..])].concat()));
    assert_eq!(gnupg_ocb.refusal, Some(Refusal::GnupgOcb));
}

#[test]
fn a_message_for_others_or_for_a_passphrase_is_told_apart() {
    let world = world();
    let others = opened(&encrypted_report(&Making { to: vec![&world.eve], ..Making::default() }));
    assert_eq!(others.refusal, Some(Refusal::NotForOurKeys));
    assert_eq!((others.encryption, others.labels()), (Encryption::Complete, vec![Label::Unopened]));
    assert!(others.section(Label::Unopened).contains("bob@reporters.example"), "kept as it came");
    let gpg = Gpg::new(&[]);
    let symmetric = gpg.run(&["--armor", "--symmetric", "--passphrase", "secret"], CANARY);
    assert_eq!(opened(&mail("b@x.example", "...", &pgp_mime(&symmetric))).refusal, Some(Refusal::SymmetricOnly));
    let nonsense = opened(&mail("b@x.example", "...", &pgp_mime(&armor(b"\xc1\x05hello"))));
    assert!(nonsense.refusal.is_some());
}

#[test]
fn a_compression_bomb_is_refused_before_it_explodes() {
    let limits = Limits { max_opened_size: 1024 * 1024, max_time: Duration::from_secs(60), ..Limits::default() };
    let bomb = Making { compress: true, ..making() }.binary(&[CANARY, &vec![b' '; 8 * 1024 * 1024]].concat());
    assert!(bomb.len() < 64 * 1024);
    let opened = open_with(&world().ring, &limits, &encrypted_mail(&bomb));
    assert_eq!(opened.refusal, Some(Refusal::TooLarge));
    assert_nothing_got_out(&opened);
    let harmless = Making { compress: true, ..making() }.binary(&[CANARY, &vec![b' '; 900 * 1024]].concat());
    assert_eq!(open_with(&world().ring, &limits, &encrypted_mail(&harmless)).refusal, None);
}

#[test]
fn layers_recipients_parts_and_time_are_bounded() {
    let world = world();
    let only_to = Making { to: vec![&world.gateway], ..Making::default() };
    let mut content = CANARY.to_vec();
    for _ in 0..5 {
        content = pgp_mime(&only_to.armored(&content));
    }
    let deep = opened(&mail("b@x.example", "...", &content));
    assert_eq!(deep.refusal, Some(Refusal::TooDeep));
    assert_nothing_got_out(&deep);

    let many = Making { to: vec![&world.gateway; 120], ..Making::default() };
    assert_eq!(opened(&encrypted_report(&many)).refusal, Some(Refusal::TooManyRecipients));

    let parts = "--p\r\n\r\nx\r\n".repeat(600);
    let parts = format!("Content-Type: multipart/mixed; boundary=p\r\n\r\n{parts}--p--\r\n");
    assert_eq!(opened(&mail("b@x.example", "x", parts.as_bytes())).refusal, Some(Refusal::TooManyParts));

    let fields = "X: y\r\n".repeat(2000);
    assert!(opened(&mail("b@x.example", "x", fields.as_bytes())).refusal.is_some());

    let late = Limits { max_time: Duration::ZERO, ..Limits::default() };
    let late = open_with(&world.ring, &late, &encrypted_report(&making()));
    assert_eq!(late.refusal, Some(Refusal::TooSlow));
    assert_eq!(late.encryption, Encryption::Complete);
}

#[test]
fn a_large_attachment_has_the_time_that_its_size_takes_and_lateness_is_never_called_a_forgery() {
    let limits = Limits { max_time: Duration::from_secs(1), ..Limits::default() };
    assert!(limits.time_for(50 << 20) >= Duration::from_secs(40));
    assert!(limits.time_for(4096) < Duration::from_secs(2));

    // Long enough for the session key, too short for the content, which comes in pieces.
    let world = world();
    let content = [b"Content-Type: text/plain\r\n\r\n".as_slice(), &b"0123456789abcde\n".repeat(1 << 19)].concat();
    let making = Making { to: vec![&world.gateway], ..Making::default() };
    let large = mail("b@x.example", "...", &pgp_mime(&making.armored(&content)));
    for milliseconds in [0, 1, 5, 20, 50, 100, 200, 400] {
        // Below a second, the size adds nothing to it: see `Opener::deadline`.
        let mut opener =
            Opener::new(&world.ring, &limits, Timestamp::now() + jiff::SignedDuration::from_secs(1), &[], 0);
        opener.deadline = std::time::Instant::now() + Duration::from_millis(milliseconds);
        let message = dearmor::first(&large, dearmor::Kind::Message).unwrap();
        match opener.open(&message.data, 0) {
            decrypt::Outcome::Refused(refusal) => assert_eq!(refusal, Refusal::TooSlow, "after {milliseconds} ms"),
            decrypt::Outcome::Encrypted(message) => assert_eq!(message.payload.len(), content.len()),
            decrypt::Outcome::Clear(_) => panic!("it is encrypted"),
        }
    }
}

#[test]
fn a_million_nested_mails_neither_crash_nor_take_long() {
    let start = Instant::now();
    let nested = "Content-Type: message/rfc822\n\n".repeat(300_000);
    assert_eq!(opened(nested.as_bytes()).refusal, Some(Refusal::TooDeep));
    let multiparts: String =
        (0..200_000).map(|i| format!("Content-Type: multipart/mixed; boundary=b{i}\n\n--b{i}\n")).collect();
    assert!(opened(multiparts.as_bytes()).refusal.is_some());
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn hidden_recipients_are_found() {
    let world = world();
    let gpg = Gpg::new(&[&world.gateway, &world.eve]);
    let (ours, eves) = (world.gateway.fingerprint().to_hex(), world.eve.fingerprint().to_hex());
    let armored = gpg.run(&["--armor", "--encrypt", "--throw-keyids", "-r", &eves, "-r", &ours], REPORT);
    let opened = opened(&mail("bob@reporters.example", "...", &pgp_mime(&armored)));
    assert_eq!((opened.refusal, opened.section(Label::Main).as_bytes()), (None, REPORT));
}

#[test]
fn an_old_key_decrypts_until_its_last_day_and_is_named() {
    let world = world();
    let bytes = encrypted_report(&Making { to: vec![&world.old_gateway], ..Making::default() });
    let old = opened(&bytes);
    assert_eq!(old.refusal, None);
    assert!(old.warns(Warning::OldKey));
    let both = opened(&encrypted_report(&Making { to: vec![&world.old_gateway, &world.gateway], ..Making::default() }));
    assert!(!both.warns(Warning::OldKey), "the current key opens it");
    let until = jiff::civil::date(2020, 1, 1);
    let past = Keyring::new(vec![gateway_key(&world.old_gateway, KeyUse::DecryptOnly { until })], vec![], vec![]);
    let past = open_with(&past.ok().unwrap(), &Limits::default(), &bytes);
    assert_eq!(past.refusal, Some(Refusal::NotForOurKeys));
}

#[test]
fn session_keys_open_a_stored_mail_again_without_any_secret_key() {
    let world = world();
    let inner = pgp_mime(&making().armored(REPORT));
    let armored = Making { to: vec![&world.old_gateway], aead: true, ..Making::default() }.armored(&inner);
    let bytes = mail("bob@reporters.example", "...", &pgp_mime(&armored));
    let first = opened(&bytes);
    assert_eq!(first.session_keys.len(), 2);
    let known = crate::report::KnownCertificate::read(&public(&world.bob)).unwrap();
    let ring = Keyring::new(vec![], vec![member(&world.alice, "alice@kata.example")], known).ok().unwrap();
    let request = OpenRequest {
        keyring: &ring,
        limits: &Limits::default(),
        received: Timestamp::now(),
        case_key: None,
        session_keys: &first.session_keys,
        case_prefix: "KATA",
    };
    let again = open(&Plaintext::new(bytes), &request);
    assert_eq!(again.everything(), first.everything());
    assert_eq!(again.signatures, first.signatures);
    assert_eq!(again.payload_hash, first.payload_hash);
    assert_eq!((again.encryption, again.refusal), (first.encryption, None));
    assert_eq!(again.warnings, first.warnings);
    assert_eq!(again.session_keys.len(), 2);
}

#[test]
fn a_message_that_ends_within_its_first_octets_stops_nothing() {
    let split = packets(&making().binary(CANARY));
    let (sessions, data): (Vec<_>, Vec<_>) = split.into_iter().partition(|(tag, _)| *tag == 1);
    let head: Vec<u8> = sessions.iter().flat_map(|(tag, body)| packet(*tag, body)).collect();
    for length in 1..60 {
        let short = [head.clone(), packet(18, &data[0].1[..length])].concat();
        let opened = opened(&encrypted_mail(&short));
        assert!(opened.refusal.is_some(), "{length}");
        assert_nothing_got_out(&opened);
    }
}
