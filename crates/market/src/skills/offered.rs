//! The skills as the market shows them.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::message::Response;
use super::refused::{self, refusal};
use super::row::TableRow;
use crate::query::Query;
use crate::text::{Members, list};
use farebox_base::amount::Amount;

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

/// `GET /api/marketplace/skills`: those of the listed skills that match a query, which is given as
/// it came, without `?`.
pub fn write_list(skills: &[Offered], query: &str) -> Response {
    filter(skills, query).unwrap_or_else(|refused| refused)
}

fn filter(skills: &[Offered], query: &str) -> Result<Response, Response> {
    let query =
        Query::of(query, &["name", "agentId", "maxPriceXLM"]).map_err(refused::no_parameter)?;
    let no_price = |_| refusal(400, "maxPriceXLM must be a non-negative number");
    let most = query.get("maxPriceXLM").map(|text| Amount::from_decimal(&text, 18));
    let most = most.transpose().map_err(no_price)?;
    let name = query.get("name").map(|name| name.to_lowercase());
    let agent = query.get("agentId");
    let is_found = |skill: &&Offered| {
        let is_named = |name: &String| skill.name.to_lowercase().contains(name.as_str());
        let is_cheap = |most: &Amount| {
            let xlm = skill.xlm.as_deref().and_then(|xlm| Amount::from_decimal(xlm, 18).ok());
            xlm.is_some_and(|xlm| xlm <= *most)
        };
        name.as_ref().is_none_or(is_named)
            && agent.as_ref().is_none_or(|agent| *agent == skill.agent)
            && most.as_ref().is_none_or(is_cheap)
    };
    let found = list(skills.iter().filter(is_found).map(|skill| skill.listed.clone()));
    Ok(Response::json(200, Members::ok().raw("skills", &found).done()))
}
