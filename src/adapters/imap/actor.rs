//! The one task that owns the session: it works off commands, listens in between (IDLE), and connects again for ever.
//!
//! Security: whoever waits for an answer may stop waiting at any time without tearing the session. Every command names the
//! UIDVALIDITY its mail was listed under, so that nothing is ever done to another mail that has the same UID by now. The task, and
//! with it the password, ends with its inbox.

use super::baseline::Memory;
use super::connect;
use super::finish::{Finishing, Kind};
use super::session::Link;
use super::trouble::{Trouble, caught};
use super::waiting::Waiting;
use super::{Place, names};
use crate::adapters::server::Server;
use crate::config::Done;
use crate::ports::{Fetched, Found};
use backon::BackoffBuilder;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

/// A session that listens is asked anew after so long: servers may log a silent client out after 29 minutes (RFC 2177).
const LISTEN: Duration = Duration::from_secs(25 * 60);
/// How long the next command is waited for before listening begins.
const LINGER: Duration = Duration::from_millis(20);
/// How long mails are gathered that are to be taken off.
const GATHER: Duration = Duration::from_millis(2);
/// The folder is opened, and looked through, anew after so long.
const RESCAN: Duration = Duration::from_secs(3600);
/// A connection that lasted so long was a good one.
const GOOD: Duration = Duration::from_secs(60);

pub(super) type Reply<T> = oneshot::Sender<Result<T, Trouble>>;

/// What the inbox wants.
pub(super) enum Command {
    List { limit: usize, reply: Reply<Vec<Found>> },
    Fetch(Fetch),
    Finish { place: Place, kind: Kind, reply: Reply<()> },
}

/// A mail that is to be read.
pub(super) struct Fetch {
    pub(super) place: Place,
    pub(super) size: u64,
    pub(super) max_size: u64,
    pub(super) reply: Reply<Fetched>,
}

/// What the task needs to know.
pub(super) struct Settings {
    pub(super) server: Server,
    pub(super) folder: String,
    pub(super) done: Done,
    pub(super) poll: Duration,
    pub(super) prefix: String,
    pub(super) memory: Arc<dyn Memory>,
}

pub(super) struct Actor {
    settings: Settings,
    commands: mpsc::Receiver<Command>,
    /// Commands that were received and are not done yet.
    pub(super) queue: VecDeque<Command>,
    /// Counts the occasions to list.
    news: watch::Sender<u64>,
    told: bool,
    pub(super) link: Option<Link>,
    pub(super) waiting: Waiting,
    finishing: Finishing,
    scanned: Option<Instant>,
    /// When somebody last listed: nobody else wants the connection.
    wanted: Instant,
    since: Instant,
    attempt: Instant,
    last: Option<Trouble>,
    backoff: backon::ExponentialBackoff,
    truncated: bool,
}

impl Actor {
    pub(super) fn new(settings: Settings, commands: mpsc::Receiver<Command>, news: watch::Sender<u64>) -> Self {
        let now = Instant::now();
        Self {
            finishing: Finishing::new(settings.done.clone()),
            settings,
            commands,
            queue: VecDeque::new(),
            news,
            told: false,
            link: None,
            waiting: Waiting::default(),
            scanned: None,
            wanted: now,
            since: now,
            attempt: now,
            last: None,
            backoff: backoff(false),
            truncated: false,
        }
    }

    /// Works until the inbox is dropped.
    pub(super) async fn run(mut self) {
        while let Some(command) = self.next().await {
            match command {
                Command::List { limit, reply } => {
                    let listed = self.list(limit).await;
                    let listed = self.settle(listed);
                    let _nobody_waits = reply.send(listed);
                }
                Command::Fetch(fetch) => self.fetch(fetch).await,
                Command::Finish { place, kind, reply } => self.finish(place, kind, reply).await,
            }
        }
        if let Some(link) = self.link {
            link.log_out().await;
        }
    }

    /// The next command. Until there is one it listens, or tries to connect.
    async fn next(&mut self) -> Option<Command> {
        loop {
            if let Some(command) = self.queue.pop_front() {
                return Some(command);
            }
            tokio::select! {
                biased;
                command = self.commands.recv() => return command,
                () = tokio::time::sleep(LINGER) => {}
            }
            let unwanted = self.wanted.elapsed() > 3 * self.settings.poll + Duration::from_secs(60);
            match &mut self.link {
                Some(_) if unwanted => {
                    if let Some(link) = self.link.take() {
                        link.log_out().await;
                    }
                }
                Some(link) if link.abilities.has("IDLE") => {
                    match listen(link, &mut self.commands, &self.news, &mut self.told, self.settings.poll).await {
                        Ok(Heard::Command(command)) => return command,
                        Ok(Heard::Nothing) => {}
                        // It promised to, and does not: it is polled.
                        Err(Trouble::Refused { .. }) => link.abilities.forget("IDLE"),
                        Err(trouble) => self.disconnect(trouble),
                    }
                }
                Some(_) => {
                    let command = tokio::time::timeout(self.settings.poll, self.commands.recv()).await;
                    if let Ok(command) = command {
                        return command;
                    }
                }
                None if unwanted || self.last.is_none() => return self.commands.recv().await,
                None => {
                    tokio::select! {
                        biased;
                        command = self.commands.recv() => return command,
                        () = tokio::time::sleep_until(self.attempt) => {
                            if self.ready().await.is_ok() {
                                self.tell();
                            }
                        }
                    }
                }
            }
        }
    }

    /// Says that there is an occasion to list.
    fn tell(&mut self) {
        self.told = true;
        self.news.send_modify(|count| *count += 1);
    }

    /// A session with the folder open and looked through; connects if it is time to.
    pub(super) async fn ready(&mut self) -> Result<(), Trouble> {
        if self.link.is_none() {
            if let Some(last) = self.last.as_ref().filter(|_| Instant::now() < self.attempt) {
                return Err(last.clone());
            }
            self.since = Instant::now();
            match self.connect().await {
                Ok(link) => self.link = Some(link),
                Err(trouble) => {
                    self.disconnect(trouble.clone());
                    return Err(trouble);
                }
            }
            self.finishing.forget();
            self.scanned = None;
            (self.since, self.last) = (Instant::now(), None);
        }
        if self.scanned.is_none_or(|scanned| scanned.elapsed() > RESCAN) {
            let opened = self.open().await;
            self.settle(opened)?;
        }
        Ok(())
    }

    async fn connect(&self) -> Result<Link, Trouble> {
        let connected = async { Link::new(connect::connect(&self.settings.server).await?).await };
        caught("login", connected).await
    }

    async fn open(&mut self) -> Result<(), Trouble> {
        let link = self.link.as_mut().ok_or(Trouble::Lost)?;
        link.select(&names::encoded(&self.settings.folder)).await?;
        let memory = (self.settings.done == Done::Seen).then_some(&*self.settings.memory);
        self.waiting.scan(link, memory).await?;
        self.scanned = Some(Instant::now());
        Ok(())
    }

    /// Passes a result on; after one that the connection does not survive, the next attempt is planned. An answer that merely
    /// repeats why there is no connection changes nothing: else whoever asks more often than it is tried would put the attempt
    /// off for ever.
    pub(super) fn settle<T>(&mut self, result: Result<T, Trouble>) -> Result<T, Trouble> {
        let planned = self.link.is_none() && self.last.is_some() && Instant::now() < self.attempt;
        if let Err(trouble) = &result
            && self.link.is_some()
            && (trouble.ends_connection() || self.scanned.is_none())
            && !planned
        {
            self.disconnect(trouble.clone());
        }
        result
    }

    fn disconnect(&mut self, trouble: Trouble) {
        let slow = trouble.is_about_login();
        if self.since.elapsed() > GOOD || slow != self.last.as_ref().is_some_and(Trouble::is_about_login) {
            self.backoff = backoff(slow);
        }
        let delay = self.backoff.next().unwrap_or(GOOD);
        self.scanned = None;
        (self.link, self.attempt, self.last, self.since) =
            (None, Instant::now() + delay, Some(trouble), Instant::now());
    }

    async fn list(&mut self, limit: usize) -> Result<Vec<Found>, Trouble> {
        self.wanted = Instant::now();
        self.told = false;
        let fresh = self.link.is_none();
        self.ready().await?;
        let link = self.link.as_mut().ok_or(Trouble::Lost)?;
        if !fresh {
            self.waiting.catch_up(link).await?;
        }
        let mails = self.waiting.first(link, limit).await?;
        if self.settings.done == Done::Seen {
            self.waiting.advance(&*self.settings.memory).await?;
        }
        self.truncated = mails.len() < self.waiting.len();
        let validity = self.waiting.validity;
        let found = |mail: super::session::Listed| Found {
            source: Place { validity, uid: mail.uid }.source(&self.settings.prefix),
            size: mail.size.unwrap_or(0).into(),
        };
        Ok(mails.into_iter().map(found).collect())
    }

    /// Takes mails off the list: all that are to be taken off in the same way, in one go.
    async fn finish(&mut self, place: Place, kind: Kind, reply: Reply<()>) {
        let mut batch = vec![(place, reply)];
        // It does not matter when a mail goes, but each command costs the server a look at the whole folder.
        tokio::time::sleep(GATHER).await;
        self.gather();
        let mut others = VecDeque::new();
        for command in std::mem::take(&mut self.queue) {
            match command {
                Command::Finish { place, kind: of, reply } if of == kind => batch.push((place, reply)),
                other => others.push_back(other),
            }
        }
        self.queue = others;
        let result = self.finish_all(&batch, kind).await;
        let result = self.settle(result);
        for (_, reply) in batch {
            let _nobody_waits = reply.send(result.clone());
        }
        if result.is_ok() && self.truncated && !self.told {
            self.tell();
        }
    }

    async fn finish_all<T>(&mut self, batch: &[(Place, T)], kind: Kind) -> Result<(), Trouble> {
        self.ready().await?;
        let link = self.link.as_mut().ok_or(Trouble::Lost)?;
        // A mail that was listed under another UIDVALIDITY is listed again under this one, and known by its content.
        let mut uids: Vec<u32> = batch
            .iter()
            .filter(|(place, _)| place.validity == link.folder.validity)
            .map(|(place, _)| place.uid)
            .collect();
        uids.sort_unstable();
        uids.dedup();
        self.finishing.finish(link, &self.waiting, &uids, kind).await?;
        for uid in uids {
            self.waiting.settle(uid);
        }
        Ok(())
    }

    /// Receives what has been commanded meanwhile.
    pub(super) fn gather(&mut self) {
        while let Ok(command) = self.commands.try_recv() {
            self.queue.push_back(command);
        }
    }
}

/// What ended listening.
enum Heard {
    /// A command, or the end of the inbox.
    Command(Option<Command>),
    Nothing,
}

async fn listen(
    link: &mut Link,
    commands: &mut mpsc::Receiver<Command>,
    news: &watch::Sender<u64>,
    told: &mut bool,
    poll: Duration,
) -> Result<Heard, Trouble> {
    let end = Instant::now() + LISTEN.min(3 * poll);
    link.begin_idle().await?;
    let heard = loop {
        if link.has_news() && !*told {
            *told = true;
            news.send_modify(|count| *count += 1);
        }
        tokio::select! {
            biased;
            command = commands.recv() => break Heard::Command(command),
            heard = link.hear() => heard?,
            () = tokio::time::sleep_until(end) => break Heard::Nothing,
        }
    };
    match link.end_idle().await {
        Ok(()) => Ok(heard),
        Err(trouble) => match heard {
            // The command finds the connection gone, and says so.
            Heard::Command(command) => Ok(Heard::Command(command)),
            Heard::Nothing => Err(trouble),
        },
    }
}

/// 1 s doubling to a minute, for ever; after a refused login 1 minute to 15, so that no account is locked.
fn backoff(slow: bool) -> backon::ExponentialBackoff {
    let (least, most) = if slow { (60, 900) } else { (1, 60) };
    backon::ExponentialBuilder::default()
        .with_min_delay(Duration::from_secs(least))
        .with_max_delay(Duration::from_secs(most))
        .with_factor(2.0)
        .with_jitter()
        .without_max_times()
        .build()
}
