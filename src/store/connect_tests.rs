use super::*;

async fn setting(connection: &mut AnyConnection, name: &'static str) -> String {
    let row = sqlx::query(sqlx::AssertSqlSafe(format!("PRAGMA {name}"))).fetch_one(connection).await.unwrap();
    let number = sqlx::Row::try_get::<i64, _>(&row, 0);
    number.map_or_else(|_| sqlx::Row::get::<String, _>(&row, 0), |number| number.to_string())
}

#[tokio::test]
async fn a_commit_is_on_disk_and_what_is_deleted_is_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let database = Database::Sqlite(folder.path().join("new/embargod.db"));
    let pools = connect(&database, Mode::Migrate).await.unwrap();
    for mut writer in [pools.connect().await.unwrap(), pools.write.acquire().await.unwrap().detach()] {
        let expected = [
            ("journal_mode", "wal"),
            ("synchronous", "2"),
            ("busy_timeout", "10000"),
            ("foreign_keys", "1"),
            ("secure_delete", "1"),
            ("locking_mode", "normal"),
        ];
        for (name, value) in expected {
            assert_eq!(setting(&mut writer, name).await, value, "{name}");
        }
    }
    let mut reader = pools.read.acquire().await.unwrap();
    assert_eq!(setting(&mut reader, "query_only").await, "1");
    assert!(reader.execute("CREATE TABLE t (x TEXT)").await.is_err(), "readers cannot write");
}

#[test]
fn a_path_is_taken_as_it_is_whatever_characters_are_in_it() {
    let url = sqlite_url(Path::new("/a b/100%20?mode=memory#x.db"), "rw");
    assert_eq!(url, "sqlite:///a%20b/100%2520%3Fmode%3Dmemory%23x.db?mode=rw");
}

#[test]
fn an_error_of_the_database_keeps_its_kind_and_loses_its_text() {
    let secret = sqlx::Error::Configuration("postgres://gateway:hunter2@db".into());
    assert!(!format!("{:?}", StoreError::from(secret)).contains("hunter2"));
    let secret = sqlx::Error::Protocol("unexpected: heap overflow".into());
    assert!(!format!("{:?}", StoreError::from(secret)).contains("heap"));
}

#[tokio::test]
async fn a_store_that_cannot_be_looked_at_is_not_called_missing() {
    let folder = tempfile::tempdir().unwrap();
    let open = async |path: &str| connect(&Database::Sqlite(folder.path().join(path)), Mode::ReadOnly).await.err();
    assert!(matches!(open("no/embargod.db").await, Some(StoreError::Missing(_))));
    std::fs::write(folder.path().join("file"), "").unwrap();
    assert!(matches!(open("file/embargod.db").await, Some(StoreError::File { .. })));
}
