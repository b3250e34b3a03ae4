//! Implementations of the three ports.

pub mod directory;
