//! Sealed → Sent | Held | Failed: seals for one recipient after the other, or for several at once, hands over, and says what
//! came of it.
//!
//! Security: before a courier is called that might deliver twice, `sending` is durable and the row is still ours, by the
//! database's clock of that moment; one recipient is one commit, right after the courier accepted. Logs name rows by id.

use super::deliver::{SIDE_BY_SIDE, prepare, retry};
use super::said::is_news;
use super::{StepError, later, next_try, notice, on_worker, settle};
use crate::gateway::Gateway;
use crate::heartbeat;
use crate::ports::PortError;
use crate::report::{Member, OutgoingMail, SealError, SignedCopies};
use crate::store::{Claim, Fate, Outcome, Row};
use futures::StreamExt;
use jiff::Timestamp;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

/// How long an end that nobody knows is left alone: by then the mail, if it arrived, is known.
const UNKNOWN: Duration = Duration::from_secs(60);
/// Small copies of one mail that are sealed and on their way at once.
const COPIES: usize = 8;

/// What was handed to the courier, and how that ended.
pub(super) struct Ended {
    result: Result<(), PortError>,
    /// When, by the database's clock.
    at: Timestamp,
}

/// Hands one mail to the courier. Nothing if the row is another's meanwhile: then nothing was handed over.
pub(super) async fn hand(
    gateway: &Gateway,
    claim: &Claim,
    mail: &OutgoingMail,
    now: Timestamp,
) -> Result<Option<Ended>, StepError> {
    let mut now = now;
    if !gateway.courier.idempotent() {
        // A process that was frozen since it claimed the row finds out here.
        now = gateway.store.now().await?;
        if !gateway.store.mark_sending(&gateway.owner, std::slice::from_ref(claim), now).await?.is_empty() {
            tracing::warn!(row = %claim.row.id, "this row was taken over by another gateway; it is not sent from here");
            return Ok(None);
        }
    }
    let begun = Instant::now();
    let result = gateway.courier.deliver(mail).await;
    heartbeat::beat();
    Ok(Some(Ended { result, at: later(now, begun.elapsed()) }))
}

/// What an end means for the row.
pub(super) async fn judge(gateway: &Gateway, claim: &Claim, ended: Ended) -> Outcome {
    let row = &claim.row.id;
    let due = next_try(ended.at, i64::from(claim.row.attempts));
    match ended.result {
        Ok(()) => {
            tracing::info!(%row, mail = %claim.row.mail, kind = %claim.row.kind, "sent");
            Outcome::Sent
        }
        Err(PortError::Temporary(why)) => {
            if is_news("not sent", &why) {
                tracing::warn!(%row, why, %due, "not sent; this and whatever meets the same is tried again");
            } else {
                tracing::debug!(%row, why, %due, "not sent; it is tried again");
            }
            Outcome::Retry { due, why: "courier-unavailable".into() }
        }
        Err(PortError::Ambiguous(why)) => {
            let due = due.max(later(ended.at, UNKNOWN));
            tracing::warn!(%row, why, %due, "it cannot be told whether this was sent; it is tried again and may arrive twice");
            Outcome::Ambiguous { due, why: "unknown-outcome".into() }
        }
        Err(PortError::Permanent(why) | PortError::TooLarge(why)) => {
            if is_news("refused", &why) {
                tracing::error!(%row, why, "refused for good, as is whatever meets the same; not tried again by itself (see `embargod queue`)");
            } else {
                tracing::debug!(%row, why, "refused for good");
            }
            if let Err(error) = notice::delivery_failed(gateway, claim, ended.at).await {
                tracing::error!(%error, "the admins could not be told");
            }
            Outcome::Failed { why: "refused".into() }
        }
    }
}

/// The copies of one mail for the members of a batch.
pub(super) struct Copies<'a> {
    gateway: &'a Gateway,
    row: Row,
    members: Vec<Arc<Member>>,
    signed: Arc<SignedCopies>,
    /// The same without large attachments, made when a server refuses the size.
    reduced: OnceCell<Arc<SignedCopies>>,
    now: Timestamp,
    end: &'a CancellationToken,
}

impl<'a> Copies<'a> {
    /// `row` is any of the batch.
    pub(super) fn new(
        gateway: &'a Gateway,
        row: Row,
        members: Vec<Arc<Member>>,
        signed: Arc<SignedCopies>,
        now: Timestamp,
        end: &'a CancellationToken,
    ) -> Self {
        Self { gateway, row, members, signed, reduced: OnceCell::new(), now, end }
    }

    /// Seals for each member and hands over, several members side by side for small mails. Returns the fates that are not
    /// written down yet.
    pub(super) async fn hand_over(
        &self,
        batch: Vec<(Claim, Arc<Member>)>,
        large: bool,
    ) -> Result<Vec<Fate>, StepError> {
        // Large ones: one is sealed while another is on its way.
        let width = match (large, self.gateway.courier.idempotent()) {
            (true, true) => 1,
            (true, false) => 2,
            (false, true) => SIDE_BY_SIDE,
            (false, false) => COPIES,
        };
        let mut copies =
            futures::stream::iter(batch).map(|(claim, member)| self.one_copy(claim, member)).buffer_unordered(width);
        let (mut fates, mut trouble) = (Vec::new(), Ok(()));
        while let Some(fate) = copies.next().await {
            // What is on its way to the others is not cut off.
            match fate {
                Ok(fate) => fates.extend(fate),
                Err(error) => trouble = Err(error),
            }
        }
        trouble.map(|()| fates)
    }

    /// One copy. Through an idempotent courier its fate is written with the others'; through any other it is committed at
    /// once.
    async fn one_copy(&self, claim: Claim, member: Arc<Member>) -> Result<Option<Fate>, StepError> {
        let gateway = self.gateway;
        if self.end.is_cancelled() {
            // Nothing is begun that the end would cut off; the row is given back.
            return Ok(None);
        }
        let outcome = match self.seal_and_hand(&claim, &member).await {
            Ok(Some(ended)) => judge(gateway, &claim, ended).await,
            Ok(None) => return Ok(None),
            Err(StepError::Seal(SealError::Unusable(why))) => {
                notice::copy_held(gateway, &member, why, self.now).await?;
                Outcome::Held { why: why.code().into() }
            }
            Err(error @ (StepError::Seal(_) | StepError::Worker)) => {
                tracing::error!(mail = %claim.row.mail, %error, "copy could not be sealed; it is tried again");
                return Ok(Some(retry(&claim, self.now, "cannot-seal")));
            }
            Err(error) => return Err(error),
        };
        let fate = claim.met(outcome);
        if gateway.courier.idempotent() {
            return Ok(Some(fate));
        }
        settle(gateway, &[fate], gateway.store.now().await?).await?;
        Ok(None)
    }

    async fn seal_and_hand(&self, claim: &Claim, member: &Arc<Member>) -> Result<Option<Ended>, StepError> {
        let mail = self.seal(&self.signed, claim, member).await?;
        let ended = hand(self.gateway, claim, &mail, self.now).await?;
        let Some(Ended { result: Err(PortError::TooLarge(why)), .. }) = &ended else { return Ok(ended) };
        if is_news("reduced", why) {
            tracing::warn!(row = %claim.row.id, why, "sent without its large attachments, as is whatever meets the same");
        }
        drop(mail);
        let mail = self.seal(self.reduced().await?, claim, member).await?;
        hand(self.gateway, claim, &mail, self.now).await
    }

    async fn seal(
        &self,
        signed: &Arc<SignedCopies>,
        claim: &Claim,
        member: &Arc<Member>,
    ) -> Result<OutgoingMail, StepError> {
        let (signed, member, now) = (Arc::clone(signed), Arc::clone(member), self.now);
        let delivery_id = delivery_id(self.gateway, claim);
        Ok(on_worker(move || signed.seal_for(&member, &delivery_id, now)).await??)
    }

    async fn reduced(&self) -> Result<&Arc<SignedCopies>, StepError> {
        let make = async || {
            let outline = self.gateway.store.outline(&self.row.mail).await?;
            prepare(self.gateway, &self.row, &self.members, outline, self.now, true).await
        };
        self.reduced.get_or_try_init(make).await
    }
}

/// The name of one delivery: the same for every try of this row's mail to this recipient.
pub(super) fn delivery_id(gateway: &Gateway, claim: &Claim) -> String {
    let row = &claim.row;
    let recipient = row.recipient.as_ref().map_or("", |digest| digest.as_str());
    let generation = row.generation.to_string();
    let fields = [row.mail.as_str(), row.kind.word(), &generation, recipient].map(str::as_bytes);
    gateway.vault.digest(crate::report::Lookup::Source, &fields).as_str().chars().take(40).collect()
}
