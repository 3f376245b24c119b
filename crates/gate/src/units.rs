//! Amounts and times for people, beside atomic units and seconds, in the log and the operator's
//! answers: as text, because these members go into documents that others write.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::Value;

use farebox_base::amount::Amount;
use farebox_base::chain::ChainId;
use farebox_base::encoding::json::{self, json};
use farebox_base::time::UnixTime;
use farebox_evm::address::Address;
use farebox_evm::token;
use farebox_ledger::report::PaymentItem;
use farebox_wire::x402::mints;

/// Symbol and decimals of an asset that the gate knows.
pub(super) fn of(network: &str, asset: &str) -> Option<(&'static str, u8)> {
    let network = ChainId::parse(network).ok()?;
    match Address::parse(asset) {
        Ok(asset) => token::by_address(&network, &asset).map(|it| (it.symbol, it.decimals)),
        Err(_) => Some((mints::symbol_of(&network, asset)?, mints::DECIMALS)),
    }
}

/// The amount in the asset's own units; empty for an asset that is not known.
pub(super) fn decimal(network: &str, asset: &str, amount: &str) -> String {
    let amount = of(network, asset).zip(Amount::from_atomic(amount).ok());
    amount.map(|((_, decimals), amount)| amount.to_decimal(decimals)).unwrap_or_default()
}

/// The members `symbol` and `decimals` of an object, each after a comma; null for an asset that is
/// not known.
pub(super) fn asset_members(network: &str, asset: &str) -> String {
    match of(network, asset) {
        Some((symbol, decimals)) => format!(",\"symbol\":\"{symbol}\",\"decimals\":{decimals}"),
        None => String::from(",\"symbol\":null,\"decimals\":null"),
    }
}

/// These and `amount_decimal`.
pub(super) fn amount_members(network: &str, asset: &str, amount: &str) -> String {
    let decimal = decimal(network, asset, amount);
    let quote = if decimal.is_empty() { "" } else { "\"" };
    let decimal = if decimal.is_empty() { "null" } else { &decimal };
    let rest = asset_members(network, asset);
    [",\"amount_decimal\":", quote, decimal, quote, &rest].concat()
}

/// Adds to sums of one asset what people read: `symbol`, `decimals`, and for each of these columns
/// that is there the same with `_decimal`, null for an asset that is not known.
pub(super) fn add_decimals(sum: &mut Value, columns: &[&str]) {
    let text = |name: &str| sum.get(name).and_then(Value::as_str).map(String::from);
    let (network, asset) = (text("network").unwrap_or_default(), text("asset").unwrap_or_default());
    let known = of(&network, &asset);
    let (symbol, decimals) = known.unzip();
    let mut more = Vec::from([
        (String::from("symbol"), json!(symbol)),
        (String::from("decimals"), json!(decimals)),
    ]);
    for column in columns {
        if let Some(units) = text(column) {
            let amount = known.map(|_| decimal(&network, &asset, &units));
            more.push((format!("{column}_decimal"), json!(amount)));
        }
    }
    if let Some(members) = sum.as_object_mut() {
        members.extend(more);
    }
}

/// Adds a time as a date under another name, where it is there.
pub(super) fn add_date(value: &mut Value, at: &str, name: &str) {
    let secs = value.get(at).and_then(Value::as_u64);
    if let Some((secs, members)) = secs.zip(value.as_object_mut()) {
        members.insert(name.into(), json!(UnixTime::from_secs(secs).rfc3339()));
    }
}

/// A member that is a time, after a comma.
pub(super) fn time_member(name: &str, secs: u64) -> String {
    format!(",\"{name}\":\"{}\"", UnixTime::from_secs(secs).rfc3339())
}

/// A payment as JSON, with what people read.
pub(super) fn write_item(item: &PaymentItem) -> String {
    let text = json::text(item);
    let open = text.strip_suffix('}').unwrap_or_default();
    let amount = amount_members(&item.network, &item.asset, &item.amount);
    let created = time_member("created", item.created_at);
    let updated = time_member("updated", item.updated_at);
    let refunding = item.refunding_at.map(|secs| time_member("refunding", secs));
    [open, &amount, &created, &updated, refunding.as_deref().unwrap_or_default(), "}"].concat()
}
