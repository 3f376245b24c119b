//! Keccak-256 with its original padding, the hash of Ethereum; not SHA3-256.

use sha3::{Digest, Keccak256};

/// The hash of `bytes`.
#[must_use]
pub fn keccak256(bytes: &[u8]) -> [u8; 32] {
    Keccak256::digest(bytes).into()
}

/// The hash of the parts put one after the other.
#[must_use]
pub fn keccak256_parts(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Keccak256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}
