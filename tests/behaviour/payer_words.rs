//! What other servers' stacks send a payer, and the names under which a payer is told what is wrong.

use farebox_core::client::{Exchange, Next, Policy};
use farebox_core::encoding::base64;
use farebox_core::http::Headers;
use serde_json::{Value, json};

use crate::client::{
    HASH, OTHER, PAYEE, URL, USDC, account, at, entry, exchange, failure, paid, settled, sign,
    terms,
};
use crate::mpp_client::{asking, evm, request, unbase64url};

fn header(name: &str, value: &Value) -> Headers {
    let mut headers = Headers::new();
    headers.add(name, &base64::encode(value.to_string().as_bytes()));
    headers
}

/// Goes on to the reservation of an offer of 0.01 USDC, and gives the error of its refusal.
fn refused(rules: &str, record: Option<&str>, amount: &str) -> String {
    let mut exchange = exchange(rules, 9);
    exchange.answered(402, &terms(&json!([entry(amount)])), b"", at(1));
    exchange.reserve(record, at(1)).unwrap_err().message
}

#[test]
fn a_host_of_the_policy_may_be_written_as_an_origin() {
    let table = [
        ("shop.example", "https://shop.example/a", true),
        ("SHOP.example", "https://shop.example/a", true),
        ("https://shop.example", "https://shop.example/a", true),
        ("https://shop.example/", "https://shop.example/a", true),
        ("https://shop.example:443/", "https://shop.example/a", true),
        ("http://127.0.0.1:8402", "http://127.0.0.1:8402/a", true),
        ("http://[::1]:80", "http://[::1]/a", true),
        ("[::1]:8402", "http://[::1]:8402/a", true),
        ("https://shop.example:8443", "https://shop.example/a", false),
        ("other.example", "https://shop.example/a", false),
    ];
    for (host, url, allowed) in table {
        let policy = Policy::from_json(&json!({"hosts": [host]}).to_string()).unwrap();
        let mut exchange = Exchange::new(policy, "GET", url, "GET a", account().address(), [1; 48]);
        exchange.answered(402, &terms(&json!([entry("10000")])), b"", at(0));
        assert_eq!(exchange.reserve(None, at(0)).is_ok(), allowed, "{host} {url}");
    }
}

#[test]
fn a_host_that_no_request_can_have_is_refused_with_what_to_write() {
    let wrong = [
        "",
        "https://shop.example/report",
        "https://shop.example?x",
        "ftp://shop.example",
        "*.example",
        "shop.example/",
        "shop.example:443",
        "shop.example:80",
        "user@shop.example",
        "a b",
        "shop.example:+8",
        "shop.example:99999",
        "shop.example:",
        "sh\u{f6}p.example",
        "https://",
    ];
    for host in wrong {
        let error = Policy::from_json(&json!({"hosts": [host]}).to_string()).unwrap_err();
        assert_eq!(error.reason.code(), "invalid_policy", "{host}");
        assert!(error.message.starts_with("hosts: must list hosts such as"), "{}", error.message);
        let spoken = Policy::from_json(&json!({"mpp": {host: {"realm": "x"}}}).to_string());
        assert_eq!(spoken.unwrap_err().reason.code(), "invalid_policy", "{host}");
    }
}

#[test]
fn a_refusal_by_a_cap_names_the_setting_that_was_written() {
    let spent = |rules: &str| {
        let mut exchange = exchange(rules, 1);
        exchange.answered(402, &terms(&json!([entry("10000")])), b"", at(0));
        exchange.reserve(None, at(0)).unwrap()
    };
    let table = [
        (r#"{"perDay": "0.015"}"#, "perDay is 0.015"),
        (r#"{"perHour": "0.015"}"#, "perHour is 0.015"),
        (r#"{"perHour": "0.015", "perDay": "5"}"#, "perHour is 0.015"),
        (r#"{"perHost": "0.015"}"#, "perHost is 0.015"),
        (r#"{"perPayee": "0.015"}"#, "perPayee is 0.015"),
    ];
    for (rules, words) in table {
        let message = refused(rules, Some(&spent(rules)), "10000");
        assert!(message.starts_with(words), "{rules}: {message}");
    }
    let message = refused(r#"{"perPayment": "0.005"}"#, None, "10000");
    assert!(message.ends_with("perPayment is 0.005"), "{message}");
}

#[test]
fn an_empty_wallet_that_only_the_settlement_tells_of_is_told_where_test_money_is() {
    let mut exchange = exchange("{}", 1);
    paid(&mut exchange, &json!([entry("10000")]));
    let required = json!({"x402Version": 2, "error": "no settlement", "accepts": []});
    let mut headers = header("payment-required", &required);
    let settled = json!({"success": false, "errorReason": "insufficient_funds"});
    headers.add("payment-response", &base64::encode(settled.to_string().as_bytes()));
    let error = failure(exchange.answered(402, &headers, b"", at(1)));
    assert_eq!(error.reason.code(), "insufficient_funds");
    assert!(error.message.contains("no settlement"), "{}", error.message);
    assert!(error.message.contains("https://faucet.circle.com"), "{}", error.message);
}

#[test]
fn the_reason_beside_the_terms_is_told_before_that_of_the_settlement_and_of_the_body() {
    let table = [
        (Some("no longer sold"), Some("payment_expired"), "no longer sold"),
        (Some("Payment required"), Some("payment_expired"), "payment_expired"),
        (Some("Payment required"), None, "from the body"),
        (None, Some("payment_expired"), "payment_expired"),
    ];
    for (beside, settled, told) in table {
        let mut exchange = exchange("{}", 1);
        paid(&mut exchange, &json!([entry("10000")]));
        let mut headers = Headers::new();
        if let Some(error) = beside {
            let required = json!({"x402Version": 2, "error": error, "accepts": []});
            headers.add("payment-required", &base64::encode(required.to_string().as_bytes()));
        }
        if let Some(reason) = settled {
            let response = json!({"success": false, "errorReason": reason});
            headers.add("payment-response", &base64::encode(response.to_string().as_bytes()));
        }
        let error =
            failure(exchange.answered(402, &headers, br#"{"error": "from the body"}"#, at(1)));
        assert_eq!(error.reason.code(), "payment_refused");
        assert!(error.message.contains(told), "{beside:?} {settled:?}: {}", error.message);
    }
    // A settlement without a reason leaves the payment open, and tells of the body as well.
    let mut exchange = exchange(r#"{"deadlineSecs": 10}"#, 1);
    paid(&mut exchange, &json!([entry("10000")]));
    let empty = header("payment-response", &json!({"success": false, "errorReason": ""}));
    let error = failure(exchange.answered(402, &empty, br#"{"error": "from the body"}"#, at(10)));
    assert_eq!(error.reason.code(), "payment_unresolved");
    assert!(error.message.contains("from the body"), "{}", error.message);
}

/// Terms of version 1 as a body.
fn version_1(network: &str) -> Vec<u8> {
    let entry = json!({"scheme": "exact", "network": network, "maxAmountRequired": "10000", "asset": USDC,
        "payTo": PAYEE, "maxTimeoutSeconds": 60, "resource": URL, "description": "", "mimeType": "",
        "extra": {"name": "USDC", "version": "2"}});
    json!({"x402Version": 1, "error": "pay", "accepts": [entry]}).to_string().into_bytes()
}

#[test]
fn terms_of_version_1_may_name_the_network_by_its_id_and_a_receipt_may_come_in_either_header() {
    let networks = ["base-sepolia", "eip155:84532"];
    for named in networks {
        for answered in networks {
            for name in ["x-payment-response", "payment-response"] {
                let mut exchange = exchange("{}", 1);
                let next = exchange.answered(402, &Headers::new(), &version_1(named), at(0));
                assert!(matches!(next, Next::Reserve), "{named}: {next:?}");
                exchange.reserve(None, at(0)).unwrap();
                let signature = sign(exchange.prepare(at(0)));
                let Next::Send { headers, .. } = exchange.signed(&signature, at(0)) else {
                    panic!()
                };
                let sent = base64::decode(&headers[0].1).unwrap();
                let sent: Value = serde_json::from_slice(&sent).unwrap();
                assert_eq!((headers[0].0.as_str(), &sent["network"]), ("X-PAYMENT", &json!(named)));
                let settled = json!({"success": true, "transaction": HASH, "network": answered,
                    "payer": account().address().to_checksum()});
                let next = exchange.answered(200, &header(name, &settled), b"", at(1));
                let Next::Return(Some(receipt)) = next else { panic!("{name}: {next:?}") };
                assert_eq!(receipt["network"], "eip155:84532");
            }
        }
    }
}

#[test]
fn a_sale_that_is_offered_by_both_is_paid_by_mpp_where_x402_payments_are_bound_to_requests() {
    let told = |policy: &str, extensions: &Value, payee: &str| {
        let mut offer = entry("10000");
        offer["payTo"] = payee.into();
        let required = json!({"x402Version": 2, "error": "pay", "resource": {"url": URL},
            "accepts": [offer], "extensions": extensions});
        let mut headers = asking(&[evm("one", &request())]);
        headers.add("payment-required", &base64::encode(required.to_string().as_bytes()));
        let mut exchange = exchange(policy, 1);
        exchange.answered(402, &headers, b"", at(0));
        exchange.reserve(None, at(0)).unwrap();
        exchange.prepare(at(0));
        exchange.proposal().unwrap()["protocol"].clone()
    };
    let offered =
        |extensions: &Value, payee: &str| told(r#"{"pinPayees": false}"#, extensions, payee);
    let scoped = |scope: &str| json!({"mppx": {"info": {"nonce": "", "_mppx_scope": scope}}});
    let bound = scoped("eyJhIjoxfQ");
    assert_eq!(offered(&bound, PAYEE), "mpp");
    for unbound in [scoped("GET /x"), json!({"mppx": {"info": {"nonce": ""}}})] {
        assert_eq!(offered(&unbound, PAYEE), "x402", "it takes what stock clients sign");
        let policy = r#"{"pinPayees": false, "mpp": {"shop.example": {"nonce": "joined"}}}"#;
        assert_eq!(told(policy, &unbound, PAYEE), "mpp", "the policy says how it speaks MPP");
    }
    assert_eq!(offered(&json!({"other": {}}), PAYEE), "x402");
    assert_eq!(offered(&bound, OTHER), "x402", "another sale is ranked as usual");
}

/// What a server that is asked by both protocols refused, and what was sent then.
fn refused_charge(policy: &str, x402: &Value, refusal: &[u8]) -> (Exchange, Value, Next) {
    let required = json!({"x402Version": 2, "error": "pay", "resource": {"url": URL},
        "accepts": [x402], "extensions": {"mppx": {"info": {"nonce": ""}}}});
    let mut headers = asking(&[evm("one", &request())]);
    headers.add("payment-required", &base64::encode(required.to_string().as_bytes()));
    let mut exchange = exchange(policy, 1);
    assert!(matches!(exchange.answered(402, &headers, b"", at(0)), Next::Reserve));
    exchange.reserve(None, at(0)).unwrap();
    let signature = sign(exchange.prepare(at(0)));
    let Next::Send { headers: sent, .. } = exchange.signed(&signature, at(0)) else { panic!() };
    let credential = unbase64url(sent[0].1.strip_prefix("Payment ").unwrap());
    let fresh = asking(&[evm("two", &request())]);
    let next = exchange.answered(402, &fresh, refusal, at(1));
    (exchange, credential["payload"].clone(), next)
}

const MISBOUND: &[u8] = br#"{"type":"https://paymentauth.org/problems/verification-failed","detail":"nonce does not match challenge"}"#;
const SPOKEN: &str = r#"{"permit2": true, "mpp": {"shop.example": {"nonce": "joined"}}}"#;

#[test]
fn a_charge_that_is_refused_is_sent_once_more_as_x402_with_the_same_authorization() {
    let (mut exchange, charge, next) = refused_charge(SPOKEN, &entry("10000"), MISBOUND);
    let Next::Send { wait_ms: 0, headers } = next else { panic!("{next:?}") };
    assert_eq!((headers.len(), headers[0].0.as_str()), (1, "PAYMENT-SIGNATURE"));
    let sent: Value = serde_json::from_slice(&base64::decode(&headers[0].1).unwrap()).unwrap();
    let mut signed = sent["payload"]["authorization"].clone();
    signed["signature"] = sent["payload"]["signature"].clone();
    signed["type"] = "authorization".into();
    assert_eq!(signed, charge, "one nonce, one charge");
    assert_eq!(sent["accepted"], entry("10000"));
    assert_eq!(sent["extensions"]["mppx"]["info"]["nonce"], "");
    // What is kept to be sent again is what was sent last.
    assert_eq!(exchange.payment().unwrap()["header"][1], headers[0].1);
    let receipt = settled(|_| {});
    let Next::Return(Some(receipt)) = exchange.answered(200, &receipt, b"", at(2)) else {
        panic!()
    };
    assert_eq!(receipt["transaction"], HASH);
}

#[test]
fn a_charge_is_sent_as_x402_only_where_the_same_sale_stands_beside_it_and_once() {
    let (mut exchange, _, next) = refused_charge(SPOKEN, &entry("10000"), MISBOUND);
    assert!(matches!(next, Next::Send { .. }));
    let error = failure(exchange.answered(402, &Headers::new(), b"{}", at(2)));
    assert_eq!(error.reason.code(), "payment_refused");
    let mut elsewhere = entry("10001");
    elsewhere["payTo"] = OTHER.into();
    let mut permit = entry("10000");
    permit["extra"]["assetTransferMethod"] = "permit2".into();
    for (offer, refusal, code) in [
        (elsewhere, MISBOUND, "payment_refused"),
        (permit, MISBOUND, "payment_refused"),
        (entry("10000"), br#"{"reason":"insufficient_funds"}"#.as_slice(), "insufficient_funds"),
        (entry("10000"), br#"{"detail":"authorization is used"}"#, "payment_conflict"),
    ] {
        let (_, _, next) = refused_charge(SPOKEN, &offer, refusal);
        assert_eq!(failure(next).reason.code(), code, "{offer}");
    }
}
