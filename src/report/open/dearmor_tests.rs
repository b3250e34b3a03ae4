use super::*;
use base64::engine::general_purpose::STANDARD;

fn armored(data: &[u8], width: usize) -> String {
    let text = STANDARD.encode(data);
    let lines: String =
        text.as_bytes().chunks(width).map(|line| format!("{}\r\n", String::from_utf8_lossy(line))).collect();
    format!(
        "-----BEGIN PGP MESSAGE-----\r\nVersion: x\r\nCharset: koi8-r\r\n\r\n{lines}=abcd\r\n-----END PGP MESSAGE-----\r\n"
    )
}

#[test]
fn blocks_are_found_among_text_quoted_and_unclosed() {
    let block = armored(b"data", 64);
    let quoted: String = block.lines().map(|line| format!(">> {line}\n")).collect();
    let text = format!("hello\n{block}between\n{quoted}-----BEGIN PGP MESSAGE-----\n\nAAAA\n");
    let found = blocks(text.as_bytes(), 10);
    let kinds: Vec<_> = found.iter().map(|block| (block.kind, block.quoted)).collect();
    assert_eq!(kinds, [(Kind::Message, false), (Kind::Message, true), (Kind::Message, false)]);
    for block in &found[..2] {
        assert_eq!(dearmor(&block_text(text.as_bytes(), block)).unwrap().data.as_slice(), b"data");
    }
    assert_eq!(blocks(text.as_bytes(), 1).len(), 1);
}

#[test]
fn the_fast_path_and_the_reader_agree() {
    let data: Vec<u8> = (0..5_000_u32).map(|i| (i * 7 % 251) as u8).collect();
    for width in [64, 76, 4, 61] {
        let found = dearmor(armored(&data, width).as_bytes()).unwrap();
        assert_eq!(found.data.as_slice(), data, "{width}");
        assert_eq!(found.charset.as_deref(), Some("koi8-r"));
    }
}

#[test]
fn content_is_told_by_its_first_octets() {
    assert_eq!(sniff(armored(b"x", 64).as_bytes()), Sniffed::Armored(Kind::Message));
    assert_eq!(sniff(&[0xc1, 0x5e, 3]), Sniffed::BinaryMessage);
    assert_eq!(sniff(&[0x85, 0x01, 0x0c, 3]), Sniffed::BinaryMessage);
    assert_eq!(sniff(&[0x99, 0x01, 0x0d, 4]), Sniffed::BinaryKey);
    assert_eq!(sniff(b"\x89PNG\r\n"), Sniffed::Other);
    assert_eq!(sniff(b"\xff\xd8\xff\xe0 jpeg"), Sniffed::Other);
}
