//! Texts that may be longer than a value of the database: those are kept in parts.

use super::columns::text;
use super::sql::{Result, Sql, SqlValue};

/// Bytes of one value, well below the platform's limit of two megabytes.
const PART_BYTES: usize = 1_000_000;

/// The value for the column; null for a text that is now kept in parts under this name. The parts of
/// the text that it replaces leave in any case.
pub(crate) fn put(sql: &Sql, owner: &str, text: &str) -> Result<SqlValue> {
    sql.exec("DELETE FROM parts WHERE owner = ?", vec![owner.into()])?;
    if text.len() <= PART_BYTES {
        return Ok(text.into());
    }
    let mut rest = text;
    let mut number = 0;
    while !rest.is_empty() {
        let (part, after) = rest.split_at(rest.floor_char_boundary(PART_BYTES));
        let values = vec![owner.into(), SqlValue::Integer(number), part.into()];
        sql.exec("INSERT INTO parts VALUES (?, ?, ?)", values)?;
        (rest, number) = (after, number + 1);
    }
    Ok(SqlValue::Null)
}

/// The text of a column, or its parts.
pub(crate) fn get(sql: &Sql, owner: &str, column: Option<&SqlValue>) -> Result<String> {
    if let Some(whole) = text(column) {
        return Ok(whole);
    }
    let query = "SELECT text FROM parts WHERE owner = ? ORDER BY number";
    let mut whole = String::new();
    for row in sql.exec(query, vec![owner.into()])?.raw() {
        whole += &text(row?.first()).unwrap_or_default();
    }
    Ok(whole)
}
