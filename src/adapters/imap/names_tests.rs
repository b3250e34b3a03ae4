use super::*;
use proptest::prelude::*;

#[test]
fn names_are_written_as_rfc_3501_shows_and_read_back() {
    // The example of RFC 3501 section 5.1.3, and what a German mail program makes.
    for (name, written) in [
        ("~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"),
        ("Entwürfe", "Entw&APw-rfe"),
        ("Security & Privacy", "Security &- Privacy"),
        ("INBOX", "INBOX"),
    ] {
        assert_eq!(encoded(name), written);
        assert_eq!(decoded(written), name);
    }
}

#[test]
fn a_name_that_is_not_well_formed_is_shown_as_it_came() {
    assert_eq!(decoded("Entw&APw"), "Entw&APw");
    assert_eq!(decoded("&2AA-"), "&2AA-");
}

#[test]
fn nothing_from_the_configuration_can_end_a_command() {
    assert_eq!(quoted("a\"b\\c"), Some("\"a\\\"b\\\\c\"".into()));
    for hostile in ["a\r\nLOGOUT", "a\nb", "a\0b", "ü"] {
        assert_eq!(quoted(hostile), None, "{hostile:?}");
    }
}

#[test]
fn a_set_of_another_form_is_not_read() {
    for text in ["1:", "a", "1:2:3", "5,-1", "1:4294967295"] {
        assert_eq!(members(text), None, "{text}");
    }
}

proptest! {
    #[test]
    fn every_name_is_read_back_and_can_be_quoted(name in "\\PC{0,40}") {
        prop_assert_eq!(decoded(&encoded(&name)), name.clone());
        prop_assert!(quoted(&encoded(&name)).is_some());
    }

    #[test]
    fn sets_name_exactly_the_mails_and_fit_on_a_line(uids in proptest::collection::btree_set(1u32..2_000_000, 0..2_000)) {
        let uids: Vec<u32> = uids.into_iter().collect();
        let sets = sets(&uids);
        prop_assert!(sets.iter().all(|set| set.len() <= 1_000));
        let back: Vec<u32> = sets.iter().flat_map(|set| members(set).unwrap()).collect();
        prop_assert_eq!(back, uids);
    }
}
