//! A transfer on Hedera: one transaction, written once for each node that may accept it.
//!
//! Spec: x402 scheme `exact` on Hedera; Hedera, `TransactionList`, `SignedTransaction` and
//! `TransactionBody` in Protocol Buffers. The network accepts a transaction id once, regardless of
//! the rest of the body, so the id alone is the identity.

use alloc::format;
use alloc::string::String;

use super::bytes::{Bytes, holds};

/// Maximum nodes of a list.
const MAX_NODES: u32 = 64;
/// Nanoseconds of a second. A decoder keeps the low 32 bits of more, which is the same id again.
const NANOS: u64 = 1_000_000_000;

/// The transaction's id in the network's own form: `0.0.1235@1740671489.5`.
pub(super) fn single_use(list: &[u8]) -> Option<String> {
    let mut bytes = Bytes::new(list);
    let mut name = None;
    let mut nodes = MAX_NODES;
    while bytes.peek().is_some() {
        nodes = nodes.checked_sub(1)?;
        holds(head(&mut bytes)? == (1, Wire::Sized))?;
        let id = transaction(sized(&mut bytes)?)?;
        // All copies must be the same transaction, or there would be several.
        holds(*name.get_or_insert_with(|| id.clone()) == id)?;
    }
    name
}

/// The signed transaction, in the only field that is still in use.
fn transaction(bytes: &[u8]) -> Option<String> {
    let signed = only(bytes, 5)?;
    let mut bytes = Bytes::new(signed);
    holds(head(&mut bytes)? == (1, Wire::Sized))?;
    let body = sized(&mut bytes)?;
    if bytes.peek().is_some() {
        holds(head(&mut bytes)? == (2, Wire::Sized))?;
        sized(&mut bytes)?;
    }
    bytes.end()?;
    self::body(body)
}

/// Id, node, fee, seconds of validity, memo, and a transfer: every field once and in order.
fn body(body: &[u8]) -> Option<String> {
    let mut bytes = Bytes::new(body);
    let (mut last, mut id) = (0, None);
    while bytes.peek().is_some() {
        let (field, wire) = head(&mut bytes)?;
        holds(field > last)?;
        last = field;
        match (field, wire) {
            (1, Wire::Sized) => id = Some(transaction_id(sized(&mut bytes)?)?),
            (2 | 4 | 6 | 14, Wire::Sized) => drop(sized(&mut bytes)?),
            (3 | 5, Wire::Number) => drop(number(&mut bytes)?),
            _ => return None,
        }
    }
    holds(last == 14)?;
    id
}

/// Start of its validity, and the fee payer.
fn transaction_id(bytes: &[u8]) -> Option<String> {
    let mut bytes = Bytes::new(bytes);
    holds(head(&mut bytes)? == (1, Wire::Sized))?;
    let [seconds, nanos, _] = numbers(sized(&mut bytes)?, 2)?;
    holds(nanos < NANOS)?;
    holds(head(&mut bytes)? == (2, Wire::Sized))?;
    let [shard, realm, account] = numbers(sized(&mut bytes)?, 3)?;
    // Neither scheduled nor part of another transaction.
    let mut last = 2;
    while bytes.peek().is_some() {
        let (field, wire) = head(&mut bytes)?;
        holds(wire == Wire::Number && field > last && field <= 4 && number(&mut bytes)? == 0)?;
        last = field;
    }
    Some(format!("{shard}.{realm}.{account}@{seconds}.{nanos}"))
}

/// The numbers of the first fields; a field that is zero may be omitted.
fn numbers(bytes: &[u8], fields: u32) -> Option<[u64; 3]> {
    let mut bytes = Bytes::new(bytes);
    let (mut last, mut found) = (0, [0; 3]);
    while bytes.peek().is_some() {
        let (field, wire) = head(&mut bytes)?;
        holds(wire == Wire::Number && field > last && field <= fields)?;
        last = field;
        let place = usize::try_from(field.checked_sub(1)?).ok()?;
        *found.get_mut(place)? = number(&mut bytes)?;
    }
    Some(found)
}

/// The bytes of the only field.
fn only(bytes: &[u8], field: u32) -> Option<&[u8]> {
    let mut bytes = Bytes::new(bytes);
    holds(head(&mut bytes)? == (field, Wire::Sized))?;
    let content = sized(&mut bytes)?;
    bytes.end()?;
    Some(content)
}

/// Encoding of a field; fields of other encodings do not occur here.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wire {
    Number,
    Sized,
}

/// The number of the next field, and its encoding.
fn head(bytes: &mut Bytes) -> Option<(u32, Wire)> {
    let head = u32::try_from(number(bytes)?).ok()?;
    let wire = match head & 7 {
        0 => Wire::Number,
        2 => Wire::Sized,
        _ => return None,
    };
    Some((head >> 3, wire))
}

fn sized<'a>(bytes: &mut Bytes<'a>) -> Option<&'a [u8]> {
    let count = usize::try_from(number(bytes)?).ok()?;
    bytes.take(count)
}

/// A number of seven bits per byte, in its shortest form.
fn number(bytes: &mut Bytes) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..=63).step_by(7) {
        let byte = bytes.byte()?;
        let part = u64::from(byte & 0x7f);
        holds(shift < 63 || part <= 1)?;
        value |= part.checked_shl(shift)?;
        if byte < 0x80 {
            holds(byte != 0 || shift == 0)?;
            return Some(value);
        }
    }
    None
}
