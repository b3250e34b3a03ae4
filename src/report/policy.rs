//! What a mail is, and what is to be done with it.
//!
//! Security: a report is never lost (what decrypts, or cannot be opened, reaches the members whatever its outside says, but for
//! machines' mail), machines are never answered, members are believed by signature only, and the acknowledgement is decided
//! apart, from the outside alone.

mod acknowledgement;
mod answer_key;
mod decision;
mod known;
mod matching;
mod member;
mod rules;

use super::keyring::Keyring;
use super::opened::Opened;
use super::outer::{Nature, Outer, Sender};
use super::verdict::{Class, Encryption, KeyOrigin, SignatureStatus, Warning};
use jiff::Timestamp;
use member::Proof;
use std::collections::BTreeSet;

pub(in crate::report) use acknowledgement::certificate as acknowledgement_certificate;
pub use acknowledgement::{PER_HOUR, PER_SENDER_AND_DAY};
pub use decision::{
    Acknowledge, AcknowledgedNumber, AcknowledgementKey, AcknowledgementKind, AdminNotice, AdvisoryIntent, AnswerKey,
    Author, BadAnswerKey, CaseChoice, CopyTo, Decision, MailKind, NoAcknowledgement, NoAdvisory,
};
pub use known::{Known, KnownCase, Lookups};
pub use rules::{DraftContent, InClear, OpenFor, Rules};

/// Decides about one mail. `now` is the time of receipt.
pub fn decide(
    outer: &Outer,
    opened: &Opened,
    known: &Known,
    keyring: &Keyring,
    rules: &Rules,
    now: Timestamp,
) -> Decision {
    Situation { outer, opened, known, keyring, rules, now }.decide()
}

struct Situation<'a> {
    outer: &'a Outer,
    opened: &'a Opened,
    known: &'a Known,
    keyring: &'a Keyring,
    rules: &'a Rules,
    now: Timestamp,
}

impl Situation<'_> {
    fn decide(&self) -> Decision {
        let mut decision = self.classify();
        decision.acknowledge = acknowledgement::acknowledge(self.outer, self.known, self.keyring, self.rules, self.now);
        decision.acknowledged_number = self.acknowledged_number(&decision.case);
        if answer_key::offers_replacement(self.outer, self.opened, self.keyring, self.now) {
            decision.warnings.insert(Warning::KeyReplacement);
        }
        if matches!(self.outer.sender, Sender::Several(_)) {
            decision.warnings.insert(Warning::SeveralFrom);
        }
        if self.opened.refusal.is_some() {
            decision.warnings.insert(Warning::NotOpened);
        }
        if imitates_statement(&self.opened.text.expose_text()) {
            decision.warnings.insert(Warning::ForgedStatement);
        }
        decision
    }

    fn classify(&self) -> Decision {
        // Only the gateway writes from the team's address under a Message-ID of ours; the Message-ID alone could be put on a
        // stranger's report by somebody who wants it to vanish.
        if self.known.own && self.outer.sender.one().is_some_and(|sender| self.rules.is_team(sender.address())) {
            return self.set_aside(Class::Own, CopyTo::Nobody);
        }
        let refers = self.known.by_outer_reference.as_ref().or(self.known.by_inner_reference.as_ref());
        // A scanner's encrypted report is a report; what decrypts is the team's to judge, unless a machine answers us.
        // What a machine sends that does not open is only told of: mail of ours that is sent back would multiply for ever.
        let machine = !self.decrypted() || refers.is_some();
        match self.outer.nature {
            Nature::Bounce if machine => return self.bounce(),
            Nature::Automatic if machine || self.is_from_member() => return self.automatic(),
            _ => {}
        }
        let proof = member::prove(self.outer, self.opened, self.known, self.keyring, self.now);
        // Many teams' address is a list of its own: what people write to that is no list's mail. Nor is what a member signed.
        let foreign_list = self.outer.list && !self.outer.own_list && !matches!(proof, Proof::Members { .. });
        if foreign_list && !self.outer.encrypted && !self.decrypted() {
            return self.list();
        }
        match proof {
            Proof::Members { member, encrypted } => self.members_mail(member, encrypted),
            Proof::Replay => self.kept_from_members(AdminNotice::MemberReplay, Warning::MemberReplay),
            Proof::Unproven => self.kept_from_members(AdminNotice::MemberUnproven, Warning::MemberUnproven),
            Proof::NotAMembers => self.reporters_mail(),
        }
    }

    fn decrypted(&self) -> bool {
        self.opened.payload_hash.is_some()
    }

    fn is_from_member(&self) -> bool {
        self.outer.sender.all().iter().any(|c| self.keyring.member(&c.address().to_lowercase()).is_some())
    }

    /// A mail that is recorded without a case.
    fn set_aside(&self, class: Class, copies: CopyTo) -> Decision {
        Decision {
            class,
            case: CaseChoice::None,
            kind: MailKind::Notice,
            author: Author::Reporter,
            copies,
            acknowledge: Acknowledge::None(NoAcknowledgement::Off),
            acknowledgement: AcknowledgementKind::Received,
            acknowledged_number: AcknowledgedNumber::OfCase,
            advisory: AdvisoryIntent::None(NoAdvisory::NotAReport),
            warnings: BTreeSet::new(),
            notify_author: None,
            claimed_case: None,
            answers_held: false,
            contact: None,
            answer_key: None,
        }
    }

    fn referenced(&self) -> CaseChoice {
        let case = self.known.by_outer_reference.as_ref().or(self.known.by_inner_reference.as_ref());
        case.map_or(CaseChoice::None, |case| CaseChoice::Join(case.id.clone()))
    }

    fn bounce(&self) -> Decision {
        let case = self.referenced();
        // Never as copies: the copy for a member whose mailbox is gone would bounce in turn, for ever.
        let copies = match case {
            CaseChoice::None => self.told_if_sealed(),
            _ => CopyTo::AdminsNotice(AdminNotice::BounceInCase),
        };
        Decision { case, ..self.set_aside(Class::Bounce, copies) }
    }

    fn automatic(&self) -> Decision {
        let case = self.referenced();
        // A member's absence note answers a copy: sending it to the members would raise the next.
        let copies = match case {
            _ if self.is_from_member() => CopyTo::Nobody,
            CaseChoice::None => self.told_if_sealed(),
            _ => CopyTo::AllMembers,
        };
        Decision { case, ..self.set_aside(Class::Automatic, copies) }
    }

    /// Of machines' mail nobody is told, but for what is encrypted and does not open: a report could be in it, and a mark in a
    /// header, which anybody on the way can write, must not make it vanish.
    fn told_if_sealed(&self) -> CopyTo {
        match self.outer.encrypted && self.opened.refusal.is_some() {
            true => CopyTo::AdminsNotice(AdminNotice::MachineUnopened),
            false => CopyTo::Nobody,
        }
    }

    fn list(&self) -> Decision {
        let case = self.referenced();
        let copies = if case == CaseChoice::None { CopyTo::Nobody } else { CopyTo::AllMembers };
        Decision { case, kind: MailKind::ReporterReply, ..self.set_aside(Class::List, copies) }
    }

    fn kept_from_members(&self, notice: AdminNotice, warning: Warning) -> Decision {
        let mut decision = self.set_aside(Class::Unusable, CopyTo::AdminsNotice(notice));
        decision.warnings.insert(warning);
        decision
    }

    fn members_mail(&self, member: String, encrypted: bool) -> Decision {
        let by_number = self.known.by_subject.as_ref().map(|case| CaseChoice::Join(case.id.clone()));
        let case = match self.referenced() {
            CaseChoice::None => by_number.unwrap_or(CaseChoice::New),
            case => case,
        };
        let advisory = if case == CaseChoice::New { NoAdvisory::MembersMail } else { NoAdvisory::Reply };
        let mut warnings = BTreeSet::new();
        if !encrypted {
            warnings.insert(Warning::MemberMailNotEncrypted);
        }
        let commanded = is_command(&self.opened.text.expose_text());
        if commanded {
            warnings.insert(Warning::UnknownCommand);
        }
        Decision {
            case,
            kind: MailKind::Discussion,
            author: Author::Member(member.clone()),
            warnings,
            notify_author: commanded.then(|| member.clone()),
            advisory: AdvisoryIntent::None(advisory),
            ..self.set_aside(Class::Member, CopyTo::MembersExcept(member))
        }
    }

    fn reporters_mail(&self) -> Decision {
        let unopened = self.opened.refusal.is_some() && !self.decrypted();
        let mut decision = match self.case_of_reply() {
            Some(case) => self.reply(case),
            None if self.is_rejected(unopened) => return self.rejected(),
            None => self.report(unopened),
        };
        if unopened {
            decision.class = Class::Unusable;
        } else if self.opened.encryption == Encryption::None {
            decision.warnings.insert(Warning::InClear);
        }
        decision
    }

    /// The case that this mail is a reply in.
    fn case_of_reply(&self) -> Option<&KnownCase> {
        if self.known.payload_seen_from_other_sender {
            return None;
        }
        let referenced = self.known.by_outer_reference.as_ref().or(self.known.by_inner_reference.as_ref());
        referenced.or_else(|| self.known.by_subject.as_ref().filter(|case| self.signed_by_answer_key(case)))
    }

    fn signed_by_answer_key(&self, case: &KnownCase) -> bool {
        let Some(key) = &case.answer_key else { return false };
        let in_clear = self.opened.encryption == Encryption::None;
        self.opened.signatures.iter().any(|s| {
            s.status == SignatureStatus::Good
                && s.whole
                && (s.inside || in_clear)
                && s.fingerprint.as_deref().is_some_and(|print| print.eq_ignore_ascii_case(key))
        })
    }

    fn reply(&self, case: &KnownCase) -> Decision {
        let mut warnings = BTreeSet::new();
        if !case.sender_is_contact && !self.signed_by_answer_key(case) {
            warnings.insert(Warning::OtherSender);
        }
        Decision {
            case: CaseChoice::Join(case.id.clone()),
            kind: MailKind::ReporterReply,
            advisory: AdvisoryIntent::None(NoAdvisory::Reply),
            warnings,
            ..self.set_aside(Class::Reply, CopyTo::AllMembers)
        }
    }

    fn report(&self, unopened: bool) -> Decision {
        let replayed = self.known.payload_seen_from_other_sender;
        let mut warnings = BTreeSet::new();
        if replayed {
            warnings.insert(Warning::ReplayedPayload);
        }
        let named = [&self.known.by_outer_reference, &self.known.by_inner_reference].into_iter().flatten().next();
        let claimed_case = named.map(|case| case.id.clone()).or_else(|| self.opened.subject_case.clone());
        if claimed_case.is_some() {
            warnings.insert(Warning::ClaimsCase);
        }
        Decision {
            case: CaseChoice::New,
            kind: MailKind::Report,
            advisory: self.advisory(unopened, replayed),
            warnings,
            claimed_case,
            answers_held: replayed,
            contact: self.outer.sender.one().map(|contact| contact.duplicate()),
            answer_key: answer_key::choose(self.outer, self.opened, self.keyring, self.now),
            ..self.set_aside(Class::Report, CopyTo::AllMembers)
        }
    }

    fn advisory(&self, unopened: bool, replayed: bool) -> AdvisoryIntent {
        let in_clear = self.opened.encryption == Encryption::None;
        if self.rules.drafts == DraftContent::NoDrafts {
            AdvisoryIntent::None(NoAdvisory::Off)
        } else if unopened {
            AdvisoryIntent::None(NoAdvisory::NotOpened)
        } else if replayed {
            AdvisoryIntent::None(NoAdvisory::Replayed)
        } else if in_clear && self.rules.open_for == OpenFor::Encrypted {
            AdvisoryIntent::None(NoAdvisory::InClear)
        } else if self.rules.drafts == DraftContent::Report {
            AdvisoryIntent::Open
        } else {
            AdvisoryIntent::Stub
        }
    }

    /// Whether the team takes no mail in clear from this sender. Of mail in clear everything is on the outside, its
    /// signatures too, so the answer that follows from this tells nobody anything.
    fn is_rejected(&self, unopened: bool) -> bool {
        let in_clear = !self.outer.encrypted && self.opened.encryption == Encryption::None && !unopened;
        let signed_by_known =
            self.opened.signatures.iter().any(|s| {
                s.status == SignatureStatus::Good && s.whole && !s.inside && s.key == Some(KeyOrigin::Configured)
            });
        self.rules.plaintext == InClear::Reject && in_clear && !signed_by_known
    }

    fn rejected(&self) -> Decision {
        let mut decision = Decision {
            kind: MailKind::Report,
            acknowledgement: AcknowledgementKind::HowToEncrypt,
            advisory: AdvisoryIntent::None(NoAdvisory::Rejected),
            ..self.set_aside(Class::Report, CopyTo::Nobody)
        };
        decision.warnings.insert(Warning::InClear);
        decision
    }

    /// An acknowledgement that goes out although the mail opened no case must look like any other. To the case's own contact
    /// it may name the case.
    fn acknowledged_number(&self, case: &CaseChoice) -> AcknowledgedNumber {
        let of_contact = |id: &super::case::CaseId| {
            [&self.known.by_inner_reference, &self.known.by_subject]
                .into_iter()
                .flatten()
                .any(|case| case.id == *id && case.sender_is_contact)
        };
        match case {
            CaseChoice::New => AcknowledgedNumber::OfCase,
            CaseChoice::Join(id) if of_contact(id) => AcknowledgedNumber::OfCase,
            CaseChoice::Join(_) | CaseChoice::None => AcknowledgedNumber::Fresh,
        }
    }
}

/// Whether the text has lines of the form of the gateway's own statement: three different names of it at line starts, where
/// nobody but the gateway writes them so.
fn imitates_statement(text: &str) -> bool {
    const NAMES: &[&str] = &[
        "Case",
        "Kind",
        "Author",
        "Received",
        "Encryption",
        "Signature",
        "Reporter",
        "Original-Recipients",
        "Advisory",
        "Warning",
    ];
    let found: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.trim_start().split_once(':'))
        .filter_map(|(name, _)| NAMES.iter().find(|known| known.eq_ignore_ascii_case(name.trim())).copied())
        .collect();
    found.len() >= 3
}

/// Whether the first line that is not empty begins like a command.
fn is_command(text: &str) -> bool {
    text.lines().map(str::trim).find(|line| !line.is_empty()).is_some_and(|line| line.starts_with('!'))
}

#[cfg(test)]
mod test_world;
#[cfg(test)]
#[path = "policy/policy_tests.rs"]
mod tests;
