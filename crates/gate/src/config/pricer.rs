//! The pricer of a route: `price = { from = "PRICER", max = "$1.00", pay_to = "any" }`.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::Value;

use crate::offer::{Offer, Payees, Pricer};
use farebox_base::amount::Amount;
use farebox_common::config::Reader;
use farebox_common::config::network::pay_to;
use farebox_evm::address::Address;

/// Limit on listed payees.
const MAX_PAYEES: usize = 100;

/// A pricer as a route configures it.
pub(super) struct PricerConfig {
    from: String,
    min: Option<String>,
    pay_to: Option<Value>,
}

/// Takes the pricer out of a route and leaves its highest price in its place.
pub(super) fn take(reader: &mut Reader, place: &str, route: &mut Value) -> Option<PricerConfig> {
    let price = route.get_mut("price").filter(|price| price.get("from").is_some())?;
    let config = price.take();
    let text = |name: &str| config.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
    let (from, min, max) = (text("from"), text("min"), text("max"));
    let unknown = config.as_object().is_some_and(|members| {
        members.iter().any(|(name, value)| match name.as_str() {
            "from" | "min" | "max" => !value.is_string(),
            name => name != "pay_to",
        })
    });
    let max = max.filter(|max| !unknown && max != "free");
    // Without a price the route would not be read at all, and its other errors would not be named.
    *price = Value::from(max.as_deref().unwrap_or("$1"));
    let from = from.unwrap_or_default();
    let named = from.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    if max.is_none() || !named || !(1..=64).contains(&from.len()) {
        let remedy = "must be {from = \"PRICER\", max = \"$1.00\"} with the name of a service binding, and optionally min and pay_to";
        reader.fail_at(place, "price", remedy);
        return None;
    }
    if !reader.is_bound(&from) {
        let remedy = format!("{from} is not a service binding; add it to [[services]]");
        reader.fail_at(place, "price", remedy);
    }
    Some(PricerConfig { from, min, pay_to: config.get("pay_to").cloned() })
}

/// The pricer with its lowest price for each choice of the offer.
pub(super) fn read(
    reader: &mut Reader,
    place: &str,
    config: PricerConfig,
    offer: &Offer,
) -> Option<Pricer> {
    let payees = match &config.pay_to {
        None => Payees::Configured,
        Some(value) => payees(reader, &format!("{place}.price"), value, offer)?,
    };
    let Some(min) = config.min else {
        return Some(Pricer { binding: config.from, min_amount: None, payees });
    };
    let mut min_amount = Vec::new();
    for choice in &offer.choices {
        match Amount::from_price(&min, choice.asset_label.decimals) {
            Ok(amount) if amount <= choice.terms.amount => min_amount.push(amount),
            _ => {
                reader.fail_at(place, "price", "min must be a price not above max");
                return None;
            }
        }
    }
    Some(Pricer { binding: config.from, min_amount: Some(min_amount), payees })
}

/// The payees that the pricer may name.
fn payees(reader: &mut Reader, variable: &str, value: &Value, offer: &Offer) -> Option<Payees> {
    let networks = offer.choices.iter().map(|choice| &choice.terms.network);
    if networks.clone().any(|network| network.evm_id().is_none()) {
        reader.fail(variable, "pay_to needs EVM networks only; give the route others or remove it");
        return None;
    }
    let list = match value {
        Value::String(text) if text == "any" => return Some(Payees::Any),
        Value::Array(list) if (1..=MAX_PAYEES).contains(&list.len()) => list,
        _ => {
            reader.fail(variable, "pay_to must be \"any\" or a list of 1 to 100 addresses");
            return None;
        }
    };
    let mut listed = Vec::new();
    for payee in list {
        for network in networks.clone() {
            let payee = pay_to(reader, variable, payee, network)?;
            listed.push(Address::parse(&payee).ok()?);
        }
    }
    Some(Payees::Listed(listed))
}
