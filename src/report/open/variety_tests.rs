//! Character sets, names, encodings and files as the mail programs of the world send them: the right text reaches its readers.

use super::fixture_tests::*;
use super::*;

fn to_gateway<'a>() -> Making<'a> {
    Making { to: vec![&world().gateway], signer: Some(&world().bob), ..Making::default() }
}

fn clear(content: &[u8]) -> Opened {
    opened(&mail("bob@reporters.example", "x", content))
}

fn base64(data: &[u8]) -> String {
    base64::Engine::encode(&base64::engine::general_purpose::STANDARD, data)
}

/// The same words in the character sets that people still write in.
const WORLD: &[(&str, &[u8], &str)] = &[
    ("iso-2022-jp", b"\x1b$B%F%9%H\x1b(B", "\u{30c6}\u{30b9}\u{30c8}"),
    ("Shift_JIS", b"\x83e\x83X\x83g", "\u{30c6}\u{30b9}\u{30c8}"),
    ("euc-jp", b"\xa5\xc6\xa5\xb9\xa5\xc8", "\u{30c6}\u{30b9}\u{30c8}"),
    ("EUC-KR", b"\xc5\xd7\xbd\xba\xc6\xae", "\u{d14c}\u{c2a4}\u{d2b8}"),
    ("ks_c_5601-1987", b"\xc5\xd7\xbd\xba\xc6\xae", "\u{d14c}\u{c2a4}\u{d2b8}"),
    ("gb2312", b"\xb2\xe2\xca\xd4", "\u{6d4b}\u{8bd5}"),
    ("GB18030", b"\xb2\xe2\xca\xd4\x817\xa76", "\u{6d4b}\u{8bd5}\u{2634}"),
    ("big5", b"\xb4\xfa\xb8\xd5", "\u{6e2c}\u{8a66}"),
    ("koi8-r", b"\xf4\xc5\xd3\xd4", "\u{422}\u{435}\u{441}\u{442}"),
    ("windows-1250", b"\x8auma", "\u{160}uma"),
    ("windows-1251", b"\xd2\xe5\xf1\xf2", "\u{422}\u{435}\u{441}\u{442}"),
    ("windows-1252", b"\x93Stra\xdfe\x94 5 \x80", "\u{201c}Stra\u{df}e\u{201d} 5 \u{20ac}"),
    ("windows-1253", b"\xe4\xef\xea\xe9\xec\xde", "\u{3b4}\u{3bf}\u{3ba}\u{3b9}\u{3bc}\u{3ae}"),
    ("windows-1255", b"\xf9\xec\xe5\xed", "\u{5e9}\u{5dc}\u{5d5}\u{5dd}"),
    ("windows-1256", b"\xe3\xd1\xcd\xc8\xc7", "\u{645}\u{631}\u{62d}\u{628}\u{627}"),
    ("iso-8859-1", b"Gr\xfc\xdfe", "Gr\u{fc}\u{df}e"),
    ("iso-8859-2", b"\xb9koda", "\u{161}koda"),
    ("iso-8859-15", b"5 \xa4", "5 \u{20ac}"),
    ("tis-620", b"\xb7\xb4\xca\xcd\xba", "\u{e17}\u{e14}\u{e2a}\u{e2d}\u{e1a}"),
    ("utf-7", b"Gr+APwA3w-e", "Gr\u{fc}\u{df}e"),
    ("utf-16le", b"G\0r\0\xfc\0", "Gr\u{fc}"),
    ("utf-16be", b"\0G\0r\0\xfc", "Gr\u{fc}"),
    ("utf-16", b"\xff\xfeG\0r\0\xfc\0", "Gr\u{fc}"),
    ("utf-8", b"\xef\xbb\xbfGr\xc3\xbc", "Gr\u{fc}"),
];

#[test]
fn text_in_every_character_set_is_read_in_clear_and_encrypted() {
    for (charset, bytes, words) in WORLD {
        let entity = format!(
            "Content-Type: text/plain; charset={charset}\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n",
            base64(bytes)
        );
        let encrypted = pgp_mime(&to_gateway().armored(entity.as_bytes()));
        for content in [entity.as_bytes(), &encrypted] {
            let opened = clear(content);
            assert_eq!(opened.shown_text(), *words, "{charset}");
            assert!(!opened.warns(Warning::BadEncoding), "{charset}");
        }
    }
}

#[test]
fn text_that_names_no_character_set_or_a_wrong_one_is_read_as_well_as_it_can_be() {
    let table: &[(&str, &[u8], &str, bool)] = &[
        ("", "Gr\u{fc}\u{df}e".as_bytes(), "Gr\u{fc}\u{df}e", false),
        ("", b"Gr\xfc\xdfe", "Gr\u{fc}\u{df}e", true),
        ("; charset=us-ascii", b"Gr\xfc\xdfe", "Gr\u{fc}\u{df}e", true),
        ("; charset=utf-8", b"Gr\xfc\xdfe", "Gr\u{fc}\u{df}e", true),
        ("; charset=unknown-8bit", b"Gr\xfc\xdfe", "Gr\u{fc}\u{df}e", true),
        ("; charset=x-no-such-set", "\u{30c6}".as_bytes(), "\u{30c6}", false),
        ("", b"\x1b$B%F%9%H\x1b(B", "\u{30c6}\u{30b9}\u{30c8}", false),
        // One octet was damaged: the rest stays what it is.
        ("; charset=utf-8", b"Gr\xc3\xbc\xff", "Gr\u{fc}\u{fffd}", true),
    ];
    for (parameter, bytes, words, warned) in table {
        let content = [format!("Content-Type: text/plain{parameter}\r\n\r\n").as_bytes(), bytes].concat();
        let opened = clear(&content);
        assert_eq!(opened.shown_text(), *words, "{parameter} {bytes:?}");
        assert_eq!(opened.warns(Warning::BadEncoding), *warned, "{parameter} {bytes:?}");
    }
}

#[test]
fn bare_encrypted_text_in_another_character_set_reaches_members_labelled_with_it() {
    let table: &[(&[u8], &str, &str)] = &[
        (b"\xff\xfeG\0r\0\xfc\0", "utf-16", "Gr\u{fc}"),
        (b"Gr\xfc\xdfe from an old program", "windows-1252", "Gr\u{fc}\u{df}e from an old program"),
        (b"\x1b$B%F%9%H\x1b(B", "iso-2022-jp", "\u{30c6}\u{30b9}\u{30c8}"),
    ];
    for (bytes, charset, words) in table {
        let armored = to_gateway().armored(bytes);
        let inline = [b"Content-Type: text/plain; charset=utf-8\r\n\r\n".as_slice(), &armored].concat();
        let octets =
            [b"Content-Type: application/octet-stream; name=\"msg.asc\"\r\n\r\n".as_slice(), &armored].concat();
        for content in [inline, octets, pgp_mime(&armored)] {
            let opened = clear(&content);
            assert_eq!(opened.shown_text(), *words, "{charset}");
            let main = opened.sections[0].entity.expose();
            assert!(main.starts_with(format!("Content-Type: text/plain; charset={charset}\r\n").as_bytes()));
            assert!(main.ends_with(bytes), "{charset}: byte for byte");
        }
    }
}

#[test]
fn subjects_and_names_are_read_however_they_are_encoded() {
    let subjects = [
        // Cut in the middle of a character: RFC 2047 forbids it, programs do it.
        ("=?utf-8?B?R3LD?= =?utf-8?B?vMOfZQ==?=", "Gr\u{fc}\u{df}e"),
        ("=?iso-2022-jp?B?GyRCJUYlOSVIGyhC?=", "\u{30c6}\u{30b9}\u{30c8}"),
        ("=?gb18030?Q?=B2=E2=CA=D4?=", "\u{6d4b}\u{8bd5}"),
        ("=?UTF-8?Q?a_b?=\r\n =?UTF-8?Q?c?=", "a bc"),
    ];
    for (subject, expected) in subjects {
        let opened = opened(&mail("bob@reporters.example", subject, b"Content-Type: text/plain\r\n\r\nx\r\n"));
        assert_eq!(opened.shown_subject(), expected, "{subject}");
    }
    let names = [
        ("filename*=utf-8''Gr%C3%BC%C3%9Fe.txt", "Gr\u{fc}\u{df}e.txt"),
        ("filename*0*=utf-8''Gr%C3%BC;\r\n filename*1=\"sse\";\r\n filename*2=.txt", "Gr\u{fc}sse.txt"),
        ("filename=\"=?iso-8859-1?Q?Gr=FC=DFe.txt?=\"", "Gr\u{fc}\u{df}e.txt"),
        ("filename=\"../../etc/cron.d/x\"", "x"),
        ("filename=\"exe.\u{202e}txt.poc\"", "exe.txt.poc"),
        ("filename=\"C:\\\\Users\\\\me\\\\poc.zip\"", "poc.zip"),
    ];
    for (parameter, expected) in names {
        let content = format!(
            "Content-Type: application/zip\r\nContent-Disposition: attachment;\r\n {parameter}\r\n\
             Content-Transfer-Encoding: base64\r\n\r\nUEsDBA==\r\n"
        );
        let opened = clear(content.as_bytes());
        assert_eq!(opened.parts[0].name.as_deref(), Some(expected), "{parameter}");
    }
}

#[test]
fn the_display_of_header_fields_for_old_programs_is_taken_off_html_as_well() {
    let payload = "Subject: Dinner\r\nContent-Type: text/html; hp=\"cipher\"; hp-legacy-display=\"1\"\r\n\r\n\
        <html><body><div class=\"header-protection-legacy-display\"><pre>Subject: Dinner</pre></div><p>At eight.</p></body></html>\r\n";
    let opened = clear(&pgp_mime(&to_gateway().armored(payload.as_bytes())));
    assert_eq!((opened.shown_subject().as_str(), opened.shown_text().trim()), ("Dinner", "At eight."));
    assert!(opened.section(Label::Main).contains("Subject: Dinner</pre>"), "the entity stays as it came");
}

#[test]
fn a_signature_file_beside_a_file_is_checked_and_says_nothing_about_the_mail() {
    let world = world();
    let gpg = Gpg::new(&[&world.bob, &world.alice]);
    let file: &[u8] = b"line\nline \r\n\x00\xffbinary";
    for armor in [true, false] {
        let arguments: &[&str] = if armor {
            &["--armor", "--detach-sign", "-u", "alice@kata.example"]
        } else {
            &["--detach-sign", "-u", "alice@kata.example"]
        };
        let signature = gpg.run(arguments, file);
        let suffix = if armor { "asc" } else { "sig" };
        let with = |content: &[u8]| {
            let payload = format!(
                "Content-Type: multipart/mixed; boundary=f\r\n\r\n--f\r\nContent-Type: application/zip; name=\"poc.zip\"\r\n\
                 Content-Transfer-Encoding: base64\r\n\r\n{}\r\n--f\r\nContent-Type: application/octet-stream; name=\"poc.zip.{suffix}\"\r\n\
                 Content-Transfer-Encoding: base64\r\n\r\n{}\r\n--f--\r\n",
                base64(content),
                base64(&signature)
            );
            let making = Making { to: vec![&world.gateway], ..Making::default() };
            clear(&pgp_mime(&making.armored(payload.as_bytes())))
        };
        let good = with(file);
        assert_eq!(good.statuses(), [SignatureStatus::Partial]);
        assert!(!good.signatures[0].whole, "a member's signed release, sent on by a stranger, is no member's mail");
        assert_eq!(good.signatures[0].member.as_deref(), Some("alice@kata.example"));
        assert_eq!(good.parts.len(), 2, "both files are listed");
        assert_eq!(with(b"another file").statuses(), [SignatureStatus::Bad]);
    }
}

#[test]
fn a_key_a_bit_short_of_2048_bits_is_sound_and_one_of_1024_bits_is_weak() {
    // Some programs of 2013 made keys with a modulus of 2047 bits.
    let gpg = Gpg::new(&[]);
    gpg.run(&["--passphrase", "", "--quick-generate-key", "old@reporters.example", "rsa1024", "default", "never"], b"");
    let cert = gpg.run(&["--export", "old@reporters.example"], b"");
    let content = "Content-Type: text/plain\r\n\r\nwords\r\n";
    let signature = String::from_utf8(gpg.run(&["--armor", "--detach-sign"], content.as_bytes())).unwrap();
    let signed = format!(
        "Content-Type: multipart/signed; protocol=\"application/pgp-signature\"; boundary=s\r\n\r\n--s\r\n{content}\r\n--s\r\n\
         Content-Type: application/pgp-signature\r\n\r\n{signature}\r\n--s--\r\n"
    );
    let known = crate::report::KnownCertificate::read(&cert).unwrap();
    let key = gateway_key(&world().gateway, crate::report::KeyUse::Active);
    let ring = Keyring::new(vec![key], vec![], known).ok().unwrap();
    let opened = open_with(&ring, &Limits::default(), &mail("old@reporters.example", "x", signed.as_bytes()));
    assert_eq!(opened.statuses(), [SignatureStatus::Weak]);
}

#[test]
fn what_is_no_openpgp_is_shown_as_it_came() {
    let uuencoded = "begin 644 poc.c\r\n#0V%T\r\n`\r\nend\r\n";
    let yenc = "=ybegin line=128 size=3 name=poc.bin\r\nm\u{7f}\u{9e}\r\n=yend size=3\r\n";
    for body in [uuencoded, yenc] {
        let opened = clear(format!("Content-Type: text/plain; charset=utf-8\r\n\r\n{body}").as_bytes());
        assert_eq!(opened.refusal, None);
        assert!(opened.section(Label::Main).ends_with(body));
    }
    let tnef = format!(
        "Content-Type: application/ms-tnef; name=\"winmail.dat\"\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n",
        base64(b"\x78\x9f\x3e\x22\x01\x00")
    );
    let opened = clear(tnef.as_bytes());
    assert_eq!(opened.parts[0].name.as_deref(), Some("winmail.dat"));
    assert!(opened.section(Label::Main).contains("application/ms-tnef"));
}

#[test]
fn version_6_certificates_and_each_mode_of_version_2_encryption_are_opened() {
    use openpgp::cert::CertBuilder;
    use openpgp::serialize::stream::{Armorer, Encryptor, LiteralWriter, Message, Recipient};
    use openpgp::types::{AEADAlgorithm, Features};
    use sequoia_openpgp as openpgp;
    use std::io::Write;
    let builder =
        CertBuilder::general_purpose(Some(format!("<{TEAM}>"))).set_profile(openpgp::Profile::RFC9580).unwrap();
    let v6 = builder.generate().unwrap().0;
    assert_eq!(v6.primary_key().key().version(), 6);
    let ring = Keyring::new(vec![gateway_key(&v6, crate::report::KeyUse::Active)], vec![], vec![]).ok().unwrap();
    for mode in [AEADAlgorithm::OCB, AEADAlgorithm::GCM] {
        let mut armored = Vec::new();
        let keys: Vec<_> = v6.keys().filter(|key| key.key().pk_algo().for_encryption()).collect();
        let features = Some(Features::empty().set_seipdv2());
        let recipients = keys.iter().map(|key| Recipient::new(features.clone(), key.key().key_handle(), key.key()));
        let message = Armorer::new(Message::new(&mut armored)).build().unwrap();
        let message = Encryptor::for_recipients(message, recipients).aead_algo(mode).build().unwrap();
        let mut message = LiteralWriter::new(message).build().unwrap();
        message.write_all(REPORT).unwrap();
        message.finalize().unwrap();
        let opened = open_with(&ring, &Limits::default(), &mail("bob@reporters.example", "...", &pgp_mime(&armored)));
        assert_eq!((opened.refusal, opened.section(Label::Main).as_bytes()), (None, REPORT), "{mode:?}");
    }
}
