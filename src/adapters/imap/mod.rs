//! An IMAP mailbox in which reports arrive.
//!
//! Security: the server is trusted with the mail and the password, and with nothing else: what it says is bounded in size and in
//! time, its certificate is always verified, and none of it reaches a log.
//!
//! `connect` logs in over a `wire` that counts; `session` speaks the commands; `waiting` knows which mails wait, with a `baseline`
//! where they stay in the mailbox; `fetch` and `finish` read them and take them off; the `actor` owns all of that, and `inbox` is
//! the door to it.

mod actor;
mod baseline;
mod connect;
#[cfg(test)]
mod dovecot_tests;
#[cfg(test)]
mod fake_tests;
mod fetch;
mod finish;
mod folders;
#[cfg(test)]
mod fuzzed_tests;
#[cfg(test)]
mod hostile_tests;
mod inbox;
mod names;
mod probe;
mod session;
mod trouble;
mod waiting;
mod wire;

pub use baseline::Memory;
pub use inbox::ImapInbox;
pub use probe::observe;

/// Where a mail lies in its folder. UIDs mean something only together with the UIDVALIDITY under which they were told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Place {
    validity: u32,
    uid: u32,
}

impl Place {
    fn source(self, prefix: &str) -> String {
        format!("{prefix}{}:{}", self.validity, self.uid)
    }

    fn parse(source: &str, prefix: &str) -> Option<Self> {
        let (validity, uid) = source.strip_prefix(prefix)?.split_once(':')?;
        Some(Self { validity: validity.parse().ok()?, uid: uid.parse().ok()? })
    }
}
