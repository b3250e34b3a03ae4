//! What must follow from a mail, written in one transaction: case, draft, copies, acknowledgement, and what is to be recognised
//! later.
//!
//! Security: contacts, keys and subjects are sealed for their row before the store sees them; what must be found again is a keyed
//! digest.

use super::judge::acknowledged_digest;
use super::{StepError, WAIT_FOR_DRAFT, later};
use crate::gateway::Gateway;
use crate::report::{
    Acknowledge, AcknowledgedNumber, AcknowledgementKind, AnswerKey, CaseChoice, CaseId, CopyTo, Decision, Digest,
    Known, Lookup, Lookups, MailId, Opened, Plaintext, PreparedDraft, Purpose,
};
use crate::store::{
    DraftState, MessageKind, NewCase, NewDraft, NewRow, RowId, RowKind, RowState, SeenKind, StoredMail, Tx,
};
use jiff::Timestamp;
use std::time::Duration;

pub(super) async fn count_acknowledgements(
    tx: &mut Tx,
    mut known: Known,
    lookups: &Lookups,
    now: Timestamp,
) -> Result<Known, StepError> {
    let since = |seconds| super::earlier(now, Duration::from_secs(seconds));
    let count = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    if let Some(sender) = &lookups.sender {
        let today = tx.count_recent(RowKind::Acknowledgement, Some(sender), since(86_400)).await?;
        known.acknowledged_to_sender_today = count(today);
    }
    known.acknowledged_this_hour = count(tx.count_recent(RowKind::Acknowledgement, None, since(3600)).await?);
    Ok(known)
}

pub(super) async fn next_number(gateway: &Gateway, tx: &mut Tx, mail: &StoredMail) -> Result<CaseId, StepError> {
    let year = jiff::tz::TimeZone::UTC.to_datetime(mail.received).year();
    let prefix = &gateway.config.team.case_prefix;
    let serial = tx.new_case(prefix, year).await?;
    Ok(CaseId::new(prefix, year, serial))
}

pub(super) async fn choose_case(
    gateway: &Gateway,
    tx: &mut Tx,
    mail: &StoredMail,
    opened: &Opened,
    decision: &Decision,
    now: Timestamp,
) -> Result<Option<CaseId>, StepError> {
    match &decision.case {
        CaseChoice::None => return Ok(None),
        CaseChoice::Join(case) => return Ok(Some(case.clone())),
        CaseChoice::New => {}
    }
    let case = next_number(gateway, tx, mail).await?;
    let row = case.to_string();
    let seal = |purpose, value: &Plaintext| gateway.vault.seal(purpose, &row, value);
    let contact = decision.contact();
    let answer_key = decision.answer_key().and_then(|key| key.to_plaintext().ok());
    tx.insert_case(&NewCase {
        id: case.clone(),
        opened: mail.received,
        contact: contact.as_ref().map(|contact| seal(Purpose::Contact, contact)).transpose()?,
        contact_digest: decision.contact_digest(&gateway.vault),
        answer_key: answer_key.as_ref().map(|key| seal(Purpose::AnswerKey, key)).transpose()?,
        answer_key_confirmed: decision.answer_key().is_some_and(AnswerKey::is_confirmed),
        answers_held: decision.answers_held,
        subject: seal(Purpose::Subject, opened.subject())?,
        encryption: opened.encryption(),
    })
    .await?;
    tracing::info!(%case, at = %now, "case opened");
    Ok(Some(case))
}

/// What became of the draft.
#[derive(Default)]
pub(super) struct Drafted {
    /// Copies wait for it.
    pub(super) waits: bool,
    /// The report was not safe to post, so the draft holds none of its text.
    pub(super) fell_back: bool,
}

pub(super) async fn draft(
    gateway: &Gateway,
    tx: &mut Tx,
    mail: &StoredMail,
    case: Option<&CaseId>,
    prepared: Option<PreparedDraft>,
    now: Timestamp,
) -> Result<Drafted, StepError> {
    let (Some(case), Some(prepared)) = (case, prepared) else { return Ok(Drafted::default()) };
    let made = prepared.for_case(case, gateway.vault.random()?);
    let marker = gateway.vault.digest(Lookup::Alert, &[b"marker", made.draft.marker().as_str().as_bytes()]);
    let body = gateway.vault.seal(Purpose::DraftBody, &case.to_string(), &made.draft.to_plaintext())?;
    let state = DraftState::Pending;
    tx.insert_draft(&NewDraft { case: case.clone(), mail: mail.id.clone(), marker, body, state, created: now }).await?;
    let draft = row(gateway, &mail.id, Some(case), RowKind::Draft, None, now)?;
    tx.enqueue(&draft, now).await?;
    Ok(Drafted { waits: true, fell_back: made.fell_back.is_some() })
}

pub(super) async fn enqueue_copies(
    gateway: &Gateway,
    tx: &mut Tx,
    mail: &MailId,
    case: Option<&CaseId>,
    decision: &Decision,
    waits: bool,
    now: Timestamp,
) -> Result<(), StepError> {
    let author = match &decision.copies {
        CopyTo::AllMembers => None,
        CopyTo::MembersExcept(author) => Some(author),
        CopyTo::AdminsNotice(_) | CopyTo::Nobody => return Ok(()),
    };
    let due = if waits { later(now, WAIT_FOR_DRAFT) } else { now };
    let members = gateway.keyring.members().iter().filter(|member| Some(&member.id()) != author);
    let copies = members.map(|member| {
        let recipient = gateway.vault.address_digest(member.address());
        row(gateway, mail, case, RowKind::Copy, Some(recipient), due)
    });
    tx.enqueue_all(&copies.collect::<Result<Vec<_>, _>>()?, now).await?;
    Ok(())
}

/// Returns the number that the acknowledgement names.
pub(super) async fn enqueue_acknowledgement(
    gateway: &Gateway,
    tx: &mut Tx,
    mail: &StoredMail,
    case: Option<&CaseId>,
    lookups: &Lookups,
    decision: &Decision,
    now: Timestamp,
) -> Result<Option<CaseId>, StepError> {
    let (Acknowledge::Encrypted(_) | Acknowledge::Plain, Some(sender)) = (&decision.acknowledge, &lookups.sender)
    else {
        return Ok(None);
    };
    let number = match (decision.acknowledgement, decision.acknowledged_number) {
        (AcknowledgementKind::HowToEncrypt, _) => None,
        (_, AcknowledgedNumber::OfCase) => case.cloned(),
        (_, AcknowledgedNumber::Fresh) => Some(next_number(gateway, tx, mail).await?),
    };
    let answer = row(gateway, &mail.id, number.as_ref(), RowKind::Acknowledgement, Some(sender.clone()), now)?;
    tx.enqueue(&answer, now).await?;
    Ok(number)
}

#[allow(clippy::too_many_arguments)]
pub(super) async fn remember(
    gateway: &Gateway,
    tx: &mut Tx,
    mail: &MailId,
    case: Option<&CaseId>,
    number: Option<&CaseId>,
    lookups: &Lookups,
    decision: &Decision,
    now: Timestamp,
) -> Result<(), StepError> {
    if let Some(payload) = &lookups.payload {
        tx.remember(SeenKind::Payload, payload, Some(mail), case, now).await?;
    }
    if decision.class == crate::report::Class::Member {
        for signed in &lookups.member_signed {
            tx.remember(SeenKind::Signed, signed, Some(mail), case, now).await?;
        }
    }
    if !matches!(decision.acknowledge, Acknowledge::None(_))
        && let Some(acknowledged) = acknowledged_digest(&gateway.vault, lookups)
    {
        tx.remember(SeenKind::Acknowledged, &acknowledged, Some(mail), case, now).await?;
    }
    remember_ids(gateway, tx, mail, case, &[(RowKind::Copy, MessageKind::Copy)]).await?;
    // An acknowledgement's own number leads to no case unless it is the case's.
    let answered = number.filter(|number| Some(*number) == case);
    remember_ids(gateway, tx, mail, answered, &[(RowKind::Acknowledgement, MessageKind::Acknowledgement)]).await
}

/// Remembers the Message-IDs that the gateway gives out for a mail, so that answers to them find the case.
pub(super) async fn remember_ids(
    gateway: &Gateway,
    tx: &mut Tx,
    mail: &MailId,
    case: Option<&CaseId>,
    kinds: &[(RowKind, MessageKind)],
) -> Result<(), StepError> {
    let Some(case) = case else { return Ok(()) };
    for (row, kind) in kinds {
        let id = gateway.vault.message_id(&case.to_string(), mail, row.word(), 0, gateway.identity.domain());
        tx.remember_message_id(&gateway.vault.message_id_digest(id.as_str()), case, mail, *kind).await?;
    }
    Ok(())
}

pub(super) fn row(
    gateway: &Gateway,
    mail: &MailId,
    case: Option<&CaseId>,
    kind: RowKind,
    recipient: Option<Digest>,
    due: Timestamp,
) -> Result<NewRow, StepError> {
    Ok(NewRow {
        id: RowId::from_random(gateway.vault.random()?),
        mail: mail.clone(),
        case: case.cloned(),
        kind,
        generation: 0,
        recipient,
        state: RowState::Pending,
        why: None,
        due,
    })
}
