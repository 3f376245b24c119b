//! Messages from the Worker to a ledger object, and their answers: owned, versioned JSON.

use alloc::boxed::Box;
use alloc::string::String;
use core::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use super::attempts::{Counting, FailureStreak};
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
    /// The command.
    pub command: Command,
    /// Role of this object for the payer while the number of objects changes.
    #[serde(default)]
    pub role: Role,
    /// How to count a failure of this payer, if it counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counting: Option<Counting>,
}

/// A question about the payment `key` of `payer`, from a request that may not begin it.
///
/// The member `ask` distinguishes this message from an [`Envelope`]. A [`Question::Look`] is
/// answered with [`LookAnswer`], a [`Question::Resume`] with [`Resumed`]: neither can say that
/// anything begins.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Asking {
    /// [`VERSION`].
    pub v: u8,
    /// Lower-case address.
    pub payer: String,
    /// 64 hex digits.
    pub key: String,
    /// The question.
    pub ask: Question,
    /// Role of this object for the payer while the number of objects changes.
    #[serde(default)]
    pub role: Role,
    /// How to count a failure of this payer, if it counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counting: Option<Counting>,
    /// State of the proof when this request could begin the payment; kept for seconds, never
    /// written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proving: Option<Proving>,
}

/// State of the proof of a payment that its request could begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proving {
    /// The proof follows, unless the answer already settles the request.
    Begins,
    /// It was refused.
    Refused,
}

/// A question from a request that must not begin a payment.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// Reads the payment's state and writes nothing. For a payment whose signature is not yet
    /// proven.
    Look(Repeat),
    /// Resumes the payment if it can: the row may move, but no row is made. For a payment that its
    /// payer has signed, but that is late, pays other terms or may not be accepted.
    Resume(Repeat),
}

/// A repeated payment, as its request would record it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeat {
    /// The payment.
    pub payment: Box<Payment>,
    /// Work times of the route.
    pub leases: Leases,
    /// Whether the origin may be asked again after a failure.
    pub idempotent: bool,
    /// Whether the payer signed that they want the answer again; counts like the first request's
    /// secret.
    #[serde(default)]
    pub wallet: bool,
    /// Whether this request has used its one re-send; it then gets the current state.
    #[serde(default)]
    pub last: bool,
}

/// Role of an object for a payer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The only object.
    #[default]
    Sole,
    /// The object before the change: answers for the payments it knows, and begins none.
    Old,
    /// The object after the change; the old one does not know this payment.
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

/// The immutable part of a payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payment {
    /// Hash over the request; the first use fixes it.
    pub binding: String,
    /// Keyed hash of the identifier that came with the first request.
    pub secret: Option<String>,
    /// Settlement mode of the route.
    pub mode: Mode,
    /// Receipt id.
    pub receipt: String,
    /// Route pattern.
    pub route: String,
    /// The requested URL.
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
    /// Base URL of the facilitator; a re-send goes only there. `chain:` and the network if the
    /// chain settles it.
    pub facilitator: String,
    /// Exact body of the facilitator request, or of the question to the node.
    pub request: String,
    /// Whether a settlement counts only once the chain shows it.
    #[serde(default)]
    pub confirm: bool,
    /// Keyed hash of the network of the client that began it, 16 hex digits; limits are counted by
    /// it.
    #[serde(default)]
    pub client: String,
}

impl Payment {
    /// Parses the hash of a transaction on this payment's network; `None` if `name` is malformed.
    #[must_use]
    pub fn transaction(&self, name: &str) -> Option<TxHash> {
        TxHash::on(&self.network, name)
    }

    /// Whether the chain itself settles it.
    #[must_use]
    pub fn is_onchain(&self) -> bool {
        OnChain::settles(&self.facilitator)
    }

    /// Whether the payer has sent its transaction themselves. Such a payment is no signature for an
    /// earlier payment's result, because its own money has moved.
    #[must_use]
    pub fn was_sent_by_payer(&self) -> bool {
        OnChain::was_sent(&self.facilitator, &self.request)
    }
}

/// Seconds that each kind of work may take before another request or the alarm finishes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leases {
    /// Verify and the origin.
    pub executing: u64,
    /// One settle call.
    pub settling: u64,
    /// The origin, or the next sign of life of a stream.
    pub delivering: u64,
}

/// A step of one payment. Every command except the claim carries the fence that the claim returned.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// The first command: makes the row, or returns the state of the one there is. Only for a
    /// payment that is proven, in time and for the current terms.
    Claim {
        /// The payment as this request would record it.
        payment: Box<Payment>,
        /// Work times of the route.
        leases: Leases,
        /// Whether the origin may be asked again after a failure.
        idempotent: bool,
        /// Whether the payer signed that they want the answer again; counts like the first
        /// request's secret.
        #[serde(default)]
        wallet: bool,
        /// Whether this request has used its one re-send; it then gets the current state.
        #[serde(default)]
        last: bool,
        /// Key of the payment that its payer could have signed instead: if that one has begun, this
        /// one does not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rival: Option<String>,
        /// Limit on this payer's payments in progress.
        in_flight: NonZeroU32,
    },
    /// Records a transaction that its payer has sent and that is not served now, or returns its
    /// state. It asks for no money, so the payer's other payments do not delay it.
    Note {
        /// The payment as this request would record it.
        payment: Box<Payment>,
        /// Work times of the route.
        leases: Leases,
        /// Finding of a node.
        noted: Noted,
    },
    /// Stores the response. `after`: the origin succeeded, settle next. `before`: the response is
    /// complete.
    Seal {
        /// From the claim.
        fence: u64,
        /// Head of the stored response; `None` if the response streams.
        response: Option<String>,
        /// Number of the newest block at the time of the claim.
        #[serde(default)]
        seen_block: Option<u64>,
    },
    /// Reports the facilitator's answer to the settlement.
    Outcome {
        /// From the claim.
        fence: u64,
        /// The report.
        result: Outcome,
        /// Whether the client still waits for an answer.
        client: Client,
        /// Number of the newest block at the time of the claim.
        #[serde(default)]
        seen_block: Option<u64>,
    },
    /// Reports a verdict of the chain; evidence needs no fence.
    Learn {
        /// The verdict.
        learnt: ChainVerdict,
        /// Whether the request that made the row sends this and still holds the origin's response.
        owner: bool,
    },
    /// Reports the progress of an unsealed response.
    Fulfil {
        /// From the claim.
        fence: u64,
        /// The report.
        delivery: Delivery,
    },
    /// Ends the work without a response.
    Release {
        /// From the claim.
        fence: u64,
        /// The reason.
        why: Failure,
    },
}

/// Finding of a node about a transaction that its payer has sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Noted {
    /// Not found yet: the alarm looks for it.
    Awaited,
    /// It pays, and waits to be collected.
    Paid,
    /// It pays, and is not served: a refund is due.
    Owed,
}

/// Report of one settle call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Value moved in this transaction.
    Settled(String),
    /// Nothing was submitted, for certain.
    Refused(String),
    /// The outcome is unknown.
    Unknown(Option<String>),
}

/// Verdict about an authorization, read from the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChainVerdict {
    /// This payment's own transfer, found for the first time.
    Captured(String),
    /// It can never be charged again.
    Void,
    /// This payment's own transfer, before first sight, or one that may belong to another payment.
    Contradiction(String),
    /// This payment's own transfer, too late to be served.
    Late(String),
    /// No verdict yet.
    Nothing,
}

/// Whether the client still waits for the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Client {
    /// Waits, and asks for one more settle call if the outcome is unknown.
    WaitsForMore,
    /// Waits.
    Waits,
    /// Has its answer already.
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
    /// Verify says that the nonce is used; someone may have submitted the authorization.
    Submitted,
    /// The origin was asked and failed.
    Origin,
}

/// An answer with the receipt id of its row: an id recorded under an earlier secret stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerReply<A = Answer> {
    /// The answer.
    pub answer: A,
    /// [`Payment::receipt`] of the row, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// Whether the request has proved to be the payer's: by the first request's secret, or by a
    /// signature.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub proven: bool,
    /// This payer's failures in a row at this route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tally: Option<FailureStreak>,
}

impl<A> From<A> for LedgerReply<A> {
    fn from(answer: A) -> Self {
        Self { answer, receipt: None, proven: false, tally: None }
    }
}

/// Answer of the object to a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// The claim succeeded: go on with this fence.
    Granted {
        /// Must accompany every further command.
        fence: u64,
    },
    /// Already paid, and the origin has not run: run it now.
    Deliver(Deliver),
    /// The outcome is unknown or was refused: send this once more and report.
    Resend(Resend),
    /// The stored response follows.
    Replay(Replay),
    /// Recorded; no further step.
    Recorded,
    /// Not known here, and no longer begun here: ask the object after the change.
    Absent,
    /// The payer has too much in flight.
    TooManyInFlight,
    /// The object, or the client's network, has too many unpaid rows: no payment begins.
    Full,
    /// The fence is old: another request has moved the row on. Drop the response.
    Stale,
    /// The message is not supported.
    Unsupported,
    /// The state of the payment.
    Fate(Fate),
}

/// Answer of the object to a [`Question::Resume`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resumed {
    /// Nothing to resume: only a claim could begin it.
    Nothing,
    /// Already paid, and the origin has not run: run it now.
    Deliver(Deliver),
    /// The outcome is unknown or was refused: send this once more and report.
    Resend(Resend),
    /// The stored response follows.
    Replay(Replay),
    /// The state of the payment.
    Fate(Fate),
}

/// Answer of the object to a [`Question::Look`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LookAnswer {
    /// Nothing to resume: only a claim could begin it.
    Nothing,
    /// There may be something to resume, and the payment equals the recorded one byte for byte or
    /// comes with its secret.
    Open,
    /// The state of the payment.
    Fate(Fate),
}

/// Permission to run the origin for a payment made earlier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deliver {
    /// Must accompany every further command.
    pub fence: u64,
    /// The settlement's transaction.
    pub transaction: String,
}

/// A facilitator request to send once more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resend {
    /// Must accompany the report.
    pub fence: u64,
    /// Base URL it was sent to before.
    pub facilitator: String,
    /// Body that was sent before.
    pub request: String,
    /// First sight, unix seconds.
    #[serde(default)]
    pub seen_at: u64,
    /// Number of the newest block at first sight.
    #[serde(default)]
    pub seen_block: Option<u64>,
}

/// A stored response, whose body follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replay {
    /// Its head.
    pub response: String,
    /// The settlement's transaction.
    pub transaction: String,
}

/// State of a payment that this request cannot move.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// Another request works on it.
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
    /// Delivered, or paid while the repeat proves no right to the response.
    AlreadyDelivered,
    /// The origin failed; nothing was charged.
    OriginFailed,
    /// Paid and not delivered.
    RefundDue,
    /// Paid, not delivered, and settled between the operator and the payer.
    Refunded,
    /// It can never be charged again; the payer may sign a new payment.
    Void,
    /// The operator has to look.
    UnderReview,
}

impl From<Fate> for Answer {
    fn from(fate: Fate) -> Self {
        Self::Fate(fate)
    }
}

impl From<Fate> for Resumed {
    fn from(fate: Fate) -> Self {
        Self::Fate(fate)
    }
}
