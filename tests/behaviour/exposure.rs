//! What is not risked twice: wallets that were empty a moment ago, work on credit while settlements fail, and a
//! network that sends too much. Spec: docs/design.md, "What is kept in memory".

use farebox_core::facilitator::breaker::{Condition, SettlementHealth};
use farebox_core::facilitator::funds::LowBalances;
use farebox_core::facilitator::payers::PayerHistory;
use farebox_core::gate::admission::Admission;
use farebox_core::gate::attempts::Attempts;
use farebox_core::gate::isolate::Isolate;
use farebox_core::gate::paid::Step;

use crate::world::facilitator::{Settle, Verify};
use crate::world::origin::Say;
use crate::world::payer::Payer;
use crate::world::{With, World, paid};

fn no_funds() -> Verify {
    Verify::Raw(200, r#"{"isValid":false,"invalidReason":"insufficient_funds"}"#.to_owned())
}

#[test]
fn an_empty_wallet_costs_one_call_in_thirty_seconds() {
    for (target, after) in [("/after", true), ("/before", false)] {
        let mut world = World::new();
        world.empties = Some(LowBalances::new());
        match after {
            true => world.facilitator.verify_plan.push_back(no_funds()),
            false => world.facilitator.settle_plan.push_back(Settle::Refuse("insufficient_funds")),
        }
        let first = world.pay(target);
        assert_eq!(first.status, 402, "{target}");
        let calls = world.facilitator.urls.len();
        for other in ["/after/other", "/before/other", "/dear"] {
            let payment = world.sign(other);
            let refused = world.present(&payment);
            assert_eq!((refused.status, refused.has_terms()), (402, true), "{target} {other}");
            assert_eq!(refused.json()["error"], "insufficient_funds", "{target} {other}");
            assert_eq!(refused.problem(), "verify_refused", "{target} {other}");
            assert_eq!(world.find_row(&payment.nonce), None, "nothing is written");
        }
        assert_eq!(world.facilitator.urls.len(), calls, "{target}: nothing was asked");
        assert_eq!(world.origin.calls.len(), 0, "{target}");
        let mine = std::mem::replace(&mut world.payer, Payer::new(2));
        assert_eq!(world.pay("/after").status, 200, "another payer is not concerned");
        world.payer = mine;
        world.wait(31);
        // In `before` the refused row is watched meanwhile; it blocks nothing.
        assert_eq!(world.pay("/after/other").status, 200, "{target}: asked again");
    }
}

#[test]
fn what_an_empty_wallet_has_paid_for_is_still_given_to_it() {
    let mut world = World::new();
    world.empties = Some(LowBalances::new());
    let served = world.sign_as("/after", "an-identifier-of-22-characters");
    let first = world.present(&served);
    assert_eq!(first.status, 200);
    world.facilitator.verify_plan.push_back(no_funds());
    assert_eq!(world.pay("/after/other").status, 402);
    let again = world.present(&served);
    assert_eq!((again.status, &again.body), (200, &first.body));
    assert_eq!(again.headers.get("payment-replayed"), Some("true"));
}

#[test]
fn a_payment_that_was_refused_from_memory_stays_good() {
    let mut world = World::new();
    world.empties = Some(LowBalances::new());
    world.facilitator.verify_plan.push_back(no_funds());
    assert_eq!(world.pay("/after/other").status, 402);
    for target in ["/after", "/before"] {
        let payment = world.sign(target);
        assert_eq!(world.present(&payment).status, 402);
        world.wait(30);
        assert_eq!(world.present(&payment).status, 200, "{target}");
        assert_eq!(world.facilitator.settles_of(&payment.nonce), 1, "{target}");
        world.empties = Some(LowBalances::new());
        world.facilitator.verify_plan.push_back(no_funds());
        assert_eq!(world.pay("/after/other").status, 402);
    }
}

#[test]
fn while_settlements_fail_a_route_that_settles_after_settles_before() {
    let mut world = World::new();
    world.health = SettlementHealth::Failing;
    world.facilitator.settle_plan.extend([Settle::SilentBefore, Settle::SilentBefore]);
    let payment = world.sign("/after");
    let doubt = world.present(&payment);
    assert_eq!((doubt.status, doubt.problem().as_str()), (503, "settlement_unknown"));
    assert_eq!(world.origin.calls.len(), 0, "nothing is served on credit");
    world.wait(2);
    let served = world.present(&payment);
    assert_eq!(served.status, 200);
    assert_eq!(world.origin.calls.len(), 1);
    assert_eq!(world.facilitator.verified, 0);
    assert_eq!(world.row_of(&payment.nonce).state.name(), "delivered");
}

#[test]
fn a_failing_origin_that_was_paid_under_strain_owes_a_refund() {
    let mut world = World::new();
    world.health = SettlementHealth::Failing;
    world.origin.plan.push_back(Say::Lost);
    let payment = world.sign("/after");
    let failed = world.present(&payment);
    assert_eq!((failed.status, failed.problem().as_str()), (502, "refund_due"));
    assert_eq!(world.row_of(&payment.nonce).state.name(), "refund_due");
    assert_eq!(world.facilitator.settles_of(&payment.nonce), 1);
}

#[test]
fn a_payment_begun_in_one_mode_goes_on_in_it_when_the_strain_changes() {
    for (first, then) in [
        (SettlementHealth::Good, SettlementHealth::Failing),
        (SettlementHealth::Failing, SettlementHealth::Good),
    ] {
        let mut world = World::new();
        world.health = first;
        world.facilitator.settle_plan.extend([Settle::SilentAfter, Settle::SilentBefore]);
        let payment = world.sign_as("/after", "an-identifier-of-22-characters");
        assert_eq!(world.present(&payment).status, 503);
        world.health = then;
        world.facilitator.repeats = crate::world::facilitator::Repeats::Idempotent;
        world.wait(2);
        assert_eq!(world.present(&payment).status, 200);
        assert_eq!(world.origin.calls.len(), 1, "{first:?}");
        assert_eq!(world.present(&payment).status, 200);
        assert_eq!(world.origin.calls.len(), 1, "{first:?}: replayed");
        assert!(world.facilitator.chain.is_paid(&payment.nonce));
    }
}

#[test]
fn a_limited_network_is_told_before_the_ledger_is_asked_and_the_payment_stays_good() {
    let mut world = World::new();
    let payment = world.sign("/after");
    let head = paid(&payment).header("cf-connecting-ip", "2001:db8:1:2345::7");
    let gate = world.gate;
    let now = world.now();
    let (health, mut attempts) = (SettlementHealth::Good, Attempts::new());
    let mut around = Isolate {
        facilitators: vec![Condition { health, consecutive_failures: 0, ready: true }],
        payers: const { &PayerHistory::new() },
        attempts: &mut attempts,
        client: None,
    };
    let Admission::Pay(Step::Claim(call, next)) =
        gate.admit(head, "fresh-correlation", &mut around, now)
    else {
        panic!("a payment begins with its claim");
    };
    assert_eq!(call.limited_by.as_deref(), Some("2001:db8:1:2300/56"));
    let Step::Respond(reply) = next.limited() else { panic!("it is answered at once") };
    assert_eq!(reply.head.status, 429);
    assert_eq!(reply.code.map(|code| code.name()), Some("rate_limited"));
    assert_eq!(reply.head.headers.get("retry-after"), Some("10"));
    assert_eq!(world.present(&payment).status, 200);
}
