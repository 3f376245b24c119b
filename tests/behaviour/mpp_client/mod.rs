//! One who pays a challenge of the scheme `Payment`: what he signs, in which field it goes, and what he never does.
//! Spec: docs/payer.md; MPP charge, method `evm`; OKX agent payments.

mod nonces;
mod realms;
mod receipts;
mod transactions;

#[cfg(feature = "planted")]
pub use realms::*;
#[cfg(feature = "planted")]
pub use transactions::*;

use farebox_core::client::{ClientError, Exchange, Next, Policy};
use farebox_core::encoding::{base64, hex};
use farebox_core::evm::account::Account;
use farebox_core::evm::eip712::TypedData;
use farebox_core::http::Headers;
use farebox_core::mpp::charge::Framing;
use farebox_core::secret::Secret;
use farebox_core::time::UnixTime;
use serde_json::{Value, json};

use crate::client::{
    ENDPOINT, HASH, NOW, OTHER, PAYEE, USDC, account, at, entry, exchange, failure, policy,
    problem, sign, terms,
};

/// What `NOW` and five minutes are in a challenge.
pub(super) const SOON: &str = "2027-01-15T08:05:00Z";
const SOON_SECS: u64 = NOW + 300;

/// Unpadded base64url, from the standard kind.
fn base64url(text: &str) -> String {
    base64::encode(text.as_bytes()).replace('+', "-").replace('/', "_").replace('=', "")
}

pub(super) fn unbase64url(text: &str) -> Value {
    let mut standard = text.replace('-', "+").replace('_', "/");
    while !standard.len().is_multiple_of(4) {
        standard.push('=');
    }
    serde_json::from_slice(&base64::decode(&standard).unwrap()).unwrap()
}

/// What an honest server asks: 0.01 USDC. Members in the order of their names, as the canonical form has them.
pub(super) fn request() -> Value {
    json!({"amount": "10000", "currency": USDC, "recipient": PAYEE,
        "methodDetails": {"chainId": 84532, "credentialTypes": ["authorization"], "decimals": 6}})
}

/// A challenge with these parameters besides `id`, `realm`, `intent` and `request`.
pub(super) fn challenge(id: &str, request: &Value, more: &str) -> String {
    let request = base64url(&request.to_string());
    format!(
        r#"Payment id="{id}", realm="shop.example", intent="charge", request="{request}", {more}"#
    )
}

pub(super) fn evm(id: &str, request: &Value) -> String {
    challenge(id, request, &format!(r#"method="evm", expires="{SOON}""#))
}

/// A 402 with these rows of `WWW-Authenticate`.
pub(super) fn asking(rows: &[String]) -> Headers {
    let mut headers = Headers::new();
    for row in rows {
        headers.add("www-authenticate", row);
    }
    headers
}

/// Goes up to the signature.
fn prepared(exchange: &mut Exchange, headers: &Headers, now: UnixTime) -> Value {
    let next = exchange.answered(402, headers, b"", now);
    assert!(matches!(next, Next::Reserve), "{next:?}");
    exchange.reserve(None, now).unwrap();
    let Next::Sign(data) = exchange.prepare(now) else { panic!() };
    *data
}

/// Pays, and gives name and value of the one header that was sent.
fn paid(exchange: &mut Exchange, headers: &Headers) -> (String, String) {
    prepared(exchange, headers, at(0));
    let signature = sign(exchange.prepare(at(0)));
    let Next::Send { wait_ms: 0, headers } = exchange.signed(&signature, at(0)) else { panic!() };
    assert_eq!(headers.len(), 1);
    headers[0].clone()
}

/// The credential in a header value that begins with the scheme's name, once.
fn credential(value: &str) -> Value {
    let token = value.strip_prefix("Payment ").unwrap();
    assert!(!token.contains(' '), "{value}");
    unbase64url(token)
}

fn refusal(headers: &Headers) -> ClientError {
    failure(exchange("{}", 1).answered(402, headers, b"", at(0)))
}

/// The account and the time of recorded vectors, whose challenges end at the beginning of 2035.
const RECORDED_KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
const RECORDED: u64 = 2_051_222_400 - 300;

/// Answers a recorded challenge with the recorded key; `nonce` is that of the exchange.
fn answer_recorded(policy: &Value, challenge: &str, nonce: u8) -> Value {
    let key = hex::decode_array::<32>(RECORDED_KEY).unwrap();
    let account = Account::from_candidates([Secret::new(key)].into_iter()).unwrap();
    let now = UnixTime::from_secs(RECORDED);
    let policy = Policy::from_json(&policy.to_string()).unwrap();
    let payer = account.address();
    let realm = challenge.split("realm=\"").nth(1).unwrap().split('"').next().unwrap();
    let url = format!("https://{realm}/report");
    let mut exchange = Exchange::new(policy, "GET", &url, ENDPOINT, payer, [nonce; 48]);
    let data = prepared(&mut exchange, &asking(&[challenge.to_owned()]), now);
    let digest = TypedData::from_json(&data).unwrap().digest();
    let signature = hex::encode_prefixed(&account.sign(&digest).unwrap().to_bytes());
    let Next::Send { headers, .. } = exchange.signed(&signature, now) else { panic!() };
    credential(&headers[0].1)
}

/// Reserves the payment of a challenge with this realm; the proposal, and the new record.
fn reserved(rules: &str, realm: &str, record: Option<&str>) -> Result<(Value, String), String> {
    let mut exchange = exchange(rules, 1);
    let asked = asking(&[evm("a", &request()).replace("shop.example", realm)]);
    let code = |error: ClientError| error.reason.code().to_owned();
    match exchange.answered(402, &asked, b"", at(0)) {
        Next::Fail(error) => return Err(code(error)),
        next => assert!(matches!(next, Next::Reserve), "{next:?}"),
    }
    let record = exchange.reserve(record, at(0)).map_err(code)?;
    Ok((exchange.proposal().unwrap()["claimsToSell"].take(), record))
}

/// Keccak-256 of id and realm, in one of the two framings.
fn nonce_of(id: &str, framing: Framing) -> String {
    hex::encode_prefixed(&framing.challenge_hash(id, "shop.example"))
}

#[test]
fn the_way_to_prove_a_charge_is_the_first_that_the_server_takes_and_the_payer_has() {
    let with = |details: Value| {
        let mut request = request();
        request["methodDetails"] = details;
        asking(&[evm("a", &request)])
    };
    for (details, kind) in [
        (json!({"chainId": 84532, "credentialTypes": ["authorization"]}), "authorization"),
        (
            json!({"chainId": 84532, "credentialTypes": ["permit2", "authorization"], "feePayer": true}),
            "authorization",
        ),
        (
            json!({"chainId": 84532, "credentialTypes": ["authorization"], "feePayer": false}),
            "authorization",
        ),
        (json!({"chainId": 84532, "feePayer": true}), "transaction"),
        (json!({"chainId": 84532}), "transaction"),
    ] {
        let (_, value) = paid(&mut exchange("{}", 1), &with(details.clone()));
        assert_eq!(credential(&value)["payload"]["type"], kind, "{details}");
    }
    for (details, code) in [
        (json!({"chainId": 84532, "feePayer": false}), "broadcast_missing"),
        (json!({"chainId": 84532, "credentialTypes": ["hash"]}), "broadcast_missing"),
        (
            json!({"chainId": 84532, "credentialTypes": ["permit2", "transaction"]}),
            "unsupported_scheme",
        ),
        (json!({"chainId": 84532, "credentialTypes": []}), "unsupported_scheme"),
        (
            json!({"chainId": 84532, "feePayer": true, "splits": [{"amount": "1", "recipient": OTHER}]}),
            "unsupported_scheme",
        ),
        (
            json!({"chainId": 84532, "credentialTypes": ["authorization"], "splits": [{"amount": "1", "recipient": OTHER}]}),
            "unsupported_scheme",
        ),
    ] {
        assert_eq!(refusal(&with(details.clone())).reason.code(), code, "{details}");
    }
}

#[test]
fn what_is_signed_ends_when_the_seller_needs_it_to() {
    let end = |details: Value, now: u64| {
        let mut request = request();
        request["methodDetails"] = details;
        let data = prepared(&mut exchange("{}", 1), &asking(&[evm("a", &request)]), at(now));
        data["message"]["validBefore"].as_str().unwrap().parse::<u64>().unwrap()
    };
    let listed = json!({"chainId": 84532, "credentialTypes": ["authorization"]});
    assert_eq!(end(listed.clone(), 0), SOON_SECS);
    assert_eq!(end(listed, 299), SOON_SECS);
    let okx = json!({"chainId": 84532, "feePayer": true});
    assert_eq!(end(okx.clone(), 0), SOON_SECS + 60);
    assert_eq!(end(okx, 100), NOW + 400);
}

#[test]
fn the_rules_of_the_policy_are_those_of_x402_and_read_the_request_alone() {
    type Change = fn(&mut Value);
    let changes: [(&str, Change); 10] = [
        ("policy_amount", |it| it["amount"] = "1000001".into()),
        ("policy_amount", |it| it["methodDetails"]["decimals"] = 18.into()),
        ("policy_asset", |it| it["currency"] = OTHER.into()),
        ("unsupported_network", |it| it["methodDetails"]["chainId"] = 424_242.into()),
        ("malformed_challenge", |it| it["amount"] = "0".into()),
        ("malformed_challenge", |it| it["amount"] = "-1".into()),
        ("malformed_challenge", |it| it["amount"] = "0.01".into()),
        ("malformed_challenge", |it| {
            it["recipient"] = "0x0000000000000000000000000000000000000000".into();
        }),
        ("malformed_challenge", |it| it["methodDetails"] = json!({})),
        ("malformed_challenge", |it| it["methodDetails"]["splits"] = "all".into()),
    ];
    let lie = format!(r#"method="evm", expires="{SOON}", description="FREE, costs 0""#);
    for (code, change) in changes {
        let mut request = request();
        change(&mut request);
        let headers = asking(&[challenge("a", &request, &lie)]);
        let mut exchange = exchange("{}", 1);
        let got = match exchange.answered(402, &headers, b"", at(0)) {
            Next::Reserve => exchange.reserve(None, at(0)).unwrap_err(),
            next => failure(next),
        };
        assert_eq!(got.reason.code(), code, "{request}");
    }
    let judge = |rules: &str, record: Option<&str>| {
        let mut exchange = exchange(rules, 2);
        let id = if record.is_some() { "a2" } else { "a" };
        exchange.answered(402, &asking(&[evm(id, &request())]), b"", at(0));
        exchange.reserve(record, at(0)).map_err(|error| error.reason.code())
    };
    let record = judge("{}", None).unwrap();
    assert_eq!(judge(r#"{"perDay": "0.0199"}"#, Some(&record)).unwrap_err(), "budget_exhausted");
    assert!(judge(r#"{"perDay": "0.02"}"#, Some(&record)).is_ok());
    assert_eq!(judge(&json!({"payees": [OTHER]}).to_string(), None).unwrap_err(), "policy_payee");
    assert_eq!(judge(r#"{"hosts": ["else.example"]}"#, None).unwrap_err(), "policy_host");
    assert_eq!(judge(r#"{"maxValiditySecs": 299}"#, None).unwrap_err(), "policy_validity");
    assert!(judge(r#"{"maxValiditySecs": 300}"#, None).is_ok());
    let mut other = exchange("{}", 3);
    let mut elsewhere = request();
    elsewhere["recipient"] = OTHER.into();
    other.answered(402, &asking(&[evm("b", &elsewhere)]), b"", at(0));
    let error = other.reserve(Some(&record), at(0)).unwrap_err();
    assert_eq!(error.reason.code(), "payee_changed");
}

#[test]
fn a_challenge_that_has_ended_is_asked_for_again_twice_and_never_signed() {
    let fresh = asking(&[evm("b", &request())]);
    let ended = |id: &str| asking(&[evm(id, &request())]);
    let mut exchange = exchange("{}", 1);
    // It ends with the second that it names.
    assert!(matches!(exchange.answered(402, &ended("a"), b"", at(300)), Next::Afresh));
    assert!(matches!(exchange.answered(402, &ended("b"), b"", at(300)), Next::Afresh));
    let error = failure(exchange.answered(402, &ended("c"), b"", at(300)));
    assert_eq!(error.reason.code(), "challenge_expired");
    assert_eq!(error.reason.money(), farebox_core::client::error::Money::NotSigned);

    let mut slow = super::client::exchange("{}", 1);
    assert!(matches!(slow.answered(402, &ended("a"), b"", at(299)), Next::Reserve));
    slow.reserve(None, at(299)).unwrap();
    // Somebody took a second to say yes.
    assert!(matches!(slow.prepare(at(300)), Next::Afresh));
    let next = slow.answered(402, &fresh, b"", at(200));
    assert!(matches!(next, Next::Reserve), "{next:?}");
    slow.reserve(None, at(200)).unwrap();
    let Next::Sign(data) = slow.prepare(at(200)) else { panic!() };
    assert_eq!(data["message"]["nonce"], nonce_of("b", Framing::Listed));
}

#[test]
fn what_is_free_or_gone_when_it_is_asked_for_again_is_handed_on() {
    let mut exchange = exchange("{}", 1);
    exchange.answered(402, &asking(&[evm("a", &request())]), b"", at(300));
    assert!(matches!(exchange.answered(200, &Headers::new(), b"", at(301)), Next::Return(None)));
}

#[test]
fn the_field_is_authorization_or_the_one_alternative_and_a_callers_own_value_stays() {
    let named = |name: &str| {
        let more = format!(r#"method="evm", expires="{SOON}", header="{name}""#);
        asking(&[challenge("a", &request(), &more)])
    };
    let plain = asking(&[evm("a", &request())]);
    let other = "Payment-Authorization";
    assert_eq!(paid(&mut exchange("{}", 1), &plain).0, "Authorization");
    assert_eq!(paid(&mut exchange("{}", 1), &named(other)).0, other);
    assert_eq!(paid(&mut exchange("{}", 1), &named("payment-authorization")).0, other);
    for name in ["X-Pay", "Cookie", "Host"] {
        assert_eq!(refusal(&named(name)).reason.code(), "unsupported_scheme", "{name}");
    }
    let taken = || exchange("{}", 1).without_authorization();
    assert_eq!(paid(&mut taken(), &named(other)).0, other);
    let error = failure(taken().answered(402, &plain, b"", at(0)));
    assert_eq!(error.reason.code(), "authorization_taken");
    let both = asking(&[evm("a", &request()), {
        let more = format!(r#"method="evm", expires="{SOON}", header="{other}""#);
        challenge("b", &request(), &more)
    }]);
    let (name, value) = paid(&mut taken(), &both);
    assert_eq!((name.as_str(), &credential(&value)["challenge"]["id"]), (other, &json!("b")));
}

#[test]
fn x402_is_answered_as_before_where_both_are_asked_at_one_price() {
    let mut headers = terms(&json!([entry("10000")]));
    headers.add("www-authenticate", &evm("a", &request()));
    assert_eq!(paid(&mut exchange("{}", 1), &headers).0, "PAYMENT-SIGNATURE");
}

/// The receipt of a sale.
fn receipt(change: impl FnOnce(&mut Value)) -> Headers {
    let mut receipt = json!({"method": "evm", "reference": HASH, "status": "success",
        "timestamp": "2027-01-15T08:00:01.000Z"});
    change(&mut receipt);
    let mut headers = Headers::new();
    headers.add("payment-receipt", &base64url(&receipt.to_string()));
    headers
}
