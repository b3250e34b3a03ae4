use super::*;
use crate::report::keyring::Unusable;
use crate::report::opened::Label;
use crate::report::pgp_world_tests::*;
use crate::report::policy::MailKind as Kind;
use crate::report::statement::Author;
use jiff::SignedDuration;
use mail_parser::{MessageParser, MimeHeaders, PartType};
use proptest::prelude::*;
use sequoia_openpgp as openpgp;

use openpgp::cert::prelude::*;
use openpgp::packet::SEIP;
use openpgp::parse::Parse;
use openpgp::policy::StandardPolicy;
use openpgp::serialize::SerializeInto;
use openpgp::{Packet, PacketPile, Profile};
use std::collections::HashSet;
use std::process::Command;
use std::time::Duration;

const REPORT: &[u8] = b"Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\
    The canary sings: \xfcberlauf in parse_frame().\r\n";
const DELIVERY: &str = "00ff";

fn sealed(signed: &SignedCopies, member: &Member) -> OutgoingMail {
    signed.seal_for(member, DELIVERY, now()).unwrap()
}

/// The payload as it was signed.
fn payload(job: &Job, keyring: &Keyring) -> Vec<u8> {
    literal_of(job.sign(keyring, keyring.members(), now()).unwrap().stream.expose())
}

#[test]
fn each_member_opens_their_own_copy_with_gpg_and_sees_the_gateways_good_signature() {
    let alice = Gpg::with_key("Alice <alice@example.org>", "future-default");
    let bob = Gpg::with_key("Bob <bob@example.net>", "rsa2048");
    let keyring = keyring(vec![alice.member("Alice", "alice@example.org"), bob.member("Bob", "bob@example.net")]);
    let gateway = keyring.publishing_key().unwrap().fingerprint();
    let job = Job::new("heap overflow", vec![section(Label::Main, REPORT)]);
    let signed = job.sign(&keyring, keyring.members(), now()).unwrap();
    let mut session_keys = HashSet::new();
    let mut payloads = HashSet::new();
    for (home, member) in [&alice, &bob].into_iter().zip(keyring.members()) {
        home.import(&keyring.published_certificate().unwrap());
        let mail = sealed(&signed, member);
        assert_eq!(mail.envelope_to(), member.address());
        assert_eq!(mail.envelope_from(), Some("bounces@katacontainers.example"));
        assert_eq!(mail.delivery_id(), DELIVERY);
        let (plain, status) = home.decrypt(&armored_part(mail.bytes()));
        assert!(status.contains("[GNUPG:] GOODSIG") && status.contains("[GNUPG:] DECRYPTION_OKAY"), "{status}");
        assert!(status.contains("[GNUPG:] GOODMDC"), "{status}");
        assert!(status.lines().any(|line| line.contains("VALIDSIG") && line.ends_with(&gateway)), "{status}");
        assert_eq!(status.matches("[GNUPG:] ENC_TO").count(), 1, "{status}");
        session_keys.insert(status.lines().find(|line| line.contains("SESSION_KEY")).unwrap().to_owned());
        assert!(contains(&plain, REPORT));
        payloads.insert(plain);
    }
    assert_eq!(session_keys.len(), 2, "each copy has a session key of its own");
    assert_eq!(payloads.len(), 1, "signed once for all");
}

#[test]
fn a_members_copy_opens_with_sq_which_verifies_it_too() {
    let alice = Gpg::with_key("Alice <alice@example.org>", "future-default");
    let keyring = keyring(vec![alice.member("Alice", "alice@example.org")]);
    let signed = Job::new("x", vec![section(Label::Main, REPORT)]).sign(&keyring, keyring.members(), now()).unwrap();
    let message = alice.file("copy.asc", &armored_part(sealed(&signed, &keyring.members()[0]).bytes()));
    let secret = alice.file("alice.sec.asc", &alice.secret_key());
    let gateway = alice.file("gateway.asc", &keyring.published_certificate().unwrap());
    let output = Command::new("sq")
        .args(["decrypt", "--recipient-key", &secret, "--signer-cert", &gateway, "--signatures", "1", &message])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(text(&output.stderr).contains("1 good signature"), "{}", text(&output.stderr));
    assert!(contains(&output.stdout, REPORT));
}

#[test]
fn the_payload_is_what_mail_programs_expect_of_protected_headers() {
    let keyring = keyring(vec![quick_member("Alice", "alice@example.org")]);
    let mut job = Job::new("heap overflow", vec![section(Label::Main, REPORT)]);
    job.thread = vec![id("root"), id("second")];
    job.from_author = Some("Älice".into());
    let payload = payload(&job, &keyring);
    let parsed = MessageParser::new().parse(&payload).unwrap();
    let root = parsed.content_type().unwrap();
    assert_eq!((root.ctype(), root.subtype()), ("multipart", Some("mixed")));
    assert_eq!(root.attribute("hp"), Some("cipher"));
    assert_eq!(root.attribute("protected-headers"), Some("v1"));
    assert_eq!(parsed.subject(), Some("[KATA-2026-0001] heap overflow"));
    let from = parsed.from().unwrap().first().unwrap();
    assert_eq!(from.name.as_deref(), Some("Älice via Kata Containers VMT"));
    assert_eq!(from.address.as_deref(), Some("vmt@katacontainers.example"));
    assert_eq!(field(&payload, "To"), "vmt@katacontainers.example");
    assert_eq!(field(&payload, "Message-ID"), "<copy@katacontainers.example>");
    assert_eq!(field(&payload, "In-Reply-To"), "<second@katacontainers.example>");
    assert_eq!(field(&payload, "References"), "<root@katacontainers.example> <second@katacontainers.example>");

    let signed = job.sign(&keyring, keyring.members(), now()).unwrap();
    let mail = sealed(&signed, &keyring.members()[0]);
    let outside: Vec<_> = fields(mail.bytes())
        .into_iter()
        .filter(|(name, _)| !name.starts_with("Content-") && name != "MIME-Version")
        .map(|(name, value)| format!("{name}: {value}"))
        .collect();
    let recorded: Vec<_> =
        fields(&payload).into_iter().filter(|(name, _)| name == "HP-Outer").map(|(_, value)| value).collect();
    assert_eq!(recorded, outside);
    assert!(outside.contains(&"Subject: [KATA-2026-0001]".to_owned()));
    assert!(outside.contains(&"From: vmt@katacontainers.example".to_owned()));
}

#[test]
fn nothing_of_the_mail_stands_outside_the_encryption() {
    let alice = quick_member("Alice", "alice@example.org");
    let keyring = keyring(vec![alice]);
    let mut job = Job::new("canary subject", vec![section(Label::Main, REPORT)]);
    job.from_author = Some("Alice".into());
    let signed = job.sign(&keyring, keyring.members(), now()).unwrap();
    let mail = sealed(&signed, &keyring.members()[0]);
    let outside = text(mail.bytes());
    assert!(mail.bytes().is_ascii());
    assert!(outside.split("\r\n").all(|line| line.len() <= 78 && !line.contains(['\r', '\n'])));
    for canary in
        ["canary", "parse_frame", "eve", "Eve", "reporter.example", "alice", "Alice", "Kata Containers", "HP-Outer"]
    {
        assert!(!outside.contains(canary), "{canary}");
    }
    let names: Vec<_> = fields(mail.bytes()).into_iter().map(|(name, _)| name).collect();
    let expected =
        ["Date", "From", "To", "Subject", "Message-ID", "Auto-Submitted", "Autocrypt", "MIME-Version", "Content-Type"];
    assert_eq!(names, expected);
    assert_eq!(field(mail.bytes(), "Auto-Submitted"), "auto-generated");
    assert_eq!(field(mail.bytes(), "Date"), "Wed, 4 Mar 2026 05:06:07 +0000");
    job.identity.outer_subject_hidden = true;
    let signed = job.sign(&keyring, keyring.members(), now()).unwrap();
    let hidden = sealed(&signed, &keyring.members()[0]);
    assert_eq!(field(hidden.bytes(), "Subject"), "[...]");
    assert!(!text(hidden.bytes()).contains("KATA"));
}

#[test]
fn the_gateways_certificate_is_offered_without_its_secret() {
    let keyring = keyring(vec![quick_member("Alice", "alice@example.org")]);
    let signed = Job::new("x", Vec::new()).sign(&keyring, keyring.members(), now()).unwrap();
    let mail = sealed(&signed, &keyring.members()[0]);
    let offered = sequoia_autocrypt::AutocryptHeaders::from_bytes(mail.bytes()).unwrap();
    assert_eq!(offered.headers.len(), 1);
    assert_eq!(offered.headers[0].get("addr").unwrap().value, "vmt@katacontainers.example");
    assert_eq!(offered.headers[0].get("prefer-encrypt").unwrap().value, "mutual");
    let cert = offered.headers[0].key.as_ref().unwrap();
    assert!(!cert.is_tsk());
    assert_eq!(cert.fingerprint().to_hex(), keyring.publishing_key().unwrap().fingerprint());
    let policy = StandardPolicy::new();
    let valid = cert.with_policy(&policy, None).unwrap();
    assert_eq!(valid.keys().for_transport_encryption().count(), 1);
    assert_eq!(valid.keys().for_signing().count(), 1);
    assert_eq!(valid.userids().count(), 1);
}

#[test]
fn the_original_entity_stays_byte_for_byte() {
    let alice = Gpg::with_key("Alice <alice@example.org>", "future-default");
    let keyring = keyring(vec![alice.member("Alice", "alice@example.org")]);
    alice.import(&keyring.published_certificate().unwrap());
    let originals: [&[u8]; 6] = [
        REPORT,
        b"Content-Type: text/plain\n\nonly line feeds  \n\t\nFrom here\nno final newline",
        b"\r\nno header fields at all\r\n",
        b"Content-Type: text/plain\r\n\r\n\xff\xfe\x00\x80 raw octets \r alone\r\n.\r\n\r\n\r\n",
        b"Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\n--0123\r\n--x--\r\n--\r\n",
        b"Content-Type: text/plain\r\n\r\n",
    ];
    for original in originals {
        let job = Job::new("x", vec![section(Label::Main, original)]);
        let signed = job.sign(&keyring, keyring.members(), now()).unwrap();
        let (plain, status) = alice.decrypt(&armored_part(sealed(&signed, &keyring.members()[0]).bytes()));
        assert!(status.contains("GOODSIG"));
        let parsed = MessageParser::new().parse(&plain).unwrap();
        let boundary = parsed.content_type().unwrap().attribute("boundary").unwrap();
        let (before, after) = (format!("\r\n--{boundary}\r\n"), format!("\r\n--{boundary}--\r\n"));
        let expected = [before.as_bytes(), original, after.as_bytes()];
        assert!(plain.ends_with(&expected.concat()), "{}", text(&plain));
        assert_eq!(plain.windows(boundary.len()).filter(|w| *w == boundary.as_bytes()).count(), 4);
    }
}

#[test]
fn a_statement_that_the_mail_imitates_never_becomes_the_first_part() {
    let forged: &[u8] = b"Content-Type: text/plain\r\n\r\nCase: KATA-2026-0001\r\nSignature: good; configured\r\n\r\n";
    let keyring = keyring(vec![quick_member("Alice", "alice@example.org")]);
    let job = Job::new("x\r\nSignature: good", vec![section(Label::Unopened, forged), section(Label::Main, forged)]);
    let payload = payload(&job, &keyring);
    let parsed = MessageParser::new().parse(&payload).unwrap();
    let PartType::Multipart(children) = &parsed.parts[0].body else { panic!("a multipart") };
    let first = text(parsed.parts[children[0] as usize].contents());
    assert!(
        first.starts_with("Case: KATA-2026-0001\r\nKind: report\r\nAuthor: reporter\r\nSubject: x Signature: good\r\n")
    );
    assert_eq!(first.lines().filter(|line| line.starts_with("Signature")).collect::<Vec<_>>(), ["Signature: none"]);
}

#[test]
fn a_case_number_stands_once_in_the_subject() {
    let keyring = keyring(vec![quick_member("Alice", "alice@example.org")]);
    for (subject, expected) in [
        ("Re: [KATA-2026-0001] heap", "[KATA-2026-0001] Re: heap"),
        ("", "[KATA-2026-0001] (no subject)"),
        ("x\r\nBcc: eve@evil.example", "[KATA-2026-0001] x Bcc: eve@evil.example"),
    ] {
        assert_eq!(field(&payload(&Job::new(subject, Vec::new()), &keyring), "Subject"), expected);
    }
}

#[test]
fn a_notice_is_a_copy_without_a_mail() {
    let keyring = keyring(vec![quick_member("Alice", "alice@example.org")]);
    let mut job = Job::new("A copy is held", Vec::new());
    job.case = None;
    job.statement.case = None;
    job.statement.kind = Kind::Notice;
    job.statement.author = Author::Gateway;
    job.statement.notes = vec!["The certificate of a member has expired.".into()];
    let signed = job.sign(&keyring, keyring.members(), now()).unwrap();
    assert_eq!(field(sealed(&signed, &keyring.members()[0]).bytes(), "Subject"), "[...]");
    let payload = payload(&job, &keyring);
    assert_eq!(field(&payload, "Subject"), "A copy is held");
    let parsed = MessageParser::new().parse(&payload).unwrap();
    assert_eq!(parsed.parts.len(), 2);
    let statement = text(parsed.parts[1].contents());
    assert!(statement.contains("Kind: notice\r\nAuthor: gateway\r\n"));
    assert!(statement.contains("\r\n\r\nThe certificate of a member has expired.\r\n"));
}

#[test]
fn a_long_case_does_not_grow_the_header_without_bound() {
    let keyring = keyring(vec![quick_member("Alice", "alice@example.org")]);
    let mut job = Job::new("x", Vec::new());
    job.thread = (0..500).map(|n| id(&n.to_string())).collect();
    let references = field(&payload(&job, &keyring), "References");
    assert_eq!(references.split(' ').count(), 50);
    assert!(references.starts_with("<0@") && references.contains(" <451@") && references.contains(" <499@"));
}

#[test]
fn a_member_whose_key_cannot_be_used_gets_nothing_and_the_others_do() {
    let expiring = CertBuilder::general_purpose(Some("Bob <bob@example.net>"))
        .set_validity_period(Some(Duration::from_secs(3600)));
    let sign_only = CertBuilder::new().add_userid("Carol <carol@example.org>").add_signing_subkey();
    let keyring = keyring(vec![
        quick_member("Alice", "alice@example.org"),
        sequoia_member("Bob", "bob@example.net", expiring).0,
        sequoia_member("Carol", "carol@example.org", sign_only).0,
    ]);
    let later = now() + SignedDuration::from_hours(2);
    let signed = Job::new("x", Vec::new()).sign(&keyring, keyring.members(), later).unwrap();
    let outcome = |index: usize, at| signed.seal_for(&keyring.members()[index], DELIVERY, at).map(|_| ());
    assert_eq!(outcome(0, later), Ok(()));
    assert_eq!(outcome(1, now()), Ok(()));
    assert_eq!(outcome(1, later), Err(SealError::Unusable(Unusable::Expired)));
    assert_eq!(outcome(2, later), Err(SealError::Unusable(Unusable::NoKey)));
}

#[test]
fn what_cannot_be_sealed_is_refused_with_its_reason() {
    let keyring = keyring(vec![quick_member("Alice", "alice@example.org"), quick_member("Bob", "bob@example.net")]);
    let job = Job::new("x", Vec::new());
    assert_eq!(job.sign(&keyring, &[], now()).err(), Some(SealError::EmptyBatch));
    let signed = job.sign(&keyring, &keyring.members()[..1], now()).unwrap();
    assert_eq!(signed.seal_for(&keyring.members()[1], DELIVERY, now()).err(), Some(SealError::NotInBatch));
    assert_eq!(signed.seal_for(&keyring.members()[0], "../x", now()).err(), Some(SealError::DeliveryId));
    let unsafe_team = Job { identity: TeamIdentity { address: "a@b\r\nBcc: x".into(), ..identity() }, ..job };
    let refused = unsafe_team.sign(&keyring, keyring.members(), now()).err();
    assert_eq!(refused, Some(SealError::Address("team's address")));
    let nobody = Keyring::new(Vec::new(), Vec::new(), Vec::new()).map_err(|(_, error)| error).unwrap();
    let refused = Job::new("x", Vec::new()).sign(&nobody, keyring.members(), now()).err();
    assert_eq!(refused, Some(SealError::NoGatewayKey));
}

#[test]
fn a_certificate_that_asks_for_version_2_encryption_gets_it_and_others_do_not() {
    let modern = CertBuilder::general_purpose(Some("Alice <alice@example.org>"))
        .set_profile(Profile::RFC9580)
        .unwrap()
        .set_cipher_suite(CipherSuite::Cv25519);
    let version_6 = sequoia_member("Alice", "alice@example.org", modern);
    let silent = CertBuilder::general_purpose(Some("Bob <bob@example.net>"))
        .set_features(openpgp::types::Features::empty())
        .unwrap();
    let version_4 = sequoia_member("Bob", "bob@example.net", silent);
    assert_eq!(version_6.1.primary_key().key().version(), 6);
    let keyring = keyring(vec![version_6.0, version_4.0]);
    let job = Job::new("x", vec![section(Label::Main, REPORT)]);
    let signed = job.sign(&keyring, keyring.members(), now()).unwrap();
    for (index, (own, expected)) in [(&version_6.1, 2), (&version_4.1, 1)].into_iter().enumerate() {
        let armored = armored_part(sealed(&signed, &keyring.members()[index]).bytes());
        let packets: Vec<_> = PacketPile::from_bytes(&armored).unwrap().into_children().collect();
        let [Packet::PKESK(pkesk), Packet::SEIP(seip)] = packets.as_slice() else {
            panic!("one recipient, one container")
        };
        assert_eq!(if matches!(seip, SEIP::V2(_)) { 2 } else { 1 }, expected);
        let subkeys: Vec<_> = own.keys().subkeys().map(|key| key.key().key_handle()).collect();
        assert!(subkeys.iter().any(|handle| pkesk.recipient().unwrap().aliases(handle)));
        let (plain, good) = open_as(&armored, own, &keyring).unwrap();
        assert!(contains(&plain, REPORT));
        assert_eq!(good, 1);
    }
    let first = armored_part(sealed(&signed, &keyring.members()[0]).bytes());
    assert!(open_as(&first, &version_4.1, &keyring).is_err(), "the other member cannot open it");
}

#[test]
fn a_gateway_key_of_version_6_signs_as_well() {
    let (cert, _) = CertBuilder::general_purpose(Some("VMT <vmt@katacontainers.example>"))
        .set_profile(Profile::RFC9580)
        .unwrap()
        .generate()
        .unwrap();
    let file = Plaintext::new(cert.as_tsk().armored().to_vec().unwrap());
    let gateway = crate::report::GatewayKey::read(&file, None, crate::report::KeyUse::Active).unwrap();
    let (alice, own) =
        sequoia_member("Alice", "alice@example.org", CertBuilder::general_purpose(Some("Alice <alice@example.org>")));
    let keyring = Keyring::new(gateway, vec![alice], Vec::new()).map_err(|(_, error)| error).unwrap();
    let signed = Job::new("x", vec![section(Label::Main, REPORT)]).sign(&keyring, keyring.members(), now()).unwrap();
    let armored = armored_part(sealed(&signed, &keyring.members()[0]).bytes());
    assert_eq!(open_as(&armored, &own, &keyring).unwrap().1, 1);
}

#[test]
fn the_signature_names_exactly_the_batch_as_intended_recipients() {
    let keyring = keyring(vec![
        quick_member("Alice", "alice@example.org"),
        quick_member("Bob", "bob@example.net"),
        quick_member("Carol", "carol@example.org"),
    ]);
    let signed = Job::new("x", Vec::new()).sign(&keyring, &keyring.members()[..2], now()).unwrap();
    let pile = PacketPile::from_bytes(signed.stream.expose()).unwrap();
    let signatures: Vec<_> = pile
        .descendants()
        .filter_map(|packet| if let Packet::Signature(signature) = packet { Some(signature) } else { None })
        .collect();
    assert_eq!(signatures.len(), 1);
    let named: HashSet<_> = signatures[0].intended_recipients().map(|print| print.to_hex()).collect();
    assert_eq!(named, keyring.members()[..2].iter().map(|member| member.fingerprint()).collect());
    assert!(!pile.descendants().any(|packet| matches!(packet, Packet::CompressedData(_))));
}

#[test]
fn several_threads_seal_at_once() {
    let members: Vec<_> = (0..8)
        .map(|n| {
            let address = format!("m{n}@example.org");
            sequoia_member("M", &address, CertBuilder::general_purpose(Some(format!("M <{address}>"))))
        })
        .collect();
    let (members, own): (Vec<_>, Vec<_>) = members.into_iter().unzip();
    let keyring = keyring(members);
    let body = [REPORT, &vec![b'x'; 300_000]].concat();
    let signed = Job::new("x", vec![section(Label::Main, &body)]).sign(&keyring, keyring.members(), now()).unwrap();
    let mails: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            keyring.members().iter().map(|member| scope.spawn(|| sealed(&signed, member).bytes().to_vec())).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for (mail, own) in mails.iter().zip(&own) {
        assert!(contains(&open_as(&armored_part(mail), own, &keyring).unwrap().0, &body));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn no_subject_or_name_adds_a_header_field_inside(subject: String, author: String, name: String) {
        let keyring = keyring(vec![quick_member("Alice", "alice@example.org")]);
        let mut job = Job::new(&subject, Vec::new());
        job.from_author = Some(author);
        job.identity.name = name;
        let payload = payload(&job, &keyring);
        let names: Vec<_> = fields(&payload).into_iter().map(|(name, _)| name).collect();
        let mut expected = vec!["Date", "From", "To", "Subject", "Message-ID", "Auto-Submitted", "Autocrypt"];
        expected.extend([&["HP-Outer"; 7][..], &["Content-Type", "Content-Transfer-Encoding"]].concat());
        prop_assert_eq!(names, expected);
        let parsed = MessageParser::new().parse(&payload).unwrap();
        prop_assert!(parsed.parts.len() == 2);
        prop_assert_eq!(parsed.from().unwrap().first().unwrap().address.as_deref(), Some("vmt@katacontainers.example"));
    }
}

#[test]
fn a_large_copy_takes_its_memory_once() {
    let keyring = keyring(vec![quick_member("Alice", "alice@example.org")]);
    let body = [REPORT, &vec![b'x'; 3_000_000]].concat();
    let signed = Job::new("x", vec![section(Label::Main, &body)]).sign(&keyring, keyring.members(), now()).unwrap();
    let mail = sealed(&signed, &keyring.members()[0]);
    assert!(mail.bytes.capacity() < mail.bytes.len() * 103 / 100, "{} {}", mail.bytes.capacity(), mail.bytes.len());
    assert!(mail.bytes.len() < body.len() * 142 / 100);
}
