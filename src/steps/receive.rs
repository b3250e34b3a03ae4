//! Fetched → Stored: takes mail from an inbox into the store, sealed and durable, and only then off the inbox.
//!
//! Security: a mail is never removed before its transaction is committed. Doing it twice is harmless: the place where it was
//! found and its content are both known by keyed digests.

use super::StepError;
use super::said::is_news;
use crate::gateway::Gateway;
use crate::heartbeat;
use crate::ports::{Fetched, Found, Inbox, PortError};
use crate::report::{Lookup, MailId, Purpose, content_digest};
use crate::store::{NewMail, Origin, Taken};
use futures::StreamExt;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Mails stored in one transaction.
const BATCH: usize = 32;
/// Octets stored in one transaction.
const BATCH_SIZE: u64 = 8 * 1024 * 1024;

/// Mails of a batch fetched side by side.
const SIDE_BY_SIDE: usize = 4;
/// How long a mail is left alone that may be taken later.
const LATER: Duration = Duration::from_secs(60);

/// What one round brought.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Round {
    /// Mails that are new and now durable here.
    pub taken: usize,
    /// Mails that were here already.
    pub known: usize,
    /// Mails that could not be taken and still lie where they were.
    pub left: usize,
}

/// Mails that this process cannot take now, or cannot take off the mailbox; remembered so that each is reported once, and does
/// not keep the others waiting.
#[derive(Default)]
pub struct Refused(Mutex<HashMap<String, Option<Instant>>>);

impl Refused {
    fn mails(&self) -> MutexGuard<'_, HashMap<String, Option<Instant>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Leaves a mail alone: for good, or until then. Whether that is new.
    fn leave(&self, source: &str, until: Option<Instant>) -> bool {
        self.mails().insert(source.to_owned(), until).is_none()
    }

    fn holds(&self, source: &str, now: Instant) -> bool {
        self.mails().get(source).is_some_and(|until| until.is_none_or(|until| now < until))
    }

    fn forget(&self, source: &str) {
        self.mails().remove(source);
    }

    /// Forgets them all, so that they are tried again: after a reload, when a key may have come back.
    pub fn clear(&self) {
        self.mails().clear();
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.mails().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Takes in all that waits in one inbox.
///
/// # Errors
/// When the inbox cannot be read or the store cannot write; nothing is lost then.
pub async fn receive(gateway: &Gateway, inbox: &dyn Inbox) -> Result<Round, StepError> {
    let mut round = Round::default();
    let mut waiting = inbox.list(10_000).await?;
    let now = Instant::now();
    waiting.retain(|found| !gateway.refused.holds(&found.source, now));
    let mut rest = waiting.as_slice();
    while !rest.is_empty() {
        let (batch, others) = rest.split_at(batch_length(rest));
        take_batch(gateway, inbox, batch, &mut round).await?;
        rest = others;
    }
    round.left = gateway.refused.len();
    Ok(round)
}

fn batch_length(waiting: &[Found]) -> usize {
    let mut size = 0;
    let fitting = waiting.iter().take(BATCH).take_while(|found| {
        size += found.size;
        size <= BATCH_SIZE
    });
    fitting.count().max(1)
}

/// A mail that was fetched, and where it lies.
struct Fresh {
    found: Found,
    mail: NewMail,
}

/// Mails are opened, and cases numbered, in the order of receipt. Those that were fetched side by side may have the same time or
/// overtake each other by a moment; here each gets a time after the one before it.
fn keep_order(mails: &mut [NewMail]) {
    let mut last = None;
    for mail in mails {
        if let Some(last) = last.filter(|last| mail.received <= *last) {
            mail.received = super::later(last, Duration::from_millis(1));
        }
        last = Some(mail.received);
    }
}

async fn take_batch(gateway: &Gateway, inbox: &dyn Inbox, batch: &[Found], round: &mut Round) -> Result<(), StepError> {
    // In the order of their arrival, which is that of their cases.
    let mut fetched =
        futures::stream::iter(batch.to_vec()).map(|found| fetch(gateway, inbox, found)).buffered(SIDE_BY_SIDE);
    let (mut fresh, mut finished) = (Vec::new(), Vec::new());
    while let Some(one) = fetched.next().await {
        heartbeat::beat();
        match one? {
            Came::Fresh(one) => fresh.push(one),
            Came::Known(found) => {
                round.known += 1;
                finished.push((found, false));
            }
            Came::Nothing => {}
        }
    }
    drop(fetched);
    let (places, mut mails): (Vec<_>, Vec<_>) = fresh.into_iter().map(|one| (one.found, one.mail)).unzip();
    keep_order(&mut mails);
    if !mails.is_empty() {
        let taken = gateway.store.take_in(&mails).await?;
        for ((found, mail), taken) in places.into_iter().zip(&mails).zip(taken) {
            match taken {
                Taken::New => {
                    round.taken += 1;
                    tracing::info!(mail = %mail.id, size = mail.size, "received");
                }
                Taken::Duplicate(_) => round.known += 1,
            }
            finished.push((found, mail.origin == Origin::Oversize));
        }
    }
    drop(mails);
    let mut finishing = futures::stream::iter(finished)
        .map(|(found, oversize)| async move {
            // Only the beginning of an oversize mail is here; the whole of it must stay somewhere.
            let done = if oversize { inbox.keep(&found).await } else { inbox.done(&found).await };
            (found, done)
        })
        .buffer_unordered(BATCH);
    while let Some((found, done)) = finishing.next().await {
        match done {
            Ok(()) => gateway.refused.forget(&found.source),
            // It must not keep those out that lie behind it.
            Err(error) => {
                let new = gateway.refused.leave(&found.source, Some(Instant::now() + LATER));
                if new && is_news("taking off", "") {
                    tracing::error!(%error, "this mail, and maybe others, stays in the mailbox; it is tried again each minute");
                }
            }
        }
    }
    Ok(())
}

/// What became of looking at a waiting mail.
enum Came {
    Fresh(Fresh),
    /// It was taken in from this place before.
    Known(Found),
    /// It is gone, or cannot be taken now.
    Nothing,
}

async fn fetch(gateway: &Gateway, inbox: &dyn Inbox, found: Found) -> Result<Came, StepError> {
    let source = gateway.vault.digest(Lookup::Source, &[found.source.as_bytes()]);
    if gateway.store.known_source(&source).await? {
        return Ok(Came::Known(found));
    }
    let (mail, origin) = match inbox.fetch(&found, gateway.config.limits.max_size).await {
        Ok(Fetched::Whole(mail)) => (mail, Origin::Intake),
        Ok(Fetched::Head(head)) => (head, Origin::Oversize),
        Ok(Fetched::Gone) => return Ok(Came::Nothing),
        Err(error @ PortError::Permanent(_)) => {
            if gateway.refused.leave(&found.source, None) {
                tracing::error!(%error, size = found.size, "a mail cannot be taken in; it stays where it is");
            }
            return Ok(Came::Nothing);
        }
        Err(error) => return Ok(leave_for_now(gateway, &found, &error)),
    };
    let id = MailId::from_random(gateway.vault.random()?);
    let received = gateway.store.now().await?;
    let vault = Arc::clone(&gateway.vault);
    let (row, size) = (id.clone(), found.size);
    let sealed = super::on_worker(move || {
        let content = content_digest(&mail, &vault);
        Ok((content, vault.seal_owned(Purpose::Mail, row.as_str(), mail)?))
    });
    let (content, sealed) = match sealed.await.and_then(|sealed| sealed) {
        Ok(sealed) => sealed,
        Err(error) => return Ok(leave_for_now(gateway, &found, &error)),
    };
    Ok(Came::Fresh(Fresh { found, mail: NewMail { id, source, content, received, size, sealed, origin } }))
}

fn leave_for_now(gateway: &Gateway, found: &Found, error: &dyn std::fmt::Display) -> Came {
    if gateway.refused.leave(&found.source, Some(Instant::now() + LATER)) {
        tracing::error!(%error, size = found.size, "a mail cannot be taken in; it stays where it is and is tried again each minute");
    }
    Came::Nothing
}

#[cfg(test)]
#[path = "receive_tests.rs"]
mod tests;
