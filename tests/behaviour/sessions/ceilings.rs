//! Streams by x402: one voucher buys a stream up to its price, charged in steps, and the rest of it is not charged.

use farebox_core::mpp::stream::StreamEvent;
use serde_json::{Value, json};

use super::door::{Answer, Door, OriginManner, PRICE, bound, routes};
use super::streams::Stream;

const UNIT: u64 = 1_000;
const STEP: u64 = 3;

fn selling(origin: OriginManner) -> Door {
    let mut sold = routes();
    sold[0]["session_unit"] = json!("second");
    sold[0]["session_unit_price"] = json!("$0.001");
    sold[0]["session_step"] = json!(STEP);
    let mut door = Door::with(&bound(sold));
    door.origin = origin;
    door
}

/// Buys a stream with a voucher of this amount.
fn begin(door: &mut Door, kind: &str, cumulative: u64) -> (Stream, Answer) {
    let payment = door.payment(kind, cumulative);
    let answer = door.buy(&payment, "1");
    assert_eq!(answer.status, 200, "{}", answer.body);
    (Stream::begun(door.flows.pop().unwrap()), answer)
}

fn flows(door: &mut Door, stream: &mut Stream, units: u64) {
    for _ in 0..units {
        stream.flow(door);
        door.check();
    }
}

/// The settlement at the end of a stream of events.
fn receipt(stream: &Stream) -> Value {
    let end = stream.end().unwrap().unwrap();
    let Some(StreamEvent::Receipt(receipt)) = StreamEvent::read(&end) else { panic!("{end}") };
    receipt
}

#[test]
pub fn a_voucher_buys_a_stream_up_to_its_price_and_the_rest_is_not_charged() {
    let mut door = selling(OriginManner::Streams);
    let (mut stream, answer) = begin(&mut door, "deposit", PRICE);
    assert_eq!(answer.settlement()["extra"]["chargedAmount"], "3000");
    assert_eq!(door.book(), (STEP * UNIT, PRICE));
    flows(&mut door, &mut stream, 9);
    assert_eq!((stream.delivered, door.book()), (9, (9 * UNIT, PRICE)));
    // A fourth step would be above the price.
    flows(&mut door, &mut stream, 1);
    let told = receipt(&stream);
    assert_eq!((&told["success"], &told["extra"]["chargedAmount"]), (&json!(true), &json!("9000")));
    assert_eq!(told["extra"]["channelState"]["chargedCumulativeAmount"], "9000");
    assert_eq!((stream.delivered, door.book()), (9, (9 * UNIT, PRICE)));
    assert_eq!((door.chain.verified, door.chain.settled, door.served), (0, 1, 1));
    // The next voucher begins at what was charged, and its stream flows beyond the last voucher.
    let early = door.payment("voucher", STEP * UNIT + PRICE);
    let told = door.buy(&early, "1");
    assert_eq!((told.status, told.error().as_str()), (402, "cumulative_amount_mismatch"));
    let (mut stream, _) = begin(&mut door, "voucher", 9 * UNIT + PRICE);
    flows(&mut door, &mut stream, 4);
    assert_eq!((stream.delivered, door.book()), (4, (15 * UNIT, 19 * UNIT)));
    door.rest();
    assert_eq!((door.funds().claimed, door.funds().paid), (15 * UNIT, 15 * UNIT));
}

#[test]
fn a_voucher_above_an_earlier_one_is_kept_once_it_is_needed() {
    let mut door = selling(OriginManner::Streams);
    begin(&mut door, "deposit", PRICE);
    // Its reader has left after a step.
    let (mut stream, _) = begin(&mut door, "voucher", 3 * UNIT + PRICE);
    assert_eq!(door.book(), (6 * UNIT, PRICE));
    flows(&mut door, &mut stream, 6);
    assert_eq!(door.book(), (9 * UNIT, PRICE));
    door.restarts();
    flows(&mut door, &mut stream, 4);
    assert_eq!((stream.delivered, door.book()), (9, (12 * UNIT, 13 * UNIT)));
    assert!(stream.end().unwrap().is_some());
}

#[test]
pub fn the_next_request_of_a_channel_ends_its_stream() {
    let mut door = selling(OriginManner::Streams);
    let (mut stream, _) = begin(&mut door, "deposit", PRICE);
    let (mut next, _) = begin(&mut door, "voucher", STEP * UNIT + PRICE);
    flows(&mut door, &mut stream, 4);
    assert_eq!((stream.delivered, door.book().0), (3, 6 * UNIT));
    assert_eq!(receipt(&stream)["extra"]["chargedAmount"], "3000");
    flows(&mut door, &mut next, 4);
    assert_eq!((next.delivered, door.book().0), (4, 9 * UNIT));
    // One that is being served holds all that its voucher adds.
    let voucher = door.payment("voucher", 9 * UNIT + PRICE);
    let serving = door.begin(&voucher, "2");
    flows(&mut door, &mut next, 3);
    assert_eq!((next.delivered, door.book().0), (6, 9 * UNIT));
    assert_eq!(door.end(serving, &voucher).status, 200);
    assert_eq!(door.book().0, 12 * UNIT);
}

#[test]
fn a_stream_that_was_bought_is_not_begun_again_and_bytes_break_off() {
    let mut door = selling(OriginManner::Serves);
    let payment = door.payment("deposit", PRICE);
    assert_eq!(door.buy(&payment, "1").status, 200);
    let again = door.buy(&payment, "1");
    assert_eq!((again.status, again.error().as_str()), (402, "cumulative_amount_mismatch"));
    assert_eq!((door.flows.len(), door.book().0), (1, STEP * UNIT));
    let mut stream = Stream::begun(door.flows.pop().unwrap());
    flows(&mut door, &mut stream, 10);
    assert_eq!((stream.delivered, stream.end()), (9, Some(None)));
}

#[test]
fn a_stream_that_lasts_has_a_facilitator_look_at_the_chain() {
    let mut door = selling(OriginManner::Streams);
    let (mut stream, _) = begin(&mut door, "deposit", PRICE);
    door.now += 301;
    flows(&mut door, &mut stream, 4);
    assert_eq!((stream.delivered, door.chain.verified, door.book().0), (4, 1, 6 * UNIT));
}
