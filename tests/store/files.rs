//! Opening: files and their modes, other commands beside the daemon, crashes, and what the database holds.

use crate::databases::{Empty, both};
use crate::world::*;
use embargod::config::Database;
use embargod::report::*;
use embargod::store::lock::{DaemonLock, LockError};
use embargod::store::*;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

#[tokio::test]
async fn the_sqlite_files_and_their_folder_are_this_users_alone() {
    let [empty, _] = both().await;
    let file = empty.file().unwrap();
    let store = Store::open(&empty.database, Mode::Migrate).await.unwrap();
    opened_mail(&store, &vault()).await;
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let folder = file.parent().unwrap();
    assert_eq!(mode(folder), 0o700);
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(files.contains(file) && files.len() >= 2, "{files:?}: the database and its log");
    for file in files {
        assert_eq!(mode(&file), 0o600, "{}", file.display());
    }
}

#[tokio::test]
async fn only_the_daemon_makes_and_migrates_a_store() {
    for empty in both().await {
        for mode in [Mode::Existing, Mode::ReadOnly] {
            let refused = Store::open(&empty.database, mode).await.err().unwrap();
            assert!(matches!(refused, StoreError::Missing(_)), "{}: {refused}", empty.name);
            assert!(refused.to_string().contains("embargod run"));
        }
        assert!(empty.file().is_none_or(|file| !file.exists()), "looking makes no file");
        Store::open(&empty.database, Mode::Migrate).await.unwrap().close().await;
        for mode in [Mode::Existing, Mode::ReadOnly, Mode::Migrate] {
            Store::open(&empty.database, mode).await.unwrap().close().await;
        }
    }
}

#[tokio::test]
async fn an_onlooker_reads_at_once_while_a_writer_is_busy_and_writes_nothing() {
    for empty in both().await {
        let daemon = Store::open(&empty.database, Mode::Migrate).await.unwrap();
        let vault = vault();
        let mail = opened_mail(&daemon, &vault).await;
        let mut busy = daemon.begin().await.unwrap();
        let now = daemon.now().await.unwrap();
        busy.enqueue(&row(&vault, &mail, RowKind::Draft, None, now), now).await.unwrap();

        let start = Instant::now();
        let onlooker = Store::open(&empty.database, Mode::ReadOnly).await.unwrap();
        assert!(onlooker.rows(&RowFilter::default()).await.unwrap().is_empty(), "what is not committed is not seen");
        assert_eq!(onlooker.mail(&mail).await.unwrap().unwrap().state, MailState::Opened);
        assert!(daemon.work_left().await.unwrap().is_empty(), "the daemon's own readers do not wait either");
        assert!(start.elapsed() < Duration::from_secs(3), "{}", empty.name);
        assert!(matches!(onlooker.begin().await.err(), Some(StoreError::ReadOnly)));

        // Another command that writes waits for its turn and gets it.
        let other = Store::open(&empty.database, Mode::Existing).await.unwrap();
        let arrival = arrived(&vault, &new_mail_id(&vault), b"another", now);
        let waiting = tokio::spawn(async move { other.take_in(&[arrival]).await });
        tokio::time::sleep(Duration::from_millis(100)).await;
        busy.commit().await.unwrap();
        assert_eq!(waiting.await.unwrap().unwrap(), [Taken::New]);
        assert_eq!(onlooker.rows(&RowFilter::default()).await.unwrap().len(), 1);
    }
}

#[tokio::test]
async fn a_second_daemon_is_refused_while_other_commands_work() {
    let [empty, _] = both().await;
    let state = empty.folder.path().join("new/state");
    let held = DaemonLock::acquire(&state).unwrap();
    let store = Store::open(&empty.database, Mode::Migrate).await.unwrap();
    let refused = DaemonLock::acquire(&state).unwrap_err();
    assert!(matches!(refused, LockError::Held { pid: Some(pid) } if pid == std::process::id()), "{refused}");
    assert!(refused.to_string().contains(&std::process::id().to_string()));
    let command = Store::open(&empty.database, Mode::Existing).await.unwrap();
    opened_mail(&command, &vault()).await;
    assert_eq!(store.mails_waiting().await.unwrap().count, 0);
    drop(held);
    DaemonLock::acquire(&state).expect("the role is free again");
}

const CHILD: &str = "EMBARGOD_TEST_CHILD_DATABASE";

/// The process that gets killed; it runs only when another test starts it.
#[tokio::test]
async fn child_that_waits_to_be_killed_in_the_middle_of_a_transaction() {
    let Ok(url) = std::env::var(CHILD) else { return };
    let database = match url.strip_prefix("file:") {
        Some(path) => Database::Sqlite(path.into()),
        None => Database::Postgres(url),
    };
    let store = Store::open(&database, Mode::Existing).await.unwrap();
    let (vault, now) = (vault(), store.now().await.unwrap());
    let mail = opened_mail(&store, &vault).await;
    let mut tx = store.begin().await.unwrap();
    let case = CaseId::new("KATA", 2026, tx.new_case("KATA", 2026).await.unwrap());
    tx.insert_case(&new_case(&vault, &case, now)).await.unwrap();
    tx.enqueue(&row(&vault, &mail, RowKind::Draft, None, now), now).await.unwrap();
    tx.audit(&vault, now, "case-opened", &case.to_string()).await.unwrap();
    println!("in the middle");
    tokio::time::sleep(Duration::from_secs(60)).await;
}

#[tokio::test]
async fn a_process_killed_in_the_middle_of_a_transaction_leaves_nothing_of_it() {
    use std::io::{BufRead, BufReader};
    for empty in both().await {
        Store::open(&empty.database, Mode::Migrate).await.unwrap().close().await;
        let url = match &empty.database {
            Database::Sqlite(path) => format!("file:{}", path.display()),
            Database::Postgres(url) => url.clone(),
        };
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "files::child_that_waits_to_be_killed_in_the_middle_of_a_transaction", "--nocapture"])
            .env(CHILD, url)
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let reached = lines.map_while(std::result::Result::ok).any(|line| line.contains("in the middle"));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(reached, "{}: the child did not get so far", empty.name);

        let looked = Store::open(&empty.database, Mode::ReadOnly).await.unwrap();
        assert!(looked.cases().await.unwrap().is_empty(), "{}: an onlooker after the crash", empty.name);
        let store = Store::open(&empty.database, Mode::Migrate).await.unwrap();
        assert!(store.rows(&RowFilter::default()).await.unwrap().is_empty());
        assert!(store.audit_entries().await.unwrap().is_empty());
        assert_eq!(store.mails_waiting().await.unwrap().count, 0, "what was committed before is there");
        let mut tx = store.begin().await.unwrap();
        assert_eq!(tx.new_case("KATA", 2026).await.unwrap(), 1, "the number is free again");
        tx.commit().await.unwrap();
    }
}

#[tokio::test]
async fn nothing_readable_of_a_report_lies_in_the_sqlite_files() {
    let [empty, _] = both().await;
    let store = Store::open(&empty.database, Mode::Migrate).await.unwrap();
    let (vault, now) = (vault(), store.now().await.unwrap());
    let mail = new_mail_id(&vault);
    store.take_in(&[arrived(&vault, &mail, b"heap overflow by eve@example.net", now)]).await.unwrap();
    let handed = store.begin_opening(1, u64::MAX).await.unwrap().remove(0);
    let mut tx = store.begin().await.unwrap();
    let case = CaseId::new("KATA", 2026, tx.new_case("KATA", 2026).await.unwrap());
    tx.insert_case(&new_case(&vault, &case, now)).await.unwrap();
    tx.settle_mail(&opened(&vault, &handed, Some(&case))).await.unwrap();
    tx.commit().await.unwrap();
    let on_disk = |folder: &std::path::Path| {
        std::fs::read_dir(folder)
            .unwrap()
            .flat_map(|entry| std::fs::read(entry.unwrap().path()).unwrap())
            .collect::<Vec<u8>>()
    };
    let bytes = on_disk(empty.file().unwrap().parent().unwrap());
    let holds = |text: &[u8]| bytes.windows(text.len()).any(|window| window == text);
    assert!(holds(b"KATA-2026-0001"), "the search works");
    for secret in [&b"heap"[..], b"overflow", b"eve@example.net", b"example.net"] {
        assert!(!holds(secret), "{:?} lies in the file", String::from_utf8_lossy(secret));
    }
}

#[tokio::test]
async fn what_cannot_be_reached_is_said_so_without_the_password() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("postgres://gateway:hunter2@127.0.0.1:{port}/embargod");
    let start = Instant::now();
    let refused = Store::open(&Database::Postgres(url), Mode::Migrate).await.err().unwrap();
    assert!(matches!(refused, StoreError::Unreachable(_)), "{refused}");
    assert!(start.elapsed() < Duration::from_secs(12));
    assert!(!format!("{refused} {refused:?}").contains("hunter2"));

    let [empty, postgres] = both().await;
    let file = empty.folder.path().join("no.db");
    std::fs::write(&file, "this is no database, but it is long enough to be looked at".repeat(20)).unwrap();
    let refused = Store::open(&Database::Sqlite(file), Mode::Migrate).await.err().unwrap();
    assert!(matches!(refused, StoreError::Database(_)), "{refused}");
    let Empty { database: Database::Postgres(url), .. } = &postgres else { panic!("it is PostgreSQL") };
    let other = Database::Postgres(url.replace("/test_", "/missing_"));
    let refused = Store::open(&other, Mode::Migrate).await.err().unwrap();
    assert!(refused.to_string().contains("no database of this name"), "{refused}");
}
