//! Trees of MIME parts, some encrypted or signed, some with ends that are not what they seem: nothing in clear is ever in one
//! section with what was encrypted, nor in a draft beside it, and nothing is lost.
#![no_main]

use embargod::report::DraftContent;
use embargod_fuzz::bounds::watch;
use embargod_fuzz::carry::carry;
use embargod_fuzz::copy::find;
use embargod_fuzz::parts::{Part, Writer};

/// Codes after which not all of a mail is taken apart.
const BOUNDS: [&str; 3] = ["nested-too-deep", "too-many-parts", "took-too-long"];

libfuzzer_sys::fuzz_target!(init: watch(), |part: Part| {
    let mut writer = Writer::default();
    let Ok(body) = writer.write(&part, "") else { return };
    let mut mail = b"From: Eve Mallory <eve.mallory@redbrick-labs.example>\r\nTo: vmt@kata.example\r\n\
                     Subject: ...\r\nMIME-Version: 1.0\r\n".to_vec();
    mail.extend_from_slice(&body);
    let Some(carried) = carry(&mail, DraftContent::Report) else { return };

    let (inner, outer): (Vec<_>, Vec<_>) = writer.words.iter().partition(|word| word.encrypted);
    // Raw bytes of the fuzzer's may hold a word that was made for another place.
    if writer.odd && inner.iter().any(|word| find(&mail, word.word.as_bytes()).is_some()) {
        return;
    }
    for section in carried.copy.sections() {
        let of_inner = inner.iter().find(|word| find(section, &word.needle).is_some());
        let of_outer = outer.iter().find(|word| find(section, &word.needle).is_some());
        if let (Some(inner), Some(outer)) = (of_inner, of_outer) {
            panic!("{} came encrypted and {} in clear, and both stand in one section", inner.word, outer.word);
        }
    }
    let opened = inner.iter().any(|word| carried.copy.shows(&word.needle));
    if opened && let Some(draft) = &carried.draft {
        let joined = outer.iter().find(|word| draft.contains(&word.word));
        assert!(joined.is_none(), "a word that stood in clear is in the draft of an encrypted report");
    }
    for published in carried.answer.iter() {
        assert!(writer.words.iter().all(|word| find(published, word.word.as_bytes()).is_none()), "an answer tells a word");
    }
    let bounded = carried.refusal().is_some_and(|code| BOUNDS.contains(&code));
    if writer.odd || bounded || writer.most_layers > 4 {
        return;
    }
    for word in &writer.words {
        assert!(carried.copy.shows(&word.needle), "{} is lost: {}", word.word, carried.inspected);
    }
});
