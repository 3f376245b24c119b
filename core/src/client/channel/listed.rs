//! The channels of a record, for people and programs.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Value, json};

use super::kept::KeptChannel;
use crate::client::budget::Budget;
use crate::client::error::{ClientError, Reason};
use crate::encoding::json;

/// What the key of a channel's row begins with.
const PREFIX: &str = "channel ";

/// The channels of a record, the latest last.
///
/// # Errors
/// [`Reason::BudgetUnreadable`].
pub fn channels(record: Option<&str>) -> Result<Value, ClientError> {
    let budget = Budget::from_text(record)?;
    let wrong =
        || ClientError::new(Reason::BudgetUnreadable, "the record of a channel cannot be read");
    let shown = |text: &str| {
        let row = json::parse(text.as_bytes()).ok();
        let channel = row.as_ref().and_then(KeptChannel::from_value).ok_or_else(wrong)?;
        Ok(json!({
            "id": channel.id().to_string(),
            "host": channel.host,
            "network": alloc::format!("eip155:{}", channel.chain_id),
            "asset": channel.config.token.to_checksum(),
            "payer": channel.config.payer.to_checksum(),
            "payTo": channel.config.receiver.to_checksum(),
            "deposit": channel.deposit.to_string(),
            "spent": channel.charged.to_string(),
            "signed": channel.signed.to_string(),
            "pending": channel.pending.as_ref().map(|it| it.amount.to_string()),
        }))
    };
    let rows: Result<Vec<Value>, ClientError> = budget.kept_under(PREFIX).map(shown).collect();
    rows.map(Value::Array)
}

/// The record without a channel, whose rest its payer has withdrawn from the contract; `None` if it
/// has none of this id.
///
/// # Errors
/// [`Reason::BudgetUnreadable`].
pub fn forgotten(record: Option<&str>, id: &str) -> Result<Option<String>, ClientError> {
    let mut budget = Budget::from_text(record)?;
    let key = alloc::format!("{PREFIX}{id}");
    if budget.kept(&key).is_none() {
        return Ok(None);
    }
    budget.let_go(&key);
    Ok(Some(budget.to_text()))
}
