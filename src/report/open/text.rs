//! Text out of a mail: character sets, harmless names, subjects, addresses.
//!
//! Security: what is shown to members as one line cannot hold line breaks, control characters, or characters that change the
//! direction of writing, which would let a reporter forge what stands beside it.

use mail_parser::decoders::charsets::map::charset_decoder;
use zeroize::Zeroizing;

const MAX_SUBJECT: usize = 1_000;
const MAX_NAME: usize = 150;

/// Names under which mail programs send anything: the bytes say more.
fn says_nothing(charset: &str) -> bool {
    ["", "us-ascii", "ascii", "ansi_x3.4-1968", "utf-8", "utf8", "unknown-8bit", "x-unknown", "default"]
        .iter()
        .any(|name| charset.eq_ignore_ascii_case(name))
}

/// The character set that the bytes themselves tell of: a byte order mark, UTF-8 by its form, the escapes of ISO-2022-JP; and
/// what most old Western programs meant where nothing is said.
pub(super) fn guess(bytes: &[u8]) -> &'static str {
    const ESCAPES: [&[u8]; 3] = [b"\x1b$B", b"\x1b$@", b"\x1b(J"];
    let has_escapes = || {
        memchr::memchr_iter(0x1b, bytes)
            .any(|at| ESCAPES.iter().any(|escape| bytes.get(at..).is_some_and(|rest| rest.starts_with(escape))))
    };
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        "utf-16"
    } else if bytes.is_ascii() && has_escapes() {
        "iso-2022-jp"
    } else if std::str::from_utf8(bytes).is_ok() || has_utf8_letters(bytes) {
        "utf-8"
    } else {
        "windows-1252"
    }
}

/// Whether some of it is UTF-8 beyond ASCII, though not all of it is: then a few octets were damaged.
fn has_utf8_letters(bytes: &[u8]) -> bool {
    bytes.utf8_chunks().any(|chunk| !chunk.valid().is_ascii())
}

/// Bytes in a character set as UTF-8, without a byte order mark. The flag says whether it went well.
pub(super) fn to_utf8(bytes: &[u8], charset: Option<&str>) -> (Zeroizing<String>, bool) {
    let charset = charset.map(str::trim).unwrap_or_default();
    let (charset, guessed) = if says_nothing(charset) || charset_decoder(charset.as_bytes()).is_none() {
        (guess(bytes), true)
    } else {
        (charset, false)
    };
    if charset.eq_ignore_ascii_case("utf-8") {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        return match std::str::from_utf8(bytes) {
            Ok(text) => (Zeroizing::new(text.to_owned()), true),
            Err(_) => (Zeroizing::new(String::from_utf8_lossy(bytes).into_owned()), false),
        };
    }
    let decoded = charset_decoder(charset.as_bytes()).map(|decoder| Zeroizing::new(decoder(bytes)));
    let Some(mut text) = decoded else {
        return (Zeroizing::new(String::from_utf8_lossy(bytes).into_owned()), bytes.is_ascii());
    };
    if text.starts_with('\u{feff}') {
        text = Zeroizing::new(text.trim_start_matches('\u{feff}').to_owned());
    }
    // Octets that nobody named are read as well as they can be, and said to be so.
    let doubtful = text.contains('\u{fffd}') || (guessed && charset == "windows-1252");
    (text, !doubtful)
}

/// The character set of an inline block: what its bytes prove, else what its armor says, else what the part says, else the
/// best guess.
pub(super) fn inline_charset(bytes: &[u8], armor: Option<&str>, part: Option<&str>) -> String {
    let known =
        |name: &&str| is_charset_name(name) && charset_decoder(name.as_bytes()).is_some() && !says_nothing(name);
    let guessed = guess(bytes);
    if guessed == "utf-16" || (!bytes.is_ascii() && std::str::from_utf8(bytes).is_ok()) {
        return guessed.to_owned();
    }
    armor.map(str::trim).filter(known).or(part.map(str::trim).filter(known)).unwrap_or(guessed).to_lowercase()
}

/// Whether it reads as text in some character set: no octets that only programs use.
pub(super) fn is_text(bytes: &[u8]) -> bool {
    guess(bytes) == "utf-16" && bytes.len().is_multiple_of(2)
        || !bytes.iter().any(|b| b.is_ascii_control() && !matches!(b, b'\t' | b'\n' | b'\r' | 0x0c | 0x1b))
}

fn is_charset_name(name: &str) -> bool {
    (1..=40).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b':'))
}

/// Control characters, and those that change direction or are not seen at all.
fn is_treacherous(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// One line that is safe to show: blanks run together, treacherous characters gone.
pub(super) fn one_line(text: &str) -> Zeroizing<String> {
    let mut line = Zeroizing::new(String::with_capacity(text.len().min(4 * MAX_SUBJECT)));
    let mut blank = false;
    for c in text.trim().chars() {
        if c.is_whitespace() || matches!(c, '\u{2028}' | '\u{2029}') {
            blank = true;
        } else if !is_treacherous(c) {
            if blank && !line.is_empty() {
                line.push(' ');
            }
            blank = false;
            line.push(c);
        }
        if line.len() >= MAX_SUBJECT {
            break;
        }
    }
    line
}

/// Whether an outer subject stands for nothing: mail programs put such words where the real one is encrypted.
pub(super) fn is_placeholder(subject: &str) -> bool {
    const WORDS: &[&str] = &[
        "",
        "...",
        "\u{2026}",
        "encrypted",
        "encrypted message",
        "encrypted mail",
        "encrypted email",
        "encrypted e-mail",
        "openpgp encrypted message",
        "pgp encrypted message",
        "no subject",
        "subject hidden",
    ];
    let bare = subject.trim().trim_matches(|c| matches!(c, '[' | ']' | '(' | ')' | '<' | '>' | '*')).trim();
    WORDS.iter().any(|word| bare.to_lowercase() == *word)
}

/// A file name without path, control or direction-changing characters; nothing if nothing is left.
pub(super) fn harmless_name(name: &str) -> Option<String> {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = last
        .chars()
        .filter(|c| !is_treacherous(*c))
        .map(|c| if matches!(c, '"' | '<' | '>' | ':' | '|' | '?' | '*') { '_' } else { c })
        .take(MAX_NAME)
        .collect();
    let clean = clean.trim().trim_start_matches('.').trim();
    (!clean.is_empty()).then(|| clean.to_owned())
}

/// The name of what was encrypted: without the suffix that encrypting put there.
pub(super) fn name_inside(name: Option<&str>) -> Option<String> {
    let name = name?;
    let lower = name.to_ascii_lowercase();
    let suffix = [".pgp", ".gpg", ".asc"].into_iter().find(|suffix| lower.ends_with(suffix));
    harmless_name(name.get(..name.len() - suffix.map_or(0, str::len)).unwrap_or(name))
}

/// Whether a file name is one that OpenPGP software gives to encrypted files.
pub(super) fn is_openpgp_name(name: Option<&str>) -> bool {
    name.is_some_and(|name| {
        let lower = name.to_ascii_lowercase();
        [".pgp", ".gpg", ".asc"].iter().any(|suffix| lower.ends_with(suffix))
    })
}

/// Whether there is nothing to read in it.
pub(super) fn is_blank(bytes: &[u8]) -> bool {
    // Most content answers at once; only what begins with blanks is looked through.
    if bytes.iter().take(256).any(u8::is_ascii_graphic) {
        return false;
    }
    String::from_utf8_lossy(bytes).chars().all(|c| c.is_whitespace() || is_treacherous(c))
}

#[cfg(test)]
#[path = "text_tests.rs"]
mod tests;
