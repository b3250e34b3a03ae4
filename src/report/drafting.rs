//! From an opened report to the draft advisory that will be posted.
//!
//! Security: the only way from a report to a draft: through the template's checked fields, and through redaction where the team
//! wants the text. What cannot be made safe falls back to the stub.

use super::advisory::{AdvisoryDraft, Marker};
use super::case::CaseId;
use super::keyring::Keyring;
use super::opened::Opened;
use super::outer::Outer;
use super::policy::{AdvisoryIntent, Decision, Rules};
use super::redaction::{Fallback, RedactedReport, RedactionInput, redact};
use super::secret::ReporterContact;
use super::template::Template;

/// A draft, and whether its text had to be left out.
pub struct MadeDraft {
    pub draft: AdvisoryDraft,
    /// Why the report's text is not in it, though it was wanted.
    pub fell_back: Option<Fallback>,
}

/// All of a draft but its case: what costs time, done before the case has its number.
pub struct PreparedDraft {
    /// The fields without those that name somebody.
    template: Template,
    /// Nothing where only a stub is wanted.
    report: Option<Result<RedactedReport, Fallback>>,
}

/// Makes the draft that the decision asks for, up to its case. Nothing if it asks for none.
pub fn prepare_draft(
    outer: &Outer,
    opened: &Opened,
    decision: &Decision,
    components: &[String],
    keyring: &Keyring,
    rules: &Rules,
) -> Option<PreparedDraft> {
    if matches!(decision.advisory, AdvisoryIntent::None(_)) {
        return None;
    }
    let template = Template::from_opened(opened, components);
    let nobody = ReporterContact::new("", None);
    let sender = outer.sender.one().unwrap_or(&nobody);
    let team: Vec<String> = std::iter::once(&rules.team_address).chain(&rules.aliases).cloned().collect();
    let input = RedactionInput::from_opened(opened, sender, &template, keyring, &team);
    let report = (decision.advisory == AdvisoryIntent::Open).then(|| redact(&input));
    Some(PreparedDraft { template: input.screened_template(), report })
}

impl PreparedDraft {
    /// The draft for a case. `marker` is random.
    pub fn for_case(self, case: &CaseId, marker: [u8; 16]) -> MadeDraft {
        let marker = Marker::from_random(marker);
        let report = self.report.map(|report| report.and_then(|report| AdvisoryDraft::report(report, case, &marker)));
        let fell_back = match report {
            Some(Ok(draft)) => return MadeDraft { draft, fell_back: None },
            Some(Err(fallback)) => Some(fallback),
            None => None,
        };
        MadeDraft { draft: AdvisoryDraft::stub(case, &marker, &self.template), fell_back }
    }
}
