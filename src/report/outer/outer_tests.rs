use super::*;
use crate::report::keys_fixture_tests::*;
use crate::report::vault::StoreKey;

fn read(header: &str, body: &str) -> Outer {
    read_with(header, body, &Rules::new(TEAM, "KATA"))
}

fn read_with(header: &str, body: &str, rules: &Rules) -> Outer {
    Outer::read(&mail(header, body), &keyring(&[]), rules)
}

const EVE: &str = "From: Eve <eve@example.net>\nTo: vmt@example.org\nSubject: heap overflow";

fn with(line: &str) -> Outer {
    read(&format!("{EVE}\n{line}"), "text")
}

#[test]
fn a_person_s_mail_has_one_sender_and_no_mark_of_a_machine() {
    let outer = read(&format!("{EVE}\nMessage-ID: <a@b>\nReturn-Path: <eve@example.net>"), "text");
    let sender = outer.sender.one().unwrap();
    assert_eq!((sender.address(), sender.name()), ("eve@example.net", Some("Eve")));
    assert_eq!(outer.message_id.as_deref(), Some("a@b"));
    assert_eq!((outer.nature, outer.list, outer.encrypted), (Nature::Personal, false, false));
    assert!(outer.certificates.is_empty());
}

#[test]
fn several_senders_or_none_are_no_contact() {
    let several = ["From: a@x.org, b@x.org", "From: a@x.org\nFrom: a@x.org", "From: G: a@x.org, b@x.org;"];
    for from in several {
        assert!(matches!(read(from, "").sender, Sender::Several(_)), "{from}");
    }
    for none in ["Subject: x", "From:", "From: <>", "Sender: a@x.org"] {
        assert!(matches!(read(none, "").sender, Sender::None), "{none}");
    }
}

#[test]
fn every_mark_of_a_machine_is_seen() {
    let automatic = [
        "Auto-Submitted: auto-replied",
        "auto-submitted:  AUTO-GENERATED (by cron); owner-email=\"a@b\"",
        "Autosubmitted: auto-notified",
        "X-Autoreply: yes",
        "X-Autorespond: vacation",
        "X-Vacation: 1",
        "Precedence: auto_reply",
        "TLS-Report-Domain: example.org",
        "Content-Type: multipart/report; report-type=disposition-notification; boundary=x",
        "Content-Type: multipart/report; report-type=\"tlsrpt\"; boundary=x",
        "Content-Type: multipart/report; report-type=feedback-report; boundary=x",
    ];
    for line in automatic {
        assert_eq!(with(line).nature, Nature::Automatic, "{line}");
    }
    let bounces = [
        "Return-Path: <>",
        "Return-Path:\t< >",
        "X-Failed-Recipients: alice@example.org",
        "Content-Type: multipart/report; report-type=delivery-status; boundary=x",
        "Content-Type: multipart/report; boundary=x;\n Report-Type=\"Delivery-Status\"",
    ];
    for line in bounces {
        assert_eq!(with(line).nature, Nature::Bounce, "{line}");
    }
    assert_eq!(read("From: MAILER-DAEMON@mx.example.org", "").nature, Nature::Bounce);
    assert_eq!(read("From: postmaster@x.org\nSubject: Undeliverable: hello", "").nature, Nature::Bounce);
    let lists = [
        "List-Id: <l.example.org>",
        "List-Post: <mailto:l@example.org>",
        "List-Unsubscribe: <mailto:l@example.org>",
        "Precedence: bulk",
        "Precedence: List",
        "precedence: junk",
        "Mailing-List: contact l@example.org",
    ];
    for line in lists {
        let outer = with(line);
        assert!(outer.list && outer.nature == Nature::Personal, "{line}");
    }
}

#[test]
fn what_only_looks_like_a_machine_s_mark_is_a_person_s_mail() {
    let personal = [
        "Auto-Submitted: no",
        "Auto-Submitted: NO (really)",
        "Precedence: first-class",
        "X-Auto-Response-Suppress: None",
        "Return-Path: <eve@example.net>\nReturn-Path: <>",
        "Content-Type: multipart/mixed; report-type=delivery-status; boundary=x",
        "X-Autoreply: no",
    ];
    for line in personal {
        let outer = with(line);
        assert_eq!((outer.nature, outer.list, outer.wants_no_answer), (Nature::Personal, false, false), "{line}");
    }
    assert_eq!(read("From: postmaster@x.org\nSubject: a hole in your server", "").nature, Nature::Personal);
    // Exchange adds this to people's mail too: a report, but not one to answer.
    let outer = with("X-Auto-Response-Suppress: DR, OOF, AutoReply");
    assert_eq!((outer.nature, outer.wants_no_answer), (Nature::Personal, true));
    assert!(with("X-Auto-Response-Suppress: All").wants_no_answer);
}

#[test]
fn a_bounce_names_the_mail_that_it_returns() {
    let body = "--x\nContent-Type: text/plain\n\nfailed\n--x\nContent-Type: message/delivery-status\n\nAction: failed\n--x\n\
                Content-Type: text/rfc822-headers\n\nMessage-ID: <ours@example.org>\nSubject: s\n--x--\n";
    let outer = with("Content-Type: multipart/report; report-type=delivery-status; boundary=x");
    assert!(outer.references.is_empty());
    let header = format!("{EVE}\nContent-Type: multipart/report; report-type=delivery-status; boundary=\"x\"");
    assert_eq!(read(&header, body).references, ["ours@example.org"]);
    // Nobody joins a case by attaching a mail of ours to something that is no bounce.
    let header = format!("{EVE}\nContent-Type: multipart/mixed; boundary=x");
    assert!(read(&header, body).references.is_empty());
}

#[test]
fn references_are_read_folded_once_each_and_only_in_a_safe_form() {
    let outer = with("In-Reply-To: <a@b>\nReferences: <a@b>\n\t<c@d> (comment) <e f@g> <h@\u{fc}> <i@j>");
    assert_eq!(outer.references, ["a@b", "c@d", "i@j"]);
    let many: String = (0..5_000).map(|n| format!("<{n}@x>\n ")).collect();
    assert_eq!(with(&format!("References: {many}")).references.len(), 100);
    assert_eq!(with("Message-ID: no-brackets@example.org").message_id.as_deref(), Some("no-brackets@example.org"));
    assert_eq!(with(&format!("Message-ID: <{}@x>", "a".repeat(2_000))).message_id, None);
}

fn dmarc_of(lines: &str) -> Option<Dmarc> {
    let mut rules = Rules::new(TEAM, "KATA");
    rules.authserv_id = Some("mx.example.org".into());
    read_with(&format!("{lines}\n{EVE}"), "text", &rules).dmarc
}

#[test]
fn only_the_topmost_result_of_the_team_s_own_server_counts() {
    let table = [
        ("Authentication-Results: mx.example.org; dmarc=pass header.from=example.net", Dmarc::Pass),
        ("Authentication-Results: MX.example.ORG 1;\n spf=pass smtp.mailfrom=a@b; DMARC = Pass (p=none)", Dmarc::Pass),
        ("Authentication-Results: (a; dmarc=fail) mx.example.org (b (c)); dmarc/1 (d) = pass", Dmarc::Pass),
        ("Authentication-Results: \"mx.example.org\"; dmarc=\"pass\"", Dmarc::Pass),
        ("Authentication-Results: mx.example.org; dmarc=fail reason=\"dmarc=pass\"", Dmarc::Fail),
        ("Authentication-Results: mx.example.org; dmarc=none", Dmarc::Other),
        ("Authentication-Results: mx.example.org; none", Dmarc::Other),
        ("Authentication-Results: mx.example.org; spf=pass reason=\"; dmarc=pass\"", Dmarc::Other),
        ("Authentication-Results: mx.example.org; spf=pass (; dmarc=pass)", Dmarc::Other),
        ("Authentication-Results: mx.example.org; x-dmarc=pass", Dmarc::Other),
        ("Authentication-Results: mx.example.org; dmarc=pass; dmarc=fail", Dmarc::Other),
        ("Authentication-Results: mx.example.org; dmarc=pass (never ends", Dmarc::Other),
        ("Authentication-Results: mx.example.org.evil.net; dmarc=pass", Dmarc::Other),
        ("Authentication-Results: evil.net; dmarc=pass mx.example.org; dmarc=pass", Dmarc::Other),
        (
            "Authentication-Results: mx.example.org; dmarc=fail\nAuthentication-Results: mx.example.org; dmarc=pass",
            Dmarc::Fail,
        ),
        (
            "Authentication-Results: other.net; dmarc=fail\nAuthentication-Results: mx.example.org; dmarc=pass",
            Dmarc::Pass,
        ),
        ("Received: x", Dmarc::Other),
    ];
    for (lines, expected) in table {
        assert_eq!(dmarc_of(lines), Some(expected), "{lines}");
    }
    assert_eq!(with("Authentication-Results: mx.example.org; dmarc=pass").dmarc, None, "nobody is believed by default");
}

fn encrypted_mail(armor: &str) -> (String, String) {
    let header =
        format!("{EVE}\nContent-Type: multipart/encrypted; protocol=\"application/pgp-encrypted\"; boundary=b");
    let body = format!(
        "--b\nContent-Type: application/pgp-encrypted\n\nVersion: 1\n\n--b\nContent-Type: application/octet-stream\n\n{armor}\n--b--\n"
    );
    (header, body)
}

#[test]
fn an_encrypted_message_is_found_in_every_shape_and_its_recipients_are_named() {
    let keyring = keyring(&[]);
    let rules = Rules::new(TEAM, "KATA");
    let (ours, other) = (keyring.gateway[0].cert.clone(), cert("Other <other@example.net>"));
    for (cert, expected) in [(&ours, Recipients::Ours), (&other, Recipients::Others)] {
        let armor = message_to(cert, "secret");
        let mut shapes = vec![
            encrypted_mail(&armor),
            (EVE.to_owned(), armor.clone()),
            (
                EVE.to_owned(),
                format!("hello\n\n{}", armor.replace('\n', "\n> ").replacen("-----BEGIN", "> -----BEGIN", 1)),
            ),
        ];
        let (inner_header, inner_body) = encrypted_mail(&armor);
        let forwarded =
            format!("--c\n\nsee below\n--c\nContent-Type: message/rfc822\n\n{inner_header}\n\n{inner_body}\n--c--");
        shapes.push((format!("{EVE}\nContent-Type: multipart/mixed; boundary=c"), forwarded));
        let binary = crate::report::wrap::encrypt_to_cert(cert, &Plaintext::from_text("x")).unwrap();
        let base64 = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, binary);
        shapes.push((
            format!("{EVE}\nContent-Type: multipart/mixed; boundary=b"),
            format!("--b\n\ntext\n--b\nContent-Type: application/octet-stream; name=a.gpg\nContent-Transfer-Encoding: base64\n\n{base64}\n--b--"),
        ));
        for (header, body) in shapes {
            let outer = Outer::read(&mail(&header, &body), &keyring, &rules);
            assert!(outer.encrypted, "{body}");
            assert_eq!(outer.recipient_keys, expected, "{body}");
        }
    }
}

#[test]
fn a_message_that_is_only_signed_is_not_encrypted() {
    use sequoia_openpgp::parse::Parse;
    use sequoia_openpgp::serialize::stream::{LiteralWriter, Message, Signer};
    let key = crate::report::generate_key("Eve <eve@example.net>", None, None).unwrap();
    let cert = sequoia_openpgp::Cert::from_bytes(&*key.secret).unwrap();
    let policy = sequoia_openpgp::policy::StandardPolicy::new();
    let pair = cert.keys().with_policy(&policy, None).for_signing().secret().next().unwrap().key().clone();
    let mut sink = Vec::new();
    let message = sequoia_openpgp::serialize::stream::Armorer::new(Message::new(&mut sink)).build().unwrap();
    let message = Signer::new(message, pair.into_keypair().unwrap()).unwrap().build().unwrap();
    let mut message = LiteralWriter::new(message).build().unwrap();
    std::io::Write::write_all(&mut message, b"in clear").unwrap();
    message.finalize().unwrap();
    let armor = String::from_utf8(sink).unwrap();
    assert!(armor.contains("BEGIN PGP MESSAGE"));
    let outer = read(EVE, &armor);
    assert_eq!((outer.encrypted, outer.recipient_keys), (false, Recipients::Unknown));
    let nonsense = "-----BEGIN PGP MESSAGE-----\n\nnot base64 at all\n-----END PGP MESSAGE-----\n";
    assert!(!read(EVE, nonsense).encrypted);
}

#[test]
fn announced_encryption_without_data_counts_as_encrypted() {
    let (header, body) = encrypted_mail("nothing");
    let outer = read(&header, &body);
    assert_eq!((outer.encrypted, outer.recipient_keys), (true, Recipients::Unknown));
}

#[test]
fn certificates_in_clear_are_found_within_bounds_and_without_secrets() {
    let eve = cert("Eve <eve@example.net>");
    let part = |armor: &str| format!("--b\nContent-Type: application/pgp-keys; name=key.asc\n\n{armor}\n");
    let header = format!("{EVE}\nContent-Type: multipart/mixed; boundary=b");
    let outer = read(&header, &format!("--b\n\ntext\n{}--b--\n", part(&armored(&eve))));
    assert_eq!(outer.certificates.len(), 1);
    assert_eq!(outer.certificates[0].cert.fingerprint(), eve.fingerprint());
    assert_eq!(outer.certificates[0].place, Place::AttachedInClear);
    let many: String = (0..30).map(|_| part(&armored(&eve))).collect();
    assert_eq!(read(&header, &format!("{many}--b--")).certificates.len(), 10);
    let secret = crate::report::generate_key("Eve <eve@example.net>", None, None).unwrap();
    let secret = String::from_utf8(secret.secret.to_vec()).unwrap().replace("PRIVATE KEY", "PUBLIC KEY");
    assert!(read(&header, &format!("{}--b--", part(&secret))).certificates.iter().all(|e| !e.cert.is_tsk()));
}

#[test]
fn an_autocrypt_field_counts_only_for_its_sender_and_alone() {
    let field = |address: &str| {
        let eve = cert(&format!("<{address}>"));
        let data = sequoia_openpgp::serialize::SerializeInto::to_vec(&eve).unwrap();
        let base64 = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, data);
        let folded: Vec<_> = base64.as_bytes().chunks(70).map(|c| String::from_utf8(c.to_vec()).unwrap()).collect();
        format!("Autocrypt: addr={address}; prefer-encrypt=mutual;\n\tkeydata={}", folded.join("\n\t"))
    };
    let outer = with(&field("eve@example.net"));
    assert_eq!(outer.certificates.len(), 1);
    assert_eq!(outer.certificates[0].place, Place::AutocryptInClear);
    assert!(with(&field("mallory@example.net")).certificates.is_empty());
    let two = format!("{}\n{}", field("eve@example.net"), field("eve@example.net"));
    assert!(with(&two).certificates.is_empty());
}

#[test]
fn the_same_mail_on_another_way_has_the_same_digest_and_a_changed_one_has_not() {
    let vault = Vault::new(&StoreKey::generate().unwrap()).unwrap();
    let digest = |header: &str, body: &str| read(header, body).content_digest(&vault);
    let plain = format!("{EVE}\nMessage-ID: <a@b>");
    let traced = format!(
        "Return-Path: <eve@example.net>\nDelivered-To: x\nReceived: from a\n by b\nAuthentication-Results: mx; dmarc=pass\n\
         ARC-Seal: i=1\nDKIM-Signature: v=1\nX-Spam-Score: 1\n{plain}"
    );
    assert_eq!(digest(&plain, "text"), digest(&traced, "text\n"));
    let unix = Plaintext::from_text(&format!("From eve Thu Jan  1\n{plain}\n\ntext"));
    let unix = Outer::read(&unix, &keyring(&[]), &Rules::new(TEAM, "KATA")).content_digest(&vault);
    assert_eq!(digest(&plain, "text"), unix);
    assert_ne!(digest(&plain, "text"), digest(&plain, "text."));
    assert_ne!(digest(&plain, "text"), digest(&plain.replace("heap", "stack"), "text"));
    assert_ne!(digest(&plain, "text"), digest(&plain.replace("a@b", "b@a"), "text"));
}

#[test]
fn hostile_structure_is_read_within_bounds() {
    let keyring = keyring(&[]);
    let rules = Rules::new(TEAM, "KATA");
    let nested = "Content-Type: message/rfc822\r\n\r\n".repeat(200_000);
    let digests = "Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\n".repeat(100_000);
    let multiparts = "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n".repeat(100_000);
    let fields = "X: y\r\n".repeat(500_000);
    let parts = format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n{}", "--b\r\n\r\n".repeat(300_000));
    let colons = format!("From: {}", "a@b,".repeat(60_000));
    let armor = format!("From: a@b\r\n\r\n{}", "-----BEGIN PGP MESSAGE-----\r\n\r\n".repeat(20_000));
    for hostile in [nested, digests, multiparts, fields, parts, colons, armor] {
        let start = std::time::Instant::now();
        let outer = Outer::read(&Plaintext::from_text(&hostile), &keyring, &rules);
        assert!(!outer.is_list());
        assert!(start.elapsed().as_secs() < 20, "{:?} for {}…", start.elapsed(), &hostile[..40]);
    }
    for empty in ["", "\r\n", ":", " : \r\n", "\u{0}\u{0}", "From"] {
        let outer = Outer::read(&Plaintext::from_text(empty), &keyring, &rules);
        assert!(matches!(outer.sender, Sender::None), "{empty:?}");
    }
}

#[test]
fn only_plain_addresses_are_answered() {
    for fine in ["eve@example.net", "e.v+e=x_1@sub.example.net", "a@b"] {
        assert!(ids::is_plain_address(fine), "{fine}");
    }
    let long = format!("{}@example.net", "a".repeat(65));
    for bad in [
        "eve",
        "@x",
        "a@",
        "-oQ/tmp@x.org",
        "a b@x",
        "\"a b\"@x",
        "a@b@c d",
        "a@[1.2.3.4]",
        "a@x..org",
        "\u{e9}@x.org",
        "a,b@x.org",
        &long,
    ] {
        assert!(!ids::is_plain_address(bad), "{bad}");
    }
}
