use super::super::transfer::base64_lenient;
use super::*;
use base64::Engine;

fn entity(bytes: &[u8]) -> Entity {
    parse(bytes, 0..bytes.len(), 0, &mut Bounds { limits: &Limits::default(), parts: 0 }).ok().unwrap()
}

#[test]
fn a_part_ends_before_the_line_break_of_its_delimiter() {
    let bytes = b"Content-Type: multipart/mixed; boundary=abc\r\n\r\npreamble\r\n--abc\r\n\r\none\r\n--abcd\r\n\r\n--abc  \r\n\r\ntwo\n--abc--\r\nepilogue";
    let root = entity(bytes);
    let bodies: Vec<_> = root.children.iter().map(|child| child.body_of(bytes)).collect();
    assert_eq!(bodies, [b"one\r\n--abcd\r\n".as_slice(), b"two"]);
}

#[test]
fn a_line_that_is_no_field_begins_the_body() {
    let bytes = b"Subject: x\r\nthis is text\r\n\r\nmore";
    assert_eq!(entity(bytes).body_of(bytes), b"this is text\r\n\r\nmore");
    let text = b"no header at all\r\n";
    assert_eq!(entity(text).body_of(text), text);
}

#[test]
fn base64_is_decoded_with_noise_and_without_padding() {
    assert_eq!(base64_lenient(b"aGVs\r\nbG8").0.as_slice(), b"hello");
    assert_eq!(base64_lenient(b"aG*Vsb\nG8=").0.as_slice(), b"hello");
    assert!(!base64_lenient(b"aG*Vsb\nG8=").1);
    let long = vec![b'a'; 10_000];
    let text = base64::engine::general_purpose::STANDARD.encode(&long);
    assert_eq!(base64_lenient(text.as_bytes()).0.as_slice(), long);
}

#[test]
fn only_mime_fields_are_kept_byte_for_byte() {
    let block =
        b"Received: x\r\n by y\r\nContent-Type: text/plain;\r\n charset=x\r\nSubject: s\r\nMIME-Version: 1.0\r\n\r\n";
    assert_eq!(mime_fields(block), b"Content-Type: text/plain;\r\n charset=x\r\n\r\n");
    assert_eq!(mime_fields(b"A: b\n\n"), b"\r\n");
}
