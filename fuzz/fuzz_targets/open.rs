//! Any bytes: as a mail, as what a mail has encrypted, as the packets inside its encryption, or as a mail with words in it that
//! stand for real messages.
#![no_main]

use embargod::report::DraftContent;
use embargod_fuzz::bounds::watch;
use embargod_fuzz::carry::carry;
use embargod_fuzz::shapes::Made;

libfuzzer_sys::fuzz_target!(init: watch(), |data: &[u8]| {
    let Some(made) = Made::new(data) else { return };
    if made.mail.len() > 1024 * 1024 {
        return;
    }
    let Some(carried) = carry(&made.mail, DraftContent::Stub) else { return };
    made.judge(&carried);
});
