//! Payments by x402: headers of both versions, and payments of chains that are not read here.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use farebox_core::chain::ChainId;
use farebox_core::encoding::{base64 as ours, json};
use farebox_core::evm::address::Address;
use farebox_core::payment::PaymentKey;
use farebox_core::payment::authorization::SignedAuthorization;
use farebox_core::problem::Code;
use farebox_core::x402::header::{self, Message};
use farebox_core::x402::v2::PaymentPayload;
use farebox_core::x402::{exact, opaque, v1};
use serde_json::{Map, Value};

use super::support::{other_case, respelled, said, text};
use crate::driver::notes::met;
use crate::driver::seeds;

/// The message of an input: JSON, which is written as a header here, or behind `!` a header as it came.
fn message(bytes: &[u8]) -> Option<Message> {
    let text = text(bytes)?;
    if let Some(raw) = text.strip_prefix('!') {
        let message = header::decode(raw).inspect_err(|code| met(code)).ok()?;
        let copies = raw.split(',').map(|copy| copy.trim_matches([' ', '\t']));
        for copy in copies {
            let padded = format!("{}{}", copy.trim_end_matches('='), "=".repeat(3));
            let decoded =
                (0..=3).find_map(|cut| STANDARD.decode(&padded[..padded.len() - cut]).ok());
            let decoded = decoded.expect("base64 of another library");
            assert_eq!(
                serde_json::from_slice::<Value>(&decoded).unwrap(),
                Value::Object(message.object.clone())
            );
        }
        return Some(message);
    }
    let value = header::encode(text);
    assert_eq!(STANDARD.decode(&value).unwrap(), text.as_bytes());
    let expected = json::parse_within(bytes, json::MAX_BYTES, json::MAX_PROOF_VALUES);
    match (header::decode(&value), expected) {
        (Ok(message), Ok(Value::Object(object))) => {
            assert_eq!(message.object, object);
            let twice = header::decode(&format!("{value} ,\t{value}")).unwrap();
            assert_eq!(twice.object, object, "two copies are one");
            let other = header::encode(&format!("{text} "));
            let several = header::decode(&format!("{value}, {other}"));
            assert_eq!(several.unwrap_err(), Code::AmbiguousPayment);
            Some(message)
        }
        (Ok(message), other) => panic!("{message:?} is read, and {other:?}"),
        (Err(code), Ok(Value::Object(_))) => {
            assert_eq!(code, Code::ProofTooLarge, "{text}");
            None
        }
        (Err(code), expected) => {
            met((code, expected.err()));
            None
        }
    }
}

/// The identity of an authorization on one chain.
fn key_of(signed: &SignedAuthorization) -> PaymentKey {
    let authorization = signed.authorization();
    let token = Address::from_bytes([7; 20]);
    PaymentKey::of_authorization(8453, &token, &authorization.from, &authorization.nonce)
}

/// What holds of the payload of either version.
pub fn payload(payload: &Map<String, Value>) {
    let signed = match exact::read(payload) {
        Ok(signed) => signed,
        Err(code) => return met(("payload", code)),
    };
    met(("signed", signed.method()));
    let own = exact::own(payload);
    let again = exact::read(&own).expect("what was used of it is a payment");
    assert_eq!(said(&again), said(&signed), "what is handed on is what was checked");
    assert_eq!(exact::own(&own), own, "nothing else is in it");
    assert!(own.values().all(|member| known_alone(member)), "{own:?}");
    let spelled = respelled(&Value::Object(own), other_case);
    match exact::read(spelled.as_object().unwrap()) {
        Ok(other) => assert_eq!(
            (said(&other), key_of(&other)),
            (said(&signed), key_of(&signed)),
            "another spelling is the same payment"
        ),
        Err(code) => assert_eq!(code, Code::MalformedPayment),
    }
    let members = payload.get("authorization").or_else(|| payload.get("permit2Authorization"));
    let members = members.and_then(Value::as_object).expect("one of them was read");
    let value = members.get("value").unwrap_or_else(|| &members["permitted"]["amount"]);
    let theirs: alloy_primitives::U256 = value.as_str().unwrap().parse().expect("a number");
    assert_eq!(signed.authorization().value.to_be_bytes(), theirs.to_be_bytes::<32>());
    assert_eq!(theirs.to_string(), value.as_str().unwrap(), "an amount has one spelling");
}

/// Whether a member has nothing but what a payment consists of.
fn known_alone(member: &Value) -> bool {
    const NAMES: [&str; 15] = [
        "from",
        "to",
        "value",
        "validAfter",
        "validBefore",
        "nonce",
        "spender",
        "deadline",
        "permitted",
        "witness",
        "token",
        "amount",
        "facilitator",
        "signature",
        "authorization",
    ];
    match member {
        Value::Object(object) => object.iter().all(|(name, inner)| {
            NAMES.contains(&name.as_str()) && (!inner.is_object() || known_alone(inner))
        }),
        _ => true,
    }
}

pub fn version_1(bytes: &[u8]) {
    let Some(message) = message(bytes) else { return };
    match v1::read(&message) {
        Ok((network, members)) => {
            assert_eq!(message.object["x402Version"], 1);
            assert_eq!(message.object["scheme"], "exact");
            assert_eq!(message.object["network"], network);
            assert!(PaymentPayload::read(&message).is_err(), "it is of one version");
            payload(members);
        }
        Err(code) => met(code),
    }
}

pub fn version_2(bytes: &[u8]) {
    let Some(message) = message(bytes) else { return };
    let read = match PaymentPayload::read(&message) {
        Ok(read) => read,
        Err(code) => return met(code),
    };
    assert!(v1::read(&message).is_err(), "it is of one version");
    assert_eq!(message.object["x402Version"], 2);
    assert_eq!(message.object["accepted"]["scheme"], read.scheme);
    let network = message.object["accepted"]["network"].as_str().unwrap_or_default();
    assert_eq!(network, read.network);
    let url = message.object.get("resource").and_then(|it| it["url"].as_str());
    assert_eq!(url, read.resource_url);
    if let Some(identifier) = &read.identifier {
        assert!((16..=128).contains(&identifier.len()), "{identifier}");
        let echoed = &message.object["extensions"]["payment-identifier"]["info"]["id"];
        assert_eq!(echoed, identifier.as_str());
    }
    met((read.scheme, read.echoes_bazaar, read.identifier.is_some()));
    payload(read.payload);
}

/// The chain by the first byte; then the payload of a payment there, as JSON.
pub fn opaque(bytes: &[u8]) {
    let Some((place, rest)) = bytes.split_first() else { return };
    let network = NETWORKS[usize::from(*place) % NETWORKS.len()];
    let network = ChainId::parse(network).unwrap();
    let Some(object) = super::support::object(rest) else { return };
    let payment = match opaque::read(&network, &object) {
        Ok(payment) => payment,
        Err(code) => return met((network.as_str(), code)),
    };
    met((network.as_str(), "read"));
    let again = opaque::read(&network, &payment.payload).expect("its own members are the payment");
    assert_eq!((again.key, &again.payload), (payment.key, &payment.payload));
    let mut more = payment.payload.clone();
    more.insert("zz".into(), "more".into());
    assert_eq!(
        opaque::read(&network, &more).unwrap().key,
        payment.key,
        "what is added names nothing"
    );
    for other in NETWORKS.iter().filter(|other| **other != network.as_str()) {
        let other = opaque::read(&ChainId::parse(other).unwrap(), &payment.payload);
        assert!(
            other.is_ok_and(|it| it.key == payment.key).then_some(()).is_none(),
            "one chain, one payment"
        );
    }
    one_spelling(&network, &payment);
}

/// No other base64 of the same bytes is a payment with another key, and no longer bytes are it.
fn one_spelling(network: &ChainId, payment: &opaque::OpaquePayment) {
    for name in ["transaction", "block"] {
        let Some(Value::String(text)) = payment.payload.get(name) else { continue };
        let bytes = ours::decode(text).expect("it was read");
        let mut with = payment.payload.clone();
        let mut key_with = |text: String| {
            with.insert(name.into(), text.into());
            opaque::read(network, &with).ok().map(|it| it.key)
        };
        for spelling in
            [text.trim_end_matches('=').to_owned(), format!("{text} "), ours::encode_url(&bytes)]
        {
            if spelling != *text {
                assert_eq!(key_with(spelling), None, "base64 has one spelling");
            }
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        assert_eq!(key_with(ours::encode(&longer)), None, "a payment has its length");
    }
}

const NETWORKS: [&str; 7] = [
    "algorand:SGO1GKSzyE7IEPItTxCByw9x8FmnrCDe",
    "aptos:1",
    "hedera:mainnet",
    "keeta:21378",
    "solana:EtWTRABZaYq6iMfeYKouRu166VU2xqa1",
    "stellar:pubnet",
    "sui:mainnet",
];

/// The payloads of the vectors, each behind the byte of its chain.
pub fn opaque_seeds() -> Vec<Vec<u8>> {
    let payments = seeds::members("x402/other-chains", "payments");
    let payments = payments[0].as_array().unwrap();
    let seed = |payment: &Value| {
        let kind = payment["network"].as_str().unwrap().split(':').next().unwrap();
        let place = NETWORKS.iter().position(|it| it.starts_with(kind)).unwrap();
        let mut bytes = vec![u8::try_from(place).unwrap()];
        bytes.extend(payment["payload"].to_string().bytes());
        bytes
    };
    payments.iter().map(seed).collect()
}

/// Messages of the vectors as JSON, and their malformed headers as they are.
fn seeds(messages: &[(&str, &str)], headers: &str) -> Vec<Vec<u8>> {
    let mut all: Vec<_> =
        messages.iter().flat_map(|(file, name)| seeds::inputs(file, name)).collect();
    let raw = seeds::inputs(headers, "header");
    all.extend(raw.iter().map(|header| [b"!", header.as_slice()].concat()));
    all
}

pub fn version_1_seeds() -> Vec<Vec<u8>> {
    let messages = [("x402/v1-client-signing", "decoded"), ("x402/v1-client-fetch", "selected")];
    seeds(&messages, "x402/v1-malformed-x-payment")
}

pub fn version_2_seeds() -> Vec<Vec<u8>> {
    let messages =
        [("x402/client-signing", "paymentPayload"), ("security/eip3009_payments", "payment")];
    seeds(&messages, "x402/v2-malformed-payment-signature")
}
