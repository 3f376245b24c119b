//! What the operator's webhook is told: each thing once.

use farebox_core::ledger::inquiry::finding::Finding;
use farebox_core::payment::TxHash;
use farebox_core::time::UnixTime;
use farebox_core::treasury::message::{Answer, Command, Operation, Order};
use farebox_core::treasury::row::Money;
use farebox_core::treasury::{Job, Treasury};
use serde_json::{Value, json};

use super::world::{
    BUYER_KEY, MERCHANT, PAYEE, TRANSACTION, World, keyed, lost, payer, plain, request, settled,
    with_settlement,
};
use super::{payouts, undelivered};

/// The notices of a kind, as they are sent.
fn told(world: &World, kind: &str) -> Vec<Value> {
    let of = world.rows.outbox.iter().filter(|notice| notice.kind == kind);
    let bodies: Vec<Value> = of.map(|it| serde_json::from_str(&it.body).unwrap()).collect();
    assert!(bodies.iter().all(|body| body["type"] == kind && body["at"].is_string()));
    assert!(bodies.iter().all(|body| body["organization"] == "acme"), "{bodies:?}");
    bodies
}

/// A payment that is sent, where a node is asked before.
fn sent(world: &mut World, body: &Value) -> Order {
    let Answer::Prepare(asked) = world.ask(BUYER_KEY, body) else { panic!("nothing begins") };
    let (attempt, fence) = (asked.attempt, asked.fence);
    match world.send(Command::Prepared { attempt, fence, signature: None, balance: None }) {
        Answer::Send(order) => *order,
        other => panic!("nothing is sent: {other:?}"),
    }
}

#[test]
fn a_budget_without_room_is_told_once_in_each_window() {
    let mut world = World::new();
    for key in ["a", "b"] {
        world.told(&keyed("9000000", key));
    }
    let budget = json!({
        "scope": "organization", "agent": null, "asset": "USDC", "window": "month",
        "since": "2026-03-01T00:00:00Z", "limit": "5", "counted": "0", "requested": "9",
    });
    assert_eq!(told(&world, "budget.exhausted")[0]["budget"], budget);
    assert_eq!(told(&world, "budget.exhausted").len(), 1);
    world.now += 31 * 86_400;
    world.told(&keyed("9000000", "c"));
    assert_eq!(told(&world, "budget.exhausted").len(), 2);
    let mut world = payouts::world();
    for _ in 0..2 {
        let body = payouts::payout("2", "rent").to_string();
        world.operate(Operation::PayOut(body));
    }
    let of_payouts = told(&world, "budget.exhausted");
    assert_eq!((of_payouts.len(), &of_payouts[0]["budget"]["scope"]), (1, &json!("payouts")));
}

#[test]
fn a_wallet_that_is_short_is_told_once_a_day() {
    let mut world = World::with_node();
    for key in ["a", "b"] {
        let Answer::Prepare(asked) = world.ask(BUYER_KEY, &keyed("10000", key)) else { panic!() };
        let (attempt, fence) = (asked.attempt, asked.fence);
        let balance = Some(format!(r#"[{{"jsonrpc":"2.0","id":1,"result":"0x{:064x}"}}]"#, 7));
        world.reply(Command::Prepared { attempt, fence, signature: None, balance });
    }
    let notices = told(&world, "wallet.short");
    let wallet = &notices[0]["wallet"];
    assert_eq!(notices.len(), 1);
    assert_eq!((&wallet["name"], &wallet["address"]), (&json!("main"), &json!(payer())));
    assert_eq!((&wallet["required"], &wallet["available"]), (&json!("0.01"), &json!("0.000007")));
}

#[test]
fn a_payment_without_a_known_outcome_is_told_after_an_hour_and_at_once_without_a_node() {
    let mut world = World::with_node();
    let order = sent(&mut world, &keyed("10000", "k"));
    let (attempt, fence) = (order.attempt.clone(), order.fence);
    world.reply(Command::Lost { attempt, fence, sent: true });
    world.alarm();
    assert!(told(&world, "decision.inconclusive").is_empty());
    for _ in 0..3 {
        world.now += 3600;
        world.alarm();
    }
    let notices = told(&world, "decision.inconclusive");
    assert_eq!((notices.len(), &notices[0]["decision"]["outcome"]), (1, &json!("inconclusive")));
    assert_eq!(notices[0]["decision"]["requestUrl"], MERCHANT);
    let mut world = World::new();
    let order = world.order(&keyed("10000", "k"));
    let (attempt, fence) = (order.attempt.clone(), order.fence);
    world.reply(Command::Lost { attempt, fence, sent: true });
    assert_eq!(told(&world, "decision.inconclusive")[0]["decision"]["openBecause"], "no_node");
}

// A-437
#[test]
pub fn a_node_that_is_missing_from_the_settings_for_a_while_is_asked_again() {
    let found = |block| {
        let transaction = TxHash::parse(TRANSACTION).unwrap();
        Finding::Transferred { transaction, block, log_index: 0 }
    };
    // Another network has its node still.
    let of = |node: Value| {
        let mut variables = payouts::variables_of_payouts();
        variables["RPC_URL"] = node;
        Treasury::from_vars(&variables.to_string()).unwrap()
    };
    let mut world = payouts::world();
    let order = payouts::order(&mut world, &payouts::payout("0.25", "rent"));
    world.treasury = of(json!({"base": "https://node.example.com"}));
    world.answered(&order, payouts::success());
    for _ in 0..3 {
        world.now += 3_700;
        assert!(world.alarm().is_empty());
    }
    world.treasury = of(json!("https://node.example.com"));
    world.now += 4 * 3_600;
    let jobs = world.alarm();
    let [Job::Read { attempt, fence, .. }] = jobs.as_slice() else { panic!("{jobs:?}") };
    world.read(attempt, *fence, &found(9));
    assert_eq!(world.rows.attempts[&order.attempt].money, Money::Spent);
    // What was read once stands for its request meanwhile.
    let mut world = World::with_node();
    let body = undelivered::request("10000");
    let order = sent(&mut world, &body);
    world.reply(lost(&order));
    world.now += 60;
    assert_eq!(world.alarm().len(), 1);
    world.treasury = World::new().treasury;
    world.now += 3_600;
    assert!(world.alarm().is_empty());
    assert_eq!(world.told(&body).outcome().0, "inconclusive");
    world.treasury = World::with_node().treasury;
    world.now += 2 * 3_600;
    assert!(matches!(world.alarm().as_slice(), [Job::Read { .. }]));
    world.read(&order.attempt, order.fence, &found(9));
    assert_eq!(world.rows.attempts[&order.attempt].money, Money::Spent);
    // Where there never was a node, nothing is looked for.
    let mut world = World::new();
    let order = world.order(&body);
    world.reply(lost(&order));
    world.now += 3_600;
    assert!(world.alarm().is_empty());
    assert_eq!(world.rows.attempts[&order.attempt].due, None);
    assert!(matches!(world.ask(BUYER_KEY, &body), Answer::Send(_)));
}

// A-460
#[test]
pub fn a_payment_whose_network_has_no_node_leaves_its_room_when_it_has_ended() {
    let mut variables = super::world::variables();
    variables["RPC_URL"] = json!({"base": "https://node.example.com"});
    let mut world = World::of(&variables);
    let order = world.order(&undelivered::request("10000"));
    world.reply(lost(&order));
    world.now = world.rows.attempts[&order.attempt].valid_before + 59;
    assert!(world.alarm().is_empty());
    assert!(world.rows.open.contains(&order.attempt));
    world.now += 1;
    assert!(world.alarm().is_empty());
    assert!(world.rows.open.is_empty());
    // It is read nevertheless once there is a node.
    world.treasury = World::with_node().treasury;
    world.now += 3_700;
    assert!(matches!(world.alarm().as_slice(), [Job::Read { .. }]));
}

#[test]
fn a_receipt_whose_payment_never_came_is_told() {
    let mut world = World::with_node();
    let order = sent(&mut world, &keyed("10000", "k"));
    world.answered(&order, settled(200, "x"));
    world.now += 400;
    let safe_time = Some(UnixTime::from_secs(world.now));
    world.read(&order.attempt, order.fence, &Finding::Unused { safe_time });
    let notices = told(&world, "receipt.expired_unconfirmed");
    assert_eq!((notices.len(), &notices[0]["receipt"]["amount"]), (1, &json!("0.010000")));
    assert!(told(&world, "payout.failed").is_empty());
}

#[test]
fn a_settlement_that_contradicts_the_payment_or_the_chain_is_a_conflict() {
    let mut world = World::new();
    let order = world.order(&request("10000"));
    let lie = json!({"success": true, "network": super::world::NETWORK, "payer": PAYEE, "transaction": TRANSACTION});
    let decision = world.answered(&order, with_settlement(200, "here", &lie));
    assert_eq!(decision.outcome(), ("allow", "settlement_proof_conflict"));
    assert_eq!(decision.body["receipt"]["settlementEvidenceClass"], "none");
    assert_eq!(told(&world, "settlement.conflict").len(), 1);
    let mut world = World::with_node();
    let order = sent(&mut world, &keyed("10000", "k"));
    world.answered(&order, settled(200, "x"));
    let other = TxHash::parse(&format!("0x{}", "22".repeat(32))).unwrap();
    let found = Finding::Transferred { transaction: other, block: 9, log_index: 0 };
    world.read(&order.attempt, order.fence, &found);
    let notices = told(&world, "settlement.conflict");
    assert_eq!(notices[0]["settlement"]["transaction"], other.to_text());
    let mut world = World::with_node();
    let order = sent(&mut world, &keyed("10000", "k"));
    world.answered(&order, settled(200, "x"));
    let transaction = TxHash::parse(TRANSACTION).unwrap();
    world.read(&order.attempt, order.fence, &Finding::Unconfirmed { transaction });
    world.read(
        &order.attempt,
        order.fence,
        &Finding::Transferred { transaction, block: 9, log_index: 0 },
    );
    assert!(told(&world, "settlement.conflict").is_empty());
    assert_eq!(world.buy_plainly(), ("allow".to_owned(), "policy_allow".to_owned()));
}

#[test]
fn who_is_disabled_and_what_is_taken_back_is_told_once() {
    let mut world = World::new();
    for _ in 0..2 {
        world.operate(Operation::RevokeKey("buyerkey".to_owned()));
        world.operate(Operation::DisableAgent("buyer".to_owned()));
    }
    assert_eq!(told(&world, "key.revoked")[0]["key"], json!({"id": "buyerkey", "agent": "buyer"}));
    assert_eq!(told(&world, "agent.disabled")[0]["agent"], json!({"name": "buyer"}));
    assert_eq!((told(&world, "key.revoked").len(), told(&world, "agent.disabled").len()), (1, 1));
}

// A-491
#[test]
pub fn each_notice_names_its_organization() {
    let mut world = World::new();
    world.told(&keyed("9000000", "a"));
    world.operate(Operation::RevokeKey("buyerkey".to_owned()));
    world.operate(Operation::DisableAgent("buyer".to_owned()));
    for kind in ["budget.exhausted", "key.revoked", "agent.disabled"] {
        assert_eq!(told(&world, kind).len(), 1, "{kind}");
    }
}

impl World {
    /// Outcome and code of a payment whose merchant delivers and names no settlement.
    fn buy_plainly(&mut self) -> (String, String) {
        let order = sent(self, &keyed("10000", "plain"));
        let decision = self.answered(&order, plain(200, "x"));
        let (outcome, code) = decision.outcome();
        (outcome.to_owned(), code.to_owned())
    }
}
