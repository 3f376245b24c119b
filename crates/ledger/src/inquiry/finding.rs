//! The chain's findings about an authorization, and what follows for its row.

use core::fmt;

use super::search::SearchedBlocks;
use farebox_base::time::UnixTime;
use farebox_common::payment::TxHash;
use farebox_evm::rpc::error::RpcError;

/// Seconds by which the safe block must be past `validBefore` before an unused authorization counts
/// as dead.
pub const VOID_MARGIN_SECS: u64 = 60;

/// The chain's answer to a [`Question`](super::Question).
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
    /// Paid after first sight by an authorization that was signed before the last one.
    TransferredEarlier {
        /// The transaction.
        transaction: TxHash,
        /// Its place in [`Question::earlier`](super::Question::earlier).
        earlier: usize,
    },
    /// A transfer, as in [`Finding::Transferred`], with too few confirmations so far.
    Unconfirmed {
        /// The transaction.
        transaction: TxHash,
    },
    /// Paid after the time in which it would have been served.
    TransferredLate {
        /// The transaction.
        transaction: TxHash,
    },
    /// Paid before first sight, so for another request: proves nothing for this one.
    TransferredBefore {
        /// The transaction.
        transaction: TxHash,
        /// Finality of its block.
        finality: Finality,
    },
    /// The payer cancelled the authorization.
    Cancelled {
        /// Finality of its block.
        finality: Finality,
    },
    /// The nonce was used for something else, so this authorization never moves money.
    UsedElsewhere {
        /// Finality of its block.
        finality: Finality,
    },
    /// The nonce was used beside such a `Transfer` that may belong to another authorization, or
    /// that cannot be read; the operator has to look.
    Unclear {
        /// The transaction.
        transaction: TxHash,
        /// Finality of its block.
        finality: Finality,
    },
    /// The authorization is unused in the newest block.
    Unused {
        /// Time of the safe block, if it is unused there too; `None` if the node knows no such
        /// block.
        safe_time: Option<UnixTime>,
    },
    /// Used, but the log is not among the blocks searched so far; ask again with this cursor.
    Searching {
        /// For [`Question::cursor`](super::Question::cursor).
        cursor: Option<SearchedBlocks>,
    },
    /// The chain could not be read.
    Unreadable(Unreadable),
}

/// Finality of something in the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finality {
    /// It may still be reorganized.
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
    /// The reply is not usable.
    Rpc(RpcError),
    /// The node serves the chain with this number.
    WrongChain(u64),
    /// Two answers contradict each other: the node lags, or blocks were reorganized in between.
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

/// Meaning of a finding for the row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Money moved for this payment.
    Captured(TxHash),
    /// An earlier authorization, by its place in the question, moved money.
    Earlier(TxHash, usize),
    /// Money moved for this payment, too late to be served.
    Late(TxHash),
    /// This authorization never moves money.
    Void,
    /// Paid before first sight here, which contradicts the row: the operator has to look.
    Early(TxHash),
    /// Indistinguishable from another payment of the same transaction: the operator has to look.
    Unclear(TxHash),
    /// Undecided so far.
    Open,
    /// No information; ask again.
    Unreadable,
}

/// The verdict from `finding` at the gate's time `now`.
///
/// Only final facts make a payment void: a cancellation or another use at the safe block, or an
/// unused authorization there, more than [`VOID_MARGIN_SECS`] after `valid_before` by both the
/// block's time and the gate's.
#[must_use]
pub fn verdict(finding: &Finding, valid_before: UnixTime, now: UnixTime) -> Verdict {
    let dead = valid_before.plus(VOID_MARGIN_SECS);
    match finding {
        Finding::Transferred { transaction, .. } => Verdict::Captured(*transaction),
        Finding::TransferredEarlier { transaction, earlier } => {
            Verdict::Earlier(*transaction, *earlier)
        }
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
