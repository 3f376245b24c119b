//! The members and values of a node's answer, each in the one spelling that the specification
//! allows.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::error::RpcError;
use farebox_base::amount::Amount;
use farebox_base::encoding::hex;

pub(super) fn member<'a>(
    object: &'a Map<String, Value>,
    name: &'static str,
) -> Result<&'a Value, RpcError> {
    object.get(name).ok_or(RpcError::Shape(name))
}

/// `0x` and 1 to 16 digits without a leading zero. Spec: execution API, "uint".
pub(super) fn quantity(value: &Value, name: &'static str) -> Result<u64, RpcError> {
    let digits = value.as_str().and_then(|text| text.strip_prefix("0x"));
    match digits.map(str::as_bytes) {
        Some([b'0']) => Ok(0),
        Some([b'1'..=b'9' | b'a'..=b'f' | b'A'..=b'F', rest @ ..])
            if rest.iter().all(u8::is_ascii_hexdigit) =>
        {
            digits
                .and_then(|digits| u64::from_str_radix(digits, 16).ok())
                .ok_or(RpcError::Shape(name))
        }
        _ => Err(RpcError::Shape(name)),
    }
}

/// As [`quantity`], with up to 64 digits.
pub(super) fn wide_quantity(value: &Value, name: &'static str) -> Result<Amount, RpcError> {
    let digits = value.as_str().and_then(|text| text.strip_prefix("0x")).unwrap_or_default();
    let canonical = digits == "0" || !digits.starts_with('0');
    if digits.is_empty() || !canonical {
        return Err(RpcError::Shape(name));
    }
    let word: [u8; 32] =
        hex::decode_array(&format!("0x{digits:0>64}")).map_err(|_| RpcError::Shape(name))?;
    Ok(Amount::from_be_bytes(word))
}

pub(super) fn bytes(value: &Value, name: &'static str) -> Result<Vec<u8>, RpcError> {
    value.as_str().and_then(|text| hex::decode_prefixed(text).ok()).ok_or(RpcError::Shape(name))
}

pub(super) fn array<const N: usize>(
    value: &Value,
    name: &'static str,
) -> Result<[u8; N], RpcError> {
    value.as_str().and_then(|text| hex::decode_array(text).ok()).ok_or(RpcError::Shape(name))
}
