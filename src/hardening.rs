//! What the process gives up before it reads its first secret.
//!
//! Security: a core dump or a debugger would write out what the type system keeps in memory. Where the system refuses, the
//! program goes on: it is a second line of defence.

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Switches core dumps off, and with them `ptrace` by other processes of the same user (Linux, `prctl(2)` PR_SET_DUMPABLE).
pub fn protect_process() {
    let _refused = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    let _refused = set_dumpable_behavior(DumpableBehavior::NotDumpable);
}
