//! The sentence that tells what a request costs.
//!
//! Its words are not the merchant's: a known token has its own name, a name is believed only if it is
//! that token's, and what is no identifier is not shown.

use alloc::format;
use alloc::string::{String, ToString};

use super::asset;
use super::challenge::whole;
use super::json::Json;
use super::money;
use super::requirement::{AmountType, Requirement};
use super::text::identifier;

/// The sentence; `None` if a part of it is not known.
///
/// `accept` is the first way to pay as it was published, or null.
#[must_use]
pub fn summary(requirement: &Requirement, accept: &Json) -> Option<String> {
    let asset = requirement.asset.as_deref().and_then(identifier)?;
    let network = network(requirement.network.as_deref()?)?;
    let kind = match requirement.amount_type? {
        AmountType::Exact => "exact",
        AmountType::Max => "up to",
    };
    let known = asset::known(asset);
    let told = accept.at(&["extra", "precision"]).filter(|it| matches!(it, Json::Number(_)));
    let pinned = known.map(|known| known.precision);
    let precision = pinned.or(requirement.precision).or_else(|| whole(told));
    let of_minor = requirement.minor.as_deref().zip(precision);
    let of_minor = of_minor.and_then(|(minor, places)| money::from_minor(minor, places));
    let amount = of_minor.or_else(|| requirement.amount.clone())?;
    let given = accept.at(&["extra", "name"]).and_then(Json::text);
    let name = match known {
        Some(known) => given.filter(|name| known.names.contains(name)).unwrap_or(known.symbol),
        // A contract may call itself as it likes.
        None if is_contract(asset) => asset,
        None => given.filter(|name| is_symbol(name)).unwrap_or(asset),
    };
    Some(format!("Costs {amount} {name} on {network} ({kind})."))
}

/// The name that people use for a network; its id if that is an identifier.
#[must_use]
pub fn network(id: &str) -> Option<String> {
    let known = NETWORKS.iter().find(|(ids, _)| ids.contains(&id)).map(|(_, name)| *name);
    known.or_else(|| identifier(id)).map(ToString::to_string)
}

fn is_contract(asset: &str) -> bool {
    let is_mint =
        (32..=44).contains(&asset.len()) && asset.bytes().all(|it| it.is_ascii_alphanumeric());
    is_mint || is_address(asset)
}

fn is_address(asset: &str) -> bool {
    let digits = asset.strip_prefix("0x").unwrap_or_default();
    digits.len() == 40 && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
}

/// Whether it can be a token's short name.
fn is_symbol(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || ".-".contains(c);
    !name.is_empty() && name.len() <= 12 && name.chars().all(fits)
}

const NETWORKS: &[(&[&str], &str)] = &[
    (&["eip155:84532", "base-sepolia"], "Base Sepolia"),
    (&["eip155:8453", "base"], "Base"),
    (&["solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1", "solana-devnet"], "Solana Devnet"),
    (&["solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp", "solana-mainnet"], "Solana"),
];
