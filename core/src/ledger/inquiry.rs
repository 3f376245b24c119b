//! Reads from the chain what became of a payment, without IO: each request comes with the only
//! value that accepts its reply.
//!
//! For an authorization [`Question::ask`] begins: heads, then the authorization's state, then (if
//! it is used) its log, then the receipt, in at most six round trips. A used nonce proves nothing,
//! nor does a transaction that succeeded: only the authorization's own event with its own exact
//! `Transfer` in one receipt does. [`finding::verdict`] says what follows for the row,
//! [`confirmation`] checks a transaction that a facilitator named, and [`height`] reads the block
//! that counts as first sight. A payment by its own transaction is a [`transfer`]; [`simulation`]
//! checks one before it is sent. A [`ChainQuery`] is either. Assumptions:
//! - the operator chose the node: it may lag, lose calls or fail, which is [`Unreadable`], but does
//!   not lie;
//! - blocks up to the node's `safe` one are final; only final blocks close a payment as unpaid.

pub mod confirmation;
mod evidence;
pub mod finding;
pub mod height;
pub mod search;
pub mod sender;
pub mod simulation;
pub mod transfer;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use self::evidence::Evidence;
use self::finding::{Finality, Finding, Unreadable};
use self::search::{Search, SearchedBlocks, estimate};
use self::transfer::Transfer;
use crate::amount::Amount;
use crate::encoding::hex;
use crate::evm::address::Address;
use crate::evm::rpc::reply::{Block, Log, Replies, RpcError, TransactionReceipt};
use crate::evm::rpc::{At, AuthorizationId, Call, Span, batch};
use crate::payment::TxHash;
use crate::time::UnixTime;

/// Maximum round trips of one inquiry: heads, states, logs three times, receipts.
pub const MAX_ROUND_TRIPS: usize = 6;
/// Seconds by which a block's time may precede the first sight and still count as after it, if no
/// block number was read at first sight.
pub const SIGHT_SLACK_SECS: u64 = 2;

/// One EIP-3009 payment, as it was first seen.
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
    /// Nonce chosen by the payer.
    pub nonce: [u8; 32],
    /// The newest block when the payment was claimed; later blocks are after first sight.
    pub seen_block: Option<u64>,
    /// When it was claimed; decides only if no block was read.
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
        let stage = Stage::Heads;
        let body = batch(&stage.calls(&self));
        (body, Asking(Subject::Authorization { question: Box::new(self), stage }))
    }

    fn authorization(&self) -> AuthorizationId {
        AuthorizationId { asset: self.asset, authorizer: self.from, nonce: self.nonce }
    }

    /// Whether a block came after the payment was first seen; `time` is that of the block.
    fn is_after_sight(&self, block: u64, time: Option<UnixTime>) -> bool {
        is_after((self.seen_block, self.seen_at), block, time)
    }

    fn is_confirmed(&self, block: u64, latest: u64) -> bool {
        latest.saturating_sub(block).saturating_add(1) >= self.confirmations.max(1)
    }
}

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
                let stage = transfer::Stage::Receipt;
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
#[derive(Debug)]
pub struct Asking(Subject);

#[derive(Debug)]
enum Subject {
    Authorization { question: Box<Question>, stage: Stage },
    Transfer { transfer: Box<Transfer>, stage: transfer::Stage },
}

impl Asking {
    /// Accepts the body of the reply; `None` unless it came completely, in time and with status
    /// 200.
    pub fn answered(self, reply: Option<&[u8]>) -> Next {
        let Some(body) = reply else {
            return Next::Found(Finding::Unreadable(Unreadable::NoReply));
        };
        let turn = match self.0 {
            Subject::Authorization { question, stage } => of_authorization(question, stage, body),
            Subject::Transfer { transfer, stage } => of_transfer(transfer, stage, body),
        };
        turn.unwrap_or_else(|error| Next::Found(Finding::Unreadable(error)))
    }
}

fn of_authorization(
    question: Box<Question>,
    stage: Stage,
    body: &[u8],
) -> Result<Next, Unreadable> {
    let replies = Replies::read(body, stage.calls(&question).len())?;
    let turn = match stage {
        Stage::Heads => heads(&question, &replies),
        Stage::States(heads) => states(&question, heads, &replies),
        Stage::Logs { heads, search, spans, round } => {
            logs(&question, heads, search, &spans, round, &replies)
        }
        Stage::Receipts { heads, places } => receipts(&question, heads, &places, &replies),
    };
    Ok(match turn? {
        Progress::Ask(stage) => {
            let body = batch(&stage.calls(&question));
            Next::Ask(body, Asking(Subject::Authorization { question, stage }))
        }
        Progress::Found(finding) => Next::Found(finding),
    })
}

fn of_transfer(
    transfer: Box<Transfer>,
    stage: transfer::Stage,
    body: &[u8],
) -> Result<Next, Unreadable> {
    let replies = Replies::read(body, transfer.calls(&stage).len())?;
    Ok(match transfer.answered(stage, &replies)? {
        transfer::Progress::Ask(stage) => {
            let body = batch(&transfer.calls(&stage));
            Next::Ask(body, Asking(Subject::Transfer { transfer, stage }))
        }
        transfer::Progress::Found(finding) => Next::Found(finding),
    })
}

/// Whether a block came after first sight: by its number, or by its time if no block was read then.
fn is_after(seen: (Option<u64>, UnixTime), block: u64, time: Option<UnixTime>) -> bool {
    match (seen, time) {
        ((Some(seen), _), _) => block > seen,
        ((None, seen_at), Some(time)) => time >= seen_at.minus(SIGHT_SLACK_SECS),
        ((None, _), None) => false,
    }
}

/// Result of the reply to a stage.
enum Progress {
    Ask(Stage),
    Found(Finding),
}

/// The last request.
#[derive(Debug)]
enum Stage {
    /// The newest and the safe block, and the receipt of the known transaction.
    Heads,
    /// Whether the authorization is used.
    States(Heads),
    /// The logs that show where it is used.
    Logs { heads: Heads, search: Search, spans: Vec<Span>, round: u8 },
    /// The receipts of those transactions, and the times of their blocks.
    Receipts { heads: Heads, places: Vec<Mined> },
}

/// The newest block and the safe one.
#[derive(Clone, Copy, Debug)]
struct Heads {
    latest: u64,
    safe: Option<Block>,
}

impl Heads {
    fn finality(&self, block: u64) -> Finality {
        match self.safe {
            Some(safe) if block <= safe.number => Finality::Safe,
            Some(_) | None => Finality::Latest,
        }
    }
}

/// A transaction and its block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mined {
    transaction: [u8; 32],
    block: u64,
}

impl Stage {
    fn calls(&self, question: &Question) -> Vec<Call> {
        let authorization = question.authorization();
        let mut calls = Vec::new();
        match self {
            Self::Heads => {
                calls.extend([Call::ChainId, Call::BlockNumber, Call::Block(At::Safe)]);
                calls.extend(question.known.map(|known| Call::Receipt(known.to_bytes())));
            }
            // Asks by number, so that state and time belong to the same block.
            Self::States(Heads { latest, safe }) => {
                let latest = At::Number(*latest);
                calls.push(Call::AuthorizationState { authorization, at: latest });
                calls.extend(safe.map(|safe| Call::AuthorizationState {
                    authorization,
                    at: At::Number(safe.number),
                }));
                calls.extend(question.seen_block.is_none().then_some(Call::Block(latest)));
            }
            Self::Logs { spans, .. } => calls.extend(
                spans.iter().map(|span| Call::AuthorizationLogs { authorization, span: *span }),
            ),
            Self::Receipts { places, .. } => {
                for place in places {
                    calls.push(Call::Receipt(place.transaction));
                }
                if question.seen_block.is_none() {
                    calls.extend(places.iter().map(|place| Call::Block(At::Number(place.block))));
                }
            }
        }
        calls
    }
}

fn heads(question: &Question, replies: &Replies) -> Result<Progress, Unreadable> {
    let chain = replies.quantity(0)?;
    if chain != question.chain_id {
        return Err(Unreadable::WrongChain(chain));
    }
    let safe = optional(replies.block(2))?.flatten();
    // The node may have grown between two answers of one batch.
    let latest = replies.quantity(1)?.max(safe.map_or(0, |safe| safe.number));
    let known = question.known.and_then(|known| {
        // The log search finds what this hint does not.
        let receipt = replies.receipt(3, &known.to_bytes()).ok().flatten()?;
        let place = Mined { transaction: known.to_bytes(), block: receipt.block };
        matches!(Evidence::of(&receipt, question), Evidence::Paid { .. })
            .then_some((place, receipt))
    });
    let Some((place, receipt)) = known else {
        return Ok(Progress::Ask(Stage::States(Heads { latest, safe })));
    };
    let heads = Heads { latest: latest.max(place.block), safe };
    if question.seen_block.is_none() {
        return Ok(Progress::Ask(Stage::Receipts { heads, places: Vec::from([place]) }));
    }
    conclude(question, heads, &[(place, receipt, None)]).map(Progress::Found)
}

fn states(question: &Question, heads: Heads, replies: &Replies) -> Result<Progress, Unreadable> {
    let is_used = replies.flag(0)?;
    let is_used_safely = match heads.safe {
        Some(_) => optional(replies.flag(1))?,
        None => None,
    };
    if !is_used {
        return match is_used_safely {
            Some(true) => Err(Unreadable::Contradictory),
            Some(false) => {
                Ok(Progress::Found(Finding::Unused { safe_time: heads.safe.map(|safe| safe.time) }))
            }
            None => Ok(Progress::Found(Finding::Unused { safe_time: None })),
        };
    }
    let search = match (question.cursor, question.seen_block) {
        (Some(cursor), _) => Search::resuming(cursor, heads.latest),
        (None, Some(seen)) => Search::beginning(seen.saturating_add(1), heads.latest),
        (None, None) => {
            let index = if heads.safe.is_some() { 2 } else { 1 };
            let latest = block(replies, index, heads.latest)?;
            let sight = question.seen_at.minus(SIGHT_SLACK_SECS);
            Search::beginning(estimate(sight, heads.safe, latest), heads.latest)
        }
    };
    look(heads, search, 1)
}

/// Asks for the next logs, while blocks and rounds are left.
fn look(heads: Heads, mut search: Search, round: u8) -> Result<Progress, Unreadable> {
    if round > MAX_LOG_ROUNDS {
        let cursor = search.cursor(heads.safe.map(|safe| safe.number));
        return Ok(Progress::Found(Finding::Searching { cursor }));
    }
    let spans = search.advance();
    if spans.is_empty() {
        // The node says it is used, but no block shows it.
        return Err(Unreadable::Contradictory);
    }
    Ok(Progress::Ask(Stage::Logs { heads, search, spans, round }))
}

fn logs(
    question: &Question,
    heads: Heads,
    search: Search,
    spans: &[Span],
    round: u8,
    replies: &Replies,
) -> Result<Progress, Unreadable> {
    let authorization = question.authorization();
    let mut places: Vec<Mined> = Vec::new();
    let mut failure = None;
    for (index, span) in spans.iter().enumerate() {
        match replies.authorization_logs(index, &authorization, *span) {
            Ok(logs) => {
                for Log { transaction, block, .. } in logs {
                    let place = Mined { transaction, block };
                    if !places.contains(&place) {
                        places.push(place);
                    }
                }
            }
            Err(error) => failure = Some(error),
        }
    }
    // A match counts even if other blocks, perhaps pruned long ago, could not be read.
    match (places.len(), failure) {
        (0, Some(error)) => Err(error.into()),
        (0, None) => look(heads, search, round.saturating_add(1)),
        (1..=MAX_PLACES, _) => Ok(Progress::Ask(Stage::Receipts { heads, places })),
        _ => Err(Unreadable::Contradictory),
    }
}

fn receipts(
    question: &Question,
    heads: Heads,
    places: &[Mined],
    replies: &Replies,
) -> Result<Progress, Unreadable> {
    let mut found = Vec::new();
    for (index, place) in places.iter().enumerate() {
        let receipt =
            replies.receipt(index, &place.transaction)?.ok_or(Unreadable::Contradictory)?;
        if receipt.block != place.block {
            return Err(Unreadable::Contradictory);
        }
        let time = match question.seen_block {
            Some(_) => None,
            None => Some(block(replies, places.len().saturating_add(index), place.block)?.time),
        };
        found.push((*place, receipt, time));
    }
    conclude(question, heads, &found).map(Progress::Found)
}

/// The strongest conclusion from the receipts.
fn conclude(
    question: &Question,
    heads: Heads,
    found: &[(Mined, TransactionReceipt, Option<UnixTime>)],
) -> Result<Finding, Unreadable> {
    let mut best: Option<(u8, Finding)> = None;
    for (Mined { transaction, block }, receipt, time) in found {
        let (block, finality) = (*block, heads.finality(*block));
        let transaction = hash(transaction)?;
        let (rank, finding) = match Evidence::of(receipt, question) {
            Evidence::Paid { log_index } if question.is_after_sight(block, *time) => {
                if question.is_confirmed(block, heads.latest) {
                    (5, Finding::Transferred { transaction, block, log_index })
                } else {
                    (4, Finding::Unconfirmed { transaction })
                }
            }
            Evidence::Paid { .. } => (3, Finding::TransferredBefore { transaction, finality }),
            Evidence::Unclear => (2, Finding::Unclear { transaction, finality }),
            Evidence::Elsewhere => (1, Finding::UsedElsewhere { finality }),
            Evidence::Cancelled => (0, Finding::Cancelled { finality }),
            Evidence::Unrelated => continue,
        };
        if best.as_ref().is_none_or(|(max, _)| rank > *max) {
            best = Some((rank, finding));
        }
    }
    best.map(|(_, finding)| finding).ok_or(Unreadable::Contradictory)
}

/// The block `number`, which the node had a moment ago.
fn block(replies: &Replies, index: usize, number: u64) -> Result<Block, Unreadable> {
    replies.block(index)?.filter(|block| block.number == number).ok_or(Unreadable::Contradictory)
}

/// An answer that some nodes do not support: without it safe blocks prove nothing.
fn optional<T>(answer: Result<T, RpcError>) -> Result<Option<T>, RpcError> {
    match answer {
        Ok(value) => Ok(Some(value)),
        Err(RpcError::Refused(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn hash(bytes: &[u8; 32]) -> Result<TxHash, Unreadable> {
    TxHash::parse(&hex::encode_prefixed(bytes))
        .ok_or(Unreadable::Rpc(RpcError::Shape("transactionHash")))
}

/// Maximum requests for logs in one inquiry, so that it ends after six round trips.
const MAX_LOG_ROUNDS: u8 = 3;
/// Maximum transactions that one authorization's logs may come from.
const MAX_PLACES: usize = 4;
