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
use crate::mutant::{Mutant, planted};
use crate::sorted::RecentMap;
use crate::time::UnixTime;

/// Client networks with tries of their own while it is open.
const MAX_TRIES: usize = 64;

/// Payers in a row whose calls failed, that open it; also those whose settlements failed in a row,
/// that count as failing. Also the calls in a row of one payer that hold back that payer.
const FAILURES: u64 = 10;

/// Calls in a row of a payer that has paid, after which they are held back with the others.
const OWN_CALLS: u64 = 2;

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
        if self.names.iter().any(|name| name == payer) && !planted(Mutant::CallsAreCounted) {
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
    /// What it comes to for a payer: their own settlements count first.
    #[must_use]
    pub fn for_payer(self, conduct: &Conduct) -> Self {
        if conduct.is_failing() && !planted(Mutant::OwnFailuresAreCredit) {
            return Self::Failing;
        }
        if conduct.stands_alone() { Self::Good } else { self }
    }
}

/// Condition of a facilitator, as seen by one isolate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition {
    /// Whether it settles.
    pub health: SettlementHealth,
    /// Payers in a row whose exchanges failed.
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
        (caller, operation): (&Caller, Operation),
        reply: &FacilitatorReply,
        now: UnixTime,
        every_secs: u64,
    ) {
        let proven = caller.evidence != Evidence::Unproven || planted(Mutant::JunkOpens);
        // A facilitator that rejects a key is up: noting it as down would answer payers with either
        // cause in turn.
        let refuses_key = operation == Operation::Verify && reply.refuses_key();
        let exchange = CallEnd {
            is_settle: operation == Operation::Settle,
            has_failed: reply.health() == Health::Bad && !refuses_key,
            settled: operation == Operation::Settle && reply.settles(),
            is_trouble: reply.is_trouble(),
        };
        let before = payers.of(&caller.payer);
        let calls = self.calls_of(&caller.payer);
        // Anyone can send an unproven payment with any content: that a facilitator stumbles over it
        // says nothing about other payments.
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
        let again = planted(Mutant::WalletsCountAgain);
        let counts = caller.evidence == Evidence::Verified || planted(Mutant::EmptyWalletsStrain);
        if exchange.is_settle && counts && (before.settles == 0 || again) {
            self.settles.add(&caller.payer);
        }
        self.calls.put(caller.payer.clone(), calls.saturating_add(1));
        if calls == 0 || again || planted(Mutant::CallsAreCounted) {
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

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::ToString;

    use super::Evidence::{Signed, Unproven, Verified};
    use super::Operation::{Settle, Verify};
    use super::*;

    /// A breaker and the payers around it.
    #[derive(Default)]
    struct Edge {
        breaker: Breaker,
        payers: PayerHistory,
    }

    fn at(secs: u64) -> UnixTime {
        UnixTime::from_secs(1_000).plus(secs)
    }

    fn caller(network: &str, payer: impl ToString, evidence: Evidence) -> Caller {
        Caller { network: network.to_owned(), payer: payer.to_string(), evidence }
    }

    fn answer(body: &str) -> FacilitatorReply {
        FacilitatorReply::Answer { status: 200, is_json: true, body: body.to_owned() }
    }

    impl Edge {
        fn admits(&mut self, network: &str, payer: impl ToString, secs: u64) -> bool {
            self.breaker.admits(&self.payers, &caller(network, payer, Signed), at(secs), 5)
        }

        fn note(
            &mut self,
            caller: &Caller,
            operation: Operation,
            reply: &FacilitatorReply,
            secs: u64,
        ) {
            self.breaker.note(&mut self.payers, (caller, operation), reply, at(secs), 5);
        }

        fn fails(&mut self, network: &str, payer: impl ToString, secs: u64) {
            self.note(&caller(network, payer, Signed), Verify, &FacilitatorReply::Nothing, secs);
        }

        fn verifies(&mut self, network: &str, payer: impl ToString, secs: u64) {
            self.note(
                &caller(network, payer, Signed),
                Verify,
                &answer(r#"{"isValid":true}"#),
                secs,
            );
        }

        fn settles(&mut self, payer: impl ToString, secs: u64) {
            self.note(&caller("a", payer, Verified), Settle, &answer(r#"{"success":true}"#), secs);
        }

        fn fails_to_settle(&mut self, payer: impl ToString, secs: u64) {
            self.note(&caller("a", payer, Verified), Settle, &FacilitatorReply::Nothing, secs);
        }

        fn health_for(&self, payer: &str) -> SettlementHealth {
            self.breaker.health().for_payer(&self.payers.of(&payer.to_owned()))
        }
    }

    #[test]
    fn ten_payers_whose_calls_fail_in_a_row_open_it_and_one_success_closes_it() {
        let mut edge = Edge::default();
        for payer in 0..9 {
            edge.fails("a", payer, 0);
        }
        edge.verifies("a", "x", 0);
        for payer in 10..19 {
            edge.fails("a", payer, 0);
            assert!(edge.admits("a", "x", 0));
        }
        edge.fails_to_settle("tenth", 0);
        assert!(!edge.admits("a", "x", 4));
        assert!(edge.admits("a", "x", 5));
        assert!(!edge.admits("a", "x", 5), "one request at a time");
        edge.fails("a", "x", 6);
        for secs in 6..10 {
            edge.fails_to_settle("y", secs);
            assert!(!edge.admits("a", "x", secs));
        }
        assert!(edge.admits("a", "x", 10), "failures put nothing off");
        edge.verifies("a", "x", 11);
        assert!(edge.admits("a", "x", 11));
        assert!(edge.admits("a", "z", 11));
    }

    #[test]
    fn each_network_of_clients_has_tries_of_its_own_and_any_that_succeeds_closes_it() {
        let mut edge = Edge::default();
        for payer in 0..20 {
            edge.fails("junk", payer, 0);
        }
        assert!(!edge.admits("junk", "j", 0));
        assert!(edge.admits("honest", "h", 0));
        assert!(!edge.admits("honest", "h", 0));
        for network in 0..100 {
            edge.admits(&format!("{network}"), "j", 1);
        }
        assert!(!edge.admits("one more", "h", 1), "tries are bounded");
        edge.verifies("honest", "h", 1);
        assert!(edge.admits("junk", "j", 1));
    }

    #[test]
    fn one_payer_whose_calls_fail_holds_back_itself_alone_and_who_has_paid_is_not_held_back() {
        let mut edge = Edge::default();
        edge.settles("customer", 0);
        for _ in 0..30 {
            edge.fails("a", "one", 0);
        }
        assert!(edge.admits("a", "one", 0), "it has its try");
        assert!(!edge.admits("a", "one", 0));
        assert!(edge.admits("a", "another", 0));
        for payer in 0..10 {
            edge.fails("a", payer, 0);
        }
        assert!(!edge.admits("a", "another", 0));
        assert!(edge.admits("a", "customer", 0));
        edge.fails("a", "customer", 0);
        edge.fails("a", "customer", 0);
        assert!(!edge.admits("a", "customer", 0), "it fails for them as well");
    }

    #[test]
    fn settlements_of_ten_payers_that_fail_in_a_row_strain_it_and_one_settlement_calms_it() {
        let mut edge = Edge::default();
        for payer in 0..9 {
            edge.verifies("a", payer, 0);
            edge.fails_to_settle(payer, 0);
            edge.fails_to_settle(payer, 1);
        }
        assert_eq!(edge.breaker.health(), SettlementHealth::Good);
        edge.fails_to_settle("tenth", 1);
        edge.verifies("a", "x", 1);
        assert_eq!(edge.breaker.health(), SettlementHealth::Failing);
        assert!(edge.admits("a", "x", 1), "strained is not open");
        let refused = answer(r#"{"success":false,"errorReason":"insufficient_funds"}"#);
        edge.note(&caller("a", "empty", Signed), Settle, &refused, 1);
        assert_eq!(edge.breaker.health(), SettlementHealth::Failing, "nothing was settled");
        edge.settles("x", 2);
        assert_eq!(edge.breaker.health(), SettlementHealth::Good);
        for payer in 20..40 {
            edge.fails("a", payer, 2);
        }
        assert_eq!(edge.breaker.health(), SettlementHealth::Good, "no settlement failed");
    }

    #[test]
    fn failed_settlements_of_one_payer_and_of_empty_wallets_strain_it_for_no_other() {
        let mut edge = Edge::default();
        for _ in 0..30 {
            edge.fails_to_settle("one", 0);
        }
        for wallet in 0..30 {
            edge.note(&caller("a", wallet, Signed), Settle, &FacilitatorReply::Nothing, 0);
        }
        assert_eq!(edge.health_for("one"), SettlementHealth::Failing);
        assert_eq!(edge.health_for("another"), SettlementHealth::Good);
        edge.settles("one", 1);
        assert_eq!(edge.health_for("one"), SettlementHealth::Good, "they have paid");
    }

    #[test]
    fn a_wallet_strains_it_once_until_it_has_paid() {
        let mut edge = Edge::default();
        for turn in 0..5 {
            for wallet in 0..10 {
                edge.fails_to_settle(wallet, turn);
            }
            let strained = edge.breaker.health() == SettlementHealth::Failing;
            assert_eq!(strained, turn == 0, "{turn}");
            edge.settles("honest", turn);
        }
    }

    #[test]
    fn while_it_is_strained_who_has_paid_is_served_as_before_until_their_own_settlements_fail() {
        let mut edge = Edge::default();
        edge.settles("customer", 0);
        for wallet in 0..10 {
            edge.fails_to_settle(wallet, 1);
        }
        assert_eq!(edge.health_for("new"), SettlementHealth::Failing);
        assert_eq!(edge.health_for("customer"), SettlementHealth::Good);
        edge.fails_to_settle("customer", 2);
        edge.fails_to_settle("customer", 3);
        assert_eq!(edge.health_for("customer"), SettlementHealth::Failing);
    }

    #[test]
    fn trouble_is_reported_of_ten_payers_in_a_row_and_never_of_one_or_of_unproven_payments() {
        let mut edge = Edge::default();
        for turn in 0..30 {
            edge.fails("a", "one", 0);
            edge.note(&caller("a", turn, Unproven), Verify, &FacilitatorReply::Nothing, 0);
        }
        assert_eq!(edge.breaker.consecutive_failures(at(0)), 1);
        assert_eq!(edge.payers.of(&"one".to_owned()).troubles(at(0)), 30);
        for payer in 0..100 {
            edge.fails("a", payer, 0);
        }
        assert_eq!(edge.breaker.consecutive_failures(at(0)), 101);
        assert_eq!(edge.breaker.consecutive_failures(at(60)), 0, "it was long ago");
        edge.verifies("a", "one", 60);
        assert_eq!(edge.breaker.consecutive_failures(at(60)), 0);
    }
}
