//! Payments that Workers are proving, as the object keeps them: in memory alone, a bounded number,
//! briefly.
//!
//! A payment has no row while it is being proven. A late copy of it, or one at another price, would
//! be answered as unknown and asked to pay again, a moment before the first copy is settled.
//! Assumptions:
//! - only its payer can name a payment that has no row: its key is derived from what they signed;
//! - losing this memory costs only that protection.

use super::Slot;
use super::index::Packed;
use farebox_base::sorted::RecentMap;
use farebox_base::time::UnixTime;

/// Maximum payments that are remembered, 100 bytes each; the oldest are dropped.
const MOST: usize = 4_096;
/// Seconds after which a copy counts as lost if its Worker has not returned. Two facilitators may
/// each take 5 s in the queue and 5 s to answer; the claims that follow take 2 s and their calls.
const PROVING_SECS: u64 = 30;

/// Copies of payments that may begin once they are proven.
#[derive(Clone, Debug)]
pub(super) struct Provings(RecentMap<Packed, Copies>);

/// The copies of one payment.
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
    /// Counts one more copy as being proven.
    pub(super) fn begin(&mut self, slot: &Slot, now: UnixTime) {
        let count = self.copies(slot, now).saturating_add(1);
        self.0.put(Packed::of(slot), Copies { count, until: now.plus(PROVING_SECS) });
    }

    /// Counts one copy as proven, or refused.
    pub(super) fn end(&mut self, slot: &Slot) {
        let place = Packed::of(slot);
        let Some(copies) = self.0.get_mut(&place) else { return };
        copies.count = copies.count.saturating_sub(1);
        if copies.count == 0 {
            self.0.remove(&place);
        }
    }

    /// The number of copies that may still begin.
    pub(super) fn copies(&self, slot: &Slot, now: UnixTime) -> u32 {
        let copies = self.0.get(&Packed::of(slot)).filter(|copies| now < copies.until);
        copies.map_or(0, |copies| copies.count)
    }
}
