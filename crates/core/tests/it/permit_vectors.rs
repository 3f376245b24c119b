//! Permits of Permit2 as stock clients sign them, and calls of the proxy that settles them.

use farebox_core::amount::Amount;
use farebox_core::client::challenge::{Challenge, Means};
use farebox_core::client::prepare::{PaymentField, Prepared};
use farebox_core::client::{Policy, Reason};
use farebox_core::encoding::{base64, hex, json};
use farebox_core::evm::address::Address;
use farebox_core::evm::eip712::TypedData;
use farebox_core::evm::evidence::AuthorizedTransfer;
use farebox_core::evm::permit_calls::{self, Mention};
use farebox_core::evm::permit2::{self, EXACT_PROXY, PERMIT2, UPTO_PROXY};
use farebox_core::evm::rpc::AuthorizationId;
use farebox_core::http::Headers;
use farebox_core::payment::authorization::SignatureCheck;
use farebox_core::payment::{PaymentKey, SignedToken, TransferMethod};
use farebox_core::problem::Code;
use farebox_core::time::UnixTime;
use farebox_core::x402::exact;
use serde_json::{Value, json};

use crate::naive_chain::{NONCE, OTHER, PAYEE, PAYER, TOKEN, VALUE};
use crate::support::{cases, text};

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn is_of_proxy(typed: &Value) -> bool {
    let spender = &typed["message"]["spender"];
    [EXACT_PROXY, UPTO_PROXY].iter().any(|proxy| *spender == proxy.to_checksum())
}

/// The signed payload of a case, and its token.
fn permits() -> Vec<(Value, Value, SignedToken)> {
    let cases = cases("x402/client-signing", "vectors").into_iter().filter_map(|case| {
        let typed = case["typedData"].as_array()?.iter().find(|typed| {
            typed["primaryType"] == "PermitWitnessTransferFrom" && is_of_proxy(typed)
        })?;
        let chain_id = typed["domain"]["chainId"].as_u64()?;
        let terms = &case["paymentRequired"]["accepts"][0];
        let token = SignedToken {
            chain_id,
            asset: address(text(terms, "asset")),
            pay_to: address(text(terms, "payTo")),
            method: match typed["message"]["witness"]["facilitator"].as_str() {
                None => TransferMethod::Permit2,
                Some(facilitator) => TransferMethod::Upto(address(facilitator)),
            },
            separator: permit2::separator(chain_id),
        };
        Some((case["paymentPayload"]["payload"].clone(), typed.clone(), token))
    });
    cases.collect()
}

#[test]
fn permits_of_stock_clients_are_signed_by_their_payer() {
    let permits = permits();
    assert_eq!(permits.len(), 5);
    for (payload, typed, token) in permits {
        let separator = hex::decode_array(text(&typed, "domainSeparator")).unwrap();
        assert_eq!(token.separator, separator);
        let signed = exact::read(payload.as_object().unwrap()).unwrap();
        let facilitator = token.method.facilitator();
        let signer = signed.authorization();
        let digest = permit2::digest(signer, &token.asset, facilitator, &separator);
        assert_eq!(hex::encode_prefixed(&digest), text(&typed, "digest"));
        assert_eq!(signed.authorization().from.to_checksum(), text(&typed, "recoveredSigner"));
        assert_eq!(signed.check_signature(&token, None), Ok(SignatureCheck::Verified));
        assert_eq!(Value::Object(exact::own(payload.as_object().unwrap())), payload);
        // The same signature for the authorization of a token, and for another token.
        let eip3009 = SignedToken { method: TransferMethod::Eip3009, ..token };
        let other = SignedToken { asset: PERMIT2, ..token };
        let elsewhere = SignedToken { method: TransferMethod::Upto(PERMIT2), ..token };
        for token in [eip3009, other, elsewhere] {
            assert_eq!(signed.check_signature(&token, None), Err(Code::TermsMismatch));
        }
    }
}

#[test]
fn the_payer_signs_what_a_stock_client_signs_if_its_policy_says_so() {
    let mut compared = 0;
    for case in cases("x402/client-signing", "vectors") {
        let typed = &case["typedData"][0];
        if typed["primaryType"] != "PermitWitnessTransferFrom" || !is_of_proxy(typed) {
            continue;
        }
        let allows = match typed["message"]["witness"].get("facilitator") {
            None => r#"{"permit2": true}"#,
            Some(_) => r#"{"upto": "5"}"#,
        };
        let required = base64::encode(case["paymentRequired"].to_string().as_bytes());
        let line = format!("PAYMENT-REQUIRED: {required}");
        let headers = Headers::from_lines([line.as_str()].into_iter());
        let deadline: u64 = text(&typed["message"], "deadline").parse().unwrap();
        let secs = case["paymentRequired"]["accepts"][0]["maxTimeoutSeconds"].as_u64().unwrap();
        let now = UnixTime::from_secs(deadline - secs);
        let read = |policy: &str| {
            let policy = Policy::from_json(policy).unwrap();
            let means = Means {
                policy: &policy,
                host: "api.example.com",
                url: None,
                now,
                broadcasts: false,
                authorization_is_free: true,
                pins_realms: true,
            };
            Challenge::read(&headers, b"", means).unwrap()
        };
        let refused = read("{}");
        assert!(refused.offers.is_empty());
        assert_eq!(refused.refused[0].reason, Reason::UnsupportedScheme);

        let challenge = read(allows);
        let offer = challenge.offers[0].clone();
        let nonce = Amount::from_atomic(text(&typed["message"], "nonce")).unwrap();
        let signer = address(text(&case, "signer"));
        let prepared = Prepared::new(offer, signer, nonce.to_be_bytes(), now);
        assert_eq!(hex::encode_prefixed(&prepared.digest()), text(typed, "digest"));
        let ours = TypedData::from_json(&prepared.typed_data()).unwrap();
        assert_eq!(ours.digest(), prepared.digest());
        let PaymentField { name, value } =
            prepared.header(text(typed, "signature"), &challenge, None);
        assert_eq!(name, "PAYMENT-SIGNATURE");
        let message = json::parse(&base64::decode(&value).unwrap()).unwrap();
        assert_eq!(message["payload"], case["paymentPayload"]["payload"]);
        assert_eq!(message["accepted"], case["paymentRequired"]["accepts"][0]);
        let signed = exact::read(message["payload"].as_object().unwrap()).unwrap();
        let chain_id = typed["domain"]["chainId"].as_u64().unwrap();
        let nonce = signed.authorization().nonce;
        assert_eq!(prepared.key(), PaymentKey::of_permit(chain_id, &signer, &nonce));
        compared += 1;
    }
    assert_eq!(compared, 5);
}

#[test]
fn a_permit_is_named_by_payer_and_nonce_whatever_its_token() {
    for (payload, _, token) in permits() {
        let signed = exact::read(payload.as_object().unwrap()).unwrap();
        let mut changed = payload.clone();
        changed["permit2Authorization"]["permitted"]["token"] = json!(OTHER);
        let other = exact::read(changed.as_object().unwrap()).unwrap();
        let token_of_other = SignedToken { asset: address(OTHER), ..token };
        assert_eq!(signed.key(&token), other.key(&token_of_other));
        let (from, nonce) = (signed.authorization().from, signed.authorization().nonce);
        let keys = [
            PaymentKey::of_permit(token.chain_id + 1, &from, &nonce),
            PaymentKey::of_permit(token.chain_id, &PERMIT2, &nonce),
            PaymentKey::of_permit(token.chain_id, &from, &[7; 32]),
            PaymentKey::of_authorization(token.chain_id, &token.asset, &from, &nonce),
        ];
        assert!(!keys.contains(&signed.key(&token)));
    }
}

#[test]
fn what_is_no_permit_is_refused() {
    let (payload, ..) = permits().remove(0);
    let changed = |path: &str, value: Value| {
        let mut payload = payload.clone();
        match path.rsplit_once('/') {
            Some((parent, name)) => payload.pointer_mut(parent).unwrap()[name] = value,
            None => payload[path] = value,
        }
        exact::read(payload.as_object().unwrap()).err()
    };
    let permit = "/permit2Authorization";
    let malformed = Some(Code::MalformedPayment);
    for (path, value, expected) in [
        (format!("{permit}/spender"), json!(OTHER), Some(Code::TermsMismatch)),
        (format!("{permit}/spender"), json!(PERMIT2.to_checksum()), Some(Code::TermsMismatch)),
        (format!("{permit}/nonce"), json!("0x1234"), malformed),
        (format!("{permit}/nonce"), json!("01"), malformed),
        (format!("{permit}/nonce"), json!(7), malformed),
        (format!("{permit}/nonce"), json!(Amount::MAX.to_string() + "0"), malformed),
        (format!("{permit}/from"), Value::Null, malformed),
        (format!("{permit}/deadline"), json!("soon"), malformed),
        (format!("{permit}/permitted/token"), json!("USDC"), malformed),
        (format!("{permit}/permitted/amount"), json!("-1"), malformed),
        (format!("{permit}/permitted"), json!([]), malformed),
        (format!("{permit}/witness/to"), json!("0x1"), malformed),
        (format!("{permit}/witness/validAfter"), json!(0), malformed),
        (format!("{permit}/witness"), Value::Null, malformed),
        ("permit2Authorization".to_owned(), json!("x"), malformed),
        ("signature".to_owned(), json!("0xzz"), malformed),
        ("authorization".to_owned(), json!({}), malformed),
        ("voucher".to_owned(), json!({}), malformed),
        ("junk".to_owned(), json!({}), None),
    ] {
        assert_eq!(changed(&path, value.clone()), expected, "{path} {value}");
    }
}

#[test]
fn only_a_call_of_the_proxy_for_this_permit_settles_it() {
    let nonce = hex::decode_array(NONCE).unwrap();
    let authorization =
        AuthorizationId { asset: address(TOKEN), authorizer: address(PAYER), nonce };
    let (to, value) = (address(PAYEE), Amount::from_u64(VALUE));
    let payment = AuthorizedTransfer { authorization, to, value };
    let of = |family, proxy, facilitator: Option<Address>| {
        cases("x402/permit2-settlements", family)
            .into_iter()
            .map(move |case| (case, proxy, facilitator))
    };
    let upto = of("upto", UPTO_PROXY, Some(PERMIT2));
    for (case, proxy, facilitator) in of("vectors", EXACT_PROXY, None).chain(upto) {
        let data = hex::decode_prefixed(text(&case, "data")).unwrap();
        let of = |called| permit_calls::mention(called, &data, &payment, facilitator.as_ref());
        let mention = |member| match text(&case, member) {
            "exact" => Mention::Exact,
            "inside" => Mention::Inside,
            "nonce" => Mention::Nonce,
            _ => Mention::None,
        };
        let (expected, elsewhere) = (mention("mention"), mention("elsewhere"));
        assert_eq!(of(Some(proxy)), expected, "{}", text(&case, "name"));
        for called in [Some(address(TOKEN)), Some(PERMIT2), None] {
            assert_eq!(of(called), elsewhere, "{} to {called:?}", text(&case, "name"));
        }
    }
}

#[test]
fn a_nonce_is_one_bit_of_its_word() {
    for (nonce, bit) in [(0_u8, 0), (1, 1), (7, 7), (8, 8), (48, 48), (255, 255)] {
        let mut whole = [9; 32];
        whole[31] = nonce;
        for other in 0..256 {
            let mut bitmap = [0; 32];
            bitmap[31 - other / 8] = 1 << (other % 8);
            assert_eq!(permit2::is_used(&bitmap, &whole), other == bit, "{nonce} {other}");
        }
        let mut word = [9; 32];
        word[0] = 0;
        assert_eq!(permit2::bitmap_word(&whole), word);
    }
}
