//! A header value as strict JSON, and JSON as a header value.

use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Value};

use farebox_base::encoding::{base64, json};
use farebox_base::http::MAX_PROOF_BYTES;
use farebox_common::problem::Code;

/// A decoded proof header.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its members.
    pub object: Map<String, Value>,
}

/// Decodes a proof header: standard base64 of one JSON object without duplicate keys, of at most
/// [`json::MAX_PROOF_VALUES`] values.
///
/// The platform joins rows of one header with commas; identical copies count once.
///
/// # Errors
/// [`Code::ProofTooLarge`], [`Code::AmbiguousPayment`] for different copies, otherwise
/// [`Code::MalformedPayment`].
///
/// # Examples
/// ```
/// use farebox_common::problem::Code;
/// use farebox_wire::x402::header::{decode, version};
/// let message = decode("eyJ4NDAyVmVyc2lvbiI6Mn0=").unwrap();
/// assert_eq!(version(&message.object), Ok(2));
/// assert_eq!(decode(r#"{"x402Version":2}"#).unwrap_err(), Code::MalformedPayment);
/// assert_eq!(decode("eyJ4NDAyVmVyc2lvbiI6Mn0=, e30=").unwrap_err(), Code::AmbiguousPayment);
/// ```
pub fn decode(value: &str) -> Result<Message, Code> {
    let (_, object) = decode_within(value, MAX_PROOF_BYTES, json::MAX_PROOF_VALUES)?;
    Ok(Message { object })
}

/// As [`decode`], for a header of at most `max` bytes.
///
/// # Errors
/// As [`decode`].
pub fn decode_up_to(value: &str, max: usize) -> Result<Message, Code> {
    let (_, object) = decode_within(value, max, json::MAX_VALUES)?;
    Ok(Message { object })
}

/// The JSON text of such a header.
///
/// # Errors
/// As [`decode`].
pub fn text_up_to(value: &str, max: usize) -> Result<String, Code> {
    let (bytes, _) = decode_within(value, max, json::MAX_VALUES)?;
    String::from_utf8(bytes).map_err(|_| Code::MalformedPayment)
}

/// The decoded bytes, and their JSON object.
fn decode_within(
    value: &str,
    max: usize,
    values: usize,
) -> Result<(Vec<u8>, Map<String, Value>), Code> {
    if value.len() > max {
        return Err(Code::ProofTooLarge);
    }
    let mut copies = value.split(',').map(|part| part.trim_matches([' ', '\t']));
    let first = copies.next().unwrap_or_default();
    for copy in copies {
        if copy.is_empty() || first.is_empty() {
            return Err(Code::MalformedPayment);
        }
        if copy != first {
            return Err(Code::AmbiguousPayment);
        }
    }
    let bytes: Vec<u8> = base64::decode(first).map_err(|_| Code::MalformedPayment)?;
    let Ok(Value::Object(object)) = json::parse_within(&bytes, json::MAX_BYTES, values) else {
        return Err(Code::MalformedPayment);
    };
    Ok((bytes, object))
}

/// Encodes JSON text as a header value: standard base64 with padding.
///
/// # Examples
/// ```
/// use farebox_wire::x402::header::{encode, text_up_to};
/// assert_eq!(encode(r#"{"x402Version":2}"#), "eyJ4NDAyVmVyc2lvbiI6Mn0=");
/// assert_eq!(text_up_to("eyJ4NDAyVmVyc2lvbiI6Mn0=", 100).unwrap(), r#"{"x402Version":2}"#);
/// ```
#[must_use]
pub fn encode(json: &str) -> String {
    base64::encode(json.as_bytes())
}

/// The version a message names.
///
/// # Errors
/// [`Code::MalformedPayment`] if `x402Version` is not a small whole number.
pub fn version(object: &Map<String, Value>) -> Result<u64, Code> {
    object.get("x402Version").and_then(Value::as_u64).ok_or(Code::MalformedPayment)
}

/// A member that must be text.
///
/// # Errors
/// [`Code::MalformedPayment`] if it is missing or of another type.
pub fn text<'a>(object: &'a Map<String, Value>, name: &str) -> Result<&'a str, Code> {
    object.get(name).and_then(Value::as_str).ok_or(Code::MalformedPayment)
}

/// A member that must be an object.
///
/// # Errors
/// [`Code::MalformedPayment`] if it is missing or of another type.
pub fn object<'a>(
    object: &'a Map<String, Value>,
    name: &str,
) -> Result<&'a Map<String, Value>, Code> {
    object.get(name).and_then(Value::as_object).ok_or(Code::MalformedPayment)
}

/// A member that may be absent or `null`, and otherwise must be an object.
///
/// # Errors
/// [`Code::MalformedPayment`] if it is of another type.
pub fn optional_object<'a>(
    object: &'a Map<String, Value>,
    name: &str,
) -> Result<Option<&'a Map<String, Value>>, Code> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(inner)) => Ok(Some(inner)),
        Some(_) => Err(Code::MalformedPayment),
    }
}
