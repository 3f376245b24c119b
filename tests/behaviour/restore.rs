//! A ledger that was restored from a backup: what it may have lost begins nothing, what is younger is served, and no client
//! signs a payment that would be refused. Spec: docs/upkeep.md, "Restore from a backup".

use farebox_core::gate::Gate;
use farebox_core::http::RequestHead;
use farebox_core::ledger::restored::Restored;
use farebox_core::mpp::charge::Framing;
use serde_json::{Value, json};

use crate::onchain;
use crate::world::chain::{ASSET, NodeFault};
use crate::world::ledger::Ledger;
use crate::world::origin::Say;
use crate::world::payer::Payment;
use crate::world::{PAY_TO, Response, With, World, mpp, paid, solana, vars};

const ROUTE: &str = "/w";
/// Seconds from the restore on in which payments that end before may have been lost.
const CLOSED_SECS: u64 = 3600;

fn route(more: Value) -> Value {
    let mut route = json!({"path": ROUTE, "price": "$0.01", "settle": "before"});
    route.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    json!([route])
}

/// The gate of a world, whose ledger was restored now.
fn restore(world: &mut World, mut vars: Value) {
    world.wait(60);
    vars["LEDGER_CLOSED_BEFORE"] = world.now().secs().into();
    world.gate = Box::leak(Box::new(Gate::from_vars(&vars.to_string()).unwrap()));
    world.ledger.recovery = world.gate.plan().clone();
}

/// A payment in answer to the challenge of this 402, under terms that were put up at some time.
fn bound(world: &mut World, (unpaid, required): (&Response, &Value)) -> Payment {
    let echo = mpp::echo_of(unpaid);
    let text = |name: &str| echo[name].as_str().unwrap();
    world.payer.bound = Some(Framing::Listed.challenge_hash(text("id"), text("realm")));
    let now = world.now().secs();
    let payment = world.payer.sign(required, now).by_challenge(&echo);
    world.payer.bound = None;
    payment
}

fn told(response: &Response) -> (u16, String, bool) {
    (response.status, response.problem(), response.has_terms())
}

#[test]
pub fn no_client_is_asked_to_sign_what_would_be_refused() {
    let mut world = World::with(vars(route(json!({"protocols": ["x402"]}))));
    restore(&mut world, vars(route(json!({"protocols": ["x402"]}))));
    let said = world.ask(ROUTE);
    assert_eq!(told(&said), (503, "ledger_unavailable".to_owned(), false));
    let wait: u64 = said.headers.get("retry-after").unwrap().parse().unwrap();
    assert_eq!(wait, CLOSED_SECS - 300);
    world.wait(wait - 1);
    assert_eq!(world.ask(ROUTE).status, 503);
    world.wait(1);
    assert_eq!(world.pay(ROUTE).status, 200);
}

#[test]
fn a_longer_validity_keeps_it_closed_for_longer() {
    let longer = || {
        let mut vars = vars(route(json!({"protocols": ["x402"]})));
        vars["MAX_VALIDITY_SECS"] = json!(7_200);
        vars
    };
    let mut world = World::with(longer());
    restore(&mut world, longer());
    let wait: u64 = world.ask(ROUTE).headers.get("retry-after").unwrap().parse().unwrap();
    assert_eq!(wait, 7_200 - 300);
    world.wait(wait);
    assert_eq!(world.pay(ROUTE).status, 200);
}

#[test]
pub fn a_challenge_that_has_a_date_is_put_up_and_its_payment_served() {
    let vars = vars(route(json!({})));
    let mut world = World::with(vars.clone());
    let earlier = world.ask(ROUTE);
    let required = earlier.payment_required();
    restore(&mut world, vars);
    let old = bound(&mut world, (&earlier, &required));
    assert_eq!(told(&world.present(&old)), (503, "settlement_unknown".to_owned(), false));
    assert!(world.ledger.entries().is_empty() && world.facilitator.urls.is_empty());
    let unpaid = world.ask(ROUTE);
    assert_eq!((unpaid.status, unpaid.headers.get("payment-required")), (402, None));
    let payment = bound(&mut world, (&unpaid, &required));
    assert_eq!(world.present(&payment).status, 200);
    let now = world.now().secs();
    let undated = world.payer.sign(&required, now).by_mpp(&mpp::echo_of(&unpaid));
    assert_eq!(told(&world.present(&undated)), (503, "settlement_unknown".to_owned(), false));
}

#[test]
pub fn an_authorization_that_nobody_could_take_before_the_restore_is_served() {
    let vars = vars(route(json!({"protocols": ["x402"]})));
    let mut world = World::with(vars.clone());
    let body = world.ask(ROUTE).json();
    restore(&mut world, vars);
    // A payer of version 1 signs what is valid since ten minutes ago.
    for (wait, status) in [(0, 503), (599, 503), (1, 200)] {
        world.wait(wait);
        let now = world.now().secs();
        let payment = world.payer.sign_v1(&body, now);
        assert_eq!(world.present(&payment).status, status, "{wait}");
    }
}

//
#[test]
pub fn a_debt_that_may_have_been_paid_back_before_a_restore_is_not_served() {
    for restored_after in [0, 1] {
        let mut world = World::with(vars(route(json!({"idempotent": true}))));
        let payment = world.sign(ROUTE);
        world.origin.plan.push_back(Say::Lost);
        let own = || paid(&payment).header("idempotency-key", &"k".repeat(22));
        assert_eq!(world.send(own()).problem(), "refund_due");
        let known_since = world.row_of(&payment.nonce).created.secs() + restored_after;
        let restored = Restored::new(known_since, world.gate.plan());
        world.ledger.recovery = restored.plan(world.gate.plan()).clone();
        world.wait(10);
        let said = world.send(own());
        assert_eq!(said.is_delivery(), restored_after == 0, "{}", said.problem());
    }
}

//
#[test]
pub fn what_was_paid_before_a_restore_is_in_doubt_whatever_changes_after_it() {
    for is_a_contracts in [false, true] {
        let mut vars = vars(route(json!({"protocols": ["x402"]})));
        vars["NETWORK"] = json!(["eip155:84532", "eip155:80002"]);
        vars["CONTRACT_WALLETS"] = "facilitator".into();
        let mut world = World::with(vars.clone());
        let required = world.ask(ROUTE).payment_required();
        let now = world.now().secs();
        let payment = world.payer.sign_with(&required, now, |message| {
            if is_a_contracts {
                message["payload"]["signature"] = format!("0x{}", "ab".repeat(97)).into();
            }
        });
        assert_eq!(world.present(&payment).status, 200);
        // Its network is not sold any more, and the price is another one.
        vars["NETWORK"] = json!(["eip155:80002"]);
        vars["ROUTES"][0]["price"] = "$0.03".into();
        restore(&mut world, vars);
        world.ledger = Ledger::new(world.gate.plan().clone());
        world.pass(120);
        assert_eq!(told(&world.present(&payment)), (503, "settlement_unknown".to_owned(), false));
        assert!(world.ledger.entries().is_empty());
    }
}

#[test]
pub fn a_payment_that_the_gate_cannot_read_may_have_been_lost_as_well() {
    let mut vars = vars(route(json!({})));
    vars["NETWORK"] = json!([solana::NETWORK]);
    vars["PAY_TO"] = json!({ solana::NETWORK: solana::PAYEE });
    let extra = json!({ solana::NETWORK: { "feePayer": solana::FEE_PAYER } });
    vars["FACILITATOR_URL"] = json!([{ "url": vars["FACILITATOR_URL"], "extra": extra }]);
    let mut world = World::with(vars.clone());
    let required = world.ask(ROUTE).payment_required();
    restore(&mut world, vars);
    assert_eq!(world.ask(ROUTE).status, 503);
    let payment = solana::payment(&required, &solana::transaction(1));
    assert_eq!(told(&world.present(&payment)), (503, "settlement_unknown".to_owned(), false));
    assert!(world.ledger.entries().is_empty() && world.facilitator.urls.is_empty());
}

#[test]
fn a_transaction_that_was_sent_after_the_restore_is_served_and_one_before_it_is_looked_at_by_people()
 {
    let mut vars = World::chain_vars();
    vars["ROUTES"] = route(json!({"hash_mode": true}));
    let mut world = World::with(vars.clone());
    let old = shown(&mut world, 0);
    restore(&mut world, vars);
    assert_eq!(told(&world.send(old)), (409, "under_review".to_owned(), false));
    let new = shown(&mut world, 1);
    assert_eq!(world.send(new).status, 200);
}

/// What answers a challenge of a route that takes hashes: a transaction that is in a block.
fn shown(world: &mut World, nonce: u64) -> RequestHead {
    let head = answered(world, nonce);
    mine(world, nonce);
    head
}

/// A transaction of the payer's, shown for a fresh challenge.
fn answered(world: &mut World, nonce: u64) -> RequestHead {
    let challenge = onchain::challenge(world, ROUTE);
    let hash = onchain::hash(&world.payer.transaction(nonce, ASSET, PAY_TO, 10_000));
    onchain::answer(ROUTE, &challenge, &hash, Some(&world.payer.clone()))
}

fn mine(world: &mut World, nonce: u64) {
    world.wait(2);
    let bytes = world.payer.transaction(nonce, ASSET, PAY_TO, 10_000);
    let block = world.facilitator.chain.next_block();
    assert!(world.facilitator.chain.transfers.send(&bytes, block));
    world.wait(2);
}

fn sent_by_hash() -> (World, RequestHead) {
    let mut vars = World::chain_vars();
    vars["ROUTES"] = route(json!({"hash_mode": true}));
    let mut world = World::with(vars);
    let head = shown(&mut world, 0);
    (world, head)
}

//
#[test]
pub fn a_hash_that_a_copy_may_lack_is_looked_at_by_people_whatever_the_copied_gate_sold() {
    let (mut world, unknown) = sent_by_hash();
    let known = shown(&mut world, 1);
    assert_eq!(world.send(known.clone()).status, 200);
    world.wait(1);
    // The copied gate sold nothing, so that this one has no LEDGER_CLOSED_BEFORE.
    let restored = Restored::new(world.now().secs(), world.gate.plan());
    world.ledger.recovery = restored.plan(world.gate.plan()).clone();
    let sold = world.gate;
    let mut vars = World::chain_vars();
    vars["ROUTES"] = json!([{"path": "/free", "price": "free"}]);
    vars["DEFAULT"] = "deny".into();
    let closed: &Gate = Box::leak(Box::new(Gate::from_vars(&vars.to_string()).unwrap()));
    let rows = world.ledger.entries().len();
    for gate in [sold, closed] {
        world.gate = gate;
        let said = told(&world.send(unknown.clone()));
        assert_eq!(said, (409, "under_review".to_owned(), false));
        world.facilitator.chain.plan.extend([NodeFault::Forgets; 4]);
        let said = told(&world.send(unknown.clone()));
        assert_eq!(said, (409, "under_review".to_owned(), false), "no node shows it");
        world.facilitator.chain.plan.clear();
        assert_eq!(world.ledger.entries().len(), rows);
    }
    world.gate = sold;
    assert_eq!(world.send(known).headers.get("payment-replayed"), Some("true"));
    let later = shown(&mut world, 2);
    assert_eq!(world.send(later).status, 200);
    // A row that is made now, for another challenge, knows no more of what was before.
    let fresh = answered(&mut world, 0);
    world.facilitator.chain.plan.extend([NodeFault::Silent; 20]);
    assert_eq!(world.send(fresh).problem(), "chain_unavailable");
    world.facilitator.chain.plan.clear();
    assert_eq!(world.ledger.entries().len(), rows + 2);
    assert_eq!(told(&world.send(unknown)), (409, "under_review".to_owned(), false));
}

//
#[test]
pub fn a_hash_that_was_only_awaited_when_its_row_was_copied_is_looked_at_by_people() {
    let gate = |shards: &str| -> &'static Gate {
        let mut vars = World::chain_vars();
        vars["ROUTES"] = route(json!({"hash_mode": true}));
        vars["LEDGER_SHARDS"] = shards.into();
        Box::leak(Box::new(Gate::from_vars(&vars.to_string()).unwrap()))
    };
    // Also where the copy came into the objects of the number before.
    for (restores, shards) in [(false, "16"), (true, "16"), (true, "64,16")] {
        let mut world = World::around(gate("16"));
        let head = answered(&mut world, 0);
        world.facilitator.chain.plan.extend([NodeFault::Forgets; 4]);
        assert_ne!(world.send(head.clone()).status, 200);
        world.facilitator.chain.plan.clear();
        world.wait(1);
        world.gate = gate(shards);
        if restores {
            // The copied gate finds it, owes it, and pays it back before it is stopped.
            let restored = Restored::new(world.now().secs(), world.gate.plan());
            world.ledger.recovery = restored.plan(world.gate.plan()).clone();
        }
        mine(&mut world, 0);
        assert_eq!(told(&world.send(head)).0, if restores { 409 } else { 200 }, "{shards}");
    }
}

//
#[test]
pub fn a_hash_that_the_ledger_does_not_know_buys_for_two_days() {
    let (mut world, head) = sent_by_hash();
    assert_eq!(world.send(head.clone()).status, 200);
    world.wait(172_800);
    // What the ledger knows is answered as always.
    assert_eq!(world.send(head).headers.get("payment-replayed"), Some("true"));
    // Its row may have gone by then, or was lost by a restore that is over.
    for change in [json!(null), json!("$0.02")] {
        let (mut world, head) = sent_by_hash();
        if change.is_string() {
            let mut vars = World::chain_vars();
            vars["ROUTES"] = route(json!({"hash_mode": true, "price": change}));
            world.gate = Box::leak(Box::new(Gate::from_vars(&vars.to_string()).unwrap()));
        }
        world.wait(172_790);
        let mut later = world.clone();
        later.wait(10);
        assert_eq!(told(&later.send(head.clone())), (409, "under_review".to_owned(), false));
        assert!(later.ledger.entries().is_empty() && later.origin.calls.is_empty());
        assert_eq!(world.send(head).status, 200);
    }
}
