//! Sessions of a route whose origin counts units: a voucher is for the most, and what was served is charged.

use serde_json::{Value, json};

use super::door::{Door, OriginManner, PRICE, bound, routes};

pub const UNIT: u64 = PRICE / 10;
const SETTLER: &str = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";

fn variables() -> Value {
    let mut sold = routes();
    sold[0]["unit_price"] = json!("$0.001");
    let mut vars = bound(sold);
    vars["FACILITATOR_URL"] = json!([{
        "url": "http://127.0.0.1:9001/x402/", "extra": {"eip155:84532": {"facilitatorAddress": SETTLER}},
    }]);
    vars
}

fn metered() -> Door {
    Door::with(&variables())
}

#[test]
fn the_402_asks_for_the_most_by_both_ways() {
    let terms = metered().terms();
    assert_eq!(terms["amount"], PRICE.to_string());
    let extra = terms["extra"].as_object().unwrap();
    let names = extra.keys().map(String::as_str).collect::<Vec<_>>();
    assert_eq!(names, ["minDeposit", "name", "receiverAuthorizer", "version", "withdrawDelay"]);
}

#[test]
fn what_the_origin_counts_is_charged_and_never_more_than_the_price() {
    let mut door = metered();
    let mut spent = 0;
    let counts = [
        (Some("3"), 3 * UNIT),
        (Some("1"), UNIT),
        (Some("10"), PRICE),
        (Some("11"), PRICE),
        (None, PRICE),
        (Some("2"), 2 * UNIT),
        (
            Some("115792089237316195423570985008687907853269984665640564039457584007913129639935"),
            PRICE,
        ),
    ];
    for (request, counted) in counts.into_iter().enumerate() {
        door.counted = counted;
        // It is for what was charged so far and the most.
        let kind = if request == 0 { "deposit" } else { "voucher" };
        let voucher = door.payment(kind, spent + PRICE);
        let answer = door.buy(&voucher, "1");
        assert_eq!((answer.status, answer.head.headers.get("farebox-units")), (200, None));
        spent += counted.1;
        let settlement = answer.settlement();
        assert_eq!(settlement["extra"]["chargedAmount"], counted.1.to_string());
        let charged = &settlement["extra"]["channelState"]["chargedCumulativeAmount"];
        assert_eq!(*charged, spent.to_string());
        // The same request again has that answer, and costs nothing more.
        let again = door.buy(&voucher, "1");
        assert_eq!((again.status, &again.body, door.book().0), (200, &answer.body, spent));
        assert_eq!(again.settlement()["extra"]["chargedAmount"], counted.1.to_string());
        door.check();
    }
    door.rest();
    assert_eq!((door.funds().claimed, door.funds().paid), (spent, spent));
}

#[test]
fn streams_are_counted_before_they_begin() {
    let mut door = metered();
    (door.origin, door.counted) = (OriginManner::Streams, (Some("4"), 4 * UNIT));
    let deposit = door.payment("deposit", PRICE);
    let answer = door.buy(&deposit, "1");
    assert_eq!(answer.settlement()["extra"]["chargedAmount"], (4 * UNIT).to_string());
    door.check();
}

#[test]
fn what_cost_nothing_is_served_anew() {
    let mut door = metered();
    door.counted = (Some("5"), 5 * UNIT);
    let deposit = door.payment("deposit", PRICE);
    assert_eq!(door.buy(&deposit, "1").body, "answer 1");
    door.counted = (Some("0"), 0);
    let voucher = door.payment("voucher", 5 * UNIT + PRICE);
    for request in ["answer 2", "answer 3"] {
        let answer = door.buy(&voucher, "1");
        assert_eq!((answer.status, answer.body.as_str()), (200, request));
        assert_eq!(answer.settlement()["extra"]["chargedAmount"], "0");
        assert_eq!(door.book().0, 5 * UNIT);
    }
    // It buys something as soon as something is counted, and only once.
    door.counted = (Some("1"), UNIT);
    assert_eq!(door.buy(&voucher, "2").settlement()["extra"]["chargedAmount"], UNIT.to_string());
    assert_eq!(door.buy(&voucher, "3").error(), "cumulative_amount_mismatch");
    assert_eq!(door.book().0, 6 * UNIT);
    door.check();
}

#[test]
fn a_count_that_cannot_be_read_is_a_failure_of_the_origin_and_costs_nothing() {
    for count in ["-1", "1.5", "many", "01", "0x1", "", "3\nfarebox-units: 3"] {
        let mut door = metered();
        door.counted = (Some(count), 0);
        let deposit = door.payment("deposit", PRICE);
        assert_eq!(door.buy(&deposit, "1").status, 502, "{count}");
        assert_eq!(door.book().0, 0);
        door.counted = (Some("2"), 2 * UNIT);
        let voucher = door.payment("voucher", PRICE);
        assert_eq!(
            door.buy(&voucher, "1").settlement()["extra"]["chargedAmount"],
            (2 * UNIT).to_string()
        );
    }
}

#[test]
pub fn a_voucher_that_was_charged_nothing_is_not_published() {
    let mut door = metered();
    door.counted = (Some("3"), 3 * UNIT);
    let deposit = door.payment("deposit", PRICE);
    door.buy(&deposit, "1");
    door.counted = (Some("0"), 0);
    let free = door.payment("voucher", 3 * UNIT + PRICE);
    assert_eq!(door.buy(&free, "1").status, 200);
    door.rest();
    // The claim shows the first voucher; its payer goes on with the one that no one has seen.
    assert_eq!((door.funds().claimed, door.book()), (3 * UNIT, (3 * UNIT, PRICE)));
    door.counted = (Some("4"), 4 * UNIT);
    assert_eq!(door.buy(&free, "1").settlement()["extra"]["chargedAmount"], (4 * UNIT).to_string());
    assert_eq!(door.book(), (7 * UNIT, PRICE));
    door.rest();
    assert_eq!((door.funds().claimed, door.funds().paid), (7 * UNIT, 7 * UNIT));
}

/// A door that also sells at `/fixed`, for seven units.
pub fn beside_fixed() -> Door {
    let mut vars = variables();
    let mut fixed = vars["ROUTES"][0].clone();
    fixed.as_object_mut().unwrap().remove("unit_price");
    (fixed["path"], fixed["price"]) = (json!("/fixed"), json!("$0.007"));
    vars["ROUTES"].as_array_mut().unwrap().push(fixed);
    Door::with(&vars)
}

//
#[test]
pub fn what_was_not_charged_of_a_public_voucher_pays_for_no_one() {
    let mut door = beside_fixed();
    door.counted = (Some("3"), 3 * UNIT);
    let deposit = door.payment("deposit", PRICE);
    assert_eq!(door.buy(&deposit, "1").status, 200);
    let mut copied = door.payment("voucher", PRICE);
    copied["accepted"] = door.terms_of("/fixed");
    door.rest();
    assert_eq!(door.funds().claimed, 3 * UNIT);
    // What the claim shows is for as much as was charged and the price of the other route.
    assert_eq!(door.buy_at("/fixed", &copied).error(), "cumulative_amount_mismatch");
    assert_eq!((door.served, door.book().0), (1, 3 * UNIT));
    door.counted = (None, PRICE);
    let own = door.payment("voucher", 3 * UNIT + PRICE);
    assert_eq!(door.buy(&own, "1").status, 200);
}
