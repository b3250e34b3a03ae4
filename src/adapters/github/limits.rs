//! GitHub's rate limits: nothing is sent before the time that GitHub named.
//!
//! A primary limit is told by `x-ratelimit-remaining: 0` and `x-ratelimit-reset`; a secondary one by 403 or 429 with
//! `retry-after` or, without it, by words; then a minute is waited, and twice as long each time it happens again (GitHub,
//! "Rate limits for the REST API").
//!
//! Security: whoever goes on sending within a limit may be shut out for good. What GitHub says is bounded, so that a broken
//! clock there does not keep drafts back for ever.

use super::client::Reply;
use crate::ports::DeskError;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use url::Url;

/// Where GitHub names no time.
const UNNAMED: Duration = Duration::from_secs(60);
/// The longest time that is believed.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

#[derive(Default)]
struct State {
    until: Option<Instant>,
    /// How often in a row GitHub set a limit without naming a time.
    unnamed: u32,
}

/// Until when nothing is sent.
#[derive(Default)]
pub(super) struct Limits(Mutex<State>);

/// The limits of each API, for as long as the process lives: a reload does not forget them.
static ALL: Mutex<BTreeMap<String, Arc<Limits>>> = Mutex::new(BTreeMap::new());

impl Limits {
    /// Those of the API at this base address.
    pub(super) fn of(api: &Url) -> Arc<Self> {
        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(all.entry(api.as_str().to_owned()).or_default())
    }

    /// Whether something may be sent now.
    ///
    /// # Errors
    /// When not, with the time that is left.
    pub(super) fn check(&self) -> Result<(), DeskError> {
        let until = self.0.lock().unwrap_or_else(PoisonError::into_inner).until;
        let wait = until.map(|until| until.saturating_duration_since(Instant::now())).unwrap_or_default();
        if wait.is_zero() { Ok(()) } else { Err(paused(wait)) }
    }

    /// Learns from an answer. Where the answer itself is a limit, nothing was done.
    ///
    /// # Errors
    /// When the request was turned away because of a limit.
    pub(super) fn note(&self, reply: &Reply) -> Result<(), DeskError> {
        let used_up = reply.header("x-ratelimit-remaining").is_some_and(|left| left.trim() == "0");
        let named = seconds(reply, "retry-after").map(Duration::from_secs);
        let limited = match reply.status {
            429 => true,
            403 => used_up || named.is_some() || reply.message().contains("rate limit"),
            _ => false,
        };
        let overloaded = reply.status == 503 && named.is_some();
        if !limited && !used_up && !overloaded {
            if reply.status < 400 {
                self.0.lock().unwrap_or_else(PoisonError::into_inner).unnamed = 0;
            }
            return Ok(());
        }
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = named.or_else(|| used_up.then(|| until_reset(reply)).flatten()).unwrap_or_else(|| {
            state.unnamed = (state.unnamed + 1).min(7);
            UNNAMED * 2_u32.pow(state.unnamed - 1)
        });
        let wait = wait.clamp(Duration::from_secs(1), LONGEST);
        let until = Instant::now() + wait;
        state.until = Some(state.until.map_or(until, |earlier| earlier.max(until)));
        if limited { Err(paused(wait)) } else { Ok(()) }
    }
}

fn paused(wait: Duration) -> DeskError {
    let seconds = wait.as_secs().max(1);
    DeskError::Paused { why: format!("GitHub's rate limit is reached; nothing is sent to it for {seconds} s"), wait }
}

fn seconds(reply: &Reply, header: &str) -> Option<u64> {
    reply.header(header)?.trim().parse().ok()
}

/// The time until `x-ratelimit-reset` by GitHub's own clock; its seconds are whole, so one more is waited.
fn until_reset(reply: &Reply) -> Option<Duration> {
    let reset = i64::try_from(seconds(reply, "x-ratelimit-reset")?).ok()?;
    let now = server_time(reply).unwrap_or_else(Timestamp::now).as_second();
    Some(Duration::from_secs(u64::try_from(reset.saturating_sub(now)).unwrap_or(0).saturating_add(1)))
}

/// What GitHub's clock showed (RFC 9110 section 6.6.1).
pub(super) fn server_time(reply: &Reply) -> Option<Timestamp> {
    jiff::fmt::rfc2822::parse(reply.header("date")?).ok().map(|date| date.timestamp())
}
