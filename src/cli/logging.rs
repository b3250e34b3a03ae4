//! Logs go to stderr; `EMBARGOD_LOG` (or `RUST_LOG`) sets the level, in the form of tracing's `EnvFilter`.
//!
//! Security: no level shows mail, whatever is asked for. Libraries whose trace logs hold sessions are cut off for good.

use std::io::IsTerminal;
use tracing_subscriber::filter::{FilterFn, LevelFilter};
use tracing_subscriber::prelude::*;
use tracing_subscriber::{EnvFilter, fmt};

/// Crates whose trace logs hold passwords or mail.
const SILENCED: &[&str] = &[
    "async_imap",
    "h2",
    "hyper",
    "hyper_rustls",
    "hyper_util",
    "imap_proto",
    "lettre",
    "mail_parser",
    "reqwest",
    "rustls",
    "rustls_platform_verifier",
    "sequoia_openpgp",
    "tokio_rustls",
];

/// Starts the log: informational for the daemon, warnings for the other commands.
pub(super) fn start(daemon: bool) {
    let standard = if daemon { LevelFilter::INFO } else { LevelFilter::WARN };
    let asked = ["EMBARGOD_LOG", "RUST_LOG"].into_iter().find_map(|name| std::env::var(name).ok());
    let filter = EnvFilter::builder().with_default_directive(standard.into()).parse_lossy(asked.unwrap_or_default());
    // PostgreSQL's remarks at every start ("already exists, skipping") are no news to an admin.
    let filter = match "sqlx::postgres::notice=warn".parse() {
        Ok(directive) => filter.add_directive(directive),
        Err(_) => filter,
    };
    let silenced = FilterFn::new(|metadata| {
        let target = metadata.target();
        !SILENCED.iter().any(|name| target == *name || target.starts_with(&format!("{name}::")))
    });
    let layer = fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(std::io::stderr().is_terminal())
        .with_target(false)
        .with_filter(silenced);
    let _already_started = tracing_subscriber::registry().with(filter).with(layer).try_init();
}
