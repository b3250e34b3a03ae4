use super::*;

#[test]
fn a_text_is_found_in_every_form_that_a_leak_could_have() {
    let words = "rita@reporter.example";
    for before in ["", "x", "xy", "xyz"] {
        let text = format!("{before}{words} and more");
        for form in
            [text.clone(), text.to_uppercase(), hex::encode(&text), hex::encode_upper(&text), STANDARD.encode(&text)]
        {
            assert!(found_in(form.as_bytes(), words), "{form}");
        }
        let folded =
            STANDARD.encode(&text).as_bytes().chunks(10).map(|c| [c, b"\r\n"].concat()).collect::<Vec<_>>().concat();
        assert!(found_in(&folded, words), "base64 in lines");
    }
    assert!(found_in(&[0xab, 0xcd, 0xef, 0x01], "ABCDEF01"), "a fingerprint as it is");
    for other in ["rita@reporter.exampl", "", "cml0YUByZXBvcnRlci5leGFtcG"] {
        assert!(!found_in(other.as_bytes(), words), "{other}");
    }
}

#[test]
fn a_path_is_written_so_that_a_shell_takes_it_as_one_word() {
    assert_eq!(shell_word("/tmp/embargod-demo-x1"), "/tmp/embargod-demo-x1");
    assert_eq!(shell_word("/tmp/it's here"), "'/tmp/it'\\''s here'");
}
