//! What a 402 asks in several ways at once: everything that can be read is one pool with one order.
//! Spec: docs/payer.md; OKX agent payments, "Detection" and "Candidate ranking".

use std::collections::BTreeSet;

use farebox_core::client::exchange::{ONE_SHOT, SESSION};
use farebox_core::client::{Exchange, Next};
use farebox_core::encoding::hex;
use farebox_core::http::Headers;
use farebox_core::mpp::charge::Framing;
use serde_json::{Value, json};

use crate::client::{OTHER, USDC_MAIN, at, entry, exchange, failure, terms};
use crate::mpp_client::{SOON, asking, challenge, evm, request};

/// An offer of x402 at a price, on the main network or the test network.
fn exact(amount: &str, main: bool) -> Value {
    let mut offer = entry(amount);
    if main {
        (offer["network"], offer["asset"]) = ("eip155:8453".into(), USDC_MAIN.into());
        offer["extra"] = json!({"name": "USD Coin", "version": "2"});
    }
    offer
}

fn charge(amount: &str, main: bool) -> Value {
    let mut request = request();
    request["amount"] = amount.into();
    if main {
        request["currency"] = USDC_MAIN.into();
        request["methodDetails"]["chainId"] = 8453.into();
    }
    request
}

/// A 402 with both.
fn both(accepts: &[Value], rows: &[String]) -> Headers {
    let mut headers = if accepts.is_empty() { Headers::new() } else { terms(&json!(accepts)) };
    for row in rows {
        headers.add("www-authenticate", row);
    }
    headers
}

/// Protocol, network and atomic amount of what is chosen.
fn chosen(exchange: &mut Exchange, headers: &Headers) -> (String, String, String) {
    let next = exchange.answered(402, headers, b"", at(0));
    assert!(matches!(next, Next::Reserve), "{next:?}");
    exchange.reserve(None, at(0)).unwrap();
    let proposal = exchange.proposal().unwrap();
    let text = |name: &str| proposal[name].as_str().unwrap().to_owned();
    (text("protocol"), text("network"), text("amount"))
}

fn assert_chosen(accepts: &[Value], charges: &[Value], expected: (&str, &str, &str), why: &str) {
    let rows: Vec<String> =
        charges.iter().enumerate().map(|(at, it)| evm(&format!("c{at}"), it)).collect();
    let (protocol, network, amount) = chosen(&mut exchange("{}", 1), &both(accepts, &rows));
    assert_eq!((protocol.as_str(), network.as_str(), amount.as_str()), expected, "{why}");
}

#[test]
fn exact_and_charge_are_one_pool_in_the_order_of_the_contract() {
    let (main, test) = ("eip155:8453", "eip155:84532");
    assert_chosen(&[exact("1000", true)], &[charge("400", true)], ("mpp", main, "400"), "smaller");
    assert_chosen(&[exact("400", true)], &[charge("1000", true)], ("x402", main, "400"), "smaller");
    assert_chosen(&[exact("400", true)], &[charge("400", false)], ("x402", main, "400"), "main");
    assert_chosen(&[exact("400", false)], &[charge("400", true)], ("mpp", main, "400"), "main");
    assert_chosen(
        &[exact("400", true)],
        &[charge("400", true)],
        ("x402", main, "400"),
        "exact first",
    );
    assert_chosen(
        &[exact("400", true)],
        &[charge("399", false)],
        ("mpp", test, "399"),
        "one symbol",
    );
    let mut upfront = exact("400", true);
    upfront["extra"]["paymentFlow"] = "upfront".into();
    // A charge does not say when it is taken, so that this settles nothing between the two.
    let at_once = std::slice::from_ref(&upfront);
    assert_chosen(
        at_once,
        &[charge("400", true)],
        ("x402", main, "400"),
        "exact first, at once too",
    );
    assert_chosen(at_once, &[charge("399", true)], ("mpp", main, "399"), "smaller");
    let later = [upfront, exact("1000", true)];
    assert_chosen(&later, &[charge("400", true)], ("mpp", main, "400"), "smaller than the later");
    assert_chosen(&later, &[charge("1000", true)], ("x402", main, "1000"), "the later of x402");
    assert_chosen(&[], &[charge("400", true), charge("300", true)], ("mpp", main, "300"), "alone");
}

/// A dollar of another symbol on the main network.
const SYMBOLS: &str = r#"{"pinPayees": false, "assets": ["USDC", "DAI", {"symbol": "DAI", "network": "eip155:8453", "address": "0x9bD306cEF7C9C5C35324a3acA5Cc136C80A8FF4f", "name": "Dai", "version": "1", "decimals": 6}]}"#;

fn dai(amount: &str) -> Value {
    let mut offer = exact(amount, true);
    offer["asset"] = OTHER.into();
    offer["extra"] = json!({"name": "Dai", "version": "1"});
    offer
}

#[test]
fn prices_in_several_symbols_are_compared_last() {
    let pool = both(&[dai("1000")], &[evm("a", &charge("400", false))]);
    let (protocol, network, _) = chosen(&mut exchange(SYMBOLS, 1), &pool);
    assert_eq!((protocol.as_str(), network.as_str()), ("x402", "eip155:8453"), "main before test");
    let pool = both(&[dai("1000")], &[evm("a", &charge("400", true))]);
    let (protocol, _, _) = chosen(&mut exchange(SYMBOLS, 1), &pool);
    assert_eq!(protocol, "x402", "exact before charge");
    let pool = both(&[dai("1000"), exact("999", true)], &[]);
    let (_, _, amount) = chosen(&mut exchange(SYMBOLS, 1), &pool);
    assert_eq!(amount, "999", "then the smaller");
}

#[test]
fn equal_pools_give_equal_choices_whatever_the_order_of_the_server() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let mut protocols = BTreeSet::new();
    for _ in 0..300 {
        let amount = |it: u64| (100 + it).to_string();
        let mut accepts: Vec<Value> = (0..random(4))
            .map(|_| match random(3) {
                0 => dai(&amount(random(3))),
                main => exact(&amount(random(3)), main == 1),
            })
            .collect();
        let mut rows: Vec<String> = (0..1 + random(4))
            .map(|at| evm(&format!("c{at}"), &charge(&amount(random(3)), random(2) == 0)))
            .collect();
        let mut choices = BTreeSet::new();
        for _ in 0..6 {
            let mut exchange = exchange(SYMBOLS, 1);
            chosen(&mut exchange, &both(&accepts, &rows));
            let Next::Sign(data) = exchange.prepare(at(0)) else { panic!() };
            protocols.insert(exchange.proposal().unwrap()["protocol"].to_string());
            choices.insert(data.to_string());
            for at in 0..accepts.len() {
                let other = random(accepts.len() as u64);
                accepts.swap(at, usize::try_from(other).unwrap());
            }
            for at in 0..rows.len() {
                let other = random(rows.len() as u64);
                rows.swap(at, usize::try_from(other).unwrap());
            }
        }
        assert_eq!(choices.len(), 1, "{accepts:?} {rows:?}");
    }
    assert_eq!(protocols.len(), 2);
}

#[test]
fn the_body_of_version_1_belongs_to_the_pool_and_a_problem_body_does_not() {
    let v1 = json!({"x402Version": 1, "error": "", "accepts": [{"scheme": "exact", "network": "base-sepolia",
        "maxAmountRequired": "300", "asset": entry("1")["asset"], "payTo": entry("1")["payTo"],
        "maxTimeoutSeconds": 60, "extra": {"name": "USDC", "version": "2"}}]});
    let headers = asking(&[evm("a", &charge("400", false))]);
    for (body, protocol) in [(v1.to_string(), "x402"), (r#"{"status":402}"#.into(), "mpp")] {
        let mut exchange = exchange("{}", 1);
        assert!(matches!(exchange.answered(402, &headers, body.as_bytes(), at(0)), Next::Reserve));
        exchange.reserve(None, at(0)).unwrap();
        assert_eq!(exchange.proposal().unwrap()["protocol"], protocol, "{body}");
    }
}

#[test]
fn what_cannot_be_read_spoils_nothing_that_can() {
    let good = evm("a", &charge("400", true));
    for bad in [
        "Payment id=\"x\", realm=\"r\"".to_owned(),
        "Payment".to_owned(),
        "Basic realm=\"Payment id=z\"".to_owned(),
        evm("x", &json!({"amount": 1})),
        challenge("x", &charge("1", true), &format!(r#"method="tempo", expires="{SOON}""#)),
    ] {
        for rows in [vec![bad.clone(), good.clone()], vec![good.clone(), bad.clone()]] {
            let joined = vec![rows.join(", ")];
            for rows in [rows, joined] {
                let (protocol, _, amount) = chosen(&mut exchange("{}", 1), &both(&[], &rows));
                assert_eq!((protocol.as_str(), amount.as_str()), ("mpp", "400"), "{rows:?}");
            }
        }
    }
    let mut garbled = both(&[], &[good]);
    garbled.add("payment-required", "%%%");
    assert_eq!(chosen(&mut exchange("{}", 1), &garbled).0, "mpp");
    let beside = both(&[exact("400", true)], &["Payment id=\"x\"".into()]);
    assert_eq!(chosen(&mut exchange("{}", 1), &beside).0, "x402");
}

#[test]
fn a_method_that_is_not_paid_here_is_named_if_there_is_no_other() {
    let row = |method: &str| {
        challenge("a", &charge("400", true), &format!(r#"method="{method}", expires="{SOON}""#))
    };
    for method in ["tempo", "stripe", "svm"] {
        let error = failure(exchange("{}", 1).answered(402, &asking(&[row(method)]), b"", at(0)));
        assert_eq!(error.reason.code(), "unsupported_method");
        assert!(error.message.starts_with("method must be evm"), "{}", error.message);
        assert!(error.message.contains(method), "{}", error.message);
        let rows = [row(method), evm("b", &charge("400", true))];
        assert_eq!(chosen(&mut exchange("{}", 1), &both(&[], &rows)).0, "mpp");
    }
}

#[test]
fn a_session_is_a_question_only_where_something_else_can_be_paid() {
    let session = evm("s", &charge("5", true)).replace(r#"intent="charge""#, r#"intent="session""#);
    let alone = failure(exchange("{}", 1).answered(
        402,
        &asking(std::slice::from_ref(&session)),
        b"",
        at(0),
    ));
    assert_eq!(alone.reason.code(), "unsupported_intent");
    for headers in [
        both(&[exact("400", true)], std::slice::from_ref(&session)),
        both(&[], &[session.clone(), evm("a", &charge("400", true))]),
    ] {
        let mut one = exchange("{}", 1);
        assert!(matches!(one.answered(402, &headers, b"", at(0)), Next::Choose));
        assert!(matches!(one.chose(ONE_SHOT), Next::Reserve));
        one.reserve(None, at(0)).unwrap();
        assert_eq!(one.proposal().unwrap()["amount"], "400", "never the session's");
        let mut other = exchange("{}", 1);
        other.answered(402, &headers, b"", at(0));
        assert_eq!(failure(other.chose(SESSION)).reason.code(), "unsupported_intent");
    }
    let tempo = session.replace(r#"method="evm""#, r#"method="tempo""#);
    assert_eq!(chosen(&mut exchange("{}", 1), &both(&[exact("400", true)], &[tempo])).0, "x402");
}

// A-27
#[test]
fn only_what_the_security_vectors_accept_is_signed() {
    let file: Value =
        serde_json::from_str(include_str!("../vectors/security/headers_client.json")).unwrap();
    // Their request is of no token; everything else of the header stays as it is.
    let real = evm("x", &charge("400", true));
    let real = real.split("request=\"").nth(1).unwrap().split('"').next().unwrap();
    let cases = file["cases"].as_array().unwrap();
    let (mut signed, mut refused) = (0, 0);
    for case in cases.iter().filter(|case| case["class"] == "www_authenticate") {
        let mut headers = Headers::new();
        for row in case["headers"].as_array().unwrap() {
            let value = row[1].as_str().unwrap();
            let theirs = "eyJhbW91bnQiOiIxMDAwIiwiY3VycmVuY3kiOiJ1c2QifQ";
            headers.add(row[0].as_str().unwrap(), &value.replace(theirs, real));
        }
        let realms = ["r", "caf\u{e9}", "Payment id=zz, x"];
        let next = realms.map(|realm| {
            let rules = json!({"mpp": {"shop.example": {"realm": realm}}}).to_string();
            let mut exchange = exchange(&rules, 1);
            (exchange.answered(402, &headers, b"", at(0)), exchange)
        });
        let reserves = |(next, _): &(Next, Exchange)| matches!(next, Next::Reserve);
        let at_one = next.iter().position(reserves).unwrap_or(0);
        let (next, mut exchange) = next.into_iter().nth(at_one).unwrap();
        let ids = case["challengeIds"].as_array().unwrap();
        match (case["expect"].as_str().unwrap(), &next) {
            ("accept" | "either", Next::Reserve) => {
                exchange.reserve(None, at(0)).unwrap();
                let data = match exchange.prepare(at(0)) {
                    Next::Sign(data) => data,
                    next => panic!("{}: {next:?}", case["name"]),
                };
                let realm = case["headers"][0][1].as_str().unwrap();
                let nonces = ids.iter().flat_map(|id| {
                    let id = id.as_str().unwrap();
                    realms.map(|realm| {
                        hex::encode_prefixed(&Framing::Listed.challenge_hash(id, realm))
                    })
                });
                let nonce = data["message"]["nonce"].as_str().unwrap();
                assert!(nonces.into_iter().any(|it| it == nonce), "{}: {realm}", case["name"]);
                signed += 1;
            }
            ("reject" | "either", Next::Fail(_) | Next::Afresh) => refused += 1,
            (expect, next) => panic!("{}: {expect}, {next:?}", case["name"]),
        }
    }
    assert!(signed >= 20 && refused >= 17, "{signed} signed, {refused} refused");
}
