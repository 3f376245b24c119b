//! A job by one request, as clients of the standards buy.

use farebox_core::compute::message::{Answer, Command};
use farebox_core::compute::row::HoldKind;
use farebox_core::encoding::base64;
use serde_json::{Value, json};

use super::world::{Told, World, payment, wallet};

fn buy(world: &mut World, payment: &str, prompt: &str) -> Answer {
    let (client, body) = ("10.0.0.1".to_owned(), world.order(9, prompt).to_string());
    world.send(Command::Buy { client, payment: payment.to_owned(), body })
}

#[test]
fn a_request_without_a_payment_is_quoted_and_the_same_with_one_goes_to_its_till() {
    let mut world = World::with_seller();
    let told = Told::of(buy(&mut world, "", "hello"));
    assert_eq!(told.code(), (402, "PAYMENT_REQUIRED"));
    let id = told.text("payment_id");
    // Asked again it is the same seat.
    assert_eq!(Told::of(buy(&mut world, "", "hello")).text("payment_id"), id);
    assert_eq!(buy(&mut world, &payment(9), "hello"), Answer::Till(id.clone()));
    let sold = Told::of(world.sold(&world.sale(&id, "rcpt_1", 9)));
    for _ in 0..4 {
        assert_eq!(buy(&mut world, &payment(9), "hello"), Answer::Till(id.clone()));
    }
    assert_eq!(world.rows.jobs.len(), 1);
    assert_eq!(world.rows.jobs[0].id, sold.text("job_id"));
}

#[test]
fn a_payment_buys_what_it_bought_before_whatever_was_quoted_since() {
    let mut world = World::with_seller();
    world.seller(2, "0.005");
    let first = Told::of(buy(&mut world, "", "hello")).text("payment_id");
    buy(&mut world, &payment(9), "hello");
    world.sold(&world.sale(&first, "rcpt_1", 9));
    let second = Told::of(buy(&mut world, "", "hello")).text("payment_id");
    assert_ne!(first, second);
    assert_eq!(buy(&mut world, &payment(9), "hello"), Answer::Till(first));
}

#[test]
pub fn a_payment_for_another_request_buys_nothing() {
    let mut world = World::with_seller();
    Told::of(buy(&mut world, "", "hello"));
    buy(&mut world, &payment(9), "hello");
    let told = Told::of(buy(&mut world, &payment(9), "another"));
    assert_eq!(told.code(), (409, "PAYMENT_ALREADY_VERIFIED"));
}

#[test]
fn a_payment_without_a_quote_in_time_is_told_the_terms() {
    let mut world = World::with_seller();
    let told = Told::of(buy(&mut world, &payment(9), "hello"));
    assert_eq!(told.code(), (402, "PAYMENT_REQUIRED"));
    world.now += 300_000;
    world.beat(1);
    let later = Told::of(buy(&mut world, &payment(9), "hello"));
    assert_eq!(later.code(), (402, "PAYMENT_REQUIRED"));
    assert_ne!(told.text("payment_id"), later.text("payment_id"));
    assert_eq!(world.rows.jobs.len(), 0);
}

#[test]
fn a_payer_that_is_not_the_buyer_is_refused() {
    let mut world = World::with_seller();
    Told::of(buy(&mut world, "", "hello"));
    let told = Told::of(buy(&mut world, &payment(8), "hello"));
    assert_eq!(told.code(), (400, "INVALID_BUYER_ADDRESS"));
}

#[test]
fn a_pretended_payment_is_a_member_of_the_body() {
    let mut world = World::of(HoldKind::Mock);
    world.seller(1, "0.005");
    let mut body = world.order(9, "hello");
    let send = |world: &mut World, body: &Value| {
        let (client, body) = ("10.0.0.1".to_owned(), body.to_string());
        Told::of(world.send(Command::Buy { client, payment: String::new(), body }))
    };
    assert_eq!(send(&mut world, &body).status, 402);
    body["tx_hash"] = json!("abc");
    assert_eq!(send(&mut world, &body).code(), (400, "INVALID_TX_HASH"));
    body["tx_hash"] = json!("0xabc123");
    assert_eq!(send(&mut world, &body).text("status"), "paid");
}

//
#[test]
pub fn what_the_chain_shows_of_a_payment_has_no_key_to_its_answer() {
    let world = World::new();
    let shown = |value: Value| base64::encode(value.to_string().as_bytes());
    let key = |payment: &str, is_verified: bool| key_of(&world, payment, is_verified, "10.0.0.1");
    let payload = json!({"authorization": {"from": wallet(9)}, "signature": "0x"});
    let first = shown(json!({"x402Version": 1, "payload": payload}));
    assert_eq!((key(&first, false), key(&shown(payload), false)), (None, None));
    assert!(key(&first, true).is_some());
    // Who asked for the same quote and read the chain can repeat it, but from another network.
    assert_ne!(key(&first, true), key_of(&world, &first, true, "10.9.9.9"));
    assert!(key(&payment(9), false).is_some());
    let challenge = format!("Payment {}", shown(json!({"challenge": {"id": "x"}})));
    assert!(key(&challenge, false).is_some());
    assert_ne!(key(&payment(9), false), key(&payment(8), false));
}

//
#[test]
pub fn who_was_told_the_same_quote_has_no_key_to_the_answer_of_its_payment() {
    let world = World::new();
    let payload = json!({"authorization": {"from": wallet(9)}, "signature": "0x"});
    let named = |id: &str| {
        let extensions = json!({"payment-identifier": {"info": {"required": false, "id": id}}});
        let message = json!({"x402Version": 2, "payload": payload, "extensions": extensions});
        base64::encode(message.to_string().as_bytes())
    };
    let challenge = base64::encode(json!({"challenge": {"id": "x"}}).to_string().as_bytes());
    for (shown, is_bound) in [
        // The same quote, with its terms, is told whoever asks for the same: the chain shows the rest.
        (payment(9), false),
        (named("too_short"), false),
        (named("pay_0123456789abcdef"), true),
        (format!("Payment {challenge}"), true),
    ] {
        for is_verified in [true, false] {
            let key = |client| key_of(&world, &shown, is_verified, client);
            assert!(key("10.0.0.1").is_some(), "its buyer has its answer again");
            assert_eq!(key("10.0.0.1") == key("10.9.9.9"), is_bound, "{shown} {is_verified}");
        }
    }
}

fn key_of(world: &World, payment: &str, is_verified: bool, client: &str) -> Option<String> {
    let (payment, body) = (payment.to_owned(), String::new());
    let asked = if is_verified {
        Command::Verify { payment, body }
    } else {
        Command::Buy { client: String::new(), payment, body }
    };
    world.gateway.till_key(&asked, client, "quote")
}
