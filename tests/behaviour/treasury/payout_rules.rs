//! The rules of an organization that its payouts obey.

use farebox_core::treasury::message::{Command, Operation};
use farebox_core::treasury::row::Scope;
use serde_json::{Value, json};

use super::payouts::{order, payout, success, world};
use super::world::{START, Told, World};

/// Puts these members of the organization's rules beside a dollar a day to pay out.
fn put(world: &mut World, members: &Value) {
    let mut rules = json!({"allowedOrigins": ["*"], "payoutsPerDay": {"USDC": "1.00"}});
    for (name, value) in members.as_object().unwrap() {
        rules[name] = value.clone();
    }
    let put = Operation::PutPolicy(Scope::Organization, rules.to_string());
    assert_eq!(world.operate(put).status, 200);
}

fn refused(world: &mut World, body: &Value) -> String {
    let told = world.operate(Operation::PayOut(body.to_string()));
    assert_eq!((told.status, told.text("code")), (403, "payouts_not_allowed"), "{}", told.text);
    told.text("detail").to_owned()
}

//
#[test]
fn nothing_is_paid_out_once_the_rules_have_expired() {
    let mut world = world();
    // 2026-03-10T12:01:00Z.
    put(&mut world, &json!({"expires": "2026-03-10T12:01:00Z"}));
    world.now = START + 59;
    let sent = order(&mut world, &payout("0.25", "a"));
    world.now = START + 60;
    let expired = "Policy denied: the current payouts policy has expired.";
    assert_eq!(refused(&mut world, &payout("0.25", "b")), expired);
    let by_token = Operation::PayOutFrom("main".to_owned(), payout("0.25", "c").to_string());
    let told: Told = world.reply(Command::Operate(by_token));
    assert_eq!((told.status, told.text("detail")), (403, expired));
    assert_eq!(world.rows.attempts.len(), 1);
    // A payout that was signed before is told as ever, and a key that was refused is free.
    assert_eq!(world.answered(&sent, success()).status, 201);
    put(&mut world, &json!({}));
    order(&mut world, &payout("0.25", "b"));
}

//
#[test]
fn networks_and_assets_that_are_not_allowed_are_not_paid_out() {
    for (name, allowed, other) in
        [("networks", "base-sepolia", "polygon-amoy"), ("assets", "USDC", "EURC")]
    {
        for none in [json!([]), json!([other])] {
            let mut world = world();
            put(&mut world, &json!({ name: none }));
            let what = name.trim_end_matches('s');
            assert_eq!(
                refused(&mut world, &payout("0.25", "a")),
                format!("Policy denied: this {what} is not allowed by the current payouts policy.")
            );
            assert!(world.rows.attempts.is_empty());
            put(&mut world, &json!({ name: [other, allowed] }));
            order(&mut world, &payout("0.25", "a"));
        }
    }
    // The payees are those of agents: who asks for a payout names its own.
    let mut world = world();
    put(&mut world, &json!({"payees": [], "deniedOrigins": ["*"], "perPayment": "0.01"}));
    order(&mut world, &payout("0.25", "a"));
}
