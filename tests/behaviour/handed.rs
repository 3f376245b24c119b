//! What the ledger keeps and a facilitator gets of a payment: its own members, as they came, and nothing else.

use serde_json::{Value, json};

use crate::world::payer::{Payer, Payment};
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

/// A permit of the token beside a payment, for Permit2.
fn permit_of(payer: &str) -> Value {
    json!({
        "from": payer, "asset": "0x036CbD53842c5426634e7929541eC2318f3dCF7e",
        "spender": "0x000000000022D473030F116dDEE9F6B43aC78BA3", "amount": "10000", "nonce": "0",
        "deadline": "1763618400", "signature": format!("0x{}", "1b".repeat(65)), "version": "1",
    })
}

/// What the facilitator gets beside a payment for this target that is shown with this permit.
fn handed_beside(target: &str, change: impl FnOnce(&mut Value)) -> Option<Value> {
    let mut world = World::with(vars(by_permit()));
    let required = world.ask(target).payment_required();
    let announced = required["extensions"].get("eip2612GasSponsoring").is_some();
    assert_eq!(announced, target == "/sponsored");
    let (now, mut permit) = (world.now().secs(), permit_of(&world.payer.address.to_checksum()));
    change(&mut permit);
    let payment = world.payer.sign_with(&required, now, |message| {
        let extensions = json!({"eip2612GasSponsoring": {"info": permit, "schema": {}}, "other": {"info": permit}});
        message["extensions"] = extensions;
    });
    let response = world.send(get(target).header(payment.header, &payment.value));
    assert_eq!(response.status, 200, "{target}");
    let (_, request) = world.facilitator.settles.last().unwrap();
    let request: Value = serde_json::from_str(request).unwrap();
    request["paymentPayload"].get("extensions").cloned()
}

//
#[test]
pub fn a_permit_for_the_allowance_is_handed_over_alone_and_where_the_route_announces_it() {
    let permit = permit_of(&Payer::new(1).address.to_checksum());
    let beside = json!({"eip2612GasSponsoring": {"info": permit}});
    assert_eq!(handed_beside("/sponsored", |_| {}), Some(beside.clone()));
    let more = |permit: &mut Value| permit["more"] = json!("x".repeat(4_000));
    assert_eq!(handed_beside("/sponsored", more), Some(beside));
    let long = |permit: &mut Value| permit["nonce"] = json!("1".repeat(79));
    assert_eq!(handed_beside("/sponsored", long), None);
    assert_eq!(handed_beside("/bare", |_| {}), None);
}

//
#[test]
pub fn a_permit_that_can_be_of_no_use_to_its_payment_is_handed_to_nobody() {
    let other = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
    let beyond = "9".repeat(78);
    // The proxy takes a permit for the very amount.
    let all = "115792089237316195423570985008687907853269984665640564039457584007913129639935";
    for (member, value) in [
        ("from", other),
        ("asset", other),
        ("spender", other),
        ("amount", "9999"),
        ("amount", "10001"),
        ("amount", all),
        ("amount", "00"),
        ("amount", &beyond),
        ("nonce", &beyond),
        ("deadline", &beyond),
    ] {
        let wrong = |permit: &mut Value| permit[member] = json!(value);
        assert_eq!(handed_beside("/sponsored", wrong), None, "{member} {value}");
    }
    // However it is written.
    for (member, value) in [
        ("asset", "0x036cbd53842c5426634e7929541ec2318f3dcf7e"),
        ("amount", "0010000"),
        ("deadline", "0"),
    ] {
        let right = |permit: &mut Value| permit[member] = json!(value);
        let handed = handed_beside("/sponsored", right).unwrap();
        assert_eq!(handed["eip2612GasSponsoring"]["info"][member], value, "as it was signed");
    }
}
