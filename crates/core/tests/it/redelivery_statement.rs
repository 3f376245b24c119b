//! `Farebox-Redelivery`: what its text may be, and what it proves to whom and for how long.

use farebox_core::encoding::{base64, hex};
use farebox_core::evm::account::Account;
use farebox_core::evm::address::Address;
use farebox_core::evm::eip712::TypedData;
use farebox_core::gate::redelivery::Statement;
use farebox_core::payment::PaymentKey;
use farebox_core::problem::Code;
use farebox_core::secret::Secret;
use farebox_core::time::UnixTime;
use serde_json::{Value, json};

const CHAIN: u64 = 84_532;
const NOW: u64 = 1_800_000_000;
const URL: &str = "https://shop.example/after?x=1";
const ORDER: &str = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";

fn account(byte: u8) -> Account {
    Account::from_candidates([Secret::new([byte; 32])].into_iter()).unwrap()
}

fn key(byte: u8) -> PaymentKey {
    PaymentKey::from_bytes([byte; 32])
}

/// What a wallet is asked to sign, from the rule alone.
fn digest(chain: u64, message: &Value) -> [u8; 32] {
    TypedData::from_json(&json!({
        "domain": { "name": "Farebox", "version": "1", "chainId": chain },
        "types": { "Redelivery": [
            { "name": "paymentKey", "type": "bytes32" }, { "name": "method", "type": "string" },
            { "name": "url", "type": "string" }, { "name": "issuedAt", "type": "uint256" },
        ] },
        "primaryType": "Redelivery",
        "message": message,
    }))
    .unwrap()
    .digest()
}

/// A statement of this account about key 5.
fn statement(signer: &Account, chain: u64, method: &str, url: &str, issued_at: u64) -> Value {
    let mut message = json!({
        "paymentKey": hex::encode_prefixed(&[5; 32]), "method": method, "url": url,
        "issuedAt": issued_at.to_string(),
    });
    let signature = signer.sign(&digest(chain, &message)).unwrap();
    message["signature"] = json!(hex::encode_prefixed(&signature.to_bytes()));
    message["issuedAt"] = json!(issued_at);
    message
}

fn parse(message: &Value) -> Result<Statement, Code> {
    Statement::parse(&base64::encode(message.to_string().as_bytes()))
}

#[test]
fn a_statement_proves_one_payment_to_one_request_of_its_payer_for_two_minutes() {
    let payer = account(1);
    let proves =
        |message: &Value, key: &PaymentKey, payer: &Address, method: &str, url: &str, now| {
            let now = UnixTime::from_secs(now);
            parse(message).unwrap().proves(key, payer, CHAIN, method, url, now)
        };
    let good = statement(&payer, CHAIN, "GET", URL, NOW);
    let who = payer.address();
    let nothing = Err(Code::PaymentAlreadyDelivered);
    for (late, holds) in [(0, true), (119, true), (120, true), (121, false), (3_600, false)] {
        let expected = if holds { Ok(()) } else { nothing };
        assert_eq!(proves(&good, &key(5), &who, "GET", URL, NOW + late), expected, "{late} s late");
        assert_eq!(
            proves(&good, &key(5), &who, "GET", URL, NOW - late),
            expected,
            "{late} s early"
        );
    }
    let other_url = "https://shop.example/after?x=2";
    let other_host = "https://shop2.example/after?x=1";
    assert_eq!(proves(&good, &key(6), &who, "GET", URL, NOW), nothing, "another key");
    assert_eq!(proves(&good, &key(5), &who, "HEAD", URL, NOW), nothing, "another method");
    assert_eq!(proves(&good, &key(5), &who, "get", URL, NOW), nothing, "another spelling");
    assert_eq!(proves(&good, &key(5), &who, "GET", other_url, NOW), nothing, "another query");
    assert_eq!(proves(&good, &key(5), &who, "GET", other_host, NOW), nothing, "another host");
    assert_eq!(proves(&good, &key(5), &account(2).address(), "GET", URL, NOW), nothing);
    let foreign = statement(&account(2), CHAIN, "GET", URL, NOW);
    assert_eq!(proves(&foreign, &key(5), &who, "GET", URL, NOW), nothing, "another signer");
    let elsewhere = statement(&payer, 8453, "GET", URL, NOW);
    assert_eq!(proves(&elsewhere, &key(5), &who, "GET", URL, NOW), nothing, "another chain");
    for (member, value) in [
        ("paymentKey", json!(hex::encode_prefixed(&[6; 32]))),
        ("method", json!("HEAD")),
        ("url", json!(other_url)),
        ("issuedAt", json!(NOW + 1)),
    ] {
        let mut changed = good.clone();
        changed[member] = value;
        let it = parse(&changed).unwrap();
        assert_ne!(it.signer(CHAIN), Some(who), "{member} is signed");
    }
    assert_eq!(parse(&good).unwrap().signer(CHAIN), Some(who));
    assert_eq!(parse(&good).unwrap().key(), &key(5));
}

#[test]
fn a_statement_has_one_digest_whichever_way_its_time_is_written() {
    let message = statement(&account(1), CHAIN, "GET", URL, NOW);
    let mut unsigned = message.clone();
    unsigned.as_object_mut().unwrap().remove("signature");
    unsigned["issuedAt"] = json!(NOW.to_string());
    assert_eq!(parse(&message).unwrap().digest(CHAIN), digest(CHAIN, &unsigned));
    let mut as_text = message.clone();
    as_text["issuedAt"] = json!(NOW.to_string());
    assert_eq!(parse(&as_text), parse(&message));
}

#[test]
fn the_extremes_of_time_prove_nothing_and_break_nothing() {
    let payer = account(1);
    for issued_at in [0, 1, u64::MAX] {
        let it = parse(&statement(&payer, CHAIN, "GET", URL, issued_at)).unwrap();
        for now in [0, NOW, u64::MAX] {
            let near = issued_at.abs_diff(now) <= 120;
            let proved =
                it.proves(&key(5), &payer.address(), CHAIN, "GET", URL, UnixTime::from_secs(now));
            assert_eq!(proved.is_ok(), near, "{issued_at} {now}");
        }
    }
}

/// The other signature over the same digest that some verifiers take: n − s, and the other v.
fn high(signature: &str) -> String {
    let mut bytes: [u8; 65] = hex::decode_array(signature).unwrap();
    let order: [u8; 32] = hex::decode_array(&format!("0x{ORDER}")).unwrap();
    let mut borrow = 0;
    for at in (0..32).rev() {
        let difference = i16::from(order[at]) - i16::from(bytes[32 + at]) - borrow;
        borrow = i16::from(difference < 0);
        bytes[32 + at] = difference.rem_euclid(256) as u8;
    }
    bytes[64] = 55 - bytes[64];
    hex::encode_prefixed(&bytes)
}

#[test]
fn what_is_not_exactly_a_statement_is_malformed() {
    let good = statement(&account(1), CHAIN, "GET", URL, NOW);
    let signature = good["signature"].as_str().unwrap();
    assert_eq!(high(&high(signature)), signature);
    let changes: Vec<(&str, Value)> = vec![
        ("signature", json!(high(signature))),
        ("signature", json!(&signature[..130])),
        ("signature", json!(format!("{signature}00"))),
        ("signature", json!(&signature[2..])),
        ("signature", json!(format!("{}1d", &signature[..130]))),
        ("signature", json!(format!("0x{}1b", "0".repeat(128)))),
        ("paymentKey", json!("05".repeat(32))),
        ("paymentKey", json!(format!("0x{}", "05".repeat(31)))),
        ("paymentKey", json!(5)),
        ("method", json!("")),
        ("method", json!("G T")),
        ("method", json!("A".repeat(33))),
        ("method", Value::Null),
        ("url", json!("")),
        ("url", json!("https://shop.example/ä")),
        ("url", json!("https://shop.example/\n")),
        ("url", json!(format!("https://shop.example/{}", "a".repeat(2_560)))),
        ("issuedAt", json!(-1)),
        ("issuedAt", json!(1.5)),
        ("issuedAt", json!("01")),
        ("issuedAt", json!("1e9")),
        ("issuedAt", json!("18446744073709551616")),
        ("issuedAt", Value::Null),
        ("more", json!(1)),
    ];
    for (member, value) in changes {
        let mut changed = good.clone();
        changed[member] = value.clone();
        assert_eq!(parse(&changed), Err(Code::MalformedPayment), "{member} {value}");
    }
    for member in ["paymentKey", "method", "url", "issuedAt", "signature"] {
        let mut without = good.clone();
        without.as_object_mut().unwrap().remove(member);
        assert_eq!(parse(&without), Err(Code::MalformedPayment), "without {member}");
    }
    let text = good.to_string();
    let twice = text.replacen('{', r#"{"method":"GET","#, 1);
    for raw in [twice.as_str(), "", "[]", "null", "{}", &text[1..], &format!("{text}{text}")] {
        let header = base64::encode(raw.as_bytes());
        assert_eq!(Statement::parse(&header), Err(Code::MalformedPayment), "{raw}");
    }
    let header = base64::encode(text.as_bytes());
    let foreign =
        base64::encode(statement(&account(2), CHAIN, "GET", URL, NOW).to_string().as_bytes());
    for (value, expected) in [
        (format!("{header}, {header}"), None),
        (format!("{header}, {foreign}"), Some(Code::AmbiguousPayment)),
        (format!("{header},"), Some(Code::MalformedPayment)),
        (format!("{header} {header}"), Some(Code::MalformedPayment)),
        (text.clone(), Some(Code::AmbiguousPayment)),
        ("e30 ".repeat(2), Some(Code::MalformedPayment)),
        ("A".repeat(16_385), Some(Code::ProofTooLarge)),
    ] {
        assert_eq!(Statement::parse(&value).err(), expected);
    }
}
