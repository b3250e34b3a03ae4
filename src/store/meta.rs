//! Small things that are remembered by name, such as how far a mailbox was read.
//!
//! Security: names and values are numbers, days, fixed words, keyed digests and sealed values; nothing of a mail, nothing of a person.

use super::decode::text;
use super::{Result, Store};

impl Store {
    /// What was remembered under a name.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn remembered(&self, name: &str) -> Result<Option<String>> {
        let value = sqlx::query_scalar("SELECT value FROM meta WHERE name = $1")
            .bind(name)
            .fetch_optional(self.reader())
            .await?;
        Ok(value)
    }

    /// Everything that was remembered under names that begin so; the beginning is a plain word.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn remembered_below(&self, beginning: &'static str) -> Result<Vec<(String, String)>> {
        let rows = sqlx::query("SELECT name, value FROM meta WHERE name LIKE $1 ORDER BY name")
            .bind(format!("{beginning}%"))
            .fetch_all(self.reader())
            .await?;
        rows.iter().map(|row| Ok((text(row, "name")?, text(row, "value")?))).collect()
    }

    /// Remembers a value under a name, in place of what was there.
    ///
    /// # Errors
    /// When the database refuses; the old value holds then.
    pub async fn remember(&self, name: &str, value: &str) -> Result<()> {
        let mut tx = self.begin().await?;
        sqlx::query("INSERT INTO meta (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = $2")
            .bind(name)
            .bind(value)
            .execute(tx.connection())
            .await?;
        tx.commit().await
    }
}
