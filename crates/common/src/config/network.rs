//! Networks as a configuration names them: ids, accounts on them, and nodes.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::Value;

use super::Reader;
use super::shape::meant;
use farebox_base::chain::ChainId;
use farebox_base::encoding::json;
use farebox_base::secret::Secret;
use farebox_evm::address::Address;

/// Limit on networks.
const MAX_NETWORKS: usize = 16;
/// Longest name of an account or asset on a chain that the gate does not read, bytes.
pub const MAX_NAME: usize = 128;

/// Reads `NETWORK`; empty after an error. Of the networks that are not EVM, those for which
/// `supports` holds are accepted.
pub fn read(reader: &mut Reader, supports: fn(&ChainId) -> bool) -> Vec<ChainId> {
    let list = match reader.value("NETWORK") {
        Some(Value::Array(list)) => list,
        Some(value) => Vec::from([value]),
        None if !reader.is_absent("NETWORK") => return Vec::new(),
        None => {
            reader.fail("NETWORK", "is missing; set a CAIP-2 id such as eip155:8453");
            return Vec::new();
        }
    };
    if list.is_empty() || list.len() > MAX_NETWORKS {
        reader.fail("NETWORK", "must list 1 to 16 networks");
        return Vec::new();
    }
    let mut networks: Vec<ChainId> = Vec::new();
    for value in list {
        match value.as_str().and_then(|text| ChainId::parse_or_name(text).ok()) {
            Some(network) if networks.contains(&network) => {
                reader.fail("NETWORK", format!("names {network} twice; keep one of the two"));
            }
            Some(network) if network.evm_id().is_none() && !supports(&network) => {
                let remedy = "is of a kind that is not supported; see \"Other chains\"";
                reader.fail("NETWORK", format!("{network} {remedy}"));
            }
            Some(network) => networks.push(network),
            None => {
                reader.fail("NETWORK", unknown(&value));
                return Vec::new();
            }
        }
    }
    networks
}

/// The sentence about a value that names no network.
fn unknown(value: &Value) -> String {
    const REMEDY: &str =
        "must be a CAIP-2 id such as eip155:8453, or an x402 version 1 name, or a list";
    let text = match value {
        Value::String(text) => text.clone(),
        other => json::text(other),
    };
    let names = ChainId::v1_names();
    let spelled = || meant(&text.to_ascii_lowercase(), names).and_then(ChainId::from_name);
    match ChainId::meant_by(&text).or_else(spelled) {
        Some(network) => {
            let name = network.v1_name().map(|name| format!(" ({name})")).unwrap_or_default();
            format!("{REMEDY}; did you mean \"{network}\"{name}?")
        }
        None => REMEDY.to_owned(),
    }
}

/// The member for `network` of an object keyed by network; a network may be named in either way.
pub fn of_network<'v>(
    reader: &mut Reader,
    variable: &str,
    by_network: &'v serde_json::Map<String, Value>,
    network: &ChainId,
) -> Result<Option<&'v Value>, Reported> {
    let mut ours = None;
    for (name, value) in by_network {
        let Ok(id) = ChainId::parse_or_name(name) else {
            reader.fail(variable, format!("{name:?} is not a network; use a CAIP-2 id"));
            return Err(Reported);
        };
        if id == *network && ours.replace(value).is_some() {
            reader.fail(variable, format!("names {network} twice; keep one of the two"));
            return Err(Reported);
        }
    }
    Ok(ours)
}

/// Marks a failure whose error has been reported.
pub struct Reported;

/// The payee on `network`: one name for all networks, or one each. On EVM it is an address.
pub fn pay_to(
    reader: &mut Reader,
    variable: &str,
    value: &Value,
    network: &ChainId,
) -> Option<String> {
    let text = match value {
        Value::String(text) => text.as_str(),
        Value::Object(by_network) => {
            match of_network(reader, variable, by_network, network).ok()?.and_then(Value::as_str) {
                Some(text) => text,
                None => {
                    reader.fail(variable, format!("names no address for {network}; add one"));
                    return None;
                }
            }
        }
        _ => {
            reader.fail(variable, "must be an address, or an object of addresses by network");
            return None;
        }
    };
    if network.evm_id().is_none() {
        let good = is_account(network, text);
        if !good {
            reader.fail(
                variable,
                format!("is not an account on {network}; write an object of accounts by network"),
            );
        }
        return good.then(|| text.to_owned());
    }
    let Ok(address) = Address::parse_checksummed(text) else {
        reader.fail(variable, address_error(text, true));
        return None;
    };
    if address.is_zero() || (address.is_burn() && network.is_main_network()) {
        reader.fail(variable, "is not an address that can be paid; set your own");
        return None;
    }
    Some(address.to_checksum())
}

/// Reports a key in the place of the payee, which no other error may keep from being said. An
/// account of another chain than EVM may look like one, so without a readable network it only may
/// be.
pub fn refuse_key(reader: &mut Reader, pay_to: Option<&Value>, networks: &[ChainId]) {
    let text = pay_to.and_then(Value::as_str).filter(|text| Address::parse(text).is_err());
    if let Some(text) = text
        && networks.iter().all(|network| network.evm_id().is_some())
        && let error = address_error(text, !networks.is_empty())
        && error.ends_with(LEAKED)
    {
        reader.fail("PAY_TO", error);
    }
}

/// The sentence about a payee that is no address, on EVM or perhaps on another chain. It repeats
/// nothing of what may be a secret.
fn address_error(text: &str, on_evm: bool) -> String {
    let text = text.trim();
    let (prefix, digits) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => ("0x", digits),
        None => ("", text),
    };
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let words = text.split_whitespace().count();
    match digits.len() {
        _ if matches!(words, 12 | 15 | 18 | 21 | 24) => format!("IS A SEED PHRASE, {LEAKED}"),
        64 if is_hex && on_evm => format!("IS A PRIVATE KEY, {LEAKED}"),
        // The word for it may have been copied with the key.
        60..=70 if is_hex => format!("looks like a PRIVATE KEY; if it is one, it is {LEAKED}"),
        40 if is_hex && prefix.is_empty() => {
            "is an address without 0x; write 0x in front of it".to_owned()
        }
        40 if is_hex => {
            "is not an address with a correct EIP-55 checksum; copy it again".to_owned()
        }
        count if is_hex && !prefix.is_empty() => {
            format!("is not an address: it has {count} hex digits after 0x, not 40; copy it again")
        }
        _ if text.contains('.') && !text.contains(char::is_whitespace) => {
            "is a name such as those of ENS, which the gate does not resolve; write the address that it stands for".to_owned()
        }
        _ => "is not an address; write 0x and 40 hex digits".to_owned(),
    }
}

/// The end of the error for a key that stands among the settings.
const LEAKED: &str = "known to everyone who reads this file: move its money to a new account, remove it here and from the history of the file, and write the address of an account";

/// Whether a text can name an account on a chain that the gate does not read.
pub fn is_account(network: &ChainId, text: &str) -> bool {
    let base58 = |b: u8| b.is_ascii_alphanumeric() && !matches!(b, b'0' | b'O' | b'I' | b'l');
    if network.as_str().starts_with("solana:") {
        return (32..=44).contains(&text.len()) && text.bytes().all(base58);
    }
    // An EVM address is valid on no other kind of chain.
    let evm = text.len() == 42 && text.starts_with("0x");
    !evm && is_name(text)
}

/// Whether a text can name something on a chain that the gate does not read.
pub fn is_name(text: &str) -> bool {
    (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// URLs of nodes for the chains of `networks`. They are secrets, because a path or query often
/// holds a key.
pub fn rpc(reader: &mut Reader, networks: &[ChainId]) -> Vec<(String, Secret<String>)> {
    let mut urls: Vec<(ChainId, String)> = Vec::new();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let evm: Vec<&ChainId> = networks.iter().filter(|chain| chain.evm_id().is_some()).collect();
    match (reader.value("RPC_URL"), evm.as_slice()) {
        (None, _) => {}
        (Some(Value::Object(by_network)), _) => {
            for (name, url) in &by_network {
                match ChainId::parse_or_name(name) {
                    Ok(chain) if chain.evm_id().is_some() => urls.push((chain, text(url))),
                    Ok(_) => {
                        let remedy =
                            format!("{name} is not an EVM network; only those can be read");
                        reader.fail("RPC_URL", remedy);
                    }
                    Err(_) => {
                        reader.fail("RPC_URL", format!("{name} is not a network; use a CAIP-2 id"));
                    }
                }
            }
        }
        (Some(url), [only]) => urls.push(((*only).clone(), text(&url))),
        (Some(_), []) => reader.fail("RPC_URL", "no network in NETWORK can be read; remove it"),
        (Some(_), _) => {
            reader.fail("RPC_URL", "NETWORK lists several; write an object of URLs by network");
        }
    }
    let mut found = Vec::new();
    for (chain, url) in urls {
        let host = url.split('?').next().unwrap_or_default();
        if reader.checked_url("RPC_URL", host).is_some() && networks.contains(&chain) {
            found.push((chain.to_string(), Secret::new(url)));
        }
    }
    found
}
