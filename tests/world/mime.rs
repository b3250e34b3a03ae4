//! Writing MIME by hand, so that tests know every byte, and taking it apart at exact offsets.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::sync::atomic::{AtomicUsize, Ordering};

static COUNT: AtomicUsize = AtomicUsize::new(0);

/// A word that occurs nowhere else in this test run.
pub fn unique(prefix: &str) -> String {
    let time = jiff::Timestamp::now().as_nanosecond();
    format!("{prefix}{:x}x{}", time & 0xffff_ffff_ffff, COUNT.fetch_add(1, Ordering::Relaxed))
}

/// Base64 in lines of 76.
pub fn base64_lines(data: &[u8]) -> String {
    let encoded = STANDARD.encode(data);
    let lines: Vec<&str> = encoded.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
    lines.join("\r\n")
}

/// Any line ends made CRLF.
pub fn crlf(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\n', "\r\n")
}

/// A multipart entity: header line and body, ending with CRLF.
pub fn multipart(subtype_and_parameters: &str, parts: &[Vec<u8>]) -> Vec<u8> {
    let boundary = unique("boundarycanary");
    let mut entity =
        format!("Content-Type: multipart/{subtype_and_parameters}; boundary=\"{boundary}\"\r\n\r\n").into_bytes();
    for part in parts {
        entity.extend(format!("--{boundary}\r\n").into_bytes());
        entity.extend(part);
        entity.extend(b"\r\n");
    }
    entity.extend(format!("--{boundary}--\r\n").into_bytes());
    entity
}

/// A text part; 8bit where it has to be.
pub fn text(text: &str) -> Vec<u8> {
    let encoding = if text.is_ascii() { "7bit" } else { "8bit" };
    format!(
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n{}\r\n",
        crlf(text)
    )
    .into_bytes()
}

/// An attachment, in base64.
pub fn attachment(name: &str, media_type: &str, data: &[u8]) -> Vec<u8> {
    format!(
        "Content-Type: {media_type}; name=\"{name}\"\r\nContent-Disposition: attachment; filename=\"{name}\"\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{}\r\n",
        base64_lines(data)
    )
    .into_bytes()
}

/// An armored block from binary data, without the optional checksum.
pub fn armor(kind: &str, data: &[u8]) -> String {
    format!("-----BEGIN PGP {kind}-----\r\n\r\n{}\r\n-----END PGP {kind}-----\r\n", base64_lines(data))
}

/// The binary data of an armored block.
pub fn dearmor(armored: &str) -> Vec<u8> {
    let body: String = armored
        .lines()
        .skip_while(|line| !line.trim().is_empty())
        .take_while(|line| !line.starts_with("-----END") && !line.starts_with('='))
        .map(str::trim)
        .collect();
    STANDARD.decode(body).expect("base64 in the armor")
}

/// Header fields (unfolded) and body of an entity.
pub fn split_entity(entity: &[u8]) -> (Vec<(String, String)>, &[u8]) {
    let (head, body) = match entity.strip_prefix(b"\r\n") {
        Some(body) => (&entity[..0], body),
        None => match find(entity, b"\r\n\r\n") {
            Some(at) => (&entity[..at], &entity[at + 4..]),
            None => (entity, &entity[entity.len()..]),
        },
    };
    let head = String::from_utf8_lossy(head).replace("\r\n ", " ").replace("\r\n\t", " ");
    let fields = head.split("\r\n").filter_map(|line| line.split_once(':'));
    (fields.map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())).collect(), body)
}

/// The first field of this name, in any letter case.
pub fn field<'a>(fields: &'a [(String, String)], name: &str) -> Option<&'a str> {
    fields.iter().find(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// The parts of a multipart entity, byte for byte between its boundaries.
pub fn parts_of(entity: &[u8]) -> Vec<Vec<u8>> {
    let (fields, body) = split_entity(entity);
    let content_type = field(&fields, "Content-Type").expect("a Content-Type");
    let boundary = content_type.split_once("boundary=").expect("a boundary").1;
    let boundary = match boundary.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next().unwrap(),
        None => boundary.split(';').next().unwrap().trim(),
    };
    // The line break before a delimiter belongs to the delimiter (RFC 2046 section 5.1.1).
    let delimiter = format!("\r\n--{boundary}").into_bytes();
    let mut rest = [b"\r\n", body].concat();
    let mut parts = Vec::new();
    while let Some(at) = find(&rest, &delimiter) {
        let part = rest[..at].to_vec();
        rest.drain(..at + delimiter.len());
        parts.push(part);
        if rest.starts_with(b"--") {
            break;
        }
        let line_end = find(&rest, b"\r\n").expect("a line end after a boundary");
        rest.drain(..line_end + 2);
        // An empty part begins with the break that its delimiter needs.
        if rest.starts_with(&delimiter[2..]) {
            rest.splice(..0, *b"\r\n");
        }
    }
    parts.into_iter().skip(1).collect()
}

/// Where a needle first lies.
pub fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    if needle.is_empty() || haystack.len() < needle.len() {
        return None;
    }
    haystack.windows(needle.len()).position(|window| window == needle)
}
