//! Circuit breaker of a facilitator, for this project's own edge: opens after failures in a row,
//! and admits one request now and then.
//!
//! One per facilitator and isolate; the edge keeps it and asks it before optional calls. Before it
//! opens it reports [`SettlementHealth::Failing`]: while settlements fail, no response is served
//! before its settlement.
//!
//! It counts payers, not calls: what one payer's calls come to says something of that payer alone,
//! see [`payers`](super::payers).

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use super::payers::{CallEnd, Caller, Conduct, Evidence, FRESH_SECS, PayerHistory};
use super::reply::{FacilitatorReply, Health};
use farebox_base::sorted::RecentMap;
use farebox_base::time::UnixTime;

/// Client networks with tries of their own while it is open.
const MAX_TRIES: usize = 64;

/// Payers in a row whose calls failed, that open it; also those whose settlements failed in a row,
/// that count as failing. Also the calls in a row of one payer that hold back that payer.
const FAILURES: u64 = 10;

/// Calls in a row of a payer that has paid, after which they are held back with the others.
const OWN_CALLS: u64 = 2;

/// Limit on the facilitators that one request asks, one after the other: each may take its full
/// deadline while the client waits.
const MAX_FACILITATORS: usize = 2;

/// Payers whose calls are counted.
const MAX_PAYERS: usize = 1_024;

/// Payers that a row tells apart.
const MAX_NAMES: usize = 64;

/// Counts failures of one facilitator.
#[derive(Clone, Debug)]
pub struct Breaker {
    /// Payers whose calls failed in a row.
    failures: PayerStreak,
    /// The failed calls in a row of each payer.
    calls: RecentMap<String, u64>,
    /// The next try of each client network that has tried: a network does not use up another's try.
    tries: Vec<(String, UnixTime)>,
    /// Payers whose settlements failed in a row, regardless of `verify`.
    settles: PayerStreak,
    /// Payers whose exchanges failed in a row, or whose answers report a fault that is not theirs.
    troubles: PayerStreak,
    /// Time of the last of those.
    troubled_at: UnixTime,
}

/// Different payers, one after the other.
#[derive(Clone, Debug)]
struct PayerStreak {
    names: Vec<String>,
    count: u64,
}

impl PayerStreak {
    const fn new() -> Self {
        Self { names: Vec::new(), count: 0 }
    }

    fn add(&mut self, payer: &str) {
        if self.names.iter().any(|name| name == payer) {
            return;
        }
        // A row this long has done what it is for: whom it forgets counts once more.
        if self.names.len() >= MAX_NAMES {
            self.names.clear();
        }
        self.names.push(payer.to_owned());
        self.count = self.count.saturating_add(1);
    }

    fn clear(&mut self) {
        *self = Self::new();
    }
}

/// The operation of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Checks whether it would settle.
    Verify,
    /// Settles.
    Settle,
}

/// Whether settlements succeed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SettlementHealth {
    /// They do.
    #[default]
    Good,
    /// Those of ten payers in a row did not: routes that settle after the origin settle before it,
    /// for all who have not paid yet.
    Failing,
}

impl SettlementHealth {
    /// Health as one payer meets it: their own settlements count first.
    #[must_use]
    pub fn for_payer(self, conduct: &Conduct) -> Self {
        if conduct.is_failing() {
            return Self::Failing;
        }
        if conduct.stands_alone() { Self::Good } else { self }
    }
}

/// Condition of a facilitator, as one isolate knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Whether it settles.
    pub health: SettlementHealth,
    /// Payers in a row whose exchanges failed.
    pub consecutive_failures: u64,
    /// Whether an optional call would be made now.
    pub ready: bool,
}

/// The facilitators to ask in turn, and the condition of the first. One that is known to be down is
/// asked last.
#[must_use]
pub fn by_readiness(allowed: &[usize], conditions: &[Condition]) -> (Vec<usize>, Condition) {
    let condition = |place: &usize| conditions.get(*place).copied().unwrap_or_default();
    let (mut facilitators, down): (Vec<usize>, Vec<usize>) =
        allowed.iter().partition(|place| condition(place).ready);
    facilitators.extend(down);
    facilitators.truncate(MAX_FACILITATORS);
    let first = facilitators.first().map(condition).unwrap_or_default();
    (facilitators, first)
}

impl Default for Condition {
    fn default() -> Self {
        Self { health: SettlementHealth::Good, consecutive_failures: 0, ready: true }
    }
}

impl Default for Breaker {
    fn default() -> Self {
        let (failures, settles, troubles) =
            (PayerStreak::new(), PayerStreak::new(), PayerStreak::new());
        let troubled_at = UnixTime::from_secs(0);
        let (calls, tries) = (RecentMap::new(MAX_PAYERS), Vec::new());
        Self { failures, calls, tries, settles, troubles, troubled_at }
    }
}

impl Breaker {
    /// Whether a call for this payer may be made now; while open, one in `every_secs` for each
    /// network of clients.
    pub fn admits(
        &mut self,
        payers: &PayerHistory,
        caller: &Caller,
        now: UnixTime,
        every_secs: u64,
    ) -> bool {
        let proven = caller.evidence != Evidence::Unproven;
        let calls = if proven { self.calls_of(&caller.payer) } else { 0 };
        let alone = proven && payers.of(&caller.payer).stands_alone();
        if alone && calls < OWN_CALLS {
            return true;
        }
        let held = calls >= FAILURES;
        if self.failures.count < FAILURES && !held {
            return true;
        }
        let client = caller.tries_as();
        self.tries.retain(|(_, at)| now < *at);
        let waits = self.tries.iter().any(|(name, _)| name == client);
        if waits || self.tries.len() >= MAX_TRIES {
            return false;
        }
        self.tries.push((client.to_owned(), now.plus(every_secs)));
        true
    }

    /// The facilitator's condition.
    #[must_use]
    pub fn condition(&self, now: UnixTime) -> Condition {
        let ready = self.failures.count < FAILURES || self.tries.iter().all(|(_, at)| *at <= now);
        Condition {
            health: self.health(),
            consecutive_failures: self.consecutive_failures(now),
            ready,
        }
    }

    /// Whether settlements succeed.
    #[must_use]
    pub const fn health(&self) -> SettlementHealth {
        if self.settles.count < FAILURES {
            SettlementHealth::Good
        } else {
            SettlementHealth::Failing
        }
    }

    /// Payers in a row whose exchanges failed through no fault of theirs, if the last was recent.
    #[must_use]
    pub fn consecutive_failures(&self, now: UnixTime) -> u64 {
        // Clients stay away while this is reported: without an expiry no call would show that it is
        // over.
        if now < self.troubled_at.plus(FRESH_SECS) { self.troubles.count } else { 0 }
    }

    /// Records how a call went: a usable answer closes, a settlement ends the failing state.
    pub fn note(
        &mut self,
        payers: &mut PayerHistory,
        caller: &Caller,
        operation: Operation,
        reply: &FacilitatorReply,
        now: UnixTime,
        every_secs: u64,
    ) {
        let is_content = match caller.evidence {
            Evidence::Unproven => true,
            Evidence::BesidePermit => reply.stumbles(),
            Evidence::Signed | Evidence::Verified => false,
        };
        let proven = !is_content;
        // A facilitator that rejects a key is up: noting it as down would answer payers with either
        // cause in turn.
        let refuses_key = operation == Operation::Verify && reply.refuses_key();
        let settled = operation == Operation::Settle && reply.settles();
        let exchange = CallEnd {
            is_settle: operation == Operation::Settle,
            has_failed: reply.health() == Health::Bad && !refuses_key,
            settled,
            is_declined: !settled && caller.is_network(),
            is_trouble: reply.is_trouble(),
        };
        let before = payers.of(&caller.payer);
        let calls = self.calls_of(&caller.payer);
        // Anyone can send an unproven payment with any content, and any permit beside their own:
        // that a facilitator stumbles over it says nothing about other payments.
        if proven {
            let mut conduct = before;
            conduct.note(&exchange, now);
            payers.put(&caller.payer, conduct);
        }
        self.note_trouble(exchange.is_trouble, proven, &caller.payer, now);
        if exchange.settled {
            self.settles.clear();
        }
        if !exchange.has_failed {
            if !refuses_key {
                self.calls.remove(&caller.payer);
                self.failures.clear();
                self.tries.clear();
            }
            return;
        }
        if !proven {
            return;
        }
        // Wallets cost nothing, so that each counts once, until a call of its own goes well; of
        // those whose settlements fail only the ones with money in them count. They are then served
        // nothing on credit.
        let counts = caller.evidence == Evidence::Verified;
        if exchange.is_settle && counts && before.settles == 0 {
            self.settles.add(&caller.payer);
        }
        self.calls.put(caller.payer.clone(), calls.saturating_add(1));
        if calls == 0 {
            self.failures.add(&caller.payer);
        }
        // Mandatory calls fail too, and must not postpone the next try.
        let client = caller.tries_as();
        let waits = self.tries.iter().any(|(name, _)| name == client);
        if self.failures.count >= FAILURES && !waits && self.tries.len() < MAX_TRIES {
            self.tries.push((client.to_owned(), now.plus(every_secs)));
        }
    }

    fn calls_of(&self, payer: &String) -> u64 {
        self.calls.get(payer).copied().unwrap_or_default()
    }

    fn note_trouble(&mut self, is_trouble: bool, proven: bool, payer: &str, now: UnixTime) {
        match (is_trouble, proven) {
            (true, true) => self.troubles.add(payer),
            (true, false) => return,
            (false, _) => self.troubles.clear(),
        }
        self.troubled_at = now;
    }
}
