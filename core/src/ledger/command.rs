//! What the Worker asks of a ledger object, and what it is told: owned, versioned JSON.

use alloc::boxed::Box;
use alloc::string::String;

use serde::{Deserialize, Serialize};

use super::attempts::{Counting, Tally};
use crate::payment::{OnChain, TxHash};

/// Version of the messages this code writes; an object accepts this one and the one before.
pub const VERSION: u8 = 1;

/// One command for the payment `key` of `payer`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Envelope {
    /// [`VERSION`].
    pub v: u8,
    /// Lower-case address.
    pub payer: String,
    /// 64 hex digits.
    pub key: String,
    /// What to do.
    pub command: Command,
    /// What this object is to the payer while the number of objects changes.
    #[serde(default)]
    pub role: Role,
    /// How a failure of this payer is counted, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counting: Option<Counting>,
}

/// What an object is to a payer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The only one.
    #[default]
    Sole,
    /// The one before the change: it answers for what it knows, and begins nothing any more.
    Old,
    /// The one after the change; the old one knows nothing of this payment.
    New,
}

/// When the money moves relative to the origin's work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Verify, serve, settle, then release the response.
    After,
    /// Settle, then serve.
    Before,
}

/// What never changes about a payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// Hash over what was asked for: first use fixes it.
    pub binding: String,
    /// Keyed hash of the identifier that came with the first request.
    pub secret: Option<String>,
    /// Settlement mode of the route.
    pub mode: Mode,
    /// Receipt id.
    pub receipt: String,
    /// Route pattern.
    pub route: String,
    /// The URL as it was asked for.
    #[serde(default)]
    pub url: String,
    /// Correlation id of the request that began it.
    #[serde(default)]
    pub correlation: String,
    /// CAIP-2 network.
    pub network: String,
    /// Token address.
    pub asset: String,
    /// Atomic units, decimal text.
    pub amount: String,
    /// Recipient.
    pub pay_to: String,
    /// Unix seconds.
    pub valid_before: u64,
    /// Base URL of the facilitator; a re-send goes only there. `chain:` and the network where the chain settles it.
    pub facilitator: String,
    /// Exact body of the facilitator request, or what the chain was shown.
    pub request: String,
    /// Whether a settlement counts only once the chain shows it.
    #[serde(default)]
    pub confirm: bool,
}

impl Payment {
    /// A transaction of this payment's network by its name there; a word that is none is nothing.
    #[must_use]
    pub fn transaction(&self, name: &str) -> Option<TxHash> {
        TxHash::on(&self.network, name)
    }

    /// Whether the chain itself settles it.
    #[must_use]
    pub fn is_onchain(&self) -> bool {
        OnChain::settles(&self.facilitator)
    }

    /// Whether the payer has sent its transaction himself: then it is no signature for what an earlier payment left, because
    /// the money has moved.
    #[must_use]
    pub fn was_sent_by_payer(&self) -> bool {
        OnChain::was_sent(&self.facilitator, &self.request)
    }
}

/// How long each kind of work may take before somebody else finishes it, seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leases {
    /// Verify and the origin.
    pub executing: u64,
    /// One settle call.
    pub settling: u64,
    /// The origin, or the next sign of life of a stream.
    pub delivering: u64,
}

/// A step of one payment. All but the claim carry the fence that the claim gave out.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// The first command: makes the row or tells what became of it.
    Claim {
        /// The payment as this request would record it.
        payment: Box<Payment>,
        /// Work times of the route.
        leases: Leases,
        /// Whether the origin may be asked again after a failure.
        idempotent: bool,
        /// Whether the payer signed that he wants the answer again; counts like the first request's secret.
        #[serde(default)]
        wallet: bool,
        /// Most payments of this payer that may be worked on at once.
        in_flight: u32,
        /// Whether this request has had its re-send: it is told what there is.
        #[serde(default)]
        last: bool,
    },
    /// `after`: the origin answered well, settle next. `before`: the response is complete.
    Seal {
        /// From the claim.
        fence: u64,
        /// Head of the stored response; none for a response that streams.
        response: Option<String>,
        /// Number of the newest block beside the claim.
        #[serde(default)]
        seen_block: Option<u64>,
    },
    /// What the facilitator said about the settlement.
    Outcome {
        /// From the claim.
        fence: u64,
        /// The report.
        result: Outcome,
        /// Whether the client still waits for an answer.
        client: Client,
        /// Number of the newest block beside the claim.
        #[serde(default)]
        seen_block: Option<u64>,
    },
    /// What the chain says; evidence needs no fence.
    Learn {
        /// The verdict.
        learnt: Learnt,
        /// Whether it comes from the request that made the row and still holds what the origin gave.
        owner: bool,
    },
    /// How far the delivery of an unsealed response got.
    Fulfil {
        /// From the claim.
        fence: u64,
        /// The report.
        delivery: Delivery,
    },
    /// The work ended without a response.
    Release {
        /// From the claim.
        fence: u64,
        /// Why.
        why: Failure,
    },
}

/// Report of one settle call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Value moved in this transaction.
    Settled(String),
    /// Nothing was submitted, for certain.
    Refused(String),
    /// Nobody knows.
    Unknown(Option<String>),
}

/// Verdict about an authorization, read from the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Learnt {
    /// This payment's own transfer, after first sight.
    Captured(String),
    /// It can never be charged any more.
    Void,
    /// This payment's own transfer, before first sight, or one that may be another payment's.
    Contradiction(String),
    /// Nothing yet.
    Nothing,
}

/// Whether somebody waits for the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Client {
    /// Waits, and one more settle call is wanted if the outcome is unknown.
    WaitsForMore,
    /// Waits.
    Waits,
    /// Was answered already.
    Answered,
}

/// Progress of a response that streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// Bytes flow.
    Flowing,
    /// The last byte went out.
    Complete,
    /// The client hung up: counts as served.
    ClientLeft,
    /// The origin stopped early.
    Broken,
}

/// Why work ended without a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// Nothing ran: the facilitator refused to verify, or did not answer.
    NothingRan,
    /// Verify says that the nonce is used; somebody may have submitted the authorization.
    Submitted,
    /// The origin was asked and failed.
    Origin,
}

/// An answer, and the receipt id of the row that it speaks of: one that was recorded under an earlier secret stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// The answer.
    pub answer: Answer,
    /// [`Payment::receipt`] of the row, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// This payer's failures in a row at this route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tally: Option<Tally>,
}

impl From<Answer> for Told {
    fn from(answer: Answer) -> Self {
        Self { answer, receipt: None, tally: None }
    }
}

/// What the object says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Yours: go on with this fence.
    Granted {
        /// To be shown with every further command.
        fence: u64,
    },
    /// Paid earlier, the origin has not run: run it now.
    Deliver {
        /// To be shown with every further command.
        fence: u64,
        /// The settlement's transaction.
        transaction: String,
    },
    /// The outcome is unknown or was refused: send this once more and report.
    Resend {
        /// To be shown with the report.
        fence: u64,
        /// Where it was sent before.
        facilitator: String,
        /// What was sent before.
        request: String,
        /// First sight, unix seconds.
        #[serde(default)]
        seen_at: u64,
        /// Number of the newest block then.
        #[serde(default)]
        seen_block: Option<u64>,
    },
    /// The stored response follows.
    Replay {
        /// Its head.
        response: String,
        /// The settlement's transaction.
        transaction: String,
    },
    /// Recorded; nothing further to do.
    Recorded,
    /// Not known here, and from now on not begun here: ask the object after the change.
    Absent,
    /// Somebody works on it.
    InProgress,
    /// The outcome is unknown.
    Unknown,
    /// Another payment of this payer for the same binding has an unknown outcome.
    Unresolved,
    /// Settlement was refused, for certain.
    Refused {
        /// The facilitator's reason.
        reason: String,
    },
    /// Bound to another request.
    AlreadyUsed,
    /// Delivered, or paid, and the repeat proves nothing more.
    AlreadyDelivered,
    /// The origin failed; nothing was charged.
    OriginFailed,
    /// Paid and not delivered.
    RefundDue,
    /// Paid, not delivered, and settled with the payer by the operator.
    Refunded,
    /// It can never be charged any more; the payer may sign anew.
    Void,
    /// The operator has to look.
    UnderReview,
    /// The payer has too much in flight.
    TooManyInFlight,
    /// The fence is old: somebody else has moved the row on. Drop what you hold.
    Stale,
    /// The message is not understood.
    Unsupported,
}
