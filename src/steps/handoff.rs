//! Carries what was opened from the opening step to the sealing step of the same process, so that a mail is opened once.
//!
//! Security: what waits here is plaintext in memory, bounded in size and time; after a crash or beyond the bound the mail is opened
//! again from the sealed store.

use crate::report::{MailId, Section};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Octets kept at most.
const CAPACITY: usize = 48 * 1024 * 1024;
/// Mails kept at most.
const MAILS: usize = 256;
/// How long a mail is kept: longer than its copies wait for their draft.
const PATIENCE: Duration = Duration::from_secs(60);

struct Waiting {
    mail: MailId,
    sections: Arc<Vec<Section>>,
    since: Instant,
}

/// The sections of mails whose copies are still to be sealed.
#[derive(Default)]
pub struct Handoff(Mutex<VecDeque<Waiting>>);

impl Handoff {
    /// Keeps the sections of a mail for the sealing step; the oldest ones make room.
    pub fn put(&self, mail: MailId, sections: Vec<Section>) {
        let mut waiting = self.current();
        waiting.push_back(Waiting { mail, sections: Arc::new(sections), since: Instant::now() });
        while waiting.len() > MAILS || weight(&waiting) > CAPACITY {
            if waiting.pop_front().is_none() {
                break;
            }
        }
    }

    /// Takes the sections of a mail, if they are still here.
    pub fn take(&self, mail: &MailId) -> Option<Arc<Vec<Section>>> {
        let mut waiting = self.current();
        let position = waiting.iter().position(|one| one.mail == *mail)?;
        waiting.remove(position).map(|one| one.sections)
    }

    /// Whether the sealing step should catch up, before mails that it has not seen yet are pushed out.
    pub fn is_full(&self) -> bool {
        let waiting = self.current();
        waiting.len() >= MAILS / 2 || weight(&waiting) >= CAPACITY / 3
    }

    /// Those that wait, without those that nobody came for.
    fn current(&self) -> MutexGuard<'_, VecDeque<Waiting>> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while waiting.front().is_some_and(|oldest| oldest.since.elapsed() > PATIENCE) {
            waiting.pop_front();
        }
        waiting
    }
}

fn weight(waiting: &VecDeque<Waiting>) -> usize {
    waiting.iter().flat_map(|one| one.sections.iter()).map(Section::size).sum()
}
