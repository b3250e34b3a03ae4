//! Reading columns.
//!
//! Security: what the database holds is not trusted to be what was written: anything that does not fit is an error that names
//! the column, never its content.

use super::{Result, StoreError};
use crate::report::{AtRest, CaseId, Digest, MailId};
use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::any::AnyRow;
use std::time::Duration;

pub(super) fn text(row: &AnyRow, column: &'static str) -> Result<String> {
    row.try_get(column).map_err(|_| StoreError::Unexpected(column))
}

pub(super) fn text_opt(row: &AnyRow, column: &'static str) -> Result<Option<String>> {
    row.try_get(column).map_err(|_| StoreError::Unexpected(column))
}

pub(super) fn int(row: &AnyRow, column: &'static str) -> Result<i64> {
    row.try_get(column).map_err(|_| StoreError::Unexpected(column))
}

fn int_opt(row: &AnyRow, column: &'static str) -> Result<Option<i64>> {
    row.try_get(column).map_err(|_| StoreError::Unexpected(column))
}

/// A number that is never negative.
pub(super) fn count<T: TryFrom<i64>>(row: &AnyRow, column: &'static str) -> Result<T> {
    T::try_from(int(row, column)?).map_err(|_| StoreError::Unexpected(column))
}

pub(super) fn flag(row: &AnyRow, column: &'static str) -> Result<bool> {
    Ok(int(row, column)? != 0)
}

pub(super) fn time(row: &AnyRow, column: &'static str) -> Result<Timestamp> {
    time_of(int(row, column)?)
}

pub(super) fn time_opt(row: &AnyRow, column: &'static str) -> Result<Option<Timestamp>> {
    int_opt(row, column)?.map(time_of).transpose()
}

pub(super) fn time_of(milliseconds: i64) -> Result<Timestamp> {
    Timestamp::from_millisecond(milliseconds).map_err(|_| StoreError::Unexpected("a time"))
}

/// `now` and so much longer, in milliseconds.
pub(super) fn later(now: Timestamp, by: Duration) -> i64 {
    now.as_millisecond().saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX))
}

pub(super) fn blob(row: &AnyRow, column: &'static str) -> Result<Vec<u8>> {
    row.try_get(column).map_err(|_| StoreError::Unexpected(column))
}

pub(super) fn sealed_opt(row: &AnyRow, column: &'static str) -> Result<Option<AtRest>> {
    let bytes: Option<Vec<u8>> = row.try_get(column).map_err(|_| StoreError::Unexpected(column))?;
    Ok(bytes.map(AtRest::from_store))
}

pub(super) fn digest_opt(row: &AnyRow, column: &'static str) -> Result<Option<Digest>> {
    Ok(text_opt(row, column)?.filter(|text| !text.is_empty()).map(Digest::from_store))
}

pub(super) fn word<T>(row: &AnyRow, column: &'static str, from_word: fn(&str) -> Option<T>) -> Result<T> {
    from_word(&text(row, column)?).ok_or(StoreError::Unexpected(column))
}

pub(super) fn word_opt<T>(row: &AnyRow, column: &'static str, from_word: fn(&str) -> Option<T>) -> Result<Option<T>> {
    text_opt(row, column)?.map(|word| from_word(&word).ok_or(StoreError::Unexpected(column))).transpose()
}

pub(super) fn mail_id(row: &AnyRow, column: &'static str) -> Result<MailId> {
    word(row, column, MailId::parse)
}

pub(super) fn mail_id_opt(row: &AnyRow, column: &'static str) -> Result<Option<MailId>> {
    word_opt(row, column, MailId::parse)
}

pub(super) fn case_id(row: &AnyRow, column: &'static str) -> Result<CaseId> {
    word(row, column, parse_case)
}

pub(super) fn case_id_opt(row: &AnyRow, column: &'static str) -> Result<Option<CaseId>> {
    word_opt(row, column, parse_case)
}

fn parse_case(text: &str) -> Option<CaseId> {
    CaseId::parse(text).ok()
}

/// `$from, …` for so many parameters.
pub(super) fn placeholders(from: usize, many: usize) -> String {
    (from..from + many).map(|number| format!("${number}")).collect::<Vec<_>>().join(", ")
}

/// A stable code, or `other` for what is none: neither a server's words nor a person's get into the database this way.
pub(super) fn code(text: &str) -> &str {
    if is_id(text) { text } else { "other" }
}

/// Letters, digits and `-.:_`, at most 80: the form of ids and codes.
pub(super) fn is_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= 80 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.:_".contains(&b))
}
