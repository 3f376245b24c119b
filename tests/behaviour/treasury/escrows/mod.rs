//! Payments in an escrow contract: each reaches its goal once, whatever nodes, blocks and Workers do.

mod chain;
pub mod life;
pub mod world;

use self::world::{BUYER, CONTRACT, MAX_GWEI, SELLER, World, body, payment, settings};
use farebox_core::treasury::Treasury;
use farebox_core::treasury::escrow::row::EscrowFate;
use farebox_core::treasury::message::{Answer, Command, Operation};
use serde_json::{Value, json};

use super::world::{Told, payer};
use crate::treasury::escrows::chain::GWEI;

fn treasury() -> Treasury {
    Treasury::from_vars(&settings().to_string()).unwrap()
}

fn refused(change: impl FnOnce(&mut Value)) -> (u32, String) {
    let (treasury, mut world, mut body) = (treasury(), World::new(), body(1, "funded"));
    change(&mut body);
    let command = Command::Operate(Operation::PayOut(body.to_string()));
    let Answer::Reply(reply) = world.send(&treasury, command) else { return (0, String::new()) };
    assert!(world.rows.escrows.is_empty() && world.held.is_empty());
    let told = Told::of(reply);
    (told.status, told.text("code").to_owned())
}

#[test]
fn a_payment_is_registered_and_then_released_each_by_one_transaction_of_the_gateway() {
    let (treasury, mut world) = (treasury(), World::new());
    world.ask(&treasury, 1, "funded");
    world.report(&treasury, 0);
    world.report(&treasury, 0);
    let [sent] = &world.chain.pool[..] else { panic!("{:?}", world.chain.pool) };
    assert_eq!((sent.from.to_checksum(), sent.to.to_checksum()), (payer(), CONTRACT.into()));
    assert_eq!((sent.nonce, sent.tip, sent.max_fee), (0, GWEI, 3 * GWEI));
    world.chain.mine();
    let told = world.drain(&treasury).unwrap();
    assert_eq!((told.text("outcome"), told.text("state")), ("sent", "open"));
    let registration = told.text("registration").to_owned();
    assert_eq!((told.text("transaction"), world.entry(1)), (registration.as_str(), 1));
    world.ask(&treasury, 1, "released");
    world.report(&treasury, 0);
    world.report(&treasury, 0);
    world.chain.mine();
    let told = world.drain(&treasury).unwrap();
    assert_eq!((told.text("goal"), told.text("outcome"), world.entry(1)), ("released", "sent", 2));
    assert_ne!(told.text("transaction"), registration);
    world.live(&treasury, 3);
    assert_eq!(world.told(&treasury, 1).text("state"), "confirmed");
    assert_eq!(world.signed().len(), 2);
    assert_eq!(world.rows.escrows.values().filter_map(|row| row.due).count(), 0);
}

#[test]
pub fn a_payment_that_is_not_registered_is_registered_before_it_is_refunded() {
    let (treasury, mut world) = (treasury(), World::new());
    world.ask(&treasury, 1, "refunded");
    world.drain(&treasury);
    world.live(&treasury, 8);
    let told = world.told(&treasury, 1);
    assert_eq!(
        (told.text("state"), told.text("goal"), world.entry(1)),
        ("confirmed", "refunded", 3)
    );
    assert!(
        told.text("registration").starts_with("0x") && told.text("transaction").starts_with("0x")
    );
}

#[test]
pub fn where_a_payment_goes_is_decided_once() {
    let (treasury, mut world) = (treasury(), World::new());
    world.ask(&treasury, 1, "released");
    let Answer::Reply(reply) = world.ask(&treasury, 1, "refunded") else { panic!("it is asked") };
    let told = Told::of(reply);
    assert_eq!((told.status, told.text("code")), (409, "escrow_decided"));
    world.held.clear();
    world.live(&treasury, 20);
    assert_eq!(world.entry(1), 2);
    // That it is registered is no other goal.
    let Answer::Reply(reply) = world.ask(&treasury, 1, "funded") else { panic!("it is asked") };
    assert_eq!(Told::of(reply).text("goal"), "released");
}

#[test]
pub fn a_payment_is_asked_about_with_its_own_facts_alone() {
    for name in ["buyer", "seller", "amountMinor", "settlement"] {
        let (treasury, mut world) = (treasury(), World::new());
        world.ask(&treasury, 1, "funded");
        let mut other = body(1, "released");
        other[name] = match name {
            "amountMinor" => json!("5001"),
            "settlement" => json!(payment(9)),
            _ => json!(payer()),
        };
        let command = Command::Operate(Operation::PayOut(other.to_string()));
        let Answer::Reply(reply) = world.send(&treasury, command) else {
            panic!("{name} is taken")
        };
        let told = Told::of(reply);
        assert_eq!((told.status, told.text("code")), (409, "idempotency_key_conflict"), "{name}");
    }
}

#[test]
pub fn only_a_contract_that_is_configured_is_called() {
    let other = "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512";
    let denied = (403, "payouts_not_allowed".to_owned());
    assert_eq!(refused(|body| body["contract"] = json!(other)), denied);
    assert_eq!(refused(|body| body["wallet"] = json!("second")), denied);
    assert_eq!(refused(|body| body["network"] = json!("eip155:8453")), denied);
    let invalid = (400, "invalid_payout".to_owned());
    assert_eq!(refused(|body| body["goal"] = json!("sweepNative")), invalid);
    assert_eq!(refused(|body| body["data"] = json!("0x")), invalid);
    assert_eq!(refused(|body| body["seller"] = json!(SELLER.to_lowercase())), invalid);
    assert_eq!(refused(|body| body["buyer"] = json!(format!("0x{}", "0".repeat(40)))), invalid);
    assert_eq!(refused(|body| body["amountMinor"] = json!("0")), invalid);
    assert_eq!(
        refused(|body| body["settlement"] = json!(format!("0x{}", "0".repeat(64)))),
        invalid
    );
    assert_eq!(refused(|body| body["payment"] = json!("0x12")), invalid);
}

//
#[test]
fn rules_that_end_or_do_not_name_its_asset_begin_nothing_in_a_contract() {
    let denied = (403, "payouts_not_allowed".to_owned());
    let ends = json!({"expires": "2026-03-10T12:01:00Z"});
    for rules in [json!({"networks": ["base"]}), json!({"assets": ["EURC"]}), ends] {
        let (treasury, mut world) = (treasury(), World::new());
        let asked = |world: &mut World, number, goal| match world.ask(&treasury, number, goal) {
            Answer::Reply(reply) => (reply.status, Told::of(reply).text("code").to_owned()),
            _ => (0, String::new()),
        };
        let under_way = (0, String::new());
        for (number, goal) in [(1, "funded"), (2, "released")] {
            assert_eq!(asked(&mut world, number, goal), under_way);
        }
        world.held.clear();
        world.rules(&treasury, &rules);
        world.now += 60;
        let before = world.rows.escrows.clone();
        for (number, goal) in [(1, "released"), (1, "refunded"), (3, "funded"), (3, "released")] {
            assert_eq!(asked(&mut world, number, goal), denied, "{rules} {number} {goal}");
        }
        assert_eq!((&world.rows.escrows, world.held.len()), (&before, 0));
        // What was decided goes on, whoever asks again.
        assert_eq!(asked(&mut world, 2, "released"), under_way);
        world.held.clear();
        world.live(&treasury, 20);
        assert_eq!((world.entry(1), world.entry(2), world.entry(3)), (1, 2, 0));
        world.rules(&treasury, &json!({"networks": ["base-sepolia"], "assets": ["USDC"]}));
        assert_eq!(asked(&mut world, 1, "refunded"), under_way);
        world.held.clear();
        world.live(&treasury, 20);
        assert_eq!(world.entry(1), 3);
    }
}

#[test]
pub fn a_wallet_has_one_transaction_in_the_air() {
    let (treasury, mut world) = (treasury(), World::new());
    for number in 1..=3 {
        world.ask(&treasury, number, "funded");
    }
    for _ in 0..12 {
        world.report(&treasury, 0);
    }
    let flying = |world: &World| {
        let rows = world.rows.escrows.values().flat_map(|row| &row.tries);
        rows.filter(|it| it.fate == EscrowFate::Flying).count()
    };
    assert_eq!((world.chain.pool.len(), flying(&world)), (1, 1));
    // However long no block takes it, and what a node says of its nonce.
    world.held.clear();
    world.now += 200;
    world.ask(&treasury, 2, "funded");
    world.report(&treasury, 0);
    assert_eq!((world.chain.pool.len(), flying(&world)), (1, 1));
    world.held.clear();
    world.live(&treasury, 30);
    assert_eq!([world.entry(1), world.entry(2), world.entry(3)], [1, 1, 1]);
    let nonces: Vec<u64> = world.chain.blocks.iter().flatten().map(|it| it.nonce).collect();
    assert_eq!(nonces, [0, 1, 2]);
}

//
#[test]
fn what_is_in_the_air_is_looked_at_before_all_that_waits_for_it() {
    let (treasury, mut world) = (treasury(), World::new());
    for number in 1..=20 {
        world.ask(&treasury, number, "funded");
    }
    for _ in 0..40 {
        world.report(&treasury, 0);
    }
    world.held.clear();
    world.now += 200;
    // It was looked at last.
    let now = world.now;
    let flying = world.rows.escrows.values_mut().find(|row| row.is_flying()).unwrap();
    flying.due = Some(now);
    let id = flying.id.clone();
    world.alarm(&treasury);
    assert_eq!((&world.held[0].escrow, world.held.len()), (&id, 20));
}

//
#[test]
fn a_wallet_has_one_transaction_in_the_air_also_after_a_block_was_forgotten() {
    let (treasury, mut world) = (treasury(), World::new());
    world.ask(&treasury, 1, "funded");
    world.report(&treasury, 0);
    world.report(&treasury, 0);
    world.chain.mine();
    world.report(&treasury, 0);
    world.held.clear();
    // The other one has the next nonce, and is lost on its way to the node.
    world.ask(&treasury, 2, "funded");
    world.report(&treasury, 0);
    world.held.clear();
    world.chain.forget(true);
    world.ask(&treasury, 1, "released");
    world.report(&treasury, 0);
    world.held.clear();
    world.chain.mine();
    // The first one is in a block again, and its release waits for the other.
    world.ask(&treasury, 1, "released");
    world.report(&treasury, 0);
    let nonces: Vec<u64> = world.signed().iter().map(|it| it.nonce).collect();
    assert_eq!(nonces, [0, 1]);
    world.held.clear();
    world.live(&treasury, 60);
    assert_eq!((world.entry(1), world.entry(2), world.signed().len()), (2, 1, 3));
}

#[test]
pub fn a_transaction_is_written_before_it_is_sent_and_sent_again_with_the_same_bytes() {
    let (treasury, mut world) = (treasury(), World::new());
    world.ask(&treasury, 1, "funded");
    world.report(&treasury, 0);
    let sending = world.held.remove(0);
    let row = world.rows.escrows.values().next().unwrap();
    assert_eq!(row.tries.len(), 1);
    assert!(sending.body.contains(&row.tries[0].bytes));
    // Its Worker is lost before the node hears of it.
    for _ in 0..12 {
        world.now += 2;
        world.alarm(&treasury);
        world.drain(&treasury);
    }
    let first = world.signed()[0].clone();
    assert_eq!(world.chain.pool.iter().map(|it| it.nonce).collect::<Vec<_>>(), [0]);
    assert_eq!(world.chain.pool[0], first);
}

#[test]
pub fn what_no_block_takes_is_offered_at_a_higher_price_under_the_same_nonce_within_the_bound() {
    let (treasury, mut world) = (treasury(), World::new());
    world.ask(&treasury, 1, "funded");
    world.drain(&treasury);
    world.chain.base_fee = MAX_GWEI;
    world.live(&treasury, 120);
    let signed = world.signed();
    assert!(signed.len() > 2, "{}", signed.len());
    assert!(signed.iter().all(|it| it.nonce == 0 && it.max_fee <= MAX_GWEI * GWEI));
    assert!(signed.windows(2).all(|pair| pair[1].max_fee * 10 >= pair[0].max_fee * 11));
    assert_eq!(world.chain.pool.len() + world.chain.count(signed[0].from) as usize, 1);
    world.chain.base_fee = 5;
    world.live(&treasury, 10);
    assert_eq!((world.entry(1), world.told(&treasury, 1).text("state")), (1, "confirmed"));
}

//
#[test]
pub fn the_last_price_that_is_offered_is_the_bound() {
    let (treasury, mut world) = (treasury(), World::new());
    world.ask(&treasury, 1, "funded");
    world.drain(&treasury);
    world.chain.base_fee = MAX_GWEI;
    world.live(&treasury, 220);
    assert_eq!(world.signed().len(), 12);
    // None follows it, whatever a block asks from then on.
    world.chain.base_fee = MAX_GWEI - 1;
    world.live(&treasury, 10);
    assert_eq!((world.entry(1), world.told(&treasury, 1).text("state")), (1, "confirmed"));
}

//
#[test]
pub fn a_last_price_that_the_wallet_cannot_pay_stops_none_before_it() {
    let (treasury, mut world) = (treasury(), World::new());
    world.chain.funds = Some(MAX_GWEI - 1);
    world.ask(&treasury, 1, "funded");
    world.drain(&treasury);
    world.chain.base_fee = MAX_GWEI;
    world.live(&treasury, 220);
    assert_eq!(world.signed().len(), 12);
    // The node has forgotten what it had.
    world.chain.pool.clear();
    world.chain.base_fee = 5;
    world.live(&treasury, 30);
    assert_eq!((world.entry(1), world.told(&treasury, 1).text("state")), (1, "confirmed"));
}

//
#[test]
pub fn a_node_that_does_not_say_what_the_contract_would_do_puts_nothing_off() {
    let (treasury, mut world) = (treasury(), World::new());
    world.chain.throttles = true;
    world.ask(&treasury, 1, "released");
    world.drain(&treasury);
    world.live(&treasury, 200);
    assert_eq!(world.signed(), []);
    let told = world.told(&treasury, 1);
    let why = "the node did not say whether the contract would carry it out";
    assert_eq!(told.text("openBecause"), why);
    world.chain.throttles = false;
    world.live(&treasury, 10);
    assert_eq!(world.entry(1), 2);
}

#[test]
pub fn nothing_is_signed_while_gas_costs_more_than_the_bound() {
    let (treasury, mut world) = (treasury(), World::new());
    world.chain.base_fee = MAX_GWEI;
    world.ask(&treasury, 1, "funded");
    world.drain(&treasury);
    world.live(&treasury, 20);
    assert_eq!(world.signed(), []);
    assert_eq!(world.told(&treasury, 1).text("openBecause"), "gas costs more than maxFeeGwei");
    world.chain.base_fee = 1;
    world.live(&treasury, 10);
    assert_eq!(world.entry(1), 1);
}

#[test]
fn what_another_one_carried_out_is_the_goal_without_a_transaction() {
    let (treasury, mut world) = (treasury(), World::new());
    world.ask(&treasury, 1, "funded");
    world.drain(&treasury);
    world.live(&treasury, 8);
    let id = farebox_core::encoding::hex::decode_prefixed(&payment(1)).unwrap();
    world.chain.foreign.push([vec![0x67, 0xd4, 0x2a, 0x8b], id].concat());
    world.ask(&treasury, 1, "released");
    let told = world.drain(&treasury).unwrap();
    assert_eq!((told.text("outcome"), &told.body["transaction"]), ("sent", &Value::Null));
    world.live(&treasury, 4);
    assert_eq!(world.told(&treasury, 1).text("state"), "confirmed");
    assert_eq!(world.signed().len(), 1);
}

#[test]
fn what_another_one_paid_the_other_way_is_never_reached_and_says_so() {
    let (treasury, mut world) = (treasury(), World::new());
    world.ask(&treasury, 1, "funded");
    world.drain(&treasury);
    world.live(&treasury, 8);
    let id = farebox_core::encoding::hex::decode_prefixed(&payment(1)).unwrap();
    world.chain.foreign.push([vec![0x72, 0x49, 0xfb, 0xb6], id].concat());
    world.ask(&treasury, 1, "released");
    let told = world.drain(&treasury).unwrap();
    assert_eq!((told.text("outcome"), told.text("state")), ("unknown", "open"));
    assert_eq!(told.text("openBecause"), "the contract has paid it the other way");
    // It is in no one's way.
    world.ask(&treasury, 2, "released");
    world.drain(&treasury);
    world.live(&treasury, 10);
    assert_eq!(world.entry(2), 2);
}

#[test]
fn a_transaction_that_can_do_nothing_any_more_keeps_no_other_payment_waiting() {
    let (treasury, mut world) = (treasury(), World::new());
    world.ask(&treasury, 1, "funded");
    world.drain(&treasury);
    world.live(&treasury, 8);
    world.ask(&treasury, 1, "released");
    world.report(&treasury, 0);
    world.report(&treasury, 0);
    assert_eq!(world.chain.pool.len(), 1);
    // The node loses it, and its buyer has the money back by another way.
    (world.chain.pool, world.held) = (Vec::new(), Vec::new());
    let id = farebox_core::encoding::hex::decode_prefixed(&payment(1)).unwrap();
    world.chain.foreign.push([vec![0x72, 0x49, 0xfb, 0xb6], id].concat());
    world.now += 200;
    world.live(&treasury, 4);
    assert_eq!(
        world.told(&treasury, 1).text("openBecause"),
        "the contract has paid it the other way"
    );
    world.ask(&treasury, 2, "released");
    world.drain(&treasury);
    world.live(&treasury, 10);
    assert_eq!(world.entry(2), 2);
}

//
#[test]
pub fn what_cannot_be_asked_about_keeps_its_wallet_waiting_for_an_hour_at_most() {
    let other = "0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512";
    let of = |change: &dyn Fn(&mut Value)| {
        let mut set = settings();
        change(&mut set);
        Treasury::from_vars(&set.to_string()).unwrap()
    };
    let flown = || {
        let (treasury, mut world) = (treasury(), World::new());
        world.ask(&treasury, 1, "funded");
        world.report(&treasury, 0);
        world.report(&treasury, 0);
        world.held.clear();
        (treasury, world)
    };
    // Its network has no node for a moment: the next payment waits a minute.
    let (treasury, mut world) = flown();
    world.chain.mine();
    world.now += 20;
    world.alarm(&of(&|set| set["RPC_URL"] = json!({"base": "https://node.example.com"})));
    world.now += 61;
    world.live(&treasury, 1);
    world.ask(&treasury, 2, "funded");
    world.drain(&treasury);
    world.live(&treasury, 4);
    assert_eq!((world.entry(1), world.entry(2)), (1, 1));
    // The wallet has another contract since: its payments wait for an hour, whatever was mined before.
    for is_mined in [true, false] {
        let (treasury, mut world) = flown();
        if is_mined {
            world.chain.mine();
        }
        let moved = of(&|set| set["ESCROWS"][0]["contract"] = json!(other));
        let mut asked = body(2, "funded");
        asked["contract"] = json!(other);
        let ask = || Command::Operate(Operation::PayOut(asked.to_string()));
        world.now += 20;
        world.alarm(&moved);
        world.send(&moved, ask());
        world.drain(&moved);
        assert_eq!(world.entry(2), 0);
        for _ in 0..62 {
            world.now += 60;
            world.alarm(&moved);
            world.drain(&moved);
        }
        world.live(&moved, 200);
        assert_eq!(world.entry(2), 1, "{:?}", world.rows.escrows);
        // With its own contract again it goes on.
        world.now += 3_600;
        world.live(&treasury, 200);
        assert_eq!(world.entry(1), 1, "{:?}", world.rows.escrows);
    }
}

#[test]
fn what_the_contract_refuses_costs_no_gas_waits_longer_each_time_and_is_in_no_one_s_way() {
    let (treasury, mut world) = (treasury(), World::new());
    world.ask(&treasury, 1, "funded");
    world.drain(&treasury);
    world.live(&treasury, 8);
    let id = farebox_core::encoding::hex::decode_prefixed(&payment(1)).unwrap();
    world.chain.stuck.push(id);
    world.ask(&treasury, 1, "released");
    let told = world.drain(&treasury).unwrap();
    assert_eq!(
        (told.text("outcome"), told.text("openBecause")),
        ("executing", "the contract would not carry it out")
    );
    world.ask(&treasury, 2, "refunded");
    world.drain(&treasury);
    world.live(&treasury, 100);
    assert_eq!((world.entry(1), world.entry(2), world.signed().len()), (1, 3, 3));
    let row = world.rows.escrows.values().next().unwrap().clone();
    assert!(row.failures < 9 && row.due.unwrap() > world.now, "{row:?}");
    world.chain.stuck.clear();
    world.now = row.due.unwrap();
    world.live(&treasury, 6);
    assert_eq!((world.entry(1), world.signed().len()), (2, 4));
}

#[test]
pub fn a_block_that_is_forgotten_confirms_nothing() {
    for is_kept in [true, false] {
        let (treasury, mut world) = (treasury(), World::new());
        world.ask(&treasury, 1, "funded");
        world.drain(&treasury);
        world.live(&treasury, 1);
        assert_eq!((world.entry(1), world.told(&treasury, 1).text("state")), (1, "open"));
        world.chain.forget(is_kept);
        world.now += 2;
        world.alarm(&treasury);
        world.drain(&treasury);
        assert_eq!(world.told(&treasury, 1).text("state"), "executing");
        world.live(&treasury, 20);
        assert_eq!((world.entry(1), world.told(&treasury, 1).text("state")), (1, "confirmed"));
        assert_eq!(world.chain.blocks.iter().flatten().count(), 1, "kept: {is_kept}");
    }
}

#[test]
fn a_registration_that_is_forgotten_is_sent_again_before_the_release_that_waits_for_it() {
    let (treasury, mut world) = (treasury(), World::new());
    world.ask(&treasury, 1, "released");
    world.report(&treasury, 0);
    world.report(&treasury, 0);
    world.chain.mine();
    world.report(&treasury, 0);
    world.report(&treasury, 0);
    assert_eq!(world.chain.pool.iter().map(|it| it.nonce).collect::<Vec<_>>(), [1]);
    world.chain.forget(false);
    world.held.clear();
    world.live(&treasury, 40);
    assert_eq!((world.entry(1), world.told(&treasury, 1).text("state")), (2, "confirmed"));
    assert_eq!(world.chain.blocks.iter().flatten().count(), 2);
}

#[test]
fn a_nonce_that_another_transaction_took_is_replaced_by_the_next() {
    let (treasury, mut world) = (treasury(), World::new());
    world.ask(&treasury, 1, "funded");
    world.report(&treasury, 0);
    // What the key's owner sends by hand has the nonce.
    world.held.clear();
    let mut own = world.signed()[0].clone();
    own.hash = "0x00".into();
    own.data[4..36].fill(0xee);
    world.chain.blocks.push(vec![own]);
    world.live(&treasury, 30);
    assert_eq!(world.entry(1), 1);
    let nonces: Vec<u64> = world.signed().iter().map(|it| it.nonce).collect();
    assert_eq!(nonces, [0, 1]);
}

#[test]
fn a_node_that_is_silent_lies_about_its_chain_or_answers_half_moves_nothing() {
    let replies = [
        None,
        Some(String::new()),
        Some("[]".to_owned()),
        Some(json!([{"jsonrpc": "2.0", "id": 1, "result": "0x1"}]).to_string()),
    ];
    for reply in replies {
        let (treasury, mut world) = (treasury(), World::new());
        world.ask(&treasury, 1, "funded");
        let enquiry = world.held.remove(0);
        world.tell(&treasury, &enquiry, reply);
        assert_eq!(world.signed(), []);
        let enquiry = world.held.remove(0);
        let mut answers: Value = serde_json::from_str(&world.chain.answer(&enquiry.body)).unwrap();
        answers[0]["result"] = json!("0x1");
        world.tell(&treasury, &enquiry, Some(answers.to_string()));
        assert_eq!(world.signed(), []);
        world.drain(&treasury);
        world.live(&treasury, 6);
        assert_eq!(world.entry(1), 1);
    }
}

#[test]
fn a_node_that_does_not_know_the_last_transactions_is_waited_for() {
    let (treasury, mut world) = (treasury(), World::new());
    world.ask(&treasury, 1, "funded");
    world.drain(&treasury);
    world.live(&treasury, 6);
    world.ask(&treasury, 2, "funded");
    let enquiry = world.held.remove(0);
    let mut answers: Value = serde_json::from_str(&world.chain.answer(&enquiry.body)).unwrap();
    answers[2]["result"] = json!("0x0");
    world.tell(&treasury, &enquiry, Some(answers.to_string()));
    assert_eq!(world.signed().len(), 1);
    world.drain(&treasury);
    world.live(&treasury, 6);
    let nonces: Vec<u64> = world.signed().iter().map(|it| it.nonce).collect();
    assert_eq!(nonces, [0, 1]);
}

#[test]
fn who_asks_a_second_time_takes_over_and_the_first_is_told_how_it_stands() {
    let (treasury, mut world) = (treasury(), World::new());
    world.ask(&treasury, 1, "funded");
    let late = world.held.remove(0);
    world.ask(&treasury, 1, "funded");
    let reply = world.chain.answer(&late.body);
    let Answer::Reply(reply) = world.tell(&treasury, &late, Some(reply)) else { panic!("it acts") };
    assert_eq!(Told::of(reply).text("outcome"), "executing");
    assert_eq!(world.signed(), []);
    assert_eq!(world.told(&treasury, 1).text("buyer"), BUYER);
}

#[test]
fn a_payment_is_shown_with_its_place_in_the_air() {
    let (treasury, mut world) = (treasury(), World::new());
    assert_eq!(world.told(&treasury, 1).status, 404);
    world.ask(&treasury, 1, "funded");
    let told = world.told(&treasury, 1);
    assert_eq!((told.status, told.text("state"), told.text("goal")), (200, "executing", "funded"));
    assert_eq!((told.text("contract"), told.text("amountMinor")), (CONTRACT, "5000"));
}

#[test]
fn the_token_of_a_wallet_opens_the_payments_of_its_own_escrow_alone() {
    let (treasury, mut world) = (treasury(), World::new());
    let told = |world: &mut World, operation: Operation| match world
        .send(&treasury, Command::Operate(operation))
    {
        Answer::Reply(reply) => Told::of(reply).status,
        Answer::Enquire(_) => 0,
        other => panic!("{other:?}"),
    };
    let pay =
        |wallet: &str, body: &Value| Operation::PayOutFrom(wallet.to_owned(), body.to_string());
    assert_eq!(told(&mut world, pay("second", &body(1, "funded"))), 403);
    let mut other = body(1, "funded");
    other["organization"] = json!("globex");
    assert_eq!(told(&mut world, pay("main", &other)), 403);
    assert!(world.rows.escrows.is_empty());
    assert_eq!(told(&mut world, pay("main", &body(1, "funded"))), 0);
    let id = world.rows.escrows.keys().next().unwrap().clone();
    let look = |wallet: &str| Operation::PayoutFrom(wallet.to_owned(), id.clone());
    assert_eq!(told(&mut world, look("main")), 200);
    assert_eq!(told(&mut world, look("second")), 404);
}

#[test]
fn a_contract_is_the_same_in_every_spelling() {
    let mut set = settings();
    for contract in [CONTRACT.to_lowercase(), format!("0x{}", CONTRACT[2..].to_uppercase())] {
        set["ESCROWS"][0]["contract"] = json!(contract);
        let treasury = Treasury::from_vars(&set.to_string()).unwrap();
        let mut world = World::new();
        world.ask(&treasury, 1, "funded");
        let told = world.told(&treasury, 1);
        assert_eq!((told.status, told.text("contract")), (200, CONTRACT));
    }
}

#[test]
fn wrong_settings_are_told_by_name() {
    let told = |change: &dyn Fn(&mut Value)| {
        let mut set = settings();
        change(&mut set);
        let errors = Treasury::from_vars(&set.to_string()).unwrap_err();
        errors.iter().map(|error| error.variable.clone()).collect::<Vec<_>>()
    };
    for (name, value) in [
        ("organization", json!("other")),
        ("wallet", json!("other")),
        ("network", json!("eip155:8453")),
        ("contract", json!(CONTRACT.replace("0x", "0x0"))),
        ("contract", json!(CONTRACT.replace("FbDB", "fbDB"))),
        ("asset", json!("EURX")),
        ("maxFeeGwei", json!(50)),
        ("tipGwei", json!("21")),
        ("gas", json!(20_000)),
        ("bumpSecs", json!(0)),
        ("data", json!("0x")),
    ] {
        let place = if name == "network" { "wallet" } else { name };
        let wrong = told(&|set| set["ESCROWS"][0][name] = value.clone());
        assert!(wrong.contains(&format!("ESCROWS[0].{place}")), "{name}: {wrong:?}");
    }
    let twice = told(&|set| {
        let first = set["ESCROWS"][0].clone();
        set["ESCROWS"].as_array_mut().unwrap().push(first);
    });
    assert_eq!(twice, ["ESCROWS[1].wallet"]);
    let renamed = told(&|set| {
        for list in ["ESCROWS", "WALLETS"] {
            let mut second = set[list][0].clone();
            second[if list == "ESCROWS" { "wallet" } else { "name" }] = json!("second");
            set[list].as_array_mut().unwrap().push(second);
        }
        set["ORGANIZATIONS"][0]["policy"]["wallet"] = json!("main");
    });
    assert_eq!(renamed, ["ESCROWS[1].wallet"]);
}
