//! Scheme `exact` on EVM with EIP-3009: where its payload keeps what the payer signed.
//!
//! Spec: x402 scheme `exact` on EVM.

use alloc::string::String;

use serde_json::{Map, Value};

use super::header;
use crate::mutant::{Mutant, planted};
use crate::payment::authorization::SignedAuthorization;
use crate::problem::Code;

/// The scheme's name on the wire.
pub const SCHEME: &str = "exact";

/// Reads `{signature, authorization: {from, to, value, validAfter, validBefore, nonce}}`.
///
/// # Errors
/// [`Code::MalformedPayment`] if a member is missing, of another type or not in its canonical form, or if the payload
/// carries a second proof.
pub fn read(payload: &Map<String, Value>) -> Result<SignedAuthorization, Code> {
    let members = header::object(payload, "authorization")?;
    // The one that was checked might not be the one that is settled.
    if payload.keys().any(|name| is_other_proof(name)) {
        return Err(Code::MalformedPayment);
    }
    SignedAuthorization::parse(members, header::text(payload, "signature")?)
}

/// The members of a payload that [`read`] took, each as it came.
#[must_use]
pub fn own(payload: &Map<String, Value>) -> Map<String, Value> {
    if planted(Mutant::JunkIsKept) {
        return payload.clone();
    }
    let keep = |object: &Map<String, Value>, names: &[&str]| {
        let member = |name: &&str| Some((String::from(*name), object.get(*name)?.clone()));
        names.iter().filter_map(member).collect::<Map<_, _>>()
    };
    let mut own = keep(payload, &["signature"]);
    if let Some(signed) = payload.get("authorization").and_then(Value::as_object) {
        let signed = keep(signed, &["from", "to", "value", "validAfter", "validBefore", "nonce"]);
        own.insert(String::from("authorization"), Value::Object(signed));
    }
    own
}

/// Members of a payload that carry the proof of another way to pay on EVM.
fn is_other_proof(name: &str) -> bool {
    matches!(
        name,
        "permit2Authorization" | "voucher" | "deposit" | "delegationManager" | "permissionContext"
    )
}
