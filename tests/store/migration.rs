//! Each migration, run on a database that has rows in it.
//!
//! For each schema `NNNN` there is `tests/fixtures/store/NNNN.sql`: rows that could have been written by the embargod of that
//! schema. A file is written once, when the schema is new, and stays. `HEX'…'` stands for octets, which the two databases write
//! differently. The fixtures are put in one after another, each between its own migration and the next.

use crate::databases::{Empty, both};
use embargod::report::*;
use embargod::store::*;
use sqlx::migrate::Migrator;
use sqlx::{AnyConnection, AssertSqlSafe, Connection, Executor};
use std::path::Path;

/// The database as the embargod of this schema left it, with rows.
async fn as_left_by(empty: &Empty, schema: i64) {
    if let Some(file) = empty.file() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::File::create(file).unwrap();
    }
    sqlx::any::install_default_drivers();
    let migrator = Migrator::new(Path::new("migrations")).await.unwrap();
    let mut connection = AnyConnection::connect(&empty.url()).await.unwrap();
    for version in migrator.iter().map(|migration| migration.version).filter(|version| *version <= schema) {
        migrator.run_to(version, &mut connection).await.unwrap();
        let fixture = format!("tests/fixtures/store/{version:04}.sql");
        let sql = std::fs::read_to_string(&fixture).unwrap_or_else(|_| panic!("{fixture} is missing"));
        let sql = match empty.file() {
            Some(_) => sql.replace("HEX'", "X'"),
            None => sql.replace("HEX'", "'\\x"),
        };
        connection.execute(AssertSqlSafe(sql)).await.unwrap();
    }
    connection.close().await.unwrap();
}

async fn newest() -> i64 {
    Migrator::new(Path::new("migrations")).await.unwrap().iter().map(|migration| migration.version).max().unwrap()
}

#[tokio::test]
async fn every_older_store_with_rows_in_it_is_migrated_and_loses_nothing() {
    for schema in 1..=newest().await {
        for empty in both().await {
            as_left_by(&empty, schema).await;
            let store = Store::open(&empty.database, Mode::Migrate).await.unwrap();
            let cases = store.cases().await.unwrap();
            assert_eq!(
                cases.iter().map(|case| case.id.to_string()).collect::<Vec<_>>(),
                ["KATA-2026-0001", "KATA-2026-0002"]
            );
            assert!(cases[0].contact == Some(AtRest::from_store(vec![0, 1, 0xfe, 0xff])), "{}", empty.name);
            assert_eq!(cases[1].state, CaseState::Closed);
            let mails = store.case_mails(&cases[0].id).await.unwrap();
            assert_eq!(mails.len(), 1);
            assert!(store.mail(&mails[0].id).await.unwrap().unwrap().content.is_some());
            assert_eq!(store.mails_waiting().await.unwrap().count, 1);
            assert_eq!(store.wrappings().await.unwrap()[0].1, [0xc0, 0xff, 0xee]);
            assert!(store.known_source(&Digest::from_store("source-1".into())).await.unwrap());
            let states: Vec<_> = store.rows(&RowFilter::default()).await.unwrap().iter().map(|row| row.state).collect();
            assert_eq!(states, [RowState::Sent, RowState::Sending, RowState::Held]);
            assert_eq!(store.draft(&cases[0].id).await.unwrap().unwrap().state, DraftState::Opened);
            assert!(store.seen(SeenKind::Payload, &Digest::from_store("payload-1".into())).await.unwrap().is_some());
            let known = store.case_by_message_id(&[Digest::from_store("message-1".into())]).await.unwrap();
            assert_eq!(known.map(|known| known.case.to_string()).as_deref(), Some("KATA-2026-0001"));
            assert_eq!(store.audit_entries().await.unwrap().len(), 1);
            let mut tx = store.begin().await.unwrap();
            assert_eq!(tx.new_case("KATA", 2026).await.unwrap(), 3, "the numbers go on");
            drop(tx);
            store.close().await;
        }
    }
}

#[tokio::test]
async fn a_store_of_a_newer_or_an_older_embargod_is_refused_with_what_to_do() {
    let newest = newest().await;
    for empty in both().await {
        Store::open(&empty.database, Mode::Migrate).await.unwrap().close().await;
        behind_its_back(
            &empty,
            format!("UPDATE _sqlx_migrations SET version = {} WHERE version = {newest}", newest + 1),
        )
        .await;
        for mode in [Mode::Migrate, Mode::Existing, Mode::ReadOnly] {
            let refused = Store::open(&empty.database, mode).await.err().unwrap();
            assert!(matches!(refused, StoreError::Schema { found, wanted } if found == newest + 1 && wanted == newest));
            assert!(refused.to_string().contains("newer embargod"), "{}: {refused}", empty.name);
        }
        let older = StoreError::Schema { found: newest - 1, wanted: newest };
        assert!(older.to_string().contains("embargod run"), "{older}");
    }
}

#[tokio::test]
async fn a_migration_that_was_changed_after_its_release_is_refused() {
    for empty in both().await {
        Store::open(&empty.database, Mode::Migrate).await.unwrap().close().await;
        let sql = match empty.file() {
            Some(_) => "UPDATE _sqlx_migrations SET checksum = X'00'",
            None => "UPDATE _sqlx_migrations SET checksum = '\\x00'",
        };
        behind_its_back(&empty, sql.to_owned()).await;
        let refused = Store::open(&empty.database, Mode::Migrate).await.err().unwrap();
        assert!(refused.to_string().contains("changed after"), "{}: {refused}", empty.name);
    }
}

async fn behind_its_back(empty: &Empty, sql: String) {
    let mut connection = AnyConnection::connect(&empty.url()).await.unwrap();
    connection.execute(AssertSqlSafe(sql)).await.unwrap();
    connection.close().await.unwrap();
}
