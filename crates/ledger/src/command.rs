//! Messages from the Worker to a ledger object, and their answers: owned, versioned JSON.

use alloc::boxed::Box;
use alloc::string::String;
use core::num::NonZeroU32;

use serde::{Deserialize, Serialize};

use farebox_base::encoding::message::{read_enum, read_struct};

pub use self::answer::{Answer, Deliver, Fate, LedgerReply, LookAnswer, Replay, Resend, Resumed};
pub use self::binding::REQUEST_DIGITS;
pub(crate) use self::binding::forms;
pub use self::folded::signed_amount;
pub use self::payment::{Leases, Mode, Payment};
pub use self::rivals::Rivals;
pub use self::signing::{Signature, SignedTerms, Signing};
use super::attempts::Counting;

mod answer;
mod binding;
mod folded;
mod payment;
mod rivals;
mod signing;

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
    /// Instructions to count a failure of this payer, if it counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counting: Option<Counting>,
}

read_struct!(Envelope { v, payer, key, command; role, counting });

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
    /// Instructions to count a failure of this payer, if it counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counting: Option<Counting>,
    /// State of the proof when this request could begin the payment; kept for seconds, never
    /// written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proving: Option<Proving>,
}

read_struct!(Asking { v, payer, key, ask; role, counting, proving });

/// State of the proof of a payment that its request could begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Proving {
    /// The proof follows, unless the answer already settles the request.
    Begins,
    /// It was refused.
    Refused,
}

read_enum!(Proving { "begins" => Begins, "refused" => Refused });

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
    /// Reads whether another payment stands in the way of one that the other object of a change
    /// knows.
    Rivals(Rivals),
}

read_enum!(Question {
    "look" => Look(repeat),
    "resume" => Resume(repeat),
    "rivals" => Rivals(rivals),
});

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
    /// Whether the payer is denied by now: a payment that was refused is not sent again.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub denied: bool,
    /// Key of the payment that its payer could have signed instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rival: Option<String>,
    /// Whether its terms hold for this request now.
    #[serde(default, skip_serializing_if = "core::ops::Not::not")]
    pub priced: bool,
}

read_struct!(Repeat { payment, leases, idempotent; wallet, last, denied, rival, priced });

/// Role of an object for a payer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The only object.
    #[default]
    Sole,
    /// The object before the change: answers for the payments it knows, and begins none.
    Old,
    /// The object before a change that is over: as the old one, and nothing is marked there.
    Past,
    /// The object after the change; the old one does not know this payment.
    New,
    /// The object before the change, which knows the payment, after the other one was heard: no
    /// payment there stands in its way.
    OldCleared,
    /// The object after the change, likewise.
    NewCleared,
}

read_enum!(Role {
    "sole" => Sole,
    "old" => Old,
    "past" => Past,
    "new" => New,
    "old_cleared" => OldCleared,
    "new_cleared" => NewCleared,
});

impl Role {
    /// Whether it is the object before a change.
    #[must_use]
    pub const fn is_old(self) -> bool {
        matches!(self, Self::Old | Self::Past | Self::OldCleared)
    }
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
        /// The fence that the claim was given.
        fence: u64,
        /// Head of the stored response; `None` if the response streams.
        response: Option<String>,
        /// Number of the newest block at the time of the claim.
        #[serde(default)]
        seen_block: Option<u64>,
        /// The part of the greatest amount that is charged, atomic units, if the origin has said
        /// so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        charged: Option<String>,
    },
    /// Reports the facilitator's answer to the settlement.
    Outcome {
        /// The fence that the claim was given.
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
        /// How often the payment had been signed again when the chain was asked: a verdict that
        /// knows less than the row says nothing about it.
        #[serde(default)]
        signed: u64,
        /// The fence of the owner's last record, if there is one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        fence: Option<u64>,
    },
    /// Reports the progress of an unsealed response, or that nothing of a stored one was sent.
    Fulfil {
        /// The fence that the claim was given.
        fence: u64,
        /// The report.
        delivery: Delivery,
    },
    /// Ends the work without a response.
    Release {
        /// The fence that the claim was given.
        fence: u64,
        /// The reason.
        why: Failure,
        /// As much of the facilitator request as a look at the chain needs: all that a row keeps for
        /// which nothing ran.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        brief: Option<String>,
    },
}

read_enum!(Command {
    "claim" => Claim { payment, leases, idempotent, in_flight; wallet, last, rival },
    "note" => Note { payment, leases, noted },
    "seal" => Seal { fence, response; seen_block, charged },
    "outcome" => Outcome { fence, result, client; seen_block },
    "learn" => Learn { learnt, owner; signed, fence },
    "fulfil" => Fulfil { fence, delivery },
    "release" => Release { fence, why; brief },
});

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

read_enum!(Noted { "awaited" => Awaited, "paid" => Paid, "owed" => Owed });

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

read_enum!(Outcome {
    "settled" => Settled(transaction),
    "refused" => Refused(reason),
    "unknown" => Unknown(transaction),
});

/// Verdict about an authorization, read from the chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChainVerdict {
    /// This payment's own transfer, found for the first time.
    Captured(String),
    /// An earlier authorization of the same nonce moved money, by these terms.
    Earlier(String, SignedTerms),
    /// It can never be charged again.
    Void,
    /// This payment's own transfer, before first sight, or one that may belong to another payment.
    Contradiction(String),
    /// This payment's own transfer, too late to be served.
    Late(String),
    /// No verdict yet: it has not moved.
    Nothing,
    /// No verdict yet, and nothing shown: no node has answered, or a block may still be forgotten.
    Unread,
}

read_enum!(ChainVerdict {
    "captured" => Captured(transaction),
    "earlier" => Earlier(transaction, terms),
    "void" => Void,
    "contradiction" => Contradiction(what),
    "late" => Late(transaction),
    "nothing" => Nothing,
    "unread" => Unread,
});

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

read_enum!(Client {
    "waits_for_more" => WaitsForMore,
    "waits" => Waits,
    "answered" => Answered,
});

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
    /// Nothing was sent: what is stored waits to be fetched.
    Unsent,
}

read_enum!(Delivery {
    "flowing" => Flowing,
    "complete" => Complete,
    "client_left" => ClientLeft,
    "broken" => Broken,
    "unsent" => Unsent,
});

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
    /// The origin has served, and what it counted costs nothing.
    NotCharged,
}

read_enum!(Failure {
    "nothing_ran" => NothingRan,
    "submitted" => Submitted,
    "origin" => Origin,
    "not_charged" => NotCharged,
});
