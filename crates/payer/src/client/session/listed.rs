//! The sessions of a record, for people and programs.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use super::kept::KeptSession;
use crate::client::budget::Budget;
use crate::client::channel::row::{listed, rows};
use crate::client::error::ClientError;

/// The sessions of a record, the latest last.
///
/// # Errors
/// [`Reason::BudgetUnreadable`](crate::client::Reason::BudgetUnreadable).
pub fn sessions(record: Option<&str>) -> Result<Value, ClientError> {
    listed::<KeptSession>(record)
}

/// The record without a session, whose rest its payer has withdrawn from the contract; `None` if it
/// has none of this id.
///
/// # Errors
/// [`Reason::BudgetUnreadable`](crate::client::Reason::BudgetUnreadable).
pub fn forgotten(record: Option<&str>, id: &str) -> Result<Option<String>, ClientError> {
    let mut budget = Budget::from_text(record)?;
    let all: Result<Vec<KeptSession>, ClientError> = rows(&budget).collect();
    let found = all?.into_iter().find(|row| row.id().to_string() == id);
    let Some(row) = found else { return Ok(None) };
    budget.let_go(&row.key());
    Ok(Some(budget.to_text()))
}
