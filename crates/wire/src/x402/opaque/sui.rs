//! A transaction of Sui, as payer and sponsor both sign it: the chain accepts all of it once.
//!
//! Spec: x402 scheme `exact` on Sui; Sui, `TransactionData` in BCS: version 1, a programmable
//! transaction.

use super::bcs::{ADDRESS, flag, length, list, name, sized, type_tag};
use super::bytes::{Bytes, holds};

/// The transaction, if it is exactly one.
pub(super) fn single_use(transaction: &[u8]) -> Option<&[u8]> {
    let mut bytes = Bytes::new(transaction);
    // Version 1; programmable.
    holds(bytes.array()? == [0, 0])?;
    list(&mut bytes, input)?;
    list(&mut bytes, command)?;
    // The sender; the gas objects, their owner, price and budget.
    bytes.take(ADDRESS)?;
    list(&mut bytes, object)?;
    bytes.take(ADDRESS + 8 + 8)?;
    match bytes.byte()? {
        0 => {}
        // Until an epoch.
        1 => drop(bytes.take(8)?),
        _ => return None,
    }
    bytes.end()?;
    Some(transaction)
}

/// An object's id, version and digest.
fn object(bytes: &mut Bytes) -> Option<()> {
    bytes.take(ADDRESS + 8)?;
    holds(sized(bytes)?.len() == ADDRESS)
}

/// Plain bytes, or an object: owned, shared or received.
fn input(bytes: &mut Bytes) -> Option<()> {
    match bytes.byte()? {
        0 => sized(bytes).map(|_| ()),
        1 => match bytes.byte()? {
            0 | 2 => object(bytes),
            1 => {
                bytes.take(ADDRESS + 8)?;
                flag(bytes).map(|_| ())
            }
            _ => None,
        },
        _ => None,
    }
}

/// A call, transfer, split, merge or vector. Publishing code is not a payment.
fn command(bytes: &mut Bytes) -> Option<()> {
    match length(bytes)? {
        0 => {
            bytes.take(ADDRESS)?;
            name(bytes)?;
            name(bytes)?;
            list(bytes, type_tag)?;
            list(bytes, argument)
        }
        1 => {
            list(bytes, argument)?;
            argument(bytes)
        }
        2 | 3 => {
            argument(bytes)?;
            list(bytes, argument)
        }
        5 => {
            if flag(bytes)? {
                type_tag(bytes)?;
            }
            list(bytes, argument)
        }
        _ => None,
    }
}

/// The gas coin, an input, a result, or a part of one.
fn argument(bytes: &mut Bytes) -> Option<()> {
    let count = match bytes.byte()? {
        0 => 0,
        1 | 2 => 2,
        3 => 4,
        _ => return None,
    };
    bytes.take(count).map(|_| ())
}
