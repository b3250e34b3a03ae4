//! Taking out: what is found goes, visibly, until nothing more is found.
//!
//! Security: while it is searched, a text holds one private-use character for each thing taken out, so that our own words are
//! never searched and nothing taken out is found twice. Private-use characters, invisible ones and what could be mistaken for our
//! marks are gone before.

use super::identity::Identity;
use super::view::{View, is_invisible};
use super::{Fallback, Hit, MAX_READ, MAX_ROUNDS, Removed, pattern, shapes};
use base64::Engine;
use regex::Regex;
use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;
use zeroize::Zeroizing;

/// While it is being searched, a text holds one private-use character for each thing taken out.
fn stand_in(what: Removed) -> char {
    let place = Removed::ALL.iter().position(|other| *other == what).unwrap_or(0);
    char::from_u32(0xe000 + u32::try_from(place).unwrap_or(0)).unwrap_or('\u{e000}')
}

pub(super) fn shown(text: &str) -> Zeroizing<String> {
    let mut shown = Zeroizing::new(text.to_owned());
    for what in Removed::ALL {
        *shown = shown.replace(stand_in(*what), &format!("[redacted: {}]", what.word()));
    }
    shown
}

/// Drops what cannot be seen and what could be taken for our own marks; bounds the length.
pub(super) fn clean(text: &str) -> Zeroizing<String> {
    let visible: Zeroizing<String> = Zeroizing::new(
        text.replace("\r\n", "\n")
            .replace('\r', "\n")
            .chars()
            .filter(|c| !is_invisible(*c) && !is_private_use(*c))
            .take(MAX_READ + 1)
            .collect(),
    );
    let visible = if visible.chars().count() > MAX_READ { Zeroizing::new(cut(&visible, MAX_READ)) } else { visible };
    Zeroizing::new(
        visible
            .replace("<!--", "<! --")
            .replace("-->", "-- >")
            .replace("embargod:", "embargod ")
            .replace("[redacted:", "[redacted "),
    )
}

fn is_private_use(c: char) -> bool {
    matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10ffff}')
}

/// Cuts at a line or a blank, since half an address could pass as a word.
pub(super) fn cut(text: &str, length: usize) -> String {
    let Some((end, _)) = text.char_indices().nth(length) else { return text.to_owned() };
    let kept = text.get(..end).unwrap_or_default();
    let whole = kept.rfind('\n').filter(|at| *at > end / 2).or_else(|| kept.rfind(' ')).unwrap_or(0);
    format!("{} [cut here]", kept.get(..whole).unwrap_or_default())
}

/// A summary is shown as text; what GitHub could still make live in it is broken up.
pub(super) fn inert(subject: &str) -> String {
    static LIVE: LazyLock<Regex> = LazyLock::new(|| pattern(r"(@|#|\bGH-)([\p{L}\p{N}])"));
    LIVE.replace_all(subject, "$1 $2").split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Everything that tells, in one text.
pub(super) fn search(text: &str, identity: &Identity) -> Vec<Hit> {
    let mut hits = Vec::new();
    for reading in View::readings(text) {
        hits.extend(shapes::find_contacts(&reading.tidy()));
        hits.extend(identity.find(&reading));
    }
    hits.extend(encoded(text, identity));
    hits
}

/// Takes out whatever is found until nothing is.
pub(super) fn take_out(
    text: Zeroizing<String>,
    identity: &Identity,
    removed: &mut BTreeMap<Removed, usize>,
) -> Result<Zeroizing<String>, Fallback> {
    let mut text = text;
    for _ in 0..MAX_ROUNDS {
        let mut hits = Vec::new();
        for reading in View::readings(&text) {
            hits.extend(shapes::find(&reading.tidy()));
            hits.extend(identity.find(&reading));
        }
        hits.extend(encoded(&text, identity));
        if hits.is_empty() {
            return Ok(text);
        }
        let mut words = Words::of(&text);
        hits.iter_mut().for_each(|hit| words.widen(hit));
        text = replace(&text, hits, removed);
    }
    match search(&text, identity).first() {
        None => Ok(text),
        Some(hit) => Err(Fallback::Remains(hit.what)),
    }
}

/// Where words of a text begin and end that blanks, brackets and quotation marks part: links, hosts and paths are such words.
/// Looked up once for a text, since a text may be one long word with thousands of names in it.
struct Words<'t> {
    text: &'t str,
    /// Of each sign between words: where it begins and where it ends. Ascending.
    gaps: Vec<(usize, usize)>,
    /// For words that were asked for, the octets that are a link's, host's or path's.
    links: HashMap<(usize, usize), Option<usize>>,
}

impl<'t> Words<'t> {
    fn of(text: &'t str) -> Self {
        let outside = |c: &char| c.is_whitespace() || "<>\"'()[]{}|,;`".contains(*c) || is_private_use(*c);
        let gaps = text.char_indices().filter(|(_, c)| outside(c)).map(|(at, c)| (at, at + c.len_utf8())).collect();
        Self { text, gaps, links: HashMap::new() }
    }

    /// A link, host or path that holds a name goes as a whole: what is left of it would lead there.
    fn widen(&mut self, hit: &mut Hit) {
        if !matches!(hit.what, Removed::Name | Removed::Handle | Removed::Domain) {
            return;
        }
        let before = self.gaps.partition_point(|(_, end)| *end <= hit.range.start);
        let start = before.checked_sub(1).and_then(|gap| self.gaps.get(gap)).map_or(0, |(_, end)| *end);
        let after = self.gaps.partition_point(|(start, _)| *start < hit.range.end);
        let end = self.gaps.get(after).map_or(self.text.len(), |(start, _)| *start);
        let text = self.text;
        let link =
            *self.links.entry((start, end)).or_insert_with(|| link_length(text.get(start..end).unwrap_or_default()));
        if let Some(length) = link {
            hit.range = start..(start + length).max(hit.range.end);
            hit.what = Removed::Link;
        }
    }
}

/// The octets of a link, host or path without the full stop behind it; nothing if it is none.
fn link_length(word: &str) -> Option<usize> {
    let word = word.trim_end_matches(['.', ':', '!', '?']);
    let host = word.rsplit_once('.').is_some_and(|(host, top)| {
        !host.is_empty()
            && host.chars().any(char::is_alphanumeric)
            && top.chars().next().is_some_and(char::is_alphabetic)
    });
    (word.contains('/') || word.contains('\\') || word.contains("%2") || host).then_some(word.len())
}

fn replace(text: &str, mut hits: Vec<Hit>, removed: &mut BTreeMap<Removed, usize>) -> Zeroizing<String> {
    // Of what begins at the same place the longest names the whole.
    hits.sort_by(|a, b| {
        a.range.start.cmp(&b.range.start).then(b.range.end.cmp(&a.range.end)).then(a.what.cmp(&b.what))
    });
    let mut merged: Vec<Hit> = Vec::new();
    for hit in hits.into_iter().filter(|hit| !hit.range.is_empty()) {
        match merged.last_mut() {
            Some(last) if hit.range.start < last.range.end => last.range.end = last.range.end.max(hit.range.end),
            _ => merged.push(hit),
        }
    }
    let mut out = Zeroizing::new(String::with_capacity(text.len()));
    let mut copied = 0;
    for hit in merged {
        let gone = text.get(hit.range.clone()).unwrap_or_default();
        // What was taken out of it before has been counted.
        out.push_str(text.get(copied..hit.range.start).unwrap_or_default());
        out.push(stand_in(hit.what));
        if gone.ends_with('\n') {
            out.push('\n');
        }
        *removed.entry(hit.what).or_default() += 1;
        copied = hit.range.end;
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    out
}

/// Rows of base64 or hexadecimal digits that decode to a text which names somebody.
fn encoded(text: &str, identity: &Identity) -> Vec<Hit> {
    static BASE64: LazyLock<Regex> = LazyLock::new(|| pattern(r"[A-Za-z0-9+/_-]{8,}(?:\n[A-Za-z0-9+/]{16,})*={0,2}"));
    static HEX: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)\b[0-9a-f]{2}(?:[ :]?[0-9a-f]{2}){4,}\b"));
    let from_base64 = |found: &str| {
        let digits: String = found
            .chars()
            .filter(|c| !c.is_whitespace() && *c != '=')
            .map(|c| match c {
                '-' => '+',
                '_' => '/',
                c => c,
            })
            .collect();
        base64::engine::general_purpose::GeneralPurpose::new(
            &base64::alphabet::STANDARD,
            base64::engine::general_purpose::NO_PAD.with_decode_allow_trailing_bits(true),
        )
        .decode(digits)
        .ok()
    };
    let from_hex = |found: &str| hex::decode(found.chars().filter(char::is_ascii_hexdigit).collect::<String>()).ok();
    let names = |octets: Option<Vec<u8>>| {
        let decoded = octets.and_then(|octets| String::from_utf8(octets).ok())?;
        let view = View::plain(&decoded);
        (!identity.find(&view).is_empty() || !shapes::find_contacts(&view.tidy()).is_empty()).then_some(())
    };
    let hits = |pattern: &Regex, decode: &dyn Fn(&str) -> Option<Vec<u8>>| {
        pattern
            .find_iter(text)
            .filter(|found| names(decode(found.as_str())).is_some())
            .map(|found| Hit { range: found.range(), what: Removed::Encoded })
            .collect::<Vec<_>>()
    };
    let mut all = hits(&BASE64, &from_base64);
    all.extend(hits(&HEX, &from_hex));
    all
}

#[cfg(test)]
#[path = "taking_tests.rs"]
mod tests;
