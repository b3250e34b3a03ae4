//! Holds one run against its bounds: no panic of ours, at most 5 s of processor time, and at most 256 MiB over twice the size
//! of the input.
//!
//! Security: the program catches what unwinds in a parser, so that one mail costs one mail. Caught or not, a panic in our own
//! code, or in a library that is not known for it, ends the fuzzer here. Those of the OpenPGP library and of the IMAP parser are counted, if the
//! program catches them.

use crate::MEMORY;
use rustix::time::{ClockId, clock_gettime};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Processor time that one input may take.
const TIME: Duration = Duration::from_secs(5);
/// Octets that one input may take besides twice its size.
const OCTETS: usize = 256 * 1024 * 1024;

static CAUGHT: AtomicU64 = AtomicU64::new(0);
static LONGEST: AtomicU64 = AtomicU64::new(0);
static LARGEST: AtomicU64 = AtomicU64::new(0);

/// To be called once before the first input: tells panics that may be caught from all others.
pub fn watch() {
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        let file = info.location().map_or("", |location| location.file());
        if ["sequoia-openpgp-", "buffered-reader-", "imap-proto-"].iter().any(|library| file.contains(library)) {
            let times = CAUGHT.fetch_add(1, Relaxed) + 1;
            if times.is_power_of_two() {
                eprintln!("caught: {times} panics of the OpenPGP or the IMAP library, the last at {}", place(info));
            }
            return;
        }
        eprintln!("panic at {}: {info}", place(info));
        told(info);
        std::process::abort();
    }));
}

fn place(info: &std::panic::PanicHookInfo<'_>) -> String {
    info.location().map_or_else(|| "an unknown place".to_owned(), |at| format!("{}:{}", at.file(), at.line()))
}

/// Runs something over `size` octets of input within the bounds, and says so when it was the dearest until now.
pub fn bounded<T>(size: usize, run: impl FnOnce() -> T) -> T {
    bounded_by(OCTETS, size, run)
}

/// The same with another bound on memory besides twice the size of the input.
pub fn bounded_by<T>(octets: usize, size: usize, run: impl FnOnce() -> T) -> T {
    let before = MEMORY.current_usage();
    MEMORY.reset_peak_usage();
    let begun = processor_time();
    let done = run();
    let took = processor_time().saturating_sub(begun);
    let memory = MEMORY.peak_usage().saturating_sub(before);
    note(&LONGEST, took.as_micros() as u64, "longest run, in microseconds", size);
    note(&LARGEST, memory as u64, "largest run, in octets", size);
    assert!(took < TIME, "it took {took:?}");
    assert!(memory < octets + 2 * size, "it took {memory} octets for an input of {size}");
    done
}

/// Says a new maximum, where it is more than a quarter above the last.
fn note(most: &AtomicU64, value: u64, what: &str, size: usize) {
    if value > most.load(Relaxed) / 4 * 5 {
        most.store(value, Relaxed);
        eprintln!("{what}: {value} (input of {size} octets)");
    }
}

/// Of this thread alone, so that a busy machine is no finding.
fn processor_time() -> Duration {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs() as u32)
}
