//! Deposits that come to nothing at the payee's cost: payers who move the tokens away, and nodes that are busy or behind.

use farebox_core::channel::payee::PayeeQueue;

use super::by_mpp::{DEPOSIT, Session, code};
use super::door::{PRICE, account};
use super::funds::{opening, session};
use super::node::{NodeManner, escrow};

/// Deposits that may fail in an hour.
const MAX_FAILED: u64 = 16;

/// A deposit for one more channel of the same payer.
fn another(session: &mut Session, signer: u8) -> serde_json::Value {
    let authorized = account(signer).address();
    session.parties.authorized_signer = authorized;
    session.id = session.parties.id(&escrow()).to_string();
    let mut payload = opening(session, DEPOSIT, PRICE);
    payload["authorizedSigner"] = authorized.to_checksum().into();
    payload["voucherSignature"] = session.signature(PRICE, signer).into();
    payload
}

/// Nonces of the payee that were sent, however often each.
fn sent(session: &Session) -> u64 {
    let last = session.door.node.paid.iter().map(|(nonce, _)| *nonce).max();
    last.map_or(0, |nonce| nonce + 1)
}

/// What the operator is told of the account.
fn complaint(session: &Session) -> Option<String> {
    let queue = PayeeQueue::from_row(session.door.queue());
    session.door.gate.payee_complaint(&queue, "eip155:84532")
}

/// Rounds of the account for so many seconds.
fn rounds(session: &mut Session, secs: u64) {
    for _ in 0..secs / 3 {
        session.door.now += 3;
        session.door.sends();
    }
}

#[test]
pub fn deposits_whose_tokens_are_moved_before_the_block_are_sent_sixteen_times_an_hour() {
    let mut session = session();
    let payer = session.parties.payer;
    session.door.node.manner = NodeManner::Waits;
    for attempt in 0..20 {
        session.door.node.tokens.insert(payer, DEPOSIT);
        let payload = another(&mut session, 50 + attempt);
        assert_eq!(code(&session.buy(&payload)), 70_007);
        session.door.node.tokens.insert(payer, 0);
        session.door.node.block(9);
        // A node may be behind for a minute; then it has failed.
        rounds(&mut session, 66);
        assert_eq!(complaint(&session).is_some(), attempt + 1 >= 16, "{attempt}");
    }
    let node = &session.door.node;
    assert_eq!((sent(&session), node.mined, node.reverted), (MAX_FAILED, MAX_FAILED, MAX_FAILED));
    let told = complaint(&session).unwrap();
    assert!(told.contains("eip155:84532, sends no deposit for up to an hour"), "{told}");
    assert!(told.contains(": 16; their payers"), "{told}");
    // Whoever comes then waits, and claims do not.
    session.door.node.tokens.insert(payer, DEPOSIT);
    rounds(&mut session, 3_600);
    session.door.node.manner = NodeManner::Works;
    let payload = another(&mut session, 90);
    assert_eq!(session.buy(&payload).status, 200);
    assert_eq!(complaint(&session), None);
}

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
