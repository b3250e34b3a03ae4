//! The gateway among real mail servers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::print_stdout)]

mod going_live;
mod mailboxes;
mod office;
#[allow(dead_code, unreachable_pub)]
#[path = "../common/postgres.rs"]
mod postgres;
mod refusals;
#[path = "../common/servers/mod.rs"]
mod servers;
mod smoke;
mod too_large;
mod whole_way;
#[allow(unused_imports)]
#[path = "../world/mod.rs"]
mod world;
