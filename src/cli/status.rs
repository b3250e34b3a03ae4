//! `status`: what waits, what is stuck, what expires.

use super::{Context, exit, open_store, output};
use crate::config::{self, AdvisoriesKind, Config, MailboxConfig};
use crate::doors::{self, Door};
use crate::gateway;
use crate::report::{DoorNote, DoorState, KeyUse, Keyring};
use crate::store::{CaseState, RowFilter, RowState, Store};
use clap::Args;
use jiff::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::Write;

#[derive(Args)]
pub(super) struct Arguments {
    /// One JSON document.
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Status {
    mailbox: Mailbox,
    mails: Mails,
    queue: Vec<Queue>,
    cases: BTreeMap<&'static str, usize>,
    keys: Vec<Key>,
    held: Vec<Held>,
    errors: Vec<Trouble>,
    connections: Vec<Connection>,
}

/// How a gateway found one of its doors.
#[derive(Serialize)]
struct Connection {
    door: String,
    state: DoorState,
    since: Option<Timestamp>,
    last_success: Option<Timestamp>,
    last_error: Option<String>,
    last_error_at: Option<Timestamp>,
    /// When this was noted; nothing where no gateway has noted anything.
    at: Option<Timestamp>,
    machine: Option<String>,
}

#[derive(Serialize)]
struct Mailbox {
    kind: &'static str,
    /// Mails that lie there and are not taken in yet.
    waiting: Option<usize>,
    /// Mails that `receive` took and the daemon has not.
    spooled: usize,
}

#[derive(Serialize)]
struct Mails {
    unopened: u64,
    oldest: Option<Timestamp>,
    quarantined: u64,
}

#[derive(Serialize)]
struct Queue {
    kind: &'static str,
    state: &'static str,
    count: u64,
    oldest: Timestamp,
    next_try: Timestamp,
}

#[derive(Serialize)]
struct Key {
    role: &'static str,
    name: String,
    fingerprint: String,
    expires: Option<Timestamp>,
    days_left: Option<i64>,
    usable: bool,
    why: Option<String>,
}

#[derive(Serialize)]
struct Held {
    member: String,
    count: usize,
    why: String,
}

#[derive(Serialize)]
struct Trouble {
    kind: &'static str,
    state: &'static str,
    why: String,
    count: usize,
    last: Timestamp,
}

pub(super) fn run(context: &Context, arguments: &Arguments, out: &mut dyn Write) -> anyhow::Result<u8> {
    super::runtime()?.block_on(async {
        let (config, store) = open_store::reading(context).await?;
        let keyring = config::load_keyring(&config, &context.secrets)?;
        let status = gather(&config, &keyring, &store).await?;
        if arguments.json {
            output::json(out, &serde_json::to_value(&status)?)?;
        } else {
            print(&status, out)?;
        }
        Ok(exit::DONE)
    })
}

async fn gather(config: &Config, keyring: &Keyring, store: &Store) -> anyhow::Result<Status> {
    let now = store.now().await?;
    let waiting = store.mails_waiting().await?;
    let queue = store.work_left().await?;
    let mut cases = BTreeMap::new();
    for state in CaseState::ALL {
        cases.insert(state.word(), 0);
    }
    for case in store.cases().await? {
        *cases.entry(case.state.word()).or_default() += 1;
    }
    let (kind, path) = match &config.mailbox {
        MailboxConfig::Maildir { path, .. } => ("maildir", Some(path.join("new"))),
        MailboxConfig::Imap { .. } => ("imap", None),
        MailboxConfig::None => ("none", None),
    };
    Ok(Status {
        mailbox: Mailbox { kind, waiting: path.as_deref().map(files), spooled: files(&config.spool()) },
        mails: Mails { unopened: waiting.count, oldest: waiting.oldest, quarantined: waiting.quarantined },
        queue: queue
            .iter()
            .filter(|left| !left.state.is_final())
            .map(|left| Queue {
                kind: left.kind.word(),
                state: left.state.word(),
                count: left.count,
                oldest: left.oldest,
                next_try: left.next_due,
            })
            .collect(),
        cases,
        keys: keys(keyring, now),
        held: held(keyring, store).await?,
        errors: errors(store).await?,
        connections: connections(config, keyring, store).await?,
    })
}

/// Finished files of a folder; its temporary ones begin with a dot or lie elsewhere.
fn files(folder: &std::path::Path) -> usize {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_file()))
        .filter(|entry| !entry.file_name().to_string_lossy().starts_with('.'))
        .count()
}

fn keys(keyring: &Keyring, now: Timestamp) -> Vec<Key> {
    let days = |expires: Option<Timestamp>| expires.map(|at| at.duration_since(now).as_hours() / 24);
    let gateway = keyring.gateway_keys().iter().map(|key| Key {
        role: "gateway",
        name: match key.usage() {
            KeyUse::Active => "active".into(),
            KeyUse::DecryptOnly { until } => format!("decrypt-only until {until}"),
        },
        fingerprint: key.fingerprint(),
        expires: key.expires(),
        days_left: days(key.expires()),
        usable: key.is_in_use(now),
        why: (!key.is_in_use(now)).then(|| "its last day has passed".into()),
    });
    let members = keyring.members().iter().map(|member| Key {
        role: "member",
        name: member.name().to_owned(),
        fingerprint: member.fingerprint(),
        expires: member.expires(),
        days_left: days(member.expires()),
        usable: member.usable(now).is_ok(),
        why: member.usable(now).err().map(|why| why.to_string()),
    });
    gateway.chain(members).collect()
}

/// Held copies by member. The store names members by keyed digest, which the vault of the configured keys can make.
async fn held(keyring: &Keyring, store: &Store) -> anyhow::Result<Vec<Held>> {
    let rows = store.rows(&RowFilter { state: Some(RowState::Held), ..RowFilter::default() }).await?;
    if rows.is_empty() {
        return Ok(Vec::new());
    }
    let vault = gateway::read_vault(store, keyring).await?;
    let names: BTreeMap<_, _> =
        keyring.members().iter().map(|member| (vault.address_digest(member.address()), member.name())).collect();
    let mut groups: BTreeMap<(String, String), usize> = BTreeMap::new();
    for row in rows {
        let Some(recipient) = &row.recipient else { continue };
        let member = names.get(recipient).map_or_else(|| "somebody who left".to_owned(), |name| (*name).to_owned());
        *groups.entry((member, row.why.unwrap_or_default())).or_default() += 1;
    }
    Ok(groups.into_iter().map(|((member, why), count)| Held { member, count, why }).collect())
}

/// The doors of this configuration, by machine where there are several gateways.
async fn connections(config: &Config, keyring: &Keyring, store: &Store) -> anyhow::Result<Vec<Connection>> {
    let vault = gateway::read_vault(store, keyring).await?;
    let mut notes = doors::of_all_gateways(store, &vault).await?;
    let is_there = |door: Door| match door {
        Door::Mailbox => config.mailbox != MailboxConfig::None,
        Door::Spool | Door::Outgoing => true,
        Door::Advisories => config.advisories.kind != AdvisoriesKind::None,
    };
    let there: Vec<Door> = Door::ALL.into_iter().filter(|door| is_there(*door)).collect();
    notes.retain(|note| there.iter().any(|door| door.word() == note.door));
    let unnoted = there.iter().filter(|door| notes.iter().all(|note| note.door != door.word()));
    let unnoted: Vec<Connection> = unnoted.map(|door| Connection::unnoted(*door)).collect();
    Ok(notes.into_iter().map(Connection::from).chain(unnoted).collect())
}

impl Connection {
    fn unnoted(door: Door) -> Self {
        let door = door.word().to_owned();
        let state = DoorState::NeverTried;
        let (since, last_success, last_error, last_error_at, at, machine) = (None, None, None, None, None, None);
        Self { door, state, since, last_success, last_error, last_error_at, at, machine }
    }
}

impl From<DoorNote> for Connection {
    fn from(note: DoorNote) -> Self {
        let (last_error, last_error_at) = note.last_error.map(|error| (error.what, error.at)).unzip();
        Self {
            door: note.door,
            state: note.state,
            since: (note.state != DoorState::NeverTried).then_some(note.since),
            last_success: note.last_success,
            last_error,
            last_error_at,
            at: Some(note.at),
            machine: Some(note.machine),
        }
    }
}

/// One line for each door: its state, its last error, and how old the news is.
fn print_connections(connections: &[Connection], out: &mut dyn Write) -> anyhow::Result<()> {
    let several = connections.iter().filter(|one| one.door == Door::Outgoing.word()).count() > 1;
    for one in connections {
        let machine = one.machine.as_ref().filter(|_| several).map(|name| format!(" ({name})")).unwrap_or_default();
        let state = match (one.state, one.since) {
            (DoorState::Working, Some(since)) => format!("working since {}", output::time(since)),
            (DoorState::Failing, Some(since)) => format!("failing since {}", output::time(since)),
            _ => "never tried".to_owned(),
        };
        let last = one.last_success.map(|at| format!("; last success {}", output::time(at))).unwrap_or_default();
        let error = match (&one.last_error, one.last_error_at) {
            (Some(what), Some(at)) => format!("; last error {}: {what}", output::time(at)),
            _ => String::new(),
        };
        let at = one.at.map(|at| format!("; as of {}", output::time(at))).unwrap_or_default();
        let line = format!("door       {}{machine}: {state}{last}{error}{at}", one.door);
        writeln!(out, "{}", output::harmless(&line))?;
    }
    Ok(())
}

async fn errors(store: &Store) -> anyhow::Result<Vec<Trouble>> {
    let rows = store.rows(&RowFilter { unfinished: true, ..RowFilter::default() }).await?;
    let mut groups: BTreeMap<(&'static str, &'static str, String), (usize, Timestamp)> = BTreeMap::new();
    for row in rows {
        let (Some(why), true) = (row.why, row.attempts > 0) else { continue };
        let group = groups.entry((row.kind.word(), row.state.word(), why)).or_insert((0, row.updated));
        *group = (group.0 + 1, group.1.max(row.updated));
    }
    Ok(groups
        .into_iter()
        .map(|((kind, state, why), (count, last))| Trouble { kind, state, why, count, last })
        .collect())
}

fn print(status: &Status, out: &mut dyn Write) -> anyhow::Result<()> {
    let waiting = status.mailbox.waiting.map_or_else(|| "nothing to watch".to_owned(), |n| format!("{n} waiting"));
    writeln!(out, "mailbox    {}: {waiting}; spool: {} waiting", status.mailbox.kind, status.mailbox.spooled)?;
    let oldest = status.mails.oldest.map(|at| format!(", the oldest of {}", output::time(at))).unwrap_or_default();
    writeln!(out, "mails      {} to be opened{oldest}; {} set aside", status.mails.unopened, status.mails.quarantined)?;
    let cases: Vec<_> = status.cases.iter().map(|(state, count)| format!("{count} {state}")).collect();
    writeln!(out, "cases      {}", cases.join(", "))?;
    if status.queue.is_empty() {
        writeln!(out, "queue      empty")?;
    }
    for row in &status.queue {
        writeln!(
            out,
            "queue      {} {} {}: the oldest of {}, next try {}",
            row.count,
            row.kind,
            row.state,
            output::time(row.oldest),
            output::time(row.next_try)
        )?;
    }
    for held in &status.held {
        writeln!(out, "held       {} for {}: {}", held.count, held.member, held.why)?;
    }
    for error in &status.errors {
        writeln!(
            out,
            "error      {} {} {}: {} ({})",
            error.count,
            error.kind,
            error.state,
            error.why,
            output::time(error.last)
        )?;
    }
    print_connections(&status.connections, out)?;
    writeln!(out)?;
    let mut table = output::Table::new(["KEY", "NAME", "FINGERPRINT", "DAYS LEFT", "STATE"]);
    for key in &status.keys {
        let days = key.days_left.map_or_else(|| "no end".to_owned(), |days| days.to_string());
        table.row([key.role, &key.name, &key.fingerprint, &days, key.why.as_deref().unwrap_or("ok")]);
    }
    Ok(table.write(out)?)
}
