//! Requests whose payment delivered without its receipt: it is open like one that delivered nothing,
//! until a receipt, the chain or the end of its authorization closes it.

use farebox_core::ledger::inquiry::finding::Finding;
use farebox_core::payment::TxHash;
use farebox_core::time::UnixTime;
use farebox_core::treasury::message::{Answer, Command, MerchantAnswer, Order};
use farebox_core::treasury::row::Money;
use serde_json::{Value, json};

use super::reports::prepared;
use super::undelivered::{answer, keyed, request};
use super::world::{
    self, BUYER_KEY, NETWORK, TRANSACTION, World, caller, plain, settled, with_settlement,
};

/// Deliveries that prove no settlement: without a word of it, empty, and with that of another payer.
fn unproven() -> [MerchantAnswer; 3] {
    let other = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
    let lie =
        json!({"success": true, "network": NETWORK, "payer": other, "transaction": TRANSACTION});
    [plain(200, "here"), plain(204, ""), with_settlement(200, "here", &lie)]
}

/// The only decision, as its agent is told of it.
fn decided(world: &World) -> Value {
    let [row] = world.rows.decisions.values().collect::<Vec<_>>()[..] else { panic!("not one") };
    serde_json::from_str(&row.body).unwrap()
}

/// What the buyer lists as open.
fn open(world: &mut World) -> Vec<Value> {
    let token = world.token(BUYER_KEY);
    world.reply(Command::Open(caller(&token))).body["items"].as_array().unwrap().clone()
}

/// A payment that is sent, in a world with a node.
fn sent(world: &mut World, body: &Value) -> Order {
    let Answer::Prepare(preparation) = world.ask(BUYER_KEY, body) else { panic!("not prepared") };
    let Answer::Send(order) = prepared(world, &preparation, None) else { panic!("not sent") };
    *order
}

#[test]
pub fn content_without_its_receipt_is_charged_once_whatever_is_asked_again() {
    for delivery in unproven() {
        for body in [request("10000"), keyed("10000", "k")] {
            let mut world = World::new();
            let order = world.order(&body);
            let told = world.answered(&order, delivery.clone());
            assert_eq!(
                (told.outcome().0, told.body["receipt"]["settlementEvidenceClass"].as_str()),
                ("allow", Some("none"))
            );
            assert_eq!(told.body["merchantResponse"]["status"], delivery.status);
            for again in [Some(delivery.clone()), Some(plain(402, "used")), None] {
                let order_again = world.order(&body);
                assert_eq!(order_again.headers, order.headers, "{delivery:?}");
                answer(&mut world, &order_again, again.as_ref());
            }
            let [item] = &open(&mut world)[..] else { panic!("it is not listed") };
            assert_eq!(
                [&item["outcome"], &item["money"], &item["open"]],
                [&json!("allow"), &json!("signed"), &json!(true)]
            );
            // The receipt came at last.
            let again = world.order(&body);
            let told = world.answered(&again, settled(200, "with its receipt"));
            assert_eq!(told.body["merchantResponse"]["body"], "with its receipt");
            assert_eq!((world.rows.attempts.len(), open(&mut world).len()), (1, 0));
            assert!(world.rows.parcels.is_empty());
            match body.get("idempotencyKey") {
                Some(_) => assert_eq!(world.told(&body).text, told.text),
                None => assert!(matches!(world.ask(BUYER_KEY, &body), Answer::Send(_))),
            }
        }
    }
}

#[test]
pub fn what_was_delivered_stays_told_whatever_a_repeat_brings() {
    let mut world = World::new();
    let long = "x".repeat(20_000);
    let order = world.order(&request("10000"));
    let told = world.answered(&order, plain(200, &long));
    let kept = world.rows.kept_answers.bytes;
    assert!(kept >= 20_000, "{kept}");
    for refusal in [Some(plain(402, "used")), Some(plain(500, "no")), None] {
        let again = world.order(&request("10000"));
        // Who asks meanwhile has it, too.
        assert_eq!(world.told(&request("10000")).text, told.text);
        assert_eq!(answer(&mut world, &again, refusal.as_ref()), told.body, "{refusal:?}");
        assert_eq!(world.rows.kept_answers.bytes, kept);
    }
    // Another delivery takes its place.
    let again = world.order(&request("10000"));
    let other = world.answered(&again, plain(200, &"y".repeat(20_000)));
    assert_eq!(other.body["merchantResponse"]["body"], "y".repeat(20_000));
    assert_eq!(world.rows.kept_answers.bytes, kept);
    // A refusal with the settlement is the receipt that was missing.
    let again = world.order(&request("10000"));
    let told = world.answered(&again, settled(409, "delivered before"));
    assert_eq!(
        (told.outcome().0, &told.body["merchantResponse"]),
        ("allow", &other.body["merchantResponse"])
    );
    assert_eq!(
        [&told.body["receipt"]["settlementIdentifier"], &told.body["receipt"]["fulfillmentStatus"]],
        [TRANSACTION, "succeeded"]
    );
    assert!(matches!(world.ask(BUYER_KEY, &request("10000")), Answer::Send(_)));
}

#[test]
fn what_a_merchant_has_done_by_another_method_than_get_is_not_asked_for_twice() {
    for body in [world::request("10000"), world::keyed("10000", "k")] {
        let mut world = World::new();
        let order = world.order(&body);
        assert_eq!(order.method, "POST");
        let told = world.answered(&order, plain(200, "ordered"));
        assert_eq!(world.told(&body).text, told.text);
        assert_eq!((world.rows.attempts.len(), open(&mut world).len()), (1, 1));
    }
}

#[test]
pub fn content_without_its_receipt_is_over_once_the_chain_has_confirmed_it() {
    for body in [request("10000"), keyed("10000", "k"), world::request("10000")] {
        let mut world = World::with_node();
        let order = sent(&mut world, &body);
        let told = world.answered(&order, plain(200, "here"));
        assert_eq!(told.body["receipt"].get("settlementIdentifier"), None);
        let transaction = TxHash::parse(TRANSACTION).unwrap();
        world.read(&order.attempt, order.fence, &Finding::Unconfirmed { transaction });
        let shown = decided(&world)["receipt"].clone();
        assert_eq!(
            [&shown["settlementIdentifier"], &shown["status"]],
            [TRANSACTION, "provisional"]
        );
        // One block closes nothing: it may be forgotten.
        let mut fence = order.fence;
        if order.method == "GET" {
            let again = world.order(&body);
            assert_eq!(again.headers, order.headers);
            world.answered(&again, plain(200, "here"));
            fence = again.fence;
        }
        assert_eq!(open(&mut world).len(), 1);
        let found = Finding::Transferred { transaction, block: 9, log_index: 0 };
        world.read(&order.attempt, fence, &found);
        let shown = decided(&world);
        let receipt = &shown["receipt"];
        assert_eq!(
            [&receipt["settlementIdentifier"], &receipt["status"], &receipt["fulfillmentStatus"]],
            [TRANSACTION, "confirmed", "succeeded"]
        );
        assert_eq!(shown["merchantResponse"]["body"], "here");
        assert_eq!(open(&mut world), [] as [Value; 0]);
        assert!(world.rows.parcels.is_empty());
        assert_eq!(world.rows.attempts[&order.attempt].due, None);
        match body.get("idempotencyKey") {
            Some(_) => assert_eq!(world.told(&body).body, shown),
            None => assert!(matches!(world.ask(BUYER_KEY, &body), Answer::Prepare(_))),
        }
    }
}

#[test]
fn content_without_its_receipt_is_over_once_its_authorization_is_dead() {
    let mut world = World::with_node();
    let order = sent(&mut world, &request("10000"));
    world.answered(&order, plain(200, "here"));
    let end = world.rows.attempts[&order.attempt].valid_before;
    world.now = end + 600;
    // Unused, but not so in a safe block: it may still be in one.
    world.read(&order.attempt, order.fence, &Finding::Unused { safe_time: None });
    assert_eq!(world.told(&request("10000")).body["merchantResponse"]["body"], "here");
    let safe_time = Some(UnixTime::from_secs(end + 600));
    world.read(&order.attempt, order.fence, &Finding::Unused { safe_time });
    assert_eq!(world.rows.attempts[&order.attempt].money, Money::Void);
    assert_eq!(decided(&world)["receipt"]["status"], "expired_unconfirmed");
    assert!(matches!(world.ask(BUYER_KEY, &request("10000")), Answer::Prepare(_)));

    let mut world = World::new();
    let order = world.order(&request("10000"));
    let told = world.answered(&order, plain(200, "here"));
    let end = world.rows.attempts[&order.attempt].valid_before;
    world.now = end + 59;
    assert_eq!(world.told(&request("10000")).text, told.text);
    world.now = end + 60;
    assert!(world.alarm().is_empty());
    assert!(world.rows.parcels.is_empty() && open(&mut world).is_empty());
    assert!(matches!(world.ask(BUYER_KEY, &request("10000")), Answer::Send(_)));
}

#[test]
fn two_deliveries_with_receipts_are_two_charges_and_twenty_at_once_are_twenty() {
    let mut world = World::new();
    for count in 1..=2 {
        world.buy(&request("10000"));
        assert_eq!(world.rows.attempts.len(), count);
    }
    let orders: Vec<_> =
        (0..20).map(|turn| world.order(&keyed("10000", &format!("{turn}")))).collect();
    for order in &orders {
        assert_eq!(world.answered(order, settled(200, "here")).outcome().0, "allow");
    }
    assert_eq!(world.rows.attempts.len(), 22);
}
