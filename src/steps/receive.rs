//! Fetched → Stored: takes mail from an inbox into the store, sealed and durable, and only then off the inbox.
//!
//! Security: a mail is never removed before its transaction is committed. Doing it twice is harmless: the place where it was
//! found and its content are both known by keyed digests.

use super::StepError;
use crate::gateway::Gateway;
use crate::ports::{Fetched, Found, Inbox};
use crate::report::{Lookup, MailId, Outer, Purpose};
use crate::store::{NewMail, Origin, Taken};
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// Mails stored in one transaction.
const BATCH: usize = 32;
/// Octets stored in one transaction.
const BATCH_SIZE: u64 = 8 * 1024 * 1024;

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

async fn take_batch(gateway: &Gateway, inbox: &dyn Inbox, batch: &[Found], round: &mut Round) -> Result<(), StepError> {
    let mut mails = Vec::new();
    let mut places = Vec::new();
    for found in batch {
        let source = gateway.vault.digest(Lookup::Source, &[found.source.as_bytes()]);
        if gateway.store.known_source(&source).await? {
            inbox.done(found).await?;
            round.known += 1;
            continue;
        }
        let (mail, oversize) = match inbox.fetch(found, gateway.config.limits.max_size).await {
            Ok(Fetched::Whole(mail)) => (mail, false),
            Ok(Fetched::Head(head)) => (head, true),
            Ok(Fetched::Gone) => continue,
            Err(error) => {
                if gateway.refused.is_new(&found.source) {
                    tracing::error!(%error, size = found.size, "a mail cannot be taken in; it stays where it is");
                }
                continue;
            }
        };
        let id = MailId::from_random(gateway.vault.random()?);
        let received = gateway.store.now().await?;
        let vault = Arc::clone(&gateway.vault);
        let (keyring, rules) = (Arc::clone(&gateway.keyring), Arc::clone(&gateway.rules));
        let (row, size) = (id.clone(), found.size);
        let sealed = super::on_worker(move || {
            let content = Outer::read(&mail, &keyring, &rules).content_digest(&vault);
            vault.seal(Purpose::Mail, row.as_str(), &mail).map(|sealed| (content, sealed))
        });
        let (content, sealed) = sealed.await??;
        mails.push(NewMail {
            id,
            source,
            content,
            received,
            size,
            sealed,
            origin: if oversize { Origin::Oversize } else { Origin::Intake },
        });
        places.push((found, oversize));
    }
    if mails.is_empty() {
        return Ok(());
    }
    let taken = gateway.store.take_in(&mails).await?;
    for (((found, oversize), mail), taken) in places.into_iter().zip(&mails).zip(taken) {
        match taken {
            Taken::New => {
                round.taken += 1;
                tracing::info!(mail = %mail.id, size = mail.size, "received");
            }
            Taken::Duplicate(_) => round.known += 1,
        }
        // Only the beginning of an oversize mail is here; the whole of it must stay somewhere.
        if oversize {
            inbox.keep(found).await?;
        } else {
            inbox.done(found).await?;
        }
    }
    Ok(())
}
