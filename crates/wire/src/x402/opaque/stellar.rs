//! A payment on Stellar: an envelope around one contract call, and the payer's authorization of it.
//!
//! Spec: x402 scheme `exact` on Stellar; Stellar, `TransactionEnvelope` and
//! `SorobanAuthorizationEntry` in XDR. Facilitators take the call and its authorization out of the
//! envelope and wrap them in their own, and the ledger accepts the authorization's nonce once. So
//! neither the envelope nor the signature is part of the identity.

use alloc::vec::Vec;

use super::bytes::{Bytes, holds};
use super::xdr::{address, each, empty, exactly, number, sized, value};

/// Bytes of a key or hash.
const KEY: usize = 32;
/// The only kind of operation: invoking a host function.
const INVOKE: u32 = 24;

/// Address, nonce, last ledger and call of the authorization.
pub(super) fn single_use(envelope: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Bytes::new(envelope);
    // A transaction of version 1.
    exactly(&mut bytes, 2)?;
    account(&mut bytes)?;
    // Fee and sequence number.
    bytes.take(4 + 8)?;
    preconditions(&mut bytes)?;
    memo(&mut bytes)?;
    exactly(&mut bytes, 1)?;
    optional(&mut bytes, account)?;
    exactly(&mut bytes, INVOKE)?;
    // A contract call.
    exactly(&mut bytes, 0)?;
    let start = bytes.clone();
    call(&mut bytes)?;
    let called = bytes.since(&start)?;
    let name = authorization(&mut bytes, called)?;
    resources(&mut bytes)?;
    each(&mut bytes, 20, |bytes| {
        bytes.take(4)?;
        sized(bytes, 64).map(|_| ())
    })?;
    bytes.end()?;
    Some(name)
}

/// One authorization, by its own address and for exactly this call: with several, one transaction
/// would have several identities.
fn authorization(bytes: &mut Bytes, called: &[u8]) -> Option<Vec<u8>> {
    exactly(bytes, 1)?;
    // By an address, not by the sender of the envelope.
    exactly(bytes, 1)?;
    let start = bytes.clone();
    address(bytes)?;
    // Nonce and last ledger.
    bytes.take(8 + 4)?;
    let mut name = bytes.since(&start)?.to_vec();
    value(bytes)?;
    let start = bytes.clone();
    exactly(bytes, 0)?;
    let function = bytes.clone();
    call(bytes)?;
    holds(bytes.since(&function)? == called)?;
    empty(bytes)?;
    name.extend_from_slice(bytes.since(&start)?);
    Some(name)
}

/// Contract, function, arguments.
fn call(bytes: &mut Bytes) -> Option<()> {
    address(bytes)?;
    sized(bytes, 32)?;
    each(bytes, 32, value)
}

/// An account, or a multiplexed one.
fn account(bytes: &mut Bytes) -> Option<()> {
    let count = match number(bytes)? {
        0 => KEY,
        0x100 => 8 + KEY,
        _ => return None,
    };
    bytes.take(count).map(|_| ())
}

fn optional<'a>(
    bytes: &mut Bytes<'a>,
    read: impl FnOnce(&mut Bytes<'a>) -> Option<()>,
) -> Option<()> {
    match number(bytes)? {
        0 => Some(()),
        1 => read(bytes),
        _ => None,
    }
}

fn preconditions(bytes: &mut Bytes) -> Option<()> {
    let skip = |count| move |bytes: &mut Bytes| bytes.take(count).map(|_| ());
    match number(bytes)? {
        0 => Some(()),
        1 => skip(16)(bytes),
        2 => {
            // Bounds of time, bounds of ledgers, least sequence number; its age and gap.
            optional(bytes, skip(16))?;
            optional(bytes, skip(8))?;
            optional(bytes, skip(8))?;
            bytes.take(8 + 4)?;
            each(bytes, 2, |bytes| match number(bytes)? {
                0..=2 => skip(KEY)(bytes),
                3 => {
                    bytes.take(KEY)?;
                    sized(bytes, 64).map(|_| ())
                }
                _ => None,
            })
        }
        _ => None,
    }
}

fn memo(bytes: &mut Bytes) -> Option<()> {
    match number(bytes)? {
        0 => Some(()),
        1 => sized(bytes, 28).map(|_| ()),
        2 => bytes.take(8).map(|_| ()),
        3 | 4 => bytes.take(KEY).map(|_| ()),
        _ => None,
    }
}

/// Resources that the call may read, write and use.
fn resources(bytes: &mut Bytes) -> Option<()> {
    exactly(bytes, 1)?;
    match number(bytes)? {
        0 => {}
        1 => each(bytes, 64, |bytes| bytes.take(4).map(|_| ()))?,
        _ => return None,
    }
    each(bytes, 64, ledger_key)?;
    each(bytes, 64, ledger_key)?;
    bytes.take(4 + 4 + 4 + 8).map(|_| ())
}

/// A ledger key of an account, a trust line, a contract's data or its code.
fn ledger_key(bytes: &mut Bytes) -> Option<()> {
    match number(bytes)? {
        0 => {
            exactly(bytes, 0)?;
            bytes.take(KEY).map(|_| ())
        }
        1 => {
            exactly(bytes, 0)?;
            bytes.take(KEY)?;
            let code = match number(bytes)? {
                1 => 4,
                2 => 12,
                _ => return None,
            };
            bytes.take(code)?;
            exactly(bytes, 0)?;
            bytes.take(KEY).map(|_| ())
        }
        6 => {
            address(bytes)?;
            value(bytes)?;
            holds(number(bytes)? <= 1)
        }
        7 => bytes.take(KEY).map(|_| ()),
        _ => None,
    }
}
