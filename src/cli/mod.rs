//! The commands, one file each.
//!
//! Security: a command prints what it is asked for, and nothing of a reporter's.

pub mod check;
pub mod init;
pub mod keys;
pub mod output;
