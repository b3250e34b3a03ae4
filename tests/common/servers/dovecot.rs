//! Dovecot: IMAP (plain, STARTTLS, implicit TLS), LMTP for the mail server, and SASL for its logins.
//!
//! Security: the mail lies in a folder of the test's, owned by `nobody` where the tests run as root. Passwords in clear are
//! allowed on loopback, so that tests can look at what is said.

use super::authority::{Authority, Presented};
use super::service::{self, Folder, Service};
use super::{PASSWORD, USERS, ports};
use std::fmt::Write;
use std::path::{Path, PathBuf};

/// What a Dovecot shall be like.
#[derive(Clone, Debug, Default)]
pub struct Options {
    pub presented: Presented,
    /// Lines put at the end of its configuration, such as other capabilities.
    pub extra: String,
    /// Whether a delivered mail is on the disk before it is acknowledged; off, since tests pull no plug.
    pub durable: bool,
}

/// A running Dovecot. Dropping it ends it and removes its mail.
pub struct Dovecot {
    /// Plain, with STARTTLS offered and logins in clear allowed.
    pub imap: u16,
    /// Implicit TLS.
    pub imaps: u16,
    pub lmtp: u16,
    /// Dovecot's authentication for Postfix and Exim.
    pub sasl: u16,
    options: Options,
    service: Option<Service>,
    // Last: it goes after those who write into it.
    folder: Folder,
}

impl Dovecot {
    /// Whether it is installed, and if not, what is missing.
    pub fn missing() -> Option<&'static str> {
        if binary().is_none() || helper("imap").is_none() {
            return Some("Dovecot's IMAP server (Debian: dovecot-imapd)");
        }
        helper("lmtp").is_none().then_some("Dovecot's LMTP server (Debian: dovecot-lmtpd)")
    }

    pub fn start(authority: &Authority) -> Self {
        Self::with(authority, Options::default())
    }

    pub fn with(authority: &Authority, options: Options) -> Self {
        if let Some(missing) = Self::missing() {
            panic!("{missing} is not installed");
        }
        // Somebody else may take a port between the look and the start.
        for _ in 0..5 {
            let folder = Folder::new("embargod-dovecot-");
            let (imap, imaps, lmtp, sasl) = (ports::free(), ports::free(), ports::free(), ports::free());
            let mut dovecot = Self { imap, imaps, lmtp, sasl, options: options.clone(), service: None, folder };
            authority.identity(dovecot.options.presented).write(dovecot.folder.path());
            dovecot.write_files();
            if dovecot.launch() {
                return dovecot;
            }
            eprintln!("Dovecot did not start:\n{}", dovecot.log());
        }
        panic!("Dovecot does not start");
    }

    fn write_files(&self) {
        for name in ["run", "state", "mail"] {
            self.folder.folder(name);
        }
        if let Some((user, group)) = mail_owner() {
            std::os::unix::fs::chown(self.folder.folder("mail"), Some(user), Some(group)).unwrap();
        }
        let users = USERS.iter().fold(String::new(), |mut users, user| {
            writeln!(users, "{user}:{{PLAIN}}{PASSWORD}").unwrap();
            users
        });
        std::fs::write(self.path("passwd"), users).unwrap();
        std::fs::write(self.path("dovecot.conf"), self.configuration()).unwrap();
    }

    fn launch(&mut self) -> bool {
        let binary = binary().unwrap();
        let command = [&binary.display().to_string(), "-F", "-c", &self.path("dovecot.conf").display().to_string()];
        let service = Service::start(&command, &self.path("output"));
        let up =
            service::greets(&service, self.imap, &self.token()) && service::greets(&service, self.lmtp, &self.token());
        self.service = Some(service);
        up
    }

    /// Ends it gently; connections are closed.
    pub fn stops(&mut self) {
        drop(self.service.take());
    }

    /// Ends it at once.
    pub fn dies(&mut self) {
        if let Some(service) = self.service.take() {
            service.dies();
        }
    }

    /// Starts it again after [`Dovecot::stops`] or [`Dovecot::dies`], on the same ports and with the same mail.
    pub fn begins_again(&mut self) {
        assert!(self.service.is_none(), "it runs");
        for _ in 0..10 {
            let _ = std::fs::remove_file(self.path("run/master.pid"));
            if self.launch() {
                return;
            }
            self.stops();
            std::thread::sleep(std::time::Duration::from_millis(300));
        }
        panic!("Dovecot does not start again:\n{}", self.log());
    }

    /// Shows another certificate from the next start on.
    pub fn will_present(&mut self, authority: &Authority, presented: Presented) {
        self.options.presented = presented;
        authority.identity(presented).write(self.folder.path());
    }

    /// Everybody's password from now on.
    pub fn changes_password(&self, password: &str) {
        let text = std::fs::read_to_string(self.path("passwd")).unwrap();
        let lines = text.lines().filter_map(|line| line.split_once(':'));
        let users: String = lines.map(|(user, _)| format!("{user}:{{PLAIN}}{password}\n")).collect();
        // In one step: a login may be under way.
        std::fs::write(self.path("passwd.new"), users).unwrap();
        std::fs::rename(self.path("passwd.new"), self.path("passwd")).unwrap();
    }

    /// The Maildir of a user: INBOX itself, or with a name (such as `Archive`) one of its folders.
    pub fn maildir(&self, user: &str, folder: &str) -> PathBuf {
        let home = self.path("mail").join(user).join("Maildir");
        if folder == "INBOX" { home } else { home.join(format!(".{folder}")) }
    }

    /// What it has logged so far: logins, failures, and every mail that came or went.
    pub fn log(&self) -> String {
        let read =
            |name: &str| String::from_utf8_lossy(&std::fs::read(self.path(name)).unwrap_or_default()).into_owned();
        read("output") + &read("log")
    }

    /// What a mail server needs to know of it.
    pub fn backend(&self) -> super::mta::Backend {
        super::mta::Backend { lmtp: self.lmtp, sasl: self.sasl, passwd: self.path("passwd") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// In its greeting, so that it is not taken for another server on the same port.
    fn token(&self) -> String {
        let name = self.folder.path().file_name().unwrap().to_string_lossy().to_lowercase();
        name.chars().filter(char::is_ascii_alphanumeric).collect()
    }

    fn configuration(&self) -> String {
        let folder = self.folder.path().display();
        let Self { imap, imaps, lmtp, sasl, .. } = self;
        let token = self.token();
        let fsync = if self.options.durable { "always" } else { "never" };
        let own = (service::id(&["-un"]), service::id(&["-gn"]));
        let (mail, internal, login) = if service::is_root() {
            let nobody = ("nobody".to_owned(), service::id(&["-gn", "nobody"]));
            (nobody, ("dovecot".to_owned(), "dovecot".to_owned()), "dovenull".to_owned())
        } else {
            (own.clone(), own.clone(), own.0)
        };
        let chroots = if service::is_root() {
            ""
        } else {
            "service anvil {\n  chroot =\n}\nservice imap-login {\n  chroot =\n}\nservice stats {\n  chroot =\n}\n"
        };
        format!(
            "base_dir = {folder}/run
state_dir = {folder}/state
log_path = {folder}/log
import_environment = TZ TMPDIR
instance_name = {token}
default_internal_user = {}
default_internal_group = {}
default_login_user = {login}
protocols = imap lmtp
listen = 127.0.0.1
mail_location = maildir:~/Maildir
mail_fsync = {fsync}
mail_uid = {}
mail_gid = {}
first_valid_uid = 0
first_valid_gid = 0
auth_mechanisms = plain login
auth_username_format = %Ln
disable_plaintext_auth = no
auth_failure_delay = 0
auth_cache_size = 0
auth_debug = no
login_greeting = {token} ready.
mail_max_userip_connections = 100
hostname = {token}.test.example
postmaster_address = postmaster@test.example
ssl = yes
ssl_cert = <{folder}/server.pem
ssl_key = <{folder}/server.key
ssl_min_protocol = TLSv1.2
mail_plugins = notify mail_log
plugin {{
  mail_log_events = delete undelete expunge copy append save flag_change mailbox_delete mailbox_rename
  mail_log_fields = uid box msgid size flags
}}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%Ln {folder}/passwd
}}
userdb {{
  driver = static
  args = uid={} gid={} home={folder}/mail/%Ln allow_all_users=no
}}
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Archive {{
    auto = create
  }}
}}
service imap-login {{
  process_min_avail = 1
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
    ssl = yes
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    port = {lmtp}
  }}
}}
service auth {{
  inet_listener sasl {{
    port = {sasl}
  }}
}}
service stats {{
  client_limit = 1000
}}
{chroots}{}
",
            internal.0, internal.1, mail.0, mail.1, mail.0, mail.1, self.options.extra
        )
    }
}

/// Mail never belongs to root: Dovecot refuses to read it then.
fn mail_owner() -> Option<(u32, u32)> {
    let number = |which: &str| service::id(&[which, "nobody"]).parse().unwrap();
    service::is_root().then(|| (number("-u"), number("-g")))
}

fn binary() -> Option<PathBuf> {
    service::program(&["/usr/sbin/dovecot", "/usr/local/sbin/dovecot", "/sbin/dovecot"])
}

fn helper(name: &str) -> Option<PathBuf> {
    let folders = ["/usr/lib/dovecot", "/usr/libexec/dovecot", "/usr/local/libexec/dovecot"];
    folders.iter().map(|folder| Path::new(folder).join(name)).find(|path| path.exists())
}
