//! The common part of Aptos and Sui: Binary Canonical Serialization, and the types of Move.
//!
//! Spec: BCS, "Format". Each value has one spelling: lengths are the shortest ULEB128, flags are 0
//! or 1.

use super::bytes::{Bytes, holds};

/// Bytes of an address, an object's id or a digest.
pub(super) const ADDRESS: usize = 32;
/// Maximum nesting of types.
const MAX_DEPTH: u8 = 8;

/// A length or the number of a variant.
pub(super) fn length(bytes: &mut Bytes) -> Option<usize> {
    let mut value = 0_u32;
    for shift in [0, 7, 14, 21] {
        let byte = bytes.byte()?;
        value |= u32::from(byte & 0x7f).checked_shl(shift)?;
        if byte < 0x80 {
            holds(byte != 0 || shift == 0)?;
            return usize::try_from(value).ok();
        }
    }
    None
}

/// Bytes after their length.
pub(super) fn sized<'a>(bytes: &mut Bytes<'a>) -> Option<&'a [u8]> {
    let length = length(bytes)?;
    bytes.take(length)
}

/// A name of a module, function or type.
pub(super) fn name(bytes: &mut Bytes) -> Option<()> {
    let name = sized(bytes)?;
    let plain = name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$'));
    holds(plain && !name.is_empty())
}

/// Whether an optional value follows.
pub(super) fn flag(bytes: &mut Bytes) -> Option<bool> {
    match bytes.byte()? {
        0 => Some(false),
        1 => Some(true),
        _ => None,
    }
}

/// Values of one kind after their count.
pub(super) fn list<'a>(
    bytes: &mut Bytes<'a>,
    mut each: impl FnMut(&mut Bytes<'a>) -> Option<()>,
) -> Option<()> {
    for _ in 0..length(bytes)? {
        each(bytes)?;
    }
    Some(())
}

/// A type of Move.
pub(super) fn type_tag(bytes: &mut Bytes) -> Option<()> {
    nested_type(bytes, MAX_DEPTH)
}

fn nested_type(bytes: &mut Bytes, depth: u8) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    match bytes.byte()? {
        // bool, u8, u64, u128, address, signer; u16, u32, u256.
        0..=5 | 8..=10 => Some(()),
        6 => nested_type(bytes, depth),
        7 => {
            bytes.take(ADDRESS)?;
            name(bytes)?;
            name(bytes)?;
            list(bytes, |bytes| nested_type(bytes, depth))
        }
        _ => None,
    }
}
