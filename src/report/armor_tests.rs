use super::*;
use proptest::prelude::*;
use sequoia_openpgp::armor::{Kind, Reader, ReaderMode};
use std::io::Read;

fn armored(kind: Armor, bytes: &[u8], checksum: bool, chunk: usize) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = ArmorWriter::new(&mut out, kind, checksum);
    bytes.chunks(chunk).for_each(|part| writer.write_all(part).unwrap());
    writer.finish().unwrap();
    out
}

fn read(armored: &[u8], kind: Kind) -> Vec<u8> {
    let mut out = Vec::new();
    Reader::from_bytes(armored, ReaderMode::Tolerant(Some(kind))).read_to_end(&mut out).unwrap();
    out
}

proptest! {
    #[test]
    fn what_is_armored_is_read_back_in_lines_of_at_most_76(
        bytes in proptest::collection::vec(any::<u8>(), 0..4000),
        chunk in 1..3000_usize,
        checksum: bool,
    ) {
        let out = armored(Armor::Message, &bytes, checksum, chunk);
        prop_assert!(out.is_ascii());
        let text = std::str::from_utf8(&out).unwrap();
        prop_assert!(text.split("\r\n").all(|line| line.len() <= 76 && !line.contains(['\r', '\n'])));
        prop_assert_eq!(text.lines().any(|line| line.len() == 5 && line.starts_with('=')), checksum);
        if !bytes.is_empty() {
            prop_assert_eq!(read(&out, Kind::Message), bytes);
        }
    }
}

#[test]
fn the_checksum_is_the_one_of_openpgp() {
    // The library writes the same one.
    let mut theirs = Vec::new();
    let mut writer = sequoia_openpgp::armor::Writer::new(&mut theirs, Kind::Signature).unwrap();
    writer.write_all(b"embargo").unwrap();
    writer.finalize().unwrap();
    let ours = String::from_utf8(armored(Armor::Signature, b"embargo", true, 100)).unwrap();
    assert_eq!(ours.replace("\r\n", "\n"), String::from_utf8(theirs).unwrap());
}

#[test]
fn no_header_tells_of_the_program() {
    let out = String::from_utf8(armored(Armor::PublicKey, b"x", false, 1)).unwrap();
    assert_eq!(out, "-----BEGIN PGP PUBLIC KEY BLOCK-----\r\n\r\neA==\r\n-----END PGP PUBLIC KEY BLOCK-----\r\n");
}
