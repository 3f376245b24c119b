//! Circuit breaker of a facilitator, for this project's own edge: opens after failures in a row,
//! and admits one request now and then.
//!
//! One per facilitator and isolate; the edge keeps it and asks it before optional calls. Before it
//! opens it reports [`SettlementHealth::Failing`]: while settlements fail, no response is served
//! before its settlement.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use crate::mutant::{Mutant, planted};
use crate::time::UnixTime;

/// Client networks with tries of their own while it is open.
const MAX_TRIES: usize = 64;

/// Failures in a row that open it; also the failed settlements in a row that count as failing.
const FAILURES: u32 = 10;

/// Seconds for which a fault is worth reporting.
const FRESH_SECS: u64 = 60;

/// Counts failures of one facilitator.
#[derive(Clone, Debug)]
pub struct Breaker {
    failures: u32,
    /// The next try of each client network that has tried: a network does not use up another's try.
    tries: Vec<(String, UnixTime)>,
    /// Failed settlements in a row, regardless of `verify`.
    settles: u32,
    /// Exchanges in a row that failed, or whose answer reports a fault that is not the payer's.
    consecutive_failures: u64,
    /// Time of the last of those.
    troubled_at: UnixTime,
}

/// Result of one call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// A usable answer, with any content.
    Good,
    /// No usable answer.
    Bad,
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
    /// The last ones did not: routes that settle after the origin settle before it.
    Failing,
}

/// Condition of a facilitator, as seen by one isolate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Whether it settles.
    pub health: SettlementHealth,
    /// Its failures in a row.
    pub consecutive_failures: u64,
    /// Whether an optional call would be made now.
    pub ready: bool,
}

impl Default for Condition {
    fn default() -> Self {
        Self { health: SettlementHealth::Good, consecutive_failures: 0, ready: true }
    }
}

impl Default for Breaker {
    fn default() -> Self {
        let troubled_at = UnixTime::from_secs(0);
        Self { failures: 0, tries: Vec::new(), settles: 0, consecutive_failures: 0, troubled_at }
    }
}

impl Breaker {
    /// Whether a call for this network of clients may be made now; while open, one in `every_secs`.
    pub fn admits(&mut self, client: &str, now: UnixTime, every_secs: u64) -> bool {
        if self.failures < FAILURES {
            return true;
        }
        self.tries.retain(|(_, at)| now < *at);
        let waits = match planted(Mutant::TriesAreShared) {
            true => !self.tries.is_empty(),
            false => self.tries.iter().any(|(name, _)| name == client),
        };
        if waits || self.tries.len() >= MAX_TRIES {
            return false;
        }
        self.tries.push((client.to_owned(), now.plus(every_secs)));
        true
    }

    /// The facilitator's condition.
    #[must_use]
    pub fn condition(&self, now: UnixTime) -> Condition {
        let ready = self.failures < FAILURES || self.tries.iter().all(|(_, at)| *at <= now);
        Condition {
            health: self.health(),
            consecutive_failures: self.consecutive_failures(now),
            ready,
        }
    }

    /// Whether settlements succeed.
    #[must_use]
    pub const fn health(&self) -> SettlementHealth {
        if self.settles < FAILURES { SettlementHealth::Good } else { SettlementHealth::Failing }
    }

    /// Exchanges in a row that failed through no fault of the payer, if the last was recent.
    #[must_use]
    pub fn consecutive_failures(&self, now: UnixTime) -> u64 {
        // Clients stay away while this is reported: without an expiry no call would show that it is
        // over.
        if now < self.troubled_at.plus(FRESH_SECS) { self.consecutive_failures } else { 0 }
    }

    /// Records whether an exchange failed through no fault of the payer.
    pub const fn note_trouble(&mut self, troubled: bool, now: UnixTime) {
        self.consecutive_failures =
            if troubled { self.consecutive_failures.saturating_add(1) } else { 0 };
        self.troubled_at = now;
    }

    /// Records a call for this network of clients; a good one closes, a good settlement ends the
    /// failing state.
    pub fn note(
        &mut self,
        client: &str,
        (operation, health): (Operation, Health),
        now: UnixTime,
        every_secs: u64,
    ) {
        self.settles = match (operation, health) {
            (Operation::Settle, Health::Good) => 0,
            (Operation::Settle, Health::Bad) => self.settles.saturating_add(1),
            (Operation::Verify, _) => self.settles,
        };
        match health {
            Health::Good => {
                self.failures = 0;
                self.tries.clear();
            }
            Health::Bad => {
                self.failures = self.failures.saturating_add(1);
                // Mandatory calls fail too, and must not postpone the next try.
                let waits = self.tries.iter().any(|(name, _)| name == client);
                if self.failures >= FAILURES && !waits && self.tries.len() < MAX_TRIES {
                    self.tries.push((client.to_owned(), now.plus(every_secs)));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Operation::{Settle, Verify};
    use super::*;

    fn at(secs: u64) -> UnixTime {
        UnixTime::from_secs(1_000).plus(secs)
    }

    #[test]
    fn ten_failures_in_a_row_open_it_and_one_success_closes_it() {
        let mut breaker = Breaker::default();
        for _ in 0..9 {
            breaker.note("a", (Verify, Health::Bad), at(0), 5);
        }
        breaker.note("a", (Settle, Health::Good), at(0), 5);
        for _ in 0..9 {
            breaker.note("a", (Verify, Health::Bad), at(0), 5);
            assert!(breaker.admits("a", at(0), 5));
        }
        breaker.note("a", (Settle, Health::Bad), at(0), 5);
        assert!(!breaker.admits("a", at(4), 5));
        assert!(breaker.admits("a", at(5), 5));
        assert!(!breaker.admits("a", at(5), 5), "one request at a time");
        breaker.note("a", (Verify, Health::Bad), at(6), 5);
        for secs in 6..10 {
            breaker.note("a", (Settle, Health::Bad), at(secs), 5);
            assert!(!breaker.admits("a", at(secs), 5));
        }
        assert!(breaker.admits("a", at(10), 5), "failures client_deadline put nothing off");
        breaker.note("a", (Verify, Health::Good), at(11), 5);
        assert!(breaker.admits("a", at(11), 5));
        assert!(breaker.admits("a", at(11), 5));
    }

    #[test]
    fn each_network_of_clients_has_tries_of_its_own_and_any_that_succeeds_closes_it() {
        let mut breaker = Breaker::default();
        for _ in 0..20 {
            breaker.note("junk", (Verify, Health::Bad), at(0), 5);
        }
        assert!(!breaker.admits("junk", at(0), 5));
        assert!(breaker.admits("honest", at(0), 5));
        assert!(!breaker.admits("honest", at(0), 5));
        for network in 0..100 {
            breaker.admits(&alloc::format!("{network}"), at(1), 5);
        }
        assert!(!breaker.admits("one more", at(1), 5), "tries are bounded");
        breaker.note("honest", (Verify, Health::Good), at(1), 5);
        assert!(breaker.admits("junk", at(1), 5));
    }

    #[test]
    fn ten_failed_settlements_in_a_row_strain_it_though_verify_answers_and_one_good_one_calms_it() {
        let mut breaker = Breaker::default();
        for _ in 0..9 {
            breaker.note("a", (Verify, Health::Good), at(0), 5);
            breaker.note("a", (Settle, Health::Bad), at(0), 5);
        }
        assert_eq!(breaker.health(), SettlementHealth::Good);
        breaker.note("a", (Settle, Health::Bad), at(0), 5);
        breaker.note("a", (Verify, Health::Good), at(0), 5);
        assert_eq!(breaker.health(), SettlementHealth::Failing);
        assert!(breaker.admits("a", at(0), 5), "strained is not open");
        breaker.note("a", (Settle, Health::Good), at(0), 5);
        assert_eq!(breaker.health(), SettlementHealth::Good);
        for _ in 0..20 {
            breaker.note("a", (Verify, Health::Bad), at(0), 5);
        }
        assert_eq!(breaker.health(), SettlementHealth::Good, "no settlement failed");
    }
}
