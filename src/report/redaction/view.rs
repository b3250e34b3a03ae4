//! Ways of reading a text, each of which remembers where in the original every character came from.
//!
//! Security: a name can be written so that a search for it finds nothing while a reader still sees it: as HTML entities,
//! percent-encoded, quoted-printable, in look-alike letters, with invisible characters or line breaks within. Each view
//! undoes some of that; a hit in any view is taken out of the original. Decoding is bounded: three rounds, no recursion.

use super::pattern;
use regex::{Captures, Regex};
use std::ops::Range;
use std::sync::LazyLock;
use unicode_normalization::char::{decompose_compatible, is_combining_mark};
use unicode_properties::{GeneralCategory, UnicodeGeneralCategory};

/// Text with, for each of its octets, the range of the original that it stands for.
pub(super) struct View {
    pub(super) text: String,
    origin: Vec<(u32, u32)>,
}

impl View {
    /// The text as it is. Longer texts than `u32` can count are cut before.
    pub(super) fn plain(text: &str) -> Self {
        let mut view = Self::empty(text.len());
        for (at, c) in text.char_indices() {
            view.push(c, at..at + c.len_utf8());
        }
        view
    }

    fn empty(capacity: usize) -> Self {
        Self { text: String::with_capacity(capacity), origin: Vec::with_capacity(capacity) }
    }

    fn push(&mut self, c: char, origin: Range<usize>) {
        let clamp = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
        self.text.push(c);
        self.origin.resize(self.text.len(), (clamp(origin.start), clamp(origin.end)));
    }

    /// The range of the original behind a range of this text.
    pub(super) fn source(&self, range: Range<usize>) -> Range<usize> {
        let start = self.origin.get(range.start).map_or(0, |origin| origin.0);
        let end = range.end.checked_sub(1).and_then(|last| self.origin.get(last)).map_or(start, |origin| origin.1);
        start as usize..(end.max(start)) as usize
    }

    /// Every reading of a text that is searched: as it is, and with encodings undone; quoted-printable apart, since `=41`
    /// is as often an assignment.
    pub(super) fn readings(text: &str) -> Vec<Self> {
        let plain = Self::plain(text);
        let mut readings = Vec::new();
        for quoted_printable in [false, true] {
            let mut view = plain.decode(quoted_printable);
            for _ in 0..2 {
                view = view.and_then(|view| view.decode(quoted_printable).or(Some(view)));
            }
            readings.extend(view);
        }
        readings.insert(0, plain);
        readings
    }

    /// One round of decoding; nothing if there is nothing to decode.
    fn decode(&self, quoted_printable: bool) -> Option<Self> {
        let pattern: &Regex = if quoted_printable { &ENCODED_OR_QUOTED } else { &ENCODED };
        let mut decoded = Self::empty(self.text.len());
        let mut copied = 0;
        for found in pattern.captures_iter(&self.text) {
            let Some(whole) = found.get(0) else { continue };
            let Some(replacement) = decode_one(&found) else { continue };
            decoded.copy(self, copied..whole.start());
            let origin = self.source(whole.range());
            for c in replacement.chars() {
                decoded.push(c, origin.clone());
            }
            copied = whole.end();
        }
        if copied == 0 {
            return None;
        }
        decoded.copy(self, copied..self.text.len());
        Some(decoded)
    }

    fn copy(&mut self, from: &Self, range: Range<usize>) {
        for (at, c) in from.text.get(range.clone()).unwrap_or_default().char_indices() {
            let at = range.start + at;
            self.push(c, from.source(at..at + c.len_utf8()));
        }
    }

    /// Compatibility forms, other scripts' digits and stops made plain, invisible characters gone; case and accents kept.
    pub(super) fn tidy(&self) -> Self {
        let mut tidy = Self::empty(self.text.len());
        for (at, c) in self.text.char_indices().filter(|(_, c)| !is_invisible(*c)) {
            let origin = self.source(at..at + c.len_utf8());
            if c.is_ascii() {
                tidy.push(c, origin);
            } else if let Some(plain) = plain_sign(c) {
                tidy.push(plain, origin);
            } else {
                decompose_compatible(c, |part| tidy.push(digit(part).unwrap_or(part), origin.clone()));
            }
        }
        tidy
    }
}

/// Signs that stand for an ASCII one in addresses (IDNA's full stops, RFC 5895 section 2) and blanks.
fn plain_sign(c: char) -> Option<char> {
    match c {
        '\u{3002}' | '\u{ff0e}' | '\u{ff61}' | '\u{2024}' | '\u{00b7}' => Some('.'),
        '\u{2028}' | '\u{2029}' | '\u{0085}' => Some('\n'),
        '\u{2010}'..='\u{2015}' | '\u{2212}' => Some('-'),
        c if c.is_whitespace() => Some(' '),
        _ => None,
    }
}

/// Characters that show nothing: controls, format characters, fillers, variation selectors (Unicode,
/// Default_Ignorable_Code_Point). Line feeds and tabs are not among them.
pub(in crate::report) fn is_invisible(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_control() && c != '\n' && c != '\t';
    }
    matches!(c, '\u{115f}' | '\u{1160}' | '\u{3164}' | '\u{ffa0}' | '\u{34f}' | '\u{17b4}' | '\u{17b5}' | '\u{2800}')
        || matches!(c, '\u{fe00}'..='\u{fe0f}' | '\u{180b}'..='\u{180f}' | '\u{e0000}'..='\u{e0fff}')
        || matches!(c.general_category(), GeneralCategory::Format | GeneralCategory::Control) && c != '\u{85}'
}

/// The value of another script's decimal digit, as an ASCII digit.
fn digit(c: char) -> Option<char> {
    const ZEROS: [u32; 17] = [
        0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xce6, 0xd66, 0xe50, 0xed0, 0xf20,
        0x1040, 0xff10,
    ];
    let code = u32::from(c);
    ZEROS.iter().find_map(|zero| char::from_digit(code.checked_sub(*zero).filter(|value| *value < 10)?, 10))
}

/// A letter without case, by way of its capital: the two small sigmas have one, and a dotless i or a long s has a plain one.
pub(super) fn small(c: char) -> impl Iterator<Item = char> {
    c.to_uppercase().flat_map(char::to_lowercase)
}

/// The letters under which two characters that look or count as the same are the same: accents, case, width, digits of
/// other scripts, look-alikes (Unicode Technical Standard 39). With `shape_first`, look-alikes are looked up before
/// capitals are made small, which catches a capital I for an l.
pub(super) fn fold(c: char, shape_first: bool, mut each: impl FnMut(char)) {
    if c.is_ascii_lowercase() && c != 'm' {
        return each(c);
    }
    if is_invisible(c) {
        return;
    }
    let mut plain = Vec::with_capacity(4);
    decompose_compatible(c, |part| plain.push(digit(part).unwrap_or(part)));
    let lowered: String =
        if shape_first { plain.into_iter().collect() } else { plain.into_iter().flat_map(small).collect() };
    let shape = unicode_security::confusable_detection::skeleton(&lowered).flat_map(small);
    shape.filter(|c| !is_combining_mark(*c) && !is_invisible(*c)).for_each(each);
}

static ENCODED: LazyLock<Regex> = LazyLock::new(|| pattern(ENCODINGS));
static ENCODED_OR_QUOTED: LazyLock<Regex> =
    LazyLock::new(|| pattern(&format!(r"{ENCODINGS}|(?P<soft>=[ \t]*\r?\n)|(?P<quoted>(?:=[0-9A-Fa-f]{{2}})+)")));

/// HTML entities, percent-encoding (RFC 3986), `\x41`, `\u0041` and `\u{41}` escapes, Punycode labels (RFC 3492).
const ENCODINGS: &str = concat!(
    r"(?P<entity>&(?:#[0-9]{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});?)",
    r"|(?P<percent>(?:%[0-9A-Fa-f]{2})+)",
    r"|(?P<bytes>(?:\\x[0-9A-Fa-f]{2})+)",
    r"|\\u\{?(?P<unicode>[0-9A-Fa-f]{4,6})\}?",
    r"|(?P<punycode>(?i:\bxn--[a-z0-9-]{1,59}))",
);

fn decode_one(found: &Captures<'_>) -> Option<String> {
    let text = |name: &str| found.name(name).map(|part| part.as_str());
    if let Some(entity) = text("entity") {
        let closed = if entity.ends_with(';') { entity.to_owned() } else { format!("{entity};") };
        let decoded = html_escape::decode_html_entities(&closed);
        return (decoded.as_ref() != closed).then(|| decoded.into_owned());
    }
    if let Some(code) = text("unicode") {
        return char::from_u32(u32::from_str_radix(code, 16).ok()?).map(String::from);
    }
    if let Some(label) = text("punycode") {
        let (decoded, result) = idna::domain_to_unicode(label);
        return (result.is_ok() && !decoded.starts_with("xn--")).then_some(decoded);
    }
    if text("soft").is_some() {
        return Some(String::new());
    }
    let octets = text("percent").or(text("bytes")).or(text("quoted"))?;
    let digits: String = octets.chars().filter(|c| c.is_ascii_hexdigit()).collect();
    String::from_utf8(hex::decode(digits).ok()?).ok()
}
