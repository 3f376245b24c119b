//! Requests to a node over JSON-RPC 2.0, as text; [`reply`] reads the replies.
//!
//! Several [`Call`]s form one batch, whose ids are the positions of the calls, counted from one.
//! This module sends nothing. Assumptions: the operator chose the node, and it is trusted, but it
//! may lag, lose calls and answer in any order. Spec: JSON-RPC 2.0 "Batch"; Ethereum execution API;
//! ERC-20 and EIP-3009 for the contract calls and events.

pub mod error;
mod field;
pub mod reply;
pub mod trace;

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::address::Address;
use crate::permit2::{self, PERMIT2};
use crate::transaction::transfer_data;
use farebox_base::amount::Amount;
use farebox_base::encoding::hex;

/// Maximum blocks of one query for logs.
pub const MAX_SPAN_BLOCKS: u64 = 2_000;

/// One call of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Call {
    /// `eth_chainId`: read with [`reply::Replies::quantity`].
    ChainId,
    /// `eth_blockNumber`: read with [`reply::Replies::quantity`].
    BlockNumber,
    /// `eth_maxPriorityFeePerGas`, wei for a unit of gas: read with [`reply::Replies::wei`]. Not
    /// every node has it.
    Tip,
    /// `eth_getBlockByNumber` without its transactions' contents: read with
    /// [`reply::Replies::block`] and [`reply::Replies::base_fee`].
    Block(At),
    /// `eth_call` of `authorizationState(address,bytes32)`: read with [`reply::Replies::flag`].
    /// Spec: EIP-3009.
    AuthorizationState {
        /// The authorization, with its token.
        authorization: AuthorizationId,
        /// The block after which to look.
        at: At,
    },
    /// `eth_call` of `nonceBitmap(address,uint256)` of Permit2: read with
    /// [`reply::Replies::amount`]. Spec: Permit2 `SignatureTransfer`.
    NonceBitmap {
        /// The payer.
        owner: Address,
        /// The nonce of their permit.
        nonce: [u8; 32],
        /// The block after which to look.
        at: At,
    },
    /// `eth_call` of `balanceOf(address)`: read with [`reply::Replies::amount`]. Spec: ERC-20.
    Balance {
        /// The token.
        asset: Address,
        /// The account.
        holder: Address,
        /// The block after which to look.
        at: At,
    },
    /// `eth_getLogs` of both events that end an authorization: read with
    /// [`reply::Replies::authorization_logs`].
    AuthorizationLogs {
        /// The authorization, with its token.
        authorization: AuthorizationId,
        /// The blocks to search.
        span: Span,
    },
    /// `eth_getLogs` of what a token tells of an authorizer in one block: read with
    /// [`reply::Replies::authorization_events`].
    AuthorizationEvents {
        /// The authorization, with its token.
        authorization: AuthorizationId,
        /// The block.
        block: u64,
    },
    /// `eth_getLogs` of the transfers of a token between two accounts: read with
    /// [`reply::Replies::transfer_logs`]. Spec: ERC-20.
    TransferLogs {
        /// The token.
        asset: Address,
        /// The payer.
        from: Address,
        /// The payee.
        to: Address,
        /// The blocks to search.
        span: Span,
    },
    /// `eth_getTransactionReceipt` of the transaction with this hash: read with
    /// [`reply::Replies::receipt`].
    Receipt([u8; 32]),
    /// `eth_getTransactionByHash`: read with [`reply::Replies::transaction`].
    Transaction([u8; 32]),
    /// `debug_traceTransaction` with `callTracer`: read with [`reply::Replies::calls_of`]. Few plans
    /// of node providers have it. Spec: Geth, "Built-in tracers".
    Trace([u8; 32]),
    /// `eth_getTransactionCount`, the nonce of an account's next transaction: read with
    /// [`reply::Replies::quantity`].
    TransactionCount {
        /// The account.
        account: Address,
        /// The block after which to look.
        at: At,
    },
    /// `eth_getBalance`, wei: read with [`reply::Replies::wei`].
    Wei {
        /// The account.
        account: Address,
        /// The block after which to look.
        at: At,
    },
    /// `eth_call` of `transfer(address,uint256)` after the newest block, on behalf of its sender
    /// and with the transaction's gas: read with [`reply::Replies::transfers`]. Spec: ERC-20.
    Transfer {
        /// The token.
        asset: Address,
        /// The payer.
        from: Address,
        /// The payee.
        to: Address,
        /// Atomic units.
        value: Amount,
        /// Gas limit.
        gas: u64,
    },
    /// `eth_call` of a contract after the newest block: read with [`reply::Replies::returned`].
    Ask {
        /// The account that asks; a contract may answer each differently.
        from: Address,
        /// The contract.
        to: Address,
        /// The data of the call.
        data: Vec<u8>,
        /// Gas limit.
        gas: u64,
    },
    /// `eth_call` of a contract after a block: read with [`reply::Replies::returned`].
    AskAt {
        /// The contract.
        to: Address,
        /// The data of the call.
        data: Vec<u8>,
        /// The block.
        at: At,
    },
    /// `eth_sendRawTransaction` of these bytes. Its answer proves nothing: the chain shows what
    /// became of it.
    Send(Vec<u8>),
}

impl Call {
    fn method(&self) -> &'static str {
        match self {
            Self::ChainId => "eth_chainId",
            Self::BlockNumber => "eth_blockNumber",
            Self::Tip => "eth_maxPriorityFeePerGas",
            Self::Block(_) => "eth_getBlockByNumber",
            Self::AuthorizationState { .. }
            | Self::NonceBitmap { .. }
            | Self::Balance { .. }
            | Self::Transfer { .. }
            | Self::Ask { .. }
            | Self::AskAt { .. } => "eth_call",
            Self::AuthorizationLogs { .. }
            | Self::AuthorizationEvents { .. }
            | Self::TransferLogs { .. } => "eth_getLogs",
            Self::Receipt(_) => "eth_getTransactionReceipt",
            Self::Transaction(_) => "eth_getTransactionByHash",
            Self::Trace(_) => "debug_traceTransaction",
            Self::TransactionCount { .. } => "eth_getTransactionCount",
            Self::Wei { .. } => "eth_getBalance",
            Self::Send(_) => "eth_sendRawTransaction",
        }
    }

    /// The parameters as a JSON array; only digits and fixed text go in, so nothing needs escaping.
    fn params(&self) -> String {
        match self {
            Self::ChainId | Self::BlockNumber | Self::Tip => String::from("[]"),
            Self::Block(at) => format!(r#"["{}",false]"#, at.to_text()),
            Self::AuthorizationState { authorization, at } => {
                let data = call_data(
                    AUTHORIZATION_STATE,
                    &[authorization.authorizer.to_word(), authorization.nonce],
                );
                contract_call(&authorization.asset, &data, *at)
            }
            Self::NonceBitmap { owner, nonce, at } => {
                let words = [owner.to_word(), permit2::bitmap_word(nonce)];
                contract_call(&PERMIT2, &call_data(NONCE_BITMAP, &words), *at)
            }
            Self::Balance { asset, holder, at } => {
                contract_call(asset, &call_data(BALANCE_OF, &[holder.to_word()]), *at)
            }
            Self::AuthorizationLogs { authorization, span } => format!(
                r#"[{{"address":"{}","fromBlock":"{:#x}","toBlock":"{:#x}","topics":[["{}","{}"],"{}","{}"]}}]"#,
                authorization.asset.to_lower_hex(),
                span.first,
                span.last,
                hex::encode_prefixed(&AUTHORIZATION_USED),
                hex::encode_prefixed(&AUTHORIZATION_CANCELED),
                hex::encode_prefixed(&authorization.authorizer.to_word()),
                hex::encode_prefixed(&authorization.nonce),
            ),
            Self::AuthorizationEvents { authorization, block } => format!(
                r#"[{{"address":"{}","fromBlock":"{block:#x}","toBlock":"{block:#x}","topics":[["{}","{}","{}"],"{}"]}}]"#,
                authorization.asset.to_lower_hex(),
                hex::encode_prefixed(&AUTHORIZATION_USED),
                hex::encode_prefixed(&AUTHORIZATION_CANCELED),
                hex::encode_prefixed(&TRANSFER),
                hex::encode_prefixed(&authorization.authorizer.to_word()),
            ),
            Self::TransferLogs { asset, from, to, span } => format!(
                r#"[{{"address":"{}","fromBlock":"{:#x}","toBlock":"{:#x}","topics":["{}","{}","{}"]}}]"#,
                asset.to_lower_hex(),
                span.first,
                span.last,
                hex::encode_prefixed(&TRANSFER),
                hex::encode_prefixed(&from.to_word()),
                hex::encode_prefixed(&to.to_word()),
            ),
            Self::Receipt(transaction) | Self::Transaction(transaction) => {
                format!(r#"["{}"]"#, hex::encode_prefixed(transaction))
            }
            Self::Trace(transaction) => {
                let transaction = hex::encode_prefixed(transaction);
                format!(r#"["{transaction}",{{"tracer":"callTracer"}}]"#)
            }
            Self::TransactionCount { account, at } | Self::Wei { account, at } => {
                format!(r#"["{}","{}"]"#, account.to_lower_hex(), at.to_text())
            }
            Self::Transfer { asset, from, to, value, gas } => format!(
                r#"[{{"from":"{}","to":"{}","gas":"{gas:#x}","data":"{}"}},"latest"]"#,
                from.to_lower_hex(),
                asset.to_lower_hex(),
                hex::encode_prefixed(&transfer_data(*to, *value)),
            ),
            Self::Ask { from, to, data, gas } => format!(
                r#"[{{"from":"{}","to":"{}","gas":"{gas:#x}","data":"{}"}},"latest"]"#,
                from.to_lower_hex(),
                to.to_lower_hex(),
                hex::encode_prefixed(data),
            ),
            Self::AskAt { to, data, at } => contract_call(to, &hex::encode_prefixed(data), *at),
            Self::Send(bytes) => format!(r#"["{}"]"#, hex::encode_prefixed(bytes)),
        }
    }
}

/// The body that asks all of `calls` at once; always an array, even for one call.
#[must_use]
pub fn batch(calls: &[Call]) -> String {
    let mut body = String::from("[");
    for (id, call) in (1_u64..).zip(calls) {
        if id > 1 {
            body.push(',');
        }
        let (method, params) = (call.method(), call.params());
        body.push_str(&format!(
            r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{params}}}"#
        ));
    }
    body.push(']');
    body
}

/// Identifies one authorization on its chain: each token accepts a nonce once per authorizer. Spec:
/// EIP-3009.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthorizationId {
    /// The token.
    pub asset: Address,
    /// The signer.
    pub authorizer: Address,
    /// The nonce that the signer chose.
    pub nonce: [u8; 32],
}

/// A block by its number or by the node's name for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    /// The block with this number.
    Number(u64),
    /// The newest one.
    Latest,
    /// The next block, as far as the node knows its content.
    Pending,
    /// The newest block that no honest majority reverts.
    Safe,
}

impl At {
    fn to_text(self) -> String {
        match self {
            Self::Number(number) => format!("{number:#x}"),
            Self::Latest => String::from("latest"),
            Self::Pending => String::from("pending"),
            Self::Safe => String::from("safe"),
        }
    }
}

/// Consecutive blocks, 1 to [`MAX_SPAN_BLOCKS`] of them, including both ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    first: u64,
    last: u64,
}

impl Span {
    /// As many blocks as possible from `first` up to `limit`; `None` if `first` is above it.
    #[must_use]
    pub fn upward(first: u64, limit: u64) -> Option<Self> {
        let last = first.saturating_add(MAX_SPAN_BLOCKS - 1).min(limit);
        (first <= last).then_some(Self { first, last })
    }

    /// As many blocks as possible up to `last`.
    #[must_use]
    pub fn downward(last: u64) -> Self {
        Self { first: last.saturating_sub(MAX_SPAN_BLOCKS - 1), last }
    }

    /// The lowest block.
    #[must_use]
    pub const fn first(&self) -> u64 {
        self.first
    }

    /// The highest block.
    #[must_use]
    pub const fn last(&self) -> u64 {
        self.last
    }

    /// Whether the block lies inside.
    #[must_use]
    pub const fn contains(&self, block: u64) -> bool {
        self.first <= block && block <= self.last
    }
}

fn contract_call(contract: &Address, data: &str, at: At) -> String {
    format!(r#"[{{"to":"{}","data":"{data}"}},"{}"]"#, contract.to_lower_hex(), at.to_text())
}

fn call_data(selector: [u8; 4], words: &[[u8; 32]]) -> String {
    let mut data = hex::encode_prefixed(&selector);
    for word in words {
        data.push_str(&hex::encode(word));
    }
    data
}

/// Keccak-256 of `AuthorizationUsed(address,bytes32)`. Spec: EIP-3009.
pub const AUTHORIZATION_USED: [u8; 32] = [
    0x98, 0xde, 0x50, 0x35, 0x28, 0xee, 0x59, 0xb5, 0x75, 0xef, 0x0c, 0x0a, 0x25, 0x76, 0xa8, 0x24,
    0x97, 0xbf, 0xc0, 0x29, 0xa5, 0x68, 0x5b, 0x20, 0x9e, 0x9e, 0xc3, 0x33, 0x47, 0x9b, 0x10, 0xa5,
];
/// Keccak-256 of `AuthorizationCanceled(address,bytes32)`. Spec: EIP-3009.
pub const AUTHORIZATION_CANCELED: [u8; 32] = [
    0x1c, 0xdd, 0x46, 0xff, 0x24, 0x27, 0x16, 0xcd, 0xaa, 0x72, 0xd1, 0x59, 0xd3, 0x39, 0xa4, 0x85,
    0xb3, 0x43, 0x83, 0x98, 0x34, 0x8d, 0x68, 0xf0, 0x9d, 0x7c, 0x8c, 0x0a, 0x59, 0x35, 0x3d, 0x81,
];
/// Keccak-256 of `Transfer(address,address,uint256)`. Spec: ERC-20.
pub const TRANSFER: [u8; 32] = [
    0xdd, 0xf2, 0x52, 0xad, 0x1b, 0xe2, 0xc8, 0x9b, 0x69, 0xc2, 0xb0, 0x68, 0xfc, 0x37, 0x8d, 0xaa,
    0x95, 0x2b, 0xa7, 0xf1, 0x63, 0xc4, 0xa1, 0x16, 0x28, 0xf5, 0x5a, 0x4d, 0xf5, 0x23, 0xb3, 0xef,
];
/// Selector of `authorizationState(address,bytes32)`.
const AUTHORIZATION_STATE: [u8; 4] = [0xe9, 0x4a, 0x01, 0x02];
/// Selector of `nonceBitmap(address,uint256)`.
const NONCE_BITMAP: [u8; 4] = [0x4f, 0xe0, 0x2b, 0x44];
/// Selector of `balanceOf(address)`.
const BALANCE_OF: [u8; 4] = [0x70, 0xa0, 0x82, 0x31];
