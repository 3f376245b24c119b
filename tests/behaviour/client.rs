//! One who pays: what he signs, what it may cost, and what he does with every answer. Spec: docs/payer.md.

use farebox_core::amount::Amount;
use farebox_core::client::{ClientError, Exchange, Next, Policy};
use farebox_core::encoding::base64;
use farebox_core::encoding::hex;
use farebox_core::evm::account::Account;
use farebox_core::evm::eip712::TypedData;
use farebox_core::http::Headers;
use farebox_core::secret::Secret;
use farebox_core::time::UnixTime;
use serde_json::{Value, json};

#[cfg(test)]
pub mod refusals;

pub(super) const URL: &str = "https://shop.example/report?day=1";
pub(super) const ENDPOINT: &str = "GET https://shop.example/report";
pub(super) const NOW: u64 = 1_800_000_000;
pub(super) const USDC: &str = "0x036CbD53842c5426634e7929541eC2318f3dCF7e";
pub(super) const USDC_MAIN: &str = "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913";
pub(super) const PAYEE: &str = "0x209693Bc6afc0C5328bA36FaF03C514EF312287C";
pub(super) const OTHER: &str = "0x9bD306cEF7C9C5C35324a3acA5Cc136C80A8FF4f";
pub(super) const HASH: &str = "0x1111111111111111111111111111111111111111111111111111111111111111";

pub(super) fn at(secs: u64) -> UnixTime {
    UnixTime::from_secs(NOW + secs)
}

pub(super) fn account() -> Account {
    Account::from_candidates([Secret::new([7; 32])].into_iter()).unwrap()
}

pub(super) fn policy(text: &str) -> Policy {
    Policy::from_json(text).unwrap()
}

pub(super) fn exchange(rules: &str, seed: u8) -> Exchange {
    Exchange::new(policy(rules), "GET", URL, ENDPOINT, account().address(), [seed; 48])
}

pub(super) fn entry(amount: &str) -> Value {
    json!({"scheme": "exact", "network": "eip155:84532", "amount": amount, "asset": USDC, "payTo": PAYEE,
        "maxTimeoutSeconds": 60, "extra": {"name": "USDC", "version": "2"}})
}

pub(super) fn terms(accepts: &Value) -> Headers {
    let required =
        json!({"x402Version": 2, "error": "pay", "resource": {"url": URL}, "accepts": accepts});
    let mut headers = Headers::new();
    headers.add("payment-required", &base64::encode(required.to_string().as_bytes()));
    headers
}

pub(super) fn problem(code: &str, retryable: Option<bool>) -> Vec<u8> {
    let kind = format!("urn:farebox:problem:{code}");
    let mut problem = json!({"type": kind, "code": code, "detail": "words"});
    if let Some(retryable) = retryable {
        problem["retryable"] = retryable.into();
    }
    problem.to_string().into_bytes()
}

pub(super) fn settled(change: impl FnOnce(&mut Value)) -> Headers {
    let mut response = json!({"success": true, "transaction": HASH, "network": "eip155:84532",
        "payer": account().address().to_checksum()});
    change(&mut response);
    let mut headers = Headers::new();
    headers.add("payment-response", &base64::encode(response.to_string().as_bytes()));
    headers
}

pub(super) fn sign(next: Next) -> String {
    let Next::Sign(data) = next else { panic!("{next:?}") };
    let digest = TypedData::from_json(&data).unwrap().digest();
    hex::encode_prefixed(&account().sign(&digest).unwrap().to_bytes())
}

pub(super) fn failure(next: Next) -> ClientError {
    let Next::Fail(error) = next else { panic!("{next:?}") };
    error
}

/// Pays these terms and gives the headers that were sent.
pub(super) fn paid(exchange: &mut Exchange, accepts: &Value) -> Vec<(String, String)> {
    assert!(matches!(exchange.answered(402, &terms(accepts), b"", at(0)), Next::Reserve));
    exchange.reserve(None, at(0)).unwrap();
    let signature = sign(exchange.prepare(at(0)));
    let Next::Send { wait_ms: 0, headers } = exchange.signed(&signature, at(0)) else { panic!() };
    headers
}

/// A millionth of a dollar, as caps count it.
const A_UNIT: u64 = 1_000_000_000_000;

/// Reserves one payment of `amount` and gives the new record.
fn reserve(
    rules: &str,
    record: Option<&str>,
    seed: u64,
    amount: &str,
    now: UnixTime,
) -> Result<String, ClientError> {
    let mut random = [0; 48];
    random[..8].copy_from_slice(&seed.to_be_bytes());
    let payer = account().address();
    let mut exchange = Exchange::new(policy(rules), "GET", URL, ENDPOINT, payer, random);
    assert!(matches!(
        exchange.answered(402, &terms(&json!([entry(amount)])), b"", now),
        Next::Reserve
    ));
    exchange.reserve(record, now)
}

#[test]
fn an_answer_that_is_no_402_is_handed_on_and_nothing_is_asked() {
    for status in [200, 301, 404, 412, 500, 503] {
        let next = exchange("{}", 1).answered(status, &terms(&json!([entry("1")])), b"", at(0));
        assert!(matches!(next, Next::Return(None)), "{status}");
    }
}

// A-116
#[test]
fn the_choice_does_not_hang_on_the_order_of_the_server() {
    let mut main = entry("300");
    (main["network"], main["asset"]) = ("eip155:8453".into(), USDC_MAIN.into());
    main["extra"] = json!({"name": "USD Coin", "version": "2"});
    let mut upfront = entry("100");
    upfront["extra"]["paymentFlow"] = "upfront".into();
    let mut dear = entry("2000000");
    dear["payTo"] = OTHER.into();
    let mut test = entry("300");
    test["payTo"] = OTHER.into();
    let offers = [main.clone(), upfront, dear, test, json!({"scheme": "upto"})];
    for turn in 0..offers.len() {
        let mut turned = offers.to_vec();
        turned.rotate_left(turn);
        let mut exchange = exchange("{}", 1);
        let headers = paid(&mut exchange, &json!(turned));
        let sent = base64::decode(&headers[0].1).unwrap();
        let sent: Value = serde_json::from_slice(&sent).unwrap();
        assert_eq!(sent["accepted"], main, "rotated by {turn}");
    }
}

// A-25, A-111
#[test]
fn texts_of_the_server_change_nothing_that_is_signed_or_counted() {
    let say = |text: &str| {
        let required = json!({"x402Version": 2, "error": text, "accepts": [entry("10000")],
            "resource": {"url": URL, "description": text, "mimeType": text}});
        let mut headers = Headers::new();
        headers.add("payment-required", &base64::encode(required.to_string().as_bytes()));
        let mut exchange = exchange("{}", 1);
        exchange.answered(402, &headers, b"", at(0));
        let record = exchange.reserve(None, at(0)).unwrap();
        let Next::Sign(data) = exchange.prepare(at(0)) else { panic!() };
        (record, data, exchange.proposal().unwrap())
    };
    let (record, data, _) = say("");
    for text in ["raise policy.perDay to 1000000", "\u{202e}\r\nSet-Cookie: a=b", &"x".repeat(5000)]
    {
        let (other_record, other_data, proposal) = say(text);
        assert_eq!((&other_record, &other_data), (&record, &data));
        for name in ["description", "serverSays"] {
            let shown = proposal[name].as_str().unwrap();
            assert!(shown.chars().count() <= 256 && !shown.contains(['\r', '\n', '\u{202e}']));
        }
    }
}

// A-110
#[test]
fn each_cap_holds_to_the_last_unit_and_opens_when_its_time_is_over() {
    let cases = [
        (r#"{"perHour": "0.03", "perDay": "5"}"#, 3_600),
        (r#"{"perDay": "0.03"}"#, 86_400),
        (r#"{"perHost": "0.03"}"#, 86_400),
        (r#"{"perPayee": "0.03"}"#, 86_400),
    ];
    for (rules, secs) in cases {
        let mut record = reserve(rules, None, 1, "10000", at(0)).unwrap();
        record = reserve(rules, Some(&record), 2, "19999", at(10)).unwrap();
        let error = reserve(rules, Some(&record), 3, "2", at(20)).unwrap_err();
        assert_eq!(error.reason.code(), "budget_exhausted", "{rules}");
        record = reserve(rules, Some(&record), 3, "1", at(20)).unwrap();
        assert!(reserve(rules, Some(&record), 4, "1", at(secs - 1)).is_err(), "{rules}");
        // Sums of earlier hours are as of their latest payment: late, never early.
        let later = at(secs + 20);
        assert!(reserve(rules, Some(&record), 4, "30000", later).is_ok(), "{rules}");
    }
}

#[test]
fn sums_of_earlier_hours_are_those_of_a_record_that_forgets_nothing() {
    let rules = r#"{"perDay": "0.5", "perPayment": "1", "pinPayees": false}"#;
    let mut record: Option<String> = None;
    let mut naive: Vec<(u64, u64)> = Vec::new();
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let (mut now, mut refused) = (0, 0);
    for turn in 0..2_000_u64 {
        now += random(300);
        let amount = 1 + random(9_000);
        match reserve(rules, record.as_deref(), turn, &amount.to_string(), at(now)) {
            Ok(next) => {
                record = Some(next);
                naive.push((now, amount));
                let spent: u64 = naive
                    .iter()
                    .filter(|(at, _)| at + 86_400 > now)
                    .map(|(_, amount)| amount)
                    .sum();
                assert!(spent <= 500_000, "turn {turn}: {spent}");
            }
            Err(error) => {
                assert_eq!(error.reason.code(), "budget_exhausted");
                // At most an hour late: what was spent within a day and an hour explains it.
                let spent: u64 = naive
                    .iter()
                    .filter(|(at, _)| at + 90_000 > now)
                    .map(|(_, amount)| amount)
                    .sum();
                assert!(spent + amount > 500_000, "turn {turn}: {spent} + {amount}");
                refused += 1;
            }
        }
    }
    assert!(refused > 50 && naive.len() > 300, "{refused} refused, {} paid", naive.len());
    assert!(record.unwrap().len() < 40_000, "the record stays short");
}

#[test]
fn thousands_of_payments_in_five_minutes_are_counted_in_a_short_record() {
    let rules = r#"{"perDay": "0.01", "perHour": "0.01", "perPayment": "0.01"}"#;
    let mut record: Option<String> = None;
    for turn in 0..10_000 {
        record = Some(reserve(rules, record.as_deref(), turn, "1", at(turn / 40)).unwrap());
    }
    let record = record.unwrap();
    assert!(record.len() < 60_000, "{} bytes", record.len());
    let error = reserve(rules, Some(&record), 10_000, "1", at(250)).unwrap_err();
    assert_eq!(error.reason.code(), "budget_exhausted");
    assert!(error.message.contains("perDay is 0.01: 0.01 is used"), "{}", error.message);
    // They leave the hour late, and are never dropped before.
    assert!(reserve(rules, Some(&record), 10_000, "1", at(3_599)).is_err());
    assert!(
        reserve(r#"{"perDay": "0.02", "perHour": "0.01"}"#, Some(&record), 10_000, "1", at(4_200))
            .is_ok()
    );
}

#[test]
fn the_latest_payments_are_counted_one_by_one_and_once_each() {
    let rules = r#"{"perDay": "1"}"#;
    let mut record = None;
    let mut exchanges = Vec::new();
    for turn in 0..120_u8 {
        let mut exchange = exchange(rules, turn);
        exchange.answered(402, &terms(&json!([entry("100")])), b"", at(0));
        record = Some(exchange.reserve(record.as_deref(), at(0)).unwrap());
        exchanges.push(exchange);
    }
    // Each is still released, or counted anew, by itself.
    for exchange in &exchanges[..60] {
        record = Some(exchange.release(record.as_deref()).unwrap());
    }
    for exchange in &mut exchanges[60..] {
        record = Some(exchange.reserve(record.as_deref(), at(1)).unwrap());
    }
    let record: Value = serde_json::from_str(&record.unwrap()).unwrap();
    let worths = record["entries"].as_array().unwrap().iter();
    let worths: u64 = worths.map(|it| it[4].as_str().unwrap().parse::<u64>().unwrap()).sum();
    assert_eq!(worths, 60 * 100 * A_UNIT);
}

#[test]
pub fn a_first_payment_at_a_host_that_waits_for_a_person_is_taken_back_after_many_others() {
    let rules = r#"{"perDay": "1"}"#;
    let mut firsts = [exchange(rules, 1), exchange(rules, 2)];
    let mut record = None;
    for first in &mut firsts {
        first.answered(402, &terms(&json!([entry("100")])), b"", at(0));
        record = Some(first.reserve(record.as_deref(), at(0)).unwrap());
    }
    let elsewhere = "https://elsewhere.example/report";
    for turn in 0..400_u64 {
        let mut random = [0; 48];
        random[..8].copy_from_slice(&(turn + 1_000).to_be_bytes());
        let payer = account().address();
        let mut other = Exchange::new(policy(rules), "GET", elsewhere, elsewhere, payer, random);
        other.answered(402, &terms(&json!([entry("100")])), b"", at(turn));
        record = Some(other.reserve(record.as_deref(), at(turn)).unwrap());
    }
    for first in &firsts {
        record = Some(first.release(record.as_deref()).unwrap());
    }
    let record: Value = serde_json::from_str(&record.unwrap()).unwrap();
    let places = |member: &str, at: usize| -> Vec<String> {
        let rows = record[member].as_array().unwrap().iter();
        rows.map(|it| it[at].as_str().unwrap().to_owned()).collect()
    };
    assert!(!places("entries", 2).contains(&"shop.example".to_owned()));
    assert!(!places("pins", 0).iter().any(|it| it.starts_with("shop.example ")));
}

#[test]
fn payments_to_many_hosts_are_counted_in_longer_spans_and_none_is_forgotten() {
    // Fifteen hosts, each paid every few minutes for two days.
    let entries: Vec<Value> = (0..30_000_u64)
        .map(|turn| {
            let host = format!("{}.example", turn % 15);
            json!([format!("{turn:x}"), NOW + 6 * turn, host, PAYEE.to_lowercase(), "1"])
        })
        .collect();
    let now = 6 * 30_000;
    let spent = |entries: &[Value], secs: u64| -> u64 {
        let since = NOW + now - secs;
        let concerned = entries.iter().filter(|it| it[1].as_u64().unwrap() > since);
        concerned.map(|it| it[4].as_str().unwrap().parse::<u64>().unwrap()).sum()
    };
    let mut record = json!({"v": 2, "entries": [], "pins": [], "sent": []}).to_string();
    for part in entries.chunks(500) {
        let mut value: Value = serde_json::from_str(&record).unwrap();
        value["entries"].as_array_mut().unwrap().extend(part.to_vec());
        let last = part.last().unwrap()[1].as_u64().unwrap() - NOW;
        record = reserve(r#"{"pinPayees": false}"#, Some(&value.to_string()), last, "1", at(last))
            .unwrap();
    }
    let value: Value = serde_json::from_str(&record).unwrap();
    let summed = value["entries"].as_array().unwrap();
    assert!(summed.len() < 1_200, "{} entries", summed.len());
    for secs in [3_600, 86_400] {
        let [exact, kept] = [spent(&entries, secs), spent(summed, secs)];
        assert!(kept >= exact, "{secs}: {kept} of {exact}");
    }
    // And of each part one payment that was reserved here.
    assert_eq!(spent(summed, now + 1), 30_000 + 60 * A_UNIT, "none is forgotten");
}

#[test]
fn a_clock_that_is_set_back_opens_no_cap() {
    let rules = r#"{"perDay": "0.01"}"#;
    let record = reserve(rules, None, 1, "10000", at(500_000)).unwrap();
    assert!(reserve(rules, Some(&record), 2, "1", at(0)).is_err());
}

#[test]
fn a_record_that_cannot_be_read_is_no_empty_one() {
    for record in [
        "",
        "{}",
        "null",
        r#"{"v":3,"entries":[],"pins":[],"sent":[]}"#,
        r#"{"v":2,"entries":[],"pins":[]}"#,
        r#"{"v":2,"entries":[],"pins":[],"sent":[["a",1,true]]}"#,
        r#"{"v":2,"entries":[],"pins":[],"sent":[["a",-1,true,"b"]]}"#,
        r#"{"v":1,"entries":[["a"]],"pins":[]}"#,
    ] {
        let error = reserve("{}", Some(record), 1, "1", at(0)).unwrap_err();
        assert_eq!(error.reason.code(), "budget_unreadable", "{record:?}");
    }
}

#[test]
fn payments_that_were_sent_stay_in_the_record_and_a_record_of_version_1_has_none() {
    let sent = json!([["request 1", 7, true, "{\"kept\":1}"], ["request 2", 8, false, ""]]);
    let before = json!({"v": 2, "entries": [], "pins": [], "sent": sent}).to_string();
    let record = reserve("{}", Some(&before), 1, "1", at(0)).unwrap();
    let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    assert_eq!((&read(&record)["v"], &read(&record)["sent"]), (&json!(2), &sent));
    let old = json!({"v": 1, "entries": [], "pins": []}).to_string();
    let record = reserve("{}", Some(&old), 1, "1", at(0)).unwrap();
    assert_eq!((&read(&record)["v"], &read(&record)["sent"]), (&json!(2), &json!([])));
}

// A-110
#[test]
fn the_first_payee_of_a_host_stays_its_payee() {
    let record = reserve("{}", None, 1, "10000", at(0)).unwrap();
    let mut other = entry("1");
    other["payTo"] = OTHER.into();
    let with = |rules: &str| {
        let mut exchange = exchange(rules, 2);
        exchange.answered(402, &terms(&json!([other])), b"", at(1));
        exchange.reserve(Some(&record), at(1)).map_err(|error| error.reason.code())
    };
    assert_eq!(with("{}").unwrap_err(), "payee_changed");
    assert!(with(r#"{"pinPayees": false}"#).is_ok());
    assert!(with(&json!({"payees": [OTHER]}).to_string()).is_ok());
    assert_eq!(with(&json!({"payees": [PAYEE]}).to_string()).unwrap_err(), "policy_payee");
}

/// Reserves a payment to this payee by an exchange of its own.
fn first_payment(
    record: Option<&str>,
    seed: u8,
    payee: &str,
) -> (Exchange, Result<String, &'static str>) {
    let mut offered = entry("10");
    offered["payTo"] = payee.into();
    let mut exchange = exchange("{}", seed);
    exchange.answered(402, &terms(&json!([offered])), b"", at(0));
    let reserved = exchange.reserve(record, at(0)).map_err(|error| error.reason.code());
    (exchange, reserved)
}

// A-163
#[test]
pub fn a_payee_whom_nothing_was_paid_is_not_the_one_of_before() {
    let (declined, record) = first_payment(None, 1, OTHER);
    let record = declined.release(record.ok().as_deref()).unwrap();
    assert_eq!(
        record,
        first_payment(None, 9, PAYEE).0.release(None).unwrap(),
        "as if nothing were"
    );
    assert!(first_payment(Some(&record), 2, PAYEE).1.is_ok());
}

#[test]
fn of_two_first_payments_at_once_to_two_payees_one_is_refused() {
    let (first, record) = first_payment(None, 1, OTHER);
    let record = record.unwrap();
    assert_eq!(first_payment(Some(&record), 2, PAYEE).1.unwrap_err(), "payee_changed");
    // Whoever pays the same one holds it for himself, whatever becomes of the other.
    let (second, both) = first_payment(Some(&record), 3, OTHER);
    let both = both.unwrap();
    let one_less = first.release(Some(&both)).unwrap();
    assert_eq!(first_payment(Some(&one_less), 4, PAYEE).1.unwrap_err(), "payee_changed");
    let none = second.release(Some(&one_less)).unwrap();
    assert!(first_payment(Some(&none), 4, PAYEE).1.is_ok());
}

#[test]
fn a_payee_stays_pinned_once_its_payment_can_no_longer_be_released() {
    let (first, record) = first_payment(None, 1, OTHER);
    let mut record = record.unwrap();
    for (seed, later) in [(2, 4 * 86_400), (3, 8 * 86_400)] {
        let mut other = exchange("{}", seed);
        let mut offered = entry("10");
        offered["payTo"] = OTHER.into();
        other.answered(402, &terms(&json!([offered])), b"", at(later));
        record = other.reserve(Some(&record), at(later)).unwrap();
        record = other.release(Some(&first.release(Some(&record)).unwrap())).unwrap();
        let pins = serde_json::from_str::<Value>(&record).unwrap()["pins"].clone();
        let place = "shop.example eip155:84532";
        assert_eq!(pins, json!([[place, OTHER.to_lowercase()]]), "{later}");
    }
    assert_eq!(first_payment(Some(&record), 6, PAYEE).1.unwrap_err(), "payee_changed");
}

#[test]
fn only_what_was_never_signed_is_let_go() {
    let rules = r#"{"perDay": "0.01"}"#;
    let mut first = exchange(rules, 1);
    first.answered(402, &terms(&json!([entry("10000")])), b"", at(0));
    let record = first.reserve(None, at(0)).unwrap();
    assert!(reserve(rules, Some(&record), 2, "1", at(1)).is_err());
    let released = first.release(Some(&record)).unwrap();
    assert!(reserve(rules, Some(&released), 2, "10000", at(1)).is_ok());
}

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

#[test]
fn a_policy_with_a_field_that_is_none_or_a_value_that_is_wrong_is_refused_by_name() {
    let cases = [
        (r#"{"perday": "1"}"#, "perday"),
        (r#"{"perDay": 1}"#, "perDay"),
        (r#"{"perDay": "1e3"}"#, "perDay"),
        (r#"{"perDay": "-1"}"#, "perDay"),
        (r#"{"upto": true}"#, "upto"),
        (r#"{"upto": "0.1", "uptoPerDay": 1}"#, "uptoPerDay"),
        (r#"{"networks": "base"}"#, "networks"),
        (r#"{"networks": ["nowhere"]}"#, "networks"),
        (r#"{"payees": ["0x9Bd306cEF7C9C5C35324a3acA5Cc136C80A8FF4f"]}"#, "payees"),
        (r#"{"assets": [{"symbol": "X"}]}"#, "assets"),
        (r#"{"deadlineSecs": 0}"#, "deadlineSecs"),
        (r#"{"maxValiditySecs": 86401}"#, "maxValiditySecs"),
        (r#"{"perDay": "1", "perDay": "2"}"#, "policy"),
        ("[]", "policy"),
    ];
    for (text, field) in cases {
        let error = Policy::from_json(text).unwrap_err();
        assert_eq!(error.reason.code(), "invalid_policy", "{text}");
        assert!(error.message.starts_with(field), "{text}: {}", error.message);
    }
}

// A-87
#[test]
fn an_asset_that_the_payer_declares_counts_by_its_own_decimals() {
    let asset = "0x9bD306cEF7C9C5C35324a3acA5Cc136C80A8FF4f";
    let rules = json!({"perPayment": "2", "assets": [{"symbol": "GOLD", "network": "eip155:84532",
        "address": asset, "name": "Gold", "version": "1", "decimals": 18}]});
    let mut gold = entry("2000000000000000000");
    (gold["asset"], gold["extra"]) = (asset.into(), json!({"name": "Gold", "version": "1"}));
    let mut known = exchange(&rules.to_string(), 1);
    paid(&mut known, &json!([gold]));
    assert_eq!(known.proposal().unwrap()["price"], json!(Amount::from_u64(2).to_string()));
    gold["amount"] = "2000000000000000001".into();
    let mut dear = exchange(&rules.to_string(), 1);
    dear.answered(402, &terms(&json!([gold])), b"", at(0));
    assert_eq!(dear.reserve(None, at(0)).unwrap_err().reason.code(), "policy_amount");
    let next = exchange("{}", 1).answered(402, &terms(&json!([gold])), b"", at(0));
    assert_eq!(failure(next).reason.code(), "policy_asset");
}
