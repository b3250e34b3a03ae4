//! A private PostgreSQL for tests: on a free loopback port, in a temporary folder, gone when the test is.
//!
//! Security: it listens on the loopback address only and trusts everybody there; nothing but test data is in it.

use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

/// A running server. Dropping it stops it; if the test process is killed, the guard process stops it.
pub struct Postgres {
    guard: Child,
    port: u16,
    folder: PathBuf,
}

/// `$0` postgres, `$1` data folder, `$2` port, `$3` the folder of all. It ends the server, by its id, and takes the folder
/// away when its standard input is closed, that is when whoever started it is gone, however that came.
const GUARD: &str = r#"
"$0" -D "$1" -p "$2" -k "$3" -c listen_addresses=127.0.0.1 -c fsync=off -c max_connections=200 \
    -c deadlock_timeout=200ms -c shared_buffers=32MB >"$3/log" 2>&1 </dev/null &
server=$!
cat >/dev/null
kill -QUIT $server
wait $server
rm -rf "$3"
"#;

impl Postgres {
    /// The server that the running tests of this process share; it ends with the last of them.
    pub fn shared() -> Arc<Self> {
        static SHARED: Mutex<Weak<Postgres>> = Mutex::new(Weak::new());
        let mut shared = SHARED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        shared.upgrade().unwrap_or_else(|| {
            let server = Arc::new(Self::start());
            *shared = Arc::downgrade(&server);
            server
        })
    }

    /// Starts a server of its own.
    pub fn start() -> Self {
        // Somebody else may take the port between the look and the start.
        let mut log = String::new();
        for _ in 0..3 {
            let server = Self::launch();
            if server.answers() {
                return server;
            }
            log = std::fs::read_to_string(server.folder.join("log")).unwrap_or_default();
        }
        panic!("PostgreSQL does not start: {log}");
    }

    fn launch() -> Self {
        let bin = bin();
        // Not below TMPDIR: the server runs as another user, who may neither reach nor clear away a folder in there.
        let folder = tempfile::Builder::new().prefix("embargod-postgres-").tempdir_in("/tmp").unwrap().keep();
        std::fs::set_permissions(&folder, std::fs::Permissions::from_mode(0o700)).unwrap();
        // Whose it is, for `.ci/test`, which looks for what was left behind.
        std::fs::write(folder.join("tmpdir"), format!("{}\n", std::env::temp_dir().display())).unwrap();
        if let Some((user, group)) = other_user() {
            std::os::unix::fs::chown(&folder, Some(user), Some(group)).unwrap();
        }
        let data = folder.join("data");
        let made = as_server(&bin.join("initdb"))
            .args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync", "-D"])
            .arg(&data)
            .current_dir(&folder)
            .output()
            .unwrap();
        assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let guard = as_server(Path::new("/bin/sh"))
            .args(["-c", GUARD])
            .arg(bin.join("postgres"))
            .arg(&data)
            .arg(port.to_string())
            .arg(&folder)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self { guard, port, folder }
    }

    fn answers(&self) -> bool {
        let (start, ready, port) = (Instant::now(), bin().join("pg_isready"), self.port.to_string());
        while start.elapsed() < Duration::from_secs(30) {
            // Another server may have taken the port: it is ours only if our own has made its file.
            let ours = self.folder.join(format!(".s.PGSQL.{port}")).exists();
            let ready = Command::new(&ready).args(["-q", "-h", "127.0.0.1", "-p", &port]).status().unwrap();
            if ours && ready.success() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(30));
        }
        false
    }

    /// Makes an empty database and returns its URL.
    pub async fn database(&self) -> String {
        use sqlx::{ConnectOptions, Connection, Executor};
        static NUMBER: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(1);
        let name = format!("test_{}", NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        let url = format!("postgres://postgres@127.0.0.1:{}", self.port);
        let options: sqlx::postgres::PgConnectOptions = format!("{url}/postgres").parse().unwrap();
        let mut connection = options.connect().await.unwrap();
        connection.execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
        connection.close().await.unwrap();
        format!("{url}/{name}")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// Where the server's programs are: the newest version's.
fn bin() -> PathBuf {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .expect("PostgreSQL is installed (Debian: postgresql)")
        .map(|entry| entry.unwrap().path().join("bin"))
        .filter(|bin| bin.join("postgres").exists())
        .collect();
    found.sort();
    found.pop().expect("PostgreSQL is installed (Debian: postgresql)")
}

/// PostgreSQL does not run as root: the user `postgres` does it then.
fn other_user() -> Option<(u32, u32)> {
    let root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    root.then(|| (id("-u"), id("-g")))
}

fn id(which: &str) -> u32 {
    let output = Command::new("id").args([which, "postgres"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().parse().expect("there is a user postgres")
}

fn as_server(program: &Path) -> Command {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new(program);
    if let Some((user, group)) = other_user() {
        command.uid(user).gid(group);
    }
    command
}
