//! Rows of the budget's record for channels of either kind: how they are read, and shown to people
//! and programs.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Value, json};

use crate::client::budget::Budget;
use crate::client::error::{ClientError, Reason};
use crate::client::policy::MAX_DEADLINE_SECS;
use farebox_base::amount::Amount;
use farebox_base::encoding::json as text;
use farebox_base::time::UnixTime;
use farebox_channel::config::ChannelId;
use farebox_evm::address::Address;

/// The request that uses a channel now: it pays for one at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::client) struct Using {
    /// The request's own, hex.
    pub id: String,
    /// Time from which it counts as dead.
    pub until: UnixTime,
}

impl Using {
    /// Whether another request than this one has to wait for it. One that ends later than any use
    /// lasts was written by a clock that ran ahead, and has nobody wait as long.
    pub fn excludes(&self, id: &str, now: UnixTime) -> bool {
        self.id != id && now < self.until && self.until <= now.plus(MAX_DEADLINE_SECS)
    }

    pub fn to_value(&self) -> Value {
        json!([self.id, self.until.secs()])
    }

    /// Reads the member `using` of a row; `None` if it is none.
    pub fn from_row(row: &Value) -> Option<Option<Self>> {
        let using = row.get("using")?;
        if using.is_null() {
            return Some(None);
        }
        let until = UnixTime::from_secs(using.get(1)?.as_u64()?);
        Some(Some(Self { id: using.get(0)?.as_str()?.to_string(), until }))
    }
}

/// A row of the record.
pub(in crate::client) trait ChannelRow: Sized {
    /// The beginning of its key.
    const PREFIX: &'static str;

    /// Reads a row; `None` if it is none.
    fn from_value(row: &Value) -> Option<Self>;

    /// The view of it for people and programs.
    fn shown(&self) -> Shown<'_>;
}

/// The view of a channel for people and programs.
pub(in crate::client) struct Shown<'a> {
    pub id: ChannelId,
    pub host: &'a str,
    pub chain_id: u64,
    pub asset: Address,
    pub payer: Address,
    pub pay_to: Address,
    pub deposit: Amount,
    pub spent: Amount,
    pub signed: Amount,
    pub pending: Option<Amount>,
}

/// The row under a key; one that cannot be read is an error, never an empty one.
pub(in crate::client) fn read<R: ChannelRow>(
    budget: &Budget,
    key: &str,
) -> Result<Option<R>, ClientError> {
    budget.sent.kept(key).map(of).transpose()
}

/// The rows of a record, the latest last.
pub(in crate::client) fn rows<R: ChannelRow>(
    budget: &Budget,
) -> impl Iterator<Item = Result<R, ClientError>> {
    rows_under(budget, R::PREFIX)
}

/// The rows of a record whose keys begin so.
pub(in crate::client) fn rows_under<R: ChannelRow>(
    budget: &Budget,
    prefix: &str,
) -> impl Iterator<Item = Result<R, ClientError>> {
    budget.sent.kept_under(prefix).map(of)
}

fn of<R: ChannelRow>(row: &str) -> Result<R, ClientError> {
    let message = "the record of a channel or session cannot be read";
    let row = text::parse(row.as_bytes()).ok();
    let row = row.as_ref().and_then(R::from_value);
    row.ok_or_else(|| ClientError::new(Reason::BudgetUnreadable, message))
}

/// The channels of one kind of a record, the latest last.
pub(in crate::client) fn listed<R: ChannelRow>(record: Option<&str>) -> Result<Value, ClientError> {
    listed_under::<R>(record, &[R::PREFIX])
}

/// The same of those whose keys begin so.
pub(in crate::client) fn listed_under<R: ChannelRow>(
    record: Option<&str>,
    prefixes: &[&str],
) -> Result<Value, ClientError> {
    let budget = Budget::from_text(record)?;
    let mut values = Vec::new();
    for row in prefixes.iter().flat_map(|prefix| rows_under::<R>(&budget, prefix)) {
        let row = row?;
        let shown = row.shown();
        // While its first deposit is being signed it is no channel yet.
        if !shown.deposit.is_zero() || shown.pending.is_some() {
            values.push(shown.to_value());
        }
    }
    Ok(Value::Array(values))
}

impl Shown<'_> {
    fn to_value(&self) -> Value {
        json!({
            "id": self.id.to_string(),
            "host": self.host,
            "network": format!("eip155:{}", self.chain_id),
            "asset": self.asset.to_checksum(),
            "payer": self.payer.to_checksum(),
            "payTo": self.pay_to.to_checksum(),
            "deposit": self.deposit.to_string(),
            "spent": self.spent.to_string(),
            "signed": self.signed.to_string(),
            "pending": self.pending.map(|it| it.to_string()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    //
    #[test]
    fn a_clock_that_ran_ahead_keeps_no_channel() {
        let now = UnixTime::from_secs(1_800_000_000);
        let excludes = |until: UnixTime| Using { id: "a".to_string(), until }.excludes("b", now);
        assert!(excludes(now.plus(1)));
        assert!(excludes(now.plus(MAX_DEADLINE_SECS)));
        assert!(!excludes(now.plus(MAX_DEADLINE_SECS).plus(1)));
        assert!(!excludes(now.plus(86_400)));
        assert!(!excludes(now));
        assert!(!Using { id: "a".to_string(), until: now.plus(1) }.excludes("a", now));
    }
}
