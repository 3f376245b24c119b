//! EIP-3009 `TransferWithAuthorization`: the payer's signed permission to move tokens once.

use crate::address::Address;
use crate::eip712;
use crate::keccak::{keccak256, keccak256_parts};
use farebox_base::amount::Amount;
use farebox_base::time::UnixTime;

/// The data that the payer signs under x402 `exact`.
///
/// Spec: EIP-3009; x402 `exact` on EVM, "Payload".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Authorization {
    /// The payer.
    pub from: Address,
    /// The payee.
    pub to: Address,
    /// Atomic units of the token.
    pub value: Amount,
    /// The last second at which it is not yet valid.
    pub valid_after: UnixTime,
    /// The first second at which it is no longer valid.
    pub valid_before: UnixTime,
    /// Chosen by the payer; the token accepts each once per payer.
    pub nonce: [u8; 32],
}

impl Authorization {
    /// The EIP-712 hash of the struct.
    #[must_use]
    pub fn struct_hash(&self) -> [u8; 32] {
        self.hash_as(&TYPE_HASH)
    }

    /// The digest under `ReceiveWithAuthorization`, which only the payee may present: how a
    /// contract takes a deposit.
    #[must_use]
    pub fn receive_digest(&self, separator: &[u8; 32]) -> [u8; 32] {
        eip712::digest(separator, &self.hash_as(&keccak256(RECEIVE_TYPE.as_bytes())))
    }

    fn hash_as(&self, type_hash: &[u8; 32]) -> [u8; 32] {
        keccak256_parts(&[
            type_hash,
            &self.from.to_word(),
            &self.to.to_word(),
            &self.value.to_be_bytes(),
            &Amount::from_u64(self.valid_after.secs()).to_be_bytes(),
            &Amount::from_u64(self.valid_before.secs()).to_be_bytes(),
            &self.nonce,
        ])
    }

    /// The EIP-712 digest that is signed, under the token's domain separator.
    ///
    /// # Examples
    /// ```
    /// use farebox_base::{amount::Amount, encoding::hex, time::UnixTime};
    /// use farebox_evm::{address::Address, eip3009::Authorization};
    /// let signed = Authorization {
    ///     from: Address::parse("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266").unwrap(),
    ///     to: Address::parse("0x209693Bc6afc0C5328bA36FaF03C514EF312287C").unwrap(),
    ///     value: Amount::from_u64(10_000),
    ///     valid_after: UnixTime::from_secs(0),
    ///     valid_before: UnixTime::from_secs(1_740_672_149),
    ///     nonce: hex::decode_array("0x1112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f30").unwrap(),
    /// };
    /// // USDC on Base Sepolia.
    /// let token = hex::decode_array("0x71f17a3b2ff373b803d70a5a07c046c1a2bc8e89c09ef722fcb047abe94c9818").unwrap();
    /// let digest = "0xb83f07766b62a927561a4e893208ef28a36d00b76476aea7f79ebd30cc93e17f";
    /// assert_eq!(hex::encode_prefixed(&signed.digest(&token)), digest);
    /// ```
    #[must_use]
    pub fn digest(&self, separator: &[u8; 32]) -> [u8; 32] {
        eip712::digest(separator, &self.struct_hash())
    }
}

/// The EIP-712 type of [`Authorization`].
pub const TYPE: &str = "TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)";

/// The EIP-712 type that [`Authorization::receive_digest`] hashes.
const RECEIVE_TYPE: &str = "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)";

/// Keccak-256 of [`TYPE`].
pub const TYPE_HASH: [u8; 32] = [
    0x7c, 0x7c, 0x6c, 0xdb, 0x67, 0xa1, 0x87, 0x43, 0xf4, 0x9e, 0xc6, 0xfa, 0x9b, 0x35, 0xf5, 0x0d,
    0x52, 0xed, 0x05, 0xcb, 0xed, 0x4c, 0xc5, 0x92, 0xe1, 0x3b, 0x44, 0x50, 0x1c, 0x1a, 0x22, 0x67,
];
