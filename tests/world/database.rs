//! The database of a world.

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
            Self::Sqlite => Running { url: "sqlite://state/embargod.db".into() },
            Self::Postgres => Running { url: crate::postgres_database() },
        }
    }
}

/// A database that is there.
pub(crate) struct Running {
    pub(crate) url: String,
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
