//! Prices that are known afterwards: the payer signs the most, the origin counts units, and what they cost is settled.

use farebox_core::encoding::hex;
use farebox_core::facilitator::breaker::Breaker;
use farebox_core::gate::Gate;
use farebox_core::gate::paid::StreamEnd;
use farebox_core::ledger::State;
use farebox_core::payment::PaymentKey;
use serde_json::{Value, json};

use crate::world::facilitator::{Repeats, Settle};
use crate::world::origin::Say;
use crate::world::payer::{Payer, Payment};
use crate::world::{CHAIN, HOST, Response, With, World, paid, vars};

/// One digit more than the greatest amount has.
const BEYOND: &str =
    "9999999999999999999999999999999999999999999999999999999999999999999999999999999";
const FACILITATOR: &str = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";

fn variables() -> Value {
    let mut vars = vars(json!([
        {"path": "/tokens", "price": "$0.01", "unit_price": "$0.001"},
        {"path": "/sure", "price": "$0.01", "unit_price": "$0.001", "confirm": "chain"},
        {"path": "/again", "price": "$0.01", "unit_price": "$0.001", "idempotent": true},
    ]));
    vars["FACILITATOR_URL"] = json!([{
        "url": "http://127.0.0.1:9001/x402/",
        "extra": {"eip155:84532": {"facilitatorAddress": FACILITATOR}},
    }]);
    vars["RPC_URL"] = json!("http://127.0.0.1:9002/");
    vars
}

fn world() -> World {
    World::with(variables())
}

fn refused(response: &Response, status: u16, code: &str) {
    assert_eq!((response.status, response.problem().as_str()), (status, code));
}

fn counts(world: &mut World, units: &'static str) {
    world.origin.plan.push_back(Say::Whole(units, "the answer"));
}

/// The row of a payment: its state and amount.
fn row(world: &World, payment: &Payment) -> (State, String) {
    let nonce = hex::decode_array(&payment.nonce).unwrap();
    let key = PaymentKey::of_permit(CHAIN, &world.payer.address, &nonce);
    let entry = world.ledger.entry(&key.to_hex()).unwrap();
    (entry.state, entry.payment.amount)
}

/// What a settle call asked for, and whether the rest of it is what was verified.
fn asked(body: &str) -> (Value, Value) {
    let body: Value = serde_json::from_str(body).unwrap();
    (body["paymentRequirements"]["amount"].clone(), body["paymentPayload"]["accepted"].clone())
}

/// The answer that a payer gets who signs for it.
fn fetched(world: &mut World, payment: &Payment) -> Response {
    let payer = Payer::new(1);
    let nonce = hex::decode_array(&payment.nonce).unwrap();
    let key = PaymentKey::of_permit(CHAIN, &payer.address, &nonce);
    let url = format!("{HOST}{}", payment.target);
    let statement = payer.statement(&key, "GET", &url, world.now().secs());
    world.send(paid(payment).header("farebox-redelivery", &statement))
}

#[test]
fn the_402_asks_for_the_most_and_names_who_settles() {
    let mut world = world();
    let answer = world.ask("/tokens");
    let offered = answer.payment_required()["accepts"][0].clone();
    assert_eq!((&offered["scheme"], &offered["amount"]), (&json!("upto"), &json!("10000")));
    let extra = json!({
        "name": "USDC", "version": "2", "assetTransferMethod": "permit2",
        "facilitatorAddress": FACILITATOR,
    });
    assert_eq!(offered["extra"], extra);
    assert_eq!(answer.json()["accepts"], json!([]));
    assert_eq!(answer.headers.get("www-authenticate"), None);
}

#[test]
pub fn the_units_of_the_origin_are_settled_and_never_more_than_was_signed() {
    for (head, charged) in [
        ("200\nfarebox-units: 3", 3_000),
        ("200\nfarebox-units: 1", 1_000),
        ("200\nfarebox-units: 10", 10_000),
        ("200\nfarebox-units: 11", 10_000),
        (
            "200\nfarebox-units: 115792089237316195423570985008687907853269984665640564039457584007913129639935",
            10_000,
        ),
        // Who counts nothing asks for all of it.
        ("200\ncontent-type: text/plain", 10_000),
    ] {
        let mut world = world();
        let payment = world.sign("/tokens");
        counts(&mut world, head);
        let answer = world.present(&payment);
        assert!(answer.is_delivery(), "{head}: {}", answer.problem());
        assert_eq!(answer.settlement()["amount"], charged.to_string(), "{head}");
        assert_eq!(answer.headers.get("farebox-units"), None);
        let (amount, accepted) = asked(&world.facilitator.settles[0].1);
        assert_eq!((amount, &accepted["amount"]), (json!(charged.to_string()), &json!("10000")));
        assert_eq!(world.facilitator.chain.fates[&payment.nonce].value, Some(charged), "{head}");
        let (state, recorded) = row(&world, &payment);
        assert!(matches!(state, State::Delivered { .. }), "{state:?}");
        assert_eq!(recorded, charged.to_string());
        refused(&world.present(&payment), 409, "payment_already_delivered");
        assert_eq!(world.origin.calls.len(), 1);
    }
}

#[test]
pub fn an_answer_without_units_to_pay_is_not_charged_and_not_served_again() {
    for target in ["/tokens", "/sure", "/again"] {
        let mut world = world();
        let payment = world.sign(target);
        counts(&mut world, "200\nfarebox-units: 0");
        let answer = world.present(&payment);
        assert_eq!((answer.status, answer.body.as_slice()), (200, b"the answer".as_slice()));
        let said = answer.settlement();
        let free = (json!(true), json!(""), json!("0"));
        assert_eq!(
            (&said["success"], &said["transaction"], &said["amount"]),
            (&free.0, &free.1, &free.2)
        );
        assert!(
            world.facilitator.settles.is_empty()
                && !world.facilitator.chain.is_paid(&payment.nonce)
        );
        assert_eq!(row(&world, &payment).0, State::Abandoned);
        // It was served: the same permit does not fetch another answer, here or at another price.
        refused(&world.present(&payment), 409, "payment_already_delivered");
        assert_eq!(world.origin.calls.len(), 1, "{target}");
        world.pass(1_000);
        assert_eq!(row(&world, &payment).0, State::Void, "{target}");
    }
}

#[test]
fn a_count_that_cannot_be_read_charges_nothing() {
    for head in
        ["-1", "1.5", "many", "01", "0x1", "1 000", "", "1, 1", "3\nfarebox-units: 3", BEYOND]
    {
        let mut world = world();
        let payment = world.sign("/tokens");
        let head: &'static str = Box::leak(format!("200\nfarebox-units: {head}").into_boxed_str());
        counts(&mut world, head);
        refused(&world.present(&payment), 502, "origin_failed");
        assert!(world.facilitator.settles.is_empty(), "{head}");
    }
}

#[test]
pub fn the_same_part_is_sent_again_by_whoever_resumes_it() {
    for target in ["/tokens", "/sure"] {
        let mut world = world();
        world.facilitator.repeats = Repeats::Idempotent;
        let payment = world.sign(target);
        counts(&mut world, "200\nfarebox-units: 4");
        world.facilitator.settle_plan.extend([Settle::SilentBefore, Settle::SilentBefore]);
        refused(&world.present(&payment), 503, "settlement_unknown");
        world.pass(120);
        let amounts: Vec<Value> =
            world.facilitator.settles.iter().map(|(_, body)| asked(body).0).collect();
        assert!(amounts.len() >= 3 && amounts.iter().all(|it| it == "4000"), "{amounts:?}");
        assert_eq!(world.facilitator.chain.fates[&payment.nonce].value, Some(4_000));
        let served = fetched(&mut world, &payment);
        assert!(served.is_delivery(), "{target}: {}", served.problem());
        assert_eq!(served.settlement()["amount"], "4000");
        assert_eq!(served.headers.get("farebox-units"), None);
        assert_eq!(world.origin.calls.len(), 1);
    }
}

#[test]
fn a_lost_answer_about_a_part_is_found_on_the_chain() {
    for target in ["/tokens", "/sure"] {
        let mut world = world();
        let payment = world.sign(target);
        counts(&mut world, "200\nfarebox-units: 4");
        world.facilitator.settle_plan.extend([Settle::SilentAfter, Settle::SilentBefore]);
        refused(&world.present(&payment), 503, "settlement_unknown");
        world.pass(120);
        let served = fetched(&mut world, &payment);
        assert!(served.is_delivery(), "{target}: {}", served.problem());
        assert_eq!(served.settlement()["amount"], "4000", "{target}");
        let (state, recorded) = row(&world, &payment);
        assert!(matches!(state, State::Delivered { .. }), "{state:?}");
        assert_eq!(recorded, "4000");
    }
}

// A-523
#[test]
pub fn nothing_is_settled_before_the_origin_has_counted() {
    // Two settlements of this payer without an answer: elsewhere the next one comes first.
    let mut doubtful = world();
    doubtful.breaker = Some(Breaker::default());
    let broken = Settle::Raw(500, r#"{"error":"internal"}"#.to_owned());
    doubtful.facilitator.settle_plan.extend(vec![broken; 2]);
    let lost = doubtful.sign("/tokens");
    refused(&doubtful.present(&lost), 503, "settlement_unknown");
    let next = doubtful.sign("/again");
    // Only a facilitator can vouch for a contract, which may change its mind.
    let mut vars = variables();
    vars["CONTRACT_WALLETS"] = json!("facilitator");
    let mut contract = World::with(vars);
    let required = contract.ask("/tokens").payment_required();
    let now = contract.now().secs();
    let signed = contract.payer.sign_with(&required, now, |message| {
        message["payload"]["signature"] = json!(format!("0x{}", "ab".repeat(97)));
    });
    for (mut world, payment) in [(doubtful, next), (contract, signed)] {
        counts(&mut world, "200\nfarebox-units: 4");
        let answer = world.present(&payment);
        assert!(answer.is_delivery(), "{}", answer.problem());
        assert_eq!(answer.settlement()["amount"], "4000");
        let (_, body) = world.facilitator.settles.last().unwrap();
        assert_eq!(asked(body).0, json!("4000"));
        assert_eq!(world.facilitator.chain.fates[&payment.nonce].value, Some(4_000));
        assert_eq!(row(&world, &payment).1, "4000");
    }
}

// A-702
#[test]
pub fn what_has_moved_is_what_is_told_and_served_whatever_is_counted_then() {
    for head in [
        "200\nfarebox-units: 5",
        "200\ncontent-type: text/plain",
        "200\nfarebox-units: 3",
        "200\nfarebox-units: 2",
        "200\nfarebox-units: 0",
        "200\nfarebox-units: many",
    ] {
        let mut world = world();
        let payment = world.sign("/again");
        let stream = "200\nfarebox-units: 3\ncontent-type: text/event-stream";
        world.origin.plan.push_back(Say::Slow(stream, StreamEnd::Broken));
        world.present(&payment);
        assert!(matches!(row(&world, &payment).0, State::RefundDue { .. }), "{head}");
        counts(&mut world, head);
        let answer = fetched(&mut world, &payment);
        assert!(answer.is_delivery(), "{head}: {}", answer.problem());
        let (said, asked) = (answer.settlement(), &world.origin.calls[1].headers);
        assert_eq!(said["amount"], "3000", "{head}");
        assert_eq!(asked.get("farebox-amount"), Some("3000"), "{head}");
        assert_eq!(asked.get("farebox-transaction"), said["transaction"].as_str());
        assert_ne!(said["transaction"], "");
        assert_eq!(answer.headers.get("farebox-units"), None);
        let (state, recorded) = row(&world, &payment);
        assert!(matches!(state, State::Delivered { .. }), "{head}: {state:?}");
        assert_eq!(recorded, "3000");
        assert_eq!(fetched(&mut world, &payment).settlement()["amount"], "3000", "{head}");
        refused(&world.present(&payment), 409, "payment_already_delivered");
        assert_eq!(world.origin.calls.len(), 2);
        assert_eq!(world.facilitator.chain.fates[&payment.nonce].value, Some(3_000));
    }
}

// A-702
#[test]
fn an_answer_that_fails_once_more_is_owed_for_what_has_moved() {
    let mut world = world();
    let payment = world.sign("/again");
    let stream = "200\nfarebox-units: 3\ncontent-type: text/event-stream";
    world.origin.plan.push_back(Say::Slow(stream, StreamEnd::Broken));
    world.present(&payment);
    world.origin.plan.push_back(Say::Lost);
    let answer = fetched(&mut world, &payment);
    refused(&answer, 502, "refund_due");
    assert_eq!(answer.settlement()["amount"], "3000");
    let (state, recorded) = row(&world, &payment);
    assert!(matches!(state, State::RefundDue { .. }), "{state:?}");
    assert_eq!(recorded, "3000");
}

// A-703
#[test]
pub fn what_was_made_for_the_most_that_is_signed_is_settled_by_the_new_bytes() {
    for later in [0, 2] {
        let mut world = world();
        let first = world.sign("/tokens");
        counts(&mut world, "200\nfarebox-units: 4");
        world.facilitator.settle_plan.push_back(Settle::Refuse("insufficient_funds"));
        refused(&world.present(&first), 402, "settlement_refused");
        // The same nonce for the same most, with other bytes or a later end.
        world.wait(later);
        let required = world.ask("/tokens").payment_required();
        let now = world.now().secs();
        world.payer.bound = Some(hex::decode_array(&first.nonce).unwrap());
        let again = world.payer.sign_with(&required, now, |message| {
            message["resource"]["url"] = json!("https://elsewhere.example/tokens");
        });
        assert_eq!((again.valid_before - first.valid_before, &again.nonce), (later, &first.nonce));
        world.wait(2);
        let answer = world.present(&again);
        assert!(answer.is_delivery(), "{later}: {}", answer.problem());
        assert_eq!(answer.settlement()["amount"], "4000");
        assert_eq!(world.origin.calls.len(), 1, "{later}");
        let sent: Vec<_> = world.facilitator.settles.iter().map(|(_, body)| body).collect();
        assert!(sent.len() == 2 && sent[0] != sent[1], "the new bytes are sent");
        assert_eq!(asked(sent[1]).0, json!("4000"));
        assert_eq!(world.facilitator.chain.fates[&first.nonce].value, Some(4_000));
        let (state, recorded) = row(&world, &first);
        assert!(matches!(state, State::Delivered { .. }), "{later}: {state:?}");
        assert_eq!(recorded, "4000");
    }
}

// A-716
#[test]
pub fn what_was_charged_in_part_is_settled_by_no_permit_that_moves_all() {
    let mut world = world();
    let first = world.sign("/tokens");
    counts(&mut world, "200\nfarebox-units: 4");
    world.facilitator.settle_plan.push_back(Settle::Refuse("insufficient_funds"));
    refused(&world.present(&first), 402, "settlement_refused");
    // The route has one price since, by Permit2.
    let mut vars = variables();
    vars["ROUTES"] =
        json!([{"path": "/tokens", "price": "$0.01", "asset_transfer_method": "permit2"}]);
    world.gate = World::with(vars).gate;
    world.wait(2);
    world.payer.bound = Some(hex::decode_array(&first.nonce).unwrap());
    let again = world.sign("/tokens");
    assert_eq!(again.nonce, first.nonce);
    let answer = world.present(&again);
    assert!(answer.is_delivery(), "{}", answer.problem());
    assert_eq!(world.origin.calls.len(), 2, "it is another purchase of the same nonce");
    assert_eq!(world.facilitator.chain.fates[&first.nonce].value, Some(10_000));
    assert_eq!(row(&world, &first).1, "10000");
}

#[test]
fn a_permit_for_another_facilitator_or_amount_buys_nothing() {
    for (path, value, code) in [
        ("/witness/facilitator", "0x70997970C51812dc3A010C7d01b50e0d17dc79C8", "terms_mismatch"),
        ("/permitted/amount", "9999", "amount_mismatch"),
        ("/permitted/amount", "10001", "amount_mismatch"),
        ("/spender", "0x402085c248EeA27D92E8b30b2C58ed07f9E20001", "terms_mismatch"),
    ] {
        let mut world = world();
        let required = world.ask("/tokens").payment_required();
        let (payer, now) = (world.payer.clone(), world.now().secs());
        let payment = world.payer.sign_with(&required, now, |message| {
            let permit = &mut message["payload"]["permit2Authorization"];
            *permit.pointer_mut(path).unwrap() = json!(value);
            if path == "/spender" {
                permit["witness"].as_object_mut().unwrap().remove("facilitator");
            }
            let signature = payer.sign_permit(permit);
            message["payload"]["signature"] = json!(signature);
        });
        refused(&world.present(&payment), 402, code);
        assert!(world.origin.calls.is_empty() && world.facilitator.settles.is_empty(), "{path}");
    }
}

#[test]
fn what_cannot_be_metered_is_a_wrong_configuration() {
    let wrong = |set: &dyn Fn(&mut Value)| {
        let mut vars = variables();
        set(&mut vars);
        let errors = Gate::from_vars(&vars.to_string()).err().unwrap_or_default();
        let names = |error: &String| error.contains("ROUTES[0].unit_price");
        assert!(errors.iter().map(ToString::to_string).any(|error| names(&error)), "{errors:?}");
    };
    wrong(&|vars| vars["ROUTES"][0]["settle"] = json!("before"));
    wrong(&|vars| vars["ROUTES"][0]["unit_price"] = json!("$0"));
    wrong(&|vars| vars["ROUTES"][0]["unit_price"] = json!("a cent"));
    wrong(&|vars| vars["ROUTES"][0]["unit_price"] = json!("$0.0000001"));
    wrong(&|vars| vars["ROUTES"][0]["unit_price"] = json!(1));
    wrong(&|vars| vars["ROUTES"][0]["asset_transfer_method"] = json!("eip3009"));
    wrong(&|vars| vars["FACILITATOR_URL"] = json!("http://127.0.0.1:9001/x402/"));
}
