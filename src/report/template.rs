//! Reads the fields of the report template (`Name: value` lines) that have a checked form.
//!
//! Security: a report is hostile text. A value becomes a field only if it matches a closed grammar, so that no prose, address
//! or markup can ride into a draft as a "version"; everything else stays prose and goes no further than the report does.
//! The credited name is a person's: it is not formatted here and overwritten when dropped.

use super::opened::Opened;
use super::redaction::{is_invisible, pattern};
use polycvss::Vector;
use regex::Regex;
use std::sync::LazyLock;
use zeroize::Zeroizing;

/// Package ecosystems that GitHub's create call knows (`security-advisory-ecosystems`).
const ECOSYSTEMS: [&str; 13] = [
    "rubygems", "npm", "pip", "maven", "nuget", "composer", "go", "rust", "erlang", "actions", "pub", "other", "swift",
];
/// Octets of a value that are looked at.
const MAX_VALUE: usize = 400;
const MAX_VERSIONS: usize = 20;
const MAX_VERSION: usize = 40;
const MAX_CWES: usize = 10;
/// Characters of a credited name.
const MAX_CREDIT: usize = 100;

/// How the reporter wants to be credited.
pub(in crate::report) enum Credit {
    /// Nothing was asked for, or `none`.
    No,
    /// A name, as text.
    Name(Zeroizing<String>),
    /// A GitHub login, without the `@`.
    Login(String),
}

/// The fields of a report that have a checked form.
///
/// It has no `Debug`, since a credited name is a person's:
/// ```compile_fail
/// fn show(template: embargod::report::Template) { println!("{template:?}"); }
/// ```
pub struct Template {
    pub(in crate::report) component: Option<String>,
    pub(in crate::report) affected: Option<String>,
    pub(in crate::report) patched: Option<String>,
    pub(in crate::report) cvss: Option<String>,
    pub(in crate::report) cwes: Vec<String>,
    pub(in crate::report) ecosystem: Option<&'static str>,
    pub(in crate::report) package: Option<String>,
    pub(in crate::report) credit: Credit,
}

impl Template {
    /// Reads the fields of a text. A name counts where it stands first; later lines with the same name are prose.
    /// `components` are the configured ones; they are compared without regard to case and given back as configured.
    pub fn read(text: &str, components: &[String]) -> Self {
        let ecosystem = value(text, &["ecosystem"]).and_then(|found| {
            let found = found.to_ascii_lowercase();
            ECOSYSTEMS.iter().copied().find(|known| *known == found)
        });
        Self {
            component: value(text, &["component"]).and_then(|found| {
                components.iter().find(|known| known.to_lowercase() == found.to_lowercase()).cloned()
            }),
            affected: value(text, &["affected", "affected versions"]).and_then(version_range),
            patched: value(text, &["patched", "patched versions", "fixed in"]).and_then(version_range),
            cvss: value(text, &["cvss"]).and_then(cvss_vector),
            cwes: value(text, &["cwe"]).map(cwe_ids).unwrap_or_default(),
            // A package is a name within an ecosystem; without one it cannot be checked at all.
            package: ecosystem.and(value(text, &["package"]).filter(|name| is_package(name)).map(str::to_owned)),
            ecosystem,
            credit: value(text, &["credit"]).map_or(Credit::No, credit),
        }
    }

    /// Reads the fields of an opened mail.
    pub fn from_opened(opened: &Opened, components: &[String]) -> Self {
        Self::read(&opened.text.expose_text(), components)
    }

    /// The component, as configured: for choosing a repository.
    pub fn component(&self) -> Option<&str> {
        self.component.as_deref()
    }

    /// The same fields without those that `keep` refuses; for taking out what would name somebody.
    pub(in crate::report) fn filtered(&self, keep: impl Fn(&str) -> bool) -> Self {
        let kept = |field: &Option<String>| field.clone().filter(|value| keep(value));
        Self {
            // The component is the team's own word.
            component: self.component.clone(),
            affected: kept(&self.affected),
            patched: kept(&self.patched),
            cvss: self.cvss.clone(),
            cwes: self.cwes.clone(),
            ecosystem: self.ecosystem,
            package: kept(&self.package),
            credit: match &self.credit {
                Credit::No => Credit::No,
                Credit::Name(name) => Credit::Name(name.clone()),
                Credit::Login(login) => Credit::Login(login.clone()),
            },
        }
    }
}

/// The value of the first line with one of these names.
fn value<'a>(text: &'a str, names: &[&str]) -> Option<&'a str> {
    let (_, value) = text
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| names.iter().any(|wanted| name.trim().eq_ignore_ascii_case(wanted)))?;
    let value = value.trim();
    (!value.is_empty() && value.len() <= MAX_VALUE).then_some(value)
}

/// `>= 1.0, < 1.5`: operators and versions in a list; written anew, so that nothing but the grammar's own words comes out.
fn version_range(value: &str) -> Option<String> {
    static ITEM: LazyLock<Regex> = LazyLock::new(|| pattern(r"^\s*,?\s*(<=|>=|<|>|=)?\s*([vV]?[0-9][0-9A-Za-z.+-]*)"));
    let mut rest = value.trim_end_matches([' ', '\t']);
    let mut items = Vec::new();
    while !rest.is_empty() {
        let found = ITEM.captures(rest)?;
        let version = found.get(2)?.as_str();
        // Without a dot at most a date: a longer row of digits is a telephone number.
        if items.len() == MAX_VERSIONS || version.len() > MAX_VERSION || (!version.contains('.') && version.len() > 8) {
            return None;
        }
        items.push(match found.get(1) {
            Some(operator) => format!("{} {version}", operator.as_str()),
            None => version.to_owned(),
        });
        rest = rest.get(found.get(0)?.end()..)?;
        if !rest.is_empty() && !rest.starts_with([',', ' ', '\t', '<', '>', '=']) {
            return None;
        }
    }
    (!items.is_empty()).then(|| items.join(", "))
}

/// A complete base vector (FIRST, CVSS v3.0, v3.1, v4.0), in its canonical spelling.
fn cvss_vector(value: &str) -> Option<String> {
    let vector = value.split_whitespace().next()?;
    // The vector may stand on a line of its own, whose name is then its prefix.
    let vector = if vector.starts_with(['3', '4']) { format!("CVSS:{vector}") } else { vector.to_ascii_uppercase() };
    let base = match vector.get(..9)? {
        "CVSS:3.0/" | "CVSS:3.1/" => 8,
        "CVSS:4.0/" => 11,
        _ => return None,
    };
    if !vector.is_ascii() || vector.matches('/').count() != base {
        return None;
    }
    vector.parse::<Vector>().ok().map(|vector| vector.to_string())
}

fn cwe_ids(value: &str) -> Vec<String> {
    static CWE: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?i)\bCWE-[0-9]{1,5}\b"));
    let mut ids = Vec::new();
    for id in CWE.find_iter(value).map(|id| id.as_str().to_ascii_uppercase()) {
        if ids.len() < MAX_CWES && !ids.contains(&id) {
            ids.push(id);
        }
    }
    ids
}

fn is_package(name: &str) -> bool {
    name.len() <= 214 && name.chars().all(|c| c.is_ascii_alphanumeric() || "._@/:-".contains(c))
}

fn credit(value: &str) -> Credit {
    if let Some(login) = value.strip_prefix('@') {
        return if is_login(login) { Credit::Login(login.to_owned()) } else { Credit::No };
    }
    let is_name = !value.eq_ignore_ascii_case("none")
        && value.chars().count() <= MAX_CREDIT
        && value.chars().any(char::is_alphabetic)
        && !value.chars().any(|c| c == '@' || c == '<' || is_invisible(c))
        && value.chars().filter(|c| c.is_numeric()).count() < 7;
    if is_name { Credit::Name(Zeroizing::new(value.to_owned())) } else { Credit::No }
}

/// GitHub's grammar for logins: up to 39 letters, digits and single inner hyphens.
fn is_login(login: &str) -> bool {
    (1..=39).contains(&login.len())
        && login.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && !login.starts_with('-')
        && !login.ends_with('-')
        && !login.contains("--")
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
