//! The commands, one file each.
//!
//! Security: commands print what the contract promises and nothing else; a reporter's contact is printed by one of them alone.

pub mod receive;
//! Security: a command prints what it is asked for, and nothing of a reporter's.
pub mod check;
pub mod init;
pub mod keys;
pub mod output;
