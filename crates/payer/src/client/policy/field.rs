//! Values of a policy's fields.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Map, Value};

use crate::client::asset::{Asset, CAP_DECIMALS};
use crate::client::error::{ClientError, Reason};
use farebox_base::amount::Amount;
use farebox_base::chain::ChainId;
use farebox_base::text::cut;
use farebox_evm::address::Address;
use farebox_evm::token::Token;
use farebox_wire::mpp::charge::Framing;

/// Maximum length of a field name that is shown, bytes.
const MAX_NAME: usize = 24;

/// The payer's knowledge of a host that speaks MPP.
#[derive(Clone, Debug)]
pub(super) struct Speaker {
    pub(super) host: String,
    /// The realm in its challenges.
    pub(super) realm: Option<String>,
    pub(super) framing: Framing,
}

/// Whole dollars as a cap.
pub(super) fn dollars(whole: u64) -> Amount {
    Amount::from_decimal(&whole.to_string(), CAP_DECIMALS).unwrap_or(Amount::ZERO)
}

pub(super) fn pinned(token: &Token, network: &ChainId) -> Asset {
    Asset {
        symbol: token.symbol.to_owned(),
        network: network.clone(),
        address: token.address,
        name: token.name.to_owned(),
        version: token.version.to_owned(),
        decimals: token.decimals,
    }
}

/// Parses a cap: decimal text; a dollar sign is ignored.
pub(super) fn cap(field: &str, value: &Value) -> Result<Amount, ClientError> {
    let text = value.as_str().map(|text| text.strip_prefix('$').unwrap_or(text));
    text.and_then(|text| Amount::from_decimal(text, CAP_DECIMALS).ok())
        .ok_or_else(|| invalid(field, "must be decimal text such as \"0.10\""))
}

pub(super) fn within(field: &str, value: &Value, max: u64) -> Result<u64, ClientError> {
    let number = value.as_u64().filter(|number| (1..=max).contains(number));
    number.ok_or_else(|| invalid(field, &format!("must be a whole number from 1 to {max}")))
}

pub(super) fn list<T>(
    field: &str,
    value: &Value,
    read: impl Fn(&str) -> Option<T>,
) -> Result<Vec<T>, ClientError> {
    let wrong = || invalid(field, "must be a list of valid entries");
    let entries = value.as_array().ok_or_else(wrong)?;
    entries.iter().map(|entry| entry.as_str().and_then(&read).ok_or_else(wrong)).collect()
}

/// The error for a value that `hosts` does not take.
pub(super) const HOSTS: &str = "must list hosts such as \"api.example.com\" or \"127.0.0.1:8402\": no path, no user, no wildcard, and no :443 or :80";

/// The host of a policy as requests name it, from a host or from an origin: lower case, with the
/// port unless it is the scheme's own.
pub(super) fn host_in(text: &str) -> Option<String> {
    let text = text.to_ascii_lowercase();
    let (own_port, authority) = match cut(&text, "://") {
        Some(("https", rest)) => (Some(":443"), rest),
        Some(("http", rest)) => (Some(":80"), rest),
        Some(_) => return None,
        None => (None, text.as_str()),
    };
    let host = match own_port {
        Some(port) => {
            let bare = authority.strip_suffix('/').unwrap_or(authority);
            bare.strip_suffix(port).unwrap_or(bare)
        }
        // Without its scheme nothing says whether this port is left out of a URL.
        None if authority.ends_with(":443") || authority.ends_with(":80") => return None,
        None => authority,
    };
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port),
        _ => (host, "1"),
    };
    let is_name = match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        Some(ip) => ip.bytes().all(|b| b.is_ascii_hexdigit() || matches!(b, b':' | b'.')),
        None => name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_')),
    };
    let is_port = port.bytes().all(|b| b.is_ascii_digit()) && port.parse::<u16>().is_ok();
    let is_host = is_name && !name.is_empty() && is_port;
    is_host.then(|| host.to_owned())
}

/// Parses hosts with their ports, and their settings.
pub(super) fn speakers(value: &Value) -> Result<Vec<Speaker>, ClientError> {
    let wrong = || invalid("mpp", "must name hosts, each with {realm} or {nonce: \"joined\"}");
    let hosts = value.as_object().ok_or_else(wrong)?;
    let known = |facts: &Map<String, Value>| {
        let (mut realm, mut framing) = (None, Framing::Listed);
        for (name, fact) in facts {
            match (name.as_str(), fact.as_str()?) {
                ("realm", text) => realm = Some(text.to_owned()),
                ("nonce", "listed") => {}
                ("nonce", "joined") => framing = Framing::Joined,
                _ => return None,
            }
        }
        Some((realm, framing))
    };
    let mut speakers = Vec::new();
    for (host, facts) in hosts {
        let (realm, framing) = facts.as_object().and_then(known).ok_or_else(wrong)?;
        let host = host_in(host).ok_or_else(wrong)?;
        speakers.push(Speaker { host, realm, framing });
    }
    Ok(speakers)
}

/// Parses symbols of known assets, and full declarations.
pub(super) fn assets(value: &Value) -> Result<(Option<Vec<String>>, Vec<Asset>), ClientError> {
    let wrong = || {
        invalid(
            "assets",
            "must list symbols, or {symbol, network, address, name, version, decimals}",
        )
    };
    let (mut symbols, mut declared) = (Vec::new(), Vec::new());
    for entry in value.as_array().ok_or_else(wrong)? {
        match entry {
            Value::String(symbol) => symbols.push(symbol.clone()),
            Value::Object(asset) if asset.len() == 6 => {
                let text = |name: &str| asset.get(name).and_then(Value::as_str).ok_or_else(wrong);
                let decimals = asset.get("decimals").and_then(Value::as_u64).map(u8::try_from);
                declared.push(Asset {
                    symbol: text("symbol")?.to_owned(),
                    network: ChainId::parse_or_name(text("network")?).map_err(|_| wrong())?,
                    address: Address::parse_checksummed(text("address")?).map_err(|_| wrong())?,
                    name: text("name")?.to_owned(),
                    version: text("version")?.to_owned(),
                    decimals: match decimals {
                        Some(Ok(decimals)) if decimals <= CAP_DECIMALS => decimals,
                        _ => return Err(wrong()),
                    },
                });
            }
            _ => return Err(wrong()),
        }
    }
    // A policy that only declares assets keeps the known default of each network.
    let symbols = (!symbols.is_empty() || declared.is_empty()).then_some(symbols);
    Ok((symbols, declared))
}

/// Returns a plausible field name for display; any other text may be a misplaced secret, and is not
/// shown.
pub(super) fn shown(field: &str) -> &str {
    let is_name = field.len() <= MAX_NAME && field.bytes().all(|byte| byte.is_ascii_alphabetic());
    if is_name { field } else { "a member" }
}

pub(super) fn invalid(field: &str, what: &str) -> ClientError {
    ClientError::new(Reason::InvalidPolicy, format!("{field}: {what}"))
}
