//! A node's reply to a batch, read strictly: a missing or malformed member is an error, never a
//! default.

use alloc::string::String;
use alloc::vec::Vec;

use serde_json::{Map, Value};

use super::error::RpcError;
use super::field::{array, bytes, member, quantity, wide_quantity};
use super::{AUTHORIZATION_CANCELED, AUTHORIZATION_USED, AuthorizationId, Span, TRANSFER};
use crate::address::Address;
use farebox_base::amount::Amount;
use farebox_base::encoding::json;
use farebox_base::sorted::by_rank;
use farebox_base::time::UnixTime;

/// Maximum size of a reply, bytes: the receipt of a large bundle fits.
pub const MAX_REPLY_BYTES: usize = 1024 * 1024;

/// The answers to one batch, each at the position of its call.
#[derive(Debug)]
pub struct Replies(Vec<Result<Value, RpcError>>);

impl Replies {
    /// Reads the reply to a batch of `calls` calls, in any order of answers.
    ///
    /// A node's error for a single call stays at its position. Spec: JSON-RPC 2.0, "Response
    /// object" and "Batch".
    ///
    /// # Errors
    /// [`RpcError::Json`], and [`RpcError::Shape`] unless there is exactly one well-formed answer
    /// per call.
    pub fn read(body: &[u8], calls: usize) -> Result<Self, RpcError> {
        let document = json::parse_with(body, MAX_REPLY_BYTES).map_err(RpcError::Json)?;
        let Value::Array(answers) = document else {
            return Err(RpcError::Shape("batch"));
        };
        if answers.len() != calls {
            return Err(RpcError::Shape("batch"));
        }
        let mut places: Vec<Option<Result<Value, RpcError>>> = Vec::new();
        places.resize_with(calls, || None);
        for answer in answers {
            let Value::Object(answer) = answer else {
                return Err(RpcError::Shape("answer"));
            };
            let (id, outcome) = answer_of(answer)?;
            let place = usize::try_from(id)
                .ok()
                .and_then(|id| id.checked_sub(1))
                .and_then(|index| places.get_mut(index))
                .ok_or(RpcError::Shape("id"))?;
            if place.replace(outcome).is_some() {
                return Err(RpcError::Shape("id"));
            }
        }
        places.into_iter().collect::<Option<_>>().map(Self).ok_or(RpcError::Shape("id"))
    }

    /// The result of the call at position `index`, a number up to 2^64 − 1.
    ///
    /// # Errors
    /// [`RpcError::Refused`], [`RpcError::Shape`].
    pub fn quantity(&self, index: usize) -> Result<u64, RpcError> {
        quantity(self.result(index)?, "quantity")
    }

    /// The result of the call at position `index`, a block; `None` if the node has no such block.
    ///
    /// # Errors
    /// [`RpcError::Refused`], [`RpcError::Shape`].
    pub fn block(&self, index: usize) -> Result<Option<Block>, RpcError> {
        match self.result(index)? {
            Value::Null => Ok(None),
            Value::Object(block) => Ok(Some(Block {
                number: quantity(member(block, "number")?, "number")?,
                time: UnixTime::from_secs(quantity(member(block, "timestamp")?, "timestamp")?),
            })),
            _ => Err(RpcError::Shape("block")),
        }
    }

    /// The base fee of the block at position `index`, wei per unit of gas; `None` on chains without
    /// one. Spec: EIP-1559.
    ///
    /// # Errors
    /// [`RpcError::Refused`], [`RpcError::Shape`].
    pub fn base_fee(&self, index: usize) -> Result<Option<Amount>, RpcError> {
        match self.result(index)?.get("baseFeePerGas") {
            None | Some(Value::Null) => Ok(None),
            Some(fee) => wide_quantity(fee, "baseFeePerGas").map(Some),
        }
    }

    /// The result of the call at position `index`, an amount of wei.
    ///
    /// # Errors
    /// [`RpcError::Refused`], [`RpcError::Shape`].
    pub fn wei(&self, index: usize) -> Result<Amount, RpcError> {
        wide_quantity(self.result(index)?, "quantity")
    }

    /// Whether the `transfer` at position `index` would succeed: it returns true, or no data as in
    /// some older tokens.
    ///
    /// # Errors
    /// [`RpcError::Reverted`], [`RpcError::Refused`], [`RpcError::Shape`].
    pub fn transfers(&self, index: usize) -> Result<bool, RpcError> {
        if self.result(index)?.as_str() == Some("0x") { Ok(true) } else { self.flag(index) }
    }

    /// The result of the call at position `index`: the transaction with this hash, or `None` if the
    /// node has none.
    ///
    /// # Errors
    /// [`RpcError::Refused`], [`RpcError::Shape`], also for another transaction.
    pub fn transaction(&self, index: usize, hash: &[u8; 32]) -> Result<Option<Sent>, RpcError> {
        let sent = match self.result(index)? {
            Value::Null => return Ok(None),
            Value::Object(sent) => sent,
            _ => return Err(RpcError::Shape("transaction")),
        };
        if array::<32>(member(sent, "hash")?, "hash")? != *hash {
            return Err(RpcError::Shape("hash"));
        }
        let to = match member(sent, "to")? {
            Value::Null => None,
            to => Some(Address::from_bytes(array(to, "to")?)),
        };
        Ok(Some(Sent {
            from: Address::from_bytes(array(member(sent, "from")?, "from")?),
            to,
            input: bytes(member(sent, "input")?, "input")?,
        }))
    }

    /// The result of the contract call at position `index`, a `bool`: exactly the word 0 or 1.
    ///
    /// # Errors
    /// [`RpcError::Refused`], [`RpcError::Shape`].
    pub fn flag(&self, index: usize) -> Result<bool, RpcError> {
        let word = self.amount(index)?;
        if word == Amount::from_u64(1) {
            Ok(true)
        } else if word.is_zero() {
            Ok(false)
        } else {
            Err(RpcError::Shape("bool"))
        }
    }

    /// The result of the contract call at position `index`, a `uint256`.
    ///
    /// # Errors
    /// [`RpcError::Refused`], [`RpcError::Shape`].
    pub fn amount(&self, index: usize) -> Result<Amount, RpcError> {
        array(self.result(index)?, "word").map(Amount::from_be_bytes)
    }

    /// The result of the contract call at position `index`.
    ///
    /// # Errors
    /// [`RpcError::Reverted`], [`RpcError::Refused`], [`RpcError::Shape`].
    pub fn returned(&self, index: usize) -> Result<Vec<u8>, RpcError> {
        bytes(self.result(index)?, "data")
    }

    /// The result of the call at position `index`: the transactions within `span` that used or
    /// cancelled the authorization.
    ///
    /// Logs that the node marks as removed are left out.
    ///
    /// # Errors
    /// [`RpcError::Refused`], [`RpcError::Shape`], also for a log that was not requested.
    pub fn authorization_logs(
        &self,
        index: usize,
        authorization: &AuthorizationId,
        span: Span,
    ) -> Result<Vec<Log>, RpcError> {
        self.logs(index, span, |log| {
            log.is_event(&AUTHORIZATION_USED, authorization)
                || log.is_event(&AUTHORIZATION_CANCELED, authorization)
        })
    }

    /// The result of the call at position `index`: what a token told of an authorizer in the
    /// transaction and the block of this log, as the receipt of that transaction would have it.
    ///
    /// Whoever sends the transaction decides how long its receipt is; what one token tells of one
    /// account in one block is short.
    ///
    /// # Errors
    /// As [`Replies::authorization_logs`].
    pub fn authorization_events(
        &self,
        index: usize,
        authorization: &AuthorizationId,
        found: &LogPlace,
    ) -> Result<TransactionReceipt, RpcError> {
        let LogPlace { transaction, block } = *found;
        let account = authorization.authorizer.to_word();
        let mut logs = self.logs(index, Span { first: block, last: block }, |log| {
            log.address == authorization.asset && log.topics.get(1) == Some(&account)
        })?;
        logs.retain(|log| log.transaction == transaction);
        Ok(TransactionReceipt { block, status: Status::Succeeded, logs })
    }

    /// The result of the call at position `index`: the transfers of a token from the first account to
    /// the second within `span`, without those that the node marks as removed.
    ///
    /// # Errors
    /// As [`Replies::authorization_logs`].
    pub fn transfer_logs(
        &self,
        index: usize,
        token: Address,
        accounts: [Address; 2],
        span: Span,
    ) -> Result<Vec<Log>, RpcError> {
        let [from, to] = accounts.map(|account| account.to_word());
        self.logs(index, span, |log| log.address == token && log.topics == [TRANSFER, from, to])
    }

    fn logs(
        &self,
        index: usize,
        span: Span,
        is_asked: impl Fn(&Log) -> bool,
    ) -> Result<Vec<Log>, RpcError> {
        let logs = logs(self.result(index)?)?;
        if logs.iter().all(|log| span.contains(log.block) && is_asked(log)) {
            Ok(logs.into_iter().filter(|log| log.standing == Inclusion::Included).collect())
        } else {
            Err(RpcError::Shape("log"))
        }
    }

    /// The result of the call at position `index`: the receipt of `transaction`; `None` while it is
    /// in no block.
    ///
    /// # Errors
    /// [`RpcError::Refused`], [`RpcError::Shape`], also for the receipt of another transaction.
    pub fn receipt(
        &self,
        index: usize,
        transaction: &[u8; 32],
    ) -> Result<Option<TransactionReceipt>, RpcError> {
        let receipt = match self.result(index)? {
            Value::Null => return Ok(None),
            Value::Object(receipt) => receipt,
            _ => return Err(RpcError::Shape("receipt")),
        };
        let status = match quantity(member(receipt, "status")?, "status")? {
            0 => Status::Reverted,
            1 => Status::Succeeded,
            _ => return Err(RpcError::Shape("status")),
        };
        let block = quantity(member(receipt, "blockNumber")?, "blockNumber")?;
        let logs = by_rank(logs(member(receipt, "logs")?)?, |log| (log.index, 0));
        let named: [u8; 32] = array(member(receipt, "transactionHash")?, "transactionHash")?;
        let strange = logs.iter().any(|log| log.transaction != *transaction || log.block != block);
        let twice = logs.windows(2).any(|pair| match pair {
            [one, next] => one.index == next.index,
            _ => false,
        });
        if named != *transaction || strange || twice {
            return Err(RpcError::Shape("receipt"));
        }
        Ok(Some(TransactionReceipt { block, status, logs }))
    }

    pub(super) fn result(&self, index: usize) -> Result<&Value, RpcError> {
        match self.0.get(index) {
            Some(Ok(value)) => Ok(value),
            Some(Err(error)) => Err(*error),
            None => Err(RpcError::Shape("id")),
        }
    }
}

/// Number and time of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Block {
    /// Its height.
    pub number: u64,
    /// Its timestamp.
    pub time: UnixTime,
}

/// The content of a transaction, whether or not it is in a block yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The signer.
    pub from: Address,
    /// The called contract; `None` if the transaction creates one.
    pub to: Option<Address>,
    /// The data of the call.
    pub input: Vec<u8>,
}

/// Result of a transaction that is in a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TransactionReceipt {
    /// Number of the block.
    pub block: u64,
    /// Whether it had any effect; does not say which.
    pub status: Status,
    /// Its events in order, all of this transaction and block.
    pub logs: Vec<Log>,
}

/// Outcome of a transaction. Spec: EIP-658.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It ran to its end.
    Succeeded,
    /// It changed nothing but the sender's gas.
    Reverted,
}

/// One event of a contract.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// The contract.
    pub address: Address,
    /// At most four words: the event, then its indexed arguments.
    pub topics: Vec<[u8; 32]>,
    /// The other arguments.
    pub data: Vec<u8>,
    /// Number of the block.
    pub block: u64,
    /// Hash of the transaction.
    pub transaction: [u8; 32],
    /// Place among the events of the block.
    pub index: u64,
    /// Whether it is in the chain.
    pub standing: Inclusion,
}

/// Where an event is: its transaction and its block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogPlace {
    /// Hash of the transaction.
    pub transaction: [u8; 32],
    /// Number of the block.
    pub block: u64,
}

impl Log {
    /// Where it is.
    #[must_use]
    pub const fn place(&self) -> LogPlace {
        LogPlace { transaction: self.transaction, block: self.block }
    }

    /// Whether it is `event(authorizer, nonce)` of this authorization's token.
    #[must_use]
    pub fn is_event(&self, event: &[u8; 32], authorization: &AuthorizationId) -> bool {
        let AuthorizationId { asset, authorizer, nonce } = authorization;
        self.address == *asset && self.topics == [*event, authorizer.to_word(), *nonce]
    }
}

/// Whether an event is still in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inclusion {
    /// It is in the chain.
    Included,
    /// Its block was reverted.
    Removed,
}

/// The id of an answer, and its result or error.
fn answer_of(mut answer: Map<String, Value>) -> Result<(u64, Result<Value, RpcError>), RpcError> {
    if answer.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return Err(RpcError::Shape("jsonrpc"));
    }
    let id = answer.get("id").and_then(Value::as_u64).ok_or(RpcError::Shape("id"))?;
    let outcome = match (answer.remove("result"), answer.remove("error")) {
        (Some(result), None) => Ok(result),
        (None, Some(error)) => Err(refusal(&error)?),
        (Some(_), Some(_)) | (None, None) => return Err(RpcError::Shape("result")),
    };
    Ok((id, outcome))
}

/// The meaning of an error: nodes that are busy, behind or not paid for say nothing of the call.
/// Spec: EIP-1474 has no number for a call that fails; Geth and others use 3, Nethermind -32015,
/// and many say it in words only.
fn refusal(error: &Value) -> Result<RpcError, RpcError> {
    let number = error.get("code").and_then(Value::as_i64).ok_or(RpcError::Shape("error"))?;
    let message = error.get("message").and_then(Value::as_str).unwrap_or_default();
    let words = message.to_ascii_lowercase();
    // The account that would send it lacks the gas; the call itself was not tried.
    let is_poor = words.contains("insufficient funds for gas") && !words.contains("revert");
    let fails =
        matches!(number, 3 | -32015) || FAILS.iter().any(|part| words.contains(part)) && !is_poor;
    Ok(if fails { RpcError::Reverted } else { RpcError::Refused(number) })
}

/// Parts of what nodes say of a call that fails, or whose gas is not enough.
const FAILS: [&str; 4] = ["revert", "gas", "opcode", "evm"];

fn logs(value: &Value) -> Result<Vec<Log>, RpcError> {
    value.as_array().ok_or(RpcError::Shape("logs"))?.iter().map(log).collect()
}

fn log(value: &Value) -> Result<Log, RpcError> {
    let log = value.as_object().ok_or(RpcError::Shape("log"))?;
    let topics = member(log, "topics")?.as_array().ok_or(RpcError::Shape("topics"))?;
    if topics.len() > 4 {
        return Err(RpcError::Shape("topics"));
    }
    Ok(Log {
        address: Address::from_bytes(array(member(log, "address")?, "address")?),
        topics: topics.iter().map(|topic| array(topic, "topics")).collect::<Result<_, _>>()?,
        data: bytes(member(log, "data")?, "data")?,
        block: quantity(member(log, "blockNumber")?, "blockNumber")?,
        transaction: array(member(log, "transactionHash")?, "transactionHash")?,
        index: quantity(member(log, "logIndex")?, "logIndex")?,
        standing: match member(log, "removed")? {
            Value::Bool(false) => Inclusion::Included,
            Value::Bool(true) => Inclusion::Removed,
            _ => return Err(RpcError::Shape("removed")),
        },
    })
}
