//! Opens a mail and gathers what the store knows of it: all that the decision needs.
//!
//! Security: reads only. Opening happens off the async threads; what was found goes on as the opaque types of the plaintext room.

use super::{StepError, on_worker};
use crate::report::{
    AnswerKey, CaseId, Digest, Keyring, Known, KnownCase, Lookup, Lookups, MailId, Opened, Outer, Plaintext, Purpose,
    Rules, Vault, open_mail,
};
use crate::store::{CaseRow, KnownMessage, MessageKind, SeenBefore, SeenKind, Store};
use jiff::Timestamp;
use std::sync::Arc;

/// What judging looks with. Without a store, nothing is known.
pub(super) struct Eyes<'a> {
    pub(super) store: Option<&'a Store>,
    pub(super) vault: &'a Arc<Vault>,
    pub(super) keyring: &'a Arc<Keyring>,
    pub(super) rules: &'a Arc<Rules>,
}

/// What is known of the mail from outside.
pub(super) struct Mail<'a> {
    /// Its name in the store; nothing if it is only inspected.
    pub(super) id: Option<&'a MailId>,
    pub(super) received: Timestamp,
    /// Only its beginning is here.
    pub(super) truncated: bool,
}

impl Eyes<'_> {
    async fn case(&self, case: &CaseId) -> Result<Option<CaseRow>, StepError> {
        match self.store {
            Some(store) => Ok(store.case(case).await?),
            None => Ok(None),
        }
    }

    async fn seen(&self, kind: SeenKind, digest: &Digest) -> Result<Option<SeenBefore>, StepError> {
        match self.store {
            Some(store) => Ok(store.seen(kind, digest).await?),
            None => Ok(None),
        }
    }

    async fn message(&self, digests: &[Digest]) -> Result<Option<KnownMessage>, StepError> {
        match self.store {
            Some(store) => Ok(store.case_by_message_id(digests).await?),
            None => Ok(None),
        }
    }
}

/// A mail after opening, with what the store knows of it.
pub(super) struct Judged {
    pub(super) outer: Outer,
    pub(super) opened: Opened,
    pub(super) lookups: Lookups,
    pub(super) known: Known,
}

/// Opens the mail, once; a second time only if the case found inside it has a key that could check a signature.
pub(super) async fn judge(eyes: &Eyes<'_>, raw: Plaintext, mail: &Mail<'_>) -> Result<Judged, StepError> {
    let (vault, keyring, rules) = (Arc::clone(eyes.vault), Arc::clone(eyes.keyring), Arc::clone(eyes.rules));
    let (raw, outer, own, references) = on_worker(move || {
        let outer = Outer::read(&raw, &keyring, &rules);
        let (own, references) = (outer.message_id_digest(&vault), outer.reference_digests(&vault));
        (raw, outer, own, references)
    })
    .await?;
    let mut known = Known { own: is_ours(eyes, own).await?, ..Known::default() };
    let outer_case = referenced(eyes, &references).await?;
    let key = answer_key(eyes, outer_case.as_ref())?;
    let (raw, opened) = open(eyes, raw, key, mail.received, mail.truncated).await?;
    let lookups = Lookups::new(&outer, &opened, eyes.vault);
    let inner_case = referenced(eyes, &lookups.inner_references).await?;
    let named = match &lookups.subject_case {
        Some(case) => eyes.case(case).await?,
        None => None,
    };
    let late_key = if outer_case.is_none() && opened.has_unknown_signature() {
        answer_key(eyes, inner_case.as_ref().or(named.as_ref()))?
    } else {
        None
    };
    let opened = match late_key {
        Some(key) => open(eyes, raw, Some(key), mail.received, mail.truncated).await?.1,
        None => opened,
    };
    let lookups = Lookups::new(&outer, &opened, eyes.vault);
    known.by_outer_reference = known_case(eyes, outer_case, &lookups)?;
    known.by_inner_reference = known_case(eyes, inner_case, &lookups)?;
    known.by_subject = known_case(eyes, named, &lookups)?;
    known.payload_seen_from_other_sender = seen_from_other(eyes, mail, &lookups).await?;
    for signed in &lookups.member_signed {
        known.member_mail_seen |= eyes.seen(SeenKind::Signed, signed).await?.is_some();
    }
    if let Some(acknowledged) = acknowledged_digest(eyes.vault, &lookups) {
        known.already_acknowledged = eyes.seen(SeenKind::Acknowledged, &acknowledged).await?.is_some();
    }
    Ok(Judged { outer, opened, lookups, known })
}

async fn open(
    eyes: &Eyes<'_>,
    raw: Plaintext,
    key: Option<AnswerKey>,
    received: Timestamp,
    truncated: bool,
) -> Result<(Plaintext, Opened), StepError> {
    let (keyring, rules) = (Arc::clone(eyes.keyring), Arc::clone(eyes.rules));
    on_worker(move || {
        let opened = open_mail(&raw, &keyring, &rules, key.as_ref(), received, truncated);
        (raw, opened)
    })
    .await
}

async fn is_ours(eyes: &Eyes<'_>, message_id: Option<Digest>) -> Result<bool, StepError> {
    let Some(digest) = message_id else { return Ok(false) };
    Ok(eyes.message(&[digest]).await?.is_some_and(|known| known.kind != MessageKind::Received))
}

async fn referenced(eyes: &Eyes<'_>, references: &[Digest]) -> Result<Option<CaseRow>, StepError> {
    if references.is_empty() {
        return Ok(None);
    }
    match eyes.message(references).await? {
        Some(known) if known.kind != MessageKind::Received => Ok(eyes.case(&known.case).await?),
        _ => Ok(None),
    }
}

fn answer_key(eyes: &Eyes<'_>, case: Option<&CaseRow>) -> Result<Option<AnswerKey>, StepError> {
    let Some(case) = case else { return Ok(None) };
    let Some(sealed) = case.answer_key.clone() else { return Ok(None) };
    let plain = eyes.vault.unseal(Purpose::AnswerKey, &case.id.to_string(), sealed)?;
    Ok(AnswerKey::from_plaintext(&plain).ok())
}

fn known_case(eyes: &Eyes<'_>, case: Option<CaseRow>, lookups: &Lookups) -> Result<Option<KnownCase>, StepError> {
    let Some(case) = case else { return Ok(None) };
    let key = answer_key(eyes, Some(&case))?;
    let sender_is_contact = case.contact_digest.is_some() && case.contact_digest == lookups.sender;
    Ok(Some(KnownCase { id: case.id, answer_key: key.map(|key| key.fingerprint()), sender_is_contact }))
}

/// Whether the same payload came before in a case of somebody else's.
async fn seen_from_other(eyes: &Eyes<'_>, mail: &Mail<'_>, lookups: &Lookups) -> Result<bool, StepError> {
    let Some(payload) = &lookups.payload else { return Ok(false) };
    let Some(before) = eyes.seen(SeenKind::Payload, payload).await? else { return Ok(false) };
    if before.mail.as_ref() == mail.id {
        return Ok(false);
    }
    let Some(case) = before.case else { return Ok(true) };
    let contact = eyes.case(&case).await?.and_then(|case| case.contact_digest);
    Ok(contact.is_none() || contact != lookups.sender)
}

/// A mail is acknowledged once for its Message-ID and sender.
pub(super) fn acknowledged_digest(vault: &Vault, lookups: &Lookups) -> Option<Digest> {
    let (id, sender) = (lookups.message_id.as_ref()?, lookups.sender.as_ref()?);
    Some(vault.digest(Lookup::Alert, &[b"acknowledged", id.as_str().as_bytes(), sender.as_str().as_bytes()]))
}
