//! Channels after a restore from a backup: what a row may have lost buys nothing, its money is claimed, and payers go on with
//! another channel.

use super::door::{Door, PRICE, bound, routes};
use super::funds::{opening as signed_opening, sending, session as funded};
use super::mpp_payer::{DEPOSIT, Session, code, variables};
use super::node::{NodeManner, escrow};
use super::sales::opened;

/// Seconds after a restore in which terms of x402 are not offered.
const CLOSED_SECS: u64 = 3_600;

//
#[test]
pub fn vouchers_of_x402_that_a_restored_row_has_lost_buy_nothing_again() {
    let mut door = opened();
    let backup = door.backup();
    let used: Vec<_> = (2..=5).map(|request| door.payment("voucher", request * PRICE)).collect();
    for voucher in &used {
        assert_eq!(door.buy(voucher, "1").status, 200);
    }
    let refund = door.payment("refund", PRICE);
    door.restores_under(backup, bound(routes()));
    let served = door.served;
    for voucher in &used {
        assert_eq!(door.buy(voucher, "2").status, 402);
    }
    assert_eq!(door.served, served);
    // The terms name another account, so that clients open another channel.
    door.now += CLOSED_SECS;
    let old = used[0]["accepted"]["extra"]["receiverAuthorizer"].clone();
    assert_ne!(door.terms()["extra"]["receiverAuthorizer"], old);
    assert_eq!(door.buy(&used[1], "2").error(), "receiver_authorizer_mismatch");
    let deposit = door.payment("deposit", PRICE);
    assert_eq!(door.buy(&deposit, "2").status, 200);
    let next = door.payment("voucher", 2 * PRICE);
    assert_eq!(door.buy(&next, "3").status, 200);
    assert_eq!(door.served, served + 2);
    // What the row knows of the old one is claimed, and the rest goes back.
    let answer = door.buy(&refund, "1");
    assert_eq!(
        (answer.status, answer.settlement()["amount"].clone()),
        (200, (9 * PRICE).to_string().into())
    );
    for _ in 0..120 {
        door.now += 30;
        door.alarm();
    }
    let mut funds: Vec<_> =
        door.chain.channels.values().map(|it| (it.balance, it.claimed, it.paid)).collect();
    funds.sort_unstable();
    assert_eq!(funds, [(PRICE, PRICE, PRICE), (10 * PRICE, 2 * PRICE, 2 * PRICE)]);
}

#[test]
pub fn a_channel_of_the_time_between_two_restores_is_paid_back_by_its_own_terms() {
    let mut door = Door::new();
    let backup = door.backup();
    door.restores_under(backup, bound(routes()));
    let first = door.now;
    door.now += CLOSED_SECS;
    let deposit = door.payment("deposit", PRICE);
    assert_eq!(door.buy(&deposit, "1").status, 200);
    let voucher = door.payment("voucher", 2 * PRICE);
    let refund = door.payment("refund", PRICE);
    let backup = door.backup();
    let mut vars = bound(routes());
    vars["LEDGER_CLOSED_BEFORE"] = first.into();
    door.restores_under(backup, vars);
    door.now += CLOSED_SECS;
    assert_eq!(door.buy(&voucher, "2").error(), "receiver_authorizer_mismatch", "it buys nothing");
    let answer = door.buy(&refund, "1");
    assert_eq!(
        (answer.status, answer.settlement()["amount"].clone()),
        (200, (9 * PRICE).to_string().into())
    );
    for _ in 0..120 {
        door.now += 30;
        door.alarm();
    }
    let funds = door.funds();
    assert_eq!((funds.claimed, funds.paid), (PRICE, PRICE), "what was earned is with the payee");
}

#[test]
fn a_channel_of_x402_whose_row_is_lost_buys_nothing_again() {
    let mut door = Door::new();
    let backup = door.backup();
    let deposit = door.payment("deposit", PRICE);
    let second = door.payment("voucher", 2 * PRICE);
    for payment in [&deposit, &second] {
        assert_eq!(door.buy(payment, "1").status, 200);
    }
    door.restores_under(backup, bound(routes()));
    for payment in [&deposit, &second] {
        assert_eq!(door.buy(payment, "2").status, 402);
    }
    assert_eq!((door.served, door.chain.settled), (2, 1));
}

//
#[test]
pub fn vouchers_of_mpp_that_a_restored_row_has_lost_buy_nothing_again() {
    let mut session = Session::opened();
    assert_eq!(session.pay(PRICE).status, 200);
    let backup = session.door.backup();
    for request in 2..=5 {
        assert_eq!(session.pay(request * PRICE).status, 200);
    }
    session.door.restores_under(backup, variables());
    for request in 2..=7 {
        let answer = session.pay(request * PRICE);
        assert_eq!((answer.status, code(&answer)), (409, 70_014), "{request}");
    }
    assert_eq!(session.door.served, 5);
    // The payer says by a close what the row has lost.
    let close = session.voucher("close", 5 * PRICE);
    assert_eq!(session.buy(&close).status, 200);
    session.rest(60);
    assert_eq!(session.locked(), (5 * PRICE, DEPOSIT - 5 * PRICE, true));
}

#[test]
fn what_a_restored_row_knows_is_claimed_when_the_payer_leaves() {
    let mut session = Session::opened();
    assert_eq!(session.pay(PRICE).status, 200);
    let backup = session.door.backup();
    session.door.restores_under(backup, variables());
    let now = session.door.now;
    session.door.node.channels.get_mut(&session.id).unwrap().leaving = now;
    session.rest(900);
    assert_eq!(session.locked().0, PRICE);
}

#[test]
pub fn a_channel_that_is_opened_again_after_a_restore_is_no_younger() {
    let mut session = Session::new();
    let backup = session.door.backup();
    assert_eq!(session.open(0).status, 200);
    for request in 1..=3 {
        assert_eq!(session.pay(request * PRICE).status, 200);
    }
    session.door.restores_under(backup, variables());
    assert_eq!(code(&session.pay(PRICE)), 70_010);
    let again = session.open(PRICE);
    assert_eq!((again.status, code(&again)), (409, 70_014));
    // What adds to it makes it no younger either.
    session.door.now += 5;
    let id = session.id.clone();
    session.hash = session.door.node.top_up(&id, DEPOSIT);
    assert_eq!(code(&session.open(PRICE)), 70_014);
    assert_eq!(code(&session.pay(4 * PRICE)), 70_014);
    assert_eq!(session.door.served, 3);
    let close = session.voucher("close", 3 * PRICE);
    assert_eq!(session.buy(&close).status, 200);
    session.rest(60);
    assert_eq!(session.locked(), (3 * PRICE, 2 * DEPOSIT - 3 * PRICE, true));
}

#[test]
fn a_channel_that_is_opened_after_a_restore_sells() {
    let mut session = Session::new();
    let backup = session.door.backup();
    session.door.restores_under(backup, variables());
    session.door.now += 30;
    session.parties.salt = [6; 32];
    session.id = session.parties.id(&escrow()).to_string();
    session.door.node.now = session.door.now;
    session.hash = session.door.node.open(session.parties, DEPOSIT);
    let mut opening = session.opening(PRICE);
    opening["salt"] = format!("0x{}", "06".repeat(32)).into();
    assert_eq!(session.buy(&opening).status, 200);
    session.door.restarts();
    assert_eq!(session.pay(2 * PRICE).status, 200);
    assert_eq!(session.buy(&opening).status, 402, "a voucher that is lower");
    assert_eq!(session.door.served, 2);
}

#[test]
fn a_deposit_that_the_gate_sends_after_a_restore_opens_a_channel_that_sells() {
    for is_lost in [false, true] {
        let mut session = funded();
        let backup = session.door.backup();
        session.door.restores_under(backup, sending());
        session.door.now += 600;
        let payload = signed_opening(&session, DEPOSIT, PRICE);
        if is_lost {
            // Its block comes after the answer.
            session.door.node.manner = NodeManner::Waits;
            assert_eq!(code(&session.buy(&payload)), 70_007);
            session.door.node.manner = NodeManner::Works;
            session.door.node.block(9);
        }
        assert_eq!(session.buy(&payload).status, 200, "{is_lost}");
        assert_eq!(session.pay(2 * PRICE).status, 200, "{is_lost}");
    }
}
