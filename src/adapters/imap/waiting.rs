//! Which mails of the folder wait: one full look after each login, and then only at what is new.
//!
//! Security: the order in which mails are listed lets none keep the others waiting: those that made trouble come last. What the
//! server claims costs a few octets a mail, and no more mails are asked about than are wanted.

use super::baseline::{Baseline, Memory};
use super::names;
use super::session::{Link, Listed};
use super::trouble::Trouble;
use std::collections::{BTreeMap, HashSet};

/// Mails searched among at a time.
const WINDOW: u32 = 10_000;

/// The mails that wait, by UID, under one UIDVALIDITY.
#[derive(Default)]
pub(super) struct Waiting {
    pub(super) validity: u32,
    /// No mail with a UID up to this is unknown.
    high: u32,
    mails: BTreeMap<u32, Option<Listed>>,
    /// Mails that could not be read; they come last.
    troubled: HashSet<u32>,
    /// Mails that were read together when it failed: it may have been any of them.
    suspects: HashSet<u32>,
    /// Mails of which more came than was announced.
    pub(super) oversize: HashSet<u32>,
    baseline: Option<Baseline>,
}

impl Waiting {
    /// Begins anew after a login: where the mails have other numbers now, nothing that was known of them holds.
    pub(super) async fn scan(&mut self, link: &mut Link, memory: Option<&dyn Memory>) -> Result<(), Trouble> {
        let folder = link.folder.clone();
        if folder.validity != self.validity {
            *self = Self { validity: folder.validity, ..Self::default() };
        }
        self.mails.clear();
        link.take_news();
        let mut uids = match memory {
            Some(memory) => self.since_baseline(link, memory).await?,
            None => search(link, "ALL", false).await?,
        };
        uids.sort_unstable();
        let next = self.baseline.as_ref().map(|baseline| baseline.next).max(folder.next);
        self.high = uids.last().copied().unwrap_or(0).max(next.unwrap_or(1).saturating_sub(1));
        self.mails = uids.into_iter().map(|uid| (uid, None)).collect();
        let there = &self.mails;
        self.troubled.retain(|uid| there.contains_key(uid));
        self.suspects.retain(|uid| there.contains_key(uid));
        self.oversize.retain(|uid| there.contains_key(uid));
        Ok(())
    }

    /// Looks at what has come since.
    pub(super) async fn catch_up(&mut self, link: &mut Link) -> Result<(), Trouble> {
        if !link.has_news() {
            link.tell("NOOP", "NOOP").await?;
        }
        if !link.take_news() || link.folder.exists == 0 {
            return Ok(());
        }
        let Some(first) = self.high.checked_add(1) else { return Ok(()) };
        // "*" is the last mail, which may be an old one.
        for mail in link.look(&format!("{first}:*")).await?.into_iter().filter(|mail| mail.uid >= first) {
            self.high = self.high.max(mail.uid);
            if !mail.kept {
                self.mails.insert(mail.uid, Some(mail));
            }
        }
        Ok(())
    }

    /// The first mails, oldest first, with what the server says of them.
    pub(super) async fn first(&mut self, link: &mut Link, limit: usize) -> Result<Vec<Listed>, Trouble> {
        let chosen = self.in_order(limit);
        let mut unknown: Vec<u32> =
            chosen.iter().copied().filter(|uid| matches!(self.mails.get(uid), Some(None))).collect();
        unknown.sort_unstable();
        for set in names::sets(&unknown) {
            for mail in link.look(&set).await? {
                if let Some(place) = self.mails.get_mut(&mail.uid).filter(|place| place.is_none()) {
                    *place = Some(mail);
                }
            }
        }
        for uid in unknown {
            // It has gone meanwhile, or stays for ever.
            if self.mails.get(&uid).is_some_and(|mail| mail.is_none_or(|mail| mail.kept)) {
                self.settle(uid);
            }
        }
        Ok(chosen.iter().filter_map(|uid| self.mails.get(uid).copied().flatten()).collect())
    }

    fn in_order(&self, limit: usize) -> Vec<u32> {
        let (last, first): (Vec<u32>, Vec<u32>) = self.mails.keys().partition(|uid| self.troubled.contains(uid));
        first.into_iter().chain(last).take(limit).collect()
    }

    pub(super) fn get(&self, uid: u32) -> Option<Listed> {
        self.mails.get(&uid).copied().flatten()
    }

    pub(super) fn len(&self) -> usize {
        self.mails.len()
    }

    /// It waits no more.
    pub(super) fn settle(&mut self, uid: u32) {
        self.mails.remove(&uid);
        self.oversize.remove(&uid);
        self.calm(uid);
    }

    /// It could not be read.
    pub(super) fn trouble(&mut self, uid: u32) {
        self.troubled.insert(uid);
    }

    /// It may be the one that could not be read.
    pub(super) fn suspect(&mut self, uid: u32) {
        self.suspects.insert(uid);
    }

    /// It could be read.
    pub(super) fn calm(&mut self, uid: u32) {
        self.troubled.remove(&uid);
        self.suspects.remove(&uid);
    }

    /// Whether it is read without others.
    pub(super) fn goes_alone(&self, uid: u32) -> bool {
        self.troubled.contains(&uid) || self.suspects.contains(&uid)
    }

    /// Where nothing waits: remembers that, so that the next start need not look at all of it again.
    pub(super) async fn advance(&mut self, memory: &dyn Memory) -> Result<(), Trouble> {
        let Some(baseline) = self.baseline.as_mut().filter(|_| self.mails.is_empty()) else { return Ok(()) };
        let next = self.high.saturating_add(1).max(baseline.next);
        if baseline.next == next && baseline.open.is_empty() {
            return Ok(());
        }
        let advanced = Baseline { next, open: Vec::new(), ..baseline.clone() };
        memory.remember(&advanced.text()).await.map_err(Trouble::Memory)?;
        *baseline = advanced;
        Ok(())
    }

    /// What is not settled by the baseline, which is drawn at the first contact.
    async fn since_baseline(&mut self, link: &mut Link, memory: &dyn Memory) -> Result<Vec<u32>, Trouble> {
        let known = match memory.recall().await.map_err(Trouble::Memory)? {
            None => None,
            Some(text) => {
                Some(Baseline::parse(&text).ok_or_else(|| Trouble::Memory("it is of another version".into()))?)
            }
        };
        let baseline = match known {
            Some(known) if known.validity == link.folder.validity => known,
            known => draw(link, known.as_ref(), memory).await?,
        };
        let mut uids = baseline.open.clone();
        let later = search(link, &format!("UID {}:*", baseline.next), true).await?;
        uids.extend(later.into_iter().filter(|uid| *uid >= baseline.next));
        self.baseline = Some(baseline);
        Ok(uids)
    }
}

/// Draws a baseline: what is not read is open. Where the mails got new numbers, what was read since the first contact is open as
/// well: it may have been read before the gateway saw it, and what the gateway has seen it knows by its content.
async fn draw(link: &mut Link, before: Option<&Baseline>, memory: &dyn Memory) -> Result<Baseline, Trouble> {
    let next = match link.folder.next {
        Some(next) => next,
        None if link.folder.exists == 0 => 1,
        None => link.look("*").await?.iter().map(|mail| mail.uid.saturating_add(1)).max().unwrap_or(1),
    };
    let query = before.map_or_else(|| "UNSEEN".to_owned(), |before| format!("OR UNSEEN SINCE {}", before.day()));
    let mut open = search(link, &query, false).await?;
    open.retain(|uid| *uid < next);
    open.sort_unstable();
    open.dedup();
    let since = before.map_or_else(|| jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date(), |b| b.since);
    let baseline = Baseline { validity: link.folder.validity, next, since, open };
    memory.remember(&baseline.text()).await.map_err(Trouble::Memory)?;
    Ok(baseline)
}

/// The UIDs of all mails that match. From the last ones to the first: a mail that moves up because another is expunged meanwhile
/// is seen twice then, and not left out. With `ends` the search ends where nothing matches any more.
async fn search(link: &mut Link, key: &str, ends: bool) -> Result<Vec<u32>, Trouble> {
    let exists = link.folder.exists;
    if exists == 0 {
        return Ok(Vec::new());
    }
    if exists <= WINDOW {
        return link.search(key).await;
    }
    let mut last = exists - WINDOW;
    let mut uids = link.search(&format!("{}:* {key}", last + 1)).await?;
    while last > 0 && !(ends && uids.is_empty()) {
        let first = last.saturating_sub(WINDOW) + 1;
        let found = link.search(&format!("{first}:{last} {key}")).await?;
        last = if ends && found.is_empty() { 0 } else { first - 1 };
        uids.extend(found);
    }
    uids.sort_unstable();
    uids.dedup();
    Ok(uids)
}
