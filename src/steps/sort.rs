//! Stored → Opened → decided: opens each mail once and writes everything that must follow from it, case, copies, draft,
//! acknowledgement, in one transaction.
//!
//! Security: an attempt is known to the store before the mail is opened, so that a mail that kills the process is set aside in the
//! end, alone. What is written is sealed, digested or made of fixed words.

use super::consequences::{
    choose_case, count_acknowledgements, draft, enqueue_acknowledgement, enqueue_copies, remember, remember_ids, row,
};
use super::judge::{Eyes, Judged, Mail, judge};
use super::{StepError, notice, on_worker};
use crate::gateway::Gateway;
use crate::report::{
    AdvisoryIntent, AtRest, Audience, CaseChoice, CaseId, Class, CopyTo, Decision, Facts, Frozen, MailId,
    PreparedDraft, Purpose, decide, prepare_draft,
};
use crate::store::{MailState, MessageKind, Origin, RowKind, Settlement, StoredMail, Tx};
use jiff::Timestamp;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio_util::sync::CancellationToken;

/// Mails taken up together.
const BATCH: usize = 16;
/// Octets of mail taken up together.
const BATCH_SIZE: u64 = 32 * 1024 * 1024;
/// Tries alone in flight before a mail is set aside.
const MAX_ATTEMPTS: u32 = 5;

/// Opens and decides on all that waits; returns how many mails.
///
/// # Errors
/// When the store cannot be used; the mails are tried again.
pub async fn sort(gateway: &Gateway) -> Result<usize, StepError> {
    sort_until(gateway, &CancellationToken::new(), &InHand::default()).await
}

/// The mails that were handed out for opening, until they are settled. What stays here is put back: after a fault of the store,
/// which may not have taken them back at the time, and at the end of the process, so that no end of ours is charged to a mail.
#[derive(Default)]
pub struct InHand(Mutex<Vec<StoredMail>>);

impl InHand {
    fn mails(&self) -> MutexGuard<'_, Vec<StoredMail>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settled(&self, mail: &MailId) {
        self.mails().retain(|held| held.id != *mail);
    }

    /// Gives back what is still in hand.
    ///
    /// # Errors
    /// When the store does not answer; it stays in hand then.
    pub async fn put_back(&self, gateway: &Gateway) -> Result<(), StepError> {
        let held = self.mails().clone();
        if !held.is_empty() {
            gateway.store.put_back(&held).await?;
            self.mails().clear();
        }
        Ok(())
    }
}

/// The same, until `end` is asked for; the current mail is finished.
///
/// # Errors
/// As [`sort`].
pub async fn sort_until(gateway: &Gateway, end: &CancellationToken, in_hand: &InHand) -> Result<usize, StepError> {
    let mut done = 0;
    in_hand.put_back(gateway).await?;
    // Copies are sealed before more is opened than can be handed on: nothing is opened twice for want of room.
    while !end.is_cancelled() && (done == 0 || !gateway.handoff.is_full()) {
        let mails = gateway.store.begin_opening(BATCH, BATCH_SIZE).await?;
        if mails.is_empty() {
            break;
        }
        in_hand.mails().extend(mails.iter().cloned());
        for mail in mails {
            if end.is_cancelled() {
                break;
            }
            if let Err(error) = sort_one(gateway, &mail).await {
                in_hand.put_back(gateway).await?;
                return Err(error);
            }
            in_hand.settled(&mail.id);
            done += 1;
        }
    }
    in_hand.put_back(gateway).await?;
    Ok(done)
}

/// One mail. An error is the store's.
async fn sort_one(gateway: &Gateway, mail: &StoredMail) -> Result<(), StepError> {
    let result = if mail.origin == Origin::Gateway {
        enqueue_notice(gateway, mail).await
    } else if mail.attempts > MAX_ATTEMPTS {
        tracing::error!(mail = %mail.id, size = mail.size, "mail set aside after several attempts");
        return set_aside(gateway, mail).await;
    } else {
        open_and_decide(gateway, mail).await
    };
    match result {
        Err(error) if error.is_unreadable() || matches!(error, StepError::MailGone(_) | StepError::Worker) => {
            // It will never open: say so and keep it, but let the others pass.
            tracing::error!(mail = %mail.id, size = mail.size, %error, "a stored mail cannot be opened; it is set aside");
            set_aside(gateway, mail).await
        }
        result => result,
    }
}

async fn set_aside(gateway: &Gateway, mail: &StoredMail) -> Result<(), StepError> {
    notice::quarantined(gateway, &mail.id, mail.size, mail.received).await?;
    let mut tx = gateway.store.begin().await?;
    let class = Class::Unusable;
    settle(&mut tx, mail, class, None, None, MailState::Quarantined).await?;
    Ok(tx.commit().await?)
}

async fn settle(
    tx: &mut Tx,
    mail: &StoredMail,
    class: Class,
    case: Option<&CaseId>,
    facts: Option<AtRest>,
    state: MailState,
) -> Result<(), StepError> {
    let settlement = Settlement { mail: &mail.id, fence: mail.fence, class, case, facts, state };
    Ok(tx.settle_mail(&settlement).await?)
}

async fn content(gateway: &Gateway, mail: &StoredMail) -> Result<AtRest, StepError> {
    gateway.store.content(&mail.id).await?.ok_or_else(|| StepError::MailGone(mail.id.to_string()))
}

/// A notice that the gateway wrote: one row for each of those it is for.
async fn enqueue_notice(gateway: &Gateway, mail: &StoredMail) -> Result<(), StepError> {
    let content = content(gateway, mail).await?;
    let plain = gateway.vault.unseal(Purpose::Mail, mail.id.as_str(), content)?;
    let Frozen::Notice(notice) = Frozen::from_plaintext(&plain)? else {
        return Err(StepError::MailGone(mail.id.to_string()));
    };
    let facts = gateway.vault.seal(Purpose::Facts, mail.id.as_str(), &plain)?;
    let members = gateway.keyring.members().iter().filter(|member| match &notice.audience {
        Audience::Members => true,
        Audience::Admins => gateway.config.team.admins.contains(&member.id()),
        Audience::Member(id) => member.id() == *id,
    });
    let now = gateway.store.now().await?;
    let mut tx = gateway.store.begin().await?;
    let rows = members.map(|member| {
        let recipient = gateway.vault.address_digest(member.address());
        row(gateway, &mail.id, notice.case.as_ref(), RowKind::Notice, Some(recipient), now)
    });
    tx.enqueue_all(&rows.collect::<Result<Vec<_>, _>>()?, now).await?;
    remember_ids(gateway, &mut tx, &mail.id, notice.case.as_ref(), &[(RowKind::Notice, MessageKind::Notice)]).await?;
    settle(&mut tx, mail, Class::Own, notice.case.as_ref(), Some(facts), MailState::Opened).await?;
    Ok(tx.commit().await?)
}

async fn open_and_decide(gateway: &Gateway, mail: &StoredMail) -> Result<(), StepError> {
    let content = content(gateway, mail).await?;
    let (vault, id) = (Arc::clone(&gateway.vault), mail.id.clone());
    let raw = on_worker(move || vault.unseal(Purpose::Mail, id.as_str(), content)).await??;
    let eyes =
        Eyes { store: Some(&gateway.store), vault: &gateway.vault, keyring: &gateway.keyring, rules: &gateway.rules };
    let truncated = mail.origin == Origin::Oversize;
    let judged = judge(&eyes, raw, &Mail { id: Some(&mail.id), received: mail.received, truncated }).await?;
    let now = gateway.store.now().await?;
    let told = decide(&judged.outer, &judged.opened, &judged.known, &gateway.keyring, &gateway.rules, mail.received);
    // Told before the transaction, under a key of its own: after a crash in between it is told once all the same.
    tell(gateway, &mail.id, &told, now).await?;
    // Redaction takes its time: off the async threads, and before the transaction, in which others could not write.
    let (judged, prepared) = prepare(gateway, judged, told).await?;
    let mut tx = gateway.store.begin().await?;
    let known = count_acknowledgements(&mut tx, judged.known.clone(), &judged.lookups, now).await?;
    let decision = decide(&judged.outer, &judged.opened, &known, &gateway.keyring, &gateway.rules, mail.received);
    let case = choose_case(gateway, &mut tx, mail, &judged.opened, &decision, now).await?;
    let drafted = draft(gateway, &mut tx, mail, case.as_ref(), prepared, now).await?;
    enqueue_copies(gateway, &mut tx, &mail.id, case.as_ref(), &decision, drafted.waits, now).await?;
    let number =
        enqueue_acknowledgement(gateway, &mut tx, mail, case.as_ref(), &judged.lookups, &decision, now).await?;
    remember(gateway, &mut tx, &mail.id, case.as_ref(), number.as_ref(), &judged.lookups, &decision, now).await?;
    let mut facts = Facts::new(&judged.opened, &decision, &gateway.rules, mail.received);
    facts.note_sender(&judged.outer);
    if drafted.fell_back {
        facts.fell_back();
    }
    let facts = Frozen::Mail(Box::new(facts)).to_plaintext()?;
    let facts = gateway.vault.seal(Purpose::Facts, mail.id.as_str(), &facts)?;
    settle(&mut tx, mail, decision.class, case.as_ref(), Some(facts), MailState::Opened).await?;
    tx.commit().await?;
    tracing::info!(
        mail = %mail.id, class = %decision.class,
        case = case.as_ref().map(tracing::field::display), encryption = %judged.opened.encryption(),
        "opened"
    );
    if matches!(decision.copies, CopyTo::AllMembers | CopyTo::MembersExcept(_)) {
        gateway.handoff.put(mail.id.clone(), judged.opened.into_sections());
    }
    Ok(())
}

/// The draft, as far as it can be made before the case has its number.
async fn prepare(
    gateway: &Gateway,
    judged: Judged,
    decision: Decision,
) -> Result<(Judged, Option<PreparedDraft>), StepError> {
    if matches!(decision.advisory, AdvisoryIntent::None(_)) {
        return Ok((judged, None));
    }
    let (keyring, rules) = (Arc::clone(&gateway.keyring), Arc::clone(&gateway.rules));
    let components = gateway.config.advisories.components.clone();
    on_worker(move || {
        let prepared = prepare_draft(&judged.outer, &judged.opened, &decision, &components, &keyring, &rules);
        (judged, prepared)
    })
    .await
}

async fn tell(gateway: &Gateway, mail: &MailId, decision: &Decision, now: Timestamp) -> Result<(), StepError> {
    let case = match &decision.case {
        CaseChoice::Join(case) => Some(case),
        CaseChoice::New | CaseChoice::None => None,
    };
    if let CopyTo::AdminsNotice(code) = decision.copies {
        tracing::warn!(%mail, code = code.word(), "mail kept and not forwarded");
        notice::mail_kept(gateway, mail, case, code, now).await?;
    }
    if let Some(member) = &decision.notify_author {
        notice::command_unknown(gateway, mail, member).await?;
    }
    Ok(())
}
