//! How much room skills have, who makes room for whom, and what is forgotten.

use std::collections::BTreeMap;

use farebox_core::skills::books::Change;
use farebox_core::skills::message::{Answer, Chore, Command, Labels};
use farebox_core::skills::row::TableRow;
use serde_json::{Value, json};

use super::catalogue::named;
use super::world::{World, echo, gated, owner, vars};

#[test]
pub fn what_waits_for_its_fee_takes_no_room_and_has_room_once_it_is_paid_or_is_not_listed() {
    let mut vars = vars();
    vars["LISTING_FEE"] = "$1.00".into();
    vars["PAY_TO"] = owner(5).into();
    let mut world = World::of(&vars);
    let mut body = gated();
    body["output"] = json!({"text": "x".repeat(3_900)});
    for number in 0..66_u8 {
        let payee = number / 20 + 1;
        (body["skillId"], body["payTo"]) = (format!("echo-{number}").into(), owner(payee).into());
        let body = world.signed(payee, "publish", "", &body).to_string();
        let reply = world.reply(Command::Publish(Labels::default(), body));
        assert_eq!(reply.status, 201, "{number}");
    }
    let Answer::Table(draft) = world.draft_table() else { panic!("no table") };
    let routes: Value = serde_json::from_str(&draft.text_without(&[])).unwrap();
    assert_eq!((draft.routes.len(), &routes[1]["path"]), (0, &"/fees/*".into()));
    assert_eq!((&routes[1]["price"], &routes[1]["settle"]), (&"1".into(), &"before".into()));
    let mut told = Vec::new();
    for number in 0..66_u8 {
        let mut fee = super::world::sale("1000000");
        (fee.path, fee.payment) = (format!("/fees/echo-{number}"), format!("fee-{number}"));
        told.push(world.reply(Command::Sold(Box::new(fee))).status);
    }
    let full = told.iter().position(|status| *status == 503).unwrap();
    assert!(full > 40 && told[..full].iter().all(|status| *status == 200), "{told:?}");
    let listed = world.list("");
    assert_eq!(listed.body["skills"].as_array().unwrap().len(), full);
}

/// Publishes a skill of the first wallet and takes it back.
fn publish_and_take_back(world: &mut World, id: &str) {
    let mut body = gated();
    body["skillId"] = id.into();
    assert_eq!(world.publish(&body).status, 201, "{id}");
    take_back(world, id);
}

fn take_back(world: &mut World, id: &str) {
    let body = world.signed(1, "deactivate", id, &json!({})).to_string();
    let told = world.reply(Command::Deactivate(named("x"), id.into(), body));
    assert_eq!(told.status, 200, "{told:?}");
}

#[test]
pub fn a_wallet_that_publishes_and_takes_back_leaves_twenty_skills() {
    let mut world = World::new();
    for number in 0..100 {
        publish_and_take_back(&mut world, &format!("echo-{number}"));
        world.now += 300_000;
    }
    assert!(world.rows.skills.len() <= 20, "{}", world.rows.skills.len());
    assert_eq!(world.rows.versions.len(), world.rows.skills.len());
    assert!(world.rows.rates.len() <= 2);
}

#[test]
pub fn an_id_that_was_forgotten_is_its_former_owner_s() {
    let mut world = World::new();
    for number in 0..22 {
        publish_and_take_back(&mut world, &format!("echo-{number}"));
        world.now += 300_001;
    }
    assert!(!world.rows.skills.contains_key("echo-0"));
    let mut body = gated();
    (body["skillId"], body["payTo"]) = ("echo-0".into(), owner(2).into());
    let theirs = world.signed(2, "publish", "", &body).to_string();
    let told = world.reply(Command::Publish(Labels::default(), theirs));
    assert_eq!(told.error(), (409, "Skill echo-0 already exists"));
    // Nor by a name that an id is made of.
    let mut unnamed = body.clone();
    unnamed.as_object_mut().unwrap().remove("skillId");
    unnamed["name"] = "echo 0".into();
    let theirs = world.signed(2, "publish", "", &unnamed).to_string();
    let told = world.reply(Command::Publish(Labels::default(), theirs));
    assert!(told.body["skill"]["id"].as_str().unwrap().starts_with("echo-0-"), "{told:?}");
    body["payTo"] = owner(1).into();
    assert_eq!(world.publish(&body).status, 201);
}

/// Whether a skill is still known after it was sold, taken back, and twenty-five others after it.
fn is_remembered(sales: &[(&str, &str)]) -> bool {
    let mut world = World::new();
    let mut body = gated();
    (body["price"], body["settle"]) = (sales[0].0.into(), "before".into());
    assert_eq!(world.publish(&body).status, 201);
    for (price, transaction) in sales {
        let micros = farebox_core::amount::Amount::from_price(price, 6).unwrap().to_string();
        sell(&mut world, "echo", &micros, transaction);
    }
    take_back(&mut world, "echo");
    for number in 0..25 {
        publish_and_take_back(&mut world, &format!("other-{number}"));
        world.now += 300_001;
    }
    assert!(!world.rows.skills.contains_key("other-0"));
    world.rows.skills.contains_key("echo")
}

#[test]
pub fn a_skill_that_was_paid_is_never_forgotten() {
    assert!(is_remembered(&[("$0.25", "0x1")]));
    assert!(is_remembered(&[("$0.01", "0x1")]));
    assert!(is_remembered(&[("$0.005", "0x1"), ("$0.005", "0x2")]));
}

#[test]
pub fn what_was_called_for_nothing_is_forgotten() {
    assert!(!is_remembered(&[("$0.25", "")]), "it may never be settled");
    assert!(!is_remembered(&[("$0.001", "0x1")]), "its row costs more");
}

#[test]
pub fn an_owner_has_a_share_of_the_table_until_its_skills_are_paid() {
    let mut world = World::new();
    let mut body = gated();
    body["settle"] = "before".into();
    body["output"] = json!({"text": "x".repeat(3_900)});
    let mut told = Vec::new();
    for number in 0..5 {
        body["skillId"] = format!("echo-{number}").into();
        told.push(world.publish(&body).status);
    }
    assert_eq!(told, [201, 201, 201, 429, 429]);
    body["skillId"] = "one-more".into();
    sell(&mut world, "echo-0", "250000", "");
    assert_eq!(world.publish(&body).status, 429, "what was shown may never be settled");
    sell(&mut world, "echo-0", "250000", "0x1");
    assert_eq!(world.publish(&body).status, 201);
    take_back(&mut world, "echo-1");
    body["skillId"] = "another".into();
    assert_eq!(world.publish(&body).status, 201);
}

#[test]
pub fn wallets_publish_at_a_pace() {
    let mut world = World::new();
    for number in 0..60 {
        publish_and_take_back(&mut world, &format!("echo-{number}"));
    }
    let told = world.publish(&gated());
    assert_eq!(told.error(), (429, "Too many skills are being published; try again later"));
    assert!(told.headers.contains(&("retry-after".to_owned(), "3600".to_owned())), "{told:?}");
    world.now += 3_600_000;
    assert_eq!(world.publish(&gated()).status, 201);
}

#[test]
pub fn wallets_of_a_network_for_whom_no_money_moved_share_a_pace() {
    let mut world = World::new();
    let publish = |world: &mut World, number: u32, client: &str| {
        let wallet = u8::try_from(number / 20 + 1).unwrap();
        let mut body = gated();
        (body["skillId"], body["payTo"]) = (format!("echo-{number}").into(), owner(wallet).into());
        body["description"] = "d".into();
        let body = world.signed(wallet, "publish", "", &body).to_string();
        world.reply(Command::Publish(from(client), body))
    };
    for number in 0..100 {
        assert_eq!(publish(&mut world, number, "10.0.0.1").status, 201, "{number}");
    }
    let told = publish(&mut world, 100, "10.0.0.1");
    assert_eq!(told.error(), (429, "Too many skills are being published; try again later"));
    assert!(told.headers.contains(&("retry-after".to_owned(), "600".to_owned())), "{told:?}");
    assert_eq!(publish(&mut world, 101, "10.0.0.2").status, 201, "no one else waits");
    world.now += 600_000;
    assert_eq!(publish(&mut world, 100, "10.0.0.1").status, 201);
}

/// The labels of a request from this network.
pub fn from(client: &str) -> Labels {
    Labels { client: client.to_owned(), ..Labels::default() }
}

/// Publishes a skill that takes much of the table; the status.
pub fn publish_wide(world: &mut World, wallet: u8, id: &str, client: &str) -> u32 {
    let mut body = gated();
    body["settle"] = "before".into();
    body["output"] = json!({"text": "x".repeat(3_900)});
    (body["skillId"], body["payTo"]) = (id.into(), owner(wallet).into());
    let body = world.signed(wallet, "publish", "", &body).to_string();
    world.reply(Command::Publish(from(client), body)).status
}

//
#[test]
pub fn what_no_one_pays_makes_room_and_what_was_sold_does_not() {
    let mut world = World::new();
    assert_eq!(publish_wide(&mut world, 1, "sold", "10.0.0.1"), 201);
    sell(&mut world, "sold", "250000", "0x1");
    assert_eq!(publish_wide(&mut world, 1, "of-a-seller", "10.0.0.1"), 201);
    assert_eq!(publish_wide(&mut world, 2, "quiet", "10.0.0.2"), 201);
    // Wallets and words cost nothing.
    for number in 0..90 {
        world.now += 1_000;
        let (id, client) = (format!("wide-{number}"), format!("10.0.1.{}", number % 2));
        assert_eq!(publish_wide(&mut world, 10 + number / 3, &id, &client), 201, "{id}");
    }
    assert_eq!(publish_wide(&mut world, 3, "late", "10.0.0.3"), 201);
    for id in ["sold", "of-a-seller", "quiet", "late", "wide-89"] {
        assert!(is_active(&world, id), "{id}");
    }
    assert!(!is_active(&world, "wide-0") && !is_active(&world, "wide-1"), "the oldest leave first");
    let Answer::Table(draft) = world.draft_table() else { panic!("no table") };
    assert!(draft.text_without(&[]).len() <= 251 * 1024);
    // Its owner may publish it again, and no one else.
    world.now += 300_001;
    assert_eq!(publish_wide(&mut world, 11, "wide-0", "10.0.1.0"), 409);
    assert_eq!(publish_wide(&mut world, 10, "wide-0", "10.0.1.0"), 201);
    assert_eq!(world.rows.skills["wide-0"].owner, owner(10));
}

#[test]
pub fn skills_that_take_no_room_are_bounded_too() {
    let mut world = World::new();
    let publish = |world: &mut World, wallet: u8, id: &str, client: &str| {
        world.now += 60_000;
        let mut body = echo();
        (body["skillId"], body["payTo"]) = (id.into(), owner(wallet).into());
        let body = world.signed(wallet, "publish", "", &body).to_string();
        assert_eq!(world.reply(Command::Publish(from(client), body)).status, 201, "{id}");
    };
    publish(&mut world, 1, "quiet", "10.0.0.1");
    for number in 0..1_010_u32 {
        let (wallet, client) = (u8::try_from(number / 18 + 2).unwrap(), number % 3);
        publish(&mut world, wallet, &format!("crowd-{number}"), &format!("10.0.1.{client}"));
    }
    let active = world.rows.skills.values().filter(|row| row.active).count();
    assert_eq!((active, world.rows.skills["quiet"].active), (1_000, true));
}

#[test]
pub fn what_was_taken_back_unused_leaves_in_the_end_of_whichever_wallet_it_was() {
    let mut world = World::new();
    for number in 0..700_u32 {
        world.now += 60_000;
        let (wallet, id) = (u8::try_from(number / 20 + 1).unwrap(), format!("echo-{number}"));
        let mut body = gated();
        (body["skillId"], body["payTo"]) = (id.clone().into(), owner(wallet).into());
        let body = world.signed(wallet, "publish", "", &body).to_string();
        assert_eq!(world.reply(Command::Publish(from("a"), body)).status, 201, "{number}");
        let body = world.signed(wallet, "deactivate", &id, &json!({})).to_string();
        world.reply(Command::Deactivate(named("x"), id, body));
    }
    assert!(world.rows.skills.len() <= 502, "{}", world.rows.skills.len());
    assert_eq!(world.rows.versions.len(), world.rows.skills.len());
}

#[test]
pub fn a_version_waits_for_no_other_wallet() {
    let mut world = World::new();
    world.publish(&echo());
    let rate = world.rows.rates.get("network ").cloned();
    assert!(rate.is_some());
    let mut next = echo();
    next["version"] = "1.1.0".into();
    let body = world.signed(1, "version", "echo", &next).to_string();
    let revise = Command::Revise(Labels::default(), "echo".into(), body);
    assert_eq!(world.reply(revise).status, 201);
    assert_eq!(world.rows.rates.get("network ").cloned(), rate);
}

#[test]
pub fn a_table_has_room_for_what_the_gate_reads_and_no_more() {
    let mut world = World::new();
    let mut body = gated();
    body["settle"] = "before".into();
    body["output"] = json!({"text": "x".repeat(3_900)});
    let mut told = Vec::new();
    for number in 0..66_u8 {
        body["skillId"] = format!("echo-{number}").into();
        body["payTo"] = owner(number / 3 + 1).into();
        let body = world.signed(number / 3 + 1, "publish", "", &body).to_string();
        let reply = world.reply(Command::Publish(Labels::default(), body));
        told.push(reply.status);
        // What was sold stays.
        if reply.status == 201 {
            sell(&mut world, &format!("echo-{number}"), "250000", "0x1");
        }
    }
    assert!(told.contains(&503), "{told:?}");
    let Answer::Table(draft) = world.draft_table() else { panic!("no table") };
    assert!(draft.text_without(&[]).len() <= 251 * 1024);
}

/// Has the gate forward a paid call of a skill.
pub fn sell(world: &mut World, id: &str, amount: &str, transaction: &str) {
    let mut sale = super::world::sale(amount);
    sale.path = format!("/s/{id}");
    sale.transaction = transaction.into();
    let told = world.send(Command::Sold(Box::new(sale)));
    assert!(matches!(told, Answer::Forward(_)), "{told:?}");
}

pub fn is_active(world: &World, id: &str) -> bool {
    world.rows.skills.get(id).is_some_and(|row| row.active)
}

#[test]
pub fn whose_an_id_was_stays_known_of_ten_thousand() {
    let mut world = World::new();
    let known = (0..9_999).map(|number| (format!("former-{number}"), owner(2)));
    world.rows.forgotten = (1..).zip(known).collect();
    for number in 0..22 {
        publish_and_take_back(&mut world, &format!("echo-{number}"));
        world.now += 300_001;
    }
    let ids = former_ids(&world);
    assert_eq!((ids.len(), ids[0]), (10_000, "former-1"), "the oldest leaves");
    assert_eq!(ids[9_998..], ["echo-0", "echo-1"]);
}

//
#[test]
pub fn whose_an_id_was_stays_known_where_it_is_forgotten_again_as_the_oldest() {
    let mut world = World::new();
    world.rows.forgotten = ten_thousand_former();
    for number in 0..21 {
        publish_and_take_back(&mut world, &format!("echo-{number}"));
        world.now += 300_001;
    }
    let rows = &world.rows;
    assert!(!rows.skills.contains_key("echo-0"));
    let last = rows.forgotten.values().last().unwrap();
    assert_eq!((rows.forgotten.len(), last), (10_000, &("echo-0".to_owned(), owner(1))));
    publish_and_take_back(&mut world, "echo-21");
    let ids = former_ids(&world);
    assert_eq!((ids.len(), ids[0], ids[9_999]), (10_000, "former-2", "echo-1"));
}

/// Former owners, of whom the oldest has published its skill once more since it was forgotten first.
fn ten_thousand_former() -> BTreeMap<u64, (String, String)> {
    let known = (1..10_000).map(|number| (format!("former-{number}"), owner(2)));
    let first = [("echo-0".to_owned(), owner(1))];
    (1..).zip(first.into_iter().chain(known)).collect()
}

fn former_ids(world: &World) -> Vec<&str> {
    world.rows.forgotten.values().map(|(id, _)| id.as_str()).collect()
}

//
#[test]
fn whose_an_id_was_stays_known_where_one_write_forgets_it_and_a_listing_that_nobody_paid() {
    let mut vars = vars();
    (vars["LISTING_FEE"], vars["PAY_TO"]) = ("$1.00".into(), owner(5).into());
    let mut world = World::of(&vars);
    world.rows.forgotten = ten_thousand_former();
    let publish = |world: &mut World, wallet: u8, id: &str| {
        world.now += 60_000;
        let mut body = gated();
        (body["skillId"], body["payTo"]) = (id.into(), owner(wallet).into());
        let body = world.signed(wallet, "publish", "", &body).to_string();
        world.reply(Command::Publish(from("a"), body)).status
    };
    assert_eq!(publish(&mut world, 99, "unpaid"), 201);
    for number in 0..501_u32 {
        let (wallet, id) = (u8::try_from(number / 20 + 1).unwrap(), format!("echo-{number}"));
        assert_eq!(publish(&mut world, wallet, &id), 201, "{id}");
        let body = world.signed(wallet, "deactivate", &id, &json!({})).to_string();
        world.reply(Command::Deactivate(named("x"), id, body));
    }
    assert!(world.rows.skills.contains_key("echo-0") && is_active(&world, "unpaid"));
    world.now += 86_400_000;
    assert_eq!(publish(&mut world, 98, "last"), 201);
    for id in ["echo-0", "unpaid"] {
        assert!(!world.rows.skills.contains_key(id), "{id}");
    }
    assert!(former_ids(&world).ends_with(&["echo-0", "unpaid"]));
    assert_eq!(publish(&mut world, 97, "echo-0"), 409);
    assert_eq!(publish(&mut world, 1, "echo-0"), 201);
}

/// How many values the gate reads in a table.
fn values_of(value: &Value) -> usize {
    let below = match value {
        Value::Array(items) => items.iter().map(values_of).sum(),
        Value::Object(members) => members.values().map(values_of).sum(),
        _ => 0,
    };
    below + 1
}

/// Publishes a skill with so many values in each of four parts.
fn publish_values(world: &mut World, number: u8, each: usize) -> u32 {
    world.now += 1_000;
    let (id, mut body) = (format!("wide-{number}"), gated());
    let list = json!({"list": vec![0; each]});
    for part in ["input", "inputSchema", "output", "outputSchema"] {
        body[part] = list.clone();
    }
    let wallet = 10 + number;
    (body["skillId"], body["payTo"]) = (id.into(), owner(wallet).into());
    let body = world.signed(wallet, "publish", "", &body).to_string();
    world.reply(Command::Publish(from("10.0.1.0"), body)).status
}

/// The table has a newcomer, and no more values than the gate reads.
fn has_room_for_a_newcomer(world: &mut World) {
    assert_eq!(publish_wide(world, 3, "late", "10.0.0.3"), 201);
    let Answer::Table(draft) = world.draft_table() else { panic!("no table") };
    let table: Value = serde_json::from_str(&draft.text_without(&[])).unwrap();
    assert!(values_of(&table) <= 16_384, "{}", values_of(&table));
    assert!(draft.routes.iter().any(|(skill, _)| skill == "late"));
}

//
#[test]
pub fn many_values_of_one_network_keep_no_one_out_of_what_the_gate_reads() {
    for each in [230, 480] {
        let mut world = World::new();
        for number in 0..24_u8 {
            let status = publish_values(&mut world, number, each);
            assert_eq!(status, if each == 230 { 201 } else { 429 });
        }
        has_room_for_a_newcomer(&mut world);
    }
}

//
#[test]
pub fn a_table_of_an_earlier_version_is_written_anew_and_its_skills_are_weighed() {
    let mut world = World::new();
    for number in 0..24_u8 {
        assert_eq!(publish_values(&mut world, number, 230), 201);
        // That version counted bytes alone.
        world.rows.skills.values_mut().for_each(|row| row.room.bytes = 2_000);
    }
    // For these settings it was written.
    let changes = world.market.renew(&world.rows, world.now).unwrap();
    world.rows.write(changes.into_iter().filter(|it| matches!(it, Change::Table(_))).collect());
    let settings = world.rows.table.settings;
    world.rows.table = TableRow { wanted: 24, written: 24, settings, ..TableRow::default() };
    assert_eq!(world.draft_table(), Answer::Nothing);
    let changes = world.market.renew(&world.rows, world.now).unwrap();
    world.rows.write(changes);
    assert_eq!(world.send(Command::Due), Answer::Tasks(vec![Chore::Table]));
    assert_eq!(world.market.renew(&world.rows, world.now).unwrap(), []);
    has_room_for_a_newcomer(&mut world);
}

//
#[test]
pub fn what_no_money_keeps_is_left_out_of_a_table_first() {
    let mut world = World::new();
    for (wallet, id) in [(1, "oldest"), (2, "sold"), (3, "newest")] {
        world.now += 1_000;
        assert_eq!(publish_wide(&mut world, wallet, id, "10.0.0.1"), 201);
    }
    sell(&mut world, "sold", "250000", "0x1");
    let Answer::Table(draft) = world.draft_table() else { panic!("no table") };
    let order: Vec<&str> = draft.routes.iter().map(|(skill, _)| skill.as_str()).collect();
    assert_eq!(order, ["newest", "oldest", "sold"]);
}

/// Takes a skill off the list as the operator does; the status.
fn remove(world: &mut World, id: &str) -> u32 {
    let authorization = Some(format!("Bearer {}", "o".repeat(32)));
    let labels = Labels { authorization, ..Labels::default() };
    let body = json!({"reason": "spam"}).to_string();
    world.reply(Command::Deactivate(labels, id.into(), body)).status
}

//
#[test]
pub fn what_the_operator_took_back_is_never_published_anew() {
    for before in ["sold", "taken back", "made room"] {
        let mut world = World::new();
        assert_eq!(world.publish(&gated()).status, 201);
        match before {
            "taken back" => take_back(&mut world, "echo"),
            "made room" => {
                let row = world.rows.skills.get_mut("echo").unwrap();
                (row.active, row.made_room) = (false, true);
            }
            _ => {}
        }
        assert_eq!(remove(&mut world, "echo"), 200, "{before}");
        assert_eq!(remove(&mut world, "echo"), 404, "{before}");
        for number in 0..25 {
            world.now += 300_001;
            publish_and_take_back(&mut world, &format!("other-{number}"));
        }
        assert!(!world.rows.skills.contains_key("other-0"));
        assert_eq!(world.publish(&gated()).status, 409, "{before}");
    }
}

//
#[test]
pub fn a_removal_forgets_what_else_is_idle_and_not_itself() {
    let mut world = World::new();
    for number in 0..20 {
        publish_and_take_back(&mut world, &format!("other-{number}"));
    }
    world.now += 300_001;
    assert_eq!(remove(&mut world, "other-0"), 200);
    assert!(world.rows.skills.contains_key("other-0"));
}

//
#[test]
pub fn the_fee_of_what_cannot_be_sold_is_not_taken() {
    let mut vars = vars();
    (vars["LISTING_FEE"], vars["PAY_TO"]) = ("$1.00".into(), owner(5).into());
    for (may_return, status) in [(false, 409), (true, 200)] {
        let mut world = World::of(&vars);
        assert_eq!(world.publish(&gated()).status, 201);
        take_back(&mut world, "echo");
        world.rows.skills.get_mut("echo").unwrap().made_room = may_return;
        let mut fee = super::world::sale("1000000");
        fee.path = "/fees/echo".into();
        assert_eq!(world.reply(Command::Sold(Box::new(fee))).status, status);
        assert_eq!(world.rows.skills["echo"].owes, !may_return);
    }
}
