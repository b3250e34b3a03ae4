//! The tables' version: the migrations, and the check that a database fits this build.
//!
//! Security: only the daemon migrates, so that a command of another version, run beside it, never changes the tables under it.

use super::{Backend, Result, StoreError};
use sqlx::migrate::{MigrateError, Migration, MigrationType, Migrator};
use sqlx::{AnyConnection, SqlSafeStr};

/// Number, name and SQL of each file in `migrations/`, in order. Files are never changed once released; the database holds
/// a checksum of each.
const MIGRATIONS: &[(i64, &str, &str)] = &[(1, "store", include_str!("../../migrations/0001_store.sql"))];

/// The schema that this build works with.
pub(super) fn wanted() -> i64 {
    MIGRATIONS.last().map_or(0, |(version, ..)| *version)
}

/// Refuses a database that has no tables, or those of another version.
pub(super) async fn check(backend: Backend, place: &str, connection: &mut AnyConnection) -> Result<()> {
    match found(backend, connection).await? {
        0 => Err(StoreError::Missing(place.to_owned())),
        found if found == wanted() => Ok(()),
        found => Err(StoreError::Schema { found, wanted: wanted() }),
    }
}

/// Brings the tables to this build's version.
pub(super) async fn migrate(backend: Backend, connection: &mut AnyConnection) -> Result<()> {
    let found = found(backend, connection).await?;
    if found > wanted() {
        return Err(StoreError::Schema { found, wanted: wanted() });
    }
    let migrations = MIGRATIONS.iter().map(|(version, name, sql)| {
        Migration::new(*version, (*name).into(), MigrationType::Simple, sql.into_sql_str(), false)
    });
    let migrator = Migrator::with_migrations(migrations.collect());
    migrator.run(connection).await.map_err(|error| match error {
        MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => error.into(),
        MigrateError::VersionMissing(found) => StoreError::Schema { found, wanted: wanted() },
        MigrateError::VersionMismatch(version) => StoreError::Database(format!(
            "migration {version} was changed after it had been applied; the database is of a build that was never released"
        )),
        MigrateError::Dirty(version) => StoreError::Database(format!("migration {version} was interrupted")),
        _ => StoreError::Database("the migration failed".into()),
    })
}

/// The version of the database's tables; 0 if it has none.
async fn found(backend: Backend, connection: &mut AnyConnection) -> Result<i64> {
    let catalogue = match backend {
        Backend::Sqlite => "SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = '_sqlx_migrations'",
        Backend::Postgres => {
            "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = '_sqlx_migrations'"
        }
    };
    let tables: i64 = sqlx::query_scalar(catalogue).fetch_one(&mut *connection).await?;
    if tables == 0 {
        return Ok(0);
    }
    let version: Option<i64> =
        sqlx::query_scalar("SELECT MAX(version) FROM _sqlx_migrations WHERE success").fetch_one(connection).await?;
    Ok(version.unwrap_or(0))
}
