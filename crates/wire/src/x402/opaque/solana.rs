//! A transaction of Solana: the message that its signers sign, to the last byte.
//!
//! Spec: Solana, "Transactions": a compact array of signatures, then the message, of the legacy
//! form or of version 0. A message names its fee payer, so the sender cannot change anything in it.
//! The signatures before it are not part of the identity: the fee payer's is still missing, and the
//! placeholder is replaced.

use super::bytes::{Bytes, holds};

/// Maximum size of a transaction that fits into a packet, bytes.
const MAX_BYTES: usize = 1232;
/// Bytes of a signature, and of a key or hash.
const SIGNATURE: usize = 64;
const KEY: usize = 32;
/// Marks a message that is not a legacy one; the rest of the byte is its version.
const VERSIONED: u8 = 0x80;

/// The message of a transaction.
pub(super) fn single_use(transaction: &[u8]) -> Option<&[u8]> {
    holds(transaction.len() <= MAX_BYTES)?;
    let mut bytes = Bytes::new(transaction);
    let signatures = compact(&mut bytes)?;
    bytes.take(signatures.checked_mul(SIGNATURE)?)?;
    let message = bytes.rest();
    let is_version_0 = match bytes.peek()? {
        VERSIONED => {
            bytes.byte()?;
            true
        }
        first => {
            holds(first < VERSIONED)?;
            false
        }
    };
    let [required, readonly_signed, readonly_unsigned] = bytes.array()?.map(usize::from);
    let keys = compact(&mut bytes)?;
    holds(
        signatures == required
            && readonly_signed < required
            && required.checked_add(readonly_unsigned)? <= keys,
    )?;
    bytes.take(keys.checked_mul(KEY)?)?;
    bytes.take(KEY)?;
    for _ in 0..compact(&mut bytes)? {
        bytes.byte()?;
        list(&mut bytes)?;
        list(&mut bytes)?;
    }
    if is_version_0 {
        for _ in 0..compact(&mut bytes)? {
            bytes.take(KEY)?;
            list(&mut bytes)?;
            list(&mut bytes)?;
        }
    }
    bytes.end()?;
    Some(message)
}

/// Single bytes after their count.
fn list(bytes: &mut Bytes) -> Option<()> {
    let count = compact(bytes)?;
    bytes.take(count).map(|_| ())
}

/// A count in one to three bytes, seven bits each, in its shortest form. Spec: Solana, "Compact-u16
/// format".
fn compact(bytes: &mut Bytes) -> Option<usize> {
    let mut count = 0_u32;
    for shift in [0, 7, 14] {
        let byte = bytes.byte()?;
        count |= u32::from(byte & 0x7f).checked_shl(shift)?;
        if byte < 0x80 {
            holds(byte != 0 || shift == 0)?;
            return usize::from(u16::try_from(count).ok()?).into();
        }
    }
    None
}
