//! What a mail's outside says: the facts that anybody on its way could read.
//!
//! Security: whatever is visible to a sender (whether, when and how an acknowledgement goes) is decided from these facts, so
//! that it says nothing about what only the secret key can know. Everything is bounded by the limits; nothing is decrypted.

mod authentication;
mod digest;
mod entity;
mod ids;
mod nature;
mod openpgp_data;

use super::case::CaseId;
use super::keyring::Keyring;
use super::limits::Limits;
use super::opened::{Enclosed, Place};
use super::policy::Rules;
use super::secret::{Plaintext, ReporterContact};
use super::vault::{Digest, Lookup, Vault};
use entity::{Entity, Kind, leaves};

pub use authentication::Dmarc;
pub use nature::Nature;
pub use openpgp_data::Recipients;

/// The sender as the From field names it.
pub(in crate::report) enum Sender {
    /// No From, or no address in it.
    None,
    One(ReporterContact),
    /// Several From fields or addresses: nobody knows whom a reader sees.
    Several(Vec<ReporterContact>),
}

/// The facts of a mail's unencrypted bytes.
pub struct Outer {
    pub(in crate::report) sender: Sender,
    /// Message-ID without angle brackets, if it has a safe form.
    pub(in crate::report) message_id: Option<String>,
    /// Message-IDs of In-Reply-To and References, and of what a bounce returns; at most 100.
    pub(in crate::report) references: Vec<String>,
    /// A case number in the outer subject.
    pub(in crate::report) subject_case: Option<CaseId>,
    /// Certificates in clear: attached ones and the sender's Autocrypt field.
    pub(in crate::report) certificates: Vec<Enclosed>,
    pub(in crate::report) nature: Nature,
    /// The team's addresses that the delivering servers name (Delivered-To, X-Original-To), lower-cased.
    pub(in crate::report) delivered_to: Vec<String>,
    pub(in crate::report) list: bool,
    /// The list is the team's own address.
    pub(in crate::report) own_list: bool,
    pub(in crate::report) wants_no_answer: bool,
    /// Nothing where no server's results are believed.
    pub(in crate::report) dmarc: Option<Dmarc>,
    pub(in crate::report) encrypted: bool,
    pub(in crate::report) recipient_keys: Recipients,
    /// SHA-256 over the content without trace fields.
    content: [u8; 32],
}

impl Outer {
    /// Reads the outside of a mail. It never fails: what cannot be read is absent.
    pub fn read(mail: &Plaintext, keyring: &Keyring, rules: &Rules) -> Self {
        let limits = &rules.limits;
        let header = Entity::read(mail.expose(), limits);
        let root = Kind::of(&header);
        let sender = sender(&header);
        let subject = nature::subject(&header);
        let senders: Vec<String> = sender.all().iter().map(|contact| contact.address().to_owned()).collect();
        let nature = nature::nature(&header, &root, &senders, &subject);

        let mut references: Vec<String> = ["In-Reply-To", "References"]
            .iter()
            .filter_map(|name| header.field(name))
            .flat_map(|field| ids::message_ids(&field.text()))
            .collect();
        let message_id = message_id(&header);
        let delivered_to = delivered_to(&header, rules);
        let list = nature::is_list(&header);
        let own_list = nature::is_list_at(&header, |address| rules.is_team(address));
        let wants_no_answer = nature::wants_no_answer(&header);
        let dmarc = rules.authserv_id.as_deref().map(|id| authentication::dmarc(&header, id));
        let autocrypt = sender.one().and_then(|contact| openpgp_data::autocrypt(&header, contact.address()));

        let leaves = leaves(header, limits);
        if nature == Nature::Bounce {
            references.extend(nature::returned_ids(&leaves));
        }
        let mut seen = std::collections::HashSet::new();
        references.retain(|id| seen.insert(id.clone()));
        references.truncate(ids::MAX_REFERENCES);

        let mut certificates = Vec::new();
        let mut encrypted = root.media_type == "multipart/encrypted";
        let mut first_message = None;
        for leaf in &leaves {
            encrypted |= openpgp_data::announced(leaf);
            if !openpgp_data::worth_decoding(leaf) {
                continue;
            }
            let content = leaf.decoded();
            if first_message.is_none() {
                first_message = openpgp_data::encrypted_start(&content, limits);
            }
            let room = limits.max_certificates.saturating_sub(certificates.len());
            certificates.extend(openpgp_data::certificates(leaf, &content, room));
        }
        encrypted |= first_message.is_some();
        if certificates.len() < limits.max_certificates {
            certificates.extend(autocrypt.map(|cert| Enclosed { cert, place: Place::AutocryptInClear }));
        }
        Self {
            sender,
            message_id,
            references,
            subject_case: CaseId::find_in(&subject, &rules.case_prefix),
            certificates,
            nature,
            delivered_to,
            list,
            own_list,
            wants_no_answer,
            dmarc,
            encrypted,
            content: digest::content_hash(mail),
            recipient_keys: first_message.map_or(Recipients::Unknown, |start| start.for_us(keyring)),
        }
    }

    /// What kind of mail its outside makes it.
    pub fn nature(&self) -> Nature {
        self.nature
    }

    /// Whether it came through a list or was sent in bulk.
    pub fn is_list(&self) -> bool {
        self.list
    }

    /// Whether it holds OpenPGP-encrypted data, or says so.
    pub fn is_encrypted(&self) -> bool {
        self.encrypted
    }

    /// Whether the key IDs of its first encrypted message are ours.
    pub fn recipient_keys(&self) -> Recipients {
        self.recipient_keys
    }

    /// The case number that its subject names, which proves nothing.
    pub fn subject_case(&self) -> Option<&CaseId> {
        self.subject_case.as_ref()
    }

    /// The same as [`content_digest`], of a mail that was read.
    pub fn content_digest(&self, vault: &Vault) -> Digest {
        let id = self.message_id.as_deref().unwrap_or_default();
        vault.digest(Lookup::Content, &[id.as_bytes(), &self.content])
    }

    /// The digest of its Message-ID.
    pub fn message_id_digest(&self, vault: &Vault) -> Option<Digest> {
        self.message_id.as_deref().map(|id| vault.message_id_digest(id))
    }

    /// The digests of the Message-IDs it refers to; those of our own making name a case.
    pub fn reference_digests(&self, vault: &Vault) -> Vec<Digest> {
        self.references.iter().map(|id| vault.message_id_digest(id)).collect()
    }

    /// The digest of its single sender's address.
    pub fn sender_digest(&self, vault: &Vault) -> Option<Digest> {
        self.sender.one().map(|contact| vault.contact_digest(contact))
    }
}

/// The keyed digest by which the same mail is known again when it arrives on another way: over its Message-ID and its content
/// without trace fields.
pub fn content_digest(mail: &Plaintext, vault: &Vault) -> Digest {
    let header = Entity::read(mail.expose(), &Limits::default());
    let id = message_id(&header).unwrap_or_default();
    vault.digest(Lookup::Content, &[id.as_bytes(), &digest::content_hash(mail)])
}

fn message_id(header: &Entity<'_>) -> Option<String> {
    header.field("Message-ID").and_then(|field| ids::message_ids(&field.text()).into_iter().next())
}

impl Sender {
    pub(in crate::report) fn one(&self) -> Option<&ReporterContact> {
        match self {
            Self::One(contact) => Some(contact),
            _ => None,
        }
    }

    pub(in crate::report) fn all(&self) -> &[ReporterContact] {
        match self {
            Self::None => &[],
            Self::One(contact) => std::slice::from_ref(contact),
            Self::Several(contacts) => contacts,
        }
    }
}

/// Whether an automatic answer may go to this contact at all.
pub(in crate::report) fn is_answerable(contact: &ReporterContact) -> bool {
    ids::is_plain_address(contact.address())
}

fn sender(header: &Entity<'_>) -> Sender {
    let fields: Vec<_> = header.all("From").take(10).collect();
    let several = fields.len() > 1;
    let mut contacts: Vec<_> = fields.into_iter().flat_map(|field| ids::addresses(field, "From")).take(200).collect();
    match (contacts.pop(), contacts.is_empty(), several) {
        (None, _, _) => Sender::None,
        (Some(contact), true, false) => Sender::One(contact),
        (Some(last), _, _) => {
            contacts.push(last);
            Sender::Several(contacts)
        }
    }
}

fn delivered_to(header: &Entity<'_>, rules: &Rules) -> Vec<String> {
    let fields = ["Delivered-To", "X-Original-To"].iter().flat_map(|name| header.all(name)).take(20);
    let addresses = fields.map(|field| field.text().trim_matches(['<', '>']).to_ascii_lowercase());
    addresses.filter(|address| rules.is_team(address)).collect()
}

#[cfg(test)]
#[path = "outer/machines_tests.rs"]
mod machines_tests;
#[cfg(test)]
#[path = "outer/outer_tests.rs"]
mod tests;
