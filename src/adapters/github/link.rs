//! Where a draft is: `https://HOST/OWNER/NAME/security/advisories/GHSA-…`, the form in which GitHub shows it to people.
//!
//! Security: the link comes from an answer and goes to the members, so it must have exactly this form before it is believed.

use crate::report::Repository;
use url::Url;

/// A checked link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DraftLink {
    pub(super) text: String,
    pub(super) repository: Repository,
    pub(super) ghsa_id: String,
}

impl DraftLink {
    /// Reads a link; nothing where it has another form.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let plain = url.scheme() == "https"
            && text.len() <= 400
            && text.is_ascii()
            && url.username().is_empty()
            && url.password().is_none()
            && url.query().is_none()
            && url.fragment().is_none()
            && url.host_str().is_some();
        let parts: Vec<&str> = url.path_segments()?.collect();
        let [owner, name, "security", "advisories", ghsa_id] = parts.as_slice() else { return None };
        let repository = Repository::parse(&format!("{owner}/{name}"))?;
        (plain && is_ghsa_id(ghsa_id)).then(|| Self {
            text: url.as_str().to_owned(),
            repository,
            ghsa_id: (*ghsa_id).to_owned(),
        })
    }

    /// Whether it is in this repository; GitHub takes no notice of case in names.
    pub(super) fn is_in(&self, repository: &Repository) -> bool {
        self.repository.owner().eq_ignore_ascii_case(repository.owner())
            && self.repository.name().eq_ignore_ascii_case(repository.name())
    }
}

/// `GHSA-xxxx-xxxx-xxxx`.
fn is_ghsa_id(id: &str) -> bool {
    let mut groups = id.split('-');
    let fours: Vec<&str> = groups.by_ref().skip(1).collect();
    id.starts_with("GHSA-")
        && fours.len() == 3
        && fours.iter().all(|four| four.len() == 4 && four.bytes().all(|b| b.is_ascii_alphanumeric()))
}
