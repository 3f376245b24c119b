//! The gate's terms for a quote: they are passed on where they ask for the quote's payment, and for no
//! other.

use alloc::string::{String, ToString};

use serde_json::Value;

use super::shown::code_told;
use farebox_base::chain::ChainId;
use farebox_base::encoding::{base64, json};
use farebox_wire::mpp::Challenge;
use farebox_wire::mpp::challenge::read_list;
use farebox_wire::mpp::charge::{METHOD, Request};

/// The answer of a gate that was asked what a quote costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateTerms {
    /// Its terms.
    Told,
    /// Terms of another payment than the quote's: its money would buy nothing here.
    Others,
    /// That it has no price.
    Unpriced,
    /// Something else: it may sell nothing there, or not now.
    Untold,
}

/// Whether a field of the gate, its name in lower case, asks for a payment.
#[must_use]
pub fn is_challenge(name: &str) -> bool {
    matches!(name, X402 | MPP)
}

/// Reads a gate's answer, with its header fields, names in lower case, to the question for the terms of a
/// quote; `asked` is the body of the 402 that the exchange has for it.
#[must_use]
pub fn terms_told(status: u32, body: &str, headers: &[(String, String)], asked: &str) -> GateTerms {
    match (status, code_told(body).as_str()) {
        (402, _) if asks_for_another(headers, asked) => GateTerms::Others,
        (402, _) => GateTerms::Told,
        (503, "price_unavailable") => GateTerms::Unpriced,
        _ => GateTerms::Untold,
    }
}

/// The field with terms of x402.
const X402: &str = "payment-required";
/// The field with challenges of MPP.
const MPP: &str = "www-authenticate";
/// Names of what is paid in terms of x402, and in the body of a quote.
const NAMES: [(&str, &str); 4] = [
    ("network", "network"),
    ("asset", "payment_asset"),
    ("amount", "amount_atomic"),
    ("payTo", "pay_to"),
];

/// The payment of terms: network, asset, amount and payee, as terms and quotes name them.
type Paid = [Option<String>; 4];

/// Whether a way to pay that a gate offers is another payment than a quote asks for.
fn asks_for_another(headers: &[(String, String)], asked: &str) -> bool {
    let asked = json::parse(asked.as_bytes()).unwrap_or(Value::Null);
    let asked = NAMES.map(|(_, of_quote)| word(&asked, of_quote));
    headers.iter().any(|(name, value)| match name.as_str() {
        X402 => has_other_way(value, &asked),
        MPP => read_list(value).iter().flatten().filter_map(charged).any(|it| it != asked),
        _ => false,
    })
}

fn has_other_way(required: &str, asked: &Paid) -> bool {
    let offered = base64::decode(required).ok().and_then(|bytes| json::parse(&bytes).ok());
    let ways = offered.as_ref().and_then(|offered| offered.get("accepts")?.as_array());
    let is_it = |way: &Value| NAMES.map(|(name, _)| word(way, name)) == *asked;
    ways.is_some_and(|ways| !ways.iter().all(is_it))
}

/// The payment that a challenge asks for; `None` if it is no charge that can be read.
fn charged(challenge: &Challenge) -> Option<Paid> {
    if challenge.method != METHOD || challenge.intent != "charge" {
        return None;
    }
    let request = Request::read(&challenge.request_object().ok()?).ok()?;
    let network = ChainId::from_evm(request.chain_id).ok()?;
    Some([
        Some(network.as_str().to_string()),
        Some(request.currency.to_lower_hex()),
        Some(request.amount.to_string()),
        Some(request.recipient.to_lower_hex()),
    ])
}

fn word(value: &Value, name: &str) -> Option<String> {
    Some(value.get(name)?.as_str()?.to_ascii_lowercase())
}
