//! How things are written in IMAP commands: folder names, strings, sets of mails.
//!
//! Security: what comes from the configuration cannot end a command and begin another: strings are quoted, and what cannot be
//! quoted is refused.

use base64::Engine;
use base64::alphabet::IMAP_MUTF7;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};

/// Octets of one set of mails at most, so that no server finds the line too long (RFC 2683 section 3.2.1.5).
const LONGEST_SET: usize = 900;
/// Mails that a range may name.
const MOST_MEMBERS: usize = 10_000_000;

const MODIFIED: GeneralPurpose = GeneralPurpose::new(&IMAP_MUTF7, NO_PAD);

/// A folder's name in modified UTF-7 (RFC 3501 section 5.1.3).
pub(super) fn encoded(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    let mut shifted: Vec<u8> = Vec::new();
    let end_shift = |shifted: &mut Vec<u8>, text: &mut String| {
        if !shifted.is_empty() {
            text.push('&');
            text.push_str(&MODIFIED.encode(&*shifted));
            text.push('-');
            shifted.clear();
        }
    };
    for letter in name.chars() {
        if matches!(letter, ' '..='~') {
            end_shift(&mut shifted, &mut text);
            text.push(letter);
            if letter == '&' {
                text.push('-');
            }
        } else {
            shifted.extend(letter.encode_utf16(&mut [0; 2]).iter().flat_map(|unit| unit.to_be_bytes()));
        }
    }
    end_shift(&mut shifted, &mut text);
    text
}

/// A folder's name as people read it; one that is not well-formed as it came.
pub(super) fn decoded(name: &str) -> String {
    let decode = || {
        let mut text = String::new();
        let mut rest = name;
        while let Some((plain, after)) = rest.split_once('&') {
            text.push_str(plain);
            let (shifted, after) = after.split_once('-')?;
            rest = after;
            if shifted.is_empty() {
                text.push('&');
                continue;
            }
            let octets = MODIFIED.decode(shifted).ok()?;
            let (pairs, []) = octets.as_chunks::<2>() else { return None };
            let units = pairs.iter().map(|pair| u16::from_be_bytes(*pair));
            text.extend(char::decode_utf16(units).collect::<Result<Vec<_>, _>>().ok()?);
        }
        Some(text + rest)
    };
    decode().unwrap_or_else(|| name.to_owned())
}

/// A quoted string (RFC 3501 section 4.3); nothing for what cannot be one.
pub(super) fn quoted(text: &str) -> Option<String> {
    let fits = text.bytes().all(|octet| matches!(octet, b' '..=b'~'));
    fits.then(|| format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"")))
}

/// Ascending UIDs as sets of IMAP, each short enough for one command.
pub(super) fn sets(uids: &[u32]) -> Vec<String> {
    let mut sets: Vec<String> = Vec::new();
    let mut rest = uids;
    while let Some((&first, mut after)) = rest.split_first() {
        let mut last = first;
        while let Some((&next, others)) = after.split_first().filter(|(next, _)| last.checked_add(1) == Some(**next)) {
            (last, after) = (next, others);
        }
        rest = after;
        let range = if first == last { first.to_string() } else { format!("{first}:{last}") };
        match sets.last_mut() {
            Some(set) if set.len() + range.len() < LONGEST_SET => {
                set.push(',');
                set.push_str(&range);
            }
            _ => sets.push(range),
        }
    }
    sets
}

/// The UIDs of a set that [`sets`] wrote; nothing for anything else.
pub(super) fn members(set: &str) -> Option<Vec<u32>> {
    let mut uids = Vec::new();
    for range in set.split(',').filter(|range| !range.is_empty()) {
        let (first, last) = range.split_once(':').unwrap_or((range, range));
        let range = first.parse::<u32>().ok()?..=last.parse::<u32>().ok()?;
        if range.clone().count() > MOST_MEMBERS {
            return None;
        }
        uids.extend(range);
    }
    Some(uids)
}

#[cfg(test)]
#[path = "names_tests.rs"]
mod tests;
