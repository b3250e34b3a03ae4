//! The store: mails, cases, outbox and what must be remembered, on SQLite or PostgreSQL.
//!
//! Security: it takes ciphertext ([`AtRest`](crate::report::AtRest)), keyed digests, ids, fixed words and times, and nothing
//! else; no function here has a parameter that plaintext would fit in. Everything that belongs together is written in one
//! transaction, and what a frozen process writes late is rejected by a fencing number.
//!
//! The same SQL runs on both databases. SQLite has one writer at a time (`BEGIN IMMEDIATE`, so a transaction that reads before it
//! writes never fails half-way); on PostgreSQL (read committed) the few places that read, decide and write take an advisory
//! lock that ends with the transaction.

mod audit;
mod cases;
mod clock;
mod connect;
mod decode;
mod drafts;
mod error;
mod keys;
pub mod lock;
mod mails;
mod meta;
mod opening;
mod outbox;
mod queue;
mod roles;
mod rows;
mod schema;
mod seen;
mod words;

pub use clock::Clock;
pub use error::StoreError;
pub use rows::*;
pub use words::*;

use crate::config::Database;
use sqlx::{Any, AnyConnection, AnyPool, Connection as _, Transaction};
use std::sync::Arc;

/// What the store answers.
pub type Result<T> = std::result::Result<T, StoreError>;

/// What a database is opened for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// By the daemon: makes the database and brings its tables to this version.
    Migrate,
    /// By other commands: its tables must be of this version.
    Existing,
    /// Only to look: writes nothing and hardly waits for locks.
    ReadOnly,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Backend {
    Sqlite,
    Postgres,
}

/// An open store. A clone shares its connections.
#[derive(Clone)]
pub struct Store {
    pools: Arc<connect::Pools>,
    mode: Mode,
    clock: Clock,
}

/// A transaction: all of it is written by [`Tx::commit`], or nothing.
///
/// Dropping it undoes it. On SQLite it is the only one that can write, so it should be short.
pub struct Tx {
    inner: Transaction<'static, Any>,
    backend: Backend,
}

/// Decisions of which only one may be under way at a time.
#[derive(Clone, Copy)]
enum Turn {
    Keys = 1,
    Opening = 2,
    Claims = 3,
    Audit = 4,
}

impl Store {
    /// Opens the database.
    ///
    /// # Errors
    /// [`StoreError::Missing`] and [`StoreError::Schema`] say what to do; otherwise it cannot be reached or made.
    pub async fn open(database: &Database, mode: Mode) -> Result<Self> {
        let pools = connect::connect(database, mode).await?;
        // A connection of its own, since the pool would try again for long before it says what is wrong.
        let mut connection = pools.connect().await?;
        match mode {
            Mode::Migrate => schema::migrate(pools.backend, &mut connection).await?,
            Mode::Existing | Mode::ReadOnly => schema::check(pools.backend, &pools.place, &mut connection).await?,
        }
        connection.close().await?;
        Ok(Self { pools: Arc::new(pools), mode, clock: Clock::default() })
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when other writers do not make room for 10 s, [`StoreError::ReadOnly`] if the store was opened so.
    pub async fn begin(&self) -> Result<Tx> {
        if self.mode == Mode::ReadOnly {
            return Err(StoreError::ReadOnly);
        }
        let statement = match self.backend() {
            Backend::Sqlite => "BEGIN IMMEDIATE",
            Backend::Postgres => "BEGIN",
        };
        Ok(Tx { inner: self.pools.write.begin_with(statement).await?, backend: self.backend() })
    }

    /// Closes all connections, once those in use are given back.
    pub async fn close(&self) {
        self.pools.read.close().await;
        self.pools.write.close().await;
    }

    /// Whether several gateways may share this store.
    pub fn is_shared(&self) -> bool {
        self.backend() == Backend::Postgres
    }

    fn backend(&self) -> Backend {
        self.pools.backend
    }

    fn reader(&self) -> &AnyPool {
        &self.pools.read
    }
}

impl Tx {
    /// Makes it durable.
    ///
    /// # Errors
    /// After [`StoreError::Unreachable`] it is not known whether it happened.
    pub async fn commit(self) -> Result<()> {
        Ok(self.inner.commit().await?)
    }

    fn connection(&mut self) -> &mut AnyConnection {
        &mut self.inner
    }

    /// Waits for its turn, which lasts until the transaction ends. SQLite's transactions take turns anyway.
    async fn take_turn(&mut self, turn: Turn) -> Result<()> {
        /// The first half of the key, so that other programs' locks in the same database do not meet ours.
        const NAMESPACE: i64 = 0x656d_6272 << 32;
        if self.backend == Backend::Postgres {
            sqlx::query("SELECT pg_advisory_xact_lock($1)")
                .bind(NAMESPACE | turn as i64)
                .execute(self.connection())
                .await?;
        }
        Ok(())
    }
}

/// Does it again, a few times, when two transactions got in each other's way and the database undid this one.
macro_rules! again_on_conflict {
    ($attempt:expr) => {{
        let mut tries = 0;
        loop {
            match $attempt.await {
                Err(error) if error.is_conflict() && tries < 5 => tries += 1,
                result => break result,
            }
            $crate::store::stand_aside(tries).await;
        }
    }};
}
use again_on_conflict;

/// Waits for a moment that is not the same for two who got in each other's way.
async fn stand_aside(tries: u32) {
    let uneven = jiff::Timestamp::now().subsec_nanosecond().unsigned_abs() % 20;
    tokio::time::sleep(std::time::Duration::from_millis(u64::from(uneven + 10 * tries))).await;
}
