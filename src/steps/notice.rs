//! The gateway's own word to the team: made of fixed words, ids and names of the configuration, and delivered like any copy.
//!
//! Security: no text of a mail, a server or a reporter gets into a notice. Each has a key, so that the same thing is told once,
//! whatever is repeated after a crash, and once a day at most where it goes on.

use super::{StepError, on_worker};
use crate::gateway::Gateway;
use crate::report::{
    AdminNotice, Audience, CaseId, Frozen, Lookup, MailId, Member, Notice, Purpose, Unusable, Warning,
};
use crate::store::{Claim, NewMail, Origin, RowId};
use jiff::Timestamp;
use std::sync::Arc;

/// A member's copy is held because of the certificate: told once a day for each member and reason.
pub(crate) async fn copy_held(
    gateway: &Gateway,
    member: &Member,
    why: Unusable,
    now: Timestamp,
) -> Result<(), StepError> {
    let day = day(now);
    let notice = Notice::new(
        Audience::Admins,
        None,
        "Copies are held",
        vec![
            format!("Copies for {} are held: {why}.", member.name()),
            format!("Certificate: {}", member.fingerprint()),
            "They go out by themselves once [[members]] names a certificate that can be used and embargod has reloaded.".into(),
        ],
    );
    post(gateway, &["copy-held", &member.id(), why.code(), &day], notice).await
}

/// A mail was refused for good: told once a day for each member, and once a day for all reporters together, since their
/// addresses may be made up.
pub(crate) async fn delivery_failed(gateway: &Gateway, claim: &Claim, now: Timestamp) -> Result<(), StepError> {
    if claim.row.kind == crate::store::RowKind::Notice {
        // A notice about a notice that failed would fail as well, for ever.
        return Ok(());
    }
    let row = &claim.row;
    let member = row.recipient.as_ref().and_then(|recipient| {
        gateway.keyring.members().iter().find(|member| gateway.vault.address_digest(member.address()) == *recipient)
    });
    let whom = member.map_or_else(|| "the reporter".to_owned(), |member| member.name().to_owned());
    let lines = vec![
        format!("A mail ({}) for {whom} was refused for good and is not tried again by itself.", row.kind),
        format!("Mend the cause, then: embargod queue retry {}", row.id),
        "You are told once a day. `embargod queue list` names all such mails.".into(),
    ];
    let about = member.map_or_else(String::new, |member| member.id());
    let notice = Notice::new(Audience::Admins, row.case.clone(), "A mail could not be delivered", lines);
    post(gateway, &["delivery-failed", &about, &day(now)], notice).await
}

/// A draft was refused for good. `why` is the desk's own wording, with the configuration's names.
pub(crate) async fn draft_failed(gateway: &Gateway, case: &CaseId, why: &str) -> Result<(), StepError> {
    let lines = vec![
        format!("The draft advisory for {case} was refused for good: {why}."),
        "Mend the cause, then let it go with `embargod queue retry`, or open the advisory by hand.".into(),
    ];
    let notice = Notice::new(Audience::Admins, Some(case.clone()), "A draft advisory could not be opened", lines);
    post(gateway, &["draft-failed", &case.to_string()], notice).await
}

/// The desk refuses until somebody mends something: told once a day for each reason.
pub(crate) async fn desk_refuses(gateway: &Gateway, case: &CaseId, why: &str, now: Timestamp) -> Result<(), StepError> {
    let lines = vec![
        format!("The draft advisory for {case} waits: {why}."),
        "It is tried again by itself, as are others that meet the same. `embargod check --online` says more; `embargod queue retry` hurries it.".into(),
    ];
    let notice = Notice::new(Audience::Admins, Some(case.clone()), "A draft advisory waits for you", lines);
    post(gateway, &["desk-refuses", why, &day(now)], notice).await
}

/// Nobody can find out whether a draft was opened.
pub(crate) async fn draft_unknown(gateway: &Gateway, case: &CaseId, row: &RowId) -> Result<(), StepError> {
    let lines = vec![
        format!(
            "The draft advisory for {case} was sent, and the answer was lost. It was looked for and not found, but no list showed another draft of embargod's, so that proves nothing."
        ),
        format!("Look at the repository's advisories for {case}. If it is there: embargod queue drop {row} --yes"),
        format!("If it is not, let it be opened again: embargod queue retry {row}"),
    ];
    let notice = Notice::new(Audience::Admins, Some(case.clone()), "Nobody knows whether a draft was opened", lines);
    post(gateway, &["draft-unknown", row.as_str()], notice).await
}

/// A draft was found more than once.
pub(crate) async fn draft_duplicated(
    gateway: &Gateway,
    case: &CaseId,
    link: &str,
    duplicates: usize,
) -> Result<(), StepError> {
    let lines = vec![
        format!("The draft advisory for {case} was opened more than once: {duplicates} besides {link}"),
        "Use that one, the oldest, and close the others.".into(),
    ];
    let notice = Notice::new(Audience::Admins, Some(case.clone()), "A draft was opened more than once", lines);
    post(gateway, &["draft-duplicated", &case.to_string()], notice).await
}

/// The teams and users could not be given access to a draft.
pub(crate) async fn access_failed(gateway: &Gateway, case: &CaseId, row: &RowId, why: &str) -> Result<(), StepError> {
    let lines = vec![
        format!(
            "The draft advisory for {case} is open, but the configured teams and users have no access to it: {why}."
        ),
        format!("Correct advisories.teams and advisories.users, then: embargod queue retry {row}"),
    ];
    let notice = Notice::new(Audience::Admins, Some(case.clone()), "Nobody was given access to a draft", lines);
    post(gateway, &["access-failed", row.as_str()], notice).await
}

/// A draft was opened after its copies had gone out without the link.
pub(crate) async fn advisory_opened(
    gateway: &Gateway,
    case: &CaseId,
    mail: &MailId,
    link: &str,
) -> Result<(), StepError> {
    use crate::store::{RowFilter, RowKind, RowState};
    let filter = RowFilter {
        mail: Some(mail.clone()),
        kind: Some(RowKind::Copy),
        state: Some(RowState::Sent),
        ..RowFilter::default()
    };
    if gateway.store.rows(&filter).await?.is_empty() {
        return Ok(());
    }
    let lines = vec![format!("The draft advisory for {case} is open: {link}")];
    let notice = Notice::new(Audience::Members, Some(case.clone()), "The draft advisory is open", lines);
    post(gateway, &["advisory-opened", &case.to_string()], notice).await
}

/// A mail goes to nobody, and the admins are told why.
pub(crate) async fn mail_kept(
    gateway: &Gateway,
    mail: &MailId,
    case: Option<&CaseId>,
    code: AdminNotice,
    now: Timestamp,
) -> Result<(), StepError> {
    let lines = vec![
        match code {
            AdminNotice::MemberUnproven => {
                "A mail from a member's address had no valid signature of that member, so it was kept and not forwarded.".to_owned()
            }
            AdminNotice::MemberReplay => {
                "A member's signed mail came a second time, so it was kept and not forwarded.".to_owned()
            }
            AdminNotice::BounceInCase => "A mail that the gateway sent in this case came back as undeliverable.".to_owned(),
            AdminNotice::MachineUnopened => {
                "Mail that says a machine sent it came encrypted and could not be opened, so it was kept. Look at it if you expect a report. You are told once a day.".to_owned()
            }
        },
        format!("Mail: {mail}"),
    ];
    let about = match (code, case) {
        (AdminNotice::BounceInCase, Some(case)) => format!("{case} {}", day(now)),
        (AdminNotice::MachineUnopened, _) => day(now),
        _ => mail.to_string(),
    };
    let notice = Notice::new(Audience::Admins, case.cloned(), "A mail was kept and not forwarded", lines);
    let notice = match code {
        AdminNotice::MemberUnproven => notice.warning(Warning::MemberUnproven),
        AdminNotice::MemberReplay => notice.warning(Warning::MemberReplay),
        AdminNotice::MachineUnopened => notice.warning(Warning::NotOpened),
        AdminNotice::BounceInCase => notice,
    };
    post(gateway, &["mail-kept", code.word(), &about], notice).await
}

/// A member's mail began with a command that this version does not know.
pub(crate) async fn command_unknown(gateway: &Gateway, mail: &MailId, member: &str) -> Result<(), StepError> {
    let lines = vec![
        "Your mail began with a command. This version of embargod carries out no commands: nothing was done and nothing was sent to the reporter.".to_owned(),
        "Your text went to the other members as discussion.".to_owned(),
    ];
    let notice = Notice::new(Audience::Member(member.to_owned()), None, "Your command was not carried out", lines)
        .warning(Warning::UnknownCommand);
    post(gateway, &["command-unknown", mail.as_str()], notice).await
}

/// A mail could not be processed in several attempts.
pub(crate) async fn quarantined(
    gateway: &Gateway,
    mail: &MailId,
    size: u64,
    received: Timestamp,
) -> Result<(), StepError> {
    let lines = vec![
        format!("A mail of {size} octets, received {received}, could not be processed in several attempts."),
        "It was set aside as it came; nothing of it was lost. The log of embargod may say why.".into(),
        format!("Mail: {mail}"),
    ];
    let notice = Notice::new(Audience::Members, None, "A mail was set aside", lines).warning(Warning::Quarantined);
    post(gateway, &["quarantined", mail.as_str()], notice).await
}

/// What is stored of a mail cannot be read any more: the disk, or somebody who can write to the database, has changed it.
pub(crate) async fn unreadable(gateway: &Gateway, claim: &Claim) -> Result<(), StepError> {
    if claim.row.kind == crate::store::RowKind::Notice {
        return Ok(());
    }
    let row = &claim.row;
    let lines = vec![
        "What is stored of a mail cannot be read: it was changed in the database. What was to be sent for it waits.".into(),
        "Restore it from a backup, then: embargod queue list, embargod queue retry ROW. Or ask the reporter to send it again.".into(),
        format!("Mail: {}", row.mail),
    ];
    let notice = Notice::new(Audience::Members, row.case.clone(), "A stored mail cannot be read", lines);
    post(gateway, &["unreadable", row.mail.as_str()], notice).await
}

fn day(now: Timestamp) -> String {
    jiff::tz::TimeZone::UTC.to_datetime(now).date().to_string()
}

/// Stores a notice; the sorting step puts it into the outbox. The same key makes the same notice, which is stored once.
async fn post(gateway: &Gateway, key: &[&str], notice: Notice) -> Result<(), StepError> {
    let fields: Vec<_> = key.iter().map(|field| field.as_bytes()).collect();
    let digest = gateway.vault.digest(Lookup::Alert, &fields);
    if gateway.store.known_source(&digest).await? {
        return Ok(());
    }
    let id = MailId::from_random(gateway.vault.random()?);
    let received = gateway.store.now().await?;
    let (vault, row) = (Arc::clone(&gateway.vault), id.clone());
    let (size, sealed) = on_worker(move || {
        let plain = Frozen::Notice(notice).to_plaintext()?;
        let size = u64::try_from(plain.len()).unwrap_or(u64::MAX);
        Ok::<_, StepError>((size, vault.seal(Purpose::Mail, row.as_str(), &plain)?))
    })
    .await??;
    let mail = NewMail { id, source: digest.clone(), content: digest, received, size, sealed, origin: Origin::Gateway };
    gateway.store.take_in(&[mail]).await?;
    Ok(())
}
