//! The route table of a configuration.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::Deserialize;
use serde_json::Value;

use super::{Inherited, Reader, TextOr, pay_to, protocols_are_served};
use crate::amount::Amount;
use crate::chain::ChainId;
use crate::evm::address::Address;
use crate::evm::token::{self, Token};
use crate::gate::diagnose::Limits;
use crate::gate::offer::{Manner, Offer};
use crate::gate::route::{Ask, Methods, Pattern, Rule};
use crate::http::MAX_CHALLENGE_BYTES;
use crate::ledger::command::Mode;
use crate::payment::Terms;

/// Longest description, bytes.
const MAX_DESCRIPTION: usize = 256;
/// Most routes.
const MAX_ROUTES: usize = 1000;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RouteConfig {
    path: String,
    methods: Option<TextOr<Vec<String>>>,
    price: TextOr<AtomicPrice>,
    settle: Option<Mode>,
    protocols: Option<Vec<String>>,
    network: Option<String>,
    pay_to: Option<Value>,
    asset: Option<TextOr<ExplicitAsset>>,
    #[serde(default)]
    description: String,
    mime_type: Option<String>,
    max_timeout_secs: Option<u64>,
    origin_timeout_secs: Option<u64>,
    store: Option<bool>,
    idempotent: Option<bool>,
    confirm: Option<String>,
    diagnostics: Option<Value>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsConfig {
    exceeded_after: Option<u64>,
    unverified_after: Option<u64>,
    alert_after: Option<u64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AtomicPrice {
    amount: String,
    asset: TextOr<ExplicitAsset>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExplicitAsset {
    address: String,
    name: String,
    version: String,
    decimals: u8,
}

/// The asset of a route: pinned by us, or spelled out by the operator.
struct Asset {
    address: Address,
    name: String,
    version: String,
    decimals: u8,
    token: Option<&'static Token>,
}

/// Every route, with its offer if it is priced. What is wrong goes to the reader.
pub(super) fn read(reader: &mut Reader, inherited: &Inherited) -> Vec<(Rule, Option<Offer>)> {
    let variable = if reader.vars.contains_key("ROUTES") { "ROUTES" } else { "PROTECTED_PATTERNS" };
    if variable == "ROUTES" && reader.vars.contains_key("PROTECTED_PATTERNS") {
        reader.fail("PROTECTED_PATTERNS", "ROUTES is set too; keep one of them");
    }
    let list = match reader.value(variable) {
        Some(Value::Array(list)) if !list.is_empty() && list.len() <= MAX_ROUTES => list,
        Some(_) => {
            reader.fail(variable, "must be a list of 1 to 1000 routes");
            return Vec::new();
        }
        None if !reader.is_absent(variable) => return Vec::new(),
        None => {
            reader.fail("ROUTES", "is missing; list what costs money");
            return Vec::new();
        }
    };
    let mut routes = Vec::new();
    for (index, mut value) in list.into_iter().enumerate() {
        let place = format!("{variable}[{index}]");
        if variable == "PROTECTED_PATTERNS" {
            rename_pattern(&mut value);
        }
        match RouteConfig::deserialize(&value) {
            Ok(config) => routes.extend(route(reader, inherited, &place, config)),
            Err(error) => reader.fail(&place, error.to_string()),
        }
    }
    routes
}

/// `pattern` is the older word for `path`.
fn rename_pattern(value: &mut Value) {
    if let Some(object) = value.as_object_mut()
        && let Some(pattern) = object.remove("pattern")
    {
        object.insert("path".to_owned(), pattern);
    }
}

fn route(
    reader: &mut Reader,
    inherited: &Inherited,
    place: &str,
    config: RouteConfig,
) -> Option<(Rule, Option<Offer>)> {
    let pattern = match Pattern::parse(&config.path) {
        Ok(pattern) => pattern,
        Err(error) => {
            reader.fail(&format!("{place}.path"), error.to_string());
            return None;
        }
    };
    let methods = methods(reader, place, config.methods.as_ref())?;
    if let Some(protocols) = &config.protocols {
        protocols_are_served(reader, &format!("{place}.protocols"), protocols);
    }
    match config.confirm.as_deref() {
        None | Some("facilitator") => {}
        Some("chain") if inherited.reads_chain => {}
        Some("chain") => {
            reader.fail(&format!("{place}.confirm"), "\"chain\" needs RPC_URL; set it");
        }
        Some(_) => reader.fail(&format!("{place}.confirm"), "must be \"facilitator\""),
    }
    if matches!(&config.price, TextOr::Text(text) if text == "free") {
        return Some((Rule { pattern, methods, ask: Ask::Free }, None));
    }
    let network = match &config.network {
        None => inherited.network.clone()?,
        Some(text) => match ChainId::parse_or_name(text) {
            Ok(network) if Some(&network) == inherited.network.as_ref() => network,
            _ => {
                reader.fail(&format!("{place}.network"), "must be the network of NETWORK");
                return None;
            }
        },
    };
    let chain_id = network.evm_id()?;
    let recipient = match (&config.pay_to, &inherited.pay_to) {
        (Some(value), _) => pay_to(reader, &format!("{place}.pay_to"), value, &network)?,
        (None, Some(value)) => pay_to(reader, "PAY_TO", value, &network)?,
        (None, None) => return None,
    };
    let (amount, asset) = price(reader, place, &config, &network)?;
    let manner = manner(reader, inherited, place, &config)?;
    let terms = Terms {
        separator: Terms::separator_of(&asset.name, &asset.version, chain_id, asset.address),
        network,
        chain_id,
        asset: asset.address,
        asset_name: asset.name,
        asset_version: asset.version,
        amount,
        pay_to: recipient,
        max_timeout_secs: config.max_timeout_secs.unwrap_or(300),
    };
    let ask = Ask::Paid {
        asset: format!("{}/{}", terms.network, terms.asset.to_lower_hex()),
        amount: amount.to_be_bytes(),
    };
    let offer = Offer::new(terms, asset.token, asset.decimals, manner);
    if offer.challenge_bytes("https://gate.example/") > MAX_CHALLENGE_BYTES {
        reader.fail(place, "its 402 header would be longer than 8192 bytes; shorten its texts");
    }
    Some((Rule { pattern, methods, ask }, Some(offer)))
}

fn methods(
    reader: &mut Reader,
    place: &str,
    config: Option<&TextOr<Vec<String>>>,
) -> Option<Methods> {
    let variable = format!("{place}.methods");
    match config {
        None => Some(Methods::all()),
        Some(TextOr::Text(text)) if text == "all" => Some(Methods::all()),
        Some(TextOr::Text(_)) => {
            reader.fail(&variable, "must be \"all\" or a list of methods");
            None
        }
        Some(TextOr::Other(list)) => match Methods::list(list.iter().map(String::as_str)) {
            Ok(methods) => Some(methods),
            Err(error) => {
                reader.fail(&variable, error.to_string());
                None
            }
        },
    }
}

fn price(
    reader: &mut Reader,
    place: &str,
    config: &RouteConfig,
    network: &ChainId,
) -> Option<(Amount, Asset)> {
    let variable = format!("{place}.price");
    match &config.price {
        TextOr::Text(text) => {
            let asset = asset(reader, &format!("{place}.asset"), config.asset.as_ref(), network)?;
            match Amount::from_price(text, asset.decimals) {
                Ok(amount) => Some((amount, asset)),
                Err(error) => {
                    reader.fail(&variable, format!("{error}; write a price such as \"$0.01\""));
                    None
                }
            }
        }
        TextOr::Other(price) => {
            if config.asset.is_some() {
                reader
                    .fail(&format!("{place}.asset"), "price names an asset too; keep one of them");
                return None;
            }
            let asset = asset(reader, &format!("{variable}.asset"), Some(&price.asset), network)?;
            match Amount::from_atomic(&price.amount) {
                Ok(amount) if !amount.is_zero() => Some((amount, asset)),
                Ok(_) => {
                    reader.fail(&variable, "must be more than zero; a free route says \"free\"");
                    None
                }
                Err(error) => {
                    reader.fail(&variable, error.to_string());
                    None
                }
            }
        }
    }
}

fn asset(
    reader: &mut Reader,
    variable: &str,
    config: Option<&TextOr<ExplicitAsset>>,
    network: &ChainId,
) -> Option<Asset> {
    let known = match config {
        None => token::default_for(network),
        Some(TextOr::Text(symbol)) => token::by_symbol(network, symbol),
        Some(TextOr::Other(explicit)) => {
            let Ok(address) = Address::parse_checksummed(&explicit.address) else {
                reader.fail(variable, "its address has no right EIP-55 checksum; copy it again");
                return None;
            };
            if address.is_low() {
                reader.fail(variable, "its address is no token contract; copy it again");
                return None;
            }
            if !is_domain_text(&explicit.name) || !is_domain_text(&explicit.version) {
                let remedy =
                    "name and version must be those of the token's EIP-712 domain, 1 to 64 bytes";
                reader.fail(variable, remedy);
                return None;
            }
            if let Some(pinned) = token::by_address(network, &address) {
                let same = pinned.name == explicit.name
                    && pinned.version == explicit.version
                    && pinned.decimals == explicit.decimals;
                if !same {
                    reader.fail(variable, "this token is known with another name, version or decimals; use its symbol");
                    return None;
                }
            }
            return Some(Asset {
                address,
                name: explicit.name.clone(),
                version: explicit.version.clone(),
                decimals: explicit.decimals,
                token: token::by_address(network, &address),
            });
        }
    };
    match known {
        Some(token) if token.eip3009 => Some(Asset {
            address: token.address,
            name: token.name.to_owned(),
            version: token.version.to_owned(),
            decimals: token.decimals,
            token: Some(token),
        }),
        Some(_) => {
            reader.fail(variable, "this token cannot be paid by EIP-3009; name another one");
            None
        }
        None => {
            let remedy =
                "is not known on this network; spell out address, name, version and decimals";
            reader.fail(variable, remedy);
            None
        }
    }
}

/// Whether a text can be a member of a token's EIP-712 domain.
fn is_domain_text(text: &str) -> bool {
    (1..=64).contains(&text.len()) && !text.chars().any(char::is_control)
}

fn manner(
    reader: &mut Reader,
    inherited: &Inherited,
    place: &str,
    config: &RouteConfig,
) -> Option<Manner> {
    let mode = config.settle.unwrap_or(Mode::After);
    let origin_timeout_secs = config.origin_timeout_secs.unwrap_or(60);
    let max_timeout_secs = config.max_timeout_secs.unwrap_or(300);
    if !(1..=600).contains(&origin_timeout_secs) {
        reader.fail(&format!("{place}.origin_timeout_secs"), "must be from 1 to 600");
        return None;
    }
    let room = match mode {
        Mode::After => origin_timeout_secs.saturating_add(inherited.settle_secs).saturating_add(36),
        Mode::Before => inherited.settle_secs.saturating_add(36),
    };
    let most = inherited.max_validity_secs.saturating_sub(60);
    if max_timeout_secs < room || max_timeout_secs > most {
        reader.fail(
            &format!("{place}.max_timeout_secs"),
            format!(
                "must be from {room} (time to serve and settle) to {most} (MAX_VALIDITY_SECS - 60)"
            ),
        );
        return None;
    }
    if config.description.len() > MAX_DESCRIPTION {
        reader.fail(&format!("{place}.description"), "must be at most 256 bytes");
        return None;
    }
    let mime_type = config.mime_type.clone().unwrap_or_else(|| "application/json".to_owned());
    if mime_type.len() > 128
        || !mime_type.contains('/')
        || !mime_type.bytes().all(|b| (0x20..0x7f).contains(&b))
    {
        reader.fail(&format!("{place}.mime_type"), "must be a media type of at most 128 bytes");
        return None;
    }
    Some(Manner {
        route: config.path.clone(),
        mode,
        description: config.description.clone(),
        mime_type,
        origin_timeout_secs,
        store: config.store.unwrap_or(true) && inherited.keeps_responses,
        idempotent: config.idempotent.unwrap_or(false),
        confirms: config.confirm.as_deref() == Some("chain"),
        settle_secs: inherited.settle_secs,
        max_validity_secs: inherited.max_validity_secs,
        diagnostics: diagnostics(reader, place, config.diagnostics.as_ref())?,
    })
}

/// What failing clients are told; nothing where the configuration is wrong.
fn diagnostics(reader: &mut Reader, place: &str, config: Option<&Value>) -> Option<Option<Limits>> {
    let config = match config {
        None | Some(Value::Bool(true)) => return Some(Some(Limits::DEFAULT)),
        Some(Value::Bool(false)) => return Some(None),
        Some(limits) => match LimitsConfig::deserialize(limits) {
            Ok(limits) => limits,
            Err(error) => {
                reader.fail(&format!("{place}.diagnostics"), error.to_string());
                return None;
            }
        },
    };
    let mut number = |name: &str, value: Option<u64>, default: u64| match value.unwrap_or(default) {
        number @ 2..=1_000_000 => Some(number),
        _ => {
            let variable = format!("{place}.diagnostics.{name}");
            reader.fail(&variable, "must be a whole number from 2 to 1000000");
            None
        }
    };
    let Limits { exceeded_after, unverified_after, alert_after } = Limits::DEFAULT;
    Some(Some(Limits {
        exceeded_after: number("exceeded_after", config.exceeded_after, exceeded_after)?,
        unverified_after: number("unverified_after", config.unverified_after, unverified_after)?,
        alert_after: number("alert_after", config.alert_after, alert_after)?,
    }))
}
