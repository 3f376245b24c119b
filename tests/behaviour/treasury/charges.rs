//! MPP charges, and merchants that ask anew each time.

use farebox_core::treasury::message::{Answer, Operation, Order};
use farebox_core::treasury::row::Stage;
use serde_json::{Value, json};

use super::world::{
    BUYER_KEY, MERCHANT, START, World, accept, keyed, lost, request, terms, variables,
};
use crate::mpp_client;

/// A world whose merchant speaks MPP.
fn shop() -> World {
    let mut variables = variables();
    variables["ORGANIZATIONS"][0]["policy"] = json!({"allowedOrigins": ["https://shop.example"]});
    World::of(&variables)
}

/// A request of the buyer, answered with the challenge of this id.
fn charged(id: &str) -> Value {
    let challenge = mpp_client::challenge(id, &mpp_client::request(), r#"method="evm""#);
    json!({
        "context": {"organization": "acme", "agent": "buyer"},
        "request": {"url": "https://shop.example/report", "method": "GET"},
        "challenge": {"protocol": "x402", "headers": {"www-authenticate": challenge}},
    })
}

// A-576
#[test]
pub fn a_review_of_a_charge_is_about_it_at_whatever_second_it_is_asked_for() {
    let mut variables = variables();
    variables["ORGANIZATIONS"][0]["policy"] = json!({
        "allowedOrigins": ["https://shop.example"], "reviewAbove": {"USDC": "0.00"},
    });
    let mut world = World::of(&variables);
    let asks = |id: &str, expires: &str| {
        let more = format!(r#"method="evm", expires="2026-03-10T12:{expires}Z""#);
        let challenge = mpp_client::challenge(id, &mpp_client::request(), &more);
        let mut body = charged(id);
        body["challenge"]["headers"]["www-authenticate"] = json!(challenge);
        body["idempotencyKey"] = json!("k");
        body
    };
    let first = world.told(&asks("one", "05:00"));
    let review = first.text("policyReviewEventId").to_owned();
    // The same challenge half a minute later, and one that was made since by a clock that differs.
    world.now += 30;
    assert_eq!(world.told(&asks("one", "05:00")).text, first.text);
    assert_eq!(world.told(&asks("two", "05:31")).text, first.text);
    assert_eq!(world.rows.reviews.len(), 1);
    assert_eq!(world.operate(Operation::Approve(review)).status, 200);
    world.now += 3_000;
    let order = world.order(&asks("three", "55:27"));
    assert_eq!(credentials(&order), 1);
    assert_eq!((world.rows.reviews.len(), world.rows.attempts.len()), (1, 1));
}

fn credentials(order: &Order) -> usize {
    order.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("authorization")).count()
}

// A-247
#[test]
pub fn a_fresh_challenge_for_an_open_payment_is_not_paid() {
    let mut world = shop();
    let order = world.order(&charged("one"));
    assert_eq!(credentials(&order), 1);
    assert_eq!(world.told(&charged("two")).outcome().0, "executing");
    let told = world.reply(lost(&order));
    assert_eq!(told.outcome().0, "inconclusive");
    for id in ["one", "two", "three"] {
        let again = world.order(&charged(id));
        assert_eq!(again.headers, order.headers, "the same bytes");
        assert_eq!(world.reply(lost(&again)).text, told.text);
    }
    assert_eq!(world.rows.attempts.len(), 1);
}

// A-746
#[test]
pub fn a_purchase_is_known_by_the_url_that_was_asked_for_wherever_that_is_redirected() {
    for key in [None, Some("k")] {
        let mut world = World::new();
        let to = |page: u32, body: &str| {
            let mut asked = key.map_or_else(|| request("10000"), |key| keyed("10000", key));
            asked["request"]["askedUrl"] = json!(MERCHANT);
            asked["request"]["url"] = json!(format!("{MERCHANT}/{page}"));
            asked["request"]["body"] = json!(body);
            asked
        };
        let order = world.order(&to(1, "one"));
        let told = world.reply(lost(&order));
        for page in [2, 3] {
            assert_eq!(world.told(&to(page, "one")).text, told.text);
        }
        assert_eq!((world.rows.attempts.len(), order.url), (1, format!("{MERCHANT}/1")));
        let another = world.ask(BUYER_KEY, &to(1, "two"));
        assert_eq!(matches!(another, Answer::Send(_)), key.is_none());
    }
}

// A-247
#[test]
pub fn a_merchant_that_asks_for_more_each_time_is_paid_once() {
    let mut world = World::new();
    let order = world.order(&request("10000"));
    let told = world.reply(lost(&order));
    for amount in ["10001", "9999", "20000"] {
        assert_eq!(world.told(&request(amount)).text, told.text);
    }
    let mut elsewhere = request("10000");
    let mut other = accept("10000");
    other["payTo"] = json!("0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC");
    elsewhere["challenge"]["headers"]["payment-required"] = json!(terms(&[other]));
    assert_eq!(world.told(&elsewhere).text, told.text);
    assert_eq!(world.rows.attempts.len(), 1);
    let mut another = request("10001");
    another["request"]["body"] = json!("another");
    assert!(matches!(world.ask(BUYER_KEY, &another), Answer::Send(_)));
}

#[test]
pub fn without_a_node_an_open_payment_answers_until_its_authorization_has_ended() {
    let mut world = World::new();
    let order = world.order(&request("10000"));
    let told = world.reply(lost(&order));
    let end = world.rows.attempts.values().next().unwrap().valid_before;
    assert!(end > START);
    world.now = end + 59;
    assert_eq!(world.told(&request("10000")).text, told.text);
    world.now = end + 60;
    assert!(matches!(world.ask(BUYER_KEY, &request("10000")), Answer::Send(_)));
}

#[test]
pub fn a_charge_is_paid_once_and_its_challenge_answered_for_ever() {
    let mut world = shop();
    let order = world.order(&charged("one"));
    let told = world.answered(&order, super::world::proven(200, "report"));
    assert_eq!(told.outcome(), ("allow", "policy_allow"));
    assert_eq!(world.told(&charged("one")).text, told.text);
    assert!(matches!(world.ask(BUYER_KEY, &charged("two")), Answer::Send(_)));
    assert!(world.rows.decisions.values().any(|row| row.stage == Stage::Final));
}
