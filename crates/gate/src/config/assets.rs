//! The asset and price of a route.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};

use serde_json::{Map, Value};

use crate::offer::AssetLabel;
use farebox_base::amount::{Amount, AmountError};
use farebox_base::chain::ChainId;
use farebox_base::encoding::json;
use farebox_base::encoding::message::read_struct;
use farebox_common::config::network::is_name;
use farebox_common::config::{Reader, TextOr};
use farebox_common::payment::TransferMethod;
use farebox_evm::address::Address;
use farebox_evm::token::{self, Token};
use farebox_wire::x402::mints;

/// Most digits behind the point that a known token has.
const MAX_DECIMALS: u8 = 18;

/// A price as configured.
pub(super) type PriceConfig = TextOr<AtomicPrice>;
/// An asset as configured.
pub(super) type AssetConfig = TextOr<ExplicitAsset>;

#[derive(Clone, Debug)]
pub(super) struct AtomicPrice {
    amount: String,
    asset: AssetConfig,
}

read_struct!(AtomicPrice { amount, asset });

#[derive(Clone, Debug)]
pub(super) struct ExplicitAsset {
    address: String,
    name: Option<String>,
    version: Option<String>,
    symbol: Option<String>,
    decimals: u8,
}

read_struct!(ExplicitAsset { address, name, version, symbol, decimals });

/// The asset of a route: one that the gate knows, or one described by the operator.
pub(super) struct Asset {
    /// Its name on the wire.
    pub name: String,
    /// Its label, for people.
    pub label: AssetLabel,
    /// The contract, on EVM.
    pub domain: Option<Domain>,
}

/// A token contract, and the domain that a wallet signs under if the token checks signatures.
pub(super) struct Domain {
    pub contract: Address,
    pub name: String,
    pub version: String,
    /// The kind of message that payers sign for it.
    pub method: TransferMethod,
}

impl Domain {
    /// The domain as `extra` of the requirements.
    pub(super) fn extra(&self) -> Map<String, Value> {
        let member = |name: &str, text: &str| (name.to_owned(), Value::from(text));
        let members = [member("name", &self.name), member("version", &self.version)];
        json::object(members.into_iter().filter(|(_, text)| text != ""))
    }
}

/// Whether price or asset is specific to one network.
pub(super) const fn names_one_network(price: &PriceConfig, asset: Option<&AssetConfig>) -> bool {
    matches!(price, TextOr::Other(_)) || matches!(asset, Some(TextOr::Other(_)))
}

/// Checks the text of a price whose network is not known, as far as that can be done.
pub(super) fn check_price(reader: &mut Reader, place: &str, price: &PriceConfig) {
    if let TextOr::Text(text) = price
        && let Err(error) = Amount::from_price(text, MAX_DECIMALS)
    {
        fail_price(reader, &format!("{place}.price"), &error);
    }
}

fn fail_price(reader: &mut Reader, variable: &str, error: &AmountError) {
    reader.fail(variable, format!("{error}; write a price such as \"$0.01\""));
}

/// Reads a price on `network`.
pub(super) fn price(
    reader: &mut Reader,
    place: &str,
    price: &PriceConfig,
    asset: Option<&AssetConfig>,
    network: &ChainId,
    method: Option<TransferMethod>,
) -> Option<(Amount, Asset)> {
    let variable = format!("{place}.price");
    match price {
        TextOr::Text(text) => {
            let asset = read(reader, &format!("{place}.asset"), asset, network, method)?;
            match Amount::from_price(text, asset.label.decimals) {
                Ok(amount) => Some((amount, asset)),
                Err(error) => {
                    fail_price(reader, &variable, &error);
                    None
                }
            }
        }
        TextOr::Other(price) => {
            if asset.is_some() {
                reader.fail_at(place, "asset", "price names an asset too; keep one of the two");
                return None;
            }
            let (place, asset) = (format!("{variable}.asset"), &price.asset);
            let asset = read(reader, &place, Some(asset), network, method)?;
            match Amount::from_atomic(&price.amount) {
                Ok(amount) if !amount.is_zero() => Some((amount, asset)),
                Ok(_) => {
                    reader
                        .fail(&variable, "must be more than zero; write \"free\" for a free route");
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

fn read(
    reader: &mut Reader,
    variable: &str,
    config: Option<&AssetConfig>,
    network: &ChainId,
    method: Option<TransferMethod>,
) -> Option<Asset> {
    let symbol = match config {
        Some(TextOr::Text(symbol)) => Some(symbol.as_str()),
        _ => None,
    };
    if !matches!(config, Some(TextOr::Other(_)))
        && let Some((symbol, mint)) = mints::known(network, symbol)
    {
        let label = AssetLabel { symbol: symbol.into(), decimals: mints::DECIMALS };
        return Some(Asset { name: mint.into(), label, domain: None });
    }
    let known = match config {
        None => token::default_for(network),
        Some(TextOr::Text(symbol)) => token::by_symbol(network, symbol),
        Some(TextOr::Other(explicit)) => {
            return match network.evm_id() {
                Some(_) => contract(reader, variable, explicit, network, method),
                None => elsewhere(reader, variable, explicit),
            };
        }
    };
    match known {
        Some(token) if !token.eip3009 && method == Some(TransferMethod::Eip3009) => {
            let remedy =
                "this token cannot be paid by EIP-3009; name another one, or use \"permit2\"";
            reader.fail(variable, remedy);
            None
        }
        Some(token) => {
            let usual =
                if token.eip3009 { TransferMethod::Eip3009 } else { TransferMethod::Permit2 };
            Some(pinned(token, method.unwrap_or(usual)))
        }
        None => {
            let remedy = match network.evm_id() {
                Some(_) => {
                    "is not known on this network; spell out address, name, version and decimals"
                }
                None => "is not known on this network; spell out address and decimals",
            };
            reader.fail(variable, remedy);
            None
        }
    }
}

fn pinned(token: &Token, method: TransferMethod) -> Asset {
    let (name, version) = (token.name.into(), token.version.into());
    let domain = Domain { contract: token.address, name, version, method };
    Asset {
        name: token.address.to_checksum(),
        label: AssetLabel { symbol: token.symbol.into(), decimals: token.decimals },
        domain: Some(domain),
    }
}

/// A token contract in full.
fn contract(
    reader: &mut Reader,
    variable: &str,
    explicit: &ExplicitAsset,
    network: &ChainId,
    method: Option<TransferMethod>,
) -> Option<Asset> {
    let known = Address::parse(&explicit.address).ok();
    let known = known.and_then(|address| token::by_address(network, &address));
    let method = match (method, known) {
        (Some(method), _) => method,
        (None, Some(token)) if !token.eip3009 => TransferMethod::Permit2,
        (None, _) => TransferMethod::Eip3009,
    };
    let Ok(address) = Address::parse_checksummed(&explicit.address) else {
        reader.fail(variable, "its address has a wrong EIP-55 checksum; copy it again");
        return None;
    };
    if address.is_low() {
        reader.fail(variable, "its address is not a token contract; copy it again");
        return None;
    }
    let none = String::new();
    let (name, version) = match (&explicit.name, &explicit.version) {
        (Some(name), Some(version)) => (name, version),
        // Permit2 checks the signature, under a domain of its own.
        (None, None) if method == TransferMethod::Permit2 => (&none, &none),
        _ => {
            reader.fail(
                variable,
                "name and version are missing; copy them from the token's EIP-712 domain",
            );
            return None;
        }
    };
    if explicit.name.is_some() && (!is_domain_text(name) || !is_domain_text(version)) {
        let remedy = "name and version must be those of the token's EIP-712 domain, 1 to 64 bytes";
        reader.fail(variable, remedy);
        return None;
    }
    let differs = |pinned: &Token| {
        let named = pinned.name == name && pinned.version == version;
        !(named || name.is_empty()) || pinned.decimals != explicit.decimals
    };
    if known.is_some_and(differs) {
        let remedy =
            "this token is known with a different name, version or decimals; use its symbol";
        reader.fail(variable, remedy);
        return None;
    }
    let symbol = explicit.symbol.as_deref().or(known.map(|token| token.symbol)).unwrap_or(name);
    let symbol = if symbol.is_empty() { &explicit.address } else { symbol };
    Some(Asset {
        name: address.to_checksum(),
        label: AssetLabel { symbol: symbol.to_owned(), decimals: explicit.decimals },
        domain: Some(Domain {
            contract: address,
            name: name.clone(),
            version: version.clone(),
            method,
        }),
    })
}

/// An asset of a chain that the gate does not read.
fn elsewhere(reader: &mut Reader, variable: &str, explicit: &ExplicitAsset) -> Option<Asset> {
    if explicit.name.is_some() || explicit.version.is_some() {
        reader.fail(variable, "name and version belong to EVM tokens; remove them");
        return None;
    }
    if !is_name(&explicit.address) || explicit.symbol.as_ref().is_some_and(|it| !is_domain_text(it))
    {
        let remedy = "address must be 1 to 128 visible ASCII characters, symbol 1 to 64 bytes";
        reader.fail(variable, remedy);
        return None;
    }
    let symbol = explicit.symbol.clone().unwrap_or_else(|| explicit.address.clone());
    let label = AssetLabel { symbol, decimals: explicit.decimals };
    Some(Asset { name: explicit.address.clone(), label, domain: None })
}

/// Whether a text can be a member of a token's EIP-712 domain.
fn is_domain_text(text: &str) -> bool {
    (1..=64).contains(&text.len()) && !text.chars().any(char::is_control)
}
