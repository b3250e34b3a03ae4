//! Any bytes at all: opening never panics, stays within its bounds, and shows nothing that was not in the mail.

use super::fixture_tests::*;
use super::*;
use proptest::prelude::*;

/// Lines that mean something to a parser of mail, and some that mean nothing.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let known: Vec<&'static [u8]> = vec![
        b"Content-Type: multipart/mixed; boundary=b",
        b"Content-Type: multipart/mixed; boundary=\"\"",
        b"Content-Type: multipart/encrypted; boundary=b",
        b"Content-Type: multipart/signed; boundary=b",
        b"Content-Type: multipart/alternative; boundary=\"b \"",
        b"Content-Type: message/rfc822",
        b"Content-Type: application/pgp-encrypted",
        b"Content-Type: application/octet-stream; name=a.sig",
        b"Content-Type: application/octet-stream; name=a",
        b"Content-Type: text/html; charset=utf-16",
        b"Content-Type: text/plain; charset=iso-2022-jp; hp-legacy-display=1",
        b"Content-Transfer-Encoding: base64",
        b"Content-Transfer-Encoding: quoted-printable",
        b"Content-Disposition: attachment; filename*0*=utf-8''%ff; filename*9=x",
        b"Subject: =?utf-8?B?/////w==?=",
        b"From: \"a\" <a@b>, c@d",
        b" continued",
        b"",
        b"--b",
        b"--b--",
        b"Version: 1",
        b"-----BEGIN PGP MESSAGE-----",
        b"-----END PGP MESSAGE-----",
        b"-----BEGIN PGP SIGNED MESSAGE-----",
        b"-----BEGIN PGP SIGNATURE-----",
        b"-----END PGP SIGNATURE-----",
        b"> -----BEGIN PGP PUBLIC KEY BLOCK-----",
        b"-----END PGP PUBLIC KEY BLOCK-----",
        b"wV4D5tq63hTeebASAQdAt2c3",
        b"<pre>-----BEGIN PGP MESSAGE-----",
    ];
    prop_oneof![4 => proptest::sample::select(known).prop_map(<[u8]>::to_vec), 1 => proptest::collection::vec(any::<u8>(), 0..40)]
}

fn any_mail() -> impl Strategy<Value = Vec<u8>> {
    let end = prop_oneof![6 => Just(&b"\r\n"[..]), 2 => Just(&b"\n"[..]), 1 => Just(&b"\r"[..])];
    proptest::collection::vec((line(), end), 0..60)
        .prop_map(|lines| lines.into_iter().flat_map(|(line, end)| [line, end.to_vec()].concat()).collect())
}

/// What a section holds of the mail: without the header block that the gateway made for it.
fn shows(bytes: &[u8], mail: &[u8]) -> bool {
    bytes.is_empty() || memchr::memmem::find(mail, bytes).is_some()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_opened_within_bounds_and_clear_mail_is_shown_byte_for_byte(mail in any_mail()) {
        let opened = opened(&mail);
        prop_assert!(opened.parts.len() <= Limits::default().max_parts);
        prop_assert!(opened.shown_subject().lines().count() <= 1);
        prop_assert!(opened.signatures.len() <= Limits::default().max_signatures);
        prop_assert!(opened.refusal == Some(Refusal::Empty) || !opened.sections.is_empty(), "a mail is never lost");
        for name in opened.parts.iter().filter_map(|part| part.name.as_deref()) {
            prop_assert!(!name.contains(['/', '\\', '\r', '\n', '\0']) && !name.starts_with('.'));
        }
        for section in opened.sections.iter().filter(|section| section.label == Label::Main) {
            let entity = section.entity.expose();
            let body = memchr::memmem::find(entity, b"\n\r\n").map(|at| at + 3)
                .or_else(|| memchr::memmem::find(entity, b"\n\n").map(|at| at + 2))
                .unwrap_or_else(|| if entity.starts_with(b"\r\n") { 2 } else { 0 });
            prop_assert!(opened.opened_anything() || shows(&entity[body..], &mail));
        }
    }

    #[test]
    fn an_encrypted_payload_of_any_bytes_reaches_members_byte_for_byte(payload in any_mail()) {
        let making = Making { to: vec![&world().gateway], ..Making::default() };
        let opened = opened(&mail("bob@reporters.example", "...", &pgp_mime(&making.armored(&payload))));
        if opened.refusal.is_none() {
            let whole = opened.sections.iter().any(|section| section.entity.expose().ends_with(&payload));
            prop_assert!(whole || opened.session_keys.len() > 1);
        }
        prop_assert_eq!(opened.encryption, Encryption::Complete);
    }
}

impl Opened {
    fn opened_anything(&self) -> bool {
        !self.session_keys.is_empty()
    }
}
