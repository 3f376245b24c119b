//! From an operator's variables to a [`Market`]. Spec: docs/skills.md, "Variables".

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use super::price::XlmRate;
use super::row::SHELF;
use crate::compute::vars;
use farebox_base::amount::Amount;
use farebox_base::chain::ChainId;
use farebox_base::encoding::json;
use farebox_base::secret::Secret;
use farebox_common::config::{ConfigError, MAX_CONFIG_BYTES, Reader, network, nodes};
use farebox_evm::address::Address;
use farebox_evm::token;

/// Most rows of the ledger that stay in the storage where there is a bucket.
const MAX_LEDGER_ROWS: u64 = 50_000;

/// The paths of an exchange's till begin so.
const TILL: &str = "/till/";

/// A market: its address, its networks and its switches.
#[derive(Debug)]
pub struct Market {
    /// The origin under which it is reached, through the gate.
    pub url: String,
    /// CAIP-2 ids on which its skills can be paid.
    pub networks: Vec<ChainId>,
    /// Shared with the gate.
    pub(super) origin_secret: Option<Secret<String>>,
    /// Sellers' secrets are made of it.
    pub(super) secret: Secret<String>,
    pub(super) operator: Secret<String>,
    /// Reads decisions of the treasury.
    pub lookup_token: Option<Secret<String>>,
    /// The account that receives fees, and the money of quotes.
    pub pay_to: Option<String>,
    /// The operator's own routes, a JSON list.
    pub own_routes: String,
    /// The fee of a new skill, dollars.
    pub listing_fee: Option<String>,
    /// Most that an agent may spend in a UTC day, dollars at 18 fraction digits.
    pub daily_cap: Option<Amount>,
    /// Rows of the ledger that stay in the storage; `None` where there is no bucket for others.
    pub ledger_rows: Option<u64>,
    /// The price of an XLM.
    pub rate: XlmRate,
    /// Whether the original's other paths are served.
    pub compatible: bool,
    /// Whether a Worker is bound that says whom to trust.
    pub has_reputation: bool,
    /// Whether payments without terms are pretended.
    pub mock: bool,
    /// Whether sellers on this machine are called.
    pub local_sellers: bool,
    /// Nodes by network; `None` is for all others.
    pub(super) nodes: Vec<(Option<ChainId>, String)>,
}

impl Market {
    /// Builds a market from one JSON object of variables and secrets. The member `bindings` lists
    /// the names of what the platform binds.
    ///
    /// # Errors
    /// Everything that is wrong, not only the first thing.
    ///
    /// # Examples
    /// ```
    /// use farebox_market::skills::Market;
    /// let wrong = Market::from_vars(r#"{"MARKET_SECRET": "short"}"#).unwrap_err();
    /// assert!(wrong.iter().any(|error| error.variable == "MARKET_URL"));
    /// ```
    pub fn from_vars(text: &str) -> Result<Self, Vec<ConfigError>> {
        let mut reader = match json::parse_with(text.as_bytes(), MAX_CONFIG_BYTES) {
            Ok(Value::Object(vars)) => Reader::new(vars),
            _ => {
                let remedy = "must be one JSON object of at most 256 KiB".to_string();
                return Err(Vec::from([ConfigError { variable: "vars".to_string(), remedy }]));
            }
        };
        match read(&mut reader) {
            Some(market) if reader.errors.is_empty() => Ok(market),
            _ => Err(reader.errors),
        }
    }

    /// Whether a configuration is meant for skills: beside an exchange it may be for jobs alone.
    ///
    /// # Examples
    /// ```
    /// use farebox_market::skills::Market;
    /// assert!(Market::is_meant(r#"{"MARKET_SECRET": "short"}"#));
    /// assert!(!Market::is_meant(r#"{"MARKET_SECRET": "", "LISTING_FEE": "1"}"#));
    /// ```
    #[must_use]
    pub fn is_meant(text: &str) -> bool {
        let vars = json::parse_with(text.as_bytes(), MAX_CONFIG_BYTES).ok();
        let secret = vars.as_ref().and_then(|vars| vars.get("MARKET_SECRET"));
        secret.is_some_and(|secret| secret.as_str() != Some(""))
    }

    /// Host and port of the market.
    #[must_use]
    pub fn authority(&self) -> &str {
        self.url.split_once("://").map_or("", |(_, rest)| rest)
    }
}

fn read(reader: &mut Reader) -> Option<Market> {
    let only_test = reader.switch("TEST_NETWORKS_ONLY");
    let local_sellers = reader.switch("ALLOW_LOCAL_SELLERS");
    let mock = reader.switch("MOCK");
    for (on, name) in [(local_sellers, "ALLOW_LOCAL_SELLERS"), (mock, "MOCK")] {
        if on && !only_test {
            reader.fail(name, "needs TEST_NETWORKS_ONLY = true; it is for tests alone");
        }
    }
    let networks = network::read(reader, |_| false);
    for network in networks.iter().filter(|network| only_test && network.is_main_network()) {
        reader
            .fail("NETWORK", format!("{network} is a main network, and TEST_NETWORKS_ONLY is set"));
    }
    for network in networks.iter().filter(|network| token::default_for(network).is_none()) {
        reader.fail("NETWORK", format!("{network} has no asset that is known here"));
    }
    let secret = reader.secret("MARKET_SECRET", 32);
    let operator = reader.secret("OPERATOR_TOKEN", 32);
    let origin_secret = optional(reader, "ORIGIN_SECRET");
    let lookup_token = optional(reader, "LOOKUP_TOKEN");
    let url = url(reader);
    let pay_to = pay_to(reader);
    let own_routes = own_routes(reader);
    let listing_fee = dollars(reader, "LISTING_FEE", 6);
    if listing_fee.is_some() && pay_to.is_none() {
        reader.fail("LISTING_FEE", "needs PAY_TO, who receives it");
    }
    let daily_cap = dollars(reader, "AGENT_DAILY_CAP", 6);
    let ledger_rows = ledger_rows(reader);
    let rate = XlmRate(dollars(reader, "XLM_USD", 7).unwrap_or_else(|| "0.1".to_string()));
    let compatible = reader.one_of("COMPATIBILITY", "open-stellar").is_some();
    let nodes = nodes::read(reader);
    Some(Market {
        url: url?,
        networks,
        origin_secret,
        secret: secret?,
        operator: operator?,
        lookup_token,
        pay_to,
        own_routes,
        listing_fee,
        daily_cap: daily_cap.and_then(|cap| Amount::from_decimal(&cap, 18).ok()),
        ledger_rows,
        rate,
        compatible,
        has_reputation: reader.is_bound("REPUTATION"),
        mock,
        local_sellers,
        nodes,
    })
}

/// `LEDGER_ROWS`, where the bucket `ARCHIVE` is bound.
fn ledger_rows(reader: &mut Reader) -> Option<u64> {
    let is_bound = reader.is_bound("ARCHIVE");
    if !is_bound && !reader.is_absent("LEDGER_ROWS") {
        reader.fail("LEDGER_ROWS", "needs the R2 bucket ARCHIVE, where older rows go");
    }
    let least = u64::from(SHELF);
    let rows = reader.number("LEDGER_ROWS", MAX_LEDGER_ROWS, least, MAX_LEDGER_ROWS);
    is_bound.then_some(rows)
}

/// `MARKET_URL`.
fn url(reader: &mut Reader) -> Option<String> {
    if reader.is_absent("MARKET_URL") {
        let remedy = "is missing; set the address of the gate, such as https://skills.example.com";
        reader.fail("MARKET_URL", remedy);
    }
    reader.origin("MARKET_URL")
}

fn pay_to(reader: &mut Reader) -> Option<String> {
    let text = reader.text("PAY_TO")?;
    match Address::parse_checksummed(&text) {
        Ok(address) if !address.is_low() => Some(address.to_checksum()),
        _ => {
            reader.fail("PAY_TO", "is not an address; write 0x and 40 hex digits");
            None
        }
    }
}

/// `OWN_ROUTES`. The market's table takes the place of the gate's `ROUTES`, so that the till of an exchange
/// beside it has to be among them.
fn own_routes(reader: &mut Reader) -> String {
    let routes = match reader.value("OWN_ROUTES") {
        None => Vec::new(),
        Some(Value::Array(routes)) => routes,
        Some(_) => {
            reader.fail("OWN_ROUTES", "must be a list of routes");
            return "[]".to_string();
        }
    };
    let path = |route: &Value| route.get("path").and_then(Value::as_str).map(ToString::to_string);
    let is_till = |route: &Value| path(route).is_some_and(|path| path.starts_with(TILL));
    let has_till = routes.iter().any(is_till);
    if reader.is_bound("CONFIG") && vars::has_till(reader) && !has_till {
        let remedy = "has no route for the till of the exchange, and with the first skill these routes \
             take the place of the gate's ROUTES; write the till's route here too";
        reader.fail("OWN_ROUTES", remedy);
    }
    Value::Array(routes).to_string()
}

/// An amount such as `$1.00`, as decimal text without trailing zeros.
fn dollars(reader: &mut Reader, name: &str, decimals: u8) -> Option<String> {
    let text = reader.text(name)?;
    match Amount::from_price(&text, decimals) {
        Ok(amount) if text.len() <= 32 => Some(amount.to_decimal(decimals)),
        _ => {
            reader.fail(
                name,
                format!(
                    "must be an amount such as \"$1.00\", with at most {decimals} fraction digits"
                ),
            );
            None
        }
    }
}

fn optional(reader: &mut Reader, name: &str) -> Option<Secret<String>> {
    if reader.is_absent(name) { None } else { reader.secret(name, 32) }
}
