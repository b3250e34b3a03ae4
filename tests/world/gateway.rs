//! The real program, driven as an admin and a mail server would.

use super::actors::Actor;
use super::daemon::Daemon;
use super::process::pipe;
use super::report::{Report, Sent};
use super::settings::{Layout, Settings};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The gateway of a world.
pub struct Gateway {
    layout: Layout,
    settings: Mutex<Settings>,
    /// Who made the first gateway key; outside the gateway's folders.
    pub key: Actor,
    /// The certificate that reporters encrypt to.
    pub certificate: Mutex<PathBuf>,
    logs: Mutex<Vec<u8>>,
    count: AtomicUsize,
}

/// A command that has ended.
#[derive(Debug)]
pub struct Ran {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    /// Panics with what it said unless it ended so.
    pub fn ends_with(self, code: i32) -> Self {
        let stderr = self.human();
        assert_eq!(self.code, Some(code), "exit code; stdout:\n{}\nstderr:\n{stderr}", self.stdout);
        self
    }

    /// Standard error without the lines of the trace log.
    pub fn human(&self) -> String {
        let is_noise = |line: &&str| line.contains("TRACE") || line.contains("DEBUG");
        self.stderr.lines().filter(|line| !is_noise(line)).collect::<Vec<_>>().join("\n")
    }

    /// Everything it said.
    pub fn said(&self) -> String {
        format!("{}\n{}", self.stdout, self.stderr)
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error} in stdout:\n{}\nstderr:\n{}", self.stdout, self.human()))
    }
}

impl Gateway {
    pub fn new(layout: Layout, settings: Settings, key: Actor) -> Self {
        let certificate = Mutex::new(key.certificate());
        let gateway = Self {
            layout,
            settings: Mutex::new(settings),
            key,
            certificate,
            logs: Mutex::default(),
            count: AtomicUsize::new(0),
        };
        gateway.reconfigure(|_| {});
        gateway
    }

    /// Changes the settings and writes the configuration file.
    pub fn reconfigure(&self, change: impl FnOnce(&mut Settings)) {
        let mut settings = self.settings.lock().unwrap();
        change(&mut settings);
        settings.write_secrets(&self.layout);
        std::fs::write(self.layout.config(), settings.toml(&self.layout)).unwrap();
        // Readable by its owner only, as `check` may ask for; secret keys too.
        for file in [&self.layout.etc, &self.layout.secrets].into_iter().flat_map(|at| super::process::files_below(at))
        {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
    }

    /// The program with this world's configuration and the most talkative log.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_embargod"));
        command.arg("--config").arg(self.layout.config()).args(args);
        command.current_dir(&self.layout.scratch);
        command.env("RUST_LOG", "trace").env("NO_COLOR", "1").env("TMPDIR", &self.layout.scratch);
        command.env("HOME", &self.layout.scratch).env_remove("CREDENTIALS_DIRECTORY");
        command
    }

    /// Runs a command to its end.
    pub fn does(&self, args: &[&str]) -> Ran {
        self.does_with(args, b"")
    }

    /// Runs a command to its end, with this on standard input.
    pub fn does_with(&self, args: &[&str], input: &[u8]) -> Ran {
        self.finish(&mut self.command(args), input)
    }

    /// Runs a prepared command to its end and keeps what it logged.
    pub fn finish(&self, command: &mut Command, input: &[u8]) -> Ran {
        let output = pipe(command, input);
        self.logs.lock().unwrap().extend_from_slice(&output.stderr);
        Ran {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The rows of a listing command, whether it prints a list or an object with one.
    pub fn lists(&self, args: &[&str]) -> Vec<Value> {
        let mut args = args.to_vec();
        args.push("--json");
        match self.does(&args).ends_with(0).json() {
            Value::Array(rows) => rows,
            Value::Object(fields) => match fields.into_iter().find_map(|(_, value)| value.as_array().cloned()) {
                Some(rows) => rows,
                None => panic!("no list in the answer to {args:?}"),
            },
            other => panic!("{args:?} printed {other}"),
        }
    }

    /// A mail arrives in the mailbox.
    pub fn receives(&self, report: Report<'_>) -> Sent {
        let sent = report.write(&self.certificate.lock().unwrap());
        self.finds_in_mailbox(&sent.raw);
        sent
    }

    /// These very bytes arrive in the mailbox.
    pub fn finds_in_mailbox(&self, raw: &[u8]) {
        // Microseconds and a running number: mails are found in the order in which they came.
        let now = jiff::Timestamp::now().as_microsecond();
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let name = format!("{}.M{}P{number:06}.sender", now / 1_000_000, now % 1_000_000);
        let under_way = self.layout.mailbox.join("tmp").join(&name);
        std::fs::write(&under_way, raw).unwrap();
        std::fs::rename(under_way, self.layout.mailbox.join("new").join(name)).unwrap();
    }

    /// A mail server hands a mail to `embargod receive`.
    pub fn is_piped(&self, report: Report<'_>) -> (Sent, Ran) {
        let sent = report.write(&self.certificate.lock().unwrap());
        let ran = self.does_with(&["receive"], &sent.raw);
        (sent, ran)
    }

    /// `run --once`, after which nothing is left to do.
    pub fn runs_once(&self) -> Ran {
        self.does(&["run", "--once"]).ends_with(0)
    }

    /// `run --once`, after which something is left to do.
    pub fn runs_once_and_leaves_work(&self) -> Ran {
        self.does(&["run", "--once"]).ends_with(3)
    }

    /// Starts the daemon.
    pub fn starts(&self) -> Daemon {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        Daemon::start(self.command(&["run"]), self.layout.logs.join(format!("daemon-{number}.log")))
    }

    /// Starts the daemon with more in its environment.
    pub fn starts_with(&self, environment: &[(&str, &str)]) -> Daemon {
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        let mut command = self.command(&["run"]);
        command.envs(environment.iter().copied());
        Daemon::start(command, self.layout.logs.join(format!("daemon-{number}.log")))
    }

    /// Makes the configuration one that cannot be read.
    pub fn spoils_config(&self) {
        std::fs::write(self.config(), "[team]\nnonsense").unwrap();
    }

    /// `inspect --json` on a mail as it came.
    pub fn inspects(&self, raw: &[u8]) -> Value {
        self.does_with(&["inspect", "--json", "-"], raw).ends_with(0).json()
    }

    /// All that the commands and daemons have logged so far.
    pub fn logs(&self) -> Vec<u8> {
        let mut logs = self.logs.lock().unwrap().clone();
        for file in super::process::files_below(&self.layout.logs) {
            logs.extend(std::fs::read(file).unwrap());
        }
        logs
    }

    /// Makes a second gateway key the active one; the first stays for decryption.
    pub fn rotates_to(&self, next: &Actor) {
        let file = format!("keys/gateway/{}.sec.asc", next.name);
        std::fs::write(self.layout.etc.join(&file), next.secret_key()).unwrap();
        self.reconfigure(|settings| {
            for key in &mut settings.gateway_keys {
                key.until = Some("2099-12-31".into());
            }
            let key = super::settings::GatewayKey { file, until: None, passphrase_env: None };
            settings.gateway_keys.insert(0, key);
        });
        *self.certificate.lock().unwrap() = next.certificate();
    }

    /// The configuration file.
    pub fn config(&self) -> PathBuf {
        self.layout.config()
    }

    /// The certificate reporters encrypt to now.
    pub fn current_certificate(&self) -> PathBuf {
        self.certificate.lock().unwrap().clone()
    }

    /// The state folder.
    pub fn state(&self) -> PathBuf {
        self.layout.etc.join("state")
    }

    /// Where a file of this name lies in the configuration folder.
    pub fn file(&self, name: &str) -> PathBuf {
        Path::new(&self.layout.etc).join(name)
    }
}
