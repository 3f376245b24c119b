//! One who pays: what he signs, what it may cost, and what he does with every answer. Spec: docs/payer.md.

mod allowance;
mod answers;
mod budget;
pub mod elsewhere;
mod payees;

#[cfg(feature = "planted")]
pub use allowance::*;
#[cfg(feature = "planted")]
pub use answers::*;
#[cfg(feature = "planted")]
pub use budget::*;
#[cfg(feature = "planted")]
pub use elsewhere::*;
#[cfg(feature = "planted")]
pub use payees::*;

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
