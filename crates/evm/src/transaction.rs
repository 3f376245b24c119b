//! A signed transaction that pays with a plain ERC-20 `transfer`, read from its bytes.
//!
//! Checks what needs no node: type 2 (EIP-1559), one canonical encoding, a call of
//! `transfer(address,uint256)` and nothing beside it, and the signer. Whether it can be carried
//! out, only the chain can say. This module makes and signs nothing.

use alloc::vec::Vec;
use core::fmt;

use crate::address::Address;
use crate::keccak::{keccak256, keccak256_parts};
use crate::rlp::{self, Items, RlpError};
use crate::signature::{Signature, SignatureError};
use farebox_base::amount::Amount;

/// Maximum size of a transaction, bytes; a transfer without an access list has about 180.
pub const MAX_BYTES: usize = 4_096;

/// A signed transfer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedTransfer {
    bytes: Vec<u8>,
    /// Names it on its chain: Keccak-256 of the bytes.
    pub hash: [u8; 32],
    /// The chain's number.
    pub chain_id: u64,
    /// Its nonce.
    pub nonce: u64,
    /// Gas limit.
    pub gas: u64,
    /// Maximum price of a unit of gas, wei.
    pub max_fee: Amount,
    /// Part of it that goes at most to the block's producer, wei.
    pub tip: Amount,
    /// The token's contract.
    pub token: Address,
    /// The signer.
    pub from: Address,
    /// The payee.
    pub to: Address,
    /// Atomic units of the token.
    pub value: Amount,
}

impl SignedTransfer {
    /// Reads the bytes that `eth_sendRawTransaction` accepts. Spec: EIP-2718, EIP-1559.
    ///
    /// # Errors
    /// [`TransactionError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, TransactionError> {
        let body = match bytes.split_first() {
            _ if bytes.len() > MAX_BYTES => return Err(TransactionError::Length),
            Some((&TYPE, body)) => body,
            Some(_) | None => return Err(TransactionError::Type),
        };
        let mut outer = Items::of(body);
        let mut items = outer.list()?;
        if !outer.is_empty() {
            return Err(TransactionError::Length);
        }
        let all = items.rest();
        let (chain_id, nonce) = (items.number()?, items.number()?);
        let tip = Amount::from_be_bytes(items.word()?);
        let max_fee = Amount::from_be_bytes(items.word()?);
        let gas = items.number()?;
        let token = Address::from_bytes(items.array()?);
        let wei = items.bytes()?;
        let (to, value) = transfer(items.bytes()?).ok_or(TransactionError::Call)?;
        access_list(items.list()?)?;
        let signed = all.len().saturating_sub(items.rest().len());
        let signature = signature(&mut items)?;
        if !items.is_empty() {
            return Err(TransactionError::Length);
        }
        // A sender's highest nonce can never be used. Spec: EIP-2681.
        if !wei.is_empty() || tip > max_fee || nonce == u64::MAX {
            return Err(TransactionError::Call);
        }
        let content = rlp::list(all.get(..signed).unwrap_or_default());
        let digest = keccak256_parts(&[&[TYPE], &content]);
        let from = signature.recover(&digest).map_err(TransactionError::Signature)?;
        let hash = keccak256(bytes);
        let bytes = bytes.to_vec();
        Ok(Self { bytes, hash, chain_id, nonce, gas, max_fee, tip, token, from, to, value })
    }

    /// The bytes as received.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether it can still pay the base fee and leave a tip if that fee rises once more by the
    /// maximum. A transaction that cannot may wait for ever. Spec: EIP-1559, base fee of the next
    /// block.
    #[must_use]
    pub fn has_headroom(&self, base_fee: Amount) -> bool {
        let risen = base_fee.checked_div_u64(8).and_then(|eighth| base_fee.checked_add(eighth));
        let tips = !self.tip.is_zero();
        let rises = risen.is_some_and(|risen| risen < self.max_fee);
        tips && rises
    }

    /// The maximum cost of the gas, wei; `None` beyond 2^256 − 1.
    #[must_use]
    pub fn max_fees(&self) -> Option<Amount> {
        self.max_fee.checked_mul_u64(self.gas)
    }
}

/// Parses the data of a call of `transfer(address,uint256)`: exactly 68 bytes, with a zero-padded
/// address.
#[must_use]
pub fn transfer(data: &[u8]) -> Option<(Address, Amount)> {
    let words = data.strip_prefix(&TRANSFER)?;
    let (to, value) = words.split_first_chunk::<32>()?;
    match to {
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, address @ ..] => {
            let value = Amount::from_be_bytes(value.try_into().ok()?);
            Some((Address::from_bytes(*address), value))
        }
        _ => None,
    }
}

/// The data of a call of `transfer(address,uint256)`.
#[must_use]
pub fn transfer_data(to: Address, value: Amount) -> Vec<u8> {
    [TRANSFER.as_slice(), &to.to_word(), &value.to_be_bytes()].concat()
}

/// Addresses with storage keys each; they only affect the gas cost. Spec: EIP-2930.
fn access_list(mut entries: Items<'_>) -> Result<(), RlpError> {
    while !entries.is_empty() {
        let mut entry = entries.list()?;
        let _: [u8; 20] = entry.array()?;
        let mut keys = entry.list()?;
        while !keys.is_empty() {
            let _: [u8; 32] = keys.array()?;
        }
        if !entry.is_empty() {
            return Err(RlpError::Length);
        }
    }
    Ok(())
}

fn signature(items: &mut Items<'_>) -> Result<Signature, TransactionError> {
    let v = match items.number()? {
        0 => 27,
        1 => 28,
        _ => return Err(TransactionError::Signature(SignatureError::V)),
    };
    let (r, s) = (items.word()?, items.word()?);
    Signature::from_bytes(&[r.as_slice(), &s, &[v]].concat()).map_err(TransactionError::Signature)
}

/// Error of bytes that are not a signed transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TransactionError {
    /// Not of type 2.
    Type,
    /// Longer than [`MAX_BYTES`], or with trailing bytes.
    Length,
    /// The fields are not encoded correctly.
    Rlp(RlpError),
    /// It is not a call of `transfer`, or offers impossible fees.
    Call,
    /// The signature is invalid.
    Signature(SignatureError),
}

impl From<RlpError> for TransactionError {
    fn from(error: RlpError) -> Self {
        Self::Rlp(error)
    }
}

impl fmt::Display for TransactionError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Type => formatter.write_str("expected a transaction of type 2 (EIP-1559)"),
            Self::Length => {
                write!(formatter, "expected one transaction of at most {MAX_BYTES} bytes")
            }
            Self::Rlp(error) => write!(formatter, "transaction: {error}"),
            Self::Call => formatter
                .write_str("expected a call of transfer(address,uint256) that sends no ether"),
            Self::Signature(error) => error.fmt(formatter),
        }
    }
}

impl core::error::Error for TransactionError {}

/// The type of a transaction with a fee cap. Spec: EIP-1559.
const TYPE: u8 = 0x02;
/// Selector of `transfer(address,uint256)`.
const TRANSFER: [u8; 4] = [0xa9, 0x05, 0x9c, 0xbb];
