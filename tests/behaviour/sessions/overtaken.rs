//! Deposits that a stranger sends before the payee, from the same bytes: they arrive, and the payee's call fails.

use farebox_core::channel::payee::PayeeQueue;
use farebox_core::encoding::hex;
use serde_json::Value;

use super::door::{PRICE, account};
use super::funds::{adding, opening, session};
use super::mpp_payer::{DEPOSIT, Session, code};
use super::node::NodeManner;
use super::token::Spoilage;
use super::vain::{MAX_FAILED, another_of, complaint, rounds, sent, strangers_fail, vain};

/// A top-up of the session's payer, which a stranger sends first.
fn overtaken(session: &mut Session, salt: u8) -> Value {
    let payer = session.parties.payer;
    session.door.node.tokens.insert(payer, DEPOSIT);
    let more = adding(session, DEPOSIT, salt);
    session.door.node.manner = NodeManner::Overtakes;
    assert_eq!(code(&session.buy(&more)), 70_007, "{salt}");
    session.door.node.block(9);
    more
}

/// What a channel has, and the nonces and failed calls of the payee.
fn books(session: &Session) -> (u64, u64, u64) {
    let node = &session.door.node;
    (node.channels[&session.id].deposit, sent(session), node.reverted)
}

//
#[test]
pub fn a_stranger_who_sends_a_payers_deposits_first_does_not_hold_them_back() {
    let mut session = session();
    assert_eq!(session.buy(&opening(&session, DEPOSIT, PRICE)).status, 200);
    rounds(&mut session, 66);
    for attempt in 0..5 {
        let more = overtaken(&mut session, 20 + attempt);
        let made = u64::from(attempt) + 1;
        assert_eq!(session.buy(&more).status, 200);
        // What the node is asked takes four rounds at most.
        rounds(&mut session, 12);
        assert_eq!(books(&session), ((1 + made) * DEPOSIT, 1 + made, made));
    }
    assert_eq!(session.door.node.searched, 5);
    // They are still one whose last deposit has come: strangers do not slow them.
    session.door.node.manner = NodeManner::Waits;
    strangers_fail(&mut session);
    session.door.node.manner = NodeManner::Works;
    let next = another_of(&mut session, 1, 44);
    assert_eq!(session.buy(&next).status, 200);
}

//
#[test]
fn a_payer_whose_first_deposit_a_stranger_sends_has_made_one() {
    let mut session = session();
    session.door.node.manner = NodeManner::Overtakes;
    let payload = opening(&session, DEPOSIT, PRICE);
    assert_eq!(code(&session.buy(&payload)), 70_007);
    session.door.node.block(9);
    rounds(&mut session, 12);
    assert_eq!((session.buy(&payload).status, books(&session)), (200, (DEPOSIT, 1, 1)));
    session.door.node.manner = NodeManner::Waits;
    strangers_fail(&mut session);
    session.door.node.manner = NodeManner::Works;
    let next = another_of(&mut session, 1, 44);
    assert_eq!(session.buy(&next).status, 200);
}

#[test]
pub fn deposits_that_strangers_send_first_slow_those_of_new_payers_alone() {
    let mut session = session();
    assert_eq!(session.buy(&opening(&session, DEPOSIT, PRICE)).status, 200);
    rounds(&mut session, 66);
    for attempt in 0..u8::try_from(MAX_FAILED).unwrap() {
        assert_eq!(complaint(&session), None, "{attempt}");
        overtaken(&mut session, 20 + attempt);
        rounds(&mut session, 12);
    }
    assert_eq!(session.door.node.reverted, MAX_FAILED);
    assert!(complaint(&session).unwrap().contains("deposits of new payers one at a time"));
    // The payer's own go on.
    overtaken(&mut session, 90);
    rounds(&mut session, 12);
    assert_eq!(session.door.node.reverted, MAX_FAILED + 1);
    // A new payer's waits its turn, and is sent then.
    let first = sent(&session);
    session.door.node.manner = NodeManner::Works;
    let new = another_of(&mut session, 2, 90);
    assert_eq!((code(&session.buy(&new)), sent(&session)), (70_007, first));
    rounds(&mut session, 228);
    assert_eq!(sent(&session), first + 1);
    rounds(&mut session, 3_600);
    let new = another_of(&mut session, 4, 93);
    assert_eq!((session.buy(&new).status, complaint(&session)), (200, None));
}

#[test]
pub fn a_payer_who_spoils_what_they_signed_and_adds_as_much_has_made_deposits_that_failed() {
    for manner in [Spoilage::Cancelled, Spoilage::Elsewhere, Spoilage::BesideItsAmount] {
        let mut session = session();
        assert_eq!(session.buy(&opening(&session, DEPOSIT, PRICE)).status, 200);
        rounds(&mut session, 66);
        for attempt in 0..4 {
            session.door.node.manner = NodeManner::Works;
            let payer = session.parties.payer;
            session.door.node.tokens.insert(payer, DEPOSIT);
            let more = adding(&mut session, DEPOSIT, 20 + attempt);
            session.door.node.manner = NodeManner::Waits;
            assert_eq!(code(&session.buy(&more)), 70_007);
            let nonce = more["authorization"]["nonce"].as_str().unwrap();
            let nonce = hex::decode_array(nonce).unwrap();
            let id = session.id.clone();
            if session.door.node.pool.is_empty() {
                continue;
            }
            session.door.node.spoils(&id, nonce, DEPOSIT, manner);
            session.door.node.block(9);
            rounds(&mut session, 12);
        }
        // The first one that fails makes them a stranger, the second one is the last in an hour.
        assert_eq!((sent(&session), session.door.node.reverted), (1 + 2, 2), "{manner:?}");
    }
}

#[test]
fn a_node_that_shows_no_events_leaves_the_failure_with_the_payer() {
    let mut session = session();
    assert_eq!(session.buy(&opening(&session, DEPOSIT, PRICE)).status, 200);
    rounds(&mut session, 66);
    session.door.node.has_no_logs = true;
    for attempt in 0..2 {
        overtaken(&mut session, 20 + attempt);
        rounds(&mut session, 66);
    }
    assert_eq!(books(&session), (3 * DEPOSIT, 3, 2));
    session.door.node.has_no_logs = false;
    session.door.node.manner = NodeManner::Works;
    let next = another_of(&mut session, 1, 44);
    assert_eq!(code(&session.buy(&next)), 70_007);
}

#[test]
pub fn a_look_that_cannot_be_read_holds_up_nothing_that_is_sent() {
    let mut session = session();
    assert_eq!(session.buy(&opening(&session, DEPOSIT, PRICE)).status, 200);
    rounds(&mut session, 66);
    overtaken(&mut session, 20);
    session.door.node.chokes_on_searches = true;
    // Its call has failed, and a search is next.
    rounds(&mut session, 6);
    session.door.node.manner = NodeManner::Works;
    let next = another_of(&mut session, 2, 44);
    assert_eq!(session.buy(&next).status, 200);
    rounds(&mut session, 66);
    // It has come, whatever is not known of the other one.
    let row = session.door.queue().to_owned();
    let payer = account(2).address().to_lower_hex();
    let mut lines = row.lines();
    assert!(lines.any(|line| line.starts_with("proven") && line.contains(&payer)), "{row}");
    // It ends: after ten minutes the failure is its payer's, and the node is asked no more.
    rounds(&mut session, 630);
    session.door.node.chokes_on_searches = false;
    rounds(&mut session, 12);
    assert_eq!((session.door.node.searched, session.door.queue().contains("failed")), (0, true));
}

/// The row of an earlier version, which says of a deposit neither its token nor its nonce.
#[test]
fn a_deposit_of_an_earlier_version_that_fails_is_its_payers() {
    let mut session = session();
    assert_eq!(session.buy(&opening(&session, DEPOSIT, PRICE)).status, 200);
    rounds(&mut session, 66);
    let payer = session.parties.payer;
    for attempt in 0..2 {
        session.door.node.tokens.insert(payer, DEPOSIT);
        let more = adding(&mut session, DEPOSIT, 20 + attempt);
        session.door.node.manner = NodeManner::Overtakes;
        assert_eq!(code(&session.buy(&more)), 70_007);
        session.door.forgets_authorizations();
        session.door.node.block(9);
        rounds(&mut session, 12);
    }
    assert_eq!((books(&session), session.door.node.searched), ((3 * DEPOSIT, 3, 2), 0));
    session.door.node.tokens.insert(payer, DEPOSIT);
    let more = adding(&mut session, DEPOSIT, 40);
    assert_eq!((code(&session.buy(&more)), sent(&session)), (70_007, 3));
    // What is read of an old row is written as it was.
    session.door.node.manner = NodeManner::Waits;
    vain(&mut session, 3, 50);
    let row = session.door.queue().to_owned();
    assert_eq!(PayeeQueue::from_row(&row).to_row(), row);
}
