//! Reading mails: several small ones in one go, a large one alone, of an oversize one only the beginning.
//!
//! Security: nothing is read that was not announced as small enough, and no more of it is taken than may come. A mail that breaks the
//! connection breaks it for the others once: from then on it is read alone, after all others.

use super::actor::{Actor, Command, Fetch};
use super::trouble::Trouble;
use super::wire::Allowance;
use super::{Place, names};
use crate::ports::{Fetched, HEAD};
use crate::report::Plaintext;
use std::collections::{HashMap, VecDeque};
use zeroize::Zeroizing;

/// Octets, as announced, that are read in one go.
const TOGETHER: u64 = 8 * 1024 * 1024;
/// What an answer may hold besides the mails themselves; octets for each mail.
const AROUND: u64 = 64 * 1024;

impl Actor {
    /// Reads a mail, and with it those that are wanted meanwhile.
    pub(super) async fn fetch(&mut self, fetch: Fetch) {
        let mut batch = vec![fetch];
        if batch.iter().all(|one| self.is_small(one)) {
            // Whoever wants several is about to say so.
            tokio::task::yield_now().await;
            self.gather();
            let mut size: u64 = batch.iter().map(|one| one.size).sum();
            let mut others = VecDeque::new();
            for command in std::mem::take(&mut self.queue) {
                match command {
                    Command::Fetch(one) if self.is_small(&one) && size.saturating_add(one.size) <= TOGETHER => {
                        size = size.saturating_add(one.size);
                        batch.push(one);
                    }
                    other => others.push_back(other),
                }
            }
            self.queue = others;
        }
        let read = match self.ready().await {
            Ok(()) => {
                let read = self.read(&batch).await;
                let read = self.settle(read);
                if let Err(trouble) = &read {
                    self.blame(&batch, trouble);
                }
                read
            }
            Err(trouble) => Err(trouble),
        };
        for one in batch {
            let answer = match &read {
                Err(trouble) => Err(trouble.clone()),
                Ok(mails) => mails.get(&one.place).map_or(Ok(Fetched::Gone), Came::answer),
            };
            match &answer {
                Ok(Fetched::Gone) if one.place.validity == self.waiting.validity => self.waiting.settle(one.place.uid),
                Ok(_) => self.waiting.calm(one.place.uid),
                Err(_) if read.is_ok() => self.waiting.trouble(one.place.uid),
                Err(_) => {}
            }
            let _nobody_waits = one.reply.send(answer);
        }
    }

    /// Whether it can be read together with others.
    fn is_small(&self, one: &Fetch) -> bool {
        let beyond = one.size > one.max_size || one.size > TOGETHER || self.waiting.oversize.contains(&one.place.uid);
        !beyond && !self.waiting.goes_alone(one.place.uid)
    }

    /// What is remembered after a failure. It may have been any mail of several; one that was read alone was it.
    fn blame(&mut self, batch: &[Fetch], trouble: &Trouble) {
        let validity = self.waiting.validity;
        for one in batch.iter().filter(|one| one.place.validity == validity) {
            if batch.len() > 1 {
                self.waiting.suspect(one.place.uid);
            } else {
                self.waiting.trouble(one.place.uid);
            }
        }
        if let ([one], Trouble::TooMuch(_)) = (batch, trouble) {
            self.waiting.oversize.insert(one.place.uid);
        }
    }

    /// The mails that are still there.
    async fn read(&mut self, batch: &[Fetch]) -> Result<HashMap<Place, Came>, Trouble> {
        let link = self.link.as_mut().ok_or(Trouble::Lost)?;
        let validity = link.folder.validity;
        let wanted: Vec<&Fetch> = batch.iter().filter(|one| one.place.validity == validity).collect();
        let mut uids: Vec<u32> = wanted.iter().map(|one| one.place.uid).collect();
        uids.sort_unstable();
        uids.dedup();
        let head = wanted.iter().any(|one| one.size > one.max_size || self.waiting.oversize.contains(&one.place.uid));
        let allowance = allowance(&wanted, head);
        let mut mails = HashMap::new();
        for set in names::sets(&uids) {
            let mut came = Vec::new();
            match link.read(&set, head.then_some(HEAD), allowance, &mut came).await {
                // Some servers refuse because one of several is gone.
                Ok(()) | Err(Trouble::Refused { .. }) => {}
                Err(trouble) => return Err(trouble),
            }
            mails.extend(came.into_iter().map(|(uid, octets)| (Place { validity, uid }, Came { octets, head })));
        }
        let missing: Vec<u32> =
            uids.into_iter().filter(|uid| !mails.contains_key(&Place { validity, uid: *uid })).collect();
        for set in names::sets(&missing) {
            // Only a mail that is no longer found is gone.
            for uid in link.search(&format!("UID {set}")).await?.into_iter().filter(|uid| missing.contains(uid)) {
                mails.insert(Place { validity, uid }, Came { octets: None, head });
            }
        }
        Ok(mails)
    }
}

/// What may come. The size that was announced may be an estimate; a mail that is read alone may be as large as any.
fn allowance(wanted: &[&Fetch], head: bool) -> Allowance {
    let announced: u64 = wanted.iter().map(|one| one.size).sum();
    let count = u64::try_from(wanted.len()).unwrap_or(u64::MAX);
    let literal = match wanted {
        _ if head => HEAD as u64,
        [one] => one.max_size,
        _ => announced.saturating_add(announced / 4),
    };
    Allowance { literal, total: literal.saturating_add(AROUND.saturating_mul(count)) }
}

/// A mail that is there.
struct Came {
    /// Nothing where the server keeps it to itself.
    octets: Option<Zeroizing<Vec<u8>>>,
    head: bool,
}

impl Came {
    fn answer(&self) -> Result<Fetched, Trouble> {
        let octets = self.octets.as_ref().filter(|octets| !octets.is_empty());
        let octets = octets.ok_or(Trouble::Unintelligible("FETCH"))?;
        let mail = Plaintext::new(octets.to_vec());
        Ok(if self.head { Fetched::Head(mail) } else { Fetched::Whole(mail) })
    }
}
