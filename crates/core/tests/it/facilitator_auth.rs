//! What facilitators are shown: the bytes that Coinbase's own package signs, and OKX's by another HMAC.

use crate::support::{cases, text};
use farebox_core::encoding::hex;
use farebox_core::facilitator::auth::{Auth, Moment, Signed, SigningKey};
use farebox_core::secret::Secret;

/// 2025-11-20T06:00:00.007Z
const AT: Moment = Moment { milliseconds: 1_763_618_400_007, nonce: [7; 16] };

fn cdp(id: &str) -> Auth {
    let key = SigningKey { algorithm: "EdDSA", pkcs8: Secret::new("KEY".to_owned()) };
    Auth::Cdp { id: id.to_owned(), key }
}

fn input(signed: &Signed) -> String {
    signed.signing.as_ref().expect("something is signed").expose().clone()
}

#[test]
fn the_jwt_before_its_signature_is_that_of_the_reference_byte_by_byte() {
    for case in cases("x402/cdp-facilitator-auth", "cases") {
        let (method, url) = text(&case, "request").split_once(' ').unwrap();
        let nonce = hex::decode_array(&format!("0x{}", text(&case["header"], "nonce"))).unwrap();
        let milliseconds = case["claims"]["iat"].as_u64().unwrap() * 1000 + 999;
        let auth = cdp(text(&case["header"], "kid"));
        let signed = auth.sign(method, url, "{}".to_owned(), Moment { milliseconds, nonce });
        let token = text(&case, "authorization").strip_prefix("Bearer ").unwrap();
        let (unsigned, _) = token.rsplit_once('.').unwrap();
        assert_eq!(input(&signed), format!("EdDSA KEY {unsigned}"), "{method} {url}");
        assert_eq!((signed.body.as_str(), signed.lines.expose().as_str()), ("{}", ""));
    }
}

#[test]
fn an_id_cannot_leave_its_place_in_the_jwt() {
    let id = r#"a","sub":"b\"#;
    let signed = cdp(id).sign("POST", "https://f.example/verify", String::new(), AT);
    let input = input(&signed);
    let header = input.rsplit_once(' ').unwrap().1.split_once('.').unwrap().0;
    let standard = header.replace('-', "+").replace('_', "/");
    let header = farebox_core::encoding::base64::decode(&standard).unwrap();
    let header: serde_json::Value = serde_json::from_slice(&header).unwrap();
    assert_eq!(text(&header, "kid"), id);
    assert_eq!(header.as_object().unwrap().len(), 4);
}

#[test]
fn okx_is_shown_an_hmac_over_time_method_target_and_body() {
    let secret = |text: &str| Secret::new(text.to_owned());
    let auth = Auth::Okx {
        key: secret("okx-key"),
        secret: secret("okx-secret"),
        passphrase: secret("okx-passphrase"),
    };
    let base = "https://web3.okx.com/api/v6/pay/x402";
    // The last column is Python's hmac and base64 over the same text.
    for (method, place, body, sent, sign) in [
        (
            "POST",
            "/settle",
            r#"{"x402Version":2}"#,
            r#"{"x402Version":2,"syncSettle":true}"#,
            "SxJQCRgDJgdhSLrliORxLlvwUSt4z3FoDijF8SBvdVM=",
        ),
        ("GET", "/supported", "", "", "S4rzOQdvboWDySr/BEH6n74NoU+U6oZyx6+n0YoeNSQ="),
    ] {
        let signed = auth.sign(method, &format!("{base}{place}"), body.to_owned(), AT);
        let expected = format!(
            "ok-access-key: okx-key\nok-access-sign: {sign}\nok-access-timestamp: 2025-11-20T06:00:00.007Z\nok-access-passphrase: okx-passphrase\n"
        );
        assert_eq!(signed.lines.expose(), &expected);
        assert_eq!(signed.body, sent);
        assert!(signed.signing.is_none());
    }
    let verify = auth.sign("POST", &format!("{base}/verify"), "{}".to_owned(), AT);
    assert_eq!(verify.body, "{}", "only a settlement waits for the chain");
}

#[test]
fn no_part_of_a_key_is_printed() {
    let secret = || Secret::new("canary".to_owned());
    let all = [
        Auth::Bearer { variable: "F_TOKEN".to_owned(), token: secret() },
        Auth::Cdp { id: "id".to_owned(), key: SigningKey { algorithm: "ES256", pkcs8: secret() } },
        Auth::Okx { key: secret(), secret: secret(), passphrase: secret() },
    ];
    for auth in all {
        let signed = auth.sign("POST", "https://f.example/verify", String::new(), AT);
        assert!(!format!("{auth:?} {signed:?}").contains("canary"));
        assert!(auth.takes_key() && auth.variable().is_some());
    }
    assert!(!Auth::None.takes_key());
}
