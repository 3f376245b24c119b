//! How many calls there are at once about payments that nobody vouches for yet: few for each network of clients, few in all.
//! Each costs a call before anything is known about who sends it.
//!
//! Nothing is counted by what such a payment says of itself: whoever it names may never have heard of it. A network that sends
//! what is refused is slowed and never stopped, because honest payers may share it; what finds no place waits in a queue.
//! Assumptions:
//! - one per isolate, bounded; losing it costs calls;
//! - a place is held for one call, never between two of them;
//! - payments of one kind take nothing from those of another.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use crate::sorted::Sorted;
use crate::time::UnixTime;

/// Calls of one network that may be on their way.
const AT_ONCE: usize = 16;
/// The same while it owes [`DEBT`] or more.
const AT_ONCE_INDEBTED: usize = 4;
/// Calls of one kind; from half of them on a network has one at a time.
const AT_ONCE_ALL: usize = 128;
/// Refusals, less what is forgiven, from which on a network is slowed; twice as many are the most that are remembered.
const DEBT: u32 = 10;
/// What one payment that is found good forgives.
const FORGIVEN: u32 = 5;
/// Seconds that forgive one refusal.
const FORGIVEN_SECS: u64 = 6;
/// Payments of one network that may wait, and of all.
const QUEUED: usize = 64;
const QUEUED_ALL: usize = 512;
/// Seconds after which a call or a wait is over even if nobody heard of its end; longer than any takes.
const LOST_SECS: u64 = 60;
/// Most networks that are remembered: more than have calls and queues together.
const MOST: usize = 1_000;

/// Milliseconds between two questions whether it is a payment's turn, and how many there are before it is told to come later.
pub const ASK_AGAIN_MS: u32 = 50;
/// See [`ASK_AGAIN_MS`]: five seconds.
pub const MOST_TURNS: u32 = 100;

/// Who has a call made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    /// The client's network.
    pub network: String,
    /// What it sends.
    pub kind: Kind,
    /// The payment, where a copy must not be judged after it was settled; never one that strangers can read on the chain.
    pub payment: Option<[u8; 32]>,
}

/// Payments that are judged elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A signature that may be that of a contract.
    Contract,
    /// A payment on a chain that is not read here.
    OtherChain,
    /// A transaction of the payer's own, which a node is asked about.
    Transaction,
}

/// What a call brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The payment is good.
    Good,
    /// It is worth nothing, as far as can be seen.
    Bad,
    /// It says nothing about the payment, or not yet.
    Open,
}

/// Where a payment stands that wants to be asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The call is on its way, until [`Unproven::ended`].
    Begun,
    /// It waits: [`Unproven::is_its_turn`], or [`Unproven::left`].
    Queued,
    /// There are too many before it.
    Full,
}

/// Calls about unproven payments.
#[derive(Debug)]
pub struct Unproven {
    contracts: Calls,
    other_chains: Calls,
    transactions: Calls,
    /// Payments that have a call or wait for one, and since when.
    asked: Sorted<[u8; 32], UnixTime>,
}

impl Unproven {
    /// Nothing counted.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            contracts: Calls::new(),
            other_chains: Calls::new(),
            transactions: Calls::new(),
            asked: Sorted::new(),
        }
    }

    /// Begins a call, or waits for one.
    pub fn begin(&mut self, sender: &Sender, now: UnixTime) -> Place {
        self.asked.retain(|(_, since)| now < since.plus(LOST_SECS));
        if sender.payment.is_some_and(|payment| self.asked.contains(&payment)) {
            return Place::Full;
        }
        let place = self.place(sender, now);
        if let Some(payment) = sender.payment.filter(|_| place != Place::Full) {
            self.asked.insert(payment, now);
        }
        place
    }

    fn place(&mut self, sender: &Sender, now: UnixTime) -> Place {
        let calls = self.of(sender.kind);
        calls.expire(now);
        let (room, queued) = (calls.room(&sender.network, now), calls.queued());
        let recent = calls.recent(&sender.network, now);
        // Who waits already comes first.
        if recent.queued.is_empty() && recent.on_their_way.len() < room {
            recent.on_their_way.push(now);
            return Place::Begun;
        }
        if recent.queued.len() >= QUEUED || queued >= QUEUED_ALL {
            return Place::Full;
        }
        recent.queued.push(now);
        Place::Queued
    }

    /// Whether one that waits may begin its call now; then it waits no more.
    pub fn is_its_turn(&mut self, sender: &Sender, now: UnixTime) -> bool {
        let calls = self.of(sender.kind);
        calls.expire(now);
        let room = calls.room(&sender.network, now);
        let recent = calls.recent(&sender.network, now);
        let begins = recent.on_their_way.len() < room;
        if begins {
            recent.queued.pop();
            recent.on_their_way.push(now);
        }
        begins
    }

    /// One that waited does so no more.
    pub fn left(&mut self, sender: &Sender) {
        self.forget(sender);
        if let Some(recent) = self.of(sender.kind).networks.get_mut(&sender.network) {
            recent.queued.pop();
        }
    }

    /// A call is over.
    pub fn ended(&mut self, sender: &Sender, verdict: Verdict, now: UnixTime) {
        self.forget(sender);
        let Some(recent) = self.of(sender.kind).networks.get_mut(&sender.network) else { return };
        recent.on_their_way.pop();
        let debt = recent.debt(now);
        (recent.owed, recent.since) = match verdict {
            Verdict::Good => (debt.saturating_sub(FORGIVEN), now),
            Verdict::Bad => (debt.saturating_add(1).min(DEBT.saturating_mul(2)), now),
            Verdict::Open => return,
        };
    }

    fn forget(&mut self, sender: &Sender) {
        if let Some(payment) = sender.payment {
            self.asked.remove(&payment);
        }
    }

    const fn of(&mut self, kind: Kind) -> &mut Calls {
        match kind {
            Kind::Contract => &mut self.contracts,
            Kind::OtherChain => &mut self.other_chains,
            Kind::Transaction => &mut self.transactions,
        }
    }
}

impl Default for Unproven {
    fn default() -> Self {
        Self::new()
    }
}

/// Those of one kind.
#[derive(Debug)]
struct Calls {
    networks: Sorted<String, Recent>,
    /// When it was last looked for calls whose end nobody heard of.
    looked: UnixTime,
}

/// What is known of a network.
#[derive(Debug)]
struct Recent {
    /// When each call began.
    on_their_way: Vec<UnixTime>,
    /// When each that waits came.
    queued: Vec<UnixTime>,
    /// Refusals that were not forgiven at `since`.
    owed: u32,
    since: UnixTime,
}

impl Calls {
    const fn new() -> Self {
        Self { networks: Sorted::new(), looked: UnixTime::from_secs(0) }
    }

    /// How many calls this network may have now.
    fn room(&self, network: &String, now: UnixTime) -> usize {
        let recents = self.networks.iter().map(|(_, recent)| recent);
        let busy = recents.fold(0, |sum: usize, it| sum.saturating_add(it.on_their_way.len()));
        if busy >= AT_ONCE_ALL {
            return 0;
        }
        if busy >= AT_ONCE_ALL / 2 {
            return 1;
        }
        match self.networks.get(network) {
            Some(recent) if recent.debt(now) >= DEBT => AT_ONCE_INDEBTED,
            _ => AT_ONCE,
        }
    }

    fn queued(&self) -> usize {
        let recents = self.networks.iter().map(|(_, recent)| recent);
        recents.fold(0, |sum: usize, it| sum.saturating_add(it.queued.len()))
    }

    fn recent(&mut self, network: &String, now: UnixTime) -> &mut Recent {
        if self.networks.len() >= MOST && !self.networks.contains(network) {
            // There are always some: fewer have calls or wait.
            self.networks.retain(|(_, recent)| !recent.is_at_rest());
        }
        let fresh = || Recent { on_their_way: Vec::new(), queued: Vec::new(), owed: 0, since: now };
        self.networks.get_or(network.to_owned(), fresh)
    }

    /// Lets go of what must be over, once a second.
    fn expire(&mut self, now: UnixTime) {
        if self.looked == now {
            return;
        }
        self.looked = now;
        for (_, recent) in self.networks.iter_mut() {
            let is_lost = |since: &UnixTime| now >= since.plus(LOST_SECS);
            recent.on_their_way.retain(|since| !is_lost(since));
            recent.queued.retain(|since| !is_lost(since));
        }
    }
}

impl Recent {
    /// Refusals that are not forgiven yet.
    fn debt(&self, now: UnixTime) -> u32 {
        let forgiven = now.secs().saturating_sub(self.since.secs()) / FORGIVEN_SECS;
        self.owed.saturating_sub(u32::try_from(forgiven).unwrap_or(u32::MAX))
    }

    const fn is_at_rest(&self) -> bool {
        self.on_their_way.is_empty() && self.queued.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> UnixTime {
        UnixTime::from_secs(1_000).plus(secs)
    }

    fn of(network: &str) -> Sender {
        Sender { network: network.to_owned(), kind: Kind::Contract, payment: None }
    }

    /// How many of these calls begin at once.
    fn begin(unproven: &mut Unproven, network: &str, calls: usize, now: UnixTime) -> usize {
        (0..calls).filter(|_| unproven.begin(&of(network), now) == Place::Begun).count()
    }

    /// A call of this network that ends like this.
    fn ends(unproven: &mut Unproven, network: &str, verdict: Verdict, now: UnixTime) {
        assert_eq!(unproven.begin(&of(network), now), Place::Begun);
        unproven.ended(&of(network), verdict, now);
    }

    #[test]
    fn a_network_has_sixteen_calls_at_once_and_the_next_one_has_its_turn_when_one_ends() {
        let mut unproven = Unproven::new();
        assert_eq!(begin(&mut unproven, "a", 20, at(0)), 16);
        assert_eq!(begin(&mut unproven, "b", 20, at(0)), 16, "others are others");
        assert!(!unproven.is_its_turn(&of("a"), at(0)));
        unproven.ended(&of("a"), Verdict::Bad, at(0));
        assert_eq!(unproven.begin(&of("a"), at(0)), Place::Queued, "who waits comes first");
        assert!(unproven.is_its_turn(&of("a"), at(0)));
        assert!(!unproven.is_its_turn(&of("a"), at(0)));
    }

    #[test]
    fn a_copy_of_a_payment_that_is_looked_at_waits_for_no_place() {
        let mut unproven = Unproven::new();
        let one = Sender { payment: Some([1; 32]), ..of("a") };
        let two = Sender { payment: Some([2; 32]), ..of("a") };
        assert_eq!(unproven.begin(&one, at(0)), Place::Begun);
        assert_eq!(unproven.begin(&one, at(0)), Place::Full);
        assert_eq!(unproven.begin(&two, at(0)), Place::Begun);
        unproven.ended(&one, Verdict::Open, at(0));
        assert_eq!(unproven.begin(&one, at(0)), Place::Begun);
    }

    #[test]
    fn refusals_slow_a_network_and_never_stop_it() {
        let mut unproven = Unproven::new();
        for _ in 0..1_000 {
            ends(&mut unproven, "a", Verdict::Bad, at(0));
        }
        assert_eq!(begin(&mut unproven, "a", 16, at(0)), 4);
        assert_eq!(begin(&mut unproven, "b", 16, at(0)), 16);
    }

    #[test]
    fn good_payments_and_time_forgive_refusals() {
        let indebted = || {
            let mut unproven = Unproven::new();
            for _ in 0..1_000 {
                ends(&mut unproven, "a", Verdict::Bad, at(0));
            }
            unproven
        };
        let mut paying = indebted();
        for (good, at_once) in [(2, 4), (1, 16)] {
            for _ in 0..good {
                ends(&mut paying, "a", Verdict::Good, at(0));
            }
            let begun = begin(&mut paying, "a", 16, at(0));
            assert_eq!(begun, at_once);
            for _ in 0..begun {
                paying.ended(&of("a"), Verdict::Open, at(0));
            }
            for _ in begun..16 {
                paying.left(&of("a"));
            }
        }
        assert_eq!(begin(&mut indebted(), "a", 16, at(65)), 4);
        assert_eq!(begin(&mut indebted(), "a", 16, at(66)), 16);
    }

    #[test]
    fn what_one_kind_of_payment_takes_is_not_missing_to_another() {
        let mut unproven = Unproven::new();
        for network in 0..300 {
            begin(&mut unproven, &alloc::format!("{network}"), 20, at(0));
        }
        assert_eq!(begin(&mut unproven, "late", 1, at(0)), 0);
        for kind in [Kind::OtherChain, Kind::Transaction] {
            let sender = Sender { network: "1".to_owned(), kind, payment: None };
            assert_eq!(unproven.begin(&sender, at(0)), Place::Begun);
        }
    }

    #[test]
    fn a_few_networks_cannot_take_the_places_of_all() {
        let mut unproven = Unproven::new();
        let crowd = |unproven: &mut Unproven, networks: core::ops::Range<usize>| -> usize {
            networks.map(|it| begin(unproven, &alloc::format!("{it}"), 20, at(0))).sum()
        };
        assert_eq!(crowd(&mut unproven, 0..4), 64);
        assert_eq!(crowd(&mut unproven, 4..64), 60, "one for each");
        assert_eq!(crowd(&mut unproven, 64..80), 4, "and 128 in all");
    }

    #[test]
    fn a_queue_has_an_end_and_who_leaves_it_makes_room() {
        let mut unproven = Unproven::new();
        let places: Vec<Place> = (0..81).map(|_| unproven.begin(&of("a"), at(0))).collect();
        let count = |place| places.iter().filter(|it| **it == place).count();
        assert_eq!([Place::Begun, Place::Queued, Place::Full].map(count), [16, 64, 1]);
        unproven.left(&of("a"));
        assert_eq!(unproven.begin(&of("a"), at(0)), Place::Queued);
    }

    #[test]
    fn a_call_whose_end_nobody_heard_of_is_over_after_a_minute() {
        let mut unproven = Unproven::new();
        assert_eq!(begin(&mut unproven, "a", 100, at(0)), 16);
        assert!(!unproven.is_its_turn(&of("a"), at(59)));
        assert_eq!(begin(&mut unproven, "a", 100, at(60)), 16);
    }

    #[test]
    fn it_stays_bounded_and_lets_new_networks_in_all_the_same() {
        let mut unproven = Unproven::new();
        for network in 0..3 * MOST {
            ends(&mut unproven, &alloc::format!("{network}"), Verdict::Bad, at(0));
        }
        assert!(unproven.contracts.networks.len() <= MOST);
        assert_eq!(unproven.begin(&of("late"), at(0)), Place::Begun);
    }
}
