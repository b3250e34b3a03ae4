//! One configuration brought to life: keys, store, inboxes, courier and desk, put together once and replaced as a whole.

use crate::adapters::server::Server;
use crate::adapters::{
    Directory, Github, ImapInbox, MaildirCourier, MaildirInbox, Memory, SendmailCourier, SmtpCourier,
};
use crate::config::{self, AdvisoriesKind, Config, Database, MailboxConfig, OutgoingKind, Secrets};
use crate::doors::{Door, Doors, Noted};
use crate::ports::{AdvisoryDesk, Answer, Courier, Inbox};
use crate::report::{Keyring, Lookup, Rules, StoreKey, TeamIdentity, Vault};
use crate::spool::SpoolInbox;
use crate::steps::handoff::Handoff;
use crate::steps::receive::Refused;
use crate::store::{Owner, Store};
use anyhow::{Context, bail};
use std::path::Path;
use std::sync::Arc;

/// Everything the steps work with.
pub struct Gateway {
    pub config: Config,
    pub keyring: Arc<Keyring>,
    pub rules: Arc<Rules>,
    pub identity: Arc<TeamIdentity>,
    pub vault: Arc<Vault>,
    pub store: Store,
    /// Where mail comes in: the spool, and the mailbox if there is one.
    pub inboxes: Vec<Arc<dyn Inbox>>,
    pub courier: Arc<dyn Courier>,
    pub desk: Option<Arc<dyn AdvisoryDesk>>,
    pub handoff: Arc<Handoff>,
    pub refused: Arc<Refused>,
    pub owner: Owner,
    /// How the doors were found.
    pub doors: Arc<Doors>,
}

impl Gateway {
    /// Puts a gateway together over an open store.
    ///
    /// # Errors
    /// When no configured key opens the store.
    pub async fn assemble(config: Config, keyring: Keyring, store: Store, secrets: &Secrets) -> anyhow::Result<Self> {
        let vault = open_vault(&store, &keyring).await?;
        let owner = Owner::from_random(vault.random()?);
        let doors = Arc::new(Doors::default());
        let gateway = Self::build(config, keyring, Arc::new(vault), store, owner, doors, secrets)?;
        gateway.doors.recall(&gateway).await;
        Ok(gateway)
    }

    /// The same gateway with a new configuration: store, vault and name stay, everything else is new. The store key is wrapped
    /// to the new gateway keys.
    ///
    /// # Errors
    /// When the new configuration cannot be used; the old one goes on then.
    pub async fn reload(&self, config: Config, secrets: &Secrets) -> anyhow::Result<Self> {
        if config.store != self.config.store {
            bail!("{}: store: a changed [store] takes effect only after a restart of embargod", config.file.display());
        }
        let keyring = config::load_keyring(&config, secrets)?;
        rewrap(&self.store, &self.keyring, &keyring).await?;
        let (vault, owner, doors) = (Arc::clone(&self.vault), self.owner.clone(), Arc::clone(&self.doors));
        let new = Self::build(config, keyring, vault, self.store.clone(), owner, doors, secrets)?;
        // What was found at a door that leads elsewhere now says nothing about it.
        let changed = [
            (Door::Mailbox, new.config.mailbox != self.config.mailbox),
            (Door::Outgoing, new.config.outgoing != self.config.outgoing),
            (Door::Advisories, new.config.advisories.kind != self.config.advisories.kind),
        ];
        changed.into_iter().filter(|(_, changed)| *changed).for_each(|(door, _)| new.doors.forget(door));
        Ok(new)
    }

    fn build(
        config: Config,
        keyring: Keyring,
        vault: Arc<Vault>,
        store: Store,
        owner: Owner,
        doors: Arc<Doors>,
        secrets: &Secrets,
    ) -> anyhow::Result<Self> {
        let keyring = Arc::new(keyring);
        let rules = Arc::new(config.rules());
        let identity = Arc::new(config.identity());
        let mut inboxes: Vec<Arc<dyn Inbox>> = vec![Arc::new(SpoolInbox::new(config.spool(), Arc::clone(&keyring)))];
        match &config.mailbox {
            MailboxConfig::Maildir { path, done, poll } => {
                inboxes.push(Arc::new(MaildirInbox::new(path.clone(), done.clone(), *poll)));
            }
            MailboxConfig::Imap { server, folder, done, poll } => {
                let server = Server::resolve(server, "mailbox", &config, secrets)?;
                let mailbox = vault.digest(Lookup::Source, &[ImapInbox::prefix(&server, folder).as_bytes()]);
                let memory =
                    Arc::new(MailboxMemory { store: store.clone(), name: format!("mailbox {}", mailbox.as_str()) });
                inboxes.push(Arc::new(ImapInbox::new(server, folder.clone(), done.clone(), *poll, memory)));
            }
            MailboxConfig::None => {}
        }
        let courier: Arc<dyn Courier> = match &config.outgoing.kind {
            OutgoingKind::Maildir { path } => Arc::new(MaildirCourier::new(path.clone())),
            OutgoingKind::Smtp { server } => {
                let server = Server::resolve(server, "outgoing", &config, secrets)?;
                Arc::new(SmtpCourier::new(server).map_err(|why| anyhow::anyhow!("outgoing.ca: {why}"))?)
            }
            OutgoingKind::Sendmail { command } => Arc::new(SendmailCourier::new(command.clone())),
        };
        let desk: Option<Arc<dyn AdvisoryDesk>> = match &config.advisories.kind {
            AdvisoriesKind::Directory { path } => Some(Arc::new(Directory::new(path.clone()))),
            AdvisoriesKind::Github(github) => Some(Arc::new(Github::new(github, &config, secrets)?)),
            AdvisoriesKind::None => None,
        };
        let inboxes = inboxes.into_iter().map(|inbox| Noted::inbox(inbox, &doors)).collect();
        let (courier, desk) = (Noted::courier(courier, &doors), desk.map(|desk| Noted::desk(desk, &doors)));
        let (handoff, refused) = (Arc::new(Handoff::default()), Arc::new(Refused::default()));
        Ok(Self {
            config,
            keyring,
            rules,
            identity,
            vault,
            store,
            inboxes,
            courier,
            desk,
            handoff,
            refused,
            owner,
            doors,
        })
    }

    /// Whether several gateways may work on this store.
    pub fn is_shared(&self) -> bool {
        matches!(self.config.store.database, Database::Postgres(_))
    }
}

/// Where an IMAP mailbox's baseline is remembered: in the store, under a keyed digest of the mailbox's name.
struct MailboxMemory {
    store: Store,
    name: String,
}

impl Memory for MailboxMemory {
    fn recall(&self) -> Answer<'_, Result<Option<String>, String>> {
        Box::pin(async { self.store.remembered(&self.name).await.map_err(|error| error.to_string()) })
    }

    fn remember<'a>(&'a self, text: &'a str) -> Answer<'a, Result<(), String>> {
        Box::pin(async { self.store.remember(&self.name, text).await.map_err(|error| error.to_string()) })
    }
}

/// Opens the vault of a store: unwraps its key with a gateway key, or makes one for a new store; then wraps it to all gateway
/// keys of the configuration, and to no others.
///
/// # Errors
/// When no configured gateway key opens the store.
pub async fn open_vault(store: &Store, keyring: &Keyring) -> anyhow::Result<Vault> {
    loop {
        let wrappings = store.wrappings().await?;
        if wrappings.is_empty() {
            let key = StoreKey::generate()?;
            // Another gateway may be doing the same: whoever comes second takes the first one's key.
            if store.create_wrappings(&keyring.wrap(&key), store.now().await?).await? {
                return Ok(Vault::new(&key)?);
            }
            continue;
        }
        let key = unwrap(&wrappings, keyring)?;
        let wanted = keyring.gateway_keys().iter().map(crate::report::GatewayKey::fingerprint);
        let (mut wanted, mut there): (Vec<_>, Vec<_>) =
            (wanted.collect(), wrappings.iter().map(|w| w.0.clone()).collect());
        wanted.sort();
        there.sort();
        if wanted != there {
            store.replace_wrappings(&keyring.wrap(&key), store.now().await?).await?;
            tracing::info!(keys = wanted.len(), "store key wrapped to the configured gateway keys");
        }
        return Ok(Vault::new(&key)?);
    }
}

/// Opens the vault for a command beside the daemon: reads only.
///
/// # Errors
/// When no configured gateway key opens the store.
pub async fn read_vault(store: &Store, keyring: &Keyring) -> anyhow::Result<Vault> {
    Ok(Vault::new(&unwrap(&store.wrappings().await?, keyring)?)?)
}

fn unwrap(wrappings: &[(String, Vec<u8>)], keyring: &Keyring) -> anyhow::Result<StoreKey> {
    wrappings.iter().find_map(|(_, wrapped)| keyring.unwrap(wrapped).ok()).with_context(|| {
        let keys: Vec<_> = wrappings.iter().map(|(fingerprint, _)| fingerprint.as_str()).collect();
        format!(
            "none of the configured gateway keys opens the store; put one of these back into [[gateway_keys]] (as decrypt-only): {}",
            keys.join(", ")
        )
    })
}

/// Wraps the store key to the keys of a new configuration while the old ones still open it.
async fn rewrap(store: &Store, old: &Keyring, new: &Keyring) -> anyhow::Result<()> {
    let wrappings = store.wrappings().await?;
    let key = unwrap(&wrappings, old).or_else(|_| unwrap(&wrappings, new))?;
    store.replace_wrappings(&new.wrap(&key), store.now().await?).await?;
    Ok(())
}

/// Makes the folders that a running gateway needs, readable by nobody else.
///
/// # Errors
/// When one cannot be made.
pub fn make_folder(path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .with_context(|| format!("cannot make the folder {}; check that embargod may write there", path.display()))
}
