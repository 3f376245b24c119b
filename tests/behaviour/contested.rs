//! Of several nonces that may pay for one request, one is asked for money, whichever object of the ledger knows which.
//! Spec: docs/repeats.md, "A new signature for an earlier payment".

use farebox_core::gate::Gate;
use farebox_core::ledger::State;
use serde_json::json;

use crate::world::facilitator::{Repeats, Settle, Verify};
use crate::world::origin::Say;
use crate::world::payer::Payment;
use crate::world::{World, paid, routes, vars};

/// A gate that reads the chain, with this number of objects.
pub fn gate(shards: &str) -> &'static Gate {
    let mut vars = vars(routes());
    vars["RPC_URL"] = json!("http://127.0.0.1:9002/");
    vars["LEDGER_SHARDS"] = json!(shards);
    Box::leak(Box::new(Gate::from_vars(&vars.to_string()).unwrap()))
}

/// The numbers of objects: of the first payment, and of all that comes later.
const SIZES: [[&str; 2]; 3] = [["16", "16"], ["16", "64,16"], ["64,16", "64,16"]];

/// The way in which a payment came to rest without a charge.
#[derive(Clone, Copy, Debug)]
pub enum Rest {
    /// The facilitator refused to settle it.
    Refused,
    /// The facilitator refused to verify it.
    LetGo,
    /// The origin failed.
    OriginFailed,
}

pub fn rested(world: &mut World, target: &str, rest: Rest) -> Payment {
    match rest {
        Rest::Refused => {
            world.facilitator.settle_plan.push_back(Settle::Refuse("insufficient_funds"))
        }
        Rest::LetGo => {
            let no = r#"{"isValid":false,"invalidReason":"unexpected_verify_error"}"#;
            world.facilitator.verify_plan.push_back(Verify::Raw(200, no.to_owned()));
        }
        Rest::OriginFailed => world.origin.plan.push_back(Say::Whole("503\n", "")),
    }
    let first = world.sign(target);
    assert_ne!(world.present(&first).status, 200, "{target} {rest:?}");
    let state = world.row_of(&first.nonce).state;
    let is_at_rest = match rest {
        Rest::Refused => matches!(state, State::Refused { .. }),
        Rest::LetGo => matches!(state, State::Released),
        Rest::OriginFailed => matches!(state, State::Abandoned),
    };
    assert!(is_at_rest, "{target} {rest:?}: {state:?}");
    first
}

pub fn transfers(world: &World, payment: &Payment) -> u32 {
    world.facilitator.chain.fates.get(&payment.nonce).map_or(0, |fate| fate.transfers)
}

// A-209
#[test]
pub fn what_rests_is_not_paid_beside_another_payment_of_its_request() {
    let mut played = 0;
    for [before, after] in SIZES {
        for (target, rest) in [
            ("/after", Rest::Refused),
            ("/before", Rest::Refused),
            ("/after", Rest::LetGo),
            ("/again", Rest::OriginFailed),
        ] {
            for is_paid in [false, true] {
                for signs_again in [false, true] {
                    let case =
                        format!("{before} {after} {target} {rest:?} {is_paid} {signs_again}");
                    let mut world = World::around(gate(before));
                    let first = rested(&mut world, target, rest);
                    world.gate = gate(after);
                    // Another nonce: its answer is lost, and it is paid.
                    let other = world.sign(target);
                    world.facilitator.settle_plan.extend(vec![Settle::SilentAfter; 2]);
                    assert_eq!(world.present(&other).problem(), "settlement_unknown", "{case}");
                    world.facilitator.settle_plan.clear();
                    if is_paid {
                        world.facilitator.repeats = Repeats::Idempotent;
                        world.pass(70);
                        let state = world.row_of(&other.nonce).state;
                        let is_seen =
                            matches!(state, State::Settled { .. } | State::Delivered { .. });
                        assert!(is_seen, "{case}: {state:?}");
                    }
                    let mut shown = first.clone();
                    if signs_again {
                        world.wait(2);
                        let nonce = farebox_core::encoding::hex::decode_array(&first.nonce);
                        world.payer.bound = Some(nonce.unwrap());
                        shown = world.sign(target);
                    }
                    let (calls, rows) = (world.origin.calls.len(), world.ledger.entries());
                    let problem = world.present(&shown).problem();
                    let expected =
                        if is_paid { "payment_already_used" } else { "payment_unresolved" };
                    assert_eq!(problem, expected, "{case}");
                    assert_eq!(world.origin.calls.len(), calls, "{case}");
                    assert_eq!(world.ledger.entries(), rows, "{case}: nothing is written");
                    world.pass(300);
                    let charged = [transfers(&world, &first), transfers(&world, &other)];
                    assert_eq!(charged, [0, 1], "{case}");
                    played += 1;
                }
            }
        }
    }
    assert_eq!(played, 48);
}

#[test]
pub fn what_rests_in_the_object_before_a_change_begins_there_if_nothing_stands_in_its_way() {
    for (target, rest) in
        [("/after", Rest::Refused), ("/before", Rest::Refused), ("/after", Rest::LetGo)]
    {
        let mut world = World::around(gate("16"));
        let first = rested(&mut world, target, rest);
        world.gate = gate("64,16");
        world.wait(2);
        assert_eq!(world.present(&first).status, 200, "{target} {rest:?}");
        assert_eq!(transfers(&world, &first), 1);
        assert_eq!(world.ledger.entries().len(), 1, "one nonce, one row");
    }
}

// A-212
#[test]
pub fn while_a_refused_payment_is_sent_again_its_outcome_is_not_known() {
    for target in ["/after", "/before"] {
        let mut world = World::around(gate("16"));
        let first = rested(&mut world, target, Rest::Refused);
        world.wait(2);
        let mut running = world.start(paid(&first), b"");
        while running.next() != "settle" {
            assert!(world.advance(&mut running), "{target}");
        }
        assert_eq!(world.present(&first).problem(), "payment_in_progress", "{target}");
        let other = world.sign(target);
        assert_eq!(world.present(&other).problem(), "payment_unresolved", "{target}");
        while world.advance(&mut running) {}
        assert_eq!(running.response.unwrap().status, 200, "{target}");
        assert_eq!([transfers(&world, &first), transfers(&world, &other)], [1, 0], "{target}");
    }
}

// A-212
#[test]
pub fn a_second_send_whose_report_is_lost_is_in_doubt() {
    for target in ["/after", "/before"] {
        let mut world = World::around(gate("16"));
        let first = rested(&mut world, target, Rest::Refused);
        world.wait(2);
        let mut running = world.start(paid(&first), b"");
        while running.next() != "settle" {
            assert!(world.advance(&mut running), "{target}");
        }
        // The Worker is killed with it.
        drop(running);
        let leased = world.row_of(&first.nonce);
        let State::Refused { resend: Some(resend), .. } = &leased.state else {
            panic!("{target}: {leased:?}")
        };
        let lapsed = leased.clone().lapse(resend.until);
        assert!(matches!(lapsed.state, State::Unknown { .. }), "{target}: {lapsed:?}");
        let other = world.sign(target);
        world.wait(resend.until.secs() - world.now().secs());
        assert_eq!(world.present(&other).problem(), "payment_unresolved", "{target}");
        assert_eq!(world.present(&first).status, 200, "{target}: it is sent once more");
        assert_eq!([transfers(&world, &first), transfers(&world, &other)], [1, 0], "{target}");
    }
}

// A-209
#[test]
pub fn what_was_refused_in_the_new_object_waits_for_the_old_one() {
    for [before, after] in [["16", "16"], ["16", "64,16"]] {
        let mut world = World::around(gate(before));
        let first = rested(&mut world, "/after", Rest::LetGo);
        world.gate = gate(after);
        let second = world.sign("/after");
        world.facilitator.settle_plan.push_back(Settle::Refuse("insufficient_funds"));
        assert_eq!(world.present(&second).problem(), "settlement_refused", "{after}");
        // Longer than the old object remembers that it was on its way to the new one.
        world.wait(11);
        // The first begins in the object that knows it.
        let mut running = world.start(paid(&first), b"");
        while running.next() != "settle" {
            assert!(world.advance(&mut running), "{after}");
        }
        assert_eq!(world.present(&second).problem(), "payment_unresolved", "{after}");
        while world.advance(&mut running) {}
        assert_eq!(running.response.unwrap().status, 200, "{after}");
        assert_eq!([transfers(&world, &first), transfers(&world, &second)], [1, 0], "{after}");
    }
}

// A-209
#[test]
pub fn what_is_between_two_objects_is_not_paid_beside_another() {
    for target in ["/after", "/before"] {
        // Each step at which the first may be while the second is shown, and the other way around.
        for (steps, swap) in (0..8).flat_map(|steps| [(steps, false), (steps, true)]) {
            let mut world = World::around(gate("16"));
            let old = rested(&mut world, target, Rest::Refused);
            world.gate = gate("64,16");
            world.wait(2);
            let new = world.sign(target);
            let [one, other] = if swap { [&new, &old] } else { [&old, &new] };
            let mut running = world.start(paid(one), b"");
            let mut left = steps;
            while left > 0 && running.next() != "settle" {
                assert!(world.advance(&mut running), "{target} {steps}");
                left -= 1;
            }
            let begun = world.find_row(&one.nonce).is_some_and(|row| row.is_active());
            let second = world.present(other).status;
            while world.advance(&mut running) {}
            let first = running.response.unwrap().status;
            let charged = [transfers(&world, &old), transfers(&world, &new)];
            // A payment that nobody has refused yet may begin beside one that is worked on.
            let is_apart = steps == 0 || swap && begun;
            assert!(is_apart || charged != [1, 1], "{target} {steps} {swap}: {first} {second}");
        }
    }
}
