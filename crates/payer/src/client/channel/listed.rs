//! The channels of a record, for people and programs.

use alloc::format;
use alloc::string::String;

use serde_json::Value;

use super::kept::KeptChannel;
use super::row::{ChannelRow, listed};
use crate::client::budget::Budget;
use crate::client::error::ClientError;

/// The channels of a record, the latest last.
///
/// # Errors
/// [`Reason::BudgetUnreadable`](crate::client::Reason::BudgetUnreadable).
pub fn channels(record: Option<&str>) -> Result<Value, ClientError> {
    listed::<KeptChannel>(record)
}

/// The record without a channel, whose rest its payer has withdrawn from the contract; `None` if it
/// has none of this id.
///
/// # Errors
/// [`Reason::BudgetUnreadable`](crate::client::Reason::BudgetUnreadable).
pub fn forgotten(record: Option<&str>, id: &str) -> Result<Option<String>, ClientError> {
    let mut budget = Budget::from_text(record)?;
    let key = format!("{}{id}", KeptChannel::PREFIX);
    if budget.sent.kept(&key).is_none() {
        return Ok(None);
    }
    budget.sent.let_go(&key);
    Ok(Some(budget.to_text()))
}
