use super::*;

#[test]
fn lines_of_998_octets_are_fit_and_longer_ones_are_not() {
    let line = |length: usize| [b"x".repeat(length).as_slice(), b"\r\n"].concat();
    assert!(is_clean(&line(998)));
    assert!(!is_clean(&line(999)));
}

#[test]
fn only_whole_lines_of_ascii_are_clean() {
    assert!(is_clean(b"") && is_clean(b"\r\n") && is_clean(b"a\r\n\r\n.\r\n"));
    for bad in [b"a".as_slice(), b"a\n", b"a\r", b"a\r\r\n", b"\n\r\n", b"a\r\nb", b"\0\r\n", b"\xff\r\n"] {
        assert!(!is_clean(bad), "{bad:?}");
    }
}
