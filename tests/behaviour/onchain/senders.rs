//! Who has sent a transaction: its chain says so, its sender can sign it, and a name in a credential proves nothing.

use farebox_core::evm::keccak::keccak256;
use farebox_core::http::RequestHead;
use farebox_core::mpp::{Challenge, Credential};
use farebox_core::payment::PaymentKey;
use serde_json::json;

use crate::world::chain::NodeFault;
use crate::world::payer::Payer;
use crate::world::transfers::Fate;
use crate::world::{CHAIN, HOST, With, World, get};

use super::{
    ROUTE, answer, challenge, hash, moved, reference, send, served, showing, signed, world,
};

/// A request that shows the hash of this transaction, with this for its source.
fn sourced(challenge: &Challenge, bytes: &[u8], source: Option<&str>) -> RequestHead {
    let payload = hash(bytes).as_object().unwrap().clone();
    let source = source.map(str::to_owned);
    let credential = Credential { challenge: challenge.clone(), payload, source };
    get(ROUTE).header("authorization", &credential.to_header())
}

/// Sources that name no account of this chain.
fn nameless() -> [Option<&'static str>; 5] {
    [
        None,
        Some(""),
        Some("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"),
        Some("did:pkh:eip155:1:0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"),
        Some("did:pkh:eip155:84532:0x0000000000000000000000000000000000000001"),
    ]
}

#[test]
pub fn a_hash_whose_sender_is_not_named_belongs_to_who_sent_it_as_the_chain_says() {
    for source in nameless() {
        let mut world = world();
        let bytes = signed(&world, 0);
        let challenge = challenge(&mut world, ROUTE);
        world.wait(2);
        send(&mut world, &bytes);
        let request = sourced(&challenge, &bytes, source);
        let response = world.send(request.clone());
        let hash = super::hash_of(&bytes);
        assert_eq!((response.status, reference(&response)), (200, hash), "{source:?}");
        // It is the same payment as with the name.
        let named = answer(ROUTE, &challenge, &super::hash(&bytes), Some(&world.payer));
        for again in [request, named] {
            let again = world.send(again);
            assert_eq!(again.headers.get("payment-replayed"), Some("true"), "{source:?}");
        }
        assert_eq!((served(&world), world.ledger.entries().len()), (1, 1), "{source:?}");
    }
}

#[test]
fn one_that_no_node_has_seen_gets_no_terms_and_waits_for_its_sender() {
    for source in nameless() {
        let mut world = world();
        let bytes = signed(&world, 0);
        let challenge = challenge(&mut world, ROUTE);
        let request = sourced(&challenge, &bytes, source);
        let said = world.send(request.clone());
        assert_eq!((said.problem().as_str(), said.has_terms()), ("settlement_unknown", false));
        world.facilitator.chain.plan.push_back(NodeFault::Silent);
        let said = world.send(request.clone());
        assert_eq!((said.problem().as_str(), said.has_terms()), ("chain_unavailable", false));
        assert!(world.ledger.entries().is_empty(), "there is no name to keep it under");
        world.facilitator.chain.transfers.fate = Fate::Waits;
        assert!(world.facilitator.chain.transfers.send(&bytes, 0));
        assert_eq!(world.send(request.clone()).problem(), "settlement_unknown");
        assert_eq!(world.ledger.state().name(), "unknown", "it is in the pool, and looked for");
        let block = world.facilitator.chain.next_block();
        world.facilitator.chain.transfers.mine(block);
        world.pass(300);
        assert_eq!(world.send(request).status, 200, "{source:?}");
        assert_eq!((served(&world), moved(&world)), (1, 10_000));
    }
}

#[test]
fn one_whose_unnamed_sender_is_denied_is_owed() {
    let mut vars = World::chain_vars();
    vars["ROUTES"] = json!([{"path": ROUTE, "price": "$0.01", "hash_mode": true}]);
    vars["DENY_PAYERS"] = json!([Payer::new(1).address.to_checksum()]);
    let mut world = World::with(vars);
    let bytes = signed(&world, 0);
    let challenge = challenge(&mut world, ROUTE);
    world.wait(2);
    send(&mut world, &bytes);
    let response = world.send(sourced(&challenge, &bytes, None));
    assert_eq!((response.status, response.problem().as_str()), (409, "refund_due"));
    assert_eq!(served(&world), 0);
}

/// A request of somebody who saw the hash in the pool: for another target, under a challenge of theirs.
fn strangers(world: &mut World, bytes: &[u8], named: &Payer) -> RequestHead {
    let theirs = challenge(world, "/shown/other/after");
    answer("/shown/other/after", &theirs, &hash(bytes), Some(named))
}

/// The sender's signature that the transaction is theirs, beside what they show.
fn with_signature(world: &World, request: RequestHead, bytes: &[u8]) -> RequestHead {
    let key = PaymentKey::of_transaction(CHAIN, &keccak256(bytes));
    let url = format!("{HOST}{ROUTE}");
    let statement = world.payer.statement(&key, "GET", &url, world.now().secs());
    request.header("farebox-redelivery", &statement)
}

/// The transaction comes into a block.
fn mine(world: &mut World) {
    let block = world.facilitator.chain.next_block();
    world.facilitator.chain.transfers.mine(block);
    world.wait(2);
}

#[test]
fn a_stranger_who_names_themselves_holds_nothing_up_whoever_comes_first() {
    for stranger_first in [true, false] {
        let mut world = world();
        let (bytes, stranger) = (signed(&world, 0), Payer::new(2));
        let own = challenge(&mut world, ROUTE);
        let own = answer(ROUTE, &own, &hash(&bytes), Some(&world.payer));
        let theirs = strangers(&mut world, &bytes, &stranger);
        world.facilitator.chain.transfers.fate = Fate::Waits;
        assert!(world.facilitator.chain.transfers.send(&bytes, 0));
        let order = match stranger_first {
            true => [&theirs, &own],
            false => [&own, &theirs],
        };
        for request in order {
            assert_ne!(world.send(request.clone()).status, 200);
        }
        mine(&mut world);
        assert_ne!(world.send(theirs.clone()).status, 200);
        assert_eq!(world.send(own).status, 200, "{stranger_first}");
        assert_ne!(world.send(theirs).status, 200);
        world.pass(7_200);
        assert_eq!((served(&world), moved(&world)), (1, 10_000));
        let states = world.ledger.entries();
        let owed = states.iter().filter(|entry| entry.state.name() == "refund_due").count();
        assert_eq!(owed, 0, "nothing is owed for what was served");
    }
}

#[test]
fn a_name_that_a_stranger_has_left_gives_way_to_the_signature_of_the_sender() {
    for (stranger_first, alarm_first) in
        [(true, false), (true, true), (false, false), (false, true)]
    {
        let mut world = world();
        let bytes = signed(&world, 0);
        let own = challenge(&mut world, ROUTE);
        let own = answer(ROUTE, &own, &hash(&bytes), Some(&world.payer));
        let sender = Payer::new(1);
        let theirs = strangers(&mut world, &bytes, &sender);
        world.facilitator.chain.transfers.fate = Fate::Waits;
        assert!(world.facilitator.chain.transfers.send(&bytes, 0));
        let order = match stranger_first {
            true => [&theirs, &own],
            false => [&own, &theirs],
        };
        for request in order {
            assert!(!world.send(request.clone()).has_terms());
        }
        mine(&mut world);
        world.pass(if alarm_first { 120 } else { 0 });
        let case = format!("stranger first: {stranger_first}, alarm first: {alarm_first}");
        let proven = with_signature(&world, own, &bytes);
        assert_eq!(world.send(proven.clone()).status, 200, "{case}");
        assert_eq!(world.send(theirs).problem(), "payment_already_used", "{case}");
        let again = world.send(proven);
        assert_eq!(again.headers.get("payment-replayed"), Some("true"), "{case}");
        world.pass(7_200);
        let states: Vec<_> =
            world.ledger.entries().iter().map(|entry| entry.state.name()).collect();
        assert_eq!((states, served(&world)), (vec!["delivered".to_owned()], 1), "{case}");
    }
}

#[test]
fn what_was_served_gives_way_to_no_signature() {
    let mut world = world();
    let bytes = signed(&world, 0);
    let request = showing(&mut world, ROUTE, &bytes);
    assert_eq!(world.send(request).status, 200);
    let other = challenge(&mut world, ROUTE);
    let ranged =
        answer(ROUTE, &other, &hash(&bytes), Some(&world.payer)).header("range", "bytes=0-0");
    let proven = with_signature(&world, ranged, &bytes);
    assert_eq!(world.send(proven).problem(), "payment_already_used");
    assert_eq!((served(&world), moved(&world)), (1, 10_000));
}
