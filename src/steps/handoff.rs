//! Carries what was opened from the opening step to the sealing step of the same process, so that a mail is opened once.
//!
//! Security: what waits here is plaintext in memory, bounded in size and time; after a crash or beyond the bound the mail is opened
//! again from the sealed store.

use crate::report::{MailId, Section};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

/// Octets kept at most.
const CAPACITY: usize = 48 * 1024 * 1024;
/// Mails kept at most.
const MAILS: usize = 256;

/// The sections of mails whose copies are still to be sealed.
#[derive(Default)]
pub struct Handoff(Mutex<VecDeque<(MailId, Arc<Vec<Section>>)>>);

impl Handoff {
    /// Keeps the sections of a mail for the sealing step; the oldest ones make room.
    pub fn put(&self, mail: MailId, sections: Vec<Section>) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.push_back((mail, Arc::new(sections)));
        while waiting.len() > MAILS || (waiting.iter().map(|(_, sections)| weight(sections)).sum::<usize>() > CAPACITY)
        {
            if waiting.pop_front().is_none() {
                break;
            }
        }
    }

    /// Takes the sections of a mail, if they are still here.
    pub fn take(&self, mail: &MailId) -> Option<Arc<Vec<Section>>> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let position = waiting.iter().position(|(id, _)| id == mail)?;
        waiting.remove(position).map(|(_, sections)| sections)
    }
}

fn weight(sections: &[Section]) -> usize {
    sections.iter().map(Section::size).sum()
}
