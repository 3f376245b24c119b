//! The credential that a payer signs to pay a link.

use alloc::string::String;

use serde_json::{Map, Value};

use farebox_base::encoding::json;
use farebox_common::payment::authorization::SignedAuthorization;
use farebox_common::problem::Code;

/// Name of what is signed.
pub const AUTHORIZATION_TYPE: &str = "eip-3009";
/// Maximum size of a body, bytes.
const MAX_BYTES: usize = 16 * 1024;
const SIGNED: [&str; 6] = ["from", "to", "value", "validAfter", "validBefore", "nonce"];

/// Reads `{payload: {type: "transaction", signature, authorization}}`; returns it beside its own
/// members, as a facilitator takes them.
///
/// # Errors
/// [`Code::MalformedPayment`] for anything else.
pub fn read(body: &str) -> Result<(SignedAuthorization, Map<String, Value>), Code> {
    let bad = Code::MalformedPayment;
    let body = json::parse_with(body.as_bytes(), MAX_BYTES).map_err(|_| bad)?;
    let payload = body.get("payload").ok_or(bad)?;
    let is = |value: &Value, kind: &str| value.get("type").and_then(Value::as_str) == Some(kind);
    let members = payload.get("authorization").ok_or(bad)?;
    if !is(payload, "transaction") || !is(members, AUTHORIZATION_TYPE) {
        return Err(bad);
    }
    let members = members.as_object().ok_or(bad)?;
    let signature = payload.get("signature").and_then(Value::as_str).ok_or(bad)?;
    let signed = SignedAuthorization::parse(members, signature)?;
    let own = SIGNED.iter().filter_map(|name| Some(((*name).into(), members.get(*name)?.clone())));
    let own = Value::Object(json::object(own));
    let payload = [("signature".into(), signature.into()), ("authorization".into(), own)];
    Ok((signed, json::object(payload)))
}
