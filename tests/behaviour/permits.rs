//! Payments by Permit2: what is offered and accepted, that each is served once, and what the chain says of them.

use farebox_core::encoding::{base64, hex};
use farebox_core::gate::Gate;
use farebox_core::ledger::State;
use farebox_core::ledger::state::Why;
use farebox_core::payment::PaymentKey;
use serde_json::{Value, json};

use crate::world::chain::Chain;
use crate::world::facilitator::{Repeats, Settle, Verify};
use crate::world::payer::{Payer, Payment};
use crate::world::{CHAIN, Response, With, World, decoded, get, paid, vars};

const MODES: [&str; 2] = ["/after", "/before"];
/// A token without EIP-3009, and without a domain.
const PLAIN: &str = "0x33ad9e4BD16B69B5BFdED37D8B5D9fF9aba014Fb";

fn routes() -> Value {
    let mut routes = json!([
        {"path": "/after", "price": "$0.01"},
        {"path": "/before", "price": "$0.01", "settle": "before"},
        {"path": "/sure", "price": "$0.01", "confirm": "chain"},
        {"path": "/plain", "price": "$0.01", "asset": {"address": PLAIN, "decimals": 6}},
    ]);
    for route in routes.as_array_mut().unwrap() {
        route["asset_transfer_method"] = json!("permit2");
    }
    routes.as_array_mut().unwrap().push(json!({"path": "/token", "price": "$0.01"}));
    routes
}

fn world() -> World {
    let mut vars = vars(routes());
    vars["RPC_URL"] = json!("http://127.0.0.1:9002/");
    World::with(vars)
}

fn refused(response: &Response, status: u16, code: &str) {
    assert_eq!((response.status, response.problem().as_str()), (status, code));
}

/// The state of a permit's row.
fn state(world: &World, payment: &Payment) -> State {
    let nonce = hex::decode_array(&payment.nonce).unwrap();
    let key = PaymentKey::of_permit(CHAIN, &world.payer.address, &nonce);
    world.ledger.entry(&key.to_hex()).unwrap().state
}

/// A payment with a change to what was signed, signed again or not.
fn changed(world: &mut World, target: &str, again: bool, change: impl Fn(&mut Value)) -> Payment {
    let required = world.ask(target).payment_required();
    let (payer, now) = (world.payer.clone(), world.now().secs());
    world.payer.sign_with(&required, now, |message| {
        change(message);
        if again {
            let signature = payer.sign_permit(&message["payload"]["permit2Authorization"]);
            message["payload"]["signature"] = json!(signature);
        }
    })
}

#[test]
fn a_route_asks_for_a_permit_where_its_configuration_says_so() {
    let mut world = world();
    for (target, extra) in [
        ("/after", json!({"name": "USDC", "version": "2", "assetTransferMethod": "permit2"})),
        ("/plain", json!({"assetTransferMethod": "permit2"})),
    ] {
        let answer = world.ask(target);
        assert_eq!(answer.payment_required()["accepts"][0]["extra"], extra, "{target}");
        // Clients of version 1 and of MPP sign no permits.
        assert_eq!(answer.json()["accepts"], json!([]), "{target}");
        assert_eq!(answer.headers.get("www-authenticate"), None, "{target}");
    }
    let usual = world.ask("/token");
    assert_eq!(usual.payment_required()["accepts"][0]["extra"]["assetTransferMethod"], Value::Null);
    assert_eq!(usual.json()["accepts"].as_array().unwrap().len(), 1);
}

#[test]
fn a_known_token_without_eip_3009_is_paid_by_permits() {
    let mut vars = vars(json!([{"path": "/", "price": "$0.01"}]));
    vars["NETWORK"] = json!("eip155:4326");
    let mut world = World::with(vars);
    let offered = &world.ask("/").payment_required()["accepts"][0];
    assert_eq!(offered["asset"], "0xFAfDdbb3FC7688494971a79cc65DCa3EF82079E7");
    assert_eq!(offered["amount"], "10000000000000000");
    assert_eq!(offered["extra"]["assetTransferMethod"], "permit2");
}

#[test]
fn what_cannot_be_paid_by_a_permit_or_only_so_is_a_wrong_configuration() {
    let wrong = |set: &dyn Fn(&mut Value), at: &str| {
        let mut vars = vars(routes());
        set(&mut vars);
        let errors = Gate::from_vars(&vars.to_string()).err().unwrap_or_default();
        assert!(errors.iter().any(|error| error.to_string().contains(at)), "{at}: {errors:?}");
    };
    let method = "ROUTES[0].asset_transfer_method";
    wrong(&|vars| vars["ROUTES"][0]["asset_transfer_method"] = json!("permit"), method);
    wrong(&|vars| vars["ROUTES"][0]["asset_transfer_method"] = json!(true), method);
    wrong(&|vars| vars["ROUTES"][0]["protocols"] = json!(["mpp"]), "ROUTES[0].protocols");
    wrong(&|vars| vars["ROUTES"][3]["asset"]["name"] = json!("Half"), "ROUTES[3].asset");
    let mega = |vars: &mut Value| {
        vars["NETWORK"] = json!("eip155:4326");
        vars["ROUTES"] = json!([{"path": "/", "price": "$1", "asset_transfer_method": "eip3009"}]);
    };
    wrong(&mega, "ROUTES[0].asset");
    let solana = |vars: &mut Value| {
        vars["NETWORK"] = json!(["eip155:84532", "solana-devnet"]);
        vars["PAY_TO"] = json!({
            "eip155:84532": "0x209693Bc6afc0C5328bA36FaF03C514EF312287C",
            "solana-devnet": "7xKXtg2CW87d97TXJSDpbD5jBkheTqA83TZRuJosgAsU",
        });
        vars["ROUTES"] = json!([{"path": "/", "price": "$1", "asset_transfer_method": "permit2"}]);
    };
    wrong(&solana, method);
}

#[test]
fn a_permit_pays_and_the_facilitator_receives_its_own_members_alone() {
    for target in MODES {
        let mut world = world();
        let mut plain = Value::Null;
        let required = world.ask(target).payment_required();
        let now = world.now().secs();
        let payment = world.payer.sign_with(&required, now, |message| {
            plain = message["payload"].clone();
            let permit = &mut message["payload"]["permit2Authorization"];
            permit["junk"] = json!("x");
            permit["permitted"]["junk"] = json!("x");
            permit["witness"]["extra"] = json!("x");
            message["payload"]["junk"] = json!([1]);
        });
        let answer = world.present(&payment);
        assert!(answer.is_delivery(), "{target}");
        assert_eq!(answer.settlement()["payer"], world.payer.address.to_checksum());
        let (nonce, body) = &world.facilitator.settles[0];
        assert_eq!(*nonce, payment.nonce);
        let handed: Value = serde_json::from_str(body).unwrap();
        assert_eq!(handed["paymentPayload"]["payload"], plain, "{target}");
        assert_eq!(handed["paymentRequirements"], required["accepts"][0], "{target}");
        refused(&world.present(&payment), 409, "payment_already_delivered");
        assert_eq!(world.origin.calls.len(), 1);
    }
}

#[test]
pub fn one_nonce_of_permit2_is_served_once_whatever_it_is_signed_for() {
    for second in ["/before", "/plain"] {
        let mut world = world();
        let nonce = [[0, 0, 0, 1].as_slice(), &[7; 4], &[0; 24]].concat().try_into().unwrap();
        world.payer.bound = Some(nonce);
        let first = world.sign("/after");
        // Its settlement is in doubt while the second one comes.
        world.facilitator.settle_plan.extend([Settle::SilentBefore, Settle::SilentBefore]);
        refused(&world.present(&first), 503, "settlement_unknown");
        world.payer.bound = Some(nonce);
        world.wait(2);
        let other = world.sign(second);
        let answer = world.present(&other);
        assert!(!answer.is_delivery() && !answer.has_terms(), "{second}: {}", answer.problem());
        assert_eq!(world.origin.calls.len(), 1, "{second}");
    }
}

#[test]
pub fn a_permit_without_its_allowance_is_refused_and_nothing_is_in_doubt() {
    for target in MODES {
        let mut world = world();
        let payment = world.sign(target);
        let missing =
            r#"{"isValid":false,"invalidReason":"permit2_allowance_required","payer":""}"#;
        world.facilitator.verify_plan.push_back(Verify::Raw(412, missing.to_owned()));
        // Without the question before it the transaction fails, and no reason proves anything.
        let failed = r#"{"success":false,"errorReason":"invalid_exact_evm_transaction_failed","transaction":"","network":"eip155:84532"}"#;
        world.facilitator.settle_plan.extend(vec![Settle::Raw(200, failed.to_owned()); 2]);
        let answer = world.present(&payment);
        refused(&answer, 402, "verify_refused");
        assert_eq!(answer.payment_required()["error"], "permit2_allowance_required", "{target}");
        assert_eq!(world.facilitator.settles.len(), 0, "{target}");
        // Once it is allowed, the same payment buys.
        world.facilitator.settle_plan.clear();
        assert!(world.present(&payment).is_delivery(), "{target}");
    }
}

#[test]
fn a_second_signature_over_one_nonce_for_the_same_request_is_a_repeat_of_the_first() {
    for target in MODES {
        let mut world = world();
        let nonce = [[0, 0, 0, 1].as_slice(), &[7; 4], &[0; 24]].concat().try_into().unwrap();
        world.payer.bound = Some(nonce);
        let first = world.sign(target);
        world.facilitator.settle_plan.extend([Settle::SilentBefore, Settle::SilentBefore]);
        refused(&world.present(&first), 503, "settlement_unknown");
        world.payer.bound = Some(nonce);
        world.wait(2);
        let again = world.sign(target);
        assert_ne!(again.value, first.value);
        assert!(world.present(&again).is_delivery(), "{target}");
        let sent = &world.facilitator.settles;
        assert!(sent.iter().all(|(_, bytes)| *bytes == sent[0].1), "{target}");
        assert_eq!(world.origin.calls.len(), 1, "{target}");
    }
}

#[test]
pub fn a_permit_for_other_terms_buys_nothing() {
    let permit = "permit2Authorization";
    let other = "0x00000000000000000000000000000000000000aa";
    for target in MODES {
        for (path, value, code) in [
            ("/permitted/token", PLAIN, "terms_mismatch"),
            ("/permitted/amount", "9999", "amount_mismatch"),
            ("/permitted/amount", "10001", "amount_mismatch"),
            ("/witness/to", other, "recipient_mismatch"),
            ("/witness/validAfter", "1900000000", "not_yet_valid"),
            ("/spender", other, "terms_mismatch"),
            ("/deadline", "1800000005", "expired"),
            ("/deadline", "1900000000", "validity_too_long"),
        ] {
            for again in [true, false] {
                let mut world = world();
                let payment = changed(&mut world, target, again, |message| {
                    let permit = &mut message["payload"][permit];
                    *permit.pointer_mut(path).unwrap() = json!(value);
                });
                let answer = world.present(&payment);
                // What no longer is what its payer signed is told that, or what else is wrong.
                let codes = [code, if again { code } else { "signature_invalid" }];
                assert!(codes.contains(&answer.problem().as_str()), "{path} {}", answer.problem());
                assert_eq!(answer.status, 402, "{path}");
                assert!(world.origin.calls.is_empty() && world.facilitator.settles.is_empty());
            }
        }
    }
}

#[test]
fn permits_and_authorizations_pay_only_the_routes_that_ask_for_them() {
    let mut world = world();
    let (permits, tokens) = (world.ask("/after"), world.ask("/token"));
    let now = world.now().secs();
    let exchange = |world: &mut World, signed: &Value, offered: &Value| {
        let payment = world.payer.sign(signed, now);
        let mut message = decoded(&payment.value);
        message["accepted"] = offered["accepts"][0].clone();
        message["resource"] = offered["resource"].clone();
        let value = base64::encode(message.to_string().as_bytes());
        let target = offered["resource"]["url"].as_str().unwrap();
        let target = target.strip_prefix(crate::world::HOST).unwrap().to_owned();
        let answer = world.present(&Payment { value, target, ..payment });
        refused(&answer, 402, "terms_mismatch");
    };
    let (permits, tokens) = (permits.payment_required(), tokens.payment_required());
    exchange(&mut world, &permits, &tokens);
    exchange(&mut world, &tokens, &permits);
    // In version 1 it has no terms.
    let payment = world.payer.sign(&permits, now);
    let payload = &decoded(&payment.value)["payload"];
    let message = json!({
        "x402Version": 1, "scheme": "exact", "network": "base-sepolia", "payload": payload,
    });
    let head = get("/after").header("x-payment", &base64::encode(message.to_string().as_bytes()));
    refused(&world.send(head), 402, "terms_mismatch");
    assert!(world.origin.calls.is_empty() && world.facilitator.verified == 0);
}

#[test]
fn an_unknown_settlement_of_a_permit_is_looked_up_on_the_chain() {
    for target in ["/after", "/before", "/sure"] {
        let mut world = world();
        let payment = world.sign(target);
        world.facilitator.settle_plan.extend([Settle::SilentAfter, Settle::SilentBefore]);
        let answer = world.present(&payment);
        let served = if answer.is_delivery() { answer } else { later(&mut world, &payment) };
        assert!(served.is_delivery(), "{target}: {}", served.problem());
        assert!(world.facilitator.chain.is_paid(&payment.nonce), "{target}");
        assert_eq!(world.origin.calls.len(), 1, "{target}");
    }
}

// A-797
#[test]
pub fn a_facilitator_that_the_payer_of_an_exact_permit_has_not_signed_decides_nothing() {
    let hidden = json!({"a": "", "paymentRequirements": {"scheme": "upto", "x": {"amount": "1"}}});
    for facilitator in [json!(PLAIN), json!("x"), hidden, json!(7)] {
        for target in ["/after", "/before", "/sure"] {
            let mut world = world();
            let payment = changed(&mut world, target, false, |message| {
                let permit = &mut message["payload"]["permit2Authorization"];
                permit["witness"]["facilitator"] = facilitator.clone();
            });
            world.facilitator.settle_plan.extend([Settle::SilentAfter, Settle::SilentBefore]);
            let answer = world.present(&payment);
            let served = if answer.is_delivery() { answer } else { later(&mut world, &payment) };
            assert!(served.is_delivery(), "{target}: {}", served.problem());
            assert_eq!(world.origin.calls.len(), 1, "{target}");
            let handed: Value = serde_json::from_str(&world.facilitator.settles[0].1).unwrap();
            let witness = &handed["paymentPayload"]["payload"]["permit2Authorization"]["witness"];
            assert_eq!(witness["facilitator"], Value::Null, "{target}");
        }
    }
}

/// The payer's answer after the alarm has looked.
fn later(world: &mut World, payment: &Payment) -> Response {
    world.pass(120);
    let payer = Payer::new(1);
    let nonce = hex::decode_array(&payment.nonce).unwrap();
    let key = PaymentKey::of_permit(CHAIN, &payer.address, &nonce);
    let url = format!("{}{}", crate::world::HOST, payment.target);
    let statement = payer.statement(&key, "GET", &url, world.now().secs());
    world.send(paid(payment).header("farebox-redelivery", &statement))
}

/// A payment whose settle call gets no answer, after this happened on the chain; its state in the end.
fn after_doubt(target: &str, what: impl Fn(&mut Chain, &str)) -> (World, Payment) {
    let mut world = world();
    world.facilitator.repeats = Repeats::NonceUsed;
    let payment = world.sign(target);
    let silent = vec![Settle::SilentBefore; 9];
    world.facilitator.settle_plan.extend(silent);
    refused(&world.present(&payment), 503, "settlement_unknown");
    what(&mut world.facilitator.chain, &payment.nonce);
    world.pass(90_000);
    (world, payment)
}

#[test]
fn a_permit_that_was_never_settled_is_void_after_its_deadline() {
    for target in MODES {
        let (world, payment) = after_doubt(target, |_, _| {});
        assert_eq!(state(&world, &payment), State::Void, "{target}");
    }
}

// A-218
#[test]
pub fn a_permit_in_the_data_of_another_transfer_is_no_payment() {
    for target in MODES {
        let (mut world, payment) = after_doubt(target, |chain, nonce| {
            chain.pretend(nonce);
        });
        let found = state(&world, &payment);
        let looked_at = matches!(found, State::Manual { why: Why::PaidBefore, .. });
        assert!(looked_at, "{target}: {found:?}");
        refused(&later(&mut world, &payment), 409, "under_review");
        let served = usize::from(target == "/after");
        assert_eq!(world.origin.calls.len(), served, "{target}");
    }
}

#[test]
fn an_invalidated_nonce_beside_an_ordinary_payment_is_no_payment() {
    for target in MODES {
        let (mut world, payment) = after_doubt(target, |chain, nonce| {
            chain.cancel(nonce);
            chain.transfer(nonce);
        });
        let found = state(&world, &payment);
        assert!(matches!(found, State::Manual { why: Why::Overdue, .. }), "{target}: {found:?}");
        refused(&later(&mut world, &payment), 409, "under_review");
    }
}

#[test]
fn a_permit_that_another_party_settled_is_captured() {
    for target in MODES {
        let (mut world, payment) = after_doubt(target, |chain, nonce| {
            chain.submit(nonce);
        });
        let found = state(&world, &payment);
        let owed = matches!(found, State::RefundDue { .. } | State::Delivered { .. });
        assert!(owed || later(&mut world, &payment).is_delivery(), "{target}: {found:?}");
    }
}
