//! Settlements whose outcome is not certain: never a fresh 402, never a delivery without proof.

use farebox_core::gate::Gate;
use farebox_core::ledger::State;
use farebox_core::payment::TxHash;
use serde_json::json;

use crate::world::facilitator::{Repeats, Settle, transaction_of};
use crate::world::ledger::Ledger;
use crate::world::payer::Payer;
use crate::world::{Response, With, World, paid, routes, vars};

const MODES: [&str; 2] = ["/after", "/before"];

fn is_unknown(response: &Response) {
    assert_eq!((response.status, response.problem().as_str()), (503, "settlement_unknown"));
    assert_eq!(response.headers.get("retry-after"), Some("5"));
    assert!(!response.has_terms());
    assert_eq!(response.settlement(), serde_json::Value::Null);
}

/// Every answer that proves nothing.
fn doubts() -> Vec<Settle> {
    let raw = |status: u16, body: &str| Settle::Raw(status, body.to_owned());
    let ok = r#"{"success":true,"transaction":"TX","network":"eip155:84532"}"#;
    let with = |from: &str, to: &str| ok.replace(from, to);
    vec![
        Settle::SilentBefore,
        Settle::SilentLate,
        raw(500, ok),
        raw(502, "<html>bad gateway"),
        raw(200, "<html>"),
        raw(200, "[]"),
        raw(200, "{}"),
        raw(200, &with("TX", "")),
        raw(200, &with("TX", "0x1234")),
        raw(200, &with("TX", &format!("0x{}", "0".repeat(64)))),
        raw(200, &with("84532", "8453")),
        raw(200, &with("true", "1")),
        raw(
            200,
            &with(
                "\"network\"",
                "\"payer\":\"0x70997970C51812dc3A010C7d01b50e0d17dc79C8\",\"network\"",
            ),
        ),
        raw(200, &with("\"network\"", "\"amount\":\"1\",\"network\"")),
        raw(200, &with("\"network\"", "\"success\":true,\"network\"")),
        raw(
            200,
            r#"{"success":false,"errorReason":"settlement_pending","transaction":"TX","network":"eip155:84532"}"#,
        ),
        raw(
            200,
            r#"{"success":false,"errorReason":"insufficient_funds","transaction":"TX","network":"eip155:84532"}"#,
        ),
        Settle::Refuse("duplicate_settlement"),
        Settle::Refuse("invalid_exact_evm_nonce_already_used"),
        Settle::Refuse("invalid_transaction_state"),
        Settle::Refuse("unexpected_settle_error"),
        Settle::Refuse("words nobody knows"),
        Settle::Refuse(""),
    ]
}

// A-41, A-72, A-73, A-76, A-80
#[test]
fn a_settlement_that_is_not_proved_is_neither_delivered_nor_answered_with_terms() {
    for target in MODES {
        for doubt in doubts() {
            let mut world = World::new();
            let payment = world.sign(target);
            world.facilitator.settle_plan.extend([doubt.clone(), doubt.clone()]);
            let response = world.present(&payment);
            is_unknown(&response);
            assert_eq!(world.ledger.state().name(), "unknown", "{doubt:?}");
            assert_eq!(world.facilitator.settles_of(&payment.nonce), 2, "one re-send: {doubt:?}");
            assert_eq!(world.origin.calls.len(), usize::from(target == "/after"));
        }
    }
}

#[test]
fn one_re_send_resolves_a_lost_reply_while_the_client_waits() {
    for target in MODES {
        for (first, repeats) in
            [(Settle::SilentAfter, Repeats::Idempotent), (Settle::SilentBefore, Repeats::NonceUsed)]
        {
            let mut world = World::new();
            world.facilitator.repeats = repeats;
            let payment = world.sign(target);
            world.facilitator.settle_plan.push_back(first);
            let began = world.now_ms;
            let response = world.present(&payment);
            assert!(response.is_delivery(), "{target}");
            assert_eq!(world.now_ms - began, 1_000, "a second apart");
            assert_eq!((world.facilitator.settles.len(), world.origin.calls.len()), (2, 1));
            assert_eq!(
                world.facilitator.settles[0], world.facilitator.settles[1],
                "the same bytes"
            );
        }
    }
}

// A-141
#[test]
fn a_client_is_answered_after_ten_seconds_and_the_re_send_goes_on() {
    for target in MODES {
        let mut world = World::new();
        let payment = world.sign_as(target, "canary-identifier-1");
        let slow = Settle::Slow(20_000, Box::new(Settle::Honest));
        world.facilitator.settle_plan.extend([Settle::SilentBefore, slow]);
        is_unknown(&world.present(&payment));
        let state = world.ledger.state().name();
        assert_eq!(state, if target == "/after" { "delivered" } else { "settled" });
        let repeat = world.present(&payment);
        assert_eq!(repeat.status, 200);
        assert_eq!(world.origin.calls.len(), 1);
        assert_eq!(world.facilitator.settles.len(), 2);
    }
}

#[test]
fn every_repeat_of_an_unknown_payment_re_sends_once_and_a_second_apart() {
    for target in MODES {
        let mut world = World::new();
        let payment = world.sign(target);
        world.facilitator.settle_plan.extend(vec![Settle::SilentBefore; 4]);
        is_unknown(&world.present(&payment));
        is_unknown(&world.present(&payment));
        assert_eq!(world.facilitator.settles.len(), 2, "too soon to send again");
        world.wait(1);
        is_unknown(&world.present(&payment));
        assert_eq!(world.facilitator.settles.len(), 3);
        world.wait(1);
        let mut first = world.start(paid(&payment), b"");
        world.advance(&mut first);
        assert_eq!(first.next(), "settle");
        world.wait(2);
        is_unknown(&world.present(&payment));
        assert_eq!(world.facilitator.settles.len(), 3, "one in flight per payment");
        while world.advance(&mut first) {}
        is_unknown(&first.response.unwrap());
        world.wait(1);
        let response = world.present(&payment);
        assert!(response.is_delivery());
        assert_eq!(world.facilitator.settles.len(), 5);
        let (_, bytes) = &world.facilitator.settles[0];
        assert!(world.facilitator.settles.iter().all(|(_, other)| other == bytes));
        assert_eq!(world.origin.calls.len(), 1);
    }
}

// A-42, A-81
#[test]
fn a_refusal_after_an_unknown_outcome_proves_nothing() {
    for target in MODES {
        let mut world = World::new();
        let payment = world.sign(target);
        world
            .facilitator
            .settle_plan
            .extend([Settle::SilentLate, Settle::Refuse("insufficient_funds")]);
        is_unknown(&world.present(&payment));
        world.wait(2);
        world.facilitator.settle_plan.push_back(Settle::Refuse("invalid_payload"));
        is_unknown(&world.present(&payment));
        world.facilitator.chain.land();
        world.facilitator.repeats = Repeats::Idempotent;
        world.wait(2);
        assert!(world.present(&payment).is_delivery());
    }
}

#[test]
pub fn another_payment_for_the_same_request_waits_for_an_unknown_one() {
    for (target, elsewhere) in [("/after", "/after/other"), ("/before", "/before/other")] {
        let mut world = World::new();
        let first = world.sign(target);
        world.facilitator.settle_plan.extend([Settle::SilentLate, Settle::SilentLate]);
        is_unknown(&world.present(&first));
        let origin = world.origin.calls.len();
        let second = world.sign(target);
        let response = world.present(&second);
        assert_eq!((response.status, response.problem().as_str()), (503, "payment_unresolved"));
        assert_eq!(response.headers.get("retry-after"), Some("5"));
        assert!(!response.has_terms());
        assert_eq!(world.facilitator.settles_of(&second.nonce), 0);
        assert_eq!(world.origin.calls.len(), origin, "not forwarded");
        assert_eq!(world.pay(elsewhere).status, 200, "other requests may be paid");
        world.wait(first.valid_before + 60 - world.now().secs());
        assert_eq!(world.pay(target).status, 200, "until the first can no longer be charged");
    }
}

#[test]
pub fn another_payment_for_the_same_request_waits_for_an_unknown_one_at_whatever_terms() {
    let changed = |member: &str, value: &str| {
        let mut routes = crate::world::routes();
        for route in routes.as_array_mut().unwrap() {
            route[member] = value.into();
        }
        World::with(crate::world::vars(routes)).gate
    };
    let payee = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
    for (member, value) in [("price", "$0.05"), ("pay_to", payee)] {
        let mut world = World::new();
        let first = world.sign("/before");
        world.facilitator.settle_plan.extend([Settle::SilentLate, Settle::SilentLate]);
        is_unknown(&world.present(&first));
        world.gate = changed(member, value);
        let second = world.sign("/before");
        let response = world.present(&second);
        let said = (response.status, response.problem(), response.has_terms());
        assert_eq!(said, (503, "payment_unresolved".to_owned(), false), "{member}");
        assert_eq!(world.facilitator.settles_of(&second.nonce), 0, "{member}");
        assert_eq!(world.pay("/before/other").status, 200, "other requests may be paid");
        world.wait(first.valid_before + 60 - world.now().secs());
        assert_eq!(world.pay("/before").status, 200, "until the first can no longer be charged");
    }
}

// A-302
#[test]
pub fn what_one_user_of_a_wallet_has_paid_for_is_not_another_ones() {
    for (name, one, other) in [
        ("idempotency-key", "order-of-alice-0123456789", "order-of-bob-0123456789"),
        ("authorization", "Bearer alice", "Bearer bob"),
    ] {
        for target in MODES {
            let mut world = World::new();
            let first = world.sign(target);
            world.facilitator.settle_plan.extend([Settle::SilentLate, Settle::SilentLate]);
            is_unknown(&world.send(paid(&first).header(name, one)));
            let asked = world.origin.calls.len();
            let second = world.sign(target);
            let told = world.send(paid(&second).header(name, one)).problem();
            assert_eq!(told, "payment_unresolved", "{name} {target}: the same purchase waits");
            assert_eq!(world.facilitator.settles_of(&second.nonce), 0);
            // Another one is neither held back nor served by what the first has paid.
            let third = world.sign(target);
            assert!(world.send(paid(&third).header(name, other)).is_delivery());
            assert_eq!(world.facilitator.settles_of(&third.nonce), 1, "{name} {target}");
            assert_eq!(world.origin.calls.len(), asked + 1, "{name} {target}");
            // The payment is known by its bytes, whatever name it comes under.
            let again = world.send(paid(&first).header(name, other));
            assert_ne!(again.problem(), "payment_already_used", "{name} {target}");
        }
    }
}

#[test]
fn a_refused_settlement_blocks_no_other_payment() {
    for target in MODES {
        let mut world = World::new();
        world.facilitator.settle_plan.push_back(Settle::Refuse("insufficient_funds"));
        assert_eq!(world.pay(target).problem(), "settlement_refused");
        assert_eq!(world.pay(target).status, 200);
    }
}

// A-75
#[test]
pub fn one_transaction_never_serves_two_payments() {
    for target in MODES {
        let mut world = World::new();
        let first = world.sign(target);
        assert_eq!(world.present(&first).status, 200);
        let second = world.sign(target);
        let lie = format!(
            r#"{{"success":true,"transaction":"{}","network":"eip155:84532"}}"#,
            transaction_of(&first.nonce)
        );
        world
            .facilitator
            .settle_plan
            .extend([Settle::Raw(200, lie.clone()), Settle::Raw(200, lie)]);
        is_unknown(&world.present(&second));
        let hash = TxHash::parse(&transaction_of(&first.nonce));
        let rows = world.ledger.entries();
        assert_eq!(rows.iter().filter(|row| row.transaction() == hash).count(), 1);
    }
}

#[test]
fn a_lost_owner_leaves_a_row_that_the_same_payment_finishes() {
    let steps_after =
        ["claim", "verify", "forward", "collect", "record", "settle", "record", "respond"];
    for crash_at in 0..steps_after.len() {
        let mut world = World::new();
        world.facilitator.repeats = Repeats::Idempotent;
        let payment = world.sign_as("/after", "canary-identifier-2");
        let mut first = world.start(paid(&payment), b"");
        for step in &steps_after[..crash_at] {
            assert_eq!(first.next(), *step);
            world.advance(&mut first);
        }
        drop(first);
        world.wait(100);
        world.ledger.lapse(world.now());
        let state = world.ledger.entries().first().map(|row| row.state.name());
        let expected = match crash_at {
            0 => None,
            1..=4 => Some("abandoned"),
            5 | 6 => Some("unknown"),
            _ => Some("delivered"),
        };
        assert_eq!(state.as_deref(), expected, "{crash_at}");
        let repeat = world.present(&payment);
        let status = if (1..=4).contains(&crash_at) { 409 } else { 200 };
        assert_eq!(repeat.status, status, "{crash_at} {}", repeat.problem());
        assert!(world.origin.calls.len() <= 1);
        assert_eq!(world.facilitator.chain.is_paid(&payment.nonce), status == 200);
    }
}

// A-45
#[test]
fn a_lost_owner_of_a_prepaid_request_never_runs_the_origin_twice() {
    let steps = ["claim", "settle", "record", "forward", "collect", "record", "respond"];
    for crash_at in 0..steps.len() {
        let mut world = World::new();
        world.facilitator.repeats = Repeats::Idempotent;
        let payment = world.sign_as("/before", "canary-identifier-3");
        let mut first = world.start(paid(&payment), b"");
        for step in &steps[..crash_at] {
            assert_eq!(first.next(), *step);
            world.advance(&mut first);
        }
        drop(first);
        world.wait(100);
        let repeat = world.present(&payment);
        let expected = if (3..=5).contains(&crash_at) { 409 } else { 200 };
        assert_eq!(repeat.status, expected, "{crash_at} {}", repeat.problem());
        if expected == 409 {
            assert_eq!(repeat.problem(), "refund_due");
        }
        assert!(world.origin.calls.len() <= 1);
        assert!(world.facilitator.chain.is_paid(&payment.nonce));
    }
}

// A-44
#[test]
fn an_owner_that_comes_back_too_late_drops_what_it_holds() {
    // The origin took longer than the lease; the row is abandoned and nothing is settled.
    let mut world = World::new();
    let payment = world.sign("/after");
    let mut owner = world.start(paid(&payment), b"");
    for _ in 0..3 {
        world.advance(&mut owner);
    }
    world.wait(71);
    while world.advance(&mut owner) {}
    let response = owner.response.unwrap();
    // The row says that nothing is charged, so the payer is told so.
    assert_eq!((response.status, response.problem().as_str()), (409, "origin_failed"));
    assert_eq!(world.facilitator.settles.len(), 0);
    assert_eq!(world.ledger.state(), State::Abandoned);

    // On an idempotent route somebody else has begun again: only he is served.
    let mut world = World::new();
    let payment = world.sign("/again");
    let mut old = world.start(paid(&payment), b"");
    for _ in 0..3 {
        world.advance(&mut old);
    }
    world.wait(71);
    let mut new = world.start(paid(&payment), b"");
    world.advance(&mut new);
    while world.advance(&mut old) {}
    let late = old.response.unwrap();
    assert_eq!((late.status, late.problem().as_str()), (409, "payment_in_progress"));
    assert!(!late.has_terms());
    while world.advance(&mut new) {}
    assert_eq!(new.response.unwrap().status, 200);
    assert_eq!(world.facilitator.settles.len(), 1);
}

#[test]
fn a_prepaid_answer_that_outlasts_its_lease_is_a_refund_due() {
    let mut world = World::new();
    let payment = world.sign("/before");
    let mut owner = world.start(paid(&payment), b"");
    for _ in 0..4 {
        world.advance(&mut owner);
    }
    world.wait(66);
    while world.advance(&mut owner) {}
    let response = owner.response.unwrap();
    assert_eq!((response.status, response.problem().as_str()), (504, "refund_due"));
    assert_eq!(response.settlement()["success"], true);
    assert_eq!(world.ledger.state().name(), "refund_due");
}

#[test]
fn a_late_success_of_an_old_fence_is_evidence_and_no_transition() {
    let mut world = World::new();
    let payment = world.sign("/after");
    let mut owner = world.start(paid(&payment), b"");
    for _ in 0..6 {
        world.advance(&mut owner);
    }
    assert_eq!(owner.next(), "record");
    world.wait(36);
    while world.advance(&mut owner) {}
    is_unknown(&owner.response.unwrap());
    let State::Unknown { transaction, .. } = world.ledger.state() else {
        panic!("{:?}", world.ledger.state());
    };
    assert_eq!(transaction, TxHash::parse(&transaction_of(&payment.nonce)));
}

// A-30
#[test]
fn a_hundred_copies_of_one_payment_are_one_execution_one_settlement_and_one_delivery() {
    for target in MODES {
        let mut world = World::new();
        let payment = world.sign(target);
        let mut copies: Vec<_> = (0..100).map(|_| world.start(paid(&payment), b"")).collect();
        let mut going = true;
        while going {
            going = false;
            for copy in &mut copies {
                going |= world.advance(copy);
            }
        }
        let answers: Vec<_> = copies.into_iter().map(|copy| copy.response.unwrap()).collect();
        assert_eq!(answers.iter().filter(|answer| answer.is_delivery()).count(), 1);
        assert_eq!(answers.iter().filter(|answer| answer.status == 409).count(), 99);
        assert_eq!((world.origin.calls.len(), world.facilitator.settles.len()), (1, 1));
    }
}

/// Two payers whose rows are in two objects, which know nothing of each other's transactions; the facilitator settles for the
/// first one, and tells the second one the same transaction.
fn told_twice(target: &str) -> (Response, Response, World) {
    let mut world = World::with_chain();
    let first = world.sign(target);
    let honest = world.present(&first);
    world.ledger = Ledger::new(world.gate.plan().clone());
    world.payer = Payer::new(2);
    let second = world.sign(target);
    let lie = json!({
        "success": true, "transaction": transaction_of(&first.nonce), "network": "eip155:84532",
        "payer": world.payer.address.to_checksum(),
    });
    let lies = (0..100).map(|_| Settle::Raw(200, lie.to_string()));
    world.facilitator.settle_plan.extend(lies);
    let lied_to = world.present(&second);
    (honest, lied_to, world)
}

// A-75
#[test]
pub fn one_transaction_told_to_two_payers_serves_the_second_only_where_the_facilitator_is_believed()
{
    for (target, status, deliveries) in
        [("/after", 200, 2), ("/before", 200, 2), ("/sure/after", 503, 2), ("/sure/before", 503, 1)]
    {
        let (honest, lied_to, mut world) = told_twice(target);
        assert_eq!((honest.status, lied_to.status), (200, status), "{target}");
        assert_eq!(lied_to.is_delivery(), status == 200, "{target}");
        assert_eq!(world.origin.calls.len(), deliveries, "{target}");
        world.pass(4_000);
        let state = world.ledger.state().name();
        assert_eq!(state, if status == 200 { "delivered" } else { "void" }, "{target}");
    }
}

#[test]
fn a_re_send_speaks_the_version_of_the_first_request() {
    let mut world = World::new();
    let body = world.ask("/after").json();
    let now = world.now().secs();
    let one = world.payer.sign_v1(&body, now);
    world.facilitator.settle_plan.extend([Settle::SilentBefore, Settle::SilentBefore]);
    is_unknown(&world.present(&one));
    world.wait(2);
    let head = paid(&one).header("x-correlation-id", "second-try");
    let response = world.send(head);
    assert_eq!(response.status, 200);
    assert_eq!(response.settlement()["network"], "base-sepolia");
}

// A-164
#[test]
pub fn transactions_whose_hashes_begin_alike_are_several() {
    for target in MODES {
        let mut world = World::new();
        for count in 1..=3 {
            let named = json!({
                "success": true, "transaction": format!("0x{count:064x}"), "network": "eip155:84532",
                "payer": world.payer.address.to_checksum(),
            });
            world.facilitator.settle_plan =
                (0..100).map(|_| Settle::Raw(200, named.to_string())).collect();
            assert_eq!(world.pay(target).status, 200, "{target}: {count}");
        }
    }
}

#[test]
fn a_payment_in_doubt_stays_one_when_the_pattern_of_its_route_is_rewritten() {
    for target in MODES {
        let mut world = World::new();
        let payment = world.sign_as(target, "an-identifier-of-mine");
        world.facilitator.repeats = Repeats::Idempotent;
        world.facilitator.settle_plan.extend([Settle::SilentAfter, Settle::SilentAfter]);
        is_unknown(&world.present(&payment));
        let mut routes = routes();
        for route in routes.as_array_mut().into_iter().flatten() {
            if route["path"] == target {
                let (slash, name) = target.split_at(1);
                route["path"] = format!("{slash}[{name}]").into();
            }
        }
        let rewritten = Gate::from_vars(&vars(routes).to_string()).unwrap();
        world.gate = Box::leak(Box::new(rewritten));
        world.wait(2);
        let again = world.present(&payment);
        assert!(again.is_delivery(), "{target}: {} {}", again.status, again.problem());
        assert_eq!(world.facilitator.settles_of(&payment.nonce), 3, "{target}: the same bytes");
    }
}
