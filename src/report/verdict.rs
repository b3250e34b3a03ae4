//! The words the gateway uses for what it found: in `inspect`, in the statement of every copy, and in its own store.
//!
//! Security: every value here is a fixed word, a fingerprint or a time, never text from the mail.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Declares an enum whose variants each have one stable word, used in JSON, in statements and in the store.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident => $word:literal,)+ }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$vmeta])* #[serde(rename = $word)] $variant,)+ }

        // Not every enum is read back from its word.
        #[allow(dead_code)]
        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The stable word for this value.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// The value for a stable word.
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.word() == word)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}
#[allow(unused_imports)]
pub(crate) use words;

words! {
    /// How much of what the mail says came encrypted.
    Encryption {
        Complete => "complete",
        /// Something readable stood in clear beside an encrypted part.
        Partial => "partial",
        None => "none",
    }
}

words! {
    /// What became of a signature, judged at the time the mail was received.
    SignatureStatus {
        Good => "good",
        Bad => "bad",
        /// No certificate at hand made it.
        UnknownKey => "unknown-key",
        Expired => "expired",
        Revoked => "revoked",
        /// Valid but for an algorithm that no longer proves anything, such as SHA-1.
        Weak => "weak",
        /// Valid, but it covers only a part of what is shown.
        Partial => "partial",
        /// It could not be checked at all: malformed, or of an unknown kind.
        Error => "error",
    }
}

words! {
    /// Where the certificate that made a signature is known from.
    KeyOrigin {
        /// From the configuration: a member's, or one of the known certificates.
        Configured => "configured",
        /// The answer key of the case that the mail belongs to.
        Case => "case",
        /// It came in this very mail, which proves nothing about who wrote it.
        FirstSeen => "first-seen",
    }
}

words! {
    /// What kind of mail it is.
    Class {
        Report => "report",
        Reply => "reply",
        Member => "member",
        Bounce => "bounce",
        Automatic => "automatic",
        List => "list",
        Own => "own",
        Unusable => "unusable",
    }
}

words! {
    /// Why an encrypted mail was not opened.
    Refusal {
        /// No key of the gateway's opens it.
        NotForOurKeys => "not-for-our-keys",
        /// A symmetrically encrypted data packet without integrity protection (tag 9, RFC 9580 section 5.7).
        NoIntegrityProtection => "no-integrity-protection",
        /// The integrity check failed: tampered with, or cut short.
        IntegrityFailed => "integrity-check-failed",
        /// Encrypted to a passphrase only.
        SymmetricOnly => "symmetric-only",
        /// Announced as encrypted, but there is no OpenPGP data in it.
        NoCiphertext => "no-ciphertext",
        /// OpenPGP data that cannot be read.
        Malformed => "malformed-openpgp",
        /// An algorithm or packet that this build cannot do.
        Unsupported => "unsupported-algorithm",
        /// GnuPG's own OCB encrypted data packet (tag 20), which is no OpenPGP standard.
        GnupgOcb => "gnupg-ocb-packet",
        /// S/MIME, which the gateway does not speak.
        Smime => "smime",
        /// The mail itself is larger than the gateway accepts.
        Oversize => "oversize",
        TooDeep => "nested-too-deep",
        TooLarge => "too-large-when-opened",
        TooManyRecipients => "too-many-recipients",
        TooManyParts => "too-many-parts",
        TooSlow => "took-too-long",
        /// Neither header nor body.
        Empty => "empty-mail",
    }
}

impl Refusal {
    /// One sentence for the members: what it means, and what to ask the reporter for.
    pub fn advice(self) -> &'static str {
        match self {
            Self::NotForOurKeys => {
                "It was encrypted to other keys than the gateway's. Ask the reporter to encrypt to the team's current key."
            }
            Self::NoIntegrityProtection => {
                "It was encrypted without integrity protection (by old software). Ask the reporter to send it again with current OpenPGP software."
            }
            Self::IntegrityFailed => {
                "Its integrity check failed: it was damaged or tampered with on the way, and nothing of it is shown. Ask the reporter to send it again."
            }
            Self::SymmetricOnly => {
                "It was encrypted with a passphrase only. Ask the reporter to encrypt to the team's key."
            }
            Self::NoCiphertext => {
                "It says it is encrypted, but holds no encrypted data. Ask the reporter to send it again."
            }
            Self::Malformed => "Its OpenPGP data cannot be read. Ask the reporter to send it again.",
            Self::Unsupported => {
                "It uses an algorithm that this gateway cannot do. Ask the reporter to encrypt with a common algorithm (AES, X25519 or RSA)."
            }
            Self::GnupgOcb => {
                "It was encrypted in GnuPG's own OCB format, which no other OpenPGP software reads. Ask the reporter to send it again with `gpg --rfc4880`, after fetching the team's key anew."
            }
            Self::Smime => "It is encrypted with S/MIME. Ask the reporter to use OpenPGP with the team's key.",
            Self::Oversize => {
                "It is larger than this gateway accepts. Its beginning is enclosed; the whole mail was left where it arrived. Ask the reporter for a smaller one, or raise intake.max_size."
            }
            Self::TooDeep => "It has more layers of encryption or MIME than the gateway opens.",
            Self::TooLarge => {
                "It is larger than the gateway accepts, as it came or when it is opened. What came too large stays whole in the mailbox; only its beginning is here."
            }
            Self::TooManyRecipients => "It is encrypted to more recipients than the gateway tries.",
            Self::TooManyParts => "It has more parts than the gateway reads.",
            Self::TooSlow => "Opening it took longer than the gateway allows for one mail.",
            Self::Empty => "The mail is empty.",
        }
    }
}

words! {
    /// Things a member must know about a mail; the codes are stable.
    Warning {
        /// It came in clear: anybody on the way could read it.
        InClear => "in-clear",
        /// Something stood unencrypted beside an encrypted part.
        UnencryptedPart => "unencrypted-part",
        /// The structure had been changed on the way and was understood all the same.
        RepairedStructure => "repaired-structure",
        /// A part of the encrypted content could not be opened; see the refusal.
        NotOpened => "not-opened",
        /// A signature names other recipients than this gateway, so it may have been written for somebody else.
        IntendedForOthers => "intended-for-others",
        /// No user ID of the signing certificate has the address of the From line.
        SignerIsNotSender => "signer-is-not-sender",
        /// The From line inside the encryption differs from the one outside.
        FromMismatch => "from-mismatch",
        SeveralFrom => "several-from-addresses",
        BadSignature => "bad-signature",
        PartlySigned => "partly-signed",
        /// The mail holds a secret key.
        SecretKeyEnclosed => "secret-key-enclosed",
        /// The mail offers a certificate other than the one that is known for that person; it is not taken up.
        KeyReplacement => "key-replacement",
        /// The same payload came before from another sender.
        ReplayedPayload => "replayed-payload",
        /// Quoted armor was opened.
        QuotedArmor => "quoted-armor",
        MemberMailNotEncrypted => "member-mail-not-encrypted",
        /// It has a member's From address, but no signature that makes it a member's.
        MemberUnproven => "member-unproven",
        /// A member's mail that was seen before.
        MemberReplay => "member-replay",
        /// It names a case without proof that it belongs there.
        ClaimsCase => "claims-case",
        /// A reply that came from another address than the case's contact, and is not signed by the case's answer key.
        OtherSender => "other-sender",
        /// Text in the mail looks like the gateway's own statement.
        ForgedStatement => "forged-statement",
        /// Opened with a key that is kept for decryption only.
        OldKey => "old-gateway-key",
        /// The mail could not be processed in several attempts and was set aside.
        Quarantined => "quarantined",
        /// A command of a member's that this version does not know.
        UnknownCommand => "unknown-command",
        /// The report cannot be posted safely, so the draft holds no text of it.
        RedactionFellBack => "redaction-fell-back",
        /// Character set or transfer encoding could not be decoded cleanly.
        BadEncoding => "bad-encoding",
        DuplicateHeader => "duplicate-header",
        /// The mail server takes nothing of its size.
        AttachmentsLeftOut => "attachments-left-out",
    }
}

impl Warning {
    /// One sentence for the members.
    pub fn advice(self) -> &'static str {
        match self {
            Self::InClear => "it came in clear; anybody on the way could read it",
            Self::UnencryptedPart => {
                "parts of it stood unencrypted beside the encrypted ones; they are labelled and prove nothing"
            }
            Self::RepairedStructure => "a mail server changed its structure on the way",
            Self::NotOpened => "not all of it could be opened",
            Self::IntendedForOthers => {
                "a signature names other intended recipients; it may have been written for somebody else"
            }
            Self::SignerIsNotSender => "the signing certificate has no user ID with the sender's address",
            Self::FromMismatch => "the sender's address inside the encryption differs from the one outside",
            Self::SeveralFrom => "it has several From addresses",
            Self::BadSignature => "a signature is bad: the signed content was changed, or it was not made by that key",
            Self::PartlySigned => "only a part of it is signed",
            Self::SecretKeyEnclosed => "it holds a SECRET key; tell the sender to revoke that key",
            Self::KeyReplacement => "it offers another certificate for somebody already known; it was not taken up",
            Self::ReplayedPayload => "the same encrypted content came before from another sender; it may be stolen",
            Self::QuotedArmor => "an encrypted block was quoted in it",
            Self::MemberMailNotEncrypted => "this member's mail was not encrypted",
            Self::MemberUnproven => "it has a member's address, but no valid signature of that member",
            Self::MemberReplay => "this signed mail of a member's was seen before",
            Self::ClaimsCase => "it names a case without proof that it belongs there",
            Self::OtherSender => {
                "it came from another address than the case's contact, without a signature of the case's answer key"
            }
            Self::ForgedStatement => {
                "its text imitates a statement of the gateway; only the first part of this mail is the gateway's"
            }
            Self::OldKey => "it was encrypted to a gateway key that is no longer current",
            Self::Quarantined => "it could not be processed in several attempts and was set aside as it came",
            Self::UnknownCommand => "it begins with a command that this version does not know; nothing was done",
            Self::RedactionFellBack => "its text could not be made safe for the advisory, so the draft holds none",
            Self::BadEncoding => "a character set or transfer encoding in it is broken",
            Self::DuplicateHeader => "a header that may stand only once stands there several times",
            Self::AttachmentsLeftOut => {
                "our mail server takes nothing of its size: large attachments are left out here, and listed below"
            }
        }
    }
}

/// Whom a signature names as intended recipients (RFC 9580 section 5.2.3.36).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Intended {
    /// It names nobody.
    Unnamed,
    /// It names gateway keys and nobody else.
    OnlyGateway,
    /// It names gateway keys among others.
    GatewayAndOthers,
    /// It names others only.
    Others,
}

/// One signature, judged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignatureVerdict {
    pub status: SignatureStatus,
    /// Where the certificate is known from; nothing if it is not at hand.
    pub key: Option<KeyOrigin>,
    /// Fingerprint of the certificate (40 or 64 upper-case hex digits), or what the signature says of its issuer.
    pub fingerprint: Option<String>,
    /// Whether it stood inside the encryption.
    pub inside: bool,
    /// Whether it covers the whole payload.
    pub whole: bool,
    /// When the signer says it was made; shown, not trusted.
    pub created: Option<Timestamp>,
    pub intended: Intended,
    /// The lower-cased address of the member whose certificate made it.
    pub member: Option<String>,
    /// Hash over the signed content and the hashed area, as computed in the check: the same for every re-encryption of a
    /// signed payload, and not for the sender of a copy to change. Empty if it could not be computed.
    pub digest: Vec<u8>,
}
