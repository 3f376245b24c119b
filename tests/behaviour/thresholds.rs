//! From which failure on a client is asked for time, at which route, and what begins its count anew.

use serde_json::{Value, json};

use crate::world::facilitator::Verify;
use crate::world::{Response, With, World, get, paid, vars};

/// Where all of them ask.
const NETWORK: &str = "192.0.2.1";

fn world() -> World {
    let route = |path: &str, diagnostics: Value| json!({"path": path, "price": "$0.01", "diagnostics": diagnostics});
    World::with(vars(json!([
        {"path": "/after", "price": "$0.01"},
        route("/twenty/*", json!({"exceeded_after": 20})),
        route("/silent/*", json!(false)),
    ])))
}

/// Asks so often; what the last answer says of waiting.
fn waits_after(world: &mut World, times: u32, target: &str) -> Option<String> {
    let mut last = None;
    for _ in 0..times {
        last = Some(world.send(get(target).header("cf-connecting-ip", NETWORK)));
    }
    last.unwrap().headers.get("retry-after").map(ToOwned::to_owned)
}

fn info_of(response: &Response) -> Option<Value> {
    let body: Value = serde_json::from_slice(&response.body).ok()?;
    body["extensions"]["diagnostic"].get("info").cloned()
}

#[test]
fn a_client_waits_longer_the_more_often_it_fails() {
    let mut world = world();
    let waits = [20, 20, 60].map(|more| waits_after(&mut world, more, "/twenty/growing"));
    assert_eq!(waits, ["30", "60", "150"].map(|secs| Some(secs.to_owned())));
}

#[test]
fn the_threshold_of_a_route_is_its_own_whatever_the_path() {
    let mut world = world();
    assert_eq!(waits_after(&mut world, 18, "/twenty/one"), None);
    assert_eq!(waits_after(&mut world, 1, "/twenty/two"), None, "the 19th");
    assert_eq!(waits_after(&mut world, 1, "/twenty/one"), Some("30".to_owned()), "the 20th");
    assert_eq!(waits_after(&mut world, 1, "/after"), None, "another route");
}

#[test]
fn a_route_may_say_nothing_at_all() {
    let mut world = world();
    assert_eq!(waits_after(&mut world, 151, "/silent/x"), None);
    let required = world.ask("/silent/x").payment_required();
    let now = world.now().secs();
    let forged = world.payer.sign_with(&required, now, |message| {
        message["payload"]["authorization"]["from"] =
            json!("0x00000000000000000000000000000000000000aA");
    });
    let response = world.send(paid(&forged).header("cf-connecting-ip", NETWORK));
    assert_eq!((response.status, info_of(&response)), (402, None));
}

#[test]
fn a_success_begins_the_count_anew() {
    let mut world = world();
    assert_eq!(waits_after(&mut world, 59, "/after"), None);
    assert_eq!(world.pay_from("/after", NETWORK).status, 200);
    assert_eq!(waits_after(&mut world, 99, "/after"), None, "the 99th since the success");
    assert_eq!(waits_after(&mut world, 1, "/after"), Some("30".to_owned()));
}

#[test]
fn an_empty_wallet_is_told_so_and_never_held_against_its_payer() {
    let mut world = world();
    for turn in 0..110 {
        let body = json!({"isValid": false, "invalidReason": "insufficient_funds"}).to_string();
        world.facilitator.verify_plan.push_back(Verify::Raw(200, body));
        let info = info_of(&world.pay_from("/after", NETWORK)).unwrap();
        let told = (&info["code"], &info["escalate"], &info["attempts"]);
        let expected = (&json!("WALLET_INSUFFICIENT_FUNDS"), &json!(true), &Value::Null);
        assert_eq!(told, expected, "turn {turn}");
    }
    let asked = world.send(get("/after").header("cf-connecting-ip", NETWORK));
    assert_eq!((info_of(&asked), asked.headers.get("retry-after")), (None, None));
}
