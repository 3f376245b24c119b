//! What outsiders write for nothing does not stay: requests that are not sent any more, answers of
//! merchants, URLs that are denied.

use farebox_core::treasury::Job;
use farebox_core::treasury::message::{Answer, Command, Listing, MerchantAnswer, Operation, Order};
use farebox_core::treasury::row::KeptAnswers;
use serde_json::{Value, json};

use super::world::{
    BUYER_KEY, MERCHANT, TESTER_KEY, Told, World, accept, keyed, plain, request, settled, terms,
};

const HOUR: u64 = 3600;
const DAY: u64 = 86_400;
const MIB: usize = 1 << 20;

/// Bytes of everything that is kept of decisions and payments.
fn bytes(world: &World) -> usize {
    let rows = &world.rows;
    let text = |value: Result<String, serde_json::Error>| value.unwrap().len();
    rows.decisions.values().map(|row| text(serde_json::to_string(row))).sum::<usize>()
        + rows.attempts.values().map(|row| text(serde_json::to_string(row))).sum::<usize>()
        + rows.parcels.values().map(|row| text(serde_json::to_string(row))).sum::<usize>()
}

fn prepared(world: &mut World, body: &Value) -> Order {
    let Answer::Prepare(asked) = world.ask(BUYER_KEY, body) else { panic!("not prepared") };
    let (attempt, fence) = (asked.attempt, asked.fence);
    let prepared = Command::Prepared { attempt, fence, signature: None, balance: None };
    let Answer::Send(order) = world.send(prepared) else { panic!("nothing is sent") };
    *order
}

fn bought(world: &mut World, body: &Value, answer: MerchantAnswer) -> Told {
    let order = world.order(body);
    world.answered(&order, answer)
}

/// The member that the merchant wrote: status, body, and whether it has left.
fn merchant(told: &Told) -> (u64, usize, bool) {
    let merchant = &told.body["merchantResponse"];
    let has_left = merchant["headers"] == json!({"x-farebox-removed": "true"});
    (merchant["status"].as_u64().unwrap(), merchant["body"].as_str().unwrap().len(), has_left)
}

#[test]
pub fn a_request_is_kept_while_it_may_be_sent_and_no_longer() {
    let mut world = World::with_node();
    let mut body = keyed("10000", "k");
    body["request"]["method"] = json!("GET");
    body["request"].as_object_mut().unwrap().remove("body");
    let order = prepared(&mut world, &body);
    assert_eq!(world.rows.parcels.len(), 1);
    // The Worker is lost; the alarm sends the same bytes.
    world.now += 46;
    let jobs = world.alarm();
    let [Job::Send(again, None)] = jobs.as_slice() else { panic!("not sent again: {jobs:?}") };
    let sent = |order: &Order| (order.method.clone(), order.url.clone(), order.headers.clone());
    assert_eq!(sent(again), sent(&order));
    assert_eq!(world.rows.parcels.len(), 1);
    assert_eq!(world.answered(again, settled(200, "here")).outcome().0, "allow");
    assert!(world.rows.parcels.is_empty());
}

#[test]
fn a_request_is_kept_while_it_may_be_sent_again_and_no_longer() {
    let mut world = World::with_node();
    let refused = prepared(&mut world, &keyed("10000", "refused"));
    world.answered(&refused, plain(400, "no"));
    let lost = prepared(&mut world, &keyed("10000", "lost"));
    let (attempt, fence) = (lost.attempt.clone(), lost.fence);
    world.send(Command::Lost { attempt, fence, sent: true });
    let never = prepared(&mut world, &keyed("10000", "never"));
    world.send(Command::Lost { attempt: never.attempt, fence: never.fence, sent: false });
    assert_eq!(world.rows.parcels.len(), 1, "one that delivered nothing, and is sent again");
    let mut other = World::new();
    let order = other.order(&keyed("10000", "k"));
    other.answered(&order, plain(500, "no"));
    assert_eq!(other.rows.parcels.len(), 1);
    other.now = other.rows.attempts.values().next().unwrap().valid_before + 60;
    other.alarm();
    assert!(other.rows.parcels.is_empty());
    assert_eq!(other.alarm().len(), 0);
    // One that is lost before it is signed.
    let Answer::Prepare(_) = world.ask(BUYER_KEY, &keyed("10000", "early")) else { panic!() };
    assert_eq!(world.rows.parcels.len(), 2);
    world.now += 21;
    world.alarm();
    assert_eq!(world.rows.parcels.len(), 1);
    // One whose outcome stays unknown is not sent again, and its money is still looked for.
    let row = &world.rows.attempts[&lost.attempt];
    assert!(row.due.is_some() && row.header.is_some());
}

#[test]
fn a_key_is_told_the_answer_for_two_days_and_its_decision_from_then_on() {
    let mut world = World::new();
    let body = keyed("10000", "k");
    let first = bought(&mut world, &body, settled(200, &"x".repeat(10_000)));
    assert_eq!(merchant(&first), (200, 10_000, false));
    world.now += 2 * DAY - 1;
    world.remove();
    assert_eq!(world.told(&body).text, first.text);
    world.now += 1;
    world.remove();
    let later = world.told(&body);
    assert_eq!(merchant(&later), (200, 0, true));
    let without = |told: &Told| {
        let mut body = told.body.clone();
        body.as_object_mut().unwrap().remove("merchantResponse");
        body
    };
    assert_eq!(without(&later), without(&first));
    assert!(later.body["receipt"]["receiptId"].is_string());
    let signature = |told: &Told| {
        let is_it = |(name, _): &&(String, String)| name == "farebox-receipt-signature";
        told.headers.iter().find(is_it).map(|(_, value)| value.clone())
    };
    assert!(signature(&later).is_some() && signature(&later) == signature(&first));
    assert_eq!(world.rows.attempts.len(), 1);
    assert_eq!(world.told(&body).text, later.text);
    let mut other = body;
    other["request"]["body"] = json!("other");
    assert_eq!(world.told(&other).text("code"), "idempotency_key_conflict");
}

#[test]
fn a_long_answer_leaves_after_six_hours_and_a_short_one_stays_with_its_decision() {
    let mut world = World::new();
    let long = bought(&mut world, &keyed("10000", "long"), settled(200, &"x".repeat(20_000)));
    let failed = bought(&mut world, &keyed("10000", "failed"), plain(500, &"y".repeat(20_000)));
    let short = bought(&mut world, &keyed("10000", "short"), settled(200, &"z".repeat(500)));
    world.now += 6 * HOUR - 1;
    world.remove();
    assert_eq!(world.told(&keyed("10000", "long")).text, long.text);
    world.now += 1;
    world.remove();
    assert_eq!(merchant(&world.told(&keyed("10000", "long"))), (200, 0, true));
    let told = world.told(&keyed("10000", "failed"));
    assert_eq!((merchant(&told), told.outcome()), ((500, 0, true), failed.outcome()));
    assert_eq!(merchant(&failed), (500, 20_000, false));
    world.now += 39 * DAY;
    world.remove();
    assert_eq!(world.told(&keyed("10000", "short")).text, short.text);
    assert_eq!(world.rows.kept_answers.bytes, 0);
}

#[test]
fn a_merchant_does_not_say_itself_that_its_answer_has_left() {
    let mut world = World::new();
    let mut answer = settled(200, "here");
    answer.headers.push(("X-Farebox-Removed".to_owned(), "true".to_owned()));
    let told = bought(&mut world, &keyed("10000", "k"), answer);
    assert_eq!(told.body["merchantResponse"]["headers"]["x-farebox-removed"], json!(null));
}

#[test]
fn a_day_later_a_payment_is_a_few_kilobytes_whatever_was_sent_and_answered() {
    let mut world = World::new();
    for number in 0..4 {
        let mut body = keyed("1", &format!("long {number}"));
        body["request"]["body"] = json!("z".repeat(600_000));
        bought(&mut world, &body, settled(200, &"x".repeat(MIB)));
        // Terms of any length come back in the payment.
        let accepts = json!({"x402Version": 2, "accepts": [accept("1")],
            "resource": {"url": MERCHANT, "description": "d".repeat(20_000)}});
        let header = farebox_core::x402::header::encode(&accepts.to_string());
        let mut body = keyed("1", &format!("terms {number}"));
        body["challenge"]["headers"] = json!({"payment-required": header});
        bought(&mut world, &body, plain(500, &"x".repeat(MIB)));
    }
    assert_eq!(world.rows.attempts.len(), 8);
    assert!(bytes(&world) > 4 * MIB);
    world.now += DAY;
    world.alarm();
    world.remove();
    assert!(bytes(&world) < 8 * 6_000, "{}", bytes(&world));
    for row in world.rows.attempts.values() {
        assert!(row.header.is_some(), "that it was signed is known");
    }
}

#[test]
pub fn answers_have_a_bound_in_all_and_the_oldest_leave_first() {
    let mut world = World::new();
    let key = |number: usize| keyed("1", &format!("k{number}"));
    let answer = || settled(200, &"x".repeat(MIB));
    for number in 0..3 {
        assert_eq!(merchant(&bought(&mut world, &key(number), answer())), (200, MIB, false));
        world.now += 60;
    }
    let kept = world.rows.kept_answers.bytes;
    assert!(kept >= 3 * MIB as u64 && kept < 4 * MIB as u64);
    // As if 250 others were there, which the alarm has not come to.
    world.rows.kept_answers.bytes += 250 * MIB as u64;
    let told = |world: &mut World, number| merchant(&world.told(&key(number)));
    for number in 3..6 {
        let first = bought(&mut world, &key(number), answer());
        // Who pays is told the answer in any case.
        assert_eq!(merchant(&first), (200, MIB, false));
        let is_kept = number < 5;
        assert_eq!(told(&mut world, number), (200, if is_kept { MIB } else { 0 }, !is_kept));
        assert!(world.rows.kept_answers.bytes <= 256 * MIB as u64);
        world.now += 60;
    }
    // The alarm makes room: the oldest leave, until there is enough.
    world.rows.kept_answers.bytes = 195 * MIB as u64;
    world.remove();
    assert!([0, 1, 2].map(|number| told(&mut world, number).2).iter().all(|gone| *gone));
    assert!([3, 4].map(|number| told(&mut world, number).2).iter().all(|gone| !gone));
    assert!(world.rows.kept_answers.bytes <= 192 * MIB as u64);
    assert_eq!(world.rows.attempts.len(), 6);
}

//
#[test]
pub fn what_a_merchant_answers_and_does_not_deliver_takes_no_room_of_deliveries() {
    for answer in [plain(500, &"x".repeat(20_000)), settled(424, &"x".repeat(2_000))] {
        let mut world = World::new();
        let body = keyed("10000", "k");
        let told = bought(&mut world, &body, answer.clone());
        // Who pays is told it once.
        assert_eq!(merchant(&told), (u64::from(answer.status), answer.body.len(), false));
        assert_eq!(world.rows.kept_answers, KeptAnswers::default());
        world.now += 3_600;
        world.alarm();
        assert_eq!(merchant(&world.told(&body)), (u64::from(answer.status), 0, true));
        let short = bought(&mut world, &keyed("1", "short"), plain(500, "overloaded"));
        world.now += 3_600;
        world.alarm();
        assert_eq!(world.told(&keyed("1", "short")).text, short.text);
    }
}

//
#[test]
pub fn answers_to_one_agent_take_no_room_of_others() {
    let mut world = World::new();
    let key = |number: usize| keyed("1", &format!("k{number}"));
    // Each character is six bytes of JSON.
    let long = || plain(200, &"\u{1}".repeat(MIB));
    for number in 0..12 {
        assert_eq!(merchant(&bought(&mut world, &key(number), long())), (200, MIB, false));
    }
    let kept = world.rows.kept_answers.clone();
    assert!(kept.bytes > 60 * MIB as u64 && kept.bytes <= 64 * MIB as u64, "{}", kept.bytes);
    assert_eq!(kept.agents.values().sum::<u64>(), kept.bytes);
    let of = |agent: &str| {
        let mut body = keyed("1", "other");
        body["context"]["agent"] = json!(agent);
        body
    };
    let Answer::Send(order) = world.ask(TESTER_KEY, &of("tester")) else { panic!("not sent") };
    let told = world.answered(&order, settled(200, &"x".repeat(20_000)));
    world.remove();
    let Answer::Reply(again) = world.ask(TESTER_KEY, &of("tester")) else { panic!("sent again") };
    assert_eq!(Told::of(again).text, told.text);
    // What has left makes room.
    world.now += 6 * HOUR;
    world.remove();
    assert_eq!((world.rows.kept_answers.bytes, world.rows.kept_answers.agents.len()), (0, 0));
}

#[test]
fn a_step_takes_out_at_most_sixteen_answers() {
    let mut world = World::new();
    for number in 0..40 {
        bought(&mut world, &keyed("1", &format!("k{number}")), settled(200, &"x".repeat(3_000)));
    }
    world.now += 2 * DAY;
    let mut left = Vec::new();
    loop {
        let kept = world.rows.decisions.values().filter(|row| row.leaves.is_some()).count();
        left.push(kept);
        if world.rows.kept_answers.due.is_none_or(|due| due > world.now) {
            break;
        }
        world.step();
    }
    // The steps of the removal come first.
    left.dedup();
    assert_eq!(left, [40, 24, 8, 0]);
    assert_eq!(world.rows.kept_answers.bytes, 0);
}

#[test]
pub fn a_denial_keeps_origin_and_path_of_its_url() {
    let mut world = World::new();
    let mut body = request("9000000");
    body["request"]["url"] = json!(format!("{MERCHANT}?q={}", "x".repeat(7_000)));
    let mut long = keyed("9000000", "k");
    long["request"]["url"] = json!(format!("{MERCHANT}/{}", "é".repeat(3_000)));
    for body in [&body, &long] {
        assert_eq!(world.told(body).outcome().0, "deny");
        assert_eq!(world.told(body).text, world.told(body).text);
    }
    let mut urls: Vec<String> = world.rows.decisions.values().map(|row| row.url.clone()).collect();
    urls.sort_by_key(String::len);
    assert_eq!(urls[0], MERCHANT);
    assert!(urls[1].starts_with(MERCHANT) && (500..=512).contains(&urls[1].len()), "{}", urls[1]);
    let listed = world.operate(Operation::Decisions(Listing::default()));
    assert!(listed.text.len() < 3_000, "{}", listed.text.len());
    // The key still stands for that request alone.
    let mut other = long.clone();
    other["request"]["url"] = json!(format!("{MERCHANT}/{}", "é".repeat(3_001)));
    assert_eq!(world.told(&other).text("code"), "idempotency_key_conflict");
    // What is paid keeps it all: its receipt names it.
    let mut paid = keyed("10000", "paid");
    paid["request"]["url"] = json!(format!("{MERCHANT}?q={}", "x".repeat(7_000)));
    paid["challenge"]["headers"]["payment-required"] = json!(terms(&[accept("10000")]));
    let told = bought(&mut world, &paid, settled(200, "here"));
    assert_eq!(told.body["receipt"]["requestUrl"], paid["request"]["url"]);
}
