//! What a session sells, charges, repeats and pays back.

use serde_json::{Value, json};

use super::door::{Door, OriginManner, PRICE};

/// A door where one request was paid with a deposit.
pub fn opened() -> Door {
    let mut door = Door::new();
    let deposit = door.payment("deposit", PRICE);
    let answer = door.buy(&deposit, "1");
    assert_eq!((answer.status, answer.body.as_str()), (200, "answer 1"));
    door
}

//
#[test]
pub fn a_deposit_whose_request_fails_is_told_and_not_made_again() {
    let bad = [OriginManner::Fails, OriginManner::Breaks, OriginManner::Asks, OriginManner::Moves];
    for origin in bad {
        let mut door = Door::new();
        door.origin = origin;
        let payment = door.payment("deposit", PRICE);
        let answer = door.buy(&payment, "1");
        assert!(answer.status >= 500, "{}", answer.body);
        // The published client goes on from what it is told.
        let settlement = answer.settlement();
        let deposited = json!((10 * PRICE).to_string());
        assert_eq!((&settlement["success"], &settlement["amount"]), (&json!(true), &deposited));
        let state = &settlement["extra"]["channelState"];
        assert_eq!(
            (&settlement["extra"]["chargedAmount"], &state["balance"]),
            (&json!("0"), &deposited)
        );
        assert_eq!(state["chargedCumulativeAmount"], "0");
        // A voucher that is charged nothing has moved nothing, and says nothing of it.
        let voucher = door.payment("voucher", PRICE);
        let answer = door.buy(&voucher, "1");
        assert_eq!(answer.head.headers.get("payment-response"), None);
        door.origin = OriginManner::Serves;
        assert_eq!(door.buy(&voucher, "1").status, 200);
        assert_eq!((door.chain.settled, door.book().0), (1, PRICE));
    }
}

#[test]
fn a_deposit_and_many_vouchers_buy_and_vouchers_ask_no_facilitator() {
    let mut door = opened();
    assert_eq!((door.chain.verified, door.chain.settled), (0, 1));
    for request in 2..=10 {
        let voucher = door.payment("voucher", request * PRICE);
        let writes = door.writes;
        let answer = door.buy(&voucher, "1");
        assert_eq!((answer.status, &answer.body), (200, &format!("answer {request}")));
        let settlement = answer.settlement();
        assert_eq!(settlement["success"], true);
        assert_eq!(settlement["transaction"], "");
        assert_eq!(settlement["extra"]["chargedAmount"], PRICE.to_string());
        let charged = &settlement["extra"]["channelState"]["chargedCumulativeAmount"];
        assert_eq!(*charged, (request * PRICE).to_string());
        // One row for each request.
        assert_eq!(door.writes, writes + 1);
        door.check();
    }
    assert_eq!((door.chain.verified, door.chain.settled), (0, 1));
    assert_eq!(door.book(), (10 * PRICE, 10 * PRICE));
    let above = door.payment("voucher", 11 * PRICE);
    assert_eq!(door.buy(&above, "1").error(), "cumulative_exceeds_balance");
    door.rest();
    assert_eq!((door.funds().claimed, door.funds().paid), (10 * PRICE, 10 * PRICE));
}

#[test]
pub fn the_last_request_again_has_the_same_answer_and_costs_nothing() {
    let mut door = opened();
    let voucher = door.payment("voucher", 2 * PRICE);
    let first = door.buy(&voucher, "1");
    let again = door.buy(&voucher, "1");
    assert_eq!((again.status, &again.body), (200, &first.body));
    assert_eq!(again.head.headers.get("payment-replayed"), Some("true"));
    assert_eq!(again.settlement()["extra"]["chargedAmount"], PRICE.to_string());
    assert_eq!((door.served, door.book().0), (2, 2 * PRICE));
    // It is no voucher for another page.
    assert_eq!(door.buy(&voucher, "2").error(), "cumulative_amount_mismatch");
    assert_eq!((door.served, door.book().0), (2, 2 * PRICE));
}

#[test]
pub fn another_body_is_another_request() {
    let mut door = opened();
    let voucher = door.payment("voucher", 2 * PRICE);
    assert_eq!(door.post(&voucher, "aa").body, "answer 2");
    assert_eq!(door.post(&voucher, "aa").body, "answer 2");
    assert_eq!(door.post(&voucher, "bb").error(), "cumulative_amount_mismatch");
    assert_eq!(door.served, 2);
}

#[test]
pub fn a_voucher_that_stands_on_a_chain_fetches_nothing() {
    let mut door = opened();
    let last = door.payment("voucher", 2 * PRICE);
    door.buy(&last, "1");
    assert_eq!(door.buy(&last, "1").status, 200);
    door.rest();
    assert_eq!(door.funds().claimed, 2 * PRICE);
    let published = door.buy(&last, "1");
    assert_eq!((published.status, published.error().as_str()), (402, "cumulative_amount_mismatch"));
    // Nor the voucher after it.
    let next = door.payment("voucher", 3 * PRICE);
    door.buy(&next, "1");
    let published = door.buy(&last, "1");
    assert_eq!(recovery(&published)["voucherState"]["signedMaxClaimable"], "20000");
    let lost = door.payment("voucher", 3 * PRICE);
    assert_eq!(recovery(&door.buy(&lost, "2"))["voucherState"]["signedMaxClaimable"], "30000");
}

/// What the terms of a session tell of the channel.
fn recovery(answer: &super::door::Answer) -> Value {
    let terms = answer.terms();
    let all = terms["accepts"].as_array().unwrap();
    all.iter().find(|it| it["scheme"] == "batch-settlement").unwrap()["extra"].clone()
}

#[test]
fn a_client_that_forgot_goes_on_from_what_it_is_told() {
    let mut door = opened();
    let voucher = door.payment("voucher", 2 * PRICE);
    door.buy(&voucher, "1");
    let forgotten = door.payment("voucher", PRICE);
    let told = recovery(&door.buy(&forgotten, "2"));
    assert_eq!(told["channelState"]["chargedCumulativeAmount"], "20000");
    assert_eq!(told["voucherState"]["signature"], voucher["payload"]["voucher"]["signature"]);
}

#[test]
fn what_the_origin_does_not_answer_costs_nothing() {
    let bad = [OriginManner::Fails, OriginManner::Breaks, OriginManner::Asks, OriginManner::Moves];
    for origin in bad {
        let mut door = opened();
        door.origin = origin;
        let voucher = door.payment("voucher", 2 * PRICE);
        assert!(door.buy(&voucher, "1").status >= 500);
        assert_eq!(door.book(), (PRICE, PRICE));
        door.origin = OriginManner::Serves;
        assert_eq!(door.buy(&voucher, "1").status, 200);
    }
}

#[test]
fn a_stream_is_charged_before_it_begins_and_not_kept() {
    let mut door = opened();
    door.origin = OriginManner::Streams;
    let voucher = door.payment("voucher", 2 * PRICE);
    assert_eq!(door.buy(&voucher, "1").status, 200);
    assert_eq!(door.book().0, 2 * PRICE);
    assert_eq!(door.buy(&voucher, "1").error(), "cumulative_amount_mismatch");
}

//
#[test]
pub fn an_answer_whose_charge_was_written_and_not_heard_of_is_delivered() {
    for manner in [OriginManner::Streams, OriginManner::Serves] {
        let mut door = opened();
        door.origin = manner;
        let voucher = door.payment("voucher", 2 * PRICE);
        door.lost = 1;
        let answer = door.buy(&voucher, "1");
        assert_eq!((answer.status, answer.body.as_str()), (200, "answer 2"));
        assert_eq!(answer.settlement()["amount"], "");
        assert_eq!((door.lost, door.served, door.book().0), (0, 2, 2 * PRICE));
    }
    // A row of an earlier version does not tell who was charged.
    let mut door = opened();
    door.origin = OriginManner::Streams;
    let voucher = door.payment("voucher", 2 * PRICE);
    (door.lost, door.forgets) = (1, true);
    assert_eq!(door.buy(&voucher, "1").status, 503);
    assert_eq!(door.book().0, 2 * PRICE);
}

//
#[test]
pub fn the_charge_of_another_copy_delivers_nothing() {
    let mut door = opened();
    copies_of_a_lost_charge(&mut door);
}

//
#[test]
pub fn requests_that_could_not_be_named_do_not_stand_for_each_other() {
    let mut door = opened();
    door.nameless = true;
    copies_of_a_lost_charge(&mut door);
}

/// Two copies of a request are served. One is charged and delivered, the other hears nothing of its charge.
fn copies_of_a_lost_charge(door: &mut Door) {
    door.origin = OriginManner::Streams;
    let voucher = door.payment("voucher", 2 * PRICE);
    let first = door.begin(&voucher, "1");
    door.restarts();
    let second = door.begin(&voucher, "1");
    assert_eq!(door.end(first, &voucher).status, 200);
    door.lost = 1;
    assert_eq!(door.end(second, &voucher).status, 503);
    assert_eq!((door.lost, door.delivered.len(), door.book().0), (0, 2, 2 * PRICE));
}

#[test]
fn one_request_at_a_time_is_served() {
    let mut door = opened();
    let voucher = door.payment("voucher", 2 * PRICE);
    let serving = door.begin(&voucher, "1");
    assert_eq!(door.buy(&voucher, "2").error(), "channel_busy");
    assert_eq!(door.buy(&voucher, "1").error(), "channel_busy");
    let higher = door.payment("voucher", 3 * PRICE);
    assert_eq!(door.buy(&higher, "2").error(), "channel_busy");
    assert_eq!(door.end(serving, &voucher).status, 200);
    assert_eq!((door.served, door.book().0), (2, 2 * PRICE));
}

#[test]
fn a_refund_claims_what_was_earned_and_pays_back_the_rest() {
    let mut door = opened();
    let mut refund = door.payment("refund", PRICE);
    refund["payload"]["amount"] = json!((4 * PRICE).to_string());
    let answer = door.buy(&refund, "1");
    assert_eq!((answer.status, door.served), (200, 1));
    assert_eq!(answer.settlement()["amount"], (4 * PRICE).to_string());
    assert_eq!((door.funds().balance, door.funds().claimed), (6 * PRICE, PRICE));
    let voucher = door.payment("voucher", 2 * PRICE);
    assert_eq!(door.buy(&voucher, "1").status, 200);
    let rest = door.payment("refund", 2 * PRICE);
    assert_eq!(door.buy(&rest, "1").settlement()["amount"], (4 * PRICE).to_string());
    door.rest();
    let funds = door.funds();
    assert_eq!((funds.balance, funds.claimed, funds.paid), (2 * PRICE, 2 * PRICE, 2 * PRICE));
}

//
#[test]
pub fn a_payer_who_withdraws_buys_nothing_more_and_what_was_earned_is_claimed_at_once() {
    let mut door = opened();
    let voucher = door.payment("voucher", 2 * PRICE);
    door.buy(&voucher, "1");
    for funds in door.chain.channels.values_mut() {
        funds.leaving = door.now;
    }
    // Seen by the alarm, in a third of the delay.
    door.now += 300;
    door.alarm();
    let next = door.payment("voucher", 3 * PRICE);
    assert_eq!(door.buy(&next, "1").error(), "channel_closing");
    door.now += 15;
    door.alarm();
    assert_eq!(door.funds().claimed, 2 * PRICE);
}

//
#[test]
pub fn copies_of_a_request_whose_hold_was_lost_have_the_answer_that_was_charged() {
    let mut door = opened();
    let voucher = door.payment("voucher", 2 * PRICE);
    let first = door.begin(&voucher, "1");
    door.restarts();
    let second = door.begin(&voucher, "1");
    let (first, second) = (door.end(first, &voucher), door.end(second, &voucher));
    assert_eq!((first.status, first.body.as_str()), (200, "answer 2"));
    assert_eq!((second.status, second.body.as_str()), (200, "answer 2"));
    assert_eq!(second.head.headers.get("payment-replayed"), Some("true"));
    assert_eq!((door.served, door.book().0), (3, 2 * PRICE));
    // What is not kept is delivered once.
    door.origin = OriginManner::Streams;
    let voucher = door.payment("voucher", 3 * PRICE);
    let first = door.begin(&voucher, "1");
    door.restarts();
    let second = door.begin(&voucher, "1");
    assert_eq!(door.end(first, &voucher).status, 200);
    assert_eq!(door.end(second, &voucher).error(), "cumulative_amount_mismatch");
    assert_eq!(door.book().0, 3 * PRICE);
}

//
#[test]
pub fn a_body_that_comes_slowly_uses_up_no_hold() {
    let mut door = opened();
    let voucher = door.payment("voucher", 2 * PRICE);
    let serving = door.upload(&voucher, "aa", 120);
    assert_eq!(door.post(&voucher, "aa").error(), "channel_busy");
    assert_eq!(door.end(serving, &voucher).body, "answer 2");
    assert_eq!((door.served, door.book().0), (2, 2 * PRICE));
}
