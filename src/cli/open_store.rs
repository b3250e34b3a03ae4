//! How the commands beside the daemon get at configuration, store and vault.

use super::Context;
use crate::config::{self, Config};
use crate::gateway;
use crate::report::{Keyring, Vault};
use crate::store::{Mode, Store};

/// A store that is only read.
pub(super) async fn reading(context: &Context) -> anyhow::Result<(Config, Store)> {
    let config = Config::load(&context.config)?;
    let store = Store::open(&config.store.database, Mode::ReadOnly).await?;
    Ok((config, store))
}

/// A store that may be written to, beside the daemon.
pub(super) async fn writing(context: &Context) -> anyhow::Result<(Config, Store)> {
    let config = Config::load(&context.config)?;
    let store = Store::open(&config.store.database, Mode::Existing).await?;
    Ok((config, store))
}

/// The vault of a store, opened with the configured gateway keys.
pub(super) async fn vault(context: &Context, config: &Config, store: &Store) -> anyhow::Result<(Keyring, Vault)> {
    let keyring = config::load_keyring(config, &context.secrets)?;
    let vault = gateway::read_vault(store, &keyring).await?;
    Ok((keyring, vault))
}
