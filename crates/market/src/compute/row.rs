//! The rows that a gateway keeps, as they are stored. Money is decimal text; times are unix
//! milliseconds. Ids of sellers and buyers are in lower case; empty text is what is not known.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::day::counted_day;
use farebox_base::amount::Amount;
use farebox_base::mutant::{Mutant, planted};
use farebox_evm::address::Address;

/// Whether a seller wants work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presence {
    /// It said that it is gone, never came, or let a job lie.
    Offline,
    /// Its last word was a heartbeat.
    Online,
}

/// The state of the claims about a seller's offer from before it had proven who it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Claims {
    /// All said the same, or the seller itself has said it since.
    #[default]
    Agreed,
    /// Two said two things: the seller has to say which.
    Contested,
}

/// A seller. Key: id. Index: capability where online; client where nothing is proven.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SellerRow {
    /// Its wallet.
    pub id: String,
    /// The capability that it sells.
    pub capability: String,
    /// `price_per_task`, as it is shown.
    pub price: String,
    /// The price in atomic units.
    pub units: String,
    /// Jobs that it takes at once, 1 or more.
    pub capacity: u32,
    /// `passport_agent_id`.
    pub agent: String,
    /// The identity that it is bound to; empty until one was proven.
    pub subject: String,
    /// Sessions of an earlier one do not count.
    pub epoch: u64,
    /// Keyed hash of the token that renews its sessions; empty if there is none.
    pub renewal: String,
    /// Whether it wants work.
    pub presence: Presence,
    /// The last heartbeat.
    pub heartbeat: Option<u64>,
    /// When it was last given a seat to sell.
    pub served: u64,
    /// When it was registered, and then when it first proved who it is.
    pub created: u64,
    /// The network address that registered it.
    #[serde(default)]
    pub client: String,
    /// Whether it is known what it sells.
    #[serde(default)]
    pub claims: Claims,
    /// How often in a row it let a job lie.
    #[serde(default)]
    pub lapses: u32,
    /// When it last did.
    #[serde(default)]
    pub lapsed: u64,
    /// Until when it is given no work.
    #[serde(default)]
    pub rests_until: u64,
}

impl SellerRow {
    /// Whether an identity was proven for it.
    #[must_use]
    pub const fn is_bound(&self) -> bool {
        !self.subject.is_empty()
    }
}

/// The asker of a bond.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asker {
    /// Anyone: nothing says that it is the seller.
    #[default]
    Anyone,
    /// The seller, by a signature of its wallet or by its session.
    Seller,
}

/// A bond that a seller was asked for, so that it proves its wallet. Key: id. Unique: transaction
/// where it is not empty. Index: client and created; seller and agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BondRow {
    /// `challenge_id`: 16 random bytes in hex.
    pub id: String,
    /// The network address that asked.
    pub client: String,
    /// The facts known of the caller who asked.
    #[serde(default)]
    pub asker: Asker,
    /// The seller.
    pub seller: String,
    /// `passport_agent_id`.
    pub agent: String,
    /// The amount to transfer, atomic units.
    pub units: String,
    /// The newest block when it was asked for: the transfer comes later.
    pub block: u64,
    /// When it was made.
    pub created: u64,
    /// When it ends.
    pub until: u64,
    /// The transaction that proved it; empty until then.
    pub transaction: String,
    /// When it did.
    #[serde(default)]
    pub proven: u64,
}

/// How far a quote is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuoteState {
    /// Unpaid; it holds a seat until its end, or until someone pays for it.
    Open,
    /// Unpaid, and another has its seat; it can be paid until its end.
    Displaced,
    /// A payment is with the gate; its job holds the seat.
    Settling,
    /// Paid; its job holds the seat.
    Sold,
    /// It ended unpaid.
    Lapsed,
}

/// A quote. Key: id. Indexes: fingerprint; client; seller where open; until where open; state and
/// until.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuoteRow {
    /// `payment_id`: 32 random bytes in hex.
    pub id: String,
    /// `fingerprint` of the request.
    pub fingerprint: String,
    /// The network address that asked.
    pub client: String,
    /// `buyer_id`.
    pub buyer: String,
    /// The capability that is bought.
    pub capability: String,
    /// The prompt, sealed.
    pub prompt: String,
    /// The seller whose seat it holds.
    pub seller: String,
    /// The price as it is shown.
    pub amount: String,
    /// The price in atomic units.
    pub units: String,
    /// The account that the buyer pays, with its checksum.
    pub pay_to: String,
    /// The token, with its checksum.
    pub asset: String,
    /// CAIP-2 id.
    pub network: String,
    /// When it was made.
    pub created: u64,
    /// When it ends.
    pub until: u64,
    /// Until when no other quote is given its seat.
    #[serde(default)]
    pub firm: u64,
    /// How far it is.
    pub state: QuoteState,
}

impl QuoteRow {
    /// Whether it can be paid now.
    #[must_use]
    pub fn is_open(&self, now: u64) -> bool {
        matches!(self.state, QuoteState::Open | QuoteState::Displaced) && now < self.until
    }

    /// Whether it holds a seat now.
    #[must_use]
    pub fn has_seat(&self, now: u64) -> bool {
        self.state == QuoteState::Open && now < self.until
    }
}

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
        let is_charged = self.charge != DeliveryCharge::Due || planted(Mutant::UnsettledWorkCounts);
        self.state == JobState::Done && is_charged
    }

    /// `payment_mode`: what a buyer's own transfer paid is named by its hash.
    #[must_use]
    pub fn mode(&self) -> &'static str {
        if self.payment.starts_with("0x") { "direct-escrow" } else { self.hold.mode() }
    }
}

/// Where held money goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Leave {
    /// To the seller.
    Release,
    /// Back to who paid.
    Refund,
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
    /// The last grant: a report under another one changes nothing.
    pub fence: u64,
    /// Until when whoever has it has to report; `None` while no one asks the treasury.
    #[serde(default)]
    pub asked: Option<u64>,
    /// Whether the last question was one to the gate: its answer is read as the gate's, whatever was
    /// heard meanwhile.
    #[serde(default, skip_serializing_if = "is_false")]
    pub asks_gate: bool,
    /// Whether the treasury was asked for this try, whatever became of its answer.
    #[serde(default, skip_serializing_if = "is_false")]
    pub has_asked: bool,
    /// How often the alarm has looked at this try.
    pub looks: u32,
    /// When the alarm has to look at it; `None` if there is nothing left to do.
    pub due: Option<u64>,
}

const fn is_false(value: &bool) -> bool {
    !*value
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

/// The kind of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum EventKind {
    /// A seat is held for a buyer.
    Matching,
    /// A job is paid.
    Paid,
    /// Its seller has begun.
    Running,
    /// Its seller has delivered.
    Done,
    /// It failed, or its payment did.
    Failed,
    /// The seller has the money.
    Released,
    /// There was none.
    ReleaseSkipped,
    /// It did not move yet.
    ReleaseFailed,
    /// The payer has the money back.
    Refunded,
    /// There was none.
    RefundSkipped,
    /// It did not move yet.
    RefundFailed,
    /// A seller was registered.
    SellerRegistered,
    /// A seller came.
    SellerOnline,
    /// A seller went, or let a job lie.
    SellerOffline,
    /// A demo run got its result.
    DemoDone,
}

/// An event. Key: number, given by the storage in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventRow {
    /// Its place; 0 until the storage gave it one.
    pub number: u64,
    /// When.
    pub at: u64,
    /// The kind of the event.
    pub kind: EventKind,
    /// The job; empty if there is none.
    pub job: String,
    /// The quote or payment; empty if there is none.
    pub payment: String,
    /// The seller; empty if there is none.
    pub seller: String,
    /// The transaction; empty if there is none.
    pub transaction: String,
}

/// The sales of a day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaySales {
    /// Which day, UTC: its number since 1970.
    pub day: u64,
    /// Atomic units; empty is zero.
    pub units: String,
}

impl DaySales {
    /// The sales on the day of this time.
    #[must_use]
    pub fn on(&self, now: u64) -> Amount {
        let is_today = self.day == counted_day(self.day, now);
        let units = Amount::from_atomic(&self.units).ok().filter(|_| is_today);
        units.unwrap_or(Amount::ZERO)
    }

    /// Adds what was sold at this time.
    pub fn add(&mut self, units: &str, now: u64) {
        let more = Amount::from_atomic(units).unwrap_or(Amount::ZERO);
        let sum = self.on(now).checked_add(more).unwrap_or(Amount::MAX);
        *self = Self { day: counted_day(self.day, now), units: sum.to_string() };
    }
}

/// The counts of refunds of what got no job.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrphanTally {
    /// Those of the last day on which there was one.
    pub gone: DaySales,
    /// Those that wait for their turn.
    pub waiting: u64,
    /// Turns that were given so far.
    pub turns: u64,
}

impl OrphanTally {
    /// Counts what becomes of a hold, whose claim was `known`.
    pub(super) fn count(&mut self, known: Option<RefundClaim>, row: &HoldRow, now: u64) {
        if known == Some(row.claim) {
            return;
        }
        if row.claim.is_counted() && !known.is_some_and(RefundClaim::is_counted) {
            self.gone.add(&row.units, now);
        }
        if known == Some(RefundClaim::Waiting) {
            self.waiting = self.waiting.saturating_sub(1);
        }
        if row.claim == RefundClaim::Waiting {
            self.waiting = self.waiting.saturating_add(1);
            self.turns = self.turns.saturating_add(1);
        }
    }
}

/// A wallet in its one spelling; text that is none in lower case.
#[must_use]
pub(super) fn spell_wallet(id: &str) -> String {
    Address::parse(id).map_or_else(|_| id.to_ascii_lowercase(), |wallet| wallet.to_lower_hex())
}

/// A wallet with its checksum; text that is none as it is.
#[must_use]
pub(super) fn show_wallet(id: &str) -> String {
    Address::parse(id).map_or_else(|_| id.to_string(), |wallet| wallet.to_checksum())
}
