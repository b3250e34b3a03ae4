//! From the document to the configuration: team, store, keys and members.
//!
//! Security: who is a member decides who reads everything. A member counts only with the whole fingerprint, nobody counts
//! twice, and the team's own address can be nobody's, or mail would go round in circles.

use super::reader::{Source, Table};
use super::{Config, ConfigError, GatewayKeyConfig, MemberConfig, OuterSubject, Problem, SecretRef, StoreConfig, Team};
use super::{advisories, servers, services, values};
use crate::report::KeyUse;
use std::collections::HashMap;
use std::path::Path;

/// Reads the whole document. `file` is absolute.
pub(super) fn document(file: &Path, text: &str) -> Result<Config, ConfigError> {
    let source = Source::new(file, file.parent().unwrap_or(file), text);
    let parts = parts(&source)?;
    Ok(Config { file: file.to_owned(), lines: source.into_lines(), ..parts })
}

fn parts<'a>(source: &'a Source<'a>) -> Result<Config, ConfigError> {
    let mut root = source.parse()?;
    root.refuse(&["metrics"], "metrics are not built into this version", "remove this section")?;
    root.refuse(&["texts"], "a team's own texts are not built into this version", "remove this section")?;
    let mut team = team(root.table("team")?)?;
    let store = store(root.table("store")?)?;
    let gateway_keys = gateway_keys(root.tables("gateway_keys")?, source)?;
    let members = members(root.tables("members")?, source)?;
    judge_addresses(&mut team, &members, source)?;
    let mailbox = servers::mailbox(root.table("mailbox")?)?;
    let outgoing = servers::outgoing(root.table("outgoing")?, &team.address)?;
    let advisories = advisories::advisories(root.table("advisories")?, &team.aliases)?;
    let (intake, max_size) = services::intake(root.table("intake")?)?;
    let limits = services::limits(root.table("limits")?, max_size)?;
    root.finish()?;
    Ok(Config {
        file: source.file.to_owned(),
        team,
        store,
        gateway_keys,
        members,
        mailbox,
        outgoing,
        advisories,
        intake,
        limits,
        lines: super::Lines::default(),
    })
}

fn team(mut table: Table<'_>) -> Result<Team, ConfigError> {
    let team = Team {
        name: table.read_required("name", "write the team's name, as in \"Example VMT\"", values::name)?,
        address: table.read_required("address", "write the address that reports are sent to", values::address)?,
        aliases: table.list("aliases", values::address)?,
        case_prefix: table.read_required(
            "case_prefix",
            "write what case numbers begin with, as in \"KATA\"",
            values::prefix,
        )?,
        admins: table.list("admins", values::address)?,
        outer_subject: table.choice(
            "outer_subject",
            &[("case", OuterSubject::Case), ("hidden", OuterSubject::Hidden)],
            OuterSubject::Case,
        )?,
    };
    table.finish()?;
    Ok(team)
}

/// Where the store lies unless `store.url` says otherwise.
const DEFAULT_STORE: &str = "sqlite://state/embargod.db";

fn store(mut table: Table<'_>) -> Result<StoreConfig, ConfigError> {
    table.refuse(&["keep"], "erasing closed cases is not built into this version; they are kept", "remove it")?;
    let folder = table.source.folder;
    let (database, state) = match table.read("url", |text| values::database(text, folder))? {
        Some(store) => store,
        None => values::database(DEFAULT_STORE, folder).map_err(|problem| table.wrong("url", problem))?,
    };
    table.finish()?;
    Ok(StoreConfig { database, keep: None, state })
}

fn gateway_keys(tables: Vec<Table<'_>>, source: &Source<'_>) -> Result<Vec<GatewayKeyConfig>, ConfigError> {
    let mut keys: Vec<GatewayKeyConfig> = Vec::new();
    for table in tables {
        let file_key = table.key("file");
        let key = gateway_key(table)?;
        if keys.iter().any(|other| other.file == key.file) {
            return Err(source.wrong(&file_key, Problem::new("this key is named twice", "remove one of the two")));
        }
        keys.push(key);
    }
    if keys.iter().any(|key| key.usage == KeyUse::Active) {
        return Ok(keys);
    }
    Err(source.wrong(
        "gateway_keys",
        Problem::new(
            "no gateway key is active, so nothing could be signed",
            "add one with [[gateway_keys]], file = \"…\" and use = \"active\"; `embargod keys generate` makes one",
        ),
    ))
}

fn gateway_key(mut table: Table<'_>) -> Result<GatewayKeyConfig, ConfigError> {
    let file = table.existing("file")?;
    let file = file.ok_or_else(|| table.wrong("file", Problem::new("it is missing", "name the secret key file")))?;
    let passphrase = table.optional_table("passphrase")?.map(secret).transpose()?;
    let mend = "write \"active\", or \"decrypt-only\" together with until = DATE";
    let usage = table.text("use")?.unwrap_or_else(|| "active".into());
    let until = table.date("until")?;
    let usage = match (usage.as_str(), until) {
        ("active", None) => KeyUse::Active,
        ("active", Some(_)) => {
            let mend = "remove it, or set use = \"decrypt-only\"";
            return Err(table.wrong("until", Problem::new("an active key has no end", mend)));
        }
        ("decrypt-only", Some(until)) => KeyUse::DecryptOnly { until },
        ("decrypt-only", None) => {
            let mend = "write the last day on which this key decrypts, without quotes, as in until = 2027-01-31";
            return Err(table.wrong("until", Problem::new("it is missing", mend)));
        }
        (other, _) => {
            return Err(table.wrong("use", Problem::new(format!("{other:?} is none of its values"), mend)));
        }
    };
    table.finish()?;
    Ok(GatewayKeyConfig { file, passphrase, usage })
}

/// `{ file = "…" }`, `{ credential = "NAME" }` or `{ env = "NAME" }`.
pub(super) fn secret(mut table: Table<'_>) -> Result<SecretRef, ConfigError> {
    let simple = |text: &str, what: &str| {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if !text.is_empty() && !text.starts_with('.') && text.chars().all(allowed) {
            return Ok(text.to_owned());
        }
        Err(Problem::new(format!("it is not the name of {what}"), "use ASCII letters, digits, and - _ ."))
    };
    let mut found = Vec::new();
    found.extend(table.existing("file")?.map(SecretRef::File));
    found.extend(table.read("credential", |text| simple(text, "a credential"))?.map(SecretRef::Credential));
    found.extend(table.read("env", |text| simple(text, "an environment variable"))?.map(SecretRef::Env));
    let path = table.key("");
    let wrong = table.source.wrong(
        path.trim_end_matches('.'),
        Problem::new("it must come from exactly one place", "write one of file, credential and env"),
    );
    table.finish()?;
    match (found.pop(), found.is_empty()) {
        (Some(secret), true) => Ok(secret),
        _ => Err(wrong),
    }
}

fn members(tables: Vec<Table<'_>>, source: &Source<'_>) -> Result<Vec<MemberConfig>, ConfigError> {
    let mut members: Vec<MemberConfig> = Vec::new();
    let mut seen: HashMap<(&str, String), usize> = HashMap::new();
    for (index, mut table) in tables.into_iter().enumerate() {
        let member = member(&mut table)?;
        for (key, value) in [
            ("address", member.address.to_lowercase()),
            ("certificate", member.certificate.display().to_string()),
            ("fingerprint", member.fingerprint.clone()),
        ] {
            if let Some(first) = seen.insert((key, value), index + 1) {
                let what = format!("members[{first}] has the same {key}");
                return Err(table.wrong(key, Problem::new(what, "remove one of the two, or correct it")));
            }
        }
        table.finish()?;
        members.push(member);
    }
    if members.is_empty() {
        let mend = "add each one with [[members]], name, address, certificate and fingerprint";
        return Err(source.wrong("members", Problem::new("there is no member, so nobody would get anything", mend)));
    }
    Ok(members)
}

fn member(table: &mut Table<'_>) -> Result<MemberConfig, ConfigError> {
    let name = table.read_required("name", "write the member's name", values::member_name)?;
    let address = table.read_required("address", "write the member's address", values::address)?;
    let certificate = table.existing("certificate")?;
    let certificate = certificate.ok_or_else(|| {
        table.wrong("certificate", Problem::new("it is missing", "name the file with the member's public certificate"))
    })?;
    let fingerprint = table.read_required(
        "fingerprint",
        "write the certificate's whole fingerprint, as the member told it by another way than mail",
        values::fingerprint,
    )?;
    Ok(MemberConfig { name, address, certificate, fingerprint })
}

/// What must hold between the team's addresses and the members'. Fills in the admins' default.
fn judge_addresses(team: &mut Team, members: &[MemberConfig], source: &Source<'_>) -> Result<(), ConfigError> {
    let same = |one: &str, other: &str| one.eq_ignore_ascii_case(other);
    for (index, alias) in team.aliases.iter().enumerate() {
        if same(alias, &team.address) {
            let problem = Problem::new("it is the team's address itself", "name other addresses only");
            return Err(source.wrong(&format!("team.aliases[{}]", index + 1), problem));
        }
    }
    for (index, member) in members.iter().enumerate() {
        let ours = std::iter::once(&team.address).chain(&team.aliases).any(|address| same(address, &member.address));
        if ours {
            let what = "it is an address of the team, so copies would come back in as reports";
            let problem = Problem::new(what, "write the member's own address");
            return Err(source.wrong(&format!("members[{}].address", index + 1), problem));
        }
    }
    for (index, admin) in team.admins.iter().enumerate() {
        if !members.iter().any(|member| same(&member.address, admin)) {
            let problem =
                Problem::new(format!("{admin} is not a member's address"), "name members only, or add a member");
            return Err(source.wrong(&format!("team.admins[{}]", index + 1), problem));
        }
    }
    if team.admins.is_empty() {
        team.admins = members.iter().map(|member| member.address.clone()).collect();
    }
    for admin in &mut team.admins {
        *admin = admin.to_lowercase();
    }
    Ok(())
}
