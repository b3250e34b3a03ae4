//! From the document to the configuration: mailbox and outgoing mail, and how a mail server is reached.
//!
//! Security: passwords cross the network in these connections. TLS is the default, with no way to skip the verification of the
//! certificate, and "none" is taken only for a server on the same machine.

use super::parse::secret;
use super::reader::Table;
use super::services::{DAY, REMOVE, bounded, none_of, refuse_other_kind, required_path};
use super::{
    ConfigError, Done, LoginConfig, MailboxConfig, OutgoingConfig, OutgoingKind, Problem, ServerConfig, Tls, values,
};
use std::time::Duration;

const IMAP_KEYS: &[&str] = &["host", "port", "user", "password", "tls", "ca", "folder"];
const SMTP_KEYS: &[&str] = &["host", "port", "user", "password", "tls", "ca"];

pub(super) fn mailbox(mut table: Table<'_>) -> Result<MailboxConfig, ConfigError> {
    const MEND: &str = "use \"imap\", \"maildir\" or \"none\"";
    let kind = table.required("kind", MEND)?;
    let mailbox = match kind.as_str() {
        "imap" => {
            refuse_other_kind(&mut table, &["path"], "maildir")?;
            imap(&mut table)?
        }
        "maildir" => {
            refuse_other_kind(&mut table, IMAP_KEYS, "imap")?;
            let path = required_path(&mut table, "path", "name the Maildir in which reports arrive")?;
            let done = table.read("done", |text| done(text, values::maildir_folder))?.unwrap_or_else(archive);
            MailboxConfig::Maildir { path, done, poll: poll(&mut table)? }
        }
        "none" => {
            refuse_other_kind(&mut table, IMAP_KEYS, "imap")?;
            table.refuse(&["path", "done", "poll"], "it means nothing with kind = \"none\"", REMOVE)?;
            MailboxConfig::None
        }
        other => return Err(table.wrong("kind", none_of(other, MEND))),
    };
    table.finish()?;
    Ok(mailbox)
}

fn imap(table: &mut Table<'_>) -> Result<MailboxConfig, ConfigError> {
    let server = server(table, Ports { implicit: 993, starttls: 143, none: 143 }, "imap.example.org")?;
    if server.login.is_none() {
        let mend = "write the name that this mailbox is logged in to with, often its whole address";
        return Err(table.wrong("user", Problem::new("it is missing", mend)));
    }
    let folder = table.read("folder", values::mailbox_name)?.unwrap_or_else(|| "INBOX".into());
    let done = table.read("done", |text| done(text, values::mailbox_name))?.unwrap_or_else(archive);
    if matches!(&done, Done::Move(target) if same_mailbox(target, &folder)) {
        let what = format!("{folder:?} is the folder in which reports arrive, so they would come again and again");
        return Err(table.wrong("done", Problem::new(what, "name another folder, as in \"move:Archive\"")));
    }
    Ok(MailboxConfig::Imap { server, folder, done, poll: poll(table)? })
}

/// Whether two names mean one mailbox: INBOX is the same in capitals and small letters (RFC 9051 section 5.1).
fn same_mailbox(one: &str, other: &str) -> bool {
    one == other || (one.eq_ignore_ascii_case("INBOX") && other.eq_ignore_ascii_case("INBOX"))
}

fn poll(table: &mut Table<'_>) -> Result<Duration, ConfigError> {
    Ok(bounded(table, "poll", Duration::from_secs(1), DAY)?.unwrap_or(Duration::from_secs(60)))
}

fn archive() -> Done {
    Done::Move("Archive".into())
}

fn done(text: &str, folder: impl FnOnce(&str) -> Result<String, Problem>) -> Result<Done, Problem> {
    match text.split_once(':') {
        Some(("move", name)) => folder(name).map(Done::Move),
        None if text == "delete" => Ok(Done::Delete),
        None if text == "seen" => Ok(Done::Seen),
        _ => Err(none_of(text, "use \"move:FOLDER\", \"delete\" or \"seen\"")),
    }
}

pub(super) fn outgoing(mut table: Table<'_>, team_address: &str) -> Result<OutgoingConfig, ConfigError> {
    const MEND: &str = "use \"smtp\", \"sendmail\" or \"maildir\"";
    let kind = table.required("kind", MEND)?;
    let kind = match kind.as_str() {
        "smtp" => {
            refuse_other_kind(&mut table, &["path"], "maildir")?;
            refuse_other_kind(&mut table, &["command"], "sendmail")?;
            let ports = Ports { implicit: 465, starttls: 587, none: 25 };
            OutgoingKind::Smtp { server: server(&mut table, ports, "smtp.example.org")? }
        }
        "maildir" => {
            refuse_other_kind(&mut table, SMTP_KEYS, "smtp")?;
            refuse_other_kind(&mut table, &["command"], "sendmail")?;
            let path = required_path(&mut table, "path", "name the folder in which each recipient gets a Maildir")?;
            OutgoingKind::Maildir { path }
        }
        "sendmail" => {
            refuse_other_kind(&mut table, SMTP_KEYS, "smtp")?;
            refuse_other_kind(&mut table, &["path"], "maildir")?;
            let command = required_path(&mut table, "command", "name the program, as in \"/usr/sbin/sendmail\"")?;
            OutgoingKind::Sendmail { command }
        }
        other => return Err(table.wrong("kind", none_of(other, MEND))),
    };
    let bounces = table.read("bounces", values::address)?.unwrap_or_else(|| team_address.to_owned());
    table.finish()?;
    Ok(OutgoingConfig { kind, bounces })
}

/// The port for each way of protection, where the file names none (RFC 8314 section 7, RFC 6409 section 3.1).
struct Ports {
    implicit: u16,
    starttls: u16,
    none: u16,
}

fn server(table: &mut Table<'_>, ports: Ports, example: &str) -> Result<ServerConfig, ConfigError> {
    let mend = format!("name the server, as in {example:?}");
    let host = table.read_required("host", &mend, values::host)?;
    let words = [("implicit", Tls::Implicit), ("starttls", Tls::StartTls), ("none", Tls::None)];
    let tls = table.choice("tls", &words, Tls::Implicit)?;
    if tls == Tls::None && !values::is_loopback(&host) {
        let what = format!("without TLS, password and mail would go to {host} in clear");
        let mend = "use \"implicit\" or \"starttls\"; \"none\" is only for a server on this machine (localhost, 127.0.0.1 or ::1)";
        return Err(table.wrong("tls", Problem::new(what, mend)));
    }
    let default = match tls {
        Tls::Implicit => ports.implicit,
        Tls::StartTls => ports.starttls,
        Tls::None => ports.none,
    };
    let port = table.number("port", 1..=u32::from(u16::MAX))?.and_then(|port| u16::try_from(port).ok());
    let ca = table.existing("ca")?;
    if tls == Tls::None && ca.is_some() {
        return Err(table.wrong("ca", Problem::new("it means nothing with tls = \"none\"", REMOVE)));
    }
    Ok(ServerConfig { host, port: port.unwrap_or(default), login: login(table)?, tls, ca })
}

/// `user` and `password`: both or neither.
fn login(table: &mut Table<'_>) -> Result<Option<LoginConfig>, ConfigError> {
    const FORM: &str = "write where it comes from, as in password = { file = \"…\" }, { credential = \"NAME\" } or { env = \"NAME\" }; never the password itself";
    let user = table.read("user", values::login_name)?;
    let password = table.optional_table_or("password", FORM)?.map(secret).transpose()?;
    match (user, password) {
        (Some(user), Some(password)) => Ok(Some(LoginConfig { user, password })),
        (None, None) => Ok(None),
        (Some(_), None) => Err(table.wrong("password", Problem::new("it is missing", FORM))),
        (None, Some(_)) => {
            let mend = "write the name that the password belongs to, often the whole address";
            Err(table.wrong("user", Problem::new("it is missing", mend)))
        }
    }
}
