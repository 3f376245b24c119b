//! The payee's signatures, which anyone may send to the contract. For x402 `batch-settlement`:
//! claims of what was earned, and refunds of the rest. For MPP's method `evm`: settlements and
//! closes.

use alloc::vec::Vec;

use super::config::ChannelId;
use super::escrow::EscrowContract;
use super::state::Promise;
use farebox_base::amount::Amount;
use farebox_evm::eip712;
use farebox_evm::keccak::{keccak256, keccak256_parts};

/// One row of a batch of claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClaimEntry {
    /// The channel.
    pub channel: ChannelId,
    /// The amount of the voucher that is shown.
    pub max_claimable: Amount,
    /// The amount that is claimed, over the whole life of the channel.
    pub total: Amount,
}

/// The digest of a batch of claims.
#[must_use]
pub fn claim_digest(contract: &EscrowContract, entries: &[ClaimEntry]) -> [u8; 32] {
    let entry_type = keccak256(ENTRY_TYPE.as_bytes());
    let rows: Vec<u8> = entries
        .iter()
        .flat_map(|entry| {
            keccak256_parts(&[
                &entry_type,
                entry.channel.as_bytes(),
                &entry.max_claimable.to_be_bytes(),
                &entry.total.to_be_bytes(),
            ])
        })
        .collect();
    let batch_type = keccak256_parts(&[BATCH_TYPE.as_bytes(), ENTRY_TYPE.as_bytes()]);
    let hash = keccak256_parts(&[&batch_type, &keccak256(&rows)]);
    eip712::digest(&contract.separator(), &hash)
}

/// The digest of a refund: its nonce is the contract's count of refunds of the channel.
#[must_use]
pub fn refund_digest(
    contract: &EscrowContract,
    channel: &ChannelId,
    promise: &Promise,
) -> [u8; 32] {
    let Promise { nonce, amount } = promise;
    let hash = keccak256_parts(&[
        &keccak256(REFUND_TYPE.as_bytes()),
        channel.as_bytes(),
        &nonce.to_be_bytes(),
        &amount.to_be_bytes(),
    ]);
    eip712::digest(&contract.separator(), &hash)
}

/// The acts that the payee of a channel of MPP's method `evm` lets anyone send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Relayed {
    /// Claim.
    Settle,
    /// Claim, pay back the rest, and end the channel.
    Close,
}

/// A permission of the payee to relay a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RelayAuthorization {
    /// The call.
    pub relayed: Relayed,
    /// The channel.
    pub channel: ChannelId,
    /// The amount of the voucher that is claimed.
    pub cumulative: Amount,
    /// Used once by payee and channel.
    pub nonce: Amount,
    /// The last second at which it may be relayed, Unix seconds.
    pub deadline: Amount,
}

/// The digest of such a permission.
#[must_use]
pub fn relay_digest(contract: &EscrowContract, authorization: &RelayAuthorization) -> [u8; 32] {
    let RelayAuthorization { relayed, channel, cumulative, nonce, deadline } = authorization;
    let name = match relayed {
        Relayed::Settle => "SettleAuthorization",
        Relayed::Close => "CloseAuthorization",
    };
    let hash = keccak256_parts(&[
        &keccak256_parts(&[name.as_bytes(), RELAY_MEMBERS.as_bytes()]),
        channel.as_bytes(),
        &cumulative.to_be_bytes(),
        &nonce.to_be_bytes(),
        &deadline.to_be_bytes(),
    ]);
    eip712::digest(&contract.separator(), &hash)
}

const RELAY_MEMBERS: &str =
    "(bytes32 channelId,uint128 cumulativeAmount,uint256 nonce,uint256 deadline)";
const BATCH_TYPE: &str = "ClaimBatch(ClaimEntry[] claims)";
const ENTRY_TYPE: &str =
    "ClaimEntry(bytes32 channelId,uint128 maxClaimableAmount,uint128 totalClaimed)";
const REFUND_TYPE: &str = "Refund(bytes32 channelId,uint256 nonce,uint128 amount)";
