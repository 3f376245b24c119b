//! A transaction that calls a contract, made and signed here. Spec: EIP-1559, EIP-2718.

use alloc::vec::Vec;

use super::account::Account;
use super::address::Address;
use super::keccak::{keccak256, keccak256_parts};
use super::rlp;
use farebox_base::amount::Amount;

/// The content of a transaction: a call that sends no ether and has no access list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContractCall {
    /// The chain's number.
    pub chain_id: u64,
    /// Its place among the transactions of its sender.
    pub nonce: u64,
    /// Part of the price that goes at most to the block's producer, wei for a unit of gas.
    pub tip: Amount,
    /// Maximum price, wei for a unit of gas.
    pub max_fee: Amount,
    /// Gas limit.
    pub gas: u64,
    /// The contract.
    pub to: Address,
    /// The data of the call.
    pub data: Vec<u8>,
}

/// A call with its signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCall {
    /// The bytes that `eth_sendRawTransaction` takes.
    pub bytes: Vec<u8>,
    /// Names it on its chain.
    pub hash: [u8; 32],
}

impl ContractCall {
    /// Signs it: always with the same bytes. `None` for a digest that has no signature, which none
    /// is known to be.
    #[must_use]
    pub fn sign(&self, account: &Account) -> Option<SignedCall> {
        let mut content = Vec::new();
        for number in [self.chain_id, self.nonce] {
            content.extend(rlp::number(&number.to_be_bytes()));
        }
        for fee in [self.tip, self.max_fee] {
            content.extend(rlp::number(&fee.to_be_bytes()));
        }
        content.extend(rlp::number(&self.gas.to_be_bytes()));
        content.extend(rlp::string(self.to.as_bytes()));
        content.extend(rlp::number(&[]));
        content.extend(rlp::string(&self.data));
        content.extend(rlp::list(&[]));
        let digest = keccak256_parts(&[&[TYPE], &rlp::list(&content)]);
        let signature = account.sign(&digest)?.to_bytes();
        let (rs, v) = signature.split_first_chunk::<64>()?;
        let (r, s) = rs.split_at_checked(32)?;
        content.extend(rlp::number(&[v.first()?.checked_sub(27)?]));
        content.extend(rlp::number(r));
        content.extend(rlp::number(s));
        let mut bytes = Vec::from([TYPE]);
        bytes.extend(rlp::list(&content));
        let hash = keccak256(&bytes);
        Some(SignedCall { bytes, hash })
    }
}

/// The type of a transaction with a fee cap. Spec: EIP-1559.
const TYPE: u8 = 0x02;
