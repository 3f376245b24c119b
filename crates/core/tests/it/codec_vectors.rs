//! Codecs of payment headers against vectors and naive versions.

use farebox_core::encoding::base64::{self, Base64Error};
use farebox_core::encoding::hex::{self, HexError};
use farebox_core::encoding::json::{self, JsonError};
use farebox_core::mpp::{Credential, Malformed};
use farebox_core::problem::Code;
use farebox_core::x402::header;
use serde_json::Value;

use crate::support::{Dice, cases, text};

#[test]
fn payment_headers_decode_as_the_reference_decodes_them_or_are_refused() {
    // Newline and space inside: one decoder for both versions, and no second spelling of a payment.
    let stricter = [
        "inner-newline",
        "inner-space",
        "duplicate-key-json",
        "duplicate-key",
        "utf8-bom",
        "invalid-utf8-in-unknown-string",
    ];
    // The reference takes these apart first and then misses their version or network.
    let shape = ["json-array", "json-null", "json-number", "unknown-network", "caip2-network"];
    let mut refused = 0;
    for (file, member) in [
        ("x402/v1-malformed-x-payment", "decodePayment"),
        ("x402/v2-malformed-payment-signature", "decodePaymentSignatureHeader"),
    ] {
        for case in cases(file, "cases") {
            let label = text(&case, "name");
            let result = &case[member];
            let ours = read_header(text(&case, "header"));
            let error = result["error"].as_str().unwrap_or_default();
            let is_schema = error.starts_with("ZodError") || shape.contains(&label);
            if stricter.contains(&label) {
                refused += 1;
                assert!(ours.is_err(), "{label}");
            } else if result["ok"] == true || is_schema {
                assert!(ours.is_ok(), "{label}: {ours:?}");
            } else {
                assert!(ours.is_err(), "{label}");
            }
        }
    }
    assert_eq!(refused, 8);
}

// A-17, A-18, A-22, A-24
#[test]
fn hostile_headers_are_refused_by_the_layer_that_the_vectors_name() {
    let mut seen = 0;
    for case in cases("security/headers_request", "cases") {
        let label = text(&case, "name");
        let class = text(&case, "class");
        if !["base64", "json", "depth", "duplicate_key", "keys", "pollution", "size"]
            .contains(&class)
        {
            continue;
        }
        seen += 1;
        let header = header(&case);
        // HTTP trims spaces and tabs around a value; an empty value is no payment.
        let value = header.trim_matches([' ', '\t']);
        let read = read_header(value);
        match (text(&case, "expect"), case["code"].as_str()) {
            ("challenge", _) => assert_eq!(value, "", "{label}"),
            // A number that no float holds is refused as JSON already.
            ("reject", _) if label == "json-version-1e400" => {
                assert_eq!(read, Err(Refused::Json(JsonError::Syntax)))
            }
            ("accept", None) | ("reject", Some("schema" | "unsupported_version")) => {
                assert!(read.is_ok(), "{label}: {read:?}");
            }
            ("either", None | Some("unsupported_version")) => {
                assert!(read.is_ok(), "{label}: {read:?}")
            }
            ("reject", Some("malformed_base64")) => {
                assert_eq!(read, Err(Refused::Base64(Base64Error::Syntax)), "{label}")
            }
            ("reject", Some("malformed_payload")) => assert!(read.is_err(), "{label}"),
            ("reject", Some("malformed_json")) => {
                let grammar =
                    [JsonError::Syntax, JsonError::NotUtf8].map(|error| Err(Refused::Json(error)));
                assert!(grammar.contains(&read), "{label}: {read:?}");
            }
            ("reject" | "either", Some("duplicate_key")) => {
                assert_eq!(read, Err(Refused::Json(JsonError::DuplicateKey)), "{label}");
            }
            ("reject", Some("too_deep")) => {
                assert_eq!(read, Err(Refused::Json(JsonError::TooDeep)), "{label}")
            }
            ("reject", Some("too_large")) => {
                let limits = [
                    Err(Refused::Base64(Base64Error::TooLarge)),
                    Err(Refused::Json(JsonError::TooLarge)),
                    // Keys repeat before they are too many.
                    Err(Refused::Json(JsonError::DuplicateKey)),
                ];
                assert!(limits.contains(&read), "{label}: {read:?}");
            }
            ("either", Some(_)) => {
                let ours = match label {
                    "unpadded" | "json-depth-20" | "size-just-under-16k" => Ok(()),
                    "url-alphabet" => Err(Refused::Base64(Base64Error::Syntax)),
                    "json-bom" | "json-lone-surrogate-escape" => {
                        Err(Refused::Json(JsonError::Syntax))
                    }
                    "json-depth-64" => Err(Refused::Json(JsonError::TooDeep)),
                    other => panic!("{other}: undecided, {read:?}"),
                };
                assert_eq!(read.map(drop), ours, "{label}");
            }
            other => panic!("{label}: unknown expectation {other:?}"),
        }
    }
    assert_eq!(seen, 136);
}

#[derive(Debug, PartialEq)]
enum Refused {
    Base64(Base64Error),
    Json(JsonError),
}

fn read_header(value: &str) -> Result<Value, Refused> {
    let bytes = base64::decode(value).map_err(Refused::Base64)?;
    json::parse(&bytes).map_err(Refused::Json)
}

fn header(case: &Value) -> String {
    match &case["header_gen"]["base64_of"] {
        Value::Null => case["headers"][0][1].as_str().unwrap().to_owned(),
        parts => {
            let count = usize::try_from(parts["count"].as_u64().unwrap()).unwrap();
            let unit = text(parts, "unit").repeat(count);
            let document = format!("{}{unit}{}", text(parts, "prefix"), text(parts, "suffix"));
            naive_base64(document.as_bytes())
        }
    }
}

// A-17
#[test]
fn base64_agrees_with_a_bit_by_bit_version() {
    let mut dice = Dice(3);
    for length in 0..200 {
        let bytes: Vec<u8> = (0..length).map(|_| dice.next() as u8).collect();
        let encoded = base64::encode(&bytes);
        assert_eq!(encoded, naive_base64(&bytes));
        assert_eq!(base64::decode(&encoded), Ok(bytes.clone()));
        assert_eq!(base64::decode(encoded.trim_end_matches('=')), Ok(bytes));
    }
    for text in
        ["Z", "Zg=", "Zg===", "Zg==Zg==", "Zh==", "Zm9=", "Zh", "Zm9v\n", "-_-_", "====", "Zg=a"]
    {
        assert_eq!(base64::decode(text), Err(Base64Error::Syntax), "{text}");
    }
    assert_eq!(
        base64::decode(&"A".repeat(base64::MAX_BYTES)).map(|it| it.len()),
        Ok(base64::MAX_BYTES / 4 * 3)
    );
    assert_eq!(base64::decode(&"A".repeat(base64::MAX_BYTES + 1)), Err(Base64Error::TooLarge));
}

// A-16
#[test]
fn hex_has_a_prefix_an_exact_length_and_digits_of_either_case() {
    let bytes: Vec<u8> = (0..=255).collect();
    let naive: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(hex::encode(&bytes), naive);
    assert_eq!(hex::encode_prefixed(&bytes), format!("0x{naive}"));
    for spelling in [&naive, &naive.to_uppercase()] {
        assert_eq!(hex::decode_prefixed(&format!("0x{spelling}")), Ok(bytes.clone()));
        assert_eq!(
            hex::decode_array::<256>(&format!("0x{spelling}")).map(Vec::from),
            Ok(bytes.clone())
        );
    }
    let table = [
        ("", HexError::Prefix),
        ("0", HexError::Prefix),
        ("0X00", HexError::Prefix),
        ("00", HexError::Prefix),
        (" 0x00", HexError::Prefix),
        ("0x0", HexError::Length),
        ("0x000", HexError::Length),
        ("0x0g", HexError::Digit),
        ("0x/0", HexError::Digit),
        ("0x:0", HexError::Digit),
        ("0x@0", HexError::Digit),
        ("0x`0", HexError::Digit),
        ("0xé", HexError::Digit),
    ];
    for (text, error) in table {
        assert_eq!(hex::decode_prefixed(text), Err(error), "{text}");
        assert_eq!(hex::decode_array::<1>(text), Err(error), "{text}");
    }
    assert_eq!(hex::decode_prefixed("0x"), Ok(vec![]));
    assert_eq!(hex::decode_array::<1>("0x"), Err(HexError::Length));
    assert_eq!(hex::decode_array::<1>("0x0000"), Err(HexError::Length));
}

// A-18
#[test]
fn what_is_shown_to_pay_with_has_a_bounded_number_of_values_and_no_name_twice() {
    let filled =
        |members: &str| header::encode(&format!(r#"{{"x402Version":2,"more":{members}}}"#));
    let wide = |values: usize| filled(&format!("[1{}]", ",1".repeat(values - 4)));
    let names = |names: usize| -> Vec<String> {
        (0..names).map(|name| format!(r#""x{name}":0"#)).collect()
    };
    let decoded = |value: String| header::decode(&value).map(drop);
    assert_eq!(decoded(wide(json::MAX_PROOF_VALUES)), Ok(()));
    assert_eq!(decoded(wide(json::MAX_PROOF_VALUES + 1)), Err(Code::MalformedPayment));
    let many = names(760).join(",");
    assert_eq!(decoded(filled(&format!("{{{many}}}"))), Ok(()));
    for place in ["x0", "x380", "x759"] {
        let twice = format!(r#"{{{many},"{place}":{{}}}}"#);
        assert_eq!(decoded(filled(&twice)), Err(Code::MalformedPayment), "{place}");
    }
    let credential = |values: usize| {
        let more = format!("[1{}]", ",1".repeat(values - 3));
        Credential::read(&base64::encode_url(format!(r#"{{"more":{more}}}"#).as_bytes()))
    };
    // Long enough a list is no JSON to it, a shorter one no credential.
    assert_eq!(credential(json::MAX_PROOF_VALUES), Err(Malformed::Missing("challenge")));
    let too_many = credential(json::MAX_PROOF_VALUES + 1);
    assert_eq!(too_many, Err(Malformed::Json("credential")));
}

// A-22, A-160
#[test]
fn json_limits_stand_where_they_are_documented() {
    let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    let objects = |depth: usize| format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
    let wide = |values: usize| format!("[1{}]", ",1".repeat(values - 2));
    let long = |bytes: usize| format!("\"{}\"", "a".repeat(bytes - 2));
    let kind = |text: String| json::parse(text.as_bytes()).map(drop);
    assert_eq!(kind(nested(json::MAX_DEPTH)), Ok(()));
    assert_eq!(kind(nested(json::MAX_DEPTH + 1)), Err(JsonError::TooDeep));
    assert_eq!(kind(objects(json::MAX_DEPTH)), Ok(()));
    assert_eq!(kind(objects(json::MAX_DEPTH + 1)), Err(JsonError::TooDeep));
    assert_eq!(kind(nested(1_000)), Err(JsonError::TooDeep));
    assert_eq!(kind(wide(json::MAX_VALUES)), Ok(()));
    assert_eq!(kind(wide(json::MAX_VALUES + 1)), Err(JsonError::TooLarge));
    assert_eq!(kind(long(json::MAX_BYTES)), Ok(()));
    assert_eq!(kind(long(json::MAX_BYTES + 1)), Err(JsonError::TooLarge));
    assert_eq!(json::parse_with(b"[]", 1), Err(JsonError::TooLarge));
    assert_eq!(json::parse(b"\"\xff\""), Err(JsonError::NotUtf8));
    assert_eq!(kind(r#"[{"a":{"b":1,"c":2,"\u0062":1}}]"#.into()), Err(JsonError::DuplicateKey));
    assert_eq!(kind(r#"{"a":1,"A":1,"a ":1,"b":{"a":1}}"#.into()), Ok(()));
    // The name by which serde_json hands raw values around means nothing from outside.
    let raw = r#"{"$serde_json::private::RawValue":"{\"a\":1,\"a\":2}"}"#;
    let parsed = json::parse(raw.as_bytes()).unwrap();
    assert_eq!(parsed["$serde_json::private::RawValue"], r#"{"a":1,"a":2}"#);
}

#[test]
fn json_without_repeated_keys_reads_as_any_parser_reads_it() {
    for text in [
        "null",
        "true",
        "-0",
        "18446744073709551615",
        "-9223372036854775808",
        "1.5e3",
        r#""\u00e9\n""#,
        r#" {"b":[1,2,{"c":null}],"a":{},"":[[]]} "#,
    ] {
        assert_eq!(
            json::parse(text.as_bytes()).unwrap(),
            serde_json::from_str::<Value>(text).unwrap(),
            "{text}"
        );
    }
}

fn naive_base64(bytes: &[u8]) -> String {
    let alphabet: Vec<char> =
        ('A'..='Z').chain('a'..='z').chain('0'..='9').chain(['+', '/']).collect();
    let mut encoded = String::new();
    for group in bytes.chunks(3) {
        let bits = (0..3)
            .fold(0, |bits, place| bits << 8 | usize::from(group.get(place).copied().unwrap_or(0)));
        for place in 0..4 {
            encoded.push(if place > group.len() {
                '='
            } else {
                alphabet[bits >> (18 - 6 * place) & 63]
            });
        }
    }
    encoded
}
