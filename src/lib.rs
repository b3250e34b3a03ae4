//! embargod: an encrypted email gateway for vulnerability reports.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

pub mod adapters;
pub mod cli;
pub mod config;
pub mod ports;
pub mod report;
pub mod spool;
pub mod store;
