//! Taking mails off the list once they are durable here: moved, deleted, or marked as read.
//!
//! Security: a mail that is not ours is never expunged. Without UIDPLUS the server knows only EXPUNGE, which removes whatever
//! anybody has marked, so there mails are marked as deleted and stay until somebody's mail program tidies up. Repeating any of it does
//! no harm: after a lost answer to MOVE or STORE nothing happens twice; after one to COPY, which is used only where there is no
//! MOVE, the archive may hold a mail twice.
//!
//! Source: RFC 6851 (MOVE), RFC 4315 (UID EXPUNGE), RFC 3501 section 6.4.

use super::session::{KEPT, Link, quoted};
use super::trouble::Trouble;
use super::waiting::Waiting;
use super::{folders, names};
use crate::config::Done;

/// Whether all of a mail is durable here, or only its beginning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Done,
    /// It must stay somewhere.
    Keep,
}

/// How mails are taken off the list.
pub(super) struct Finishing {
    done: Done,
    /// The folder as this server writes it, once it is known.
    folder: Option<String>,
}

impl Finishing {
    pub(super) fn new(done: Done) -> Self {
        Self { done, folder: None }
    }

    /// After a new login things may have other names.
    pub(super) fn forget(&mut self) {
        self.folder = None;
    }

    pub(super) async fn finish(
        &mut self,
        link: &mut Link,
        waiting: &Waiting,
        uids: &[u32],
        kind: Kind,
    ) -> Result<(), Trouble> {
        let flag = |wanted: fn(&super::session::Listed) -> bool| -> Vec<u32> {
            uids.iter().copied().filter(|uid| !waiting.get(*uid).as_ref().is_some_and(wanted)).collect()
        };
        match (self.done.clone(), kind) {
            (Done::Move(folder), _) if link.abilities.has("MOVE") => self.transfer(link, &folder, "MOVE", uids).await,
            (Done::Move(folder), _) => {
                // What is marked as deleted already was copied before, or somebody wants to be rid of it. The flags as they are now:
                // this may be done twice.
                let mut there = Vec::new();
                for set in names::sets(uids) {
                    let found = link.look(&set).await?;
                    there.extend(
                        found.iter().filter(|mail| !mail.deleted && uids.contains(&mail.uid)).map(|mail| mail.uid),
                    );
                }
                self.transfer(link, &folder, "COPY", &there).await?;
                delete(link, uids).await
            }
            (Done::Delete, Kind::Done) => delete(link, uids).await,
            (Done::Seen, Kind::Done) => mark(link, &flag(|mail| mail.seen), "\\Seen").await,
            (Done::Delete | Done::Seen, Kind::Keep) => {
                let flags = if link.folder.keywords { format!("\\Seen {KEPT}") } else { "\\Seen".to_owned() };
                mark(link, uids, &flags).await
            }
        }
    }

    /// Moves or copies, into a folder that is made where it is missing.
    async fn transfer(
        &mut self,
        link: &mut Link,
        folder: &str,
        how: &'static str,
        uids: &[u32],
    ) -> Result<(), Trouble> {
        for set in names::sets(uids) {
            let known = self.folder.is_some();
            match self.try_transfer(link, folder, how, &set).await {
                // Somebody has removed or renamed it since.
                Err(Trouble::Refused { .. }) if known => {
                    self.folder = None;
                    self.try_transfer(link, folder, how, &set).await?;
                }
                result => result?,
            }
        }
        Ok(())
    }

    async fn try_transfer(
        &mut self,
        link: &mut Link,
        folder: &str,
        how: &'static str,
        set: &str,
    ) -> Result<(), Trouble> {
        let name = match &self.folder {
            Some(name) => name.clone(),
            None => folders::find_or_create(link, folder).await?,
        };
        let command = format!("UID {how} {set} {}", quoted(&name)?);
        self.folder = Some(name);
        link.tell(how, &command).await
    }
}

async fn delete(link: &mut Link, uids: &[u32]) -> Result<(), Trouble> {
    mark(link, uids, "\\Deleted").await?;
    if link.abilities.has("UIDPLUS") {
        for set in names::sets(uids) {
            link.tell("EXPUNGE", &format!("UID EXPUNGE {set}")).await?;
        }
    }
    Ok(())
}

async fn mark(link: &mut Link, uids: &[u32], flags: &str) -> Result<(), Trouble> {
    for set in names::sets(uids) {
        link.tell("STORE", &format!("UID STORE {set} +FLAGS.SILENT ({flags})")).await?;
    }
    Ok(())
}
