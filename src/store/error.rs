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
    /// Without a wrapped key nothing in the store could ever be opened again.
    #[error("refused to leave the store without a wrapped store key; configure a gateway key that can be encrypted to")]
    NoWrapping,
    /// Any other error of the database, as its code and the name of the constraint.
    #[error("the database refused: {0}")]
    Database(String),
    /// The audit log could not be continued.
    #[error(transparent)]
    Vault(#[from] crate::report::VaultError),
}

impl StoreError {
    /// Two transactions got in each other's way and one was undone: to be done again at once.
    pub(super) fn is_conflict(&self) -> bool {
        matches!(self, Self::Busy(code) if code == "40001" || code == "40P01")
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(error) => {
                let code = error.code().unwrap_or_default().into_owned();
                match code.parse::<u32>() {
                    // PostgreSQL's codes have five characters, SQLite's (extended) ones have at most four digits.
                    Ok(number) if code.len() < 5 => sqlite_error(number),
                    _ => postgres_error(code, error.constraint()),
                }
            }
            sqlx::Error::PoolTimedOut => Self::Unreachable("no connection came about within 15 s".into()),
            sqlx::Error::Io(error) => Self::Unreachable(error.kind().to_string()),
            sqlx::Error::Tls(_) => Self::Unreachable("no TLS connection".into()),
            sqlx::Error::Configuration(_) => Self::Unreachable("the URL cannot be read".into()),
            sqlx::Error::PoolClosed => Self::Unreachable("it was closed".into()),
            sqlx::Error::WorkerCrashed | sqlx::Error::Protocol(_) | sqlx::Error::BeginFailed => {
                Self::Unreachable("the connection broke".into())
            }
            sqlx::Error::RowNotFound => Self::Unexpected("a query's result"),
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::ColumnNotFound(_) => {
                Self::Unexpected("a column")
            }
            // The text of other errors is not trusted to be free of values.
            _ => Self::Database("an error of the database library".into()),
        }
    }
}

/// <https://www.sqlite.org/rescode.html>; the low octet is the primary code.
fn sqlite_error(code: u32) -> StoreError {
    match code & 0xff {
        5 | 6 => StoreError::Busy(format!("SQLite code {code}")),
        8 => StoreError::ReadOnly,
        10 => StoreError::Unreachable(format!("the disk is full or failed, SQLite code {code}")),
        13 => StoreError::Full,
        14 => StoreError::Unreachable(format!("the file cannot be opened, SQLite code {code}")),
        11 | 26 => StoreError::Database(format!("the file is damaged or no database, SQLite code {code}")),
        _ => StoreError::Database(format!("SQLite code {code}")),
    }
}

/// PostgreSQL, appendix A of its documentation: error codes.
fn postgres_error(code: String, constraint: Option<&str>) -> StoreError {
    match code.as_str() {
        "40001" | "40P01" | "55P03" | "57014" => StoreError::Busy(code),
        "53100" => StoreError::Full,
        "25006" => StoreError::ReadOnly,
        "3D000" => StoreError::Unreachable("the server has no database of this name".into()),
        "28000" | "28P01" => StoreError::Unreachable("the server refused user or password".into()),
        "53300" => StoreError::Unreachable("the server has no connection left".into()),
        _ if code.starts_with("08") || code.starts_with("57P") || code == "25P03" => {
            StoreError::Unreachable(format!("code {code}"))
        }
        _ => match constraint {
            Some(constraint) => StoreError::Database(format!("code {code}, constraint {constraint}")),
            None => StoreError::Database(format!("code {code}")),
        },
    }
}
