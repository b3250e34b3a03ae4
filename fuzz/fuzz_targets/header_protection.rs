//! Header fields inside signature and encryption: members see the subject that somebody stands for, nobody else sees it, and a
//! sender inside who is not the one outside is said so.
#![no_main]

use embargod::report::DraftContent;
use embargod_fuzz::bounds::watch;
use embargod_fuzz::carry::carry;
use embargod_fuzz::copy::find;
use embargod_fuzz::protected::{INNER, Letter, OUTER, Subject};

libfuzzer_sys::fuzz_target!(init: watch(), |letter: Letter| {
    let Ok(mail) = letter.write() else { return };
    let Some(carried) = carry(&mail, DraftContent::Stub) else { return };
    let subject = carried.inspected["subject"].as_str().expect("the subject is text");
    assert!(!subject.chars().any(char::is_control), "control characters in the subject {subject:?}");
    if letter.layers().iter().any(|layer| matches!(layer, embargod_fuzz::protected::Layer::Encrypted { .. })) {
        for published in carried.published() {
            let told = find(published, INNER.as_bytes());
            assert!(told.is_none() || find(&mail, INNER.as_bytes()).is_some(), "a protected subject is published");
        }
    }
    if carried.refusal().is_some() {
        return;
    }
    match letter.expected() {
        Subject::Inner => assert!(subject.starts_with(INNER), "{subject:?} is not the protected subject: {}", carried.inspected),
        Subject::Outer => assert!(subject.starts_with(OUTER), "{subject:?} is not the subject outside: {}", carried.inspected),
        Subject::Either => {}
    }
    if let Some(differ) = letter.senders_differ() {
        assert_eq!(carried.has_warning("from-mismatch"), differ, "{}", carried.inspected);
    }
});
