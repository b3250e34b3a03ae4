//! Roles that one gateway at a time holds, such as reading the mailbox.
//!
//! Security: a role is a lease on the database's clock; its fencing number tells a holder that was frozen from its successor.

use super::decode::later;
use super::{Fence, Owner, Result, Store};
use jiff::Timestamp;
use std::time::Duration;

impl Store {
    /// Takes a role for so long, if nobody else holds it.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn acquire_role(
        &self,
        name: &'static str,
        owner: &Owner,
        now: Timestamp,
        ttl: Duration,
    ) -> Result<Option<Fence>> {
        let mut tx = self.begin().await?;
        let fence: Option<i64> = sqlx::query_scalar(
            "INSERT INTO roles (name, owner, fence, until) VALUES ($1, $2, 1, $3) ON CONFLICT (name) DO UPDATE \
             SET owner = $2, fence = roles.fence + 1, until = $3 WHERE roles.until <= $4 OR roles.until > $5 \
             OR roles.owner = $2 RETURNING fence",
        )
        .bind(name)
        .bind(owner.as_str())
        .bind(later(now, ttl))
        .bind(now.as_millisecond())
        // No role lasts so long: the clock was wrong when it was taken.
        .bind(later(now, ttl.saturating_mul(100)))
        .fetch_optional(tx.connection())
        .await?;
        tx.commit().await?;
        Ok(fence.map(Fence))
    }

    /// Keeps a role for so long from now on. `false` if it is somebody else's by now: stop what only its holder may do.
    ///
    /// # Errors
    /// When the database does not answer: the role ends when it was to end.
    pub async fn renew_role(
        &self,
        name: &'static str,
        owner: &Owner,
        fence: Fence,
        now: Timestamp,
        ttl: Duration,
    ) -> Result<bool> {
        let mut tx = self.begin().await?;
        let renewed = sqlx::query("UPDATE roles SET until = $1 WHERE name = $2 AND owner = $3 AND fence = $4")
            .bind(later(now, ttl))
            .bind(name)
            .bind(owner.as_str())
            .bind(fence.0)
            .execute(tx.connection())
            .await?;
        tx.commit().await?;
        Ok(renewed.rows_affected() == 1)
    }

    /// Gives a role back, so that another takes it at once. Nothing happens if it is somebody else's by now.
    ///
    /// # Errors
    /// When the database does not answer: the role ends when it was to end.
    pub async fn release_role(&self, name: &'static str, owner: &Owner, fence: Fence) -> Result<()> {
        let mut tx = self.begin().await?;
        sqlx::query("UPDATE roles SET until = 0, owner = '' WHERE name = $1 AND owner = $2 AND fence = $3")
            .bind(name)
            .bind(owner.as_str())
            .bind(fence.0)
            .execute(tx.connection())
            .await?;
        tx.commit().await
    }
}
