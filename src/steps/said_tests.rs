use super::*;

#[test]
fn the_same_is_said_once_a_minute_and_something_else_at_once() {
    let (mut said, start) = (Said::default(), Instant::now());
    let after = |seconds| start + Duration::from_secs(seconds);
    assert!(said.is_news("delivery", "disk full", start));
    assert!(said.is_news("delivery", "no such folder", after(1)));
    assert!(said.is_news("intake", "disk full", after(1)));
    assert!(!said.is_news("delivery", "disk full", after(2)), "even after another text came in between");
    assert!(!said.is_news("delivery", "disk full", after(59)));
    assert!(said.is_news("delivery", "disk full", after(60)));
    assert!(!said.is_news("delivery", "disk full", after(61)));
}

#[test]
fn what_is_remembered_is_bounded() {
    let (mut said, start) = (Said::default(), Instant::now());
    for number in 0..3 * MOST {
        assert!(said.is_news("delivery", &number.to_string(), start));
    }
    assert!(said.0.len() <= MOST);
    assert!(said.is_news("delivery", "later", start + QUIET));
    assert!(said.0.len() < MOST, "old texts make room");
}
