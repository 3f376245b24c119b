//! The history of an object's tables.

use wasm_bindgen::JsValue;

use super::sql::{Result, Sql, SqlValue};

/// Brings an object's tables up to date: schema changes in order. The number of those that have run
/// is in the table `meta`, which is there already.
///
/// # Errors
/// The platform's error if a statement failed. Also for the tables of a later version: what this one
/// wrote into them might be read as something else, so it neither reads nor writes any.
pub(crate) fn migrate(sql: &Sql, migrations: &[&[&str]]) -> Result<()> {
    let query = "SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'schema'";
    let row = sql.exec(query, Vec::new())?.raw().next().transpose()?;
    let done = match row.as_deref() {
        Some([SqlValue::Integer(done), ..]) => usize::try_from(*done).unwrap_or(usize::MAX),
        Some(_) | None => 0,
    };
    if done > migrations.len() {
        return Err(JsValue::from_str("the rows are those of a later version"));
    }
    for (index, statements) in migrations.iter().enumerate().skip(done) {
        for statement in *statements {
            sql.exec(statement, Vec::new())?;
        }
        // As text: a number would be a fraction in a column of text.
        let number = (index + 1).to_string();
        sql.exec("INSERT OR REPLACE INTO meta VALUES ('schema', ?)", vec![number.into()])?;
    }
    Ok(())
}
