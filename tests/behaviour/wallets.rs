//! Payers whom only a facilitator can vouch for: contract wallets, where the gate serves them.

use serde_json::Value;

use crate::world::payer::Payment;
use crate::world::{World, paid, routes, vars};

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

#[test]
fn the_ledger_hears_of_nobody_before_a_facilitator_vouches_for_him() {
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
fn what_nobody_signed_for_other_terms_costs_nothing() {
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
    assert_eq!(running.claims(), None, "the ledger is not asked");
    while world.advance(&mut running) {}
    assert_eq!(running.response.unwrap().status, 402);
    assert!(world.facilitator.urls.is_empty());
}
