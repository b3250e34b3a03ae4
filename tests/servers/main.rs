//! The gateway among real mail servers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::print_stdout)]

#[allow(dead_code, unreachable_pub)]
#[path = "../common/postgres.rs"]
mod postgres;
#[path = "../common/servers/mod.rs"]
mod servers;
#[allow(unused_imports)]
#[path = "../world/mod.rs"]
mod world;

mod client;
mod faults;
mod going_live;
mod plain_imap;
mod restarts;
mod site;
mod smoke;
mod wire;
