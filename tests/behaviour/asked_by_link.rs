//! What an agent decides without a 402: whether a link is what was expected, and what a subscription allows.

use farebox_core::agent::candidate::Candidate;
use farebox_core::agent::json::Json;
use farebox_core::agent::{link, subscription};
use serde_json::{Value, json};

const TOKEN: &str = "0x036CbD53842c5426634e7929541eC2318f3dCF7e";
const TO: &str = "0x209693Bc6afc0C5328bA36FaF03C514EF312287C";

fn read(value: &Value) -> Json {
    Json::read(&value.to_string(), 100_000).unwrap()
}

fn told() -> Value {
    let details = json!({"chainId": 84532, "authorizationType": "eip-3009"});
    let request =
        json!({"amount": "10000", "currency": TOKEN, "recipient": TO, "methodDetails": details});
    json!({"challenge": {"data": {"intent": "charge", "expires": "2026-03-10T12:30:00Z", "request": request}}, "status": "pending"})
}

fn checked(link: &Value, expected: &Value, now: u64) -> Value {
    serde_json::from_str(&link::checked(&read(link), &read(expected), now).to_string()).unwrap()
}

/// 2026-03-10T12:00:00Z.
const NOW: u64 = 1_773_144_000;

#[test]
pub fn a_link_that_says_otherwise_than_expected_is_not_paid() {
    let expected = json!({"amount": "10000", "token": TOKEN.to_lowercase(), "recipient": TO, "network": "eip155:84532"});
    let candidate = Candidate {
        network: "eip155:84532",
        asset: TOKEN,
        payee: TO,
        amount: "10000",
        scheme: "exact",
    };
    let good = json!({"ok": true, "differs": [], "text": "", "candidate": candidate.digest()});
    assert_eq!(checked(&told(), &expected, NOW), good);
    let enveloped = json!({"code": 0, "msg": "", "data": told()});
    assert_eq!(checked(&enveloped, &expected, NOW), good);
    for (path, value, differs) in [
        ("/challenge/data/request/amount", json!("10001"), "amount"),
        ("/challenge/data/request/amount", json!(10_000), "amount"),
        ("/challenge/data/request/amount", json!("010000"), "amount"),
        ("/challenge/data/request/currency", json!(TO), "token"),
        ("/challenge/data/request/recipient", json!(TOKEN), "recipient"),
        ("/challenge/data/request/methodDetails/chainId", json!(8453), "network"),
        ("/challenge/data/request/methodDetails/authorizationType", json!("permit2"), "type"),
        ("/challenge/data/intent", json!("escrow"), "type"),
        ("/challenge/data/expires", json!("2026-03-10T12:00:00Z"), "status"),
        ("/challenge/data/expires", json!("soon"), "status"),
        ("/status", json!("completed"), "status"),
    ] {
        let mut link = told();
        *link.pointer_mut(path).unwrap() = value;
        let found = checked(&link, &expected, NOW);
        assert_eq!((&found["ok"], &found["differs"]), (&json!(false), &json!([differs])), "{path}");
        assert!(found.get("candidate").is_none());
        assert_eq!(
            found["text"],
            format!("The link is not what was expected: {differs}. Nothing was signed.")
        );
    }
    // What is not said is not agreed to.
    for name in ["amount", "token", "recipient", "network"] {
        let mut expected = expected.clone();
        expected.as_object_mut().unwrap().remove(name);
        assert_eq!(checked(&told(), &expected, NOW)["differs"], json!([name]));
    }
    assert_eq!(checked(&json!({}), &json!({}), NOW)["ok"], false);
}

fn asked(states: &[u64], terms: &Value) -> Value {
    let listed: Vec<Value> = states
        .iter()
        .map(|state| json!({"state": state, "contract": TOKEN.to_lowercase()}))
        .collect();
    json!({"contract": TOKEN, "network": "eip155:196", "terms": terms, "subscriptions": listed})
}

fn every(secs: u64, mode: &str) -> Value {
    json!({"contract": TOKEN, "network": "eip155:196", "periodMode": mode, "periodSec": secs})
}

fn next(intent: &str, asked: &Value) -> Value {
    serde_json::from_str(&subscription::next(intent, &read(asked)).to_string()).unwrap()
}

/// What is done, or the code of a stop.
fn step(intent: &str, states: &[u64]) -> String {
    let next = next(intent, &asked(states, &every(60, "fixed_seconds")));
    next.get("code").unwrap_or(&next["do"]).as_str().unwrap().to_owned()
}

#[test]
pub fn what_is_active_is_not_subscribed_to_again() {
    for (states, expected) in [
        (&[][..], "subscribe"),
        (&[0], "wait"),
        (&[1], "access"),
        (&[2], "subscribe"),
        (&[3], "subscribe"),
        (&[4], "subscribe"),
        (&[99], "subscribe"),
        (&[3, 1, 99], "access"),
        (&[4, 0], "wait"),
        (&[1, 5], "unknown_state"),
    ] {
        assert_eq!(step("subscribe", states), expected, "{states:?}");
    }
}

#[test]
fn a_state_allows_what_it_says() {
    let allowed = |intent: &str| [0, 1, 2, 3, 4, 99].map(|state| step(intent, &[state]));
    let no = "not_possible";
    assert_eq!(allowed("access"), ["wait", "access", no, no, no, no]);
    assert_eq!(allowed("change"), [no, "change", no, no, no, no]);
    assert_eq!(allowed("cancel"), [no, "cancel", no, no, no, no]);
    assert_eq!(allowed("cancel-pending"), ["cancel-pending", no, no, no, no, no]);
    assert_eq!([step("access", &[]), step("renew", &[1])], [no, "unknown_intent"]);
    let named =
        ["0", "1", "2", "3", "4", "99", "5"].map(|code| subscription::state(code).to_string());
    let said = |state: &str, ends: bool| json!({"state": state, "final": ends}).to_string();
    let pairs = [
        ("pending", false),
        ("active", false),
        ("completed", true),
        ("canceled", true),
        ("changed", true),
        ("failed", true),
    ];
    for (found, (state, ends)) in named.iter().zip(pairs) {
        assert_eq!(serde_json::from_str::<Value>(found).unwrap().to_string(), said(state, ends));
    }
    assert_eq!(named[6], "null");
}

#[test]
pub fn another_contract_than_the_known_one_is_a_stop() {
    let good = asked(&[1], &every(60, "fixed_seconds"));
    for (path, value) in [
        ("/terms/contract", json!(TO)),
        ("/terms/contract", json!("")),
        ("/terms/network", json!("eip155:8453")),
        ("/subscriptions/0/contract", json!(TO)),
        ("/contract", json!("")),
    ] {
        let mut other = good.clone();
        *other.pointer_mut(path).unwrap() = value;
        for intent in ["subscribe", "access", "change", "cancel", "cancel-pending"] {
            let next = next(intent, &other);
            assert_eq!(
                (&next["do"], &next["code"]),
                (&json!("stop"), &json!("contract_mismatch")),
                "{path}"
            );
        }
    }
}

#[test]
fn a_period_is_of_seconds_above_zero_or_of_calendar_months() {
    for (secs, mode, expected) in [
        (json!(1), "fixed_seconds", "subscribe"),
        (json!(0), "fixed_seconds", "invalid_period"),
        (json!(-1), "fixed_seconds", "invalid_period"),
        (json!("60"), "fixed_seconds", "invalid_period"),
        (json!(0), "calendar_month", "subscribe"),
        (json!(1), "calendar_month", "invalid_period"),
        (json!(60), "weekly", "invalid_period"),
    ] {
        let mut terms = every(0, mode);
        terms["periodSec"] = secs;
        let next = next("subscribe", &asked(&[], &terms));
        assert_eq!(next.get("code").unwrap_or(&next["do"]), expected, "{terms}");
    }
}

#[test]
fn an_active_subscription_is_proven_in_the_domain_of_its_contract() {
    let access = &next("access", &asked(&[1], &every(60, "fixed_seconds")))["access"];
    let domain = json!({"name": "A2APaySubscription", "version": "1", "chainId": 196, "verifyingContract": TOKEN});
    assert_eq!(access, &json!({"header": "APP-Access", "domain": domain}));
}
