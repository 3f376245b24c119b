//! Receipts, refusals, and what is never signed again.

use super::*;

#[test]
fn a_receipt_is_told_in_the_form_of_a_settlement_and_one_that_contradicts_is_none() {
    let mut sale = request();
    sale["externalId"] = "order-1".into();
    let after = |headers: &Headers| {
        let mut exchange = exchange("{}", 1);
        paid(&mut exchange, &asking(&[evm("a", &sale)]));
        exchange.answered(200, headers, b"", at(1))
    };
    let whole = receipt(|it| {
        it["challengeId"] = "a".into();
        it["chainId"] = 84532.into();
        it["externalId"] = "order-1".into();
        it["confirmations"] = 3.into();
    });
    for headers in [whole, receipt(|_| {})] {
        let Next::Return(Some(told)) = after(&headers) else { panic!() };
        let expected = json!({"transaction": HASH, "network": "eip155:84532", "payTo": PAYEE,
            "payer": account().address().to_checksum(), "amount": "10000", "asset": USDC,
            "price": "0.01", "symbol": "USDC", "signedBy": null});
        assert_eq!(*told, expected);
    }
    assert!(matches!(after(&Headers::new()), Next::Return(None)));
    type Forge = fn(&mut Value);
    let forgeries: [(&str, Forge); 8] = [
        ("status", |it| it["status"] = "failed".into()),
        ("no status", |it| it["status"] = Value::Null),
        ("method", |it| it["method"] = "tempo".into()),
        ("no transaction", |it| it["reference"] = "order-1".into()),
        ("a long transaction", |it| it["reference"] = format!("{HASH}1").into()),
        ("challenge", |it| it["challengeId"] = "b".into()),
        ("chain", |it| it["chainId"] = 8453.into()),
        ("sale", |it| it["externalId"] = "order-2".into()),
    ];
    for (name, forge) in forgeries {
        assert_eq!(failure(after(&receipt(forge))).reason.code(), "receipt_mismatch", "{name}");
    }
    let mut garbage = Headers::new();
    garbage.add("payment-receipt", "%%%");
    assert_eq!(failure(after(&garbage)).reason.code(), "receipt_mismatch");
}

#[test]
fn once_a_payment_was_sent_no_other_challenge_is_ever_signed() {
    // Every answer that may come, each with a fresh challenge beside it: only the same credential goes out again.
    let fresh = |status: u16, body: Value| {
        let headers = asking(&[evm("fresh", &request())]);
        (status, headers, body.to_string().into_bytes())
    };
    let diagnostic = |code: &str| json!({"extensions": {"diagnostic": {"info": {"code": code}}}});
    let answers = [
        fresh(402, json!({})),
        fresh(
            402,
            json!({"type": "https://paymentauth.org/problems/payment-expired", "detail": "Payment expired."}),
        ),
        fresh(402, diagnostic("INVOICE_EXPIRED")),
        fresh(402, diagnostic("PAYMENT_UNVERIFIED")),
        fresh(409, json!({"code": "payment_in_progress", "retryable": true})),
        fresh(503, json!({})),
        fresh(500, json!({"retryable": true})),
        fresh(200, json!({})),
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for run in 0..400 {
        let mut exchange = exchange(r#"{"pinPayees": false}"#, 1);
        let sent = paid(&mut exchange, &asking(&[evm("first", &request())]));
        for step in 0..6 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let (status, headers, body) = &answers[usize::try_from(state % 8).unwrap()];
            let mut next = exchange.answered(*status, headers, body, at(step));
            if let Next::Mark = next {
                exchange.mark(None, at(step)).unwrap();
                next = exchange.marked();
            }
            match next {
                Next::Send { headers, .. } => {
                    assert!(headers.is_empty() || headers[0] == sent, "run {run}: {headers:?}");
                }
                Next::Return(_) | Next::Fail(_) => break,
                next => panic!("run {run}: {next:?}"),
            }
        }
        assert_eq!(exchange.payment().unwrap()["header"], json!([sent.0, sent.1]));
    }
}

#[test]
fn a_refused_charge_is_told_in_the_sellers_words() {
    let mut exchange = exchange("{}", 1);
    paid(&mut exchange, &asking(&[evm("a", &request())]));
    let body = json!({"reason": "", "detail": "voucher exhausted", "code": 70015}).to_string();
    let error = failure(exchange.answered(402, &Headers::new(), body.as_bytes(), at(1)));
    assert_eq!(error.reason.code(), "payment_refused");
    assert_eq!(error.message, "❌ Seller rejected: voucher exhausted (code 70015, HTTP 402)");
}

#[test]
fn a_lost_answer_of_a_gate_is_asked_for_with_the_wallets_word() {
    let mut exchange = exchange("{}", 1);
    let sent = paid(&mut exchange, &asking(&[evm("a", &request())]));
    let delivered = problem("payment_already_delivered", Some(false));
    let next = exchange.answered(409, &Headers::new(), &delivered, at(2));
    let Next::Sign(statement) = &next else { panic!() };
    assert_eq!(statement["message"]["paymentKey"], exchange.payment().unwrap()["key"]);
    let signature = sign(next);
    let Next::Send { headers, .. } = exchange.signed(&signature, at(2)) else { panic!() };
    assert_eq!((&headers[0], headers[1].0.as_str()), (&sent, "Farebox-Redelivery"));
}
