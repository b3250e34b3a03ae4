//! What is known of the people behind a report, and where a text names them.
//!
//! Security: names, handles, addresses and key identifiers are compared as a reader would read them (see `view`): without
//! case, accents, look-alikes, and across blanks, line breaks and punctuation set into them. How free a match may be depends on
//! how much it tells: an address or a fingerprint is found anywhere, a word of a name only where it stands as a word, and
//! names that are common words only where they are written as names.

use super::letters::Letters;
use super::view::{View, fold};
use super::words::{AMBIGUOUS, COMMON, PROVIDERS, SECOND_LEVEL, SHORT_WORDS, holds};
use super::{Hit, Removed};
use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use sequoia_openpgp as openpgp;
use zeroize::Zeroizing;

/// Identifiers that are looked for, so that a mail with thousands of names cannot slow the search down.
const MAX_IDENTIFIERS: usize = 2_000;

/// How freely an identifier matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Freedom {
    /// Only where it is written as a name: capitalised, or beside `@`, `/` or `~`.
    AsName,
    /// As a word; longer ones also within words.
    Word,
    /// From the beginning of a word to the end of one, whatever blanks and signs stand between.
    Phrase,
    /// Anywhere.
    Anywhere,
}

pub(super) struct Identifier {
    what: Removed,
    pub(super) freedom: Freedom,
    /// Characters as written, before folding makes several of one.
    pub(super) length: usize,
}

/// The compiled identifiers.
pub(super) struct Identity {
    found: Vec<(Zeroizing<String>, Freedom, Removed)>,
    identifiers: Vec<Identifier>,
    search: Option<AhoCorasick>,
}

impl Identity {
    pub(super) fn new() -> Self {
        Self { found: Vec::new(), identifiers: Vec::new(), search: None }
    }

    /// A person's name: whole, each part, and the handles that people make of their names.
    pub(super) fn add_name(&mut self, name: &str) {
        let parts: Vec<String> = name
            .split(|c: char| !c.is_alphanumeric() && c != '\u{301}')
            .filter(|part| !part.is_empty())
            .take(12)
            .map(str::to_lowercase)
            .collect();
        let told: Vec<&String> = parts.iter().filter(|part| part.chars().count() > 1 || !part.is_ascii()).collect();
        if parts.len() > 1 {
            self.add_phrase(Removed::Name, &parts.concat());
            self.add_phrase(Removed::Name, &parts.iter().rev().map(String::as_str).collect::<String>());
        }
        for part in &told {
            self.add_part(Removed::Name, part);
        }
        if let (Some(first), Some(last)) = (told.first(), told.last())
            && told.len() > 1
        {
            self.add_phrase(Removed::Name, &format!("{first}{last}"));
            self.add_phrase(Removed::Name, &format!("{last}{first}"));
            for (long, short) in [(last, first), (first, last)] {
                let Some(initial) = short.chars().next() else { continue };
                self.add_part(Removed::Handle, &format!("{initial}{long}"));
                self.add_part(Removed::Handle, &format!("{long}{initial}"));
            }
        }
    }

    /// An address: whole, in words ("at", "dot"), its local part as a handle, its domain where that tells something.
    pub(super) fn add_address(&mut self, address: &str) {
        let address = address.trim().to_lowercase();
        let Some((local, domain)) = address.rsplit_once('@') else { return };
        self.add(Removed::Address, Freedom::Phrase, &address);
        if address.len() >= 10 {
            self.add(Removed::Address, Freedom::Anywhere, &address);
        }
        self.add(Removed::Address, Freedom::Phrase, &address.replace('@', "at").replace('.', "dot"));
        self.add_handle(local);
        let labels: Vec<&str> = domain.split('.').filter(|label| !label.is_empty()).collect();
        let kept = match labels.as_slice() {
            [.., second, top] if holds(SECOND_LEVEL, second) && top.len() == 2 => 3,
            _ => 2,
        };
        let own = labels.get(labels.len().saturating_sub(kept)..).unwrap_or_default();
        if own.len() > 1 && !holds(PROVIDERS, &own.join(".")) {
            self.add(Removed::Domain, Freedom::Phrase, &own.concat());
            self.add(Removed::Domain, Freedom::Phrase, &own.join("dot"));
            for label in labels.iter().take(labels.len().saturating_sub(kept - 1)) {
                let (label, _) = idna::domain_to_unicode(label);
                for part in label.split('-').chain([label.as_str()]).filter(|part| part.chars().count() > 3) {
                    self.add_part(Removed::Domain, part);
                }
            }
        }
    }

    /// The local part of an address, or a name that somebody goes by.
    pub(super) fn add_handle(&mut self, handle: &str) {
        let whole: String = handle.chars().filter(|c| c.is_alphanumeric()).collect();
        self.add_part(Removed::Handle, &whole);
        for part in handle.split(|c: char| !c.is_alphabetic()).filter(|part| part.chars().count() > 2) {
            self.add_part(Removed::Handle, part);
        }
    }

    /// User IDs, fingerprints and key IDs of a certificate and its subkeys.
    pub(super) fn add_cert(&mut self, cert: &openpgp::Cert) {
        for user_id in cert.userids() {
            let user_id = user_id.userid();
            let mut read = false;
            if let Ok(Some(address)) = user_id.email() {
                self.add_address(address);
                read = true;
            }
            if let Ok(Some(name)) = user_id.name() {
                self.add_name(name);
                read = true;
            }
            if let Ok(Some(comment)) = user_id.comment() {
                self.add_phrase(Removed::Name, comment);
            }
            if !read {
                self.add_name(&String::from_utf8_lossy(user_id.value()));
            }
        }
        for key in cert.keys() {
            self.add_fingerprint(&key.key().fingerprint().to_hex());
        }
    }

    /// A fingerprint, or what a signature says of its issuer, and the key IDs in it (RFC 9580 section 5.5.4).
    pub(super) fn add_fingerprint(&mut self, fingerprint: &str) {
        let hex: String = fingerprint.chars().filter(char::is_ascii_hexdigit).collect::<String>().to_lowercase();
        let mut ids = vec![hex.as_str()];
        match hex.len() {
            40 => ids.extend([hex.get(24..), hex.get(32..)].into_iter().flatten()),
            64 => ids.extend([hex.get(..16), hex.get(..8)].into_iter().flatten()),
            16 => ids.extend(hex.get(8..)),
            _ => {}
        }
        for id in ids.into_iter().filter(|id| id.len() >= 8) {
            let freedom = if id.len() >= 16 { Freedom::Anywhere } else { Freedom::Phrase };
            self.add(Removed::Key, freedom, id);
        }
    }

    /// Something known as a whole: anywhere if it is long, from word to word else.
    fn add_phrase(&mut self, what: Removed, phrase: &str) {
        let length = phrase.chars().filter(|c| c.is_alphanumeric()).count();
        if length > 3 || (length > 1 && !phrase.is_ascii()) {
            let freedom = if length > 9 { Freedom::Anywhere } else { Freedom::Phrase };
            for spelling in spellings(phrase) {
                self.add(what, freedom, &spelling);
            }
        }
    }

    /// One word of a name or handle.
    fn add_part(&mut self, what: Removed, part: &str) {
        let part = part.to_lowercase();
        let length = part.chars().count();
        if length < 2 || holds(COMMON, &part) || holds(SHORT_WORDS, &part) || part.chars().all(char::is_numeric) {
            return;
        }
        let freedom =
            if holds(AMBIGUOUS, &part) || (length < 3 && !is_wide(&part)) { Freedom::AsName } else { Freedom::Word };
        for spelling in spellings(&part) {
            self.add(what, freedom, &spelling);
        }
        // 王小明: the given name alone.
        if length == 3 && is_wide(&part) {
            let given: String = part.chars().skip(1).collect();
            self.add(what, Freedom::Word, &given);
        }
    }

    fn add(&mut self, what: Removed, freedom: Freedom, text: &str) {
        let text: String = text.to_lowercase().chars().filter(|c| c.is_alphanumeric()).collect();
        if text.chars().count() < 2 || self.found.len() >= MAX_IDENTIFIERS {
            return;
        }
        if !self.found.iter().any(|(known, as_freely, _)| **known == text && *as_freely == freedom) {
            self.found.push((Zeroizing::new(text), freedom, what));
        }
    }

    /// Makes the search ready; to be called after the last addition.
    ///
    /// # Errors
    /// When the identifiers cannot be compiled; nothing may be published then.
    pub(super) fn compile(&mut self) -> Result<(), super::Fallback> {
        let mut patterns: Vec<Zeroizing<String>> = Vec::new();
        self.identifiers.clear();
        for (text, freedom, what) in &self.found {
            let length = text.chars().count();
            let [one, other] = [false, true].map(|shape_first| {
                let mut folded = Zeroizing::new(String::new());
                text.chars().for_each(|c| {
                    fold(c, shape_first, |c| {
                        if c.is_alphanumeric() {
                            folded.push(c)
                        }
                    })
                });
                folded
            });
            let different = one != other;
            for folded in [Some(one), different.then_some(other)].into_iter().flatten().filter(|it| !it.is_empty()) {
                patterns.push(folded);
                self.identifiers.push(Identifier { what: *what, freedom: *freedom, length });
            }
        }
        self.search = Some(
            AhoCorasick::builder()
                .match_kind(MatchKind::Standard)
                // Made anew for each report: building the fastest kind would take longer than searching with it saves.
                .kind(Some(AhoCorasickKind::ContiguousNFA))
                .build(patterns.iter().map(|pattern| pattern.as_str()))
                .map_err(|_| super::Fallback::Unsearchable)?,
        );
        Ok(())
    }

    /// Every place of a view that names somebody, in ranges of the original.
    pub(super) fn find(&self, view: &View) -> Vec<Hit> {
        let Some(search) = &self.search else { return Vec::new() };
        let mut hits = Vec::new();
        for shape_first in [false, true] {
            let letters = Letters::of(view, shape_first);
            for found in search.find_overlapping_iter(&letters.text) {
                let Some(identifier) = self.identifiers.get(found.pattern().as_usize()) else { continue };
                let Some(word) = letters.word(found.range()) else { continue };
                if word.is(identifier) {
                    hits.push(Hit { range: view.source(word.start..word.end), what: identifier.what });
                }
            }
        }
        hits
    }
}

/// Spellings of one name: as it is, and with umlauts written out.
fn spellings(name: &str) -> Vec<String> {
    let name = name.to_lowercase();
    let mut written_out = name.clone();
    for (letter, letters) in [("ä", "ae"), ("ö", "oe"), ("ü", "ue"), ("ß", "ss"), ("ø", "oe"), ("æ", "ae"), ("å", "aa")]
    {
        written_out = written_out.replace(letter, letters);
    }
    if written_out == name { vec![name] } else { vec![name, written_out] }
}

/// Scripts that write without blanks between words.
fn is_wide(text: &str) -> bool {
    text.chars().all(|c| matches!(c, '\u{e00}'..='\u{eff}' | '\u{1100}'..='\u{11ff}' | '\u{2e80}'..='\u{d7ff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}'))
}
