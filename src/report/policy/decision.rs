//! The words and values of a decision: what a mail is, and all that must follow from it.
//!
//! Security: a decision holds fixed words, ids, fingerprints and certificates. The one contact in it opens only in the room.

use crate::report::case::CaseId;
use crate::report::secret::{Plaintext, ReporterContact};
use crate::report::vault::{Digest, Vault};
use crate::report::verdict::{Class, Warning, words};
use sequoia_openpgp as openpgp;

use openpgp::Cert;
use openpgp::parse::Parse;
use openpgp::serialize::SerializeInto;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

words! {
    /// What a copy is, in the statement of the gateway.
    MailKind {
        Report => "report",
        ReporterReply => "reporter-reply",
        Discussion => "discussion",
        SentToReporter => "sent-to-reporter",
        Notice => "notice",
    }
}

words! {
    /// What the admins are told when a mail goes to nobody.
    AdminNotice {
        /// A member's address without a member's signature.
        MemberUnproven => "member-unproven",
        /// A member's signed mail that was seen before.
        MemberReplay => "member-replay",
        /// Something the gateway sent in a case came back. It must be told at most once a day for a case: the bounce of a
        /// notice is a bounce again.
        BounceInCase => "bounce-in-case",
        /// Mail that calls itself a machine's came encrypted and did not open: nobody knows what it is. Once a day at most, since
        /// a bounce of the notice may be such a mail again.
        MachineUnopened => "machine-mail-not-opened",
    }
}

words! {
    /// Why no acknowledgement goes out.
    NoAcknowledgement {
        Off => "off",
        NoSender => "no-single-sender",
        SenderUnusable => "sender-address-unusable",
        Member => "member",
        Team => "team-address",
        InCase => "in-case",
        Automatic => "automatic",
        List => "list",
        Bounce => "bounce",
        /// The sender asked for no automatic answers (X-Auto-Response-Suppress).
        Suppressed => "suppressed-by-sender",
        DmarcFail => "dmarc-fail",
        /// In clear, and its sender is not confirmed by dmarc=pass where results are available.
        DmarcUnproven => "dmarc-not-pass",
        AlreadySent => "already-acknowledged",
        SenderLimit => "too-many-to-this-address",
        HourLimit => "too-many-this-hour",
    }
}

words! {
    /// What an acknowledgement says.
    AcknowledgementKind {
        /// The case number, the promise, the key.
        Received => "received",
        /// That mail in clear is not taken, and how to encrypt.
        HowToEncrypt => "how-to-encrypt",
    }
}

words! {
    /// Which number an acknowledgement names.
    AcknowledgedNumber {
        /// The case's.
        OfCase => "of-case",
        /// One newly drawn for this acknowledgement, since the mail joined a case, or opened none, for reasons that only
        /// the secret key can know, and its sender must not learn them.
        Fresh => "fresh",
    }
}

words! {
    /// Why no draft advisory is opened.
    NoAdvisory {
        Off => "not-configured",
        NotOpened => "not-opened",
        InClear => "in-clear",
        Reply => "in-existing-case",
        MembersMail => "members-mail",
        NotAReport => "not-a-report",
        Replayed => "replayed-payload",
        Rejected => "rejected-in-clear",
    }
}

/// Who speaks in a copy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Author {
    Reporter,
    /// A member's id.
    Member(String),
    Gateway,
}

/// Where a mail belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaseChoice {
    /// It opens a case.
    New,
    /// It belongs to this one.
    Join(CaseId),
    /// It is kept without a case.
    None,
}

/// Who gets a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CopyTo {
    AllMembers,
    /// All but the member with this id, who wrote it.
    MembersExcept(String),
    /// No copies; the admins get a notice of fixed words.
    AdminsNotice(AdminNotice),
    /// It is recorded only.
    Nobody,
}

/// A certificate to encrypt an acknowledgement to.
#[derive(Clone)]
pub struct AcknowledgementKey(pub(in crate::report) Box<Cert>);

impl AcknowledgementKey {
    /// Upper-case hex.
    pub fn fingerprint(&self) -> String {
        self.0.fingerprint().to_hex()
    }
}

/// Whether and how the sender is told that the mail arrived.
#[derive(Clone)]
pub enum Acknowledge {
    Encrypted(AcknowledgementKey),
    Plain,
    None(NoAcknowledgement),
}

impl Acknowledge {
    /// The word of `inspect`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Encrypted(_) => "encrypted",
            Self::Plain => "plain",
            Self::None(_) => "none",
        }
    }

    /// Why none goes out.
    pub fn why(&self) -> Option<NoAcknowledgement> {
        match self {
            Self::None(why) => Some(*why),
            _ => None,
        }
    }
}

impl PartialEq for Acknowledge {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Encrypted(a), Self::Encrypted(b)) => a.fingerprint() == b.fingerprint(),
            (Self::Plain, Self::Plain) => true,
            (Self::None(a), Self::None(b)) => a == b,
            _ => false,
        }
    }
}

impl fmt::Debug for Acknowledge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Encrypted(key) => write!(f, "Encrypted({})", key.fingerprint()),
            Self::Plain => f.write_str("Plain"),
            Self::None(why) => write!(f, "None({why})"),
        }
    }
}

/// What is to be drafted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AdvisoryIntent {
    /// A draft with the redacted text.
    Open,
    /// A draft with number and checked fields only.
    Stub,
    None(NoAdvisory),
}

/// The key that answers in a case are encrypted to.
#[derive(Clone)]
pub struct AnswerKey {
    pub(in crate::report) cert: Cert,
    pub(in crate::report) confirmed: bool,
}

/// A stored answer key that cannot be read back.
#[derive(Debug, thiserror::Error)]
#[error("the stored answer key of a case cannot be read; it may be from a newer version of embargod")]
pub struct BadAnswerKey;

impl AnswerKey {
    const CONFIRMED: u8 = b'c';
    const UNCONFIRMED: u8 = b'u';

    /// Upper-case hex.
    pub fn fingerprint(&self) -> String {
        self.cert.fingerprint().to_hex()
    }

    /// Whether a signature or the configuration stands behind it; otherwise a member has to confirm it before it is used.
    pub fn is_confirmed(&self) -> bool {
        self.confirmed
    }

    /// The form that is sealed into the store (`Purpose::AnswerKey`): one octet of state, then the binary certificate.
    ///
    /// # Errors
    /// When the certificate cannot be written.
    pub fn to_plaintext(&self) -> Result<Plaintext, BadAnswerKey> {
        let mut bytes = vec![if self.confirmed { Self::CONFIRMED } else { Self::UNCONFIRMED }];
        bytes.extend(self.cert.to_vec().map_err(|_| BadAnswerKey)?);
        Ok(Plaintext::new(bytes))
    }

    /// Taken back from the store.
    ///
    /// # Errors
    /// When it is not such a form.
    pub fn from_plaintext(plain: &Plaintext) -> Result<Self, BadAnswerKey> {
        let (state, cert) = plain.expose().split_first().ok_or(BadAnswerKey)?;
        let confirmed = match *state {
            Self::CONFIRMED => true,
            Self::UNCONFIRMED => false,
            _ => return Err(BadAnswerKey),
        };
        Ok(Self { cert: Cert::from_bytes(cert).map_err(|_| BadAnswerKey)?, confirmed })
    }
}

/// What a mail is and what is to be done with it.
pub struct Decision {
    pub class: Class,
    pub case: CaseChoice,
    pub kind: MailKind,
    pub author: Author,
    pub copies: CopyTo,
    /// Decided from the unencrypted bytes, the configuration and the limits alone.
    pub acknowledge: Acknowledge,
    pub acknowledgement: AcknowledgementKind,
    pub acknowledged_number: AcknowledgedNumber,
    pub advisory: AdvisoryIntent,
    /// Warnings beside those of opening the mail.
    pub warnings: BTreeSet<Warning>,
    /// A member to whom a notice must say that the command in the mail was not carried out.
    pub notify_author: Option<String>,
    /// A case that the mail names without proof that it belongs there, for the members to see.
    pub claimed_case: Option<CaseId>,
    /// Nothing may be sent to the reporter of the new case until a member confirms it.
    pub answers_held: bool,
    pub(in crate::report) contact: Option<ReporterContact>,
    pub(in crate::report) answer_key: Option<AnswerKey>,
}

impl Decision {
    /// The contact of the new case, to be sealed with `Purpose::Contact`; nothing where no case is opened or there is no
    /// single sender.
    pub fn contact(&self) -> Option<Plaintext> {
        self.contact.as_ref().map(ReporterContact::to_plaintext)
    }

    /// The digest by which the store finds the contact of the new case.
    pub fn contact_digest(&self, vault: &Vault) -> Option<Digest> {
        self.contact.as_ref().map(|contact| vault.contact_digest(contact))
    }

    /// The answer key of the new case.
    pub fn answer_key(&self) -> Option<&AnswerKey> {
        self.answer_key.as_ref()
    }
}
