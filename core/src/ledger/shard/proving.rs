//! Payments that Workers are proving, as the object keeps them: in memory alone, a bounded number, for a short time.
//!
//! What is being proven has no row yet. A copy that came too late for it, or at another price, would be told that nothing is known
//! of it, and with that to pay again, a moment before the first one is settled. Assumptions:
//! - none but its payer can name a payment that has no row: its key is of what they have signed;
//! - losing all of it costs what it is there for, and nothing else.

use super::Slot;
use super::index::Packed;
use crate::ledger::attempts::RecentMap;
use crate::time::UnixTime;

/// Most payments that are remembered, 100 bytes each; the oldest go.
const MOST: usize = 4_096;
/// Seconds after which a copy counts as lost whose Worker has not come back: two facilitators may have 5 s in the queue and 5 s for
/// their answer each, and the claims that follow take 2 s and their calls.
const PROVING_SECS: u64 = 30;

/// Copies of payments that may begin once they are proven.
#[derive(Clone, Debug)]
pub(super) struct Provings(RecentMap<Packed, Copies>);

/// Those of one payment.
#[derive(Clone, Copy, Debug)]
struct Copies {
    count: u32,
    until: UnixTime,
}

impl Default for Provings {
    fn default() -> Self {
        Self(RecentMap::new(MOST))
    }
}

impl Provings {
    /// One copy more is being proven.
    pub(super) fn begin(&mut self, slot: &Slot, now: UnixTime) {
        let count = self.copies(slot, now).saturating_add(1);
        self.0.put(Packed::of(slot), Copies { count, until: now.plus(PROVING_SECS) });
    }

    /// One copy is proven, or refused.
    pub(super) fn end(&mut self, slot: &Slot) {
        let place = Packed::of(slot);
        let Some(copies) = self.0.get_mut(&place) else { return };
        copies.count = copies.count.saturating_sub(1);
        if copies.count == 0 {
            self.0.remove(&place);
        }
    }

    /// How many copies may still begin.
    pub(super) fn copies(&self, slot: &Slot, now: UnixTime) -> u32 {
        let copies = self.0.get(&Packed::of(slot)).filter(|copies| now < copies.until);
        copies.map_or(0, |copies| copies.count)
    }
}
