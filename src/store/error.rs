//! What can go wrong with the store.
//!
//! Security: an error holds codes, names of constraints and file paths, never a value: databases like to quote the row they
//! refused.

use std::path::PathBuf;

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Another process or gateway holds a lock for too long, or two got in each other's way. Trying again is right.
    #[error("the database is busy ({0}); try again")]
    Busy(String),
    /// No room left.
    #[error("the database's disk is full; make room, nothing that was stored is lost")]
    Full,
    /// The file, the disk or the server does not take writes.
    #[error(
        "the database does not take writes; check the permissions of the file and its folder, or whether the server is a standby"
    )]
    ReadOnly,
    /// It cannot be reached or opened, or the connection broke. A commit that ends so may or may not have happened.
    #[error("the database cannot be reached: {0}; check [store] url, and that the server runs")]
    Unreachable(String),
    /// Somebody else has taken the work over meanwhile: what was to be written is void.
    #[error("another gateway has taken this work over")]
    Fenced,
    /// There is no database yet.
    #[error("there is no store at {0} yet; `embargod run` makes it")]
    Missing(String),
    /// The tables are of another version of embargod.
    #[error("the store has schema {found}, this embargod wants {wanted}; {}", if found < wanted { "start `embargod run` of this version once, it migrates" } else { "use the newer embargod that made it" })]
    Schema { found: i64, wanted: i64 },
    /// A file or folder of the store cannot be made or opened.
    #[error("{path}: {why}", path = path.display())]
    File { path: PathBuf, why: String },
    /// Something that is not an id, a word or a time was to be written. A fault in embargod.
    #[error("refused to store a value that is not an id; please report this")]
    NotAnId,
    /// What the store holds cannot be understood: another version wrote it, or it was changed by hand.
    #[error("the store holds something unexpected in {0}")]
    Unexpected(&'static str),
    /// Any other error of the database, as its code and the name of the constraint.
    #[error("the database refused: {0}")]
    Database(String),
    /// The audit log could not be continued.
    #[error(transparent)]
    Vault(#[from] crate::report::VaultError),
}
