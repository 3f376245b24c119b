//! What a facilitator's breaker counts, and whom it holds back.

use farebox_core::facilitator::breaker::Operation::{self, Settle, Verify};
use farebox_core::facilitator::breaker::{Breaker, SettlementHealth};
use farebox_core::facilitator::payers::Evidence::{self, Signed, Unproven, Verified};
use farebox_core::facilitator::payers::{Caller, PayerHistory};
use farebox_core::facilitator::reply::FacilitatorReply;
use farebox_core::time::UnixTime;

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

    fn note(&mut self, caller: &Caller, operation: Operation, reply: &FacilitatorReply, secs: u64) {
        self.breaker.note(&mut self.payers, caller, operation, reply, at(secs), 5);
    }

    fn fails(&mut self, network: &str, payer: impl ToString, secs: u64) {
        self.note(&caller(network, payer, Signed), Verify, &FacilitatorReply::Nothing, secs);
    }

    fn verifies(&mut self, network: &str, payer: impl ToString, secs: u64) {
        self.note(&caller(network, payer, Signed), Verify, &answer(r#"{"isValid":true}"#), secs);
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

// A-82
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
