//! The rules of an organization or an agent, as data: both have to allow a payment.
//!
//! Of an organization a missing `allowedOrigins` allows nothing; of an agent a missing member is no
//! further limit. An empty list allows nothing. A limit that is set holds for every asset: one that
//! it does not name is not paid.

pub mod judge;

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::budget::Window;
use super::merchant::{Locality, origin};
use super::row::Scope;
use farebox_base::amount::Amount;
use farebox_base::chain::ChainId;
use farebox_base::encoding::json;
use farebox_base::time::UnixTime;
use farebox_evm::address::Address;
use farebox_evm::token::TOKENS;
use farebox_payer::client::Policy as ClientPolicy;
use farebox_payer::client::asset::CAP_DECIMALS;
use farebox_payer::client::asset::is_dollar;

/// The members that rules may have.
pub const MEMBERS: [&str; 14] = [
    "allowedOrigins",
    "deniedOrigins",
    "payees",
    "networks",
    "assets",
    "perPayment",
    "perHour",
    "perDay",
    "perMonth",
    "payoutsPerDay",
    "reviewAbove",
    "expires",
    "wallet",
    "mpp",
];
/// Maximum size of rules, bytes.
const MAX_BYTES: usize = 64 * 1024;

/// Rules.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    allowed: Option<Vec<Pattern>>,
    denied: Vec<Pattern>,
    payees: Option<Vec<Address>>,
    networks: Option<Vec<ChainId>>,
    assets: Option<Vec<String>>,
    per_payment: Option<Limit>,
    per_hour: Option<Limit>,
    per_day: Option<Limit>,
    per_month: Option<Limit>,
    payouts_per_day: Option<Limit>,
    review_above: Option<Limit>,
    expires: Option<UnixTime>,
    /// The wallet that pays.
    pub wallet: Option<String>,
    /// Realms and nonces of hosts that speak MPP, JSON as the payer's own policy has it.
    pub mpp: Option<Value>,
}

/// A fault of rules: the member, and the remedy.
pub type Fault = (String, String);

/// Origins: one, those below a domain, or all.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    All,
    One(String),
    Below(String, String),
}

/// An amount for all dollars together, or for each asset.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Limit {
    Dollars(Amount),
    Assets(Vec<(String, Amount)>),
}

impl Limit {
    /// The limit of an asset; `None` if it is not named, which allows nothing.
    fn of(&self, symbol: &str) -> Option<Amount> {
        match self {
            Self::Dollars(amount) => is_dollar(symbol).then_some(*amount),
            Self::Assets(all) => all.iter().find(|(name, _)| name == symbol).map(|(_, it)| *it),
        }
    }
}

impl Rules {
    /// Reads rules, a JSON object.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    ///
    /// # Examples
    /// ```
    /// use farebox_treasury::policy::Rules;
    /// assert!(Rules::from_json(r#"{"allowedOrigins": ["https://api.example.com"], "perMonth": "5.00"}"#).is_ok());
    /// let wrong = Rules::from_json(r#"{"perDay": 5}"#).unwrap_err();
    /// assert_eq!(wrong[0].0, "perDay");
    /// ```
    pub fn from_json(text: &str) -> Result<Self, Vec<Fault>> {
        let parsed = json::parse_with(text.as_bytes(), MAX_BYTES);
        let Ok(Value::Object(written)) = parsed else {
            let remedy = "must be a JSON object of at most 64 KiB without duplicate members";
            return Err(Vec::from([(String::new(), remedy.to_string())]));
        };
        let mut rules = Self::default();
        let mut faults = Vec::new();
        for (name, value) in &written {
            if let Err(remedy) = rules.set(name, value) {
                faults.push((show_name(name), remedy));
            }
        }
        if faults.is_empty() { Ok(rules) } else { Err(faults) }
    }

    /// Reads rules that are to hold from now on: what would not bind is refused. What was stored before
    /// is read by [`from_json`](Self::from_json), so that its other limits go on.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    pub fn read_proposal(text: &str, scope: &Scope) -> Result<Self, Vec<Fault>> {
        let rules = Self::from_json(text)?;
        let mut faults = Vec::new();
        let is_of_agent = matches!(scope, Scope::Agent(_));
        if is_of_agent && rules.payouts_per_day.is_some() {
            let remedy = "is a limit of the organization; an agent pays nothing out";
            faults.push(("payoutsPerDay".to_string(), remedy.to_string()));
        }
        let limits = [
            ("perPayment", &rules.per_payment),
            ("perHour", &rules.per_hour),
            ("perDay", &rules.per_day),
            ("perMonth", &rules.per_month),
            ("payoutsPerDay", &rules.payouts_per_day),
            ("reviewAbove", &rules.review_above),
        ];
        for (member, limit) in limits {
            let Some(Limit::Assets(all)) = limit else { continue };
            let is_known = |symbol: &str| TOKENS.iter().any(|token| token.symbol == symbol);
            if let Some((symbol, _)) = all.iter().find(|(symbol, _)| !is_known(symbol)) {
                let remedy = format!("names {symbol}, which is no known asset");
                faults.push((member.to_string(), remedy));
            }
        }
        if faults.is_empty() { Ok(rules) } else { Err(faults) }
    }

    fn set(&mut self, name: &str, value: &Value) -> Result<(), String> {
        match name {
            "allowedOrigins" => self.allowed = Some(list(value, ORIGINS, pattern)?),
            "deniedOrigins" => self.denied = list(value, ORIGINS, pattern)?,
            "payees" => {
                let payee = |text: &str| Address::parse_checksummed(text).ok();
                self.payees = Some(list(value, "must list addresses", payee)?);
            }
            "networks" => {
                let network = |text: &str| ChainId::parse_or_name(text).ok();
                let remedy = "must list networks, such as \"base\" or \"eip155:8453\"";
                self.networks = Some(list(value, remedy, network)?);
            }
            "assets" => {
                let symbol = |text: &str| is_symbol(text).then(|| text.to_string());
                self.assets = Some(list(value, "must list symbols, such as \"USDC\"", symbol)?);
            }
            "perPayment" => self.per_payment = Some(limit(value)?),
            "perHour" => self.per_hour = Some(limit(value)?),
            "perDay" => self.per_day = Some(limit(value)?),
            "perMonth" => self.per_month = Some(limit(value)?),
            "payoutsPerDay" => self.payouts_per_day = Some(limit(value)?),
            "reviewAbove" => self.review_above = Some(limit(value)?),
            "expires" => {
                let time = value.as_str().and_then(|text| UnixTime::from_rfc3339(text).ok());
                let remedy = "must be a time such as \"2030-01-31T12:00:00Z\"";
                self.expires = Some(time.ok_or(remedy)?);
            }
            "wallet" => {
                let wallet = value.as_str().filter(|name| !name.is_empty());
                self.wallet = Some(wallet.ok_or("must be the name of a wallet")?.to_string());
            }
            "mpp" => {
                client_policy(Some(value)).ok_or(
                    "must name hosts, each with {\"realm\": …} or {\"nonce\": \"joined\"}",
                )?;
                self.mpp = Some(value.clone());
            }
            _ => return Err(format!("is unknown; known are {}", MEMBERS.join(", "))),
        }
        Ok(())
    }

    const fn over(&self, window: Window) -> Option<&Limit> {
        match window {
            Window::Hour => self.per_hour.as_ref(),
            Window::Day => self.per_day.as_ref(),
            Window::Month => self.per_month.as_ref(),
        }
    }

    /// The rules for what leaves a wallet without a merchant. The payees that are allowed are those
    /// of agents: a payout goes to whom its request names.
    #[must_use]
    pub fn of_payouts(&self) -> Self {
        let (networks, assets) = (self.networks.clone(), self.assets.clone());
        let per_day = self.payouts_per_day.clone();
        Self { per_day, networks, assets, expires: self.expires, ..Self::default() }
    }

    /// Whether a day has a limit; without that the operator pays nothing out.
    #[must_use]
    pub const fn limits_day(&self) -> bool {
        self.per_day.is_some()
    }

    /// Whether any origin is allowed; without that no one is paid.
    #[must_use]
    pub fn pays_anyone(&self) -> bool {
        self.allowed.as_ref().is_some_and(|allowed| !allowed.is_empty())
    }

    /// Whether it may be paid on this network.
    #[must_use]
    pub fn allows_network(&self, network: &ChainId) -> bool {
        self.networks.as_ref().is_none_or(|all| all.contains(network))
    }

    /// The budget of a window, for people and by asset; the dollars' own is under `$`.
    #[must_use]
    pub fn budget(&self, window: Window) -> Vec<(String, Amount)> {
        match self.over(window) {
            None => Vec::new(),
            Some(Limit::Dollars(amount)) => Vec::from([("$".to_string(), *amount)]),
            Some(Limit::Assets(all)) => all.clone(),
        }
    }
}

/// The policy under which challenges are read: every known asset that can be signed for, and these
/// settings of hosts.
#[must_use]
pub fn client_policy(mpp: Option<&Value>) -> Option<ClientPolicy> {
    let mut symbols: Vec<Value> = Vec::new();
    for token in TOKENS.iter().filter(|token| token.eip3009) {
        if !symbols.iter().any(|known| known == token.symbol) {
            symbols.push(token.symbol.into());
        }
    }
    let mut members = Map::new();
    members.insert("assets".to_string(), Value::Array(symbols));
    if let Some(mpp) = mpp {
        members.insert("mpp".to_string(), mpp.clone());
    }
    ClientPolicy::from_json(&Value::Object(members).to_string()).ok()
}

const ORIGINS: &str = "must list origins, such as \"https://api.example.com\", \"https://*.example.com\" or \"*\": no path, no user";

/// Reads a pattern: what no URL that is paid can match is none.
fn pattern(text: &str) -> Option<Pattern> {
    if text == "*" {
        return Some(Pattern::All);
    }
    let lower = text.to_ascii_lowercase();
    let (scheme, rest) = lower.split_once("://")?;
    if rest.contains(['/', '?', '#']) {
        return None;
    }
    let Some(domain) = rest.strip_prefix("*.").filter(|domain| domain.contains('.')) else {
        return origin(&lower, Locality::Local).map(Pattern::One);
    };
    let below = origin(&format!("{scheme}://a.{domain}"), Locality::Local)?;
    let domain = below.strip_prefix(scheme)?.strip_prefix("://a")?;
    Some(Pattern::Below(format!("{scheme}://"), domain.to_string()))
}

impl Pattern {
    /// Whether it denies an origin: one without a port is that host at each of its ports.
    fn denies(&self, origin: &str) -> bool {
        let host = origin.rsplit_once(':').filter(|(_, port)| port.parse::<u16>().is_ok());
        self.holds(origin) || host.is_some_and(|(host, _)| self.holds(host))
    }

    fn holds(&self, origin: &str) -> bool {
        match self {
            Self::All => true,
            Self::One(one) => one == origin,
            Self::Below(scheme, domain) => {
                let host = origin.strip_prefix(scheme.as_str());
                host.is_some_and(|host| host.len() > domain.len() && host.ends_with(domain))
            }
        }
    }
}

fn is_symbol(text: &str) -> bool {
    (1..=16).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

fn limit(value: &Value) -> Result<Limit, String> {
    let remedy = "must be decimal text such as \"5.00\", or an object of such by asset";
    let amount = |value: &Value| {
        let text = value.as_str().map(|text| text.strip_prefix('$').unwrap_or(text));
        text.and_then(|text| Amount::from_decimal(text, CAP_DECIMALS).ok())
    };
    match value {
        Value::String(_) => Ok(Limit::Dollars(amount(value).ok_or(remedy)?)),
        Value::Object(all) => {
            let mut limits = Vec::new();
            for (symbol, value) in all {
                let amount = amount(value).filter(|_| is_symbol(symbol)).ok_or(remedy)?;
                limits.push((symbol.clone(), amount));
            }
            Ok(Limit::Assets(limits))
        }
        _ => Err(remedy.to_string()),
    }
}

fn list<T>(
    value: &Value,
    remedy: &str,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, String> {
    let entries = value.as_array().ok_or(remedy)?;
    let read = |entry: &Value| entry.as_str().and_then(&read).ok_or_else(|| remedy.to_string());
    entries.iter().map(read).collect()
}

fn show_name(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).take(24).collect()
}
