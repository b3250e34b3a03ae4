//! The door to the task that owns the session.
//!
//! Security: it may be dropped, and so may every future it gives; the task then ends, or goes on, without tearing the session.

use super::Place;
use super::actor::{Actor, Command, Fetch, Reply, Settings};
use super::baseline::Memory;
use super::finish::Kind;
use super::trouble::Trouble;
use crate::adapters::server::Server;
use crate::config::Done;
use crate::ports::{Answer, Fetched, Found, Inbox, PortError};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Commands that may wait for the task.
const WAITING: usize = 256;

/// An [`Inbox`] over a folder of an IMAP server. It connects when it is first listed, stays connected, and connects again for as
/// long as it lives.
pub struct ImapInbox {
    host: String,
    poll: Duration,
    prefix: String,
    commands: mpsc::Sender<Command>,
    news: watch::Receiver<u64>,
    /// The occasion at which the folder was listed last.
    listed: AtomicU64,
    _end: DropGuard,
}

impl ImapInbox {
    /// A folder that is listened to where the server can (IDLE), and listed every `poll` besides. `memory` is where a mailbox in
    /// which mails stay has its baseline. It must be made within a tokio runtime.
    pub fn new(server: Server, folder: String, done: Done, poll: Duration, memory: Arc<dyn Memory>) -> Self {
        let host = server.host.clone();
        let prefix = Self::prefix(&server, &folder);
        let (commands, received) = mpsc::channel(WAITING);
        let (sender, news) = watch::channel(0);
        let settings = Settings { server, folder, done, poll, prefix: prefix.clone(), memory };
        let end = CancellationToken::new();
        let actor = Actor::new(settings, received, sender);
        let ended = end.clone();
        tokio::spawn(async move { ended.run_until_cancelled(actor.run()).await });
        Self { host, poll, prefix, commands, news, listed: AtomicU64::new(0), _end: end.drop_guard() }
    }

    /// What the sources of this mailbox begin with: the same for the same mailbox, whatever else changes.
    pub fn prefix(server: &Server, folder: &str) -> String {
        let user = server.login.as_ref().map_or("", |login| login.user.as_str());
        format!("imap:{}:{}:{user}:{folder}:", server.host, server.port)
    }

    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, PortError> {
        let (reply, answer) = oneshot::channel();
        let answer = match self.commands.send(command(reply)).await {
            Ok(()) => answer.await.ok(),
            Err(_) => None,
        };
        answer.unwrap_or(Err(Trouble::Lost)).map_err(|trouble| trouble.at(&self.host))
    }

    async fn finish(&self, found: &Found, kind: Kind) -> Result<(), PortError> {
        match Place::parse(&found.source, &self.prefix) {
            Some(place) => self.ask(|reply| Command::Finish { place, kind, reply }).await,
            None => Ok(()),
        }
    }
}

impl Inbox for ImapInbox {
    fn list(&self, limit: usize) -> Answer<'_, Result<Vec<Found>, PortError>> {
        Box::pin(async move {
            // What is announced from here on is another occasion.
            self.listed.store(*self.news.borrow(), Ordering::Release);
            self.ask(|reply| Command::List { limit, reply }).await
        })
    }

    fn fetch<'a>(&'a self, found: &'a Found, max_size: u64) -> Answer<'a, Result<Fetched, PortError>> {
        Box::pin(async move {
            match Place::parse(&found.source, &self.prefix) {
                Some(place) => {
                    let size = found.size;
                    self.ask(|reply| Command::Fetch(Fetch { place, size, max_size, reply })).await
                }
                None => Ok(Fetched::Gone),
            }
        })
    }

    fn done<'a>(&'a self, found: &'a Found) -> Answer<'a, Result<(), PortError>> {
        Box::pin(self.finish(found, Kind::Done))
    }

    fn keep<'a>(&'a self, found: &'a Found) -> Answer<'a, Result<(), PortError>> {
        Box::pin(self.finish(found, Kind::Keep))
    }

    fn wait(&self) -> Answer<'_, ()> {
        let listed = self.listed.load(Ordering::Acquire);
        let mut news = self.news.clone();
        Box::pin(async move {
            let occasion = async {
                if news.wait_for(|count| *count > listed).await.is_err() {
                    // The task has ended; the next list says so.
                    std::future::pending::<()>().await;
                }
            };
            let _in_any_case = tokio::time::timeout(self.poll, occasion).await;
        })
    }
}

#[cfg(test)]
#[path = "inbox_tests.rs"]
mod tests;
