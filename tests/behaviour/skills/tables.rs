//! The gate's route table of a market: read with the gate's own reader before it is written.

use farebox_core::gate::Gate;
use farebox_core::gate::config::Routes;
use farebox_core::skills::message::{Answer, Chore, Command, Labels};
use farebox_core::skills::row::TableRow;
use farebox_core::skills::table::StoredTable;
use serde_json::{Value, json};

use super::world::{World, echo, gated, market_of, owner, vars};

/// The market's own check, as its Worker has it.
#[path = "../../../src/market/table.rs"]
mod table;

use table::Checked;

/// Networks of the market, and of the gate in front of it.
const BOTH: [&str; 2] = ["eip155:84532", "eip155:421614"];

fn of_networks(networks: &[&str]) -> World {
    let mut vars = vars();
    vars["NETWORK"] = json!(networks);
    World::of(&vars)
}

/// The table that the market writes for the gate.
fn written(world: &mut World) -> Checked {
    let Answer::Table(draft) = world.draft_table() else { panic!("no table is wanted") };
    table::checked(&world.market, &draft)
}

/// Goes on as if the gate had the table that was wanted last.
fn kept(world: &mut World) {
    let TableRow { wanted, .. } = world.rows.table;
    world.rows.table = TableRow { written: wanted, due: None, ..world.rows.table.clone() };
}

/// Does what a market does once it runs with other settings.
fn renewed(world: &mut World) {
    let changes = world.market.renew(&world.rows, world.now).unwrap();
    world.rows.write(changes);
    assert_eq!(world.market.renew(&world.rows, world.now).unwrap(), []);
}

/// The errors of a gate of these networks about a table.
fn read(networks: &[&str], table: &str) -> Vec<String> {
    let vars = json!({
        "NETWORK": networks, "PAY_TO": owner(5), "GATE_SECRET": "0".repeat(64),
        "LEDGER_SALT": "0".repeat(32), "ORIGIN_URL": "https://origin.example.com",
        "FACILITATOR_URL": "https://facilitator.example.com", "DEFAULT": "free",
    });
    let read = Gate::configured(&vars.to_string(), Routes::Stored(table));
    read.err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

fn publish(world: &mut World, id: &str, more: &Value) {
    let mut body = gated();
    body["skillId"] = id.into();
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    assert_eq!(world.publish(&body).status, 201);
}

//
#[test]
fn a_route_that_the_gate_refuses_is_left_out_whatever_networks_there_are() {
    for networks in [&BOTH[..1], &BOTH] {
        let mut world = of_networks(networks);
        publish(&mut world, "fine", &json!({}));
        // What an owner may well say, and what no gate takes.
        publish(&mut world, "no-example", &json!({"outputSchema": {"type": "object"}}));
        publish(&mut world, "elsewhere", &json!({"inputSchema": {"$id": "x"}}));
        let Checked { text, refused } = written(&mut world);
        assert_eq!(read(networks, &text), Vec::<String>::new(), "{text}");
        let mut left: Vec<&str> = refused.iter().map(|(skill, _)| skill.as_str()).collect();
        left.sort_unstable();
        assert_eq!(left, ["elsewhere", "no-example"], "{networks:?}");
        assert!(text.contains("\"/s/fine\""));
    }
}

#[test]
fn a_skill_is_sold_on_the_network_that_it_names() {
    let mut world = of_networks(&BOTH);
    publish(&mut world, "everywhere", &json!({"packs": {"starter": "$5.00"}}));
    for (id, network) in [("first", BOTH[0]), ("second", BOTH[1])] {
        publish(&mut world, id, &json!({ "network": network, "packs": {"starter": "$5.00"} }));
    }
    let Checked { text, refused } = written(&mut world);
    assert_eq!(refused, []);
    assert_eq!(read(&BOTH, &text), Vec::<String>::new());
    let routes: Vec<Value> = serde_json::from_str(&text).unwrap();
    for (path, network) in [
        ("/s/everywhere", None),
        ("/s/first", Some(BOTH[0])),
        ("/s/second", Some(BOTH[1])),
        ("/packs/second/starter", Some(BOTH[1])),
    ] {
        let route = routes.iter().find(|route| route["path"] == path).unwrap();
        assert_eq!(route["network"].as_str(), network, "{path}");
    }
}

//
#[test]
pub fn a_skill_is_sold_on_no_network_that_came_after_it() {
    let mut world = of_networks(&BOTH[..1]);
    publish(&mut world, "first", &json!({"packs": {"starter": "$5.00"}}));
    kept(&mut world);
    // The market goes to another network, and the gate with it.
    let mut vars = vars();
    vars["NETWORK"] = BOTH[1].into();
    world.market = market_of(&vars);
    // Nobody publishes: the table is written for these networks all the same.
    renewed(&mut world);
    let Checked { text, refused } = written(&mut world);
    assert_eq!(read(&BOTH[1..], &text), Vec::<String>::new());
    assert!(!text.contains("/first"), "{text}");
    assert_eq!(refused.len(), 1);
    publish(&mut world, "second", &json!({}));
    let Checked { text, refused } = written(&mut world);
    assert_eq!(read(&BOTH[1..], &text), Vec::<String>::new());
    assert!(text.contains("/s/second") && !text.contains("/first"), "{text}");
    assert_eq!(refused.len(), 1);
    // With both there again, each is sold where its seller said so.
    world.market = of_networks(&BOTH).market;
    renewed(&mut world);
    publish(&mut world, "both", &json!({}));
    let Checked { text, refused } = written(&mut world);
    assert_eq!((read(&BOTH, &text), refused), (Vec::new(), Vec::new()));
    kept(&mut world);
    // What was sold on both goes on where one is left.
    world.market = market_of(&vars);
    renewed(&mut world);
    assert!(written(&mut world).text.contains("/s/both"));
}

//
#[test]
pub fn the_gate_s_table_follows_the_market_s_settings() {
    let mut vars = vars();
    (vars["LISTING_FEE"], vars["PAY_TO"]) = ("$1.00".into(), owner(5).into());
    let mut world = World::of(&vars);
    publish(&mut world, "first", &json!({}));
    kept(&mut world);
    assert_eq!(world.market.renew(&world.rows, world.now).unwrap(), []);
    let own = |price: &str| json!([{"path": "/own", "price": price}]);
    for (name, value, route, member, told) in [
        ("LISTING_FEE", json!("$2.00"), "/fees/*", "price", "2"),
        ("PAY_TO", owner(6).into(), "/fees/*", "pay_to", &owner(6)),
        ("OWN_ROUTES", own("$0.01"), "/own", "price", "$0.01"),
        ("OWN_ROUTES", own("$0.02"), "/own", "price", "$0.02"),
    ] {
        vars[name] = value;
        world.market = market_of(&vars);
        renewed(&mut world);
        assert_eq!(world.send(Command::Due), Answer::Tasks(vec![Chore::Table]), "{name}");
        let routes: Vec<Value> = serde_json::from_str(&written(&mut world).text).unwrap();
        let found = routes.iter().find(|it| it["path"] == route).unwrap();
        assert_eq!(found[member], told, "{name}");
        kept(&mut world);
    }
}

#[test]
fn a_market_of_main_networks_without_an_account_of_its_own_reads_its_table() {
    let mut vars = vars();
    vars.as_object_mut().unwrap().remove("TEST_NETWORKS_ONLY");
    vars["NETWORK"] = json!(["eip155:8453", "eip155:196"]);
    let mut world = World::of(&vars);
    let body = echo();
    assert_eq!(world.publish(&body).status, 201);
    publish(&mut world, "paid", &json!({"price": "$0.05"}));
    let Checked { text, refused } = written(&mut world);
    assert_eq!(refused, []);
    assert!(text.contains("\"/s/paid\""));
    assert_eq!(read(&["eip155:8453", "eip155:196"], &text), Vec::<String>::new());
}

/// Writes the table that is due beside this one; the one that is stored from then on.
fn rewritten(world: &mut World, stored: StoredTable) -> StoredTable {
    assert_eq!(world.send(Command::Due), Answer::Tasks(vec![Chore::Table]));
    match world.send(Command::Table(stored.clone())) {
        Answer::Table(draft) => {
            let Checked { text, refused } = table::checked(&world.market, &draft);
            world.send(Command::TableWritten(draft.revision, refused));
            StoredTable { number: draft.revision, text }
        }
        _ => stored,
    }
}

/// The same beside an empty store of this number; the store's number from then on.
fn stored(world: &mut World, number: u64) -> u64 {
    rewritten(world, StoredTable { number, ..StoredTable::default() }).number
}

//
#[test]
pub fn an_id_of_the_time_that_the_books_have_lost_is_its_payee_s_alone() {
    for since in 0..4 {
        let mut world = World::new();
        publish(&mut world, "before", &json!({}));
        let kept = rewritten(&mut world, StoredTable::default());
        let backup = world.rows.clone();
        publish(&mut world, "sold", &json!({}));
        publish(&mut world, "packed", &json!({"packs": {"starter": "$5.00"}}));
        let lost = rewritten(&mut world, kept);
        world.rows = backup;
        world.send(Command::Wake);
        // Others publish before the table is looked at, so that the number may be given again.
        for at in 0..since {
            publish(&mut world, &format!("since-{at}"), &json!({}));
        }
        let now = rewritten(&mut world, lost);
        assert!(!now.text.contains("/s/sold") && now.text.contains("/s/before"), "{since}");
        for id in ["sold", "packed"] {
            let mut body = gated();
            (body["skillId"], body["payTo"]) = (id.into(), owner(2).into());
            let theirs = world.signed(2, "publish", "", &body).to_string();
            let told = world.reply(Command::Publish(Labels::default(), theirs));
            let taken = format!("Skill {id} already exists");
            assert_eq!(told.error(), (409, taken.as_str()), "{since}");
            publish(&mut world, id, &json!({}));
        }
        // Its own table names nobody anew, and a table that is none names nobody.
        let known = world.rows.forgotten.clone();
        assert_eq!(known.len(), 2, "{known:?}");
        let own = rewritten(&mut world, now);
        for text in [own.text, "[{}, 7, {\"path\": \"/s/other\"}]".to_owned(), "none".to_owned()] {
            world.send(Command::Wake);
            let number = world.rows.table.wanted + 1;
            rewritten(&mut world, StoredTable { number, text });
            assert_eq!(world.rows.forgotten, known);
        }
    }
}

//
#[test]
pub fn a_table_of_a_time_that_the_books_have_lost_is_written_over_however_its_number_stands() {
    for lost in 1..4 {
        for since in 0..5 {
            let mut world = World::new();
            publish(&mut world, "before", &json!({}));
            let backup = world.rows.clone();
            let mut number = stored(&mut world, 0);
            for at in 0..lost {
                publish(&mut world, &format!("lost-{at}"), &json!({}));
                number = stored(&mut world, number);
            }
            world.rows = backup;
            for at in 0..since {
                publish(&mut world, &format!("since-{at}"), &json!({}));
            }
            // What the object does when it starts.
            world.send(Command::Wake);
            let after = stored(&mut world, number);
            assert!(after > number, "{lost} {since}: {after} after {number}");
            let row = world.rows.table.clone();
            assert_eq!((row.wanted, row.written, row.due), (after, after, None));
            // From then on nothing is written until something changes.
            world.send(Command::Wake);
            assert_eq!(stored(&mut world, after), after);
            assert_eq!(world.send(Command::Due), Answer::Tasks(Vec::new()));
            publish(&mut world, "next", &json!({}));
            assert_eq!(stored(&mut world, after), after + 1);
        }
    }
}

//
#[test]
pub fn a_stored_table_without_a_number_or_of_an_earlier_one_is_written_again_under_its_own() {
    for number in [0, 1] {
        let mut world = World::new();
        publish(&mut world, "first", &json!({}));
        publish(&mut world, "second", &json!({}));
        kept(&mut world);
        world.send(Command::Wake);
        assert_eq!(stored(&mut world, number), 2);
        assert_eq!(world.rows.table.due, None);
    }
}

#[test]
pub fn a_store_that_cannot_be_read_is_looked_at_again_ever_later() {
    let mut world = World::new();
    publish(&mut world, "first", &json!({}));
    kept(&mut world);
    world.send(Command::Wake);
    let mut waits = Vec::new();
    for _ in 0..8 {
        world.send(Command::TableFailed);
        waits.push(world.rows.table.due.unwrap() - world.now);
    }
    assert_eq!(waits, [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
    assert_eq!(world.send(Command::Due), Answer::Tasks(Vec::new()));
    world.now += 60_000;
    assert_eq!(stored(&mut world, 1), 1);
    assert_eq!((world.rows.table.due, world.rows.table.failures), (None, 0));
}
