//! How often a network may have a facilitator look at payments that nobody vouches for yet: one at a time, and few that
//! are refused. Each costs a call before anything is known about who sends it.
//!
//! One per isolate, bounded; losing it costs calls.

use alloc::borrow::ToOwned;
use alloc::string::String;

use crate::sorted::Sorted;
use crate::time::UnixTime;

/// Refusals within [`WINDOW_SECS`] after which a network waits.
const REFUSALS: u32 = 10;
/// Seconds in which refusals are counted together.
const WINDOW_SECS: u64 = 60;
/// Most networks at once; others wait.
const MOST: usize = 1_000;

/// Calls about unproven payments, by the network that sent them.
#[derive(Debug, Default)]
pub struct Unproven(Sorted<String, Recent>);

#[derive(Debug)]
struct Recent {
    on_its_way: bool,
    refused: u32,
    since: UnixTime,
}

impl Unproven {
    /// Nothing counted.
    #[must_use]
    pub const fn new() -> Self {
        Self(Sorted::new())
    }

    /// Whether a call may be made now for this network; then it is on its way until [`Unproven::ended`].
    pub fn admits(&mut self, network: &str, now: UnixTime) -> bool {
        let is_over = |recent: &Recent| now >= recent.since.plus(WINDOW_SECS);
        if self.0.len() >= MOST {
            self.0.retain(|(_, recent)| recent.on_its_way || !is_over(recent));
        }
        if self.0.len() >= MOST && !self.0.contains(network) {
            return false;
        }
        let fresh = || Recent { on_its_way: false, refused: 0, since: now };
        let recent = self.0.get_or(network.to_owned(), fresh);
        if is_over(recent) {
            (recent.refused, recent.since) = (0, now);
        }
        let admits = !recent.on_its_way && recent.refused < REFUSALS;
        recent.on_its_way |= admits;
        admits
    }

    /// The call for this network is over; `vouched` if the facilitator found the payment good.
    pub fn ended(&mut self, network: &str, vouched: bool) {
        if let Some(recent) = self.0.get_mut(network) {
            recent.on_its_way = false;
            recent.refused = recent.refused.saturating_add(u32::from(!vouched));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> UnixTime {
        UnixTime::from_secs(1_000).plus(secs)
    }

    #[test]
    fn a_network_has_one_call_at_a_time_and_ten_refusals_a_minute() {
        let mut unproven = Unproven::new();
        assert!(unproven.admits("a", at(0)));
        assert!(!unproven.admits("a", at(0)), "one at a time");
        assert!(unproven.admits("b", at(0)), "others are others");
        unproven.ended("a", true);
        for _ in 0..10 {
            assert!(unproven.admits("a", at(1)));
            unproven.ended("a", false);
        }
        assert!(!unproven.admits("a", at(59)));
        assert!(unproven.admits("a", at(60)));
        unproven.ended("a", true);
        for _ in 0..30 {
            assert!(unproven.admits("a", at(61)), "what is vouched for does not count");
            unproven.ended("a", true);
        }
    }

    #[test]
    fn it_stays_bounded_and_lets_nobody_in_beyond_that() {
        let mut unproven = Unproven::new();
        for network in 0..MOST {
            assert!(unproven.admits(&alloc::format!("{network}"), at(0)));
            unproven.ended(&alloc::format!("{network}"), false);
        }
        assert!(!unproven.admits("late", at(0)));
        assert!(unproven.admits("late", at(60)));
        assert_eq!(unproven.0.len(), 1);
    }
}
