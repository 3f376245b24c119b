//! The rows of jobs.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::is_direct;

/// How the money of a job is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HoldKind {
    /// The buyer's request waits, and is charged when the work is done.
    Completion,
    /// A wallet of the treasury has it.
    Escrow,
    /// An escrow contract has it, whose gateway is a wallet of the treasury.
    Contract,
    /// There is none.
    Mock,
}

impl HoldKind {
    /// The kind with this name in a configuration.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "completion" => Some(Self::Completion),
            "contract" => Some(Self::Contract),
            "escrow" => Some(Self::Escrow),
            "mock" => Some(Self::Mock),
            _ => None,
        }
    }

    /// `payment_mode`.
    #[must_use]
    pub const fn mode(self) -> &'static str {
        match self {
            Self::Completion => "x402-completion",
            Self::Escrow | Self::Contract => "x402-escrow",
            Self::Mock => "mock",
        }
    }

    /// Whether jobs are paid at the gate's till.
    #[must_use]
    pub const fn has_till(self) -> bool {
        match self {
            Self::Completion | Self::Escrow | Self::Contract => true,
            Self::Mock => false,
        }
    }

    /// Whether what was paid is somewhere between buyer and seller.
    #[must_use]
    pub const fn has_money(self) -> bool {
        match self {
            Self::Escrow | Self::Contract => true,
            Self::Completion | Self::Mock => false,
        }
    }
}

/// How far a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Its payment is with the gate.
    Settling,
    /// Paid; its seller has not begun.
    Paid,
    /// Its seller works.
    Running,
    /// The work is done, and the money goes to the seller.
    Releasing,
    /// There is no work, and the money goes back.
    Refunding,
    /// Done, and the seller is paid.
    Done,
    /// Not done, and who paid has the money.
    Failed,
}

impl JobState {
    /// All of them, in the order of a job.
    pub const ALL: [Self; 7] = [
        Self::Settling,
        Self::Paid,
        Self::Running,
        Self::Releasing,
        Self::Refunding,
        Self::Done,
        Self::Failed,
    ];

    /// Its name in storage, and for the operator.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Settling => "settling",
            Self::Paid => "paid",
            Self::Running => "running",
            Self::Releasing => "releasing",
            Self::Refunding => "refunding",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    /// `status`.
    #[must_use]
    pub const fn status(self) -> &'static str {
        match self {
            Self::Settling => "settling",
            Self::Paid => "paid",
            Self::Running | Self::Releasing | Self::Refunding => "running",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    /// Whether it has a seat of its seller.
    #[must_use]
    pub const fn has_seat(self) -> bool {
        match self {
            Self::Settling | Self::Paid | Self::Running => true,
            Self::Releasing | Self::Refunding | Self::Done | Self::Failed => false,
        }
    }

    /// Whether nothing changes it any more.
    #[must_use]
    pub const fn is_over(self) -> bool {
        match self {
            Self::Done | Self::Failed => true,
            Self::Settling | Self::Paid | Self::Running | Self::Releasing | Self::Refunding => {
                false
            }
        }
    }
}

/// The signer of a payment that was shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signer {
    /// Its contract's, or it is made up: only the chain tells.
    #[default]
    Unknown,
    /// The buyer's own.
    Buyer,
}

/// Progress of the charge of a job whose buyer's request waits for the work.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeliveryCharge {
    /// It is held in another way, or its work is not done.
    #[default]
    None,
    /// The work is with the till, which charges for it now: the seller has no money yet.
    Due,
    /// The till has charged.
    Made,
}

/// How far the proof of a job's result is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proving {
    /// The last grant; a report under another one changes nothing.
    pub fence: u64,
    /// How often the Worker was asked.
    pub tries: u32,
    /// Until when whoever asks it has to report; `None` while no one asks.
    #[serde(default)]
    pub asked: Option<u64>,
}

/// A job. Key: id. Unique: quote. Indexes: seller and state; due.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobRow {
    /// A UUID.
    pub id: String,
    /// The quote that it was bought by.
    pub quote: String,
    /// The gate's id of its payment; empty until it is paid.
    pub payment: String,
    /// Digest of the payment that its buyer showed.
    pub shown: String,
    /// The digest of that payment as it was written; empty in rows that were made before this was kept.
    #[serde(default)]
    pub material: String,
    /// The signer of that payment.
    #[serde(default)]
    pub signer: Signer,
    /// How its money is held.
    pub hold: HoldKind,
    /// `buyer_id`.
    pub buyer: String,
    /// The seller that has it.
    pub seller: String,
    /// The capability that was bought.
    pub capability: String,
    /// The prompt, sealed.
    pub prompt: String,
    /// The price as it is shown.
    pub amount: String,
    /// The price in atomic units.
    pub units: String,
    /// How far it is.
    pub state: JobState,
    /// How many sellers were given it.
    pub attempts: u32,
    /// Sellers that let it lie.
    pub tried: Vec<String>,
    /// The result of its seller, or the error, sealed; empty until then.
    pub result: String,
    /// The transaction that paid it.
    pub transaction: String,
    /// The transaction that registered it in the escrow contract; empty if there is none.
    #[serde(default)]
    pub registration: String,
    /// When it was made.
    pub created: u64,
    /// When its state has to change; `None` if nothing is due.
    pub due: Option<u64>,
    /// Until when the buyer's request waits for it; of `completion` alone.
    pub waits: Option<u64>,
    /// How far the proof of its result is; `None` unless one is being asked for.
    #[serde(default)]
    pub proving: Option<Proving>,
    /// Progress of its charge; of `completion` alone.
    #[serde(default)]
    pub charge: DeliveryCharge,
}

impl JobRow {
    /// Whether its seller has earned what it costs.
    #[must_use]
    pub fn is_earned(&self) -> bool {
        let is_charged = self.charge != DeliveryCharge::Due;
        self.state == JobState::Done && is_charged
    }

    /// `payment_mode`: what a buyer's own transfer paid is named by its hash.
    #[must_use]
    pub fn mode(&self) -> &'static str {
        if is_direct(&self.payment) { "direct-escrow" } else { self.hold.mode() }
    }
}
