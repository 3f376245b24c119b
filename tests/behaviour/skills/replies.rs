//! Answers that are kept, for how long, and what is told afterwards.

use farebox_core::skills::message::{Answer, Errand, TreasuryAnswer};
use farebox_core::skills::row::{ReplyRow, ReplyWorth};
use serde_json::{Value, json};

use super::world::{TX, Told, World, charge, decision, echo, gated, plain};

const MIB: u64 = 1 << 20;
const DAY_MS: u64 = 86_400_000;

fn shop() -> World {
    let mut world = World::new();
    world.publish(&echo());
    world
}

/// Invokes the skill for nothing, with an answer of so many bytes; the id of the invocation.
fn free(world: &mut World, key: &str, bytes: usize) -> String {
    let call = world.call(key);
    let answer = json!({ "text": "x".repeat(bytes) }).to_string();
    let Answer::Reply(told) = world.called(&call, plain(200, &answer)) else { panic!() };
    assert_eq!(told.status, 200);
    call.invocation
}

/// What a key is told, which calls no one.
fn again(world: &mut World, key: &str) -> Told {
    match world.invoke(key, "hello") {
        Answer::Reply(told) => Told::of(told),
        other => panic!("no reply: {other:?}"),
    }
}

/// A paid answer of so many bytes.
fn paid(bytes: usize) -> TreasuryAnswer {
    let answer = decision("allow", TX);
    let mut body: Value = serde_json::from_str(&answer.body).unwrap();
    body["merchantResponse"]["body"] = json!({ "text": "x".repeat(bytes) }).to_string().into();
    TreasuryAnswer { body: body.to_string(), ..answer }
}

/// The same with a transaction of its own.
fn paid_as(digit: u8, bytes: usize) -> TreasuryAnswer {
    let answer = paid(bytes);
    TreasuryAnswer {
        body: answer.body.replace(TX, &TX.replace("0x1", &format!("0x{digit}"))),
        ..answer
    }
}

#[test]
pub fn an_answer_that_no_one_can_ask_for_leaves_after_two_minutes() {
    let mut world = shop();
    let first = free(&mut world, "", 1);
    world.now += 119_000;
    let second = free(&mut world, "", 1);
    assert!(world.rows.replies.contains_key(&first));
    world.now += 2_000;
    let third = free(&mut world, "", 1);
    assert_eq!(world.rows.replies.keys().collect::<Vec<_>>(), [&second, &third]);
}

#[test]
pub fn a_short_answer_is_kept_for_thirty_days_and_a_longer_one_for_one() {
    let mut world = shop();
    let bought = world.buy("short", paid(100));
    let other = world.buy("long", paid_as(2, 20_000));
    assert_eq!((bought.status, other.status), (200, 200), "{other:?}");
    world.now += DAY_MS - 1_000;
    free(&mut world, "", 1);
    assert_eq!(again(&mut world, "long").text, other.text);
    world.now += 2_000;
    free(&mut world, "", 1);
    assert_eq!(again(&mut world, "short").text, bought.text);
    let rows = world.rows.invocations.len();
    let told = again(&mut world, "long");
    assert_eq!(told.error(), (410, "answer_gone"));
    assert_eq!(told.body["outcome"], "paid_ok");
    assert_eq!(told.body["receipt"], other.body["receipt"]);
    assert_eq!(told.body["receipt"]["txHash"], TX.replace("0x1", "0x2"));
    assert_eq!(told.body["ledgerId"], other.body["ledgerId"]);
    let header = ("farebox-outcome".to_owned(), "paid_ok".to_owned());
    assert!(told.headers.contains(&header), "{told:?}");
    assert_eq!(world.rows.invocations.len(), rows, "nothing was called or paid again");
    world.now += 29 * DAY_MS;
    free(&mut world, "", 1);
    assert_eq!(world.rows.replies.len(), 1);
}

/// A short answer that was paid for.
fn reply(id: &str, until: u64, bytes: u64) -> ReplyRow {
    ReplyRow {
        invocation: id.to_owned(),
        status: 200,
        headers: Vec::new(),
        body: String::new(),
        until,
        bytes,
        is_long: false,
        worth: ReplyWorth::Payment,
    }
}

//
#[test]
pub fn answers_have_a_bound_together() {
    let mut world = shop();
    let far = world.now + 3 * DAY_MS;
    let mut fill = |id: String, until: u64, bytes: u64| {
        let is_long = bytes > 16 * 1024;
        let row = ReplyRow { is_long, ..reply(&id, until, bytes) };
        world.rows.replies.insert(id, row);
    };
    // Short ones end first, and stay.
    for number in 0..64 {
        fill(format!("short-{number}"), far - 1_000, 16 * 1024);
    }
    for number in 0..255 {
        fill(format!("long-{number:03}"), far + number, MIB);
    }
    let sum = |world: &World| world.rows.replies.values().map(|row| row.bytes).sum::<u64>();
    assert_eq!(sum(&world), 256 * MIB);
    free(&mut world, "a", 100_000);
    assert!(!world.rows.replies.contains_key("long-000"));
    assert!(world.rows.replies.contains_key("long-001"));
    for number in 0..20 {
        free(&mut world, &format!("b-{number}"), 300_000);
        assert!(sum(&world) <= 256 * MIB, "{}", sum(&world));
    }
    let shorts = world.rows.replies.keys().filter(|id| id.starts_with("short-")).count();
    assert_eq!(shorts, 64);
}

//
#[test]
pub fn calls_for_nothing_push_no_paid_answer_out() {
    let mut world = shop();
    let short = world.buy("short", paid(100));
    let long = world.buy("long", paid_as(2, 20_000));
    // A stranger's calls, all of them short, fill what is left a minute later.
    let call = free(&mut world, "flood", 15_000);
    let template = world.rows.replies[&call].clone();
    let calls = 256 * MIB / template.bytes;
    for number in 0..calls {
        let id = format!("flood-{number}");
        let until = template.until + 60_000;
        world
            .rows
            .replies
            .insert(id.clone(), ReplyRow { invocation: id, until, ..template.clone() });
    }
    // The answer to a call of a pack that costs something stays as well.
    let until = template.until - 60_000;
    let packed = ReplyRow { worth: ReplyWorth::PackCall, ..reply("packed", until, 1_000) };
    world.rows.replies.insert("packed".into(), packed);
    for number in 0..100 {
        free(&mut world, &format!("more-{number}"), 15_000);
    }
    assert!(world.rows.replies.contains_key("packed"));
    let sum: u64 = world.rows.replies.values().map(|row| row.bytes).sum();
    assert!(sum <= 256 * MIB, "{sum}");
    assert_eq!(again(&mut world, "flood").error(), (410, "answer_gone"));
    assert_eq!(again(&mut world, "short").text, short.text);
    assert_eq!(again(&mut world, "long").text, long.text);
}

/// The worth of the answer to an invocation of a skill like this at so many millionths of a dollar, for which
/// a transaction is named.
fn worth(skill: &Value, micros: u32, is_confirmed: bool) -> ReplyWorth {
    let mut world = World::new();
    let mut skill = skill.clone();
    skill["price"] = format!("$0.{micros:06}").into();
    assert_eq!(world.publish(&skill).status, 201);
    let call = world.call("key");
    let Answer::Errand(Errand::Pay(order)) = world.called(&call, charge(&micros.to_string()))
    else {
        panic!()
    };
    let money = is_confirmed.then(|| "spent".to_owned());
    let transaction = is_confirmed.then(|| TX.to_owned());
    let answer = TreasuryAnswer { money, transaction, ..paid(10) };
    let Answer::Reply(told) = world.paid(&order, Some(answer)) else { panic!() };
    assert_eq!(told.status, 200);
    world.rows.replies[&order.invocation].worth
}

//
#[test]
pub fn a_seller_s_own_word_pushes_no_paid_answer_out() {
    let (gate, seller) = (gated(), echo());
    assert_eq!(worth(&gate, 1_000, false), ReplyWorth::Payment);
    assert_eq!(worth(&seller, 1_000, true), ReplyWorth::Payment);
    assert_eq!(worth(&seller, 1_000, false), ReplyWorth::Slight);
    assert_eq!(worth(&gate, 999, false), ReplyWorth::Slight);
    assert_eq!(worth(&seller, 999, false), ReplyWorth::Nothing);
    let turn = |worth| ReplyRow { worth, ..reply("a", 0, 1) }.turn();
    let turns =
        [ReplyWorth::Payment, ReplyWorth::PackCall, ReplyWorth::Slight, ReplyWorth::Nothing];
    assert!(turns.map(turn).is_sorted_by(|first, then| first < then));
}

//
#[test]
pub fn long_answers_find_room_among_small_ones() {
    let mut world = shop();
    let small = free(&mut world, "small", 1);
    let template = world.rows.replies[&small].clone();
    for number in 0..256 * MIB / template.bytes {
        let id = format!("small-{number}");
        let until = template.until + number;
        world
            .rows
            .replies
            .insert(id.clone(), ReplyRow { invocation: id, until, ..template.clone() });
    }
    for number in 0..4 {
        free(&mut world, &format!("long-{number}"), 1_000_000);
        let sum: u64 = world.rows.replies.values().map(|row| row.bytes).sum();
        assert!(sum <= 256 * MIB, "{sum}");
    }
    // No row is lighter than what it takes beside its text.
    assert!(world.rows.replies.len() <= 262_144, "{}", world.rows.replies.len());
}
