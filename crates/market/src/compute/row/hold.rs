//! The rows of money that is held for jobs, or goes back without one.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use super::is_false;

/// Where held money goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leave {
    /// To the seller.
    Release,
    /// Back to who paid.
    Refund,
}

impl Leave {
    /// The name in rows and lists.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Refund => "refund",
        }
    }

    /// The one with this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Release, Self::Refund].into_iter().find(|leave| leave.name() == name)
    }
}

/// How far held money is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldState {
    /// It is there.
    Held,
    /// The treasury is asked to move it.
    Paying(Leave),
    /// The treasury says that it moved; the chain has to confirm it.
    Sent(Leave),
    /// It moved.
    Ended(Leave),
}

impl HoldState {
    /// Where the money goes, once that is decided.
    #[must_use]
    pub const fn leave(self) -> Option<Leave> {
        match self {
            Self::Held => None,
            Self::Paying(leave) | Self::Sent(leave) | Self::Ended(leave) => Some(leave),
        }
    }
}

/// The entry of a payment in the escrow contract; name and word have 64 digits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EntryRow {
    /// The contract, with its checksum.
    pub contract: String,
    /// Its name.
    pub name: String,
    /// The transaction that paid it. The contract takes each once: what else that one paid has a
    /// hash of its payment here.
    pub word: String,
}

/// Money in the escrow wallet or contract: one row for each payment that was settled, also for one
/// that no job could be made of. Key: payment. Index: due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldRow {
    /// The gate's id of the payment.
    pub payment: String,
    /// Its job; empty if there is none.
    pub job: String,
    /// The address that paid on the chain.
    pub payer: String,
    /// The seller that is to have it; empty without a job.
    pub payee: String,
    /// Atomic units.
    pub units: String,
    /// How far it is.
    pub state: HoldState,
    /// The try that the treasury's key names; the next one begins when this one can never move.
    pub tries: u32,
    /// The treasury's id of the payout; empty if there is none.
    pub payout: String,
    /// The transaction that moved it.
    pub transaction: String,
    /// The transaction that paid it.
    #[serde(default)]
    pub settlement: String,
    /// Its entry in the escrow contract; `None` if a wallet has the money.
    #[serde(default)]
    pub entry: Option<EntryRow>,
    /// Whether the gate leaves a refund of what it owes to the exchange.
    #[serde(default, skip_serializing_if = "RefundClaim::is_unasked")]
    pub claim: RefundClaim,
    /// Whether the gate said that it owes it: it never had an answer for it, or lost that.
    #[serde(default, skip_serializing_if = "is_false")]
    pub owed: bool,
    /// Whether the gate was silent for so long that it is not waited for: it is asked while the money is
    /// on its way, and told in the end.
    #[serde(default, skip_serializing_if = "is_false")]
    pub unheard: bool,
    /// The last grant: a report under another one changes nothing.
    pub fence: u64,
    /// Until when whoever has it has to report; `None` while no one asks the treasury.
    #[serde(default)]
    pub asked: Option<u64>,
    /// Whether the last question was one to the gate: its answer is read as the gate's, whatever was
    /// heard meanwhile.
    #[serde(default, skip_serializing_if = "is_false")]
    pub asks_gate: bool,
    /// Whether the gate said that its refund was begun there: a restored gate has forgotten that, and is
    /// not told that there was none.
    #[serde(default, skip_serializing_if = "is_false")]
    pub begun: bool,
    /// Whether a person has asked the gate about a refund without a known transaction: no answer that comes
    /// by itself ends what they have to hear of.
    #[serde(default, skip_serializing_if = "is_false")]
    pub called: bool,
    /// Whether the treasury was asked for this try, whatever became of its answer.
    #[serde(default, skip_serializing_if = "is_false")]
    pub has_asked: bool,
    /// Whether the treasury has refused each question of this try: nothing of it is under way. A question
    /// without an answer is none that was refused.
    #[serde(default, skip_serializing_if = "is_false")]
    pub refused: bool,
    /// The body that asked the treasury for this try, which asks for nothing else under its key,
    /// whatever is configured since; empty before that, and for what is in the escrow contract.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub order: String,
    /// How often the alarm has looked at this try.
    pub looks: u32,
    /// When the alarm has to look at it; `None` if there is nothing left to do.
    pub due: Option<u64>,
}

/// Whether a payment is a transfer of the buyer's own, which has its hash as its name: no gate knows it.
#[must_use]
pub fn is_direct(payment: &str) -> bool {
    payment.starts_with("0x")
}

/// The party that pays back what the gate owes for a payment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefundClaim {
    /// The gate has not said.
    #[default]
    Unasked,
    /// The exchange: no one else begins, and the payment buys nothing any more.
    Granted,
    /// The exchange, once it is its turn: more goes back without a job than there is room for.
    Waiting,
    /// The exchange, whose turn it is: it is counted in what goes back without a job in a day. The gate
    /// is asked once more, because days may have gone by.
    Called,
    /// The exchange, and it is counted.
    Admitted,
    /// No one: it was paid back or waived at the gate.
    Ended,
}

impl RefundClaim {
    fn is_unasked(&self) -> bool {
        *self == Self::Unasked
    }

    /// Whether it is counted in what goes back without a job in a day.
    #[must_use]
    pub fn is_counted(self) -> bool {
        matches!(self, Self::Called | Self::Admitted)
    }
}
