//! People with their own OpenPGP home: members, reporters, and the gateway's key maker.
//!
//! Security: keys are made for one test and deleted with it; they have no passphrase. An agent is ended by its own home.

use super::process::{must, pipe};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Somebody with a key.
pub struct Actor {
    pub name: String,
    pub address: String,
    /// Upper-case hex.
    pub fingerprint: String,
    home: PathBuf,
    tool: Tool,
    passphrase: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tool {
    Gpg,
    Sq,
}

/// What came out of an encrypted message.
pub struct Decrypted {
    pub payload: Vec<u8>,
    /// Fingerprints of the certificates with a good and valid signature on it.
    pub good_signers: Vec<String>,
    /// The lines of gpg's status output.
    pub status: String,
}

static COUNT: AtomicUsize = AtomicUsize::new(0);
/// Keys are older than every test's mails, so that a mail can be signed in the past.
const CREATED_DAYS_AGO: i64 = 60;

/// A time some days ago as gpg writes it.
fn days_ago(days: i64) -> String {
    let time = jiff::Timestamp::now() - jiff::SignedDuration::from_hours(24 * days);
    time.strftime("%Y%m%dT%H%M%S").to_string()
}

impl Actor {
    /// ed25519 and cv25519, made by gpg.
    pub fn gpg(homes: &Path, name: &str, address: &str) -> Self {
        Self::generate(homes, name, address, "future-default", "2y", "")
    }

    /// Like [`Actor::gpg`], with a passphrase on the secret key.
    pub fn locked(homes: &Path, name: &str, address: &str, passphrase: &str) -> Self {
        Self::generate(homes, name, address, "future-default", "2y", passphrase)
    }

    /// RSA, made by gpg.
    pub fn rsa(homes: &Path, name: &str, address: &str) -> Self {
        Self::generate(homes, name, address, "rsa2048", "2y", "")
    }

    /// A certificate that expired a month ago; see [`Actor::renew`].
    pub fn expired(homes: &Path, name: &str, address: &str) -> Self {
        Self::generate(homes, name, address, "future-default", &days_ago(30), "")
    }

    /// Made by sq.
    pub fn sq(homes: &Path, name: &str, address: &str) -> Self {
        let mut actor = Self::empty(homes, name, address, Tool::Sq);
        let user = actor.user_id();
        must(Command::new("sq").args(["key", "generate", "-u", &user, "-e"]).arg(actor.secret_file()), b"");
        let certificate = must(Command::new("sq").args(["key", "extract-cert"]).arg(actor.secret_file()), b"");
        std::fs::write(actor.certificate(), certificate).unwrap();
        actor.fingerprint = fingerprint_of(&actor.home, &actor.certificate());
        actor
    }

    fn empty(homes: &Path, name: &str, address: &str, tool: Tool) -> Self {
        use std::os::unix::fs::DirBuilderExt;
        // Short: the agent's socket lies in it.
        let home = homes.join(COUNT.fetch_add(1, Ordering::Relaxed).to_string());
        std::fs::DirBuilder::new().mode(0o700).create(&home).unwrap();
        Self {
            name: name.into(),
            address: address.into(),
            fingerprint: String::new(),
            home,
            tool,
            passphrase: String::new(),
        }
    }

    fn generate(homes: &Path, name: &str, address: &str, algorithm: &str, expires: &str, passphrase: &str) -> Self {
        let mut actor = Self::empty(homes, name, address, Tool::Gpg);
        actor.passphrase = passphrase.to_owned();
        let user = actor.user_id();
        let created = days_ago(CREATED_DAYS_AGO);
        let mut command = actor.command();
        command.args(["--faked-system-time", &created]);
        if algorithm == "future-default" {
            command.args(["--quick-gen-key", &user, algorithm, "default", expires]);
            must(&mut command, b"");
        } else {
            command.args(["--quick-gen-key", &user, algorithm, "sign", expires]);
            must(&mut command, b"");
        }
        actor.export();
        actor.fingerprint = fingerprint_of(&actor.home, &actor.certificate());
        if algorithm != "future-default" {
            let print = actor.fingerprint.clone();
            let mut command = actor.command();
            // A day later: making an RSA key takes longer than its own first second.
            let added = days_ago(CREATED_DAYS_AGO - 1);
            must(command.args(["--faked-system-time", &added, "--quick-add-key", &print, algorithm, "encr"]), b"");
            actor.export();
        }
        actor
    }

    fn user_id(&self) -> String {
        format!("{} <{}>", self.display_name(), self.address)
    }

    /// The name beside the address.
    pub fn display_name(&self) -> String {
        let mut letters = self.name.chars();
        let first = letters.next().unwrap().to_uppercase();
        format!("{first}{} Canaryname", letters.as_str())
    }

    /// The public certificate, armored.
    pub fn certificate(&self) -> PathBuf {
        self.home.join("certificate.asc")
    }

    fn secret_file(&self) -> PathBuf {
        self.home.join("secret.asc")
    }

    fn export(&self) {
        let certificate = must(self.command().args(["--armor", "--export", &format!("<{}>", self.address)]), b"");
        std::fs::write(self.certificate(), certificate).unwrap();
    }

    /// The secret key, armored, without passphrase.
    pub fn secret_key(&self) -> Vec<u8> {
        match self.tool {
            Tool::Gpg => must(self.command().args(["--armor", "--export-secret-keys", &self.fingerprint]), b""),
            Tool::Sq => std::fs::read(self.secret_file()).unwrap(),
        }
    }

    /// gpg on this home, asking nobody anything.
    pub fn command(&self) -> Command {
        let mut command = Command::new("gpg");
        command.env("GNUPGHOME", &self.home).env("LC_ALL", "C");
        command.args([
            "--batch",
            "--no-tty",
            "--quiet",
            "--pinentry-mode",
            "loopback",
            "--passphrase",
            &self.passphrase,
        ]);
        command.args(["--trust-model", "always", "--no-auto-key-locate"]);
        command
    }

    /// Takes somebody's certificate in, to check signatures with.
    pub fn knows(&self, certificate: &Path) {
        must(self.command().arg("--import").arg(certificate), b"");
    }

    /// An armored detached signature.
    pub fn sign_detached(&self, data: &[u8]) -> String {
        let armor = match self.tool {
            Tool::Gpg => must(
                self.command().args(["--armor", "--digest-algo", "SHA512", "--detach-sign", "-u", &self.key()]),
                data,
            ),
            Tool::Sq => {
                must(Command::new("sq").args(["sign", "--detached", "--signer-key"]).arg(self.secret_file()), data)
            }
        };
        String::from_utf8(armor).unwrap()
    }

    /// An armored message to these certificates; signed inside if asked for, at a time some days ago if that is not 0.
    pub fn encrypt(&self, data: &[u8], to: &[PathBuf], signed: bool, days: i64) -> String {
        let mut command = match self.tool {
            Tool::Gpg => {
                let mut command = self.command();
                command.args(["--armor", "--encrypt"]);
                for certificate in to {
                    command.arg("-f").arg(certificate);
                }
                if signed {
                    command.args(["--sign", "-u", &self.key()]);
                }
                if days > 0 {
                    command.args(["--faked-system-time", &days_ago(days)]);
                }
                command
            }
            Tool::Sq => {
                assert_eq!(days, 0, "only gpg signs in the past");
                let mut command = Command::new("sq");
                command.arg("encrypt");
                for certificate in to {
                    command.arg("--recipient-cert").arg(certificate);
                }
                if signed {
                    command.arg("--signer-key").arg(self.secret_file());
                }
                command
            }
        };
        String::from_utf8(must(&mut command, data)).unwrap()
    }

    /// The exact key, so that gpg asks nothing about user IDs.
    fn key(&self) -> String {
        self.fingerprint.clone()
    }

    /// Opens a message with this person's own secret key, by gpg (whoever made the key).
    ///
    /// # Errors
    /// What gpg said when it does not open or its integrity is not proven.
    pub fn decrypt(&self, data: &[u8]) -> Result<Decrypted, String> {
        if self.tool == Tool::Sq {
            must(self.command().arg("--import").arg(self.secret_file()), b"");
        }
        let status_file = tempfile::NamedTempFile::new_in(&self.home).unwrap();
        let output = pipe(self.command().arg("--status-file").arg(status_file.path()).arg("--decrypt"), data);
        let status = String::from_utf8_lossy(&std::fs::read(status_file.path()).unwrap()).into_owned();
        let said = format!("{}\n{status}", String::from_utf8_lossy(&output.stderr));
        // gpg answers 2 for a signature it cannot check, which is no failure to open; a broken integrity check is one.
        if !status.contains("DECRYPTION_OKAY") || !status.contains("GOODMDC") {
            return Err(said);
        }
        let good_signers = if status.contains("[GNUPG:] GOODSIG") {
            status
                .lines()
                .filter_map(|line| line.strip_prefix("[GNUPG:] VALIDSIG "))
                .filter_map(|line| line.split_whitespace().last())
                .map(str::to_owned)
                .collect()
        } else {
            Vec::new()
        };
        Ok(Decrypted { payload: output.stdout, good_signers, status })
    }

    /// The message with its encryption taken off: packets with the signatures, as they stood inside.
    pub fn unwrap(&self, data: &[u8]) -> Vec<u8> {
        pipe(self.command().args(["--decrypt", "--unwrap"]), data).stdout
    }

    /// Checks a detached signature by somebody this person knows.
    pub fn verifies(&self, data: &[u8], signature: &[u8]) -> bool {
        let file = tempfile::NamedTempFile::new_in(&self.home).unwrap();
        std::fs::write(file.path(), signature).unwrap();
        pipe(self.command().arg("--verify").arg(file.path()).arg("-"), data).status.success()
    }

    /// Prolongs the certificate by two years, keeping the fingerprint.
    pub fn renew(&self) {
        must(self.command().args(["--quick-set-expire", &self.fingerprint, "2y"]), b"");
        must(self.command().args(["--quick-set-expire", &self.fingerprint, "2y", "*"]), b"");
        self.export();
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        let _ = Command::new("gpgconf").arg("--homedir").arg(&self.home).args(["--kill", "all"]).output();
    }
}

/// The fingerprint of the first certificate in a file, upper-case hex.
fn fingerprint_of(home: &Path, file: &Path) -> String {
    let mut command = Command::new("gpg");
    command.env("GNUPGHOME", home).args(["--batch", "--with-colons", "--show-keys"]).arg(file);
    let listing = String::from_utf8_lossy(&must(&mut command, b"")).into_owned();
    let line = listing.lines().find(|line| line.starts_with("fpr:")).expect("a fingerprint");
    line.split(':').nth(9).unwrap().to_owned()
}
