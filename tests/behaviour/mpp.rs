//! Challenges of MPP where the price, the secret or the request is another one by the time they are answered.
//! Spec: docs/payments.md, "MPP".

use farebox_core::gate::Gate;
use farebox_core::gate::attempts::Attempts;
use farebox_core::mpp::charge::Framing;
use serde_json::{Value, json};

use crate::contested::gate;
use crate::world::facilitator::{Settle, Verify};
use crate::world::payer::Payment;
use crate::world::{Response, With, World, mpp, paid, request, routes, vars};

fn quoting(answers: &[Value]) -> World {
    let route = |path: &str| json!({"path": path, "price": {"from": "PRICER", "max": "$1.00"}});
    let mut vars = vars(json!([route("/quoted"), route("/other")]));
    vars["bindings"] = json!(["LEDGER", "PRICER"]);
    let mut world = World::with(vars);
    world.prices = answers.iter().map(ToString::to_string).collect();
    world
}

/// Signed for the terms of a 402, and sent in answer to its challenge.
fn answering(world: &mut World, unpaid: &Response) -> Payment {
    let signed = world.payer.sign(&unpaid.payment_required(), world.now().secs());
    signed.by_mpp(&mpp::echo_of(unpaid))
}

/// Signed under the nonce that its challenge has in this framing.
fn bound(world: &mut World, unpaid: &Response, framing: Framing) -> Payment {
    let echo = mpp::echo_of(unpaid);
    let text = |name: &str| echo[name].as_str().unwrap();
    world.payer.bound = Some(framing.challenge_hash(text("id"), text("realm")));
    world.payer.sign(&unpaid.payment_required(), world.now().secs())
}

#[test]
pub fn a_nonce_of_either_framing_pays_its_own_challenge_and_no_other() {
    for framing in [Framing::Listed, Framing::Joined] {
        let mut world = World::new();
        let (one, two) = (world.ask("/after"), world.ask("/after"));
        let signed = bound(&mut world, &one, framing);
        let refused = world.send(paid(&signed.by_challenge(&mpp::echo_of(&two))));
        assert_eq!(refused.problem(), "nonce_mismatch", "{framing:?}");
        assert!(refused.has_terms() && world.facilitator.urls.is_empty());
        let payment = signed.by_challenge(&mpp::echo_of(&one));
        assert!(world.send(paid(&payment)).is_delivery(), "{framing:?}");
        assert_eq!(world.facilitator.settles_of(&payment.nonce), 1);
    }
}

#[test]
pub fn of_the_two_payments_that_one_challenge_can_be_answered_with_one_buys_something() {
    for [first, second] in [[Framing::Listed, Framing::Joined], [Framing::Joined, Framing::Listed]]
    {
        let mut world = World::new();
        let unpaid = world.ask("/after");
        let signed = [first, second].map(|framing| {
            bound(&mut world, &unpaid, framing).by_challenge(&mpp::echo_of(&unpaid))
        });
        assert!(world.send(paid(&signed[0])).is_delivery());
        let other = world.send(paid(&signed[1]));
        assert_eq!((other.status, other.problem().as_str()), (409, "payment_already_used"));
        assert_eq!(world.facilitator.settles.len(), 1, "one of them is charged");
        assert_eq!(world.origin.calls.len(), 1);
    }
}

/// The two payments by which one challenge can be answered.
pub fn two_of_one_challenge(world: &mut World) -> [Payment; 2] {
    let unpaid = world.ask("/after");
    [Framing::Joined, Framing::Listed]
        .map(|framing| bound(world, &unpaid, framing).by_challenge(&mpp::echo_of(&unpaid)))
}

// A-211
#[test]
pub fn of_the_two_payments_of_one_challenge_one_buys_something_while_the_number_of_objects_changes()
{
    let mut world = World::around(gate("16"));
    let signed = two_of_one_challenge(&mut world);
    let no = r#"{"isValid":false,"invalidReason":"unexpected_verify_error"}"#;
    world.facilitator.verify_plan.push_back(Verify::Raw(200, no.to_owned()));
    assert_eq!(world.send(paid(&signed[0])).status, 402);
    world.gate = gate("64,16");
    assert!(world.send(paid(&signed[1])).is_delivery());
    // On its way to the new object a moment ago, for all that the old one knows.
    assert_eq!(world.send(paid(&signed[0])).problem(), "payment_unresolved");
    world.wait(11);
    let other = world.send(paid(&signed[0]));
    assert_eq!((other.status, other.problem().as_str()), (409, "payment_already_used"));
    assert_eq!(world.facilitator.settles.len(), 1, "one of them is charged");
}

/// What the challenge of a 402 asks.
fn asked(unpaid: &Response) -> Value {
    let echo = mpp::echo_of(unpaid);
    let text = echo["request"].as_str().unwrap();
    serde_json::from_slice(&farebox_core::encoding::base64::decode_url(text).unwrap()).unwrap()
}

// A-54
#[test]
fn a_challenge_is_the_quote_of_its_price_while_that_holds() {
    for (waits, later, held, questions) in
        [(59, "$0.90", true, 1), (60, "$0.90", false, 2), (60, "$0.02", true, 2)]
    {
        let mut world = quoting(&[json!({"price": "$0.02"}), json!({"price": later})]);
        let unpaid = world.ask("/quoted");
        assert_eq!(asked(&unpaid)["amount"], "20000");
        let payment = answering(&mut world, &unpaid);
        // Another isolate: it remembers no quote.
        world.attempts = Attempts::new();
        world.wait(waits);
        let response = world.present(&payment);
        assert_eq!(response.is_delivery(), held, "{waits} {later}");
        assert_eq!(world.priced.len(), questions, "{waits} {later}");
        if held {
            assert_eq!(world.row_of(&payment.nonce).payment.amount, "20000");
        } else {
            assert_eq!(response.problem(), "amount_mismatch");
            assert_eq!(asked(&response)["amount"], "900000");
            assert!(world.facilitator.urls.is_empty());
            assert!(world.find_row(&payment.nonce).is_none());
        }
    }
}

#[test]
fn a_quote_in_a_challenge_is_none_for_another_request() {
    let mut world = quoting(&[json!({"price": "$0.02"}), json!({"price": "$0.90"})]);
    let unpaid = world.ask("/quoted");
    let payment = answering(&mut world, &unpaid);
    let others = [
        request("GET", "/other"),
        request("GET", "/quoted?x=1"),
        request("POST", "/quoted"),
        request("HEAD", "/quoted"),
        request("GET", "/quoted").header("range", "bytes=0-0"),
        request("GET", "/quoted").header("user-agent", "another"),
    ];
    for other in others {
        world.attempts = Attempts::new();
        let what = format!("{other:?}");
        let response = world.send(other.header(payment.header, &payment.value));
        assert!(response.has_terms(), "{what}");
        assert_eq!(asked(&response)["amount"], "900000", "{what}");
    }
    assert!(world.facilitator.urls.is_empty());
    world.attempts = Attempts::new();
    assert!(world.present(&payment).is_delivery());
}

#[test]
pub fn another_question_is_asked_anew_and_a_challenge_for_the_same_price_is_served() {
    let mut world = quoting(&[json!({"price": "$0.02"})]);
    let unpaid = world.ask("/quoted");
    let payment = answering(&mut world, &unpaid);
    world.attempts = Attempts::new();
    assert!(world.send(paid(&payment).header("range", "bytes=0-0")).is_delivery());
    assert_eq!(world.priced.len(), 2);
}

/// The same gate after its operator has changed something.
fn changed(world: &mut World, change: impl FnOnce(&mut Value)) {
    let mut vars = vars(routes());
    change(&mut vars);
    world.gate = Box::leak(Box::new(Gate::from_vars(&vars.to_string()).unwrap()));
}

#[test]
fn a_payment_that_the_ledger_knows_is_not_asked_for_again_because_its_challenge_is_no_longer_ours()
{
    let mut world = World::new();
    let unpaid = world.ask("/after");
    let payment = answering(&mut world, &unpaid);
    world.facilitator.settle_plan.extend([Settle::SilentBefore, Settle::SilentBefore]);
    assert_eq!(world.send(paid(&payment)).status, 503);
    let secret = json!("another secret of thirty-two bytes");
    changed(&mut world, |vars| vars["GATE_SECRET"] = secret.clone());
    let again = world.send(paid(&payment));
    assert!(!again.has_terms(), "{}", again.problem());
    // One that nobody knows is told to sign for a challenge of today's.
    let mut other = World::new();
    let unpaid = other.ask("/after");
    let unknown = answering(&mut other, &unpaid);
    changed(&mut other, |vars| vars["GATE_SECRET"] = secret);
    let refused = other.send(paid(&unknown));
    assert_eq!(refused.problem(), "invalid_challenge");
    assert!(refused.has_terms() && other.facilitator.urls.is_empty());
    // While the secret changes, both count.
    changed(&mut other, |vars| {
        vars["GATE_SECRET_PREVIOUS"] = vars["GATE_SECRET"].clone();
        vars["GATE_SECRET"] = json!("another secret of thirty-two bytes");
    });
    assert!(other.send(paid(&unknown)).is_delivery());
}
