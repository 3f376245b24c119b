//! Terms that announce receipts for another resource than the one that was asked for.

use farebox_core::client::exchange::AnsweredTerms;

use super::*;
use crate::mpp_client::{asking, evm, request};

/// Terms for this resource that announce what their receipts name.
fn selling(resource: &Value) -> Value {
    json!({"x402Version": 2, "error": "pay", "resource": resource, "accepts": [entry("10000")],
        "extensions": {"offer-receipt": {"info": {"receipt": "eip712"}, "schema": {}}}})
}

fn required(terms: &Value) -> Headers {
    let mut headers = Headers::new();
    headers.add("payment-required", &base64::encode(terms.to_string().as_bytes()));
    headers
}

//
#[test]
pub fn terms_whose_receipt_would_be_refused_are_refused_before_anything_is_signed() {
    for elsewhere in [
        "https://127.0.0.1:18405/report?day=1",
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
    let elsewhere = json!({"url": "https://127.0.0.1:18405/report?day=1"});
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
    let mut headers = required(&selling(&json!({"url": "https://127.0.0.1:18405/report?day=1"})));
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
    let headers = required(&selling(&json!({"url": "https://127.0.0.1:18405/report?day=1"})));
    let terms = AnsweredTerms { headers: &headers, body: b"", at: at(0) };
    let mut later = exchange("{}", 1);
    assert!(later.restore(terms, &first.proof().unwrap(), false, at(1)));
    assert!(later.payment().is_some());
}
