//! The sessions of a record, for people and programs.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use super::kept::{KeptSession, LEFT, left_key};
use crate::client::budget::Budget;
use crate::client::channel::row::{ChannelRow, listed_under, read, rows_under};
use crate::client::error::ClientError;

/// Sessions that pay, and those that their payees closed at their own wish.
const KINDS: [&str; 2] = [LEFT, KeptSession::PREFIX];

/// The sessions of a record, the latest last; before them those that their payees say they closed at
/// their own wish.
///
/// # Errors
/// [`Reason::BudgetUnreadable`](crate::client::Reason::BudgetUnreadable).
pub fn sessions(record: Option<&str>) -> Result<Value, ClientError> {
    listed_under::<KeptSession>(record, &KINDS)
}

/// The record without a session, whose rest its payer has withdrawn from the contract; `None` if it
/// has none of this id.
///
/// # Errors
/// [`Reason::BudgetUnreadable`](crate::client::Reason::BudgetUnreadable).
pub fn forgotten(record: Option<&str>, id: &str) -> Result<Option<String>, ClientError> {
    let mut budget = Budget::from_text(record)?;
    for kind in KINDS {
        let all: Result<Vec<KeptSession>, ClientError> = rows_under(&budget, kind).collect();
        let Some(row) = all?.into_iter().find(|row| row.id().to_string() == id) else { continue };
        let last = left_key(&row.key());
        let is_last =
            || Ok(read::<KeptSession>(&budget, &last)?.is_some_and(|it| it.id() == row.id()));
        let key = match kind == LEFT {
            true if is_last()? => last,
            true => row.older_key(),
            false => row.key(),
        };
        budget.sent.let_go(&key);
        return Ok(Some(budget.to_text()));
    }
    Ok(None)
}
