//! Refunds: which are made, how often their facilitator is asked, and what a repeat is told.

use farebox_core::channel::config::ChannelId;
use serde_json::{Value, json};

use super::chain::Manner;
use super::door::{Answer, DELAY, Door, OriginManner, PRICE};
use super::sales::opened;
use super::wrong::channel;

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

/// What a channel is said to be in the terms after a refusal.
fn told(answer: &Answer) -> Value {
    let terms = answer.terms();
    let all = terms["accepts"].as_array().unwrap();
    all.iter().find(|it| it["scheme"] == "batch-settlement").unwrap()["extra"].clone()
}

/// A door whose only channel is claimed: its voucher is public.
fn claimed() -> Door {
    let mut door = opened();
    door.now += DELAY;
    door.alarm();
    assert_eq!(door.funds().claimed, PRICE);
    door
}

//
#[test]
pub fn a_voucher_that_was_sent_for_a_chain_pays_nothing_back_while_its_channel_is_used() {
    for manner in [Manner::Works, Manner::Stuck, Manner::Down] {
        let mut door = opened();
        door.chain.manner = manner;
        door.now += DELAY;
        door.alarm();
        door.chain.manner = Manner::Works;
        assert_eq!(door.published(), PRICE);
        for part in [None, Some(8 * PRICE), Some(9 * PRICE)] {
            let public = refund(&mut door, PRICE, part);
            let (settled, writes) = (door.chain.settled, door.writes);
            let refused = door.buy(&public, "1");
            assert_eq!(refused.error(), "voucher_published", "{manner:?} {part:?}");
            assert_eq!(told(&refused)["channelState"], Value::Null, "{manner:?}");
            assert_eq!((door.chain.settled, door.writes), (settled, writes), "{manner:?}");
        }
        let next = door.payment("voucher", 2 * PRICE);
        assert_eq!(door.buy(&next, "1").status, 200, "{manner:?}");
        // Nor is anyone told by it that something was bought since.
        let public = refund(&mut door, PRICE, None);
        assert_eq!(door.buy(&public, "1").error(), "voucher_published", "{manner:?}");
        // Who signs has everything back at once.
        let own = refund(&mut door, 2 * PRICE, None);
        assert_eq!(door.buy(&own, "1").settlement()["amount"], (8 * PRICE).to_string());
    }
}

//
#[test]
pub fn a_public_voucher_pays_everything_back_once_its_channel_has_rested_and_once_a_day() {
    let mut door = claimed();
    let all = refund(&mut door, PRICE, None);
    door.now += 3_599;
    assert_eq!(door.buy(&all, "1").error(), "voucher_published");
    door.now += 1;
    let part = refund(&mut door, PRICE, Some(8 * PRICE));
    assert_eq!(door.buy(&part, "1").error(), "refund_amount_invalid");
    let settled = door.chain.settled;
    for _ in 0..9 {
        assert_eq!(door.buy(&all, "1").settlement()["amount"], (9 * PRICE).to_string());
    }
    assert_eq!((door.funds().balance, door.chain.settled), (PRICE, settled + 1));
    // The payer deposits again: that stays for a day.
    let mut more = door.payment("deposit", 2 * PRICE);
    more["payload"]["deposit"] = door.deposit(&channel(&more), 5 * PRICE, 2);
    assert_eq!(door.buy(&more, "2").status, 200);
    door.restarts();
    let again = refund(&mut door, 2 * PRICE, None);
    for _ in 0..23 {
        door.now += 3_590;
        door.alarm();
        if door.published() == 2 * PRICE {
            assert_eq!(door.buy(&again, "1").error(), "voucher_published");
        }
    }
    assert_eq!(door.published(), 2 * PRICE);
    door.now += 3_840;
    door.alarm();
    assert_eq!(door.buy(&again, "1").settlement()["amount"], (4 * PRICE).to_string());
}

//
#[test]
pub fn a_public_voucher_is_told_what_the_chain_shows_and_nothing_else() {
    let mut door = claimed();
    for next in [2, 3] {
        let voucher = door.payment("voucher", next * PRICE);
        assert_eq!(door.buy(&voucher, "1").status, 200);
    }
    let public = door.payment("voucher", PRICE);
    let refused = door.buy(&public, "2");
    assert_eq!((refused.status, refused.error().as_str()), (402, "cumulative_amount_mismatch"));
    let told = told(&refused);
    let state = &told["channelState"];
    assert_eq!(
        (&state["chargedCumulativeAmount"], &state["totalClaimed"]),
        (&json!("10000"), &json!("10000"))
    );
    // Of the vouchers the one that was claimed by, which the chain shows.
    let shown = &public["payload"]["voucher"];
    assert_eq!(
        told["voucherState"],
        json!({"signedMaxClaimable": "10000", "signature": shown["signature"]})
    );
    // Nor whether a request is being served.
    let fourth = door.payment("voucher", 4 * PRICE);
    let serving = door.begin(&fourth, "1");
    assert_eq!(door.buy(&public, "2").error(), "cumulative_amount_mismatch");
    assert_eq!(door.end(serving, &fourth).status, 200);
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
pub fn what_was_added_is_paid_back_after_a_quarter_of_an_hour() {
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
    door.now += 100;
    let later = door.buy(&part, "1");
    assert_eq!(
        (later.error(), later.head.headers.get("retry-after")),
        ("refund_later".into(), Some("800"))
    );
    door.now += 801;
    let calls = (door.chain.verified, door.chain.settled);
    let rest = door.buy(&all, "1");
    assert_eq!((rest.status, rest.settlement()["amount"].clone()), (200, json!("50000")));
    assert_eq!((door.chain.verified, door.chain.settled), (calls.0 + 1, calls.1 + 1));
    assert_eq!((door.funds().balance, door.funds().claimed), (2 * PRICE, 2 * PRICE));
}

#[test]
pub fn a_refund_that_waits_is_sent_once_more_for_whoever_asks_and_then_by_the_alarm() {
    let mut door = opened();
    door.chain.manner = Manner::Stuck;
    let all = refund(&mut door, PRICE, None);
    assert_eq!(door.buy(&all, "1").status, 503);
    let settled = door.chain.settled;
    for _ in 0..20 {
        door.now += 15;
        assert!([402, 503].contains(&door.buy(&all, "1").status));
    }
    assert_eq!(
        (door.buy(&all, "1").error(), door.chain.settled),
        ("channel_busy".to_owned(), settled + 1)
    );
    door.chain.manner = Manner::Works;
    door.rest();
    assert_eq!((door.funds().balance, door.funds().paid), (PRICE, PRICE));
    assert_eq!(door.buy(&all, "1").settlement()["amount"], (9 * PRICE).to_string());
}

#[test]
pub fn what_is_added_to_a_channel_at_rest_stays_for_an_hour() {
    let mut door = claimed();
    door.now += 4_000;
    // What it was added for is not served, so that nothing is bought.
    door.origin = OriginManner::Fails;
    let mut more = door.payment("deposit", 2 * PRICE);
    more["payload"]["deposit"] = door.deposit(&channel(&more), 5 * PRICE, 2);
    assert!(door.buy(&more, "2").status >= 500);
    assert_eq!((door.funds().balance, door.book().0), (15 * PRICE, PRICE));
    let public = refund(&mut door, PRICE, None);
    for _ in 0..4 {
        assert_eq!(door.buy(&public, "1").error(), "voucher_published");
        door.now += 899;
        door.alarm();
    }
    assert_eq!(door.funds().balance, 15 * PRICE);
    door.now += 4;
    assert_eq!(door.buy(&public, "1").settlement()["amount"], (14 * PRICE).to_string());
}
