//! Payments under challenges of a secret that is not set any more: the ledger is asked, and nothing is begun.

use farebox_core::gate::Gate;
use farebox_core::mpp::Challenge;
use serde_json::{Value, json};

use crate::world::transfers::Fate;
use crate::world::{Response, World};

use super::{ROUTE, answer, challenge, hash, paying, send, served, showing, signed, world};

fn change(world: &mut World, change: impl FnOnce(&mut Value)) {
    let mut vars = World::chain_vars();
    vars["ROUTES"] = json!([
        {"path": ROUTE, "price": "$0.01", "hash_mode": true, "signed_transactions": true},
    ]);
    change(&mut vars);
    world.gate = Box::leak(Box::new(Gate::from_vars(&vars.to_string()).unwrap()));
}

/// The operator sets another secret and does not keep the one before.
fn rotate(world: &mut World) {
    change(world, |vars| vars["GATE_SECRET"] = "another-gate-secret-0123456789abcdef".into());
}

fn told(response: &Response) -> (u16, String, bool) {
    (response.status, response.problem(), response.has_terms())
}

#[test]
pub fn a_transaction_that_the_ledger_knows_is_not_asked_for_again_once_its_secret_is_gone() {
    for (fate, first, later) in [
        (Fate::Mined, 200, (409, "payment_already_delivered")),
        (Fate::Waits, 503, (503, "settlement_unknown")),
    ] {
        for by_hash in [true, false] {
            let mut world = world();
            world.facilitator.chain.transfers.fate = fate;
            let request = match by_hash {
                true => {
                    let bytes = signed(&world, 0);
                    showing(&mut world, ROUTE, &bytes)
                }
                false => paying(&mut world, ROUTE, 0),
            };
            let said = world.send(request.clone());
            assert_eq!(said.status, first, "{fate:?} {by_hash}: {}", said.problem());
            rotate(&mut world);
            for wait in [0, 3, 600] {
                world.wait(wait);
                let said = world.send(request.clone());
                let (status, code) = later;
                let case = format!("{fate:?} {by_hash} {wait}");
                assert_eq!(told(&said), (status, code.to_owned(), false), "{case}");
            }
            assert_eq!(world.ledger.entries().len(), 1, "{fate:?} {by_hash}");
            assert!(served(&world) <= 1, "{fate:?} {by_hash}");
        }
    }
}

#[test]
pub fn a_transaction_under_a_challenge_that_anyone_can_write_begins_nothing_and_is_looked_for_nowhere()
 {
    for by_hash in [true, false] {
        for denied in [true, false] {
            let mut world = world();
            let issued = challenge(&mut world, ROUTE);
            world.wait(2);
            let bytes = signed(&world, 0);
            let payload = match by_hash {
                true => {
                    send(&mut world, &bytes);
                    hash(&bytes)
                }
                false => super::transaction(&bytes),
            };
            let forged = Challenge { id: "A".repeat(43), ..issued };
            let payer = world.payer.address.to_checksum();
            if denied {
                change(&mut world, |vars| vars["DENY_PAYERS"] = json!([payer]));
            }
            let source = Some(world.payer.clone()).filter(|_| by_hash);
            let request = answer(ROUTE, &forged, &payload, source.as_ref());
            let reads = world.facilitator.chain.asked;
            for _ in 0..2 {
                let said = world.send(request.clone());
                let case = format!("{by_hash} {denied}");
                assert_eq!(told(&said), (402, "invalid_challenge".to_owned(), true), "{case}");
            }
            assert!(world.ledger.entries().is_empty(), "{by_hash} {denied}");
            assert_eq!(world.facilitator.chain.asked, reads, "{by_hash} {denied}");
            assert_eq!(served(&world), 0);
        }
    }
}

#[test]
fn a_hash_without_its_sender_is_not_looked_for_where_no_chain_is_read_and_no_secret_signed_it() {
    let mut world = world();
    let issued = challenge(&mut world, ROUTE);
    world.wait(2);
    let bytes = signed(&world, 0);
    send(&mut world, &bytes);
    change(&mut world, |vars| {
        vars["RPC_URL"] = json!("");
        vars["ROUTES"] = json!([{"path": ROUTE, "price": "$0.01"}]);
    });
    let forged = Challenge { id: "A".repeat(43), ..issued };
    let reads = world.facilitator.chain.asked;
    let said = world.send(answer(ROUTE, &forged, &hash(&bytes), None));
    assert_eq!(told(&said), (402, "invalid_challenge".to_owned(), true));
    assert_eq!(world.facilitator.chain.asked, reads);
    assert!(world.ledger.entries().is_empty());
}
