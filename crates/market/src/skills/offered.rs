//! The skills as the market shows them.

use alloc::borrow::Cow;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::row::TableRow;
use crate::text::{Members, list, number, quoted};
use farebox_base::encoding::json;

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
    /// The moment at which the money moves: `after` or `before` the answer.
    #[serde(default)]
    pub settle: String,
    /// The method with which it is called.
    pub method: String,
    /// The seller's server.
    pub call_url: String,
    /// Where a stock client buys it.
    pub url: String,
    /// The owner's description of requests, JSON; may be empty.
    pub bazaar: String,
    /// Plans of prepaid calls with their prices, a JSON object; may be empty.
    pub packs: String,
    /// When it was published, unix milliseconds.
    pub created: u64,
    /// Whether it is sold.
    pub active: bool,
    /// Whether the gate's route table has it.
    pub live: bool,
    /// Why the gate's reader refuses its route, if it does.
    pub refused: Option<String>,
    /// The market's fee, if one is set.
    pub fee: Option<Fee>,
}

/// The market's fee for a skill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fee {
    /// Dollars.
    pub price: String,
    /// Whether it was paid.
    pub is_paid: bool,
}

impl Fee {
    /// The fee as people read it.
    #[must_use]
    pub fn words(&self) -> String {
        let paid = if self.is_paid { "paid" } else { "not paid yet" };
        alloc::format!("${}, once, {paid}; it is not part of the price", self.price)
    }
}

impl Offered {
    /// The body of a call, JSON: the owner's example if there is one.
    pub(super) fn example(&self) -> String {
        let bazaar = json::parse(self.bazaar.as_bytes()).ok();
        let input = bazaar.as_ref().and_then(|bazaar| bazaar.get("input")).map(json::text);
        input.unwrap_or_else(|| r#"{"input":"hello"}"#.to_string())
    }

    /// The same beside other skills, unless it is longer than a summary: it would fill their page.
    pub(super) fn short_example(&self) -> Option<String> {
        Some(self.example()).filter(|text| text.len() <= SUMMARY_BYTES)
    }

    /// The body of an invocation, JSON: with an example as its payload, where it takes one.
    pub(super) fn invocation(&self, example: &str) -> String {
        match self.method.as_str() {
            "GET" => r#"{"agentId":"NAME"}"#.to_string(),
            _ => [r#"{"agentId":"NAME","payload":"#, example, "}"].concat(),
        }
    }

    /// The skill as JSON, as programs read it at a market with this origin.
    #[must_use]
    pub fn write(&self, market: &str) -> String {
        let members = Members::new()
            .text("id", &self.id)
            .text("agentId", &self.agent)
            .text("name", &self.name)
            .text("description", &self.description);
        let members = match &self.xlm {
            Some(xlm) => members.raw("priceXLM", number(xlm)),
            None => members,
        };
        let members = members
            .text("callUrl", self.shown_url())
            .raw("active", if self.active { "true" } else { "false" })
            .number("createdAt", self.created)
            .text("payTo", &self.owner)
            .text("charges", &self.charges)
            .text("version", &self.version)
            .text("price", &self.price)
            .text("asset", &self.asset)
            .raw("networks", &list(self.networks.iter().map(|it| quoted(it))))
            .text("url", &self.url);
        let members =
            if self.packs.is_empty() { members } else { members.raw("packs", &self.packs) };
        let members = match &self.fee {
            None => members,
            Some(fee) => {
                let paid = if fee.is_paid { "true" } else { "false" };
                let url = alloc::format!("{market}/fees/{}", self.id);
                let fee = Members::new().text("price", &fee.price).raw("paid", paid);
                members.raw("fee", &fee.text("url", &url).done())
            }
        };
        match &self.refused {
            Some(why) => members.text("refused", why).done(),
            None => members.done(),
        }
    }

    /// The `callUrl` as everybody may read it: what the gate charges for is called by the market alone,
    /// and a query of it may hold a key.
    fn shown_url(&self) -> &str {
        match self.call_url.split_once('?') {
            Some((url, _)) if self.charges == "gate" => url,
            _ => &self.call_url,
        }
    }

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

/// A skill of the list, after which its next part begins: the newest skill is the first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// When it was published.
    pub created: u64,
    /// Its id.
    pub id: String,
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
