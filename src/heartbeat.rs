//! Whether the daemon's loops go on: each step that is done is a beat of the loop that did it.
//!
//! Security: a loop that hangs would keep reports lying without anybody being told. A loop that waits for a slow server is none
//! that hangs: whatever waits has a time limit, and all of them are shorter than [`PATIENCE`].

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// How long a loop may work on one thing. The longest is a mail of the largest size over a slow line.
const PATIENCE: Duration = Duration::from_secs(20 * 60);

tokio::task_local! {
    static BEAT: Arc<Beat>;
}

struct Beat {
    name: &'static str,
    last: Mutex<Instant>,
    /// How many waits for something to do it is in.
    resting: AtomicUsize,
}

impl Beat {
    fn strike(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    fn is_stuck(&self, patience: Duration) -> bool {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        self.resting.load(Ordering::Acquire) == 0 && last.elapsed() > patience
    }
}

/// The beats of all loops.
pub struct Heart {
    beats: Mutex<Vec<Weak<Beat>>>,
    patience: Duration,
}

impl Default for Heart {
    fn default() -> Self {
        Self::with_patience(PATIENCE)
    }
}

impl Heart {
    fn with_patience(patience: Duration) -> Self {
        Self { beats: Mutex::default(), patience }
    }

    /// Listens to a loop as long as it runs.
    pub fn listen<F: Future>(&self, name: &'static str, work: F) -> impl Future<Output = F::Output> + use<F> {
        let beat = Arc::new(Beat { name, last: Mutex::new(Instant::now()), resting: AtomicUsize::new(0) });
        self.beats().push(Arc::downgrade(&beat));
        BEAT.scope(beat, work)
    }

    /// A loop that does not go on, if there is one.
    pub fn stuck(&self) -> Option<&'static str> {
        let mut beats = self.beats();
        beats.retain(|beat| beat.strong_count() > 0);
        beats.iter().filter_map(Weak::upgrade).find(|beat| beat.is_stuck(self.patience)).map(|beat| beat.name)
    }

    fn beats(&self) -> MutexGuard<'_, Vec<Weak<Beat>>> {
        self.beats.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The loop that runs this has done something. Elsewhere it does nothing.
pub fn beat() {
    let _nobody_listens = BEAT.try_with(|beat| beat.strike());
}

/// Waits for something to do, for however long.
pub async fn rest<T>(waiting: impl Future<Output = T>) -> T {
    let _resting = Resting::begin();
    waiting.await
}

struct Resting(Option<Arc<Beat>>);

impl Resting {
    fn begin() -> Self {
        let beat = BEAT.try_with(Arc::clone).ok();
        if let Some(beat) = &beat {
            beat.resting.fetch_add(1, Ordering::AcqRel);
        }
        Self(beat)
    }
}

impl Drop for Resting {
    fn drop(&mut self) {
        if let Some(beat) = &self.0 {
            beat.strike();
            beat.resting.fetch_sub(1, Ordering::AcqRel);
        }
    }
}

#[cfg(test)]
#[path = "heartbeat_tests.rs"]
mod tests;
