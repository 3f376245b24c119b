//! Where a payment stands: impossible pairs cannot be written.

use alloc::string::{String, ToString};

use crate::payment::TxHash;
use crate::time::UnixTime;

/// Work on a row: who holds it, until when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// From here on somebody else may finish the work.
    pub until: UnixTime,
}

/// A re-send on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resend {
    /// Until when it is waited for.
    pub until: UnixTime,
    /// Who sends.
    pub sender: Requester,
}

/// Who waits for a settle call, and so what its success may give him.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Requester {
    /// The request that made the row; it holds what the origin gave.
    Claimer,
    /// A repeat that may receive what nobody received.
    ProvenRepeat,
    /// A repeat that has not proved itself.
    UnprovenRepeat,
}

/// Why a paid request was not delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undelivered {
    /// The origin failed or broke off.
    Origin,
    /// The work was lost before its first byte left.
    Lost,
    /// A stream was dropped because its settlement was unknown.
    Dropped,
    /// Somebody else submitted an authorization that we had let go.
    LetGo,
    /// Nobody came back for it.
    NotFetched,
    /// Its payer had sent it too late, or is one who is not served.
    Unserved,
    /// The operator found it so.
    Resolved,
}

/// Why the operator has to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// Who streamed the response vanished half way.
    StreamLost,
    /// The row is in a state that this version does not know.
    UnknownState,
    /// The chain shows the transfer before we ever saw the payment.
    PaidBefore,
    /// No proof either way in all the time there is.
    Overdue,
}

/// Where a payment stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// `after`: verify and origin run. Money cannot have moved by us.
    Executing(Lease),
    /// A settle call is about to be sent or was sent. Money may have moved.
    Settling(Lease),
    /// No definitive answer. Money may have moved.
    Unknown {
        /// Since when.
        since: UnixTime,
        /// A transaction that the facilitator named.
        transaction: Option<TxHash>,
        /// The last send.
        sent: UnixTime,
        /// A re-send on its way.
        resend: Option<Resend>,
    },
    /// `before`: paid, the origin has not run.
    Settled {
        /// The transaction.
        transaction: TxHash,
        /// Since when.
        since: UnixTime,
    },
    /// Paid; the response is on its way.
    Delivering {
        /// The transaction.
        transaction: TxHash,
        /// Until when it is waited for.
        lease: Lease,
        /// Whether bytes may have left.
        streaming: bool,
    },
    /// Paid and served.
    Delivered {
        /// The transaction.
        transaction: TxHash,
    },
    /// The facilitator refused for certain; watched, because the authorization is still valid.
    Refused {
        /// Since when.
        since: UnixTime,
        /// In the facilitator's words.
        reason: String,
        /// The last send.
        sent: UnixTime,
        /// A re-send on its way.
        resend: Option<Resend>,
    },
    /// We never asked for the money and nothing ran; the same payment may come again.
    Released,
    /// We never asked for the money, but the origin may have run.
    Abandoned,
    /// Paid and not served.
    RefundDue {
        /// The transaction.
        transaction: TxHash,
        /// Why not served.
        why: Undelivered,
        /// Since when.
        since: UnixTime,
    },
    /// It can never be charged any more.
    Void,
    /// Nothing was submitted by us, and nobody can look: no delivery, no refund.
    Closed,
    /// Paid, not served, and paid back.
    Refunded {
        /// The transaction.
        transaction: TxHash,
        /// The transaction that paid back.
        refund: TxHash,
    },
    /// Paid, not served, and the operator decided that nothing is owed.
    Waived {
        /// The transaction.
        transaction: TxHash,
        /// In the operator's words.
        reason: String,
    },
    /// Contradictory facts.
    Manual {
        /// Why.
        why: Why,
        /// The transaction, where one is known.
        transaction: Option<TxHash>,
    },
}

impl State {
    /// The stable name, for rows, logs and the operator.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Executing(_) => "executing",
            Self::Settling(_) => "settling",
            Self::Unknown { .. } => "unknown",
            Self::Settled { .. } => "settled",
            Self::Delivering { .. } => "delivering",
            Self::Delivered { .. } => "delivered",
            Self::Refused { .. } => "refused",
            Self::Released => "released",
            Self::Abandoned => "abandoned",
            Self::RefundDue { .. } => "refund_due",
            Self::Void => "void",
            Self::Closed => "closed",
            Self::Refunded { .. } => "refunded",
            Self::Waived { .. } => "waived",
            Self::Manual { .. } => "manual",
        }
        .to_string()
    }
}
