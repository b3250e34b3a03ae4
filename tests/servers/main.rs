//! The gateway among real mail servers.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::print_stdout)]

mod going_live;
#[path = "../common/servers/mod.rs"]
mod servers;
mod smoke;
mod too_large;
