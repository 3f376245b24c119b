//! What is asked of who names the price, and what its answers are worth.

use std::collections::VecDeque;

use farebox_core::encoding::base64;
use farebox_core::gate::Gate;
use farebox_core::gate::attempts::Attempts;
use farebox_core::http::{BodyPresence, RequestHead};
use serde_json::{Value, json};

use crate::world::ledger::LedgerFault;
use crate::world::payer::Payment;
use crate::world::{HOST, With, World, decoded, get, request};

use super::{amount, gate_vars, is_unavailable, max, price, route, says, sign, world};

#[test]
fn terms_ask_what_is_named_for_this_request() {
    let mut world = world();
    says(
        &mut world,
        &[price("$0.02"), json!({"price": {"amount": "12345"}, "description": "dear"})],
    );
    let first = world.ask("/quoted?q=1");
    assert_eq!((first.status, amount(&first).as_str()), (402, "20000"));
    assert_eq!(first.json()["accepts"][0]["maxAmountRequired"], "20000", "version 1 too");
    assert_eq!(first.payment_required()["resource"]["description"], "as configured");
    let second = world.ask("/quoted?q=1");
    assert_eq!(amount(&second), "12345");
    assert_eq!(second.payment_required()["resource"]["description"], "dear");
    assert_eq!(world.priced.len(), 2, "one question each");
    assert!(world.ledger.objects.is_empty());
}

#[test]
fn the_price_question_has_the_head_without_credentials() {
    let mut world = world();
    says(&mut world, &[price("$0.02")]);
    let mut head: RequestHead = request("POST", "/quoted?model=large");
    head.body = BodyPresence::Present;
    for (name, value) in [
        ("content-length", "1234"),
        ("content-type", "application/json"),
        ("accept", "text/csv"),
        ("user-agent", "agent/1"),
        ("authorization", "Bearer s"),
        ("cookie", "s=1"),
        ("x-api-key", "0123456789abcdef"),
        ("payment-authorization", "s"),
        ("sign-in-with-x", "s"),
        ("idempotency-key", "s"),
        ("farebox-redelivery", "s"),
        ("cf-connecting-ip", "192.0.2.1"),
        ("x-anything", "s"),
    ] {
        head = head.header(name, value);
    }
    assert_eq!(world.send(head).status, 402);
    let payment = sign(&mut world, "/quoted", 1);
    world.attempts = Attempts::new();
    assert!(world.present(&payment).is_delivery());
    assert_eq!(
        world.priced[0],
        json!({
            "method": "POST", "url": format!("{HOST}/quoted?model=large"), "body_bytes": 1234,
            "headers": {"accept": "text/csv", "content-type": "application/json", "user-agent": "agent/1"},
        })
    );
    assert_eq!(
        world.priced[2],
        json!({"method": "GET", "url": format!("{HOST}/quoted"), "headers": {}})
    );
}

#[test]
fn a_body_of_unknown_length_is_reported_as_such() {
    let mut world = world();
    says(&mut world, &[price("$0.02")]);
    for lengths in [&[][..], &["x"], &[""]] {
        world.priced.clear();
        let mut head = request("POST", "/quoted");
        head.body = BodyPresence::Present;
        for length in lengths {
            head = head.header("content-length", length);
        }
        assert_eq!(world.send(head).status, 402);
        assert_eq!(world.priced[0]["body_bytes"], Value::Null, "{lengths:?}");
        assert!(world.priced[0].as_object().unwrap().contains_key("body_bytes"), "{lengths:?}");
    }
}

#[test]
fn whatever_is_wrong_with_the_price_is_unavailable_and_charges_nothing() {
    let broken: Vec<Option<Value>> = vec![
        None,
        Some(json!(null)),
        Some(json!([])),
        Some(json!({})),
        Some(json!({"price": null})),
        Some(json!({"price": 0.01})),
        Some(price("0")),
        Some(price("$0.00")),
        Some(price("-1")),
        Some(price("$1e-2")),
        Some(price("$0.0000001")),
        Some(price("$1.000001")),
        Some(price("Free")),
        Some(price("")),
        Some(json!({"price": {"amount": "0"}})),
        Some(json!({"price": {"amount": "01"}})),
        Some(json!({"price": {"amount": 10}})),
        Some(json!({"price": {"amount": "1000001"}})),
        Some(json!({"price": {}})),
        Some(json!({"price": "$0.01", "valid_secs": 4})),
        Some(json!({"price": "$0.01", "valid_secs": 3601})),
        Some(json!({"price": "$0.01", "valid_secs": "60"})),
        Some(json!({"price": "$0.01", "valid_secs": null})),
        Some(json!({"price": "$0.01", "description": 7})),
        Some(json!({"price": "$0.01", "description": "x".repeat(257)})),
        Some(json!({"price": "$0.01", "more": "x".repeat(4096)})),
    ];
    for answer in broken {
        let mut world = world();
        says(&mut world, &[price("$0.02")]);
        let payment = sign(&mut world, "/quoted", 1);
        world.attempts = Attempts::new();
        says(&mut world, answer.as_slice());
        let what = answer.map(|answer| answer.to_string().chars().take(60).collect::<String>());
        let unpaid = world.ask("/quoted");
        assert!(is_unavailable(&unpaid), "{what:?}: {}", unpaid.status);
        assert_eq!(unpaid.headers.get("access-control-allow-origin"), Some("*"));
        assert!(is_unavailable(&world.present(&payment)), "{what:?} with a payment");
        let mut forged = decoded(&payment.value);
        forged["payload"]["authorization"]["validBefore"] = "1".into();
        let value = base64::encode(forged.to_string().as_bytes());
        let forged = Payment { value, ..payment.clone() };
        assert!(is_unavailable(&world.present(&forged)), "{what:?} with a forgery");
        assert!(world.origin.calls.is_empty() && world.facilitator.urls.is_empty());
        assert!(world.ledger.entries().is_empty());
    }
    for raw in
        ["{\"price\":\"$0.01\",\"price\":\"$0.02\"}", "{", "", "\u{feff}{\"price\":\"$0.01\"}"]
    {
        let mut world = world();
        world.prices = VecDeque::from([raw.to_owned()]);
        assert!(is_unavailable(&world.ask("/quoted")), "{raw}");
    }
    let mut world = world();
    for good in ["$1.00", "1", "$0.000001"] {
        says(&mut world, &[json!({"price": good, "valid_secs": 3600, "new": 1})]);
        assert_eq!(world.ask("/quoted").status, 402, "{good}");
    }
}

#[test]
fn a_malformed_payment_is_refused_as_malformed_at_any_price() {
    for answer in [Some(price("$0.02")), Some(price("free")), None] {
        let mut world = world();
        says(&mut world, answer.as_slice());
        let malformed = world.send(get("/quoted").header("payment-signature", "!"));
        assert_eq!((malformed.status, malformed.problem().as_str()), (400, "malformed_payment"));
        assert!(world.origin.calls.is_empty());
    }
}

#[test]
fn a_least_price_is_kept_and_then_nothing_is_free() {
    let mut world = world();
    for (said, status) in [("$0.05", 402), ("$0.049999", 503), ("free", 503), ("$1.00", 402)] {
        says(&mut world, &[price(said)]);
        assert_eq!(world.ask("/least").status, status, "{said}");
    }
}

#[test]
fn free_requests_of_a_day_come_before_the_price() {
    let mut world = world();
    says(&mut world, &[price("$0.02")]);
    assert_eq!(world.ask("/daily").status, 200);
    assert!(world.priced.is_empty());
    assert_eq!(amount(&world.ask("/daily")), "20000");
    assert_eq!(amount(&world.ask("/daily")), "20000");
    assert_eq!(world.priced.len(), 2);
    assert_eq!(world.ledger.objects.len(), 2);
    let mut down = self::world();
    down.ledger.plan.push_back(LedgerFault::Down);
    assert!(is_unavailable(&down.ask("/daily")));
}

#[test]
fn a_path_that_some_origin_reads_as_a_quoted_one_is_ambiguous() {
    let mut world = World::with(gate_vars(json!([
        route(max("$0.01")),
        {"path": "/*", "price": "$9.00"},
    ])));
    says(&mut world, &[price("$0.01")]);
    // Neither is known to ask more.
    assert_eq!(world.ask("/QUOTED").problem(), "ambiguous_target");
    assert_eq!(world.ask("/other").status, 402);
    assert_eq!(world.ask("/quoted").status, 402);
}

#[test]
fn on_several_networks_a_price_in_words_is_asked_on_each() {
    let mut vars = gate_vars(json!([route(max("$1.00"))]));
    vars["NETWORK"] = json!(["eip155:84532", "eip155:80002"]);
    let mut world = World::with(vars);
    says(&mut world, &[price("$0.02"), json!({"price": {"amount": "20000"}})]);
    let required = world.ask("/quoted").payment_required();
    let accepts = required["accepts"].as_array().unwrap();
    assert_eq!(accepts.len(), 2);
    assert_eq!((&accepts[0]["amount"], &accepts[1]["amount"]), (&json!("20000"), &json!("20000")));
    assert_ne!(accepts[0]["extra"]["quote"], accepts[1]["extra"]["quote"]);
    assert!(is_unavailable(&world.ask("/quoted")), "units of which asset?");
    let now = world.now().secs();
    let payment = world.payer.sign(&required, now);
    assert!(world.present(&payment).is_delivery());
}

#[test]
fn wrong_prices_are_errors_that_name_the_route() {
    let errors = |price: Value| -> Vec<String> {
        match Gate::from_vars(&gate_vars(json!([route(price)])).to_string()) {
            Ok(_) => Vec::new(),
            Err(errors) => errors.into_iter().map(|error| error.variable).collect(),
        }
    };
    assert!(errors(json!({"from": "PRICER", "max": "$1", "min": "$1"})).is_empty());
    for wrong in [
        json!({"from": "PRICER"}),
        json!({"from": "PRICER", "max": "free"}),
        json!({"from": "PRICER", "max": "0"}),
        json!({"from": "PRICER", "max": 1}),
        json!({"from": "PRICER", "max": "$0.0000001"}),
        json!({"from": "PRICER", "max": "$1", "min": "$2"}),
        json!({"from": "PRICER", "max": "$1", "min": "free"}),
        json!({"from": "PRICER", "max": "$1", "min": 1}),
        json!({"from": "PRICER", "max": "$1", "valid_secs": 5}),
        json!({"from": "OTHER", "max": "$1"}),
        json!({"from": "pricer", "max": "$1"}),
        json!({"from": "", "max": "$1"}),
        json!({"from": 1, "max": "$1"}),
        json!({"from": "PRICER", "amount": "1", "asset": "USDC"}),
    ] {
        let mut found = errors(wrong.clone());
        found.dedup();
        assert_eq!(found, ["ROUTES[0].price"], "{wrong}");
    }
}
