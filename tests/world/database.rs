//! The database of a world.

use crate::postgres::Postgres;
use sqlx::{AnyConnection, Connection, Executor};
use std::path::Path;
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
    /// Runs statements on it, with a connection of its own.
    pub(crate) fn execute(&self, etc: &Path, statements: &str) {
        self.with_connection(etc, |runtime, connection| {
            runtime.block_on(connection.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(statements)))).unwrap();
        });
    }

    /// Does something while a transaction with this statement is open.
    pub(crate) fn hold<T>(&self, etc: &Path, statement: &str, then: impl FnOnce() -> T) -> T {
        self.with_connection(etc, |runtime, connection| {
            let begin = format!("BEGIN; {statement}");
            runtime.block_on(connection.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(begin)))).unwrap();
            then()
        })
    }

    fn with_connection<T>(
        &self,
        etc: &Path,
        work: impl FnOnce(&tokio::runtime::Runtime, &mut AnyConnection) -> T,
    ) -> T {
        sqlx::any::install_default_drivers();
        // The gateway's own path is relative to its configuration.
        let url = match self.url.strip_prefix("sqlite://") {
            Some(path) => format!("sqlite://{}", etc.join(path).display()),
            None => self.url.clone(),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let mut connection = runtime.block_on(AnyConnection::connect(&url)).unwrap();
        let result = work(&runtime, &mut connection);
        runtime.block_on(connection.close()).unwrap();
        result
    }

    /// Everything in it as the server gives it out; nothing for SQLite, whose files are searched themselves.
    pub(crate) fn dump(&self) -> Vec<u8> {
        if self.url.starts_with("sqlite:") {
            return Vec::new();
        }
        // Inserts keep each value on its own line; binary values come as hex, which the search knows.
        super::process::must(std::process::Command::new("pg_dump").args(["--inserts", "--dbname", &self.url]), b"")
    }
}
