use super::*;

#[test]
fn a_baseline_is_read_back_as_it_was_remembered() {
    let baseline = Baseline {
        validity: 4_294_967_295,
        next: 10_001,
        since: jiff::civil::date(2026, 2, 3),
        open: vec![1, 2, 3, 77, 9_999],
    };
    assert_eq!(Baseline::parse(&baseline.text()), Some(baseline.clone()));
    assert_eq!(baseline.day(), "3-Feb-2026");
    let none = Baseline { open: Vec::new(), ..baseline };
    assert_eq!(Baseline::parse(&none.text()), Some(none));
}

#[test]
fn what_another_version_or_somebody_else_wrote_is_not_guessed_at() {
    for text in ["", "2 1 1 2026-01-01 ", "1 1 1 yesterday ", "1 1 x 2026-01-01 ", "1 1 1 2026-01-01 a"] {
        assert_eq!(Baseline::parse(text), None, "{text:?}");
    }
}

#[test]
fn a_list_too_long_to_remember_leaves_mails_out_and_stays_readable() {
    let open: Vec<u32> = (0..400_000).map(|number| number * 7 + 1).collect();
    let baseline = Baseline { validity: 1, next: 4_000_000, since: jiff::civil::date(2026, 1, 1), open };
    let text = baseline.text();
    assert!(text.len() <= LONGEST + 100);
    let back = Baseline::parse(&text).unwrap();
    assert!(back.open.len() > 50_000 && baseline.open.starts_with(&back.open));
}
