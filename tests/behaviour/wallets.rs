//! Payers whom only a facilitator can vouch for: contract wallets, where the gate serves them.

use farebox_core::encoding::base64;
use farebox_core::facilitator::unproven::UnverifiedLimiter;
use serde_json::Value;

use crate::world::facilitator::Verify;
use crate::world::payer::Payment;
use crate::world::{World, decoded, paid, routes, vars};

/// A world whose gate serves contract wallets, and a payment in its payer's name that he did not sign himself.
fn unproven(path: &str) -> (World, Payment) {
    let mut vars = vars(routes());
    vars["CONTRACT_WALLETS"] = "facilitator".into();
    let mut world = World::with(vars);
    let required = world.ask(path).payment_required();
    let now = world.now().secs();
    let payment = world.payer.sign_with(&required, now, |message| {
        message["payload"]["signature"] = format!("0x{}", "ab".repeat(97)).into();
    });
    (world, payment)
}

// A-153, I-19
#[test]
fn the_ledger_counts_no_payer_before_a_facilitator_verified_them() {
    let (mut world, payment) = unproven("/after");
    let mut running = world.start(paid(&payment), b"");
    let mut claims = Vec::new();
    let mut asked = Vec::new();
    loop {
        if let Some(command) = running.claims() {
            let command: Value = serde_json::from_str(command).unwrap();
            let counted = command.get("counting").is_some();
            let looks = command["ask"].get("look").is_some();
            claims.push((looks, command["command"]["claim"]["in_flight"].clone(), counted));
        }
        if !world.advance(&mut running) {
            break;
        }
        let calls = (world.facilitator.urls.len(), world.origin.calls.len());
        if asked.last() != Some(&calls) {
            asked.push(calls);
        }
    }
    assert_eq!(running.response.unwrap().status, 200);
    let (look, claim) = ((true, Value::Null, false), (false, 1.into(), true));
    assert_eq!(claims, [look, claim], "looked up first, then begun");
    assert_eq!(asked, [(0, 0), (1, 0), (2, 0), (2, 1)], "verify, settle, and only then the origin");
}

#[test]
fn an_unsigned_payment_for_other_terms_costs_a_look_and_no_call() {
    let mut vars = vars(routes());
    vars["CONTRACT_WALLETS"] = "facilitator".into();
    let mut world = World::with(vars);
    let required = world.ask("/after").payment_required();
    let now = world.now().secs();
    let payment = world.payer.sign_with(&required, now, |message| {
        message["payload"]["signature"] = format!("0x{}", "ab".repeat(97)).into();
        message["payload"]["authorization"]["value"] = "9999".into();
        message["accepted"]["amount"] = "9999".into();
    });
    let mut running = world.start(paid(&payment), b"");
    assert_eq!(running.next(), "look", "it may have been paid before the terms changed");
    while world.advance(&mut running) {}
    assert_eq!(running.response.unwrap().status, 402);
    assert_eq!(world.ledger.commands, 1);
    assert!(world.facilitator.urls.is_empty());
    assert!(world.ledger.entries().is_empty());
}

/// A refusal with this reason.
fn refusing(reason: &str) -> Verify {
    Verify::Raw(200, format!(r#"{{"isValid":false,"invalidReason":"{reason}"}}"#))
}

/// Reasons that a facilitator may have once the payment itself has taken the money.
const BECAUSE_IT_PAID: [&str; 4] = [
    "invalid_exact_evm_nonce_already_used",
    "insufficient_funds",
    "invalid_exact_evm_transaction_simulation_failed",
    "whatever",
];

/// In another isolate a copy was looked up before the first one began, and is verified after that one was settled.
#[test]
pub fn a_copy_that_is_refused_because_the_first_one_paid_is_told_so_and_gets_no_terms() {
    for path in ["/after", "/before"] {
        for reason in BECAUSE_IT_PAID {
            let (mut world, payment) = unproven(path);
            let mut copy = world.start(paid(&payment), b"");
            while copy.next() != "verify" {
                assert!(world.advance(&mut copy));
            }
            assert_eq!(world.present(&payment).status, 200);
            world.facilitator.verify_plan.push_back(refusing(reason));
            while world.advance(&mut copy) {}
            let response = copy.response.unwrap();
            let said = (response.status, response.problem(), response.has_terms());
            assert_eq!(said, (409, "payment_already_delivered".to_owned(), false), "{reason}");
            assert_eq!(world.origin.calls.len(), 1);
        }
    }
}

// A-153
#[test]
pub fn a_forged_copy_that_is_being_verified_holds_up_no_payment() {
    let (mut world, payment) = unproven("/after");
    world.unproven = Some(UnverifiedLimiter::new());
    let mut message = decoded(&payment.value);
    message["payload"]["signature"] = format!("0x{}", "cd".repeat(97)).into();
    let value = base64::encode(message.to_string().as_bytes());
    let forged = Payment { value, ..payment.clone() };
    world.is_slow = true;
    let mut held = world.start(paid(&forged), b"");
    while world.advance(&mut held) {}
    assert_eq!(held.next(), "verify");
    world.is_slow = false;
    assert_eq!(world.present(&payment).status, 200);
    world.facilitator.verify_plan.push_back(refusing("invalid_exact_evm_nonce_already_used"));
    while world.advance(&mut held) {}
    let told = held.response.unwrap();
    assert_eq!((told.problem().as_str(), told.has_terms()), ("payment_already_delivered", false));
}

#[test]
fn a_copy_that_is_refused_while_the_first_one_is_settled_waits_for_it() {
    let (mut world, payment) = unproven("/after");
    let [mut first, mut copy] = [0; 2].map(|_| world.start(paid(&payment), b""));
    while copy.next() != "verify" {
        assert!(world.advance(&mut copy));
    }
    while first.next() != "settle" {
        assert!(world.advance(&mut first));
    }
    world.facilitator.verify_plan.push_back(refusing("insufficient_funds"));
    while world.advance(&mut copy) {}
    let response = copy.response.unwrap();
    assert_eq!((response.problem().as_str(), response.has_terms()), ("payment_in_progress", false));
    while world.advance(&mut first) {}
    assert_eq!(first.response.unwrap().status, 200);
}

#[test]
fn what_is_refused_and_not_known_gets_terms_and_a_forgery_one_look_at_the_ledger() {
    let reasons =
        [("invalid_exact_evm_payload_signature", 1), ("insufficient_funds", 2), ("whatever", 2)];
    for (reason, most) in reasons {
        let (mut world, payment) = unproven("/after");
        world.facilitator.verify_plan.push_back(refusing(reason));
        let mut running = world.start(paid(&payment), b"");
        let mut looks = usize::from(running.next() == "look");
        while world.advance(&mut running) {
            looks += usize::from(running.next() == "look");
        }
        let response = running.response.unwrap();
        assert_eq!((response.status, response.problem().as_str()), (402, "verify_refused"));
        assert!(response.names(reason) || reason == "whatever", "{reason}");
        assert_eq!((looks, world.facilitator.urls.len()), (most, 1), "{reason}");
        assert!(world.ledger.entries().is_empty());
    }
}
