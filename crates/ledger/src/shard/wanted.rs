//! Payments that are between the two objects of a change, as an object keeps them: in memory alone,
//! a bounded number, briefly.
//!
//! One object answers, and the other one lets the payment begin a moment later. Another payment of
//! the same request that comes in between would find neither. Assumption: losing this memory costs
//! only that protection.

use super::Slot;
use super::index::Packed;
use crate::command::REQUEST_DIGITS;
use farebox_base::mutant::{Mutant, planted};
use farebox_base::sorted::RecentMap;
use farebox_base::time::UnixTime;

/// Maximum requests that are remembered; the oldest are dropped.
const MOST: usize = 4_096;
/// Seconds within which the other object has answered, or the payment comes again.
const WANTED_SECS: u64 = 10;

/// Where a payment is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WantedPlace {
    /// Here, once the other object was heard.
    Here,
    /// In the other object.
    There,
}

/// The last payment of a request that was wanted.
#[derive(Clone, Debug)]
struct Want {
    slot: Packed,
    wanted: WantedPlace,
    until: UnixTime,
}

/// Payments by payer and request.
#[derive(Clone, Debug)]
pub(super) struct Wants(RecentMap<Packed, Want>);

impl Default for Wants {
    fn default() -> Self {
        Self(RecentMap::new(MOST))
    }
}

impl Wants {
    /// Notes a payment for the request of this binding.
    pub(super) fn note(&mut self, slot: &Slot, binding: &str, wanted: WantedPlace, now: UnixTime) {
        let until = now.plus(WANTED_SECS);
        self.0.put(place(slot, binding), Want { slot: Packed::of(slot), wanted, until });
    }

    /// Forgets it, as it begins or is refused.
    pub(super) fn end(&mut self, slot: &Slot, binding: &str) {
        let place = place(slot, binding);
        if self.0.get(&place).is_some_and(|want| want.slot == Packed::of(slot)) {
            self.0.remove(&place);
        }
    }

    /// Where another payment of the payer for the request of this binding is wanted.
    pub(super) fn other(&self, slot: &Slot, binding: &str, now: UnixTime) -> Option<WantedPlace> {
        let want = self.0.get(&place(slot, binding))?;
        let is_other = now < want.until && want.slot != Packed::of(slot);
        (is_other && !planted(Mutant::WantsAreForgotten)).then_some(want.wanted)
    }
}

/// The place of a payer's request, whatever its terms.
fn place(slot: &Slot, binding: &str) -> Packed {
    let request = binding.get(..REQUEST_DIGITS).unwrap_or(binding);
    Packed::of(&Slot { payer: slot.payer.clone(), key: alloc::format!("{request:0<64}") })
}
