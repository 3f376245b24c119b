//! Whether a facilitator is worth asking: opens after failures in a row, lets one request through now and then.
//!
//! One per facilitator and isolate; the edge keeps it and asks it before calls that may be left undone.

use crate::time::UnixTime;

/// Failures in a row that open it.
const FAILURES: u32 = 10;

/// Counts failures of one facilitator.
#[derive(Clone, Copy, Debug, Default)]
pub struct Breaker {
    failures: u32,
    next_try: Option<UnixTime>,
}

/// How one call went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// A usable answer, whatever it said.
    Good,
    /// None.
    Bad,
}

impl Breaker {
    /// Whether a call may be made now; while open, one in `every_secs`.
    pub fn admits(&mut self, now: UnixTime, every_secs: u64) -> bool {
        if self.failures < FAILURES {
            return true;
        }
        match self.next_try {
            Some(at) if now < at => false,
            Some(_) | None => {
                self.next_try = Some(now.plus(every_secs));
                true
            }
        }
    }

    /// Takes note of a call; a good one closes.
    pub fn note(&mut self, health: Health, now: UnixTime, every_secs: u64) {
        match health {
            Health::Good => *self = Self::default(),
            Health::Bad => {
                self.failures = self.failures.saturating_add(1);
                if self.failures >= FAILURES {
                    self.next_try = Some(now.plus(every_secs));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_failures_in_a_row_open_it_and_one_success_closes_it() {
        let mut breaker = Breaker::default();
        let at = |secs: u64| UnixTime::from_secs(1_000 + secs);
        for _ in 0..9 {
            breaker.note(Health::Bad, at(0), 5);
        }
        breaker.note(Health::Good, at(0), 5);
        for _ in 0..9 {
            breaker.note(Health::Bad, at(0), 5);
            assert!(breaker.admits(at(0), 5));
        }
        breaker.note(Health::Bad, at(0), 5);
        assert!(!breaker.admits(at(4), 5));
        assert!(breaker.admits(at(5), 5));
        assert!(!breaker.admits(at(5), 5), "one request at a time");
        breaker.note(Health::Bad, at(6), 5);
        assert!(!breaker.admits(at(10), 5));
        assert!(breaker.admits(at(11), 5));
        breaker.note(Health::Good, at(11), 5);
        assert!(breaker.admits(at(11), 5));
        assert!(breaker.admits(at(11), 5));
    }
}
