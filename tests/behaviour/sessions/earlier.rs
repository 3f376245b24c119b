//! Sessions whose terms change between a payment and its repeat.

use farebox_core::channel::config::ChannelId;
use farebox_core::facilitator::unproven::UnverifiedLimiter;
use farebox_core::gate::Gate;
use serde_json::{Value, json};

use super::chain::Manner;
use super::door::{Answer, Door, PRICE, account, bound, routes};
use super::mpp_payer::{Session, code, variables};
use super::sales::opened;
use crate::world::{With, get};

/// Deploys a gate with this member of its route and these variables.
fn change(door: &mut Door, mut vars: Value, (name, value): (&str, Value), more: Value) {
    vars["ROUTES"][0][name] = value;
    vars.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    door.gate = Box::leak(Box::new(Gate::from_vars(&vars.to_string()).unwrap()));
}

/// What an operator may change of the terms of a session.
fn changes() -> Vec<(&'static str, Value, Value)> {
    let payee = json!({"PAY_TO": account(8).address().to_checksum()});
    vec![
        ("price", json!("$0.02"), json!({})),
        ("price", json!("$0.001"), json!({})),
        ("max_timeout_secs", json!(600), json!({})),
        ("session_delay_secs", json!(1_800), json!({})),
        ("price", json!("$0.01"), payee),
    ]
}

fn session_state(answer: &Answer) -> Value {
    let terms = answer.terms();
    let all = terms["accepts"].as_array().unwrap();
    let session = all.iter().find(|it| it["scheme"] == "batch-settlement").unwrap();
    session["extra"]["channelState"].clone()
}

//
#[test]
pub fn what_was_charged_is_delivered_again_whatever_the_route_asks_for_since() {
    for (name, value, more) in changes() {
        // The first request with its deposit, and a later one.
        for kind in ["deposit", "voucher"] {
            let mut door = if kind == "deposit" { Door::new() } else { opened() };
            let cumulative = if kind == "deposit" { PRICE } else { 2 * PRICE };
            let payment = door.payment(kind, cumulative);
            let first = door.buy(&payment, "1");
            // In an isolate that has met no channel yet.
            door.limits = Some(UnverifiedLimiter::new());
            let known = (door.served, door.book(), door.chain.settled);
            change(&mut door, bound(routes()), (name, value.clone()), more.clone());
            let again = door.buy(&payment, "1");
            assert_eq!((again.status, &again.body), (200, &first.body), "{name} {value} {kind}");
            assert_eq!(again.head.headers.get("payment-replayed"), Some("true"));
            assert_eq!(again.settlement()["extra"]["chargedAmount"], PRICE.to_string());
            // It buys nothing else.
            let other = door.buy(&payment, "2");
            assert_eq!((other.status, other.error().as_str()), (402, "terms_mismatch"));
            let now = (door.served, door.book(), door.chain.settled);
            assert_eq!(now, known, "{name} {value} {kind}");
            // A deposit may be a second one that the channel does not know yet.
            assert!(door.chain.verified <= u64::from(kind == "deposit"), "{name} {value} {kind}");
        }
    }
}

#[test]
pub fn nothing_begins_under_earlier_terms_and_the_channel_is_told() {
    let mut door = opened();
    let voucher = door.payment("voucher", 2 * PRICE);
    change(&mut door, bound(routes()), ("max_timeout_secs", json!(600)), json!({}));
    let refused = door.buy(&voucher, "1");
    assert_eq!((refused.status, refused.error().as_str()), (402, "terms_mismatch"));
    let state = session_state(&refused);
    assert_eq!(state["chargedCumulativeAmount"], PRICE.to_string());
    assert_eq!(state["balance"], (10 * PRICE).to_string());
    assert_eq!((door.served, door.book().0, door.chain.verified), (1, PRICE, 0));
    // Whose channel is sold to no more hears nothing of it.
    let payee = json!({"PAY_TO": account(8).address().to_checksum()});
    change(&mut door, bound(routes()), ("price", json!("$0.01")), payee);
    let refused = door.buy(&voucher, "1");
    assert_eq!(
        (refused.error().as_str(), session_state(&refused)),
        ("terms_mismatch", Value::Null)
    );
    // Today's terms are paid from the same deposit.
    change(&mut door, bound(routes()), ("max_timeout_secs", json!(600)), json!({}));
    let voucher = door.payment("voucher", 2 * PRICE);
    assert_eq!(door.buy(&voucher, "1").status, 200);
}

#[test]
pub fn a_channel_that_no_one_knows_moves_nothing_under_earlier_terms() {
    for (kind, looks) in [("voucher", 0), ("deposit", 1)] {
        let mut door = Door::new();
        let payment = door.payment(kind, PRICE);
        change(&mut door, bound(routes()), ("price", json!("$0.02")), json!({}));
        let refused = door.buy(&payment, "1");
        assert_eq!((refused.status, refused.error().as_str()), (402, "terms_mismatch"), "{kind}");
        assert_eq!(session_state(&refused), Value::Null);
        assert_eq!((door.served, door.chain.settled, door.chain.verified), (0, 0, looks));
    }
}

#[test]
pub fn a_deposit_that_has_arrived_is_told_with_the_terms_of_today() {
    let mut door = Door::new();
    let payment = door.payment("deposit", PRICE);
    // It is sent, and nobody hears of it.
    door.chain.manner = Manner::Mute;
    assert_eq!(door.buy(&payment, "1").status, 503);
    change(&mut door, bound(routes()), ("price", json!("$0.02")), json!({}));
    // Nothing is asked for while the chain cannot be seen.
    assert_eq!(door.buy(&payment, "1").status, 503);
    door.chain.manner = Manner::Works;
    let refused = door.buy(&payment, "1");
    assert_eq!((refused.status, refused.error().as_str()), (402, "terms_mismatch"));
    assert_eq!(session_state(&refused)["balance"], (10 * PRICE).to_string());
    let voucher = door.payment("voucher", 2 * PRICE);
    let served = door.buy(&voucher, "1");
    assert_eq!((served.status, door.chain.settled, door.book().0), (200, 1, 2 * PRICE));
}

#[test]
pub fn a_second_deposit_that_has_arrived_is_told_too() {
    let mut door = opened();
    let mut payment = door.payment("deposit", 2 * PRICE);
    let id = payment["payload"]["voucher"]["channelId"].as_str().unwrap();
    let channel = ChannelId::parse(id).unwrap();
    payment["payload"]["deposit"] = door.deposit(&channel, 10 * PRICE, 7);
    door.chain.manner = Manner::Mute;
    assert_eq!(door.buy(&payment, "1").status, 503);
    change(&mut door, bound(routes()), ("price", json!("$0.02")), json!({}));
    door.chain.manner = Manner::Works;
    let refused = door.buy(&payment, "1");
    assert_eq!((refused.status, refused.error().as_str()), (402, "terms_mismatch"));
    assert_eq!(session_state(&refused)["balance"], (20 * PRICE).to_string());
    assert_eq!((door.chain.settled, door.served, door.book().0), (2, 1, PRICE));
}

#[test]
pub fn an_answer_of_mpp_is_given_again_after_a_change_while_its_challenge_lasts() {
    for opens in [true, false] {
        let mut session = if opens { Session::new() } else { Session::opened() };
        let challenge = session.challenge();
        let payload =
            if opens { session.opening(PRICE) } else { session.voucher("voucher", PRICE) };
        let credential = session.credential(&challenge, &payload);
        let paid = |door: &mut Door, page: &str| {
            door.send(get(page).header("authorization", &credential), "").unwrap()
        };
        let first = paid(&mut session.door, "/report/1");
        change(&mut session.door, variables(), ("price", json!("$0.02")), json!({}));
        let known = (session.door.served, session.door.book(), session.door.node.asked);
        let again = paid(&mut session.door, "/report/1");
        assert_eq!((again.status, &again.body), (200, &first.body));
        assert_eq!(again.head.headers.get("payment-replayed"), Some("true"));
        let other = paid(&mut session.door, "/report/2");
        assert_eq!((other.status, code(&other)), (400, 30_001));
        assert_eq!((session.door.served, session.door.book(), session.door.node.asked), known);
        // A challenge that the gate has not issued fetches nothing.
        let mut forged = challenge.clone();
        forged["expires"] = json!("2099-01-01T00:00:00Z");
        let forged = session.credential(&forged, &payload);
        let head = get("/report/1").header("authorization", &forged);
        assert_eq!(code(&session.door.send(head, "").unwrap()), 30_001);
    }
}
