//! The calls of one kind that are in progress, and the payments that wait for one.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use farebox_base::sorted::Sorted;
use farebox_base::time::UnixTime;

/// Calls of one network in progress.
const AT_ONCE: usize = 16;
/// The same while it owes [`DEBT`] or more.
const AT_ONCE_INDEBTED: usize = 4;
/// Calls of one kind; once half of them are in progress, a network has one at a time.
const AT_ONCE_ALL: usize = 128;
/// Refusals, minus forgiven ones, from which a network is slowed; at most twice as many are
/// remembered.
const DEBT: u32 = 10;
/// The same from which a network of a kind that is bounded has no calls, until one is forgiven.
const MAX_DEBT: u32 = 2 * DEBT;
/// Refusals that one good payment forgives.
const FORGIVEN: u32 = 5;
/// Seconds that forgive one refusal.
const FORGIVEN_SECS: u64 = 6;
/// Payments that are remembered of a network.
const MAX_SHOWN: usize = 16;
/// Payments of one network that may wait.
pub(super) const QUEUED: usize = 64;
/// Payments that may wait in all; beyond it a provider or network with fewer of them takes the
/// place of the last one of those with the most.
const QUEUED_ALL: usize = 512;
/// Seconds without a question about its turn after which a payment no longer waits.
const UNASKED_SECS: u64 = 5;
/// Seconds after which a call or a wait is over even if its end was never reported; longer than any
/// takes.
pub(super) const LOST_SECS: u64 = 60;
/// Maximum networks that are remembered: more than have calls and queues together.
pub(super) const MAX_NETWORKS: usize = 1_000;

/// Result of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallResult {
    /// The payment is good.
    Good,
    /// The payment is worthless, as far as is known.
    Bad,
    /// It says nothing about the payment, or not yet.
    Open,
}

/// Position of a payment that wants a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admittance {
    /// The call is in progress, until [`super::UnverifiedLimiter::ended`].
    Begun,
    /// It waits: [`super::UnverifiedLimiter::turn`], or [`super::UnverifiedLimiter::left`].
    Queued(Ticket),
    /// Too many wait before it.
    Full,
}

/// Position in the queue among all networks: a lower one came first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub(super) u64);

/// The calls of one kind.
#[derive(Clone, Debug)]
pub(super) struct Calls {
    pub(super) networks: Sorted<String, Recent>,
    /// Time of the last search for calls whose end was never reported.
    looked: UnixTime,
    /// The next ticket.
    ticket: Ticket,
    /// Number of places given so far.
    places: u64,
    /// Whether a network that only sends what is refused is stopped.
    is_bounded: bool,
}

/// State of a network.
#[derive(Clone, Debug)]
pub(super) struct Recent {
    /// Start of each call.
    on_their_way: Vec<UnixTime>,
    /// Payments that may begin, and do when they next ask.
    granted: Vec<Waiting>,
    /// Waiting payments, in order of arrival.
    queued: Vec<Waiting>,
    debt: Debt,
    /// Number of its last place; 0 if it had none.
    last: u64,
    /// Payments that it has shown lately, the newest last.
    shown: Vec<[u8; 32]>,
}

/// A waiting payment.
#[derive(Clone, Debug)]
struct Waiting {
    ticket: Ticket,
    /// Time of the last question about its turn.
    asked: UnixTime,
}

impl Calls {
    pub(super) const fn new() -> Self {
        let looked = UnixTime::from_secs(0);
        Self { networks: Sorted::new(), looked, ticket: Ticket(0), places: 0, is_bounded: false }
    }

    /// Calls of a kind that anyone can send for nothing, without end: a network has no more of them
    /// than time forgives.
    pub(super) const fn bounded() -> Self {
        let mut calls = Self::new();
        calls.is_bounded = true;
        calls
    }

    pub(super) fn begin(&mut self, network: &String, now: UnixTime) -> Admittance {
        self.expire(now);
        if self.is_stopped(network, now) {
            return Admittance::Full;
        }
        let room = room(self.networks.get(network), self.busy(), now);
        let place = self.places.saturating_add(1);
        let recent = self.recent(network, now);
        // Payments that already wait come first.
        if recent.queued.is_empty() && recent.calls() < room {
            recent.on_their_way.push(now);
            recent.last = place;
            self.places = place;
            return Admittance::Begun;
        }
        let waiting = recent.queued.len();
        if waiting >= QUEUED || !self.makes_room(network, waiting) {
            return Admittance::Full;
        }
        let ticket = self.ticket;
        self.ticket = Ticket(ticket.0.saturating_add(1));
        self.recent(network, now).queued.push(Waiting { ticket, asked: now });
        Admittance::Queued(ticket)
    }

    /// Makes room for one more waiting payment, for a network with so many of them. Returns whether
    /// there is room.
    fn makes_room(&mut self, network: &str, waiting: usize) -> bool {
        let by_provider = self.by_provider(|recent| recent.queued.len());
        if by_provider.iter().fold(0, |all: usize, (_, sum)| all.saturating_add(*sum)) < QUEUED_ALL
        {
            return true;
        }
        let of = |network: &str| by_provider.get(provider(network)).copied().unwrap_or_default();
        let ranks = self.networks.iter().map(|(name, recent)| {
            let is_others = provider(name) != provider(network);
            let gives = match is_others {
                true => of(name) > of(network).saturating_add(1),
                false => recent.queued.len() > waiting.saturating_add(1),
            };
            (gives, of(name), recent.queued.len(), name)
        });
        let Some((true, _, _, longest)) = ranks.max() else { return false };
        let longest = longest.clone();
        self.networks.get_mut(&longest).is_some_and(|recent| recent.queued.pop().is_some())
    }

    /// Sums by provider.
    fn by_provider(&self, count: impl Fn(&Recent) -> usize) -> Sorted<&str, usize> {
        let mut sums = Sorted::new();
        for (network, recent) in self.networks.iter() {
            let sum: &mut usize = sums.get_or(provider(network), || 0);
            *sum = sum.saturating_add(count(recent));
        }
        sums
    }

    pub(super) fn turn(&mut self, network: &String, ticket: Ticket, now: UnixTime) -> Admittance {
        self.expire(now);
        let Some(recent) = self.networks.get_mut(network) else { return Admittance::Full };
        let found = |waiting: &Waiting| waiting.ticket == ticket;
        if let Some(at) = recent.granted.iter().position(found) {
            recent.granted.remove(at);
            recent.on_their_way.push(now);
            return Admittance::Begun;
        }
        match recent.queued.iter_mut().find(|waiting| waiting.ticket == ticket) {
            Some(waiting) => {
                waiting.asked = now;
                Admittance::Queued(ticket)
            }
            None => Admittance::Full,
        }
    }

    /// Ends the wait of a payment.
    pub(super) fn left(&mut self, network: &String, ticket: Ticket, now: UnixTime) {
        if let Some(recent) = self.networks.get_mut(network) {
            recent.granted.retain(|waiting| waiting.ticket != ticket);
            recent.queued.retain(|waiting| waiting.ticket != ticket);
        }
        self.grant(now);
    }

    /// Ends a call about this payment. One that is shown again counts as one that is worthless.
    pub(super) fn ended(
        &mut self,
        network: &String,
        payment: Option<[u8; 32]>,
        verdict: CallResult,
        now: UnixTime,
    ) {
        let is_bounded = self.is_bounded;
        if let Some(recent) = self.networks.get_mut(network) {
            recent.on_their_way.pop();
            let is_again = is_bounded && payment.is_some_and(|it| recent.has_shown(it));
            let is_vain = is_again && verdict == CallResult::Open;
            recent.debt.learn(if is_vain { CallResult::Bad } else { verdict }, now);
        }
        self.grant(now);
    }

    /// Gives every free place to a waiting payment.
    fn grant(&mut self, now: UnixTime) {
        while let Some(network) = self.next(now)
            && let Some(recent) = self.networks.get_mut(&network)
        {
            let waiting = recent.queued.remove(0);
            recent.granted.push(waiting);
            self.places = self.places.saturating_add(1);
            recent.last = self.places;
        }
    }

    /// The network whose payment is next; `None` without a free place.
    fn next(&self, now: UnixTime) -> Option<String> {
        let busy = self.busy();
        let by_provider = self.by_provider(Recent::calls);
        let heads = self.networks.iter().filter_map(|(network, recent)| {
            let first = recent.queued.first()?;
            let has_room =
                recent.calls() < room(Some(recent), busy, now) && !self.is_stopped(network, now);
            let beside = by_provider.get(provider(network)).copied().unwrap_or_default();
            has_room.then_some((beside, recent.calls(), recent.last, first.ticket, network))
        });
        heads.min().map(|(_, _, _, _, network)| network.clone())
    }

    /// Whether so much that this network sent was refused that it has no call now.
    fn is_stopped(&self, network: &str, now: UnixTime) -> bool {
        let is_stopped = self.networks.get(network).is_some_and(|recent| recent.debt.stops(now));
        self.is_bounded && is_stopped
    }

    /// Number of calls, including those that may begin.
    fn busy(&self) -> usize {
        self.networks.iter().map(|(_, recent)| recent.calls()).fold(0, usize::saturating_add)
    }

    fn recent(&mut self, network: &String, now: UnixTime) -> &mut Recent {
        if self.networks.len() >= MAX_NETWORKS && !self.networks.contains(network) {
            // Some are always at rest: fewer have calls or wait.
            self.networks.retain(|(_, recent)| !recent.is_at_rest());
        }
        self.networks.get_or(network.to_owned(), || Recent::new(now))
    }

    /// Drops what must be over, once a second, and gives away the freed places.
    fn expire(&mut self, now: UnixTime) {
        if self.looked == now {
            return;
        }
        self.looked = now;
        for (_, recent) in self.networks.iter_mut() {
            let is_asked_about = |waiting: &Waiting| now < waiting.asked.plus(UNASKED_SECS);
            recent.on_their_way.retain(|since| now < since.plus(LOST_SECS));
            recent.granted.retain(is_asked_about);
            recent.queued.retain(is_asked_about);
        }
        self.grant(now);
    }
}

/// The networks that one provider may give to one client: the first 32 bits of an IPv6 address, the
/// first 16 of an IPv4 address. Any other name stands for itself.
fn provider(network: &str) -> &str {
    let separator = if network.contains(':') { ':' } else { '.' };
    let end = network.match_indices(separator).nth(1).map(|(at, _)| at);
    match end.and_then(|end| network.get(..end)) {
        Some(provider) => provider,
        _ => network,
    }
}

/// Number of calls that a network in this state may have now, given the number of all calls.
fn room(network: Option<&Recent>, busy: usize, now: UnixTime) -> usize {
    if busy >= AT_ONCE_ALL {
        return 0;
    }
    if busy >= AT_ONCE_ALL / 2 {
        return 1;
    }
    match network {
        Some(recent) if recent.debt.of(now) >= DEBT => AT_ONCE_INDEBTED,
        _ => AT_ONCE,
    }
}

impl Recent {
    const fn new(now: UnixTime) -> Self {
        let on_their_way = Vec::new();
        Self {
            on_their_way,
            granted: Vec::new(),
            queued: Vec::new(),
            debt: Debt::new(now),
            last: 0,
            shown: Vec::new(),
        }
    }

    /// Whether it has shown this payment lately; from now on it has.
    fn has_shown(&mut self, payment: [u8; 32]) -> bool {
        let is_known = self.shown.contains(&payment);
        if !is_known {
            let surplus = self.shown.len().saturating_add(1).saturating_sub(MAX_SHOWN);
            self.shown.drain(..surplus);
            self.shown.push(payment);
        }
        is_known
    }

    /// Number of its calls, including those that may begin.
    pub(super) const fn calls(&self) -> usize {
        self.on_their_way.len().saturating_add(self.granted.len())
    }

    const fn is_at_rest(&self) -> bool {
        self.calls() == 0 && self.queued.is_empty()
    }
}

/// Refusals that time and good payments forgive.
#[derive(Clone, Copy, Debug)]
pub(super) struct Debt {
    /// Refusals that were not yet forgiven at `since`.
    owed: u32,
    since: UnixTime,
}

impl Debt {
    pub(super) const fn new(now: UnixTime) -> Self {
        Self { owed: 0, since: now }
    }

    /// Whether there are so many of them that nothing more is taken now.
    pub(super) fn stops(&self, now: UnixTime) -> bool {
        self.of(now) >= MAX_DEBT
    }

    pub(super) fn learn(&mut self, verdict: CallResult, now: UnixTime) {
        let debt = self.of(now);
        self.owed = match verdict {
            CallResult::Good => debt.saturating_sub(FORGIVEN),
            CallResult::Bad => debt.saturating_add(1).min(MAX_DEBT),
            CallResult::Open => return,
        };
        // The time that has forgiven none yet goes on counting.
        let rest = now.secs().saturating_sub(self.since.secs()) % FORGIVEN_SECS;
        let is_over = debt == 0;
        self.since = if is_over { now } else { now.minus(rest) };
    }

    /// Refusals that are not yet forgiven.
    fn of(&self, now: UnixTime) -> u32 {
        let forgiven = now.secs().saturating_sub(self.since.secs()) / FORGIVEN_SECS;
        self.owed.saturating_sub(u32::try_from(forgiven).unwrap_or(u32::MAX))
    }
}
