//! Mails that a fuzzer found, each reduced to what mattered.

use super::fixture_tests::*;
use super::*;

#[test]
fn a_message_in_preformatted_html_is_opened() {
    let w = world();
    let armored = String::from_utf8(Making { to: vec![&w.gateway], ..Making::default() }.armored(REPORT)).unwrap();
    for html in
        [format!("<html><pre>{armored}</pre></html>"), format!("<div style=\"white-space:pre\">{armored}</div>")]
    {
        let content = format!("Content-Type: text/html; charset=utf-8\r\n\r\n{html}\r\n");
        let opened = opened(&mail("bob@reporters.example", "A report", content.as_bytes()));
        assert_eq!((opened.encryption, opened.refusal), (Encryption::Complete, None));
        assert!(opened.shown_text().contains("A heap overflow in the agent."));
    }
}
