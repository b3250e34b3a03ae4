//! From a stored mail to the copies of a batch: opens it, puts the statement in front, signs.
//!
//! Security: a mail that is opened again is opened with the session keys found the first time, so it needs no gateway key; what
//! members are told of signatures is what was judged at receipt.

use super::case::{CaseId, OurMessageId};
use super::facts::{Facts, Frozen};
use super::keyring::{Keyring, Member};
use super::limits::Limits;
use super::open::{OpenRequest, open, without_large_parts};
use super::opened::{Opened, Section, SessionKeyRecord};
use super::pgp_mime::{SealError, TeamIdentity};
use super::policy::{AnswerKey, Author as Speaker, MailKind, NoAdvisory, Rules};
use super::seal::{CopyRequest, SignedCopies, sign_copies};
use super::secret::{Plaintext, ReporterContact};
use super::statement::{AdvisoryLine, Author, Statement};
use super::verdict::{Encryption, Refusal, Warning};
use jiff::Timestamp;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Opens a stored mail. `key` is the answer key of the case that its outside refers to; of a `truncated` mail only the
/// beginning is here, since it was larger than the gateway accepts.
pub fn open_mail(
    mail: &Plaintext,
    keyring: &Keyring,
    rules: &Rules,
    key: Option<&AnswerKey>,
    received: Timestamp,
    truncated: bool,
) -> Opened {
    let case_key = key.map(|key| &key.cert);
    let mut opened = open_with(mail, keyring, rules, case_key, &[], received);
    if truncated {
        opened.refuse(Refusal::Oversize, mail);
    }
    opened
}

fn open_with(
    mail: &Plaintext,
    keyring: &Keyring,
    rules: &Rules,
    case_key: Option<&sequoia_openpgp::Cert>,
    session_keys: &[SessionKeyRecord],
    received: Timestamp,
) -> Opened {
    let request = OpenRequest {
        keyring,
        limits: &rules.limits,
        received,
        case_key,
        session_keys,
        case_prefix: &rules.case_prefix,
    };
    open(mail, &request)
}

/// The parts of a mail that go into its copies, opened again with the session keys of the first time.
pub fn sections_of(mail: &Plaintext, facts: &Facts, keyring: &Keyring, rules: &Rules) -> Vec<Section> {
    // What opened at receipt, in its time, is no bomb: a busy hour must not turn its copies into unopened mail.
    let mut rules = rules.clone();
    rules.limits.max_time = rules.limits.max_time.saturating_mul(20);
    let mut opened = open_with(mail, keyring, &rules, None, &facts.session_keys, facts.received);
    // Members are told why it was not opened; it must not stand open below those words, unjudged.
    match facts.refusal {
        Some(why @ Refusal::Oversize) => opened.refuse(why, mail),
        Some(why @ (Refusal::TooLarge | Refusal::TooSlow)) if opened.refusal.is_none() => opened.refuse(why, mail),
        _ => {}
    }
    opened.sections
}

/// What the copies of one mail, or of a notice, are made from.
pub struct CopyInput<'a> {
    pub identity: &'a TeamIdentity,
    pub case: Option<&'a CaseId>,
    pub message_id: &'a OurMessageId,
    /// Message-IDs of the case's earlier mails, the first one first.
    pub thread: &'a [OurMessageId],
    pub received: Timestamp,
    pub frozen: &'a Frozen,
    /// The case's contact, as the vault unsealed it.
    pub contact: Option<&'a Plaintext>,
    /// What the store knows of the draft; nothing if there is none.
    pub advisory: Option<AdvisoryLine>,
    pub sections: &'a [Section],
    pub envelope_from: &'a str,
    /// The server cannot take the size: large attachments are only listed. The bounds are for finding them.
    pub reduced: Option<&'a Limits>,
}

/// Signs the copies for a batch of members.
///
/// # Errors
/// When the gateway cannot sign.
pub fn prepare_copies(
    input: &CopyInput<'_>,
    keyring: &Keyring,
    batch: &[Arc<Member>],
    now: Timestamp,
) -> Result<SignedCopies, SealError> {
    let mut statement = statement(input, keyring);
    let reduced = input.reduced.map(|limits| without_large_parts(input.sections, limits)).transpose()?;
    if let Some(reduced) = reduced.as_ref().filter(|reduced| !reduced.left_out.is_empty()) {
        statement.warnings.insert(Warning::AttachmentsLeftOut);
        statement.notes.extend(reduced.left_out.iter().cloned().map(Into::into));
    }
    let from_author = match (&statement.kind, &statement.author) {
        (MailKind::Discussion, Author::Member(name)) => Some(name.clone()),
        _ => None,
    };
    let request = CopyRequest {
        identity: input.identity,
        case: input.case,
        message_id: input.message_id,
        thread: input.thread,
        date: input.received,
        subject: &statement.subject,
        statement: &statement,
        sections: reduced.as_ref().map_or(input.sections, |reduced| &reduced.sections),
        from_author: from_author.as_deref(),
        envelope_from: input.envelope_from,
    };
    sign_copies(&request, keyring, batch, now)
}

fn statement(input: &CopyInput<'_>, keyring: &Keyring) -> Statement {
    let contact = input.contact.map(ReporterContact::from_plaintext);
    let bare = Statement {
        case: input.case.cloned(),
        kind: MailKind::Notice,
        author: Author::Gateway,
        subject: Plaintext::new(Vec::new()),
        received: input.received,
        encryption: Encryption::None,
        signatures: Vec::new(),
        reporter: None,
        recipients: Vec::new(),
        advisory: AdvisoryLine::None("this is a notice".into()),
        warnings: BTreeSet::new(),
        refusal: None,
        notes: Vec::new(),
        team_address: input.identity.address.clone(),
    };
    match input.frozen {
        Frozen::Notice(notice) => Statement {
            subject: Plaintext::from_text(&notice.subject),
            notes: notice.lines.iter().map(|line| line.clone().into()).collect(),
            warnings: notice.warnings.clone(),
            ..bare
        },
        Frozen::Mail(facts) => Statement {
            kind: facts.kind,
            author: author(&facts.author, keyring),
            subject: Plaintext::from_text(&facts.subject),
            encryption: facts.encryption,
            signatures: facts.signatures.clone(),
            reporter: contact,
            recipients: facts.recipients.iter().map(|address| ReporterContact::new(address, None)).collect(),
            advisory: input.advisory.clone().unwrap_or_else(|| no_advisory(facts)),
            warnings: facts.warnings.clone(),
            refusal: facts.refusal,
            notes: notes(facts),
            ..bare
        },
    }
}

fn author(speaker: &Speaker, keyring: &Keyring) -> Author {
    match speaker {
        Speaker::Reporter => Author::Reporter,
        Speaker::Gateway => Author::Gateway,
        Speaker::Member(id) => {
            let name = keyring.member(id).map_or("a member who left", |member| member.name());
            Author::Member(name.to_owned())
        }
    }
}

fn no_advisory(facts: &Facts) -> AdvisoryLine {
    AdvisoryLine::None(
        match facts.no_advisory {
            Some(NoAdvisory::Off) | None => "no advisories are configured",
            Some(NoAdvisory::NotOpened) => "the mail could not be opened",
            Some(NoAdvisory::InClear) => "the mail came in clear (advisories.open_for)",
            Some(NoAdvisory::Reply) => "the case has its own already, or none",
            Some(NoAdvisory::MembersMail) => "a member's mail opens none",
            Some(NoAdvisory::NotAReport) => "it is no report",
            Some(NoAdvisory::Replayed) => "the same content came before from another sender",
            Some(NoAdvisory::Rejected) => "mail in clear is not accepted",
        }
        .into(),
    )
}

fn notes(facts: &Facts) -> Vec<std::borrow::Cow<'static, str>> {
    let claim = facts.claimed_case.as_ref();
    let claim = claim.map(|case| format!("It names the case {case}, without proof that it belongs there."));
    let sender = facts.other_sender.as_ref();
    let sender = sender.map(|sender| format!("It came from {}, which proves nothing.", sender.as_str()));
    claim.into_iter().chain(sender).map(Into::into).collect()
}

#[cfg(test)]
#[path = "copies_tests.rs"]
mod tests;
