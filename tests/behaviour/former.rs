//! Prices that a table had before: what a buyer was told just before it changed is taken for five minutes, and nothing else
//! of the earlier terms. Spec: docs/upkeep.md, "Changing routes and prices".

use farebox_core::gate::Gate;
use farebox_core::http::RequestHead;
use farebox_core::mpp::challenge::read_list;
use serde_json::{Value, json};

use crate::world::payer::Payment;
use crate::world::{World, mpp, paid, vars};

const OTHER: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";

fn route(members: &Value) -> Value {
    let mut route = json!({
        "path": "/w", "price": "$0.05", "max_timeout_secs": 3000, "origin_timeout_secs": 5,
    });
    route.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    route
}

fn gate_of(routes: Value) -> Gate {
    Gate::from_vars(&vars(routes).to_string()).unwrap()
}

/// Gives the world another table, as an isolate does that has read it.
fn read(world: &mut World, routes: Value) {
    let mut gate = gate_of(routes);
    gate.keep_former(world.gate, world.now());
    world.gate = Box::leak(Box::new(gate));
}

fn signed_v2(world: &mut World) -> (RequestHead, Payment) {
    let payment = world.sign("/w");
    (paid(&payment), payment)
}

fn signed_v1(world: &mut World) -> (RequestHead, Payment) {
    let body = world.ask("/w").json();
    let now = world.now().secs();
    let payment = world.payer.sign_v1(&body, now);
    (paid(&payment), payment)
}

fn signed_by_mpp(world: &mut World) -> (RequestHead, Payment) {
    let unpaid = world.ask("/w");
    let now = world.now().secs();
    let signed = world.payer.sign(&unpaid.payment_required(), now);
    (paid(&signed.by_mpp(&mpp::echo_of(&unpaid))), signed)
}

type Kind = fn(&mut World) -> (RequestHead, Payment);
const KINDS: [Kind; 3] = [signed_v2, signed_v1, signed_by_mpp];

#[test]
fn a_price_that_was_told_just_before_the_table_changed_is_served_and_charged() {
    for mode in ["after", "before"] {
        for price in ["$0.01", "$0.90"] {
            for pay in KINDS {
                let mut world = World::with(vars(json!([route(&json!({ "settle": mode }))])));
                let (head, payment) = pay(&mut world);
                read(&mut world, json!([route(&json!({"settle": mode, "price": price}))]));
                world.wait(200);
                assert_eq!(world.send(head).status, 200, "{mode}, {price}");
                let row = world.row_of(&payment.nonce);
                assert_eq!(row.payment.amount.to_string(), "50000", "{mode}, {price}");
                assert_eq!(world.facilitator.settles.len(), 1, "{mode}, {price}");
                let told = world.ask("/w").payment_required();
                let amount = if price == "$0.01" { "10000" } else { "900000" };
                assert_eq!(told["accepts"][0]["amount"], amount, "others are told the new one");
            }
        }
    }
}

//
#[test]
pub fn whoever_is_refused_at_a_former_price_is_told_todays() {
    for pay in KINDS {
        let mut world = World::with(vars(json!([route(&json!({}))])));
        let (head, _) = pay(&mut world);
        // Too little of its time is left in which to serve it.
        world.wait(2_990);
        read(&mut world, json!([route(&json!({"price": "$0.90"}))]));
        let refused = world.send(head);
        assert_eq!(refused.status, 402);
        assert_eq!(refused.payment_required()["accepts"][0]["amount"], "900000");
        let challenge = refused.headers.rows("www-authenticate").flat_map(read_list).next();
        let asked = challenge.unwrap().unwrap().request_object().unwrap();
        assert_eq!(asked["amount"], "900000");
    }
}

fn refused_after(secs: u64, routes: Value) {
    for pay in KINDS {
        let mut world = World::with(vars(json!([route(&json!({}))])));
        let (head, _) = pay(&mut world);
        let case = format!("{routes} after {secs}");
        read(&mut world, routes.clone());
        world.wait(secs);
        assert!(world.send(head).status >= 400, "{case}");
        assert!(world.ledger.entries().is_empty() && world.facilitator.urls.is_empty(), "{case}");
    }
}

//
#[test]
pub fn a_former_price_pays_for_five_minutes_and_only_to_the_same_payee_in_the_same_way() {
    refused_after(300, json!([route(&json!({"price": "$0.90"}))]));
    refused_after(1, json!([route(&json!({"price": "$0.90", "pay_to": OTHER}))]));
    refused_after(1, json!([route(&json!({"price": "$0.90", "settle": "before"}))]));
    refused_after(1, json!([route(&json!({"price": "$0.90", "methods": ["POST"]}))]));
    refused_after(
        1,
        json!([route(&json!({"price": "$0.90", "path": "/v"})), {"path": "/w", "price": "$0.90"}]),
    );
    let priced = json!({"from": "PRICER", "max": "$1.00"});
    let mut world = World::with(vars(json!([route(&json!({}))])));
    let (head, _) = signed_v2(&mut world);
    let mut vars = vars(json!([route(&json!({ "price": priced }))]));
    vars["bindings"] = json!(["LEDGER", "PRICER"]);
    let mut gate = Gate::from_vars(&vars.to_string()).unwrap();
    gate.keep_former(world.gate, world.now());
    world.gate = Box::leak(Box::new(gate));
    assert!(world.send(head).status >= 400, "a pricer names its prices itself");
}

#[test]
fn a_change_of_another_route_neither_ends_nor_prolongs_a_former_price() {
    for (secs, status) in [(299, 200), (300, 402)] {
        let mut world = World::with(vars(json!([route(&json!({}))])));
        let (head, _) = signed_v2(&mut world);
        let dear = route(&json!({"price": "$0.90"}));
        read(&mut world, json!([dear]));
        world.wait(290);
        read(&mut world, json!([dear, {"path": "/new", "price": "$0.01"}]));
        world.wait(secs - 290);
        assert_eq!(world.send(head).status, status, "after {secs}");
    }
}

#[test]
fn a_forged_payment_at_a_former_price_begins_nothing() {
    let mut world = World::with(vars(json!([route(&json!({}))])));
    let required = world.ask("/w").payment_required();
    let now = world.now().secs();
    let forged = world.payer.sign_with(&required, now, |message| {
        message["payload"]["signature"] = format!("0x{}1b", "11".repeat(64)).into();
    });
    read(&mut world, json!([route(&json!({"price": "$0.90"}))]));
    assert!(world.send(paid(&forged)).status >= 400);
    assert!(world.ledger.entries().is_empty() && world.origin.calls.is_empty());
}

#[test]
fn what_was_paid_at_a_former_price_is_told_when_that_is_over() {
    let mut world = World::with(vars(json!([route(&json!({}))])));
    let (head, _) = signed_v2(&mut world);
    read(&mut world, json!([route(&json!({"price": "$0.90"}))]));
    assert_eq!(world.send(head.clone()).status, 200);
    world.wait(1000);
    assert!(!world.send(head).has_terms());
    assert_eq!(world.facilitator.settles.len(), 1);
}
