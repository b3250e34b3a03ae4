//! Connections: how each database is opened so that a commit is durable and readers never wait for writers.
//!
//! Security: the SQLite file is made with mode 0600 in a folder of mode 0700 before anything is written, and overwrites what it
//! deletes. A PostgreSQL URL may hold a password and is never quoted in an error.

use super::{Backend, Mode, Result, StoreError};
use crate::config::Database;
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::{AnyConnection, AnyPool, ConnectOptions, Connection, Executor};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

/// WAL with FULL: with NORMAL a power loss takes the last commits with it, and the mail is off the mailbox by then.
const SQLITE_WRITER: &str = "PRAGMA busy_timeout = 10000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
     PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY";
const SQLITE_READER: &str = "PRAGMA busy_timeout = 10000; PRAGMA query_only = ON; PRAGMA temp_store = MEMORY";
/// For commands that only look: a moment's patience, for a daemon that is just closing the file.
const SQLITE_ONLOOKER: &str = "PRAGMA busy_timeout = 200; PRAGMA query_only = ON; PRAGMA temp_store = MEMORY";

/// The isolation level is set because a server may default to another; a frozen gateway loses its locks after a minute; a
/// server that acknowledges commits before they are on disk is overruled.
const POSTGRES_WRITER: &str = "SET application_name = 'embargod'; SET default_transaction_isolation = 'read committed'; \
     SET lock_timeout = '10s'; SET idle_in_transaction_session_timeout = '60s'; \
     SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";
const POSTGRES_ONLOOKER: &str = "SET application_name = 'embargod'; SET default_transaction_read_only = on; \
     SET default_transaction_isolation = 'read committed'; SET lock_timeout = '200ms'";

pub(super) struct Pools {
    pub(super) backend: Backend,
    pub(super) write: AnyPool,
    pub(super) read: AnyPool,
    /// What is set on each writing connection.
    setup: &'static str,
    /// The database as an error may name it.
    pub(super) place: String,
}

impl Pools {
    /// A connection beside the pools, set up like the writers.
    pub(super) async fn connect(&self) -> Result<AnyConnection> {
        let options = self.write.connect_options();
        let connecting = tokio::time::timeout(Duration::from_secs(10), options.connect());
        let mut connection =
            connecting.await.map_err(|_| StoreError::Unreachable("no answer within 10 s".into()))??;
        connection.execute(sqlx::raw_sql(self.setup)).await?;
        Ok(connection)
    }
}

pub(super) async fn connect(database: &Database, mode: Mode) -> Result<Pools> {
    sqlx::any::install_default_drivers();
    match database {
        Database::Sqlite(path) => sqlite(path, mode).await,
        Database::Postgres(url) => postgres(url, mode).await,
    }
}

async fn sqlite(path: &Path, mode: Mode) -> Result<Pools> {
    let place = path.display().to_string();
    if mode == Mode::Migrate {
        make_file(path)?;
    } else {
        // A folder that this user may not look into is not a store that has yet to be made.
        match path.try_exists() {
            Ok(true) => {}
            Ok(false) => return Err(StoreError::Missing(place)),
            Err(error) => return Err(StoreError::File { path: path.to_owned(), why: error.kind().to_string() }),
        }
    }
    let (access, setup) = match mode {
        Mode::ReadOnly => ("ro", SQLITE_ONLOOKER),
        Mode::Existing | Mode::Migrate => ("rw", SQLITE_READER),
    };
    let read = pool(&sqlite_url(path, access), setup, 4)?;
    let (write, setup) = match mode {
        Mode::ReadOnly => (read.clone(), SQLITE_ONLOOKER),
        // One writer: SQLite has no more, and a second would only fail with "busy" instead of waiting in line.
        Mode::Existing | Mode::Migrate => {
            let options = pool_options(SQLITE_WRITER, 1)
                // When the disk is full, SQLite undoes a transaction by itself. sqlx does not see that, takes the connection
                // for one in a transaction from then on, and would refuse every other for ever.
                .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }));
            (options.connect_lazy_with(connect_options(&sqlite_url(path, "rw"))?), SQLITE_WRITER)
        }
    };
    Ok(Pools { backend: Backend::Sqlite, write, read, setup, place })
}

async fn postgres(url: &str, mode: Mode) -> Result<Pools> {
    let (setup, size) = match mode {
        Mode::ReadOnly => (POSTGRES_ONLOOKER, 2),
        Mode::Existing | Mode::Migrate => (POSTGRES_WRITER, 8),
    };
    let write = pool(url, setup, size)?;
    Ok(Pools { backend: Backend::Postgres, read: write.clone(), write, setup, place: "the PostgreSQL server".into() })
}

fn pool(url: &str, setup: &'static str, size: u32) -> Result<AnyPool> {
    Ok(pool_options(setup, size).connect_lazy_with(connect_options(url)?))
}

fn connect_options(url: &str) -> Result<AnyConnectOptions> {
    let options =
        AnyConnectOptions::from_str(url).map_err(|_| StoreError::Unreachable("the URL cannot be read".into()))?;
    Ok(options.disable_statement_logging())
}

fn pool_options(setup: &'static str, size: u32) -> AnyPoolOptions {
    AnyPoolOptions::new().max_connections(size).acquire_timeout(Duration::from_secs(15)).after_connect(
        move |connection: &mut AnyConnection, _| {
            Box::pin(async move { connection.execute(sqlx::raw_sql(setup)).await.map(drop) })
        },
    )
}

/// sqlx reads a path from a URL: whatever could be taken for something else is percent-encoded.
fn sqlite_url(path: &Path, access: &str) -> String {
    let mut url = String::from("sqlite://");
    for &byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
            url.push(char::from(byte));
        } else {
            url.push_str(&format!("%{byte:02X}"));
        }
    }
    url + "?mode=" + access
}

/// Makes the file, and its folder, for this user alone. SQLite gives its side files the same mode.
fn make_file(path: &Path) -> Result<()> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |error: std::io::Error| StoreError::File { path, why: error.to_string() }
    };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        make_folder(folder)?;
    }
    match fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(failed(path)(error)),
    }
}

/// Makes a folder of mode 0700, and those above it; one that exists is left as it is.
pub(super) fn make_folder(folder: &Path) -> Result<()> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|error| StoreError::File { path: folder.to_owned(), why: error.to_string() })
}

#[cfg(test)]
#[path = "connect_tests.rs"]
mod tests;
