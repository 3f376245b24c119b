//! Extension `payment-identifier`: a secret of the payer's, with which a lost answer can be
//! requested again.
//!
//! Spec: x402 extension "payment-identifier". A stock client sends one only if it is announced.

use alloc::borrow::ToOwned;
use alloc::string::String;

use serde_json::{Map, Value};

/// The extension's name in `extensions`.
pub const NAME: &str = "payment-identifier";
/// The announcement, JSON: an identifier is welcome, and not required.
pub const ANNOUNCED: &str = r#"{"info":{"required":false},"schema":{"type":"object","properties":{"required":{"type":"boolean"},"id":{"type":"string","minLength":16,"maxLength":128,"pattern":"^[a-zA-Z0-9_-]+$"}},"required":["required"]}}"#;

/// The identifier among the extensions that a payer sent: 16 to 128 characters of `[A-Za-z0-9_-]`.
#[must_use]
pub fn read(extensions: Option<&Map<String, Value>>) -> Option<String> {
    let id = extensions?.get(NAME)?.get("info")?.get("id")?.as_str()?;
    let is_plain = id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    ((16..=128).contains(&id.len()) && is_plain).then(|| id.to_owned())
}
