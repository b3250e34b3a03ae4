use super::*;
use crate::report::keyring::Unusable;
use crate::report::pgp_world_tests::*;
use mail_parser::{MessageParser, MimeHeaders};
use openpgp::parse::Parse;
use openpgp::serialize::SerializeInto;

struct World {
    keyring: Keyring,
    identity: TeamIdentity,
    contact: ReporterContact,
    certificate: Option<Cert>,
    case: Option<CaseId>,
    message_id: OurMessageId,
    in_reply_to: Option<&'static str>,
}

impl World {
    fn new() -> Self {
        Self {
            keyring: keyring(Vec::new()),
            identity: identity(),
            contact: ReporterContact::new("eve@reporter.example", Some("Eve Canary\r\nBcc: x@evil.example")),
            certificate: None,
            case: Some(case()),
            message_id: id("ack"),
            in_reply_to: Some("<report.1@reporter.example>"),
        }
    }

    fn request(&self, kind: AckKind) -> AckRequest<'_> {
        AckRequest {
            kind,
            identity: &self.identity,
            keyring: &self.keyring,
            to: &self.contact,
            certificate: self.certificate.as_ref(),
            case: self.case.as_ref(),
            in_reply_to: self.in_reply_to,
            not_our_key: false,
            in_clear: false,
            disclosure: Disclosure::Stub,
            message_id: &self.message_id,
            delivery_id: "00ff",
            now: now(),
        }
    }
}

/// The text that the reporter reads.
fn read(entity: &[u8]) -> String {
    let parsed = MessageParser::new().parse(entity).unwrap();
    parsed.body_text(0).unwrap().replace('\n', " ").replace("\r", "").replace("  ", " ")
}

#[test]
fn a_plain_acknowledgement_says_what_was_promised_and_can_be_checked_with_gpg() {
    let world = World::new();
    let mail = acknowledgement(&world.request(AckKind::Received)).unwrap();
    assert_eq!(mail.envelope_from(), None);
    assert_eq!(mail.envelope_to(), "eve@reporter.example");
    assert!(mail.bytes().is_ascii());
    assert!(!text(mail.bytes()).contains("=0D"), "line ends are line ends, readable in the source too");
    assert!(text(mail.bytes()).split("\r\n").all(|line| line.len() <= 78 && !line.contains(['\r', '\n'])));
    assert_eq!(field(mail.bytes(), "To"), "eve@reporter.example");
    assert_eq!(field(mail.bytes(), "Subject"), "[KATA-2026-0001] Your mail was received");
    assert_eq!(field(mail.bytes(), "Auto-Submitted"), "auto-replied");
    assert_eq!(field(mail.bytes(), "In-Reply-To"), "<report.1@reporter.example>");
    assert_eq!(field(mail.bytes(), "References"), "<report.1@reporter.example>");
    assert!(!text(mail.bytes()).contains("=0D"), "line ends are not encoded");
    assert!(text(mail.bytes()).contains("\r\nYour mail was received. Its case number is KATA-2026-0001.\r\n"));
    let body = read(mail.bytes());
    let fingerprint = world.keyring.publishing_key().unwrap().fingerprint();
    for said in ["KATA-2026-0001", "What the team promises", "What is shown to whom", "draft advisory", &fingerprint] {
        assert!(body.contains(said), "{said} is missing in {body}");
    }
    assert!(!text(mail.bytes()).contains("Canary") && !text(mail.bytes()).contains("evil"));

    // RFC 3156 section 5: the signature is over the part as it stands, without the line end before the boundary.
    let parsed = MessageParser::new().parse(mail.bytes()).unwrap();
    let root = parsed.content_type().unwrap();
    assert_eq!((root.ctype(), root.subtype()), ("multipart", Some("signed")));
    assert_eq!(root.attribute("micalg"), Some("pgp-sha512"));
    assert_eq!(root.attribute("protocol"), Some("application/pgp-signature"));
    let delimiter = format!("--{}\r\n", root.attribute("boundary").unwrap());
    let whole = text(mail.bytes());
    let signed = whole.split(&delimiter).nth(1).unwrap().strip_suffix("\r\n").unwrap();
    assert!(signed.split("\r\n").all(|line| !line.ends_with([' ', '\t'])));
    assert!(signed.contains("hp=\"clear\"") && !signed.contains("HP-Outer"));
    assert_eq!(field(signed.as_bytes(), "To"), "eve@reporter.example");
    let signature = parsed.parts.last().unwrap().contents();
    let eve = Gpg::new();
    eve.import(&world.keyring.published_certificate().unwrap());
    let check = |signed: &str| {
        let files = [eve.file("signature.asc", signature), eve.file("signed", signed.as_bytes())];
        eve.run(&["--status-fd", "1", "--verify", &files[0], &files[1]])
    };
    let output = check(signed);
    assert!(output.status.success() && text(&output.stdout).contains("GOODSIG"), "{}", text(&output.stderr));
    assert!(!check(&signed.replace("KATA-2026-0001", "KATA-2026-0002")).status.success());
}

#[test]
fn an_encrypted_acknowledgement_opens_with_gpg_and_shows_nothing_outside() {
    let eve = Gpg::with_key("Eve <eve@reporter.example>", "future-default");
    let mut world = World::new();
    world.certificate = Some(Cert::from_bytes(&eve.certificate()).unwrap());
    eve.import(&world.keyring.published_certificate().unwrap());
    let mail = acknowledgement(&world.request(AckKind::Received)).unwrap();
    let outside = text(mail.bytes());
    assert!(outside.split("\r\n").all(|line| line.len() <= 78));
    assert!(!outside.contains("received") && !outside.contains("Kata Containers") && !outside.contains("Canary"));
    assert_eq!(field(mail.bytes(), "Subject"), "[KATA-2026-0001]");
    let (plain, status) = eve.decrypt(&armored_part(mail.bytes()));
    assert!(status.contains("GOODSIG") && status.contains("GOODMDC"), "{status}");
    assert_eq!(field(&plain, "To"), "eve@reporter.example");
    assert_eq!(field(&plain, "Subject"), "[KATA-2026-0001] Your mail was received");
    assert!(text(&plain).contains("HP-Outer: To: eve@reporter.example\r\n"));
    assert!(text(&plain).contains("HP-Outer: Subject: [KATA-2026-0001]\r\n"));
    assert!(read(&plain).contains("What the team promises"));
}

#[test]
fn the_signature_of_an_encrypted_acknowledgement_names_its_one_recipient() {
    let (_, own) = sequoia_member(
        "Eve",
        "eve@reporter.example",
        openpgp::cert::CertBuilder::general_purpose(Some("Eve <eve@reporter.example>"))
            .set_features(openpgp::types::Features::empty().set_seipdv1())
            .unwrap(),
    );
    let mut world = World::new();
    world.certificate = Some(own.clone().strip_secret_key_material());
    let mail = acknowledgement(&world.request(AckKind::Received)).unwrap();
    // The library calls a signature bad that names intended recipients other than the one who opens it.
    assert_eq!(open_as(&armored_part(mail.bytes()), &own, &world.keyring).unwrap().1, 1);
    let eve = Gpg::new();
    eve.import(&own.as_tsk().armored().to_vec().unwrap());
    let listed = eve.run(&["--list-packets", &eve.file("ack.asc", &armored_part(mail.bytes()))]);
    assert_eq!(text(&listed.stdout).matches("subpkt 35 ").count(), 1, "{}", text(&listed.stdout));
}

#[test]
fn no_encrypted_acknowledgement_falls_back_to_clear_text() {
    let (_, cert) = sequoia_member(
        "Eve",
        "eve@reporter.example",
        openpgp::cert::CertBuilder::new().add_userid("Eve <eve@reporter.example>").add_signing_subkey(),
    );
    let mut world = World::new();
    world.certificate = Some(cert);
    let refused = acknowledgement(&world.request(AckKind::Received)).err();
    assert_eq!(refused, Some(SealError::Unusable(Unusable::NoKey)));
}

#[test]
fn who_wrote_in_clear_is_told_how_to_encrypt_and_gets_the_key() {
    let mut world = World::new();
    world.case = None;
    let mail = acknowledgement(&world.request(AckKind::HowToEncrypt)).unwrap();
    assert_eq!(field(mail.bytes(), "Subject"), "Please encrypt your mail");
    let body = read(mail.bytes());
    assert!(body.contains("the team has not read it") && !body.contains("case number"), "{body}");
    let parsed = MessageParser::new().parse(mail.bytes()).unwrap();
    let keys = parsed
        .parts
        .iter()
        .find(|part| part.content_type().is_some_and(|kind| kind.subtype() == Some("pgp-keys")))
        .unwrap();
    let cert = Cert::from_bytes(keys.contents()).unwrap();
    assert_eq!(cert.fingerprint().to_hex(), world.keyring.publishing_key().unwrap().fingerprint());
    assert!(!cert.is_tsk());
    // The attached certificate is signed with the rest.
    let root = parsed.content_type().unwrap();
    let whole = text(mail.bytes());
    let delimiter = format!("--{}\r\n", root.attribute("boundary").unwrap());
    let signed = whole.split(&delimiter).nth(1).unwrap().strip_suffix("\r\n").unwrap();
    let eve = Gpg::new();
    eve.import(keys.contents());
    let signature = eve.file("signature.asc", parsed.parts.last().unwrap().contents());
    let signed = eve.file("signed", signed.as_bytes());
    assert!(eve.run(&["--verify", &signature, &signed]).status.success());
}

#[test]
fn the_reporter_learns_that_the_mail_was_in_clear_or_for_another_key() {
    let world = World::new();
    let body = |in_clear, not_our_key| {
        let request = AckRequest { in_clear, not_our_key, ..world.request(AckKind::Received) };
        read(acknowledgement(&request).unwrap().bytes())
    };
    let hints = |text: &str| (text.contains("It came unencrypted"), text.contains("None of the keys"));
    assert_eq!(hints(&body(false, false)), (false, false));
    assert_eq!(hints(&body(true, false)), (true, false));
    assert_eq!(hints(&body(false, true)), (false, true));
    assert!(body(false, true).contains("It is attached"));
}

#[test]
fn a_message_id_that_could_carry_something_is_left_out() {
    let mut world = World::new();
    for harmful in ["<a@b>\r\nBcc: x@evil.example", "<a b@c>", "<ü@x>"] {
        world.in_reply_to = Some(harmful);
        let mail = acknowledgement(&world.request(AckKind::Received)).unwrap();
        assert!(!text(mail.bytes()).contains("In-Reply-To") && !text(mail.bytes()).contains("evil"), "{harmful}");
    }
}

#[test]
fn an_address_that_could_carry_something_is_refused_without_being_repeated() {
    let mut world = World::new();
    for harmful in ["eve@reporter.example\r\nBcc: x@evil.example", "eve", "<eve@reporter.example>", "eve@a, x@b"] {
        world.contact = ReporterContact::new(harmful, None);
        let refused = acknowledgement(&world.request(AckKind::Received)).err().unwrap();
        assert_eq!(refused, SealError::Address("reporter's address"));
        assert!(!format!("{refused} {refused:?}").contains("eve"));
    }
}

#[test]
fn a_hidden_subject_hides_the_case_outside_an_encrypted_answer() {
    let mut world = World::new();
    world.identity.outer_subject_hidden = true;
    let clear = acknowledgement(&world.request(AckKind::Received)).unwrap();
    assert_eq!(field(clear.bytes(), "Subject"), "Your mail was received");
    let (_, cert) = sequoia_member(
        "Eve",
        "eve@reporter.example",
        openpgp::cert::CertBuilder::general_purpose(Some("Eve <eve@reporter.example>")),
    );
    world.certificate = Some(cert);
    let encrypted = acknowledgement(&world.request(AckKind::Received)).unwrap();
    assert_eq!(field(encrypted.bytes(), "Subject"), "[...]");
    assert!(!text(encrypted.bytes()).contains("KATA"));
}
