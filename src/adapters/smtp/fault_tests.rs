use super::*;

const SECRET: [&str; 2] = ["eve.canary@reporter.example", "b@team.example"];

#[test]
fn nothing_of_an_address_is_kept_of_a_reply() {
    for text in [
        "5.1.1 <eve.canary@reporter.example>: Recipient address rejected: User unknown",
        "eve.canary unknown at reporter.example",
        "Host reporter.example. not found; eve.canary=40reporter.example",
        "\"eve.canary\"@[192.0.2.1] EVE.CANARY (eve.canary) b is not allowed",
        "somebody.else@elsewhere.example elsewhere.example quota",
    ] {
        let shown = Reply::new(550, text, &SECRET).to_string();
        for canary in ["canary", "reporter", "elsewhere", "@", " b "] {
            assert!(!shown.to_lowercase().contains(canary), "{canary} in: {shown}");
        }
    }
}

#[test]
fn the_words_that_help_an_admin_are_kept() {
    let text = "5.1.1 <eve.canary@reporter.example>: Recipient address rejected: User unknown";
    let shown = Reply::new(550, text, &SECRET).to_string();
    assert_eq!(shown, "550 5.1.1: … Recipient address rejected: User unknown");
}

#[test]
fn a_reply_is_shown_short_and_printable() {
    let shown = Reply::new(550, &format!("\u{1b}[31mred\u{7} {}", "word ".repeat(500)), &[]).to_string();
    assert!(shown.len() < 300 && shown.chars().all(|c| !c.is_control()), "{shown}");
}

#[test]
fn only_what_looks_like_an_enhanced_code_is_one() {
    let code = |text| Reply::new(550, text, &[]).enhanced;
    assert_eq!(code("5.7.139 no"), Some((5, 7, 139)));
    assert_eq!(code("4.2.2"), Some((4, 2, 2)));
    for text in ["", "no", "5.7", "5.7.1.2", "192.0.2.1 no", "5.70000.1 no", "5.-1.2"] {
        assert_eq!(code(text), None, "{text}");
    }
}
