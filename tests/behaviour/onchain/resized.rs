//! Transactions that payers have sent while the number of ledger objects changes: one row for each, in one place.

use farebox_core::gate::Gate;
use serde_json::json;

use crate::world::World;
use crate::world::facilitator::Settle;
use crate::world::transfers::Fate;

use super::{ROUTE, answer, challenge, hash, moved, send, served, signed};

/// A gate with this number of objects.
fn gate(shards: &str) -> &'static Gate {
    let mut vars = World::chain_vars();
    vars["ROUTES"] = json!([{"path": ROUTE, "price": "$0.01", "hash_mode": true}]);
    vars["LEDGER_SHARDS"] = json!(shards);
    Box::leak(Box::new(Gate::from_vars(&vars.to_string()).unwrap()))
}

/// Configurations that meet while the number changes from 16 to 64.
const ORDERS: [[&str; 3]; 4] = [
    ["16", "64,16", "64,16"],
    ["64,16", "16", "64,16"],
    ["64,16", "64,16", "64"],
    ["64,16", "64,16", "16"],
];

#[test]
fn a_name_that_was_noted_is_found_wherever_it_is_asked_for_and_served_once() {
    for order in ORDERS {
        for alarm in [false, true] {
            let mut world = World::around(gate(order[0]));
            let bytes = signed(&world, 0);
            let challenge = challenge(&mut world, ROUTE);
            let request = answer(ROUTE, &challenge, &hash(&bytes), Some(&world.payer));
            let mut said = Vec::new();
            world.facilitator.chain.transfers.fate = Fate::Waits;
            assert!(world.facilitator.chain.transfers.send(&bytes, 0));
            for shards in order {
                world.gate = gate(shards);
                let response = world.send(request.clone());
                assert!(!response.has_terms(), "{order:?}");
                assert_eq!(world.ledger.entries().len(), 1, "{order:?} at {shards}: one row");
            }
            let block = world.facilitator.chain.next_block();
            world.facilitator.chain.transfers.mine(block);
            world.wait(2);
            world.pass(if alarm { 300 } else { 0 });
            for shards in order.iter().rev() {
                world.gate = gate(shards);
                said.push(world.send(request.clone()).status);
            }
            assert_eq!(world.ledger.entries().len(), 1, "{order:?} {alarm}: one row");
            assert_eq!((served(&world), moved(&world)), (1, 10_000), "{order:?} {alarm}: {said:?}");
            assert!(said.contains(&200), "{order:?} {alarm}: {said:?}");
        }
    }
}

#[test]
fn what_is_owed_is_noted_once_whoever_is_asked() {
    for order in ORDERS {
        let mut world = World::around(gate(order[0]));
        let bytes = signed(&world, 0);
        let challenge = challenge(&mut world, ROUTE);
        world.wait(1_000);
        send(&mut world, &bytes);
        let request = answer(ROUTE, &challenge, &hash(&bytes), Some(&world.payer));
        let mut said = Vec::new();
        for shards in order {
            world.gate = gate(shards);
            said.push(world.send(request.clone()).problem());
        }
        assert_eq!(world.ledger.entries().len(), 1, "{order:?}: {said:?}");
        assert!(said.contains(&"refund_due".to_owned()), "{order:?}: {said:?}");
        assert_eq!(world.ledger.state().name(), "refund_due");
    }
}

#[test]
fn what_was_sent_is_served_beside_a_payment_in_doubt() {
    for shards in ["16", "64,16"] {
        let mut world = World::around(gate(shards));
        world.facilitator.settle_plan.extend(vec![Settle::SilentBefore; 9]);
        let other = world.sign(ROUTE);
        assert_eq!(world.present(&other).problem(), "settlement_unknown", "{shards}");
        let bytes = signed(&world, 0);
        let challenge = challenge(&mut world, ROUTE);
        send(&mut world, &bytes);
        let request = answer(ROUTE, &challenge, &hash(&bytes), Some(&world.payer));
        assert_eq!(world.send(request).status, 200, "{shards}");
    }
}
