use super::*;
use crate::report::pgp_world_tests::{contains, section};
use proptest::prelude::*;

fn written(field: &Field) -> String {
    let mut out = Vec::new();
    field.write(&mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn one_line_takes_out_what_breaks_turns_or_hides() {
    let cases = [
        ("a\r\nSignature: good", "a Signature: good"),
        ("a\u{2028}b\u{2029}c\u{85}d\u{b}e", "a b c d e"),
        ("moc.\u{202e}evil\u{2066}x\u{200f}", "moc.evilx"),
        ("ze\u{200b}ro\u{feff}\u{e0041}", "zero"),
        ("a                                        b", "a b"),
        ("a\u{3164}\u{3164}\u{2800}b", "a b"),
        ("  \t ", ""),
        ("nul\0bell\u{7}esc\u{1b}[31m", "nulbellesc[31m"),
        ("Überlauf in größe 🦀", "Überlauf in größe 🦀"),
    ];
    for (given, expected) in cases {
        assert_eq!(one_line(given, 100).as_str(), expected);
    }
    assert_eq!(one_line("abcdef", 5).as_str(), "abcde…");
    assert_eq!(one_line("abcde ", 5).as_str(), "abcde");
}

#[test]
fn an_address_that_could_end_its_header_or_name_two_people_is_not_safe() {
    for safe in ["vmt@katacontainers.example", "a.b+c@xn--bcher-kva.example", "o'neill@example.org"] {
        assert!(is_safe_address(safe), "{safe}");
    }
    let long = format!("{}@example.org", "a".repeat(65));
    for unsafe_one in [
        "",
        "@",
        "a@",
        "@b",
        "a",
        "a@b@c",
        "a b@c",
        "a@b\r\nBcc: x@y",
        "<a@b>",
        "a@b,c@d",
        "\"a\"@b",
        "ü@b",
        "a@b;",
        &long,
    ] {
        assert!(!is_safe_address(unsafe_one), "{unsafe_one:?}");
    }
}

#[test]
fn a_foreign_message_id_is_taken_only_if_harmless() {
    assert_eq!(safe_message_id(" <a.b-1@host.example> "), Some("a.b-1@host.example"));
    assert_eq!(safe_message_id("a@b"), Some("a@b"));
    let long = format!("{}@b", "a".repeat(199));
    for bad in ["<a@b> <c@d>", "a", "a@b\r\nX: y", "<a@b", "a b@c", "[a]@b", "", "<>", "ü@b", "\"x\"@b", &long] {
        assert_eq!(safe_message_id(bad), None, "{bad:?}");
    }
}

#[test]
fn dates_are_in_utc() {
    let at: Timestamp = "2026-03-04T05:06:07+05:30".parse().unwrap();
    assert_eq!(written(&Field::date(at)), "Date: Tue, 3 Mar 2026 23:36:07 +0000\r\n");
}

proptest! {
    #[test]
    fn no_subject_or_name_adds_a_header_field_or_a_long_line(subject: String, name: String) {
        for (prefix, value) in [("Subject: ", written(&Field::text("Subject", &subject))),
            ("From: ", written(&Field::address("From", Some(&name), "vmt@katacontainers.example")))] {
            let inner = value.strip_prefix(prefix).unwrap().strip_suffix("\r\n").unwrap();
            prop_assert!(value.is_ascii());
            let mut lines = inner.split("\r\n");
            prop_assert!(lines.next().unwrap().len() + prefix.len() <= 78);
            for line in lines {
                prop_assert!(line.starts_with([' ', '\t']) && !line.trim().is_empty() && line.len() <= 78);
            }
            prop_assert!(!inner.replace("\r\n", "").contains(['\r', '\n', '\0']));
        }
    }

    #[test]
    fn a_subject_is_read_as_it_was_written(subject in "[a-zA-Z0-9äöü€🦀=?_:;<>\"(),. -]{0,200}") {
        let mail = format!("{}\r\nx", written(&Field::text("Subject", &subject)));
        let parsed = mail_parser::MessageParser::new().parse(mail.as_bytes()).unwrap();
        let expected = one_line(&subject, 400);
        prop_assert_eq!(parsed.subject().unwrap_or("").trim(), expected.as_str());
    }

    #[test]
    fn a_team_name_is_read_as_it_was_written(name in "[a-zA-Z0-9äö\"\\\\<>,.@: -]{1,80}") {
        let mail = format!("{}\r\nx", written(&Field::address("From", Some(&name), "vmt@katacontainers.example")));
        let parsed = mail_parser::MessageParser::new().parse(mail.as_bytes()).unwrap();
        let from = parsed.from().unwrap().first().unwrap();
        prop_assert_eq!(from.address.as_deref(), Some("vmt@katacontainers.example"));
        let expected = one_line(&name, 100);
        prop_assert_eq!(from.name.as_deref().unwrap_or("").trim(), expected.as_str());
    }

    #[test]
    fn parts_stay_byte_for_byte(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        let mut entity = b"Content-Type: application/octet-stream\r\n\r\n".to_vec();
        entity.extend_from_slice(&body);
        let mut out = Vec::new();
        write_parts(&mut out, "0123456789", b"Case: none\r\n", &[section(Label::Main, &entity)]).unwrap();
        let expected = [b"\r\n--0123456789\r\n".as_slice(), &entity, b"\r\n--0123456789--\r\n"].concat();
        prop_assert!(out.ends_with(&expected));
    }
}

#[test]
fn what_came_in_clear_is_labelled_in_a_multipart_of_its_own_and_comes_last() {
    let sections = [
        section(Label::Unencrypted, b"Content-Type: text/html\r\n\r\n<img src=\"http://evil.example/"),
        section(Label::Main, b"Content-Type: text/plain\r\n\r\nsecret"),
        section(Label::Unopened, b"Content-Type: text/plain\r\n\r\n-----BEGIN PGP"),
    ];
    let mut out = b"Content-Type: multipart/mixed; boundary=bb\r\n\r\n".to_vec();
    write_parts(&mut out, "bb", b"Case: none\r\n", &sections).unwrap();
    let parsed = mail_parser::MessageParser::new().parse(&out).unwrap();
    let mail_parser::PartType::Multipart(children) = &parsed.parts[0].body else { panic!("a multipart") };
    assert_eq!(children.len(), 4);
    let description = |index: usize| {
        use mail_parser::MimeHeaders;
        parsed.parts[children[index] as usize].content_description().map(str::to_owned)
    };
    assert_eq!(description(0), None);
    assert_eq!(description(1), None);
    assert_eq!(parsed.parts[children[1] as usize].contents(), b"secret");
    assert_eq!(description(2).unwrap(), "NOT ENCRYPTED: came in clear beside the encrypted part");
    assert_eq!(description(3).unwrap(), "NOT OPENED: handed on as it came");
    let mail_parser::PartType::Multipart(labelled) = &parsed.parts[children[2] as usize].body else {
        panic!("labelled")
    };
    assert_eq!(labelled.len(), 2);
    let sentence = String::from_utf8_lossy(parsed.parts[labelled[0] as usize].contents()).into_owned();
    assert!(sentence.contains("did NOT come encrypted"), "{sentence}");
    assert!(contains(&out, b"\r\n\r\nContent-Type: text/html") || contains(&out, b"\r\nContent-Type: text/html"));
}

#[test]
fn a_boundary_is_new_each_time() {
    let one = boundary(std::iter::empty()).unwrap();
    assert_eq!(one.len(), 36);
    assert_ne!(one, boundary(std::iter::empty()).unwrap());
}
