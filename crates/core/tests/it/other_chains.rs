//! Payments on chains that are not read here: each is named by what the chain takes once, as that chain's own programs write it,
//! whatever the spelling; and what has a second spelling is refused.

use crate::support::{cases, text};
use farebox_core::chain::ChainId;
use farebox_core::encoding::{base64, hex};
use farebox_core::payment::PaymentKey;
use farebox_core::problem::Code;
use farebox_core::x402::opaque;
use serde_json::{Map, Value, json};

const FILE: &str = "x402/other-chains";

fn key(network: &str, payload: &Value) -> Result<PaymentKey, Code> {
    let network = ChainId::parse(network).unwrap();
    opaque::read(&network, payload.as_object().unwrap()).map(|payment| payment.key)
}

fn key_of(case: &Value) -> Result<PaymentKey, Code> {
    key(text(case, "network"), &case["payload"])
}

/// The cases that are payments.
fn payments() -> Vec<Value> {
    cases(FILE, "payments").into_iter().filter(|case| case["single_use"].is_string()).collect()
}

/// The case with this name.
fn case(name: &str) -> Value {
    cases(FILE, "payments").into_iter().find(|case| case["name"] == name).unwrap()
}

/// The member that holds what is signed.
fn signed(case: &mut Value) -> &mut Value {
    let payload = &mut case["payload"];
    let index = payload["paymentIndex"].as_u64();
    match index {
        Some(index) => &mut payload["paymentGroup"][index as usize],
        None if payload["block"].is_string() => &mut payload["block"],
        None => &mut payload["transaction"],
    }
}

fn bytes(case: &Value) -> Vec<u8> {
    base64::decode(signed(&mut case.clone()).as_str().unwrap()).unwrap()
}

fn with_bytes(case: &Value, bytes: &[u8]) -> Value {
    let mut case = case.clone();
    *signed(&mut case) = json!(base64::encode(bytes));
    case
}

#[test]
fn a_payment_is_named_by_what_its_chains_own_program_says_is_signed() {
    for case in payments() {
        let single_use = hex::decode_prefixed(text(&case, "single_use")).unwrap();
        let expected = PaymentKey::of_bytes(text(&case, "network"), &single_use);
        assert_eq!(key_of(&case), Ok(expected), "{}", case["name"]);
    }
}

#[test]
fn what_its_chain_could_take_under_several_names_is_refused() {
    for case in cases(FILE, "payments").iter().filter(|case| case["single_use"].is_null()) {
        assert_eq!(key_of(case), Err(Code::MalformedPayment), "{}", case["name"]);
    }
}

#[test]
fn what_others_put_around_a_payment_does_not_name_it() {
    for (one, other) in [
        ("Stellar", "Stellar, another envelope around it"),
        ("Aptos, sponsored", "Aptos, sponsor not named yet"),
        ("Hedera", "Hedera, at other nodes"),
    ] {
        assert_eq!(key_of(&case(one)), key_of(&case(other)), "{one}");
    }
    for (one, other) in [
        ("Solana, version 0", "Solana, legacy"),
        ("Stellar", "Stellar, another nonce"),
        ("Hedera", "Hedera, a memo"),
        ("Aptos", "Aptos, sponsored"),
        ("Keeta, version 1", "Keeta, version 2"),
    ] {
        assert_ne!(key_of(&case(one)), key_of(&case(other)), "{one}");
    }
}

/// A number of Protocol Buffers: seven bits per byte, the lowest first.
fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    while value >= 0x80 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// A field of Protocol Buffers that holds others.
fn sized(field: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content = parts.concat();
    [[field << 3 | 2].as_slice(), &varint(content.len() as u64), &content].concat()
}

/// The transaction for one node of Hedera, with other nanoseconds in its id.
fn with_nanos(case: &Value, nanos: u64) -> Value {
    let bytes = bytes(case);
    let (seconds, account) = (&bytes[12..19], &bytes[20..31]);
    let id = sized(1, &[&sized(1, &[seconds, &varint(nanos)]), account]);
    let body = sized(1, &[&id, &bytes[31..100]]);
    with_bytes(case, &sized(1, &[&sized(5, &[&body, &bytes[100..]])]))
}

// A-812
#[test]
fn a_transaction_of_hedera_has_one_id_whatever_its_decoder_drops() {
    let case = case("Hedera, at other nodes");
    assert_eq!(with_nanos(&case, 5), case);
    let last = with_nanos(&case, 999_999_999);
    let named = PaymentKey::of_bytes("hedera:testnet", b"0.0.1235@1740671489.999999999");
    assert_eq!(key_of(&last), Ok(named));
    // An `int32` of Protocol Buffers is the low 32 bits of what is sent.
    for nanos in [1_000_000_000, 5 | 1 << 32, 5 | 7 << 32, 5 | 1 << 63, u64::MAX] {
        assert_eq!(key_of(&with_nanos(&case, nanos)), Err(Code::MalformedPayment), "{nanos}");
    }
}

#[test]
fn a_payment_has_its_length_and_no_other() {
    for case in payments() {
        let bytes = bytes(&case);
        for end in 0..bytes.len() {
            let short = key_of(&with_bytes(&case, &bytes[..end]));
            // One node of Hedera fewer is the same transaction.
            let same = case["name"] == "Hedera" && short == key_of(&case);
            assert!(same || short == Err(Code::MalformedPayment), "{} {end}", case["name"]);
        }
        for byte in [0, 1, 0x7b, 0x80, 0xff] {
            let long = with_bytes(&case, &[bytes.as_slice(), &[byte]].concat());
            assert_eq!(key_of(&long), Err(Code::MalformedPayment), "{} {byte}", case["name"]);
        }
    }
}

/// Whether the bytes that are signed are in these somewhere.
fn has(bytes: &[u8], signed: &[u8]) -> bool {
    bytes.windows(signed.len()).any(|window| window == signed)
}

// A-33, A-148
#[test]
fn no_byte_more_or_other_gives_the_same_signed_bytes_another_name() {
    // Where the name is one stretch of what is sent.
    for case in payments().iter().filter(|case| {
        ["solana:", "sui:", "algorand:"]
            .iter()
            .any(|chain| text(case, "network").starts_with(chain))
    }) {
        let (name, bytes) = (key_of(case).unwrap(), bytes(case));
        let signed = hex::decode_prefixed(text(case, "single_use")).unwrap();
        for place in 0..bytes.len() {
            for change in [1, 0x80, 0xff] {
                let mut other = bytes.clone();
                other[place] ^= change;
                let mut more = bytes.clone();
                more.insert(place, change);
                for other in [other, more].iter().filter(|other| has(other, &signed)) {
                    let again = key_of(&with_bytes(case, other));
                    let same = again == Ok(name) || again == Err(Code::MalformedPayment);
                    assert!(same, "{} {place} {change}", case["name"]);
                }
            }
        }
    }
}

#[test]
fn base64_has_one_spelling() {
    for case in payments() {
        let mut case = case;
        let good = signed(&mut case).as_str().unwrap().to_owned();
        let bare = good.trim_end_matches('=').to_owned();
        let doubled = format!("{good}=");
        let spaced = format!(" {good}");
        let wrapped = format!("{}\n{}", &good[..4], &good[4..]);
        let other = [doubled, spaced, wrapped, good.replace(['+', '/'], "-"), bare];
        for text in other.into_iter().filter(|text| *text != good) {
            *signed(&mut case) = json!(text);
            assert_eq!(key_of(&case), Err(Code::MalformedPayment), "{} {text}", case["name"]);
        }
    }
}

#[test]
fn a_signature_of_solana_more_or_fewer_is_no_other_payment() {
    let case = case("Solana, version 0");
    let bytes = bytes(&case);
    for (name, other) in [
        ("one fewer", [&[1], &bytes[65..]].concat()),
        ("one more", [&[3], [7; 64].as_slice(), &bytes[1..]].concat()),
        ("a count of two bytes", [&[0x82, 0], &bytes[1..]].concat()),
        ("none", [&[0], &bytes[129..]].concat()),
        ("a later version", [&bytes[..129], &[0x81], &bytes[130..]].concat()),
    ] {
        let other = with_bytes(&case, &other);
        assert_eq!(key_of(&other), Err(Code::MalformedPayment), "{name}");
    }
    let mut placeholder = bytes.clone();
    placeholder[1..129].fill(9);
    assert_eq!(key_of(&with_bytes(&case, &placeholder)), key_of(&case));
}

#[test]
fn the_json_of_aptos_is_one_payment_in_every_spelling_or_none() {
    let case = case("Aptos");
    let own = String::from_utf8(bytes(&case)).unwrap();
    let Value::Object(lists) = serde_json::from_str(&own).unwrap() else { panic!("{own}") };
    let spelled = |text: &str| key_of(&with_bytes(&case, text.as_bytes()));
    let (raw, by) = (&lists["transaction"], &lists["senderAuthenticator"]);
    let same = [
        format!(r#"{{"senderAuthenticator":{by},"transaction":{raw}}}"#),
        format!("  {}\n", own.replace(',', ", ")),
        own.replace("transaction", "\\u0074ransaction"),
    ];
    for text in same {
        assert_eq!(spelled(&text), key_of(&case), "{text}");
    }
    let first = raw[0].as_u64().unwrap();
    let with_first = |text: &str| own.replacen(&format!("[{first},"), &format!("[{text},"), 1);
    let none = [
        own.replacen('{', r#"{"memo":1,"#, 1),
        own.replacen('{', r#"{"transaction":[1],"#, 1),
        with_first(&format!("{}", first + 256)),
        with_first(&format!("\"{first}\"")),
        with_first(&format!("{first}.0")),
        with_first(&format!("{first}e0")),
        format!("[{own}]"),
        format!("{own}{{}}"),
        own.replacen("[", "[0,", 1),
        own.replacen("[", "{\"0\":", 1),
    ];
    for text in none {
        assert_eq!(spelled(&text), Err(Code::MalformedPayment), "{text}");
    }
}

#[test]
fn a_field_of_algorand_that_is_unknown_zero_or_out_of_order_is_refused() {
    let case = case("Algorand, alone");
    let hex_of = |bytes: &[u8]| hex::encode(bytes);
    let own = hex_of(&bytes(&case));
    let changed = |from: &str, to: &str| {
        let changed = own.replacen(from, to, 1);
        assert_ne!(changed, own, "{from}");
        key_of(&with_bytes(&case, &hex::decode_prefixed(&format!("0x{changed}")).unwrap()))
    };
    let name = |text: &str| hex_of(&[&[0xa0 + text.len() as u8], text.as_bytes()].concat());
    let (amount, fee, kind) = (name("aamt"), name("fee"), name("type"));
    let map = format!("{}8a", name("txn"));
    for (what, key) in [
        ("an unknown field", changed(&map, &format!("{}8b{}01", name("txn"), name("a")))),
        ("a field that is zero", changed(&map, &format!("{}8b{}00", name("txn"), name("aa")))),
        (
            "a number longer than needed",
            changed(&format!("{amount}cd2710"), &format!("{amount}ce00002710")),
        ),
        ("a name twice", changed(&format!("{fee}cd"), &format!("{amount}cd"))),
        ("a name twice in a row", changed(&name("fv"), &fee)),
        ("another kind", changed(&format!("{kind}a56178666572"), &format!("{kind}a461706c00"))),
    ] {
        assert_eq!(key, Err(Code::MalformedPayment), "{what}");
    }
}

#[test]
fn a_payment_is_one_on_its_own_network_alone() {
    let case = case("Sui");
    assert!(key("sui:mainnet", &case["payload"]).is_ok());
    assert_ne!(key("sui:mainnet", &case["payload"]), key_of(&case));
    for network in ["aptos:1", "solana:x", "stellar:pubnet", "hedera:mainnet", "keeta:1", "near:1"]
    {
        assert_eq!(key(network, &case["payload"]), Err(Code::MalformedPayment), "{network}");
    }
}

#[test]
fn only_the_members_of_its_chain_are_kept_and_all_must_be_there() {
    for case in payments() {
        let network = ChainId::parse(text(&case, "network")).unwrap();
        let own = case["payload"].as_object().unwrap();
        let mut more = own.clone();
        more.insert("memo".to_owned(), json!("x".repeat(9_000)));
        assert_eq!(&opaque::read(&network, &more).unwrap().payload, own);
        assert_eq!(opaque::read(&network, &more).unwrap().key, key_of(&case).unwrap());
        for name in own.keys() {
            let mut fewer: Map<String, Value> = own.clone();
            fewer.remove(name);
            assert!(opaque::read(&network, &fewer).is_err(), "{} {name}", case["name"]);
        }
    }
}
