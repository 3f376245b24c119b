//! The question to a node about a payment, and the reading of its answer.

use alloc::string::String;
use alloc::vec::Vec;

use super::abi::{self, EscrowEntry};
use super::row::{EscrowDeed, EscrowFate, EscrowRow};
use crate::config::EscrowContract;
use farebox_base::amount::Amount;
use farebox_base::encoding::hex;
use farebox_evm::address::Address;
use farebox_evm::rpc::error::RpcError;
use farebox_evm::rpc::reply::{Replies, Status};
use farebox_evm::rpc::{At, Call, batch};

/// Most transactions of a payment that a node is asked about; older ones ended long ago.
const MAX_RECEIPTS: usize = 16;

/// A node's view at one time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EscrowSight {
    /// The newest block.
    pub block: u64,
    /// Its base fee.
    pub base_fee: Amount,
    /// The nonce of the gateway's next transaction.
    pub count: u64,
    /// Where the contract has the payment.
    pub entry: EscrowEntry,
    /// The fate of each transaction that was asked about, by its hash; `None` while it is in no
    /// block.
    pub fates: Vec<(String, Option<EscrowFate>)>,
    /// Whether registering, and what comes after it, would be carried out now; `None` where the node
    /// has not said.
    pub would: [Option<bool>; 2],
}

/// The calls of a question, in this order; first what is to be sent.
fn calls(row: &EscrowRow, escrow: &EscrowContract, gateway: Address) -> Option<Vec<Call>> {
    let ask =
        |data: Vec<u8>| Call::Ask { from: gateway, to: escrow.contract, data, gas: escrow.gas };
    let leaving = row.leaving().unwrap_or(EscrowDeed::Release);
    let mut calls = Vec::from([
        Call::ChainId,
        Call::Block(At::Latest),
        Call::TransactionCount { account: gateway, at: At::Latest },
        ask(abi::question(row)?),
        ask(abi::data(row, EscrowDeed::Register)?),
        ask(abi::data(row, leaving)?),
    ]);
    for it in hashes(row) {
        calls.push(Call::Receipt(hex::decode_array(&it).ok()?));
    }
    Some(calls)
}

/// The hashes that are asked about.
fn hashes(row: &EscrowRow) -> impl Iterator<Item = String> {
    let older = row.tries.len().saturating_sub(MAX_RECEIPTS);
    row.tries.iter().skip(older).map(|it| it.hash.clone())
}

/// The body for the node.
pub(super) fn question(
    row: &EscrowRow,
    escrow: &EscrowContract,
    gateway: Address,
) -> Option<String> {
    Some(batch(&calls(row, escrow, gateway)?))
}

/// The body that sends a transaction.
pub(super) fn sending(bytes: &str) -> Option<String> {
    Some(batch(&[Call::Send(hex::decode_prefixed(bytes).ok()?)]))
}

/// Reads a node's answer to [`question`]; `None` if it is of another chain, or not complete.
pub(super) fn read(
    row: &EscrowRow,
    escrow: &EscrowContract,
    gateway: Address,
    reply: &str,
) -> Option<EscrowSight> {
    let asked_of = calls(row, escrow, gateway)?;
    let replies = Replies::read(reply.as_bytes(), asked_of.len()).ok()?;
    if Some(replies.quantity(0).ok()?) != escrow.network.evm_id() {
        return None;
    }
    let mut fates = Vec::new();
    for (place, hash) in (6_usize..).zip(hashes(row)) {
        let receipt = replies.receipt(place, &hex::decode_array(&hash).ok()?).ok()?;
        let fate = receipt.map(|receipt| match receipt.status {
            Status::Succeeded => EscrowFate::Mined,
            Status::Reverted => EscrowFate::Reverted,
        });
        fates.push((hash, fate));
    }
    Some(EscrowSight {
        block: replies.block(1).ok()??.number,
        base_fee: replies.base_fee(1).ok()?.unwrap_or(Amount::ZERO),
        count: replies.quantity(2).ok()?,
        entry: abi::entry(row, &replies.returned(3).ok()?)?,
        fates,
        would: [would(&replies.returned(4)), would(&replies.returned(5))],
    })
}

/// Reads whether a call would be carried out. A node that refuses to say has said nothing of that.
fn would(reply: &Result<Vec<u8>, RpcError>) -> Option<bool> {
    match reply {
        Ok(_) => Some(true),
        Err(RpcError::Reverted) => Some(false),
        Err(_) => None,
    }
}
