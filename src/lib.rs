//! embargod: an encrypted email gateway for vulnerability reports.
//!
//! The map of the house, in the order in which things depend on each other: `main` and [`cli`] and [`daemon`] start the
//! [`steps`], the product sentence; the steps work on a [`gateway`] (one configuration brought to life) over the [`store`], the
//! [`ports`] and their [`adapters`], and the [`spool`]. Everything that can be read is read in [`report`], the plaintext room,
//! which knows none of them.
//!
//! Security: what may not leak cannot be formatted, cloned or stored, by its type; see [`report`].
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic))]

pub mod adapters;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod doors;
pub mod gateway;
pub mod hardening;
pub mod heartbeat;
pub mod ports;
pub mod report;
pub mod spool;
pub mod steps;
pub mod store;
