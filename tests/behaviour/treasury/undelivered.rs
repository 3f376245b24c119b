//! Requests whose payment delivered nothing: the same bytes are sent again, and no other is signed.

use farebox_core::ledger::inquiry::finding::Finding;
use farebox_core::payment::TxHash;
use farebox_core::treasury::message::{Answer, Command, MerchantAnswer, Order};
use farebox_core::treasury::row::Money;
use serde_json::{Value, json};

use super::reports::prepared;
use super::world::{
    self, BUYER_KEY, START, TESTER_KEY, TRANSACTION, World, caller, lost, plain, settled,
};

/// A request that the merchant may be asked for twice.
pub fn request(amount: &str) -> Value {
    let mut body = world::request(amount);
    body["request"]["method"] = json!("GET");
    if let Some(request) = body["request"].as_object_mut() {
        request.remove("body");
    }
    body
}

pub fn keyed(amount: &str, key: &str) -> Value {
    let mut body = request(amount);
    body["idempotencyKey"] = json!(key);
    body
}

/// Answers that say nothing of the money.
fn refusals() -> Vec<Option<MerchantAnswer>> {
    let problem = r#"{"type":"urn:farebox:problem:insufficient_funds","status":402}"#;
    let mut typed = plain(402, problem);
    typed.headers.push(("content-type".to_owned(), "application/problem+json".to_owned()));
    let statuses = [301, 307, 400, 402, 403, 404, 409, 410, 422, 429, 451, 500, 502, 503, 504, 524];
    let mut all: Vec<_> = statuses.iter().map(|status| Some(plain(*status, "no"))).collect();
    all.extend([Some(typed), Some(settled(500, "no")), Some(settled(404, "no")), None]);
    all
}

pub fn answer(world: &mut World, order: &Order, with: Option<&MerchantAnswer>) -> Value {
    match with {
        Some(answer) => world.answered(order, answer.clone()).body,
        None => world.reply(lost(order)).body,
    }
}

#[test]
pub fn whatever_a_merchant_answers_one_request_is_charged_once() {
    for refusal in refusals() {
        for body in [request("10000"), keyed("10000", "k")] {
            let mut world = World::new();
            let order = world.order(&body);
            answer(&mut world, &order, refusal.as_ref());
            for _ in 0..3 {
                let again = world.order(&body);
                assert_eq!(again.headers, order.headers, "{refusal:?}");
                let told = answer(&mut world, &again, refusal.as_ref());
                assert_ne!(told["outcome"], "allow");
            }
            let again = world.order(&body);
            assert_eq!(world.answered(&again, settled(200, "here")).outcome().0, "allow");
            assert_eq!(world.rows.attempts.len(), 1, "{refusal:?}");
            // What was delivered is over.
            match body.get("idempotencyKey") {
                Some(_) => assert_eq!(world.told(&body).outcome().0, "allow"),
                None => assert!(matches!(world.ask(BUYER_KEY, &body), Answer::Send(_))),
            }
        }
    }
}

#[test]
fn what_a_merchant_refused_is_sent_again_whatever_its_method() {
    let mut world = World::new();
    let order = world.order(&world::keyed("10000", "k"));
    assert_eq!(order.method, "POST");
    world.answered(&order, plain(503, "later"));
    let again = world.order(&world::keyed("10000", "k"));
    assert_eq!(again.headers, order.headers);
    // Whether the merchant has acted is not known then.
    let told = world.reply(lost(&again));
    assert_eq!(told.outcome().0, "inconclusive");
    assert_eq!(world.told(&world::keyed("10000", "k")).text, told.text);
}

// A-583
#[test]
pub fn a_repeat_that_was_answered_and_refused_is_sent_again_whatever_its_method() {
    let busy = || {
        let problem = r#"{"type":"urn:farebox:problem:payment_in_progress","retryable":true}"#;
        let mut answer = plain(409, problem);
        answer.headers[0].1 = "application/problem+json".to_owned();
        answer.headers.push(("retry-after".to_owned(), "2".to_owned()));
        answer
    };
    for refusal in [busy(), plain(500, "no"), plain(503, "later")] {
        let mut world = World::new();
        let body = world::keyed("10000", "k");
        let first = world.order(&body);
        assert_eq!(first.method, "POST");
        // No answer came at first; those to the repeats deliver nothing.
        let (attempt, fence) = (first.attempt.clone(), first.fence);
        let answered = Command::Answered { attempt, fence, answer: refusal.clone(), sent: 6 };
        assert_eq!(world.reply(answered).outcome().0, "inconclusive");
        for _ in 0..3 {
            let again = world.order(&body);
            assert_eq!(again.headers, first.headers);
            assert_eq!(world.answered(&again, refusal.clone()).outcome().0, "inconclusive");
        }
        let again = world.order(&body);
        assert_eq!(world.answered(&again, settled(200, "here")).outcome().0, "allow");
        assert_eq!(world.rows.attempts.len(), 1);
    }
}

// A-603
#[test]
pub fn an_answer_that_cannot_be_read_may_be_a_delivery() {
    let mut world = World::new();
    let body = world::keyed("10000", "k");
    let order = world.order(&body);
    assert_eq!(order.method, "POST");
    // Another version finds the offer no more.
    world.rows.parcels.get_mut(&order.attempt).unwrap().offer = 9;
    let told = world.answered(&order, settled(200, "here"));
    assert_eq!(told.outcome().0, "inconclusive");
    assert!(world.rows.parcels.is_empty());
    assert_eq!(world.told(&body).text, told.text);
}

#[test]
fn an_agent_lists_what_it_has_paid_and_not_got() {
    let mut world = World::new();
    let order = world.order(&keyed("10000", "a"));
    world.answered(&order, settled(500, "no"));
    let order = world.order(&keyed("10000", "b"));
    world.answered(&order, settled(200, "here"));
    let token = world.token(BUYER_KEY);
    let told = world.reply(Command::Open(caller(&token)));
    let items = told.body["items"].as_array().unwrap();
    let seen: Vec<_> = items.iter().map(|it| [&it["idempotencyKey"], &it["money"]]).collect();
    assert_eq!(seen, [[&json!("a"), &json!("signed")]]);
    assert!(items[0]["receiptId"].is_string());
    let token = world.token(TESTER_KEY);
    assert_eq!(world.reply(Command::Open(caller(&token))).body, json!({"items": []}));
    assert_eq!(world.reply(Command::Open(caller("wrong"))).status, 401);
}

#[test]
pub fn an_answer_that_another_one_replaces_takes_no_room() {
    let mut world = World::new();
    let long = "x".repeat(20_000);
    let order = world.order(&keyed("10000", "k"));
    world.answered(&order, plain(200, &long));
    let kept = world.rows.kept_answers.clone();
    assert!(kept.bytes >= 20_000, "{kept:?}");
    for _ in 0..3 {
        let again = world.order(&keyed("10000", "k"));
        world.answered(&again, plain(200, &long));
        assert_eq!(world.rows.kept_answers.bytes, kept.bytes);
        assert_eq!(world.rows.kept_answers.agents, kept.agents);
    }
}

#[test]
pub fn who_asks_again_under_way_sends_nothing() {
    let mut world = World::new();
    let order = world.order(&request("10000"));
    world.answered(&order, plain(503, "later"));
    let again = world.order(&request("10000"));
    assert_eq!(world.told(&request("10000")).outcome().0, "executing");
    // The first sender's word counts no more.
    world.reply(lost(&order));
    assert_eq!(world.told(&request("10000")).outcome().0, "executing");
    assert_eq!(world.answered(&again, settled(200, "here")).outcome().0, "allow");
}

#[test]
pub fn what_was_paid_stays_known_when_it_is_sent_again() {
    let mut world = World::new();
    let order = world.order(&request("10000"));
    let told = world.answered(&order, settled(500, "broken"));
    assert_eq!(told.outcome().0, "paid_fulfillment_failed");
    let again = world.order(&request("10000"));
    let told = world.reply(lost(&again));
    assert_eq!(told.outcome().0, "paid_fulfillment_failed");
    assert!(told.body["receipt"].is_object());
}

#[test]
pub fn what_the_chain_shows_as_paid_is_sent_again_for_a_day_and_has_its_receipt() {
    let mut world = World::with_node();
    let body = keyed("10000", "k");
    let Answer::Prepare(preparation) = world.ask(BUYER_KEY, &body) else { panic!("not prepared") };
    let Answer::Send(order) = prepared(&mut world, &preparation, None) else { panic!("not sent") };
    let told = world.answered(&order, plain(504, "too late"));
    assert_eq!((told.outcome().0, told.body.get("receipt")), ("execution_failed", None));
    world.now += 60;
    let transaction = TxHash::parse(TRANSACTION).unwrap();
    let found = Finding::Transferred { transaction, block: 9, log_index: 0 };
    world.read(&order.attempt, order.fence, &found);
    assert_eq!(world.rows.attempts[&order.attempt].money, Money::Spent);
    let row = world.rows.decisions.values().next().unwrap().clone();
    let shown: Value = serde_json::from_str(&row.body).unwrap();
    assert_eq!(shown["receipt"]["status"], "confirmed");
    // Long after its end: a merchant that has taken it knows it.
    world.now = START + 80_000;
    let again = world.order(&body);
    assert_eq!(again.headers, order.headers);
    assert_eq!(world.answered(&again, plain(404, "gone")).outcome().0, "paid_fulfillment_failed");
    let again = world.order(&body);
    assert_eq!(world.answered(&again, settled(200, "here")).outcome().0, "allow");
    let receipt = world.rows.attempts[&order.attempt].receipt.clone().unwrap();
    assert_eq!((receipt.status.as_str(), receipt.on_chain), ("confirmed", true));
    assert!(world.rows.parcels.is_empty());
}

#[test]
fn a_day_after_what_was_paid_and_not_delivered_the_same_request_is_another_purchase() {
    let mut world = World::with_node();
    let Answer::Prepare(preparation) = world.ask(BUYER_KEY, &request("10000")) else { panic!() };
    let Answer::Send(order) = prepared(&mut world, &preparation, None) else { panic!() };
    world.answered(&order, plain(504, "too late"));
    let transaction = TxHash::parse(TRANSACTION).unwrap();
    let found = Finding::Transferred { transaction, block: 9, log_index: 0 };
    world.read(&order.attempt, order.fence, &found);
    world.now = START + 86_400;
    assert!(world.rows.decisions.values().all(|row| row.open));
    assert!(world.alarm().is_empty());
    assert!(world.rows.parcels.is_empty() && world.rows.decisions.values().all(|row| !row.open));
    assert!(matches!(world.ask(BUYER_KEY, &request("10000")), Answer::Prepare(_)));
    assert_eq!(world.rows.attempts.len(), 2);
}
