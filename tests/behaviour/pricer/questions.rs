//! A purchase stays the same one when its payer comes with other fields that the pricer was told: those say what the origin may
//! be asked for the price, and nothing else. Spec: docs/repeats.md, "Repeats".

use farebox_core::encoding::hex;
use farebox_core::http::RequestHead;
use farebox_core::ledger::State;
use serde_json::{Value, json};

use crate::world::facilitator::{Repeats, Settle};
use crate::world::origin::Say;
use crate::world::payer::Payment;
use crate::world::{Response, With, World, get, paid};

use super::{gate_vars, max, price, says, sign};

/// What a payer brings from another network or program.
const FIELDS: [(&str, &str); 5] = [
    ("cf-ipcountry", "FR"),
    ("user-agent", "another/2.0"),
    ("accept", "*/*"),
    ("accept-language", "fr"),
    ("origin", "https://other.example"),
];

/// Prices of other requests, or none.
fn others() -> [Option<Value>; 3] {
    [Some(price("$0.90")), Some(price("free")), None]
}

fn world() -> World {
    let mut world = World::with(gate_vars(json!([
        {"path": "/quoted", "price": max("$1.00")},
        {"path": "/early", "price": max("$1.00"), "settle": "before"},
        {"path": "/twice", "price": max("$1.00"), "settle": "before", "idempotent": true},
    ])));
    says(&mut world, &[price("$0.02")]);
    world
}

/// As the first request, with its key.
fn own(payment: &Payment) -> RequestHead {
    paid(payment).header("idempotency-key", &"k".repeat(22))
}

/// Signed for what a request with this field costs now.
fn sign_with(world: &mut World, target: &str, name: &str, value: &str) -> Payment {
    let required = world.send(get(target).header(name, value)).payment_required();
    let now = world.now().secs();
    world.payer.sign(&required, now)
}

fn told(response: &Response) -> (u16, String) {
    (response.status, response.problem())
}

/// Paid, of which nobody here has heard.
fn in_doubt(world: &mut World, target: &str) -> Payment {
    world.facilitator.settle_plan.extend([Settle::SilentAfter, Settle::SilentBefore]);
    let payment = sign(world, target, 2);
    assert_eq!(world.send(own(&payment)).problem(), "settlement_unknown");
    payment
}

/// The alarm hears of it.
fn is_found(world: &mut World, payment: &Payment) {
    world.facilitator.repeats = Repeats::Idempotent;
    world.pass(60);
    assert!(!world.row_of(&payment.nonce).is_unpaid());
}

//
#[test]
pub fn what_was_paid_is_given_again_whatever_its_payer_comes_from() {
    for target in ["/quoted", "/early"] {
        for (name, value) in FIELDS {
            for answer in others() {
                let mut world = world();
                let payment = sign(&mut world, target, 2);
                let first = world.send(own(&payment));
                assert!(first.is_delivery());
                says(&mut world, answer.as_slice());
                let case = format!("{target} {name} {answer:?}");
                let secret = world.send(own(&payment).header(name, value));
                let again = world.again(&payment, &world.payer).header(name, value);
                for repeat in [secret, world.send(again)] {
                    assert_eq!((repeat.status, &repeat.body), (200, &first.body), "{case}");
                    assert_eq!(repeat.headers.get("payment-replayed"), Some("true"), "{case}");
                }
                let bare = world.send(paid(&payment).header(name, value));
                assert_eq!(told(&bare), (409, "payment_already_delivered".to_owned()), "{case}");
                assert_eq!(world.facilitator.settles_of(&payment.nonce), 1, "{case}");
                assert_eq!(world.origin.calls.len(), 1, "{case}");
            }
        }
    }
}

//
#[test]
pub fn an_unknown_outcome_is_no_second_charge_wherever_its_payer_comes_from() {
    for target in ["/quoted", "/early"] {
        for field in FIELDS {
            let mut world = world();
            let first = in_doubt(&mut world, target);
            says(&mut world, &[price("$0.90")]);
            let repeat = world.send(own(&first).header(field.0, field.1));
            assert_eq!(repeat.problem(), "settlement_unknown", "{target} {field:?}");
            let next = sign_with(&mut world, target, field.0, field.1);
            let second = world.send(own(&next).header(field.0, field.1));
            assert_eq!(second.problem(), "payment_unresolved", "{target} {field:?}");
            assert!(!world.facilitator.chain.is_used(&next.nonce), "{target} {field:?}");
        }
    }
}

//
#[test]
fn what_was_never_received_is_fetched_by_the_next_payment_from_elsewhere() {
    for target in ["/quoted", "/early"] {
        for field in FIELDS {
            let mut world = world();
            let first = in_doubt(&mut world, target);
            is_found(&mut world, &first);
            let next = sign_with(&mut world, target, field.0, field.1);
            let fetched = world.send(own(&next).header(field.0, field.1));
            assert!(fetched.is_delivery(), "{target} {field:?}: {}", fetched.problem());
            assert!(!world.facilitator.chain.is_used(&next.nonce), "{target} {field:?}");
            assert_eq!(world.origin.calls.len(), 1, "{target} {field:?}");
        }
    }
}

/// What a payer may hold before the origin was asked for it, or after it failed.
fn undelivered(world: &mut World, target: &str) -> Payment {
    let payment = match target {
        "/twice" => {
            world.origin.plan.push_back(Say::Lost);
            let payment = sign(world, target, 2);
            assert_eq!(world.send(own(&payment)).problem(), "refund_due");
            payment
        }
        _ => {
            let payment = in_doubt(world, target);
            is_found(world, &payment);
            payment
        }
    };
    world.origin.calls.clear();
    payment
}

//
#[test]
pub fn what_was_paid_for_a_cheap_question_asks_the_origin_no_dear_one() {
    for (target, state, code) in
        [("/early", "settled", "payment_already_used"), ("/twice", "refund_due", "refund_due")]
    {
        for field in FIELDS {
            for answer in others() {
                let mut world = world();
                let payment = undelivered(&mut world, target);
                assert_eq!(world.row_of(&payment.nonce).state.name(), state);
                says(&mut world, answer.as_slice());
                let dear = world.send(own(&payment).header(field.0, field.1));
                let case = format!("{target} {field:?} {answer:?}");
                assert_eq!(told(&dear), (409, code.to_owned()), "{case}");
                let again = world.again(&payment, &world.payer).header(field.0, field.1);
                assert_eq!(told(&world.send(again)), (409, code.to_owned()), "{case}");
                assert_eq!(world.origin.calls.len(), 0, "{case}");
                if target == "/early" {
                    let mine = world.send(own(&payment));
                    assert!(mine.is_delivery(), "{case}: its own question, {}", mine.problem());
                }
            }
        }
    }
}

//
#[test]
fn a_question_of_the_same_price_is_asked_for_what_was_paid() {
    for target in ["/early", "/twice"] {
        for field in FIELDS {
            let mut world = world();
            let payment = undelivered(&mut world, target);
            let alike = world.send(own(&payment).header(field.0, field.1));
            assert!(alike.is_delivery(), "{target} {field:?}: {}", alike.problem());
            assert_eq!(world.facilitator.chain.fates[&payment.nonce].transfers, 1);
            assert_eq!(world.origin.calls.len(), 1, "{target} {field:?}");
        }
    }
}

//
#[test]
fn what_was_paid_is_asked_for_at_the_same_price_after_its_end_and_at_no_other() {
    for field in FIELDS {
        for other in [None, Some(price("$0.90"))] {
            let mut world = world();
            let payment = in_doubt(&mut world, "/early");
            is_found(&mut world, &payment);
            let now = world.now().secs();
            world.wait(payment.valid_before.saturating_sub(now) + 1);
            assert!(matches!(world.row_of(&payment.nonce).state, State::Settled { .. }));
            world.origin.calls.clear();
            if let Some(dear) = &other {
                says(&mut world, std::slice::from_ref(dear));
            }
            let response = world.send(own(&payment).header(field.0, field.1));
            match other {
                None => assert!(response.is_delivery(), "{field:?}: {}", response.problem()),
                Some(_) => assert_eq!(told(&response), (409, "payment_already_used".to_owned())),
            }
            let times = usize::from(other.is_none());
            assert_eq!(world.origin.calls.len(), times, "{field:?}");
            assert_eq!(world.facilitator.chain.fates[&payment.nonce].transfers, 1);
        }
    }
}

//
#[test]
fn a_nonce_that_paid_for_a_cheap_question_pays_for_no_dear_one_when_it_is_signed_again() {
    for (target, code) in [("/early", "payment_already_used"), ("/twice", "refund_due")] {
        for field in FIELDS {
            let mut world = world();
            let payment = undelivered(&mut world, target);
            says(&mut world, &[price("$0.90")]);
            world.wait(2);
            world.payer.bound = Some(hex::decode_array(&payment.nonce).unwrap());
            let dear = sign_with(&mut world, target, field.0, field.1);
            assert_eq!(dear.nonce, payment.nonce);
            let response = world.send(own(&dear).header(field.0, field.1));
            assert_eq!(told(&response), (409, code.to_owned()), "{target} {field:?}");
            assert_eq!(world.origin.calls.len(), 0, "{target} {field:?}");
        }
    }
}

//
#[test]
fn who_sends_a_cheap_payment_again_for_a_dear_question_is_not_served_by_that() {
    for field in FIELDS {
        let mut world = world();
        world.facilitator.repeats = Repeats::Idempotent;
        let payment = in_doubt(&mut world, "/early");
        says(&mut world, &[price("$0.90")]);
        world.wait(2);
        let dear = world.send(own(&payment).header(field.0, field.1));
        assert_eq!(dear.status, 409, "{field:?}: {}", dear.problem());
        assert!(world.facilitator.chain.is_paid(&payment.nonce), "{field:?}");
        assert!(matches!(world.row_of(&payment.nonce).state, State::Settled { .. }), "{field:?}");
        assert_eq!(world.origin.calls.len(), 0, "{field:?}");
        assert!(world.send(own(&payment)).is_delivery(), "{field:?}");
    }
}

#[test]
fn rows_of_before_are_found_by_the_question_that_they_were_bound_to() {
    for target in ["/quoted", "/early"] {
        let mut world = world();
        let payment = sign(&mut world, target, 2);
        assert!(world.send(own(&payment)).is_delivery());
        world.ledger.bind_as_before(world.now());
        assert!(world.send(own(&payment)).is_delivery(), "{target}");
        let other = world.send(own(&payment).header("cf-ipcountry", "FR"));
        assert_eq!(other.problem(), "payment_already_used", "{target}: as it was");
        let mut world = self::world();
        let first = in_doubt(&mut world, target);
        world.ledger.bind_as_before(world.now());
        let next = sign(&mut world, target, 2);
        assert_eq!(world.send(own(&next)).problem(), "payment_unresolved", "{target}");
        is_found(&mut world, &first);
        let next = sign(&mut world, target, 2);
        assert!(world.send(own(&next)).is_delivery(), "{target}");
        assert!(!world.facilitator.chain.is_used(&next.nonce), "{target}: the first one was paid");
    }
}
