//! Checks whether a signed transfer could be carried out right now, in one round trip before
//! anything is written about it.
//!
//! A transfer without a prospect costs one question and leaves no row. One with a prospect may
//! still fail: only its receipt proves a payment.

use alloc::boxed::Box;
use alloc::string::String;

use super::finding::Unreadable;
use farebox_evm::rpc::error::RpcError;
use farebox_evm::rpc::reply::Replies;
use farebox_evm::rpc::{At, Call, batch};
use farebox_evm::transaction::SignedTransfer;

/// The chain's answer about a signed transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prospect {
    /// It could be in the next block.
    Good {
        /// The newest block, which is first sight: no block up to it contains the transaction.
        block: u64,
    },
    /// It cannot, for this reason of the vocabulary.
    None(&'static str),
    /// The chain could not be read.
    Unreadable(Unreadable),
}

/// Waits for the reply.
#[cfg_attr(feature = "copies", derive(Clone))]
#[derive(Debug)]
pub struct AwaitingSimulation(Box<SignedTransfer>);

impl AwaitingSimulation {
    /// The request, a JSON-RPC body, and the value that accepts its reply.
    #[must_use]
    pub fn ask(transfer: SignedTransfer) -> (String, Self) {
        let SignedTransfer { token: asset, from, to, value, gas, .. } = transfer;
        let body = batch(&[
            Call::ChainId,
            Call::Block(At::Latest),
            Call::TransactionCount { account: from, at: At::Latest },
            Call::TransactionCount { account: from, at: At::Pending },
            Call::Wei { account: from, at: At::Latest },
            Call::Balance { asset, holder: from, at: At::Latest },
            Call::Transfer { asset, from, to, value, gas },
        ]);
        (body, Self(Box::new(transfer)))
    }

    /// Accepts the body of the reply; `None` unless it came completely, in time and with status
    /// 200.
    #[must_use]
    pub fn answered(self, reply: Option<&[u8]>) -> Prospect {
        match self.read(reply) {
            Ok(simulation) => simulation,
            Err(error) => Prospect::Unreadable(error),
        }
    }

    fn read(&self, reply: Option<&[u8]>) -> Result<Prospect, Unreadable> {
        let replies = Replies::read(reply.ok_or(Unreadable::NoReply)?, CALLS)?;
        let chain = replies.quantity(0)?;
        if chain != self.0.chain_id {
            return Err(Unreadable::WrongChain(chain));
        }
        let block = replies.block(1)?.ok_or(Unreadable::Contradictory)?.number;
        let base_fee = replies.base_fee(1)?;
        let (next, pending) = (replies.quantity(2)?, replies.quantity(3)?);
        let wei = replies.wei(4)?;
        let is_affordable = self.0.max_fees().is_some_and(|max| max <= wei);
        let reason = if self.0.nonce < next {
            Some(USED)
        } else if self.0.nonce > pending.max(next) {
            Some(AHEAD)
        } else if base_fee.is_some_and(|fee| !self.0.has_headroom(fee)) {
            Some(CHEAP)
        } else if replies.amount(5)? < self.0.value {
            Some(POOR)
        } else if !is_affordable {
            Some(GASLESS)
        } else {
            match replies.transfers(6) {
                Ok(true) => None,
                Ok(false) | Err(RpcError::Reverted) => Some(REVERTS),
                Err(error) => return Err(error.into()),
            }
        };
        Ok(reason.map_or(Prospect::Good { block }, Prospect::None))
    }
}

/// Questions of one batch.
const CALLS: usize = 7;
/// The sender has already used its nonce.
const USED: &str = "invalid_exact_evm_nonce_already_used";
/// The sender's earlier transactions are missing.
const AHEAD: &str = "transaction_out_of_turn";
/// It offers less for gas than the chain may charge in the next blocks, or no tip.
const CHEAP: &str = "transaction_fee_too_low";
/// The sender has less of the token than it moves.
const POOR: &str = "invalid_exact_evm_insufficient_balance";
/// The sender cannot pay for the gas.
const GASLESS: &str = "insufficient_funds";
/// It would revert.
const REVERTS: &str = "invalid_exact_evm_transaction_simulation_failed";
