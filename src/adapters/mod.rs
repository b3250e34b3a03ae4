//! The doors themselves: each file lets the gateway speak one protocol, behind a trait of [`crate::ports`].
//!
//! Security: what comes in through a door is hostile, what goes out is finished. No adapter looks into a mail, and no error of
//! one names a recipient.

mod directory;
pub(crate) mod durable;
#[cfg(test)]
pub(crate) mod fixture_tests;
pub mod github;
mod imap;
mod maildir_courier;
mod maildir_inbox;
mod sendmail;
pub(crate) mod server;
#[cfg(test)]
#[path = "../../tests/common/servers/mod.rs"]
pub(crate) mod servers;
mod smtp;
pub(crate) mod waiting;

pub use directory::Directory;
pub use github::Github;
pub use imap::{ImapInbox, Memory, observe as observe_imap};
pub use maildir_courier::MaildirCourier;
pub use maildir_inbox::{BadFolder, MaildirInbox, maildir_subfolder};
pub use sendmail::SendmailCourier;
pub use server::{Login, Server};
pub use smtp::{SmtpCourier, observe as observe_smtp};
