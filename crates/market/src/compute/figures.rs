//! The figures of a profile, counted as things happen: sellers, jobs, hours and records of sellers.
//! A view reads these few rows, never all jobs.
//!
//! [`count_changes`] is called in the block of a command, with its changes, before they are
//! written. Money is decimal text, added exactly.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::kernel::Now;
use super::records::{Change, Rows};
use super::row::{
    DaySales, EventRow, HoldRow, JobRow, JobState, Leave, OrphanTally, RefundClaim, SellerRow,
};
use farebox_base::amount::Amount;

/// Milliseconds of an hour.
pub const HOUR_MS: u64 = 3_600_000;

/// The counts of a profile. One row.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Sellers that have proven who they are.
    pub sellers: u64,
    /// Jobs that are not over.
    pub open: u64,
    /// Jobs that were done.
    pub done: u64,
    /// Jobs that failed.
    pub failed: u64,
    /// Jobs that were paid on the last day on which one was.
    #[serde(default)]
    pub sales: DaySales,
    /// Refunds of what got no job.
    #[serde(default)]
    pub orphans: OrphanTally,
}

/// The counts of one hour. Key: hour.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HourTally {
    /// Its first millisecond.
    pub hour: u64,
    /// Jobs that were paid.
    pub created: u64,
    /// Jobs that ended.
    pub settled: u64,
    /// The cost of those that were earned, atomic units; empty is zero.
    pub units: String,
}

/// The record of a seller. Key: seller. Index: done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SellerRecord {
    /// The seller.
    pub seller: String,
    /// Jobs that it did.
    pub done: u64,
    /// Jobs that failed while they were its.
    pub failed: u64,
    /// The cost of those that were earned, atomic units; empty is zero.
    pub units: String,
    /// Its jobs that were paid on the last day on which one was.
    #[serde(default)]
    pub sales: DaySales,
}

/// A row to put.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Figure {
    /// The profile's.
    Profile(Tally),
    /// An hour's.
    Hour(HourTally),
    /// A seller's.
    Seller(SellerRecord),
}

/// The subject of the events that are asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// All of the profile.
    Profile,
    /// Those that name this seller.
    Seller(String),
    /// Those of this job.
    Job(String),
}

/// The place of a row in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListPlace {
    /// Its number, or when it was heard of.
    pub at: u64,
    /// Its id, where several may have the same; else empty.
    pub id: String,
}

/// The rows of a list that are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListPart {
    /// The place after which they come; `None` from the first one on.
    pub after: Option<ListPlace>,
    /// Most rows.
    pub limit: u32,
    /// Names of the states that they are in; none for any.
    pub states: Vec<String>,
    /// The seller that they are of; empty for any.
    pub seller: String,
    /// The money that they are, in a list of money.
    pub money: MoneyOf,
    /// Where it goes, in a list of money; `None` for anywhere.
    pub leave: Option<Leave>,
}

/// Money by what it bought.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MoneyOf {
    /// Any.
    #[default]
    Anything,
    /// That of jobs.
    Jobs,
    /// Money that bought no job.
    Orphans,
}

/// Reads for views. Each is one look into an index, and fails only with an error of the
/// storage.
pub trait Figures: Rows {
    /// The counts of the profile.
    fn tally(&self) -> Result<Tally, Self::Error>;

    /// The row of this hour.
    fn hour(&self, hour: u64) -> Result<Option<HourTally>, Self::Error>;

    /// Rows of this hour and later, oldest first.
    fn hours(&self, since: u64) -> Result<Vec<HourTally>, Self::Error>;

    /// The record of a seller.
    fn record(&self, seller: &str) -> Result<Option<SellerRecord>, Self::Error>;

    /// The records with most jobs done, at most so many.
    fn best(&self, limit: u32) -> Result<Vec<SellerRecord>, Self::Error>;

    /// The sellers that were heard of last (a heartbeat, else their first proof), latest first, of
    /// those that have proven who they are.
    fn latest(&self, limit: u32) -> Result<Vec<SellerRow>, Self::Error>;

    /// Events with a higher number, oldest first.
    fn events(&self, about: &About, after: u64, limit: u32) -> Result<Vec<EventRow>, Self::Error>;

    /// The newest events of the profile, newest first.
    fn newest(&self, limit: u32) -> Result<Vec<EventRow>, Self::Error>;

    /// A part of the sellers that have proven who they are, those heard of last first.
    fn seller_part(&self, part: &ListPart) -> Result<Vec<SellerRow>, Self::Error>;

    /// A part of the jobs with their numbers, newest first.
    fn job_part(&self, part: &ListPart) -> Result<Vec<(u64, JobRow)>, Self::Error>;

    /// A part of the held money, with numbers that grow with each change: what changed last first.
    fn hold_part(&self, part: &ListPart) -> Result<Vec<(u64, HoldRow)>, Self::Error>;

    /// The newest events that say that a job's money moved, or that there was none to move
    /// ([`EventKind::is_settlement`](super::row::EventKind::is_settlement)), newest first.
    fn settlements(&self, limit: u32) -> Result<Vec<EventRow>, Self::Error>;
}

/// The first millisecond of the hour that a time is in.
#[must_use]
pub const fn hour_of(at: u64) -> u64 {
    at.saturating_sub(at % HOUR_MS)
}

/// The sum of two amounts of a row.
#[must_use]
pub(super) fn sum_units(units: &str, more: &str) -> String {
    let read = |text: &str| Amount::from_atomic(text).unwrap_or(Amount::ZERO);
    read(units).checked_add(read(more)).unwrap_or(Amount::MAX).to_string()
}

/// The counts that a command touches by its changes.
struct Count {
    now: u64,
    tally: Tally,
    hour: HourTally,
    records: Vec<SellerRecord>,
}

impl Count {
    /// Takes the record of a seller out, to be put back.
    fn record<F: Figures>(&mut self, seller: &str, figures: &F) -> Result<SellerRecord, F::Error> {
        let record = match self.records.iter().position(|it| it.seller == seller) {
            Some(at) => self.records.swap_remove(at),
            None => figures.record(seller)?.unwrap_or_default(),
        };
        Ok(SellerRecord { seller: seller.to_string(), ..record })
    }

    fn job<F: Figures>(
        &mut self,
        known: Option<&JobRow>,
        row: &JobRow,
        figures: &F,
    ) -> Result<(), F::Error> {
        let was_over = known.is_some_and(|job| job.state.is_over());
        let was_paid = known.is_some_and(|job| job.state != JobState::Settling);
        if known.is_none() && !row.state.is_over() {
            self.tally.open = self.tally.open.saturating_add(1);
        }
        if !was_paid && row.state != JobState::Settling {
            self.hour.created = self.hour.created.saturating_add(1);
            let now = self.now;
            self.tally.sales.add(&row.units, now);
            let mut record = self.record(&row.seller, figures)?;
            record.sales.add(&row.units, now);
            self.records.push(record);
        }
        if row.is_earned() && !known.is_some_and(JobRow::is_earned) {
            let mut record = self.record(&row.seller, figures)?;
            record.units = sum_units(&record.units, &row.units);
            self.records.push(record);
            self.hour.units = sum_units(&self.hour.units, &row.units);
        }
        if was_over || !row.state.is_over() {
            return Ok(());
        }
        if known.is_some() {
            self.tally.open = self.tally.open.saturating_sub(1);
        }
        self.hour.settled = self.hour.settled.saturating_add(1);
        let mut record = self.record(&row.seller, figures)?;
        match row.state {
            JobState::Done => {
                self.tally.done = self.tally.done.saturating_add(1);
                record.done = record.done.saturating_add(1);
            }
            JobState::Failed => {
                self.tally.failed = self.tally.failed.saturating_add(1);
                record.failed = record.failed.saturating_add(1);
            }
            JobState::Settling
            | JobState::Paid
            | JobState::Running
            | JobState::Releasing
            | JobState::Refunding => {}
        }
        self.records.push(record);
        Ok(())
    }
}

/// The rows that count what these changes are about to write.
///
/// # Errors
/// An error of the storage.
pub fn count_changes<F: Figures>(
    figures: &F,
    changes: &[Change],
    tick: Now<'_>,
) -> Result<Vec<Figure>, F::Error> {
    let is_counted = |change: &Change| match change {
        Change::Job(_) | Change::JobGone(_) => true,
        Change::Hold(row) => row.claim == RefundClaim::Waiting || row.claim.is_counted(),
        // It has proven who it is just now; what proves nothing is not counted.
        Change::Seller(row) => row.is_bound() && row.created == tick.now,
        Change::Bond(_) | Change::Quote(_) | Change::Event(_) | Change::Leaves(_) => false,
    };
    if !changes.iter().any(is_counted) {
        return Ok(Vec::new());
    }
    let hour = hour_of(tick.now);
    let (tally, row) = (figures.tally()?, figures.hour(hour)?);
    let before = (tally.clone(), row.clone());
    let hour = row.unwrap_or(HourTally { hour, ..HourTally::default() });
    let mut count = Count { now: tick.now, tally, hour, records: Vec::new() };
    for change in changes.iter().filter(|change| is_counted(change)) {
        match change {
            Change::Seller(row)
                if figures.seller(&row.id)?.is_none_or(|known| !known.is_bound()) =>
            {
                count.tally.sellers = count.tally.sellers.saturating_add(1);
            }
            Change::Hold(row) => {
                let known = figures.hold(&row.payment)?.map(|known| known.claim);
                count.tally.orphans.count(known, row, tick.now);
            }
            Change::Job(row) => {
                count.job(figures.job(&row.id)?.as_ref(), row, figures)?;
            }
            Change::JobGone(id) if figures.job(id)?.is_some_and(|job| !job.state.is_over()) => {
                count.tally.open = count.tally.open.saturating_sub(1);
            }
            Change::Seller(_)
            | Change::JobGone(_)
            | Change::Bond(_)
            | Change::Quote(_)
            | Change::Event(_)
            | Change::Leaves(_) => {}
        }
    }
    let mut rows = Vec::new();
    if count.tally != before.0 {
        rows.push(Figure::Profile(count.tally));
    }
    let is_news = |hour: &HourTally| hour.created.max(hour.settled) > 0 || !hour.units.is_empty();
    if before.1.as_ref() != Some(&count.hour) && is_news(&count.hour) {
        rows.push(Figure::Hour(count.hour));
    }
    rows.extend(count.records.into_iter().map(Figure::Seller));
    Ok(rows)
}
