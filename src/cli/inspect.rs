//! `inspect`: opens one mail exactly as the daemon would, and says what would happen. Changes and sends nothing.
//!
//! Security: the answer goes to the terminal of the admin who asked; it shows subject and parts, never the reporter's contact.

use super::{Context, exit, output};
use crate::config::{self, Config};
use crate::gateway;
use crate::report::{Keyring, Plaintext, Vault};
use crate::steps::inspect::{Surroundings, inspect};
use crate::store::{Mode, Store};
use anyhow::Context as _;
use clap::Args;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Args)]
pub(super) struct Arguments {
    /// One JSON document.
    #[arg(long)]
    json: bool,
    /// The mail; `-` for standard input.
    file: PathBuf,
}

pub(super) fn run(context: &Context, arguments: &Arguments, out: &mut dyn Write) -> anyhow::Result<u8> {
    let config = Config::load(&context.config)?;
    let keyring = Arc::new(config::load_keyring(&config, &context.secrets)?);
    let mail = read(&arguments.file, config.limits.max_size)?;
    super::runtime()?.block_on(async {
        let known = open_store(&config, &keyring).await;
        let around = Surroundings { config: &config, keyring, store: known };
        let inspection = inspect(around, mail.0, mail.1).await?;
        if arguments.json {
            output::json(out, &inspection.to_json())?;
        } else {
            write!(out, "{}", inspection.to_text())?;
        }
        Ok(exit::DONE)
    })
}

/// The mail, or as much of it as is accepted, and whether that is less than all.
fn read(file: &Path, max_size: u64) -> anyhow::Result<(Plaintext, bool)> {
    let mut bytes = Vec::new();
    let limit = max_size.saturating_add(1);
    let failed = || format!("cannot read {}; name a file, or - for standard input", file.display());
    if file == Path::new("-") {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes).with_context(failed)?;
    } else {
        File::open(file).with_context(failed)?.take(limit).read_to_end(&mut bytes).with_context(failed)?;
    }
    let oversize = bytes.len() as u64 > max_size;
    if oversize {
        bytes.truncate(crate::ports::HEAD);
    }
    Ok((Plaintext::new(bytes), oversize))
}

/// The store, where there is one that can be read now.
async fn open_store(config: &Config, keyring: &Keyring) -> Option<(Store, Vault)> {
    let store = Store::open(&config.store.database, Mode::ReadOnly).await.ok()?;
    let vault = gateway::read_vault(&store, keyring).await.ok()?;
    Some((store, vault))
}
