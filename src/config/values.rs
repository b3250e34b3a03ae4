//! Values with a form of their own: sizes, durations, addresses, fingerprints, names, database URLs.
//!
//! Security: read strictly. An address ends up in envelopes, command lines and folder names, a name in header fields and in
//! the gateway's statement; what could be mistaken for something else there is refused here.

use super::{Database, Problem};
use crate::report::CaseId;
use jiff::{Span, SpanRelativeTo};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

/// A size such as `50 MiB`: a whole number and B, KiB, MiB or GiB (IEC 80000-13).
pub(super) fn size(text: &str) -> Result<u64, Problem> {
    let wrong = || Problem::new(format!("{text:?} is not a size"), "write it as in \"50 MiB\" (B, KiB, MiB or GiB)");
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let factor: u64 = match unit.trim_start_matches(' ') {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return Err(wrong()),
    };
    number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor)).ok_or_else(wrong)
}

/// A duration such as `60s`, `5m`, `1h` or `180d`; a day has 24 hours.
pub(super) fn duration(text: &str) -> Result<Duration, Problem> {
    let wrong =
        || Problem::new(format!("{text:?} is not a duration"), "write it as in \"60s\", \"5m\", \"1h\" or \"180d\"");
    let span = Span::from_str(text).map_err(|_| wrong())?;
    let length = span.to_duration(SpanRelativeTo::days_are_24_hours()).map_err(|_| wrong())?;
    Duration::try_from(length).map_err(|_| wrong())
}

/// A plain mail address (RFC 5321 section 4.1.2, without quoted local parts and address literals), as it was written.
pub(super) fn address(text: &str) -> Result<String, Problem> {
    let wrong = |why: &str| {
        Err(Problem::new(
            format!("{text:?} is not an address that can be used here: {why}"),
            "write it as in \"vmt@example.org\"",
        ))
    };
    if text.chars().any(|c| c.is_whitespace() || c.is_control() || matches!(c, '"' | '<' | '>' | '(' | ')')) {
        return wrong("it has spaces, control characters, quotes or brackets");
    }
    let Some((local, domain)) = text.split_once('@').filter(|(_, domain)| !domain.contains('@')) else {
        return wrong("it needs exactly one @");
    };
    if !domain.is_ascii() {
        return wrong("its domain is not ASCII; use the xn-- form");
    }
    if !local.is_ascii() {
        return wrong("characters beyond ASCII before the @ need SMTPUTF8, which is not built into this version");
    }
    // A slash would leave the folder that is named after the address, a leading hyphen would be an option of sendmail.
    let atom = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-=?^_`{|}~".contains(c);
    let atoms = local.split('.').all(|part| !part.is_empty() && part.chars().all(atom));
    if !atoms || local.starts_with('-') || local.len() > 64 {
        return wrong("what stands before the @ has a form that is not taken");
    }
    if !is_domain(domain) {
        return wrong("what stands behind the @ is no domain name");
    }
    Ok(text.to_owned())
}

/// A name of a person or a team.
pub(super) fn name(text: &str) -> Result<String, Problem> {
    let text = text.trim();
    let wrong =
        |why: &str| Err(Problem::new(format!("{text:?} cannot be used as a name: {why}"), "choose another one"));
    if text.is_empty() {
        return wrong("it is empty");
    }
    if text.chars().count() > 100 {
        return wrong("it has more than 100 characters");
    }
    if text.chars().any(|c| c.is_control() || is_invisible(c) || matches!(c, '<' | '>' | '"')) {
        return wrong("it has control characters, quotes or angle brackets");
    }
    Ok(text.to_owned())
}

/// A member's name; two words are taken, since they stand in the same place of the gateway's statement (`Author:`).
pub(super) fn member_name(text: &str) -> Result<String, Problem> {
    let text = name(text)?;
    if ["reporter", "gateway"].contains(&text.to_lowercase().as_str()) {
        return Err(Problem::new(
            format!("{text:?} cannot be a member's name: it would be taken for the {}", text.to_lowercase()),
            "choose another one",
        ));
    }
    Ok(text)
}

/// Characters that change how others are shown (Unicode bidirectional controls, zero-width ones, line separators).
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

/// What case numbers begin with.
pub(super) fn prefix(text: &str) -> Result<String, Problem> {
    if CaseId::is_prefix(text) {
        return Ok(text.to_owned());
    }
    Err(Problem::new(
        format!("{text:?} cannot begin a case number"),
        "use 1 to 20 capital letters and digits, a letter first",
    ))
}

/// A fingerprint of version 4 (40 hex digits) or 6 (64), spaces ignored; in capitals.
pub(super) fn fingerprint(text: &str) -> Result<String, Problem> {
    let digits: String = text.chars().filter(|c| *c != ' ').collect();
    if ![40, 64].contains(&digits.len()) || !digits.chars().all(|c| c.is_ascii_hexdigit()) {
        return Err(Problem::new(
            "it is not a whole fingerprint (40 or 64 hex digits)",
            "show it with: gpg --show-keys FILE; a short key ID is not enough, since anybody can make a key with the same one",
        ));
    }
    Ok(digits.to_uppercase())
}

/// A database URL; a SQLite path is taken from `folder` on.
pub(super) fn database(text: &str, folder: &Path) -> Result<(Database, PathBuf), Problem> {
    const FORMS: &str = "write sqlite://FILE (from the configuration's folder on), sqlite:///FILE or postgres://…";
    if text.starts_with("postgres://") || text.starts_with("postgresql://") {
        // The URL may hold a password: no error repeats it.
        sqlx::postgres::PgConnectOptions::from_str(text)
            .map_err(|_| Problem::new("it is not a valid PostgreSQL URL", "write postgres://USER@HOST/DATABASE"))?;
        return Ok((Database::Postgres(text.to_owned()), folder.join("state")));
    }
    let Some(path) = text.strip_prefix("sqlite:") else {
        return Err(Problem::new("it is neither a SQLite nor a PostgreSQL URL", FORMS));
    };
    let path = path.strip_prefix("//").unwrap_or(path);
    if path.is_empty() || path.ends_with('/') || path.contains(":memory:") {
        return Err(Problem::new("it names no database file", FORMS));
    }
    if path.contains(['?', '#', '\0']) {
        return Err(Problem::new("parameters are not taken", FORMS));
    }
    let file = folder.join(path);
    let state = file.parent().unwrap_or(folder).to_owned();
    Ok((Database::Sqlite(file), state))
}

/// A folder of a Maildir++, for `done = "move:…"`; dots part levels.
pub(super) fn maildir_folder(text: &str) -> Result<String, Problem> {
    let level = |level: &str| !level.is_empty() && !level.chars().any(|c| c == '/' || c.is_control());
    if text.len() > 200 || !text.split('.').all(level) {
        return Err(Problem::new(
            format!("{text:?} is not a folder of a Maildir"),
            "write it as in \"move:Archive\" or \"move:Archive.2026\"",
        ));
    }
    Ok(text.to_owned())
}

/// A server's name or address, without a port and without brackets.
pub(super) fn host(text: &str) -> Result<String, Problem> {
    let wrong = |mend: &str| Err(Problem::new(format!("{text:?} is not the name of a server"), mend));
    if text.contains("://") {
        return wrong("write the host alone, without the beginning of a URL");
    }
    if text.parse::<IpAddr>().is_ok() || is_domain(text) {
        return Ok(text.to_owned());
    }
    if text.starts_with('[') {
        return wrong("write the address without brackets, as in \"::1\", and the port as port = …");
    }
    if text.contains(':') {
        return wrong("write the host alone, and the port as port = …");
    }
    if !text.is_ascii() {
        return wrong("use the xn-- form of an international name");
    }
    wrong("write a host name, as in \"mail.example.org\", or an IP address")
}

/// Whether a host is this machine itself.
pub(super) fn is_loopback(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Whether these are labels of letters, digits and inner hyphens, at most 253 octets (RFC 1123 section 2.1).
fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

/// The name that somebody logs in with.
pub(super) fn login_name(text: &str) -> Result<String, Problem> {
    if (1..=320).contains(&text.len()) && !text.chars().any(char::is_control) {
        return Ok(text.to_owned());
    }
    let what = "it is empty, longer than 320 octets, or has control characters";
    Err(Problem::new(what, "write the name that the mail server knows, often the whole address"))
}

/// A mailbox on an IMAP server, as people write it.
pub(super) fn mailbox_name(text: &str) -> Result<String, Problem> {
    if (1..=1_000).contains(&text.len()) && !text.chars().any(char::is_control) {
        return Ok(text.to_owned());
    }
    let what = "the folder's name is empty, longer than 1000 octets, or has control characters";
    Err(Problem::new(what, "write it as your mail program shows it, as in \"Archive\" or \"INBOX/Archive\""))
}

/// A component: a short word that a draft advisory may show.
pub(super) fn component(text: &str) -> Result<String, Problem> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.+/".contains(c);
    if !(1..=64).contains(&text.len())
        || !text.chars().all(allowed)
        || !text.starts_with(|c: char| c.is_ascii_alphanumeric())
    {
        return Err(Problem::new(
            format!("{text:?} is not a component's name"),
            "use a short word of ASCII letters, digits, and - _ . + /",
        ));
    }
    Ok(text.to_owned())
}

/// An authserv-id (RFC 8601 section 2.2), a plain token.
pub(super) fn authserv_id(text: &str) -> Result<String, Problem> {
    let allowed = |c: char| c.is_ascii_graphic() && !"()<>@,;:\\\"/[]?=".contains(c);
    if !(1..=255).contains(&text.len()) || !text.chars().all(allowed) {
        return Err(Problem::new(
            format!("{text:?} is not the name that a mail server puts into Authentication-Results"),
            "copy it from such a header field of your own mail, as in \"mx.example.org\"",
        ));
    }
    Ok(text.to_owned())
}

#[cfg(test)]
#[path = "values_tests.rs"]
mod tests;
