//! Facilitators of which not all serve sessions, and what one of them states after a deposit.

use farebox_core::facilitator::reply::FacilitatorReply;
use farebox_core::facilitator::supported::{Sold, Supported};
use farebox_core::gate::Gate;
use farebox_core::time::UnixTime;
use serde_json::{Value, json};

use super::door::{Door, PRICE, bound, routes};
use super::sales::opened;
use super::wrong::channel;

const FIRST: &str = "https://first.example";

/// A door with two facilitators, of which the first one serves no sessions.
fn two() -> Door {
    let mut door = Door::new();
    let mut vars = bound(routes());
    vars["FACILITATOR_URL"] = json!([{"url": FIRST}, {"url": "https://second.example"}]);
    door.gate = Box::leak(Box::new(Gate::from_vars(&vars.to_string()).unwrap()));
    door.chain.unserved = FIRST;
    door
}

#[test]
pub fn a_facilitator_that_does_not_serve_sessions_is_passed_by() {
    let mut door = two();
    let deposit = door.payment("deposit", PRICE);
    assert_eq!(door.buy(&deposit, "1").status, 200);
    // One that can send it was found by a free call.
    assert_eq!((door.chain.verified, door.chain.settled), (1, 1));
    let voucher = door.payment("voucher", 2 * PRICE);
    assert_eq!(door.buy(&voucher, "1").status, 200);
    door.now += 300;
    let voucher = door.payment("voucher", 3 * PRICE);
    assert_eq!(door.buy(&voucher, "1").status, 200);
    door.rest();
    assert_eq!((door.funds().claimed, door.funds().paid), (3 * PRICE, 3 * PRICE));
    door.now += 3_600;
    let all = door.payment("refund", 3 * PRICE);
    assert_eq!(door.buy(&all, "1").status, 200);
    door.rest();
    assert_eq!(door.funds().balance, 3 * PRICE);
}

/// The balance of the channel that an answer tells of.
fn balance(door: &mut Door, payment: &Value) -> u64 {
    let answer = door.buy(payment, "1");
    assert_eq!(answer.status, 200, "{}", answer.body);
    let state = &answer.settlement()["extra"]["channelState"];
    state["balance"].as_str().unwrap().parse().unwrap()
}

/// One more deposit of ten prices.
fn added(door: &mut Door, cumulative: u64) -> Value {
    let mut payment = door.payment("deposit", cumulative);
    payment["payload"]["deposit"] = door.deposit(&channel(&payment), 10 * PRICE, 2);
    payment
}

//
#[test]
pub fn a_deposit_that_its_facilitator_counts_twice_is_looked_at_before_it_pays() {
    let mut door = Door::new();
    door.chain.doubles = true;
    let first = door.payment("deposit", PRICE);
    assert_eq!(balance(&mut door, &first), 10 * PRICE);
    assert_eq!((door.chain.verified, door.chain.settled), (1, 1));
    for request in 2..=10 {
        let voucher = door.payment("voucher", request * PRICE);
        assert_eq!(door.buy(&voucher, "1").status, 200);
    }
    let above = door.payment("voucher", 11 * PRICE);
    assert_eq!(door.buy(&above, "1").error(), "cumulative_exceeds_balance");
    // Beside what the channel held before.
    let second = added(&mut door, 11 * PRICE);
    assert_eq!(balance(&mut door, &second), 20 * PRICE);
    assert_eq!((door.chain.verified, door.chain.settled, door.served), (2, 2, 11));
    door.check();
}

#[test]
fn what_a_channel_holds_beyond_its_row_pays_after_one_look() {
    let mut door = opened();
    door.forgets();
    let second = added(&mut door, PRICE);
    assert_eq!(balance(&mut door, &second), 20 * PRICE);
    assert_eq!((door.chain.verified, door.chain.settled, door.served), (1, 2, 2));
}

#[test]
fn a_deposit_that_no_facilitator_can_send_is_sent_to_none() {
    let mut door = two();
    door.chain.unserved = "https://";
    let deposit = door.payment("deposit", PRICE);
    assert_eq!(door.buy(&deposit, "1").status, 503);
    assert_eq!((door.chain.settled, door.served), (0, 0));
}

#[test]
fn the_health_answer_names_networks_without_sessions() {
    let gate = Gate::from_vars(&bound(routes()).to_string()).unwrap();
    let base = gate.facilitator_urls().next().unwrap().to_owned();
    let sessions = gate.sessions_at(&format!("{base}/supported"));
    assert_eq!(sessions, ["eip155:84532"]);
    let entry = |schemes: &[&str]| -> Value {
        let kind = |scheme: &&str| json!({"scheme": scheme, "network": "eip155:84532"});
        let kinds: Vec<Value> = schemes.iter().map(kind).collect();
        let body = json!({"kinds": kinds}).to_string();
        let reply = FacilitatorReply::Answer { status: 200, is_json: true, body };
        let mut known = Supported::default();
        let sold = Sold { networks: &sessions, sessions: &sessions, ..Sold::default() };
        known.note(&reply, &sold, UnixTime::from_secs(5));
        known.entry(&base, serde_json::Map::new())
    };
    assert_eq!(entry(&["exact"])["sessions_missing"], json!(["eip155:84532"]));
    assert_eq!(entry(&["exact"])["networks_missing"], json!([]));
    assert_eq!(entry(&["batch-settlement", "exact"])["sessions_missing"], Value::Null);
    assert_eq!(entry(&["batch-settlement"])["networks_missing"], json!(["eip155:84532"]));
}
