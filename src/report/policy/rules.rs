//! What a team has decided, as far as a mail's fate depends on it.
//!
//! Security: the rules come from the configuration alone, never from a mail.

use crate::report::limits::Limits;
use crate::report::repository::{Repository, Route};

/// What becomes of mail in clear from strangers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InClear {
    /// It opens a case at once, marked so.
    Accept,
    /// It is kept, and answered with how to encrypt.
    Reject,
}

/// Which reports open a draft advisory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OpenFor {
    /// Those that came encrypted, at least in part.
    Encrypted,
    /// Those that came in clear too.
    All,
}

/// How much of a report a draft advisory may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DraftContent {
    /// No drafts are opened.
    NoDrafts,
    /// Case number and checked template fields.
    Stub,
    /// The redacted subject and text as well.
    Report,
}

/// The part of the configuration that decides about mail; whoever reads the configuration builds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The team's address.
    pub team_address: String,
    /// Other addresses of the same mailbox.
    pub aliases: Vec<String>,
    /// Prefix of case numbers.
    pub case_prefix: String,
    /// Whose Authentication-Results are believed (RFC 8601 section 2.5); nobody's where unset.
    pub authserv_id: Option<String>,
    /// Whether reporters get acknowledgements.
    pub acknowledge: bool,
    /// What becomes of mail in clear from strangers.
    pub plaintext: InClear,
    /// Which reports open a draft.
    pub open_for: OpenFor,
    /// What a draft holds.
    pub drafts: DraftContent,
    /// The repository of drafts that no route claims; nothing where drafts go elsewhere than to GitHub.
    pub repository: Option<Repository>,
    /// Other repositories; the first that matches wins.
    pub routes: Vec<Route>,
    /// Bounds on hostile mail.
    pub limits: Limits,
}

impl Rules {
    /// Rules with the defaults of the configuration for a team address and a case prefix; the caller changes what differs.
    pub fn new(team_address: &str, case_prefix: &str) -> Self {
        Self {
            team_address: team_address.to_owned(),
            aliases: Vec::new(),
            case_prefix: case_prefix.to_owned(),
            authserv_id: None,
            acknowledge: true,
            plaintext: InClear::Accept,
            open_for: OpenFor::Encrypted,
            drafts: DraftContent::Stub,
            repository: None,
            routes: Vec::new(),
            limits: Limits::default(),
        }
    }

    /// Whether this is the team's address or an alias of it; case is ignored.
    pub(in crate::report) fn is_team(&self, address: &str) -> bool {
        std::iter::once(&self.team_address)
            .chain(&self.aliases)
            .any(|own| own.trim().eq_ignore_ascii_case(address.trim()))
    }
}
