//! Evidence that value moved.

use core::fmt;

use alloc::string::String;

use farebox_base::encoding::hex;

/// Maximum length of a transaction's name, bytes: a Solana signature in base58 has 88.
const MAX_BYTES: usize = 96;
/// Minimum length of a transaction's name on a chain that the gate does not read, bytes.
const MIN_BYTES: usize = 16;
/// [`TxHash::PENDING`] in records. No transaction has so short a name.
const PENDING: &str = "pending";

/// Names a transaction: by its hash on an EVM chain, otherwise in the chain's own form.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TxHash {
    /// Padded with zeros.
    text: [u8; MAX_BYTES],
    bytes: u8,
}

impl TxHash {
    /// Parses `0x` and 64 hex digits, the only form of a hash on an EVM chain.
    ///
    /// # Examples
    /// ```
    /// use farebox_common::payment::TxHash;
    /// let name = format!("0x{}", "Ab".repeat(32));
    /// assert_eq!(TxHash::parse(&name).unwrap().as_str(), name.to_lowercase());
    /// assert_eq!(TxHash::parse("pending"), None);
    /// assert_eq!(TxHash::parse(&format!("0x{}", "0".repeat(64))), None);
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = hex::decode_array::<32>(text).ok().filter(|bytes| bytes != &[0; 32])?;
        Self::hold(&hex::encode_prefixed(&bytes))
    }

    /// Parses the name of a transaction on any chain: a hash as [`TxHash::parse`] reads it, or 16
    /// to 96 letters, digits and `._@=/+:-`.
    #[must_use]
    pub fn parse_any(text: &str) -> Option<Self> {
        let plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._@=/+:-".contains(&b));
        match Self::parse(text) {
            Some(hash) => Some(hash),
            // A word such as `pending`, or a malformed hash, is not a name.
            None if text.starts_with("0x") || text.len() < MIN_BYTES || !plain => None,
            None => Self::hold(text),
        }
    }

    /// No transaction yet: a facilitator owes the money and will move it in one that it has not
    /// named.
    pub const PENDING: Self = Self { text: [0; MAX_BYTES], bytes: 0 };

    /// Parses the name in a record of this project, which may be that of no transaction.
    #[must_use]
    pub fn recorded(text: &str) -> Option<Self> {
        if text == PENDING { Some(Self::PENDING) } else { Self::parse_any(text) }
    }

    /// Parses the name of a transaction on this network, a CAIP-2 id: strictly if it is an EVM one.
    #[must_use]
    pub fn on(network: &str, text: &str) -> Option<Self> {
        if network.starts_with("eip155:") { Self::parse(text) } else { Self::parse_any(text) }
    }

    fn hold(name: &str) -> Option<Self> {
        let mut text = [0; MAX_BYTES];
        text.get_mut(..name.len())?.copy_from_slice(name.as_bytes());
        Some(Self { text, bytes: u8::try_from(name.len()).ok()? })
    }

    /// The 32 bytes of a hash on an EVM chain; zeros for other names, which no such chain has.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; 32] {
        hex::decode_array::<32>(self.as_str()).unwrap_or_default()
    }

    /// The name: `0x` and 64 lower-case hex digits on an EVM chain, `pending` for none.
    #[must_use]
    pub fn as_str(&self) -> &str {
        if self.bytes == 0 { PENDING } else { self.on_wire() }
    }

    /// The name as payers read it: empty for none. Spec: x402 v2, "SettleResponse".
    #[must_use]
    pub fn on_wire(&self) -> &str {
        let name = self.text.get(..usize::from(self.bytes)).unwrap_or_default();
        core::str::from_utf8(name).unwrap_or_default()
    }

    /// The name, owned.
    #[must_use]
    pub fn to_text(&self) -> String {
        String::from(self.as_str())
    }
}

impl fmt::Display for TxHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for TxHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TxHash({self})")
    }
}

/// A payment that was made: the transaction that moved exactly the price to the recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settlement {
    /// The transaction.
    pub transaction: TxHash,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_evm_hash_is_one_text_whatever_its_letter_case() {
        let lower = alloc::format!("0x{}", "ab".repeat(32));
        let upper = alloc::format!("0x{}", "AB".repeat(32));
        assert_eq!(TxHash::parse(&upper).unwrap().as_str(), lower);
        assert_eq!(TxHash::parse(&upper), TxHash::parse_any(&lower));
        assert_eq!(TxHash::parse(&lower).unwrap().to_bytes(), [0xab; 32]);
    }

    #[test]
    fn other_chains_name_transactions_in_their_own_words() {
        let solana = "5VERv8NMvzbJMEkV8xnrLkEaWRtSz9CosKDYjCJjBRnbJLgp8uirBgmQpjKhoR4tjF3ZpRzrFmBV6UjKdiSZkQUW";
        assert_eq!(TxHash::parse_any(solana).unwrap().as_str(), solana);
        assert_eq!(TxHash::parse(solana), None);
        assert!(TxHash::parse_any("0.0.1234@1700000000.000000001").is_some());
        let zero = alloc::format!("0x{}", "0".repeat(64));
        let long = "a".repeat(97);
        for none in [
            "",
            PENDING,
            "0x1234567890abcdef",
            &zero,
            &long,
            "five words are no name here",
            "aaaaaaaaaaaaaaaaä",
        ] {
            assert_eq!(TxHash::parse_any(none), None, "{none}");
        }
    }
}
