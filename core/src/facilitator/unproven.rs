//! How often a facilitator is asked about payments that nobody vouches for yet: one at a time for each payer, and few that
//! are refused from each network. Each costs a call before anything is known about who sends it.
//!
//! One per isolate, bounded; losing it costs calls.

use alloc::borrow::ToOwned;
use alloc::string::String;

use crate::sorted::Sorted;
use crate::time::UnixTime;

/// Calls of one network that may be on their way.
const AT_ONCE: u32 = 16;
/// Refusals within [`WINDOW_SECS`] after which a network waits.
const REFUSALS: u32 = 10;
/// Seconds in which refusals are counted together.
const WINDOW_SECS: u64 = 60;
/// Most networks, and most calls, at once; others wait.
const MOST: usize = 1_000;

/// Whom a call is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimant {
    /// The client's network.
    pub network: String,
    /// Who is said to pay; where the payment names nobody, the payment itself.
    pub account: String,
}

/// Calls about unproven payments.
#[derive(Debug, Default)]
pub struct Unproven {
    networks: Sorted<String, Recent>,
    /// Accounts that a call is on its way for, and when it began: one whose end nobody heard of is over with its window.
    asked: Sorted<String, UnixTime>,
}

#[derive(Debug)]
struct Recent {
    on_their_way: u32,
    refused: u32,
    since: UnixTime,
}

/// Longer than any call takes.
fn is_over(since: UnixTime, now: UnixTime) -> bool {
    now >= since.plus(WINDOW_SECS)
}

impl Unproven {
    /// Nothing counted.
    #[must_use]
    pub const fn new() -> Self {
        Self { networks: Sorted::new(), asked: Sorted::new() }
    }

    /// Whether a call may be made now; then it is on its way until [`Unproven::ended`].
    pub fn admits(&mut self, claimant: &Claimant, now: UnixTime) -> bool {
        let Claimant { network, account } = claimant;
        if self.networks.len() >= MOST {
            self.networks.retain(|(_, recent)| !is_over(recent.since, now));
        }
        self.asked.retain(|(_, since)| !is_over(*since, now));
        let full = self.networks.len() >= MOST && !self.networks.contains(network);
        if full || self.asked.len() >= MOST || self.asked.contains(account) {
            return false;
        }
        let fresh = || Recent { on_their_way: 0, refused: 0, since: now };
        let recent = self.networks.get_or(network.to_owned(), fresh);
        if is_over(recent.since, now) {
            *recent = fresh();
        }
        let admits = recent.on_their_way < AT_ONCE && recent.refused < REFUSALS;
        if admits {
            recent.on_their_way = recent.on_their_way.saturating_add(1);
            self.asked.insert(account.to_owned(), now);
        }
        admits
    }

    /// The call is over; `vouched` if the facilitator found the payment good.
    pub fn ended(&mut self, claimant: &Claimant, vouched: bool) {
        self.asked.remove(&claimant.account);
        if let Some(recent) = self.networks.get_mut(&claimant.network) {
            recent.on_their_way = recent.on_their_way.saturating_sub(1);
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

    fn of(network: &str, account: usize) -> Claimant {
        Claimant { network: network.to_owned(), account: alloc::format!("{account}") }
    }

    #[test]
    fn a_payer_has_one_call_at_a_time_and_a_network_sixteen() {
        let mut unproven = Unproven::new();
        assert!(unproven.admits(&of("a", 0), at(0)));
        assert!(!unproven.admits(&of("a", 0), at(0)));
        assert!(!unproven.admits(&of("b", 0), at(0)), "from wherever");
        for account in 1..16 {
            assert!(unproven.admits(&of("a", account), at(0)));
        }
        assert!(!unproven.admits(&of("a", 16), at(0)));
        assert!(unproven.admits(&of("b", 16), at(0)), "others are others");
        unproven.ended(&of("a", 0), true);
        assert!(unproven.admits(&of("a", 0), at(0)));
    }

    #[test]
    fn a_network_has_ten_refusals_a_minute() {
        let mut unproven = Unproven::new();
        for vouched in [false, true] {
            for account in 0..10 {
                assert!(unproven.admits(&of("a", account), at(1)));
                unproven.ended(&of("a", account), vouched || account == 0);
            }
        }
        assert!(unproven.admits(&of("a", 0), at(59)));
        unproven.ended(&of("a", 0), false);
        assert!(!unproven.admits(&of("a", 0), at(60)));
        assert!(unproven.admits(&of("b", 0), at(60)));
        assert!(unproven.admits(&of("a", 1), at(61)));
    }

    #[test]
    fn a_call_whose_end_nobody_heard_of_is_over_after_a_minute() {
        let mut unproven = Unproven::new();
        for account in 0..16 {
            assert!(unproven.admits(&of("a", account), at(0)));
        }
        assert!(!unproven.admits(&of("b", 0), at(59)));
        assert!(!unproven.admits(&of("a", 16), at(59)));
        assert!(unproven.admits(&of("b", 0), at(60)));
        assert!(unproven.admits(&of("a", 16), at(60)));
    }

    #[test]
    fn it_stays_bounded_and_lets_nobody_in_beyond_that() {
        let mut unproven = Unproven::new();
        for network in 0..MOST {
            let one = of(&alloc::format!("{network}"), network);
            assert!(unproven.admits(&one, at(0)));
            unproven.ended(&one, false);
        }
        assert!(!unproven.admits(&of("late", 0), at(0)));
        assert!(unproven.admits(&of("late", 0), at(60)));
        assert_eq!(unproven.networks.len(), 1);
        assert_eq!(unproven.asked.len(), 1);
    }
}
