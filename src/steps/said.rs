//! Remembers what was logged, so that a fault that meets every mail, or every turn of a loop, does not flood the log.
//!
//! Security: it holds the texts of errors, which are free of mail and people.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How long a text that was logged counts as said.
const QUIET: Duration = Duration::from_secs(60);
/// Texts remembered at most.
const MOST: usize = 1000;

#[derive(Default)]
struct Said(BTreeMap<(&'static str, String), Instant>);

impl Said {
    fn is_news(&mut self, about: &'static str, text: &str, now: Instant) -> bool {
        if self.0.len() >= MOST {
            self.0.retain(|_, said| now.duration_since(*said) < QUIET);
        }
        let key = (about, text.to_owned());
        let new = self.0.get(&key).is_none_or(|said| now.duration_since(*said) >= QUIET);
        if new && (self.0.len() < MOST || self.0.contains_key(&key)) {
            self.0.insert(key, now);
        }
        new
    }
}

/// Whether this was not said within the last minute; it counts as said from now on.
pub(crate) fn is_news(about: &'static str, text: &str) -> bool {
    static SAID: Mutex<Said> = Mutex::new(Said(BTreeMap::new()));
    SAID.lock().unwrap_or_else(PoisonError::into_inner).is_news(about, text, Instant::now())
}

#[cfg(test)]
#[path = "said_tests.rs"]
mod tests;
