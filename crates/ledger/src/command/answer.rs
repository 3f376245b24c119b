//! Answers of a ledger object.

use alloc::string::String;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::payment::Payment;
use super::rivals::Rivals;
use crate::attempts::FailureStreak;
use farebox_base::encoding::message::{
    FromJson, member, member_or_default, read_enum, read_struct,
};

/// An answer with the receipt id of its row: an id recorded under an earlier secret stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerReply<A = Answer> {
    /// The answer.
    pub answer: A,
    /// [`Payment::receipt`](super::Payment::receipt) of the row, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt: Option<String>,
    /// Whether the request has proved to be the payer's: by the first request's secret, or by a
    /// signature.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub proven: bool,
    /// This payer's failures in a row at this route.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tally: Option<FailureStreak>,
    /// The amount that the row asks for, atomic units, if the request shows another authorization
    /// of the same nonce or the row has seen several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub held: Option<String>,
}

impl<A> LedgerReply<A> {
    /// The same with the amount of its row, if a request that shows `shown` does not know all that
    /// was signed for it.
    pub(crate) fn holding(mut self, row: &Payment, shown: &Payment) -> Self {
        self.held = row.held_beside(shown);
        self
    }
}

impl<A: FromJson> FromJson for LedgerReply<A> {
    fn from_json(value: &Value) -> Option<Self> {
        let members = value.as_object()?;
        Some(Self {
            answer: member(members, "answer")?,
            receipt: member_or_default(members, "receipt")?,
            proven: member_or_default(members, "proven")?,
            tally: member_or_default(members, "tally")?,
            held: member_or_default(members, "held")?,
        })
    }
}

impl<A> From<A> for LedgerReply<A> {
    fn from(answer: A) -> Self {
        Self { answer, receipt: None, proven: false, tally: None, held: None }
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
    /// Known here, and may be asked for money: ask the other object of the change whether another
    /// payment stands in its way.
    AskOther(Rivals),
    /// The payer has too much in flight.
    TooManyInFlight,
    /// The payer has too many payments that were begun and have not ended, although nothing was
    /// charged for them.
    TooManyUnpaid {
        /// Seconds until the first of them may end.
        secs: u64,
    },
    /// The object, or the client's network, has too many unpaid rows: no payment begins.
    Full,
    /// The object's database is nearly full: no payment begins, and those that have begun go on.
    NoRoom,
    /// The fence is old: another request has moved the row on. Drop the response.
    Stale,
    /// The message is not supported.
    Unsupported,
    /// The state of the payment.
    Fate(Fate),
}

read_enum!(Answer {
    "granted" => Granted { fence },
    "deliver" => Deliver(deliver),
    "resend" => Resend(resend),
    "replay" => Replay(replay),
    "recorded" => Recorded,
    "absent" => Absent,
    "ask_other" => AskOther(rivals),
    "too_many_in_flight" => TooManyInFlight,
    "too_many_unpaid" => TooManyUnpaid { secs },
    "full" => Full,
    "no_room" => NoRoom,
    "stale" => Stale,
    "unsupported" => Unsupported,
    "fate" => Fate(fate),
});

/// Answer of the object to a [`Question::Resume`](super::Question::Resume).
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
    /// It may be asked for money: ask the other object of the change whether another payment stands
    /// in its way.
    AskOther(Rivals),
    /// The state of the payment.
    Fate(Fate),
}

read_enum!(Resumed {
    "nothing" => Nothing,
    "ask_other" => AskOther(rivals),
    "deliver" => Deliver(deliver),
    "resend" => Resend(resend),
    "replay" => Replay(replay),
    "fate" => Fate(fate),
});

/// Answer of the object to a [`Question::Look`](super::Question::Look).
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

read_enum!(LookAnswer { "nothing" => Nothing, "open" => Open, "fate" => Fate(fate) });

/// Permission to run the origin for a payment made earlier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deliver {
    /// Must accompany every further command.
    pub fence: u64,
    /// The settlement's transaction.
    pub transaction: String,
    /// The amount that was charged, atomic units; a ledger object of an earlier version does not say
    /// it.
    #[serde(default)]
    pub amount: Option<String>,
}

read_struct!(Deliver { fence, transaction; amount });

/// A facilitator request to send once more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resend {
    /// Must accompany the report.
    pub fence: u64,
    /// Base URL it was sent to before.
    pub facilitator: String,
    /// Body that was sent before, of a part of what was signed with the whole of it.
    pub request: String,
    /// The amount that is charged, atomic units.
    #[serde(default)]
    pub amount: Option<String>,
    /// First sight, unix seconds.
    #[serde(default)]
    pub seen_at: u64,
    /// Number of the newest block at first sight.
    #[serde(default)]
    pub seen_block: Option<u64>,
}

read_struct!(Resend { fence, facilitator, request; amount, seen_at, seen_block });

/// A stored response, whose body follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replay {
    /// Its head.
    pub response: String,
    /// The settlement's transaction.
    pub transaction: String,
}

read_struct!(Replay { response, transaction });

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

read_enum!(Fate {
    "in_progress" => InProgress,
    "unknown" => Unknown,
    "unresolved" => Unresolved,
    "refused" => Refused { reason },
    "already_used" => AlreadyUsed,
    "already_delivered" => AlreadyDelivered,
    "origin_failed" => OriginFailed,
    "refund_due" => RefundDue,
    "refunded" => Refunded,
    "void" => Void,
    "under_review" => UnderReview,
});

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
