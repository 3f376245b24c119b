//! The calls of one kind that are on their way, and who waits for one.

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
/// Payments of one network that may wait.
pub(super) const QUEUED: usize = 64;
/// Payments that may wait in all; then a network with fewer of them takes the place of the last one of the network with the most.
const QUEUED_ALL: usize = 512;
/// Seconds after which a payment waits no more whose turn nobody has asked about.
const UNASKED_SECS: u64 = 5;
/// Seconds after which a call or a wait is over even if nobody heard of its end; longer than any takes.
pub(super) const LOST_SECS: u64 = 60;
/// Most networks that are remembered: more than have calls and queues together.
pub(super) const MAX_NETWORKS: usize = 1_000;

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
pub enum Admittance {
    /// The call is on its way, until [`super::UnverifiedLimiter::ended`].
    Begun,
    /// It waits: [`super::UnverifiedLimiter::turn`], or [`super::UnverifiedLimiter::left`].
    Queued(Ticket),
    /// There are too many before it.
    Full,
}

/// Who waits since when, among all: a lower one came first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub(super) u64);

/// Those of one kind.
#[derive(Clone, Debug)]
pub(super) struct Calls {
    pub(super) networks: Sorted<String, Recent>,
    /// When it was last looked for calls whose end nobody heard of.
    looked: UnixTime,
    /// The next one's.
    ticket: Ticket,
    /// How many places there have been.
    places: u64,
}

/// What is known of a network.
#[derive(Clone, Debug)]
pub(super) struct Recent {
    /// When each call began.
    on_their_way: Vec<UnixTime>,
    /// Those that may begin, and do when they next ask.
    granted: Vec<Waiting>,
    /// Those that wait, as they came.
    queued: Vec<Waiting>,
    /// Refusals that were not forgiven at `since`.
    owed: u32,
    since: UnixTime,
    /// Which of all places was the last one that it had; 0 if it had none.
    last: u64,
}

/// A payment that waits.
#[derive(Clone, Debug)]
struct Waiting {
    ticket: Ticket,
    /// When somebody last asked about its turn.
    asked: UnixTime,
}

impl Calls {
    pub(super) const fn new() -> Self {
        let looked = UnixTime::from_secs(0);
        Self { networks: Sorted::new(), looked, ticket: Ticket(0), places: 0 }
    }

    pub(super) fn begin(&mut self, network: &String, now: UnixTime) -> Admittance {
        self.expire(now);
        let room = room(self.networks.get(network), self.busy(), now);
        let place = self.places.saturating_add(1);
        let recent = self.recent(network, now);
        // Who waits already comes first.
        if recent.queued.is_empty() && recent.calls() < room {
            recent.on_their_way.push(now);
            recent.last = place;
            self.places = place;
            return Admittance::Begun;
        }
        let waiting = recent.queued.len();
        if waiting >= QUEUED || !self.makes_room(waiting) {
            return Admittance::Full;
        }
        let ticket = self.ticket;
        self.ticket = Ticket(ticket.0.saturating_add(1));
        self.recent(network, now).queued.push(Waiting { ticket, asked: now });
        Admittance::Queued(ticket)
    }

    /// Whether one more may wait, of a network of which so many do.
    fn makes_room(&mut self, waiting: usize) -> bool {
        let queues = self.networks.iter().map(|(_, recent)| recent.queued.len());
        if queues.fold(0, usize::saturating_add) < QUEUED_ALL {
            return true;
        }
        let recents = self.networks.iter_mut().map(|(_, recent)| recent);
        let longest = recents.max_by_key(|recent| recent.queued.len());
        let longer = longest.filter(|recent| recent.queued.len() > waiting.saturating_add(1));
        longer.is_some_and(|recent| recent.queued.pop().is_some())
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

    /// One that waited does so no more.
    pub(super) fn left(&mut self, network: &String, ticket: Ticket, now: UnixTime) {
        if let Some(recent) = self.networks.get_mut(network) {
            recent.granted.retain(|waiting| waiting.ticket != ticket);
            recent.queued.retain(|waiting| waiting.ticket != ticket);
        }
        self.grant(now);
    }

    /// A call is over.
    pub(super) fn ended(&mut self, network: &String, verdict: Verdict, now: UnixTime) {
        if let Some(recent) = self.networks.get_mut(network) {
            recent.on_their_way.pop();
            recent.learn(verdict, now);
        }
        self.grant(now);
    }

    /// Gives every place that is free to who waits.
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

    /// The network whose payment is next, if there is a place for it.
    fn next(&self, now: UnixTime) -> Option<String> {
        let busy = self.busy();
        let heads = self.networks.iter().filter_map(|(network, recent)| {
            let first = recent.queued.first()?;
            let has_room = recent.calls() < room(Some(recent), busy, now);
            has_room.then_some((recent.calls(), recent.last, first.ticket, network))
        });
        heads.min().map(|(_, _, _, network)| network.clone())
    }

    /// All calls, and those that may begin.
    fn busy(&self) -> usize {
        self.networks.iter().map(|(_, recent)| recent.calls()).fold(0, usize::saturating_add)
    }

    fn recent(&mut self, network: &String, now: UnixTime) -> &mut Recent {
        if self.networks.len() >= MAX_NETWORKS && !self.networks.contains(network) {
            // There are always some: fewer have calls or wait.
            self.networks.retain(|(_, recent)| !recent.is_at_rest());
        }
        self.networks.get_or(network.to_owned(), || Recent::new(now))
    }

    /// Lets go of what must be over, once a second, and gives away what that frees.
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

/// How many calls a network may have now of which this is known, while there are so many in all.
fn room(network: Option<&Recent>, busy: usize, now: UnixTime) -> usize {
    if busy >= AT_ONCE_ALL {
        return 0;
    }
    if busy >= AT_ONCE_ALL / 2 {
        return 1;
    }
    match network {
        Some(recent) if recent.debt(now) >= DEBT => AT_ONCE_INDEBTED,
        _ => AT_ONCE,
    }
}

impl Recent {
    const fn new(now: UnixTime) -> Self {
        let on_their_way = Vec::new();
        Self { on_their_way, granted: Vec::new(), queued: Vec::new(), owed: 0, since: now, last: 0 }
    }

    /// Its calls, and those that may begin.
    pub(super) const fn calls(&self) -> usize {
        self.on_their_way.len().saturating_add(self.granted.len())
    }

    fn learn(&mut self, verdict: Verdict, now: UnixTime) {
        let debt = self.debt(now);
        (self.owed, self.since) = match verdict {
            Verdict::Good => (debt.saturating_sub(FORGIVEN), now),
            Verdict::Bad => (debt.saturating_add(1).min(DEBT.saturating_mul(2)), now),
            Verdict::Open => return,
        };
    }

    /// Refusals that are not forgiven yet.
    fn debt(&self, now: UnixTime) -> u32 {
        let forgiven = now.secs().saturating_sub(self.since.secs()) / FORGIVEN_SECS;
        self.owed.saturating_sub(u32::try_from(forgiven).unwrap_or(u32::MAX))
    }

    const fn is_at_rest(&self) -> bool {
        self.calls() == 0 && self.queued.is_empty()
    }
}
