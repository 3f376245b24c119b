//! Deposits that come to nothing at the payee's cost: payers who move the tokens away, and nodes that are busy or behind.

use farebox_core::channel::payee::PayeeQueue;

use super::door::{PRICE, account};
use super::funds::{adding, opening, opening_by, session};
use super::mpp_payer::{DEPOSIT, Session, code};
use super::node::{NodeManner, escrow};

/// Deposits that may fail in an hour.
pub const MAX_FAILED: u64 = 16;

/// A deposit for one more channel of this payer, who has the tokens for it.
pub fn another_of(session: &mut Session, payer: u8, signer: u8) -> serde_json::Value {
    let authorized = account(signer).address();
    session.parties.payer = account(payer).address();
    session.door.node.tokens.insert(session.parties.payer, DEPOSIT);
    session.parties.authorized_signer = authorized;
    session.id = session.parties.id(&escrow()).to_string();
    let mut payload = opening_by(session, DEPOSIT, PRICE, payer);
    payload["authorizedSigner"] = authorized.to_checksum().into();
    payload["voucherSignature"] = session.signature(PRICE, signer).into();
    payload
}

/// Nonces of the payee that were sent, however often each.
pub fn sent(session: &Session) -> u64 {
    let last = session.door.node.paid.iter().map(|(nonce, _)| *nonce).max();
    last.map_or(0, |nonce| nonce + 1)
}

/// What the operator is told of the account.
pub fn complaint(session: &Session) -> Option<String> {
    let queue = PayeeQueue::from_row(session.door.queue());
    session.door.gate.payee()?.complain(&queue, "eip155:84532")
}

/// Rounds of the account for so many seconds.
pub fn rounds(session: &mut Session, secs: u64) {
    for _ in 0..secs / 3 {
        session.door.now += 3;
        session.door.sends();
    }
}

/// A deposit of a payer who moves the tokens away before the block.
pub fn vain(session: &mut Session, payer: u8, signer: u8) {
    let payload = another_of(session, payer, signer);
    assert_eq!(code(&session.buy(&payload)), 70_007);
    session.door.node.tokens.insert(account(payer).address(), 0);
    session.door.node.block(9);
    // A node may be behind for a minute; then it has failed.
    rounds(session, 66);
}

/// Deposits of as many new payers as may fail in an hour.
pub fn strangers_fail(session: &mut Session) {
    for attempt in 0..u8::try_from(MAX_FAILED).unwrap() {
        vain(session, 20 + attempt, 210 + attempt);
    }
}

/// A top-up of the session's payer, who adds as much by a transaction of their own before the block.
fn overtaken(session: &mut Session, salt: u8) {
    let payer = session.parties.payer;
    session.door.node.tokens.insert(payer, DEPOSIT);
    let more = adding(session, DEPOSIT, salt);
    session.door.node.manner = NodeManner::Waits;
    assert_eq!(code(&session.buy(&more)), 70_007);
    // The channel shows what it would show.
    let id = session.id.clone();
    session.door.node.top_up(&id, DEPOSIT);
    session.door.node.tokens.insert(payer, 0);
    session.door.node.block(9);
    rounds(session, 66);
}

//
#[test]
pub fn deposits_whose_tokens_are_moved_before_the_block_are_sent_ever_more_slowly() {
    let mut session = session();
    session.door.node.manner = NodeManner::Waits;
    for attempt in 0..18 {
        vain(&mut session, 100 + attempt, 50 + attempt);
        assert_eq!(complaint(&session).is_some(), attempt + 1 >= 16, "{attempt}");
    }
    let node = &session.door.node;
    assert_eq!((sent(&session), node.mined, node.reverted), (MAX_FAILED, MAX_FAILED, MAX_FAILED));
    let told = complaint(&session).unwrap();
    assert!(told.contains("eip155:84532, sends deposits of new payers one at a time"), "{told}");
    assert!(told.contains(": 16; their payers"), "{told}");
    // Then one at a time has its turn, and none for a while after one that failed.
    session.door.node.manner = NodeManner::Works;
    let payload = another_of(&mut session, 2, 90);
    assert_eq!(session.buy(&payload).status, 200);
    rounds(&mut session, 3);
    session.door.node.manner = NodeManner::Waits;
    vain(&mut session, 120, 91);
    assert_eq!((sent(&session), session.door.node.reverted), (MAX_FAILED + 2, MAX_FAILED + 1));
    session.door.node.manner = NodeManner::Works;
    let payload = another_of(&mut session, 3, 92);
    assert_eq!(code(&session.buy(&payload)), 70_007);
    assert_eq!(sent(&session), MAX_FAILED + 2);
    rounds(&mut session, 225);
    assert_eq!(sent(&session), MAX_FAILED + 3);
    rounds(&mut session, 3_600);
    let payload = another_of(&mut session, 4, 93);
    assert_eq!(session.buy(&payload).status, 200);
    assert_eq!(complaint(&session), None);
}

//
#[test]
pub fn a_payer_whose_deposits_come_to_nothing_is_held_back_and_others_go_on() {
    let mut session = session();
    session.door.node.manner = NodeManner::Waits;
    for attempt in 0..20 {
        vain(&mut session, 1, 50 + attempt);
        assert_eq!(complaint(&session), None);
    }
    assert_eq!((sent(&session), session.door.node.reverted), (2, 2));
    session.door.node.manner = NodeManner::Works;
    let payload = another_of(&mut session, 2, 90);
    assert_eq!(session.buy(&payload).status, 200);
    // After an hour so does the first one.
    rounds(&mut session, 3_600);
    let payload = another_of(&mut session, 1, 91);
    assert_eq!(session.buy(&payload).status, 200);
}

//
#[test]
pub fn a_payer_who_adds_as_much_first_has_made_a_deposit_that_failed() {
    let mut session = session();
    assert_eq!(session.buy(&opening(&session, DEPOSIT, PRICE)).status, 200);
    rounds(&mut session, 66);
    for attempt in 0..4 {
        session.door.node.manner = NodeManner::Works;
        overtaken(&mut session, 20 + attempt);
    }
    // The first one that fails makes them a stranger, the second one is the last in an hour.
    assert_eq!((sent(&session), session.door.node.reverted), (1 + 2, 2));
}

#[test]
fn a_deposit_whose_price_was_raised_has_come_when_the_first_one_is_mined() {
    let mut session = session();
    session.door.node.manner = NodeManner::Waits;
    assert_eq!(code(&session.buy(&opening(&session, DEPOSIT, PRICE))), 70_007);
    let first = session.door.node.clone();
    // The second has the nonce at another price, and the block has the first.
    rounds(&mut session, 18);
    assert_eq!((sent(&session), session.door.node.paid.len()), (1, first.paid.len() + 1));
    let paid = session.door.node.paid.clone();
    session.door.node = first;
    session.door.node.paid = paid;
    session.door.node.block(9);
    rounds(&mut session, 90);
    assert_eq!((session.door.node.reverted, complaint(&session)), (0, None));
    assert_eq!(session.buy(&opening(&session, DEPOSIT, PRICE)).status, 200);
    // Its payer's next one is sent.
    session.door.node.manner = NodeManner::Works;
    let more = adding(&mut session, DEPOSIT, 20);
    assert_eq!(session.buy(&more).status, 200);
}

//
#[test]
pub fn strangers_do_not_hold_up_deposits_of_whoever_has_made_one() {
    let mut session = session();
    let buys = |session: &mut Session, payer: u8, signer: u8| {
        session.door.node.manner = NodeManner::Works;
        let payload = another_of(session, payer, signer);
        let answer = session.buy(&payload);
        session.door.node.manner = NodeManner::Waits;
        answer
    };
    assert_eq!(buys(&mut session, 1, 40).status, 200);
    rounds(&mut session, 3);
    session.door.node.manner = NodeManner::Waits;
    strangers_fail(&mut session);
    assert_eq!(code(&buys(&mut session, 3, 41)), 70_007);
    assert_eq!(sent(&session), 1 + MAX_FAILED);
    // A payer that the queue remembers, also from its row.
    assert_eq!(buys(&mut session, 1, 42).status, 200);
    assert_eq!(sent(&session), 2 + MAX_FAILED);
    rounds(&mut session, 6);
    // So is what they add.
    session.door.node.manner = NodeManner::Works;
    session.door.node.tokens.insert(account(1).address(), DEPOSIT);
    let more = adding(&mut session, DEPOSIT, 7);
    assert_eq!(session.buy(&more).status, 200);
    session.door.node.manner = NodeManner::Waits;
    rounds(&mut session, 6);
    assert_eq!(sent(&session), 3 + MAX_FAILED);
    // One that comes to nothing, and whoever made it is a stranger.
    vain(&mut session, 1, 43);
    assert_eq!(sent(&session), 4 + MAX_FAILED);
    assert_eq!(code(&buys(&mut session, 1, 44)), 70_007);
    assert_eq!(sent(&session), 4 + MAX_FAILED);
}

#[test]
pub fn where_no_receipt_is_known_whoever_adds_is_a_stranger() {
    let mut session = session();
    assert_eq!(session.buy(&opening(&session, DEPOSIT, PRICE)).status, 200);
    rounds(&mut session, 66);
    session.door.node.has_no_receipts = true;
    for attempt in 0..3 {
        overtaken(&mut session, 20 + attempt);
        session.door.node.manner = NodeManner::Works;
    }
    assert_eq!(session.door.node.reverted, 3);
    session.door.node.manner = NodeManner::Waits;
    strangers_fail(&mut session);
    session.door.node.manner = NodeManner::Works;
    let payload = another_of(&mut session, 1, 44);
    assert_eq!(code(&session.buy(&payload)), 70_007);
}

#[test]
fn the_payer_of_the_hundred_and_twenty_ninth_deposit_before_is_a_stranger_again() {
    let mut session = session();
    let payers = 60..=188;
    for payer in payers {
        session.door.node.manner = NodeManner::Works;
        let payload = another_of(&mut session, payer, 40);
        assert_eq!(session.buy(&payload).status, 200);
        rounds(&mut session, 3);
    }
    session.door.node.manner = NodeManner::Waits;
    rounds(&mut session, 66);
    strangers_fail(&mut session);
    session.door.node.manner = NodeManner::Works;
    let opening = another_of(&mut session, 60, 41);
    assert_eq!(code(&session.buy(&opening)), 70_007);
    let opening = another_of(&mut session, 61, 41);
    assert_eq!(session.buy(&opening).status, 200);
}

#[test]
pub fn payers_who_made_a_deposit_once_have_sixteen_that_fail_too() {
    let mut session = session();
    let payers = 60..60 + u8::try_from(MAX_FAILED).unwrap() + 1;
    for payer in payers.clone() {
        session.door.node.manner = NodeManner::Works;
        let payload = another_of(&mut session, payer, 100 + payer);
        assert_eq!(session.buy(&payload).status, 200);
        rounds(&mut session, 3);
    }
    session.door.node.manner = NodeManner::Waits;
    rounds(&mut session, 66);
    let before = sent(&session);
    for payer in payers {
        vain(&mut session, payer, 150 + payer % 100);
    }
    assert_eq!((sent(&session), session.door.node.reverted), (before + MAX_FAILED, MAX_FAILED));
    // Whoever is new has as many.
    vain(&mut session, 1, 50);
    assert_eq!(session.door.node.reverted, MAX_FAILED + 1);
}

//
#[test]
pub fn a_node_that_is_behind_has_no_deposit_sent_twice() {
    let mut session = session();
    session.door.node.manner = NodeManner::Waits;
    let payload = opening(&session, DEPOSIT, PRICE);
    assert_eq!(code(&session.buy(&payload)), 70_007);
    let behind = session.door.node.clone();
    session.door.node.block(9);
    rounds(&mut session, 3);
    let ahead = std::mem::replace(&mut session.door.node, behind);
    // It knows the account, and not the channel.
    session.door.node.pool.clear();
    session.door.node.mined = 1;
    assert_eq!(code(&session.buy(&payload)), 70_007);
    rounds(&mut session, 30);
    assert_eq!(sent(&session), 1, "by the one that is behind");
    session.door.node = ahead;
    assert_eq!(session.buy(&payload).status, 200);
    rounds(&mut session, 90);
    assert_eq!((sent(&session), session.door.node.reverted), (1, 0));
    assert_eq!(complaint(&session), None);
}

#[test]
pub fn what_a_busy_node_says_is_no_word_against_a_deposit() {
    no_word_against_a_deposit("request rate limit exceeded");
}

#[test]
fn that_the_payee_cannot_pay_for_gas_is_no_word_against_a_deposit() {
    no_word_against_a_deposit("err: insufficient funds for gas * price + value: have 0 want 1");
}

/// Nothing is sent while the node says this, and the deposit is made once it does not.
fn no_word_against_a_deposit(excuse: &'static str) {
    let mut session = session();
    session.door.node.excuse = excuse;
    let payload = opening(&session, DEPOSIT, PRICE);
    session.door.node.trials = Some(0);
    let answer = session.buy(&payload);
    assert_eq!((answer.status, answer.body.contains("chain_unavailable")), (503, true));
    // The next one is queued, and then the node is busy again.
    session.door.node.trials = Some(1);
    let answer = session.buy(&payload);
    assert_eq!((answer.status, session.door.node.paid.len()), (503, 0), "{}", answer.body);
    rounds(&mut session, 30);
    assert_eq!(sent(&session), 0, "nothing is sent that was not tried");
    session.door.node.trials = None;
    rounds(&mut session, 3);
    assert_eq!(sent(&session), 1);
    assert_eq!(session.buy(&payload).status, 200);
}
