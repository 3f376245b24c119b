//! Realms of a host.

use super::*;

// A-167
#[test]
pub fn the_first_foreign_realm_of_a_host_is_told_and_stays_its_only_one() {
    let mismatch = Err("realm_mismatch".to_owned());
    let mut record = None;
    for realm in ["shop.example", "Shop.Example"] {
        let (told, after) = reserved("{}", realm, record.as_deref()).unwrap();
        assert_eq!(told, Value::Null, "{realm}");
        record = Some(after);
    }
    // Payees may change here, and with them nothing else.
    for rules in ["{}", r#"{"pinPayees": false}"#, r#"{"mpp": {"bank.example": {"realm": "x"}}}"#] {
        let (told, after) = reserved(rules, "localhost", record.as_deref()).unwrap();
        assert_eq!(told, "localhost");
        let others = ["bank.example", "LOCALHOST", "shop.example.evil", "shop.example:8443"];
        for other in others {
            assert_eq!(reserved(rules, other, Some(&after)), mismatch, "{other}");
        }
        assert_eq!(reserved(rules, "localhost", Some(&after)).unwrap().0, "localhost");
        assert_eq!(reserved(rules, "shop.example", Some(&after)).unwrap().0, Value::Null);
    }
    // What no record can keep, and no person can read as it is.
    for realm in ["", " ", "a\u{202e}b", &"x".repeat(129)] {
        assert_eq!(reserved("{}", realm, None), mismatch, "{realm}");
    }
    assert_eq!(
        refusal(&asking(&[evm("a", &request()).replace("shop.example", "")])).reason.money(),
        farebox_core::client::error::Money::NotSigned
    );
}

#[test]
fn a_realm_that_the_policy_names_is_not_pinned_and_leaves_no_other() {
    let known = r#"{"mpp": {"Shop.Example": {"realm": "MPP Payment"}}}"#;
    let (told, record) = reserved(known, "MPP Payment", None).unwrap();
    assert_eq!(told, Value::Null);
    assert_eq!(reserved("{}", "localhost", Some(&record)).unwrap().0, "localhost");
    reserved(known, "shop.example", Some(&record)).unwrap();
    for realm in ["mpp payment", "localhost"] {
        assert_eq!(reserved(known, realm, Some(&record)), Err("realm_mismatch".to_owned()));
    }
}

#[test]
fn a_realm_is_pinned_by_what_was_signed_alone() {
    let mut exchange = exchange("{}", 1);
    let asked = asking(&[evm("a", &request()).replace("shop.example", "localhost")]);
    exchange.answered(402, &asked, b"", at(0));
    let record = exchange.reserve(None, at(0)).unwrap();
    let released = exchange.release(Some(&record)).unwrap();
    assert_eq!(reserved("{}", "bank.example", Some(&record)), Err("realm_mismatch".to_owned()));
    reserved("{}", "bank.example", Some(&released)).unwrap();
    // A look counts nothing, and tells what a payment would be told.
    assert!(!released.contains("localhost"), "{released}");
}

#[test]
fn a_realm_is_pinned_for_its_host_alone() {
    let (_, record) = reserved("{}", "localhost", None).unwrap();
    let (url, endpoint) = ("https://else.example/report", "GET https://else.example/report");
    let payer = account().address();
    let mut other =
        Exchange::new(Policy::from_json("{}").unwrap(), "GET", url, endpoint, payer, [2; 48]);
    let asked = asking(&[evm("b", &request()).replace("shop.example", "bank.example")]);
    assert!(matches!(other.answered(402, &asked, b"", at(0)), Next::Reserve));
    other.reserve(Some(&record), at(0)).unwrap();
    assert_eq!(other.proposal().unwrap()["claimsToSell"], "bank.example");
}

#[test]
fn a_challenge_of_another_realm_spoils_no_offer_beside_it() {
    let relayed = evm("a", &request()).replace("shop.example", "bank.example");
    let mut headers = terms(&json!([entry("10000")]));
    headers.add("www-authenticate", &relayed);
    let mut exchange = exchange("{}", 1);
    assert!(matches!(exchange.answered(402, &headers, b"", at(0)), Next::Reserve));
    exchange.reserve(None, at(0)).unwrap();
    assert_eq!(exchange.proposal().unwrap()["protocol"], "x402");
    // The host's own comes first.
    let own = evm("b", &request());
    let value = paid(&mut crate::client::exchange("{}", 1), &asking(&[relayed, own])).1;
    assert_eq!(credential(&value)["challenge"]["id"], "b");
}
