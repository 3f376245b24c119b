//! The body with which an operator asks for a payout.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_json::{Map, Value};

use crate::row::write_key;
use farebox_base::amount::Amount;
use farebox_base::chain::ChainId;
use farebox_base::encoding::json;
use farebox_base::hash;
use farebox_evm::address::Address;
use farebox_evm::token::Token;

const MAX_BYTES: usize = 16 * 1024;
/// The members of a body; all but `from` are required.
const MEMBERS: [&str; 8] =
    ["organization", "wallet", "network", "asset", "to", "from", "amount", "idempotencyKey"];

/// A payout as it was asked for.
#[derive(Clone, Debug)]
pub(super) struct PayoutRequest {
    pub wallet: String,
    pub network: ChainId,
    pub asset: String,
    pub to: Address,
    /// The address that the wallet has to have, if it matters to who asks.
    pub from: Option<Address>,
    pub amount: String,
    pub key: String,
}

impl PayoutRequest {
    /// Hash of all but the key, and the address that the wallet has to have: another one is another
    /// payout.
    pub(super) fn digest(&self) -> String {
        let to = self.to.to_checksum();
        let amount = Amount::from_decimal(&self.amount, 18);
        // 1 and 1.0 are one amount.
        let amount = amount.map_or_else(|_| self.amount.clone(), |amount| amount.to_string());
        hash::digest(&[
            b"farebox payout",
            self.wallet.as_bytes(),
            self.network.as_str().as_bytes(),
            self.asset.as_bytes(),
            to.as_bytes(),
            amount.as_bytes(),
        ])
    }

    /// The key of its decision. With `only`, whoever has the token of this wallet asks: no holder of
    /// one token takes a key from another.
    pub(super) fn kept_key(&self, only: Option<&str>) -> String {
        write_key(&self.key, only)
    }

    /// Atomic units of this token.
    pub(super) fn amount_of(&self, token: &Token) -> Option<Amount> {
        Amount::from_decimal(&self.amount, token.decimals).ok()
    }
}

/// The organization that a body names: whose object is asked.
#[must_use]
pub fn organization_of(body: &str) -> Option<String> {
    members(body)?.get("organization")?.as_str().map(ToString::to_string)
}

/// Reads a body; otherwise everything that is wrong with it.
pub(super) fn read(body: &str) -> Result<PayoutRequest, String> {
    let Some(members) = members(body) else {
        return Err(format!(
            "the body must be a JSON object of at most 16 KiB with {}",
            MEMBERS.join(", ")
        ));
    };
    let mut faults: Vec<String> = Vec::new();
    for name in members.keys().filter(|name| !MEMBERS.contains(&name.as_str())) {
        let shown: String = name.chars().filter(char::is_ascii_alphanumeric).take(24).collect();
        faults.push(format!("{shown}: is unknown"));
    }
    let mut text = |name: &str, max: usize| {
        let text = members.get(name).and_then(Value::as_str);
        let text = text.filter(|text| (1..=max).contains(&text.chars().count()));
        if text.is_none() {
            faults.push(format!("{name}: must be text of 1 to {max} characters"));
        }
        text.unwrap_or_default().to_string()
    };
    let (wallet, network, asset) = (text("wallet", 64), text("network", 64), text("asset", 16));
    let (to, amount, key) = (text("to", 42), text("amount", 80), text("idempotencyKey", 128));
    let _ = text("organization", 64);
    let network = ChainId::parse_or_name(&network).ok();
    // Only with its checksum: a slip in it pays someone else.
    let address = |text: &str| {
        Address::parse(text).ok().filter(|it| it.to_checksum() == text && !it.is_zero())
    };
    let to = address(&to);
    let from = members.get("from").map(|from| from.as_str().and_then(address));
    if from == Some(None) {
        faults.push("from: must be an address with its checksum".to_string());
    }
    if network.is_none() {
        faults.push("network: must be a CAIP-2 id such as eip155:8453".to_string());
    }
    if to.is_none() {
        faults.push("to: must be an address with its checksum".to_string());
    }
    match (network, to) {
        (Some(network), Some(to)) if faults.is_empty() => {
            Ok(PayoutRequest { wallet, network, asset, to, from: from.flatten(), amount, key })
        }
        _ => Err(faults.join("; ")),
    }
}

/// The members of a body.
pub(crate) fn members(body: &str) -> Option<Map<String, Value>> {
    match json::parse_with(body.as_bytes(), MAX_BYTES) {
        Ok(Value::Object(members)) => Some(members),
        _ => None,
    }
}
