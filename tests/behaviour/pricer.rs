//! Prices that a bound Worker names. Spec: docs/protocols.md, "Prices of somebody else".

use std::collections::VecDeque;

use farebox_core::encoding::base64;
use farebox_core::gate::Gate;
use farebox_core::gate::attempts::Attempts;
use farebox_core::http::{BodyPresence, RequestHead};
use serde_json::{Value, json};

use crate::world::facilitator::{Repeats, Settle, Verify};
use crate::world::ledger::LedgerFault;
use crate::world::payer::Payment;
use crate::world::{HOST, Response, With, World, decoded, get, paid, request, vars};

fn route(price: Value) -> Value {
    json!({"path": "/quoted", "price": price, "description": "as configured"})
}

fn gate_vars(routes: Value) -> Value {
    let mut vars = vars(routes);
    vars["bindings"] = json!(["LEDGER", "PRICER"]);
    vars
}

fn max(max: &str) -> Value {
    json!({"from": "PRICER", "max": max})
}

fn world() -> World {
    World::with(gate_vars(json!([
        route(max("$1.00")),
        {"path": "/early", "price": max("$1.00"), "settle": "before"},
        {"path": "/least", "price": {"from": "PRICER", "max": "$1.00", "min": "$0.05"}},
        {"path": "/daily", "price": max("$1.00"), "free": {"per_day": 1}},
        {"path": "/fixed", "price": "$0.01"},
    ])))
}

/// Puts the present price up.
fn says(world: &mut World, answers: &[Value]) {
    world.prices = answers.iter().map(ToString::to_string).collect();
}

fn price(text: &str) -> Value {
    json!({ "price": text })
}

fn amount(response: &Response) -> String {
    let required = response.payment_required();
    let accepts = required["accepts"].as_array().unwrap();
    assert_eq!(accepts.len(), 1);
    accepts[0]["amount"].as_str().unwrap().to_owned()
}

/// Signed for the present price, by version.
fn sign(world: &mut World, target: &str, version: u8) -> Payment {
    let unpaid = world.ask(target);
    let now = world.now().secs();
    match version {
        1 => world.payer.sign_v1(&unpaid.json(), now),
        _ => world.payer.sign(&unpaid.payment_required(), now),
    }
}

fn is_unavailable(response: &Response) -> bool {
    response.status == 503
        && response.problem() == "price_unavailable"
        && response.headers.get("retry-after") == Some("5")
        && !response.has_terms()
}

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
fn the_question_tells_the_head_and_nothing_that_proves_who_somebody_is() {
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
fn a_body_whose_length_nobody_knows_is_told_as_one() {
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

/// A request of this method with these fields and this body, `Content-Length` or nothing.
fn shaped(method: &str, body: Option<&str>, fields: &[(&str, &str)]) -> RequestHead {
    let mut head = request(method, "/quoted");
    head.body = if body.is_some() { BodyPresence::Present } else { BodyPresence::Absent };
    let lengths = body.filter(|length| !length.is_empty()).map(|it| ("content-length", it));
    fields.iter().copied().chain(lengths).fold(head, |head, (name, value)| head.header(name, value))
}

#[test]
fn a_price_holds_for_the_whole_question_that_it_was_named_for() {
    let range = [("range", "bytes=0-0")];
    let dear = [
        ("another length", shaped("POST", Some("7"), &[]), shaped("POST", Some("60000"), &[])),
        ("no length", shaped("POST", Some("7"), &[]), shaped("POST", Some(""), &[])),
        ("a body of no known length", shaped("POST", None, &[]), shaped("POST", Some(""), &[])),
        ("a body", shaped("POST", None, &[]), shaped("POST", Some("7"), &[])),
        ("the whole file", shaped("GET", None, &range), shaped("GET", None, &[])),
        ("more", shaped("GET", None, &range), shaped("GET", None, &[("range", "bytes=0-9")])),
        ("another method", shaped("HEAD", None, &[]), shaped("GET", None, &[])),
    ];
    let fields =
        ["accept", "accept-language", "cf-ipcountry", "content-type", "origin", "user-agent"];
    let named = fields.map(|name| {
        (name, shaped("GET", None, &[(name, "a")]), shaped("GET", None, &[(name, "b")]))
    });
    for (what, asked, other) in dear.into_iter().chain(named) {
        for version in [1, 2] {
            let mut world = world();
            says(&mut world, &[price("$0.02"), price("$0.90")]);
            let unpaid = world.send(asked.clone());
            let (required, now) = (unpaid.payment_required(), world.now().secs());
            let payment = match version {
                1 => world.payer.sign_v1(&unpaid.json(), now),
                _ => world.payer.sign(&required, now),
            };
            let with = |head: &RequestHead| head.clone().header(payment.header, &payment.value);
            let response = world.send(with(&other));
            assert_eq!(
                (response.problem().as_str(), amount(&response).as_str()),
                ("amount_mismatch", "900000"),
                "{what} {version}"
            );
            assert!(world.facilitator.urls.is_empty(), "{what}: nothing charged");
            assert!(world.find_row(&payment.nonce).is_none(), "{what}");
            // What differs beside the question is nobody's business: this is how a client pays.
            let paying = with(&asked).header("x-correlation-id", "another-one");
            assert!(world.send(paying).is_delivery(), "{what} {version}");
            assert_eq!(world.priced.len(), 2, "{what}: who pays for what was asked asks nobody");
        }
    }
}

#[test]
fn what_is_too_long_to_be_told_is_refused_and_buys_nothing() {
    let fields = [
        "accept",
        "accept-language",
        "cf-ipcountry",
        "content-type",
        "origin",
        "range",
        "user-agent",
    ];
    for name in fields {
        let mut world = world();
        says(&mut world, &[price("$0.02")]);
        let [short, long] =
            [1_024, 1_025].map(|bytes| shaped("GET", None, &[(name, "a".repeat(bytes).as_str())]));
        assert_eq!(world.send(short).status, 402, "{name}");
        assert_eq!(world.priced[0]["headers"][name].as_str().unwrap().len(), 1_024);
        let payment = sign(&mut world, "/quoted", 2);
        let parts = [(name, "a"), (name, &"b".repeat(1_023))];
        for long in [long, shaped("GET", None, &parts)] {
            let paying = long.clone().header(payment.header, &payment.value);
            for head in [long, paying] {
                let answer = world.send(head);
                let said = (answer.status, answer.problem());
                assert_eq!(said, (431, "header_too_large".to_owned()), "{name}");
            }
        }
        assert_eq!((world.priced.len(), world.origin.calls.len()), (2, 0), "{name}");
        assert!(world.present(&payment).is_delivery(), "nothing was charged");
    }
}

#[test]
fn another_question_is_asked_anew_and_served_where_its_price_is_the_same() {
    for version in [1, 2] {
        let mut world = world();
        says(&mut world, &[price("$0.02")]);
        let payment = sign(&mut world, "/quoted", version);
        world.attempts = Attempts::new();
        let head = paid(&payment).header("user-agent", "another");
        assert!(world.send(head).is_delivery(), "{version}");
        assert_eq!(world.priced.len(), 2);
    }
}

#[test]
fn a_payment_that_hands_its_quote_back_asks_nobody_and_is_judged_by_it() {
    for target in ["/quoted", "/early"] {
        let mut world = world();
        says(&mut world, &[price("$0.02"), price("$0.90")]);
        let payment = sign(&mut world, target, 2);
        // Another isolate, another price.
        world.attempts = Attempts::new();
        assert!(world.present(&payment).is_delivery(), "{target}");
        assert_eq!(world.priced.len(), 1);
        assert_eq!(world.row_of(&payment.nonce).payment.amount, "20000");
        let accepted = &decoded(&payment.value)["accepted"];
        let sent: Value =
            serde_json::from_str(&world.row_of(&payment.nonce).payment.request).unwrap();
        let asked = &sent["paymentRequirements"];
        assert_eq!(asked, accepted, "the facilitator is shown the terms that were accepted");
    }
}

#[test]
fn a_quote_holds_as_long_as_was_said_and_for_its_request_alone() {
    let fresh = |valid: Value| {
        let mut world = world();
        says(&mut world, &[json!({"price": "$0.02", "valid_secs": valid}), price("$0.03")]);
        let payment = sign(&mut world, "/quoted", 2);
        world.attempts = Attempts::new();
        (world, payment)
    };
    for (valid, wait, held) in
        [(5, 4, true), (5, 5, false), (60, 59, true), (60, 60, false), (120, 119, true)]
    {
        let (mut world, payment) = fresh(valid.into());
        world.wait(wait);
        let response = world.present(&payment);
        assert_eq!(response.is_delivery(), held, "{valid} {wait}");
        if !held {
            assert_eq!(
                (response.problem().as_str(), amount(&response).as_str()),
                ("amount_mismatch", "30000")
            );
            assert_eq!(world.facilitator.urls.len(), 0, "nothing is asked, nothing charged");
            assert!(world.find_row(&payment.nonce).is_none());
        }
    }
    let named = |payment: &Payment, target: &str| {
        let mut message = decoded(&payment.value);
        message["resource"]["url"] = json!(format!("{HOST}{target}"));
        let value = base64::encode(message.to_string().as_bytes());
        Payment { value, target: target.to_owned(), ..payment.clone() }
    };
    let (mut world, payment) = fresh(60.into());
    for target in ["/quoted?x=1", "/daily", "/early"] {
        let response = world.present(&named(&payment, target));
        assert_eq!((response.status, response.is_delivery()), (402, false), "{target}");
    }
    let head = request("POST", "/quoted").header(payment.header, &payment.value);
    assert_eq!(world.send(head).status, 402, "another method");
    assert!(world.facilitator.urls.is_empty());
    assert!(world.present(&payment).is_delivery());
}

#[test]
fn a_quote_is_none_for_another_route_that_takes_its_path_over() {
    let mut world = world();
    says(&mut world, &[price("$0.02"), price("$0.30")]);
    let payment = sign(&mut world, "/quoted", 2);
    world.attempts = Attempts::new();
    let wider = json!([{"path": "/*", "price": max("$1.00"), "description": "as configured"}]);
    let before = std::mem::replace(&mut world.gate, World::with(gate_vars(wider)).gate);
    assert_eq!(amount(&world.present(&payment)), "300000");
    world.gate = before;
    assert!(world.present(&payment).is_delivery());
}

#[test]
fn a_quote_that_is_changed_is_none() {
    let mut world = world();
    says(&mut world, &[price("$0.50"), price("$0.40")]);
    let unpaid = world.ask("/quoted").payment_required();
    world.attempts = Attempts::new();
    let now = world.now().secs();
    let quote = unpaid["accepts"][0]["extra"]["quote"].as_str().unwrap().to_owned();
    let (end, mac) = quote.split_once('.').unwrap();
    assert_eq!((end, mac.len()), ((now + 60).to_string().as_str(), 32));
    let flipped = if mac.starts_with('0') { "1" } else { "0" };
    let later = now + 3600;
    let changed = [
        format!("{end}.{flipped}{}", &mac[1..]),
        format!("{later}.{mac}"),
        format!("{end}.{}", &mac[1..]),
        format!("{end}."),
        format!("0{end}.{mac}"),
        mac.to_owned(),
        String::new(),
        "9".repeat(10_000),
    ];
    let pays = |world: &mut World, amount: &str, quote: Value| {
        let mut terms = unpaid.clone();
        terms["accepts"][0]["amount"] = amount.into();
        terms["accepts"][0]["extra"]["quote"] = quote;
        let payment = world.payer.sign(&terms, now);
        world.present(&payment)
    };
    for quote in changed.into_iter().map(Value::from).chain([json!(7), json!({}), Value::Null]) {
        let response = pays(&mut world, "500000", quote.clone());
        assert_eq!((response.status, amount(&response).as_str()), (402, "400000"), "{quote}");
    }
    let cheaper = pays(&mut world, "1", quote.clone().into());
    assert_eq!((cheaper.status, amount(&cheaper).as_str()), (402, "400000"), "another amount");
    assert!(world.facilitator.urls.is_empty());
    assert!(pays(&mut world, "500000", quote.into()).is_delivery());
}

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
fn what_is_malformed_is_told_so_whatever_the_price() {
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
