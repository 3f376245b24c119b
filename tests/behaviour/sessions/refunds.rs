//! Refunds: which are made, how often their facilitator is asked, and what a repeat is told.

use farebox_core::channel::config::ChannelId;
use serde_json::{Value, json};

use super::chain::Manner;
use super::door::{Door, OriginManner, PRICE};
use super::sales::opened;

fn refund(door: &mut Door, shown: u64, amount: Option<u64>) -> Value {
    let mut payment = door.payment("refund", shown);
    if let Some(amount) = amount {
        payment["payload"]["amount"] = json!(amount.to_string());
    }
    payment
}

#[test]
pub fn a_refund_that_the_row_refuses_asks_no_one() {
    let mut door = opened();
    // However long ago the chain was asked.
    door.now += 300;
    door.signed = 2 * PRICE;
    for (shown, amount, why) in [
        (0, None, "cumulative_amount_mismatch"),
        (2 * PRICE, None, "cumulative_amount_mismatch"),
        (PRICE, Some(10 * PRICE), "refund_amount_invalid"),
        (PRICE, Some(PRICE - 1), "refund_amount_invalid"),
        (PRICE, Some(0), "refund_amount_invalid"),
    ] {
        let wrong = refund(&mut door, shown, amount);
        assert_eq!(door.buy(&wrong, "1").error(), why, "{shown} {amount:?}");
    }
    assert_eq!((door.chain.verified, door.chain.settled), (0, 1));
    let right = refund(&mut door, PRICE, None);
    assert_eq!(door.buy(&right, "1").status, 200);
    assert_eq!((door.chain.verified, door.chain.settled), (1, 2));
}

#[test]
fn a_refund_by_what_the_chain_showed_lately_is_one_call() {
    let mut door = opened();
    let all = refund(&mut door, PRICE, None);
    assert_eq!(door.buy(&all, "1").status, 200);
    assert_eq!((door.chain.verified, door.chain.settled), (0, 2));
    assert_eq!((door.funds().balance, door.funds().claimed), (PRICE, PRICE));
}

#[test]
pub fn a_channel_that_bought_nothing_is_not_paid_back() {
    let mut door = Door::new();
    door.origin = OriginManner::Fails;
    let deposit = door.payment("deposit", PRICE);
    assert_eq!(door.buy(&deposit, "1").status, 503);
    let all = refund(&mut door, 0, None);
    let answer = door.buy(&all, "1");
    assert_eq!((answer.status, answer.error().as_str()), (402, "refund_amount_invalid"));
    assert_eq!((door.chain.verified, door.chain.settled), (0, 1));
}

#[test]
fn whoever_reads_a_voucher_on_a_chain_can_have_everything_paid_back_and_no_part() {
    let mut door = opened();
    door.rest();
    assert_eq!(door.funds().claimed, PRICE);
    let settled = door.chain.settled;
    for part in [PRICE, 8 * PRICE] {
        let part = refund(&mut door, PRICE, Some(part));
        assert_eq!(door.buy(&part, "1").error(), "refund_amount_invalid");
    }
    let all = refund(&mut door, PRICE, None);
    for _ in 0..9 {
        assert_eq!(door.buy(&all, "1").settlement()["amount"], (9 * PRICE).to_string());
    }
    assert_eq!((door.funds().balance, door.chain.settled), (PRICE, settled + 1));
}

#[test]
fn a_refund_whose_answer_was_lost_is_answered_again() {
    for amount in [None, Some(4 * PRICE)] {
        let mut door = opened();
        let asked = refund(&mut door, PRICE, amount);
        let first = door.buy(&asked, "1");
        let (calls, funds) = ((door.chain.verified, door.chain.settled), door.funds().balance);
        let again = door.buy(&asked, "1");
        assert_eq!((again.status, first.status), (200, 200), "{amount:?}");
        assert_eq!(again.settlement()["amount"], first.settlement()["amount"], "{amount:?}");
        assert_eq!(again.settlement()["extra"], first.settlement()["extra"], "{amount:?}");
        assert_eq!((door.chain.verified, door.chain.settled), calls, "{amount:?}");
        assert_eq!(door.funds().balance, funds, "{amount:?}");
    }
}

#[test]
fn a_refund_that_is_asked_for_again_and_again_is_sent_as_seldom_as_the_alarm_sends_it() {
    let mut door = opened();
    door.chain.manner = Manner::Stuck;
    let all = refund(&mut door, PRICE, None);
    assert_eq!(door.buy(&all, "1").status, 503);
    for _ in 0..9 {
        assert_eq!(door.buy(&all, "1").error(), "channel_busy");
    }
    assert_eq!((door.chain.verified, door.chain.settled), (0, 2));
    door.chain.manner = Manner::Works;
    door.rest();
    assert_eq!((door.funds().balance, door.funds().paid), (PRICE, PRICE));
    assert_eq!(door.buy(&all, "1").settlement()["amount"], (9 * PRICE).to_string());
}

#[test]
fn what_was_added_is_paid_back_after_a_quarter_of_an_hour() {
    let mut door = opened();
    let mut more = door.payment("deposit", 2 * PRICE);
    let id = more["payload"]["voucher"]["channelId"].as_str().unwrap().to_owned();
    let channel = ChannelId::parse(&id).unwrap();
    more["payload"]["deposit"] = door.deposit(&channel, 5 * PRICE, 2);
    assert_eq!(door.buy(&more, "2").status, 200);
    let all = refund(&mut door, 2 * PRICE, None);
    let first = door.buy(&all, "1");
    assert_eq!((first.status, first.settlement()["amount"].clone()), (200, json!("80000")));
    assert_eq!(door.funds().balance, 7 * PRICE);
    let part = refund(&mut door, 2 * PRICE, Some(5 * PRICE));
    assert_eq!(door.buy(&part, "1").error(), "channel_busy");
    door.now += 901;
    let calls = (door.chain.verified, door.chain.settled);
    let rest = door.buy(&all, "1");
    assert_eq!((rest.status, rest.settlement()["amount"].clone()), (200, json!("50000")));
    assert_eq!((door.chain.verified, door.chain.settled), (calls.0 + 1, calls.1 + 1));
    assert_eq!((door.funds().balance, door.funds().claimed), (2 * PRICE, 2 * PRICE));
}
