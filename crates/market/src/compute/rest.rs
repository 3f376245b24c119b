//! Sellers that let jobs lie rest: the first time they are offline until their next heartbeat, and
//! from the second time in a row on they are given no work for a while.

use super::job::{RUN_MS, START_MS};
use super::row::{JobRow, JobState, SellerRow};
use farebox_base::mutant::{Mutant, planted};

/// Milliseconds of the first rest; each further one is twice as long.
const REST_MS: u64 = 60_000;
/// Longest rest.
const MAX_REST_MS: u64 = 3_600_000;
/// Milliseconds after which a lapse is forgotten.
const FORGET_MS: u64 = 86_400_000;

impl SellerRow {
    /// This seller after it let a job lie. Jobs that lay at the same time count once.
    pub(super) fn after_lapse(self, job: &JobRow, now: u64) -> Self {
        let given = match job.state {
            JobState::Running => RUN_MS,
            JobState::Settling
            | JobState::Paid
            | JobState::Releasing
            | JobState::Refunding
            | JobState::Done
            | JobState::Failed => START_MS,
        };
        let began = job.due.unwrap_or(now).saturating_sub(given);
        if self.lapses > 0 && began < self.lapsed {
            return self;
        }
        let known = if now.saturating_sub(self.lapsed) < FORGET_MS { self.lapses } else { 0 };
        let rest = match known.checked_sub(1) {
            None => 0,
            Some(more) => REST_MS.checked_shl(more.min(16)).unwrap_or(MAX_REST_MS).min(MAX_REST_MS),
        };
        let rests_until = now.saturating_add(rest);
        Self { lapses: known.saturating_add(1), lapsed: now, rests_until, ..self }
    }

    /// This seller after it delivered: one lapse is made good; `None` if it has none.
    pub(super) fn after_work(self) -> Option<Self> {
        let lapses = self.lapses.checked_sub(1)?;
        Some(Self { lapses, ..self })
    }

    /// Whether it rests.
    pub(super) fn rests(&self, now: u64) -> bool {
        now < self.rests_until && !planted(Mutant::IdleSellersNeverRest)
    }
}
