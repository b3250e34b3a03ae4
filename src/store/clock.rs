//! One clock for all: the database's, so that gateways on several machines agree on what is due and whose lease is over.
//!
//! Security: a lease is only as good as the clock it is measured by; no gateway's own clock decides about one.

use super::decode::time_of;
use super::{Backend, Result, Store};
use jiff::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// Where [`Store::now`] takes the time from.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The database's clock.
    #[default]
    Database,
    /// The database's clock and so many milliseconds: for tests of what happens later.
    Shifted(Arc<AtomicI64>),
    /// Milliseconds since 1970 (UTC): for tests.
    Fixed(Arc<AtomicI64>),
}

impl Store {
    /// The same store with another clock.
    pub fn with_clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// The time, in milliseconds.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn now(&self) -> Result<Timestamp> {
        let shift = match &self.clock {
            Clock::Fixed(time) => return time_of(time.load(Ordering::Relaxed)),
            Clock::Shifted(shift) => shift.load(Ordering::Relaxed),
            Clock::Database => 0,
        };
        let sql = match self.backend() {
            Backend::Sqlite => "SELECT CAST(ROUND(unixepoch('now', 'subsec') * 1000) AS INTEGER)",
            Backend::Postgres => "SELECT CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
        };
        let now: i64 = sqlx::query_scalar(sql).fetch_one(self.reader()).await?;
        time_of(now.saturating_add(shift))
    }
}
