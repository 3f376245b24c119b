//! The sessions of a record, for people and programs.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Value, json};

use super::kept::{KeptSession, PREFIX};
use crate::client::budget::Budget;
use crate::client::error::{ClientError, Reason};
use crate::encoding::json as text;

/// The sessions of a record, the latest last.
///
/// # Errors
/// [`Reason::BudgetUnreadable`].
pub fn sessions(record: Option<&str>) -> Result<Value, ClientError> {
    let budget = Budget::from_text(record)?;
    let shown = |row: &KeptSession| {
        json!({
            "id": row.id().to_string(),
            "host": row.host,
            "network": alloc::format!("eip155:{}", row.chain_id),
            "asset": row.parties.token.to_checksum(),
            "payer": row.parties.payer.to_checksum(),
            "payTo": row.parties.payee.to_checksum(),
            "deposit": row.state.deposit.to_string(),
            "spent": row.state.spent.to_string(),
            "signed": row.state.cumulative.to_string(),
            "pending": row.pending.as_ref().map(|it| it.amount.to_string()),
        })
    };
    Ok(rows(&budget)?.iter().map(shown).collect())
}

/// The record without a session, whose rest its payer has withdrawn from the contract; `None` if it
/// has none of this id.
///
/// # Errors
/// [`Reason::BudgetUnreadable`].
pub fn forgotten(record: Option<&str>, id: &str) -> Result<Option<String>, ClientError> {
    let mut budget = Budget::from_text(record)?;
    let rows = rows(&budget)?;
    let Some(row) = rows.iter().find(|row| row.id().to_string() == id) else { return Ok(None) };
    budget.let_go(&row.key());
    Ok(Some(budget.to_text()))
}

fn rows(budget: &Budget) -> Result<Vec<KeptSession>, ClientError> {
    let wrong =
        || ClientError::new(Reason::BudgetUnreadable, "the record of a session cannot be read");
    let read = |row: &str| {
        let row = text::parse(row.as_bytes()).ok();
        row.as_ref().and_then(KeptSession::from_value).ok_or_else(wrong)
    };
    budget.kept_under(PREFIX).map(read).collect()
}
