//! `cases list|show|contact|close`.
//!
//! Security: `contact` is the only command that prints a reporter's address. It is written to the audit log before it is
//! printed, and nothing is printed if that fails.

use super::{Context, exit, open_store, output};
use crate::report::{CaseId, Purpose, ReporterContact};
use crate::store::{CaseRow, CaseState, Store};
use anyhow::{Context as _, bail};
use clap::Subcommand;
use serde_json::json;
use std::io::Write;

#[derive(Subcommand)]
pub(super) enum Command {
    /// All cases.
    List {
        /// One JSON document.
        #[arg(long)]
        json: bool,
    },
    /// One case: its mails, and what became of each copy.
    Show {
        case: String,
        /// One JSON document.
        #[arg(long)]
        json: bool,
    },
    /// The reporter's address. Its use is written to the audit log.
    Contact { case: String },
    /// Close a case.
    Close { case: String },
}

pub(super) fn run(context: &Context, command: &Command, out: &mut dyn Write) -> anyhow::Result<u8> {
    super::runtime()?.block_on(async {
        match command {
            Command::List { json } => list(context, *json, out).await,
            Command::Show { case, json } => show(context, &parse(case)?, *json, out).await,
            Command::Contact { case } => contact(context, &parse(case)?, out).await,
            Command::Close { case } => close(context, &parse(case)?, out).await,
        }?;
        Ok(exit::DONE)
    })
}

fn parse(case: &str) -> anyhow::Result<CaseId> {
    CaseId::parse(&case.to_uppercase()).with_context(|| format!("{case:?}"))
}

async fn find(store: &Store, case: &CaseId) -> anyhow::Result<CaseRow> {
    store.case(case).await?.with_context(|| format!("there is no case {case}; `embargod cases list` names them"))
}

async fn list(context: &Context, as_json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let (_, store) = open_store::reading(context).await?;
    let cases = store.cases().await?;
    if as_json {
        let cases: Vec<_> = cases.iter().map(to_json).collect();
        return Ok(output::json(out, &json!({ "cases": cases }))?);
    }
    let mut table = output::Table::new(["CASE", "STATE", "OPENED", "CAME"]);
    for case in &cases {
        table.row([&case.id.to_string(), case.state.word(), &output::time(case.opened), came(case)]);
    }
    table.write(out)?;
    if cases.is_empty() {
        writeln!(out, "no cases yet")?;
    }
    Ok(())
}

fn to_json(case: &CaseRow) -> serde_json::Value {
    json!({
        "case": case.id.to_string(), "state": case.state, "opened": case.opened, "first_answer": case.first_answer,
        "closed": case.closed, "encryption": case.encryption, "answer_key": case.answer_key.is_some(),
        "answer_key_confirmed": case.answer_key_confirmed,
    })
}

fn came(case: &CaseRow) -> &'static str {
    match case.encryption {
        crate::report::Encryption::Complete => "encrypted",
        crate::report::Encryption::Partial => "partly encrypted",
        crate::report::Encryption::None => "in clear",
    }
}

async fn show(context: &Context, id: &CaseId, as_json: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let (_, store) = open_store::reading(context).await?;
    let case = find(&store, id).await?;
    let (mails, rows) = (store.case_mails(id).await?, store.case_rows(id).await?);
    let draft = store.draft(id).await?;
    if as_json {
        let mut document = to_json(&case);
        let mails: Vec<_> = mails
            .iter()
            .map(|mail| json!({ "mail": mail.id.as_str(), "received": mail.received, "size": mail.size, "class": mail.class, "state": mail.state }))
            .collect();
        let rows: Vec<_> = rows
            .iter()
            .map(|row| json!({ "id": row.id, "mail": row.mail.as_str(), "kind": row.kind, "state": row.state, "why": row.why, "attempts": row.attempts, "due": row.due }))
            .collect();
        if let Some(fields) = document.as_object_mut() {
            fields.insert("mails".into(), mails.into());
            fields.insert("outbox".into(), rows.into());
            fields.insert("draft".into(), json!(draft.map(|draft| draft.state)));
        }
        return Ok(output::json(out, &document)?);
    }
    writeln!(out, "{}  {}  opened {}  came {}", case.id, case.state, output::time(case.opened), came(&case))?;
    if let Some(draft) = draft {
        writeln!(out, "draft advisory: {}", draft.state)?;
    }
    writeln!(out)?;
    let mut table = output::Table::new(["MAIL", "RECEIVED", "CLASS", "OCTETS"]);
    for mail in &mails {
        let class = mail.class.map_or("not opened yet", |class| class.word());
        table.row([mail.id.as_str(), &output::time(mail.received), class, &mail.size.to_string()]);
    }
    table.write(out)?;
    writeln!(out)?;
    let mut table = output::Table::new(["OUTBOX", "KIND", "STATE", "WHY", "TRIES"]);
    for row in &rows {
        let why = row.why.as_deref().unwrap_or("");
        table.row([row.id.as_str(), row.kind.word(), row.state.word(), why, &row.attempts.to_string()]);
    }
    Ok(table.write(out)?)
}

async fn contact(context: &Context, id: &CaseId, out: &mut dyn Write) -> anyhow::Result<()> {
    let (config, store) = open_store::writing(context).await?;
    let case = find(&store, id).await?;
    let Some(sealed) = case.contact else {
        bail!("case {id} has no contact: its mail had no single sender, or the case was erased");
    };
    let (_, vault) = open_store::vault(context, &config, &store).await?;
    let sealed = vault.unseal(Purpose::Contact, &id.to_string(), sealed)?;
    let now = store.now().await?;
    let mut tx = store.begin().await?;
    tx.audit(&vault, now, "contact-shown", &id.to_string()).await?;
    tx.commit()
        .await
        .context("the use of `cases contact` could not be written to the audit log, so nothing is shown")?;
    ReporterContact::from_store(&sealed).show(out)?;
    Ok(())
}

async fn close(context: &Context, id: &CaseId, out: &mut dyn Write) -> anyhow::Result<()> {
    let (config, store) = open_store::writing(context).await?;
    let case = find(&store, id).await?;
    if case.state == CaseState::Closed {
        writeln!(out, "{id} is closed already")?;
        return Ok(());
    }
    let (_, vault) = open_store::vault(context, &config, &store).await?;
    let now = store.now().await?;
    let mut tx = store.begin().await?;
    tx.set_case_state(id, CaseState::Closed, now).await?;
    tx.audit(&vault, now, "case-closed", &id.to_string()).await?;
    tx.commit().await?;
    writeln!(out, "{id} closed")?;
    Ok(())
}
