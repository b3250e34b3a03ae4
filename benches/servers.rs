//! The whole product between real servers: mail comes by LMTP into Dovecot, is found there by IMAP, and leaves through Postfix (not
//! as root: Exim). Everything runs on this machine, so that the servers' own work is in every figure.
//!
//! `cargo bench --bench servers -- WORD` measures only what has WORD in its name.
//!
//! Security: none; a team and a reporter of its own, servers on loopback, in temporary folders.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::print_stdout)]

#[path = "../tests/common/servers/mod.rs"]
mod servers;
mod support;

use servers::{Authority, Dovecot, Mta, PASSWORD, dovecot};
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use support::{KIB, People, Person, TEAM};

fn main() {
    if let Some(missing) = Dovecot::missing().or_else(Mta::missing) {
        println!("servers: not measured, {missing} is not installed (`.ci/tools bench` installs it)");
        return;
    }
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let wanted = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word.as_str()));
    if wanted("arrival") {
        arrival(50);
    }
    if wanted("memory") {
        memory();
    }
    if wanted("backlog") {
        backlog(1_000);
    }
}

/// How long after a mail's arrival in the mailbox, and after the IMAP server told of it, the last of its copies was accepted by
/// the mail server. Dovecot lets half a second pass before it tells anybody who IDLEs (`NOTIFY_DELAY_MSECS` in its
/// `mailbox-watch.c`, not configurable), in case more mails follow.
fn arrival(reports: usize) {
    let office = Office::new(&Desk::Folder);
    let mut door = Lmtp::connect(office.dovecot.lmtp);
    let notices = Watcher::start(office.dovecot.imap);
    let daemon = office.starts(&["run"]);
    let mut accepted = 0;
    let mut one = |number: usize| {
        let mail = office.people.report(4 * KIB, number);
        while notices.try_recv().is_ok() {}
        door.delivers(&mail);
        let begun = Instant::now();
        accepted += office.people.members.len();
        wait_until(&office, || office.accepted_copies() >= accepted);
        let ended = Instant::now();
        // The first one is found by the look at the mailbox with which a connection begins, and gone before anybody is told.
        let told = notices.recv_timeout(Duration::from_secs(2)).ok();
        // The gateway takes the mail off the mailbox and asks to be told of the next one.
        wait_until(&office, || office.waiting() == 0);
        std::thread::sleep(Duration::from_millis(1_000));
        [Some(ended - begun), told.map(|told| told - begun), told.map(|told| ended.saturating_duration_since(told))]
    };
    // The first one opens connections and fills caches.
    let first = one(1)[0].unwrap();
    let times: Vec<_> = (2..reports + 2).map(one).collect();
    println!("arrival: {reports} reports of 4 KiB, one after another, 5 members");
    for (at, name) in [
        "from arrival to the last copy accepted",
        "  of it until the IMAP server told those who IDLE",
        "  from then to the last copy accepted",
    ]
    .iter()
    .enumerate()
    {
        let mut times: Vec<Duration> = times.iter().filter_map(|of| of[at]).collect();
        times.sort();
        let percentile = |percent: usize| times[(times.len() * percent).div_ceil(100) - 1];
        println!("arrival: {name}: median {:.0?}, 95 of 100 within {:.0?}", percentile(50), percentile(95));
    }
    println!("arrival: the very first report, with all connections new: {first:.0?}");
    println!("arrival: the daemon then holds {}", memory_of(&daemon));
    office.ends(daemon);
    office.every_member_has(reports + 1);
}

/// What the idle daemon holds.
fn memory() {
    // Nobody at the other end is asked anything while nothing happens.
    let github = TcpListener::bind("127.0.0.1:0").unwrap();
    let office = Office::new(&Desk::GitHub(github.local_addr().unwrap().port()));
    let daemon = office.starts(&["run"]);
    wait_until(&office, || office.dovecot.log().contains("Login: user=<vmt>"));
    std::thread::sleep(Duration::from_secs(10));
    println!("memory: idle with IMAP (IDLE), SMTP and GitHub: {}", memory_of(&daemon));
    office.ends(daemon);
}

/// A mailbox full of reports that came while the gateway was away.
fn backlog(reports: usize) {
    let office = Office::new(&Desk::Folder);
    let mut door = Lmtp::connect(office.dovecot.lmtp);
    for number in 0..reports {
        door.delivers(&office.people.report(4 * KIB, number));
    }
    assert!(Command::new("sync").status().unwrap().success());
    let begun = Instant::now();
    let mut gateway = office.starts(&["run", "--once"]);
    let status = gateway.wait().unwrap();
    let wall = begun.elapsed();
    assert!(status.success(), "{status}:\n{}", office.log());
    assert_eq!(office.accepted_copies(), reports * office.people.members.len());
    println!(
        "backlog: {reports} reports of 4 KiB, 5 members: {:.1} reports/s ({:.1} s until the last copy was accepted and the mailbox \
         was empty)",
        reports as f64 / wall.as_secs_f64(),
        wall.as_secs_f64()
    );
    office.every_member_has(reports);
}

/// Where drafts are opened.
enum Desk {
    Folder,
    /// At this port of the loopback address.
    GitHub(u16),
}

/// A team with its servers and its gateway's folder.
struct Office {
    people: People,
    root: PathBuf,
    mta: Mta,
    dovecot: Dovecot,
    _authority: Authority,
    _folder: tempfile::TempDir,
}

impl Office {
    fn new(desk: &Desk) -> Self {
        let authority = Authority::new();
        let dovecot = Dovecot::with(&authority, dovecot::Options { durable: true, ..Default::default() });
        let mta = Mta::start(&authority, &dovecot);
        let mut people = People::new(0);
        people.members = ["alice", "bob", "carol", "dave", "erin"]
            .map(|name| Person::new(name, &format!("{name}@example.org")))
            .into();
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let root = folder.path().to_owned();
        fs::create_dir_all(root.join("keys")).unwrap();
        fs::create_dir_all(root.join("state")).unwrap();
        let secret = |name: &str, content: &[u8]| {
            fs::write(root.join(name), content).unwrap();
            fs::set_permissions(root.join(name), fs::Permissions::from_mode(0o600)).unwrap();
        };
        secret("keys/gateway.asc", &people.gateway.secret_key());
        secret("password", PASSWORD.as_bytes());
        secret("token", b"github_pat_of_nobody");
        let server = |kind: &str, port: u16| {
            format!(
                "kind = \"{kind}\"\nhost = \"localhost\"\nport = {port}\nuser = \"vmt\"\npassword = {{ file = \"password\" }}\n\
                 tls = \"implicit\"\nca = \"{}\"\n",
                authority.root().display()
            )
        };
        let desk = match desk {
            Desk::Folder => "kind = \"directory\"\npath = \"drafts\"\n".to_owned(),
            Desk::GitHub(port) => format!(
                "kind = \"github\"\nrepository = \"team/product\"\ntoken = {{ file = \"token\" }}\n\
                 api = \"http://127.0.0.1:{port}\"\n"
            ),
        };
        let mut toml = format!(
            "[team]\nname = \"Kata Containers VMT\"\naddress = \"{TEAM}\"\ncase_prefix = \"KATA\"\n\
             [store]\nurl = \"sqlite://state/embargod.db\"\n\
             [[gateway_keys]]\nfile = \"keys/gateway.asc\"\nuse = \"active\"\n\
             [mailbox]\n{}[outgoing]\n{}[advisories]\n{desk}content = \"stub\"\n\
             max_per_hour = 10000\nmax_per_day = 10000\ncomponents = [\"agent\", \"runtime\"]\n\
             [intake]\nplaintext = \"accept\"\n",
            server("imap", dovecot.imaps),
            server("smtp", mta.doors.submissions)
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
        Self { people, root, mta, dovecot, _authority: authority, _folder: folder }
    }

    fn starts(&self, arguments: &[&str]) -> Child {
        Command::new(env!("CARGO_BIN_EXE_embargod"))
            .arg("--config")
            .arg(self.root.join("embargod.toml"))
            .args(arguments)
            .env_remove("RUST_LOG")
            .stdout(Stdio::null())
            .stderr(fs::File::create(self.root.join("log")).unwrap())
            .spawn()
            .unwrap()
    }

    fn ends(&self, mut daemon: Child) {
        let pid = rustix::process::Pid::from_child(&daemon);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        assert!(daemon.wait().unwrap().success(), "{}", self.log());
    }

    fn log(&self) -> String {
        fs::read_to_string(self.root.join("log")).unwrap_or_default()
    }

    /// Copies that the mail server has accepted, as its own log says; answers to reporters come from nobody.
    fn accepted_copies(&self) -> usize {
        let log = self.mta.log();
        // Postfix: `from=<ADDRESS>, size=1, nrcpt=1 (queue active)`; Exim: `ID <= ADDRESS H=…`.
        let from = |line: &str| {
            line.contains(&format!("from=<{TEAM}>")) && line.contains("nrcpt=")
                || line.contains(&format!(" <= {TEAM} "))
        };
        log.lines().filter(|line| from(line)).count()
    }

    /// Mails in the team's mailbox.
    fn waiting(&self) -> usize {
        count(&self.dovecot.maildir("vmt", "INBOX"))
    }

    /// The last check: what was accepted has also arrived.
    fn every_member_has(&self, mails: usize) {
        for member in &self.people.members {
            let user = member.address.split('@').next().unwrap();
            let begun = Instant::now();
            while count(&self.dovecot.maildir(user, "INBOX")) < mails && begun.elapsed() < Duration::from_secs(300) {
                std::thread::sleep(Duration::from_millis(100));
            }
            assert_eq!(count(&self.dovecot.maildir(user, "INBOX")), mails, "mails of {user}");
        }
    }
}

/// Mails in a Maildir.
fn count(maildir: &std::path::Path) -> usize {
    ["new", "cur"].iter().map(|name| fs::read_dir(maildir.join(name)).map_or(0, Iterator::count)).sum()
}

/// How mail gets into the mailbox: the last step of a mail server's delivery (RFC 2033).
struct Lmtp {
    stream: BufReader<TcpStream>,
}

impl Lmtp {
    fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_nodelay(true).unwrap();
        let mut lmtp = Self { stream: BufReader::new(stream) };
        lmtp.hears("220");
        lmtp.says(b"LHLO bench.example\r\n", "250");
        lmtp
    }

    /// Returns as soon as the mail lies in the mailbox.
    fn delivers(&mut self, mail: &[u8]) {
        self.says(b"MAIL FROM:<eva@reporter.example>\r\n", "250");
        self.says(format!("RCPT TO:<{TEAM}>\r\n").as_bytes(), "250");
        self.says(b"DATA\r\n", "354");
        // No line of these mails begins with a dot.
        self.says(&[mail, b".\r\n"].concat(), "250");
    }

    fn says(&mut self, words: &[u8], answer: &str) {
        self.stream.get_mut().write_all(words).unwrap();
        self.hears(answer);
    }

    fn hears(&mut self, answer: &str) {
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line).unwrap();
            assert!(line.starts_with(answer), "LMTP: {line}");
            if line.as_bytes().get(3) != Some(&b'-') {
                return;
            }
        }
    }
}

/// Somebody else who IDLEs on the team's mailbox, and hears of new mail when the gateway does.
struct Watcher;

impl Watcher {
    /// The moments at which the server told of a new mail.
    fn start(port: u16) -> mpsc::Receiver<Instant> {
        let (sender, receiver) = mpsc::channel();
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let mut lines = BufReader::new(stream);
        let commands =
            format!("a LOGIN vmt \"{PASSWORD}\"\r\n").into_bytes().into_iter().chain(*b"b EXAMINE INBOX\r\nc IDLE\r\n");
        lines.get_mut().write_all(&commands.collect::<Vec<u8>>()).unwrap();
        let (ready, is_ready) = mpsc::channel();
        std::thread::spawn(move || {
            let (mut line, mut most) = (String::new(), 0);
            // Until the server ends.
            while lines.read_line(&mut line).is_ok_and(|read| read > 0) {
                let exists =
                    line.strip_prefix("* ").and_then(|rest| rest.strip_suffix(" EXISTS\r\n")?.parse::<u32>().ok());
                let said = Instant::now();
                match exists {
                    Some(now) if now > most => {
                        most = now;
                        let _ = sender.send(said);
                    }
                    _ if line.contains("EXPUNGE") => most = most.saturating_sub(1),
                    _ if line.starts_with('+') => ready.send(()).unwrap(),
                    _ => {}
                }
                line.clear();
            }
        });
        is_ready.recv_timeout(Duration::from_secs(30)).unwrap();
        receiver
    }
}

fn wait_until(office: &Office, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "it takes too long:\n{}\n{}",
            office.log(),
            office.mta.log()
        );
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Memory of a process in words: all of it that is in use, and how much of that is not the program file itself.
fn memory_of(process: &Child) -> String {
    let status = fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let mib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.split_whitespace().next().unwrap().parse::<f64>().unwrap() / 1024.0
    };
    format!("{:.1} MiB (VmRSS), {:.1} MiB of it its own (RssAnon)", mib("VmRSS:"), mib("RssAnon:"))
}
