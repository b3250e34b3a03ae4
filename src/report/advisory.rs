//! A draft advisory: the very body of GitHub's create call (`POST /repos/{owner}/{repo}/security-advisories`).
//!
//! Security: a draft is made from checked template fields, or from a [`RedactedReport`] besides, and from nothing else. All that
//! is not our own wording stands in code spans or in a fence longer than any inside, so that no mention, link, image,
//! issue reference or HTML of a report is ever live. The body is frozen before it is sent, so that a repeated call sends the
//! same octets.

use super::case::CaseId;
use super::redaction::{Fallback, RedactedReport};
use super::repository::Repository;
use super::secret::Plaintext;
use super::template::{Credit, Template};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Code points that GitHub accepts in a summary.
const MAX_SUMMARY: usize = 1_024;
/// Code points that GitHub accepts in a description.
const MAX_DESCRIPTION: usize = 65_535;
/// The longest row of backticks in a text; longer ones are shortened, so that the fence has an end.
const MAX_BACKTICKS: usize = 20;

/// 128 random bits by which a draft is found again: the description's last line is `<!-- embargod:HEX -->`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Marker(String);

impl Marker {
    /// Takes random bits (see [`super::Vault::random`]) as a marker.
    pub fn from_random(bits: [u8; 16]) -> Self {
        Self(hex::encode(bits))
    }

    /// A marker read back: 32 lower-case hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == 32 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)))
            .then(|| Self(text.to_owned()))
    }

    /// The marker of a description, which is its last line and stands nowhere else.
    pub fn of_description(description: &str) -> Option<Self> {
        let line = description.trim_end().lines().next_back()?;
        Self::parse(line.strip_prefix("<!-- embargod:")?.strip_suffix(" -->")?)
    }

    /// The 32 hex digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn comment(&self) -> String {
        format!("<!-- embargod:{} -->", self.0)
    }
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A stored draft that cannot be read back.
#[derive(Debug, thiserror::Error)]
#[error("a stored draft has an unknown form; it may be from a newer version of embargod")]
pub struct BadDraft;

/// A finished draft, frozen: what an advisory desk takes.
///
/// It cannot be made from a mail:
/// ```compile_fail
/// fn draft(opened: embargod::report::Opened) -> embargod::report::AdvisoryDraft { opened.into() }
/// ```
/// nor from text:
/// ```compile_fail
/// fn draft(text: String) -> embargod::report::AdvisoryDraft { embargod::report::AdvisoryDraft::from(text) }
/// ```
/// nor put together:
/// ```compile_fail
/// fn draft(text: String) -> embargod::report::AdvisoryDraft { embargod::report::AdvisoryDraft(text) }
/// ```
/// nor changed:
/// ```compile_fail
/// fn draft(mut stub: embargod::report::AdvisoryDraft, text: String) { stub.0.description = text; }
/// ```
/// nor read from JSON:
/// ```compile_fail
/// fn draft(text: &str) -> Option<embargod::report::AdvisoryDraft> { serde_json::from_str(text).ok() }
/// ```
pub struct AdvisoryDraft(Frozen);

/// What a draft consists of; private, since whoever can deserialize it can make a draft from any text.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Frozen {
    case: CaseId,
    marker: String,
    summary: String,
    description: String,
    /// The request body, octet for octet.
    body: String,
    /// Where it goes, as far as that was decided; drafts of the first version and those for a folder name none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    repository: Option<Repository>,
}

/// GitHub's `repository-advisory-create`; unknown fields are refused there, so there are none here.
#[derive(Serialize)]
struct Body<'a> {
    summary: &'a str,
    description: &'a str,
    vulnerabilities: Vec<Vulnerability<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    cwe_ids: Vec<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    credits: Vec<CreditTo<'a>>,
    /// Never beside `severity`: the two exclude each other.
    #[serde(skip_serializing_if = "Option::is_none")]
    cvss_vector_string: Option<&'a str>,
}

#[derive(Serialize)]
struct Vulnerability<'a> {
    package: Package<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    vulnerable_version_range: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    patched_versions: Option<&'a str>,
}

#[derive(Serialize)]
struct Package<'a> {
    ecosystem: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
}

#[derive(Serialize)]
struct CreditTo<'a> {
    login: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
}

impl AdvisoryDraft {
    /// A draft with the case number and the template's checked fields, and no word of the report.
    ///
    /// Where the reporter is known, give it [`RedactionInput::screened_template`], since a version may be somebody's handle.
    pub fn stub(case: &CaseId, marker: &Marker, template: &Template) -> Self {
        let mut summary = format!("{case}: vulnerability report");
        if let Some(component) = &template.component {
            summary.push_str(&format!(" ({})", one_line(component)));
        }
        let description = format!(
            "Case {case}\n\n{}The report is with the members of the team: each has it in their encrypted mail, under this case number.\n\n{}",
            fields(template, None),
            marker.comment()
        );
        Self::frozen(case, marker, summary, description, template)
    }

    /// A draft with the redacted subject and text of the report.
    ///
    /// # Errors
    /// When the finished draft still holds something known of the reporter: open a [`AdvisoryDraft::stub`] then.
    pub fn report(report: RedactedReport, case: &CaseId, marker: &Marker) -> Result<Self, Fallback> {
        let subject = report.subject();
        let mut summary = format!("{case}: {}", if subject.is_empty() { "vulnerability report" } else { subject });
        if let Some(component) = &report.template().component {
            summary.push_str(&format!(" ({})", one_line(component)));
        }
        let credit = match &report.template().credit {
            Credit::Name(name) => Some(name.as_str()),
            Credit::Login(_) | Credit::No => None,
        };
        let head = format!("Case {case}\n\n{}", fields(report.template(), credit));
        let text = report.text();
        let fence = "`".repeat(longest_backticks(text).max(2) + 1);
        let told = "The report, without what tells who wrote it:";
        let description = format!("{head}{told}\n\n{fence}text\n{text}\n{fence}\n\n{}", marker.comment());
        if summary.chars().count() > MAX_SUMMARY || description.chars().count() > MAX_DESCRIPTION {
            return Err(Fallback::TooLong);
        }
        // What the desk gets is searched once more as a whole, without the parts that are not the report's.
        let own = [case.to_string(), marker.comment(), told.to_owned(), fence];
        report.search_finished(&summary, &own)?;
        report.search_finished(&without_credit(&description, credit), &own)?;
        Ok(Self::frozen(case, marker, summary, description, report.template()))
    }

    fn frozen(case: &CaseId, marker: &Marker, summary: String, description: String, template: &Template) -> Self {
        let package = template.package.as_deref().or(template.component.as_deref());
        let affects = package.is_some() || template.affected.is_some() || template.patched.is_some();
        let body = Body {
            summary: &summary,
            description: &description,
            vulnerabilities: if affects {
                vec![Vulnerability {
                    package: Package { ecosystem: template.ecosystem.unwrap_or("other"), name: package },
                    vulnerable_version_range: template.affected.as_deref(),
                    patched_versions: template.patched.as_deref(),
                }]
            } else {
                Vec::new()
            },
            cwe_ids: template.cwes.iter().map(String::as_str).collect(),
            credits: match &template.credit {
                Credit::Login(login) => vec![CreditTo { login, kind: "reporter" }],
                Credit::Name(_) | Credit::No => Vec::new(),
            },
            cvss_vector_string: template.cvss.as_deref(),
        };
        // Strings and lists only: this cannot fail, and an empty body would be refused, not half a draft.
        let body = serde_json::to_string(&body).unwrap_or_default();
        let (case, marker) = (case.clone(), marker.0.clone());
        Self(Frozen { case, marker, summary, description, body, repository: None })
    }

    /// The same draft, for this repository.
    pub(in crate::report) fn for_repository(mut self, repository: Option<Repository>) -> Self {
        self.0.repository = repository;
        self
    }

    /// The repository that was chosen for it when it was made; nothing where it goes to a folder.
    pub fn repository(&self) -> Option<&Repository> {
        self.0.repository.as_ref()
    }

    /// The exact body of the create call.
    pub fn body_json(&self) -> String {
        self.0.body.clone()
    }

    /// At most 1,024 code points.
    pub fn summary(&self) -> &str {
        &self.0.summary
    }

    /// At most 65,535 code points; its last line is the marker.
    pub fn description(&self) -> &str {
        &self.0.description
    }

    /// The case it is for.
    pub fn case(&self) -> &CaseId {
        &self.0.case
    }

    /// By which it is found again.
    pub fn marker(&self) -> Marker {
        Marker(self.0.marker.clone())
    }

    /// The frozen form, to be sealed into the store ([`super::Purpose::DraftBody`]).
    pub fn to_plaintext(&self) -> Plaintext {
        Plaintext::new(serde_json::to_vec(&self.0).unwrap_or_default())
    }

    /// Takes a frozen draft back; only the store's own values are fit for it.
    ///
    /// # Errors
    /// When it is not a draft that this program froze.
    pub fn from_plaintext(frozen: &Plaintext) -> Result<Self, BadDraft> {
        let draft: Frozen = serde_json::from_slice(frozen.expose()).map_err(|_| BadDraft)?;
        let body: serde_json::Value = serde_json::from_str(&draft.body).map_err(|_| BadDraft)?;
        let same = |name: &str, value: &str| body.get(name).and_then(serde_json::Value::as_str) == Some(value);
        let whole = Marker::of_description(&draft.description).is_some_and(|marker| marker.0 == draft.marker)
            && same("summary", &draft.summary)
            && same("description", &draft.description);
        if whole { Ok(Self(draft)) } else { Err(BadDraft) }
    }
}

/// The table of the checked fields, with an empty line after it; nothing if there are none.
fn fields(template: &Template, credit: Option<&str>) -> String {
    let cwes = template.cwes.join(", ");
    let package = match (&template.ecosystem, &template.package) {
        (Some(ecosystem), Some(package)) => Some(format!("{package} ({ecosystem})")),
        _ => None,
    };
    let rows: String = [
        ("Component", template.component.as_deref()),
        ("Package", package.as_deref()),
        ("Affected versions", template.affected.as_deref()),
        ("Patched versions", template.patched.as_deref()),
        ("CVSS", template.cvss.as_deref()),
        ("CWE", Some(cwes.as_str()).filter(|ids| !ids.is_empty())),
        (CREDIT, credit),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some(format!("| {name} | {} |\n", code_span(value?))))
    .collect();
    if rows.is_empty() { rows } else { format!("| Field | Value |\n|---|---|\n{rows}\n") }
}

const CREDIT: &str = "Credit";

/// The description without the credited name, which stands there because the reporter asked for it.
fn without_credit(description: &str, credit: Option<&str>) -> String {
    let Some(credit) = credit else { return description.to_owned() };
    description.replacen(&format!("| {CREDIT} | {} |\n", code_span(credit)), "\n", 1)
}

/// A value in a table cell, with nothing in it live (GitHub Flavored Markdown, code spans and tables).
fn code_span(value: &str) -> String {
    let value = one_line(value).replace('|', "\\|");
    let ticks = "`".repeat(longest_backticks(&value) + 1);
    if value.starts_with('`') || value.ends_with('`') {
        format!("{ticks} {value} {ticks}")
    } else {
        format!("{ticks}{value}{ticks}")
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn longest_backticks(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

/// Shortens rows of backticks that would make an endless fence.
pub(in crate::report) fn shorten_backticks(text: &str) -> String {
    let mut row = 0;
    text.chars()
        .filter(|c| {
            row = if *c == '`' { row + 1 } else { 0 };
            row <= MAX_BACKTICKS
        })
        .collect()
}

#[cfg(test)]
#[path = "advisory_tests.rs"]
mod tests;
