//! The skills as the market shows them.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::row::TableRow;

/// Longest summary, bytes, before it says that there is more.
const SUMMARY_BYTES: usize = 256;

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
    /// It as JSON, as the list for programs has it.
    pub listed: String,
}

impl Offered {
    /// The beginning of its description, as what tells of many skills has it.
    #[must_use]
    pub fn summary(&self) -> Cow<'_, str> {
        let end = self.description.floor_char_boundary(SUMMARY_BYTES);
        match self.description.split_at_checked(end) {
            Some((start, rest)) if !rest.is_empty() => [start, "…"].concat().into(),
            _ => self.description.as_str().into(),
        }
    }
}

/// A state of all that lists, pages and documents show: what of it changes makes another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edition {
    /// Grows with each change of the catalogue.
    wanted: u64,
    /// Grows with each change of what the gate's route table has and refuses.
    written: u64,
}

impl Edition {
    /// The edition that goes with this state of the gate's route table.
    pub(super) const fn of(table: &TableRow) -> Self {
        Self { wanted: table.wanted, written: table.written }
    }

    /// Whether it has all that the other one has.
    #[must_use]
    pub const fn covers(self, other: Self) -> bool {
        self.wanted >= other.wanted && self.written >= other.written
    }
}
