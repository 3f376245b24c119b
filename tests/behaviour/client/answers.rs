//! Answers that are lost, that come late, and that contradict what was signed.

use super::*;

#[test]
fn a_lost_reply_and_every_answer_that_says_again_get_the_same_payment() {
    let answers: [(u16, Vec<u8>); 6] = [
        (409, problem("payment_in_progress", Some(true))),
        (503, problem("settlement_unknown", Some(true))),
        (500, problem("internal", Some(true))),
        (429, problem("rate_limited", Some(true))),
        (409, Vec::new()),
        (503, b"<html>busy</html>".to_vec()),
    ];
    let mut exchange = exchange("{}", 1);
    let first = paid(&mut exchange, &json!([entry("10000")]));
    for (status, body) in answers {
        let Next::Send { headers, wait_ms } =
            exchange.answered(status, &Headers::new(), &body, at(1))
        else {
            panic!("{status}");
        };
        assert_eq!(headers, first, "{status}");
        assert!(wait_ms > 0);
    }
    let Next::Send { headers, .. } = exchange.lost(at(2)) else { panic!() };
    assert_eq!(headers, first);
    let Next::Return(Some(receipt)) = exchange.answered(200, &settled(|_| {}), b"", at(3)) else {
        panic!()
    };
    assert_eq!((&receipt["transaction"], &receipt["price"]), (&json!(HASH), &json!("0.01")));
}

#[test]
fn a_server_may_ask_to_wait_for_half_a_minute_and_not_longer() {
    let mut exchange = exchange(r#"{"deadlineSecs": 3600}"#, 1);
    paid(&mut exchange, &json!([entry("10000")]));
    for (said, waits) in [("2", 2_000), ("30", 30_000), ("86400", 30_000)] {
        let mut headers = Headers::new();
        headers.add("retry-after", said);
        let body = problem("settlement_unknown", Some(true));
        let Next::Send { wait_ms, .. } = exchange.answered(503, &headers, &body, at(1)) else {
            panic!()
        };
        assert_eq!(wait_ms, waits, "{said}");
    }
}

#[test]
fn when_the_time_is_over_the_payment_is_unresolved_and_can_be_sent_again() {
    let mut exchange = exchange(r#"{"deadlineSecs": 10}"#, 1);
    let sent = paid(&mut exchange, &json!([entry("10000")]));
    assert!(matches!(exchange.lost(at(5)), Next::Send { .. }));
    let error = failure(exchange.lost(at(10)));
    assert_eq!(error.reason.code(), "payment_unresolved");
    let payment = exchange.payment().unwrap();
    assert_eq!(payment["header"], json!([sent[0].0, sent[0].1]));
    assert_eq!(payment["validBefore"], json!(NOW + 60));
}

#[test]
fn an_answer_that_was_never_received_is_requested_once_with_a_wallet_signature() {
    let mut exchange = exchange("{}", 1);
    let first = paid(&mut exchange, &json!([entry("10000")]));
    let delivered = problem("payment_already_delivered", Some(false));
    let next = exchange.answered(409, &Headers::new(), &delivered, at(2));
    let signature = sign(next);
    let Next::Send { headers, .. } = exchange.signed(&signature, at(2)) else { panic!() };
    assert_eq!(headers[0], first[0]);
    assert_eq!(headers[1].0, "Farebox-Redelivery");
    let statement: Value = serde_json::from_slice(&base64::decode(&headers[1].1).unwrap()).unwrap();
    assert_eq!((&statement["method"], &statement["url"]), (&json!("GET"), &json!(URL)));
    let error = failure(exchange.answered(409, &Headers::new(), &delivered, at(3)));
    assert_eq!(error.reason.code(), "payment_conflict");
}

#[test]
fn what_is_still_under_way_is_no_rejection_by_the_seller() {
    let mut exchange = exchange(r#"{"deadlineSecs": 10}"#, 1);
    paid(&mut exchange, &json!([entry("10000")]));
    let body = problem("payment_in_progress", Some(true));
    let error = failure(exchange.answered(409, &Headers::new(), &body, at(10)));
    let told = "after 10 s the outcome of the payment is still unknown: words (code payment_in_progress, HTTP 409)";
    assert_eq!((error.reason.code(), error.message.as_str()), ("payment_unresolved", told));
}

/// Changes a settlement.
type Forge = fn(&mut Value);

// A-117
#[test]
pub fn a_receipt_that_contradicts_what_was_signed_is_no_receipt() {
    let forgeries: [(&str, Forge); 6] = [
        ("network", |it| it["network"] = "eip155:8453".into()),
        ("payer", |it| it["payer"] = PAYEE.into()),
        ("amount", |it| it["amount"] = "9999".into()),
        ("transaction", |it| it["transaction"] = "0x11".into()),
        ("success", |it| it["success"] = "true".into()),
        ("signed receipt", |it| {
            it["extensions"] = json!({"offer-receipt": {"info": {"receipt": {"format": "eip712",
                "payload": {"version": 1}, "signature": "0x"}}}});
        }),
    ];
    for (name, forge) in forgeries {
        let mut exchange = exchange("{}", 1);
        paid(&mut exchange, &json!([entry("10000")]));
        let error = failure(exchange.answered(200, &settled(forge), b"", at(1)));
        assert_eq!(error.reason.code(), "receipt_mismatch", "{name}");
    }
    let mut exchange = exchange("{}", 1);
    paid(&mut exchange, &json!([entry("10000")]));
    assert!(matches!(exchange.answered(200, &Headers::new(), b"", at(1)), Next::Return(None)));
}

#[test]
fn a_signature_of_another_key_or_over_other_data_is_never_sent() {
    let mut exchange = exchange("{}", 1);
    exchange.answered(402, &terms(&json!([entry("10000")])), b"", at(0));
    exchange.reserve(None, at(0)).unwrap();
    exchange.prepare(at(0));
    for signature in
        ["0x", "nonsense", &format!("0x{}1b", "11".repeat(64)), &format!("0x{}", "22".repeat(80))]
    {
        assert_eq!(failure(exchange.signed(signature, at(0))).reason.code(), "wrong_signature");
    }
    assert!(exchange.payment().is_none());
}
