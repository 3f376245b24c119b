//! The rows of invocations, their answers and keys.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// The end of what has none, such as of a key that may pay: the greatest number that a column holds
/// exactly.
pub(in crate::skills) const FOR_EVER: u64 = (1 << 53) - 1;

/// How far an invocation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The skill is asked without a payment.
    Calling,
    /// The treasury was asked to pay.
    Paying,
    /// The skill is asked with the proof of a mock payment.
    Proving,
    /// It is over.
    Done,
    /// It is over but for what became of the money.
    Doubtful,
}

impl Phase {
    /// Whether its answer never changes.
    #[must_use]
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Done | Self::Doubtful)
    }
}

/// How an invocation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// It has not.
    Running,
    /// The skill answered and asked for no money.
    Free,
    /// Paid and delivered.
    PaidOk,
    /// Paid, or perhaps paid, and not delivered.
    PaidFailed,
    /// Not delivered, nothing paid.
    NotPaidFailed,
    /// The money would not have been enough; nothing paid.
    InsufficientBalance,
}

impl Ending {
    /// Its name on the wire.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Free => "free",
            Self::PaidOk => "paid_ok",
            Self::PaidFailed => "paid_failed",
            Self::NotPaidFailed => "not_paid_failed",
            Self::InsufficientBalance => "insufficient_balance",
        }
    }

    /// `status` of the original's records.
    #[must_use]
    pub const fn status(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Free | Self::PaidOk => "success",
            Self::PaidFailed | Self::NotPaidFailed => "failed",
            Self::InsufficientBalance => "insufficient_balance",
        }
    }

    /// The ending with this name on the wire.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let all = [
            Self::Running,
            Self::Free,
            Self::PaidOk,
            Self::PaidFailed,
            Self::NotPaidFailed,
            Self::InsufficientBalance,
        ];
        all.into_iter().find(|ending| ending.name() == name)
    }
}

/// Whether money moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moved {
    /// No.
    No,
    /// Yes.
    Yes,
    /// The chain will tell.
    Unknown,
}

/// One invocation. Key: number, given by the storage in order. Unique: id; network and `tx` where it
/// is not empty. Indexes: account; agent; skill; ending; due; account and digest where it runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvocationRow {
    /// Its place in the ledger; 0 until the storage gave it one.
    pub number: u64,
    /// `ledgerId`; also the key of the treasury's decision.
    pub id: String,
    /// The account whose spend it counts in: organization and agent, or a pack.
    pub account: String,
    /// The organization; empty of a pack.
    pub organization: String,
    /// `agentId`.
    pub agent: String,
    /// `skillId`.
    pub skill: String,
    /// The version that was invoked.
    pub version: String,
    /// How far it is.
    pub phase: Phase,
    /// How it ended.
    pub ending: Ending,
    /// Whether money moved.
    pub paid: Moved,
    /// Whether the gate or a chain has shown that it did: more than the word of a seller who asked for it.
    #[serde(default)]
    pub is_shown: bool,
    /// The amount that was paid, or would be, in whole units of the asset; `0` if nothing was
    /// asked.
    pub amount: String,
    /// The asset's symbol; empty if nothing was asked.
    pub asset: String,
    /// CAIP-2 id; empty if nothing was asked.
    pub network: String,
    /// `amountXLM`.
    pub xlm: String,
    /// The amount that counts in the cap of a day, dollars at 18 fraction digits as a whole number.
    pub counted: String,
    /// Start of the day in which that counts; `None` in rows that were written before this was kept.
    #[serde(default)]
    pub counted_day: Option<u64>,
    /// `txHash`; empty if there is none.
    pub tx: String,
    /// The treasury's receipt; empty if there is none.
    pub receipt: String,
    /// `invokedAt`.
    pub invoked: u64,
    /// When it ended.
    pub ended: Option<u64>,
    /// `error`; empty if there is none.
    pub error: String,
    /// The caller's idempotency key; empty if there is none.
    pub key: String,
    /// Digest of agent, skill, version and payload.
    pub digest: String,
    /// The pack that it consumed a call of; empty if none.
    pub pack: String,
    /// The last grant: a report under another one changes nothing.
    pub fence: u64,
    /// Until when its holder may work on it.
    pub lease: u64,
    /// When the alarm has to look at it; `None` if there is nothing left to do.
    pub due: Option<u64>,
    /// How often the treasury was asked to pay, always under the same key.
    #[serde(default)]
    pub asks: u32,
    /// How often the alarm has looked the decision up.
    pub looks: u32,
}

impl InvocationRow {
    /// A row of this account that is over at once, of which nothing else is known.
    pub(in crate::skills) fn over(id: String, account: String, at: u64) -> Self {
        let (empty, zero) = (String::new, || String::from("0"));
        Self {
            number: 0,
            id,
            account,
            organization: empty(),
            agent: empty(),
            skill: empty(),
            version: empty(),
            phase: Phase::Done,
            ending: Ending::Free,
            paid: Moved::No,
            is_shown: false,
            amount: zero(),
            asset: empty(),
            network: empty(),
            xlm: zero(),
            counted: zero(),
            counted_day: None,
            tx: empty(),
            receipt: empty(),
            invoked: at,
            ended: Some(at),
            error: empty(),
            key: empty(),
            digest: empty(),
            pack: empty(),
            fence: 0,
            lease: 0,
            due: None,
            asks: 0,
            looks: 0,
        }
    }
}

/// The answer to an invocation, byte for byte. Key: invocation. Indexes: until; turn and until.
/// Deleted once it has ended, or to make room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplyRow {
    /// The invocation.
    pub invocation: String,
    /// HTTP status.
    pub status: u32,
    /// Header fields.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
    /// Until when it is kept.
    pub until: u64,
    /// Bytes of body and header fields.
    #[serde(default)]
    pub bytes: u64,
    /// Whether it makes room before shorter ones.
    #[serde(default)]
    pub is_long: bool,
    /// The payment that it stands for.
    #[serde(default)]
    pub worth: ReplyWorth,
}

/// The payment for an answer, which makes room before those that cost more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyWorth {
    /// A payment of its own of a tenth of a cent or more, which the gate or a chain has shown.
    #[default]
    Payment,
    /// A call of a pack at so much a call.
    PackCall,
    /// A payment of less, or one of so much by the seller's own word, which costs no more than the agent's budget.
    Slight,
    /// Nothing, or less.
    Nothing,
}

impl ReplyRow {
    /// Its turn to make room: those with the highest number leave first.
    #[must_use]
    pub fn turn(&self) -> u64 {
        match self.worth {
            ReplyWorth::PackCall => 2,
            ReplyWorth::Slight => 3,
            ReplyWorth::Nothing => 4,
            _ => u64::from(self.is_long),
        }
    }
}

/// The meaning of an idempotency key. Key: account and key. Deleted after 30 days if nothing was
/// paid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyRow {
    /// The account of the key.
    pub account: String,
    /// The key.
    pub key: String,
    /// Digest of agent, skill, version and payload.
    pub digest: String,
    /// The invocation.
    pub invocation: String,
    /// Until when it counts.
    pub until: u64,
}
