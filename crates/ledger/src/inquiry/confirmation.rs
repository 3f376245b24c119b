//! Own confirmation, `confirm = "chain"`: whether the transaction that a facilitator named is this
//! payment.
//!
//! Takes one round trip, or two if no block was read at first sight. The caller asks again after
//! [`NotYet`](Confirmation::NotYet) and [`Unreadable`](Confirmation::Unreadable); a payment that is
//! never confirmed is unknown, not refused.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use super::Question;
use super::finding::Unreadable;
use farebox_common::payment::TxHash;
use farebox_evm::evidence::Evidence;
use farebox_evm::rpc::reply::{Replies, TransactionReceipt};
use farebox_evm::rpc::{At, Call, batch};

/// The chain's answer about the named transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Confirmation {
    /// It is this payment, with enough confirmations.
    Confirmed {
        /// Its block.
        block: u64,
        /// Place of the `Transfer` among the events of the block.
        log_index: u64,
    },
    /// It is in no block, or in too few.
    NotYet,
    /// It is in the chain, but does not make this payment, or made it before first sight.
    Contradicted,
    /// The chain could not be read.
    Unreadable(Unreadable),
}

/// The next step.
#[derive(Debug)]
#[must_use]
pub enum Step {
    /// Send this JSON-RPC body and pass on the reply.
    Ask(String, Confirming),
    /// The answer.
    Done(Confirmation),
}

/// Waits for the reply to one request.
#[cfg_attr(feature = "copies", derive(Clone))]
#[derive(Debug)]
pub struct Confirming {
    question: Box<Question>,
    transaction: TxHash,
    block: Option<u64>,
}

impl Question {
    /// The first request about `transaction`, and the value that accepts its reply;
    /// [`Question::known`] is ignored.
    #[must_use]
    pub fn confirm(self, transaction: TxHash) -> (String, Confirming) {
        let confirming = Confirming { question: Box::new(self), transaction, block: None };
        (batch(&confirming.calls()), confirming)
    }
}

impl Confirming {
    /// Accepts the body of the reply; `None` unless it came completely, in time and with status
    /// 200.
    pub fn answered(self, reply: Option<&[u8]>) -> Step {
        match self.read(reply) {
            Ok(Reading::Done(confirmation)) => Step::Done(confirmation),
            Ok(Reading::NeedsTime { block }) => {
                let again = Self { block: Some(block), ..self };
                Step::Ask(batch(&again.calls()), again)
            }
            Err(error) => Step::Done(Confirmation::Unreadable(error)),
        }
    }

    fn calls(&self) -> Vec<Call> {
        let receipt = Call::Receipt(self.transaction.to_bytes());
        let mut calls = Vec::from([Call::ChainId, Call::BlockNumber, receipt]);
        calls.extend(self.block.map(|block| Call::Block(At::Number(block))));
        calls.extend(self.question.data(core::iter::once(self.transaction.to_bytes())));
        calls
    }

    fn read(&self, reply: Option<&[u8]>) -> Result<Reading, Unreadable> {
        let replies = Replies::read(reply.ok_or(Unreadable::NoReply)?, self.calls().len())?;
        let chain = replies.quantity(0)?;
        if chain != self.question.chain_id {
            return Err(Unreadable::WrongChain(chain));
        }
        let latest = replies.quantity(1)?;
        let Some(receipt) = replies.receipt(2, &self.transaction.to_bytes())? else {
            return Ok(Reading::Done(Confirmation::NotYet));
        };
        let data = if self.block.is_some() { 4 } else { 3 };
        let transaction = self.transaction.to_bytes();
        let found = self.question.evidence(&receipt, &replies, data, &transaction)?;
        let Evidence::Paid { log_index } = found else {
            return Ok(Reading::Done(Confirmation::Contradicted));
        };
        let TransactionReceipt { block, .. } = receipt;
        let time = match (self.question.seen_block, self.block) {
            (Some(_), _) => None,
            (None, None) => return Ok(Reading::NeedsTime { block }),
            (None, Some(asked)) => {
                let dated = replies.block(3)?.ok_or(Unreadable::Contradictory)?;
                if asked != block || dated.number != block {
                    return Err(Unreadable::Contradictory);
                }
                Some(dated.time)
            }
        };
        Ok(Reading::Done(if !self.question.is_after_sight(block, time) {
            Confirmation::Contradicted
        } else if self.question.is_confirmed(block, latest.max(block)) {
            Confirmation::Confirmed { block, log_index }
        } else {
            Confirmation::NotYet
        }))
    }
}

/// Result of one reply.
enum Reading {
    Done(Confirmation),
    NeedsTime { block: u64 },
}
