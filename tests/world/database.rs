//! The database of a world.

use crate::postgres::Postgres;
use std::sync::Arc;

/// Which one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Database {
    #[default]
    Sqlite,
    Postgres,
}

impl Database {
    /// Both, for tests that run on each.
    pub const BOTH: [Self; 2] = [Self::Sqlite, Self::Postgres];

    pub(crate) fn start(self) -> Running {
        match self {
            Self::Sqlite => Running { url: "sqlite://state/embargod.db".into(), _server: None },
            Self::Postgres => {
                let server = Postgres::shared();
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                Running { url: runtime.block_on(server.database()), _server: Some(server) }
            }
        }
    }
}

/// A database that is there.
pub(crate) struct Running {
    pub(crate) url: String,
    /// It ends with the last world that uses it.
    _server: Option<Arc<Postgres>>,
}

impl Running {
    /// Everything in it as the server gives it out; nothing for SQLite, whose files are searched themselves.
    pub(crate) fn dump(&self) -> Vec<u8> {
        if self.url.starts_with("sqlite:") {
            return Vec::new();
        }
        // Inserts keep each value on its own line; binary values come as hex, which the search knows.
        super::process::must(std::process::Command::new("pg_dump").args(["--inserts", "--dbname", &self.url]), b"")
    }
}
