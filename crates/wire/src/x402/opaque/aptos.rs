//! A payment on Aptos: JSON of two lists of bytes, a transaction and its sender's authenticator.
//!
//! Spec: x402 scheme `exact` on Aptos; Aptos, `RawTransaction` in BCS. The chain accepts the raw
//! transaction once. The fee payer comes after it, and may be filled in by the facilitator, so it
//! is not part of the identity.

use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::bcs::{ADDRESS, flag, list, name, sized, type_tag};
use super::bytes::{Bytes, holds};
use farebox_base::encoding::json;

/// A payload that calls a function: the only kind that pays.
const CALL: u8 = 2;
/// Kinds of authenticators: of one Ed25519 key, of several, of another key, of several others.
const AUTHENTICATORS: core::ops::RangeInclusive<u8> = 0..=3;
/// Bytes of the authenticator of one Ed25519 key: its kind, and key and signature after their
/// lengths.
const ED25519: usize = 1 + 33 + 65;

/// The raw transaction.
pub(super) fn single_use(text: &[u8]) -> Option<Vec<u8>> {
    let Ok(Value::Object(object)) = json::parse(text) else { return None };
    holds(object.len() == 2)?;
    let transaction = numbers(&object, "transaction")?;
    authenticator(&numbers(&object, "senderAuthenticator")?)?;
    let start = Bytes::new(&transaction);
    let mut bytes = start.clone();
    raw_transaction(&mut bytes)?;
    let raw = bytes.since(&start)?.to_vec();
    if flag(&mut bytes)? {
        bytes.take(ADDRESS)?;
    }
    bytes.end()?;
    Some(raw)
}

/// A list of bytes, each as a whole number.
fn numbers(object: &Map<String, Value>, name: &str) -> Option<Vec<u8>> {
    let byte = |value: &Value| value.as_u64().and_then(|number| u8::try_from(number).ok());
    object.get(name)?.as_array()?.iter().map(byte).collect()
}

fn raw_transaction(bytes: &mut Bytes) -> Option<()> {
    // Sender and sequence number.
    bytes.take(ADDRESS)?;
    bytes.take(8)?;
    holds(bytes.byte()? == CALL)?;
    bytes.take(ADDRESS)?;
    name(bytes)?;
    name(bytes)?;
    list(bytes, type_tag)?;
    list(bytes, |bytes| sized(bytes).map(|_| ()))?;
    // Gas limit, gas price, expiry in seconds, chain.
    bytes.take(8 + 8 + 8 + 1).map(|_| ())
}

/// Skips the authenticator of any signer; the signature is not part of the identity, so only its
/// frame is checked.
fn authenticator(bytes: &[u8]) -> Option<()> {
    match bytes {
        [0, 32, rest @ ..] => holds(bytes.len() == ED25519 && rest.get(32) == Some(&64)),
        [0, ..] => None,
        [kind, ..] => holds(AUTHENTICATORS.contains(kind)),
        [] => None,
    }
}
