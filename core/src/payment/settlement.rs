//! Evidence that value moved.

use core::fmt;

use alloc::string::String;

use crate::encoding::hex;

/// Hash of a transaction on an EVM chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TxHash([u8; 32]);

impl TxHash {
    /// Reads `0x` and 64 hex digits; nothing else is a hash.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        hex::decode_array::<32>(text).ok().filter(|bytes| bytes != &[0; 32]).map(Self)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// `0x` and 64 lower-case hex digits.
    #[must_use]
    pub fn to_text(&self) -> String {
        hex::encode_prefixed(&self.0)
    }
}

impl fmt::Display for TxHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}

/// A payment that was made: the transaction that moved exactly the price to the recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The transaction.
    pub transaction: TxHash,
}
