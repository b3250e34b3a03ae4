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
use super::repository::{Repository, RouteMatch};
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
    /// Where it goes; nothing where drafts do not go to repositories.
    repository: Option<Repository>,
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
    let repository = route(outer, opened, &template, rules);
    Some(PreparedDraft { template: input.screened_template(), report, repository })
}

/// The repository of a report: that of the first route that matches, else the common one.
///
/// An alias counts if the mail was addressed to it, outside or under protection, or was delivered by it. A sender can write what
/// they like there: the worst is a draft in another one of the team's own repositories.
fn route(outer: &Outer, opened: &Opened, template: &Template, rules: &Rules) -> Option<Repository> {
    let common = rules.repository.as_ref()?;
    let inside = opened.recipients.iter().map(super::secret::ReporterContact::address);
    let addresses: Vec<&str> = inside.chain(outer.delivered_to.iter().map(String::as_str)).collect();
    let matching = rules.routes.iter().find(|route| match &route.matches {
        RouteMatch::Alias(alias) => addresses.iter().any(|address| address.eq_ignore_ascii_case(alias)),
        RouteMatch::Component(component) => template.component() == Some(component.as_str()),
    });
    Some(matching.map_or(common, |route| &route.repository).clone())
}

impl PreparedDraft {
    /// The draft for a case. `marker` is random.
    pub fn for_case(self, case: &CaseId, marker: [u8; 16]) -> MadeDraft {
        let (marker, repository) = (Marker::from_random(marker), self.repository);
        let report = self.report.map(|report| report.and_then(|report| AdvisoryDraft::report(report, case, &marker)));
        let fell_back = match report {
            Some(Ok(draft)) => return MadeDraft { draft: draft.for_repository(repository), fell_back: None },
            Some(Err(fallback)) => Some(fallback),
            None => None,
        };
        let stub = AdvisoryDraft::stub(case, &marker, &self.template);
        MadeDraft { draft: stub.for_repository(repository), fell_back }
    }
}

#[cfg(test)]
#[path = "drafting_tests.rs"]
mod tests;
