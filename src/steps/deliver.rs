//! Claimed → Sealed → Sent | Held | Failed: the copies of one mail are signed once, encrypted for each member alone, and handed
//! to the courier; every row meets a fate of its own.
//!
//! Security: sealing happens here and not earlier, so that a member who left gets nothing more and a held copy goes out under
//! the renewed certificate. A member who cannot be encrypted to gets nothing. Logs name members by certificate fingerprint and
//! mails by id.

use super::said::is_news;
use super::{LEASE, StepError, next_try, notice, on_worker, settle};
use crate::gateway::Gateway;
use crate::ports::PortError;
use crate::report::{
    AdvisoryLine, CaseId, CopyInput, Frozen, MailId, Member, OurMessageId, OutgoingMail, Plaintext, Purpose, SealError,
    Section, SignedCopies, prepare_copies, sections_of,
};
use crate::store::{Claim, DraftState, Fate, MailRow, Outcome, RowKind};
use futures::StreamExt;
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Mails claimed together.
const MAILS: usize = 8;
/// Mails sealed and delivered side by side; one at a time when they are large, so that memory stays small.
const SIDE_BY_SIDE: usize = 4;
/// A mail of this many octets is large.
const LARGE: u64 = 2 * 1024 * 1024;
/// Code of a row whose member is no longer in the configuration.
const LEFT: &str = "left-the-team";

/// Tries every due copy and notice once; returns how many rows met a fate.
///
/// # Errors
/// When the store cannot be used.
pub async fn deliver(gateway: &Gateway) -> Result<usize, StepError> {
    let mut done = 0;
    loop {
        let now = gateway.store.now().await?;
        let kinds = [RowKind::Copy, RowKind::Notice];
        let claims = gateway.store.claim(&gateway.owner, &kinds, now, LEASE, MAILS).await?;
        if claims.is_empty() {
            return Ok(done);
        }
        done += claims.len();
        let mut batches: BTreeMap<(MailId, &str, i64), Vec<Claim>> = BTreeMap::new();
        for claim in claims {
            let key = (claim.row.mail.clone(), claim.row.kind.word(), claim.row.generation);
            batches.entry(key).or_default().push(claim);
        }
        let room = Semaphore::new(SIDE_BY_SIDE);
        let mut side_by_side = futures::stream::iter(batches.into_values())
            .map(|batch| deliver_mail(gateway, batch, &room, now))
            .buffer_unordered(SIDE_BY_SIDE);
        // Written down in one commit. If it does not come to that, the same copies are handed over once more, and an
        // idempotent courier, the only one whose fates wait for it, makes one of two.
        let (mut fates, mut trouble) = (Vec::new(), Ok(()));
        while let Some(result) = side_by_side.next().await {
            match result {
                Ok(met) => fates.extend(met),
                Err(error) => trouble = Err(error),
            }
        }
        settle(gateway, &fates, gateway.store.now().await?).await?;
        trouble?;
    }
}

/// The rows of one mail that are due together. A large mail waits until it has all the `room` for itself.
async fn deliver_mail(
    gateway: &Gateway,
    claims: Vec<Claim>,
    room: &Semaphore,
    now: Timestamp,
) -> Result<Vec<Fate>, StepError> {
    let (batch, mut fates) = assign(gateway, claims, now).await?;
    let Some((first, _)) = batch.first() else { return Ok(fates) };
    let outline = gateway.store.outline(&first.row.mail).await?;
    let large = outline.as_ref().is_some_and(|mail| mail.size > LARGE);
    let places = if large { SIDE_BY_SIDE } else { 1 };
    let _place = room.acquire_many(u32::try_from(places).unwrap_or(1)).await.map_err(|_| StepError::Worker)?;
    match prepare(gateway, &batch, outline, now).await {
        Ok(signed) => fates.extend(hand_over(gateway, batch, signed, large, now).await?),
        Err(StepError::MailGone(_)) => {
            fates.extend(batch.iter().map(|(claim, _)| claim.met(Outcome::Dropped { why: "erased".into() })));
        }
        Err(error @ (StepError::Seal(_) | StepError::Worker)) => {
            tracing::error!(mail = %first.row.mail, %error, "copies cannot be made; they are tried again");
            fates.extend(batch.iter().map(|(claim, _)| retry(claim, now, "cannot-sign")));
        }
        Err(error) if error.is_unreadable() => {
            let unreadable = unreadable(gateway, first, &error).await?;
            fates.extend(batch.iter().map(|(claim, _)| claim.met(unreadable.clone())));
        }
        Err(error) => return Err(error),
    }
    Ok(fates)
}

/// Finds the member of each row; rows of members who left, or who cannot be encrypted to, meet their fate at once.
async fn assign(
    gateway: &Gateway,
    claims: Vec<Claim>,
    now: Timestamp,
) -> Result<(Vec<(Claim, Arc<Member>)>, Vec<Fate>), StepError> {
    let members: HashMap<_, _> = gateway
        .keyring
        .members()
        .iter()
        .map(|member| (gateway.vault.address_digest(member.address()), Arc::clone(member)))
        .collect();
    let (mut batch, mut fates) = (Vec::new(), Vec::new());
    for claim in claims {
        let member = claim.row.recipient.as_ref().and_then(|recipient| members.get(recipient));
        let Some(member) = member else {
            fates.push(claim.met(Outcome::Dropped { why: LEFT.into() }));
            continue;
        };
        if claim.was_sending && !gateway.courier.idempotent() {
            tracing::warn!(row = %claim.row.id, "this copy was being handed over when its sender ended; it may arrive twice");
        }
        match member.usable(now) {
            Ok(()) => batch.push((claim, Arc::clone(member))),
            Err(why) => {
                tracing::warn!(
                    mail = %claim.row.mail, member = member.name(), certificate = %member.fingerprint(), %why,
                    "copy held until the member's certificate can be used again"
                );
                fates.push(claim.met(Outcome::Held { why: why.code().into() }));
                notice::copy_held(gateway, member, why, now).await?;
            }
        }
    }
    Ok((batch, fates))
}

/// Makes and signs what the batch gets.
async fn prepare(
    gateway: &Gateway,
    batch: &[(Claim, Arc<Member>)],
    outline: Option<MailRow>,
    now: Timestamp,
) -> Result<Arc<SignedCopies>, StepError> {
    let Some((first, _)) = batch.first() else { return Err(StepError::Worker) };
    let id = first.row.mail.clone();
    let mail = outline.ok_or_else(|| StepError::MailGone(id.to_string()))?;
    let case = mail.case.clone();
    // A notice names neither, and must go out even where they cannot be read: it may say just that.
    let about = case.as_ref().filter(|_| first.row.kind == RowKind::Copy);
    let contact = contact(gateway, about).await?;
    let advisory = advisory(gateway, about).await?;
    let (message_id, thread) = thread(gateway, case.as_ref(), &id, first).await?;
    let sections = gateway.handoff.take(&id);
    // What was opened a moment ago need not be read and opened again.
    let content = if sections.is_some() { None } else { gateway.store.content(&id).await? };
    let members: Vec<_> = batch.iter().map(|(_, member)| Arc::clone(member)).collect();
    let (vault, keyring) = (Arc::clone(&gateway.vault), Arc::clone(&gateway.keyring));
    let (identity, rules) = (Arc::clone(&gateway.identity), Arc::clone(&gateway.rules));
    let envelope_from = gateway.config.outgoing.bounces.clone();
    let signed = on_worker(move || {
        let MailRow { facts, received, .. } = mail;
        let gone = || StepError::MailGone(id.to_string());
        let frozen = Frozen::from_plaintext(&vault.unseal(Purpose::Facts, id.as_str(), facts.ok_or_else(gone)?)?)?;
        let sections: Arc<Vec<Section>> = match (sections, &frozen) {
            (Some(sections), _) => sections,
            (None, Frozen::Notice(_)) => Arc::default(),
            (None, Frozen::Mail(facts)) => {
                let raw = vault.unseal(Purpose::Mail, id.as_str(), content.ok_or_else(gone)?)?;
                Arc::new(sections_of(&raw, facts, &keyring, &rules))
            }
        };
        let input = CopyInput {
            identity: &identity,
            case: case.as_ref(),
            message_id: &message_id,
            thread: &thread,
            received,
            frozen: &frozen,
            contact: contact.as_ref(),
            advisory,
            sections: &sections,
            envelope_from: &envelope_from,
        };
        Ok::<_, StepError>(prepare_copies(&input, &keyring, &members, now)?)
    });
    Ok(Arc::new(signed.await??))
}

async fn contact(gateway: &Gateway, case: Option<&CaseId>) -> Result<Option<Plaintext>, StepError> {
    let Some(case) = case else { return Ok(None) };
    let Some(sealed) = gateway.store.case(case).await?.and_then(|row| row.contact) else { return Ok(None) };
    Ok(Some(gateway.vault.unseal(Purpose::Contact, &case.to_string(), sealed)?))
}

/// What the statement says about the advisory at this moment.
async fn advisory(gateway: &Gateway, case: Option<&CaseId>) -> Result<Option<AdvisoryLine>, StepError> {
    let Some(case) = case else { return Ok(None) };
    let Some(draft) = gateway.store.draft(case).await? else { return Ok(None) };
    Ok(Some(match (draft.state, draft.link) {
        (DraftState::Opened, Some(link)) => {
            let link = gateway.vault.unseal(Purpose::DraftLink, &case.to_string(), link)?;
            AdvisoryLine::from_link(&link)
        }
        (DraftState::Held, _) => AdvisoryLine::Capped,
        (DraftState::Failed, _) => AdvisoryLine::None("the desk refused it; the admins were told".into()),
        (DraftState::Dropped, _) => AdvisoryLine::None("a member decided against it".into()),
        _ => AdvisoryLine::Pending,
    }))
}

/// The Message-ID of this mail's copies, and those that it answers: copies of one case thread under its first mail.
async fn thread(
    gateway: &Gateway,
    case: Option<&CaseId>,
    mail: &MailId,
    claim: &Claim,
) -> Result<(OurMessageId, Vec<OurMessageId>), StepError> {
    let domain = gateway.identity.domain();
    let generation = claim.row.generation;
    let of = |case: &str, mail: &MailId, generation| {
        gateway.vault.message_id(case, mail, RowKind::Copy.word(), generation, domain)
    };
    let Some(case) = case else { return Ok((of("", mail, generation), Vec::new())) };
    let name = case.to_string();
    let first = gateway.store.case_mails(case).await?.into_iter().next().map(|first| first.id);
    let root = first.filter(|first| first != mail).map(|first| of(&name, &first, 0));
    Ok((of(&name, mail, generation), root.into_iter().collect()))
}

/// Seals for each member and hands over, several members side by side for small mails.
async fn hand_over(
    gateway: &Gateway,
    batch: Vec<(Claim, Arc<Member>)>,
    signed: Arc<SignedCopies>,
    large: bool,
    now: Timestamp,
) -> Result<Vec<Fate>, StepError> {
    let width = if large { 1 } else { SIDE_BY_SIDE };
    let mut copies = futures::stream::iter(batch)
        .map(|(claim, member)| one_copy(gateway, claim, member, Arc::clone(&signed), now))
        .buffer_unordered(width);
    let mut fates = Vec::new();
    while let Some(fate) = copies.next().await {
        fates.extend(fate?);
    }
    Ok(fates)
}

/// One copy. Through an idempotent courier its fate is written with the others'; through any other it is committed at once.
async fn one_copy(
    gateway: &Gateway,
    claim: Claim,
    member: Arc<Member>,
    signed: Arc<SignedCopies>,
    now: Timestamp,
) -> Result<Option<Fate>, StepError> {
    let delivery_id = delivery_id(gateway, &claim);
    let for_member = Arc::clone(&member);
    let sealed = on_worker(move || signed.seal_for(&for_member, &delivery_id, now)).await;
    let outcome = match sealed.and_then(|sealed| Ok(sealed?)) {
        Ok(mail) => {
            if !gateway.courier.idempotent()
                && !gateway.store.mark_sending(&gateway.owner, std::slice::from_ref(&claim), now).await?.is_empty()
            {
                return Ok(None);
            }
            send(gateway, &claim, &mail, now).await
        }
        Err(StepError::Seal(SealError::Unusable(why))) => {
            notice::copy_held(gateway, &member, why, now).await?;
            Outcome::Held { why: why.code().into() }
        }
        Err(error) => {
            tracing::error!(mail = %claim.row.mail, %error, "copy could not be sealed; it is tried again");
            return Ok(Some(retry(&claim, now, "cannot-seal")));
        }
    };
    let fate = claim.met(outcome);
    if gateway.courier.idempotent() {
        return Ok(Some(fate));
    }
    let now = gateway.store.now().await?;
    settle(gateway, &[fate], now).await?;
    Ok(None)
}

/// Hands one mail to the courier and says what came of it.
pub(super) async fn send(gateway: &Gateway, claim: &Claim, mail: &OutgoingMail, now: Timestamp) -> Outcome {
    let row = &claim.row.id;
    let due = next_try(now, i64::from(claim.row.attempts));
    match gateway.courier.deliver(mail).await {
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
            let due = due.max(super::later(now, std::time::Duration::from_secs(60)));
            tracing::warn!(%row, why, %due, "it cannot be told whether this was sent; it is tried again and may arrive twice");
            Outcome::Ambiguous { due, why: "unknown-outcome".into() }
        }
        Err(PortError::Permanent(why) | PortError::TooLarge(why)) => {
            if is_news("refused", &why) {
                tracing::error!(%row, why, "refused for good, as is whatever meets the same; not tried again by itself (see `embargod queue`)");
            } else {
                tracing::debug!(%row, why, "refused for good");
            }
            if let Err(error) = notice::delivery_failed(gateway, claim, now).await {
                tracing::error!(%error, "the admins could not be told");
            }
            Outcome::Failed { why: "refused".into() }
        }
    }
}

/// The fate of a row whose mail or case is stored, and cannot be read.
pub(super) async fn unreadable(gateway: &Gateway, claim: &Claim, error: &StepError) -> Result<Outcome, StepError> {
    tracing::error!(mail = %claim.row.mail, kind = %claim.row.kind, %error, "nothing can be sent for this mail; the members are told");
    notice::unreadable(gateway, claim).await?;
    Ok(Outcome::Failed { why: "unreadable".into() })
}

/// The name of one delivery: the same for every try of this row's mail to this recipient.
pub(super) fn delivery_id(gateway: &Gateway, claim: &Claim) -> String {
    let row = &claim.row;
    let recipient = row.recipient.as_ref().map_or("", |digest| digest.as_str());
    let generation = row.generation.to_string();
    let fields = [row.mail.as_str(), row.kind.word(), &generation, recipient].map(str::as_bytes);
    gateway.vault.digest(crate::report::Lookup::Source, &fields).as_str().chars().take(40).collect()
}

fn retry(claim: &Claim, now: Timestamp, why: &str) -> Fate {
    claim.met(Outcome::Retry { due: next_try(now, i64::from(claim.row.attempts)), why: why.into() })
}
