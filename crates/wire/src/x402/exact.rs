//! Scheme `exact` on EVM with EIP-3009 or Permit2: the position of the signed data in its payload.
//!
//! Spec: x402 scheme `exact` on EVM.

use alloc::string::String;

use serde_json::{Map, Value};

use super::header;
use farebox_base::encoding::json;
use farebox_common::payment::TransferMethod;
use farebox_common::payment::authorization::SignedAuthorization;
use farebox_common::problem::Code;

/// The scheme's name on the wire.
pub const SCHEME: &str = "exact";
/// The scheme of which a part may be settled.
pub const UPTO: &str = "upto";
/// The scheme whose facilitator moves the money of many payments later. Spec: OKX.
pub const DEFERRED: &str = "aggr_deferred";

/// Reads `{signature, authorization: {from, to, value, validAfter, validBefore, nonce}}`, or a permit
/// in the place of the authorization.
///
/// # Errors
/// [`Code::MalformedPayment`] if a member is missing, of another type or not in its canonical form,
/// or if the payload carries a second proof.
///
/// # Examples
/// ```
/// use farebox_common::problem::Code;
/// use farebox_wire::x402::exact;
/// let mut payload = serde_json::json!({
///     "signature": "0x1234",
///     "authorization": {
///         "from": "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
///         "to": "0x209693Bc6afc0C5328bA36FaF03C514EF312287C",
///         "value": "10000", "validAfter": "0", "validBefore": "1740672149",
///         "nonce": "0x1112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f30",
///     },
/// });
/// let signed = exact::read(payload.as_object().unwrap()).unwrap();
/// assert_eq!(signed.authorization().valid_before.secs(), 1_740_672_149);
/// payload["authorization"]["value"] = "010000".into();
/// assert_eq!(exact::read(payload.as_object().unwrap()).unwrap_err(), Code::MalformedPayment);
/// ```
pub fn read(payload: &Map<String, Value>) -> Result<SignedAuthorization, Code> {
    // The proof that was checked might not be the one that is settled.
    if payload.keys().any(|name| is_other_proof(name)) {
        return Err(Code::MalformedPayment);
    }
    if !payload.contains_key(PERMIT) {
        let members = header::object(payload, AUTHORIZATION)?;
        return SignedAuthorization::parse(members, header::text(payload, "signature")?);
    }
    if payload.contains_key(AUTHORIZATION) {
        return Err(Code::MalformedPayment);
    }
    let members = header::object(payload, PERMIT)?;
    SignedAuthorization::parse_permit(members, header::text(payload, "signature")?)
}

/// Reads the same members under scheme `aggr_deferred`; they are no permit.
///
/// # Errors
/// As [`read`].
pub fn read_deferred(payload: &Map<String, Value>) -> Result<SignedAuthorization, Code> {
    if payload.keys().any(|name| is_other_proof(name) || name == PERMIT) {
        return Err(Code::MalformedPayment);
    }
    let members = header::object(payload, AUTHORIZATION)?;
    SignedAuthorization::parse_deferred(members, header::text(payload, "signature")?)
}

/// The members of a payload that [`read`] used, each as received: nothing else is handed on or kept.
#[must_use]
pub fn own(payload: &Map<String, Value>) -> Map<String, Value> {
    let keep = |object: &Map<String, Value>, names: &[&str]| {
        let member = |name: &&str| Some((String::from(*name), object.get(*name)?.clone()));
        json::object(names.iter().filter_map(member))
    };
    let mut own = keep(payload, &["signature"]);
    if let Some(signed) = payload.get(AUTHORIZATION).and_then(Value::as_object) {
        let signed = keep(signed, &["from", "to", "value", "validAfter", "validBefore", "nonce"]);
        own.insert(String::from(AUTHORIZATION), Value::Object(signed));
    }
    if let Some(signed) = payload.get(PERMIT).and_then(Value::as_object) {
        let mut permit = keep(signed, &["from", "spender", "nonce", "deadline"]);
        // One that its payer has not signed would look like that of another scheme.
        let witness: &[&str] = match TransferMethod::of_permit(signed) {
            Ok(TransferMethod::Upto(_)) => &["to", "facilitator", "validAfter"],
            _ => &["to", "validAfter"],
        };
        let parts: [(_, &[&str]); 2] = [("permitted", &["token", "amount"]), ("witness", witness)];
        for (name, members) in parts {
            if let Some(part) = signed.get(name).and_then(Value::as_object) {
                permit.insert(String::from(name), Value::Object(keep(part, members)));
            }
        }
        own.insert(String::from(PERMIT), Value::Object(permit));
    }
    own
}

/// Whether a member of a payload proves another way to pay on EVM.
fn is_other_proof(name: &str) -> bool {
    matches!(name, "voucher" | "deposit" | "delegationManager" | "permissionContext")
}

const AUTHORIZATION: &str = "authorization";
/// The member with a permit.
pub const PERMIT: &str = "permit2Authorization";
