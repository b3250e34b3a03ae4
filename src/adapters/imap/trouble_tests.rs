use super::*;

#[test]
fn words_of_a_server_hold_no_address_no_control_characters_and_no_novel() {
    assert_eq!(
        harmless("Invalid credentials for eve@reporter.example (eve%40x) \x1b[31mnow\r\n"),
        "Invalid credentials for … … [31mnow"
    );
    assert_eq!(harmless("\u{202e}\r\n"), "it does not say why");
    assert_eq!(harmless(&"word ".repeat(1_000)).chars().count(), 200);
}

#[test]
fn what_is_wrong_with_a_certificate_is_said_with_its_mend() {
    let of = |why| Trouble::of_tls(&rustls::Error::InvalidCertificate(why)).to_string();
    assert!(of(rustls::CertificateError::Expired).contains("expired"));
    assert!(of(rustls::CertificateError::UnknownIssuer).contains("set `ca`"));
    assert!(of(rustls::CertificateError::NotValidForName).contains("`host`"));
}

#[test]
fn only_a_refusal_leaves_the_connection_of_use() {
    let refused = Trouble::Refused { what: "MOVE", words: "no".into(), create: false };
    assert!(!refused.ends_connection());
    for trouble in
        [Trouble::Lost, Trouble::TimedOut("FETCH"), Trouble::TooMuch("FETCH"), Trouble::Unintelligible("FETCH")]
    {
        assert!(trouble.ends_connection(), "{trouble}");
    }
}
