//! Opens and decides as the sorting step does, and writes nothing.
//!
//! Security: the store is read without waiting for locks, and may be absent. What comes back is made for the terminal of the
//! admin who asked.

use super::StepError;
use super::judge::{Eyes, Mail, judge};
use crate::config::Config;
use crate::report::{
    CaseId, CopyTo, DraftView, Held, Inspection, Keyring, Plaintext, StoreKey, Vault, decide, prepare_draft,
};
use crate::store::Store;
use jiff::Timestamp;
use std::sync::Arc;

/// What a mail is inspected with.
pub struct Surroundings<'a> {
    pub config: &'a Config,
    pub keyring: Arc<Keyring>,
    /// The store and its vault; without them nothing is known of earlier mail.
    pub store: Option<(Store, Vault)>,
}

/// Says what would happen to a mail that arrived now. Of a `truncated` mail only the beginning is given.
///
/// # Errors
/// When the store fails while it is read.
pub async fn inspect(around: Surroundings<'_>, mail: Plaintext, truncated: bool) -> Result<Inspection, StepError> {
    let rules = Arc::new(around.config.rules());
    let (store, vault) = match around.store {
        Some((store, vault)) => (Some(store), vault),
        // Digests of a store that does not exist match nothing.
        None => (None, Vault::new(&StoreKey::generate()?)?),
    };
    let vault = Arc::new(vault);
    let now = match &store {
        Some(store) => store.now().await?,
        None => Timestamp::now(),
    };
    let eyes = Eyes { store: store.as_ref(), vault: &vault, keyring: &around.keyring, rules: &rules };
    let judged = judge(&eyes, mail, &Mail { id: None, received: now, truncated }).await?;
    let decision = decide(&judged.outer, &judged.opened, &judged.known, &around.keyring, &rules, now);
    let held = held(&decision.copies, &around.keyring, now);
    let year = jiff::tz::TimeZone::UTC.to_datetime(now).year();
    let components = &around.config.advisories.components;
    let prepared = prepare_draft(&judged.outer, &judged.opened, &decision, components, &around.keyring, &rules);
    // The number is drawn when the case is opened; nobody knows it yet.
    let case = CaseId::new(&rules.case_prefix, year, 0);
    let draft = match prepared {
        Some(prepared) => Some(prepared.for_case(&case, vault.random()?)),
        None => None,
    };
    let view = draft.as_ref().map(|made| DraftView {
        summary: made.draft.summary(),
        description: made.draft.description(),
        fell_back: made.fell_back.is_some(),
        repository: made.draft.repository(),
    });
    Ok(Inspection::new(&judged.opened, &decision, &around.keyring, held, view))
}

fn held(copies: &CopyTo, keyring: &Keyring, now: Timestamp) -> Vec<Held> {
    let author = match copies {
        CopyTo::AllMembers => None,
        CopyTo::MembersExcept(author) => Some(author),
        CopyTo::AdminsNotice(_) | CopyTo::Nobody => return Vec::new(),
    };
    keyring
        .members()
        .iter()
        .filter(|member| Some(&member.id()) != author)
        .filter_map(|member| {
            let why = member.usable(now).err()?;
            Some(Held { member: member.name().to_owned(), why: why.code().to_owned() })
        })
        .collect()
}
