//! Payments that are between the two objects of a change, as an object keeps them: in memory alone,
//! a bounded number, briefly.
//!
//! One object answers, and the other one lets the payment begin a moment later. Another payment of
//! the same request or challenge that comes in between would find neither. Assumption: losing this memory costs
//! only that protection.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;

use super::Slot;
use super::index::Packed;
use crate::command::{REQUEST_DIGITS, Rivals};
use farebox_base::sorted::RecentMap;
use farebox_base::time::UnixTime;

/// Maximum requests and challenges that are remembered; the oldest are dropped.
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

/// The last payment of a request or challenge that was wanted.
#[derive(Clone, Debug)]
struct Want {
    slot: Packed,
    wanted: WantedPlace,
    until: UnixTime,
}

/// Payments by payer, and by request and challenge.
#[derive(Clone, Debug)]
pub(super) struct Wants(RecentMap<Packed, Want>);

impl Default for Wants {
    fn default() -> Self {
        Self(RecentMap::new(MOST))
    }
}

impl Wants {
    /// Notes a payment wherever one of these may stand in its way.
    pub(super) fn note(
        &mut self,
        slot: &Slot,
        rivals: &Rivals,
        wanted: WantedPlace,
        now: UnixTime,
    ) {
        let until = now.plus(WANTED_SECS);
        for place in places(slot, rivals) {
            self.0.put(place, Want { slot: Packed::of(slot), wanted, until });
        }
    }

    /// Forgets it, as it begins or is refused.
    pub(super) fn end(&mut self, slot: &Slot, rivals: &Rivals) {
        for place in places(slot, rivals) {
            if self.0.get(&place).is_some_and(|want| want.slot == Packed::of(slot)) {
                self.0.remove(&place);
            }
        }
    }

    /// Where another one of these is wanted.
    pub(super) fn other(&self, slot: &Slot, rivals: &Rivals, now: UnixTime) -> Option<WantedPlace> {
        let is_other = |want: &&Want| now < want.until && want.slot != Packed::of(slot);
        let mut wanted = places(slot, rivals).filter_map(|place| self.0.get(&place));

        wanted.find(is_other).map(|want| want.wanted)
    }
}

/// The places in which a payment meets others: its payer's request, whatever its terms, and the
/// challenge that two payments may answer.
fn places(slot: &Slot, rivals: &Rivals) -> impl Iterator<Item = Packed> {
    let request = rivals.binding.as_deref();
    let request = request.map(|it| it.get(..REQUEST_DIGITS).unwrap_or(it).to_owned());
    let challenge = rivals.rival.as_ref();
    let challenge = challenge.map(|it| it.min(&slot.key).clone());
    let place =
        |key: String| Packed::of(&Slot { payer: slot.payer.clone(), key: format!("{key:0<64}") });
    request.into_iter().chain(challenge).map(place)
}
