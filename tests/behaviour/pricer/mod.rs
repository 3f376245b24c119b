//! Prices that a bound Worker names. Spec: docs/pricing.md.

use serde_json::{Value, json};

use crate::world::payer::Payment;
use crate::world::{Response, World, vars};

mod named;
pub mod payees;
pub mod questions;
pub mod quotes;
pub mod repeats;
pub mod told;

fn route(price: Value) -> Value {
    json!({"path": "/quoted", "price": price, "description": "as configured"})
}

fn gate_vars(routes: Value) -> Value {
    let mut vars = vars(routes);
    vars["bindings"] = json!(["LEDGER", "PRICER"]);
    vars
}

fn max(max: &str) -> Value {
    json!({"from": "PRICER", "max": max})
}

fn world() -> World {
    World::with(gate_vars(json!([
        route(max("$1.00")),
        {"path": "/early", "price": max("$1.00"), "settle": "before"},
        {"path": "/least", "price": {"from": "PRICER", "max": "$1.00", "min": "$0.05"}},
        {"path": "/daily", "price": max("$1.00"), "free": {"per_day": 1}},
        {"path": "/fixed", "price": "$0.01"},
    ])))
}

/// Puts the present price up.
fn says(world: &mut World, answers: &[Value]) {
    world.prices = answers.iter().map(ToString::to_string).collect();
}

fn price(text: &str) -> Value {
    json!({ "price": text })
}

fn amount(response: &Response) -> String {
    let required = response.payment_required();
    let accepts = required["accepts"].as_array().unwrap();
    assert_eq!(accepts.len(), 1);
    accepts[0]["amount"].as_str().unwrap().to_owned()
}

/// Signed for the present price, by version.
fn sign(world: &mut World, target: &str, version: u8) -> Payment {
    let unpaid = world.ask(target);
    let now = world.now().secs();
    match version {
        1 => world.payer.sign_v1(&unpaid.json(), now),
        _ => world.payer.sign(&unpaid.payment_required(), now),
    }
}

fn is_unavailable(response: &Response) -> bool {
    response.status == 503
        && response.problem() == "price_unavailable"
        && response.headers.get("retry-after") == Some("5")
        && !response.has_terms()
}
