//! One who pays a challenge of the scheme `Payment`: what he signs, in which field it goes, and what he never does.
//! Spec: docs/payer.md; MPP charge, method `evm`; OKX agent payments.

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

// A-167
#[test]
pub fn the_first_foreign_realm_of_a_host_is_told_and_stays_its_only_one() {
    let mismatch = Err("realm_mismatch".to_owned());
    let mut record = None;
    for realm in ["shop.example", "Shop.Example"] {
        let (told, after) = reserved("{}", realm, record.as_deref()).unwrap();
        assert_eq!(told, Value::Null, "{realm}");
        record = Some(after);
    }
    // Payees may change here, and with them nothing else.
    for rules in ["{}", r#"{"pinPayees": false}"#, r#"{"mpp": {"bank.example": {"realm": "x"}}}"#] {
        let (told, after) = reserved(rules, "localhost", record.as_deref()).unwrap();
        assert_eq!(told, "localhost");
        let others = ["bank.example", "LOCALHOST", "shop.example.evil", "shop.example:8443"];
        for other in others {
            assert_eq!(reserved(rules, other, Some(&after)), mismatch, "{other}");
        }
        assert_eq!(reserved(rules, "localhost", Some(&after)).unwrap().0, "localhost");
        assert_eq!(reserved(rules, "shop.example", Some(&after)).unwrap().0, Value::Null);
    }
    // What no record can keep, and no person can read as it is.
    for realm in ["", " ", "a\u{202e}b", &"x".repeat(129)] {
        assert_eq!(reserved("{}", realm, None), mismatch, "{realm}");
    }
    assert_eq!(
        refusal(&asking(&[evm("a", &request()).replace("shop.example", "")])).reason.money(),
        farebox_core::client::error::Money::NotSigned
    );
}

#[test]
fn a_realm_that_the_policy_names_is_not_pinned_and_leaves_no_other() {
    let known = r#"{"mpp": {"Shop.Example": {"realm": "MPP Payment"}}}"#;
    let (told, record) = reserved(known, "MPP Payment", None).unwrap();
    assert_eq!(told, Value::Null);
    assert_eq!(reserved("{}", "localhost", Some(&record)).unwrap().0, "localhost");
    reserved(known, "shop.example", Some(&record)).unwrap();
    for realm in ["mpp payment", "localhost"] {
        assert_eq!(reserved(known, realm, Some(&record)), Err("realm_mismatch".to_owned()));
    }
}

#[test]
fn a_realm_is_pinned_by_what_was_signed_alone() {
    let mut exchange = exchange("{}", 1);
    let asked = asking(&[evm("a", &request()).replace("shop.example", "localhost")]);
    exchange.answered(402, &asked, b"", at(0));
    let record = exchange.reserve(None, at(0)).unwrap();
    let released = exchange.release(Some(&record)).unwrap();
    assert_eq!(reserved("{}", "bank.example", Some(&record)), Err("realm_mismatch".to_owned()));
    reserved("{}", "bank.example", Some(&released)).unwrap();
    // A look counts nothing, and tells what a payment would be told.
    assert!(!released.contains("localhost"), "{released}");
}

#[test]
fn a_realm_is_pinned_for_its_host_alone() {
    let (_, record) = reserved("{}", "localhost", None).unwrap();
    let (url, endpoint) = ("https://else.example/report", "GET https://else.example/report");
    let payer = account().address();
    let mut other =
        Exchange::new(Policy::from_json("{}").unwrap(), "GET", url, endpoint, payer, [2; 48]);
    let asked = asking(&[evm("b", &request()).replace("shop.example", "bank.example")]);
    assert!(matches!(other.answered(402, &asked, b"", at(0)), Next::Reserve));
    other.reserve(Some(&record), at(0)).unwrap();
    assert_eq!(other.proposal().unwrap()["claimsToSell"], "bank.example");
}

#[test]
fn a_challenge_of_another_realm_spoils_no_offer_beside_it() {
    let relayed = evm("a", &request()).replace("shop.example", "bank.example");
    let mut headers = terms(&json!([entry("10000")]));
    headers.add("www-authenticate", &relayed);
    let mut exchange = exchange("{}", 1);
    assert!(matches!(exchange.answered(402, &headers, b"", at(0)), Next::Reserve));
    exchange.reserve(None, at(0)).unwrap();
    assert_eq!(exchange.proposal().unwrap()["protocol"], "x402");
    // The host's own comes first.
    let own = evm("b", &request());
    let value = paid(&mut super::client::exchange("{}", 1), &asking(&[relayed, own])).1;
    assert_eq!(credential(&value)["challenge"]["id"], "b");
}

/// Keccak-256 of id and realm, in one of the two framings.
fn nonce_of(id: &str, framing: Framing) -> String {
    hex::encode_prefixed(&framing.challenge_hash(id, "shop.example"))
}

#[test]
fn the_nonce_lists_id_and_realm_unless_the_payer_knows_that_the_host_joins_them() {
    let headers = asking(&[evm("a", &request())]);
    for (rules, framing) in [
        ("{}", Framing::Listed),
        (r#"{"mpp": {"shop.example": {"nonce": "listed"}}}"#, Framing::Listed),
        (r#"{"mpp": {"else.example": {"nonce": "joined"}}}"#, Framing::Listed),
        (r#"{"mpp": {"SHOP.example": {"nonce": "joined", "realm": "x"}}}"#, Framing::Joined),
    ] {
        let (_, value) = paid(&mut exchange(rules, 1), &headers);
        assert_eq!(credential(&value)["payload"]["nonce"], nonce_of("a", framing), "{rules}");
    }
    for wrong in [
        r#"{"mpp": ["shop.example"]}"#,
        r#"{"mpp": {"shop.example": "joined"}}"#,
        r#"{"mpp": {"shop.example": {"nonce": "both"}}}"#,
        r#"{"mpp": {"shop.example": {"nonce": true}}}"#,
        r#"{"mpp": {"shop.example": {"other": "x"}}}"#,
    ] {
        let error = Policy::from_json(wrong).unwrap_err();
        assert_eq!(error.reason.code(), "invalid_policy", "{wrong}");
        assert!(error.message.starts_with("mpp: "), "{}", error.message);
    }
}

#[test]
fn whatever_a_server_says_of_the_nonce_one_challenge_is_signed_once() {
    let asked = evm("a", &request());
    let said = [
        (402, problem("nonce_mismatch", Some(true))),
        (402, br#"{"type":"https://paymentauth.org/problems/verification-failed","detail":"nonce does not match challenge"}"#.to_vec()),
        (402, b"{}".to_vec()),
        (409, problem("nonce_mismatch", None)),
        (503, problem("nonce_mismatch", None)),
        (400, problem("nonce_mismatch", Some(true))),
    ];
    for (status, body) in said {
        // The same challenge again, and a fresh one beside it.
        for rows in [vec![asked.clone()], vec![evm("b", &request()), asked.clone()]] {
            let mut exchange = exchange("{}", 1);
            let first = paid(&mut exchange, &asking(core::slice::from_ref(&asked)));
            for _ in 0..3 {
                match exchange.answered(status, &asking(&rows), &body, at(1)) {
                    Next::Send { headers, .. } => {
                        assert_eq!(headers, std::slice::from_ref(&first), "{status}")
                    }
                    Next::Fail(_) | Next::Return(_) => {}
                    next => panic!("{status}: {next:?}"),
                }
            }
            assert_eq!(exchange.payment().unwrap()["header"][1], first.1, "{status}");
        }
    }
}

#[test]
fn a_charge_is_answered_to_the_last_byte_as_mppx_answers_it() {
    let file: Value =
        serde_json::from_str(include_str!("../vectors/mpp/server-http-evm.json")).unwrap();
    let named = |name: &str| {
        file["vectors"].as_array().unwrap().iter().find(|it| it["name"] == name).unwrap()
    };
    let asked = &named("no credential")["response"]["headers"]["www-authenticate"];
    let theirs = &named("valid credential")["request"]["headers"]["authorization"];
    // Recorded of a version that joins id and realm.
    let policy = json!({"mpp": {"api.example.com": {"nonce": "joined"}}});
    let ours = answer_recorded(&policy, asked.as_str().unwrap(), 1);
    assert_eq!(ours, credential(theirs.as_str().unwrap()));
}

#[test]
fn a_charge_of_okx_is_answered_to_the_last_byte_as_its_client_answers_it() {
    let file: Value =
        serde_json::from_str(include_str!("../vectors/mpp/okx-credentials.json")).unwrap();
    let case = &file["vectors"][0];
    let domain = &file["tokenDomain"];
    let token = json!({"symbol": "USDT0", "network": "eip155:196", "name": domain["name"],
        "address": domain["verifyingContract"], "version": domain["version"], "decimals": 6});
    let policy = json!({ "assets": [token] });
    let asked = case["challengeHeader"].as_str().unwrap();
    assert_eq!(answer_recorded(&policy, asked, 0x22), case["credential"]);
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

// A-325
#[test]
pub fn a_transaction_that_may_have_been_sent_is_not_sent_again_unasked() {
    let mut request = request();
    request["methodDetails"] = json!({"chainId": 84532, "feePayer": false});
    let headers = asking(&[evm("a", &request)]);
    let begun = || exchange("{}", 1).with_broadcast();
    let mut sending = begun();
    assert!(matches!(sending.answered(402, &headers, b"", at(0)), Next::Reserve));
    let record = sending.reserve(None, at(0)).unwrap();
    assert!(matches!(sending.prepare(at(0)), Next::Broadcast));
    // Another process knows no more than that it was asked for: there is no hash.
    let mut kept = begun();
    assert!(!kept.restore((&headers, b""), at(0), ("", true), at(1)));
    kept.count_as(sending.counted());
    for mut exchange in [sending, kept] {
        assert!(exchange.go_on(policy("{}"), None, false, true, at(1)).is_none());
        let refused = failure(exchange.go_on(policy("{}"), None, true, false, at(2)).unwrap());
        assert_eq!(refused.reason.code(), "payment_unresolved");
        let asked = exchange.go_on(policy("{}"), None, true, true, at(2));
        assert!(matches!(asked, Some(Next::Afresh)));
        assert!(matches!(exchange.answered(402, &headers, b"", at(2)), Next::Reserve));
        let counted = exchange.reserve(Some(&record), at(2)).unwrap();
        assert_eq!(exchange.proposal().unwrap()["again"], true);
        let rows = serde_json::from_str::<Value>(&counted).unwrap();
        assert_eq!(rows["entries"].as_array().map(Vec::len), Some(2), "it counts beside: {rows}");
    }
}

// A-352
#[test]
pub fn each_transaction_that_may_have_been_sent_counts_by_itself() {
    let mut request = request();
    request["methodDetails"] = json!({"chainId": 84532, "feePayer": false});
    let headers = asking(&[evm("a", &request)]);
    let begun = || exchange("{}", 1).with_broadcast();
    for hash in ["", HASH] {
        let mut first = begun();
        assert!(matches!(first.answered(402, &headers, b"", at(0)), Next::Reserve));
        let mut record = first.reserve(None, at(0)).unwrap();
        let mut counted = first.counted().to_owned();
        for count in 2..=5 {
            let now = 60 * count;
            // Each time in another process, which makes the same request.
            let mut next = begun();
            let is_read = next.restore((&headers, b""), at(0), (hash, true), at(0));
            assert_eq!(is_read, !hash.is_empty());
            next.count_as(&counted);
            assert!(matches!(
                next.go_on(policy("{}"), None, true, true, at(now)),
                Some(Next::Afresh)
            ));
            assert!(matches!(next.answered(402, &headers, b"", at(0)), Next::Reserve));
            record = next.reserve(Some(&record), at(now)).unwrap();
            counted = next.counted().to_owned();
            let rows = serde_json::from_str::<Value>(&record).unwrap();
            let entries = rows["entries"].as_array().map(Vec::len);
            assert_eq!(entries, usize::try_from(count).ok(), "{hash}: {rows}");
        }
    }
}

// A-379
#[test]
pub fn a_transaction_beside_one_that_may_have_been_sent_is_shown_again() {
    let mut request = request();
    request["methodDetails"] = json!({"chainId": 84532, "feePayer": false});
    let headers = asking(&[evm("a", &request)]);
    let mut exchange = exchange("{}", 1).with_broadcast();
    // Of the one before nothing is known but that it was asked for.
    assert!(!exchange.restore((&headers, b""), at(0), ("", true), at(1)));
    assert!(matches!(exchange.go_on(policy("{}"), None, true, true, at(2)), Some(Next::Afresh)));
    assert!(matches!(exchange.answered(402, &headers, b"", at(2)), Next::Reserve));
    exchange.reserve(None, at(2)).unwrap();
    assert!(matches!(exchange.prepare(at(2)), Next::Broadcast));
    let Next::Send { headers: sent, .. } = exchange.broadcast(HASH, at(3)) else { panic!() };
    // Its answer is lost: the next call shows the same transaction, and nobody sends another one.
    let again = exchange.go_on(policy("{}"), None, false, true, at(4));
    let Some(Next::Send { headers: again, .. }) = again else { panic!("{again:?}") };
    assert_eq!(again, sent);
}

#[test]
fn a_server_that_pays_no_gas_gets_the_hash_of_the_payers_transaction_and_nothing_else() {
    let mut request = request();
    request["methodDetails"] = json!({"chainId": 84532, "feePayer": false});
    let headers = asking(&[evm("a", &request)]);
    let sending = || {
        let mut exchange = exchange("{}", 1).with_broadcast();
        assert!(matches!(exchange.answered(402, &headers, b"", at(0)), Next::Reserve));
        exchange.reserve(None, at(0)).unwrap();
        assert!(matches!(exchange.prepare(at(0)), Next::Broadcast));
        exchange
    };
    let proposal = sending().proposal().unwrap();
    assert_eq!((&proposal["paysGas"], &proposal["paysBeforeWork"]), (&json!(true), &json!(true)));
    let digits = "1".repeat(64);
    for wrong in [
        format!("0x{digits}1"),
        format!("0x{}", "1".repeat(63)),
        digits.clone(),
        format!("0x{}g", "1".repeat(63)),
        format!(" 0x{digits}"),
        String::new(),
    ] {
        let mut exchange = sending();
        let error = failure(exchange.broadcast(&wrong, at(1)));
        assert_eq!(error.reason.code(), "wrong_transaction", "{wrong}");
        assert!(exchange.payment().is_none());
    }
    let mut beside = terms(&json!([entry("20000")]));
    beside.add("www-authenticate", &evm("a", &request));
    let mut dearer = exchange("{}", 1).with_broadcast();
    dearer.answered(402, &beside, b"", at(0));
    dearer.reserve(None, at(0)).unwrap();
    assert_eq!(
        dearer.proposal().unwrap()["protocol"],
        "x402",
        "what the payer sends himself is last"
    );
    let mut exchange = sending();
    let Next::Send { headers: sent, .. } = exchange.broadcast(HASH, at(1)) else { panic!() };
    let (name, value) = &sent[0];
    assert_eq!(name, "Authorization");
    assert_eq!(credential(value)["payload"], json!({"type": "hash", "hash": HASH}));
    // The same one again, and never a second transaction.
    let Next::Send { headers: again, .. } = exchange.lost(at(2)) else { panic!() };
    assert_eq!(again, sent);
    assert_eq!(failure(exchange.broadcast(HASH, at(3))).reason.code(), "wrong_transaction");
    let other = receipt(|it| it["reference"] = format!("0x{}", "22".repeat(32)).into());
    assert_eq!(
        failure(exchange.answered(200, &other, b"", at(3))).reason.code(),
        "receipt_mismatch"
    );
    let next = exchange.answered(200, &receipt(|_| {}), b"", at(3));
    assert!(matches!(next, Next::Return(Some(_))), "{next:?}");
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

#[test]
fn a_receipt_is_told_in_the_form_of_a_settlement_and_one_that_contradicts_is_none() {
    let mut sale = request();
    sale["externalId"] = "order-1".into();
    let after = |headers: &Headers| {
        let mut exchange = exchange("{}", 1);
        paid(&mut exchange, &asking(&[evm("a", &sale)]));
        exchange.answered(200, headers, b"", at(1))
    };
    let whole = receipt(|it| {
        it["challengeId"] = "a".into();
        it["chainId"] = 84532.into();
        it["externalId"] = "order-1".into();
        it["confirmations"] = 3.into();
    });
    for headers in [whole, receipt(|_| {})] {
        let Next::Return(Some(told)) = after(&headers) else { panic!() };
        let expected = json!({"transaction": HASH, "network": "eip155:84532", "payTo": PAYEE,
            "payer": account().address().to_checksum(), "amount": "10000", "asset": USDC,
            "price": "0.01", "symbol": "USDC", "signedBy": null});
        assert_eq!(*told, expected);
    }
    assert!(matches!(after(&Headers::new()), Next::Return(None)));
    type Forge = fn(&mut Value);
    let forgeries: [(&str, Forge); 8] = [
        ("status", |it| it["status"] = "failed".into()),
        ("no status", |it| it["status"] = Value::Null),
        ("method", |it| it["method"] = "tempo".into()),
        ("no transaction", |it| it["reference"] = "order-1".into()),
        ("a long transaction", |it| it["reference"] = format!("{HASH}1").into()),
        ("challenge", |it| it["challengeId"] = "b".into()),
        ("chain", |it| it["chainId"] = 8453.into()),
        ("sale", |it| it["externalId"] = "order-2".into()),
    ];
    for (name, forge) in forgeries {
        assert_eq!(failure(after(&receipt(forge))).reason.code(), "receipt_mismatch", "{name}");
    }
    let mut garbage = Headers::new();
    garbage.add("payment-receipt", "%%%");
    assert_eq!(failure(after(&garbage)).reason.code(), "receipt_mismatch");
}

#[test]
fn once_a_payment_was_sent_no_other_challenge_is_ever_signed() {
    // Every answer that may come, each with a fresh challenge beside it: only the same credential goes out again.
    let fresh = |status: u16, body: Value| {
        let headers = asking(&[evm("fresh", &request())]);
        (status, headers, body.to_string().into_bytes())
    };
    let diagnostic = |code: &str| json!({"extensions": {"diagnostic": {"info": {"code": code}}}});
    let answers = [
        fresh(402, json!({})),
        fresh(
            402,
            json!({"type": "https://paymentauth.org/problems/payment-expired", "detail": "Payment expired."}),
        ),
        fresh(402, diagnostic("INVOICE_EXPIRED")),
        fresh(402, diagnostic("PAYMENT_UNVERIFIED")),
        fresh(409, json!({"code": "payment_in_progress", "retryable": true})),
        fresh(503, json!({})),
        fresh(500, json!({"retryable": true})),
        fresh(200, json!({})),
    ];
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    for run in 0..400 {
        let mut exchange = exchange(r#"{"pinPayees": false}"#, 1);
        let sent = paid(&mut exchange, &asking(&[evm("first", &request())]));
        for step in 0..6 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            let (status, headers, body) = &answers[usize::try_from(state % 8).unwrap()];
            let mut next = exchange.answered(*status, headers, body, at(step));
            if let Next::Mark = next {
                exchange.mark(None, at(step)).unwrap();
                next = exchange.marked();
            }
            match next {
                Next::Send { headers, .. } => {
                    assert!(headers.is_empty() || headers[0] == sent, "run {run}: {headers:?}");
                }
                Next::Return(_) | Next::Fail(_) => break,
                next => panic!("run {run}: {next:?}"),
            }
        }
        assert_eq!(exchange.payment().unwrap()["header"], json!([sent.0, sent.1]));
    }
}

#[test]
fn a_refused_charge_is_told_in_the_sellers_words() {
    let mut exchange = exchange("{}", 1);
    paid(&mut exchange, &asking(&[evm("a", &request())]));
    let body = json!({"reason": "", "detail": "voucher exhausted", "code": 70015}).to_string();
    let error = failure(exchange.answered(402, &Headers::new(), body.as_bytes(), at(1)));
    assert_eq!(error.reason.code(), "payment_refused");
    assert_eq!(error.message, "❌ Seller rejected: voucher exhausted (code 70015, HTTP 402)");
}

#[test]
fn a_lost_answer_of_a_gate_is_asked_for_with_the_wallets_word() {
    let mut exchange = exchange("{}", 1);
    let sent = paid(&mut exchange, &asking(&[evm("a", &request())]));
    let delivered = problem("payment_already_delivered", Some(false));
    let next = exchange.answered(409, &Headers::new(), &delivered, at(2));
    let Next::Sign(statement) = &next else { panic!() };
    assert_eq!(statement["message"]["paymentKey"], exchange.payment().unwrap()["key"]);
    let signature = sign(next);
    let Next::Send { headers, .. } = exchange.signed(&signature, at(2)) else { panic!() };
    assert_eq!((&headers[0], headers[1].0.as_str()), (&sent, "Farebox-Redelivery"));
}

#[test]
fn x402_is_answered_as_before_where_both_are_asked_at_one_price() {
    let mut headers = terms(&json!([entry("10000")]));
    headers.add("www-authenticate", &evm("a", &request()));
    assert_eq!(paid(&mut exchange("{}", 1), &headers).0, "PAYMENT-SIGNATURE");
}
