//! `queue list|retry|drop`: the outbox.
//!
//! Security: rows are ids, kinds and fixed codes; recipients are keyed digests and are not shown.

use super::{Context, exit, open_store, output};
use crate::store::{Row, RowFilter, RowId, Store};
use anyhow::{Context as _, bail};
use clap::Subcommand;
use serde_json::json;
use std::io::Write;

#[derive(Subcommand)]
pub(super) enum Command {
    /// What is not sent yet, or failed.
    List {
        /// One JSON document.
        #[arg(long)]
        json: bool,
    },
    /// Try a row again now, whatever it waits for.
    Retry { id: String },
    /// Never send a row. It is written to the audit log.
    Drop {
        id: String,
        /// Really.
        #[arg(long)]
        yes: bool,
    },
}

pub(super) fn run(context: &Context, command: &Command, out: &mut dyn Write) -> anyhow::Result<u8> {
    super::runtime()?.block_on(async {
        match command {
            Command::List { json } => list(context, *json, out).await,
            Command::Retry { id } => retry(context, &parse(id)?, out).await,
            Command::Drop { id, yes } => drop_row(context, &parse(id)?, *yes, out).await,
        }?;
        Ok(exit::DONE)
    })
}

fn parse(id: &str) -> anyhow::Result<RowId> {
    RowId::parse(id).with_context(|| format!("{id:?} is not the name of a row; `embargod queue list` shows them"))
}

async fn list(context: &Context, as_json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let (_, store) = open_store::reading(context).await?;
    let rows = store.rows(&RowFilter { unfinished: true, ..RowFilter::default() }).await?;
    if as_json {
        let rows: Vec<_> = rows.iter().map(to_json).collect();
        return Ok(output::json(out, &json!({ "rows": rows }))?);
    }
    let mut table = output::Table::new(["ID", "CASE", "KIND", "STATE", "WHY", "TRIES", "NEXT TRY"]);
    for row in &rows {
        let case = row.case.as_ref().map(ToString::to_string).unwrap_or_default();
        let why = row.why.as_deref().unwrap_or("");
        let (tries, due) = (row.attempts.to_string(), output::time(row.due));
        table.row([row.id.as_str(), &case, row.kind.word(), row.state.word(), why, &tries, &due]);
    }
    table.write(out)?;
    if rows.is_empty() {
        writeln!(out, "nothing waits")?;
    }
    Ok(())
}

fn to_json(row: &Row) -> serde_json::Value {
    json!({
        "id": row.id, "case": row.case, "mail": row.mail.as_str(), "kind": row.kind, "state": row.state, "why": row.why,
        "attempts": row.attempts, "due": row.due, "created": row.created,
    })
}

async fn find(store: &Store, id: &RowId) -> anyhow::Result<Row> {
    store.row(id).await?.with_context(|| format!("there is no row {id}; `embargod queue list` shows them"))
}

async fn retry(context: &Context, id: &RowId, out: &mut dyn Write) -> anyhow::Result<()> {
    let (_, store) = open_store::writing(context).await?;
    let row = find(&store, id).await?;
    let now = store.now().await?;
    let mut tx = store.begin().await?;
    if !tx.retry_row(id, now).await? {
        bail!("row {id} is {}; only rows that wait or failed can be tried again", row.state);
    }
    tx.commit().await?;
    writeln!(out, "{id} is due now; the running daemon takes it within seconds")?;
    Ok(())
}

async fn drop_row(context: &Context, id: &RowId, yes: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let (config, store) = open_store::writing(context).await?;
    let row = find(&store, id).await?;
    if !yes {
        bail!("this {} would never be sent; if that is meant, say `embargod queue drop {id} --yes`", row.kind);
    }
    let (_, vault) = open_store::vault(context, &config, &store).await?;
    let now = store.now().await?;
    let mut tx = store.begin().await?;
    if !tx.drop_row(id, "dropped-by-admin", now).await? {
        bail!("row {id} is {} already", row.state);
    }
    tx.audit(&vault, now, "row-dropped", id.as_str()).await?;
    tx.commit().await?;
    writeln!(out, "{id} dropped")?;
    Ok(())
}
