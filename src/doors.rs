//! The state of the doors: mailbox, spool, outgoing mail, advisories. Each is noted where it meets success or an error, and
//! written to the store so that `status` shows it, beside the daemon and when it does not run.
//!
//! Security: the words of an error are written to the store sealed; they hold no secret and nobody's address, by the rules of
//! the adapters. Each gateway has lines of its own, under a keyed digest of machine and state folder.

mod noted;

pub use noted::Noted;

use crate::gateway::Gateway;
use crate::report::{AtRest, DoorNote, DoorState, LastError, Lookup, Purpose, Vault};
use crate::store::{Store, StoreError};
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// What the names of the lines in the store begin with.
const LINES: &str = "door ";
/// How often what did not change is written down again, so that the time of the last success is about right.
const REFRESH: Duration = Duration::from_secs(60);
/// The least time between two writings, however often a state changes.
const BREATH: Duration = Duration::from_secs(1);
/// A line of another gateway that has not been refreshed for so long is of one that is gone; days.
const FORGOTTEN: i64 = 30;

/// One door.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Door {
    Mailbox,
    Spool,
    Outgoing,
    Advisories,
}

impl Door {
    pub const ALL: [Self; 4] = [Self::Mailbox, Self::Spool, Self::Outgoing, Self::Advisories];

    /// As `status` and the logs name it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Mailbox => "mailbox",
            Self::Spool => "spool",
            Self::Outgoing => "outgoing",
            Self::Advisories => "advisories",
        }
    }
}

impl fmt::Display for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[derive(Clone, Debug, Default)]
struct Seen {
    state: DoorState,
    since: Option<Timestamp>,
    last_success: Option<Timestamp>,
    last_error: Option<LastError>,
    /// Something is not written down yet.
    unwritten: bool,
}

/// How the doors of this gateway were found.
#[derive(Default)]
pub struct Doors {
    seen: Mutex<BTreeMap<Door, Seen>>,
    changed: Notify,
}

impl Doors {
    fn seen(&self) -> MutexGuard<'_, BTreeMap<Door, Seen>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A door did what was asked.
    pub fn works(&self, door: Door) {
        let now = Timestamp::now();
        let mut all = self.seen();
        let seen = all.entry(door).or_default();
        if seen.state == DoorState::Failing {
            let minutes = seen.since.map_or(0, |since| now.duration_since(since).as_mins());
            tracing::info!(%door, minutes, "this door works again");
        }
        seen.last_success = Some(now);
        self.set(seen, DoorState::Working, now);
    }

    /// A door did not open. The step that met the error logs it.
    pub fn fails(&self, door: Door, why: &str) {
        let now = Timestamp::now();
        let mut all = self.seen();
        let seen = all.entry(door).or_default();
        seen.last_error = Some(LastError { what: why.to_owned(), at: now });
        self.set(seen, DoorState::Failing, now);
    }

    /// A door is open, but this one thing was refused there.
    pub fn refuses(&self, door: Door, why: &str) {
        let now = Timestamp::now();
        let mut all = self.seen();
        let seen = all.entry(door).or_default();
        seen.last_error = Some(LastError { what: why.to_owned(), at: now });
        let state = if seen.state == DoorState::Failing { DoorState::Failing } else { DoorState::Working };
        self.set(seen, state, now);
    }

    /// Forgets what was found at a door.
    pub fn forget(&self, door: Door) {
        self.seen().insert(door, Seen { unwritten: true, ..Seen::default() });
        self.changed.notify_one();
    }

    /// Whether a door is failing.
    pub fn is_failing(&self, door: Door) -> bool {
        self.seen().get(&door).is_some_and(|seen| seen.state == DoorState::Failing)
    }

    fn set(&self, seen: &mut Seen, state: DoorState, now: Timestamp) {
        seen.unwritten = true;
        // The first look after a start counts as a change: what an earlier process found may be long ago.
        if seen.state != state || seen.since.is_none() {
            (seen.state, seen.since) = (state, Some(now));
            self.changed.notify_one();
        }
    }

    /// Takes over what an earlier process of this gateway found, but for the state itself, which is to be seen anew. Without an answer of the store nothing is known, which is no harm.
    pub(crate) async fn recall(&self, gateway: &Gateway) {
        let Ok(notes) = notes(&gateway.store, &gateway.vault).await else { return };
        let here = Door::ALL.map(|door| (door, line(gateway, door)));
        for (name, note) in notes {
            let Some((door, _)) = here.iter().find(|(_, line)| *line == name) else { continue };
            let mut all = self.seen();
            let seen = all.entry(*door).or_default();
            (seen.last_success, seen.last_error) = (note.last_success, note.last_error);
        }
    }

    /// Writes down what is not written yet.
    ///
    /// # Errors
    /// When the store does not answer; it is written the next time.
    pub async fn write_down(&self, gateway: &Gateway) -> Result<(), StoreError> {
        let now = Timestamp::now();
        let unwritten: Vec<(Door, Seen)> = {
            let mut all = self.seen();
            let taken =
                |(door, seen): (&Door, &mut Seen)| std::mem::take(&mut seen.unwritten).then(|| (*door, seen.clone()));
            all.iter_mut().filter_map(taken).collect()
        };
        for (door, seen) in &unwritten {
            let note = DoorNote {
                door: door.word().to_owned(),
                machine: machine(),
                state: seen.state,
                since: seen.since.unwrap_or(now),
                last_success: seen.last_success,
                last_error: seen.last_error.clone(),
                at: now,
            };
            let name = line(gateway, *door);
            let Ok(sealed) = gateway.vault.seal(Purpose::Door, &name, &note.to_plaintext()) else { continue };
            if let Err(error) = gateway.store.remember(&name, &hex::encode(sealed.as_bytes())).await {
                let mut all = self.seen();
                for (door, _) in &unwritten {
                    all.entry(*door).or_default().unwritten = true;
                }
                return Err(error);
            }
        }
        Ok(())
    }

    /// Returns when there is something to write down.
    pub async fn wait(&self) {
        tokio::time::sleep(BREATH).await;
        let _or_once_a_minute = tokio::time::timeout(REFRESH, self.changed.notified()).await;
    }
}

/// The lines of all gateways of a store, the door's order within each machine. What does not open is left out: it is of another
/// version, or damaged, and refreshed by its gateway soon.
///
/// # Errors
/// When the store does not answer.
pub async fn of_all_gateways(store: &Store, vault: &Vault) -> Result<Vec<DoorNote>, StoreError> {
    let now = store.now().await?;
    let mut all: Vec<DoorNote> = notes(store, vault).await?.into_iter().map(|(_, note)| note).collect();
    all.retain(|note| now.duration_since(note.at).as_hours() < FORGOTTEN * 24);
    let place = |note: &DoorNote| Door::ALL.iter().position(|door| door.word() == note.door);
    all.sort_by(|one, other| (&one.machine, place(one)).cmp(&(&other.machine, place(other))));
    Ok(all)
}

async fn notes(store: &Store, vault: &Vault) -> Result<Vec<(String, DoorNote)>, StoreError> {
    let open = |(name, value): (String, String)| {
        let sealed = AtRest::from_store(hex::decode(value).ok()?);
        let note = DoorNote::from_plaintext(&vault.unseal(Purpose::Door, &name, sealed).ok()?)?;
        Some((name, note))
    };
    Ok(store.remembered_below(LINES).await?.into_iter().filter_map(open).collect())
}

/// The name of a door's line in the store: of this machine and this state folder, for anybody else a random word.
fn line(gateway: &Gateway, door: Door) -> String {
    let state = gateway.config.store.state.as_os_str().as_encoded_bytes();
    let fields = [b"door".as_slice(), machine().as_bytes(), state, door.word().as_bytes()].map(<[u8]>::to_vec);
    let fields: Vec<&[u8]> = fields.iter().map(Vec::as_slice).collect();
    format!("{LINES}{}", gateway.vault.digest(Lookup::Source, &fields).as_str())
}

/// The name of this machine.
fn machine() -> String {
    hostname::get().map_or_else(|_| "unknown".to_owned(), |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
#[path = "doors_tests.rs"]
mod tests;
