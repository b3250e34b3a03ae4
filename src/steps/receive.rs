//! Fetched → Stored: takes mail from an inbox into the store, sealed and durable, and only then off the inbox.
//!
//! Security: a mail is never removed before its transaction is committed. Doing it twice is harmless: the place where it was
//! found and its content are both known by keyed digests.

use super::StepError;
use super::said::is_news;
use crate::gateway::Gateway;
use crate::ports::{Fetched, Found, Inbox, PortError};
use crate::report::{AtRest, Digest, Lookup, MailId, Purpose, content_digest};
use crate::store::{NewMail, Origin, Taken};
use futures::StreamExt;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

/// Mails stored in one transaction.
const BATCH: usize = 32;
/// Octets stored in one transaction.
const BATCH_SIZE: u64 = 8 * 1024 * 1024;

/// Mails listed at once.
const AT_ONCE: usize = 10_000;
/// Mails looked up in the store, or taken off the mailbox, at once: for some servers each time means a look at the whole folder.
const TOGETHER: usize = 250;
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

/// How a round is watched from outside.
pub struct Watched<'a> {
    /// Once it is cancelled no further batch is begun.
    pub end: &'a CancellationToken,
    /// Called as soon as mails are durable here, before they are taken off the mailbox.
    pub taken: &'a (dyn Fn() + Sync),
}

/// Takes in all that waits in one inbox.
///
/// # Errors
/// When the inbox cannot be read or the store cannot write; nothing is lost then.
pub async fn receive(gateway: &Gateway, inbox: &dyn Inbox) -> Result<Round, StepError> {
    receive_watched(gateway, inbox, &Watched { end: &CancellationToken::new(), taken: &|| {} }).await
}

/// The same, under somebody's eyes. It may be dropped at any time: what is durable by then is taken off the mailbox in the next
/// round.
///
/// # Errors
/// As [`receive`].
pub async fn receive_watched(gateway: &Gateway, inbox: &dyn Inbox, watched: &Watched<'_>) -> Result<Round, StepError> {
    let mut round = Round::default();
    let mut waiting = inbox.list(AT_ONCE).await?;
    let now = Instant::now();
    waiting.retain(|found| !gateway.refused.holds(&found.source, now));
    let mut finished = Vec::new();
    for some in waiting.chunks(TOGETHER) {
        let fresh = part(gateway, some, &mut finished).await?;
        round.known += some.len() - fresh.len();
        let mut rest = fresh.as_slice();
        while !rest.is_empty() && !watched.end.is_cancelled() {
            let (batch, others) = rest.split_at(batch_length(rest));
            let before = finished.len();
            take_batch(gateway, inbox, batch, &mut round, &mut finished).await?;
            if finished.len() > before {
                (watched.taken)();
            }
            rest = others;
        }
        take_off(gateway, inbox, std::mem::take(&mut finished)).await;
        if watched.end.is_cancelled() {
            break;
        }
    }
    round.left = gateway.refused.len();
    Ok(round)
}

/// A mail that waits, with the digest of where it lies.
#[derive(Clone)]
struct Place {
    found: Found,
    source: Digest,
}

/// Mails that are durable here; `true` beside those of which only the beginning is.
type Finished = Vec<(Found, bool)>;

/// Gives those back that are new; the others are finished.
async fn part(gateway: &Gateway, waiting: &[Found], finished: &mut Finished) -> Result<Vec<Place>, StepError> {
    let place = |found: &Found| {
        let source = gateway.vault.digest(Lookup::Source, &[found.source.as_bytes()]);
        Place { found: found.clone(), source }
    };
    let places: Vec<Place> = waiting.iter().map(place).collect();
    let digests: Vec<&Digest> = places.iter().map(|place| &place.source).collect();
    let known = gateway.store.known_sources(&digests).await?;
    let mut fresh = Vec::new();
    for place in places {
        match known.get(&place.source) {
            // Of what was oversize when it came only the beginning is here, whatever the limit is now.
            Some(origin) => finished.push((place.found, *origin == Origin::Oversize)),
            None => fresh.push(place),
        }
    }
    Ok(fresh)
}

fn batch_length(waiting: &[Place]) -> usize {
    let mut size: u64 = 0;
    let fitting = waiting.iter().take(BATCH).take_while(|place| {
        size = size.saturating_add(place.found.size);
        size <= BATCH_SIZE
    });
    fitting.count().max(1)
}

/// A mail that was fetched and sealed.
struct Fresh {
    place: Place,
    id: MailId,
    content: Digest,
    sealed: AtRest,
    origin: Origin,
}

async fn take_batch(
    gateway: &Gateway,
    inbox: &dyn Inbox,
    batch: &[Place],
    round: &mut Round,
    finished: &mut Finished,
) -> Result<(), StepError> {
    // In the order of their arrival, which is that of their cases.
    let fetched: Vec<_> =
        futures::stream::iter(batch.to_vec()).map(|place| fetch(gateway, inbox, place)).buffered(BATCH).collect().await;
    let fresh: Vec<Fresh> = fetched.into_iter().collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
    if fresh.is_empty() {
        return Ok(());
    }
    let now = gateway.store.now().await?;
    let (mut places, mut mails) = (Vec::with_capacity(fresh.len()), Vec::with_capacity(fresh.len()));
    for (count, one) in fresh.into_iter().enumerate() {
        let Fresh { place: Place { found, source }, id, content, sealed, origin } = one;
        // Mails are opened, and cases numbered, in the order of receipt: each gets a time after the one before it.
        let received = super::later(now, Duration::from_millis(u64::try_from(count).unwrap_or(0)));
        mails.push(NewMail { id, source, content, received, size: found.size, sealed, origin });
        places.push(found);
    }
    let taken = gateway.store.take_in(&mails).await?;
    for (mail, taken) in mails.iter().zip(taken) {
        match taken {
            Taken::New => {
                round.taken += 1;
                tracing::info!(mail = %mail.id, size = mail.size, "received");
            }
            Taken::Duplicate(_) => round.known += 1,
        }
    }
    finished.extend(places.into_iter().zip(&mails).map(|(found, mail)| (found, mail.origin == Origin::Oversize)));
    Ok(())
}

/// Takes mails off the mailbox.
async fn take_off(gateway: &Gateway, inbox: &dyn Inbox, finished: Finished) {
    let mut finishing = futures::stream::iter(finished)
        .map(|(found, oversize)| async move {
            // The whole of an oversize mail must stay somewhere.
            let done = if oversize { inbox.keep(&found).await } else { inbox.done(&found).await };
            (found, done)
        })
        .buffer_unordered(TOGETHER);
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
}

/// Reads and seals one mail. Nothing if it is gone, or cannot be taken now.
async fn fetch(gateway: &Gateway, inbox: &dyn Inbox, place: Place) -> Result<Option<Fresh>, StepError> {
    let found = &place.found;
    let (mail, origin) = match inbox.fetch(found, gateway.config.limits.max_size).await {
        Ok(Fetched::Whole(mail)) => (mail, Origin::Intake),
        Ok(Fetched::Head(head)) => (head, Origin::Oversize),
        Ok(Fetched::Gone) => return Ok(None),
        Err(error @ PortError::Permanent(_)) => {
            if gateway.refused.leave(&found.source, None) {
                tracing::error!(%error, size = found.size, "a mail cannot be taken in; it stays where it is");
            }
            return Ok(None);
        }
        Err(error) => {
            leave_for_now(gateway, found, &error);
            return Ok(None);
        }
    };
    let id = MailId::from_random(gateway.vault.random()?);
    let vault = Arc::clone(&gateway.vault);
    let row = id.clone();
    let sealed = super::on_worker(move || {
        let content = content_digest(&mail, &vault);
        Ok((content, vault.seal_owned(Purpose::Mail, row.as_str(), mail)?))
    });
    match sealed.await.and_then(|sealed| sealed) {
        Ok((content, sealed)) => Ok(Some(Fresh { place, id, content, sealed, origin })),
        Err(error) => {
            leave_for_now(gateway, found, &error);
            Ok(None)
        }
    }
}

fn leave_for_now(gateway: &Gateway, found: &Found, error: &dyn std::fmt::Display) {
    if gateway.refused.leave(&found.source, Some(Instant::now() + LATER)) {
        tracing::error!(%error, size = found.size, "a mail cannot be taken in; it stays where it is and is tried again each minute");
    }
}

#[cfg(test)]
#[path = "receive_tests.rs"]
mod tests;
