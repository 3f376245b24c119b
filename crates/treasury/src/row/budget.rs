//! The rows of budgets.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::access::Scope;

/// The cost of one asset in the windows that are current.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssetTally {
    /// The asset's symbol.
    pub symbol: String,
    /// Reserved and signed and not void, at 18 fraction digits.
    pub hour: String,
    /// The same of the day.
    pub day: String,
    /// The same of the month.
    pub month: String,
}

/// The spending of a scope in the current hour, day and month, UTC. Key: scope.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BudgetRow {
    /// The scope of the budget.
    pub scope: Scope,
    /// Start of the hour.
    pub hour: u64,
    /// Start of the day.
    pub day: u64,
    /// Start of the month.
    pub month: u64,
    /// The cost of each asset since then.
    pub assets: Vec<AssetTally>,
}
