//! The pricer of a route: `price = { from = "PRICER", max = "$1.00" }`.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::Value;

use crate::amount::Amount;
use crate::config::Reader;
use crate::gate::offer::Offer;
use crate::gate::offer::Pricer;

/// A pricer as a route configures it.
pub(super) struct PricerConfig {
    from: String,
    min: Option<String>,
}

/// Takes the pricer out of a route and leaves its highest price in its place.
pub(super) fn take(reader: &mut Reader, place: &str, route: &mut Value) -> Option<PricerConfig> {
    let price = route.get_mut("price").filter(|price| price.get("from").is_some())?;
    let config = price.take();
    let text = |name: &str| config.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
    let (from, min, max) = (text("from"), text("min"), text("max"));
    let unknown = config.as_object().is_some_and(|members| {
        members.iter().any(|(name, value)| {
            !matches!(name.as_str(), "from" | "min" | "max") || !value.is_string()
        })
    });
    let max = max.filter(|max| !unknown && max != "free");
    // Without a price the route would not be read at all, and its other errors would not be named.
    *price = Value::from(max.as_deref().unwrap_or("$1"));
    let from = from.unwrap_or_default();
    let named = from.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
    if max.is_none() || !named || !(1..=64).contains(&from.len()) {
        let remedy = "must be {from = \"PRICER\", max = \"$1.00\"} with the name of a service binding, and optionally min";
        reader.fail(&format!("{place}.price"), remedy);
        return None;
    }
    if !reader.is_bound(&from) {
        let remedy = format!("{from} is not a service binding; add it to [[services]]");
        reader.fail(&format!("{place}.price"), remedy);
    }
    Some(PricerConfig { from, min })
}

/// The pricer with its lowest price for each choice of the offer.
pub(super) fn read(
    reader: &mut Reader,
    place: &str,
    config: PricerConfig,
    offer: &Offer,
) -> Option<Pricer> {
    let Some(min) = config.min else {
        return Some(Pricer { binding: config.from, min_amount: None });
    };
    let mut min_amount = Vec::new();
    for choice in &offer.choices {
        match Amount::from_price(&min, choice.asset_label.1) {
            Ok(amount) if amount <= choice.terms.amount => min_amount.push(amount),
            _ => {
                reader.fail(&format!("{place}.price"), "min must be a price not above max");
                return None;
            }
        }
    }
    Some(Pricer { binding: config.from, min_amount: Some(min_amount) })
}
