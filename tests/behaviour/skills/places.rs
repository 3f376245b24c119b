//! What keeps a skill's place, for how long, and how one that lost it comes back.

use farebox_core::skills::message::{Answer, Command, Labels, Sale, TreasuryAnswer};
use farebox_core::skills::row::{Moved, Phase};
use serde_json::{Value, json};

use super::room::{from, is_active, publish_wide, sell};
use super::world::{TX, Told, World, decision, echo, gated, owner, sale};

/// Milliseconds of a day.
const DAY_MS: u64 = 86_400_000;

//
#[test]
pub fn a_payment_that_was_not_settled_keeps_no_place() {
    let mut world = World::new();
    assert_eq!(publish_wide(&mut world, 1, "honest", "10.0.0.1"), 201);
    sell(&mut world, "honest", "250000", "0x1");
    // Wallets cost nothing, and their own seller fails each call, so that nothing is charged.
    for number in 0..80_u8 {
        world.now += 60_000;
        let (id, client) = (format!("shown-{number}"), format!("10.0.1.{}", number % 4));
        if publish_wide(&mut world, 10 + number % 20, &id, &client) == 201 {
            sell(&mut world, &id, "250000", "");
        }
    }
    for (wallet, id) in [(2, "newcomer"), (3, "another")] {
        let client = format!("10.0.0.{wallet}");
        assert_eq!(publish_wide(&mut world, wallet, id, &client), 201, "{id}");
    }
    assert_eq!(publish_wide(&mut world, 50, "shown-80", "10.0.1.0"), 201);
    sell(&mut world, "shown-80", "250000", "");
    for id in ["honest", "newcomer", "another"] {
        assert!(is_active(&world, id), "{id}");
    }
    assert!(world.rows.skills.values().all(|row| row.id == "honest" || !row.used));
}

/// Publishes a skill with this price; the days for which its place is kept, in thousandths.
fn kept_days(price: &str, wide: usize, sales: &[(&str, u64)]) -> u64 {
    let mut world = World::new();
    let mut body = gated();
    (body["price"], body["output"]) = (price.into(), json!({"text": "x".repeat(wide)}));
    body["settle"] = "before".into();
    assert_eq!(world.publish(&body).status, 201);
    let mut last = 0;
    for (amount, days) in sales {
        (world.now, last) = (world.now + (days - last) * DAY_MS, *days);
        sell(&mut world, "echo", amount, "0x1");
    }
    let until = world.rows.skills["echo"].place_until;
    until.saturating_sub(world.now) * 1_000 / DAY_MS
}

#[test]
pub fn a_dime_keeps_a_kibibyte_for_thirty_days() {
    assert_eq!(kept_days("$0.10", 10, &[("100000", 0)]), 30_000);
    // Five begun KiB.
    assert_eq!(kept_days("$0.25", 3_900, &[("250000", 0)]), 15_000);
    // Sales add up; what was not used up is not lost, and what ended is.
    assert_eq!(kept_days("$0.10", 10, &[("100000", 0), ("100000", 10)]), 50_000);
    assert_eq!(kept_days("$0.10", 10, &[("100000", 0), ("100000", 40)]), 30_000);
    // Dust keeps it for less than half a minute, and no sum for more than ninety days.
    assert_eq!(kept_days("$0.000001", 10, &[("1", 0)]), 0);
    assert_eq!(kept_days("$0.001", 10, &[("1000", 0)]), 300);
    assert_eq!(kept_days("$99", 10, &[("99000000", 0)]), 90_000);
}

#[test]
pub fn a_place_that_grows_is_kept_for_less() {
    let mut world = World::new();
    let mut body = gated();
    (body["price"], body["settle"]) = ("$0.10".into(), "before".into());
    assert_eq!(world.publish(&body).status, 201);
    sell(&mut world, "echo", "100000", "0x1");
    let mut days = Vec::new();
    for (version, wide) in [("1.1.0", 20), ("1.2.0", 3_900), ("1.3.0", 10)] {
        body["version"] = version.into();
        body["output"] = json!({"text": "x".repeat(wide)});
        let body = world.signed(1, "version", "echo", &body).to_string();
        let told = world.reply(Command::Revise(Labels::default(), "echo".into(), body));
        assert_eq!(told.status, 201, "{told:?}");
        days.push((world.rows.skills["echo"].place_until - world.now) / DAY_MS);
    }
    // One begun KiB, five, and one again: what is over is not given back.
    assert_eq!(days, [30, 6, 6]);
}

#[test]
pub fn a_table_that_was_paid_for_has_room_again_once_that_ends() {
    let mut world = World::new();
    let mut sold = 0;
    for number in 0..70_u8 {
        let id = format!("paid-{number}");
        if publish_wide(&mut world, 10 + number / 3, &id, "10.0.1.0") == 201 {
            sell(&mut world, &id, "250000", "0x1");
            sold += 1;
        }
    }
    // As docs/limits.md has it: a full table has cost its price for these fifteen days.
    assert!((44..=56).contains(&sold), "{sold}");
    assert_eq!(publish_wide(&mut world, 2, "newcomer", "10.0.0.2"), 503);
    world.now += 15 * DAY_MS - 1;
    assert_eq!(publish_wide(&mut world, 2, "newcomer", "10.0.0.2"), 503);
    world.now += 1;
    assert_eq!(publish_wide(&mut world, 2, "newcomer", "10.0.0.2"), 201);
}

/// The days for which money of an invocation keeps the place of a skill: as its answer says, and
/// after the alarm has heard this of the money.
fn invoked(skill: &Value, said: &str, tx: &str, heard: Option<&str>) -> [u64; 2] {
    let mut world = World::new();
    assert_eq!(world.publish(skill).status, 201);
    world.buy("key", decision(said, tx));
    let days = |world: &World| {
        let row = &world.rows.skills["echo"];
        assert_eq!(row.used, row.place_until > 0);
        row.place_until.saturating_sub(world.now) / DAY_MS
    };
    let first = days(&world);
    if let Some(money) = heard {
        world.now += 60_000;
        world.send(Command::Due);
        let row = &world.rows.invocations[0];
        assert_eq!(row.phase, Phase::Doubtful);
        let (invocation, fence) = (row.id.clone(), row.fence);
        let answer = TreasuryAnswer {
            money: Some(money.into()),
            transaction: (money == "spent").then(|| TX.to_owned()),
            ..decision("allow", TX)
        };
        world.send(Command::Paid { invocation, fence, answer: Some(answer) });
        assert_eq!(world.rows.invocations[0].paid == Moved::Yes, money == "spent");
    }
    [first, days(&world)]
}

#[test]
pub fn an_invocation_keeps_a_place_if_more_than_the_seller_says_that_it_was_paid() {
    // The gate settled it.
    assert_eq!(invoked(&gated(), "allow", TX, None), [75, 75]);
    assert_eq!(invoked(&gated(), "paid_fulfillment_failed", TX, None), [75, 75]);
    assert_eq!(invoked(&gated(), "deny", "", None), [0, 0]);
    // The seller says so.
    assert_eq!(invoked(&echo(), "allow", TX, None), [0, 0]);
    assert_eq!(invoked(&echo(), "allow", "", Some("void")), [0, 0]);
    assert_eq!(invoked(&echo(), "inconclusive", "", Some("spent")), [0, 75]);
    // What the gate has settled before it called was counted as a sale.
    let mut before = gated();
    before["settle"] = "before".into();
    assert_eq!(invoked(&before, "allow", TX, None), [0, 0]);
}

//
#[test]
pub fn money_that_an_invocation_tells_of_keeps_no_place_as_a_sale_too() {
    let mut world = World::new();
    assert_eq!(world.publish(&gated()).status, 201);
    // The gate settled first, though the skill is sold with `after`, and the treasury tells of it.
    sell(&mut world, "echo", "250000", TX);
    assert_eq!(world.rows.skills["echo"].place_until, 0);
    world.buy("key", decision("allow", TX));
    let row = &world.rows.skills["echo"];
    assert_eq!((row.place_until - world.now) / DAY_MS, 75);
}

/// Fills the table from other networks that have less each, so that the skill with this id makes room.
fn crowd_out(world: &mut World, id: &str) {
    for number in 0..120_u8 {
        world.now += 1_000;
        if !is_active(world, id) {
            return;
        }
        let own = format!("wide-{}-{number}", world.now);
        assert_eq!(publish_wide(world, 10 + number, &own, &own), 201);
    }
    panic!("{id} has its place");
}

fn publish(world: &mut World, body: &Value) -> (u32, Value) {
    let body = world.signed(1, "publish", "", body).to_string();
    let told = world.reply(Command::Publish(from("10.0.0.1"), body));
    (told.status, told.body)
}

/// A skill that takes more of the table than one of these.
fn wide() -> Value {
    let mut body = gated();
    body["output"] = json!({"text": "x".repeat(4_000)});
    body
}

#[test]
pub fn what_made_room_comes_back_at_once() {
    for is_called in [false, true] {
        let mut world = World::new();
        let (_, first) = publish(&mut world, &wide());
        if is_called {
            sell(&mut world, "echo", "250000", "");
        }
        let body = world.signed(1, "rotate", "echo", &json!({})).to_string();
        let rotate = Command::Rotate(Labels::default(), "echo".into(), body);
        let secret = world.reply(rotate).body["secret"].clone();
        assert_ne!(secret, first["secret"]);
        crowd_out(&mut world, "echo");
        // Other terms of the version that is sold under way wait, and another version does not.
        let mut dear = wide();
        dear["price"] = "$0.50".into();
        assert_eq!(publish(&mut world, &dear).0, 409);
        let (status, told) = publish(&mut world, &wide());
        assert_eq!((status, &told["secret"]), (201, &secret), "no secret of before counts again");
        let row = &world.rows.skills["echo"];
        assert_eq!((row.active, row.called, row.owner == owner(1)), (true, is_called, true));
        crowd_out(&mut world, "echo");
        dear["version"] = "2.0.0".into();
        assert_eq!(publish(&mut world, &dear).0, 201);
        let sold = |world: &mut World, amount: &str| {
            let sale = super::world::sale(amount);
            matches!(world.send(Command::Sold(Box::new(sale))), Answer::Forward(_))
        };
        assert!(sold(&mut world, "250000") && sold(&mut world, "500000"), "both are on their way");
        world.now += 301_000;
        assert!(!sold(&mut world, "250000") && sold(&mut world, "500000"));
    }
}

#[test]
pub fn a_receipt_s_terms_stay_though_its_skill_made_room() {
    let mut world = World::new();
    publish(&mut world, &wide());
    sell(&mut world, "echo", "250000", "");
    crowd_out(&mut world, "echo");
    world.now += 301_000;
    let mut other = wide();
    other["callUrl"] = "https://elsewhere.example.com/echo".into();
    assert_eq!(publish(&mut world, &other).0, 409);
    let version = |world: &World| world.rows.versions[&("echo".into(), "1.0.0".into())].clone();
    assert_eq!(version(&world).call_url, "https://seller.example.com/echo");
}

//
#[test]
pub fn a_skill_that_was_used_waits_for_its_owner_where_a_fee_is_not_paid() {
    for is_called in [true, false] {
        let mut world = World::new();
        assert_eq!(publish(&mut world, &wide()).0, 201);
        if is_called {
            sell(&mut world, "echo", "250000", "0x1");
        }
        // The market asks a fee by now, and the skill made room for another one.
        let mut fee = super::world::vars();
        (fee["LISTING_FEE"], fee["PAY_TO"]) = ("$1.00".into(), owner(5).into());
        let World { rows, now, dice, .. } = world;
        let mut world = World { rows, now, dice, ..World::of(&fee) };
        let row = world.rows.skills.get_mut("echo").unwrap();
        (row.active, row.made_room, row.changed) = (false, true, world.now);
        world.now += 600_000;
        assert_eq!(publish(&mut world, &wide()).0, 201);
        assert!(world.rows.skills["echo"].owes);
        world.now += DAY_MS + 1_000;
        assert_eq!(publish_wide(&mut world, 3, "other", "10.0.0.3"), 201);
        assert_eq!(world.rows.skills.contains_key("echo"), is_called);
        assert_eq!(publish_wide(&mut world, 2, "echo", "10.0.0.2"), 409, "its id is its owner's");
        assert_eq!(publish(&mut world, &wide()).0, 201, "who may publish it again");
    }
}

//
#[test]
fn a_fee_that_is_paid_late_pays_for_no_skill_of_another_owner() {
    let mut fee = super::world::vars();
    (fee["LISTING_FEE"], fee["PAY_TO"]) = ("$1.00".into(), owner(5).into());
    let mut world = World::of(&fee);
    assert_eq!(publish_wide(&mut world, 1, "echo", "10.0.0.1"), 201);
    world.now += DAY_MS + 1_000;
    assert_eq!(publish_wide(&mut world, 2, "other", "10.0.0.2"), 201);
    assert!(!world.rows.skills.contains_key("echo"));
    assert_eq!(publish_wide(&mut world, 2, "echo", "10.0.0.2"), 409);
    // Its owner's, who pays for the own skill or, with the fee, has it back from the gate.
    let paid = |world: &mut World| {
        let sale = Sale { path: "/fees/echo".into(), transaction: "0x1".into(), ..sale("1000000") };
        match world.send(Command::Sold(Box::new(sale))) {
            Answer::Reply(response) => Told::of(response).status,
            other => panic!("no reply: {other:?}"),
        }
    };
    assert_eq!(paid(&mut world), 404);
    assert_eq!(publish_wide(&mut world, 1, "echo", "10.0.0.1"), 201);
    assert_eq!(paid(&mut world), 200);
    let row = &world.rows.skills["echo"];
    assert_eq!((&row.owner, row.owes), (&owner(1), false));
}
