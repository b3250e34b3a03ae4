//! Free loopback ports that stay free while a server is restarted.
//!
//! Security: none; a port that somebody takes in between makes a start fail, which is tried again.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};

static GIVEN: AtomicU32 = AtomicU32::new(0);

/// A port nobody listens on. It lies outside the range from which the system takes ports for outgoing connections, so that
/// none of them is in the way when a server begins again on its old port.
pub fn free() -> u16 {
    let first = outgoing_range_start().clamp(12_000, 32_000);
    let span = u32::from(first - 10_000);
    // Other test processes look for ports at the same time: each begins somewhere else.
    let begin = std::process::id().wrapping_mul(7_919) ^ jiff::Timestamp::now().subsec_nanosecond().unsigned_abs();
    for _ in 0..span {
        let step = GIVEN.fetch_add(1, Ordering::Relaxed);
        let port = 10_000 + u16::try_from(begin.wrapping_add(step) % span).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no port is free below {first}");
}

fn outgoing_range_start() -> u16 {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
    range.split_whitespace().next().and_then(|first| first.parse().ok()).unwrap_or(32_000)
}
