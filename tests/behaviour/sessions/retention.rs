//! What is kept of a channel, and for how long: its last answer, and its row once it has ended.

use farebox_core::channel::index::ChannelSums;
use serde_json::json;

use super::door::{Door, OriginManner, PRICE, bound, routes};
use super::mpp_payer::Session;
use super::sales::opened;
use super::units::{UNIT, beside_fixed};
use super::wrong::channel;

const DAY: u64 = 86_400;
/// Days for which rows of channels that have ended are kept, and hours for which answers are.
const DAYS: u64 = 400;
const HOURS: u64 = 24;

/// Seconds pass with alarms, some hours at a time.
fn passes(door: &mut Door, secs: u64) {
    for _ in 0..secs / 21_600 {
        door.now += 21_600;
        door.alarm();
    }
}

#[test]
pub fn an_answer_is_kept_until_its_voucher_goes_to_a_chain() {
    let mut door = opened();
    assert_eq!(door.kept().len(), 1);
    assert_eq!(door.kept()[0].1.as_deref(), Some("answer 1"));
    let voucher = door.payment("voucher", 2 * PRICE);
    door.buy(&voucher, "1");
    assert_eq!(door.kept()[0].1.as_deref(), Some("answer 2"));
    door.rest();
    assert!(door.kept().is_empty());
}

//
#[test]
pub fn a_route_that_stores_nothing_keeps_no_answer_of_a_session() {
    let mut hours = bound(routes());
    hours["KEEP_RESPONSES_HOURS"] = json!(0);
    let mut route = bound(routes());
    route["ROUTES"][0]["store"] = json!(false);
    for vars in [hours, route] {
        let mut door = Door::with(&vars);
        let deposit = door.payment("deposit", PRICE);
        assert_eq!(door.buy(&deposit, "1").body, "answer 1");
        assert!(door.kept().is_empty());
        let voucher = door.payment("voucher", 2 * PRICE);
        assert_eq!(door.buy(&voucher, "1").body, "answer 2");
        // It is charged, and not given again.
        assert_eq!(door.buy(&voucher, "1").error(), "cumulative_amount_mismatch");
        assert_eq!((door.served, door.book().0, door.kept().len()), (2, 2 * PRICE, 0));
    }
}

//
#[test]
fn an_answer_goes_when_its_hours_are_over_and_is_not_given_then() {
    let mut vars = bound(routes());
    vars["ROUTES"][0]["session_delay_secs"] = json!(30 * DAY);
    let mut door = Door::with(&vars);
    let deposit = door.payment("deposit", PRICE);
    assert_eq!(door.buy(&deposit, "1").status, 200);
    let voucher = door.payment("voucher", 2 * PRICE);
    assert_eq!(door.buy(&voucher, "1").status, 200);
    door.now += HOURS * 3_600 - 1;
    assert_eq!(door.buy(&voucher, "1").body, "answer 2");
    door.now += 1;
    assert_eq!(door.dues().1, Some(0));
    assert_eq!(door.buy(&voucher, "1").error(), "cumulative_amount_mismatch");
    assert_eq!((door.served, door.kept().len()), (2, 0));
}

//
#[test]
fn the_row_of_a_channel_of_x402_goes_once_all_of_it_was_claimed_and_buys_nothing_again() {
    let mut door = opened();
    let used: Vec<_> = (2..=10).map(|request| door.payment("voucher", request * PRICE)).collect();
    for voucher in &used {
        assert_eq!(door.buy(voucher, "1").status, 200);
    }
    let deposit = door.payment("deposit", PRICE);
    door.rest();
    assert_eq!(door.dues().0, 1);
    passes(&mut door, (DAYS - 1) * DAY);
    assert_eq!(door.dues().0, 1);
    passes(&mut door, 2 * DAY);
    assert_eq!(door.dues(), (0, None));
    let served = door.served;
    for payment in used.iter().chain([&deposit]) {
        assert_eq!(door.buy(payment, "2").status, 402);
    }
    assert_eq!(door.served, served);
}

#[test]
pub fn the_row_of_a_channel_that_is_owed_something_stays() {
    let mut session = Session::opened();
    assert_eq!(session.pay(PRICE).status, 200);
    // The payer has taken all of it back while no alarm rang.
    let now = session.door.now;
    session.door.node.channels.get_mut(&session.id).unwrap().leaving = now;
    session.door.now += 1_000;
    let id = session.id.clone();
    session.door.node.withdraw(&id, now + 1_000);
    passes(&mut session.door, (DAYS + 3) * DAY);
    assert_eq!(session.door.dues().0, 1);
}

#[test]
pub fn the_row_of_a_channel_with_a_voucher_that_everyone_has_read_stays() {
    let mut door = beside_fixed();
    door.counted = (Some("3"), 3 * UNIT);
    let deposit = door.payment("deposit", PRICE);
    assert_eq!(door.buy(&deposit, "1").status, 200);
    let mut copied = door.payment("voucher", PRICE);
    copied["accepted"] = door.terms_of("/fixed");
    door.rest();
    // All that is left goes back: the contract has nothing more of it.
    door.now += 4_000;
    let all = door.payment("refund", 3 * UNIT);
    assert_eq!(door.buy(&all, "1").status, 200);
    assert_eq!((door.funds().balance, door.funds().claimed), (3 * UNIT, 3 * UNIT));
    assert_eq!(door.published(), PRICE);
    passes(&mut door, (DAYS + 3) * DAY);
    assert_eq!(door.dues().0, 1);
    // The payer deposits again, for what is not served then.
    door.origin = OriginManner::Fails;
    let mut again = door.payment("deposit", 3 * UNIT + PRICE);
    again["payload"]["deposit"] = door.deposit(&channel(&again), 10 * PRICE, 2);
    assert!(door.buy(&again, "2").status >= 500);
    // Whoever has read the first voucher buys nothing by what was not charged of it.
    door.origin = OriginManner::Serves;
    let served = door.served;
    assert_eq!(door.buy_at("/fixed", &copied).error(), "cumulative_amount_mismatch");
    assert_eq!((door.served, door.book().0), (served, 3 * UNIT));
}

#[test]
fn the_row_of_a_channel_with_something_left_stays() {
    let mut door = opened();
    door.rest();
    passes(&mut door, (DAYS + 3) * DAY);
    assert_eq!(door.dues().0, 1);
    let voucher = door.payment("voucher", 2 * PRICE);
    assert_eq!(door.buy(&voucher, "1").status, 200);
}

#[test]
fn the_row_of_a_channel_of_mpp_goes_once_the_contract_has_closed_it() {
    let mut session = Session::opened();
    assert_eq!(session.pay(PRICE).status, 200);
    let close = session.voucher("close", PRICE);
    assert_eq!(session.buy(&close).status, 200);
    session.rest(60);
    assert!(session.locked().2);
    passes(&mut session.door, (DAYS - 1) * DAY);
    assert_eq!((session.door.dues().0, session.door.kept().len()), (1, 0));
    passes(&mut session.door, 2 * DAY);
    assert_eq!(session.door.dues(), (0, None));
    assert_ne!(session.pay(PRICE).status, 200);
    assert_ne!(session.open(PRICE).status, 200);
    assert_eq!(session.door.served, 1);
}

//
#[test]
fn sums_of_channels_say_what_they_leave_out() {
    let mut sums = ChannelSums::default();
    for (state, at, spent) in [("open", 900, "5"), ("open", 700, "7"), ("finalized", 100, "11")] {
        let shown = json!({
            "state": state, "at": at, "network": "eip155:1", "asset": "0xaa", "deposit": "20",
            "spent": spent, "claimed": "0", "paid_out": "0", "refunded": "0",
        });
        sums.add(&shown.to_string());
    }
    let shown: serde_json::Value = serde_json::from_str(&sums.to_text()).unwrap();
    assert_eq!((&shown[0]["channels"], &shown[0]["spent"]), (&json!(3), &json!("23")));
    assert_eq!((&shown[0]["behind"], &shown[0]["behind_since"]), (&json!(2), &json!(700)));
}
