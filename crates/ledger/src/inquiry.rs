//! Reads from the chain what became of a payment, without IO: each request comes with the only
//! value that accepts its reply.
//!
//! For an authorization [`Question::ask`] begins: heads, then the authorization's state, then (if
//! it is used) its log, then the receipt, in at most six round trips; two more where a receipt is
//! too long to be read, because whoever sent the transaction decides how long it is. A permit is looked for in the
//! same way; Permit2 writes no log of its nonces, so that the data of the transaction shows whose
//! `Transfer` it made, or a call inside of it. A used nonce proves nothing,
//! nor does a transaction that succeeded: only the authorization's own event with its own exact
//! `Transfer` in one receipt does. [`finding::verdict`] says what follows for the row,
//! [`confirmation`] checks a transaction that a facilitator named, and [`height`] reads the block
//! that counts as first sight. A payment by its own transaction is a [`transfer`]; [`simulation`]
//! checks one before it is sent. A [`ChainQuery`] is either. Assumptions:
//! - the operator chose the node: it may lag, lose calls or fail, which is [`Unreadable`], but does
//!   not lie;
//! - blocks up to the node's `safe` one are final; only final blocks close a payment as unpaid.

mod authorization;
mod conclusion;
pub mod confirmation;
mod evidence;
pub mod finding;
pub mod funds;
mod heads;
pub mod height;
pub mod search;
pub mod sender;
pub mod simulation;
mod traced;
pub mod transfer;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use self::authorization::{AuthorizationStage, Progress};
use self::evidence::of_permit;
use self::finding::{Finding, Unreadable};
use self::search::SearchedBlocks;
use self::transfer::Transfer;
use farebox_base::amount::Amount;
use farebox_base::time::UnixTime;
use farebox_common::payment::{TransferMethod, TxHash};
use farebox_evm::address::Address;
use farebox_evm::evidence::{AuthorizedTransfer, Evidence};
use farebox_evm::permit2;
use farebox_evm::rpc::error::RpcError;
use farebox_evm::rpc::reply::{Log, Replies, TransactionReceipt};
use farebox_evm::rpc::{At, AuthorizationId, Call, Span, batch};

/// Maximum round trips of one inquiry: heads twice, states, logs three times, receipts, events; for
/// a permit heads twice, states, logs twice, receipts, uses, calls.
pub const MAX_ROUND_TRIPS: usize = 8;
/// Seconds by which a block's time may precede the first sight and still count as after it, if no
/// block number was read at first sight.
pub const SIGHT_SLACK_SECS: u64 = 2;

/// One payment by a signature, as of its claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// The chain's number.
    pub chain_id: u64,
    /// The token.
    pub asset: Address,
    /// The payer.
    pub from: Address,
    /// The payee.
    pub to: Address,
    /// Atomic units, exactly.
    pub value: Amount,
    /// Payees and amounts of the authorizations of this nonce that were signed before.
    pub earlier: Vec<(Address, Amount)>,
    /// The kind of message that the payer signed.
    pub method: TransferMethod,
    /// Nonce chosen by the payer.
    pub nonce: [u8; 32],
    /// The newest block when the payment was claimed; later blocks are after first sight.
    pub seen_block: Option<u64>,
    /// Time of the claim; decides only if no block was read.
    pub seen_at: UnixTime,
    /// A transaction that a facilitator or client named; a hint, never evidence.
    pub known: Option<TxHash>,
    /// Number of blocks that must confirm a transfer, including its own; zero means one.
    pub confirmations: u64,
    /// Blocks that an earlier inquiry searched in vain.
    pub cursor: Option<SearchedBlocks>,
}

impl Question {
    /// The first request, a JSON-RPC body, and the value that accepts its reply.
    #[must_use]
    pub fn ask(self) -> (String, Asking) {
        let stage = AuthorizationStage::Heads;
        let body = batch(&stage.calls(&self));
        (body, Asking(Subject::Authorization { question: Box::new(self), stage }))
    }

    fn authorization(&self) -> AuthorizationId {
        AuthorizationId { asset: self.asset, authorizer: self.from, nonce: self.nonce }
    }

    /// The transfer that the payment makes.
    fn transfer(&self) -> AuthorizedTransfer {
        let authorization = self.authorization();
        AuthorizedTransfer { authorization, to: self.to, value: self.value }
    }

    /// The call for what the contract says of the nonce.
    fn state(&self, at: At) -> Call {
        match self.method {
            TransferMethod::Eip3009 | TransferMethod::Deferred => {
                Call::AuthorizationState { authorization: self.authorization(), at }
            }
            TransferMethod::Permit2 | TransferMethod::Upto(_) => {
                Call::NonceBitmap { owner: self.from, nonce: self.nonce, at }
            }
        }
    }

    /// Whether the nonce is used, as the call at position `index` says.
    fn is_used(&self, replies: &Replies, index: usize) -> Result<bool, RpcError> {
        match self.method {
            TransferMethod::Eip3009 | TransferMethod::Deferred => replies.flag(index),
            TransferMethod::Permit2 | TransferMethod::Upto(_) => {
                let bitmap = replies.amount(index)?.to_be_bytes();
                Ok(permit2::is_used(&bitmap, &self.nonce))
            }
        }
    }

    /// The call for the logs that may show where the nonce is used.
    fn logs(&self, span: Span) -> Call {
        let (asset, from, to) = (self.asset, self.from, self.to);
        match self.method {
            TransferMethod::Eip3009 | TransferMethod::Deferred => {
                Call::AuthorizationLogs { authorization: self.authorization(), span }
            }
            TransferMethod::Permit2 | TransferMethod::Upto(_) => {
                Call::TransferLogs { asset, from, to, span }
            }
        }
    }

    /// These logs.
    fn read_logs(&self, replies: &Replies, index: usize, span: Span) -> Result<Vec<Log>, RpcError> {
        match self.method {
            TransferMethod::Eip3009 | TransferMethod::Deferred => {
                replies.authorization_logs(index, &self.authorization(), span)
            }
            TransferMethod::Permit2 | TransferMethod::Upto(_) => {
                let accounts = [self.from, self.to];
                let logs = replies.transfer_logs(index, self.asset, accounts, span)?;
                let may_be = |log: &Log| self.each().any(|it| it.transfer().is_moved_by(log));
                Ok(logs.into_iter().filter(may_be).collect())
            }
        }
    }

    /// The calls for the data of these transactions, if only the data shows what they did.
    fn data(&self, transactions: impl Iterator<Item = [u8; 32]>) -> Vec<Call> {
        match self.method {
            TransferMethod::Eip3009 | TransferMethod::Deferred => Vec::new(),
            TransferMethod::Permit2 | TransferMethod::Upto(_) => {
                transactions.map(Call::Transaction).collect()
            }
        }
    }

    /// Questions for each authorization of the nonce alone, the last one first.
    fn each(&self) -> impl Iterator<Item = Self> {
        let alone = |to, value| Self { to, value, earlier: Vec::new(), ..self.clone() };
        let first = core::iter::once(alone(self.to, self.value));
        first.chain(self.earlier.iter().map(move |(to, value)| alone(*to, *value)))
    }

    /// The meaning of a receipt, and which of the earlier authorizations paid, if one did; the data
    /// of its transaction is the reply at position `data`.
    fn evidence_of_any(
        &self,
        receipt: &TransactionReceipt,
        replies: &Replies,
        data: usize,
        transaction: &[u8; 32],
    ) -> Result<FoundEvidence, Unreadable> {
        let own = self.evidence(receipt, replies, data, transaction)?;
        if matches!(own, Evidence::Paid { .. }) {
            return Ok((own, None));
        }
        for (index, other) in self.each().skip(1).enumerate() {
            let found = other.evidence(receipt, replies, data, transaction)?;
            if matches!(found, Evidence::Paid { .. }) {
                return Ok((found, Some(index)));
            }
        }
        Ok((own, None))
    }

    /// The meaning of a receipt; the data of its transaction is the reply at position `data`.
    fn evidence(
        &self,
        receipt: &TransactionReceipt,
        replies: &Replies,
        data: usize,
        transaction: &[u8; 32],
    ) -> Result<Evidence, Unreadable> {
        match self.method {
            TransferMethod::Eip3009 | TransferMethod::Deferred => {
                Ok(Evidence::of(receipt, &self.transfer()))
            }
            TransferMethod::Permit2 | TransferMethod::Upto(_) => {
                let sent = replies.transaction(data, transaction)?;
                Ok(of_permit(receipt, &sent.ok_or(Unreadable::Contradictory)?, self))
            }
        }
    }

    /// Whether a block came after first sight of the payment; `time` is that of the block.
    fn is_after_sight(&self, block: u64, time: Option<UnixTime>) -> bool {
        is_after(self.seen_block, self.seen_at, block, time)
    }

    fn is_confirmed(&self, block: u64, latest: u64) -> bool {
        latest.saturating_sub(block).saturating_add(1) >= self.confirmations.max(1)
    }
}

/// The evidence of a receipt, and the index of the earlier authorization by which it moved, if it
/// is not the last one.
type FoundEvidence = (Evidence, Option<usize>);

/// The next step of an inquiry.
#[derive(Debug)]
#[must_use]
pub enum Next {
    /// Send this JSON-RPC body and pass on the reply.
    Ask(String, Asking),
    /// The inquiry is over.
    Found(Finding),
}

/// The chain query for a recorded payment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChainQuery {
    /// An authorization, which anyone may have submitted.
    Authorization(Box<Question>),
    /// A transaction of its own.
    Transfer(Box<Transfer>),
}

impl ChainQuery {
    /// The first request, a JSON-RPC body, and the value that accepts its reply.
    #[must_use]
    pub fn ask(self) -> (String, Asking) {
        match self {
            Self::Authorization(question) => question.ask(),
            Self::Transfer(transfer) => {
                let stage = transfer::TransferStage::Receipt;
                let body = batch(&transfer.calls(&stage));
                (body, Asking(Subject::Transfer { transfer, stage }))
            }
        }
    }

    /// The chain's number.
    #[must_use]
    pub const fn chain_id(&self) -> u64 {
        match self {
            Self::Authorization(question) => question.chain_id,
            Self::Transfer(transfer) => transfer.chain_id,
        }
    }
}

/// Waits for the reply to one request.
#[cfg_attr(feature = "copies", derive(Clone))]
#[derive(Debug)]
pub struct Asking(Subject);

#[cfg_attr(feature = "copies", derive(Clone))]
#[derive(Debug)]
enum Subject {
    Authorization { question: Box<Question>, stage: AuthorizationStage },
    Transfer { transfer: Box<Transfer>, stage: transfer::TransferStage },
}

impl Asking {
    /// Accepts the body of the reply; `None` unless it came completely, in time and with status
    /// 200.
    pub fn answered(self, reply: Option<&[u8]>) -> Next {
        let turn = match self.0 {
            Subject::Authorization { question, stage } => of_authorization(question, stage, reply),
            Subject::Transfer { transfer, stage } => of_transfer(transfer, stage, reply),
        };
        turn.unwrap_or_else(|error| Next::Found(Finding::Unreadable(error)))
    }
}

fn of_authorization(
    mut question: Box<Question>,
    stage: AuthorizationStage,
    reply: Option<&[u8]>,
) -> Result<Next, Unreadable> {
    let progress = match read(reply, stage.calls(&question).len()) {
        Ok(replies) => stage.answered(&question, &replies),
        Err(error) => stage.unread(&mut question, error),
    };
    Ok(match progress? {
        Progress::Ask(stage) => asking(question, stage),
        Progress::Found(finding) => Next::Found(finding),
    })
}

fn asking(question: Box<Question>, stage: AuthorizationStage) -> Next {
    let body = batch(&stage.calls(&question));
    Next::Ask(body, Asking(Subject::Authorization { question, stage }))
}

fn read(reply: Option<&[u8]>, calls: usize) -> Result<Replies, Unreadable> {
    Ok(Replies::read(reply.ok_or(Unreadable::NoReply)?, calls)?)
}

fn of_transfer(
    transfer: Box<Transfer>,
    stage: transfer::TransferStage,
    reply: Option<&[u8]>,
) -> Result<Next, Unreadable> {
    let replies = read(reply, transfer.calls(&stage).len())?;
    Ok(match transfer.answered(stage, &replies)? {
        transfer::Progress::Ask(stage) => {
            let body = batch(&transfer.calls(&stage));
            Next::Ask(body, Asking(Subject::Transfer { transfer, stage }))
        }
        transfer::Progress::Found(finding) => Next::Found(finding),
    })
}

/// Whether a block came after first sight: by its number, or by its time if no block was read then.
fn is_after(
    seen_block: Option<u64>,
    seen_at: UnixTime,
    block: u64,
    time: Option<UnixTime>,
) -> bool {
    match (seen_block, time) {
        (Some(seen), _) => block > seen,
        (None, Some(time)) => time >= seen_at.minus(SIGHT_SLACK_SECS),
        (None, None) => false,
    }
}
