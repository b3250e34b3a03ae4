//! The store key, as it lies: wrapped to each gateway key.
//!
//! Security: two gateways that start on an empty database must not both make a store key, since what the loser sealed would
//! never open again: only the first one's is kept, and the other learns that it lost.

use super::decode::{blob, text};
use super::{Result, Store, StoreError, Turn, Tx, again_on_conflict};
use jiff::Timestamp;

impl Store {
    /// The wrapped store key: fingerprint of the gateway key it is wrapped to, and OpenPGP message. Empty in a new store.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn wrappings(&self) -> Result<Vec<(String, Vec<u8>)>> {
        let rows = sqlx::query("SELECT fingerprint, wrapped FROM store_keys ORDER BY fingerprint")
            .fetch_all(self.reader())
            .await?;
        rows.iter().map(|row| Ok((text(row, "fingerprint")?, blob(row, "wrapped")?))).collect()
    }

    /// Puts the first store key down. `false` if there is one already: then that one counts and nothing was changed.
    ///
    /// # Errors
    /// [`StoreError::NoWrapping`] for an empty list.
    pub async fn create_wrappings(&self, wrappings: &[(String, Vec<u8>)], now: Timestamp) -> Result<bool> {
        again_on_conflict!(self.try_create(wrappings, now))
    }

    async fn try_create(&self, wrappings: &[(String, Vec<u8>)], now: Timestamp) -> Result<bool> {
        let mut tx = self.begin().await?;
        tx.take_turn(Turn::Keys).await?;
        let present: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM store_keys").fetch_one(tx.connection()).await?;
        if present > 0 {
            return Ok(false);
        }
        tx.insert_wrappings(wrappings, now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Puts other wrappings of the same store key in place of the present ones, after the gateway keys have changed. The new
    /// ones must have been made from what [`Store::wrappings`] gave.
    ///
    /// # Errors
    /// [`StoreError::NoWrapping`] for an empty list, or where there is no store key yet.
    pub async fn replace_wrappings(&self, wrappings: &[(String, Vec<u8>)], now: Timestamp) -> Result<()> {
        again_on_conflict!(self.try_replace(wrappings, now))
    }

    async fn try_replace(&self, wrappings: &[(String, Vec<u8>)], now: Timestamp) -> Result<()> {
        let mut tx = self.begin().await?;
        tx.take_turn(Turn::Keys).await?;
        let removed = sqlx::query("DELETE FROM store_keys").execute(tx.connection()).await?.rows_affected();
        if removed == 0 {
            return Err(StoreError::NoWrapping);
        }
        tx.insert_wrappings(wrappings, now).await?;
        tx.commit().await
    }
}

impl Tx {
    async fn insert_wrappings(&mut self, wrappings: &[(String, Vec<u8>)], now: Timestamp) -> Result<()> {
        if wrappings.is_empty() {
            return Err(StoreError::NoWrapping);
        }
        for (fingerprint, wrapped) in wrappings {
            sqlx::query("INSERT INTO store_keys (fingerprint, wrapped, created) VALUES ($1, $2, $3)")
                .bind(fingerprint.as_str())
                .bind(wrapped.as_slice())
                .bind(now.as_millisecond())
                .execute(self.connection())
                .await?;
        }
        Ok(())
    }
}
