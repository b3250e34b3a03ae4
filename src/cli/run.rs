//! `run`: the daemon; `run --once`: one round, for a timer or a test.

use super::{Context, exit, output};
use crate::daemon;
use crate::store::{RowFilter, RowState};
use clap::Args;
use std::io::Write;

#[derive(Args)]
pub(super) struct Arguments {
    /// Take in all that waits, try each due row once, and end: 0 nothing left, 3 something left.
    #[arg(long)]
    once: bool,
}

pub(super) fn run(context: &Context, arguments: &Arguments, out: &mut dyn Write) -> anyhow::Result<u8> {
    crate::hardening::give_memory_back();
    let runtime = super::runtime()?;
    let result = runtime.block_on(async {
        let running = daemon::start(&context.config, &context.secrets).await?;
        if !arguments.once {
            running.serve(context.secrets.clone()).await?;
            return Ok(exit::DONE);
        }
        let progress = output::Counter::start();
        running.once(&|what, count| progress.add(what, count)).await?;
        progress.finish();
        what_is_left(&running, out).await
    });
    // A large mail that is still being opened on a worker thread is left; the store knows of it.
    runtime.shutdown_background();
    result
}

/// Names what is left and when it is tried again.
async fn what_is_left(running: &daemon::Running, out: &mut dyn Write) -> anyhow::Result<u8> {
    let gateway = running.gateway();
    let filter = RowFilter { unfinished: true, ..RowFilter::default() };
    let rows = gateway.store.rows(&filter).await?;
    let waiting: Vec<_> = rows.into_iter().filter(|row| !row.state.is_final()).collect();
    let unopened = gateway.store.mails_waiting().await?.count;
    let refused = gateway.refused.len();
    for row in &waiting {
        let case = row.case.as_ref().map(|case| format!(" of {case}")).unwrap_or_default();
        let member = gateway.keyring.members().iter().find(|member| {
            row.recipient.as_ref().is_some_and(|recipient| gateway.vault.address_digest(member.address()) == *recipient)
        });
        let member = member.map(|member| format!(" for {}", member.name())).unwrap_or_default();
        let what = format!("{} {}{case}{member}", row.kind, row.id);
        let why = row.why.as_deref().unwrap_or("not yet due");
        match row.state {
            RowState::Held => writeln!(out, "left: {what}: held ({why})")?,
            _ => writeln!(out, "left: {what}: next try {} ({why})", output::time(row.due))?,
        }
    }
    if unopened > 0 {
        writeln!(out, "left: mails that could not be opened yet, tried again at the next run: {unopened}")?;
    }
    if refused > 0 {
        writeln!(out, "left: mails that could not be taken in, or not off the mailbox (see the log above): {refused}")?;
    }
    Ok(if waiting.is_empty() && unopened == 0 && refused == 0 { exit::DONE } else { exit::WORK_LEFT })
}
