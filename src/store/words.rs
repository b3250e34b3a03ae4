//! The fixed words and the names that the store's tables hold.
//!
//! Security: a column takes one of these words, a number, a time, a keyed digest or ciphertext; there is no column for text
//! that somebody wrote.

use crate::report::words;
use serde::{Deserialize, Serialize};
use std::fmt;

words! {
    /// Who made a mail.
    Origin {
        /// It arrived.
        Intake => "intake",
        /// It arrived and is larger than the gateway accepts: only its beginning is here.
        Oversize => "oversize",
        /// The gateway wrote it, such as an alert to the admins.
        Gateway => "gateway",
    }
}

words! {
    /// Where a mail is on its way.
    MailState {
        /// Durable, and waiting to be opened.
        Stored => "stored",
        /// Opened, and everything that follows from it is in the outbox.
        Opened => "opened",
        /// Set aside as it came, because opening it failed too often.
        Quarantined => "quarantined",
        /// Its content is gone; ids and times are left.
        Erased => "erased",
    }
}

words! {
    /// How far a case is.
    CaseState {
        Open => "open",
        /// A member has taken it.
        Claimed => "claimed",
        /// It waits for the reporter.
        Waiting => "waiting",
        Closed => "closed",
    }
}

words! {
    /// What an outbox row sends.
    RowKind {
        /// One mail for one member.
        Copy => "copy",
        /// The answer to a reporter that the report arrived.
        Acknowledgement => "acknowledgement",
        /// A draft advisory; it has no recipient.
        Draft => "draft",
        /// Access to an opened draft for the configured teams and users; it has no recipient.
        Access => "access",
        /// The gateway's own word to a member.
        Notice => "notice",
    }
}

words! {
    /// The fate of an outbox row.
    RowState {
        /// It waits for its time.
        Pending => "pending",
        /// It is being handed over; after a crash nobody knows whether it arrived.
        Sending => "sending",
        /// It waits for somebody, such as a member whose key expired.
        Held => "held",
        Sent => "sent",
        /// It will not be tried again by itself.
        Failed => "failed",
        /// It is not wanted any more.
        Dropped => "dropped",
    }
}

impl RowState {
    /// Whether nothing will happen to the row by itself any more.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Sent | Self::Failed | Self::Dropped)
    }
}

words! {
    /// How far a draft advisory is.
    DraftState {
        Pending => "pending",
        /// The call is under way; its end may be unknown.
        Sending => "sending",
        Opened => "opened",
        Held => "held",
        Failed => "failed",
        /// A member decided against it.
        Dropped => "dropped",
    }
}

words! {
    /// Whose Message-ID a digest is of.
    MessageKind {
        /// Of a mail that arrived.
        Received => "received",
        /// Of a copy.
        Copy => "copy",
        Acknowledgement => "acknowledgement",
        Notice => "notice",
        /// Of a member's answer to the reporter.
        Answer => "answer",
    }
}

words! {
    /// What is remembered so that it counts once.
    SeenKind {
        /// A decrypted payload.
        Payload => "payload",
        /// A member's signed content.
        Signed => "signed",
        /// Something the admins were told.
        Alert => "alert",
        /// An address that was acknowledged for a mail.
        Acknowledged => "acknowledged",
    }
}

/// Name of an outbox row: 32 lower-case hex digits, random.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RowId(String);

impl RowId {
    /// Takes 128 random bits as a name.
    pub fn from_random(bits: [u8; 16]) -> Self {
        Self(hex::encode(bits))
    }

    /// A name typed by an admin; nothing if it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        is_name(text).then(|| Self(text.to_owned()))
    }

    /// The name itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RowId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Name of one life of one process, under which it claims work: 32 lower-case hex digits, random, so that a restarted
/// process is never taken for its predecessor.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Owner(String);

impl Owner {
    /// Takes 128 random bits as a name.
    pub fn from_random(bits: [u8; 16]) -> Self {
        Self(hex::encode(bits))
    }

    /// The name itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A fencing number: it grows with every claim of the same thing, so that the late write of a frozen holder is told from
/// that of its successor (Kleppmann, "How to do distributed locking").
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fence(pub(super) i64);

fn is_name(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}
