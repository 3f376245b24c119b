//! Transactions that a payer would have made for nothing.

use serde_json::{Value, json};

use super::door::{Door, PRICE};
use super::sales::opened;
use super::wrong::channel;

/// A payment with a voucher for this much, and a deposit of this much.
fn deposit(door: &mut Door, cumulative: u64, amount: u64, salt: u64) -> Value {
    let mut payment = door.payment("deposit", cumulative);
    payment["payload"]["deposit"] = door.deposit(&channel(&payment), amount, salt);
    payment
}

//
#[test]
pub fn what_is_below_the_price_asks_no_one() {
    let mut door = Door::new();
    let cases = [
        (deposit(&mut door, 1, 2, 1), "cumulative_amount_mismatch"),
        (deposit(&mut door, PRICE - 1, 10 * PRICE, 1), "cumulative_amount_mismatch"),
        (door.payment("voucher", PRICE - 1), "cumulative_amount_mismatch"),
        (deposit(&mut door, PRICE, PRICE - 1, 1), "deposit_below_min_deposit"),
    ];
    for (payment, why) in &cases {
        let answer = door.buy(payment, "1");
        assert_eq!((answer.status, answer.error().as_str()), (402, *why));
    }
    assert_eq!((door.chain.verified, door.chain.settled, door.writes), (0, 0, 0));
    // Nor does it where the channel is known, and would have enough.
    let mut door = opened();
    let dust = deposit(&mut door, 2 * PRICE, 1, 2);
    assert_eq!(door.buy(&dust, "1").error(), "deposit_below_min_deposit");
    assert_eq!((door.chain.verified, door.chain.settled), (0, 1));
}

#[test]
pub fn the_first_voucher_of_a_channel_is_for_the_price() {
    let mut door = Door::new();
    for above in [PRICE + 1, 2 * PRICE] {
        let payment = deposit(&mut door, above, 10 * PRICE, 1);
        let answer = door.buy(&payment, "1");
        assert_eq!((answer.status, answer.error().as_str()), (402, "cumulative_amount_mismatch"));
    }
    // The chain was looked at, for what was claimed: that costs no transaction, and no row.
    assert_eq!((door.chain.verified, door.chain.settled, door.writes), (2, 0, 0));
    let beyond = deposit(&mut door, 20 * PRICE, 10 * PRICE, 1);
    assert_eq!(door.buy(&beyond, "1").error(), "cumulative_exceeds_balance");
    assert_eq!((door.chain.settled, door.writes, door.served), (0, 0, 0));
}

#[test]
fn a_channel_whose_row_is_lost_goes_on_from_what_was_claimed() {
    let mut door = opened();
    let voucher = door.payment("voucher", 2 * PRICE);
    door.buy(&voucher, "1");
    door.rest();
    door.now += 3_600;
    let rest = door.payment("refund", 2 * PRICE);
    assert_eq!(door.buy(&rest, "1").status, 200);
    door.forgets();
    let settled = door.chain.settled;
    let other = deposit(&mut door, 4 * PRICE, 5 * PRICE, 2);
    let answer = door.buy(&other, "1");
    assert_eq!((answer.status, answer.error().as_str()), (402, "cumulative_amount_mismatch"));
    assert_eq!(door.chain.settled, settled);
    let right = deposit(&mut door, 3 * PRICE, 5 * PRICE, 3);
    assert_eq!(door.buy(&right, "1").status, 200);
    assert_eq!((door.funds().balance, door.chain.settled), (7 * PRICE, settled + 1));
    door.signed = 4 * PRICE;
    door.check();
}

#[test]
fn facilitators_are_told_everything_in_one_spelling() {
    let mut door = Door::new();
    let mut payment = door.payment("deposit", PRICE);
    let spelled = payment["payload"].clone();
    for at in ["/channelConfig/payer", "/channelConfig/receiver", "/voucher/signature"] {
        let place = payment["payload"].pointer_mut(at).unwrap();
        let digits = place.as_str().unwrap()[2..].to_uppercase();
        *place = json!(format!("0x{digits}"));
    }
    payment["payload"]["channelConfig"]["more"] = json!(1);
    assert_eq!(door.buy(&payment, "1").status, 200);
    assert_eq!(door.chain.asked["channelConfig"], spelled["channelConfig"]);
    assert_eq!(door.chain.asked["voucher"], spelled["voucher"]);
    door.now += 900;
    door.alarm();
    assert_eq!(door.funds().claimed, PRICE);
}
