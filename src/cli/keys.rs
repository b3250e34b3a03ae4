//! `embargod keys list` and `embargod keys generate`.
//!
//! Security: a new secret key is written with mode 0600 and never over another file. A list shows fingerprints, dates and
//! the members' names from the configuration, nothing secret.

use super::check::days_left;
use super::output::{self, Tone};
use crate::config::{Config, Problem, SecretRef, Secrets, keyring};
use crate::report::{KeyUse, NewKey, generate_key};
use anyhow::{Context, bail};
use jiff::Timestamp;
use serde::Serialize;
use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long a new gateway key is valid: three years.
pub const VALIDITY: Duration = Duration::from_secs(3 * 365 * 86_400);

/// A gateway key or a member's certificate.
#[derive(Debug, Serialize)]
pub struct Entry {
    /// `gateway` or `member`.
    pub role: &'static str,
    /// The member's name; for gateway keys the name of the file.
    pub name: String,
    /// Upper-case hex; nothing if the file could not be read.
    pub fingerprint: Option<String>,
    /// `sign and decrypt`, `decrypt`, `decrypt until DATE`, or `encrypt`.
    #[serde(rename = "use")]
    pub usage: String,
    pub expires: Option<Timestamp>,
    /// Whole days until it expires, negative afterwards.
    pub days_left: Option<i64>,
    pub usable: bool,
    /// Why it is not usable.
    pub why: Option<String>,
}

/// Runs `keys list`.
///
/// # Errors
/// When the configuration is not valid. A key that cannot be used is part of the list.
pub fn list(file: &Path, secrets: &Secrets, json: bool, out: &mut dyn Write) -> anyhow::Result<u8> {
    let config = Config::load(file)?;
    let entries = entries(&config, secrets, Timestamp::now());
    if json {
        output::json(out, &entries)?;
        return Ok(0);
    }
    let mut table = output::Table::new(["ROLE", "NAME", "FINGERPRINT", "USE", "EXPIRES", "DAYS", "STATE"]);
    for entry in entries {
        let expires = entry.expires.map(|at| at.to_zoned(jiff::tz::TimeZone::UTC).date().to_string());
        let state = entry.why.unwrap_or_else(|| "usable".into());
        table.tinted_row([
            (None, entry.role.to_owned()),
            (None, entry.name),
            (None, entry.fingerprint.unwrap_or_else(|| "-".into())),
            (None, entry.usage),
            (None, expires.unwrap_or_else(|| "-".into())),
            (None, entry.days_left.map_or_else(|| "-".into(), |days| days.to_string())),
            (Some(if entry.usable { Tone::Good } else { Tone::Bad }), state),
        ]);
    }
    table.write(out)?;
    Ok(0)
}

/// All keys of a configuration and their state at this time.
pub fn entries(config: &Config, secrets: &Secrets, now: Timestamp) -> Vec<Entry> {
    let mut entries = Vec::new();
    let signing = keyring::signing_index(config);
    for (index, key) in config.gateway_keys.iter().enumerate() {
        let name = key.file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let usage = match key.usage {
            KeyUse::Active if signing == Some(index) => "sign and decrypt".to_owned(),
            KeyUse::Active => "decrypt".to_owned(),
            KeyUse::DecryptOnly { until } => format!("decrypt until {until}"),
        };
        let entry = Entry {
            role: "gateway",
            name,
            fingerprint: None,
            usage,
            expires: None,
            days_left: None,
            usable: false,
            why: None,
        };
        match keyring::gateway_key(config, secrets, index, key) {
            Err(error) => {
                // The certificate can be shown even where this user may not unlock the key.
                let certificate = keyring::certificate_of(key).ok();
                let expires = certificate.as_ref().and_then(|certificate| certificate.expires());
                entries.push(Entry {
                    fingerprint: certificate.map(|certificate| certificate.fingerprint()),
                    expires,
                    days_left: expires.map(|at| days_left(at, now)),
                    why: Some(error.problem.what),
                    ..entry
                });
            }
            Ok(keys) => entries.extend(keys.into_iter().map(|key| {
                let why = if signing == Some(index) {
                    key.can_sign(now).err().map(|error| error.to_string())
                } else {
                    (!key.is_in_use(now)).then(|| "its last day has passed".to_owned())
                };
                let expires = key.expires();
                Entry {
                    name: entry.name.clone(),
                    usage: entry.usage.clone(),
                    fingerprint: Some(key.fingerprint()),
                    expires,
                    days_left: expires.map(|at| days_left(at, now)),
                    usable: why.is_none(),
                    why,
                    ..entry
                }
            })),
        }
    }
    for (index, member) in config.members.iter().enumerate() {
        let read = keyring::member(config, index, member);
        let expires = read.as_ref().ok().and_then(crate::report::Member::expires);
        let why = match &read {
            Err(error) => Some(error.problem.what.clone()),
            Ok(member) => member.usable(now).err().map(|why| why.to_string()),
        };
        entries.push(Entry {
            role: "member",
            name: member.name.clone(),
            fingerprint: read.ok().map(|member| member.fingerprint()),
            usage: "encrypt".to_owned(),
            expires,
            days_left: expires.map(|at| days_left(at, now)),
            usable: why.is_none(),
            why,
        });
    }
    entries
}

/// What `keys generate` is asked for.
#[derive(Clone, Debug)]
pub struct Generate {
    /// The team's name, for the user ID.
    pub name: String,
    /// The team's address, for the user ID.
    pub address: String,
    /// The secret key file, `X.sec.asc`; the certificate goes to `X.pub.asc`. Default: `keys/gateway/YEAR.sec.asc` in
    /// `folder`.
    pub out: Option<PathBuf>,
    /// A file with a passphrase for the secret key.
    pub passphrase_file: Option<PathBuf>,
    /// The folder of the configuration file.
    pub folder: PathBuf,
}

/// Runs `keys generate`.
///
/// # Errors
/// When a file of that name exists, name or address cannot be used, or the passphrase cannot be read.
pub fn generate(wish: &Generate, secrets: &Secrets, out: &mut dyn Write) -> anyhow::Result<u8> {
    let secret = match &wish.out {
        Some(file) => file.clone(),
        None => wish.folder.join(default_file(Timestamp::now())),
    };
    let public = public_file(&secret)?;
    refuse_existing([secret.as_path(), &public])?;
    let passphrase = wish.passphrase_file.as_ref();
    let passphrase = passphrase.map(|file| secrets.read_text(&SecretRef::File(file.clone()))).transpose()?;
    let key = make(&wish.name, &wish.address, passphrase.as_ref().map(|text| text.as_str()))?;
    if let Some(folder) = secret.parent() {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .with_context(|| format!("cannot make {}", folder.display()))?;
    }
    write_key(&key, &secret, &public)?;
    writeln!(out, "Fingerprint: {}", key.fingerprint)?;
    writeln!(out, "Secret key:  {}", secret.display())?;
    writeln!(out, "Certificate: {}", public.display())?;
    let shown = std::path::absolute(&secret)?;
    // The folder of a bare file name is the one we are in.
    let folder = if wish.folder.as_os_str().is_empty() { Path::new(".") } else { &wish.folder };
    let folder = std::path::absolute(folder)?;
    let shown = shown.strip_prefix(&folder).unwrap_or(&shown);
    writeln!(
        out,
        "\nTo use it, add to the configuration:\n\n[[gateway_keys]]\nfile = {:?}",
        shown.display().to_string()
    )?;
    if let Some(file) = &wish.passphrase_file {
        writeln!(out, "passphrase = {{ file = {:?} }}", std::path::absolute(file)?.display().to_string())?;
    }
    writeln!(out, "use = \"active\"")?;
    writeln!(out, "\nKeep a copy of the secret key in a safe place: without it nobody can read what was reported.")?;
    Ok(0)
}

/// Where a new gateway key goes, from the configuration's folder on.
pub(super) fn default_file(now: Timestamp) -> String {
    format!("keys/gateway/{}.sec.asc", now.to_zoned(jiff::tz::TimeZone::UTC).year())
}

/// `X.pub.asc` for `X.sec.asc`.
pub(super) fn public_file(secret: &Path) -> anyhow::Result<PathBuf> {
    let name = secret.file_name().and_then(|name| name.to_str());
    let Some(stem) = name.and_then(|name| name.strip_suffix(".sec.asc")).filter(|stem| !stem.is_empty()) else {
        bail!(
            "{} is not a name for a secret key file; name it X.sec.asc, the certificate becomes X.pub.asc",
            secret.display()
        );
    };
    Ok(secret.with_file_name(format!("{stem}.pub.asc")))
}

/// Refuses to go on if any of these is there, even as a dangling link.
pub(super) fn refuse_existing<'a>(files: impl IntoIterator<Item = &'a Path>) -> anyhow::Result<()> {
    for file in files {
        if file.symlink_metadata().is_ok() {
            bail!("{} is already there, and nothing is ever overwritten; name another file or folder", file.display());
        }
    }
    Ok(())
}

/// Makes a key for a team's address.
pub(super) fn make(name: &str, address: &str, passphrase: Option<&str>) -> anyhow::Result<NewKey> {
    let name = crate::config::check_name(name).map_err(|problem| argument("--name", problem))?;
    let address = crate::config::check_address(address).map_err(|problem| argument("--address", problem))?;
    generate_key(&format!("{name} <{address}>"), passphrase, Some(VALIDITY)).context("the key could not be made")
}

pub(super) fn argument(name: &str, problem: Problem) -> anyhow::Error {
    anyhow::anyhow!("{name}: {problem}")
}

/// Writes both files; the secret one is readable for its owner alone from the first moment on.
pub(super) fn write_key(key: &NewKey, secret: &Path, public: &Path) -> anyhow::Result<()> {
    write_new(secret, &key.secret, 0o600)?;
    write_new(public, &key.certificate, 0o644)
}

/// Writes a file that must not be there yet, durably.
pub(super) fn write_new(path: &Path, bytes: &[u8], mode: u32) -> anyhow::Result<()> {
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
