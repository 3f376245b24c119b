//! One who pays: what they sign for a 402, and what they take for one.

use farebox_core::agent::detect::{Protocol, detect};
use farebox_core::client::budget::Budget;
use farebox_core::client::challenge::{Challenge, Means};
use farebox_core::client::{Exchange, Next};
use farebox_core::encoding::base64;
use farebox_core::evm::eip712::TypedData;
use farebox_core::http::Headers;
use serde_json::{Value, json};

use super::support::text;
use crate::client::{NOW, URL, USDC, account, at, entry, exchange, policy, sign};
use crate::driver::notes::met;
use crate::driver::seeds;

const RULES: &str =
    r#"{"perPayment": "1", "perDay": "2", "networks": ["eip155:84532"], "maxValiditySecs": 300}"#;
/// One dollar, units.
const MOST: u64 = 1_000_000;

/// How terms come by the first byte, then the terms: in the header of x402, in the body, or as `WWW-Authenticate`.
fn answer(bytes: &[u8]) -> Option<(Headers, Vec<u8>)> {
    let (place, rest) = bytes.split_first()?;
    let mut headers = Headers::new();
    let body = match place % 3 {
        0 => {
            headers.add("payment-required", &base64::encode(rest));
            Vec::new()
        }
        1 => {
            headers.add("content-type", "application/json");
            rest.to_vec()
        }
        _ => {
            let value = text(rest)?;
            headers.add("www-authenticate", value.split(['\r', '\n', '\0']).next()?);
            Vec::new()
        }
    };
    Some((headers, body))
}

/// A 402: what is signed is within the policy.
pub fn required(bytes: &[u8]) {
    let Some((headers, body)) = answer(bytes) else { return };
    let mut record: Option<String> = None;
    let mut spent = 0;
    for turn in 1..=3 {
        let mut exchange = exchange(RULES, turn);
        let next = exchange.answered(402, &headers, &body, at(0));
        if !matches!(next, Next::Reserve) {
            return met(next);
        }
        let reserved = match exchange.reserve(record.as_deref(), at(0)) {
            Ok(reserved) => reserved,
            Err(error) => return met(error.reason.code()),
        };
        let kept = Budget::from_text(Some(&reserved)).expect("what was written is read").to_text();
        assert_eq!(kept, reserved, "a record has one spelling");
        record = Some(reserved);
        spent += signs(&mut exchange);
        assert!(spent <= 2 * MOST, "{spent} units are more than a day's limit");
    }
    met("paid three times");
}

/// Signs once, and gives the units that were signed for.
fn signs(exchange: &mut Exchange) -> u64 {
    let next = exchange.prepare(at(0));
    let Next::Sign(data) = &next else {
        met(&next);
        return 0;
    };
    let (domain, message) = (&data["domain"], &data["message"]);
    assert_eq!(domain["chainId"].as_u64(), Some(84_532), "{data}");
    let number = |value: &Value| value.as_str().unwrap().parse::<u64>().unwrap();
    let (units, until) = match data["primaryType"].as_str().unwrap() {
        "TransferWithAuthorization" => {
            assert!(
                domain["verifyingContract"].as_str().unwrap().eq_ignore_ascii_case(USDC),
                "{data}"
            );
            (number(&message["value"]), number(&message["validBefore"]))
        }
        other => {
            met(other);
            return 0;
        }
    };
    assert!(units > 0 && units <= MOST, "{units} units are signed for");
    assert!(until > NOW && until <= NOW + 3_600, "until {until}");
    assert_eq!(message["from"], account().address().to_checksum());
    let theirs: alloy_dyn_abi::TypedData = serde_json::from_value((**data).clone()).unwrap();
    let ours = TypedData::from_json(data).unwrap();
    assert_eq!(ours.digest(), theirs.eip712_signing_hash().unwrap(), "{data}");
    let message = message.clone();
    let signature = sign(next);
    match exchange.signed(&signature, at(0)) {
        Next::Send { headers, .. } => sends(&headers, &message),
        other => met(other),
    }
    units
}

/// What is sent is what was signed.
fn sends(headers: &[(String, String)], signed: &Value) {
    let Some((name, value)) =
        headers.iter().find(|(name, _)| !name.eq_ignore_ascii_case("idempotency-key"))
    else {
        panic!("nothing is sent")
    };
    let name = name.to_ascii_lowercase();
    if name != "payment-signature" && name != "x-payment" {
        return met(("sent", name));
    }
    let sent: Value = serde_json::from_slice(&base64::decode(value).unwrap()).unwrap();
    assert_eq!(&sent["payload"]["authorization"], signed, "{sent}");
    met(("sent", name));
}

/// Whoever could pay for an answer knows that it asks for a payment.
pub fn detected(bytes: &[u8]) {
    let Some((headers, body)) = answer(bytes) else { return };
    let Some(body) = text(&body) else { return };
    let policy = policy(RULES);
    let means = Means {
        policy: &policy,
        host: "shop.example",
        url: None,
        now: at(0),
        broadcasts: true,
        authorization_is_free: true,
        pins_realms: true,
    };
    let found = detect(402, &headers, body);
    for status in [200, 204, 301, 401, 403, 404, 500] {
        assert_eq!(detect(status, &headers, body), None, "only a 402 asks");
    }
    match Challenge::read(&headers, body.as_bytes(), means) {
        Ok(challenge) => {
            let payable = !challenge.offers.is_empty();
            assert!(!payable || found == Some(Protocol::X402), "{headers:?} {body}");
            met((found, payable, challenge.is_expired()));
        }
        Err(error) => met((found, error.reason)),
    }
}

/// The 402s of the vectors, in each place.
pub fn challenges() -> Vec<Vec<u8>> {
    let mut all = Vec::new();
    for (place, file, name) in [
        (0, "x402/client-signing", "paymentRequired"),
        (0, "x402/v2-client-fetch", "paymentRequired"),
        (1, "x402/v2-client-fetch", "paymentRequired"),
        (1, "x402/dual-stack-402", "body"),
        (2, "mpp/challenge-lists", "header"),
        (2, "mpp/challenge-headers", "header"),
        (2, "mpp/okx-credentials", "challengeHeader"),
        (2, "mpp/server-http-evm", "www-authenticate"),
    ] {
        all.extend(
            seeds::inputs(file, name)
                .into_iter()
                .map(|input| [&[place], input.as_slice()].concat()),
        );
    }
    let own = json!({"x402Version": 2, "error": "pay", "resource": {"url": URL}, "accepts": [entry("10000"), entry("999999")]});
    all.push([&[0], own.to_string().as_bytes()].concat());
    all
}
