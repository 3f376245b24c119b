//! One who pays prices that are known afterwards (x402 `upto`): what is signed, what is counted, and what a receipt may say.

use farebox_core::client::{ClientError, Exchange, Next};
use farebox_core::time::UnixTime;
use serde_json::{Value, json};

use crate::client::{HASH, at, entry, exchange, failure, paid, settled, terms};

const SETTLER: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
const RULES: &str = r#"{"upto": "0.01", "perDay": "0.02", "uptoPerDay": "1"}"#;

/// Terms for at most this many atomic units.
fn bound(amount: &str) -> Value {
    let mut bound = entry(amount);
    bound["scheme"] = "upto".into();
    bound["extra"]["assetTransferMethod"] = "permit2".into();
    bound["extra"]["facilitatorAddress"] = SETTLER.into();
    bound
}

fn reserved(
    rules: &str,
    record: Option<&str>,
    (seed, offer): (u8, Value),
    now: UnixTime,
) -> Result<(Exchange, String), ClientError> {
    let mut exchange = exchange(rules, seed);
    match exchange.answered(402, &terms(&json!([offer])), b"", now) {
        Next::Reserve => {}
        next => return Err(failure(next)),
    }
    let record = exchange.reserve(record, now)?;
    Ok((exchange, record))
}

/// Signs what is reserved, and takes an answer that says how much of it was charged.
fn charged(exchange: &mut Exchange, amount: &str) -> Next {
    let signature = crate::client::sign(exchange.prepare(at(0)));
    assert!(matches!(exchange.signed(&signature, at(0)), Next::Send { .. }));
    let says = |it: &mut Value| {
        it["amount"] = amount.into();
        it["transaction"] = if amount == "0" { "".into() } else { HASH.into() };
    };
    exchange.answered(200, &settled(says), b"", at(1))
}

/// What a record counts for each payment, and what was signed beyond it, atomic units.
fn counted(record: &str) -> Vec<(u64, u64)> {
    let record: Value = serde_json::from_str(record).unwrap();
    let units =
        |text: &Value| text.as_str().unwrap_or("0").parse::<u64>().unwrap() / 1_000_000_000_000;
    let entries = record["entries"].as_array().unwrap();
    entries.iter().map(|entry| (units(&entry[4]), units(&entry[5]))).collect()
}

#[test]
pub fn a_bound_is_signed_only_where_the_policy_allows_one_so_high() {
    let most = |rules: &str, amount: &str| {
        let done = reserved(rules, None, (1, bound(amount)), at(0));
        done.map(|_| ()).map_err(|error| error.reason.code())
    };
    for rules in ["{}", r#"{"permit2": true}"#] {
        assert_eq!(most(rules, "1"), Err("unsupported_scheme"), "{rules}");
    }
    assert_eq!(most(r#"{"upto": "0.01"}"#, "10000"), Ok(()));
    assert_eq!(most(r#"{"upto": "0.01"}"#, "10001"), Err("policy_amount"));
    assert_eq!(most(r#"{"upto": "0.01", "perPayment": "0.005"}"#, "5001"), Err("policy_amount"));
    for settler in [json!(null), json!("0x00"), json!(format!("0x{}", "0".repeat(40)))] {
        let mut offer = bound("1");
        offer["extra"]["facilitatorAddress"] = settler;
        let refused = reserved(RULES, None, (1, offer), at(0)).err().map(|it| it.reason.code());
        assert_eq!(refused, Some("malformed_challenge"));
    }
}

#[test]
fn the_wallet_and_the_person_see_the_most_and_who_settles() {
    let (mut exchange, _) = reserved(RULES, None, (1, bound("10000")), at(0)).unwrap();
    let proposal = exchange.proposal().unwrap();
    assert_eq!(proposal["amountText"], "up to 0.01 USDC (10000)");
    assert_eq!(proposal["upTo"], true);
    let Next::Sign(data) = exchange.prepare(at(0)) else { panic!() };
    let message = &data["message"];
    assert_eq!(message["spender"], "0x4020A4f3b7b90ccA423B9fabCc0CE57C6C240002");
    assert_eq!(message["witness"]["facilitator"], SETTLER);
    assert_eq!(message["permitted"]["amount"], "10000");
    let mut fixed = crate::client::exchange(RULES, 1);
    paid(&mut fixed, &json!([bound("10000"), entry("10000")]));
    assert_eq!(fixed.proposal().unwrap()["upTo"], false, "a fixed price of the same height");
}

#[test]
fn the_most_is_counted_until_the_receipt_says_what_was_charged() {
    for (amount, price, transaction) in
        [("0", "0", ""), ("1", "0.000001", HASH), ("2500", "0.0025", HASH), ("10000", "0.01", HASH)]
    {
        let (mut exchange, record) = reserved(RULES, None, (1, bound("10000")), at(0)).unwrap();
        assert_eq!(counted(&record), [(10_000, 0)]);
        let Next::Return(Some(receipt)) = charged(&mut exchange, amount) else {
            panic!("{amount}")
        };
        let told = (&receipt["amount"], &receipt["price"], &receipt["transaction"]);
        assert_eq!(told, (&json!(amount), &json!(price), &json!(transaction)));
        assert!(exchange.settles());
        let record = exchange.settle(Some(&record)).unwrap();
        let units: u64 = amount.parse().unwrap();
        assert_eq!(counted(&record), [(units, 10_000 - units)]);
        // Once more, and in a record that has forgotten it: as before.
        assert_eq!(exchange.settle(Some(&record)).unwrap(), record);
        assert!(counted(&exchange.settle(None).unwrap()).is_empty());
    }
}

#[test]
fn a_receipt_for_more_than_was_signed_or_without_its_transaction_counts_nothing_back() {
    for (amount, transaction) in
        [("10001", HASH), ("-1", HASH), ("1.5", HASH), ("9999", ""), ("10000", ""), ("0", "0x11")]
    {
        let (mut exchange, record) = reserved(RULES, None, (1, bound("10000")), at(0)).unwrap();
        let signature = crate::client::sign(exchange.prepare(at(0)));
        exchange.signed(&signature, at(0));
        let says = |it: &mut Value| {
            (it["amount"], it["transaction"]) = (amount.into(), transaction.into());
        };
        let error = failure(exchange.answered(200, &settled(says), b"", at(1)));
        assert_eq!(error.reason.code(), "receipt_mismatch", "{amount}");
        assert!(!exchange.settles());
        assert_eq!(counted(&exchange.settle(Some(&record)).unwrap()), [(10_000, 0)]);
    }
}

#[test]
fn what_was_not_charged_can_be_spent_and_a_lost_answer_gives_nothing_back() {
    let (mut first, record) = reserved(RULES, None, (1, bound("10000")), at(0)).unwrap();
    let (_, open) = reserved(RULES, Some(&record), (2, bound("10000")), at(1)).unwrap();
    let third = |record: &str| {
        let done = reserved(RULES, Some(record), (3, bound("10000")), at(2));
        done.map(|_| ()).map_err(|error| error.reason.code())
    };
    assert_eq!(third(&open), Err("budget_exhausted"));
    charged(&mut first, "0");
    assert_eq!(third(&first.settle(Some(&open)).unwrap()), Ok(()));
}

#[test]
pub fn a_server_whose_receipts_say_nothing_is_signed_for_no_more_than_the_day_allows() {
    let rules = r#"{"upto": "0.01", "perDay": "0.02", "uptoPerDay": "0.05"}"#;
    let mut record: Option<String> = None;
    let mut signed = 0;
    for seed in 0..9 {
        let Ok((mut exchange, next)) =
            reserved(rules, record.as_deref(), (seed, bound("10000")), at(u64::from(seed) * 900))
        else {
            break;
        };
        charged(&mut exchange, "0");
        record = Some(exchange.settle(Some(&next)).unwrap());
        signed += 1;
    }
    assert_eq!(signed, 5);
    let later = |secs| reserved(rules, record.as_deref(), (9, bound("1")), at(secs)).is_ok();
    assert!(!later(80_000) && later(95_000));
    // Without a cap of its own, it is that of the day.
    let rules = r#"{"upto": "0.01", "perDay": "0.02"}"#;
    assert!(reserved(rules, record.as_deref(), (9, bound("1")), at(8_000)).is_err());
    // A fixed price is not paid above it either.
    assert!(reserved(rules, record.as_deref(), (9, entry("1")), at(8_000)).is_err());
}
