//! Payments of channels that do not exist: what they cost the gate, and whom they hold up.

use farebox_core::facilitator::unproven::UnverifiedLimiter;
use serde_json::{Value, json};

use super::door::{Answer, Door, PRICE, paid};
use super::mpp_payer::{Session, code};
use crate::world::{With, get};

const STRANGER: &str = "198.51.100.7";
const OTHER: &str = "192.0.2.7";
/// Objects and calls that one network may cause at once for nothing.
const MOST: usize = 20;

fn limited() -> Door {
    let mut door = Door::new();
    door.limits = Some(UnverifiedLimiter::new());
    door
}

/// Pays from this address.
fn buys(door: &mut Door, address: &str, payment: &Value) -> Answer {
    let head = get("/report/1").header("cf-connecting-ip", address);
    door.send(paid(payment, head), "").unwrap()
}

/// Vouchers of channels that nobody has opened, from one network: how many were answered 429.
fn floods(door: &mut Door) -> usize {
    let answers = (100..200).map(|salt| {
        let junk = door.payment_of(salt, "voucher", PRICE);
        buys(door, STRANGER, &junk)
    });
    answers.filter(|answer| answer.status == 429).count()
}

//
#[test]
fn channels_that_nobody_opened_make_few_objects_and_calls() {
    let mut door = limited();
    assert!(floods(&mut door) >= 100 - MOST);
    assert!((5..=MOST).contains(&door.objects.len()), "{}", door.objects.len());
    assert!((5..=MOST as u64).contains(&door.chain.verified), "{}", door.chain.verified);
    // Time forgives one in six seconds.
    let before = door.objects.len();
    for _ in 0..10 {
        door.now += 6;
        floods(&mut door);
    }
    assert!(door.objects.len() <= before + 10, "{}", door.objects.len());
}

//
#[test]
fn whoever_has_a_channel_goes_on_beside_a_flood_from_its_own_network() {
    let mut door = limited();
    let deposit = door.payment("deposit", PRICE);
    assert_eq!(buys(&mut door, STRANGER, &deposit).status, 200);
    floods(&mut door);
    let asked = door.chain.verified;
    for count in 2..=6 {
        let voucher = door.payment("voucher", count * PRICE);
        assert_eq!(buys(&mut door, STRANGER, &voucher).status, 200, "{count}");
        // What is known of the chain is too old at times.
        door.now += 200;
        floods(&mut door);
    }
    assert!(door.chain.verified > asked);
}

#[test]
fn a_payer_of_another_network_opens_a_channel_beside_a_flood() {
    let mut door = limited();
    floods(&mut door);
    let deposit = door.payment("deposit", PRICE);
    assert_eq!(buys(&mut door, OTHER, &deposit).status, 200);
}

//
#[test]
pub fn whoever_comes_again_as_the_gate_says_opens_a_channel_after_a_flood_from_its_network() {
    let mut door = limited();
    floods(&mut door);
    for (waits, status) in [(0, 429), (10, 200)] {
        door.now += waits;
        let deposit = door.payment("deposit", PRICE);
        assert_eq!(buys(&mut door, STRANGER, &deposit).status, status);
    }
}

//
#[test]
pub fn time_forgives_one_in_six_seconds_whatever_is_refused_meanwhile() {
    let mut door = limited();
    floods(&mut door);
    let before = door.objects.len();
    for number in 1..=12 {
        door.now += 5;
        let junk = door.payment_of(200 + number, "voucher", PRICE);
        buys(&mut door, STRANGER, &junk);
    }
    assert!((9..=10).contains(&(door.objects.len() - before)));
}

#[test]
fn payers_of_one_network_open_channels_as_long_as_they_deposit() {
    let mut door = limited();
    for salt in 1..=60 {
        let mut deposit = door.payment_of(salt, "deposit", PRICE);
        let id = deposit["payload"]["voucher"]["channelId"].as_str().unwrap();
        let channel = farebox_core::channel::config::ChannelId::parse(id).unwrap();
        deposit["payload"]["deposit"] = door.deposit(&channel, 10 * PRICE, salt.into());
        assert_eq!(buys(&mut door, STRANGER, &deposit).status, 200, "{salt}");
    }
}

#[test]
fn vouchers_by_mpp_of_channels_that_nobody_opened_make_few_objects() {
    let mut session = Session::new();
    session.door.limits = Some(UnverifiedLimiter::new());
    let mut refused = 0;
    for number in 1..=100 {
        let mut junk = session.voucher("voucher", PRICE);
        junk["channelId"] = json!(super::node::word_of(number));
        let head = get("/report/1").header("cf-connecting-ip", STRANGER);
        refused += usize::from(session.send(head, &junk).unwrap().status == 429);
    }
    assert!(refused >= 100 - MOST, "{refused}");
    assert!((5..=MOST).contains(&session.door.objects.len()));
    // A payer whose deposit the chain shows is no stranger.
    let head = get("/report/1").header("cf-connecting-ip", OTHER);
    let opening = session.opening(0);
    assert_eq!(session.send(head, &opening).unwrap().status, 200);
}

//
#[test]
pub fn whoever_names_the_channel_of_another_is_limited_at_that_channel_alone() {
    let mut session = Session::opened();
    session.door.limits = Some(UnverifiedLimiter::new());
    let from = |address: &str| get("/report/1").header("cf-connecting-ip", address);
    let right = session.voucher("voucher", PRICE);
    assert_eq!(session.send(from(OTHER), &right).unwrap().status, 200);
    let mut wrong = session.voucher("voucher", 2 * PRICE);
    wrong["signature"] = json!(session.signature(2 * PRICE, 2));
    let answers = (0..100).map(|_| session.send(from(STRANGER), &wrong).unwrap().status);
    let answers = answers.collect::<Vec<_>>();
    assert_eq!(answers.iter().filter(|status| **status == 402).count(), MOST);
    assert_eq!(answers.iter().filter(|status| **status == 429).count(), 100 - MOST);
    // Its payer goes on from elsewhere, and from that network once the gate says so.
    for (address, waits, request) in [(OTHER, 0, 2), (STRANGER, 10, 3)] {
        session.door.now += waits;
        let voucher = session.voucher("voucher", request * PRICE);
        assert_eq!(session.send(from(address), &voucher).unwrap().status, 200, "{request}");
    }
    // Nor does it count against others of that network who open one.
    let mut door = limited();
    door.limits = session.door.limits.take();
    let deposit = door.payment("deposit", PRICE);
    assert_eq!(buys(&mut door, STRANGER, &deposit).status, 200);
}

//
#[test]
fn what_is_said_to_be_added_to_the_deposit_of_another_is_asked_about_twenty_times() {
    let mut session = Session::opened();
    session.door.limits = Some(UnverifiedLimiter::new());
    let from = |address: &str| get("/report/1").header("cf-connecting-ip", address);
    let voucher = session.voucher("voucher", PRICE);
    assert_eq!(session.send(from(STRANGER), &voucher).unwrap().status, 200);
    let answers = (0..100_u8).map(|number| {
        let hash = format!("0x{}", format!("{number:02x}").repeat(32));
        let added = json!({
            "action": "topUp", "type": "hash", "channelId": session.id, "hash": hash,
            "additionalDeposit": PRICE.to_string(),
        });
        session.send(from(STRANGER), &added).unwrap().status
    });
    assert!(answers.filter(|status| *status == 429).count() >= 100 - MOST);
    // It is no voucher, and counts by itself.
    let voucher = session.voucher("voucher", 2 * PRICE);
    assert_eq!(session.send(from(STRANGER), &voucher).unwrap().status, 200);
}

/// One more than fits a voucher.
const TOO_MUCH: &str = "340282366920938463463374607431768211456";
/// Amounts that only the payer of a channel is told.
const TOLD: [&str; 3] = ["spent", "acceptedCumulative", "deposit"];

//
#[test]
pub fn an_amount_that_fits_no_voucher_tells_nothing_of_the_channel_of_another() {
    let mut session = Session::opened();
    session.door.limits = Some(UnverifiedLimiter::new());
    let from = |address: &str| get("/report/1").header("cf-connecting-ip", address);
    let right = session.voucher("voucher", PRICE);
    assert_eq!(session.send(from(OTHER), &right).unwrap().status, 200);
    let mut junk = session.voucher("voucher", 2 * PRICE);
    junk["cumulativeAmount"] = json!(TOO_MUCH);
    let mut limited = 0;
    for _ in 0..100 {
        let answer = session.send(from(STRANGER), &junk).unwrap();
        if answer.status == 429 {
            limited += 1;
            continue;
        }
        assert_eq!((answer.status, code(&answer)), (402, 70_003));
        let body: Value = serde_json::from_str(&answer.body).unwrap();
        assert!(TOLD.iter().all(|name| body.get(name).is_none()), "{body}");
    }
    // Nor does it make up for refusals of others.
    assert_eq!(limited, 100 - MOST);
    let next = session.voucher("voucher", 2 * PRICE);
    assert_eq!(session.send(from(OTHER), &next).unwrap().status, 200);
}

/// The answer of the channel to a purchase by a voucher of this amount.
fn asked(session: &mut Session, ask: &str, cumulative: &str, signature: &str) -> Value {
    let purchase = json!({
        "cumulative": cumulative, "signature": signature, "price": PRICE.to_string(),
        "request": format!("0x{}", "07".repeat(32)), "until": session.door.now + 30,
    });
    let ask = match ask {
        "foresee" => json!({ask: [purchase, "0"]}),
        "charge" => json!({ask: [purchase, "0", null]}),
        _ => json!({ask: purchase}),
    };
    let opened = json!([session.id, 900, "0"]);
    let message = json!({"v": 1, "ask": ask, "sight": null, "opened": opened, "terms": ""});
    let name = format!("channel/{}", session.id);
    let (reply, _) = session.door.ask(&name, &message.to_string(), None);
    serde_json::from_str(&reply.unwrap()).unwrap()
}

//
#[test]
pub fn only_a_voucher_that_was_checked_makes_its_sender_the_payer_of_a_channel() {
    let mut session = Session::opened();
    assert_eq!(session.pay(PRICE).status, 200);
    let two = (2 * PRICE).to_string();
    let (right, wrong) = (session.signature(2 * PRICE, 1), session.signature(2 * PRICE, 2));
    for ask in ["foresee", "begin", "charge", "accept", "close"] {
        for (cumulative, signature) in [(TOO_MUCH, &right), (&two, &wrong)] {
            let reply = asked(&mut session, ask, cumulative, signature);
            assert_eq!(reply["said"], "refused", "{ask} {cumulative}");
            assert_eq!(reply["channel"]["is_payer"], false, "{ask} {cumulative}");
        }
    }
    // One that is refused for another reason is its payer's all the same.
    let much = session.signature(100 * PRICE, 1);
    for ask in ["begin", "accept", "close"] {
        let reply = asked(&mut session, ask, &(100 * PRICE).to_string(), &much);
        assert_eq!(reply["said"], "refused", "{ask}");
        assert_eq!(reply["channel"]["is_payer"], true, "{ask}");
    }
}
