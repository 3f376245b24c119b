//! Values of Stellar's contracts in XDR, each with exactly one spelling.
//!
//! Spec: RFC 4506; Stellar, `SCVal` and `SCAddress`.

use super::bytes::{Bytes, holds};

/// Maximum nesting of values.
const MAX_DEPTH: u8 = 8;
/// Maximum length of a text or list of bytes in a value, bytes.
const MAX_SIZED: u32 = 4096;
/// Maximum values in one value.
const MAX_VALUES: u32 = 256;

pub(super) fn number(bytes: &mut Bytes) -> Option<u32> {
    bytes.array().map(u32::from_be_bytes)
}

/// Reads exactly this number.
pub(super) fn exactly(bytes: &mut Bytes, expected: u32) -> Option<()> {
    holds(number(bytes)? == expected)
}

/// Reads an empty list.
pub(super) fn empty(bytes: &mut Bytes) -> Option<()> {
    exactly(bytes, 0)
}

/// Values of one kind after their count.
pub(super) fn each<'a>(
    bytes: &mut Bytes<'a>,
    max: u32,
    mut read: impl FnMut(&mut Bytes<'a>) -> Option<()>,
) -> Option<()> {
    let count = number(bytes)?;
    holds(count <= max)?;
    for _ in 0..count {
        read(bytes)?;
    }
    Some(())
}

/// Bytes after their count, padded with zeros to a multiple of four.
pub(super) fn sized<'a>(bytes: &mut Bytes<'a>, max: u32) -> Option<&'a [u8]> {
    let count = number(bytes)?;
    holds(count <= max)?;
    let count = usize::try_from(count).ok()?;
    let content = bytes.take(count)?;
    let fill = bytes.take(count.next_multiple_of(4).checked_sub(count)?)?;
    holds(fill.iter().all(|byte| *byte == 0))?;
    Some(content)
}

/// An account, a contract, a multiplexed account, a balance or a pool.
pub(super) fn address(bytes: &mut Bytes) -> Option<()> {
    let count = match number(bytes)? {
        0 | 3 => {
            exactly(bytes, 0)?;
            32
        }
        1 | 4 => 32,
        2 => 8 + 32,
        _ => return None,
    };
    bytes.take(count).map(|_| ())
}

/// Reads a value.
pub(super) fn value(bytes: &mut Bytes) -> Option<()> {
    nested(bytes, MAX_DEPTH)
}

fn nested(bytes: &mut Bytes, depth: u8) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    let count = match number(bytes)? {
        0 => return holds(number(bytes)? <= 1),
        // Void, and the key of a contract's instance.
        1 | 20 => 0,
        // 32 bits; an error, or 64; 128; 256.
        3 | 4 => 4,
        2 | 5..=8 | 21 => 8,
        9 | 10 => 16,
        11 | 12 => 32,
        13..=15 => return sized(bytes, MAX_SIZED).map(|_| ()),
        16 => {
            exactly(bytes, 1)?;
            return each(bytes, MAX_VALUES, |bytes| nested(bytes, depth));
        }
        17 => {
            exactly(bytes, 1)?;
            return each(bytes, MAX_VALUES, |bytes| {
                nested(bytes, depth)?;
                nested(bytes, depth)
            });
        }
        18 => return address(bytes),
        _ => return None,
    };
    bytes.take(count).map(|_| ())
}
