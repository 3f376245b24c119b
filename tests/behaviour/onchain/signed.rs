//! Signed transactions, which the gate sends.

use farebox_core::amount::Amount;
use farebox_core::encoding::hex;
use farebox_core::evm::transaction::SignedTransfer;
use farebox_core::ledger::State;
use farebox_core::ledger::state::Why;
use serde_json::{Value, json};

use crate::world::chain::{ASSET, NodeFault};
use crate::world::payer::Payer;
use crate::world::transfers::Fate;
use crate::world::{PAY_TO, World};

use super::{
    ROUTE, answer, challenge, hash, hash_of, moved, paying, reference, send, served, showing,
    signed, transaction, world,
};

#[test]
fn a_signed_transaction_is_sent_and_pays() {
    for settle in ["after", "before"] {
        let mut world = world();
        let request = paying(&mut world, &format!("/shown/{settle}"), 0);
        let response = world.send(request);
        assert_eq!((response.status, served(&world), moved(&world)), (200, 1, 10_000));
        assert_eq!(reference(&response), hash_of(&signed(&world, 0)));
        assert!(response.headers.get("payment-response").is_none());
        assert_eq!(world.facilitator.chain.transfers.given, 1);
        assert!(world.facilitator.urls.is_empty(), "no facilitator hears of it");
        let [entry] = world.ledger.entries().try_into().unwrap();
        assert_eq!(entry.state.name(), "delivered");
        assert_eq!(entry.payment.facilitator, "chain:eip155:84532");
        let kept = json!({"transaction": hex::encode_prefixed(&signed(&world, 0))});
        assert_eq!(serde_json::from_str::<Value>(&entry.payment.request).unwrap(), kept);
    }
}

#[test]
pub fn the_challenge_names_what_the_route_takes() {
    let mut world = world();
    for (target, kinds) in [
        (ROUTE, json!(["authorization", "transaction", "hash"])),
        ("/after", json!(["authorization"])),
    ] {
        let asked = challenge(&mut world, target).request_object().unwrap();
        assert_eq!(asked["methodDetails"]["credentialTypes"], kinds);
    }
    let unnamed = paying(&mut world, "/after", 0);
    let refused = world.send(unnamed);
    assert_eq!((refused.status, refused.problem().as_str()), (402, "invalid_payload"));
    assert!(refused.has_terms(), "a transaction is taken only where the route says so");
    assert!(world.ledger.entries().is_empty());
    assert_eq!(world.facilitator.chain.transfers.given, 0);
    let bytes = signed(&world, 1);
    let refused = showing(&mut world, "/after", &bytes);
    assert_eq!(
        world.send(refused).problem(),
        "invalid_payload",
        "a hash only where the route says so"
    );
}

#[test]
fn what_the_route_took_when_it_was_sent_is_still_known_when_it_takes_none_any_more() {
    let mut world = world();
    let request = paying(&mut world, ROUTE, 0);
    world.facilitator.chain.transfers.fate = Fate::Waits;
    assert_eq!(world.send(request.clone()).problem(), "settlement_unknown");
    let mut vars = World::chain_vars();
    vars["ROUTES"] = json!([{"path": ROUTE, "price": "$0.01"}]);
    let gate = farebox_core::gate::Gate::from_vars(&vars.to_string()).unwrap();
    world.gate = Box::leak(Box::new(gate));
    let again = world.send(request.clone());
    assert_eq!((again.problem().as_str(), again.has_terms()), ("settlement_unknown", false));
    let block = world.facilitator.chain.next_block();
    world.facilitator.chain.transfers.mine(block);
    world.wait(2);
    assert_eq!(world.send(request).status, 200);
    assert_eq!((served(&world), moved(&world)), (1, 10_000));
}

#[test]
fn without_a_node_a_signed_transaction_is_no_payment() {
    let mut world = World::new();
    let request = paying(&mut world, "/after", 0);
    let response = world.send(request);
    assert_eq!((response.status, response.problem().as_str()), (402, "invalid_payload"));
    assert!(world.ledger.entries().is_empty());
}

#[test]
fn the_same_transaction_buys_one_thing_once() {
    let mut world = world();
    let first = paying(&mut world, ROUTE, 0);
    assert_eq!(world.send(first.clone()).status, 200);
    let again = world.send(first);
    assert_eq!((again.status, again.headers.get("payment-replayed")), (200, Some("true")));
    // Whoever has the bytes from the chain has not the challenge that they were shown with.
    let other = challenge(&mut world, ROUTE);
    let stranger = answer(ROUTE, &other, &transaction(&signed(&world, 0)), None);
    assert_eq!(world.send(stranger).problem(), "payment_already_delivered");
    let elsewhere = paying(&mut world, "/shown/other/after", 0);
    assert_eq!(world.send(elsewhere).problem(), "payment_already_used");
    let other = challenge(&mut world, ROUTE);
    let bytes = signed(&world, 0);
    let by_hash = answer(ROUTE, &other, &hash(&bytes), Some(&world.payer));
    assert_eq!(world.send(by_hash).problem(), "payment_already_delivered");
    assert_eq!((served(&world), moved(&world)), (1, 10_000));
}

/// In another isolate a copy was looked up before the first one began, and its number is used when a node is asked.
#[test]
fn a_copy_whose_nonce_the_first_one_used_gets_the_outcome_of_the_first() {
    let mut world = world();
    let request = paying(&mut world, ROUTE, 0);
    let mut copy = world.start(request.clone(), b"");
    while copy.next() != "read" {
        assert!(world.advance(&mut copy));
    }
    assert_eq!(world.send(request).status, 200);
    while world.advance(&mut copy) {}
    let response = copy.response.unwrap();
    assert_eq!((response.status, response.headers.get("payment-replayed")), (200, Some("true")));
    assert_eq!((served(&world), moved(&world)), (1, 10_000));
}

#[test]
fn what_is_wrong_in_itself_costs_no_question() {
    let mut world = world();
    let other = "0x00000000000000000000000000000000000000aa";
    let table = [
        (world.payer.transaction(0, ASSET, other, 10_000), "recipient_mismatch"),
        (world.payer.transaction(0, other, PAY_TO, 10_000), "terms_mismatch"),
        (world.payer.transaction(0, ASSET, PAY_TO, 9_999), "amount_mismatch"),
        (world.payer.transaction(0, ASSET, PAY_TO, 10_001), "amount_mismatch"),
        (vec![2, 0xc0], "invalid_payload"),
    ];
    for (bytes, code) in table {
        let challenge = challenge(&mut world, ROUTE);
        let response = world.send(answer(ROUTE, &challenge, &transaction(&bytes), None));
        assert_eq!((response.status, response.problem().as_str()), (402, code));
        assert!(response.has_terms());
    }
    let challenge = challenge(&mut world, ROUTE);
    let other = Payer::new(2);
    let bytes = signed(&world, 0);
    let named = answer(ROUTE, &challenge, &transaction(&bytes), Some(&other));
    assert_eq!(world.send(named).problem(), "source_mismatch");
    assert_eq!(world.facilitator.chain.asked, 0);
    assert!(world.ledger.entries().is_empty());
}

/// What is done to a world before a payment.
type Spoil = fn(&mut World);

#[test]
fn what_could_not_be_carried_out_leaves_no_row_and_is_not_sent() {
    let spoil: [(&str, Spoil); 4] = [
        ("invalid_exact_evm_insufficient_balance", |world| {
            world.facilitator.chain.transfers.poor = true;
        }),
        ("invalid_exact_evm_transaction_simulation_failed", |world| {
            world.facilitator.chain.transfers.blocked = true;
        }),
        ("transaction_out_of_turn", |world| {
            world.facilitator.chain.transfers.fate = Fate::Lost;
        }),
        ("invalid_exact_evm_nonce_already_used", |world| {
            let bytes = world.payer.transaction(1, ASSET, PAY_TO, 1);
            for bytes in [world.payer.transaction(0, ASSET, PAY_TO, 1), bytes] {
                send(world, &bytes);
            }
        }),
    ];
    for (reason, spoil) in spoil {
        let mut world = world();
        let request = paying(&mut world, ROUTE, 1);
        let before = signed(&world, 0);
        if reason != "transaction_out_of_turn" && reason != "invalid_exact_evm_nonce_already_used" {
            send(&mut world, &before);
        }
        spoil(&mut world);
        let given = world.facilitator.chain.transfers.given;
        let response = world.send(request);
        assert_eq!(
            (response.status, response.problem().as_str()),
            (402, "verify_refused"),
            "{reason}"
        );
        assert!(response.names(reason), "{reason}");
        assert!(response.has_terms());
        assert_eq!(world.facilitator.chain.transfers.given, given, "{reason}");
        assert!(world.ledger.entries().is_empty(), "{reason}");
        assert_eq!(served(&world), 0);
    }
}

#[test]
fn a_node_that_is_silent_or_of_another_chain_begins_nothing() {
    for fault in [NodeFault::Silent, NodeFault::Garbage, NodeFault::Refuses, NodeFault::OtherChain]
    {
        let mut world = world();
        let request = paying(&mut world, ROUTE, 0);
        world.facilitator.chain.plan.push_back(fault);
        let response = world.send(request.clone());
        assert_eq!((response.status, response.problem().as_str()), (503, "chain_unavailable"));
        assert!(world.ledger.entries().is_empty());
        assert_eq!(world.send(request).status, 200, "{fault:?}");
    }
}

#[test]
fn a_transaction_that_reverts_is_refused_and_never_pays() {
    let mut world = world();
    let request = paying(&mut world, ROUTE, 0);
    world.facilitator.chain.transfers.fate = Fate::Reverts;
    let response = world.send(request.clone());
    assert_eq!((response.status, response.problem().as_str()), (402, "settlement_refused"));
    assert_eq!(world.send(request.clone()).problem(), "settlement_refused");
    world.pass(3_600);
    assert_eq!(world.ledger.state(), State::Void);
    assert_eq!((served(&world), moved(&world)), (0, 0));
}

#[test]
fn a_transaction_that_moves_less_is_for_a_person_to_look_at() {
    let mut world = world();
    let request = paying(&mut world, ROUTE, 0);
    world.facilitator.chain.transfers.fate = Fate::MovesLess;
    assert_eq!(world.send(request).problem(), "settlement_unknown");
    world.pass(3_600);
    assert!(matches!(world.ledger.state(), State::Manual { why: Why::PaidBefore, .. }));
    assert_eq!(served(&world), 0);
}

#[test]
fn a_transaction_that_waits_is_unknown_until_it_is_in_a_block() {
    let mut world = world();
    let request = paying(&mut world, ROUTE, 0);
    world.facilitator.chain.transfers.fate = Fate::Waits;
    let begun = world.now();
    let response = world.send(request.clone());
    assert_eq!((response.status, response.problem().as_str()), (503, "settlement_unknown"));
    assert!(!response.has_terms(), "who signs anew may pay twice");
    assert!(world.now().secs_since(begun) <= 31, "{}", world.now().secs_since(begun));
    assert_eq!(world.send(request.clone()).problem(), "settlement_unknown");
    // Another one for the same thing would be charged beside it.
    let other = paying(&mut world, ROUTE, 1);
    assert_eq!(world.send(other).problem(), "payment_unresolved");
    let block = world.facilitator.chain.next_block();
    world.facilitator.chain.transfers.mine(block);
    world.wait(2);
    assert_eq!(world.send(request).status, 200);
    assert_eq!((served(&world), moved(&world)), (1, 10_000));
}

#[test]
fn what_was_sent_and_never_told_is_found_by_the_alarm() {
    for fate in [Fate::Mined, Fate::Waits] {
        let mut world = world();
        let request = paying(&mut world, ROUTE, 0);
        world.facilitator.chain.transfers.fate = fate;
        let mut running = world.start(request.clone(), b"");
        while world.facilitator.chain.transfers.given == 0 {
            assert!(world.advance(&mut running));
        }
        // The Worker is gone: nobody reads the receipt.
        drop(running);
        assert_eq!(world.ledger.state().name(), "settling");
        world.wait(10);
        let block = world.facilitator.chain.next_block();
        world.facilitator.chain.transfers.mine(block);
        world.pass(300);
        assert_eq!(world.ledger.state().name(), "settled", "{fate:?}");
        assert_eq!(served(&world), 0);
        assert_eq!(world.send(request).status, 200, "its own challenge fetches it");
        assert_eq!((served(&world), moved(&world)), (1, 10_000));
    }
}

#[test]
fn what_was_claimed_and_never_sent_is_sent_by_the_alarm() {
    let mut world = world();
    let request = paying(&mut world, ROUTE, 0);
    let mut running = world.start(request.clone(), b"");
    while world.ledger.entries().is_empty() {
        assert!(world.advance(&mut running));
    }
    drop(running);
    assert_eq!(
        (world.facilitator.chain.transfers.given, world.ledger.state().name().as_str()),
        (0, "settling")
    );
    world.pass(300);
    assert_eq!(world.ledger.state().name(), "settled");
    assert_eq!((served(&world), moved(&world)), (0, 10_000));
    // Nobody comes for it: what was paid is owed.
    world.pass(7 * 86_400);
    assert_eq!(world.ledger.state().name(), "refund_due");
}

#[test]
fn one_whose_number_went_to_another_transaction_is_void() {
    let mut world = world();
    let request = paying(&mut world, ROUTE, 0);
    world.facilitator.chain.transfers.fate = Fate::Lost;
    assert_eq!(world.send(request).problem(), "settlement_unknown");
    world.pass(600);
    assert_eq!(world.ledger.state().name(), "unknown", "age alone proves nothing");
    world.facilitator.chain.transfers.fate = Fate::Mined;
    let other = world.payer.transaction(0, ASSET, PAY_TO, 1);
    send(&mut world, &other);
    let given = world.facilitator.chain.transfers.given;
    world.pass(3_600);
    assert_eq!(world.ledger.state(), State::Void);
    assert_eq!(world.facilitator.chain.transfers.given, given);
}

//
#[test]
pub fn an_unmined_transaction_is_closed_after_few_lookups_and_found_when_shown_again() {
    let mut world = world();
    let request = paying(&mut world, ROUTE, 0);
    world.facilitator.chain.transfers.fate = Fate::Waits;
    assert_eq!(world.send(request.clone()).problem(), "settlement_unknown");
    let asked = world.facilitator.chain.asked;
    world.pass(2 * 86_400);
    assert_eq!(world.ledger.state(), State::Closed, "there is nothing to decide for the operator");
    let looks = world.facilitator.chain.asked - asked;
    assert!(looks <= 60, "{looks} looks");
    // It still waits: shown again it is looked for again, and closes again.
    let again = world.send(request.clone());
    assert_eq!((again.problem().as_str(), again.has_terms()), ("settlement_unknown", false));
    world.pass(2 * 86_400);
    assert_eq!(world.ledger.state(), State::Closed);
    let block = world.facilitator.chain.next_block();
    world.facilitator.chain.transfers.mine(block);
    world.wait(2);
    assert_eq!(world.send(request).status, 200, "later evidence reopens it");
    assert_eq!((served(&world), moved(&world)), (1, 10_000));
}

//
#[test]
pub fn one_that_leaves_no_tip_or_no_room_for_the_base_fee_may_wait_for_ever() {
    let bytes = Payer::new(1).transaction(0, ASSET, PAY_TO, 10_000);
    let good = SignedTransfer::parse(&bytes).unwrap();
    let ninth = good.max_fee.checked_div_u64(9).unwrap();
    let (low, high) = (ninth.checked_mul_u64(7).unwrap(), ninth.checked_mul_u64(9).unwrap());
    assert!(good.has_headroom(low) && !good.has_headroom(high));
    let mut stingy = good;
    stingy.tip = Amount::ZERO;
    assert!(!stingy.has_headroom(low));
}

//
#[test]
pub fn one_that_was_looked_for_in_vain_of_a_silent_node_is_left_to_a_person() {
    for (silent_from, silent_to, end) in
        [(0, 2, "manual"), (23, 2, "manual"), (0, 23, "closed"), (23, 0, "closed")]
    {
        let mut world = world();
        let request = paying(&mut world, ROUTE, 0);
        world.facilitator.chain.transfers.fate = Fate::Waits;
        assert_eq!(world.send(request).problem(), "settlement_unknown");
        world.pass(silent_from * 3_600);
        let chain = &mut world.facilitator.chain;
        chain.plan.extend(vec![NodeFault::Silent; if silent_to > 0 { 2_000 } else { 0 }]);
        if silent_to > 2 {
            world.pass(silent_to * 3_600);
            world.facilitator.chain.plan.clear();
        }
        world.pass(2 * 86_400);
        assert_eq!(world.ledger.state().name(), end, "{silent_from} {silent_to}");
        assert_eq!(world.wake_at(), None);
    }
    // Naming one costs nothing, so that nobody has to look into what was only named.
    let mut world = world();
    let challenge = challenge(&mut world, ROUTE);
    let named = hash(&signed(&world, 0));
    world.facilitator.chain.plan.extend(vec![NodeFault::Silent; 2_000]);
    let request = answer(ROUTE, &challenge, &named, Some(&world.payer));
    assert_eq!(world.send(request).status, 503);
    assert_eq!(world.ledger.state().name(), "unknown");
    world.pass(2 * 86_400);
    assert!(world.ledger.entries().is_empty());
}
