//! For what a price holds, and for how long.

use farebox_core::encoding::base64;
use farebox_core::gate::attempts::Attempts;
use farebox_core::http::{BodyPresence, RequestHead};
use serde_json::{Value, json};

use crate::world::payer::Payment;
use crate::world::{HOST, With, World, decoded, paid, request};

use super::{amount, gate_vars, max, price, route, says, sign, world};

/// A request of this method with these fields and this body, `Content-Length` or nothing.
fn shaped(method: &str, body: Option<&str>, fields: &[(&str, &str)]) -> RequestHead {
    let mut head = request(method, "/quoted");
    head.body = if body.is_some() { BodyPresence::Present } else { BodyPresence::Absent };
    let lengths = body.filter(|length| !length.is_empty()).map(|it| ("content-length", it));
    fields.iter().copied().chain(lengths).fold(head, |head, (name, value)| head.header(name, value))
}

//
#[test]
pub fn a_price_holds_for_the_whole_question_that_it_was_named_for() {
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
pub fn what_is_too_long_to_be_told_is_refused_and_buys_nothing() {
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
fn a_payment_that_returns_its_quote_is_checked_by_it_without_a_call() {
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

//
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

//
#[test]
pub fn a_quote_is_none_for_another_token_that_its_route_is_paid_in_since() {
    let mut world = world();
    says(&mut world, &[price("$0.02"), price("$0.03")]);
    let quoted = world.ask("/quoted").payment_required();
    let mut other = route(max("$1.00"));
    other["asset"] = json!({
        "address": "0x33ad9e4BD16B69B5BFdED37D8B5D9fF9aba014Fb", "decimals": 6, "name": "Other",
        "version": "1",
    });
    world.gate = World::with(gate_vars(json!([other]))).gate;
    let mut terms = world.ask("/quoted").payment_required();
    let (was, wanted) = (&quoted["accepts"][0], &mut terms["accepts"][0]);
    assert_eq!((&was["amount"], &wanted["amount"]), (&json!("20000"), &json!("30000")));
    assert_ne!(was["asset"], wanted["asset"]);
    wanted["amount"] = was["amount"].clone();
    wanted["extra"]["quote"] = was["extra"]["quote"].clone();
    let now = world.now().secs();
    let payment = world.payer.sign(&terms, now);
    for isolate in ["that has named it", "that has not"] {
        let answer = world.present(&payment);
        let said = (answer.problem(), amount(&answer));
        assert_eq!(said, ("amount_mismatch".to_owned(), "30000".to_owned()), "{isolate}");
        world.attempts = Attempts::new();
    }
    assert!(world.facilitator.urls.is_empty());
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
pub fn a_length_beside_another_framing_says_nothing_of_the_body() {
    let mut world = world();
    says(&mut world, &[price("$0.02")]);
    let framed = shaped("POST", Some("7"), &[("transfer-encoding", "chunked")]);
    world.send_body(framed, b"more than that");
    assert_eq!(world.priced[0]["body_bytes"], Value::Null);
    assert!(world.priced[0].as_object().unwrap().contains_key("body_bytes"));
}
