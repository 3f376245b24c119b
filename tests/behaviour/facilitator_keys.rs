//! Facilitators that take a key: how it is configured, where it goes, and what a refused one means for the payer.

use farebox_core::facilitator::auth::{Auth, Moment};
use farebox_core::gate::Gate;
use farebox_core::ledger::State;
use serde_json::{Value, json};

use crate::world::facilitator::{Settle, Verify};
use crate::world::{World, routes, vars};

/// Of the published test key: 32 bytes 01 to 20 and their public key.
const ED25519: &str =
    "AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyB5tVYuj+ZU+UB4sRLoqYunkB+FOuaVvtfg45ELrQSWZA==";
/// The PEM bodies of this file are made by openssl, for it.
const P256: &str = "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgF+s9XlGrRZRKwhVo\n5H4CxDhfJHH3ktAH6kMFTge6gIShRANCAAR0KzZab1Gcufzmov0qPqPtu6PmzMEe\n8ScuZ9NwKvP/NolFXoVzrtoEpedeyhdkDf4yVFwPC+DlnSXdBlHQYc07";
const P256_SEC1: &str = "MHcCAQEEIBfrPV5Rq0WUSsIVaOR+AsQ4XyRx95LQB+pDBU4HuoCEoAoGCCqGSM49\nAwEHoUQDQgAEdCs2Wm9RnLn85qL9Kj6j7buj5szBHvEnLmfTcCrz/zaJRV6Fc67a\nBKXnXsoXZA3+MlRcDwvg5Z0l3QZR0GHNOw==";
const P384: &str = "MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDAZsZN+sOJkNvx5Zd6I\nKuFDo2W8XaQYxj++tLdQEj7139zrqpe2S/mJk9y9As1BKmyhZANiAARtKoGPySWz\nFeoLb8UUbOn2q7y9mmM4vxE07CzClWJJK2+O5Hh6zm2Ox9xflbxaJKeg9xM0YRG6\newFEIyXgn7MnN9DVLFAr5ixWas8BnGeQ0T1AtyE1vrK1SsWPSx5kFdU=";
const SECP256K1: &str = "MIGEAgEAMBAGByqGSM49AgEGBSuBBAAKBG0wawIBAQQg1fvbAWUCAEje8q+NIDnd\nj55LK3JPPdIdE4PvyR3bzAehRANCAATEpHPmHKvEiIqo9+H8shDoaOfWovlncEbF\nrAebNvOAu//RzPKTMBNpRsI+ZmiQujQ0R4017MxRBv8Tu4YQ2yuh";
const ED25519_PKCS8: &str = "MC4CAQAwBQYDK2VwBCIEIO/HJ2WFsEGvtTJpI4jmXcfa4XFcPjcPl/MLr2+bG45q";

fn pem(label: &str, body: &str) -> String {
    format!("-----BEGIN {label}-----\n{body}\n-----END {label}-----\n")
}

fn with_auth(auth: &Value, secrets: &[(&str, &str)]) -> Value {
    let mut vars = vars(routes());
    vars["FACILITATOR_URL"] = json!([{"url": "https://f.example/x402", "auth": auth}]);
    for (name, value) in secrets {
        vars[*name] = (*value).into();
    }
    vars
}

fn cdp(secret: &str) -> Value {
    with_auth(&"cdp".into(), &[("CDP_API_KEY_ID", "id"), ("CDP_API_KEY_SECRET", secret)])
}

/// The variables that a configuration's errors name, and what they say.
fn errors(vars: &Value) -> Vec<(String, String)> {
    let errors = Gate::from_vars(&vars.to_string()).err().unwrap_or_default();
    errors.into_iter().map(|error| (error.variable, error.remedy)).collect()
}

fn algorithm(vars: &Value) -> &'static str {
    let gate = Gate::from_vars(&vars.to_string()).expect("the configuration is good");
    match gate.auth("https://f.example/x402/verify") {
        Auth::Cdp { key, .. } => key.algorithm,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_key_is_read_in_every_format_in_which_it_is_issued() {
    let p256 = pem("PRIVATE KEY", P256);
    for (secret, expected) in [
        (ED25519.to_owned(), "EdDSA"),
        (pem("PRIVATE KEY", ED25519_PKCS8), "EdDSA"),
        (p256.clone(), "ES256"),
        (p256.trim().to_owned(), "ES256"),
        (p256.replace('\n', "\r\n"), "ES256"),
        (p256.replace('\n', "\\n"), "ES256"),
    ] {
        assert_eq!(algorithm(&cdp(&secret)), expected, "{secret}");
    }
}

#[test]
fn a_malformed_key_is_an_error_that_names_its_variable_and_the_remedy() {
    let body = |bytes: usize| farebox_core::encoding::base64::encode(&vec![7; bytes]);
    let whole = "must be base64 of an Ed25519 key (64 bytes)";
    let curve = "is a key of another curve";
    for (secret, remedy) in [
        ("plainly no key".to_owned(), whole),
        (ED25519.replace('Q', " "), whole),
        (format!("{ED25519}\n"), whole),
        (body(32), whole),
        (body(63), whole),
        (body(65), whole),
        (body(96), whole),
        (pem("EC PRIVATE KEY", P256_SEC1), "openssl pkcs8 -topk8 -nocrypt"),
        (pem("PRIVATE KEY", P384), curve),
        (pem("PRIVATE KEY", SECP256K1), curve),
        (pem("PRIVATE KEY", &P256[..60]), whole),
        (pem("PRIVATE KEY", &P256.replace('M', "*")), whole),
        (pem("ENCRYPTED PRIVATE KEY", P256), whole),
        (pem("PUBLIC KEY", P256), whole),
        (pem("PRIVATE KEY", P256).replace("END", "FIN"), whole),
    ] {
        let errors = errors(&cdp(&secret));
        let [(variable, said)] = errors.as_slice() else { panic!("{secret}: {errors:?}") };
        assert_eq!(variable, "CDP_API_KEY_SECRET", "{secret}");
        assert!(said.contains(remedy), "{secret}: {said}");
        assert!(!said.contains(&secret), "a secret is not shown");
    }
}

#[test]
fn each_secret_that_is_missing_or_unfit_for_a_header_is_named() {
    let okx = [("OKX_API_KEY", "a"), ("OKX_API_SECRET", "b"), ("OKX_API_PASSPHRASE", "c")];
    type Row<'a> = (Value, &'a [(&'a str, &'a str)], &'a [&'a str]);
    let table: [Row<'_>; 9] = [
        ("cdp".into(), &[], &["CDP_API_KEY_ID", "CDP_API_KEY_SECRET"]),
        ("cdp".into(), &[("CDP_API_KEY_ID", "id")], &["CDP_API_KEY_SECRET"]),
        ("cdp".into(), &[("CDP_API_KEY_SECRET", ED25519)], &["CDP_API_KEY_ID"]),
        (
            "cdp".into(),
            &[("CDP_API_KEY_ID", "i d"), ("CDP_API_KEY_SECRET", ED25519)],
            &["CDP_API_KEY_ID"],
        ),
        ("okx".into(), &[], &["OKX_API_KEY", "OKX_API_SECRET", "OKX_API_PASSPHRASE"]),
        ("okx".into(), &okx[..2], &["OKX_API_PASSPHRASE"]),
        ("okx".into(), &[okx[0], okx[1], ("OKX_API_PASSPHRASE", "c\n")], &["OKX_API_PASSPHRASE"]),
        (json!({"bearer": "F_TOKEN"}), &[], &["F_TOKEN"]),
        (json!({"bearer": "F_TOKEN"}), &[("F_TOKEN", "to ken")], &["F_TOKEN"]),
    ];
    for (auth, secrets, expected) in table {
        let errors = errors(&with_auth(&auth, secrets));
        let named: Vec<&str> = errors.iter().map(|(variable, _)| variable.as_str()).collect();
        assert_eq!(named, expected, "{auth} {secrets:?}");
    }
    for auth in [json!("basic"), json!({"bearer": 1}), json!({"token": "X"}), json!([]), json!({})]
    {
        let errors = errors(&with_auth(&auth, &[]));
        assert_eq!(errors[0].0, "FACILITATOR_URL", "{auth}");
    }
    assert_eq!(errors(&with_auth(&"okx".into(), &okx)), []);
    for auth in [json!("none"), Value::Null] {
        assert_eq!(errors(&with_auth(&auth, &[])), []);
    }
}

#[test]
fn each_facilitator_is_shown_its_own_key() {
    let mut vars = cdp(ED25519);
    vars["F_TOKEN"] = "token".into();
    vars["FACILITATOR_URL"] = json!([
        {"url": "https://f.example", "auth": {"bearer": "F_TOKEN"}},
        {"url": "https://f.example/x402", "auth": "cdp"},
        {"url": "https://f.example/x402/plain"},
    ]);
    let gate = Gate::from_vars(&vars.to_string()).unwrap();
    let variable = |url| gate.auth(url).variable();
    assert_eq!(variable("https://f.example/settle"), Some("F_TOKEN"));
    assert_eq!(variable("https://f.example/x402/settle"), Some("CDP_API_KEY_SECRET"));
    assert_eq!(variable("https://f.example/x402/plain/settle"), None);
}

#[test]
fn a_key_goes_to_its_facilitators_own_urls_and_nowhere_else() {
    let bearer = with_auth(&json!({"bearer": "F_TOKEN"}), &[("F_TOKEN", "canary-token")]);
    let okx = [("OKX_API_KEY", "canary-a"), ("OKX_API_SECRET", "b"), ("OKX_API_PASSPHRASE", "c")];
    for vars in [bearer, cdp(ED25519), with_auth(&"okx".into(), &okx)] {
        let gate = Gate::from_vars(&vars.to_string()).unwrap();
        let shows = |url: &str| {
            let moment = Moment { milliseconds: 1, nonce: [0; 16] };
            let signed = gate.auth(url).sign("POST", url, "{}".to_owned(), moment);
            signed.signing.is_some() || !signed.lines.expose().is_empty()
        };
        for path in ["/verify", "/settle", "/supported"] {
            assert!(shows(&format!("https://f.example/x402{path}")), "{path}");
        }
        for url in [
            "https://f.example/x402",
            "https://f.example/x402/../settle",
            "https://f.example/x402/settle?x",
            "https://f.example/x402/other/settle",
            "https://f.example/x402.evil.example/settle",
            "https://f.example/other/settle",
            "https://evil.example/x402/settle",
            "http://f.example/x402/settle",
        ] {
            assert!(!shows(url), "{url}");
        }
        assert!(!format!("{gate:?}").contains("canary"));
    }
}

const REFUSALS: [&str; 3] = [r#"{"error":"unauthorized"}"#, "<html>", r#"{"code":"50113"}"#];

#[test]
fn a_refused_key_is_the_operators_matter_and_the_payment_stays_good() {
    let refusals = [401, 403]
        .into_iter()
        .flat_map(|status| REFUSALS.map(|body| Verify::Raw(status, body.to_owned())));
    let plans: Vec<Verify> = refusals.chain([Verify::Unsigned]).collect();
    for target in ["/after", "/before"] {
        let mut world = World::with(cdp(ED25519));
        let payment = world.sign(target);
        for plan in &plans {
            world.facilitator.verify_plan.push_back(plan.clone());
            let response = world.present(&payment);
            assert_eq!(
                (response.status, response.problem().as_str()),
                (503, "not_configured"),
                "{target} {plan:?}"
            );
            assert_eq!(response.headers.get("retry-after"), Some("60"));
            assert!(!response.has_terms(), "nobody is asked to pay again");
            assert_eq!(world.ledger.state(), State::Released);
        }
        assert_eq!((world.origin.calls.len(), world.facilitator.settles.len()), (0, 0));
        assert_eq!(world.present(&payment).status, 200, "the same payment may come again");
    }
}

#[test]
fn a_refused_key_is_not_covered_up_by_another_facilitator() {
    let mut vars = cdp(ED25519);
    vars["FACILITATOR_URL"] =
        json!([{"url": "https://f.example/x402", "auth": "cdp"}, {"url": "https://g.example"}]);
    let mut world = World::with(vars);
    world.facilitator.verify_plan.push_back(Verify::Raw(401, REFUSALS[0].to_owned()));
    let payment = world.sign("/after");
    assert_eq!(world.present(&payment).problem(), "not_configured");
    assert_eq!(world.facilitator.urls, ["https://f.example/x402/verify"]);
}

#[test]
fn a_401_is_no_refused_key_where_no_key_is_configured() {
    let mut world = World::new();
    let payment = world.sign("/after");
    for body in REFUSALS {
        world.facilitator.verify_plan.push_back(Verify::Raw(401, body.to_owned()));
        assert_eq!(world.present(&payment).problem(), "facilitator_unavailable", "{body}");
    }
    assert_eq!(world.present(&payment).status, 200);
}

#[test]
fn a_key_refused_at_settle_leaves_the_outcome_unknown() {
    for target in ["/after", "/before"] {
        for body in REFUSALS {
            let mut world = World::with(cdp(ED25519));
            let payment = world.sign(target);
            world.facilitator.settle_plan.push_back(Settle::Raw(401, body.to_owned()));
            world.facilitator.settle_plan.push_back(Settle::Raw(401, body.to_owned()));
            let response = world.present(&payment);
            assert_eq!(response.problem(), "settlement_unknown", "{target} {body}");
            assert!(!response.has_terms());
            assert_eq!((world.facilitator.verified, world.facilitator.settles.len()), (1, 2));
        }
    }
}

#[test]
fn what_could_not_be_signed_was_not_submitted_unless_it_was_sent_before() {
    let mut world = World::with(cdp(ED25519));
    let payment = world.sign("/before");
    world.facilitator.settle_plan.push_back(Settle::Unsigned);
    assert_eq!(world.present(&payment).problem(), "not_configured");
    assert_eq!(world.ledger.state(), State::Released);
    world.facilitator.settle_plan.extend([Settle::SilentAfter, Settle::Unsigned]);
    assert_eq!(world.present(&payment).problem(), "settlement_unknown");
    assert_eq!(world.ledger.state().name(), "unknown");

    let mut world = World::with(cdp(ED25519));
    let payment = world.sign("/after");
    world.facilitator.settle_plan.extend([Settle::Unsigned, Settle::Unsigned]);
    assert_eq!(world.present(&payment).problem(), "settlement_unknown");
    assert_eq!(world.facilitator.settles_of(&payment.nonce), 0);
    world.wait(2);
    assert_eq!(world.present(&payment).status, 200, "a re-send settles it");
}
