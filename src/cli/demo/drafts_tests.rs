use super::*;

#[test]
fn what_was_taken_out_is_shown_beside_what_stands_in_its_place() {
    let before = "Hello, I am Rita.\n\nThe bug.\n\n-- \nRita\n";
    let after = "Hello, I am [x].\n\nThe bug.\n\n[y]";
    let shown: Vec<String> = changes(before, after).iter().map(|(sign, line)| format!("{sign}{line}")).collect();
    assert_eq!(
        shown,
        ["-Hello, I am Rita.", "+Hello, I am [x].", " ", " The bug.", " ", "---", "-Rita", "+[y]"],
        "{shown:?}"
    );
}

#[test]
fn every_line_of_both_texts_is_shown_once() {
    for (before, after) in [("", ""), ("a", ""), ("", "b"), ("a\nb\nc", "b"), ("a\na\nb", "a\nb\nb"), ("x\ny", "y\nx")]
    {
        let shown = changes(before, after);
        let of = |signs: &[char]| -> Vec<&str> {
            shown.iter().filter(|(sign, _)| signs.contains(sign)).map(|(_, line)| *line).collect()
        };
        assert_eq!(of(&['-', ' ']), before.lines().collect::<Vec<_>>());
        assert_eq!(of(&['+', ' ']), after.lines().collect::<Vec<_>>());
    }
}

#[test]
fn the_text_of_a_draft_ends_where_its_fence_ends() {
    let description = "Case X\n\n````text\nfirst\n```\ncode\n```\nlast\n````\n\n<!-- x -->";
    assert_eq!(fenced(description), Some("first\n```\ncode\n```\nlast"));
    assert_eq!(fenced("Case X, a stub"), None);
}
