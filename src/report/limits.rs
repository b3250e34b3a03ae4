//! Bounds on hostile mail (`[limits]` of the configuration).
//!
//! Security: everything is bounded before it is allocated or tried. A mail beyond a bound is kept and announced, never
//! dropped.

use std::time::Duration;

/// What one mail may cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Octets of a mail as it arrives.
    pub max_size: u64,
    /// Octets of all that comes out of a mail when it is opened (decrypted and decompressed). What a mail of some size may
    /// unpack to is bounded further by [`Limits::opened_size_for`].
    pub max_opened_size: u64,
    /// Nested MIME multiparts.
    pub max_mime_depth: usize,
    /// MIME parts in all.
    pub max_parts: usize,
    /// Header fields of one entity.
    pub max_headers: usize,
    /// Encryption layers inside each other.
    pub max_layers: usize,
    /// Encrypted session key packets (PKESK) of one message that are looked at; each wildcard recipient costs a try with
    /// every key.
    pub max_recipients: usize,
    /// Signatures of one mail that are checked.
    pub max_signatures: usize,
    /// Certificates taken from one mail.
    pub max_certificates: usize,
    /// Time for opening one mail, besides the time that its size alone takes ([`Limits::time_for`]).
    pub max_time: Duration,
}

/// Octets of a mail for which a second is added: a fraction of what a slow and busy machine opens in that time.
const OCTETS_A_SECOND: usize = 1024 * 1024;

/// What any mail may open to, however small it is. Opening costs about three times what comes out.
const OPENED_SIZE: u64 = 48 * 1024 * 1024;

impl Limits {
    /// Octets that may come out of a mail of this size: a mail that is larger than itself again by half is compressed more than
    /// people's files are, and memory for what a small one unpacks to is bounded whatever the configuration allows large ones.
    pub(in crate::report) fn opened_size_for(&self, size: usize) -> u64 {
        let size = size as u64;
        self.max_opened_size.min(OPENED_SIZE.max(size.saturating_add(size / 2)))
    }

    /// Time for opening a mail of this size. What a mail may cost beyond its size is bounded by `max_time`; a large
    /// attachment is no attack.
    pub(in crate::report) fn time_for(&self, size: usize) -> Duration {
        if self.max_time.is_zero() {
            return Duration::ZERO;
        }
        self.max_time.saturating_add(Duration::from_secs((size / OCTETS_A_SECOND) as u64))
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_size: 50 * 1024 * 1024,
            max_opened_size: 100 * 1024 * 1024,
            max_mime_depth: 20,
            max_parts: 500,
            max_headers: 1_000,
            max_layers: 4,
            max_recipients: 100,
            max_signatures: 20,
            max_certificates: 10,
            max_time: Duration::from_secs(5),
        }
    }
}
