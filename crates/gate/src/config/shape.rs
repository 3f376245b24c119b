//! Names and kinds of the members of each table of the configuration.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::Value;

use farebox_base::encoding::json;
use farebox_common::config::Reader;
use farebox_common::config::shape::{Kind, Shape, meant};

pub(super) const ROUTE: Shape = Shape {
    noun: "a route",
    example: "{ path = \"/report\", price = \"$0.01\" }",
    required: &[("path", "\"/report\""), ("price", "\"$0.01\"")],
    members: &[
        ("path", Kind::Text),
        ("price", Kind::Own(price)),
        ("methods", Kind::Own(methods)),
        ("settle", Kind::Own(settle)),
        ("protocols", Kind::Texts),
        ("network", Kind::Text),
        ("pay_to", Kind::Any),
        ("asset", Kind::Own(asset)),
        ("asset_transfer_method", Kind::Text),
        ("gas_sponsoring", Kind::Switch),
        ("unit_price", Kind::Text),
        ("description", Kind::Text),
        ("mime_type", Kind::Text),
        ("max_timeout_secs", Kind::Number),
        ("origin_timeout_secs", Kind::Number),
        ("store", Kind::Switch),
        ("redirects", Kind::Switch),
        ("idempotent", Kind::Switch),
        ("confirm", Kind::Text),
        ("diagnostics", Kind::Any),
        ("api_keys", Kind::Switch),
        ("free", Kind::Any),
        ("digest", Kind::Switch),
        ("bazaar", Kind::Any),
        ("signed_transactions", Kind::Switch),
        ("hash_mode", Kind::Switch),
        ("aggr_deferred", Kind::Switch),
        ("session_delay_secs", Kind::Number),
        ("session_escrow", Kind::Text),
        ("session_fee_payer", Kind::Text),
        ("session_unit", Kind::Text),
        ("session_unit_price", Kind::Text),
        ("session_step", Kind::Number),
        ("session_pause_secs", Kind::Number),
        ("cors", Kind::Any),
    ],
};

pub(super) const ATOMIC_PRICE: Shape = Shape {
    noun: "a price in full",
    example: "{ amount = \"10000\", asset = \"USDC\" }",
    required: &[("amount", "\"10000\""), ("asset", "\"USDC\"")],
    members: &[("amount", Kind::Text), ("asset", Kind::Own(asset))],
};

pub(super) const ASSET: Shape = Shape {
    noun: "an asset in full",
    example: "{ address = \"0x…\", name = \"USD Coin\", version = \"2\", decimals = 6 }",
    required: &[("address", "\"0x…\""), ("decimals", "6")],
    members: &[
        ("address", Kind::Text),
        ("name", Kind::Text),
        ("version", Kind::Text),
        ("symbol", Kind::Text),
        ("decimals", Kind::Own(decimals)),
    ],
};

pub(super) const FACILITATOR: Shape = Shape {
    noun: "a facilitator",
    example: "{ url = \"https://…\" }",
    required: &[("url", "\"https://…\"")],
    members: &[
        ("url", Kind::Text),
        ("networks", Kind::Texts),
        ("auth", Kind::Any),
        ("extra", Kind::Table),
    ],
};

pub(super) const BAZAAR: Shape = Shape {
    noun: "bazaar",
    example: "{ output = { ok = true } }",
    required: &[],
    members: &[
        ("body", Kind::Text),
        ("input", Kind::Any),
        ("input_schema", Kind::Table),
        ("output", Kind::Any),
        ("output_schema", Kind::Table),
    ],
};

pub(super) const SERVICE: Shape = Shape {
    noun: "SERVICE",
    example: "{ name = \"Reports\" }",
    required: &[],
    members: &[
        ("name", Kind::Text),
        ("description", Kind::Text),
        ("homepage", Kind::Text),
        ("contact", Kind::Text),
        ("categories", Kind::Texts),
        ("icon", Kind::Text),
    ],
};

pub(super) const LIMITS: Shape = Shape {
    noun: "diagnostics",
    example: "{ alert_after = 5 }",
    required: &[],
    members: &[
        ("exceeded_after", Kind::Number),
        ("unverified_after", Kind::Number),
        ("alert_after", Kind::Number),
    ],
};

pub(super) const RECOVERY: Shape = Shape {
    noun: "RECOVERY",
    example: "{ settle_secs = 30 }",
    required: &[],
    members: &[
        ("settle_secs", Kind::Number),
        ("resend_secs", Kind::Numbers),
        ("chain_secs", Kind::Numbers),
        ("refund_secs", Kind::Number),
        ("manual_secs", Kind::Number),
        ("breaker_secs", Kind::Number),
    ],
};

pub(super) const REFUNDS: Shape = Shape {
    noun: "REFUNDS",
    example: "{ organization = \"acme\", wallet = \"main\" }",
    required: &[("organization", "\"acme\""), ("wallet", "\"main\"")],
    members: &[("organization", Kind::Text), ("wallet", Kind::Text)],
};

fn methods(reader: &mut Reader, at: &str, value: &Value) {
    let is_list = |list: &Vec<Value>| list.iter().all(Value::is_string);
    if !value.is_string() && !value.as_array().is_some_and(is_list) {
        reader.fail(at, "must be \"all\" or a list of methods");
    }
}

fn decimals(reader: &mut Reader, at: &str, value: &Value) {
    if value.as_u64().is_none_or(|number| number > u8::MAX.into()) {
        let is = json::text(value);
        reader.fail(at, format!("is {is}; must be a whole number from 0 to 255, without quotes"));
    }
}

fn price(reader: &mut Reader, at: &str, value: &Value) {
    match value {
        Value::String(_) => {}
        Value::Object(_) => {
            ATOMIC_PRICE.fits(reader, at, value);
        }
        _ => reader.fail(at, price_error(value)),
    }
}

fn asset(reader: &mut Reader, at: &str, value: &Value) {
    match value {
        Value::String(_) => {}
        Value::Object(_) => {
            ASSET.fits(reader, at, value);
        }
        _ => reader.fail(at, "must be a symbol such as \"USDC\", or a table"),
    }
}

fn settle(reader: &mut Reader, at: &str, value: &Value) {
    let error = match value {
        Value::String(word) => moment(word),
        _ => Some(SETTLE.to_owned()),
    };
    if let Some(error) = error {
        reader.fail(at, error);
    }
}

const SETTLE: &str =
    "must be \"after\" (the default: paid when it is served) or \"before\" (paid in advance)";

/// The error in a word for the moment of payment.
fn moment(word: &str) -> Option<String> {
    const EARLY: [&str; 6] = ["upfront", "advance", "prepaid", "prepay", "first", "pre"];
    const LATE: [&str; 4] = ["postpaid", "later", "last", "post"];
    if matches!(word, "after" | "before") {
        return None;
    }
    let lower = word.to_ascii_lowercase().replace(['-', '_'], "");
    let meant = match lower.strip_prefix("in").unwrap_or(&lower) {
        early if EARLY.contains(&early) => Some("before"),
        late if LATE.contains(&late) => Some("after"),
        other => meant(other, ["after", "before"].into_iter()),
    };
    Some(match meant {
        Some(meant) => format!("{SETTLE}; did you mean \"{meant}\"?"),
        None => SETTLE.to_owned(),
    })
}

/// The error for a price that is a number, as TOML and JSON write it.
fn price_error(value: &Value) -> String {
    let digits = json::text(value);
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    let example = if plain && value.is_number() { digits.as_str() } else { "0.01" };
    format!("must be text, so that no digit is lost; write \"${example}\"")
}
