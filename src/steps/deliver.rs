//! Claimed → Sealed → Sent | Held | Failed: the copies of one mail are signed once, encrypted for each member alone, and handed
//! to the courier; every row meets a fate of its own.
//!
//! Security: sealing happens here and not earlier, so that a member who left gets nothing more and a held copy goes out under
//! the renewed certificate. A member who cannot be encrypted to gets nothing. Logs name members by certificate fingerprint and
//! mails by id.

use super::hand_over::Copies;
use super::{LEASE, StepError, next_try, notice, on_worker, settle};
use crate::gateway::Gateway;
use crate::report::{
    AdvisoryLine, CaseId, CopyInput, Frozen, MailId, Member, OurMessageId, Plaintext, Purpose, Section, SignedCopies,
    prepare_copies, sections_of,
};
use crate::store::{Claim, DraftState, Fate, MailRow, Outcome, Row, RowKind};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Mails claimed together.
const MAILS: usize = 8;
/// Mails sealed and delivered side by side; one at a time when they are large, so that memory stays small.
pub(super) const SIDE_BY_SIDE: usize = 4;
/// A mail of this many octets is large.
const LARGE: u64 = 2 * 1024 * 1024;
/// How often it is looked for more while a slow delivery is under way.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Code of a row whose member is no longer in the configuration.
const LEFT: &str = "left-the-team";

/// Tries every due copy and notice once; returns how many rows met a fate.
///
/// # Errors
/// When the store cannot be used.
pub async fn deliver(gateway: &Gateway) -> Result<usize, StepError> {
    let together = gateway.courier.idempotent();
    let room = Semaphore::new(SIDE_BY_SIDE);
    let mut under_way = FuturesUnordered::new();
    let (mut done, mut fates, mut trouble) = (0, Vec::new(), Ok(()));
    loop {
        // Through an idempotent courier the fates of what was claimed together are written down in one commit: if it does not
        // come to that, the same copies are handed over once more, which makes one of two. Through any other, a fate is
        // committed at once, and a mail that takes its time keeps nothing else waiting.
        let next = if together { under_way.is_empty() } else { under_way.len() <= MAILS / 2 };
        if next && trouble.is_ok() {
            let mut claiming = std::pin::pin!(claim(gateway, std::mem::take(&mut fates), &room));
            // What is under way goes on meanwhile: it may hold the one connection for which the claim stands in line.
            let claimed = loop {
                tokio::select! {
                    claimed = &mut claiming => break claimed,
                    Some(result) = under_way.next() => match result {
                        Ok(met) => fates.extend(met),
                        Err(error) => trouble = Err(error),
                    },
                }
            };
            match claimed {
                Ok(claimed) => {
                    for (rows, batch) in claimed {
                        done += rows;
                        under_way.push(batch);
                    }
                }
                Err(error) => trouble = Err(error),
            }
        }
        if under_way.is_empty() {
            break;
        }
        tokio::select! {
            Some(result) = under_way.next() => match result {
                Ok(met) => fates.extend(met),
                Err(error) => trouble = Err(error),
            },
            () = tokio::time::sleep(LOOK_AGAIN), if !together => {}
        }
    }
    if !fates.is_empty() {
        settle(gateway, &fates, gateway.store.now().await?).await?;
    }
    trouble.map(|()| done)
}

/// Writes down what was met, and claims what is due: for each mail the number of its rows, and the work on them.
async fn claim<'a>(
    gateway: &'a Gateway,
    fates: Vec<Fate>,
    room: &'a Semaphore,
) -> Result<Vec<(usize, impl Future<Output = Result<Vec<Fate>, StepError>> + 'a)>, StepError> {
    let now = gateway.store.now().await?;
    settle(gateway, &fates, now).await?;
    let kinds = [RowKind::Copy, RowKind::Notice];
    let claims = gateway.store.claim(&gateway.owner, &kinds, now, LEASE, MAILS).await?;
    let mut batches: BTreeMap<(MailId, &str, i64), Vec<Claim>> = BTreeMap::new();
    for claim in claims {
        let key = (claim.row.mail.clone(), claim.row.kind.word(), claim.row.generation);
        batches.entry(key).or_default().push(claim);
    }
    Ok(batches.into_values().map(|batch| (batch.len(), deliver_mail(gateway, batch, room, now))).collect())
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
    let members: Vec<_> = batch.iter().map(|(_, member)| Arc::clone(member)).collect();
    match prepare(gateway, &first.row, &members, outline, now, false).await {
        Ok(signed) => {
            let copies = Copies::new(gateway, first.row.clone(), members, signed, now);
            fates.extend(copies.hand_over(batch, large).await?);
        }
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

/// Makes and signs what these members get for a row's mail; `reduced` to what a server takes that refused the whole.
pub(super) async fn prepare(
    gateway: &Gateway,
    row: &Row,
    members: &[Arc<Member>],
    outline: Option<MailRow>,
    now: Timestamp,
    reduced: bool,
) -> Result<Arc<SignedCopies>, StepError> {
    let id = row.mail.clone();
    let mail = outline.ok_or_else(|| StepError::MailGone(id.to_string()))?;
    let case = mail.case.clone();
    // A notice names neither, and must go out even where they cannot be read: it may say just that.
    let about = case.as_ref().filter(|_| row.kind == RowKind::Copy);
    let contact = contact(gateway, about).await?;
    let advisory = advisory(gateway, about).await?;
    let (message_id, thread) = thread(gateway, case.as_ref(), &id, row.generation).await?;
    let sections = gateway.handoff.take(&id);
    // What was opened a moment ago need not be read and opened again.
    let content = if sections.is_some() { None } else { gateway.store.content(&id).await? };
    let members = members.to_vec();
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
            reduced: reduced.then_some(&rules.limits),
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
    generation: i64,
) -> Result<(OurMessageId, Vec<OurMessageId>), StepError> {
    let domain = gateway.identity.domain();
    let of = |case: &str, mail: &MailId, generation| {
        gateway.vault.message_id(case, mail, RowKind::Copy.word(), generation, domain)
    };
    let Some(case) = case else { return Ok((of("", mail, generation), Vec::new())) };
    let name = case.to_string();
    let first = gateway.store.case_mails(case).await?.into_iter().next().map(|first| first.id);
    let root = first.filter(|first| first != mail).map(|first| of(&name, &first, 0));
    Ok((of(&name, mail, generation), root.into_iter().collect()))
}

/// The fate of a row whose mail or case is stored, and cannot be read.
pub(super) async fn unreadable(gateway: &Gateway, claim: &Claim, error: &StepError) -> Result<Outcome, StepError> {
    tracing::error!(mail = %claim.row.mail, kind = %claim.row.kind, %error, "nothing can be sent for this mail; the members are told");
    notice::unreadable(gateway, claim).await?;
    Ok(Outcome::Failed { why: "unreadable".into() })
}

pub(super) fn retry(claim: &Claim, now: Timestamp, why: &str) -> Fate {
    claim.met(Outcome::Retry { due: next_try(now, i64::from(claim.row.attempts)), why: why.into() })
}
