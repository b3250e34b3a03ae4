//! The store (signatures first; the bodies follow).

mod error;
mod rows;
mod words;

pub use error::StoreError;
pub use rows::*;
pub use words::*;

use crate::config::Database;
use crate::report::{AtRest, CaseId, Digest, MailId, Vault};
use jiff::Timestamp;
use std::time::Duration;

pub type Result<T> = std::result::Result<T, StoreError>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Migrate,
    Existing,
    ReadOnly,
}

#[derive(Clone)]
pub struct Store {}
pub struct Tx {}

#[allow(unused_variables, clippy::todo)]
impl Store {
    pub async fn open(database: &Database, mode: Mode) -> Result<Self> {
        todo!()
    }
    pub fn with_clock(self, clock: Clock) -> Self {
        todo!()
    }
    pub async fn now(&self) -> Result<Timestamp> {
        todo!()
    }
    pub async fn close(&self) {
        todo!()
    }
    pub async fn begin(&self) -> Result<Tx> {
        todo!()
    }
    // keys
    pub async fn wrappings(&self) -> Result<Vec<(String, Vec<u8>)>> {
        todo!()
    }
    /// First creation: false if there is a key already (nothing changed).
    pub async fn create_wrappings(&self, wrappings: &[(String, Vec<u8>)], now: Timestamp) -> Result<bool> {
        todo!()
    }
    /// Rotation: replaces all, only if what lies there is still `before`'s fingerprints.
    pub async fn replace_wrappings(&self, wrappings: &[(String, Vec<u8>)], now: Timestamp) -> Result<()> {
        todo!()
    }
    // intake and opening
    pub async fn known_source(&self, source: &Digest) -> Result<bool> {
        todo!()
    }
    pub async fn take_in(&self, mails: &[NewMail]) -> Result<Vec<Taken>> {
        todo!()
    }
    pub async fn recover(&self) -> Result<u64> {
        todo!()
    }
    pub async fn begin_opening(&self, limit: usize, max_octets: u64) -> Result<Vec<StoredMail>> {
        todo!()
    }
    pub async fn put_back(&self, mails: &[StoredMail]) -> Result<()> {
        todo!()
    }
    pub async fn mails_waiting(&self) -> Result<MailsWaiting> {
        todo!()
    }
    pub async fn mail(&self, mail: &MailId) -> Result<Option<MailRow>> {
        todo!()
    }
    // cases
    pub async fn case_by_message_id(&self, digests: &[Digest]) -> Result<Option<KnownMessage>> {
        todo!()
    }
    pub async fn case(&self, case: &CaseId) -> Result<Option<CaseRow>> {
        todo!()
    }
    pub async fn cases(&self) -> Result<Vec<CaseRow>> {
        todo!()
    }
    pub async fn case_mails(&self, case: &CaseId) -> Result<Vec<MailSummary>> {
        todo!()
    }
    pub async fn case_rows(&self, case: &CaseId) -> Result<Vec<Row>> {
        todo!()
    }
    pub async fn seen(&self, kind: SeenKind, digest: &Digest) -> Result<Option<SeenBefore>> {
        todo!()
    }
    // outbox
    pub async fn claim(
        &self,
        owner: &Owner,
        kinds: &[RowKind],
        now: Timestamp,
        lease: Duration,
        max_mails: usize,
    ) -> Result<Vec<Claim>> {
        todo!()
    }
    /// Rows that were lost meanwhile; leave those alone.
    pub async fn mark_sending(&self, owner: &Owner, claims: &[Claim], now: Timestamp) -> Result<Vec<RowId>> {
        todo!()
    }
    /// Makes the lease longer; rows that were lost meanwhile.
    pub async fn renew_lease(
        &self,
        owner: &Owner,
        claims: &[Claim],
        now: Timestamp,
        lease: Duration,
    ) -> Result<Vec<RowId>> {
        todo!()
    }
    /// Rows whose fate came too late.
    pub async fn settle_rows(&self, owner: &Owner, fates: &[Fate], now: Timestamp) -> Result<Vec<RowId>> {
        todo!()
    }
    pub async fn release_held(&self, because: HeldBecause<'_>, now: Timestamp) -> Result<u64> {
        todo!()
    }
    pub async fn drop_for_recipient(&self, recipient: &Digest, why: &str, now: Timestamp) -> Result<u64> {
        todo!()
    }
    pub async fn bring_forward(&self, mail: &MailId, kind: RowKind, now: Timestamp) -> Result<u64> {
        todo!()
    }
    /// Of this owner, or of all (a daemon that starts on SQLite).
    pub async fn free_leases(&self, owner: Option<&Owner>, now: Timestamp) -> Result<u64> {
        todo!()
    }
    pub async fn next_due(&self) -> Result<Option<Timestamp>> {
        todo!()
    }
    pub async fn work_left(&self) -> Result<Vec<WorkLeft>> {
        todo!()
    }
    pub async fn rows(&self, filter: &RowFilter) -> Result<Vec<Row>> {
        todo!()
    }
    pub async fn row(&self, id: &RowId) -> Result<Option<Row>> {
        todo!()
    }
    // roles
    pub async fn acquire_role(
        &self,
        name: &'static str,
        owner: &Owner,
        now: Timestamp,
        ttl: Duration,
    ) -> Result<Option<Fence>> {
        todo!()
    }
    pub async fn renew_role(
        &self,
        name: &'static str,
        owner: &Owner,
        fence: Fence,
        now: Timestamp,
        ttl: Duration,
    ) -> Result<bool> {
        todo!()
    }
    pub async fn release_role(&self, name: &'static str, owner: &Owner, fence: Fence) -> Result<()> {
        todo!()
    }
    // drafts
    pub async fn draft(&self, case: &CaseId) -> Result<Option<DraftRow>> {
        todo!()
    }
    pub async fn drafts_opened_since(&self, since: Timestamp) -> Result<u64> {
        todo!()
    }
    // audit
    pub async fn audit_entries(&self) -> Result<Vec<AuditEntry>> {
        todo!()
    }
    pub async fn verify_audit(&self, vault: &Vault) -> Result<AuditVerdict> {
        todo!()
    }
}

/// Dropping it undoes everything.
#[allow(unused_variables, clippy::todo)]
impl Tx {
    pub async fn new_case(&mut self, prefix: &str, year: i16) -> Result<u32> {
        todo!()
    }
    pub async fn insert_case(&mut self, case: &NewCase) -> Result<()> {
        todo!()
    }
    /// `at` becomes `first_answer` the first time the state is Waiting, `closed` when Closed.
    pub async fn set_case_state(&mut self, case: &CaseId, state: CaseState, at: Timestamp) -> Result<bool> {
        todo!()
    }
    pub async fn confirm_case(&mut self, case: &CaseId) -> Result<bool> {
        todo!()
    }
    pub async fn settle_mail(&mut self, settlement: &Settlement<'_>) -> Result<()> {
        todo!()
    }
    pub async fn remember_message_id(
        &mut self,
        digest: &Digest,
        case: &CaseId,
        mail: &MailId,
        kind: MessageKind,
    ) -> Result<()> {
        todo!()
    }
    pub async fn case_by_message_id(&mut self, digests: &[Digest]) -> Result<Option<KnownMessage>> {
        todo!()
    }
    /// Whether it was new.
    pub async fn enqueue(&mut self, row: &NewRow, now: Timestamp) -> Result<bool> {
        todo!()
    }
    pub async fn insert_draft(&mut self, draft: &NewDraft) -> Result<bool> {
        todo!()
    }
    pub async fn set_draft(
        &mut self,
        case: &CaseId,
        state: DraftState,
        link: Option<AtRest>,
        at: Timestamp,
    ) -> Result<bool> {
        todo!()
    }
    pub async fn remember(
        &mut self,
        kind: SeenKind,
        digest: &Digest,
        mail: Option<&MailId>,
        case: Option<&CaseId>,
        at: Timestamp,
    ) -> Result<Option<SeenBefore>> {
        todo!()
    }
    pub async fn count_recent(&mut self, kind: RowKind, recipient: Option<&Digest>, since: Timestamp) -> Result<u64> {
        todo!()
    }
    pub async fn retry_row(&mut self, id: &RowId, now: Timestamp) -> Result<bool> {
        todo!()
    }
    pub async fn drop_row(&mut self, id: &RowId, why: &str, now: Timestamp) -> Result<bool> {
        todo!()
    }
    /// Last in a transaction: it makes other writers of the log wait for the commit.
    pub async fn audit(&mut self, vault: &Vault, at: Timestamp, action: &'static str, subject: &str) -> Result<()> {
        todo!()
    }
    pub async fn commit(self) -> Result<()> {
        todo!()
    }
}

#[derive(Clone, Debug)]
pub enum Clock {
    Database,
    Offset(Duration),
    Fixed(std::sync::Arc<std::sync::atomic::AtomicI64>),
}

pub mod lock {
    //! The lock of the daemon's role.
    use super::StoreError;
    use std::path::Path;
    pub struct DaemonLock {}
    #[allow(unused_variables, clippy::todo)]
    impl DaemonLock {
        pub fn acquire(state_dir: &Path) -> Result<Self, LockError> {
            todo!()
        }
    }
    #[derive(Debug, thiserror::Error)]
    pub enum LockError {
        #[error("another `embargod run` already works on this store{}", pid.map(|pid| format!(" (process {pid})")).unwrap_or_default())]
        Held { pid: Option<u32> },
        #[error(transparent)]
        Store(#[from] StoreError),
    }
}
