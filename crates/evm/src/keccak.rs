//! Keccak-256 with its original padding, the hash of Ethereum; not SHA3-256.

use sha3::{Digest, Keccak256};

/// The hash of `bytes`.
///
/// # Examples
/// ```
/// use farebox_base::encoding::hex;
/// use farebox_evm::keccak::keccak256;
/// let nothing = "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470";
/// assert_eq!(hex::encode(&keccak256(b"")), nothing);
/// ```
#[must_use]
pub fn keccak256(bytes: &[u8]) -> [u8; 32] {
    Keccak256::digest(bytes).into()
}

/// The hash of the concatenated parts.
#[must_use]
pub fn keccak256_parts(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Keccak256::new();
    for part in parts {
        hash.update(part);
    }
    hash.finalize().into()
}
