//! Real mail servers for tests: Dovecot, and Postfix or (not as root) Exim, on loopback, in temporary folders, with certificates
//! of an authority of their own.
//!
//! Security: everything listens on 127.0.0.1 only, delivers nowhere else, and holds test data only. Every process is ended by its
//! id, the latest when whoever started it is gone.
#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stderr
)]

pub mod authority;
pub mod dovecot;
mod exim;
pub mod mta;
pub mod ports;
mod postfix;
pub mod proxy;
pub mod service;

pub use authority::{Authority, Presented};
pub use dovecot::Dovecot;
pub use mta::Mta;
pub use proxy::{Fault, Proxy};

/// The password of everybody who has a mailbox.
pub const PASSWORD: &str = "sword-fish passcanary";

/// Who has a mailbox: a name is enough to log in, and an address of this local part in one of [`DOMAINS`] is delivered to it.
pub const USERS: [&str; 12] = [
    "vmt",
    "security",
    "alice",
    "bob",
    "carol",
    "dave",
    "erin",
    "reporter",
    "eve.canary",
    "ivan.canary",
    "oldie",
    "postmaster",
];

/// The domains whose mail is taken in.
pub const DOMAINS: [&str; 4] = ["katacontainers.example", "example.org", "reporter.example", "test.example"];
