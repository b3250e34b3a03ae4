use super::*;

#[test]
fn long_lines_are_broken_between_words_and_lose_none() {
    for text in
        ["Warning: it came in clear; anybody on the way could read it", "one two three four five six", "a  b   c", ""]
    {
        for width in 12..40 {
            let lines = wrapped(text, width);
            assert!(lines.iter().all(|line| line.chars().count() <= width), "{width}: {lines:?}");
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(words(&lines.join(" ")), words(text));
        }
    }
}

#[test]
fn a_word_longer_than_a_line_is_cut() {
    let lines = wrapped(&"\u{e4}".repeat(25), 10);
    assert_eq!(lines.iter().map(|line| line.chars().count()).collect::<Vec<_>>(), [10, 10, 5]);
}

#[test]
fn control_characters_do_not_reach_the_terminal() {
    let mut out = Vec::new();
    Screen::new(&mut out).quote("a\u{1b}[2Jb\u{202e}c").unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), "    | a\u{fffd}[2Jb\u{fffd}c\n");
}
