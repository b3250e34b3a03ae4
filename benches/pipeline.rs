//! The whole product, from Maildir to Maildir: the real program as a child process, on a real disk with durable commits.
//!
//! `cargo bench --bench pipeline -- WORD` measures only what has WORD in its name.
//!
//! Security: none; a team and a reporter of its own, in a temporary folder below the build folder.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::print_stdout)]

mod support;

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use support::{KIB, MIB, People, TEAM};
use tempfile::TempDir;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let wanted = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word.as_str()));
    if wanted("throughput") {
        // All worlds stay until the end: a file system is slow at making files where many were just removed.
        let worlds: Vec<_> = (0..3).map(|_| World::new(5)).collect();
        let mut rates: Vec<_> = worlds.iter().map(|world| throughput(world, 500)).collect();
        rates.sort_by(f64::total_cmp);
        println!("throughput: {:.0} reports/s (median of 3)", rates[1]);
    }
    for (name, members, size) in [
        ("one 4 KiB, 5 members", 5, 4 * KIB),
        ("one 4 KiB, 20 members", 20, 4 * KIB),
        ("one 4 KiB, 100 members", 100, 4 * KIB),
    ] {
        if wanted(name) {
            one(name, members, |people| people.report(size, 1));
        }
    }
    for (name, size) in [("large 10 MiB", 10 * MIB), ("large 25 MiB", 25 * MIB)] {
        if wanted(name) {
            one(&format!("{name} as it arrives, 5 members"), 5, |people| people.report_on_the_wire(size, 1));
            one(&format!("{name} of content, 5 members"), 5, |people| people.report(size, 1));
        }
    }
    if wanted("daemon") {
        daemon();
    }
}

/// Many reports at once.
fn throughput(world: &World, reports: usize) -> f64 {
    for number in 0..reports {
        world.receives(number, &world.people.report(4 * KIB, number));
    }
    let cost = world.runs_once(reports);
    let rate = reports as f64 / cost.wall.as_secs_f64();
    println!("throughput: {reports} reports of 4 KiB, 5 members: {rate:.0}/s, {cost}");
    rate
}

/// One report, in a process of its own.
fn one(name: &str, members: usize, mail: impl Fn(&People) -> Vec<u8>) {
    let mut costs: Vec<Cost> = (0..3)
        .map(|_| {
            let world = World::new(members);
            world.receives(1, &mail(&world.people));
            world.runs_once(1)
        })
        .collect();
    costs.sort_by_key(|cost| cost.wall);
    println!(
        "{name}: {} (median of 3; most memory {} MiB)",
        costs[1],
        costs.iter().map(|c| c.peak).max().unwrap() / KIB
    );
}

/// Memory at rest, and how long a report takes from its arrival to the last copy.
fn daemon() {
    let world = World::new(5);
    let mut daemon = world.starts(&["run"]);
    wait_until(|| fs::read_to_string(world.root.join("log")).is_ok_and(|log| log.contains("embargod is running")));
    std::thread::sleep(Duration::from_secs(3));
    println!("daemon: {} MiB at rest", status(&daemon, "VmRSS:").unwrap() / KIB);
    let mut times: Vec<Duration> = (1..=21)
        .map(|number| {
            world.receives(number, &world.people.report(4 * KIB, number));
            let begun = Instant::now();
            wait_until(|| world.people.members.iter().all(|member| world.copies(&member.address) >= number));
            let taken = begun.elapsed();
            std::thread::sleep(Duration::from_millis(150));
            taken
        })
        .collect();
    times.sort();
    println!("daemon: a report's last copy after {:?} (median of 21; longest {:?})", times[10], times[20]);
    println!("daemon: {} MiB after 21 reports", status(&daemon, "VmRSS:").unwrap() / KIB);
    let pid = rustix::process::Pid::from_child(&daemon);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert!(daemon.wait().unwrap().success());
}

fn wait_until(mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it takes too long");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// What a run cost.
struct Cost {
    wall: Duration,
    cpu: Duration,
    /// KiB.
    peak: usize,
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (wall, cpu) = (self.wall.as_secs_f64(), self.cpu.as_secs_f64());
        write!(f, "{wall:.2} s, {cpu:.2} s of CPU, {} MiB at most", self.peak / KIB)
    }
}

/// A gateway's folder.
struct World {
    people: People,
    root: PathBuf,
    _folder: TempDir,
}

impl World {
    fn new(members: usize) -> Self {
        let people = People::new(members);
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let root = folder.path().to_owned();
        for name in ["keys", "mailbox/new", "mailbox/cur", "mailbox/tmp", "state"] {
            fs::create_dir_all(root.join(name)).unwrap();
        }
        let key = root.join("keys/gateway.asc");
        fs::write(&key, people.gateway.secret_key()).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
        let mut toml = format!(
            "[team]\nname = \"Kata Containers VMT\"\naddress = \"{TEAM}\"\ncase_prefix = \"KATA\"\n\
             [store]\nurl = \"sqlite://state/embargod.db\"\n\
             [[gateway_keys]]\nfile = \"keys/gateway.asc\"\nuse = \"active\"\n\
             [mailbox]\nkind = \"maildir\"\npath = \"mailbox\"\n\
             [outgoing]\nkind = \"maildir\"\npath = \"outgoing\"\n\
             [advisories]\nkind = \"directory\"\npath = \"drafts\"\ncontent = \"stub\"\n\
             max_per_hour = 10000\nmax_per_day = 10000\ncomponents = [\"agent\", \"runtime\"]\n\
             [intake]\nplaintext = \"accept\"\n"
        );
        for (number, member) in people.members.iter().enumerate() {
            let file = format!("keys/{number}.asc");
            fs::write(root.join(&file), member.certificate()).unwrap();
            let (name, address, fingerprint) = (&member.name, &member.address, member.fingerprint());
            writeln!(
                toml,
                "[[members]]\nname = \"{name}\"\naddress = \"{address}\"\ncertificate = \"{file}\"\nfingerprint = \"{fingerprint}\""
            )
            .unwrap();
        }
        fs::write(root.join("embargod.toml"), toml).unwrap();
        Self { people, root, _folder: folder }
    }

    /// A mail arrives.
    fn receives(&self, number: usize, mail: &[u8]) {
        let name = format!("{}.bench{number}", 1_767_225_600 + number);
        let unfinished = self.root.join("mailbox/tmp").join(&name);
        fs::write(&unfinished, mail).unwrap();
        fs::rename(unfinished, self.root.join("mailbox/new").join(name)).unwrap();
    }

    fn copies(&self, address: &str) -> usize {
        fs::read_dir(self.root.join("outgoing").join(address).join("new")).map_or(0, Iterator::count)
    }

    fn starts(&self, arguments: &[&str]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_embargod"))
            .arg("--config")
            .arg(self.root.join("embargod.toml"))
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(fs::File::create(self.root.join("log")).unwrap())
            .spawn()
            .unwrap()
    }

    /// Works off all that waits; every report must have reached every member.
    fn runs_once(&self, reports: usize) -> Cost {
        // What was written to make the mails is not to be paid for by the run.
        assert!(Command::new("sync").status().unwrap().success());
        let (cpu_before, begun) = (children_cpu(), Instant::now());
        let mut child = self.starts(&["run", "--once"]);
        let mut peak = 0;
        let status = loop {
            peak = status(&child, "VmHWM:").unwrap_or(peak).max(peak);
            if let Some(status) = child.try_wait().unwrap() {
                break status;
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let wall = begun.elapsed();
        let log = || fs::read_to_string(self.root.join("log")).unwrap_or_default();
        assert!(status.success(), "{status}:\n{}", log());
        for member in &self.people.members {
            assert_eq!(self.copies(&member.address), reports, "{}", log());
        }
        Cost { wall, cpu: children_cpu() - cpu_before, peak }
    }
}

/// A line of `/proc/PID/status`, in KiB.
fn status(child: &Child, name: &str) -> Option<usize> {
    let status = fs::read_to_string(format!("/proc/{}/status", child.id())).ok()?;
    status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
}

/// CPU time of the children that have ended, user and system.
fn children_cpu() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<u64> =
        stat.rsplit_once(") ").unwrap().1.split_whitespace().map(|field| field.parse().unwrap_or(0)).collect();
    // cutime and cstime (proc(5), fields 16 and 17), in clock ticks of 10 ms.
    Duration::from_millis((fields[13] + fields[14]) * 10)
}
