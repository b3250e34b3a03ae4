//! What the process gives up: core dumps before it reads its first secret, and the memory of mails that it is done with.
//!
//! Security: a core dump or a debugger would write out what the type system keeps in memory. Where the system refuses, the
//! program goes on: it is a second line of defence.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::Command;

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Switches core dumps off, and with them `ptrace` by other processes of the same user (Linux, `prctl(2)` PR_SET_DUMPABLE).
pub fn protect_process() {
    let _refused = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let _refused = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}

/// Says of a panic only where it happened. Its words may quote a mail or what a server said (a text that was cut in the middle of
/// a letter is shown whole), and they would end up in the journal.
pub fn keep_panics_quiet() {
    std::panic::set_hook(Box::new(|info| {
        let place = info.location().map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        let _nowhere_else_to_say_it = writeln!(std::io::stderr(), "embargod: a fault in the program at {place}");
    }));
}

/// What glibc's allocator is told (`mallopt(3)`): blocks from 1 MiB on are given back to the system when they are freed.
const ALLOCATOR: [(&str, &str); 2] = [("MALLOC_MMAP_THRESHOLD_", "1048576"), ("MALLOC_TRIM_THRESHOLD_", "4194304")];

/// Starts the program once more with an allocator that gives large blocks back, unless the environment says how it is to be. By
/// itself glibc keeps up to 64 MiB for each thread that has handled a large mail. It reads its settings only when a program
/// starts. Where that fails, the program goes on as it is.
pub fn give_memory_back() {
    if !cfg!(target_env = "gnu") || ALLOCATOR.iter().any(|(name, _)| std::env::var_os(name).is_some()) {
        return;
    }
    let Ok(program) = std::env::current_exe() else { return };
    let mut again = Command::new(program);
    let mut arguments = std::env::args_os();
    if let Some(name) = arguments.next() {
        again.arg0(name);
    }
    let _failed = again.args(arguments).envs(ALLOCATOR).exec();
}

#[cfg(test)]
#[path = "hardening_tests.rs"]
mod tests;
