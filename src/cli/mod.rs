//! The commands, one file each.
//!
//! Security: commands print what the contract promises and nothing else; a reporter's contact is printed by one of them alone.

pub mod receive;
