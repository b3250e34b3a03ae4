//! A look at the mailbox for `check --online`: every step from the address to the folder, and what is wrong with it in words.
//!
//! Security: nothing is taken, marked or made. A server's words are looked through for known complaints and not repeated; of the
//! folders' names those are shown that cannot hold an address.

use super::connect::{GREETING, connect};
use super::folders::{self, Found};
use super::names;
use super::session::Link;
use super::trouble::{Trouble, caught, harmless};
use crate::adapters::server::Server;
use crate::config::{Done, Tls};
use crate::ports::{Observation, Observed};

/// Folders that are offered where the configured one is missing.
const OFFERED: usize = 12;
/// More waiting mails than these are worth a word: each is taken in as if it had arrived just now.
const MANY: usize = 50;

/// Logs in, opens the folder and looks at what the gateway would need.
pub async fn observe(server: &Server, folder: &str, done: &Done) -> Vec<Observation> {
    let connected = caught("login", async { Link::new(connect(server).await?).await });
    let mut link = match connected.await {
        Ok(link) => link,
        Err(trouble) => return vec![of_connection(server, &trouble)],
    };
    let user = server.login.as_ref().map_or("", |login| login.user.as_str());
    let mut seen = vec![fine("mailbox.host", format!("{user} is logged in at {}:{}", server.host, server.port))];
    if let Err(trouble) = look_around(&mut link, folder, done, &mut seen).await {
        let mend = "try again; if it stays so, look at the server's own log".to_owned();
        seen.push(broken("mailbox.host", format!("{}: {trouble}", server.host), mend));
    }
    link.log_out().await;
    seen
}

async fn look_around(link: &mut Link, folder: &str, done: &Done, seen: &mut Vec<Observation>) -> Result<(), Trouble> {
    match link.select(&names::encoded(folder)).await {
        Ok(()) => {}
        Err(Trouble::Refused { .. }) => {
            seen.push(missing(link, folder).await?);
            return Ok(());
        }
        Err(trouble) => return Err(trouble),
    }
    if link.folder.read_only {
        let what = format!("the folder {folder} can only be read, so no mail can be taken off it");
        let mend = "give the user the right to change it, or name another folder";
        seen.push(broken("mailbox.folder", what, mend.into()));
    }
    seen.push(waiting(link, folder, done).await?);
    if let Done::Move(target) = done {
        let what = match folders::find(link, target).await? {
            Found::There(_) => format!("mails will be moved to {target}"),
            Found::Missing(_) => format!("mails will be moved to {target}, which is made when the first one is"),
        };
        seen.push(fine("mailbox.done", what));
    }
    abilities(link, done, seen);
    Ok(())
}

/// How many mails the first round takes in.
async fn waiting(link: &mut Link, folder: &str, done: &Done) -> Result<Observation, Trouble> {
    let (count, which) = match done {
        Done::Seen if link.folder.exists > 0 => (link.search("UNSEEN").await?.len(), "unread mails"),
        Done::Seen => (0, "unread mails"),
        Done::Move(_) | Done::Delete => (usize::try_from(link.folder.exists).unwrap_or(usize::MAX), "mails"),
    };
    let what = format!("{which} in {folder}: {count}");
    Ok(if count > MANY {
        let mend = "at the first run each of them is taken in like a new report, and its sender may be answered; move old mail to another folder before";
        Observation { kind: Observed::Doubtful, key: "mailbox.folder", what, mend: Some(mend.into()) }
    } else {
        fine("mailbox.folder", what)
    })
}

fn abilities(link: &Link, done: &Done, seen: &mut Vec<Observation>) {
    if !link.abilities.has("IDLE") {
        let what = "the server does not say when mail arrives (no IDLE), so it is asked every `poll`".into();
        let mend = Some("shorten mailbox.poll if that is too slow".into());
        seen.push(Observation { kind: Observed::Doubtful, key: "mailbox.poll", what, mend });
    }
    let stays = match done {
        Done::Move(_) => !link.abilities.has("MOVE") && !link.abilities.has("UIDPLUS"),
        Done::Delete => !link.abilities.has("UIDPLUS"),
        Done::Seen => false,
    };
    if stays {
        let what = "the server cannot remove single mails (no UIDPLUS), and mail of others is never removed, so what is taken in stays in the folder, marked as deleted".into();
        let mend = Some("have a mail program tidy the folder up now and then".into());
        seen.push(Observation { kind: Observed::Doubtful, key: "mailbox.done", what, mend });
    }
}

async fn missing(link: &mut Link, folder: &str) -> Result<Observation, Trouble> {
    let what = format!("there is no folder {folder}, or it cannot be opened");
    let mut listed = link.list("*").await?;
    listed.retain(|one| one.selectable && !one.name.contains('@'));
    listed.truncate(OFFERED);
    let named: Vec<String> = listed.iter().map(|one| harmless(&names::decoded(&one.name))).collect();
    let mend = if named.is_empty() {
        "name a folder that exists".to_owned()
    } else {
        format!("name one of those that there are: {}", named.join(", "))
    };
    Ok(broken("mailbox.folder", what, mend))
}

/// What kept the gateway from logging in, with the key that is most likely wrong.
fn of_connection(server: &Server, trouble: &Trouble) -> Observation {
    let what = format!("{}:{}: {trouble}", server.host, server.port);
    let (key, mend) = match trouble {
        Trouble::Unreachable(_) | Trouble::Lost => {
            ("mailbox.host", "check `host` and `port`, and that a firewall lets the gateway out")
        }
        Trouble::Certificate(_) => (
            "mailbox.ca",
            "use the name in `host` that the server's certificate is for; where the authority is your own, name its root in `ca`",
        ),
        Trouble::Tls(_) if server.tls == Tls::Implicit => {
            ("mailbox.tls", "on port 143 use tls = \"starttls\"; TLS from the start is spoken on port 993")
        }
        Trouble::NoStartTls => ("mailbox.tls", "use tls = \"implicit\" and port 993"),
        Trouble::TimedOut(GREETING) if server.tls != Tls::Implicit => (
            "mailbox.tls",
            "a server that expects TLS from the start waits in silence: use tls = \"implicit\" and port 993",
        ),
        Trouble::Tls(_) | Trouble::NoGreeting | Trouble::TimedOut(_) => {
            ("mailbox.port", "check `host`, `port` and `tls`: it may be another kind of server")
        }
        Trouble::Injected | Trouble::PreAuthenticated => {
            ("mailbox.tls", "use tls = \"implicit\", and find out who sits between the gateway and the server")
        }
        Trouble::TurnedAway(_) => {
            ("mailbox.host", "it may be busy, or not let this address in: try again later, then ask whoever runs it")
        }
        Trouble::NoLogin => ("mailbox.user", "set mailbox.user and mailbox.password"),
        Trouble::LoginDisabled => (
            "mailbox.password",
            "the provider wants a login by OAuth, which embargod does not speak: have its mail forwarded into `embargod receive` instead",
        ),
        Trouble::LoginRefused(words) => ("mailbox.password", of_login(&server.host, words)),
        Trouble::Refused { .. } | Trouble::TooMuch(_) | Trouble::Unintelligible(_) | Trouble::Memory(_) => {
            ("mailbox.host", "it does not behave as an IMAP server (RFC 3501): look at its own log")
        }
    };
    broken(key, what, mend.into())
}

/// What providers mean by refusing a password, by what they say and by who they are.
fn of_login(host: &str, words: &str) -> &'static str {
    const APP_PASSWORD: &str = "this provider takes no ordinary password here: make an app password in the account's security settings (two-step verification must be on for some), and use that";
    const FORWARD: &str = "this provider takes passwords no more, or not for this account: let an administrator allow them, or have the mail forwarded into `embargod receive`";
    const IMAP_OFF: &str = "switch IMAP on in the settings of this mailbox";
    const ORDINARY: &str = "correct user and password; many providers want the whole address as user, and an app password where two-step verification is on";
    let (host, words) = (host.to_ascii_lowercase(), words.to_ascii_lowercase());
    let says = |complaints: &[&str]| complaints.iter().any(|complaint| words.contains(complaint));
    let is = |domains: &[&str]| {
        domains
            .iter()
            .any(|domain| host.strip_suffix(domain).is_some_and(|before| before.is_empty() || before.ends_with('.')))
    };
    if says(&["basicauthblocked", "basic auth", "logondenied", "oauth", "xoauth2"]) {
        FORWARD
    } else if says(&["application-specific", "app password", "app-specific", "apppassword", "access token"]) {
        APP_PASSWORD
    } else if says(&["not enabled for imap", "imap access is disabled", "imap is disabled", "imap disabled"]) {
        IMAP_OFF
    } else if is(&["outlook.com", "office365.com", "outlook.office365.com", "hotmail.com"]) {
        FORWARD
    } else if is(&[
        "gmail.com",
        "googlemail.com",
        "fastmail.com",
        "yahoo.com",
        "aol.com",
        "me.com",
        "icloud.com",
        "zoho.com",
        "zoho.eu",
    ]) {
        APP_PASSWORD
    } else {
        ORDINARY
    }
}

fn fine(key: &'static str, what: String) -> Observation {
    Observation { kind: Observed::Fine, key, what, mend: None }
}

fn broken(key: &'static str, what: String, mend: String) -> Observation {
    Observation { kind: Observed::Broken, key, what, mend: Some(mend) }
}

#[cfg(test)]
#[path = "probe_tests.rs"]
mod tests;
