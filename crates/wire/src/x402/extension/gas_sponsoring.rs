//! Extension `eip2612GasSponsoring`: the payer's EIP-2612 permit for Permit2, which a facilitator
//! submits with the payment. So a payer needs no gas to allow Permit2 to move the token.
//!
//! Spec: x402 extension "eip2612GasSponsoring". A stock client signs such a permit only if it is
//! announced.

use alloc::string::{String, ToString};

use farebox_base::amount::Amount;
use farebox_base::encoding::{hex, json};
use farebox_evm::address::Address;
use farebox_evm::permit2::PERMIT2;
use serde_json::{Map, Value};

/// The extension's name in `extensions`.
pub const NAME: &str = "eip2612GasSponsoring";
/// The announcement, JSON.
pub const ANNOUNCED: &str = concat!(
    r#"{"info":{"description":"The facilitator submits an EIP-2612 permit for Permit2 with the payment.","version":"1"},"#,
    r#""schema":{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","properties":{"#,
    r#""from":{"type":"string","pattern":"^0x[a-fA-F0-9]{40}$"},"asset":{"type":"string","pattern":"^0x[a-fA-F0-9]{40}$"},"#,
    r#""spender":{"type":"string","pattern":"^0x[a-fA-F0-9]{40}$"},"amount":{"type":"string","pattern":"^[0-9]+$"},"#,
    r#""nonce":{"type":"string","pattern":"^[0-9]+$"},"deadline":{"type":"string","pattern":"^[0-9]+$"},"#,
    r#""signature":{"type":"string","pattern":"^0x[a-fA-F0-9]+$"},"version":{"type":"string","pattern":"^[0-9]+(\\.[0-9]+)*$"}},"#,
    r#""required":["from","asset","spender","amount","nonce","deadline","signature","version"]}}"#,
);

/// Digits of the largest number of 256 bits.
const MAX_DIGITS: usize = 78;
/// Characters of a version.
const MAX_VERSION: usize = 8;

/// Whether a text is of the form of its member.
type Form = fn(&str) -> bool;

/// The members of a permit. The token checks who signed it, so nothing else has to.
const MEMBERS: [(&str, Form); 8] = [
    ("from", is_bytes::<20>),
    ("asset", is_bytes::<20>),
    ("spender", is_bytes::<20>),
    ("amount", is_number),
    ("nonce", is_number),
    ("deadline", is_number),
    ("signature", is_bytes::<65>),
    ("version", is_version),
];

/// The permit among the extensions that a payer sent, its own members alone; `None` if it is not of
/// that form.
///
/// # Examples
/// ```
/// use farebox_wire::x402::extension::gas_sponsoring::read;
/// use serde_json::json;
/// let address = "0x036CbD53842c5426634e7929541eC2318f3dCF7e";
/// let permit = json!({
///     "from": address, "asset": address, "spender": address, "amount": "10000", "nonce": "0",
///     "deadline": "1763618400", "signature": format!("0x{}", "1b".repeat(65)), "version": "1",
/// });
/// let sent = |info| json!({"eip2612GasSponsoring": {"info": info}});
/// let read = |sent: serde_json::Value| read(sent.as_object());
/// assert_eq!(read(sent(permit.clone())), Some(permit.clone()));
/// let mut more = permit.clone();
/// more["more"] = "x".into();
/// assert_eq!(read(sent(more)), Some(permit.clone()));
/// let mut short = permit;
/// short["signature"] = "0x1b".into();
/// assert_eq!(read(sent(short)), None);
/// assert_eq!(read(sent(json!({"version": "1"}))), None);
/// ```
#[must_use]
pub fn read(extensions: Option<&Map<String, Value>>) -> Option<Value> {
    let info = extensions?.get(NAME)?.get("info")?;
    let members = MEMBERS.iter().map(|(name, is_form)| {
        let text = info.get(name)?.as_str().filter(|text| is_form(text))?;
        Some((name.to_string(), Value::from(text)))
    });
    members.collect::<Option<Map<_, _>>>().map(Value::Object)
}

/// Whether a permit can be of use to this payment: its payer lets Permit2 move the amount of the
/// token, and x402's proxies take no permit for another. The time is not compared, so that the same bytes always make the same request.
#[must_use]
pub fn fits(permit: &Value, payer: Address, asset: Address, amount: Amount) -> bool {
    let text = |name: &str| permit.get(name).and_then(Value::as_str).unwrap_or_default();
    let names = |name, address: Address| {
        hex::decode_array(text(name)).is_ok_and(|bytes| bytes == *address.as_bytes())
    };
    let number = |name| match text(name).trim_start_matches('0') {
        "" => Some(Amount::ZERO),
        digits => Amount::from_atomic(digits).ok(),
    };
    names("from", payer)
        && names("asset", asset)
        && names("spender", PERMIT2)
        && number("amount").is_some_and(|allowed| allowed == amount)
        && ["nonce", "deadline"].iter().all(|name| number(name).is_some())
}

/// Whether a permit stands beside the payment in this facilitator request.
#[must_use]
pub fn is_beside(request: &str) -> bool {
    // Searches the text before parsing: ordinary requests do not have the name.
    request.contains(NAME)
        && json::parse(request.as_bytes()).is_ok_and(|it| {
            it.pointer("/paymentPayload/extensions").is_some_and(|it| it.get(NAME).is_some())
        })
}

fn is_bytes<const N: usize>(text: &str) -> bool {
    hex::decode_array::<N>(text).is_ok()
}

fn is_number(text: &str) -> bool {
    (1..=MAX_DIGITS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_version(text: &str) -> bool {
    let is_part = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    text.len() <= MAX_VERSION && text.split('.').all(is_part)
}
