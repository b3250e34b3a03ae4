//! What the gateway does, seen from outside: the real program, real keys, real mailboxes.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::print_stdout)]

#[allow(dead_code, unreachable_pub)]
#[path = "../common/postgres.rs"]
mod postgres;
#[path = "../world/mod.rs"]
mod world;

mod acknowledgements;
mod advisories;
mod canaries;
mod configuration;
mod connections;
mod conversation;
mod daemon;
mod faults;
mod github;
mod github_access;
mod github_app;
mod github_check;
mod github_faults;
mod github_unknown;
mod held;
mod hostile;
mod inspect;
mod main_job;
mod members_mail;
mod receive;
mod restarts;
mod rotation;
mod service;
mod shapes;
