//! Typed data: the examples of EIP-712, and what is refused.

use farebox_core::encoding::hex;
use farebox_core::evm::eip712::{self, TypedData, TypedDataError};
use farebox_core::evm::keccak::{keccak256, keccak256_parts};
use serde_json::{Value, json};

#[test]
fn a_domain_without_contract_hashes_as_its_typed_data_does() {
    let typed = TypedData::from_json(&json!({
        "domain": { "name": "Farebox", "version": "1", "chainId": 84532 },
        "types": { "Note": [{ "name": "text", "type": "string" }] },
        "primaryType": "Note",
        "message": { "text": "" },
    }));
    let separator = eip712::separator_without_contract("Farebox", "1", 84_532);
    assert_eq!(typed.map(|typed| typed.domain_separator()), Ok(separator));
}

/// The worked example of EIP-712, whose hashes the standard's own test publishes.
#[test]
fn the_mail_example_of_the_standard_has_its_published_hashes() {
    let typed = TypedData::from_json(&mail()).unwrap();
    assert_eq!(
        hex::encode(&typed.domain_separator()),
        "f2cee375fa42b42143804025fc449deafd50cc031ca257e0b194a650a912090f"
    );
    assert_eq!(
        hex::encode(&typed.struct_hash()),
        "c52c0ee5d84264471806290a3f2c4cecfc5490626bf912d01f240d7a274b371e"
    );
    assert_eq!(
        hex::encode(&typed.digest()),
        "be609aee343fb3c4b28e1df9e632fca64fcfaede20f02e86244efddf30957bd2"
    );
}

#[test]
fn a_declared_domain_type_hashes_as_the_implied_one() {
    let mut declared = mail();
    declared["types"]["EIP712Domain"] = json!([
        { "name": "name", "type": "string" },
        { "name": "version", "type": "string" },
        { "name": "chainId", "type": "uint256" },
        { "name": "verifyingContract", "type": "address" },
    ]);
    assert_eq!(TypedData::from_json(&declared), TypedData::from_json(&mail()));
}

#[test]
fn typed_data_that_does_not_say_what_it_means_is_refused() {
    type Spoil = fn(&mut Value);
    let table: &[(&str, Spoil, TypedDataError)] = &[
        ("no types", |it| drop(it["types"].take()), TypedDataError::Shape),
        ("unknown primary type", |it| it["primaryType"] = json!("Letter"), TypedDataError::Type),
        ("bare domain", |it| it["primaryType"] = json!("EIP712Domain"), TypedDataError::Type),
        ("undeclared value", |it| it["message"]["cc"] = json!("Eve"), TypedDataError::Value),
        ("missing value", |it| drop(remove(it, "contents")), TypedDataError::Value),
        ("null", |it| it["message"]["contents"] = Value::Null, TypedDataError::Value),
        (
            "short address",
            |it| it["message"]["to"]["wallet"] = json!("0x00"),
            TypedDataError::Value,
        ),
        ("undeclared domain field", |it| it["domain"]["to"] = json!("x"), TypedDataError::Value),
        ("chain as fraction", |it| it["domain"]["chainId"] = json!(1.0), TypedDataError::Value),
        (
            "inexact number",
            |it| it["domain"]["chainId"] = json!(1_u64 << 53),
            TypedDataError::Value,
        ),
        ("negative unsigned", |it| it["domain"]["chainId"] = json!(-1), TypedDataError::Value),
        ("alias", |it| it["types"]["Mail"][2]["type"] = json!("uint"), TypedDataError::Type),
        ("odd size", |it| it["types"]["Mail"][2]["type"] = json!("uint7"), TypedDataError::Type),
        ("no size", |it| it["types"]["Mail"][2]["type"] = json!("bytes0"), TypedDataError::Type),
        (
            "large size",
            |it| it["types"]["Mail"][2]["type"] = json!("bytes33"),
            TypedDataError::Type,
        ),
        (
            "zero padding",
            |it| it["types"]["Mail"][2]["type"] = json!("uint08"),
            TypedDataError::Type,
        ),
        (
            "undeclared type",
            |it| it["types"]["Mail"][2]["type"] = json!("Body"),
            TypedDataError::Type,
        ),
        (
            "injected type",
            |it| it["types"]["Mail"][2]["type"] = json!("string a,string"),
            TypedDataError::Type,
        ),
        (
            "injected name",
            |it| it["types"]["Mail"][2]["name"] = json!("a,string b"),
            TypedDataError::Type,
        ),
        ("name twice", |it| it["types"]["Mail"][1]["name"] = json!("from"), TypedDataError::Type),
        ("elementary struct", |it| it["types"]["uint8"] = json!([]), TypedDataError::Type),
        (
            "other domain type",
            |it| {
                it["types"]["EIP712Domain"] = json!([{ "name": "name", "type": "bytes" }]);
            },
            TypedDataError::Type,
        ),
        (
            "deep array",
            |it| {
                it["types"]["Mail"][2]["type"] = json!(format!("string{}", "[]".repeat(17)));
            },
            TypedDataError::TooLarge,
        ),
        (
            "many values",
            |it| {
                it["types"]["Mail"][2]["type"] = json!("bool[]");
                it["message"]["contents"] = json!(vec![true; 5_000]);
            },
            TypedDataError::TooLarge,
        ),
        (
            "endless struct",
            |it| {
                it["types"]["Person"] = json!([{ "name": "friends", "type": "Person[]" }]);
                let mut person = json!({ "friends": [] });
                for _ in 0..20 {
                    person = json!({ "friends": [person] });
                }
                it["message"]["from"] = person;
            },
            TypedDataError::TooLarge,
        ),
    ];
    for (label, spoil, expected) in table {
        let mut spoiled = mail();
        spoil(&mut spoiled);
        assert_eq!(TypedData::from_json(&spoiled), Err(*expected), "{label}");
    }
}

#[test]
fn integers_fit_their_type_or_are_refused() {
    let table = [
        ("uint8", "255", Some("00ff")),
        ("uint8", "256", None),
        ("uint8", "-1", None),
        ("uint8", "0x1", None),
        ("uint8", "01", None),
        ("int8", "127", Some("007f")),
        ("int8", "128", None),
        ("int8", "-128", Some("ff80")),
        ("int8", "-129", None),
        ("int8", "-0", None),
        ("int8", "--1", None),
        (
            "int256",
            "-57896044618658097711785492504343953926634992332820282019728792003956564819968",
            Some("0000"),
        ),
        (
            "int256",
            "-57896044618658097711785492504343953926634992332820282019728792003956564819969",
            None,
        ),
        (
            "int256",
            "57896044618658097711785492504343953926634992332820282019728792003956564819968",
            None,
        ),
        (
            "uint256",
            "115792089237316195423570985008687907853269984665640564039457584007913129639936",
            None,
        ),
    ];
    for (kind, value, low_word) in table {
        let of = |value: &str, kind: &str| {
            TypedData::from_json(&json!({
                "domain": {},
                "types": { "Box": [{ "name": "it", "type": kind }] },
                "primaryType": "Box",
                "message": { "it": value },
            }))
        };
        let expected = low_word.map(|low: &str| {
            let fill =
                if low == "0000" { format!("80{}", "00".repeat(29)) } else { low[..2].repeat(30) };
            let word = hex::decode_prefixed(&format!("0x{fill}{low}")).unwrap();
            keccak256_parts(&[&keccak256(format!("Box({kind} it)").as_bytes()), &word])
        });
        assert_eq!(of(value, kind).ok().map(|it| it.struct_hash()), expected, "{kind} {value}");
    }
}

fn remove(typed_data: &mut Value, member: &str) -> Option<Value> {
    typed_data["message"].as_object_mut()?.remove(member)
}

fn mail() -> Value {
    json!({
        "types": {
            "Person": [
                { "name": "name", "type": "string" },
                { "name": "wallet", "type": "address" },
            ],
            "Mail": [
                { "name": "from", "type": "Person" },
                { "name": "to", "type": "Person" },
                { "name": "contents", "type": "string" },
            ],
        },
        "primaryType": "Mail",
        "domain": {
            "name": "Ether Mail",
            "version": "1",
            "chainId": 1,
            "verifyingContract": "0xCcCCccccCCCCcCCCCCCcCcCccCcCCCcCcccccccC",
        },
        "message": {
            "from": { "name": "Cow", "wallet": "0xCD2a3d9F938E13CD947Ec05AbC7FE734Df8DD826" },
            "to": { "name": "Bob", "wallet": "0xbBbBBBBbbBBBbbbBbbBbbbbBBbBbbbbBbBbbBBbB" },
            "contents": "Hello, Bob!",
        },
    })
}
