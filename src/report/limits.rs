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
    /// Octets of all that comes out of a mail when it is opened (decrypted and decompressed).
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

impl Limits {
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
