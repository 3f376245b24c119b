//! Rows that are kept whole as JSON, beside the columns that they are looked up by.

use farebox_core::encoding::json;
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::JsValue;

use super::sql::{Result, Sql, SqlValue};

/// Makes the table of what an object keeps once; the number of its schema changes is there, too.
pub(crate) fn make_meta(sql: &Sql) -> Result<()> {
    let statement = "CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)";
    sql.exec(statement, vec![]).map(|_| ())
}

/// The first column of the first row.
pub(crate) fn first(sql: &Sql, query: &str, values: Vec<SqlValue>) -> Result<Option<SqlValue>> {
    let row = sql.exec(query, values)?.raw().next().transpose()?;
    Ok(row.and_then(|columns| columns.into_iter().next()))
}

/// A column as text.
pub(crate) fn text(value: Option<&SqlValue>) -> Option<String> {
    match value? {
        SqlValue::String(text) => Some(text.clone()),
        SqlValue::Null | SqlValue::Integer(_) | SqlValue::Blob(_) => None,
    }
}

/// A column as a whole number.
pub(crate) fn number(value: &SqlValue) -> Option<u64> {
    match value {
        SqlValue::Integer(number) => u64::try_from(*number).ok(),
        SqlValue::Null | SqlValue::String(_) | SqlValue::Blob(_) => None,
    }
}

/// A time or a number as a column; those of this project are exact.
pub(crate) fn whole(number: u64) -> SqlValue {
    i64::try_from(number).map_or(SqlValue::Null, SqlValue::Integer)
}

/// The same where there may be none.
pub(crate) fn maybe(number: Option<u64>) -> SqlValue {
    number.map_or(SqlValue::Null, whole)
}

/// A row as JSON.
pub(crate) fn json(row: &impl Serialize) -> SqlValue {
    json::text(row).into()
}

/// The one word that a state is written as.
pub(crate) fn word(state: &impl Serialize) -> SqlValue {
    json::text(state).trim_matches('"').into()
}

/// A row that cannot be read is an error: whatever was decided without it would be wrong.
pub(crate) fn read<T: DeserializeOwned>(value: &SqlValue) -> Result<T> {
    let row = text(Some(value)).unwrap_or_default();
    serde_json::from_str(&row)
        .map_err(|error| JsValue::from_str(&format!("unreadable row: {error}")))
}
