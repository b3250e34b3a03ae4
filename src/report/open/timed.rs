//! A reader with a deadline.
//!
//! Security: decompression is asked for in small steps, each of which looks at the clock, so that a bomb ends in time.

use std::io::Read;
use std::time::Instant;

/// Fails once the time is up, so that decompression cannot run on.
pub(super) struct Timed<'d> {
    pub(super) data: &'d [u8],
    pub(super) deadline: Instant,
}

impl Read for Timed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if Instant::now() >= self.deadline {
            return Err(std::io::ErrorKind::TimedOut.into());
        }
        let most = buffer.len().min(64 * 1024);
        self.data.read(buffer.get_mut(..most).unwrap_or_default())
    }
}
