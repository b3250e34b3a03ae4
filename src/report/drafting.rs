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
use super::redaction::{Fallback, RedactionInput};
use super::secret::ReporterContact;
use super::template::Template;

/// A draft, and whether its text had to be left out.
pub struct MadeDraft {
    pub draft: AdvisoryDraft,
    /// Why the report's text is not in it, though it was wanted.
    pub fell_back: Option<Fallback>,
}

/// Makes the draft for a case. `marker` is random.
#[allow(clippy::too_many_arguments)]
pub fn make_draft(
    outer: &Outer,
    opened: &Opened,
    decision: &Decision,
    case: &CaseId,
    marker: [u8; 16],
    components: &[String],
    keyring: &Keyring,
    rules: &Rules,
) -> MadeDraft {
    let marker = Marker::from_random(marker);
    let template = Template::from_opened(opened, components);
    let nobody = ReporterContact::new("", None);
    let sender = outer.sender.one().unwrap_or(&nobody);
    let team: Vec<String> = std::iter::once(&rules.team_address).chain(&rules.aliases).cloned().collect();
    let input = RedactionInput::from_opened(opened, sender, &template, keyring, &team);
    if decision.advisory == AdvisoryIntent::Open {
        let (draft, fell_back) = AdvisoryDraft::report_or_stub(&input, case, &marker);
        MadeDraft { draft, fell_back }
    } else {
        MadeDraft { draft: AdvisoryDraft::stub(case, &marker, &input.screened_template()), fell_back: None }
    }
}
