//! What other parts of the program take from the configuration, in their own words.

use super::{AdvisoriesKind, AdvisoryContent, Config, OpenFor, OuterSubject, PlaintextPolicy};
use crate::report::{self, DraftContent, InClear, Rules, TeamIdentity};
use std::path::PathBuf;

impl Config {
    /// What the team decided about mail.
    pub fn rules(&self) -> Rules {
        let github = match &self.advisories.kind {
            AdvisoriesKind::Github(github) => Some(github),
            AdvisoriesKind::Directory { .. } | AdvisoriesKind::None => None,
        };
        Rules {
            aliases: self.team.aliases.clone(),
            authserv_id: self.intake.authserv_id.clone(),
            acknowledge: self.intake.acknowledge,
            plaintext: match self.intake.plaintext {
                PlaintextPolicy::Accept => InClear::Accept,
                PlaintextPolicy::Reject => InClear::Reject,
            },
            open_for: match self.advisories.open_for {
                OpenFor::Encrypted => report::OpenFor::Encrypted,
                OpenFor::All => report::OpenFor::All,
            },
            drafts: match (&self.advisories.kind, self.advisories.content) {
                (AdvisoriesKind::None, _) => DraftContent::NoDrafts,
                (_, AdvisoryContent::Stub) => DraftContent::Stub,
                (_, AdvisoryContent::Report) => DraftContent::Report,
            },
            repository: github.map(|github| github.repository.clone()),
            routes: github.map(|github| github.routes.clone()).unwrap_or_default(),
            limits: self.limits.clone(),
            ..Rules::new(&self.team.address, &self.team.case_prefix)
        }
    }

    /// How the team shows itself in mail.
    pub fn identity(&self) -> TeamIdentity {
        TeamIdentity {
            name: self.team.name.clone(),
            address: self.team.address.clone(),
            outer_subject_hidden: self.team.outer_subject == OuterSubject::Hidden,
        }
    }

    /// Where `receive` puts mail.
    pub fn spool(&self) -> PathBuf {
        self.store.state.join(crate::spool::FOLDER)
    }
}
