//! An owner's description of a skill, read from the body of a request.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::message::{MAX_BODY_BYTES, Response};
use super::pack::calls_of;
use super::price::{USD_DECIMALS, XLM_BOUNDS, XLM_DECIMALS, XlmRate, plain};
use super::refused::{self, refusal};
use super::row::{Charges, VersionRow};
use super::semver::Semver;
use crate::query::no_such;
use crate::text::{Members, number};
use farebox_base::amount::{Amount, AmountError};
use farebox_base::chain::ChainId;
use farebox_base::encoding::json;
use farebox_base::http::UrlPieces;
use farebox_base::http::url::{Reach, has_bad_port, is_same_host};
use farebox_base::text::is_hidden;
use farebox_evm::token;
use farebox_payer::client::asset::is_dollar;

/// Longest name, bytes.
const MAX_NAME: usize = 128;
/// Longest description, bytes.
const MAX_DESCRIPTION: usize = 4096;
/// Longest URL, bytes.
const MAX_URL: usize = 2048;
/// Longest description of requests for the gate, bytes.
const MAX_BAZAAR: usize = 4096;
/// How deep what is said of requests may be, and how many values a part of it may have.
const MAX_DEPTH: usize = 16;
const MAX_VALUES: usize = 512;

/// Members of a draft.
const MEMBERS: [&str; 20] = [
    "name",
    "description",
    "agentId",
    "callUrl",
    "payTo",
    "price",
    "priceXLM",
    "asset",
    "network",
    "skillId",
    "charges",
    "version",
    "method",
    "settle",
    "input",
    "inputSchema",
    "output",
    "outputSchema",
    "packs",
    "proof",
];
/// Members of a skill of the original's, which its clients may send back; they change nothing.
const OF_THE_ORIGINAL: [&str; 3] = ["id", "active", "createdAt"];

/// Refuses a draft with a member that none has: it would be lost without a word.
///
/// # Errors
/// 400 with its name and the known ones.
pub(super) fn check_members(members: &Map<String, Value>) -> Result<(), Response> {
    let is_known =
        |name: &&String| MEMBERS.iter().chain(&OF_THE_ORIGINAL).any(|known| known == name);
    match members.keys().find(|name| !is_known(name)) {
        None => Ok(()),
        Some(name) => Err(refusal(400, &no_such("member of a skill", name, &MEMBERS))),
    }
}

/// A body that is a JSON object.
///
/// # Errors
/// 413 for a longer one, 400 for another.
pub fn object(body: &str) -> Result<Map<String, Value>, Response> {
    if body.len() > MAX_BODY_BYTES {
        return Err(refused::too_large());
    }
    match json::parse_with(body.as_bytes(), MAX_BODY_BYTES) {
        Ok(Value::Object(members)) => Ok(members),
        _ => Err(refused::no_json()),
    }
}

/// The text of a member, trimmed; `None` unless it is text that is not blank.
#[must_use]
pub fn text_of<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    members.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty())
}

/// Name and description of a skill.
///
/// # Errors
/// 400 with the first thing that is wrong.
pub(super) fn read_words(members: &Map<String, Value>) -> Result<(String, String), Response> {
    let name = text_of(members, "name").ok_or_else(|| refusal(400, "name is required"))?;
    if name.len() > MAX_NAME {
        return Err(refusal(400, "name must be at most 128 bytes"));
    }
    if name.chars().any(is_hidden) {
        return Err(refusal(400, "name must be one line of visible text"));
    }
    let description =
        text_of(members, "description").ok_or_else(|| refusal(400, "description is required"))?;
    if description.len() > MAX_DESCRIPTION {
        return Err(refusal(400, "description must be at most 4096 bytes"));
    }
    // Each control character takes six bytes wherever all skills go at once.
    let is_kept = |letter: char| !letter.is_control() || matches!(letter, '\n' | '\r' | '\t');
    if !description.chars().all(is_kept) {
        return Err(refusal(
            400,
            "description must have no control characters but tabs and line ends",
        ));
    }
    Ok((name.to_string(), description.to_string()))
}

/// Characters of a URL that a shell reads as its own; `&` and `?` are left, which a URL needs.
const SHELL_CHARACTERS: &str = "'$;()|*!^";

/// Readers of what owners say about the skills of a market.
#[derive(Clone, Copy)]
pub(super) struct ListingRequests<'m> {
    /// The origin of the market.
    pub url: &'m str,
    /// CAIP-2 ids on which skills can be paid.
    pub networks: &'m [ChainId],
    pub rate: &'m XlmRate,
    /// Whether sellers on this machine are called.
    pub local_sellers: bool,
}

/// A price as it is listed.
struct ListedPrice {
    /// In whole units of the asset.
    price: String,
    asset: String,
    xlm: Option<String>,
}

impl ListingRequests<'_> {
    /// Reads a version: its price, its server and how it is sold.
    ///
    /// # Errors
    /// 400 with the first thing that is wrong, in the order of the original.
    pub fn read_version(
        &self,
        members: &Map<String, Value>,
        now: u64,
    ) -> Result<VersionRow, Response> {
        let call_url =
            text_of(members, "callUrl").ok_or_else(|| refusal(400, "callUrl is required"))?;
        self.check_url(call_url)?;
        let ListedPrice { price, asset, xlm } = self.read_price(members)?;
        let networks = self.read_networks(members, &asset, &price)?;
        let is_original = members.get("price").is_none_or(Value::is_null);
        let charges = match members.get("charges").filter(|it| !it.is_null()) {
            None if is_original => Charges::Seller,
            None => Charges::Gate,
            Some(it) if it == "gate" => Charges::Gate,
            Some(it) if it == "seller" => Charges::Seller,
            Some(_) => return Err(refusal(400, "charges must be gate or seller")),
        };
        let packs = read_packs(members)?;
        if charges == Charges::Seller && !packs.is_empty() {
            return Err(refusal(400, "packs are sold where charges is gate"));
        }
        let settle = read_choice(members, "settle", &["after", "before"])?;
        let method = read_choice(members, "method", &["POST", "GET", "PUT", "PATCH", "DELETE"])?;
        let version = match members.get("version").filter(|it| !it.is_null()) {
            None => "1.0.0",
            Some(it) => it
                .as_str()
                .filter(|text| Semver::parse(text).is_some())
                .ok_or_else(|| refusal(400, "version must be a semantic version"))?,
        };
        let version = VersionRow {
            skill: String::new(),
            version: version.to_string(),
            price,
            asset,
            networks,
            xlm,
            call_url: call_url.to_string(),
            method: method.to_string(),
            charges,
            settle: settle.to_string(),
            bazaar: read_bazaar(members, method)?,
            packs,
            created: now,
            until: None,
        };
        check_query(&version, members)?;
        Ok(version)
    }

    fn check_url(&self, url: &str) -> Result<(), Response> {
        let invalid = || refusal(400, "callUrl must be a valid URL");
        let is_plain = url.len() <= MAX_URL
            && url.bytes().all(|b| b.is_ascii_graphic())
            && !url.contains(['#', '\\', '"', '<', '>', '`', '{', '}']);
        if let Some(active) = url.chars().find(|c| SHELL_CHARACTERS.contains(*c)) {
            let code = u32::from(active);
            return Err(refusal(
                400,
                &format!("callUrl must have %{code:02X} in the place of {active}"),
            ));
        }
        let pieces = UrlPieces::of(url).filter(|_| is_plain).ok_or_else(invalid)?;
        let scheme = pieces.scheme.to_ascii_lowercase();
        let reach = Reach::of(pieces.authority);
        if reach == Some(Reach::Public) {
            if has_bad_port(pieces.authority) {
                return Err(refusal(400, "callUrl must not name a port of another protocol"));
            }
            let own = UrlPieces::of(self.url).map(|own| own.authority);
            if own.is_some_and(|own| is_same_host(own, pieces.authority)) {
                return Err(refusal(400, "callUrl must not be an address of the market"));
            }
        }
        match (scheme.as_str(), reach) {
            (_, None) => Err(invalid()),
            ("http" | "https", Some(Reach::Loopback)) if self.local_sellers => Ok(()),
            ("https", Some(Reach::Public)) => Ok(()),
            ("https", Some(Reach::Loopback | Reach::Private)) => {
                Err(refusal(400, "callUrl must be a public address"))
            }
            _ if scheme.bytes().all(|b| b.is_ascii_alphanumeric()) => {
                Err(refusal(400, "callUrl must use HTTPS"))
            }
            _ => Err(invalid()),
        }
    }

    /// The price, its asset, and the price in XLM.
    fn read_price(&self, members: &Map<String, Value>) -> Result<ListedPrice, Response> {
        let wrong = || refusal(400, "price must be an amount such as \"$0.25\"");
        let usual = || {
            let network = self.networks.first();
            network.and_then(token::default_for).map_or("USDC", |token| token.symbol).to_string()
        };
        let named = text_of(members, "asset").map(ToString::to_string);
        let (text, asset) = match members.get("price").filter(|it| !it.is_null()) {
            Some(Value::String(text)) => (text.as_str(), named.unwrap_or_else(usual)),
            Some(Value::Object(price)) => {
                let text = price.get("amount").and_then(Value::as_str).ok_or_else(wrong)?;
                let asset = price.get("asset").and_then(Value::as_str).map(ToString::to_string);
                (text, asset.or(named).unwrap_or_else(usual))
            }
            Some(_) => return Err(wrong()),
            None if !members.contains_key("priceXLM") => {
                return Err(refusal(400, "price is missing, such as \"$0.05\""));
            }
            None => return self.read_xlm_price(members, usual()),
        };
        let network = self.networks.first().ok_or_else(wrong)?;
        let token = token::by_symbol(network, &asset);
        let decimals = token
            .map(|token| token.decimals)
            .ok_or_else(|| refusal(400, "asset must be one that the market's networks have"))?;
        if text.len() > 80 {
            return Err(wrong());
        }
        let least = || {
            let least = Amount::from_u64(1).to_decimal(decimals);
            let digits = format!("at most {decimals} fraction digits");
            refusal(400, &format!("price must have {digits}, and be at least {least} {asset}"))
        };
        let amount = Amount::from_price(text, decimals).map_err(|why| match why {
            AmountError::Precision | AmountError::Zero => least(),
            _ => wrong(),
        })?;
        let price = amount.to_decimal(decimals);
        let xlm = if is_dollar(&asset) { self.rate.xlm_of(&price) } else { None };
        Ok(ListedPrice { price, asset, xlm })
    }

    fn read_xlm_price(
        &self,
        members: &Map<String, Value>,
        asset: String,
    ) -> Result<ListedPrice, Response> {
        let wrong = || refusal(400, XLM_BOUNDS);
        let Some(Value::Number(given)) = members.get("priceXLM") else { return Err(wrong()) };
        // A number of few digits is printed as it was written.
        let text = plain(&given.to_string()).ok_or_else(wrong)?;
        let amount = match Amount::from_decimal(&text, XLM_DECIMALS) {
            Ok(amount) => amount,
            Err(AmountError::Precision) => {
                return Err(refusal(400, "priceXLM must have at most 7 fraction digits"));
            }
            Err(_) => return Err(wrong()),
        };
        if amount.is_zero() || amount > Amount::from_u64(1_000_000_000) {
            return Err(wrong());
        }
        let price = self.rate.dollars_of(&text).ok_or_else(wrong)?;
        Ok(ListedPrice { price, asset, xlm: Some(text) })
    }

    fn read_networks(
        &self,
        members: &Map<String, Value>,
        asset: &str,
        price: &str,
    ) -> Result<Vec<String>, Response> {
        let named = text_of(members, "network");
        let mut networks = Vec::new();
        for network in self.networks {
            if named.is_none_or(|name| name == network.as_str()) {
                networks.push(network);
            }
        }
        let has_it = |network: &&ChainId| {
            let token = token::by_symbol(network, asset);
            token.is_some_and(|token| Amount::from_decimal(price, token.decimals).is_ok())
        };
        if networks.is_empty() {
            return Err(refusal(400, "network must be one of the market's"));
        }
        if !networks.iter().all(has_it) {
            return Err(refusal(400, "asset must be one that the market's networks have"));
        }
        Ok(networks.iter().map(ToString::to_string).collect())
    }
}

/// One of these words; the first if none is given.
fn read_choice<'a>(
    members: &Map<String, Value>,
    name: &str,
    words: &[&'a str],
) -> Result<&'a str, Response> {
    let first = words.first().copied().unwrap_or_default();
    match members.get(name).filter(|it| !it.is_null()) {
        None => Ok(first),
        Some(value) => words.iter().copied().find(|word| value == word).ok_or_else(|| {
            refusal(400, &alloc::format!("{name} must be one of: {}", words.join(", ")))
        }),
    }
}

/// Refuses a version that takes no query where the gate's documents ask for one, or where the money
/// has moved before the market sees that there is one.
fn check_query(version: &VersionRow, members: &Map<String, Value>) -> Result<(), Response> {
    let is_told = |name: &str| {
        let told = members.get(name).and_then(Value::as_object);
        told.is_some_and(|told| !told.is_empty())
    };
    let is_asked = matches!(version.method.as_str(), "GET" | "DELETE")
        && (is_told("input") || is_told("inputSchema"));
    let is_lost = version.charges == Charges::Gate
        && version.has_query()
        && (version.settle == "before" || is_asked);
    if is_lost {
        let error = "callUrl must have no query where settle is before, or where input is a query";
        return Err(refusal(400, error));
    }
    Ok(())
}

/// The route field `bazaar` of what an owner says about requests.
fn read_bazaar(members: &Map<String, Value>, method: &str) -> Result<String, Response> {
    let mut described = Members::new();
    let mut has_any = false;
    for (name, field) in [
        ("input", "input"),
        ("inputSchema", "input_schema"),
        ("output", "output"),
        ("outputSchema", "output_schema"),
    ] {
        let Some(value) = members.get(name).filter(|it| !it.is_null()) else { continue };
        if !value.is_object() && name != "output" {
            return Err(refusal(400, &alloc::format!("{name} must be an object")));
        }
        has_any = true;
        if !is_flat(value) {
            let error = "input and output must be at most 16 levels deep, with at most 512 values";
            return Err(refusal(400, error));
        }
        described = described.raw(field, &value.to_string());
    }
    if !has_any {
        return Ok(String::new());
    }
    if matches!(method, "POST" | "PUT" | "PATCH") {
        described = described.text("body", "json");
    }
    let described = described.done();
    if described.len() > MAX_BAZAAR {
        return Err(refusal(400, "input and output must be at most 4096 bytes"));
    }
    Ok(described)
}

/// Whether a value is small enough beside those of others in the gate's table.
fn is_flat(value: &Value) -> bool {
    count_values(value, MAX_DEPTH).is_some_and(|values| values <= MAX_VALUES)
}

/// The values in a value, itself included, as the gate's reader counts them; `None` if it is deeper.
pub(super) fn count_values(value: &Value, depth: usize) -> Option<usize> {
    let depth = depth.checked_sub(1)?;
    let below = |sum: usize, inner: &Value| sum.checked_add(count_values(inner, depth)?);
    match value {
        Value::Array(items) => items.iter().try_fold(1, below),
        Value::Object(members) => members.values().try_fold(1, below),
        _ => Some(1),
    }
}

/// Plans of prepaid calls and their prices.
fn read_packs(members: &Map<String, Value>) -> Result<String, Response> {
    let wrong = || refusal(400, "packs must be an object of prices by plan: starter, growth, pro");
    let packs = match members.get("packs") {
        None | Some(Value::Null) => return Ok(String::new()),
        Some(Value::Object(packs)) if !packs.is_empty() => packs,
        Some(_) => return Err(wrong()),
    };
    let mut priced = Members::new();
    for (plan, price) in packs {
        let price = price.as_str().filter(|text| text.len() <= 40).ok_or_else(wrong)?;
        let amount = Amount::from_price(price, USD_DECIMALS).map_err(|_| wrong())?;
        // A call costs at least what the smallest payment is: each leaves a row.
        let least = Amount::from_u64(calls_of(plan).ok_or_else(wrong)?);
        if amount < least {
            return Err(refusal(400, "packs must cost at least $0.000001 for each call"));
        }
        priced = priced.text(plan, number(&amount.to_decimal(USD_DECIMALS)));
    }
    Ok(priced.done())
}
