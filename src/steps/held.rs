//! Lets held copies go once the reason has gone, and gives those of members who left their fate.

use super::StepError;
use crate::gateway::Gateway;
use crate::store::{HeldBecause, RowFilter, RowKind, RowState};
use std::collections::HashMap;

/// Looks at every held copy: its member can be encrypted to again (it is due now), or has left (it is dropped).
///
/// # Errors
/// When the store cannot be used.
pub async fn release(gateway: &Gateway) -> Result<(), StepError> {
    let now = gateway.store.now().await?;
    let members: HashMap<_, _> = gateway
        .keyring
        .members()
        .iter()
        .map(|member| (gateway.vault.address_digest(member.address()), member))
        .collect();
    let held = gateway.store.rows(&RowFilter { state: Some(RowState::Held), ..RowFilter::default() }).await?;
    let mut recipients: Vec<_> = held
        .into_iter()
        .filter(|row| matches!(row.kind, RowKind::Copy | RowKind::Notice))
        .filter_map(|row| row.recipient)
        .collect();
    recipients.sort();
    recipients.dedup();
    for recipient in recipients {
        match members.get(&recipient) {
            None => {
                let rows = gateway.store.drop_for_recipient(&recipient, "left-the-team", now).await?;
                tracing::info!(rows, "copies for a member who left were dropped");
            }
            Some(member) if member.usable(now).is_ok() => {
                let rows = gateway.store.release_held(HeldBecause::Recipient(&recipient), now).await?;
                tracing::info!(rows, certificate = %member.fingerprint(), "the member's certificate can be used again: held copies go out");
            }
            Some(_) => {}
        }
    }
    Ok(())
}
