//! Closes of channels whose payers have paid for the gas of their deposits, at a gate that also sends deposits.

use farebox_core::gate::Gate;
use serde_json::{Value, json};

use super::door::{Door, PRICE};
use super::funds::{LEAST, adding, opening, sending, session};
use super::mpp_payer::{DEPOSIT, Session, variables};
use super::node::ESCROW;
use crate::world::{With, get};

/// A gate with a cheap route that sends no deposits, and a dear one at the same contract that does.
fn mixed() -> Value {
    let mut vars = variables();
    let dear = json!({
        "path": "/dear", "price": "$0.10", "methods": ["GET"], "session_escrow": ESCROW,
        "session_fee_payer": "$0.10",
    });
    vars["ROUTES"].as_array_mut().unwrap().push(dear);
    vars
}

fn with(vars: &Value) -> Session {
    let mut session = Session::new();
    session.door.gate = Box::leak(Box::new(Gate::from_vars(&vars.to_string()).unwrap()));
    session.door.node.tokens.insert(session.parties.payer, 2 * DEPOSIT);
    session
}

/// Buys one request, closes, and says whether the rest is back within a minute.
fn is_closed_at_once(session: &mut Session) -> bool {
    session.door.signed = 0;
    assert_eq!(session.pay(PRICE).status, 200);
    let closing = session.voucher("close", PRICE);
    assert_eq!(session.buy(&closing).status, 200);
    session.rest(60);
    session.locked().2
}

#[test]
pub fn who_has_deposited_without_the_gate_has_the_rest_at_once() {
    for vars in [mixed(), sending()] {
        let mut session = with(&vars);
        assert_eq!(session.open(0).status, 200);
        assert!(is_closed_at_once(&mut session));
        assert_eq!(session.locked(), (PRICE, DEPOSIT - PRICE, true));
    }
    // Also what the payer has added since.
    let mut session = with(&mixed());
    assert_eq!(session.open(0).status, 200);
    for _ in 0..2 {
        let more = session.adding(PRICE);
        assert_eq!(session.buy(&more).status, 200);
    }
    assert!(is_closed_at_once(&mut session));
}

#[test]
pub fn a_deposit_that_the_gate_has_sent_is_not_its_payers_own() {
    // Whoever tells of it by the hash of the gate's transaction.
    let mut session = session();
    assert_eq!(session.buy(&opening(&session, DEPOSIT, 0)).status, 200);
    session.hash = session.door.node.last_of_payee();
    assert_eq!(session.open(0).status, 200);
    assert!(!is_closed_at_once(&mut session));
    session.rest(900);
    assert_eq!(session.locked(), (PRICE, DEPOSIT - PRICE, true));
}

#[test]
pub fn what_is_added_to_a_deposit_that_the_gate_has_sent_makes_it_no_ones_own() {
    let mut first = session();
    assert_eq!(first.buy(&opening(&first, DEPOSIT, 0)).status, 200);
    let more = first.adding(PRICE);
    assert_eq!(first.buy(&more).status, 200);
    assert!(!is_closed_at_once(&mut first));
    // Nor does the gate's part become so by what came before it.
    let mut second = with(&sending());
    assert_eq!(second.open(0).status, 200);
    let more = adding(&mut second, LEAST, 3);
    assert_eq!(second.buy(&more).status, 200);
    assert_eq!(second.door.node.paid.len(), 1);
    assert!(!is_closed_at_once(&mut second));
}

#[test]
pub fn a_transaction_that_says_nothing_of_the_deposit_brings_none() {
    type Change = fn(&mut (String, Vec<String>, String));
    let changes: [Change; 5] = [
        |event| event.0 = "0x00000000000000000000000000000000000000bb".to_owned(),
        |event| event.1[0] = format!("0x{}", "11".repeat(32)),
        |event| event.1[1] = format!("0x{}", "11".repeat(32)),
        |event| event.2 = "0x".to_owned(),
        |event| event.2 = format!("0x{:064x}", DEPOSIT - 1),
    ];
    for (place, change) in changes.iter().enumerate() {
        let mut session = with(&mixed());
        let id = session.id.clone();
        let mut event = session.door.node.opened(&id);
        change(&mut event);
        session.hash = session.door.node.mine(&id, vec![event]);
        assert_eq!(session.open(0).status, 200, "{place}");
        assert!(!is_closed_at_once(&mut session), "{place}");
    }
    // Opened and added to in one transaction, and once also raised by what it does not tell of.
    for (untold, is_own) in [(0, true), (PRICE, false)] {
        let mut session = with(&mixed());
        let id = session.id.clone();
        let opened = session.door.node.opened(&id);
        session.door.node.channels.get_mut(&id).unwrap().deposit += untold + PRICE;
        let added = session.door.node.added(&id, PRICE);
        session.hash = session.door.node.mine(&id, vec![opened, added]);
        assert_eq!(session.open(0).status, 200);
        assert_eq!(is_closed_at_once(&mut session), is_own);
    }
}

#[test]
fn it_is_known_to_an_object_that_restarts_and_not_to_a_row_of_before() {
    type Restart = fn(&mut Door);
    let (same, older): (Restart, Restart) = (Door::restarts, |door| door.restarts_from_older(7));
    for (restart, is_own) in [(same, true), (older, false)] {
        let mut session = with(&mixed());
        assert_eq!(session.open(0).status, 200);
        restart(&mut session.door);
        assert_eq!(is_closed_at_once(&mut session), is_own);
    }
}

#[test]
fn the_dear_route_still_closes_what_the_gate_has_sent_as_late_as_a_withdrawal() {
    let mut session = with(&mixed());
    session.door.node.channels.clear();
    let challenge = session.challenge_of("/dear");
    let opening = session.credential(&challenge, &opening(&session, DEPOSIT, 0));
    let answer = session.door.send(get("/dear").header("authorization", &opening), "").unwrap();
    assert_eq!(answer.status, 200, "{}", answer.body);
    assert!(!is_closed_at_once(&mut session));
}
