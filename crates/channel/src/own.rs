//! Deposits that a payer's own transactions brought, as their receipts tell.
//!
//! A payee pays for the gas of a deposit that it sends, and has a close wait until that was worth it.
//! A payer who has paid for the gas of their deposit gets the rest at once. A deposit that a payee
//! sends always uses an authorization of the token, so that a transaction without one is the
//! payer's own.

use farebox_base::amount::Amount;
use farebox_evm::rpc::AUTHORIZATION_USED;
use farebox_evm::rpc::reply::{Log, Status, TransactionReceipt};

use super::config::ChannelId;
use super::escrow::EscrowContract;

/// The deposit of a channel before and after a transaction of its payer's own.
#[must_use]
pub fn brought(
    contract: &EscrowContract,
    channel: &ChannelId,
    receipt: &TransactionReceipt,
) -> Option<(Amount, Amount)> {
    let signs = |log: &Log| log.topics.first() == Some(&AUTHORIZATION_USED);
    let is_signed = receipt.logs.iter().any(signs);
    if receipt.status != Status::Succeeded || is_signed {
        return None;
    }
    let is_its = |log: &&Log| {
        let is_its = log.address == contract.address;
        is_its && log.topics.get(1) == Some(channel.as_bytes())
    };
    let mut added = receipt.logs.iter().filter(is_its).filter_map(step);
    let (first, mut last) = added.next()?;
    for (before, after) in added {
        if before != last {
            return None;
        }
        last = after;
    }
    Some((first, last))
}

/// The deposit before and after one event. Spec: MPP `evm` session, "Contract interface".
fn step(log: &Log) -> Option<(Amount, Amount)> {
    let (words, _) = log.data.as_chunks::<32>();
    match (log.topics.first()?, words) {
        (event, [deposit]) if *event == OPENED => {
            Some((Amount::ZERO, Amount::from_be_bytes(*deposit)))
        }
        (event, [added, deposit]) if *event == ADDED => {
            let after = Amount::from_be_bytes(*deposit);
            Some((after.checked_sub(Amount::from_be_bytes(*added))?, after))
        }
        _ => None,
    }
}

/// Keccak-256 of `ChannelOpened(bytes32,address,address,uint128)`.
pub const OPENED: [u8; 32] = [
    0xb8, 0x1a, 0xbd, 0x0d, 0xcb, 0x3f, 0x33, 0x4b, 0xaa, 0x78, 0xdb, 0x42, 0x17, 0x47, 0x75, 0x35,
    0x57, 0x19, 0x92, 0xea, 0x58, 0x7f, 0x76, 0x65, 0x28, 0x95, 0x59, 0xbc, 0xe8, 0xb1, 0x5e, 0xbb,
];
/// Keccak-256 of `TopUp(bytes32,uint128,uint128)`.
pub const ADDED: [u8; 32] = [
    0xf8, 0x7a, 0xdf, 0x84, 0xfd, 0x7a, 0xb0, 0x63, 0x61, 0x8e, 0x63, 0xd4, 0xc0, 0x50, 0x92, 0xfc,
    0x0a, 0x60, 0xa6, 0x04, 0xff, 0xe0, 0x30, 0xbb, 0x61, 0x12, 0xe9, 0xa1, 0x83, 0x29, 0x73, 0xa6,
];
