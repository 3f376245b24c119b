//! A machine that dies at each step of a deposit, a request, a refund and an alarm, and the same request again.

use serde_json::Value;

use super::door::{Door, PRICE};
use super::sales::opened;

/// Plays what follows `begin` with a death at each of its steps, the client's repeat, and the end of it all.
fn at_each_step(begin: fn() -> (Door, Value), ends: fn(&Door)) -> u64 {
    let (mut door, payment) = begin();
    door.dies_at(None);
    door.pay(&payment, "1");
    let steps = door.steps();
    for step in 0..steps {
        let (mut door, payment) = begin();
        door.dies_at(Some(step));
        assert!(door.pay(&payment, "1").is_none(), "{step}");
        door.check();
        door.dies_at(None);
        let mut again = door.buy(&payment, "1");
        if again.status == 402 && again.error() == "channel_busy" {
            again = door.buy(&payment, "1");
        }
        assert_eq!(again.status, 200, "{step}: {again:?}");
        door.check();
        door.rest();
        ends(&door);
    }
    steps
}

fn deposited() -> (Door, Value) {
    let mut door = Door::new();
    let deposit = door.payment("deposit", PRICE);
    (door, deposit)
}

fn second() -> (Door, Value) {
    let mut door = opened();
    let voucher = door.payment("voucher", 2 * PRICE);
    (door, voucher)
}

fn refunding() -> (Door, Value) {
    let mut door = opened();
    // The chain is looked at first.
    door.now += 300;
    let refund = door.payment("refund", PRICE);
    (door, refund)
}

//
#[test]
fn a_death_at_any_step_of_a_deposit_costs_one_deposit_and_one_charge() {
    let steps = at_each_step(deposited, |door| {
        let funds = door.funds();
        assert_eq!((funds.balance, funds.claimed, funds.paid), (10 * PRICE, PRICE, PRICE));
        assert_eq!(door.book(), (PRICE, PRICE));
    });
    assert!(steps >= 8, "{steps}");
}

#[test]
fn a_death_at_any_step_of_a_request_costs_one_charge() {
    let steps = at_each_step(second, |door| {
        assert_eq!(door.book(), (2 * PRICE, 2 * PRICE));
        assert_eq!((door.funds().claimed, door.funds().paid), (2 * PRICE, 2 * PRICE));
    });
    assert!(steps >= 7, "{steps}");
}

#[test]
fn a_death_at_any_step_of_an_alarm_loses_nothing_earned() {
    let begin = || {
        let (mut door, voucher) = second();
        door.buy(&voucher, "1");
        door.now += 900;
        door
    };
    let mut door = begin();
    door.dies_at(None);
    for _ in 0..4 {
        door.alarm();
        door.now += 15;
    }
    let steps = door.steps();
    assert!(steps >= 12, "{steps}");
    for step in 0..steps {
        let mut door = begin();
        door.dies_at(Some(step));
        for _ in 0..4 {
            door.alarm();
            door.now += 15;
            door.check();
        }
        door.dies_at(None);
        door.rest();
        let funds = door.funds();
        assert_eq!((funds.claimed, funds.paid), (2 * PRICE, 2 * PRICE), "{step}");
    }
}

#[test]
fn a_death_at_any_step_of_a_refund_pays_back_once() {
    let (mut door, refund) = refunding();
    door.dies_at(None);
    door.pay(&refund, "1");
    let steps = door.steps();
    assert!(steps >= 9, "{steps}");
    for step in 0..steps {
        let (mut door, refund) = refunding();
        door.dies_at(Some(step));
        assert!(door.pay(&refund, "1").is_none(), "{step}");
        door.dies_at(None);
        door.pay(&refund, "1");
        door.check();
        door.rest();
        let funds = door.funds();
        assert_eq!((funds.balance, funds.claimed, funds.paid), (PRICE, PRICE, PRICE), "{step}");
    }
}
