//! What costs the payee or a node something and pays for nothing, by MPP, and what strangers are told.

use farebox_core::facilitator::unproven::UnverifiedLimiter;
use farebox_core::gate::Gate;
use farebox_core::gate::session::step::SessionStep;
use serde_json::{Value, json};

use super::door::{Answer, PRICE};
use super::mpp_payer::{DEPOSIT, Session, code, variables};
use super::node::{ESCROW, word_of};
use crate::world::{With, get, request};

fn body(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).unwrap()
}

#[test]
pub fn a_close_that_would_settle_nothing_is_left_to_the_payer() {
    let mut session = Session::opened();
    for cumulative in [0, PRICE] {
        let closing = session.voucher("close", cumulative);
        let refused = session.buy(&closing);
        assert_eq!((refused.status, code(&refused)), (400, 70_000));
        assert!(body(&refused)["detail"].as_str().unwrap().contains("requestClose"));
    }
    session.rest(60);
    assert_eq!(session.door.node.paid.len(), 0);
    // What is settled, everyone reads: no stranger ends the channel with it.
    session.pay(PRICE);
    session.rest(960);
    assert_eq!(session.locked(), (PRICE, 0, false));
    let closing = session.voucher("close", PRICE);
    assert_eq!(code(&session.buy(&closing)), 70_000);
    assert_eq!(session.pay(2 * PRICE).status, 200);
}

#[test]
pub fn a_deposit_below_the_price_opens_nothing() {
    let mut session = Session::new();
    let id = session.id.clone();
    session.door.node.channels.get_mut(&id).unwrap().deposit = PRICE - 1;
    let refused = session.open(0);
    assert_eq!((refused.status, code(&refused)), (402, 70_012));
    assert_eq!(session.door.writes, 0);
    session.door.node.channels.get_mut(&id).unwrap().deposit = PRICE;
    assert_eq!(session.open(0).status, 200);
}

#[test]
pub fn a_channel_that_was_not_opened_here_asks_no_node() {
    let mut session = Session::new();
    let adding = session.adding(PRICE);
    let (voucher, closing) = (session.voucher("voucher", PRICE), session.voucher("close", PRICE));
    for (method, payload) in
        [("GET", &voucher), ("HEAD", &voucher), ("GET", &closing), ("GET", &adding)]
    {
        let refused = session.send(request(method, "/report/1"), payload).unwrap();
        assert_eq!((refused.status, code(&refused)), (404, 70_010), "{payload}");
    }
    assert_eq!((session.door.node.asked, session.door.writes), (0, 0));
}

#[test]
pub fn a_stranger_who_names_a_deposit_learns_what_the_chain_shows() {
    let mut session = Session::opened();
    session.pay(PRICE);
    session.door.now += 5;
    let naming = json!({
        "action": "topUp", "type": "hash", "channelId": session.id, "hash": session.hash,
        "additionalDeposit": "1",
    });
    let (asked, writes) = (session.door.node.asked, session.door.writes);
    let answer = session.buy(&naming);
    let told = body(&answer);
    assert_eq!((answer.status, &told["deposit"]), (200, &json!("100000")));
    assert_eq!((&told["spent"], &told["acceptedCumulative"]), (&Value::Null, &Value::Null));
    // Nothing is written of it.
    assert_eq!((session.door.node.asked, session.door.writes), (asked + 1, writes));
}

/// What tells that this transaction added to the deposit.
fn naming(session: &Session, hash: &str) -> Value {
    json!({
        "action": "topUp", "type": "hash", "channelId": session.id, "hash": hash,
        "additionalDeposit": "1",
    })
}

/// A transaction about another channel; its hash.
fn mined_for_another(session: &mut Session) -> String {
    let id = word_of(77);
    let event = (ESCROW.to_lowercase(), vec![word_of(9), id.clone()], "0x".to_owned());
    session.door.node.mine(&id, vec![event])
}

//
#[test]
pub fn transactions_that_strangers_show_delay_no_deposit() {
    let mut session = Session::opened();
    session.pay(PRICE);
    session.door.limits = Some(UnverifiedLimiter::new());
    let elsewhere = mined_for_another(&mut session);
    let strange = [naming(&session, &elsewhere), naming(&session, &session.hash)];
    let stranger = get("/report/1").header("cf-connecting-ip", "198.51.100.7");
    let payer = get("/report/1").header("cf-connecting-ip", "192.0.2.7");
    let mut asked = Vec::new();
    for added in 1..=16 {
        // A block takes its time, and the stranger comes in the same second as the payer.
        let adding = session.adding(PRICE);
        for of_another in strange.iter().chain(&strange) {
            let before = session.door.node.asked;
            session.send(stranger.clone(), of_another).unwrap();
            asked.push(session.door.node.asked - before);
        }
        let answer = session.send(payer.clone(), &adding).unwrap();
        let deposit = (DEPOSIT + added * PRICE).to_string();
        assert_eq!((answer.status, &body(&answer)["deposit"]), (200, &json!(deposit)), "{added}");
    }
    // Whoever shows nothing new asks the node ever less.
    let asked: u64 = asked.iter().sum();
    assert!((20..=27).contains(&asked), "{asked}");
}

//
#[test]
pub fn a_transaction_that_names_another_channel_adds_nothing_to_this_one() {
    let mut session = Session::opened();
    let elsewhere = mined_for_another(&mut session);
    let naming = naming(&session, &elsewhere);
    let refused = session.buy(&naming);
    assert_eq!((refused.status, code(&refused)), (404, 70_010));
}

#[test]
fn a_voucher_with_a_made_up_signature_is_told_nothing() {
    let mut session = Session::opened();
    session.pay(PRICE);
    let mut voucher = session.voucher("voucher", 9 * PRICE);
    voucher["signature"] = json!(session.signature(9 * PRICE, 2));
    let refused = session.buy(&voucher);
    assert_eq!((code(&refused), &body(&refused)["spent"]), (70_004, &Value::Null));
    // Who signs is told.
    let above = session.pay(11 * PRICE);
    assert_eq!((code(&above), &body(&above)["spent"]), (70_012, &json!(PRICE.to_string())));
}

#[test]
fn a_request_that_comes_again_while_it_is_served_is_to_wait() {
    let mut session = Session::opened();
    let challenge = session.challenge();
    let credential = session.credential(&challenge, &session.voucher("voucher", PRICE));
    let head = get("/report/1").header("authorization", &credential);
    let mut step = session.door.admit(head.clone()).unwrap();
    while !matches!(step, SessionStep::Forward(..)) {
        step = session.door.advance(step, "", "", &mut String::new()).unwrap().ok().unwrap();
    }
    let again = session.door.send(head, "").unwrap();
    assert_eq!((code(&again), again.head.headers.get("retry-after")), (70_007, Some("2")));
}

#[test]
fn what_is_owed_is_settled_although_the_channel_cannot_be_closed() {
    let mut session = Session::opened();
    session.pay(PRICE);
    session.door.node.blocks_payers = true;
    let closing = session.voucher("close", PRICE);
    assert_eq!(session.buy(&closing).status, 200);
    session.rest(600);
    assert_eq!(session.locked(), (PRICE, 0, false));
    // What brings nothing any more is tried ever more seldom.
    let before = session.door.node.reverted;
    session.rest(3_600);
    assert!(session.door.node.reverted < before + 60, "{}", session.door.node.reverted);
}

#[test]
fn a_channel_whose_payee_has_no_key_any_more_does_not_keep_its_alarm_ringing() {
    let mut session = Session::opened();
    session.pay(PRICE);
    let mut vars = variables();
    vars["PAYEE_KEY"] = json!(format!("0x{}", "08".repeat(32)));
    vars["ROUTES"][0].as_object_mut().unwrap().remove("session_escrow");
    session.door.gate = Box::leak(Box::new(Gate::from_vars(&vars.to_string()).unwrap()));
    session.door.now += 900;
    session.door.alarm();
    assert!(session.door.rests().is_some_and(|secs| secs > 0), "{:?}", session.door.rests());
    assert_eq!(session.door.node.paid.len(), 0);
}

#[test]
fn a_node_that_is_behind_undoes_nothing() {
    let mut session = Session::opened();
    session.pay(PRICE);
    session.rest(960);
    let id = session.id.clone();
    assert_eq!(session.locked().0, PRICE);
    let now = session.door.now;
    session.door.node.channels.get_mut(&id).unwrap().leaving = now;
    assert_eq!(code(&session.open(0)), 70_014);
    session.door.node.channels.get_mut(&id).unwrap().leaving = 0;
    session.door.now += 15;
    assert_eq!(code(&session.open(0)), 70_014);
    // What it shows a minute later counts.
    session.door.now += 60;
    session.open(0);
    assert_eq!(session.pay(2 * PRICE).status, 200);
}

//
#[test]
pub fn vouchers_that_add_less_than_a_request_costs_write_nothing() {
    let mut session = Session::opened();
    let writes = session.door.writes;
    let bring = |session: &mut Session, cumulative| {
        session.door.signed = session.door.signed.max(cumulative);
        let voucher = session.voucher("voucher", cumulative);
        session.send(request("HEAD", "/report/1"), &voucher).unwrap()
    };
    for cumulative in 1..=20 {
        let answer = bring(&mut session, cumulative);
        assert_eq!((answer.status, &body(&answer)["units"]), (200, &json!(0)));
    }
    assert_eq!((session.door.writes, session.door.book().0), (writes, 0));
    // They count all the same.
    assert_eq!(code(&bring(&mut session, 19)), 70_013);
    // What pays for a request is kept, and what buys something in any case.
    assert_eq!(bring(&mut session, PRICE + 20).status, 200);
    assert_eq!(session.door.writes, writes + 1);
    session.door.restarts();
    assert_eq!(code(&bring(&mut session, PRICE)), 70_013);
    assert_eq!(bring(&mut session, PRICE + 21).status, 200);
    assert_eq!(session.pay(PRICE + 21).status, 200);
    assert_eq!((session.door.writes, session.door.book()), (writes + 2, (PRICE, PRICE + 21)));
}
