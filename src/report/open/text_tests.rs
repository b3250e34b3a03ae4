use super::*;

#[test]
fn names_lose_paths_and_treacherous_characters() {
    assert_eq!(harmless_name("../../etc/passwd").as_deref(), Some("passwd"));
    assert_eq!(harmless_name("C:\\x\\poc\u{202e}fdp.exe").as_deref(), Some("pocfdp.exe"));
    assert_eq!(harmless_name(".."), None);
    assert_eq!(name_inside(Some("poc.tar.gz.GPG")).as_deref(), Some("poc.tar.gz"));
}

#[test]
fn placeholders_are_recognised_and_words_are_not() {
    for placeholder in ["", "...", "[...]", " \u{2026} ", "Encrypted Message", "(encrypted)"] {
        assert!(is_placeholder(placeholder), "{placeholder}");
    }
    assert!(!is_placeholder("Encrypted backups leak"));
}

#[test]
fn character_sets_are_decoded_and_failures_said() {
    assert_eq!(to_utf8(b"Gr\xfc\xdfe", Some("ISO-8859-1")).0.as_str(), "Gr\u{fc}\u{df}e");
    assert_eq!(to_utf8("\u{e9}".as_bytes(), None), (Zeroizing::new("\u{e9}".to_owned()), true));
    assert!(!to_utf8(b"\xc3\xbc\xff", Some("utf-8")).1);
    assert_eq!(inline_charset(b"abc", Some("x\r\nBcc: y"), None), "utf-8");
}
