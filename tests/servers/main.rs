//! The gateway among real mail servers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::print_stdout)]

mod client;
mod faults;
mod going_live;
mod mailboxes;
mod office;
mod plain_imap;
#[allow(dead_code, unreachable_pub)]
#[path = "../common/postgres.rs"]
mod postgres;
mod refusals;
mod restarts;
#[path = "../common/servers/mod.rs"]
mod servers;
mod site;
mod smoke;
mod too_large;
mod whole_way;
mod wire;
#[allow(unused_imports)]
#[path = "../world/mod.rs"]
mod world;
