//! Credentials and receipts as `mppx` and OKX write them, and malformed ones.

use crate::support::{cases, document, text};
use farebox_core::encoding::{base64, hex};
use farebox_core::evm::address::Address;
use farebox_core::mpp::challenge::read_list;
use farebox_core::mpp::charge::{self, Framing, Payload, Request};
use farebox_core::mpp::credential::{CredentialSearch, find};
use farebox_core::mpp::receipt::{Receipt, ReceivedReceipt};
use farebox_core::mpp::source::Source;
use farebox_core::mpp::{Credential, Malformed, id};
use farebox_core::payment::SignedToken;
use farebox_core::time::UnixTime;
use serde_json::{Value, json};

/// The token of a header value with one credential.
fn token(header: &str) -> &str {
    match find([header].into_iter()) {
        CredentialSearch::One(token) => token,
        other => panic!("{header}: {other:?}"),
    }
}

/// The JSON behind a header value, without our own reader.
fn wire(header: &str) -> Value {
    let (_, token) = header.split_once(' ').unwrap();
    let standard = token.replace('-', "+").replace('_', "/");
    serde_json::from_slice(&base64::decode(&standard).unwrap()).unwrap()
}

#[test]
fn credentials_of_the_reference_are_read_bound_and_written_again() {
    let file = document("mpp/credentials");
    let secret = text(&file, "secretKey").as_bytes();
    for case in cases("mpp/credentials", "vectors") {
        let label = text(&case, "name");
        let header = text(&case, "header");
        let read = Credential::read(token(header)).unwrap();
        assert_eq!(wire(header), case["wireJson"], "{label}");
        assert_eq!(wire(&read.to_header()), case["wireJson"], "{label}");
        assert_eq!(Value::Object(read.payload.clone()), case["wireJson"]["payload"], "{label}");
        assert_eq!(case["challengeVerifies"], id::holds(&[secret], &read.challenge), "{label}");
        assert_eq!(
            Value::Object(read.challenge.request_object().unwrap()),
            case["decoded"]["challenge"]["request"],
            "{label}"
        );
    }
}

/// Refused by the reference, read here, and no payment by it: the id says what was asked.
const EXPIRES_NULL: &str = "expires null (as the OKX CLI emits when absent)";

#[test]
fn odd_and_malformed_credentials_are_read_as_the_reference_reads_them() {
    for case in cases("mpp/credentials-parse", "vectors") {
        let label = text(&case, "name");
        let found = find([text(&case, "header")].into_iter());
        if case["error"] == "MissingPaymentSchemeError" {
            assert_eq!(found, CredentialSearch::None, "{label}");
            continue;
        }
        let CredentialSearch::One(token) = found else { panic!("{label}: {found:?}") };
        let read = Credential::read(token);
        if label == EXPIRES_NULL {
            // mpp.md 4 and 15, row 5: absent, and then not the challenge that was issued.
            assert_eq!(read.unwrap().challenge.expires, None);
            continue;
        }
        assert_eq!(case["ok"], read.is_ok(), "{label}: {read:?}");
        let Ok(read) = read else { continue };
        assert_eq!(read.challenge.id, text(&case, "challengeId"), "{label}");
        assert_eq!(read.source.as_deref(), case["source"].as_str(), "{label}");
        assert_eq!(read.challenge.opaque.as_deref(), case["opaque"].as_str(), "{label}");
        assert_eq!(case["hasPayload"], !read.payload.is_empty(), "{label}");
    }
}

#[test]
fn a_member_that_is_missing_or_wrong_is_named() {
    let good = json!({
        "challenge": {"id": "i", "realm": "", "method": "evm", "intent": "charge", "request": "e30"},
        "payload": {"type": "hash"},
    });
    let read = |credential: &Value| {
        Credential::read(&base64::encode_url(credential.to_string().as_bytes()))
    };
    assert!(read(&good).is_ok());
    for (name, value, malformed) in [
        ("id", json!(1), Malformed::Wrong("id")),
        ("id", Value::Null, Malformed::Missing("id")),
        ("id", json!(""), Malformed::Missing("id")),
        ("id", json!("a\u{7f}"), Malformed::Wrong("id")),
        ("realm", json!(["r"]), Malformed::Wrong("realm")),
        ("realm", json!("a\nb"), Malformed::Wrong("realm")),
        ("method", json!("Evm"), Malformed::Wrong("method")),
        ("method", json!(""), Malformed::Wrong("method")),
        ("intent", json!("a b"), Malformed::Wrong("intent")),
        ("request", json!({}), Malformed::Wrong("request")),
        ("request", json!("e3"), Malformed::Base64("request")),
        ("request", json!("W10"), Malformed::Json("request")),
        ("request", json!(base64::encode_url(br#"{"a":1,"a":2}"#)), Malformed::Json("request")),
        ("request", json!("A".repeat(16_388)), Malformed::TooLarge),
        ("expires", json!("2035-01-01"), Malformed::Wrong("expires")),
        ("expires", json!(""), Malformed::Wrong("expires")),
        ("digest", json!("sha-512=AAAA"), Malformed::Wrong("digest")),
        ("digest", json!("sha-256="), Malformed::Wrong("digest")),
        ("header", json!("a b"), Malformed::Wrong("header")),
        ("header", json!(""), Malformed::Wrong("header")),
        ("opaque", json!({"a": 1}), Malformed::Wrong("opaque")),
        ("opaque", json!(""), Malformed::Wrong("opaque")),
        ("opaque", json!("a|"), Malformed::Base64("opaque")),
        ("description", json!(false), Malformed::Wrong("description")),
    ] {
        let mut bad = good.clone();
        bad["challenge"][name] = value.clone();
        assert_eq!(read(&bad), Err(malformed), "{name}: {value}");
    }
    for (name, value, malformed) in [
        ("challenge", Value::Null, Malformed::Wrong("challenge")),
        ("payload", json!([]), Malformed::Wrong("payload")),
        ("source", json!(1), Malformed::Wrong("source")),
    ] {
        let mut bad = good.clone();
        bad[name] = value;
        assert_eq!(read(&bad), Err(malformed), "{name}");
    }
    assert_eq!(Credential::read("bnVsbA"), Err(Malformed::Json("credential")));
    assert_eq!(Credential::read("e30"), Err(Malformed::Missing("challenge")));
    let twice = base64::encode_url(br#"{"challenge":{},"challenge":{}}"#);
    assert_eq!(Credential::read(&twice), Err(Malformed::Json("credential")));
    assert_eq!(Credential::read(&"A".repeat(16_385)), Err(Malformed::TooLarge));
    // One byte of padding less: what is refused then is no longer its size.
    assert_eq!(Credential::read(&"A".repeat(16_384)), Err(Malformed::Json("credential")));
}

#[test]
fn a_credential_is_found_among_other_schemes() {
    for case in cases("mpp/authorization-extract", "vectors") {
        let label = text(&case, "name");
        let found = find([text(&case, "header")].into_iter());
        if label == "two Payment credentials: first wins" {
            // mpp.md 15, row 7.
            assert_eq!(found, CredentialSearch::Several);
            continue;
        }
        let theirs = case["extracted"].as_str().map(|it| it.split_once(' ').unwrap().1);
        assert_eq!(found, theirs.map_or(CredentialSearch::None, CredentialSearch::One), "{label}");
    }
    for (rows, found) in [
        (vec!["Payment a", "Payment a"], CredentialSearch::One("a")),
        (vec!["Payment a, payment  a", "Bearer x"], CredentialSearch::One("a")),
        (vec!["Payment a", "Payment b"], CredentialSearch::Several),
        (vec!["Payment a", "Payment A"], CredentialSearch::Several),
        (vec!["Payment ", "Payment", "payment ,", ""], CredentialSearch::None),
        (vec![r#"Digest username="x, Payment a""#], CredentialSearch::None),
        (vec![r#"Digest username="\", Payment a", Payment b"#], CredentialSearch::One("b")),
        (vec!["Payment a, b=c"], CredentialSearch::One("a, b=c")),
        (vec![r#"Payment a, Bearer realm="x""#], CredentialSearch::One("a")),
        (vec!["Bearer Payment a"], CredentialSearch::None),
        (vec!["\tPayment\ta\t,x"], CredentialSearch::One("a")),
    ] {
        assert_eq!(find(rows.iter().copied()), found, "{rows:?}");
    }
}

#[test]
fn the_nonce_of_an_authorization_is_the_hash_of_its_challenge() {
    for case in cases("mpp/evm-charge-signatures", "authorization") {
        let (id, realm) = (text(&case, "challengeId"), text(&case, "realm"));
        let hash = Framing::Joined.challenge_hash(id, realm);
        assert_eq!(Framing::of(&hash, id, realm), Some(Framing::Joined));
        assert_eq!(hex::encode_prefixed(&hash), text(&case, "nonce"));
        let mut payload = case["typedData"]["message"].as_object().unwrap().clone();
        payload.insert("type".into(), "authorization".into());
        payload.insert("signature".into(), case["signature"].clone());
        let Ok(Payload::Authorization(signed)) = Payload::read(&payload) else {
            panic!("{payload:?}");
        };
        assert_eq!(signed.authorization().nonce, hash);
        let separator = domain(&case["typedData"]["domain"]);
        let digest = signed.authorization().digest(&separator);
        assert_eq!(hex::encode_prefixed(&digest), text(&case, "digest"));
    }
}

#[test]
fn a_nonce_lists_id_and_realm_or_joins_them_and_each_framing_knows_its_own() {
    for case in cases("mpp/evm-nonce", "cases") {
        let (name, input) = (text(&case, "name"), &case["input"]);
        let (id, realm) = (text(input, "id"), text(input, "realm"));
        for (framing, member) in [(Framing::Listed, "framed"), (Framing::Joined, "concatenated")] {
            let hash = framing.challenge_hash(id, realm);
            assert_eq!(hex::encode_prefixed(&hash), text(&case["expect"], member), "{name}");
            assert_eq!(Framing::of(&hash, id, realm), Some(framing), "{name}");
            assert_eq!(Framing::of(&hash, "another", realm), None, "{name}");
            assert_ne!(framing.other(), framing);
        }
    }
}

fn domain(domain: &Value) -> [u8; 32] {
    let chain_id = domain["chainId"].as_u64().unwrap();
    let contract = Address::parse(text(domain, "verifyingContract")).unwrap();
    SignedToken::separator_of(text(domain, "name"), text(domain, "version"), chain_id, contract)
}

/// What OKX's payers send for intent `charge`, by the vector's name.
#[test]
fn credentials_of_okx_payers_are_told_apart_by_their_shape() {
    let file = document("mpp/okx-credentials");
    let secret = text(&file, "secretKey").as_bytes();
    let mut charges = Vec::new();
    for case in cases("mpp/okx-credentials", "vectors") {
        let label = text(&case, "name").to_owned();
        let asked = read_list(text(&case, "challengeHeader")).remove(0).unwrap();
        let read = Credential::read(token(text(&case, "authorization"))).unwrap();
        assert!(id::holds(&[secret], &read.challenge), "{label}");
        assert_eq!(read.challenge, asked, "{label}");
        if let Some(source) = &read.source {
            let parsed = Source::parse(source).unwrap();
            assert_eq!((parsed.chain_id, &parsed.to_text()), (196, source), "{label}");
            assert_eq!(parsed.address, Address::parse(text(&file, "payer")).unwrap(), "{label}");
        }
        let payload = Payload::read(&read.payload);
        if read.challenge.intent != charge::INTENT {
            // Another intent's action is no charge, whatever proof comes with it.
            assert!(payload.is_err(), "{label}");
            continue;
        }
        let request = Request::read(&asked.request_object().unwrap()).unwrap();
        assert_eq!(request.chain_id, 196, "{label}");
        let outcome = match payload {
            Ok(Payload::Okx(signed)) => {
                let digest = signed.authorization().digest(&domain(&file["tokenDomain"]));
                assert_eq!(hex::encode_prefixed(&digest), text(&case, "digest"), "{label}");
                assert_eq!(signed.authorization().to, request.recipient, "{label}");
                assert_eq!(signed.authorization().value, request.amount, "{label}");
                "signed"
            }
            Ok(Payload::Hash(hash)) => {
                assert_eq!(hash, [0xab; 32], "{label}");
                "hash"
            }
            other => {
                assert_eq!(other.err(), Some(Malformed::Wrong("splits")), "{label}");
                "splits"
            }
        };
        assert_eq!(request.has_splits, outcome == "splits", "{label}");
        charges.push((label, request.fee_payer, outcome));
    }
    let charge = |label: &str, pays, outcome| (label.to_owned(), pays, outcome);
    assert_eq!(
        charges,
        [
            charge("charge transaction", Some(true), "signed"),
            charge("charge transaction with one split", Some(true), "splits"),
            charge("charge hash", Some(false), "hash"),
            charge(
                "charge for a challenge without expires: echo carries \"expires\": null",
                Some(true),
                "hash"
            ),
        ]
    );
}

// A-103
#[test]
fn a_payload_has_one_proof_and_nothing_of_another_intent() {
    let case = &cases("mpp/evm-charge-signatures", "authorization")[0];
    let mut signed = case["typedData"]["message"].clone();
    signed["signature"] = case["signature"].clone();
    let extended = |payload: Value, members: Value| {
        let mut payload = payload;
        payload.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        payload
    };
    let mppx =
        |members| extended(extended(signed.clone(), json!({"type": "authorization"})), members);
    let nested = |members| json!({"type": "transaction", "authorization": extended(signed.clone(), members)});
    let okx = |members| extended(nested(json!({"type": "eip-3009"})), members);
    let kind = |payload: &Value| match Payload::read(payload.as_object().unwrap()) {
        Ok(Payload::Authorization(_)) => Ok("mppx"),
        Ok(Payload::Okx(_)) => Ok("okx"),
        Ok(Payload::Transaction(bytes)) => Ok(if bytes == [2, 0xab] { "0x02ab" } else { "bytes" }),
        Ok(Payload::Hash(_)) => Ok("hash"),
        Err(malformed) => Err(malformed),
    };
    let hash = format!("0x{}", "ab".repeat(32));
    let raw = |signature: &str| json!({"type": "transaction", "signature": signature});
    let sent = |hash: &str| json!({"type": "hash", "hash": hash});
    let longest = format!("0x{}", "02".repeat(charge::MAX_TRANSACTION_BYTES));
    for (payload, read) in [
        (mppx(json!({})), Ok("mppx")),
        (mppx(json!({"extra": 1})), Ok("mppx")),
        (okx(json!({})), Ok("okx")),
        (nested(json!({"type": "eip-3009", "splits": []})), Ok("okx")),
        (raw("0x02ab"), Ok("0x02ab")),
        (raw(&longest), Ok("bytes")),
        (sent(&hash), Ok("hash")),
        (json!({}), Err(Malformed::Missing("type"))),
        (json!({"type": "proof", "signature": "0xab"}), Err(Malformed::Wrong("type"))),
        (json!({"type": "permit2", "signature": "0xab"}), Err(Malformed::Wrong("type"))),
        (sent(&format!("{hash}a")), Err(Malformed::Wrong("hash"))),
        (sent(&hash[..65]), Err(Malformed::Wrong("hash"))),
        (sent(&hash[2..]), Err(Malformed::Wrong("hash"))),
        (json!({"type": "hash"}), Err(Malformed::Missing("hash"))),
        (json!({"type": "transaction"}), Err(Malformed::Missing("signature"))),
        (raw("0x"), Err(Malformed::Wrong("signature"))),
        (raw("02ab"), Err(Malformed::Wrong("signature"))),
        (raw(&format!("{longest}02")), Err(Malformed::TooLarge)),
        (
            json!({"type": "transaction", "authorization": []}),
            Err(Malformed::Wrong("authorization")),
        ),
        (nested(json!({"type": "permit2"})), Err(Malformed::Wrong("authorization"))),
        (nested(json!({})), Err(Malformed::Missing("type"))),
        (nested(json!({"type": "eip-3009", "splits": [{}]})), Err(Malformed::Wrong("splits"))),
        (okx(json!({"signature": "0x02ab"})), Err(Malformed::Wrong("signature"))),
        (okx(json!({"hash": hash})), Err(Malformed::Wrong("hash"))),
        (okx(json!({"action": "open"})), Err(Malformed::Wrong("action"))),
        (okx(json!({"type": "hash"})), Err(Malformed::Wrong("type"))),
        (mppx(json!({"hash": hash})), Err(Malformed::Wrong("hash"))),
        (mppx(json!({"permit": {}})), Err(Malformed::Wrong("permit"))),
        (mppx(json!({"authorization": {}})), Err(Malformed::Wrong("type"))),
        (mppx(json!({"value": 10000})), Err(Malformed::Wrong("authorization"))),
        (mppx(json!({"nonce": "0x00"})), Err(Malformed::Wrong("authorization"))),
    ] {
        assert_eq!(kind(&payload), read, "{payload}");
    }
}

#[test]
fn the_request_of_a_charge_is_written_as_it_was_read() {
    // The first is what `mppx` writes, the second what OKX's sellers write; mpp.md, appendix A.
    for (json, external) in [
        (
            r#"{"amount":"10000","currency":"0x036CbD53842c5426634e7929541eC2318f3dCF7e","methodDetails":{"chainId":84532,"credentialTypes":["authorization"],"decimals":6},"recipient":"0x70997970C51812dc3A010C7d01b50e0d17dc79C8"}"#,
            None,
        ),
        (
            r#"{"amount":"10000","currency":"0x779Ded0c9e1022225f8E0630b35a9b54bE713736","description":"é \"x\"","externalId":"order-1","methodDetails":{"chainId":196,"feePayer":true},"recipient":"0x70997970C51812dc3A010C7d01b50e0d17dc79C8"}"#,
            Some("order-1"),
        ),
    ] {
        let object: Value = serde_json::from_str(json).unwrap();
        let request = Request::read(object.as_object().unwrap()).unwrap();
        assert_eq!(request.external_id.as_deref(), external);
        let standard = request.to_param().replace('-', "+").replace('_', "/");
        assert_eq!(String::from_utf8(base64::decode(&standard).unwrap()).unwrap(), json);
    }
}

#[test]
fn a_request_that_is_no_charge_is_refused_by_its_member() {
    let good = json!({
        "amount": "10000",
        "currency": "0x779Ded0c9e1022225f8E0630b35a9b54bE713736",
        "recipient": "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
        "methodDetails": {"chainId": 196},
    });
    let read = |object: &Value| Request::read(object.as_object().unwrap());
    let payee = read(&good).unwrap().recipient;
    let details = |name: &str, value: Value| {
        let mut details = json!({"chainId": 196});
        details[name] = value;
        ("methodDetails", details)
    };
    for ((name, value), malformed) in [
        (("amount", json!(10000)), Malformed::Wrong("amount")),
        (("amount", json!("010000")), Malformed::Wrong("amount")),
        (("amount", json!("0.01")), Malformed::Wrong("amount")),
        (("amount", Value::Null), Malformed::Missing("amount")),
        (("currency", json!("usd")), Malformed::Wrong("currency")),
        (("recipient", Value::Null), Malformed::Missing("recipient")),
        (("externalId", json!(1)), Malformed::Wrong("externalId")),
        (("methodDetails", Value::Null), Malformed::Wrong("methodDetails")),
        (details("chainId", Value::Null), Malformed::Missing("chainId")),
        (details("chainId", json!("196")), Malformed::Wrong("chainId")),
        (details("chainId", json!(196.5)), Malformed::Wrong("chainId")),
        (details("chainId", json!(9_007_199_254_740_992_u64)), Malformed::Wrong("chainId")),
        (details("decimals", json!(256)), Malformed::Wrong("decimals")),
        (details("feePayer", json!("yes")), Malformed::Wrong("feePayer")),
        (details("splits", json!({})), Malformed::Wrong("splits")),
        (details("credentialTypes", json!("hash")), Malformed::Wrong("credentialTypes")),
        (details("credentialTypes", json!([1])), Malformed::Wrong("credentialTypes")),
    ] {
        let mut bad = good.clone();
        bad[name] = value.clone();
        assert_eq!(read(&bad), Err(malformed), "{name}: {value}");
    }
    // A wrong checksum is the same address, as for the reference: what is compared are bytes.
    let mut cosmetic = good.clone();
    cosmetic["recipient"] = "0x70997970c51812dc3A010C7d01b50e0d17dc79C8".into();
    assert_eq!(read(&cosmetic).unwrap().recipient, payee);
    cosmetic["recipient"] = "XKO70997970c51812dc3a010c7d01b50e0d17dc79c8".into();
    assert_eq!(read(&cosmetic).unwrap().recipient, payee);
    cosmetic["methodDetails"]["chainId"] = 1.into();
    assert_eq!(read(&cosmetic), Err(Malformed::Wrong("recipient")));
}

#[test]
fn receipts_are_read_as_the_reference_reads_them() {
    for case in cases("mpp/receipts", "vectors") {
        let receipt = &case["receipt"];
        let read = ReceivedReceipt::read(text(&case, "header")).unwrap();
        assert_eq!(&Value::Object(read.members), receipt);
        assert_eq!(read.reference, text(receipt, "reference"));
        assert_eq!(read.chain_id, receipt["chainId"].as_u64());
        assert_eq!(read.challenge_id.as_deref(), receipt["challengeId"].as_str());
        assert_eq!(read.timestamp, UnixTime::from_secs(1_767_225_600));
    }
    for case in cases("mpp/receipts", "parse") {
        let label = text(&case, "name");
        let read = ReceivedReceipt::read(text(&case, "header"));
        assert_eq!(case["ok"], read.is_ok(), "{label}");
        let Ok(read) = read else { continue };
        assert_eq!(Value::Object(read.members), case["receipt"], "{label}");
    }
    assert_eq!(ReceivedReceipt::read(&"A".repeat(16_385)), Err(Malformed::TooLarge));
}

#[test]
fn a_receipt_has_the_members_of_the_reference() {
    let case = &cases("mpp/receipts", "vectors")[1]["receipt"];
    let mut receipt = Receipt {
        method: text(case, "method"),
        reference: text(case, "reference"),
        timestamp: UnixTime::from_secs(1_767_225_600),
        challenge_id: Some(text(case, "challengeId")),
        chain_id: case["chainId"].as_u64(),
        external_id: Some(text(case, "externalId")),
    };
    assert_eq!(wire(&format!("x {}", receipt.to_header())), *case);
    (receipt.challenge_id, receipt.chain_id, receipt.external_id) = (None, None, None);
    let members = wire(&format!("x {}", receipt.to_header()));
    let mut names: Vec<&String> = members.as_object().unwrap().keys().collect();
    names.sort();
    assert_eq!(names, ["method", "reference", "status", "timestamp"]);
}
