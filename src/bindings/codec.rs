//! Payment headers, for the payer and for programs that work without it.

use alloc::string::String;

use farebox_core::mpp::credential::{CredentialSearch, find};
use farebox_core::x402::header;
use wasm_bindgen::prelude::*;

use super::failure::refused;

/// Longest header that is decoded, bytes.
const MAX_HEADER_BYTES: usize = 64 * 1024;

/// The JSON text in a payment header of any kind.
#[wasm_bindgen(js_name = decodeHeader)]
pub fn decode_header(value: &str) -> Result<String, JsValue> {
    header::text_up_to(value, MAX_HEADER_BYTES).map_err(|_| {
        refused("invalid_header", "this is not base64 of one JSON object without duplicate keys")
    })
}

/// JSON text as a payment header.
#[wasm_bindgen(js_name = encodeHeader)]
#[must_use]
pub fn encode_header(json: &str) -> String {
    header::encode(json)
}

/// Whether an `Authorization` carries a payment already.
#[wasm_bindgen(js_name = carriesPayment)]
#[must_use]
pub fn carries_payment(authorization: &str) -> bool {
    find(core::iter::once(authorization)) != CredentialSearch::None
}
