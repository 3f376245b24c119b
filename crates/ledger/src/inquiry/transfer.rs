//! Reads from the chain what became of a transaction that pays with a plain `transfer`.
//!
//! Its hash identifies it, so nothing is searched: the receipt exists or it does not. This takes up
//! to three round trips. A transaction in the chain counts only with its own exact `Transfer`,
//! after first sight. It can never come again once its sender has used its nonce for another
//! transaction in a safe block. The nonce is read after the receipt, together with the receipt once
//! more, so that a block between the two answers is never missed.

use alloc::boxed::Box;
use alloc::vec::Vec;

use super::finding::{Finality, Finding, Unreadable};
use super::heads::{Heads, hash, optional};
use super::is_after;
use farebox_base::amount::Amount;
use farebox_base::time::UnixTime;
use farebox_common::payment::TxHash;
use farebox_evm::address::Address;
use farebox_evm::rpc::reply::{Inclusion, Replies, Sent, Status, TransactionReceipt};
use farebox_evm::rpc::{At, Call, TRANSFER};
use farebox_evm::transaction::transfer;

/// One payment by its own transaction, as of its claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// The chain's number.
    pub chain_id: u64,
    /// The token.
    pub asset: Address,
    /// The payer, who signed the transaction.
    pub from: Address,
    /// The payee.
    pub to: Address,
    /// Atomic units, exactly.
    pub value: Amount,
    /// The transaction.
    pub transaction: TxHash,
    /// The parts of it that the gate knows.
    pub known: KnownParts,
    /// The newest block when the payment was claimed; later blocks are after first sight.
    pub seen_block: Option<u64>,
    /// Time of the claim, or the earliest time at which it may have been made; decides only if no
    /// block was read.
    pub seen_at: UnixTime,
    /// A transfer after this time is late; `None` if no time was set.
    pub until: Option<UnixTime>,
    /// Bytes that go to the node with the first question.
    pub send: Option<Vec<u8>>,
}

/// The parts of a transaction that the gate knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownParts {
    /// Its bytes, and so its effect. If it is in no block, its end is looked for, too.
    Whole {
        /// Its nonce.
        nonce: u64,
    },
    /// Its bytes; only a receipt is looked for.
    Content,
    /// Its hash: the node tells its effect.
    Name,
}

/// The last request.
#[cfg_attr(feature = "copies", derive(Clone))]
#[derive(Debug)]
pub(super) enum TransferStage {
    /// The newest and the safe block, and the receipt.
    Receipt,
    /// Whether its nonce was used for another transaction up to this block; and the receipt once
    /// more.
    Number { heads: Heads, safe: u64, nonce: u64 },
    /// The time of the receipt's block.
    Time { heads: Heads, receipt: Box<TransactionReceipt> },
}

/// Result of a reply.
pub(super) enum Progress {
    Ask(TransferStage),
    Found(Finding),
}

impl Transfer {
    pub(super) fn calls(&self, stage: &TransferStage) -> Vec<Call> {
        let receipt = Call::Receipt(self.transaction.to_bytes());
        match stage {
            TransferStage::Receipt => {
                let mut calls =
                    Vec::from([Call::ChainId, Call::BlockNumber, Call::Block(At::Safe), receipt]);
                if self.known == KnownParts::Name {
                    calls.push(Call::Transaction(self.transaction.to_bytes()));
                }
                calls.extend(self.send.clone().map(Call::Send));
                calls
            }
            TransferStage::Number { safe, .. } => {
                let (account, at) = (self.from, At::Number(*safe));
                let number = Call::TransactionCount { account, at };
                Vec::from([Call::BlockNumber, number, receipt])
            }
            TransferStage::Time { receipt, .. } => {
                Vec::from([Call::Block(At::Number(receipt.block))])
            }
        }
    }

    pub(super) fn answered(
        &self,
        stage: TransferStage,
        replies: &Replies,
    ) -> Result<Progress, Unreadable> {
        match stage {
            TransferStage::Receipt => self.began(replies),
            TransferStage::Number { heads, safe, nonce } => {
                // A node that has not reached the safe block yet may not know its transactions
                // either.
                if replies.quantity(0)? < safe {
                    return Err(Unreadable::Contradictory);
                }
                let is_used = replies.quantity(1)? > nonce;
                match replies.receipt(2, &self.transaction.to_bytes())? {
                    Some(receipt) => self.included(heads, receipt),
                    None if is_used => {
                        Ok(Progress::Found(Finding::UsedElsewhere { finality: Finality::Safe }))
                    }
                    None => Ok(Progress::Found(PENDING)),
                }
            }
            TransferStage::Time { heads, receipt } => {
                let dated = replies.block(0)?.filter(|block| block.number == receipt.block);
                let time = dated.ok_or(Unreadable::Contradictory)?.time;
                self.concluded(heads, &receipt, Some(time)).map(Progress::Found)
            }
        }
    }

    fn began(&self, replies: &Replies) -> Result<Progress, Unreadable> {
        let chain = replies.quantity(0)?;
        if chain != self.chain_id {
            return Err(Unreadable::WrongChain(chain));
        }
        let safe = optional(replies.block(2))?.flatten();
        let latest = replies.quantity(1)?.max(safe.map_or(0, |safe| safe.number));
        let bytes = self.transaction.to_bytes();
        if self.known == KnownParts::Name {
            match replies.transaction(4, &bytes)? {
                Some(sent) if self.is_made_by(&sent) => {}
                // The content behind a hash never changes.
                Some(_) => {
                    return Ok(Progress::Found(Finding::UsedElsewhere {
                        finality: Finality::Safe,
                    }));
                }
                None => return Ok(Progress::Found(PENDING)),
            }
        }
        let heads = Heads { latest, safe };
        match (replies.receipt(3, &bytes)?, self.known, safe) {
            (Some(receipt), ..) => self.included(heads, receipt),
            (None, KnownParts::Whole { nonce }, Some(safe)) => {
                Ok(Progress::Ask(TransferStage::Number { heads, safe: safe.number, nonce }))
            }
            (None, ..) => Ok(Progress::Found(PENDING)),
        }
    }

    /// Whether it is this payment's own call of `transfer` and does nothing else: another call may
    /// consume another payment's authorization, which then has the same `Transfer`.
    fn is_made_by(&self, sent: &Sent) -> bool {
        sent.from == self.from
            && sent.to == Some(self.asset)
            && transfer(&sent.input) == Some((self.to, self.value))
    }

    fn included(&self, heads: Heads, receipt: TransactionReceipt) -> Result<Progress, Unreadable> {
        let heads = Heads { latest: heads.latest.max(receipt.block), ..heads };
        if self.seen_block.is_none() && receipt.status == Status::Succeeded {
            return Ok(Progress::Ask(TransferStage::Time { heads, receipt: Box::new(receipt) }));
        }
        self.concluded(heads, &receipt, None).map(Progress::Found)
    }

    fn concluded(
        &self,
        heads: Heads,
        receipt: &TransactionReceipt,
        time: Option<UnixTime>,
    ) -> Result<Finding, Unreadable> {
        let (block, finality) = (receipt.block, heads.finality(receipt.block));
        let transaction = hash(&self.transaction.to_bytes())?;
        Ok(match self.evidence(receipt) {
            TransferEvidence::Paid { log_index } => {
                let is_late = self.until.is_some_and(|until| time.is_some_and(|it| until < it));
                if is_late {
                    Finding::TransferredLate { transaction }
                } else if is_after(self.seen_block, self.seen_at, block, time) {
                    Finding::Transferred { transaction, block, log_index }
                } else {
                    Finding::TransferredBefore { transaction, finality }
                }
            }
            TransferEvidence::Unclear => Finding::Unclear { transaction, finality },
            TransferEvidence::Nothing => Finding::UsedElsewhere { finality },
        })
    }

    fn evidence(&self, receipt: &TransactionReceipt) -> TransferEvidence {
        if receipt.status != Status::Succeeded {
            return TransferEvidence::Nothing;
        }
        let transfers = receipt.logs.iter().filter(|log| {
            log.standing == Inclusion::Included
                && log.address == self.asset
                && log.topics.first() == Some(&TRANSFER)
        });
        let mut evidence = TransferEvidence::Nothing;
        for log in transfers {
            let ours = log.topics == [TRANSFER, self.from.to_word(), self.to.to_word()];
            if ours && log.data == self.value.to_be_bytes() {
                return TransferEvidence::Paid { log_index: log.index };
            }
            // Less than the price arrived, or in an unreadable form: the operator has to look.
            evidence = TransferEvidence::Unclear;
        }
        evidence
    }
}

/// The evidence in its receipt.
enum TransferEvidence {
    /// Its own `Transfer` moved exactly the value from payer to payee.
    Paid {
        /// Place of that event in its block.
        log_index: u64,
    },
    /// It moved another value.
    Unclear,
    /// It moved no value.
    Nothing,
}

/// No block contains it so far.
const PENDING: Finding = Finding::Unused { safe_time: None };
