//! `embargod init`: a configuration folder for a real team, with a new gateway key.
//!
//! Security: folders are made for their owner alone, the secret key with mode 0600. Nothing is ever overwritten: if any of
//! the files is there, nothing at all is written.

use super::keys;
use crate::config::{check_address, check_name, check_prefix};
use anyhow::Context;
use jiff::Timestamp;
use std::fs::DirBuilder;
use std::io::Write;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

/// The team's address until somebody writes the real one; `.invalid` reaches nobody (RFC 2606 section 2).
pub const PLACEHOLDER_ADDRESS: &str = "security@example.invalid";
const PLACEHOLDER_NAME: &str = "Example Security Team";
const PLACEHOLDER_PREFIX: &str = "CASE";

/// The commented configuration; `{{…}}` are filled in.
const TEMPLATE: &str = include_str!("init.toml");

/// What `init` is asked for; what is not given becomes a placeholder.
#[derive(Clone, Debug, Default)]
pub struct Init {
    /// The folder to make or to fill.
    pub dir: PathBuf,
    /// The team's name.
    pub name: Option<String>,
    /// The team's address.
    pub address: Option<String>,
    /// What case numbers begin with.
    pub prefix: Option<String>,
}

/// Runs the command.
///
/// # Errors
/// When one of its files is there already, a value cannot be used, or the folder cannot be written to.
pub fn run(wish: &Init, out: &mut dyn Write) -> anyhow::Result<u8> {
    let name = wish.name.as_deref().unwrap_or(PLACEHOLDER_NAME);
    let address = wish.address.as_deref().unwrap_or(PLACEHOLDER_ADDRESS);
    let prefix = wish.prefix.as_deref().unwrap_or(PLACEHOLDER_PREFIX);
    let name = check_name(name).map_err(|problem| keys::argument("--name", problem))?;
    let address = check_address(address).map_err(|problem| keys::argument("--address", problem))?;
    let prefix = check_prefix(prefix).map_err(|problem| keys::argument("--prefix", problem))?;

    let config = wish.dir.join("embargod.toml");
    let key_file = keys::default_file(Timestamp::now());
    let secret = wish.dir.join(&key_file);
    let public = keys::public_file(&secret)?;
    keys::refuse_existing([config.as_path(), &secret, &public])?;

    // The slow and fallible part comes before the first file is made.
    let key = keys::make(&name, &address, None)?;
    for folder in ["keys/gateway", "keys/members", "keys/known", "inbox/cur", "inbox/new", "inbox/tmp", "advisories"] {
        let folder = wish.dir.join(folder);
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&folder);
        made.with_context(|| format!("cannot make {}", folder.display()))?;
    }
    keys::write_key(&key, &secret, &public)?;
    let mark = |given: bool| if given { "" } else { "   # CHANGE ME" };
    let text = TEMPLATE
        .replace("{{name}}", &quoted(&name))
        .replace("{{name_mark}}", mark(wish.name.is_some()))
        .replace("{{address}}", &quoted(&address))
        .replace("{{address_mark}}", mark(wish.address.is_some()))
        .replace("{{prefix}}", &quoted(&prefix))
        .replace("{{prefix_mark}}", mark(wish.prefix.is_some()))
        .replace("{{key}}", &quoted(&key_file))
        .replace("{{fingerprint}}", &key.fingerprint);
    keys::write_new(&config, text.as_bytes(), 0o600)?;
    next_steps(wish, &config, &secret, &public, &key.fingerprint, out)?;
    Ok(0)
}

/// A TOML string.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

fn next_steps(
    wish: &Init,
    config: &Path,
    secret: &Path,
    public: &Path,
    fingerprint: &str,
    out: &mut dyn Write,
) -> std::io::Result<()> {
    let (shown, dir) = (config.display(), wish.dir.display());
    writeln!(out, "Made {shown} and a gateway key, valid for three years:\n  {fingerprint}\n\nNext:")?;
    let mut number = 0;
    let mut step = |text: String| {
        number += 1;
        writeln!(out, "{number}. {text}")
    };
    if wish.address.is_none() {
        step(format!(
            "This key names {PLACEHOLDER_ADDRESS}, since no --address was given. Remove {} and {}, then run:\n   \
             embargod --config {shown} keys generate --name NAME --address ADDRESS",
            secret.display(),
            public.display()
        ))?;
    }
    if wish.name.is_none() || wish.address.is_none() || wish.prefix.is_none() {
        step(format!("Replace what is marked CHANGE ME in {shown}."))?;
    }
    step(format!(
        "Put each member's public certificate into {dir}/keys/members and add a [[members]] table for each; compare\n   \
         the fingerprint with the member by another way than mail."
    ))?;
    step(format!(
        "Set [mailbox] and [outgoing] to your mail servers, and [advisories] to your repository: the lines are there,\n   \
         commented. As it is, mail is expected in the Maildir {dir}/inbox. Look over [intake] too."
    ))?;
    step(format!("Check it, with a login to each server: embargod --config {shown} check --online"))?;
    step(format!("Keep a copy of {} in a safe place, and publish {}.", secret.display(), public.display()))?;
    step(format!("Start it: embargod --config {shown} run"))
}

#[cfg(test)]
#[path = "init_tests.rs"]
mod tests;
