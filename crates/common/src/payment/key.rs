//! The idempotency identity of one payment.

use core::fmt;

use alloc::string::String;

use farebox_base::encoding::hex;
use farebox_evm::address::Address;
use farebox_evm::keccak::keccak256_parts;

/// Identifies one payment by what the chain treats as single-use; never header text and never the
/// signature.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PaymentKey([u8; 32]);

impl PaymentKey {
    /// The key of an EIP-3009 authorization: chain, token, payer and nonce.
    #[must_use]
    pub fn of_authorization(
        chain_id: u64,
        asset: &Address,
        from: &Address,
        nonce: &[u8; 32],
    ) -> Self {
        Self(keccak256_parts(&[
            b"eip3009",
            &chain_id.to_be_bytes(),
            asset.as_bytes(),
            from.as_bytes(),
            nonce,
        ]))
    }

    /// The key of a Permit2 permit: chain, payer and nonce, whatever the token.
    #[must_use]
    pub fn of_permit(chain_id: u64, from: &Address, nonce: &[u8; 32]) -> Self {
        Self(keccak256_parts(&[b"permit2", &chain_id.to_be_bytes(), from.as_bytes(), nonce]))
    }

    /// The key of a payment by its own transaction: chain and hash, the same whether its bytes or
    /// its hash were shown.
    #[must_use]
    pub fn of_transaction(chain_id: u64, hash: &[u8; 32]) -> Self {
        Self(keccak256_parts(&[b"transaction", &chain_id.to_be_bytes(), hash]))
    }

    /// The key of a payment on a chain that the gate does not read: the network, and the bytes that
    /// the chain accepts once.
    #[must_use]
    pub fn of_bytes(network: &str, bytes: &[u8]) -> Self {
        Self(keccak256_parts(&[b"opaque", network.as_bytes(), b"\0", bytes]))
    }

    /// The key with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// 64 hex digits.
    ///
    /// # Examples
    /// ```
    /// use farebox_common::payment::PaymentKey;
    /// let key = PaymentKey::from_bytes([0xab; 32]);
    /// assert_eq!(key.to_hex(), "ab".repeat(32));
    /// // Less goes to a log.
    /// assert_eq!(format!("{key:?}"), "abababab");
    /// ```
    #[must_use]
    pub fn to_hex(&self) -> String {
        hex::encode(&self.0)
    }
}

/// The first 8 hex digits: enough to find a payment in a log, too little to be one.
impl fmt::Debug for PaymentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.to_hex();
        write!(f, "{}", text.get(..8).unwrap_or_default())
    }
}
