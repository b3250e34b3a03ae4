//! Start-up: harden the process, read the command line, hand over.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    embargod::hardening::protect_process();
    embargod::hardening::keep_panics_quiet();
    embargod::cli::main()
}
