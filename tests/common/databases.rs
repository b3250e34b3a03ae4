//! Both databases, for tests that must hold on either.

use super::postgres::Postgres;
use embargod::config::Database;
use std::path::PathBuf;
use std::sync::Arc;

/// An empty database; it is gone when this value is.
pub struct Empty {
    pub name: &'static str,
    pub database: Database,
    /// A folder of its own.
    pub folder: tempfile::TempDir,
    _server: Option<Arc<Postgres>>,
}

impl Empty {
    /// The SQLite file, if it is one.
    pub fn file(&self) -> Option<&PathBuf> {
        match &self.database {
            Database::Sqlite(path) => Some(path),
            Database::Postgres(_) => None,
        }
    }

    /// As sqlx takes it, for looking at the tables behind the store's back.
    pub fn url(&self) -> String {
        match &self.database {
            Database::Sqlite(path) => {
                let path = path.display().to_string();
                format!(
                    "sqlite://{}",
                    path.replace('%', "%25").replace(' ', "%20").replace('?', "%3F").replace('#', "%23")
                )
            }
            Database::Postgres(url) => url.clone(),
        }
    }
}

/// A SQLite file that is not there yet, in a folder that is not there yet, and a PostgreSQL database without tables.
pub async fn both() -> [Empty; 2] {
    let folder = || tempfile::Builder::new().prefix("embargod-store-").tempdir().unwrap();
    let (first, second) = (folder(), folder());
    // A name that a careless URL would stumble over.
    let file = first.path().join("state of 100%/embargod?#.db");
    let server = Postgres::shared();
    let url = server.database().await;
    [
        Empty { name: "SQLite", database: Database::Sqlite(file), folder: first, _server: None },
        Empty { name: "PostgreSQL", database: Database::Postgres(url), folder: second, _server: Some(server) },
    ]
}
