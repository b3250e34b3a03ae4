//! The store, on both databases: every test here runs on SQLite and on PostgreSQL.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::print_stdout)]
#![allow(unreachable_pub)]

#[path = "../common/databases.rs"]
mod databases;
#[path = "../common/postgres.rs"]
mod postgres;

mod drafts;
mod files;
mod intake;
mod life;
mod migration;
mod outbox;
mod races;
mod tables;
mod world;
