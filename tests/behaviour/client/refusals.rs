//! A 402 to a payment: what refuses it, and what leaves open that money moved.

use farebox_core::client::Next;
use farebox_core::encoding::base64;
use farebox_core::http::Headers;
use serde_json::{Value, json};

use super::{USDC, account, at, entry, exchange, failure, paid, problem, settled, terms};

/// A 402 whose terms say why the payment is refused.
fn refused_because(reason: &str) -> Headers {
    let required = json!({"x402Version": 2, "error": reason, "accepts": [entry("10000")]});
    let mut headers = Headers::new();
    headers.add("payment-required", &base64::encode(required.to_string().as_bytes()));
    headers
}

#[test]
pub fn a_refusal_quotes_the_header_or_else_the_body() {
    let body = br#"{"error": "of the body", "code": "x"}"#.as_slice();
    let cases = [
        (refused_because("invalid_signature"), b"{}".as_slice(), "invalid_signature (HTTP 402)"),
        (refused_because("invalid_signature"), b"", "invalid_signature (HTTP 402)"),
        (refused_because("of the header"), body, "of the header (code x, HTTP 402)"),
        (refused_because("Payment required"), body, "of the body (code x, HTTP 402)"),
        (
            refused_because("PAYMENT-SIGNATURE header is required"),
            body,
            "of the body (code x, HTTP 402)",
        ),
        (refused_because("\u{200b} "), body, "of the body (code x, HTTP 402)"),
        (refused_because("a\u{202e}b"), b"{}", "ab (HTTP 402)"),
        (Headers::new(), b"{}", "no reason given (HTTP 402)"),
    ];
    for (headers, body, told) in cases {
        let mut exchange = exchange("{}", 1);
        paid(&mut exchange, &json!([entry("10000")]));
        let error = failure(exchange.answered(402, &headers, body, at(1)));
        assert_eq!(error.reason.code(), "payment_refused", "{told}");
        assert_eq!(error.message, format!("❌ Seller rejected: {told}"));
    }
}

#[test]
pub fn an_empty_wallet_error_names_amount_token_and_network() {
    let said = |reason: &str| format!(r#"{{"x402Version": 1, "error": "{reason}"}}"#).into_bytes();
    let failed = |reason: &'static str| {
        settled(|it| {
            (it["success"], it["errorReason"]) = (false.into(), reason.into());
            it["transaction"] = "".into();
        })
    };
    let cases = [
        (refused_because("invalid_exact_evm_insufficient_balance"), b"{}".to_vec()),
        (refused_because("insufficient_funds"), b"{}".to_vec()),
        (Headers::new(), said("insufficient_funds")),
        (failed("insufficient_funds"), Vec::new()),
    ];
    let payer = account().address().to_checksum();
    let needs = format!(
        "; {payer} holds less than 0.01 USDC (10000), contract {USDC} on eip155:84532 (base-sepolia), a test network: https://faucet.circle.com gives test USDC"
    );
    for (headers, body) in cases {
        let mut exchange = exchange("{}", 1);
        paid(&mut exchange, &json!([entry("10000")]));
        let error = failure(exchange.answered(402, &headers, &body, at(1)));
        assert_eq!(error.reason.code(), "insufficient_funds");
        assert!(error.message.ends_with(&needs), "{}", error.message);
        assert!(exchange.payment().is_some(), "it may be charged yet");
    }
    for words in ["the wallet has insufficient funds", "insufficient_funds!", "sufficient"] {
        let mut exchange = exchange("{}", 1);
        paid(&mut exchange, &json!([entry("10000")]));
        let error = failure(exchange.answered(402, &refused_because(words), b"{}", at(1)));
        assert_eq!(error.reason.code(), "payment_refused", "{words} is no code");
    }
}

#[test]
fn a_missing_allowance_error_names_permit2_amount_and_token() {
    let permit = |method: &str| {
        let mut offer = entry("10000");
        offer["extra"] = json!({"name": "USDC", "version": "2", "assetTransferMethod": method});
        offer
    };
    let payer = account().address().to_checksum();
    let needs = format!(
        "; {payer} lets Permit2 (0x000000000022D473030F116dDEE9F6B43aC78BA3) move less than 0.01 USDC (10000): approve at least 10000 atomic units of contract {USDC} on eip155:84532 (base-sepolia)"
    );
    for reason in
        ["permit2_allowance_required", "invalid_batch_settlement_evm_permit2_allowance_required"]
    {
        let mut exchange = exchange(r#"{"permit2": true}"#, 1);
        paid(&mut exchange, &json!([permit("permit2")]));
        let error = failure(exchange.answered(402, &refused_because(reason), b"{}", at(1)));
        assert_eq!(error.reason.code(), "allowance_missing");
        assert!(error.message.ends_with(&needs), "{}", error.message);
        assert!(exchange.payment().is_some(), "it may be charged yet");
    }
    for (method, words) in
        [("eip3009", "permit2_allowance_required"), ("permit2", "no permit2 allowance")]
    {
        let mut exchange = exchange(r#"{"permit2": true}"#, 1);
        paid(&mut exchange, &json!([permit(method)]));
        let error = failure(exchange.answered(402, &refused_because(words), b"{}", at(1)));
        assert_eq!(error.reason.code(), "payment_refused", "{method} {words}");
    }
}

#[test]
fn a_final_refusal_is_reported_and_no_second_payment_is_signed() {
    let certain = |it: &mut Value| {
        *it = json!({"success": false, "errorReason": "invalid_exact_evm_payload_signature", "transaction": ""});
    };
    let cases: [(u16, Headers, Vec<u8>, &str); 7] = [
        (402, terms(&json!([entry("10000")])), Vec::new(), "payment_refused"),
        (402, settled(certain), Vec::new(), "payment_refused"),
        (409, Headers::new(), problem("payment_already_used", Some(false)), "payment_conflict"),
        (409, Headers::new(), problem("under_review", Some(false)), "payment_conflict"),
        (409, Headers::new(), problem("refund_due", Some(false)), "refund_due"),
        (502, settled(|_| {}), problem("refund_due", Some(false)), "refund_due"),
        (409, Headers::new(), problem("anything_else", Some(false)), "payment_conflict"),
    ];
    for (status, headers, body, code) in cases {
        let mut exchange = exchange("{}", 1);
        paid(&mut exchange, &json!([entry("10000")]));
        let error = failure(exchange.answered(status, &headers, &body, at(1)));
        assert_eq!(error.reason.code(), code, "{status}");
        assert_eq!(error.reason.money(), farebox_core::client::error::Money::Signed);
    }
}

// A-136
#[test]
pub fn a_settlement_that_may_have_been_sent_is_asked_for_again_and_is_no_refusal() {
    let hash = format!("0x{}", "ab".repeat(32));
    let said = |reason: &str, transaction: &str| {
        let said = json!({"success": false, "errorReason": reason, "transaction": transaction});
        let mut headers = Headers::new();
        headers.add("payment-response", &base64::encode(said.to_string().as_bytes()));
        headers
    };
    let mut odd = Headers::new();
    odd.add("payment-response", "not base64");
    let cases = [
        said("settlement_pending", &hash),
        said("settlement_pending", ""),
        said("duplicate_settlement", ""),
        said("unexpected_settle_error", ""),
        said("invalid_transaction_state", &hash),
        // Whatever the reason: a transaction was sent.
        said("insufficient_funds", &hash),
        said("a word of its own", ""),
        said("", ""),
        settled(|it| it["success"] = false.into()),
        settled(|_| {}),
        odd,
    ];
    for headers in cases {
        let mut exchange = exchange(r#"{"deadlineSecs": 10}"#, 1);
        let first = paid(&mut exchange, &json!([entry("10000")]));
        let next = exchange.answered(402, &headers, b"", at(1));
        let Next::Send { headers: again, .. } = next else { panic!("{headers:?}: {next:?}") };
        assert_eq!(again[0], first[0], "the same payment");
        // What came of the first settlement is not known by a refusal of the second.
        let refusal = refused_because("invalid_exact_evm_insufficient_balance");
        assert!(matches!(exchange.answered(402, &refusal, b"", at(2)), Next::Send { .. }));
        let error = failure(exchange.answered(402, &refusal, b"", at(10)));
        assert_eq!(error.reason.code(), "payment_unresolved", "{headers:?}");
        assert!(exchange.payment().is_some());
    }
    // The gate itself answers so only if it is certain.
    let mut exchange = exchange("{}", 1);
    paid(&mut exchange, &json!([entry("10000")]));
    let body = problem("settlement_refused", Some(false));
    let error = failure(exchange.answered(402, &said("its own word", ""), &body, at(1)));
    assert_eq!(error.reason.code(), "payment_refused");
}

#[test]
pub fn a_payment_that_is_said_to_have_been_used_is_no_refusal() {
    let used =
        ["invalid_exact_evm_nonce_already_used", "FiatTokenV2: authorization is used or canceled"];
    for reason in used {
        let mut exchange = exchange("{}", 1);
        paid(&mut exchange, &json!([entry("10000")]));
        assert!(matches!(exchange.lost(at(1)), Next::Send { .. }));
        let error = failure(exchange.answered(402, &refused_because(reason), b"", at(2)));
        assert_eq!(error.reason.code(), "payment_conflict", "{reason}");
    }
}
