//! Payments that are nearly right, shown to a whole gate in memory: what was not signed for this price and this payee moves
//! nothing and buys nothing.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use farebox_core::encoding::base64;
use farebox_core::gate::Gate;
use serde_json::Value;

use crate::dice::Dice;
use crate::driver::mutate::Material;
use crate::driver::notes::met;
use crate::driver::seeds;
use crate::world::payer::Payment;
use crate::world::{PAY_TO, With, World, get, mpp, paid};

static GATE: LazyLock<&'static Gate> = LazyLock::new(|| World::with_chain().gate);
const TARGETS: [&str; 4] = ["/after", "/before", "/unstored", "/sure/before"];
const LONGEST: usize = 4_096;
/// Pieces of payments.
static WORDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| seeds::words("payments"));

/// A few requests with payments, each changed or as it was signed.
pub fn nearly_right(bytes: &[u8]) {
    let mut dice = Dice::of(bytes);
    let mut world = World::around(&GATE);
    let target = dice.pick(&TARGETS);
    let signed: Vec<Payment> = (0..2).map(|_| world.sign(target)).collect();
    let mut delivered: BTreeMap<String, u32> = BTreeMap::new();
    for _ in 0..1 + dice.below(4) {
        let payment = dice.pick(&signed);
        let head = shown(&mut world, &payment, &mut dice);
        let response = world.send(head);
        met((response.status, response.problem()));
        if response.is_delivery() && response.headers.get("payment-replayed").is_none() {
            let (nonce, _) = world.facilitator.settles.last().expect("money was asked for").clone();
            assert!(world.facilitator.chain.is_paid(&nonce), "delivered, and nothing moved");
            *delivered.entry(nonce).or_default() += 1;
        }
        assert!(
            delivered.values().all(|count| *count == 1),
            "one payment, one delivery: {delivered:?}"
        );
        world.wait(dice.pick(&[0, 1, 70]));
    }
    let known: Vec<String> = signed.iter().map(|it| it.nonce.clone()).collect();
    for (nonce, body) in &world.facilitator.settles {
        assert!(known.contains(nonce), "{nonce} was never signed");
        authorizes(&serde_json::from_str(body).unwrap());
    }
    assert!(world.origin.calls.len() <= signed.len(), "the origin runs once for a payment");
}

/// A request with this payment in some form.
fn shown(world: &mut World, payment: &Payment, dice: &mut Dice) -> farebox_core::http::RequestHead {
    let payment = match dice.below(4) {
        0 => payment.by_mpp(&mpp::echo_of(&world.ask(&payment.target))),
        _ => payment.clone(),
    };
    if dice.below(4) == 0 {
        return paid(&payment);
    }
    let (scheme, token) = match payment.value.split_once(' ') {
        Some((scheme, token)) => (format!("{scheme} "), token),
        None => (String::new(), payment.value.as_str()),
    };
    let text = decoded_text(token);
    let inputs = [text];
    let material = Material { inputs: &inputs, words: &WORDS, longest: LONGEST };
    let changed = material.changed(&inputs[0], dice);
    let encoded =
        if scheme.is_empty() { base64::encode(&changed) } else { base64::encode_url(&changed) };
    let target = if dice.below(8) == 0 { "/dear" } else { &payment.target };
    let head = get(target).header(payment.header, &format!("{scheme}{encoded}"));
    match dice.below(8) {
        0 => head.header("x-payment", &payment.value),
        1 => head.header("authorization", &payment.value),
        _ => head,
    }
}

fn decoded_text(token: &str) -> Vec<u8> {
    base64::decode(token).or_else(|_| base64::decode_url(token)).unwrap()
}

/// Whether the payer signed for this, by another library: the token, the payee, the price and the nonce.
fn authorizes(request: &Value) {
    let (terms, payload) = (&request["paymentRequirements"], &request["paymentPayload"]["payload"]);
    let signed = &payload["authorization"];
    assert!(signed["to"].as_str().unwrap().eq_ignore_ascii_case(PAY_TO), "{request}");
    let price = terms.get("amount").or_else(|| terms.get("maxAmountRequired")).unwrap();
    assert_eq!(&signed["value"], price, "{request}");
    let field = |name: &str, kind: &str| serde_json::json!({"name": name, "type": kind});
    let typed = serde_json::json!({
        "types": {
            "EIP712Domain": [
                field("name", "string"), field("version", "string"), field("chainId", "uint256"),
                field("verifyingContract", "address"),
            ],
            "TransferWithAuthorization": [
                field("from", "address"), field("to", "address"), field("value", "uint256"),
                field("validAfter", "uint256"), field("validBefore", "uint256"), field("nonce", "bytes32"),
            ],
        },
        "primaryType": "TransferWithAuthorization",
        "domain": {"name": "USDC", "version": "2", "chainId": 84532, "verifyingContract": terms["asset"]},
        "message": signed,
    });
    let typed: alloy_dyn_abi::TypedData = serde_json::from_value(typed).unwrap();
    let signature: alloy_primitives::Signature =
        payload["signature"].as_str().unwrap().parse().unwrap();
    let digest = typed.eip712_signing_hash().unwrap();
    let signer = signature.recover_address_from_prehash(&digest).unwrap();
    let from: alloy_primitives::Address = signed["from"].as_str().unwrap().parse().unwrap();
    assert_eq!(signer, from, "{request}");
}
