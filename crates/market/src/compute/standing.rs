//! The standing of a seller: whether it is here, in time, and given work.
//!
//! Sellers that let jobs lie rest: the first time they are offline until their next heartbeat, and
//! from the second time in a row on they are given no work for a while.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::event::event;
use super::figures::hour_of;
use super::kernel::Now;
use super::records::{Change, Seats};
use super::row::{Claims, EventKind, JobRow, JobState, Presence, SellerRow};

/// Milliseconds for which a heartbeat counts.
pub const HEARTBEAT_MS: u64 = 60_000;
/// Milliseconds in which a seller has to begin.
pub const START_MS: u64 = 60_000;
/// Milliseconds in which it has to deliver.
pub const RUN_MS: u64 = 120_000;
/// Milliseconds of the first rest; each further one is twice as long.
const REST_MS: u64 = 60_000;
/// Longest rest.
const MAX_REST_MS: u64 = 3_600_000;
/// Most events of an hour that tell of a seller: what it says of itself costs it nothing.
const MAX_TOLD: u32 = 20;
/// Milliseconds after which a lapse is forgotten.
const FORGET_MS: u64 = 86_400_000;

impl SellerRow {
    /// Whether it can be given work: bound, known to sell it, online, and heard of within a minute.
    #[must_use]
    pub fn is_here(&self, now: u64) -> bool {
        let is_fresh = self.heartbeat.is_some_and(|at| now <= at.saturating_add(HEARTBEAT_MS));
        let is_known = self.is_bound() && self.claims == Claims::Agreed;
        self.presence == Presence::Online && is_known && is_fresh && !self.is_resting(now)
    }

    /// Whether it does the work of a quote that is held: it is here, or has said anew what it sells and
    /// is about to be. What was held keeps its price.
    #[must_use]
    pub fn holds(&self, now: u64) -> bool {
        let is_known = self.is_bound() && self.claims == Claims::Agreed;
        let is_renewed = self.presence == Presence::Offline && self.heartbeat.is_none();
        let is_about = is_known && is_renewed && !self.is_resting(now);
        self.is_here(now) || is_about
    }

    /// `seller_status`.
    #[must_use]
    pub fn status(&self, seats: Seats, now: u64) -> &'static str {
        if !self.is_here(now) {
            return "offline";
        }
        if seats.taken() < self.capacity {
            return "idle";
        }
        if seats.busy > 0 { "busy" } else { "reserved" }
    }

    /// Whether both sell the same.
    pub(super) fn sells_like(&self, other: &Self) -> bool {
        (&self.capability, &self.units, self.capacity)
            == (&other.capability, &other.units, other.capacity)
    }

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
    pub(super) fn is_resting(&self, now: u64) -> bool {
        now < self.rests_until
    }

    /// An event about it, which is counted; `None` where enough is told of it in this hour.
    pub(super) fn tell(&mut self, kind: EventKind, tick: Now<'_>) -> Option<Change> {
        let hour = hour_of(tick.now);
        let before = if self.told_hour == hour { self.told } else { 0 };
        (self.told_hour, self.told) = (hour, before.saturating_add(1));
        let may = self.told <= MAX_TOLD;
        may.then(|| event(kind, tick).seller(&self.id).done())
    }
}

/// A seller of which nothing is proven yet.
pub(super) fn unproven(id: String, agent: String, client: &str, tick: Now<'_>) -> SellerRow {
    SellerRow {
        id,
        agent,
        client: client.to_string(),
        created: tick.now,
        capability: String::new(),
        price: String::new(),
        units: String::new(),
        capacity: 1,
        subject: String::new(),
        epoch: 0,
        renewal: String::new(),
        keyed: String::new(),
        presence: Presence::Offline,
        heartbeat: None,
        served: 0,
        lapses: 0,
        lapsed: 0,
        rests_until: 0,
        told_hour: 0,
        told: 0,
        signs: false,
        claims: Claims::Agreed,
    }
}

/// The changes that write a seller that has proven who it is, and announce its offer if that is
/// new.
pub(super) fn write_proven(known: &SellerRow, row: SellerRow, tick: Now<'_>) -> Vec<Change> {
    let is_first = !known.is_bound();
    let is_news = is_first || !known.sells_like(&row);
    let mut row = if is_first { SellerRow { created: tick.now, ..row } } else { row };
    let event = if is_news { row.tell(EventKind::SellerRegistered, tick) } else { None };
    [Change::Seller(Box::new(row))].into_iter().chain(event).collect()
}
