//! What the Worker asks of a ledger object, and what it is told: owned, versioned JSON.

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
    /// What to do.
    pub command: Command,
    /// What this object is to the payer while the number of objects changes.
    #[serde(default)]
    pub role: Role,
    /// How a failure of this payer is counted, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counting: Option<Counting>,
}

/// A question about the payment `key` of `payer`, of a request that may not begin it.
///
/// The message is told from an [`Envelope`] by its member `ask`. A [`Question::Look`] is answered with [`LookAnswer`], a
/// [`Question::Resume`] with [`Resumed`]: neither has a word that lets anything begin.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Asking {
    /// [`VERSION`].
    pub v: u8,
    /// Lower-case address.
    pub payer: String,
    /// 64 hex digits.
    pub key: String,
    /// What is asked.
    pub ask: Question,
    /// What this object is to the payer while the number of objects changes.
    #[serde(default)]
    pub role: Role,
    /// How a failure of this payer is counted, if it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counting: Option<Counting>,
    /// How far the proof is of what is looked at, where its request could begin it; kept for seconds, and never written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proving: Option<Proving>,
}

/// How far the proof of a payment is that its request could begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proving {
    /// It is proven next, unless there is something to be had of it.
    Begins,
    /// It was refused.
    Refused,
}

/// What a request may ask that must not begin a payment.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// What became of it: nothing is written, whoever asks. For a payment whose signature is not proven yet.
    Look(Repeat),
    /// What is left to be had of it: the row may move, and none is made. For a payment that its payer has signed, and that
    /// comes too late, pays other terms or may not be taken.
    Resume(Repeat),
}

/// A payment shown once more, as its request would record it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeat {
    /// The payment.
    pub payment: Box<Payment>,
    /// Work times of the route.
    pub leases: Leases,
    /// Whether the origin may be asked again after a failure.
    pub idempotent: bool,
    /// Whether the payer signed that they want the answer again; counts like the first request's secret.
    #[serde(default)]
    pub wallet: bool,
    /// Whether this request has had its re-send: it is told what there is.
    #[serde(default)]
    pub last: bool,
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
    /// Keyed hash of the client network that began it, 16 hex digits: growth is bounded by it.
    #[serde(default)]
    pub client: String,
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
    /// The first command: makes the row or tells what became of it. Only for a payment that is proven, in time and
    /// for the terms of today.
    Claim {
        /// The payment as this request would record it.
        payment: Box<Payment>,
        /// Work times of the route.
        leases: Leases,
        /// Whether the origin may be asked again after a failure.
        idempotent: bool,
        /// Whether the payer signed that they want the answer again; counts like the first request's secret.
        #[serde(default)]
        wallet: bool,
        /// Whether this request has had its re-send: it is told what there is.
        #[serde(default)]
        last: bool,
        /// Key of the payment that its payer could have signed in its place: where that one has begun, this one does not.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rival: Option<String>,
        /// Most payments of this payer that may be worked on at once.
        in_flight: NonZeroU32,
    },
    /// A transaction that its payer has sent and that is not served now; makes the row, or tells what became of it. It asks for
    /// no money, so nothing that the payer does beside it holds it up.
    Note {
        /// The payment as this request would record it.
        payment: Box<Payment>,
        /// Work times of the route.
        leases: Leases,
        /// What a node has shown of it.
        noted: Noted,
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
        learnt: ChainVerdict,
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

/// What a node has shown of a transaction that its payer has sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Noted {
    /// Nothing so far: the alarm looks for it.
    Awaited,
    /// It pays, and waits to be fetched.
    Paid,
    /// It pays, and is not served: it is owed back.
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
    /// Nobody knows.
    Unknown(Option<String>),
}

/// Verdict about an authorization, read from the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChainVerdict {
    /// This payment's own transfer, after first sight.
    Captured(String),
    /// It can never be charged any more.
    Void,
    /// This payment's own transfer, before first sight, or one that may be another payment's.
    Contradiction(String),
    /// This payment's own transfer, after the time in which it would have been served.
    Late(String),
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
pub struct LedgerReply<A = Answer> {
    /// The answer.
    pub answer: A,
    /// [`Payment::receipt`] of the row, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// Whether the request has proved to be the payer's: by the first one's secret, or by a signature.
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

/// What the object says to a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// Yours: go on with this fence.
    Granted {
        /// To be shown with every further command.
        fence: u64,
    },
    /// Paid earlier, the origin has not run: run it now.
    Deliver(Deliver),
    /// The outcome is unknown or was refused: send this once more and report.
    Resend(Resend),
    /// The stored response follows.
    Replay(Replay),
    /// Recorded; nothing further to do.
    Recorded,
    /// Not known here, and from now on not begun here: ask the object after the change.
    Absent,
    /// The payer has too much in flight.
    TooManyInFlight,
    /// The object, or the client's network, has too many rows for which nothing was paid: nothing new begins.
    Full,
    /// The fence is old: another request has moved the row on. Drop what you hold.
    Stale,
    /// The message is not understood.
    Unsupported,
    /// What became of the payment.
    Fate(Fate),
}

/// What the object says to a [`Question::Resume`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Resumed {
    /// There is nothing to resume: only a claim could begin it.
    Nothing,
    /// Paid earlier, the origin has not run: run it now.
    Deliver(Deliver),
    /// The outcome is unknown or was refused: send this once more and report.
    Resend(Resend),
    /// The stored response follows.
    Replay(Replay),
    /// What became of the payment.
    Fate(Fate),
}

/// What the object says to a [`Question::Look`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LookAnswer {
    /// There is nothing to resume: only a claim could begin it.
    Nothing,
    /// There may be something to resume, and the payment is the recorded one to the last byte or comes with its secret.
    Open,
    /// What became of the payment.
    Fate(Fate),
}

/// Paid earlier, and the origin has not run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deliver {
    /// To be shown with every further command.
    pub fence: u64,
    /// The settlement's transaction.
    pub transaction: String,
}

/// What was sent to a facilitator, to be sent once more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resend {
    /// To be shown with the report.
    pub fence: u64,
    /// Where it was sent before.
    pub facilitator: String,
    /// What was sent before.
    pub request: String,
    /// First sight, unix seconds.
    #[serde(default)]
    pub seen_at: u64,
    /// Number of the newest block then.
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

/// What became of a payment that this request cannot move.
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
