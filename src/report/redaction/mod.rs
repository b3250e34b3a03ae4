//! Takes out of a report what tells who wrote it, or fails closed.
//!
//! Security: by allow-list, only the subject and the text of a report are looked at: no header, attachment, file name or key
//! gets here. What is known of the reporter, and everything that has the shape of an address, a telephone number, a
//! signature, an author line or a key, is then taken out visibly, in every reading of the text (see [`view`]). The finished draft
//! is searched once more, by the same and by a second, simpler way; whatever is found then means that nothing of
//! the report is published. A guard against accidents, not against a reporter who wants to be known.

mod identity;
mod letters;
mod shapes;
mod taking;
mod view;
mod words;

pub(in crate::report) use view::is_invisible;

use super::advisory::shorten_backticks;
use super::keyring::Keyring;
use super::opened::Opened;
use super::secret::{Plaintext, ReporterContact};
use super::template::{Credit, Template};
use super::verdict::words as fixed_words;
use identity::Identity;
use regex::Regex;
use sequoia_openpgp as openpgp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;
use std::sync::LazyLock;
use taking::{clean, cut, inert, search, shown, take_out};
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// Characters of a report that are read; what comes after them cannot go into a draft anyway.
const MAX_READ: usize = 150_000;
/// Characters of the redacted text in a draft (GitHub accepts 65,535 in the whole description).
const MAX_TEXT: usize = 60_000;
/// Characters of the redacted subject in a draft's summary.
const MAX_SUBJECT: usize = 256;
/// Taking something out can bring something else together; more rounds than this mean that somebody plays with us.
const MAX_ROUNDS: usize = 4;

fixed_words! {
    /// What was taken out of a report.
    Removed {
        Name => "name",
        Handle => "handle",
        Address => "address",
        Phone => "phone",
        Domain => "domain",
        /// A link, host or path with a name in it, or to somebody's profile.
        Link => "link",
        Signature => "signature",
        /// A header line of a quoted mail.
        Header => "header",
        /// An author line of a patch.
        Author => "author",
        /// A key, key ID, fingerprint or armored block.
        Key => "key",
        /// Something encoded (base64, hexadecimal) with a name in it.
        Encoded => "encoded",
    }
}

/// Why a report cannot be published safely; a stub is opened instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fallback {
    /// Something of this kind was still found in what would have been published.
    #[error("something that tells about the reporter ({0}) could not be taken out")]
    Remains(Removed),
    /// It does not fit into an advisory.
    #[error("it does not fit into an advisory")]
    TooLong,
    /// The search could not be made.
    #[error("what is known of the reporter could not be compiled into a search")]
    Unsearchable,
}

/// Something found: where in the text, and what.
struct Hit {
    range: Range<usize>,
    what: Removed,
}

/// Everything redaction needs to know. It holds no header and no attachment, so that none can be published.
pub struct RedactionInput<'a> {
    pub(in crate::report) subject: &'a Plaintext,
    pub(in crate::report) text: &'a Plaintext,
    /// The reporter, in every form known, and others whom the mail was addressed to.
    pub(in crate::report) contacts: Vec<&'a ReporterContact>,
    /// Certificates that signed or came with the mail.
    pub(in crate::report) certs: Vec<&'a openpgp::Cert>,
    /// Fingerprints and issuers of signatures whose certificates are not at hand.
    pub(in crate::report) fingerprints: Vec<String>,
    /// Names and addresses of the team's members; a draft is read by more people than the team.
    pub(in crate::report) members: Vec<(String, String)>,
    /// Addresses of the team: addresses to be taken out, but their words tell nothing about anybody.
    pub(in crate::report) team_addresses: &'a [String],
    pub(in crate::report) template: &'a Template,
}

impl<'a> RedactionInput<'a> {
    /// What is known from an opened mail, its envelope or From line (`sender`), and the keyring.
    pub fn from_opened(
        opened: &'a Opened,
        sender: &'a ReporterContact,
        template: &'a Template,
        keyring: &'a Keyring,
        team_addresses: &'a [String],
    ) -> Self {
        let is_team = |contact: &ReporterContact| {
            team_addresses.iter().any(|address| address.trim().to_lowercase() == contact.address().to_lowercase())
        };
        let people = opened.inner_from.iter().chain(&opened.recipients).filter(|contact| !is_team(contact));
        let fingerprints: Vec<String> =
            opened.signatures.iter().filter_map(|signature| signature.fingerprint.clone()).collect();
        let signed_by = |cert: &openpgp::Cert| {
            cert.keys().any(|key| fingerprints.contains(&key.key().fingerprint().to_hex()))
                || cert.userids().any(|user_id| {
                    matches!(user_id.userid().email(), Ok(Some(address)) if address.eq_ignore_ascii_case(sender.address()))
                })
        };
        Self {
            subject: &opened.subject,
            text: &opened.text,
            contacts: std::iter::once(sender).chain(people).collect(),
            certs: opened
                .enclosed
                .iter()
                .map(|enclosed| &enclosed.cert)
                .chain(keyring.known.iter().filter(|cert| signed_by(cert)))
                .collect(),
            members: keyring
                .members
                .iter()
                .map(|member| (member.name().to_owned(), member.address().to_owned()))
                .collect(),
            fingerprints,
            team_addresses,
            template,
        }
    }

    /// The template's fields without those that name somebody: for a stub.
    pub fn screened_template(&self) -> Template {
        let Ok(mut identity) = self.identity() else { return self.template.filtered(|_| false) };
        // A field is never so dear that a doubt should be decided for it.
        if identity.compile().is_err() {
            return self.template.filtered(|_| false);
        }
        self.template.filtered(|value| search(value, &identity).is_empty())
    }

    fn identity(&self) -> Result<Identity, Fallback> {
        let mut identity = Identity::new();
        for contact in &self.contacts {
            identity.add_address(contact.address());
            if let Some(name) = contact.name() {
                identity.add_name(name);
            }
        }
        for (name, address) in &self.members {
            identity.add_name(name);
            identity.add_address(address);
        }
        for cert in &self.certs {
            identity.add_cert(cert);
        }
        for fingerprint in &self.fingerprints {
            identity.add_fingerprint(fingerprint);
        }
        if let Credit::Name(name) = &self.template.credit {
            identity.add_name(name);
        }
        Ok(identity)
    }
}

/// Subject and text of a report without what tells who wrote it. Only [`super::AdvisoryDraft::report`] reads it.
pub struct RedactedReport {
    subject: Zeroizing<String>,
    text: Zeroizing<String>,
    template: Template,
    removed: BTreeMap<Removed, usize>,
    identity: Identity,
    exact: Vec<Zeroizing<String>>,
}

/// Takes everything known out of the subject and the text.
///
/// # Errors
/// When something remains that cannot be taken out; publish nothing of the report then.
pub fn redact(input: &RedactionInput<'_>) -> Result<RedactedReport, Fallback> {
    let subject = clean(&input.subject.expose_text().replace(['\n', '\t'], " "));
    let text = clean(&input.text.expose_text());
    let mut identity = input.identity()?;
    let (names, addresses) = shapes::names(&text);
    names.iter().for_each(|name| identity.add_name(name));
    addresses.iter().filter(|address| !is_team(input, address)).for_each(|address| identity.add_address(address));
    identity.compile()?;

    let mut removed = BTreeMap::new();
    let subject = take_out(subject, &identity, &mut removed)?;
    let text = take_out(text, &identity, &mut removed)?;
    let report = RedactedReport {
        subject: Zeroizing::new(cut(&inert(&shown(&subject)), MAX_SUBJECT)),
        text: Zeroizing::new(cut(&shorten_backticks(shown(&text).trim_matches('\n')), MAX_TEXT)),
        template: input.template.filtered(|value| search(value, &identity).is_empty()),
        removed,
        identity,
        exact: exact(input),
    };
    report.search_finished(&report.subject, &[])?;
    report.search_finished(&report.text, &[])?;
    Ok(report)
}

impl RedactedReport {
    /// What was taken out, and how often: fixed words and numbers only.
    pub fn removed(&self) -> Vec<(Removed, usize)> {
        self.removed.iter().map(|(what, count)| (*what, *count)).collect()
    }

    pub(in crate::report) fn subject(&self) -> &str {
        self.subject.trim()
    }

    pub(in crate::report) fn text(&self) -> &str {
        &self.text
    }

    pub(in crate::report) fn template(&self) -> &Template {
        &self.template
    }

    /// Searches something that is about to be published; `own` are pieces of our own wording in it.
    pub(in crate::report) fn search_finished(&self, finished: &str, own: &[String]) -> Result<(), Fallback> {
        let mut theirs = PLACEHOLDER.replace_all(finished, "\u{e0ff}").into_owned();
        for words in own {
            theirs = theirs.replace(words.as_str(), "\u{e0ff}");
        }
        if let Some(hit) = search(&theirs, &self.identity).first() {
            return Err(Fallback::Remains(hit.what));
        }
        // Another way to look, without patterns and rules: the plain identifiers in the text without its blanks.
        let squeezed = squeeze(&theirs.replace('\u{e0ff}', ""));
        if self.exact.iter().any(|known| squeezed.contains(known.as_str())) {
            return Err(Fallback::Remains(Removed::Address));
        }
        Ok(())
    }
}

/// A pattern written in this program. If one did not compile, what stands in for it takes everything out: a search that
/// silently finds nothing would publish. (Every one is used by the tests.)
///
/// Word boundaries are those of ASCII: the regex crate's fast engines know no others as soon as a text holds one character
/// beyond ASCII, and what stands for something taken out is one. Beside the ASCII letters and digits at which the patterns
/// use them, there are more ASCII boundaries than Unicode ones, never fewer, so that nothing is missed.
pub(in crate::report) fn pattern(text: &str) -> Regex {
    let ascii = text.replace(r"\b", r"(?-u:\b)");
    let mut text = ascii.as_str();
    loop {
        match Regex::new(text) {
            Ok(pattern) => return pattern,
            Err(_) => text = "(?s).+",
        }
    }
}

/// What stands in the place of something taken out.
static PLACEHOLDER: LazyLock<Regex> = LazyLock::new(|| pattern(r"\[redacted: [a-z]+\]|\[cut here\]"));

fn is_team(input: &RedactionInput<'_>, address: &str) -> bool {
    input.team_addresses.iter().any(|team| team.trim().eq_ignore_ascii_case(address.trim()))
}

/// The identifiers that are long and strange enough to be looked for anywhere, without rules.
fn exact(input: &RedactionInput<'_>) -> Vec<Zeroizing<String>> {
    let mut all = Vec::new();
    let members = input.members.iter().map(|(name, address)| (Some(name.as_str()), address.as_str()));
    for (name, address) in input.contacts.iter().map(|contact| (contact.name(), contact.address())).chain(members) {
        all.push(squeeze(address));
        all.extend(name.filter(|name| name.split_whitespace().count() > 1).map(squeeze));
    }
    all.extend(input.fingerprints.iter().map(|fingerprint| squeeze(fingerprint)));
    for cert in &input.certs {
        all.extend(cert.keys().map(|key| squeeze(&key.key().fingerprint().to_hex())));
        all.extend(cert.userids().map(|user_id| squeeze(&String::from_utf8_lossy(user_id.userid().value()))));
    }
    all.into_iter().filter(|known| known.chars().count() >= 10).collect()
}

/// Small letters without blanks, entities and compatibility forms.
fn squeeze(text: &str) -> Zeroizing<String> {
    let decoded = html_escape::decode_html_entities(text);
    Zeroizing::new(decoded.nfkc().filter(|c| !c.is_whitespace() && !is_invisible(*c)).flat_map(view::small).collect())
}

#[cfg(test)]
#[path = "../redaction_tests.rs"]
mod tests;
