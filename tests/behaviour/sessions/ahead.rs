//! A clock that ran ahead for a while, and what it has written of a channel.

use super::door::{DELAY, Door, PRICE};
use super::mpp_payer::{Session, code};

/// Seconds by which the clock ran ahead: those of a machine that took local time for UTC.
const AHEAD: u64 = 28_800;

/// A door whose clock ran ahead while it sold for the first time and the second.
fn ran_ahead() -> Door {
    let mut door = Door::new();
    door.now += AHEAD;
    for (kind, request) in [("deposit", 1), ("voucher", 2)] {
        let payment = door.payment(kind, request * PRICE);
        assert_eq!(door.buy(&payment, "1").status, 200);
    }
    door.now -= AHEAD - 1;
    door
}

fn leaves(door: &mut Door) {
    let now = door.now;
    door.chain.channels.values_mut().for_each(|funds| funds.leaving = now);
}

//
#[test]
pub fn who_withdraws_after_a_clock_ran_ahead_buys_nothing_more() {
    for restarts in [false, true] {
        let mut door = ran_ahead();
        leaves(&mut door);
        if restarts {
            door.restarts();
        }
        let verified = door.chain.verified;
        let next = door.payment("voucher", 3 * PRICE);
        assert_eq!(door.buy(&next, "1").error(), "channel_closing", "{restarts}");
        assert_eq!((door.chain.verified, door.served), (verified + 1, 2), "{restarts}");
    }
}

//
#[test]
pub fn what_was_earned_while_a_clock_ran_ahead_is_claimed_once_it_is_right() {
    let mut door = ran_ahead();
    leaves(&mut door);
    door.alarm();
    assert_eq!(door.funds().claimed, 2 * PRICE);
    // A payer who stays is claimed from as ever, and buys.
    let mut door = ran_ahead();
    door.alarm();
    assert_eq!(door.funds().claimed, 0);
    door.now += DELAY;
    door.alarm();
    assert_eq!(door.funds().claimed, 2 * PRICE);
    let next = door.payment("voucher", 3 * PRICE);
    assert_eq!(door.buy(&next, "1").status, 200);
}

//
#[test]
pub fn a_session_of_mpp_is_watched_again_once_a_clock_that_ran_ahead_is_right() {
    let mut session = Session::opened();
    assert_eq!(session.pay(PRICE).status, 200);
    session.door.now += AHEAD;
    assert_eq!(session.pay(2 * PRICE).status, 200);
    session.door.now -= AHEAD - 1;
    let now = session.door.now;
    let id = session.id.clone();
    session.door.node.channels.get_mut(&id).unwrap().leaving = now;
    session.rest(120);
    assert_eq!(session.locked().0, 2 * PRICE);
    assert_eq!(code(&session.pay(3 * PRICE)), 70_014);
}
