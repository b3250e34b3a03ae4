//! embargod: an encrypted email gateway for vulnerability reports.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

pub mod cli;
pub mod config;
pub mod ports;
pub mod report;
