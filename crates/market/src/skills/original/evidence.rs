//! Reads from the chain whether a transaction pays a quote: exactly its amount of its token, to its
//! address, while it held, in a block that is final.
//!
//! The transaction tells who sent it; the rest is the ledger's [`Transfer`] inquiry, which counts a
//! plain `transfer` of the sender's own alone. All questions are asked anew from the replies, so
//! that a request carries no state but those.

use alloc::boxed::Box;
use alloc::string::String;

use farebox_base::amount::Amount;
use farebox_base::time::UnixTime;
use farebox_common::payment::TxHash;
use farebox_evm::address::Address;
use farebox_evm::rpc::error::RpcError;
use farebox_evm::rpc::reply::{Block, Replies};
use farebox_evm::rpc::{At, Call, batch};
use farebox_evm::transaction::transfer;
use farebox_ledger::inquiry::finding::Finding;
use farebox_ledger::inquiry::transfer::{KnownParts, Transfer};
use farebox_ledger::inquiry::{ChainQuery, Next};

/// Blocks on top of a transfer after which it is final, if a node knows no safe block.
const DEEP_BLOCKS: u64 = 64;

/// The claim for which a transaction is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    /// The chain's number.
    pub chain_id: u64,
    /// The token.
    pub asset: Address,
    /// The account that has to be paid.
    pub to: Address,
    /// Atomic units, exactly.
    pub value: Amount,
    /// The transaction.
    pub transaction: TxHash,
    /// The account that has to have sent it; `None` if anyone may.
    pub sender: Option<Address>,
    /// When the quote was made.
    pub after: UnixTime,
    /// When it ended.
    pub until: UnixTime,
}

/// The reading of a claim from the chain so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ClaimReading {
    /// This has to be asked.
    Ask(String),
    /// The quote is paid.
    Paid {
        /// By this wallet.
        sender: Address,
        /// In this block.
        block: u64,
    },
    /// The transaction is in no block.
    Early,
    /// It pays the quote, in a block that may still be reorganized.
    Shallow,
    /// Another wallet sent it.
    Stranger,
    /// It was made before the quote.
    Before,
    /// It was made after the quote's end.
    Late,
    /// It pays something else, or nothing.
    Other,
    /// The chain cannot be read.
    Unreadable,
}

impl Claim {
    /// Reads the node's replies; an empty one did not come.
    pub(super) fn read(&self, replies: &[String]) -> ClaimReading {
        let hash = self.transaction.to_bytes();
        let first =
            [Call::ChainId, Call::BlockNumber, Call::Block(At::Safe), Call::Transaction(hash)];
        let Some((told, mut rest)) = replies.split_first() else {
            return ClaimReading::Ask(batch(&first));
        };
        let began = Replies::read(told.as_bytes(), first.len()).and_then(|told| {
            let safe = match told.block(2) {
                Err(RpcError::Refused(_)) => None,
                other => other?,
            };
            Ok((told.quantity(0)?, told.quantity(1)?, safe, told.transaction(3, &hash)?))
        });
        let Ok((chain, latest, safe, sent)) = began else { return ClaimReading::Unreadable };
        if chain != self.chain_id {
            return ClaimReading::Unreadable;
        }
        let Some(sent) = sent else { return ClaimReading::Early };
        let is_ours =
            sent.to == Some(self.asset) && transfer(&sent.input) == Some((self.to, self.value));
        if !is_ours {
            return ClaimReading::Other;
        }
        let is_stranger = self.sender.is_some_and(|sender| sender != sent.from);
        if is_stranger {
            return ClaimReading::Stranger;
        }
        let inquiry = ChainQuery::Transfer(Box::new(Transfer {
            chain_id: self.chain_id,
            asset: self.asset,
            from: sent.from,
            to: self.to,
            value: self.value,
            transaction: self.transaction,
            known: KnownParts::Name,
            seen_block: None,
            seen_at: self.after,
            until: Some(self.until),
            send: None,
        }));
        let (mut body, mut asking) = inquiry.ask();
        let finding = loop {
            let Some((reply, more)) = rest.split_first() else { return ClaimReading::Ask(body) };
            rest = more;
            let reply = Some(reply.as_bytes()).filter(|reply| !reply.is_empty());
            match asking.answered(reply) {
                Next::Ask(next, then) => (body, asking) = (next, then),
                Next::Found(finding) => break finding,
            }
        };
        match finding {
            Finding::Transferred { block, .. } if is_final(block, latest, safe) => {
                ClaimReading::Paid { sender: sent.from, block }
            }
            Finding::Transferred { .. } => ClaimReading::Shallow,
            Finding::Unconfirmed { .. } | Finding::Unused { .. } => ClaimReading::Early,
            Finding::TransferredLate { .. } => ClaimReading::Late,
            Finding::TransferredBefore { .. } => ClaimReading::Before,
            Finding::Cancelled { .. }
            | Finding::TransferredEarlier { .. }
            | Finding::UsedElsewhere { .. }
            | Finding::Unclear { .. }
            | Finding::Searching { .. } => ClaimReading::Other,
            Finding::Unreadable(_) => ClaimReading::Unreadable,
        }
    }
}

/// Whether a block stays, by what the node said before it was asked for the receipt.
fn is_final(block: u64, latest: u64, safe: Option<Block>) -> bool {
    match safe {
        Some(safe) => block <= safe.number,
        None => latest.saturating_sub(block) >= DEEP_BLOCKS,
    }
}
