//! What a server's diagnostic makes one who pays do: stop, ask a person, or sign the same payment once more. Never pay more.

use farebox_core::client::{ClientError, Exchange, Next};
use farebox_core::encoding::base64;
use farebox_core::http::Headers;
use serde_json::{Value, json};

use crate::client::elsewhere::behind_proxy;
use crate::client::{
    ENDPOINT, NOW, OTHER, URL, USDC_MAIN, account, at, entry, exchange, failure, paid, policy,
    settled, sign, terms,
};

/// A 402 with these offers and this diagnostic, in the header.
fn told(accepts: &Value, info: &Value) -> Headers {
    let required = json!({"x402Version": 2, "resource": {"url": "https://elsewhere.example/other"},
        "accepts": accepts, "extensions": {"diagnostic": {"info": info, "schema": {}}}});
    let mut headers = Headers::new();
    headers.add("payment-required", &base64::encode(required.to_string().as_bytes()));
    headers
}

fn body(info: &Value) -> Vec<u8> {
    let schema = "https://x402.example/diagnostic.json";
    json!({"code": "settlement_unknown", "extensions": {"diagnostic": {"info": info, "schema": schema}}})
        .to_string()
        .into_bytes()
}

fn offers() -> Value {
    json!([entry("10000")])
}

/// Holds the advice against the endpoint in this record, as the caller does; the new record and what comes then.
fn held(exchange: &mut Exchange, next: Next, record: Option<String>) -> (Option<String>, Next) {
    assert!(matches!(next, Next::Mark), "{next:?}");
    let changed = exchange.mark(record.as_deref(), at(5)).unwrap();
    (changed.or(record), exchange.marked())
}

/// State of the endpoint in a record.
fn state(record: Option<&str>) -> Option<String> {
    let record: Value = serde_json::from_str(record?).unwrap();
    let row = record["endpoints"].as_array()?.iter().find(|row| row[0] == ENDPOINT)?;
    Some(row[1].as_str()?.to_owned())
}

/// What a diagnostic on terms that nobody paid yet leads to: the error's code, or that it is paid. Nothing is held.
fn unpaid(headers: &Headers, body: &[u8]) -> &'static str {
    let mut exchange = exchange("{}", 1);
    match exchange.answered(402, headers, body, at(0)) {
        Next::Reserve => PAYS,
        next => {
            let error = failure(next);
            assert!(error.diagnostic.is_some());
            error.reason.code()
        }
    }
}

const BLOCKED: &str = "endpoint_blocked";
const PENDING: &str = "approval_needed";
const PAYS: &str = "pays";

fn assert_unpaid(headers: &Headers, body: &[u8], expected: &str, name: &str) {
    assert_eq!(unpaid(headers, body), expected, "{name}");
}

/// An exchange that has paid, and an answer to that with this diagnostic.
fn told_of_payment(exchange: &mut Exchange, info: &Value) -> Next {
    paid(exchange, &offers());
    exchange.answered(402, &told(&offers(), info), b"", at(1))
}

#[test]
fn what_a_server_says_before_it_saw_a_payment_ends_the_call_and_is_held_against_nothing() {
    for code in ["PAYMENT_ATTEMPTS_EXCEEDED", "OPERATOR_ALERT", "PAYMENT_REQUIRED"] {
        let info = json!({"code": code, "escalate": true});
        let mut first = exchange("{}", 1);
        let error = failure(first.answered(402, &told(&offers(), &info), b"", at(0)));
        assert_eq!(error.diagnostic.unwrap()["escalate"], true, "{code}");
        assert_eq!(first.mark(None, at(0)).unwrap(), None, "{code}");
        assert!(first.payment().is_none());
        // The same from one that has paid.
        let mut second = exchange("{}", 2);
        let next = told_of_payment(&mut second, &info);
        let (record, _) = held(&mut second, next, None);
        assert_eq!(state(record.as_deref()).as_deref(), Some("blocked"), "{code}");
    }
}

#[test]
fn the_flag_is_read_before_the_code_and_an_unknown_code_counts_as_none() {
    let cases = [
        ("PAYMENT_REQUIRED", PAYS),
        ("INVOICE_EXPIRED", PAYS),
        ("FOO", PAYS),
        ("", PAYS),
        ("payment_attempts_exceeded", PAYS),
        ("OPERATOR\u{200b}_ALERT", PAYS),
        ("PAYMENT_UNVERIFIED", PENDING),
        ("PAYMENT_ATTEMPTS_EXCEEDED", BLOCKED),
        ("WALLET_INSUFFICIENT_FUNDS", BLOCKED),
        ("OPERATOR_ALERT", BLOCKED),
    ];
    for (code, expected) in cases {
        for info in [json!({"code": code}), json!({"code": code, "escalate": false})] {
            assert_unpaid(&told(&offers(), &info), b"{}", expected, code);
            // Version 2 without terms in a header has none: only the diagnostic can be read then.
            let body = body(&info);
            if expected != PAYS {
                assert_unpaid(&Headers::new(), &body, expected, code);
            }
            assert_unpaid(&terms(&offers()), &body, expected, code);
        }
        let escalated = json!({"code": code, "escalate": true});
        assert_unpaid(&told(&offers(), &escalated), b"", BLOCKED, code);
    }
}

#[test]
fn a_count_of_all_clients_that_look_alike_stops_nothing_and_one_of_its_own_does() {
    let mut info = json!({"code": "PAYMENT_ATTEMPTS_EXCEEDED", "handle": "a".repeat(42)});
    assert_unpaid(&told(&offers(), &info), b"{}", PAYS, "alike");
    info["escalate"] = true.into();
    assert_unpaid(&told(&offers(), &info), b"{}", BLOCKED, "its own");
}

#[test]
fn a_member_of_another_type_makes_the_whole_no_diagnostic() {
    let alert = json!({"code": "OPERATOR_ALERT", "escalate": true, "attempts": 12, "message": "m",
        "suggestion": "s", "firstAttempt": "2026-03-10T00:00:00Z", "reason": "r",
        "correlationId": "req_8432"});
    assert_unpaid(&told(&offers(), &alert), b"", BLOCKED, "whole");
    let others =
        [json!(null), json!([]), json!({}), json!(1.5), json!(-1), json!("12"), json!(true)];
    let mut wrong = 0;
    for name in alert.as_object().unwrap().keys() {
        for other in &others {
            let fits = match name.as_str() {
                "escalate" => other.is_boolean(),
                "attempts" => other.is_u64(),
                _ => other.is_string(),
            };
            if !fits {
                let mut info = alert.clone();
                info[name] = other.clone();
                assert_unpaid(&told(&offers(), &info), b"", PAYS, &format!("{name}: {other}"));
                wrong += 1;
            }
        }
    }
    assert_eq!(wrong, 49);
    for info in [json!(null), json!("OPERATOR_ALERT"), json!([alert]), json!({"escalate": true})] {
        assert_unpaid(&told(&offers(), &info), b"", PAYS, &info.to_string());
    }
}

#[test]
fn the_header_is_believed_before_the_body() {
    let [alert, fine] = ["OPERATOR_ALERT", "PAYMENT_REQUIRED"].map(|code| json!({"code": code}));
    assert_unpaid(&told(&offers(), &fine), &body(&alert), PAYS, "fine in the header");
    assert_unpaid(&told(&offers(), &alert), &body(&fine), BLOCKED, "alert in the header");
    let broken = json!({"code": "OPERATOR_ALERT", "attempts": "1"});
    assert_unpaid(&told(&offers(), &broken), &body(&alert), PAYS, "broken in the header");
}

#[test]
fn terms_that_cannot_be_paid_say_nothing_against_the_diagnostic() {
    let info = json!({"code": "PAYMENT_ATTEMPTS_EXCEEDED"});
    for accepts in [json!(["x402"]), json!([]), json!([entry("2000000")]), json!("x402")] {
        assert_unpaid(&told(&accepts, &info), b"", BLOCKED, &accepts.to_string());
    }
}

#[test]
fn texts_for_people_are_clean_and_short_and_the_request_has_a_name() {
    let long = format!("a\u{202e}b\r\n{}", "x".repeat(2_000));
    let names = ["code", "message", "suggestion", "firstAttempt", "reason", "correlationId"];
    let mut info = json!({"escalate": true});
    for name in names {
        info[name] = long.clone().into();
    }
    let mut exchange = exchange("{}", 1);
    let next = told_of_payment(&mut exchange, &info);
    let error = failure(held(&mut exchange, next, None).1);
    let said = error.diagnostic.unwrap();
    for (name, most) in names.into_iter().zip([64, 256, 256, 64, 64, 64]) {
        let text = said[name].as_str().unwrap();
        assert!(text.starts_with("ab  xx") && text.chars().count() <= most, "{name}: {text:?}");
    }
    assert!(error.message.chars().count() < 700);
    let name = |headers: Headers, body: &[u8]| {
        let mut exchange = super::client::exchange("{}", 0x2a);
        let error = failure(exchange.answered(402, &headers, body, at(0)));
        error.diagnostic.unwrap()["correlationId"].clone()
    };
    let info = json!({"code": "PAYMENT_REQUIRED"});
    let mut headers = told(&json!([]), &info);
    assert_eq!(name(headers.clone(), b"{}"), "req_2a2a2a2a2a2a2a2a");
    assert_eq!(name(headers.clone(), br#"{"correlation_id": "body"}"#), "body");
    headers.add("x-correlation-id", "header");
    assert_eq!(name(headers, br#"{"correlation_id": "body"}"#), "header");
}

#[test]
fn an_answer_to_a_payment_that_says_stop_is_not_followed_by_another_request() {
    let cases = [
        (402, "payment_refused"),
        (503, "payment_unresolved"),
        (500, "payment_unresolved"),
        (409, "payment_conflict"),
    ];
    for (code, stands) in
        [("WALLET_INSUFFICIENT_FUNDS", "blocked"), ("PAYMENT_UNVERIFIED", "pending")]
    {
        for (status, reason) in cases {
            let mut exchange = exchange("{}", 1);
            paid(&mut exchange, &offers());
            let mut body: Value = serde_json::from_slice(&body(&json!({"code": code}))).unwrap();
            body["retryable"] = true.into();
            let body = body.to_string();
            let next = exchange.answered(status, &Headers::new(), body.as_bytes(), at(1));
            let (record, next) = held(&mut exchange, next, None);
            let error = failure(next);
            assert_eq!(
                (error.reason.code(), state(record.as_deref()).as_deref()),
                (reason, Some(stands))
            );
            assert_eq!(error.diagnostic.unwrap()["code"], code);
            assert!(exchange.payment().is_some());
        }
    }
}

#[test]
fn an_answer_that_is_handed_over_stays_so_and_the_endpoint_is_blocked() {
    let mut exchange = exchange("{}", 1);
    paid(&mut exchange, &offers());
    let alert = body(&json!({"code": "OPERATOR_ALERT"}));
    let next = exchange.answered(400, &settled(|_| {}), &alert, at(1));
    let (record, next) = held(&mut exchange, next, None);
    assert!(matches!(next, Next::Return(Some(_))), "{next:?}");
    assert_eq!(state(record.as_deref()).as_deref(), Some("blocked"));
}

#[test]
fn a_delivered_answer_that_needs_the_wallets_word_is_asked_for_once_before_a_person_is() {
    let mut exchange = exchange("{}", 1);
    paid(&mut exchange, &offers());
    let mut problem: Value =
        serde_json::from_slice(&body(&json!({"code": "PAYMENT_UNVERIFIED"}))).unwrap();
    problem["code"] = "payment_already_delivered".into();
    problem["type"] = "urn:farebox:problem:payment_already_delivered".into();
    let problem = problem.to_string();
    let signature = sign(exchange.answered(409, &Headers::new(), problem.as_bytes(), at(1)));
    assert!(matches!(exchange.signed(&signature, at(1)), Next::Send { .. }));
    let next = exchange.answered(409, &Headers::new(), problem.as_bytes(), at(2));
    let (record, next) = held(&mut exchange, next, None);
    assert_eq!(failure(next).reason.code(), "payment_conflict");
    assert_eq!(state(record.as_deref()).as_deref(), Some("pending"));
}

// A-537
#[test]
pub fn what_a_server_doubts_is_signed_at_its_other_terms_with_the_same_nonce() {
    let unverified = json!({"code": "PAYMENT_UNVERIFIED"});
    let mut changed = entry("20000");
    changed["maxTimeoutSeconds"] = 300.into();
    let asked = told(&json!([changed]), &unverified);
    let mut it = exchange("{}", 1).for_purchase(None);
    let first = sent(&paid(&mut it, &offers())).0;
    // In the call that signed it, a person looks; the next one signs what is asked for now.
    let next = it.answered(402, &asked, b"", at(1));
    let (record, next) = held(&mut it, next, None);
    assert_eq!(failure(next).reason.code(), "payment_refused");
    assert_eq!(state(record.as_deref()).as_deref(), Some("pending"));
    it.go_on(policy("{}"), None, false, true, at(2));
    assert!(matches!(it.answered(402, &asked, b"", at(3)), Next::Reserve));
    it.reserve(None, at(3)).unwrap();
    let signature = sign(it.prepare(at(3)));
    let Next::Send { headers, .. } = it.signed(&signature, at(3)) else { panic!() };
    let second = sent(&headers).0;
    assert_eq!((&second["nonce"], &second["value"]), (&first["nonce"], &json!("20000")));
    // Once in a call, and not where the server asks for a person.
    let next = it.answered(402, &asked, b"", at(4));
    assert_eq!(failure(held(&mut it, next, None).1).reason.code(), "payment_refused");
    let loud = json!({"code": "PAYMENT_UNVERIFIED", "escalate": true});
    it.go_on(policy("{}"), None, false, true, at(5));
    let next = it.answered(402, &told(&offers(), &loud), b"", at(6));
    let (record, next) = held(&mut it, next, None);
    assert_eq!(failure(next).reason.code(), "payment_refused");
    assert_eq!(state(record.as_deref()).as_deref(), Some("blocked"));
}

#[test]
fn a_delivered_answer_is_not_asked_for_again_where_the_server_says_stop() {
    let mut exchange = exchange("{}", 1);
    paid(&mut exchange, &offers());
    let mut problem: Value =
        serde_json::from_slice(&body(&json!({"code": "OPERATOR_ALERT"}))).unwrap();
    problem["code"] = "payment_already_delivered".into();
    problem["type"] = "urn:farebox:problem:payment_already_delivered".into();
    let next = exchange.answered(409, &Headers::new(), problem.to_string().as_bytes(), at(1));
    let (_, next) = held(&mut exchange, next, None);
    assert_eq!(failure(next).reason.code(), "payment_conflict");
}

#[test]
fn what_a_success_says_of_payments_is_not_read() {
    let mut exchange = exchange("{}", 1);
    paid(&mut exchange, &offers());
    let info = json!({"code": "OPERATOR_ALERT", "escalate": true});
    let mut headers = told(&offers(), &info);
    for value in settled(|_| {}).rows("payment-response") {
        headers.add("payment-response", value);
    }
    let next = exchange.answered(200, &headers, &body(&info), at(1));
    assert!(matches!(next, Next::Return(Some(_))));
}

#[test]
fn one_of_two_that_share_a_record_blocks_an_endpoint() {
    let info = json!({"code": "OPERATOR_ALERT"});
    let mut record = None;
    let mut changed = 0;
    for seed in 1..=3 {
        let mut exchange = exchange("{}", seed);
        told_of_payment(&mut exchange, &info);
        if let Some(next) = exchange.mark(record.as_deref(), at(1)).unwrap() {
            (record, changed) = (Some(next), changed + 1);
        }
        assert_eq!(failure(exchange.marked()).reason.code(), "payment_refused");
    }
    assert_eq!(changed, 1);
    let reserve = |endpoint: &str| {
        let policy = farebox_core::client::Policy::from_json("{}").unwrap();
        let address = account().address();
        let mut other = Exchange::new(policy, "GET", URL, endpoint, address, [9; 48]);
        other.answered(402, &terms(&offers()), b"", at(2));
        other.reserve(record.as_deref(), at(2)).map_err(|error| error.reason.code())
    };
    assert_eq!(reserve(ENDPOINT).unwrap_err(), "endpoint_blocked");
    for open in [
        "POST https://shop.example/report",
        "GET https://shop.example/reports",
        "GET http://shop.example/report",
    ] {
        // And what is held against the others is in the new record, too.
        assert_eq!(state(Some(&reserve(open).unwrap())).as_deref(), Some("blocked"), "{open}");
    }
}

#[test]
fn a_record_keeps_the_latest_endpoints_and_one_that_is_broken_is_not_read() {
    let info = json!({"code": "OPERATOR_ALERT"});
    let mut record = None;
    for turn in 0..300 {
        let policy = farebox_core::client::Policy::from_json("{}").unwrap();
        let endpoint = format!("GET https://shop.example/{turn}");
        let address = account().address();
        let mut exchange = Exchange::new(policy, "GET", URL, &endpoint, address, [1; 48]);
        told_of_payment(&mut exchange, &info);
        record = exchange.mark(record.as_deref(), at(0)).unwrap();
    }
    let kept: Value = serde_json::from_str(record.as_deref().unwrap()).unwrap();
    let kept = kept["endpoints"].as_array().unwrap();
    assert_eq!((kept.len(), &kept[0][0]), (256, &json!("GET https://shop.example/44")));
    let rows = [json!({}), json!([[]]), json!([[1, "blocked"]]), json!([["GET /", "open", 1, {}]])];
    for rows in rows {
        let record = json!({"v": 1, "entries": [], "pins": [], "endpoints": rows}).to_string();
        let mut exchange = exchange("{}", 1);
        exchange.answered(402, &terms(&offers()), b"", at(0));
        let error = exchange.reserve(Some(&record), at(0)).unwrap_err();
        assert_eq!(error.reason.code(), "budget_unreadable", "{rows}");
    }
}

// A-692
#[test]
pub fn a_server_s_many_endpoints_push_out_no_stop_of_another() {
    let info = json!({"code": "OPERATOR_ALERT"});
    let mut record = None;
    let others = (0..300).map(|turn| format!("GET https://shop.example/{turn}"));
    let stopped = ["GET https://other.example/a", "POST https://OTHER.example/a"];
    for endpoint in stopped.map(str::to_string).into_iter().chain(others) {
        let policy = farebox_core::client::Policy::from_json("{}").unwrap();
        let address = account().address();
        let mut exchange = Exchange::new(policy, "GET", URL, &endpoint, address, [1; 48]);
        told_of_payment(&mut exchange, &info);
        record = exchange.mark(record.as_deref(), at(0)).unwrap();
    }
    let kept: Value = serde_json::from_str(record.as_deref().unwrap()).unwrap();
    let kept: Vec<&Value> = kept["endpoints"].as_array().unwrap().iter().map(|it| &it[0]).collect();
    assert_eq!((kept.len(), kept[0], kept[1]), (256, &json!(stopped[0]), &json!(stopped[1])));
    assert_eq!(kept[2], &json!("GET https://shop.example/46"));
}

/// Pays, and is told that the payment came too late; what comes then.
fn expired(exchange: &mut Exchange, record: Option<String>) -> (Option<String>, Next) {
    let info = json!({"code": "INVOICE_EXPIRED"});
    let next = exchange.answered(402, &told(&offers(), &info), b"", at(70));
    held(exchange, next, record)
}

/// The authorization and the identifier in a payment header.
fn sent(headers: &[(String, String)]) -> (Value, Value) {
    let [(name, value)] = headers else { panic!("{headers:?}") };
    assert_eq!(name, "PAYMENT-SIGNATURE");
    let message: Value = serde_json::from_slice(&base64::decode(value).unwrap()).unwrap();
    let id = &message["extensions"]["payment-identifier"]["info"]["id"];
    (message["payload"]["authorization"].clone(), id.clone())
}

#[test]
fn a_payment_that_came_too_late_is_signed_once_more_under_its_nonce_and_counted_once() {
    let mut counted = exchange("{}", 1);
    counted.answered(402, &terms(&offers()), b"", at(0));
    let record = counted.reserve(None, at(0)).unwrap();
    let mut exchange = exchange("{}", 1);
    let first = sent(&paid(&mut exchange, &offers()));
    let (record, next) = expired(&mut exchange, Some(record));
    assert_eq!(state(record.as_deref()).as_deref(), Some("retrying"));
    let Next::Send { wait_ms: 0, headers } = next else { panic!("{next:?}") };
    assert!(headers.is_empty(), "the plain request");
    // Fresh terms may come with the same words.
    let info = json!({"code": "INVOICE_EXPIRED"});
    let next = exchange.answered(402, &told(&offers(), &info), b"", at(71));
    assert!(matches!(next, Next::Renew), "{next:?}");
    assert_eq!(exchange.proposal().unwrap()["replaces"], true);
    assert_eq!(exchange.payment().unwrap()["validBefore"], json!(NOW + 60), "as it was sent");
    let signature = sign(exchange.prepare(at(80)));
    let Next::Send { wait_ms: 0, headers } = exchange.signed(&signature, at(80)) else { panic!() };
    let second = sent(&headers);
    assert_eq!(exchange.payment().unwrap()["validBefore"], json!(NOW + 140));
    let mut expected = first.clone();
    expected.0["validBefore"] = (NOW + 140).to_string().into();
    assert_eq!(second, expected);
    let spent: Value = serde_json::from_str(record.as_deref().unwrap()).unwrap();
    assert_eq!(spent["entries"].as_array().unwrap().len(), 1);
    let next = exchange.answered(200, &settled(|_| {}), b"", at(81));
    assert!(matches!(next, Next::Return(Some(_))) && exchange.is_retrying());
}

#[test]
fn a_second_payment_that_came_too_late_is_for_a_person_in_this_call_or_the_next() {
    let mut one = exchange("{}", 1);
    paid(&mut one, &offers());
    let (record, _) = expired(&mut one, None);
    // Somebody else had success meanwhile: this call has used its turn all the same.
    for record in [record.clone(), None] {
        let mut again = exchange("{}", 1);
        paid(&mut again, &offers());
        expired(&mut again, None);
        again.answered(402, &terms(&offers()), b"", at(71));
        let signature = sign(again.prepare(at(71)));
        again.signed(&signature, at(71));
        let (record, next) = expired(&mut again, record);
        assert_eq!(failure(next).reason.code(), "payment_refused");
        assert_eq!(state(record.as_deref()).as_deref(), Some("pending"));
    }
    let mut next_call = exchange("{}", 2);
    paid(&mut next_call, &offers());
    let (record, next) = expired(&mut next_call, record);
    assert_eq!(failure(next).reason.code(), "payment_refused");
    assert_eq!(state(record.as_deref()).as_deref(), Some("pending"));
}

#[test]
fn whoever_pays_learns_from_the_record_that_a_success_ends_an_expiry() {
    let mut one = exchange("{}", 1);
    paid(&mut one, &offers());
    let (record, _) = expired(&mut one, None);
    for (record, knows) in [(record.as_deref(), true), (None, false)] {
        let mut other = exchange("{}", 2);
        other.answered(402, &terms(&offers()), b"", at(80));
        other.reserve(record, at(80)).unwrap();
        assert_eq!(other.is_retrying(), knows);
    }
}

/// An expired payment, and what fresh terms make of it.
fn renewed(status: u16, headers: &Headers) -> Result<(), ClientError> {
    let mut exchange = exchange(r#"{"pinPayees": false}"#, 1);
    paid(&mut exchange, &offers());
    expired(&mut exchange, None);
    match exchange.answered(status, headers, b"", at(71)) {
        Next::Renew => Ok(()),
        next => Err(failure(next)),
    }
}

/// Changes an offer.
type Change = fn(&mut Value);

#[test]
fn fresh_terms_that_differ_in_anything_that_costs_are_not_signed() {
    let changes: [(&str, Change); 7] = [
        ("more", |it| it["amount"] = "10001".into()),
        ("less", |it| it["amount"] = "9999".into()),
        ("payee", |it| it["payTo"] = OTHER.into()),
        ("network", |it| {
            (it["network"], it["asset"]) = ("eip155:8453".into(), USDC_MAIN.into());
            it["extra"] = json!({"name": "USD Coin", "version": "2"});
        }),
        ("scheme", |it| it["scheme"] = "upto".into()),
        ("flow", |it| it["extra"]["paymentFlow"] = "upfront".into()),
        ("validity", |it| it["maxTimeoutSeconds"] = 3_601.into()),
    ];
    for (name, change) in changes {
        let mut offer = entry("10000");
        change(&mut offer);
        let error = renewed(402, &terms(&json!([offer]))).unwrap_err();
        assert_eq!(error.reason.code(), "payment_refused", "{name}");
        assert!(error.message.contains("terms changed"), "{name}: {}", error.message);
        assert!(renewed(402, &terms(&json!([offer, entry("10000")]))).is_ok(), "{name}");
    }
    let mut longer = entry("10000");
    longer["maxTimeoutSeconds"] = 300.into();
    assert!(renewed(402, &terms(&json!([longer]))).is_ok());
    // It has the nonce of the first, whatever URL a wrong proxy lets its receipt name.
    assert!(renewed(402, &behind_proxy(&entry("10000"))).is_ok());
}

// A-839
#[test]
pub fn a_payment_that_came_too_late_is_not_signed_again_once_its_policy_has_expired() {
    // `at(71)`, and a second later.
    for (expires, is_signed) in [("2027-01-15T08:01:11Z", false), ("2027-01-15T08:01:12Z", true)] {
        let mut exchange = exchange(&json!({"expires": expires}).to_string(), 1);
        paid(&mut exchange, &offers());
        expired(&mut exchange, None);
        match exchange.answered(402, &terms(&offers()), b"", at(71)) {
            Next::Renew => assert!(is_signed, "{expires}"),
            next => {
                let error = failure(next);
                assert_eq!((is_signed, error.reason.code()), (false, "payment_refused"));
                assert!(error.message.contains("policy.expires"), "{}", error.message);
            }
        }
    }
}

#[test]
fn without_fresh_terms_nothing_is_signed_again_and_the_payment_is_refused() {
    for status in [0, 302, 402, 404, 409, 503] {
        let headers = if status == 402 { Headers::new() } else { terms(&offers()) };
        let error = renewed(status, &headers).unwrap_err();
        assert_eq!(error.reason.code(), "payment_refused", "{status}");
    }
    let mut exchange = exchange("{}", 1);
    paid(&mut exchange, &offers());
    expired(&mut exchange, None);
    assert_eq!(failure(exchange.lost(at(71))).reason.code(), "payment_refused");
}

#[test]
fn a_response_that_became_free_meanwhile_is_returned() {
    let mut exchange = exchange("{}", 1);
    paid(&mut exchange, &offers());
    expired(&mut exchange, None);
    let next = exchange.answered(200, &Headers::new(), b"", at(71));
    assert!(matches!(next, Next::Return(None)) && exchange.is_retrying());
}

#[test]
fn fresh_terms_that_say_stop_are_not_signed_and_hold_nothing_more_against_the_endpoint() {
    for code in ["OPERATOR_ALERT", "PAYMENT_UNVERIFIED"] {
        let mut exchange = exchange("{}", 1);
        paid(&mut exchange, &offers());
        let (record, _) = expired(&mut exchange, None);
        let next = exchange.answered(402, &told(&offers(), &json!({"code": code})), b"", at(71));
        assert_eq!(failure(next).reason.code(), "payment_refused");
        assert_eq!(state(record.as_deref()).as_deref(), Some("retrying"));
    }
}

#[test]
fn an_expiry_that_is_no_refusal_of_the_payment_is_waited_for() {
    let mut exchange = exchange("{}", 1);
    let first = paid(&mut exchange, &offers());
    let info = body(&json!({"code": "INVOICE_EXPIRED"}));
    let next = exchange.answered(503, &Headers::new(), &info, at(1));
    let Next::Send { headers, .. } = next else { panic!("{next:?}") };
    assert_eq!(headers, first);
}

#[test]
fn a_diagnostic_is_echoed_as_it_came() {
    let info =
        json!({"code": "PAYMENT_REQUIRED", "message": " a\u{202e}b ", "attempts": 12, "more": [1]});
    let mut exchange = exchange("{}", 1);
    exchange.answered(402, &told(&offers(), &info), b"", at(0));
    exchange.reserve(None, at(0)).unwrap();
    let signature = sign(exchange.prepare(at(0)));
    let Next::Send { headers, .. } = exchange.signed(&signature, at(0)) else { panic!() };
    let message: Value = serde_json::from_slice(&base64::decode(&headers[0].1).unwrap()).unwrap();
    assert_eq!(message["extensions"]["diagnostic"], json!({"info": info, "schema": {}}));
}
