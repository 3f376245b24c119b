//! Payees of a host: the first one stays.

use super::*;

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
