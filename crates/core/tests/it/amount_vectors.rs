//! Amounts and prices against vectors and schoolbook arithmetic.

use std::collections::BTreeSet;

use farebox_core::amount::{Amount, AmountError};
use farebox_core::encoding::json;
use serde_json::Value;

use crate::support::{Dice, cases, text};

/// Cases of `amounts.json` where we refuse what the file lets pass, and why.
const STRICTER_PRICES: &[(&str, AmountError, &str)] = &[
    ("price-zero", AmountError::Zero, "a price of zero would open the route; that is spelt `free`"),
    (
        "price-zero-dot",
        AmountError::Zero,
        "a price of zero would open the route; that is spelt `free`",
    ),
];

/// Inputs of `money-parsing.json` where we refuse what the reference takes, and why.
const STRICTER_MONEY: &[(&str, AmountError, &str)] = &[
    ("$ 1.50", AmountError::Format, "one spelling: no space after the dollar sign"),
    ("1.50 USDC", AmountError::Format, "the asset is named by `asset`, not inside the price"),
    ("$0.10 PYUSD", AmountError::Format, "the asset is named by `asset`, not inside the price"),
    ("2 USD", AmountError::Format, "the asset is named by `asset`, not inside the price"),
    ("0", AmountError::Zero, "a price of zero would open the route; that is spelt `free`"),
    ("0.0000001", AmountError::Precision, "refused instead of cut down to a free resource"),
    ("1.23456789", AmountError::Precision, "refused instead of cut down"),
];

//
#[test]
fn amounts_and_prices_are_exact_or_refused() {
    let mut stricter = BTreeSet::new();
    for case in cases("security/amounts", "cases") {
        let label = text(&case, "name");
        match text(&case, "kind") {
            "atomic" => {
                let read = json_text(&case).and_then(|text| Amount::from_atomic(&text));
                assert_amount(&case, read);
            }
            "price" => {
                let read = price(&case);
                match STRICTER_PRICES.iter().find(|(name, ..)| *name == label) {
                    Some((_, error, _)) => {
                        stricter.insert(label.to_owned());
                        assert_eq!(case["expect"], "accept", "{label} needs no exception");
                        assert_eq!(read, Ok(Err(*error)), "{label}");
                    }
                    None => match read {
                        Ok(read) => assert_amount(&case, read),
                        Err(_) => assert_eq!(case["code"], "config", "{label}"),
                    },
                }
            }
            "math" => assert_math(&case),
            other => panic!("{label}: unknown kind {other}"),
        }
    }
    assert_eq!(stricter.len(), STRICTER_PRICES.len());
}

/// The amount of a price case, or an error for decimals that no asset has.
fn price(case: &Value) -> Result<Result<Amount, AmountError>, std::num::TryFromIntError> {
    let decimals = u8::try_from(case["decimals"].as_i64().unwrap())?;
    Ok(json_text(case).and_then(|text| Amount::from_price(&text, decimals)))
}

/// The text of a JSON string; every other JSON value is no amount.
fn json_text(case: &Value) -> Result<String, AmountError> {
    match json::parse(text(case, "json").as_bytes()).unwrap() {
        Value::String(text) => Ok(text),
        _ => Err(AmountError::Format),
    }
}

fn assert_amount(case: &Value, read: Result<Amount, AmountError>) {
    let label = text(case, "name");
    match text(case, "expect") {
        "accept" => {
            let read = read.map(|amount| amount.to_string());
            assert_eq!(read.as_deref(), Ok(text(case, "value")), "{label}");
        }
        // Money is text: a JSON number is no amount, whichever error that is elsewhere.
        "reject" if !text(case, "json").starts_with('"') => {
            assert_eq!(read, Err(AmountError::Format), "{label}");
        }
        // Where both are safe, we refuse.
        "reject" | "either" => {
            let code = read.map_err(AmountError::code);
            assert_eq!(code, Err(text(case, "code")), "{label}");
        }
        other => panic!("{label}: unknown expectation {other}"),
    }
}

fn assert_math(case: &Value) {
    let label = text(case, "name");
    let [a, b] = ["a", "b"].map(|side| Amount::from_atomic(text(case, side)).unwrap());
    let small = || text(case, "b").parse::<u64>().unwrap();
    let one = Amount::from_u64(1);
    let result = match text(case, "op") {
        "add" => a.checked_add(b),
        "sub" => a.checked_sub(b),
        "mul" => a.checked_mul(b),
        "div" => a.checked_div_u64(small()),
        "ceil_div" => {
            a.checked_add(b).and_then(|sum| sum.checked_sub(one)?.checked_div_u64(small()))
        }
        "mul_div_bps" => a.checked_mul_u64(small()).and_then(|it| it.checked_div_u64(10_000)),
        "lt" => {
            assert_eq!(Value::Bool(a < b), case["value"], "{label}");
            return;
        }
        other => panic!("{label}: unknown operation {other}"),
    };
    let expected = match text(case, "expect") {
        "accept" => Some(text(case, "value").to_owned()),
        "reject" => None,
        other => panic!("{label}: unknown expectation {other}"),
    };
    assert_eq!(result.map(|amount| amount.to_string()), expected, "{label}");
}

#[test]
fn operator_prices_mean_what_the_reference_server_makes_of_them_or_are_refused() {
    let mut stricter = 0;
    for case in cases("x402/money-parsing", "money") {
        // Prices are text here, never JSON numbers.
        let Some(input) = case["input"].as_str().filter(|_| case["inputType"] == "string") else {
            continue;
        };
        let six = Amount::from_price(input, 6);
        let result = &case["result"];
        if let Some((_, error, _)) = STRICTER_MONEY.iter().find(|(name, ..)| *name == input) {
            stricter += 1;
            assert!(result["error"].is_null(), "{input} needs no exception");
            assert_eq!(six, Err(*error), "{input}");
        } else if result["error"].is_string() {
            assert_eq!(six, Err(AmountError::Format), "{input}");
        } else {
            let eighteen = Amount::from_price(input, 18).unwrap();
            assert_eq!(six.unwrap().to_string(), text(result, "atomic6"), "{input}");
            assert_eq!(eighteen.to_string(), text(result, "atomic18"), "{input}");
        }
    }
    assert_eq!(stricter, STRICTER_MONEY.len());
}

#[test]
fn amounts_agree_with_schoolbook_arithmetic_on_digits() {
    let mut dice = Dice(1);
    for round in 0..400 {
        let [a, b] = [dice.digits(round % 78 + 1), dice.digits(dice.0 as usize % 77 + 1)];
        let factor = dice.next();
        let (Ok(x), Ok(y)) = (Amount::from_atomic(&spell(&a)), Amount::from_atomic(&spell(&b)))
        else {
            assert!(exceeds_u256(&a), "{} was refused", spell(&a));
            continue;
        };
        assert_eq!(x.to_string(), spell(&a));
        assert_eq!(Amount::from_be_bytes(x.to_be_bytes()), x);
        assert_eq!(
            x.to_be_bytes().iter().fold(vec![0], |sum, byte| times_plus(&sum, 256, (*byte).into())),
            a
        );
        assert_eq!(x.cmp(&y), a.len().cmp(&b.len()).then_with(|| a.cmp(&b)));
        let sum = plus(&a, &b);
        match x.checked_add(y) {
            Some(total) => assert_eq!(total.to_string(), spell(&sum)),
            None => assert!(exceeds_u256(&sum)),
        }
        assert_eq!(
            x.checked_add(y).and_then(|total| total.checked_sub(y)).is_none(),
            exceeds_u256(&sum)
        );
        assert_eq!(x.checked_sub(y).is_none(), x < y);
        let product = times_plus(&a, factor, 0);
        match x.checked_mul_u64(factor) {
            Some(total) => {
                assert_eq!(total.to_string(), spell(&product));
                assert_eq!(total.checked_div_u64(factor), Some(x));
            }
            None => assert!(exceeds_u256(&product)),
        }
    }
}

#[test]
fn decimal_text_moves_the_point_and_nothing_else() {
    let mut dice = Dice(2);
    for round in 0..2_000 {
        let decimals = (round % 40) as u8;
        let whole = spell(&dice.digits(dice.0 as usize % 30 + 1));
        let fraction: String =
            (0..dice.next() % 40).map(|_| char::from(b'0' + (dice.next() % 10) as u8)).collect();
        let written =
            if fraction.is_empty() { whole.clone() } else { format!("{whole}.{fraction}") };
        let read = Amount::from_decimal(&written, decimals);
        let kept = fraction.trim_end_matches('0');
        if kept.len() > decimals.into() {
            assert_eq!(read, Err(AmountError::Precision), "{written}");
            continue;
        }
        let moved = format!("{whole}{kept:0<width$}", width = decimals.into());
        let expected = match moved.trim_start_matches('0') {
            "" => "0",
            digits => digits,
        };
        let amount = read.unwrap();
        assert_eq!(amount.to_string(), expected, "{written} with {decimals} decimals");
        let shortest = if kept.is_empty() { whole } else { format!("{whole}.{kept}") };
        assert_eq!(amount.to_decimal(decimals), shortest);
    }
    assert_eq!(Amount::MAX.to_decimal(255).len(), 257);
    assert_eq!(Amount::from_decimal("0.0", 255), Ok(Amount::ZERO));
    assert_eq!(Amount::from_decimal(&"9".repeat(100_000), 0), Err(AmountError::Overflow));
}

fn spell(digits: &[u8]) -> String {
    digits.iter().map(|digit| char::from(b'0' + digit)).collect()
}

fn plus(a: &[u8], b: &[u8]) -> Vec<u8> {
    let mut sum = Vec::new();
    let mut carry = 0;
    for place in 0..a.len().max(b.len()) {
        let digit = |of: &[u8]| of.iter().rev().nth(place).copied().unwrap_or(0);
        let here = digit(a) + digit(b) + carry;
        sum.push(here % 10);
        carry = here / 10;
    }
    if carry > 0 {
        sum.push(carry);
    }
    sum.reverse();
    sum
}

fn times_plus(a: &[u8], factor: u64, add: u64) -> Vec<u8> {
    let mut product = Vec::new();
    let mut carry = u128::from(add);
    for digit in a.iter().rev() {
        let here = u128::from(*digit) * u128::from(factor) + carry;
        product.push((here % 10) as u8);
        carry = here / 10;
    }
    while carry > 0 {
        product.push((carry % 10) as u8);
        carry /= 10;
    }
    while product.len() > 1 && product.last() == Some(&0) {
        product.pop();
    }
    product.reverse();
    product
}

fn exceeds_u256(digits: &[u8]) -> bool {
    let limit = (0..256).fold(vec![1], |power, _| times_plus(&power, 2, 0));
    digits.len().cmp(&limit.len()).then_with(|| digits.cmp(limit.as_slice())).is_ge()
}
