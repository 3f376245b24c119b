//! What targets share: reading inputs, and comparing values.

use arbitrary::Unstructured;
use farebox_core::encoding::json;
use farebox_core::evm::address::Address;
use farebox_core::payment::authorization::SignedAuthorization;
use serde_json::{Map, Value};

use crate::driver::notes::met;

/// The input as text; none if it is no UTF-8.
pub fn text(bytes: &[u8]) -> Option<&str> {
    str::from_utf8(bytes).ok()
}

/// The input as a JSON object that this project reads.
pub fn object(bytes: &[u8]) -> Option<Map<String, Value>> {
    match json::parse(bytes) {
        Ok(Value::Object(object)) => Some(object),
        Ok(_) => None,
        Err(error) => {
            met(error);
            None
        }
    }
}

/// A text of up to so many characters, from characters that mean something to some reader and any others.
pub fn words(from: &mut Unstructured<'_>, most: usize) -> arbitrary::Result<String> {
    let length = from.int_in_range(0..=most)?;
    (0..length)
        .map(|_| match from.int_in_range(0_u8..=40)? {
            place @ 0..32 => {
                Ok(char::from(b"aZ09\"\\,= ';/:|u{}-_+&?#%.<>\r\n\t\0P"[usize::from(place)]))
            }
            _ => from.arbitrary(),
        })
        .collect()
}

/// The other case of each letter of a hexadecimal text.
pub fn other_case(text: &str) -> String {
    let swapped = |letter: char| {
        if letter.is_ascii_lowercase() {
            letter.to_ascii_uppercase()
        } else {
            letter.to_ascii_lowercase()
        }
    };
    match text.strip_prefix("0x") {
        Some(digits) => format!("0x{}", digits.chars().map(swapped).collect::<String>()),
        None => text.to_owned(),
    }
}

/// Changes every text of a value.
pub fn respelled(value: &Value, spell: fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => Value::String(spell(text)),
        Value::Array(items) => items.iter().map(|item| respelled(item, spell)).collect(),
        Value::Object(object) => {
            let members = object.iter().map(|(name, it)| (name.clone(), respelled(it, spell)));
            Value::Object(members.collect())
        }
        other => other.clone(),
    }
}

/// Everything that a signed authorization says.
pub fn said(signed: &SignedAuthorization) -> String {
    let (signature, method) = (signed.signature_hex(), signed.method());
    format!("{:?} {signature} {method:?}", signed.authorization())
}

/// An address as another library has it.
pub fn theirs(address: &Address) -> alloy_primitives::Address {
    alloy_primitives::Address::from(*address.as_bytes())
}
