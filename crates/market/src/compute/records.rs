//! The reads of a gateway from its storage, and the writes that it asks for.

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use super::errand::ErrandKind;
use super::row::{BondRow, DaySales, EventRow, HoldRow, JobRow, OrphanTally, QuoteRow, SellerRow};

/// Seats of a seller that are taken now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seats {
    /// By quotes that are open and in time.
    pub reserved: u32,
    /// Those of them that no other quote is given yet.
    pub firm: u32,
    /// By jobs that are settling, paid or running.
    pub busy: u32,
    /// Those of them whose payment is on its way, and could be made up by anyone.
    pub forgeable: u32,
}

impl Seats {
    /// All of them.
    #[must_use]
    pub const fn taken(self) -> u32 {
        self.reserved.saturating_add(self.busy)
    }

    /// Those that no payment takes from another.
    #[must_use]
    pub const fn proven(self) -> u32 {
        self.busy.saturating_sub(self.forgeable)
    }

    /// How many of so many a quote can be given now.
    #[must_use]
    pub const fn free(self, capacity: u32) -> u32 {
        capacity.saturating_sub(self.busy.saturating_add(self.firm))
    }
}

/// A quote that holds a seat unpaid.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// The quote.
    pub quote: String,
    /// The network address that asked for it.
    pub client: String,
    /// Until when no other quote is given its seat.
    pub firm: u64,
}

/// A row that is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DueRow {
    /// A quote that is open or displaced past its end.
    Quote(Box<QuoteRow>),
    /// A job.
    Job(Box<JobRow>),
    /// Held money.
    Hold(Box<HoldRow>),
}

/// Before when rows were over that leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ends {
    /// Of sold quotes, jobs, bonds, events and hours.
    pub over: u64,
    /// Of sellers without an identity, and of bonds that proved nothing.
    pub unsold: u64,
    /// Of unsold quotes.
    pub quotes: u64,
}

/// A row that leaves, by its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeavingRow {
    /// A seller that has proven no identity.
    Seller(String),
    /// A bond.
    Bond(String),
    /// A quote that is not open.
    Quote(String),
    /// A job that is over.
    Job(String),
    /// An event.
    Event(u64),
    /// The counts of an hour.
    Hour(u64),
}

/// A job that is over, without its texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OverJob {
    /// The job.
    pub id: String,
    /// `buyer_id`.
    pub buyer: String,
    /// Its last seller.
    pub seller: String,
    /// Unix milliseconds of its making.
    pub created: u64,
}

/// Reads of the gateway's rows. Each is one look into an index, and fails only with an error of the
/// storage.
pub trait Rows {
    /// The storage's error.
    type Error;

    /// The seller with this id.
    fn seller(&self, id: &str) -> Result<Option<SellerRow>, Self::Error>;

    /// Sellers that are [`Online`](super::row::Presence::Online) with a heartbeat at this time or
    /// later; at most 1,000, of each capability the cheapest.
    fn online(&self, since: u64) -> Result<Vec<SellerRow>, Self::Error>;

    /// A page of those of one capability: by price, then by who was given work the longest ago, then
    /// by id; those after this one. No page is empty but that after the last.
    fn cheapest(
        &self,
        capability: &str,
        since: u64,
        after: Option<&SellerRow>,
    ) -> Result<Vec<SellerRow>, Self::Error>;

    /// How many sellers this client has registered at this time or later that have proven nothing.
    fn unproven(&self, client: &str, since: u64) -> Result<u64, Self::Error>;

    /// The seats of a seller that are taken at this time.
    fn seats(&self, seller: &str, now: u64) -> Result<Seats, Self::Error>;

    /// The seats that are taken at this time, of each seller that has any; none is counted as
    /// forgeable.
    fn taken_seats(&self, now: u64) -> Result<Vec<(String, Seats)>, Self::Error>;

    /// The quotes that hold a seat of a seller at this time, oldest first.
    fn holders(&self, seller: &str, now: u64) -> Result<Vec<Holder>, Self::Error>;

    /// The job of a seller that has waited for the longest time for a payment that does not have its
    /// buyer's own signature.
    fn forgeable(&self, seller: &str) -> Result<Option<JobRow>, Self::Error>;

    /// The bond with this id.
    fn bond(&self, id: &str) -> Result<Option<BondRow>, Self::Error>;

    /// Bonds of a seller that were asked for at this time or later, oldest first; at most 1,000.
    fn bonds_of(&self, seller: &str, since: u64) -> Result<Vec<BondRow>, Self::Error>;

    /// Whether a bond was proven by this transaction.
    fn has_bond_by(&self, transaction: &str) -> Result<bool, Self::Error>;

    /// How many bonds this client has asked for at this time or later.
    fn bonds_asked(&self, client: &str, since: u64) -> Result<u64, Self::Error>;

    /// The quote with this id.
    fn quote(&self, id: &str) -> Result<Option<QuoteRow>, Self::Error>;

    /// The newest quote with this fingerprint.
    fn quote_of(&self, fingerprint: &str) -> Result<Option<QuoteRow>, Self::Error>;

    /// The newest quote with this fingerprint at this price, atomic units.
    fn quote_at(&self, fingerprint: &str, units: &str) -> Result<Option<QuoteRow>, Self::Error>;

    /// Quotes of a client made at this time or later that were not sold, at most 100.
    fn unsold(&self, client: &str, since: u64) -> Result<Vec<QuoteRow>, Self::Error>;

    /// The job with this id.
    fn job(&self, id: &str) -> Result<Option<JobRow>, Self::Error>;

    /// The job that was bought by this quote.
    fn job_of(&self, quote: &str) -> Result<Option<JobRow>, Self::Error>;

    /// The newest job for which the payment with this digest was shown.
    fn job_shown(&self, shown: &str) -> Result<Option<JobRow>, Self::Error>;

    /// The newest of them for a quote of the request with this fingerprint.
    fn job_shown_for(&self, shown: &str, fingerprint: &str) -> Result<Option<JobRow>, Self::Error>;

    /// Jobs of a seller that are paid or running, oldest first.
    fn jobs(&self, seller: &str, limit: u32) -> Result<Vec<JobRow>, Self::Error>;

    /// The money of this payment.
    fn hold(&self, payment: &str) -> Result<Option<HoldRow>, Self::Error>;

    /// Whether this transaction paid for something, `0x` and lower-case digits.
    fn is_paid_by(&self, transaction: &str) -> Result<bool, Self::Error>;

    /// Rows that leave, oldest first, at most [`MAX_LEAVING`](super::keep::MAX_LEAVING) of each
    /// kind: unsold quotes whose end, and sellers without an identity and bonds without a
    /// transaction that were made, before `unsold`; sold quotes, jobs that are over, bonds, events and hours from before `over`.
    fn leaving(&self, ends: Ends) -> Result<Vec<LeavingRow>, Self::Error>;

    /// All jobs that are over, newest first, if there are more than so many; else none.
    fn over(&self, beyond: u32) -> Result<Vec<OverJob>, Self::Error>;

    /// The counts of refunds of what got no job.
    fn orphans(&self) -> Result<OrphanTally, Self::Error>;

    /// The sales of the last day on which anything was sold, by one seller or by all.
    fn sales(&self, seller: Option<&str>) -> Result<DaySales, Self::Error>;

    /// The job that has been due for the longest time and needs no call, so that it is not
    /// [`Releasing`](super::row::JobState::Releasing); else a quote that is due.
    fn due(&self, now: u64) -> Result<Option<DueRow>, Self::Error>;

    /// A job, money, or an unpaid quote, that is due after this time.
    fn ahead(&self, after: u64) -> Result<Option<DueRow>, Self::Error>;

    /// The row of a kind that has been due for the longest time and may need a call: money
    /// [of that kind](ErrandKind::of), or a job that is
    /// [`Releasing`](super::row::JobState::Releasing); none of those that are under way, and none of
    /// the sellers that were served.
    fn errand(
        &self,
        kind: ErrandKind,
        now: u64,
        under_way: &[String],
        served: &[String],
    ) -> Result<Option<DueRow>, Self::Error>;
}

/// One write. All of a command are made in the block that read the rows, before its answer
/// leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Puts a seller.
    Seller(Box<SellerRow>),
    /// Puts a bond.
    Bond(Box<BondRow>),
    /// Puts a quote.
    Quote(Box<QuoteRow>),
    /// Puts a job.
    Job(Box<JobRow>),
    /// Deletes the job with this id: its payment was refused.
    JobGone(String),
    /// Puts held money.
    Hold(Box<HoldRow>),
    /// Adds an event.
    Event(EventRow),
    /// Deletes a row.
    Leaves(LeavingRow),
}
