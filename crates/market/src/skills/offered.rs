//! The skills as the market shows them.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// A listed skill as pages and documents show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offered {
    /// Its id.
    pub id: String,
    /// Its name, as its owner wrote it: escape it.
    pub name: String,
    /// The description of what it does, as its owner wrote it: escape it.
    pub description: String,
    /// `agentId`, as its owner wrote it: escape it.
    pub agent: String,
    /// The wallet that is paid.
    pub owner: String,
    /// The version that is sold.
    pub version: String,
    /// All versions, newest first.
    pub versions: Vec<String>,
    /// The price in whole units of the asset.
    pub price: String,
    /// The asset's symbol.
    pub asset: String,
    /// CAIP-2 ids.
    pub networks: Vec<String>,
    /// `priceXLM`; `None` for an asset that is not a dollar's.
    pub xlm: Option<String>,
    /// `gate` or `seller`.
    pub charges: String,
    /// The method with which it is called.
    pub method: String,
    /// Where a stock client buys it.
    pub url: String,
    /// The owner's description of requests, JSON; may be empty.
    pub bazaar: String,
    /// When it was published, unix milliseconds.
    pub created: u64,
    /// Whether the gate's route table has it.
    pub live: bool,
    /// The market's fee, if one is set, in words, and whether it was paid.
    pub fee: Option<(String, bool)>,
}
