//! Payments that the chain itself settles: signed transactions, and hashes of transactions that payers have sent.

use std::collections::BTreeMap;

use farebox_core::encoding::hex;
use farebox_core::evm::keccak::keccak256;
use farebox_core::http::RequestHead;
use farebox_core::ledger::State;
use farebox_core::ledger::state::Why;
use farebox_core::mpp::challenge::read_list;
use farebox_core::mpp::{Challenge, Credential};
use serde_json::{Value, json};

use crate::dice::Dice;
use crate::world::chain::{ASSET, NodeFault};
use crate::world::facilitator::Settle;
use crate::world::ledger::LedgerFault;
use crate::world::payer::Payer;
use crate::world::transfers::Fate;
use crate::world::{CHAIN, PAY_TO, Response, With, World, get};

/// A world that reads the chain, with routes that take everything.
fn world() -> World {
    let mut vars = World::chain_vars();
    for path in ["/shown", "/shown/other"] {
        for settle in ["after", "before"] {
            vars["ROUTES"].as_array_mut().unwrap().push(json!({
                "path": format!("{path}/{settle}"), "price": "$0.01", "settle": settle,
                "hash_mode": true, "signed_transactions": true,
            }));
        }
    }
    World::with(vars)
}

const ROUTE: &str = "/shown/after";

/// The challenge of a 402.
fn challenge(world: &mut World, target: &str) -> Challenge {
    let unpaid = world.ask(target);
    let rows = unpaid.headers.rows("www-authenticate");
    let read = rows.flat_map(read_list).next();
    read.unwrap().unwrap()
}

/// A request that answers a challenge.
fn answer(
    target: &str,
    challenge: &Challenge,
    payload: &Value,
    source: Option<&Payer>,
) -> RequestHead {
    let source = source.map(|payer| format!("did:pkh:eip155:{CHAIN}:{}", payer.address));
    let payload = payload.as_object().unwrap().clone();
    let credential = Credential { challenge: challenge.clone(), payload, source };
    get(target).header("authorization", &credential.to_header())
}

fn transaction(bytes: &[u8]) -> Value {
    json!({"type": "transaction", "signature": hex::encode_prefixed(bytes)})
}

fn hash_of(bytes: &[u8]) -> String {
    hex::encode_prefixed(&keccak256(bytes))
}

fn hash(bytes: &[u8]) -> Value {
    json!({"type": "hash", "hash": hash_of(bytes)})
}

/// The payer's transaction with this number, for what every route asks.
fn signed(world: &World, nonce: u64) -> Vec<u8> {
    world.payer.transaction(nonce, ASSET, PAY_TO, 10_000)
}

/// A request that pays this target with a signed transaction.
fn paying(world: &mut World, target: &str, nonce: u64) -> RequestHead {
    let challenge = challenge(world, target);
    answer(target, &challenge, &transaction(&signed(world, nonce)), None)
}

/// The payer sends a transaction himself, and it is in the next block.
fn send(world: &mut World, bytes: &[u8]) {
    let block = world.facilitator.chain.next_block();
    assert!(world.facilitator.chain.transfers.send(bytes, block));
    world.wait(2);
}

/// A request that pays with the hash of this transaction.
fn showing(world: &mut World, target: &str, bytes: &[u8]) -> RequestHead {
    let challenge = challenge(world, target);
    world.wait(2);
    send(world, bytes);
    answer(target, &challenge, &hash(bytes), Some(&world.payer))
}

/// What the receipt of a response names.
fn reference(response: &Response) -> String {
    let receipt = farebox_core::mpp::receipt::ReceivedReceipt::read(
        response.headers.get("payment-receipt").unwrap_or_default(),
    );
    receipt.map(|receipt| receipt.reference).unwrap_or_default()
}

fn served(world: &World) -> usize {
    world.origin.calls.len()
}

fn moved(world: &World) -> u64 {
    world.facilitator.chain.transfers.moved()
}

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
fn the_challenge_names_what_the_route_takes() {
    let mut world = world();
    for (target, kinds) in [
        (ROUTE, json!(["authorization", "transaction", "hash"])),
        ("/after", json!(["authorization"])),
    ] {
        let asked = challenge(&mut world, target).request_object().unwrap();
        assert_eq!(asked["methodDetails"]["credentialTypes"], kinds);
    }
    let taken = paying(&mut world, "/after", 0);
    assert_eq!(world.send(taken).status, 200, "a transaction is taken where the chain is read");
    let bytes = signed(&world, 1);
    let refused = showing(&mut world, "/after", &bytes);
    assert_eq!(
        world.send(refused).problem(),
        "invalid_payload",
        "a hash only where the route says so"
    );
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
    let nobody = answer(ROUTE, &challenge, &hash(&bytes), None);
    assert_eq!(world.send(nobody).problem(), "source_mismatch");
    assert_eq!(world.facilitator.chain.asked, 0);
    assert!(world.ledger.entries().is_empty());
}

/// What is done to a world before a payment.
type Spoil = fn(&mut World);
/// A transaction made for a world.
type Make = Box<dyn Fn(&World) -> Vec<u8>>;

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

#[test]
fn a_hash_that_nobody_has_seen_yet_may_come() {
    let mut world = world();
    let bytes = signed(&world, 0);
    let challenge = challenge(&mut world, ROUTE);
    let request = answer(ROUTE, &challenge, &hash(&bytes), Some(&world.payer));
    let response = world.send(request.clone());
    assert_eq!((response.status, response.problem().as_str()), (503, "settlement_unknown"));
    assert!(!response.has_terms(), "who pays anew may pay twice");
    assert!(world.ledger.entries().is_empty());
    world.facilitator.chain.transfers.fate = Fate::Waits;
    assert!(world.facilitator.chain.transfers.send(&bytes, 0));
    assert_eq!(world.send(request.clone()).problem(), "settlement_unknown");
    let block = world.facilitator.chain.next_block();
    world.facilitator.chain.transfers.mine(block);
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
    assert!(world.ledger.aliases.is_empty());
    assert_eq!((served(&world), moved(&world)), (1, 20_000));
}

#[test]
fn a_transaction_that_another_payment_has_is_nobody_elses() {
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

/// Whatever fails on the way: a transaction buys at most one answer, none is given before it is in a block, and what was paid is in
/// the end served, owed, or for a person to look at.
#[test]
fn no_history_of_a_transaction_breaks_a_rule() {
    let mut ends = BTreeMap::new();
    for seed in 1..=400 {
        let end = history(&mut Dice(seed * 0x9e37_79b9));
        *ends.entry(end).or_insert(0) += 1;
    }
    for end in ["delivered", "refund_due", "void"] {
        assert!(ends.contains_key(end), "{ends:?}");
    }
}

fn history(dice: &mut Dice) -> String {
    let mut world = world();
    let target = dice.pick(&[ROUTE, "/shown/before"]);
    let by_hash = dice.below(2) == 0;
    let bytes = signed(&world, 0);
    let fates = [Fate::Mined, Fate::Mined, Fate::Waits, Fate::Reverts, Fate::Lost];
    let fate = dice.pick(&fates);
    world.facilitator.chain.transfers.fate = fate;
    let challenge = challenge(&mut world, target);
    let request = if by_hash {
        let block = world.facilitator.chain.next_block();
        world.facilitator.chain.transfers.send(&bytes, block);
        answer(target, &challenge, &hash(&bytes), Some(&world.payer))
    } else {
        answer(target, &challenge, &transaction(&bytes), None)
    };
    let mut deliveries = 0;
    for _ in 0..3 + dice.below(3) {
        let node = [
            NodeFault::Fine,
            NodeFault::Fine,
            NodeFault::Fine,
            NodeFault::Silent,
            NodeFault::Refuses,
        ];
        let ledger = [
            LedgerFault::Fine,
            LedgerFault::Fine,
            LedgerFault::Fine,
            LedgerFault::ReplyLost,
            LedgerFault::Down,
        ];
        world.facilitator.chain.plan = (0..dice.below(6)).map(|_| dice.pick(&node)).collect();
        world.ledger.plan = (0..dice.below(6)).map(|_| dice.pick(&ledger)).collect();
        let mut running = world.start(request.clone(), b"");
        // The Worker may be lost after any step.
        let steps = if dice.below(3) == 0 { dice.below(12) } else { u64::MAX };
        let mut done = 0;
        while done < steps && world.advance(&mut running) {
            done += 1;
        }
        if let Some(response) = running.response.filter(|response| response.status == 200) {
            let replayed = response.headers.get("payment-replayed").is_some();
            deliveries += u32::from(!replayed);
            assert_eq!(moved(&world), 10_000, "nothing is given before the money is there");
        }
        if dice.below(2) == 0 {
            let block = world.facilitator.chain.next_block();
            world.facilitator.chain.transfers.mine(block);
        }
        world.pass(dice.pick(&[1, 10, 60, 400]));
    }
    world.facilitator.chain.plan.clear();
    world.ledger.plan.clear();
    if dice.below(2) == 0 {
        let block = world.facilitator.chain.next_block();
        world.facilitator.chain.transfers.mine(block);
    } else {
        // The payer makes another transaction of what waits nowhere.
        world.facilitator.chain.transfers.fate = Fate::Mined;
        let other =
            world.payer.transaction(0, ASSET, "0x00000000000000000000000000000000000000aa", 1);
        let block = world.facilitator.chain.next_block();
        world.facilitator.chain.transfers.send(&other, block);
    }
    world.pass(30 * 86_400);
    assert!(deliveries <= 1 && served(&world) <= 1);
    let paid = moved_by(&world, &bytes);
    let end = world.ledger.entries().first().map_or("none".to_owned(), |entry| entry.state.name());
    let allowed: &[&str] = match (paid, by_hash) {
        // Who never came to show it has paid for nothing.
        (true, true) => &["delivered", "refund_due", "none"],
        (true, false) => &["delivered", "refund_due"],
        (false, _) => &["void", "manual", "none"],
    };
    assert!(allowed.contains(&end.as_str()), "{end} of {fate:?}, by hash {by_hash}");
    // The answer that was stored may have been lost on its way.
    assert!(deliveries == 0 || end == "delivered", "{end} of {fate:?}");
    end
}

/// Whether this transaction moved its value.
fn moved_by(world: &World, bytes: &[u8]) -> bool {
    let hash = keccak256(bytes);
    let all = &world.facilitator.chain.transfers.all;
    all.iter().any(|one| one.signed.hash == hash && one.block.is_some() && !one.reverts)
}
