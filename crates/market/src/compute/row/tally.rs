//! Counts of what was sold, and of what went back without a job, in a day.

use alloc::string::{String, ToString};

use serde::{Deserialize, Serialize};

use super::hold::{HoldRow, RefundClaim};
use crate::day::counted_day;
use farebox_base::amount::Amount;

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
    pub(in crate::compute) fn count(
        &mut self,
        known: Option<RefundClaim>,
        row: &HoldRow,
        now: u64,
    ) {
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
