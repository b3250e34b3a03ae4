//! The configuration file of a world, and where things lie.

use super::TEAM;
use super::actors::Actor;
use super::github::GitHub;
use std::fmt::Write;
use std::path::PathBuf;

/// Where things lie. Everything but the people's OpenPGP homes is below one root.
#[derive(Clone)]
pub struct Layout {
    pub root: PathBuf,
    /// The configuration folder; the SQLite file is in `state` below it.
    pub etc: PathBuf,
    /// The Maildir in which reports arrive.
    pub mailbox: PathBuf,
    /// The folder of Maildirs, one for each recipient.
    pub outgoing: PathBuf,
    pub drafts: PathBuf,
    /// Standard error of daemons.
    pub logs: PathBuf,
    /// What the gateway sees as TMPDIR and HOME.
    pub scratch: PathBuf,
    /// Tokens and keys of services; beside the root, so that no search for them finds them where they belong.
    pub secrets: PathBuf,
}

impl Layout {
    pub fn below(root: PathBuf, secrets: PathBuf) -> Self {
        let layout = Self {
            etc: root.join("etc"),
            mailbox: root.join("mailbox"),
            outgoing: root.join("outgoing"),
            drafts: root.join("drafts"),
            logs: root.join("logs"),
            scratch: root.join("scratch"),
            root,
            secrets,
        };
        for folder in [&layout.etc, &layout.drafts, &layout.logs, &layout.scratch, &layout.outgoing, &layout.secrets] {
            std::fs::create_dir_all(folder).unwrap();
        }
        for folder in ["keys/gateway", "keys/members", "keys/known"] {
            std::fs::create_dir_all(layout.etc.join(folder)).unwrap();
        }
        for folder in ["cur", "new", "tmp"] {
            std::fs::create_dir_all(layout.mailbox.join(folder)).unwrap();
        }
        layout
    }

    pub fn config(&self) -> PathBuf {
        self.etc.join("embargod.toml")
    }
}

/// One `[[gateway_keys]]` table.
#[derive(Clone)]
pub struct GatewayKey {
    pub file: String,
    /// Last day of a decrypt-only key; an active one has none.
    pub until: Option<String>,
    /// Environment variable with the passphrase.
    pub passphrase_env: Option<String>,
}

/// One `[[members]]` table.
#[derive(Clone)]
pub struct MemberLine {
    pub name: String,
    pub address: String,
    pub certificate: String,
    pub fingerprint: String,
}

impl MemberLine {
    /// A member's table; the certificate is copied into the configuration folder.
    pub fn of(actor: &Actor, layout: &Layout) -> Self {
        let certificate = format!("keys/members/{}.asc", actor.name);
        std::fs::copy(actor.certificate(), layout.etc.join(&certificate)).unwrap();
        Self {
            name: actor.name.clone(),
            address: actor.address.clone(),
            certificate,
            fingerprint: actor.fingerprint.clone(),
        }
    }
}

/// Where drafts are opened.
#[derive(Clone, Default)]
pub enum Desk {
    #[default]
    Directory,
    GitHub(GitHubDesk),
}

/// What `[advisories]` says of GitHub.
#[derive(Clone)]
pub struct GitHubDesk {
    pub api: String,
    pub repository: String,
    /// A token; or an App's key, if there is an App.
    pub secret: String,
    pub app: Option<u64>,
    pub teams: Vec<String>,
    pub users: Vec<String>,
    /// What matches, and the repository.
    pub routes: Vec<(String, String)>,
}

impl GitHubDesk {
    /// The name of the file with the secret.
    const SECRET: &str = "github";

    pub fn new(hub: &GitHub, repository: &str, token: &str) -> Self {
        Self {
            api: hub.api(),
            repository: repository.to_owned(),
            secret: token.to_owned(),
            app: None,
            teams: Vec::new(),
            users: Vec::new(),
            routes: Vec::new(),
        }
    }

    fn toml(&self, layout: &Layout) -> String {
        let file = format!("{{ file = {:?} }}", layout.secrets.join(Self::SECRET).display().to_string());
        let proof = match self.app {
            Some(id) => format!("app = {{ id = {id}, key = {file} }}"),
            None => format!("token = {file}"),
        };
        format!(
            "kind = \"github\"\napi = \"{}\"\nrepository = \"{}\"\n{proof}\nteams = {:?}\nusers = {:?}",
            self.api, self.repository, self.teams, self.users
        )
    }

    fn routes(&self) -> String {
        let table = |(matches, repository): &(String, String)| {
            format!("\n[[advisories.routes]]\nmatch = \"{matches}\"\nrepository = \"{repository}\"\n")
        };
        self.routes.iter().map(table).collect()
    }
}

/// What the configuration file says.
#[derive(Clone)]
pub struct Settings {
    pub store_url: String,
    pub gateway_keys: Vec<GatewayKey>,
    pub members: Vec<MemberLine>,
    pub admins: Vec<String>,
    pub aliases: Vec<String>,
    pub outer_subject: &'static str,
    pub mailbox_done: &'static str,
    pub desk: Desk,
    pub content: &'static str,
    pub open_for: &'static str,
    pub max_per_hour: u32,
    pub plaintext: &'static str,
    pub acknowledge: bool,
    pub authserv_id: Option<&'static str>,
    pub known_certificates: bool,
    /// Lines put before everything, for errors.
    pub first_lines: String,
    /// Lines put after everything, for errors and rare tables.
    pub last_lines: String,
}

impl Settings {
    pub fn new(store_url: String) -> Self {
        Self {
            store_url,
            gateway_keys: vec![GatewayKey {
                file: "keys/gateway/first.sec.asc".into(),
                until: None,
                passphrase_env: None,
            }],
            members: Vec::new(),
            admins: Vec::new(),
            aliases: Vec::new(),
            outer_subject: "case",
            mailbox_done: "move:Archive",
            desk: Desk::default(),
            content: "stub",
            open_for: "encrypted",
            max_per_hour: 1000,
            plaintext: "accept",
            acknowledge: true,
            authserv_id: None,
            known_certificates: false,
            first_lines: String::new(),
            last_lines: String::new(),
        }
    }

    /// Writes the files with secrets that the configuration file names.
    pub fn write_secrets(&self, layout: &Layout) {
        if let Desk::GitHub(desk) = &self.desk {
            std::fs::write(layout.secrets.join(GitHubDesk::SECRET), &desk.secret).unwrap();
        }
    }

    /// The desk at GitHub.
    pub fn github(&mut self) -> &mut GitHubDesk {
        match &mut self.desk {
            Desk::GitHub(desk) => desk,
            Desk::Directory => panic!("drafts are not opened at GitHub"),
        }
    }

    /// The file, as an admin would write it.
    pub fn toml(&self, layout: &Layout) -> String {
        let mut toml = self.first_lines.clone();
        let list = |items: &[String]| items.iter().map(|item| format!("{item:?}")).collect::<Vec<_>>().join(", ");
        let add = |toml: &mut String, line: std::fmt::Arguments<'_>| writeln!(toml, "{line}").unwrap();
        add(&mut toml, format_args!("[team]\nname = \"Kata Containers VMT\"\naddress = \"{TEAM}\""));
        add(&mut toml, format_args!("case_prefix = \"KATA\"\nouter_subject = \"{}\"", self.outer_subject));
        add(&mut toml, format_args!("aliases = [{}]", list(&self.aliases)));
        if !self.admins.is_empty() {
            add(&mut toml, format_args!("admins = [{}]", list(&self.admins)));
        }
        add(&mut toml, format_args!("\n[store]\nurl = \"{}\"", self.store_url));
        for key in &self.gateway_keys {
            add(&mut toml, format_args!("\n[[gateway_keys]]\nfile = \"{}\"", key.file));
            if let Some(variable) = &key.passphrase_env {
                add(&mut toml, format_args!("passphrase = {{ env = \"{variable}\" }}"));
            }
            match &key.until {
                Some(day) => add(&mut toml, format_args!("use = \"decrypt-only\"\nuntil = {day}")),
                None => add(&mut toml, format_args!("use = \"active\"")),
            }
        }
        for member in &self.members {
            add(&mut toml, format_args!("\n[[members]]\nname = \"{}\"\naddress = \"{}\"", member.name, member.address));
            add(&mut toml, format_args!("certificate = \"{}\"", member.certificate));
            add(&mut toml, format_args!("fingerprint = \"{}\"", member.fingerprint));
        }
        add(&mut toml, format_args!("\n[mailbox]\nkind = \"maildir\"\npath = \"{}\"", layout.mailbox.display()));
        add(&mut toml, format_args!("done = \"{}\"\npoll = \"1s\"", self.mailbox_done));
        add(&mut toml, format_args!("\n[outgoing]\nkind = \"maildir\"\npath = \"{}\"", layout.outgoing.display()));
        let desk = match &self.desk {
            Desk::Directory => format!("kind = \"directory\"\npath = \"{}\"", layout.drafts.display()),
            Desk::GitHub(desk) => desk.toml(layout),
        };
        add(&mut toml, format_args!("\n[advisories]\n{desk}"));
        add(&mut toml, format_args!("content = \"{}\"\nopen_for = \"{}\"", self.content, self.open_for));
        add(&mut toml, format_args!("max_per_hour = {0}\nmax_per_day = {0}", self.max_per_hour));
        add(&mut toml, format_args!("components = [\"runtime\", \"agent\"]"));
        if let Desk::GitHub(desk) = &self.desk {
            toml.push_str(&desk.routes());
        }
        add(
            &mut toml,
            format_args!("\n[intake]\nplaintext = \"{}\"\nacknowledge = {}", self.plaintext, self.acknowledge),
        );
        if let Some(server) = self.authserv_id {
            add(&mut toml, format_args!("authserv_id = \"{server}\""));
        }
        if self.known_certificates {
            add(&mut toml, format_args!("known_certificates = \"keys/known\""));
        }
        toml + &self.last_lines
    }
}
