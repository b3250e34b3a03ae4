//! A draft advisory: what GitHub's create call would get.

/// The body of a draft.
pub struct AdvisoryDraft {}
