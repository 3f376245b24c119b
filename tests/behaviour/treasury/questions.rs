//! Questions that change nothing, and what programs read of a denial.

use farebox_core::treasury::message::{Caller, Command};
use serde_json::json;

use super::world::{BUYER_KEY, Told, World, caller, keyed, plain, settled};

fn header<'a>(told: &'a Told, name: &str) -> Option<&'a str> {
    told.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

fn known(world: &mut World, agent: &str, key: &str) -> Told {
    world.reply(Command::Known { agent: agent.to_owned(), key: key.to_owned() })
}

#[test]
pub fn a_runtime_token_says_whose_it_is_whatever_the_version_of_the_client() {
    let mut world = World::new();
    let token = world.token(BUYER_KEY);
    let asked = Caller { version: None, ..caller(&token) };
    let told = world.reply(Command::Identify(asked));
    assert_eq!(
        (told.status, told.body),
        (200, json!({"organization": "acme", "agent": "buyer", "environment": "test"}))
    );
    for wrong in [BUYER_KEY, "fbt_acme_abcd_0123456789abcdef0123456789abcdef"] {
        assert_eq!(world.reply(Command::Identify(caller(wrong))).status, 401, "{wrong}");
    }
}

#[test]
pub fn a_budget_without_room_is_told_in_atomic_units_each_time_and_the_body_stays() {
    let mut world = World::new();
    world.buy(&keyed("4950000", "a"));
    let first = world.told(&keyed("100000", "b"));
    let again = world.told(&keyed("100000", "b"));
    let figures = "required=100000, available=50000, asset=USDC, decimals=6";
    assert_eq!(
        (header(&first, "farebox-figures"), header(&again, "farebox-figures")),
        (Some(figures), Some(figures))
    );
    assert_eq!((first.status, &again.text), (201, &first.text));
    assert!(!first.text.contains("required"));
}

#[test]
pub fn other_denials_have_no_figures() {
    let mut world = World::under(
        json!({"allowedOrigins": ["https://merchant.example.com"], "perPayment": {"USDC": "0.01"}}),
    );
    let told = world.told(&keyed("100000", "a"));
    assert_eq!(
        (told.outcome(), header(&told, "farebox-figures")),
        (("deny", "policy_denied"), None)
    );
}

#[test]
pub fn who_looks_a_decision_up_gets_the_agents_own_answer_and_how_the_money_stands() {
    let mut world = World::new();
    assert_eq!(known(&mut world, "buyer", "k/1").status, 404);
    let order = world.order(&keyed("10000", "k/1"));
    let running = known(&mut world, "buyer", "k/1");
    assert_eq!(
        (running.status, running.outcome().0, header(&running, "farebox-money")),
        (200, "executing", Some("signed"))
    );
    let told = world.answered(&order, settled(200, "hello"));
    let before = world.rows.clone();
    let found = known(&mut world, "buyer", "k/1");
    assert_eq!((found.status, &found.text), (200, &told.text));
    assert_eq!(header(&found, "farebox-receipt"), told.body["receipt"]["receiptId"].as_str());
    assert_eq!(known(&mut world, "tester", "k/1").status, 404);
    assert_eq!(format!("{before:?}"), format!("{:?}", world.rows));
}

#[test]
pub fn who_looks_a_receipt_up_gets_it_signed_and_nothing_where_there_is_none() {
    let mut world = World::new();
    let told = world.buy(&keyed("10000", "k1"));
    let id = told.body["receipt"]["receiptId"].as_str().unwrap().to_owned();
    let receipt = world.reply(Command::KnownReceipt(id));
    assert_eq!((receipt.status, &receipt.body["receipt"]), (200, &told.body["receipt"]));
    assert!(header(&receipt, "farebox-receipt-signature").is_some());
    let order = world.order(&keyed("10000", "k2"));
    world.answered(&order, plain(400, "no"));
    let refused = world.rows.attempts.values().find(|row| row.receipt.is_none()).unwrap();
    let id = refused.receipt_id.clone();
    assert_eq!(world.reply(Command::KnownReceipt(id)).status, 404);
}
