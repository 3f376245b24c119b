//! Payments whose price is another by now, or was never handed back.

use farebox_core::encoding::base64;
use farebox_core::gate::attempts::Attempts;
use serde_json::json;

use crate::world::facilitator::{Repeats, Settle, Verify};
use crate::world::payer::Payment;
use crate::world::{With, decoded, paid};

use super::{amount, price, says, sign, world};

#[test]
fn a_client_that_hands_nothing_back_is_judged_by_what_the_isolate_remembers_or_by_the_present_price()
 {
    // What the isolate has quoted holds although the price has changed.
    let mut world = world();
    says(&mut world, &[price("$0.02"), price("$0.03")]);
    let payment = sign(&mut world, "/quoted", 1);
    assert!(world.present(&payment).is_delivery());
    assert_eq!(world.priced.len(), 1);
    // Until it ends.
    let late = sign(&mut world, "/quoted", 1);
    says(&mut world, &[price("$0.04")]);
    world.wait(60);
    let response = world.present(&late);
    assert_eq!(
        (response.problem().as_str(), amount(&response).as_str()),
        ("amount_mismatch", "40000")
    );
    // Another isolate asks, and the price is the same.
    let same = sign(&mut world, "/quoted", 1);
    world.attempts = Attempts::new();
    assert!(world.present(&same).is_delivery());
    // Or it is not, and what was quoted for another target does not help.
    let other = sign(&mut world, "/quoted", 1);
    world.attempts = Attempts::new();
    says(&mut world, &[price("$0.05")]);
    assert_eq!(amount(&world.present(&other)), "50000");
    world.ask("/quoted?x=1");
    says(&mut world, &[price("$0.06")]);
    assert_eq!(amount(&world.present(&other)), "60000");
    assert!(world.find_row(&other.nonce).is_none());
    assert_eq!(world.facilitator.settles_of(&other.nonce), 0);
}

#[test]
fn what_was_paid_is_given_again_whatever_the_price_is_by_now() {
    for version in [1, 2] {
        for target in ["/quoted", "/early"] {
            for answer in [Some(price("$0.90")), Some(price("free")), None] {
                let mut world = world();
                says(&mut world, &[price("$0.02")]);
                let payment = sign(&mut world, target, version);
                let head = || paid(&payment).header("idempotency-key", &"k".repeat(22));
                assert!(world.send(head()).is_delivery());
                world.attempts = Attempts::new();
                says(&mut world, answer.as_slice());
                world.wait(61);
                let again = world.send(head());
                assert!(again.is_delivery(), "{version} {target} {answer:?}: {}", again.problem());
                assert_eq!(again.headers.get("payment-replayed"), Some("true"));
                assert_eq!(world.facilitator.settles_of(&payment.nonce), 1);
                assert_eq!(world.origin.calls.len(), 1);
            }
        }
    }
}

#[test]
fn an_unknown_outcome_is_cleared_up_after_its_quote_has_ended() {
    let mut world = world();
    world.facilitator.repeats = Repeats::Idempotent;
    world.facilitator.settle_plan.extend([Settle::SilentAfter, Settle::SilentAfter]);
    says(&mut world, &[price("$0.02"), price("$0.90")]);
    let payment = sign(&mut world, "/quoted", 2);
    let head = || paid(&payment).header("idempotency-key", &"k".repeat(22));
    assert_eq!(world.send(head()).problem(), "settlement_unknown");
    world.attempts = Attempts::new();
    world.ledger.is_punctual = false;
    world.wait(61);
    assert!(world.send(head()).is_delivery());
    assert!(world.facilitator.chain.is_paid(&payment.nonce));
}

#[test]
fn a_payment_that_was_released_begins_again_only_at_a_price_that_holds() {
    let mut world = world();
    world.facilitator.verify_plan.push_back(Verify::Silent);
    says(&mut world, &[price("$0.02"), price("$0.90")]);
    let payment = sign(&mut world, "/quoted", 2);
    assert_eq!(world.present(&payment).problem(), "facilitator_unavailable");
    world.attempts = Attempts::new();
    world.wait(61);
    assert_eq!(amount(&world.present(&payment)), "900000");
    says(&mut world, &[price("$0.02")]);
    assert!(world.present(&payment).is_delivery());
}

#[test]
fn what_was_refused_and_is_signed_again_begins_at_this_request_and_at_another() {
    for target in ["/quoted", "/early"] {
        for elsewhere in [target.to_owned(), format!("{target}?quote=2")] {
            for forgets in [false, true] {
                let mut world = world();
                says(&mut world, &[price("$0.02")]);
                world.facilitator.settle_plan.push_back(Settle::Refuse("insufficient_funds"));
                let first = sign(&mut world, target, 2);
                assert_eq!(world.present(&first).problem(), "settlement_refused");
                world.wait(2);
                let nonce = farebox_core::encoding::hex::decode_array(&first.nonce).unwrap();
                world.payer.bound = Some(nonce);
                says(&mut world, &[price("$0.03")]);
                let again = sign(&mut world, &elsewhere, 2);
                if forgets {
                    world.attempts = Attempts::new();
                    says(&mut world, &[price("$0.03")]);
                }
                let response = world.present(&again);
                assert!(response.is_delivery(), "{elsewhere} {forgets}: {}", response.problem());
                let row = world.find_row(&first.nonce).unwrap();
                assert_eq!((&*row.payment.amount, world.ledger.entries().len()), ("30000", 1));
                assert!(row.payment.url.ends_with(&elsewhere));
            }
        }
    }
}

#[test]
fn what_is_free_by_now_passes_and_a_payment_beside_it_is_not_touched() {
    let mut world = world();
    says(&mut world, &[price("free")]);
    let response = world.ask("/quoted");
    assert_eq!((response.status, response.headers.get("payment-response")), (200, None));
    assert_eq!(response.headers.get("cache-control"), Some("private, no-store"));
    for version in [1, 2] {
        let mut world = self::world();
        says(&mut world, &[price("$0.02"), price("free")]);
        let payment = sign(&mut world, "/quoted", version);
        world.attempts = Attempts::new();
        world.wait(61);
        let response = world.present(&payment);
        assert_eq!((response.status, response.headers.get("payment-response")), (200, None));
        assert!(world.facilitator.urls.is_empty());
        assert!(world.ledger.entries().is_empty());
        assert_eq!(world.origin.calls[0].headers.get("farebox-payer"), None);
        // A wrong one is not needed either.
        let broken = decoded(&payment.value);
        let mut broken = broken.clone();
        broken["payload"]["authorization"]["to"] =
            "0x0000000000000000000000000000000000012345".into();
        let value = base64::encode(broken.to_string().as_bytes());
        assert_eq!(world.present(&Payment { value, ..payment }).status, 200);
        assert!(world.facilitator.urls.is_empty());
    }
}

#[test]
fn a_refused_payment_is_shown_the_price_it_was_signed_for() {
    let mut world = world();
    says(&mut world, &[price("$0.02"), price("$0.90")]);
    let payment = sign(&mut world, "/quoted", 2);
    let reply = json!({"isValid": false, "invalidReason": "insufficient_funds"}).to_string();
    world.facilitator.verify_plan.push_back(Verify::Raw(200, reply));
    let refused = world.present(&payment);
    assert_eq!(
        (refused.problem().as_str(), amount(&refused).as_str()),
        ("verify_refused", "20000")
    );
    // Its terms are as good as the first ones.
    world.attempts = Attempts::new();
    let now = world.now().secs();
    let second = world.payer.sign(&refused.payment_required(), now);
    assert!(world.present(&second).is_delivery());
    assert_eq!(world.priced.len(), 1);
}

#[test]
pub fn what_was_paid_for_one_question_and_not_received_answers_no_other() {
    let mut world = world();
    world.facilitator.repeats = Repeats::Idempotent;
    world.facilitator.settle_plan.extend([Settle::SilentAfter, Settle::SilentAfter]);
    says(&mut world, &[price("$0.02"), price("$0.90")]);
    let payment = sign(&mut world, "/early", 2);
    let head = || paid(&payment).header("idempotency-key", &"k".repeat(22));
    assert_eq!(world.send(head()).problem(), "settlement_unknown");
    world.pass(60);
    assert_eq!(world.row_of(&payment.nonce).state.name(), "settled");
    let fields = [("accept", "image/png"), ("content-type", "video/mp4"), ("range", "bytes=0-0")];
    for (name, value) in fields {
        let other = world.send(head().header(name, value));
        assert_eq!(
            (other.status, other.problem().as_str()),
            (409, "payment_already_used"),
            "{name}"
        );
    }
    assert_eq!(world.origin.calls.len(), 0);
    assert!(world.send(head()).is_delivery(), "its own question is answered");
}
