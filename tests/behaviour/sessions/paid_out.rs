//! Sessions by MPP: what the payee has in the end, whatever the payer and the chain do.

use serde_json::{Value, json};

use super::door::PRICE;
use super::mpp_payer::{DEPOSIT, Session, code};
use super::node::NodeManner;
use crate::world::{With, get};

#[test]
pub fn what_was_earned_before_a_deposit_that_is_undone_is_settled() {
    let mut session = Session::opened();
    session.pay(10 * PRICE);
    let adding = session.adding(5 * PRICE);
    assert_eq!(session.buy(&adding).status, 200);
    for _ in 0..10 {
        assert_eq!(session.pay(11 * PRICE).status, 200);
    }
    let (id, left) = (session.id.clone(), session.door.now);
    let locked = session.door.node.channels.get_mut(&id).unwrap();
    (locked.deposit, locked.leaving) = (DEPOSIT, left);
    session.rest(330);
    assert_eq!(session.locked().0, DEPOSIT);
    // No transaction was sent that the contract refuses.
    assert_eq!(session.door.node.paid.len(), 1);
    // The chain has it after all: the rest is settled too.
    session.door.node.channels.get_mut(&id).unwrap().deposit += 5 * PRICE;
    session.rest(330);
    assert_eq!(session.locked().0, 11 * PRICE);
}

//
#[test]
pub fn a_close_above_what_is_left_of_a_deposit_pays_what_was_earned_and_ends_the_channel() {
    let mut session = Session::opened();
    for expected in [14, 18] {
        let adding = session.adding(5 * PRICE);
        assert_eq!(session.buy(&adding).status, 200);
        if expected == 14 {
            for _ in 0..12 {
                assert_eq!(session.pay(14 * PRICE).status, 200);
            }
        }
    }
    session.door.signed = 18 * PRICE;
    let closing = session.voucher("close", 18 * PRICE);
    // The chain undoes the second addition, and the payer closes before the gate looks.
    let id = session.id.clone();
    session.door.node.channels.get_mut(&id).unwrap().deposit = DEPOSIT + 5 * PRICE;
    assert_eq!(session.buy(&closing).status, 200);
    session.rest(330);
    assert_eq!(session.locked(), (14 * PRICE, PRICE, true));
}

#[test]
fn a_close_pays_the_last_voucher_and_sends_the_rest_back() {
    let mut session = Session::opened();
    for request in 1..=4 {
        session.pay(request * PRICE);
    }
    let closing = session.voucher("close", 4 * PRICE);
    let answer = session.buy(&closing);
    let body: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((answer.status, &body["action"], session.door.served), (200, &json!("close"), 4));
    let late = session.pay(5 * PRICE);
    assert_eq!((late.status, code(&late)), (409, 70_014));
    session.rest(15);
    assert_eq!(session.locked(), (4 * PRICE, 6 * PRICE, true));
    session.rest(60);
    assert_eq!(session.door.node.paid.len(), 1);
    let over = session.pay(5 * PRICE);
    assert_eq!((over.status, code(&over)), (410, 70_008));
}

#[test]
pub fn what_is_earned_is_settled_before_the_payer_withdraws() {
    let mut session = Session::opened();
    session.pay(4 * PRICE);
    let (id, left) = (session.id.clone(), session.door.now);
    session.door.node.channels.get_mut(&id).unwrap().leaving = left;
    session.rest(315);
    assert_eq!(session.locked().0, 4 * PRICE);
    assert_eq!(code(&session.pay(5 * PRICE)), 70_014);
    session.rest(600);
    session.door.node.withdraw(&id, left + 900);
    assert_eq!(session.locked(), (4 * PRICE, 6 * PRICE, true));
}

//
#[test]
pub fn a_voucher_that_stands_on_a_chain_pays_for_no_one() {
    let mut session = Session::opened();
    assert_eq!(session.pay(3 * PRICE).status, 200);
    let (id, left) = (session.id.clone(), session.door.now);
    session.door.node.channels.get_mut(&id).unwrap().leaving = left;
    session.rest(330);
    assert_eq!(session.locked().0, 3 * PRICE);
    // The payer stays after all.
    session.door.node.channels.get_mut(&id).unwrap().leaving = 0;
    session.rest(90);
    assert_eq!(session.open(0).status, 402);
    // Two thirds of it are not spent, and it stands on the chain.
    assert_eq!(session.door.book(), (PRICE, 3 * PRICE));
    let public = session.pay(3 * PRICE);
    assert_eq!((public.status, code(&public)), (402, 70_015));
    // They are the payer's: the next voucher spends them.
    for request in 2..=4 {
        assert_eq!(session.pay(4 * PRICE).body, format!("answer {request}"));
    }
    assert_eq!(session.door.book(), (4 * PRICE, 4 * PRICE));
}

/// A session whose settlement was sent for, and is in no block: the node has it, or does not answer.
fn settling(manner: NodeManner) -> Session {
    let mut session = Session::opened();
    assert_eq!(session.pay(PRICE).status, 200);
    session.door.node.manner = manner;
    session.rest(900);
    assert_eq!((session.locked().0, session.door.published()), (0, PRICE));
    session.door.node.manner = NodeManner::Works;
    session
}

// A-172, I-22
#[test]
pub fn a_voucher_that_was_sent_for_a_chain_closes_no_channel() {
    for manner in [NodeManner::Waits, NodeManner::Down] {
        let mut session = settling(manner);
        let (writes, closing) = (session.door.writes, session.voucher("close", PRICE));
        let refused = session.buy(&closing);
        let body: Value = serde_json::from_str(&refused.body).unwrap();
        assert_eq!((refused.status, code(&refused)), (400, 70_000), "{manner:?}");
        for name in ["deposit", "spent", "acceptedCumulative"] {
            assert_eq!(body[name], Value::Null, "{manner:?}");
        }
        assert_eq!(session.door.writes, writes);
        assert_eq!(session.pay(2 * PRICE).status, 200, "{manner:?}");
        // Nor is anyone told by it that something was bought since.
        let lower = session.pay(PRICE);
        assert_eq!((code(&lower), code(&session.buy(&closing))), (70_015, 70_000), "{manner:?}");
        // A voucher that no one has seen closes it; once more, in case the answer was lost.
        let closing = session.voucher("close", 2 * PRICE);
        assert_eq!(session.buy(&closing).status, 200, "{manner:?}");
        session.door.node.manner = NodeManner::Waits;
        session.rest(30);
        let writes = session.door.writes;
        assert_eq!(session.buy(&closing).status, 200, "{manner:?}");
        assert_eq!(session.door.writes, writes);
    }
}

#[test]
fn a_payer_who_bought_nothing_since_closes_with_one_unit_more() {
    let mut session = settling(NodeManner::Down);
    session.door.signed = PRICE + 1;
    let closing = session.voucher("close", PRICE + 1);
    assert_eq!(session.buy(&closing).status, 200);
    session.rest(60);
    assert_eq!(session.locked(), (PRICE + 1, DEPOSIT - PRICE - 1, true));
}

#[test]
pub fn what_is_not_spent_is_not_claimed_while_the_payer_stays() {
    let mut session = Session::opened();
    session.pay(2 * PRICE);
    session.rest(2_000);
    assert_eq!(session.locked().0, 0);
    session.pay(2 * PRICE);
    session.rest(2_000);
    assert_eq!(session.locked().0, 2 * PRICE);
}

//
#[test]
pub fn a_payer_who_buys_nothing_for_a_week_is_settled_and_watched_no_more() {
    let mut session = Session::opened();
    session.pay(2 * PRICE);
    session.rest(6 * 86_400);
    assert_eq!(session.locked().0, 0);
    session.rest(86_400 + 60);
    assert_eq!(session.locked().0, 2 * PRICE);
    // What the chain undoes no more is asked about no more.
    session.rest(3_600);
    let asked = session.door.node.asked;
    session.rest(30 * 86_400);
    assert_eq!(session.door.node.asked, asked);
    // The rest of the voucher is still the payer's: the next one spends it.
    for _ in 0..2 {
        assert_eq!(session.pay(3 * PRICE).status, 200);
    }
    assert_eq!(session.door.book(), (3 * PRICE, 3 * PRICE));
}

#[test]
pub fn a_transaction_that_is_stuck_is_replaced() {
    let mut session = Session::opened();
    session.pay(PRICE);
    session.door.node.manner = NodeManner::Waits;
    let closing = session.voucher("close", PRICE);
    session.buy(&closing);
    session.rest(150);
    let paid = session.door.node.paid.clone();
    assert!(paid.len() >= 6, "{paid:?}");
    assert!(paid.iter().all(|(nonce, _)| *nonce == 0), "{paid:?}");
    // What waits is at a price for which a node replaces it, each time.
    assert!(paid.windows(2).all(|pair| pair[1].1 * 10 >= pair[0].1 * 11), "{paid:?}");
    session.door.node.block(9);
    session.rest(90);
    assert_eq!(session.locked(), (PRICE, 9 * PRICE, true));
    assert_eq!((session.door.node.mined, session.door.node.reverted), (1, 0));
}

//
#[test]
pub fn a_voucher_that_comes_while_a_transaction_is_made_is_public() {
    let mut session = Session::opened();
    session.pay(PRICE);
    session.door.now += 900;
    let asked = session.door.asks().unwrap();
    session.pay(2 * PRICE);
    session.door.hears(asked);
    assert_eq!((session.locked().0, session.door.published()), (2 * PRICE, 2 * PRICE));
}

#[test]
fn what_is_prepaid_while_a_transaction_is_made_stays() {
    let mut session = Session::opened();
    session.pay(PRICE);
    session.door.now += 900;
    let asked = session.door.asks().unwrap();
    session.pay(5 * PRICE);
    session.door.hears(asked);
    assert_eq!(session.locked().0, 0);
}

#[test]
fn a_machine_that_dies_at_any_step_takes_no_voucher_twice_and_loses_none() {
    let steps = {
        let mut session = Session::opened();
        session.door.dies_at(None);
        session.pay(PRICE);
        session.door.steps()
    };
    for step in 0..steps {
        let mut session = Session::opened();
        assert_eq!(session.pay(PRICE).status, 200);
        let challenge = session.challenge();
        let credential = session.credential(&challenge, &session.voucher("voucher", 2 * PRICE));
        let head = get("/report/1").header("authorization", &credential);
        session.door.dies_at(Some(step));
        let died = session.door.send(head.clone(), "");
        session.door.dies_at(None);
        let again = session.door.send(head, "").unwrap();
        assert_eq!(again.status, 200, "{step}: {}", again.body);
        assert_eq!(session.door.book(), (2 * PRICE, 2 * PRICE), "{step} {died:?}");
        let closing = session.voucher("close", 2 * PRICE);
        assert_eq!(session.buy(&closing).status, 200);
        session.rest(60);
        assert_eq!(session.locked(), (2 * PRICE, 8 * PRICE, true));
    }
    assert!(steps >= 6, "{steps}");
}
