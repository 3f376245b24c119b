//! Money that has moved for a challenge, whatever else is true when its hash is shown.

use farebox_core::gate::Gate;
use farebox_core::gate::attempts::Attempts;
use farebox_core::http::RequestHead;
use serde_json::{Value, json};

use crate::world::chain::{ASSET, NodeFault};
use crate::world::transfers::Fate;
use crate::world::{PAY_TO, World, paid};

use super::{ROUTE, answer, challenge, hash, moved, paying, send, served, showing, signed, world};

/// The same gate after its operator has changed something.
fn change(world: &mut World, change: impl FnOnce(&mut Value)) {
    let mut vars = World::chain_vars();
    vars["ROUTES"] = json!([{"path": ROUTE, "price": "$0.01", "hash_mode": true}]);
    change(&mut vars);
    world.gate = Box::leak(Box::new(Gate::from_vars(&vars.to_string()).unwrap()));
}

/// A payer has sent a transaction for a challenge, and not shown it so far.
fn sent(world: &mut World) -> RequestHead {
    let bytes = signed(world, 0);
    showing(world, ROUTE, &bytes)
}

fn state(world: &World) -> String {
    world.ledger.state().name()
}

/// What an operator does after a challenge was issued.
type Change = fn(&mut Value);

const CHANGES: [(&str, Change); 6] = [
    ("nothing", |_| {}),
    ("price", |vars| vars["ROUTES"][0]["price"] = json!("$0.02")),
    ("payee", |vars| vars["PAY_TO"] = json!("0x9bD306cEF7C9C5C35324a3acA5Cc136C80A8FF4f")),
    ("hash mode", |vars| vars["ROUTES"][0]["hash_mode"] = json!(false)),
    ("protocols", |vars| {
        vars["ROUTES"] = json!([{"path": ROUTE, "price": "$0.01", "protocols": ["x402"]}]);
    }),
    ("time-out", |vars| vars["ROUTES"][0]["max_timeout_secs"] = json!(3500)),
];

//
#[test]
pub fn it_is_served_at_the_price_of_its_challenge_whatever_is_asked_by_now() {
    for (what, does) in CHANGES {
        for waits in [0, 400, 86_400] {
            let mut world = world();
            let request = sent(&mut world);
            change(&mut world, does);
            world.wait(waits);
            let response = world.send(request.clone());
            assert_eq!(response.status, 200, "{what} {waits}: {}", response.problem());
            let [entry] = world.ledger.entries().try_into().unwrap();
            let asked = (entry.payment.amount.as_str(), entry.payment.pay_to.as_str());
            assert_eq!(asked, ("10000", PAY_TO), "{what}");
            assert_eq!((state(&world).as_str(), served(&world)), ("delivered", 1), "{what}");
            let again = world.send(request);
            assert_eq!(again.headers.get("payment-replayed"), Some("true"), "{what}");
            assert_eq!((served(&world), moved(&world)), (1, 10_000));
        }
    }
}

#[test]
fn a_price_that_is_another_free_or_unknown_by_now_takes_nothing_back() {
    for says in [vec![json!({"price": "$0.90"})], vec![json!({"price": "free"})], vec![]] {
        let mut vars = World::chain_vars();
        vars["ROUTES"] = json!([{
            "path": ROUTE, "price": {"from": "PRICER", "max": "$1.00"}, "hash_mode": true,
        }]);
        vars["bindings"] = json!(["LEDGER", "PRICER"]);
        let mut world = World::with(vars);
        world.prices.push_back(json!({"price": "$0.01"}).to_string());
        let request = sent(&mut world);
        // Another isolate, which remembers no quote.
        world.attempts = Attempts::new();
        world.prices = says.iter().map(ToString::to_string).collect();
        world.wait(400);
        let response = world.send(request);
        assert_eq!(response.status, 200, "{says:?} {}", response.problem());
        assert_eq!(state(&world), "delivered", "{says:?}");
    }
}

#[test]
pub fn a_transaction_sent_by_a_denied_payer_is_owed_and_never_called_uncharged() {
    let mut world = world();
    let request = sent(&mut world);
    let payer = world.payer.address.to_checksum();
    change(&mut world, |vars| vars["DENY_PAYERS"] = json!([payer]));
    for _ in 0..2 {
        let response = world.send(request.clone());
        assert_eq!((response.status, response.problem().as_str()), (409, "refund_due"));
        assert!(!response.has_terms());
    }
    assert_eq!((state(&world).as_str(), served(&world)), ("refund_due", 0));
    // One that pays nothing is denied as ever; of one that nobody has seen nothing is said.
    let bytes = world.payer.transaction(1, ASSET, PAY_TO, 9_999);
    let request = showing(&mut world, ROUTE, &bytes);
    assert_eq!(world.send(request).problem(), "payer_denied");
    let bytes = signed(&world, 2);
    let challenge = challenge(&mut world, ROUTE);
    let unseen = answer(ROUTE, &challenge, &hash(&bytes), Some(&world.payer));
    assert_eq!(world.send(unseen.clone()).problem(), "settlement_unknown");
    send(&mut world, &bytes);
    assert_eq!(world.send(unseen).problem(), "refund_due");
    assert_eq!(served(&world), 0);
}

//
#[test]
fn what_was_sent_for_a_route_that_went_is_owed() {
    let routes = [
        json!([{"path": "/other", "price": "$0.01"}]),
        json!([{"path": "/other", "price": "$0.01"}, {"path": ROUTE, "price": "free"}]),
        json!([{"path": ROUTE, "price": "$0.01", "methods": ["POST"]}]),
    ];
    for routes in routes {
        for default in ["deny", "free"] {
            let mut world = world();
            let request = sent(&mut world);
            change(&mut world, |vars| {
                vars["ROUTES"] = routes.clone();
                vars["DEFAULT"] = json!(default);
            });
            let response = world.send(request);
            let said = (response.status, response.problem());
            assert_eq!(said, (409, "refund_due".to_owned()), "{routes} {default}");
            assert_eq!((state(&world).as_str(), served(&world)), ("refund_due", 0));
        }
    }
}

#[test]
fn what_was_sent_in_a_token_that_no_route_names_any_more_is_owed() {
    let token = json!({
        "address": "0x9bD306cEF7C9C5C35324a3acA5Cc136C80A8FF4f", "decimals": 6, "name": "Other",
        "version": "1",
    });
    let routes = [
        json!([{"path": ROUTE, "price": "$0.01", "hash_mode": true, "asset": token}]),
        json!([{"path": "/other", "price": "$0.01", "asset": token}]),
        json!([{"path": ROUTE, "price": "free"}]),
    ];
    for routes in routes {
        let mut world = world();
        let request = sent(&mut world);
        change(&mut world, |vars| {
            vars["ROUTES"] = routes.clone();
            vars["DEFAULT"] = json!("free");
        });
        for _ in 0..2 {
            let response = world.send(request.clone());
            assert_eq!(response.problem(), "refund_due", "{routes}");
            assert!(!response.has_terms());
        }
        let [entry] = world.ledger.entries().try_into().unwrap();
        assert_eq!(entry.payment.asset.to_lowercase(), ASSET.to_lowercase(), "{routes}");
        assert_eq!((state(&world).as_str(), served(&world)), ("refund_due", 0));
    }
}

#[test]
fn what_no_node_can_be_asked_about_any_more_is_no_reason_to_pay_again() {
    let mut world = world();
    let request = sent(&mut world);
    change(&mut world, |vars| {
        vars["ROUTES"] = json!([{"path": ROUTE, "price": "$0.01"}]);
        vars.as_object_mut().unwrap().remove("RPC_URL");
    });
    let response = world.send(request);
    let said = (response.status, response.problem(), response.has_terms());
    assert_eq!(said, (503, "chain_unavailable".to_owned(), false));
    assert_eq!(served(&world), 0);
}

#[test]
pub fn what_was_mined_long_after_its_challenge_is_owed_and_not_served() {
    for (waits, status, end) in [(590, 200, "delivered"), (620, 409, "refund_due")] {
        let mut world = world();
        change(&mut world, |vars| vars["ROUTES"][0]["max_timeout_secs"] = json!(300));
        let bytes = signed(&world, 0);
        let challenge = challenge(&mut world, ROUTE);
        world.wait(waits);
        send(&mut world, &bytes);
        let request = answer(ROUTE, &challenge, &hash(&bytes), Some(&world.payer));
        let response = world.send(request);
        assert_eq!((response.status, response.has_terms()), (status, false), "{waits}");
        assert_eq!(state(&world), end, "{waits}");
    }
}

#[test]
fn shown_for_another_request_it_is_told_that_it_belongs_elsewhere_and_stays_good_there() {
    let mut world = world();
    let request = sent(&mut world);
    let mut target = request.clone();
    target.url = target.url.replace(ROUTE, "/shown/other/after");
    let mut host = request.clone();
    host.url = host.url.replace("shop.example", "store.example");
    for other in [target, host] {
        let response = world.send(other);
        assert_eq!((response.status, response.problem().as_str()), (409, "payment_already_used"));
        assert!(!response.has_terms());
        assert!(world.ledger.entries().is_empty());
    }
    assert_eq!(world.send(request).status, 200);
}

#[test]
fn what_the_payer_awaits_beside_it_does_not_hold_it_up() {
    let mut world = world();
    let request = sent(&mut world);
    let waiting = paying(&mut world, ROUTE, 1);
    world.facilitator.chain.transfers.fate = Fate::Waits;
    assert_eq!(world.send(waiting).problem(), "settlement_unknown");
    assert_eq!(world.send(request).status, 200);
}

#[test]
pub fn a_node_that_does_not_answer_leaves_a_row_that_finds_it() {
    for fault in [NodeFault::Silent, NodeFault::Refuses] {
        let mut world = world();
        let request = sent(&mut world);
        world.facilitator.chain.plan.push_back(fault);
        let response = world.send(request.clone());
        assert_eq!((response.status, response.problem().as_str()), (503, "chain_unavailable"));
        assert_eq!(state(&world), "unknown");
        world.pass(300);
        assert_eq!((state(&world).as_str(), served(&world)), ("settled", 0));
        // Who comes for it is served, also where its challenge has ended and its price has changed.
        change(&mut world, |vars| vars["ROUTES"][0]["price"] = json!("$0.02"));
        world.wait(600);
        assert_eq!(world.send(request).status, 200, "{fault:?}");
        assert_eq!((served(&world), moved(&world)), (1, 10_000));
    }
}

#[test]
fn what_the_alarm_finds_too_late_is_owed() {
    let mut world = world();
    let bytes = signed(&world, 0);
    let challenge = challenge(&mut world, ROUTE);
    let request = answer(ROUTE, &challenge, &hash(&bytes), Some(&world.payer));
    assert_eq!(world.send(request).problem(), "settlement_unknown");
    world.wait(3_600);
    send(&mut world, &bytes);
    world.pass(3_600);
    assert_eq!((state(&world).as_str(), served(&world)), ("refund_due", 0));
}

#[test]
fn a_name_that_no_chain_knows_holds_nothing_back_and_goes_after_few_looks() {
    let mut world = world();
    for number in 0..3 {
        let bytes = signed(&world, number);
        let challenge = challenge(&mut world, ROUTE);
        let request = answer(ROUTE, &challenge, &hash(&bytes), Some(&world.payer));
        assert_eq!(world.send(request).problem(), "settlement_unknown");
    }
    assert_eq!(world.ledger.entries().len(), 3);
    assert_eq!(world.pay(ROUTE).status, 200, "who names a payer stops no payment of theirs");
    let asked = world.facilitator.chain.asked;
    world.pass(3 * 86_400);
    let looks = world.facilitator.chain.asked - asked;
    assert!(looks <= 3 * 32, "{looks} looks");
    let states: Vec<_> = world.ledger.entries().iter().map(|entry| entry.state.name()).collect();
    assert_eq!(states, ["delivered"], "the names went, and the operator has nothing to decide");
    assert_eq!(served(&world), 1);
}

#[test]
pub fn what_was_sent_and_finds_no_place_waits_to_be_fetched() {
    let mut world = world();
    change(&mut world, |vars| vars["MAX_IN_FLIGHT_PER_PAYER"] = json!(1));
    let request = sent(&mut world);
    let other = world.sign(ROUTE);
    let mut running = world.start(paid(&other), b"");
    world.advance(&mut running);
    let response = world.send(request.clone());
    assert_eq!((response.status, response.problem().as_str()), (429, "too_many_in_flight"));
    let mut states: Vec<_> = world.ledger.entries().iter().map(|row| row.state.name()).collect();
    states.sort_unstable();
    assert_eq!(states, ["executing", "settled"]);
    while world.advance(&mut running) {}
    assert_eq!(world.send(request).status, 200);
}

#[test]
fn what_was_shown_too_early_is_served_once_a_block_has_it_whatever_is_asked_by_now() {
    for (what, does) in CHANGES {
        for named in [true, false] {
            let mut world = world();
            let bytes = signed(&world, 0);
            let challenge = challenge(&mut world, ROUTE);
            let source = named.then_some(&world.payer);
            let request = answer(ROUTE, &challenge, &hash(&bytes), source);
            assert_eq!(world.send(request.clone()).problem(), "settlement_unknown", "{what}");
            send(&mut world, &bytes);
            change(&mut world, does);
            let response = world.send(request);
            assert_eq!(response.status, 200, "{what} {named}: {}", response.problem());
        }
    }
}
