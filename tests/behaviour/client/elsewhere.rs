//! Terms that announce receipts for another resource than the one that was asked for.

use farebox_core::client::exchange::AnsweredTerms;
use farebox_core::evm::address::Address;

use super::*;
use crate::mpp_client::{asking, evm, request};

/// Where a gate behind a proxy with a wrong host says that it is.
const ELSEWHERE: &str = "https://127.0.0.1:18405/report?day=1";

/// Terms for this resource that announce what their receipts name.
fn selling(resource: &Value) -> Value {
    offering(resource, &entry("10000"))
}

fn offering(resource: &Value, offer: &Value) -> Value {
    json!({"x402Version": 2, "error": "pay", "resource": resource, "accepts": [offer],
        "extensions": {"offer-receipt": {"info": {"receipt": "eip712"}, "schema": {}}}})
}

/// Those of a gate behind a proxy with a wrong host, for this offer.
pub fn behind_proxy(offer: &Value) -> Headers {
    required(&offering(&json!({"url": ELSEWHERE}), offer))
}

fn required(terms: &Value) -> Headers {
    let mut headers = Headers::new();
    headers.add("payment-required", &base64::encode(terms.to_string().as_bytes()));
    headers
}

// A-117
#[test]
pub fn terms_whose_receipt_would_be_refused_are_refused_before_anything_is_signed() {
    for elsewhere in [
        ELSEWHERE,
        "http://shop.example/report?day=1",
        "https://shop.example:8443/report?day=1",
        "https://shop.example/report?day=2",
    ] {
        let mut asked = exchange("{}", 1);
        let headers = required(&selling(&json!({"url": elsewhere})));
        let error = failure(asked.answered(402, &headers, b"", at(0)));
        assert_eq!(error.reason.code(), "resource_mismatch", "{elsewhere}");
        assert_eq!(error.reason.money(), farebox_core::client::error::Money::NotSigned);
        assert!(error.message.starts_with("shop.example "), "{}", error.message);
        assert!(error.message.contains(elsewhere), "{}", error.message);
        assert!(error.reason.remedy().contains("Host"));
        assert!(asked.reserve(None, at(0)).is_err() && asked.payment().is_none());
    }
}

#[test]
fn terms_whose_receipt_nobody_can_foresee_are_paid_as_before() {
    let elsewhere = json!({"url": ELSEWHERE});
    let mut silent = selling(&elsewhere);
    silent.as_object_mut().unwrap().remove("extensions");
    // As the reference server announces the offers that it signs: its receipts name what it was asked for.
    let mut reference = selling(&elsewhere);
    reference["extensions"]["offer-receipt"]["info"] =
        json!({"offers": [{"format": "eip712", "payload": {}, "signature": "0x"}]});
    let mut version_1 = selling(&elsewhere);
    version_1["x402Version"] = 1.into();
    version_1["accepts"][0]["maxAmountRequired"] = "10000".into();
    version_1["accepts"][0]["resource"] = elsewhere["url"].clone();
    let of_version_1 = version_1.to_string();
    let cases = [
        (required(&selling(&json!({"url": URL}))), ""),
        (required(&selling(&Value::Null)), ""),
        (required(&silent), ""),
        (required(&reference), ""),
        (Headers::new(), of_version_1.as_str()),
    ];
    for (headers, body) in cases {
        let next = exchange("{}", 1).answered(402, &headers, body.as_bytes(), at(0));
        assert!(matches!(next, Next::Reserve), "{next:?}");
    }
}

#[test]
fn a_charge_beside_them_is_paid_and_is_not_sent_as_what_was_refused() {
    let mut headers = required(&selling(&json!({"url": ELSEWHERE})));
    let challenge = asking(&[evm("a", &request())]);
    headers.add("www-authenticate", challenge.get("www-authenticate").unwrap());
    let mut asked = exchange("{}", 1);
    assert!(matches!(asked.answered(402, &headers, b"", at(0)), Next::Reserve));
    asked.reserve(None, at(0)).unwrap();
    assert_eq!(asked.proposal().unwrap()["protocol"], "mpp");
    let signature = sign(asked.prepare(at(0)));
    assert!(matches!(asked.signed(&signature, at(0)), Next::Send { .. }));
    let refused = problem("verification-failed", None);
    let error = failure(asked.answered(402, &challenge, &refused, at(1)));
    assert_eq!(error.reason.code(), "payment_refused");
}

#[test]
fn what_was_signed_for_them_before_is_still_sent() {
    let mut first = exchange("{}", 1);
    paid(&mut first, &json!([entry("10000")]));
    let headers = required(&selling(&json!({"url": ELSEWHERE})));
    let terms = AnsweredTerms { headers: &headers, body: b"", at: at(0) };
    let mut later = exchange("{}", 1);
    assert!(later.restore(terms, &first.proof().unwrap(), false, at(1)));
    assert!(later.payment().is_some());
}

/// A payment that was sent and has delivered nothing.
fn sent() -> (Exchange, String) {
    let mut first = exchange("{}", 1);
    paid(&mut first, &json!([entry("10000")]));
    let nonce = nonce(&first);
    (first, nonce)
}

/// The nonce in the header of what was signed.
fn nonce(exchange: &Exchange) -> String {
    let payment = exchange.payment().unwrap();
    let sent = base64::decode(payment["header"][1].as_str().unwrap()).unwrap();
    let sent: Value = serde_json::from_slice(&sent).unwrap();
    sent["payload"]["authorization"]["nonce"].as_str().unwrap().to_owned()
}

/// The nonce that is signed for what is asked now.
fn signs(exchange: &mut Exchange, next: &Next) -> String {
    assert!(matches!(next, Next::Reserve), "{next:?}");
    exchange.reserve(None, at(400)).unwrap();
    let signature = sign(exchange.prepare(at(400)));
    assert!(matches!(exchange.signed(&signature, at(400)), Next::Send { .. }));
    nonce(exchange)
}

// A-864
#[test]
pub fn what_has_ended_is_signed_again_with_its_nonce_behind_a_proxy_that_names_another_host() {
    let asked = behind_proxy(&entry("10000"));
    let (mut ended, before) = sent();
    assert!(matches!(ended.go_on(policy("{}"), None, true, false, at(400)), Some(Next::Afresh)));
    let next = ended.answered(402, &asked, b"", at(400));
    assert_eq!(signs(&mut ended, &next), before);
    // Another process knows its slot alone.
    let (first, _) = sent();
    let slot = first.proposal().unwrap()["slot"].as_str().unwrap().to_owned();
    let mut later = exchange("{}", 1).after(&slot, false);
    let next = later.answered(402, &asked, b"", at(400));
    assert_eq!(signs(&mut later, &next), before);
}

// A-864
#[test]
pub fn other_terms_behind_such_a_proxy_take_the_place_of_what_is_sent_again() {
    let (mut open, before) = sent();
    let sends = open.go_on(policy("{}"), None, false, false, at(30));
    assert!(matches!(sends, Some(Next::Send { .. })));
    let next = open.answered(402, &behind_proxy(&entry("20000")), b"", at(30));
    assert_eq!(signs(&mut open, &next), before);
}

#[test]
fn another_nonce_is_not_signed_for_them_beside_what_has_ended() {
    let again = r#"{"payAgain": true, "pinPayees": false}"#;
    let mut elsewhere = entry("9000");
    (elsewhere["network"], elsewhere["asset"]) = ("eip155:8453".into(), USDC_MAIN.into());
    elsewhere["extra"] = json!({"name": "USD Coin", "version": "2"});
    let (mut ended, _) = sent();
    ended.go_on(policy(again), None, true, true, at(400));
    let refused = failure(ended.answered(402, &behind_proxy(&elsewhere), b"", at(400)));
    assert_eq!(refused.reason.code(), "resource_mismatch");
    // Nor from another account, whether it is named before the terms come or after a person has agreed.
    let other = Address::parse(OTHER).unwrap();
    let asked = behind_proxy(&entry("10000"));
    let (mut early, _) = sent();
    early.go_on(policy(again), None, true, true, at(400));
    early.pays_from(other).unwrap();
    let refused = failure(early.answered(402, &asked, b"", at(400)));
    assert_eq!(refused.reason.code(), "resource_mismatch");
    let (mut late, _) = sent();
    late.go_on(policy(again), None, true, true, at(400));
    assert!(matches!(late.answered(402, &asked, b"", at(400)), Next::Reserve));
    late.reserve(None, at(400)).unwrap();
    late.pays_from(other).unwrap();
    assert!(matches!(late.prepare(at(400)), Next::Afresh));
    let refused = failure(late.answered(402, &asked, b"", at(400)));
    assert_eq!(refused.reason.code(), "resource_mismatch");
}
