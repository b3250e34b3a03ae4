use super::*;

#[test]
fn a_mail_that_may_be_taken_later_is_tried_again_and_reported_once() {
    let (refused, now) = (Refused::default(), Instant::now());
    assert!(refused.leave("maildir:one", Some(now + LATER)));
    assert!(refused.holds("maildir:one", now));
    assert!(!refused.holds("maildir:one", now + LATER), "it is tried again");
    assert!(!refused.leave("maildir:one", Some(now + 2 * LATER)), "it was reported");
    refused.forget("maildir:one");
    assert!(refused.is_empty());
}

#[test]
fn a_mail_that_never_can_be_taken_waits_for_a_reload() {
    let (refused, now) = (Refused::default(), Instant::now());
    assert!(refused.leave("spool:other", None));
    assert!(refused.holds("spool:other", now + 1000 * LATER));
    refused.clear();
    assert!(!refused.holds("spool:other", now));
}
