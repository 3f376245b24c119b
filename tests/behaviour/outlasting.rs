//! The objects from before a change of their number go on with what they know, also after it: of a payment that is
//! signed again, stands for another one, or never ends. Spec: docs/configuration.md, "Changing the number of ledger objects".

use farebox_core::encoding::hex;

use crate::contested::{Rest, gate, rested, transfers};
use crate::world::facilitator::{Repeats, Settle};
use crate::world::payer::Payment;
use crate::world::{With, World, paid};

const RESTS: [(&str, Rest); 4] = [
    ("/after", Rest::Refused),
    ("/before", Rest::Refused),
    ("/after", Rest::LetGo),
    ("/again", Rest::OriginFailed),
];

/// The nonce of a payment, signed again for longer.
fn again(world: &mut World, payment: &Payment) -> Payment {
    world.wait(2);
    world.payer.bound = Some(hex::decode_array(&payment.nonce).unwrap());
    world.sign(&payment.target)
}

/// A payment that rests in the object from before a change, and its nonce signed again during the change.
fn resting_and_again(target: &str, rest: Rest) -> (World, Payment, Payment) {
    let mut world = World::around(gate("16"));
    // Whoever settles it again is told of the first transfer, so nothing but the ledger stops it.
    world.facilitator.repeats = Repeats::Idempotent;
    let first = rested(&mut world, target, rest);
    world.gate = gate("64,16");
    let second = again(&mut world, &first);
    (world, first, second)
}

// A-210
#[test]
pub fn what_is_signed_again_during_a_change_is_delivered_once() {
    for (target, rest) in RESTS {
        let (mut world, first, second) = resting_and_again(target, rest);
        assert_eq!(world.present(&second).status, 200, "{target} {rest:?}");
        assert_eq!(world.ledger.entries().len(), 1, "{target} {rest:?}: one nonce, one row");
        let calls = world.origin.calls.len();
        for shards in ["64,16", "64+16"] {
            world.gate = gate(shards);
            let repeat = world.present(&second);
            assert_eq!(repeat.problem(), "payment_already_delivered", "{target} {rest:?} {shards}");
            assert_ne!(world.present(&first).status, 200, "{target} {rest:?} {shards}");
        }
        assert_eq!(world.origin.calls.len(), calls, "{target} {rest:?}");
        assert_eq!(transfers(&world, &second), 1, "{target} {rest:?}");
    }
}

// A-210
#[test]
pub fn a_doubt_of_what_was_signed_again_outlasts_the_change() {
    for (target, rest) in RESTS {
        let (mut world, _, second) = resting_and_again(target, rest);
        world.facilitator.settle_plan.extend(vec![Settle::SilentAfter; 2]);
        assert_eq!(world.present(&second).problem(), "settlement_unknown", "{target} {rest:?}");
        world.facilitator.settle_plan.clear();
        world.gate = gate("64+16");
        let other = world.sign(target);
        assert_eq!(world.present(&other).problem(), "payment_unresolved", "{target} {rest:?}");
        world.pass(300);
        let charged = [transfers(&world, &second), transfers(&world, &other)];
        assert_eq!(charged, [1, 0], "{target} {rest:?}");
    }
}

#[test]
pub fn what_begins_after_a_change_marks_nothing_and_is_known_from_then_on() {
    for target in ["/after", "/before"] {
        let mut world = World::around(gate("64+16"));
        let payment = world.sign_as(target, "an-identifier-of-22-characters");
        world.ledger.objects.clear();
        assert_eq!(world.present(&payment).status, 200, "{target}");
        let asked = world.ledger.objects.clone();
        assert!(
            asked[0].starts_with("ledger/16/") && asked[1].starts_with("ledger/64/"),
            "{asked:?}"
        );
        assert_eq!(world.ledger.marks(), 0, "{target}");
        assert_eq!(world.present(&payment).status, 200, "{target}: it is replayed");
        assert_eq!(transfers(&world, &payment), 1, "{target}");
        // A doubt there holds another payment of the request back, as ever.
        let [one, other] = [world.sign(target), world.sign(target)];
        world.facilitator.settle_plan.extend(vec![Settle::SilentAfter; 2]);
        assert_eq!(world.present(&one).problem(), "settlement_unknown", "{target}");
        assert_eq!(world.present(&other).problem(), "payment_unresolved", "{target}");
    }
}

#[test]
pub fn what_stands_for_an_earlier_payment_is_not_settled_after_the_change() {
    for target in ["/after", "/before"] {
        let mut world = World::around(gate("16"));
        world.facilitator.repeats = Repeats::Idempotent;
        let first = world.sign(target);
        world.facilitator.settle_plan.extend(vec![Settle::SilentAfter; 2]);
        assert_eq!(world.present(&first).problem(), "settlement_unknown", "{target}");
        world.facilitator.settle_plan.clear();
        world.pass(70);
        world.gate = gate("64,16");
        let second = world.sign(target);
        assert_eq!(world.present(&second).status, 200, "{target}: it is served for the first");
        let calls = world.origin.calls.len();
        world.gate = gate("64+16");
        assert_eq!(world.present(&second).status, 200, "{target}: it still stands for it");
        assert_eq!(world.origin.calls.len(), calls, "{target}");
        world.pass(300);
        let charged = [transfers(&world, &first), transfers(&world, &second)];
        assert_eq!(charged, [1, 0], "{target}");
    }
}

// A-211
#[test]
pub fn two_payments_of_a_challenge_for_two_ranges_buy_once_between_two_objects() {
    use crate::mpp::two_of_one_challenge;
    for steps in 0..8 {
        let mut world = World::around(gate("16"));
        let [joined, listed] = two_of_one_challenge(&mut world);
        let no = r#"{"isValid":false,"invalidReason":"unexpected_verify_error"}"#;
        let refusal = crate::world::facilitator::Verify::Raw(200, no.to_owned());
        world.facilitator.verify_plan.push_back(refusal);
        assert_eq!(world.send(paid(&joined)).status, 402);
        world.gate = gate("64,16");
        world.wait(2);
        let mut running = world.start(paid(&joined), b"");
        for _ in 0..steps {
            if running.next() != "settle" {
                world.advance(&mut running);
            }
        }
        let second = world.send(paid(&listed).header("range", "bytes=0-1")).status;
        while world.advance(&mut running) {}
        let first = running.response.unwrap().status;
        let charged = [transfers(&world, &joined), transfers(&world, &listed)];
        assert!(charged != [1, 1], "{steps}: {first} {second}");
        assert!(first == 200 || second == 200, "{steps}: {first} {second}");
    }
}
