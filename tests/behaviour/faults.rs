//! Failures around the gate: origin, ledger, facilitator, clock. Spec: docs/design.md, "Faults".

use farebox_core::ledger::State;
use farebox_core::problem::Code;

use crate::world::facilitator::{Settle, Verify};
use crate::world::ledger::LedgerFault;
use crate::world::origin::Say;
use crate::world::{World, decoded, paid};

const MODES: [&str; 2] = ["/after", "/before"];

//
#[test]
fn an_origin_that_fails_after_verify_costs_nothing() {
    let table = [
        (Say::Whole("500\ncontent-type: text/plain", "broken"), 500, None),
        (Say::Whole("404\ncontent-type: text/plain", "none"), 404, None),
        (Say::Whole("402\npayment-required: x", "pay me"), 502, Some("origin_failed")),
        (Say::Whole("304", ""), 502, Some("origin_failed")),
        (Say::Lost, 502, Some("origin_failed")),
        (Say::TimedOut, 504, Some("origin_failed")),
        (Say::Cut("200"), 502, Some("origin_failed")),
        (Say::Whole("200\ncontent-length: 9", "short"), 502, Some("origin_failed")),
    ];
    for (say, status, code) in table {
        let mut world = World::new();
        let payment = world.sign("/after");
        world.origin.plan.push_back(say.clone());
        let response = world.present(&payment);
        assert_eq!(response.status, status, "{say:?}");
        assert_eq!(
            response.code,
            Some(if status == 504 { Code::OriginTimeout } else { Code::OriginFailed })
        );
        if let Some(code) = code {
            assert_eq!(response.problem(), code, "{say:?}");
        }
        assert_eq!(response.settlement(), serde_json::Value::Null);
        assert!(!response.has_terms(), "{say:?}");
        assert_eq!(world.facilitator.settles.len(), 0);
        assert_eq!(world.ledger.state(), State::Abandoned);
        let repeat = world.present(&payment);
        assert_eq!((repeat.status, repeat.problem().as_str()), (409, "origin_failed"));
        assert_eq!(world.origin.calls.len(), 1, "not asked again");
    }
}

#[test]
fn an_origin_that_fails_after_settlement_is_a_refund_due() {
    let table = [
        (Say::Whole("500", "broken"), 502),
        (Say::Whole("404", "none"), 502),
        (Say::Whole("304", ""), 502),
        (Say::Lost, 502),
        (Say::TimedOut, 504),
        (Say::Cut("200"), 502),
    ];
    for (say, status) in table {
        let mut world = World::new();
        let payment = world.sign("/before");
        world.origin.plan.push_back(say.clone());
        let response = world.present(&payment);
        assert_eq!(
            (response.status, response.problem().as_str()),
            (status, "refund_due"),
            "{say:?}"
        );
        assert_eq!(response.settlement()["success"], true);
        assert_eq!(world.ledger.state().name(), "refund_due");
        let repeat = world.present(&payment);
        assert_eq!((repeat.status, repeat.problem().as_str()), (409, "refund_due"));
        assert_eq!(world.origin.calls.len(), 1);
    }
}

#[test]
fn an_idempotent_route_asks_a_failed_origin_again() {
    let mut world = World::new();
    let payment = world.sign("/again");
    world.origin.plan.push_back(Say::Lost);
    assert_eq!(world.present(&payment).status, 502);
    assert_eq!(world.present(&payment).status, 200);
    assert_eq!(world.facilitator.settles.len(), 1);
    let keys: Vec<_> =
        world.origin.calls.iter().map(|call| call.headers.get("idempotency-key")).collect();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0], keys[1], "the origin can tell that it is the same payment");
}

//
#[test]
fn a_ledger_that_is_down_stops_everything_before_money_moves() {
    let mut world = World::new();
    let payment = world.sign("/after");
    world.ledger.plan.push_back(LedgerFault::Down);
    let response = world.present(&payment);
    assert_eq!((response.status, response.problem().as_str()), (503, "ledger_unavailable"));
    assert_eq!(response.headers.get("retry-after"), Some("2"));
    assert_eq!((world.facilitator.urls.len(), world.origin.calls.len()), (0, 0));
    world.ledger.plan.extend([LedgerFault::Fine, LedgerFault::Down]);
    assert_eq!(world.present(&payment).problem(), "ledger_unavailable");
    assert_eq!(world.facilitator.settles.len(), 0, "what is not sealed is not settled");
}

#[test]
fn an_outcome_that_cannot_be_recorded_is_unknown_and_not_delivered() {
    for target in MODES {
        let mut world = World::new();
        let payment = world.sign(target);
        let before_outcome = if target == "/after" { 2 } else { 1 };
        world.ledger.plan.extend(vec![LedgerFault::Fine; before_outcome]);
        // Nor can it be asked once more, or told that nothing was sent.
        world.ledger.plan.extend(vec![LedgerFault::Down; 3]);
        let response = world.present(&payment);
        assert_eq!((response.status, response.problem().as_str()), (503, "settlement_unknown"));
        world.wait(60);
        world.facilitator.repeats = crate::world::facilitator::Repeats::Idempotent;
        let repeat = world.present(&payment);
        assert_eq!(repeat.status, 200, "{target}");
        assert_eq!(world.origin.calls.len(), 1);
        assert!(world.facilitator.chain.is_paid(&payment.nonce));
    }
}

#[test]
fn a_late_payment_unknown_to_the_ledger_gets_fresh_terms() {
    let mut world = World::new();
    let payment = world.sign("/after");
    world.wait(300 - 96 + 1);
    let response = world.present(&payment);
    assert_eq!((response.status, response.problem().as_str()), (402, "expired"));
    assert!(response.has_terms());
    assert!(response.names("INVOICE_EXPIRED"));
    assert_eq!(world.ledger.entries().len(), 0, "it leaves no row");
    assert_eq!(world.facilitator.urls.len(), 0);
}

#[test]
pub fn a_late_repeat_hears_what_its_row_says_and_never_fresh_terms() {
    for target in MODES {
        let mut world = World::new();
        let payment = world.sign(target);
        world.facilitator.settle_plan.extend([Settle::SilentAfter, Settle::SilentBefore]);
        assert_eq!(world.present(&payment).problem(), "settlement_unknown");
        for _ in 0..3 {
            world.wait(140);
            let repeat = world.present(&payment);
            assert_eq!((repeat.status, repeat.problem().as_str()), (503, "settlement_unknown"));
            assert!(!repeat.has_terms());
        }
        let mut other = payment.clone();
        other.target = format!("{target}?other");
        let elsewhere = world.present(&other);
        let said = (elsewhere.status, elsewhere.problem(), elsewhere.has_terms());
        assert_eq!(said, (409, "payment_already_used".to_owned(), false));
    }
}

//
#[test]
pub fn work_is_not_begun_for_an_authorization_that_ends_while_it_waits() {
    let mut world = World::new();
    let payment = world.sign("/after");
    world.wait(300 - 97);
    let mut running = world.start(paid(&payment), b"");
    assert_eq!(running.next(), "claim");
    world.advance(&mut running);
    world.wait(4);
    while world.advance(&mut running) {}
    let response = running.response.unwrap();
    assert_eq!((response.status, response.problem().as_str()), (402, "expired"));
    assert!(!response.names("diagnostic"), "the time went by at our side");
    assert_eq!(world.origin.calls.len(), 0);
    let mut world = World::new();
    let payment = world.sign("/before");
    world.wait(300 - 37);
    let mut running = world.start(paid(&payment), b"");
    world.wait(4);
    while world.advance(&mut running) {}
    let response = running.response.unwrap();
    assert_eq!(response.problem(), "expired");
    assert!(!response.names("diagnostic"));
    assert!(world.ledger.failures.is_empty());
    assert_eq!(world.facilitator.settles.len(), 0);
    assert_eq!(world.ledger.state(), State::Released);
}

#[test]
fn after_a_restore_older_authorizations_are_not_served_and_not_asked_for_again() {
    let mut world = World::new();
    let payment = world.sign("/after");
    let mut vars = crate::world::vars(crate::world::routes());
    vars["LEDGER_CLOSED_BEFORE"] = (crate::world::BEGIN - 3000).into();
    world.gate = World::with(vars).gate;
    let response = world.present(&payment);
    assert_eq!((response.status, response.problem().as_str()), (503, "settlement_unknown"));
    assert!(world.ledger.entries().is_empty() && world.facilitator.urls.is_empty());
    world.wait(301);
    assert_eq!(world.pay("/after").status, 200);
}

#[test]
fn a_facilitator_known_to_be_down_is_spared_only_where_nothing_was_submitted() {
    let mut world = World::new();
    let payment = world.sign("/after");
    world.facilitator.verify_plan.push_back(Verify::Spared);
    assert_eq!(world.present(&payment).problem(), "facilitator_unavailable");
    assert_eq!(world.present(&payment).status, 200);
    let payment = world.sign("/before");
    world.facilitator.settle_plan.push_back(Settle::Spared);
    let response = world.present(&payment);
    assert_eq!((response.status, response.problem().as_str()), (503, "facilitator_unavailable"));
    assert_eq!(world.facilitator.settles_of(&payment.nonce), 0);
    assert_eq!(world.present(&payment).status, 200, "the same payment may come again");
}

#[test]
fn an_idempotent_route_that_was_paid_first_is_served_by_a_repeat_after_its_origin_failed() {
    let mut world = World::with(crate::world::vars(serde_json::json!([
        {"path": "/twice", "price": "$0.01", "settle": "before", "idempotent": true},
    ])));
    let payment = world.sign_as("/twice", "canary-identifier");
    world.origin.plan.push_back(Say::Lost);
    assert_eq!(world.present(&payment).problem(), "refund_due");
    let mut stranger = payment.clone();
    let mut bare = decoded(&payment.value);
    bare.as_object_mut().unwrap().remove("extensions");
    stranger.value = farebox_core::encoding::base64::encode(bare.to_string().as_bytes());
    assert_eq!(world.present(&stranger).problem(), "refund_due");
    let response = world.present(&payment);
    assert!(response.is_delivery());
    assert_eq!(world.facilitator.settles_of(&payment.nonce), 1);
    assert_eq!(world.ledger.state().name(), "delivered");
}
