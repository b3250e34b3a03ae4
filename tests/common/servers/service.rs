//! A server process with all its children, and the folder it works in; both are gone when the test is, however that came.
//!
//! Security: processes are ended by their ids and by the process group they were started in, never by name.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// `$1` a log file, then the server's command line. It ends the server when its standard input is closed, that is when whoever
/// started it is gone; `kill` on its input makes it sudden. A server may have made itself a process group of its own or have
/// stayed in ours: both are emptied, the shell included.
const KEEPER: &str = r#"
log=$1
shift
"$@" >>"$log" 2>&1 </dev/null &
server=$!
echo $server
read -r how
if [ "$how" != kill ]; then
    kill -TERM $server 2>/dev/null
    rounds=0
    while kill -0 $server 2>/dev/null && [ $rounds -lt 40 ]; do
        # Its own children may hold the end up.
        sleep 0.05
        rounds=$((rounds + 1))
    done
fi
kill -KILL -$server 2>/dev/null
kill -KILL 0
"#;

/// A server that runs.
pub struct Service {
    keeper: Child,
    pid: u32,
}

impl Service {
    /// Starts a command that stays in the foreground.
    pub fn start(command: &[&str], log: &Path) -> Self {
        let mut keeper = Command::new("/bin/sh")
            .args(["-c", KEEPER, "keeper"])
            .arg(log)
            .args(command)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .current_dir("/")
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(keeper.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { keeper, pid: line.trim().parse().unwrap() }
    }

    /// Whether its first process still lives.
    pub fn is_running(&self) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).unwrap_or_default();
        // The state stands behind the name, which is in brackets.
        status.rsplit(')').next().is_some_and(|rest| !rest.trim().is_empty() && !rest.trim_start().starts_with('Z'))
    }

    /// The process that was started.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// Ends it and all its children at once, as a power failure would.
    pub fn dies(mut self) {
        let _ = self.keeper.stdin.as_mut().unwrap().write_all(b"kill\n");
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// A folder for a server, readable by the users the server runs as. It is removed even if the test is killed.
pub struct Folder {
    keeper: Child,
    path: PathBuf,
}

/// Servers that end at the same moment may still write: it tries for a while.
const REMOVER: &str = r#"
cat >/dev/null
rounds=0
while ! rm -rf "$1" 2>/dev/null && [ $rounds -lt 100 ]; do
    sleep 0.1
    rounds=$((rounds + 1))
done
"#;

impl Folder {
    pub fn new(prefix: &str) -> Self {
        // Not below TMPDIR: other users must reach it, and the paths of sockets have 107 octets at most.
        let path = tempfile::Builder::new().prefix(prefix).tempdir_in("/tmp").unwrap().keep();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        // Whose it is, for `.ci/test`, which looks for what was left behind.
        std::fs::write(path.join("tmpdir"), format!("{}\n", std::env::temp_dir().display())).unwrap();
        let keeper = Command::new("/bin/sh")
            .args(["-c", REMOVER, "remover"])
            .arg(&path)
            // Not ended by the terminal together with the test.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .current_dir("/")
            .spawn()
            .unwrap();
        Self { keeper, path }
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A folder in it, made if it is not there.
    pub fn folder(&self, name: &str) -> PathBuf {
        let path = self.path.join(name);
        std::fs::create_dir_all(&path).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(self.keeper.stdin.take());
        let _ = self.keeper.wait();
    }
}

/// Whether the tests run as root.
pub fn is_root() -> bool {
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

/// What `id` says of the current or a named user.
pub fn id(arguments: &[&str]) -> String {
    let output = Command::new("id").args(arguments).output().unwrap();
    assert!(output.status.success(), "id {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// The first of these files that is there.
pub fn program(candidates: &[&str]) -> Option<PathBuf> {
    candidates.iter().map(PathBuf::from).find(|path| path.exists())
}

/// Connects and reads the first line the server says; nothing if it says none within two seconds.
pub fn greeting(port: u16) -> Option<String> {
    let stream = std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(2))).ok()?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line).ok()?;
    (!line.is_empty()).then_some(line)
}

/// Waits until a port's greeting holds this word, while the service lives.
pub fn greets(service: &Service, port: u16, word: &str) -> bool {
    let start = Instant::now();
    while service.is_running() && start.elapsed() < Duration::from_secs(30) {
        if greeting(port).is_some_and(|line| line.contains(word)) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    false
}
