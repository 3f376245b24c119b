//! What the ledger keeps and a facilitator gets of a payment: its own members, as they came, and nothing else.

use serde_json::{Value, json};

use crate::world::payer::Payment;
use crate::world::{With, World, decoded, get, paid, vars};

const JUNK: usize = 8_500;

/// What the first settle call for this payment said.
fn handed(world: &World, payment: &Payment) -> (usize, Value) {
    let settles = &world.facilitator.settles;
    let (_, body) = settles.iter().find(|(nonce, _)| *nonce == payment.nonce).unwrap();
    assert_eq!(*body, world.row_of(&payment.nonce).payment.request, "the row keeps that");
    (body.len(), serde_json::from_str(body).unwrap())
}

//
#[test]
pub fn junk_beside_a_payment_is_neither_kept_nor_handed_over() {
    for target in ["/after", "/before"] {
        let mut world = World::new();
        let required = world.ask(target).payment_required();
        let now = world.now().secs();
        let junk = "j".repeat(JUNK);
        let mut plain = Value::Null;
        let payment = world.payer.sign_with(&required, now, |message| {
            plain = message.clone();
            message["junk"] = json!(junk);
            message["payload"]["junk"] = json!([1, 2, 3]);
            message["payload"]["authorization"]["junk"] = json!({"a": "b"});
            message["accepted"]["extra"]["junk"] = json!("x");
            message["resource"]["junk"] = json!("x");
            message["extensions"] = json!({"junk": {"info": {}}, "bazaar": {"info": "junk"}});
        });
        assert!(payment.value.len() > 12_000, "{}", payment.value.len());
        assert!(world.present(&payment).is_delivery());
        let (bytes, request) = handed(&world, &payment);
        assert!(bytes <= 2_048, "{target}: {bytes}");
        assert_eq!(request["paymentPayload"], plain, "{target}");
        assert_eq!(request["paymentRequirements"], required["accepts"][0], "{target}");
    }
}

#[test]
fn junk_beside_a_payment_of_version_1_is_not_handed_over_either() {
    let mut world = World::new();
    let body = world.ask("/after").json();
    let now = world.now().secs();
    let payment = world.payer.sign_v1(&body, now);
    let plain = decoded(&payment.value);
    let mut full = plain.clone();
    full["junk"] = json!("j".repeat(JUNK));
    full["payload"]["junk"] = json!("x");
    let value = farebox_core::encoding::base64::encode(full.to_string().as_bytes());
    let payment = Payment { value, ..payment };
    assert!(world.present(&payment).is_delivery());
    let (bytes, request) = handed(&world, &payment);
    assert!(bytes <= 2_048, "{bytes}");
    assert_eq!(request["paymentPayload"], plain);
}

#[test]
fn what_was_signed_is_handed_over_in_its_own_spelling() {
    let mut world = World::new();
    let required = world.ask("/after").payment_required();
    let now = world.now().secs();
    let mut signed = Value::Null;
    let payment = world.payer.sign_with(&required, now, |message| {
        let upper = |text: &Value| json!(text.as_str().unwrap().to_uppercase().replace("0X", "0x"));
        let payload = &mut message["payload"];
        payload["signature"] = upper(&payload["signature"]);
        let authorization = &mut payload["authorization"];
        for name in ["from", "nonce"] {
            authorization[name] = upper(&authorization[name]);
        }
        signed = payload.clone();
    });
    assert!(world.present(&payment).is_delivery());
    assert_eq!(handed(&world, &payment).1["paymentPayload"]["payload"], signed);
}

#[test]
fn a_long_url_is_served_and_not_handed_over() {
    let long = format!("/after?q={}", "x".repeat(1_500));
    let mut world = World::new();
    let payment = world.sign(&long);
    assert!(world.present(&payment).is_delivery());
    let (bytes, request) = handed(&world, &payment);
    assert!(bytes <= 2_048, "{bytes}");
    assert_eq!(request["paymentPayload"]["resource"], Value::Null);
    let body = world.ask(&long).json();
    let now = world.now().secs();
    let payment = world.payer.sign_v1(&body, now);
    assert!(world.send(paid(&payment)).is_delivery());
    let (bytes, request) = handed(&world, &payment);
    assert!(bytes <= 2_048, "{bytes}");
    let named = request["paymentRequirements"]["resource"].as_str().unwrap();
    assert!(named.ends_with("/after"), "{named}");
}

/// The routes of payers by Permit2, with gas for them or without.
fn by_permit() -> Value {
    let permit = |path: &str, sponsored: bool| json!({"path": path, "price": "$0.01", "asset_transfer_method": "permit2", "gas_sponsoring": sponsored});
    json!([permit("/sponsored", true), permit("/bare", false)])
}

//
#[test]
pub fn a_permit_for_the_allowance_is_handed_over_alone_and_where_the_route_announces_it() {
    let address = "0x036CbD53842c5426634e7929541eC2318f3dCF7e";
    let permit = json!({
        "from": address, "asset": address, "spender": address, "amount": "10000", "nonce": "0", "deadline": "1763618400",
        "signature": format!("0x{}", "1b".repeat(65)), "version": "1",
    });
    let mut more = permit.clone();
    more["more"] = json!("x".repeat(4_000));
    let mut long = permit.clone();
    long["nonce"] = json!("1".repeat(79));
    for (target, info, handed) in [
        ("/sponsored", &permit, Some(&permit)),
        ("/sponsored", &more, Some(&permit)),
        ("/sponsored", &long, None),
        ("/bare", &permit, None),
    ] {
        let mut world = World::with(vars(by_permit()));
        let required = world.ask(target).payment_required();
        let announced = required["extensions"].get("eip2612GasSponsoring").is_some();
        assert_eq!(announced, target == "/sponsored");
        let now = world.now().secs();
        let payment = world.payer.sign_with(&required, now, |message| {
            let extensions = json!({"eip2612GasSponsoring": {"info": info, "schema": {}}, "other": {"info": info}});
            message["extensions"] = extensions;
        });
        let response = world.send(get(target).header(payment.header, &payment.value));
        assert_eq!(response.status, 200, "{target}");
        let (_, request) = world.facilitator.settles.last().unwrap();
        let request: Value = serde_json::from_str(request).unwrap();
        let extensions = handed.map(|permit| json!({"eip2612GasSponsoring": {"info": permit}}));
        assert_eq!(request["paymentPayload"].get("extensions"), extensions.as_ref(), "{target}");
    }
}
