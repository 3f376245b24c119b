//! What the chain said about an authorization, and what follows for its row.

use core::fmt;

use super::search::SearchedBlocks;
use crate::evm::rpc::reply::RpcError;
use crate::payment::TxHash;
use crate::time::UnixTime;

/// Seconds past `validBefore` that the safe block must be before an unused authorization counts as dead.
pub const VOID_MARGIN_SECS: u64 = 60;

/// What the chain says about a [`Question`](super::Question).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Paid after first sight: the authorization's own use and `Transfer`.
    Transferred {
        /// The transaction.
        transaction: TxHash,
        /// Its block.
        block: u64,
        /// Place of the `Transfer` among the events of the block.
        log_index: u64,
    },
    /// As [`Finding::Transferred`], in too few blocks so far.
    Unconfirmed {
        /// The transaction.
        transaction: TxHash,
    },
    /// Paid after the time in which it would have been served.
    TransferredLate {
        /// The transaction.
        transaction: TxHash,
    },
    /// Paid before first sight, so for something else: proves nothing for this request.
    TransferredBefore {
        /// The transaction.
        transaction: TxHash,
        /// How firmly.
        finality: Finality,
    },
    /// The payer took the authorization back.
    Cancelled {
        /// How firmly.
        finality: Finality,
    },
    /// The nonce went to something that is not this payment, so this authorization never moves anything.
    UsedElsewhere {
        /// How firmly.
        finality: Finality,
    },
    /// The nonce was used beside such a `Transfer` that may belong to another authorization, or one that cannot be read; a
    /// person has to look.
    Unclear {
        /// The transaction.
        transaction: TxHash,
        /// How firmly.
        finality: Finality,
    },
    /// The authorization is unused in the newest block.
    Unused {
        /// Time of the safe block, if it is unused there too; none if the node knows no such block.
        safe_time: Option<UnixTime>,
    },
    /// Used, but the log is not among the blocks searched so far; ask again with this cursor.
    Searching {
        /// For [`Question::cursor`](super::Question::cursor).
        cursor: Option<SearchedBlocks>,
    },
    /// Nothing can be said.
    Unreadable(Unreadable),
}

/// How firmly something is in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finality {
    /// It may still be replaced.
    Latest,
    /// At or below the safe block.
    Safe,
}

/// Why the chain could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unreadable {
    /// No complete reply within the limits.
    NoReply,
    /// The reply tells nothing.
    Rpc(RpcError),
    /// The node serves the chain of this number.
    WrongChain(u64),
    /// Two answers exclude each other: a lagging node, or blocks were replaced in between.
    Contradictory,
}

impl Unreadable {
    /// The stable code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoReply => "rpc_no_reply",
            Self::Rpc(error) => error.code(),
            Self::WrongChain(_) => "rpc_wrong_chain",
            Self::Contradictory => "rpc_contradictory",
        }
    }
}

impl fmt::Display for Unreadable {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoReply => formatter.write_str("the node of RPC_URL sent no complete reply"),
            Self::Rpc(error) => error.fmt(formatter),
            Self::WrongChain(id) => {
                write!(
                    formatter,
                    "the node of RPC_URL serves chain {id}; set one for the right chain"
                )
            }
            Self::Contradictory => formatter
                .write_str("answers of the node contradict each other; it is asked again later"),
        }
    }
}

impl core::error::Error for Unreadable {}

impl From<RpcError> for Unreadable {
    fn from(error: RpcError) -> Self {
        Self::Rpc(error)
    }
}

/// What a finding means for the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Money moved for this payment.
    Captured(TxHash),
    /// Money moved for this payment, too late to be served for.
    Late(TxHash),
    /// Money never moves with this authorization.
    Void,
    /// Paid before it was first seen here: contradicts the row, a person has to look.
    Early(TxHash),
    /// Cannot be told apart from another payment of the same transaction: a person has to look.
    Unclear(TxHash),
    /// Undecided so far.
    Open,
    /// Nothing was learnt; ask again.
    Unreadable,
}

/// What follows from `finding` at the gate's time `now`.
///
/// Void only by what stays: a cancellation or another use at the safe block, or an unused authorization there, more than
/// [`VOID_MARGIN_SECS`] after `valid_before` by the block's time and by ours.
#[must_use]
pub fn verdict(finding: &Finding, valid_before: UnixTime, now: UnixTime) -> Verdict {
    let dead = valid_before.plus(VOID_MARGIN_SECS);
    match finding {
        Finding::Transferred { transaction, .. } => Verdict::Captured(*transaction),
        Finding::TransferredLate { transaction } => Verdict::Late(*transaction),
        Finding::Cancelled { finality: Finality::Safe }
        | Finding::UsedElsewhere { finality: Finality::Safe } => Verdict::Void,
        Finding::TransferredBefore { transaction, finality: Finality::Safe } => {
            Verdict::Early(*transaction)
        }
        Finding::Unclear { transaction, finality: Finality::Safe } => {
            Verdict::Unclear(*transaction)
        }
        Finding::Unused { safe_time: Some(time) } if *time > dead && now > dead => Verdict::Void,
        Finding::Unused { .. }
        | Finding::Unconfirmed { .. }
        | Finding::Cancelled { finality: Finality::Latest }
        | Finding::UsedElsewhere { finality: Finality::Latest }
        | Finding::TransferredBefore { finality: Finality::Latest, .. }
        | Finding::Unclear { finality: Finality::Latest, .. } => Verdict::Open,
        Finding::Searching { .. } | Finding::Unreadable(_) => Verdict::Unreadable,
    }
}
