use super::*;
use crate::ports::{Answer, Fetched, Found, Inbox, PortError};
use crate::report::StoreKey;
use std::collections::VecDeque;
use std::sync::Arc;

fn state(doors: &Doors, door: Door) -> Seen {
    doors.seen().get(&door).cloned().unwrap_or_default()
}

#[test]
fn a_door_keeps_its_state_and_its_last_error_until_something_else_is_seen() {
    let doors = Doors::default();
    assert_eq!(state(&doors, Door::Outgoing).state, DoorState::NeverTried);
    doors.works(Door::Outgoing);
    let since = state(&doors, Door::Outgoing).since;
    doors.works(Door::Outgoing);
    assert_eq!(state(&doors, Door::Outgoing).since, since, "it worked before");
    doors.refuses(Door::Outgoing, "no such mailbox");
    let seen = state(&doors, Door::Outgoing);
    assert_eq!((seen.state, seen.since), (DoorState::Working, since), "one mail was refused, the server is there");
    assert_eq!(seen.last_error.unwrap().what, "no such mailbox");
    doors.fails(Door::Outgoing, "no answer");
    let seen = state(&doors, Door::Outgoing);
    assert_eq!(seen.state, DoorState::Failing);
    assert_eq!(seen.last_error.unwrap().what, "no answer");
    assert!(seen.last_success.is_some(), "the last success is still known");
    doors.works(Door::Outgoing);
    let seen = state(&doors, Door::Outgoing);
    assert_eq!((seen.state, seen.last_error.unwrap().what.as_str()), (DoorState::Working, "no answer"));
    assert_eq!(state(&doors, Door::Mailbox).state, DoorState::NeverTried, "other doors are other doors");
    doors.forget(Door::Outgoing);
    assert_eq!(state(&doors, Door::Outgoing).last_error, None);
}

/// Lists fine, and takes mails off as it is told.
#[derive(Default)]
struct Keeping {
    done: Mutex<VecDeque<Result<(), PortError>>>,
}

impl Inbox for Keeping {
    fn list(&self, _: usize) -> Answer<'_, Result<Vec<Found>, PortError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
    fn fetch<'a>(&'a self, _: &'a Found, _: u64) -> Answer<'a, Result<Fetched, PortError>> {
        Box::pin(async { Ok(Fetched::Gone) })
    }
    fn done<'a>(&'a self, _: &'a Found) -> Answer<'a, Result<(), PortError>> {
        Box::pin(async { self.done.lock().unwrap().pop_front().unwrap_or(Ok(())) })
    }
    fn keep<'a>(&'a self, found: &'a Found) -> Answer<'a, Result<(), PortError>> {
        self.done(found)
    }
    fn wait(&self) -> Answer<'_, ()> {
        Box::pin(async {})
    }
}

#[tokio::test]
async fn a_mailbox_that_can_be_read_but_keeps_its_mail_is_failing() {
    let doors = Arc::new(Doors::default());
    let inner = Keeping { done: Mutex::new([Err(PortError::Temporary("no folder Archive".into()))].into()) };
    let inbox = Noted::inbox(Arc::new(inner), &doors);
    let found = Found { source: "x".into(), size: 1 };
    inbox.list(1).await.unwrap();
    assert_eq!(state(&doors, Door::Mailbox).state, DoorState::Working);
    assert!(inbox.done(&found).await.is_err());
    inbox.list(1).await.unwrap();
    let seen = state(&doors, Door::Mailbox);
    assert_eq!(seen.state, DoorState::Failing, "a list that can be read does not make up for it");
    assert_eq!(seen.last_error.unwrap().what, "no folder Archive");
}

#[test]
fn what_is_written_down_opens_only_under_its_own_name_and_holds_no_readable_word() {
    let vault = Vault::new(&StoreKey::generate().unwrap()).unwrap();
    let note = DoorNote {
        door: "outgoing".into(),
        machine: "gate".into(),
        state: DoorState::Failing,
        since: Timestamp::UNIX_EPOCH,
        last_success: None,
        last_error: Some(LastError { what: "smtp.example.org does not answer".into(), at: Timestamp::UNIX_EPOCH }),
        at: Timestamp::UNIX_EPOCH,
    };
    let sealed = vault.seal(Purpose::Door, "door a", &note.to_plaintext()).unwrap();
    assert!(!sealed.as_bytes().windows(4).any(|octets| octets == b"smtp"));
    let opened = vault.unseal(Purpose::Door, "door a", sealed.clone()).unwrap();
    assert_eq!(DoorNote::from_plaintext(&opened), Some(note));
    assert!(vault.unseal(Purpose::Door, "door b", sealed).is_err());
}
