//! A look at the mailbox for `check --online`: logs in, opens the folder, changes nothing.
//!
//! Security: it goes the way the inbox goes, so what it finds fine is what will be used. Of the server's words only harmless ones
//! are shown; names of folders are shown as they are, since only an admin of this mailbox sees them.

use super::connect;
use super::folders::{self, Found};
use super::names;
use super::session::Link;
use super::trouble::{Trouble, caught};
use crate::adapters::server::Server;
use crate::config::{Done, Tls};
use crate::ports::{Observation, Observed};

/// Names of folders that are shown at most.
const SHOWN: usize = 12;

/// Looks at the mailbox as [`super::ImapInbox`] will use it: certificate, login, folder, the folder of `done`, and what the server
/// can do.
pub async fn observe(server: &Server, folder: &str, done: &Done) -> Vec<Observation> {
    let connected = async { Link::new(connect::connect(server).await?).await };
    let mut link = match caught("the login", connected).await {
        Ok(link) => link,
        Err(trouble) => return vec![no_login(server, &trouble)],
    };
    let mut found = vec![fine("mailbox.host", welcome(server))];
    let looked = caught("the look", look(&mut link, server, folder, done, &mut found)).await;
    if let Err(trouble) = looked {
        let what = format!("{} broke off the look: {trouble}", server.host);
        found.push(broken("mailbox.host", what, "try again; if it stays so, look at the server's log"));
    }
    link.log_out().await;
    found
}

fn welcome(server: &Server) -> String {
    let tls = if server.tls == Tls::None { "without TLS" } else { "over TLS, with a certificate that verifies" };
    format!("{} answers at port {} {tls}; the login is accepted", server.host, server.port)
}

async fn look(
    link: &mut Link,
    server: &Server,
    folder: &str,
    done: &Done,
    found: &mut Vec<Observation>,
) -> Result<(), Trouble> {
    match link.select(&names::encoded(folder)).await {
        Ok(()) if link.folder.read_only => {
            let what = format!("the folder {folder} can only be read, so no mail can be taken off it");
            found.push(broken("mailbox.folder", what, "give this login the right to change the folder"));
        }
        Ok(()) => {
            let what = format!("the folder {folder} can be read and changed; mails in it: {}", link.folder.exists);
            found.push(fine("mailbox.folder", what));
        }
        Err(trouble) if trouble.ends_connection() => return Err(trouble),
        Err(trouble) => {
            let there = folders_there(link).await?;
            let what = format!("the folder {folder} cannot be opened ({trouble})");
            found.push(broken("mailbox.folder", what, &format!("name one of the folders that are there: {there}")));
        }
    }
    if let Done::Move(target) = done
        && let Found::Missing(_) = folders::find(link, target).await?
    {
        found.push(fine("mailbox.done", format!("the folder {target} is not there yet; it will be made")));
    }
    found.extend(abilities(link, server, done));
    Ok(())
}

async fn folders_there(link: &mut Link) -> Result<String, Trouble> {
    let mut there: Vec<String> =
        link.list("*").await?.iter().filter(|one| one.selectable).map(|one| names::decoded(&one.name)).collect();
    there.sort();
    let more = if there.len() > SHOWN { ", …" } else { "" };
    there.truncate(SHOWN);
    Ok(format!("{}{more}", there.join(", ")))
}

fn abilities(link: &Link, server: &Server, done: &Done) -> Vec<Observation> {
    let has = |ability: &str| link.abilities.has(ability);
    let mut found = Vec::new();
    if !has("IDLE") {
        let what = format!("{} does not tell of new mail by itself (no IDLE)", server.host);
        found.push(doubtful("mailbox.poll", what, "nothing need be done: the folder is looked at every `poll`"));
    }
    let stays = match done {
        Done::Move(_) => !has("MOVE") && !has("UIDPLUS"),
        Done::Delete => !has("UIDPLUS"),
        Done::Seen => false,
    };
    if stays {
        let what = format!(
            "{} can remove marked mail only all at once (neither MOVE nor UIDPLUS), which could remove other mail than the gateway's",
            server.host
        );
        let mend =
            "mails that were taken in stay in the folder, marked as deleted; let a mail program tidy up now and then";
        found.push(doubtful("mailbox.done", what, mend));
    }
    found
}

/// What kept the gateway from logging in, and where to mend it.
fn no_login(server: &Server, trouble: &Trouble) -> Observation {
    let (key, mend) = match trouble {
        Trouble::Unreachable(_) => ("mailbox.host", "correct mailbox.host and port, or open the way there".to_owned()),
        Trouble::Certificate(_) => (
            "mailbox.ca",
            "correct mailbox.host to the name in the certificate, or name the root of your own authority in mailbox.ca"
                .to_owned(),
        ),
        Trouble::Tls(_) | Trouble::NoGreeting | Trouble::NoStartTls | Trouble::Lost | Trouble::TimedOut(_) => {
            ("mailbox.tls", other_way(server))
        }
        Trouble::Injected | Trouble::PreAuthenticated => {
            ("mailbox.tls", "use tls = \"implicit\", and find out who sits between".to_owned())
        }
        Trouble::LoginRefused(_) | Trouble::LoginDisabled | Trouble::NoLogin => {
            ("mailbox.password", login_mend(server, trouble))
        }
        _ => ("mailbox.host", "try again; if it stays so, look at the server's log".to_owned()),
    };
    broken(key, format!("{}: {trouble}", server.host), &mend)
}

/// The commonest mistake: implicit TLS at the port of STARTTLS, or the other way round (RFC 8314 section 4).
fn other_way(server: &Server) -> String {
    let (tls, port) = match server.tls {
        Tls::Implicit => ("starttls", 143),
        Tls::StartTls | Tls::None => ("implicit", 993),
    };
    format!("check mailbox.port: with tls = {tls:?} it is usually {port}")
}

fn login_mend(server: &Server, trouble: &Trouble) -> String {
    let host = server.host.to_ascii_lowercase();
    let words = trouble.to_string().to_ascii_lowercase();
    let at = |names: &[&str]| names.iter().any(|name| host == *name || host.ends_with(&format!(".{name}")));
    if at(&["office365.com", "outlook.com"]) || words.contains("basicauthblocked") {
        return "Microsoft takes no passwords for IMAP any more; forward the mailbox into `embargod receive`, or use another mailbox".into();
    }
    let needs_app_password = ["application-specific", "app password", "app-specific"];
    if at(&["gmail.com", "googlemail.com", "fastmail.com", "mail.me.com", "yahoo.com", "aol.com"])
        || needs_app_password.iter().any(|known| words.contains(known))
    {
        return "this provider wants an app password made for IMAP, not the account's own; put it where mailbox.password points".into();
    }
    "correct mailbox.user (often the whole address) and the password; where the account has a second factor, make an app password".into()
}

fn fine(key: &'static str, what: String) -> Observation {
    Observation { kind: Observed::Fine, key, what, mend: None }
}

fn doubtful(key: &'static str, what: String, mend: &str) -> Observation {
    Observation { kind: Observed::Doubtful, key, what, mend: Some(mend.to_owned()) }
}

fn broken(key: &'static str, what: String, mend: &str) -> Observation {
    Observation { kind: Observed::Broken, key, what, mend: Some(mend.to_owned()) }
}

#[cfg(test)]
#[path = "probe_tests.rs"]
mod tests;
