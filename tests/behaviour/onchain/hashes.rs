//! Hashes of transactions that payers have sent.

use farebox_core::ledger::room::Room;
use serde_json::json;

use crate::world::chain::ASSET;
use crate::world::facilitator::Settle;
use crate::world::payer::Payer;
use crate::world::transfers::Fate;
use crate::world::{PAY_TO, World};

use super::{
    ROUTE, answer, challenge, hash, hash_of, moved, paying, reference, send, served, showing,
    signed, transaction, world,
};

/// A transaction made for a world.
type Make = Box<dyn Fn(&World) -> Vec<u8>>;

#[test]
fn a_transaction_that_the_payer_has_sent_pays_by_its_hash() {
    for settle in ["after", "before"] {
        let mut world = world();
        let bytes = signed(&world, 0);
        let request = showing(&mut world, &format!("/shown/{settle}"), &bytes);
        let response = world.send(request.clone());
        assert_eq!((response.status, reference(&response)), (200, hash_of(&bytes)));
        assert_eq!((served(&world), moved(&world)), (1, 10_000));
        assert_eq!(world.facilitator.chain.transfers.given, 1, "the gate sends nothing");
        let again = world.send(request);
        assert_eq!((again.status, again.headers.get("payment-replayed")), (200, Some("true")));
        let other = challenge(&mut world, ROUTE);
        let by_bytes = answer(ROUTE, &other, &transaction(&bytes), None);
        assert_ne!(world.send(by_bytes).status, 200);
        assert_eq!((served(&world), world.facilitator.chain.transfers.given), (1, 1));
    }
}

#[test]
fn a_hash_that_is_no_payment_for_this_leaves_no_row() {
    let other = "0x00000000000000000000000000000000000000aa";
    let stranger = Payer::new(2);
    let make: [(&str, Make); 4] = [
        ("another recipient", Box::new(|world| world.payer.transaction(0, ASSET, other, 10_000))),
        ("another token", Box::new(|world| world.payer.transaction(0, other, PAY_TO, 10_000))),
        ("another amount", Box::new(|world| world.payer.transaction(0, ASSET, PAY_TO, 9_999))),
        ("another sender", Box::new(move |_| stranger.transaction(0, ASSET, PAY_TO, 10_000))),
    ];
    for (name, make) in make {
        let mut world = world();
        let bytes = make(&world);
        let request = showing(&mut world, ROUTE, &bytes);
        let response = world.send(request);
        assert_eq!(
            (response.status, response.problem().as_str()),
            (402, "verify_refused"),
            "{name}"
        );
        assert!(response.names("transaction_not_this_payment"), "{name}");
        assert!(world.ledger.entries().is_empty(), "{name}");
        assert_eq!(served(&world), 0);
    }
    for fate in [Fate::Reverts, Fate::MovesLess] {
        let mut world = world();
        world.facilitator.chain.transfers.fate = fate;
        let bytes = signed(&world, 0);
        let request = showing(&mut world, ROUTE, &bytes);
        assert!(world.send(request).names("transaction_not_this_payment"), "{fate:?}");
        assert!(world.ledger.entries().is_empty());
    }
}

//
#[test]
fn a_transaction_from_before_the_challenge_paid_for_something_else() {
    let mut world = world();
    let bytes = signed(&world, 0);
    send(&mut world, &bytes);
    world.wait(4);
    let challenge = challenge(&mut world, ROUTE);
    let response = world.send(answer(ROUTE, &challenge, &hash(&bytes), Some(&world.payer)));
    assert_eq!((response.status, response.problem().as_str()), (402, "verify_refused"));
    assert!(response.names("transaction_before_challenge"));
    assert_eq!((served(&world), world.ledger.entries().len()), (0, 0));
}

//
#[test]
pub fn a_longer_time_to_pay_makes_no_earlier_transaction_one_of_a_challenge() {
    let mut world = world();
    let bytes = signed(&world, 0);
    send(&mut world, &bytes);
    world.wait(4);
    let challenge = challenge(&mut world, ROUTE);
    let request = answer(ROUTE, &challenge, &hash(&bytes), Some(&world.payer));
    let mut vars = World::chain_vars();
    vars["ROUTES"] = json!([{
        "path": ROUTE, "price": "$0.01", "hash_mode": true, "signed_transactions": true,
        "max_timeout_secs": 3500,
    }]);
    let gate = farebox_core::gate::Gate::from_vars(&vars.to_string()).unwrap();
    world.gate = Box::leak(Box::new(gate));
    let response = world.send(request);
    assert!(response.names("transaction_before_challenge"), "{}", response.status);
    assert_eq!((served(&world), world.ledger.entries().len()), (0, 0));
}

#[test]
fn a_hash_that_nobody_has_seen_yet_may_come() {
    let mut world = world();
    let bytes = signed(&world, 0);
    let challenge = challenge(&mut world, ROUTE);
    let request = answer(ROUTE, &challenge, &hash(&bytes), Some(&world.payer));
    let response = world.send(request.clone());
    assert_eq!((response.status, response.problem().as_str()), (503, "settlement_unknown"));
    assert!(!response.has_terms(), "who pays anew may pay twice");
    assert_eq!(world.ledger.state().name(), "unknown", "it is looked for from now on");
    world.facilitator.chain.transfers.fate = Fate::Waits;
    assert!(world.facilitator.chain.transfers.send(&bytes, 0));
    assert_eq!(world.send(request.clone()).problem(), "settlement_unknown");
    let block = world.facilitator.chain.next_block();
    world.facilitator.chain.transfers.mine(block);
    world.wait(2);
    assert_eq!(world.send(request).status, 200);
    assert_eq!(served(&world), 1);
}

#[test]
pub fn a_hash_that_no_node_shows_takes_no_room_where_little_is_left() {
    let mut world = world();
    let full = Room { bytes: 950, limit: 1_000 };
    let bytes = signed(&world, 0);
    let challenge = challenge(&mut world, ROUTE);
    let request = answer(ROUTE, &challenge, &hash(&bytes), Some(&world.payer));
    world.ledger.room = full;
    let response = world.send(request.clone());
    assert_eq!((response.status, response.problem().as_str()), (503, "settlement_unknown"));
    assert!(!response.has_terms(), "who pays anew may pay twice");
    assert!(world.ledger.entries().is_empty());
    // What is mined is paid, and is served.
    let block = world.facilitator.chain.next_block();
    assert!(world.facilitator.chain.transfers.send(&bytes, block));
    assert_eq!(world.send(request).status, 200);
    assert_eq!(served(&world), 1);
}

#[test]
fn a_hash_that_was_claimed_and_never_told_is_found_by_the_alarm() {
    let mut world = world();
    let bytes = signed(&world, 0);
    let request = showing(&mut world, ROUTE, &bytes);
    let mut running = world.start(request.clone(), b"");
    while world.ledger.entries().is_empty() {
        assert!(world.advance(&mut running));
    }
    drop(running);
    world.pass(300);
    assert_eq!(world.ledger.state().name(), "settled");
    assert_eq!(world.send(request).status, 200);
    assert_eq!((served(&world), world.facilitator.chain.transfers.given), (1, 1));
}

/// The money of a second transaction has moved, so it is a payment of its own and no signature for the first.
#[test]
fn a_second_hash_is_no_signature_for_what_the_first_one_left() {
    let mut world = world();
    let first = paying(&mut world, ROUTE, 0);
    let mut running = world.start(first, b"");
    while world.ledger.entries().is_empty() {
        assert!(world.advance(&mut running));
    }
    drop(running);
    world.pass(300);
    assert_eq!(world.ledger.state().name(), "settled", "paid, and nobody received anything");
    let bytes = signed(&world, 1);
    let second = showing(&mut world, ROUTE, &bytes);
    assert_eq!(world.send(second).status, 200);
    let mut states: Vec<_> =
        world.ledger.entries().iter().map(|entry| entry.state.name()).collect();
    states.sort();
    assert_eq!(states, ["delivered", "settled"], "the first one is still owed");
    assert!(world.ledger.aliases().is_empty());
    assert_eq!((served(&world), moved(&world)), (1, 20_000));
}

#[test]
fn a_transaction_of_another_payment_proves_nothing() {
    let mut world = world();
    let bytes = signed(&world, 0);
    let request = showing(&mut world, ROUTE, &bytes);
    // A facilitator says that it settled another payment of this payer in that transaction.
    let lie = json!({
        "success": true, "transaction": hash_of(&bytes), "network": "eip155:84532",
        "payer": world.payer.address.to_checksum(),
    });
    world.facilitator.settle_plan.push_back(Settle::Raw(200, lie.to_string()));
    assert_eq!(world.pay("/after").status, 200);
    let response = world.send(request);
    assert_eq!((response.status, response.problem().as_str()), (503, "settlement_unknown"));
    world.pass(3_600);
    let states: Vec<_> = world.ledger.entries().iter().map(|entry| entry.state.name()).collect();
    assert!(states.contains(&"manual".to_owned()), "{states:?}");
    assert_eq!(served(&world), 1);
}

#[test]
fn a_price_that_has_changed_since_is_no_reason_to_pay_again() {
    for by_hash in [false, true] {
        let mut world = world();
        let bytes = signed(&world, 0);
        let request = match by_hash {
            true => showing(&mut world, ROUTE, &bytes),
            false => paying(&mut world, ROUTE, 0),
        };
        assert_eq!(world.send(request.clone()).status, 200);
        let mut vars = World::chain_vars();
        vars["ROUTES"] = json!([{
            "path": ROUTE, "price": "$0.02", "hash_mode": true, "signed_transactions": true,
        }]);
        let gate = farebox_core::gate::Gate::from_vars(&vars.to_string()).unwrap();
        world.gate = Box::leak(Box::new(gate));
        let again = world.send(request);
        assert_eq!((again.status, again.headers.get("payment-replayed")), (200, Some("true")));
        assert_eq!((served(&world), moved(&world)), (1, 10_000));
        // What the ledger does not know is told today's terms.
        let mut elsewhere = World::with(vars);
        let old = paying(&mut self::world(), ROUTE, 1);
        assert!(elsewhere.send(old).has_terms());
        assert!(elsewhere.ledger.entries().is_empty());
    }
}
