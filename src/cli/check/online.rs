//! `check --online`: logs in to the mailbox, the mail server and GitHub, side by side, and says what was found.
//!
//! Security: nothing is sent, taken or changed. What a server said is never repeated; the adapters' words are fixed ones.

use super::{Finding, Level};
use crate::adapters::server::Server;
use crate::adapters::{github, observe_imap, observe_smtp};
use crate::config::{AdvisoriesKind, Config, ConfigError, MailboxConfig, OutgoingKind, Problem, Secrets};
use crate::ports::{Observation, Observed};
use std::time::Duration;

/// How long each of the servers may take in all.
const PATIENCE: Duration = Duration::from_secs(60);

/// Looks at all servers that the configuration names.
///
/// # Errors
/// When the runtime cannot be made.
pub(super) fn look(config: &Config, secrets: &Secrets) -> anyhow::Result<Vec<Finding>> {
    let (mailbox, outgoing, advisories) = crate::cli::runtime()?.block_on(async {
        tokio::join!(
            patiently(config, "mailbox.host", mailbox(config, secrets)),
            patiently(config, "outgoing.host", outgoing(config, secrets)),
            patiently(config, "advisories.api", advisories(config, secrets)),
        )
    });
    Ok([mailbox, outgoing, advisories].concat())
}

/// What is said where the servers are left alone.
pub(super) fn not_looked(config: &Config) -> Vec<Finding> {
    let mut servers = Vec::new();
    servers.extend(matches!(config.mailbox, MailboxConfig::Imap { .. }).then_some("the mailbox"));
    servers.extend(matches!(config.outgoing.kind, OutgoingKind::Smtp { .. }).then_some("the mail server"));
    servers.extend(matches!(config.advisories.kind, AdvisoriesKind::Github(_)).then_some("GitHub"));
    if servers.is_empty() {
        return Vec::new();
    }
    let what = format!("not tried: {}; `embargod check --online` logs in there", servers.join(", "));
    vec![Finding { level: Level::Ok, what, place: None, mend: None }]
}

async fn patiently(
    config: &Config,
    key: &'static str,
    looking: impl Future<Output = Result<Vec<Observation>, ConfigError>>,
) -> Vec<Finding> {
    match tokio::time::timeout(PATIENCE, looking).await {
        Ok(Ok(seen)) => seen.into_iter().map(|one| finding(config, one)).collect(),
        Ok(Err(error)) => vec![of_error(error)],
        Err(_) => {
            let what = format!("no end of the look after {} s", PATIENCE.as_secs());
            vec![of_error(config.error(key, Problem::new(what, "try again; if it stays so, look at the way there")))]
        }
    }
}

async fn mailbox(config: &Config, secrets: &Secrets) -> Result<Vec<Observation>, ConfigError> {
    let MailboxConfig::Imap { server, folder, done, .. } = &config.mailbox else { return Ok(Vec::new()) };
    let server = Server::resolve(server, "mailbox", config, secrets)?;
    Ok(observe_imap(&server, folder, done).await)
}

async fn outgoing(config: &Config, secrets: &Secrets) -> Result<Vec<Observation>, ConfigError> {
    let OutgoingKind::Smtp { server } = &config.outgoing.kind else { return Ok(Vec::new()) };
    let server = Server::resolve(server, "outgoing", config, secrets)?;
    Ok(observe_smtp(&server, config.limits.max_size).await)
}

async fn advisories(config: &Config, secrets: &Secrets) -> Result<Vec<Observation>, ConfigError> {
    Ok(github::observe(config, secrets).await)
}

fn finding(config: &Config, seen: Observation) -> Finding {
    let level = match seen.kind {
        Observed::Fine => return Finding { level: Level::Ok, what: seen.what, place: None, mend: None },
        Observed::Doubtful => Level::Warning,
        Observed::Broken => Level::Error,
    };
    let place = config.error(seen.key, Problem::new("", "")).place();
    Finding { level, what: seen.what, place: Some(place), mend: seen.mend }
}

fn of_error(error: ConfigError) -> Finding {
    let place = Some(error.place());
    Finding { level: Level::Error, what: error.problem.what, place, mend: Some(error.problem.mend) }
}
