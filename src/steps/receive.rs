//! Fetched → Stored: takes mail from an inbox into the store, sealed and durable, and only then off the inbox.
//!
//! Security: a mail is never removed before its transaction is committed. Doing it twice is harmless: the place where it was
//! found and its content are both known by keyed digests.

use super::StepError;
use crate::gateway::Gateway;
use crate::ports::{Fetched, Found, Inbox};
use crate::report::{Lookup, MailId, Purpose, content_digest};
use crate::store::{NewMail, Origin, Taken};
use futures::StreamExt;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Mails stored in one transaction.
const BATCH: usize = 32;
/// Octets stored in one transaction.
const BATCH_SIZE: u64 = 8 * 1024 * 1024;

/// Mails of a batch fetched side by side.
const SIDE_BY_SIDE: usize = 4;

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

/// Mails that this process cannot take now; remembered so that each is reported once, and does not keep the others waiting.
#[derive(Default)]
pub struct Refused(Mutex<HashSet<String>>);

impl Refused {
    fn is_new(&self, source: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(source.to_owned())
    }

    fn holds(&self, source: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(source)
    }

    /// Forgets them, so that they are tried again: after a reload, when a key may have come back.
    pub fn clear(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
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
    waiting.retain(|found| !gateway.refused.holds(&found.source));
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
            if oversize { inbox.keep(&found).await } else { inbox.done(&found).await }
        })
        .buffer_unordered(BATCH);
    while let Some(done) = finishing.next().await {
        done?;
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
        Err(error) => {
            if gateway.refused.is_new(&found.source) {
                tracing::error!(%error, size = found.size, "a mail cannot be taken in; it stays where it is");
            }
            return Ok(Came::Nothing);
        }
    };
    let id = MailId::from_random(gateway.vault.random()?);
    let received = gateway.store.now().await?;
    let vault = Arc::clone(&gateway.vault);
    let (row, size) = (id.clone(), found.size);
    let sealed = super::on_worker(move || {
        let content = content_digest(&mail, &vault);
        vault.seal_owned(Purpose::Mail, row.as_str(), mail).map(|sealed| (content, sealed))
    });
    let (content, sealed) = sealed.await??;
    Ok(Came::Fresh(Fresh { found, mail: NewMail { id, source, content, received, size, sealed, origin } }))
}
