//! The request to the facilitator to settle a payout.

use alloc::string::String;

use serde_json::Value;

use crate::row::AttemptRow;
use farebox_base::encoding::{base64, json};
use farebox_wire::facilitator::wire::request;
use farebox_wire::x402::Version;

/// The body for the facilitator, from the header that was signed and the terms that it pays.
pub(crate) fn body(attempt: &AttemptRow, terms: &[(String, String)]) -> Option<String> {
    let decoded = |value: &str| -> Option<Value> {
        let bytes = base64::decode(value).ok()?;
        json::parse_with(&bytes, 64 * 1024).ok()
    };
    let (_, payment) = attempt.header.as_ref()?;
    let payment = decoded(payment)?;
    let (_, terms) = terms.first()?;
    let terms = decoded(terms)?;
    let requirements = terms.get("accepts")?.get(0)?;
    Some(request(Version::V2, &payment, requirements))
}
